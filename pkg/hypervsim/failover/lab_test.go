package failover

import (
	"container/heap"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// lab is a clock that is stepped, some computers and a domain.
type lab struct {
	now       time.Time
	queue     events
	seq       int
	ids       int
	computers []*computer
	disks     []*disk
	// refuses is whether the domain makes no computer objects.
	refuses bool
	told    []string
}

type event struct {
	at  time.Time
	seq int
	do  func()
}

type events []*event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(*event)) }
func (q *events) Pop() any {
	old := *q
	e := old[len(old)-1]
	*q = old[:len(old)-1]
	return e
}

func (l *lab) Now() time.Time { return l.now }

func (l *lab) After(d time.Duration, do func()) func() {
	l.seq++
	e := &event{l.now.Add(d), l.seq, do}
	heap.Push(&l.queue, e)
	return func() { e.do = func() {} }
}

func (l *lab) advance(d time.Duration) {
	until := l.now.Add(d)
	for len(l.queue) > 0 && !l.queue[0].at.After(until) {
		e := heap.Pop(&l.queue).(*event)
		l.now = e.at
		e.do()
	}
	l.now = until
}

func (l *lab) Ensure(_, name string) (string, error) {
	if l.refuses {
		return "", errors.New("access is denied")
	}
	return "guid-of-" + name, nil
}

func (l *lab) newID() string {
	l.ids++
	return fmt.Sprintf("id-%d", l.ids)
}

// disk is a disk that some computers have.
type disk struct {
	Disk
	on map[*computer]bool
}

type computer struct {
	lab       *lab
	name      string
	number    int
	condition Condition
	domain    string
	build     int
	// clientCut and clusterCut are unplugged networks, blind is a computer that reaches no server.
	clientCut, clusterCut, blind bool
}

func (c *computer) Name() string         { return c.name }
func (c *computer) Domain() string       { return c.domain }
func (c *computer) Build() int           { return c.build }
func (c *computer) Condition() Condition { return c.condition }
func (c *computer) Reaches(string) bool  { return c.condition == Running && !c.blind && !c.clientCut }

func (c *computer) Adapters() []Adapter {
	var out []Adapter
	if !c.clientCut {
		out = append(out, Adapter{Name: "Client", Segment: "client", Address: netip.MustParsePrefix(fmt.Sprintf("10.0.1.%d/24", 10+c.number)), Gateway: true})
	}
	if !c.clusterCut {
		out = append(out, Adapter{Name: "Cluster", Segment: "cluster", Address: netip.MustParsePrefix(fmt.Sprintf("10.0.2.%d/24", 10+c.number))})
	}
	return out
}

func (c *computer) Disks() []Disk {
	out := []Disk{{GUID: "{OS-" + c.name + "}", Local: true, Formatted: true}}
	for _, d := range c.lab.disks {
		if d.on[c] {
			out = append(out, d.Disk)
		}
	}
	return out
}

const address1, address2 = "10.0.1.200", "10.0.1.201"

func newLab(nodes, disks int) *lab {
	l := &lab{now: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)}
	for i := range nodes {
		l.computers = append(l.computers, &computer{lab: l, name: string(rune('A' + i)), number: i, condition: Running, domain: "corp.example", build: 20348})
	}
	for i := range disks {
		d := &disk{Disk: Disk{GUID: fmt.Sprintf("{D%d}", i+1), SizeBytes: 1 << 30, Formatted: true, Reservations: true}, on: map[*computer]bool{}}
		for _, c := range l.computers {
			d.on[c] = true
		}
		l.disks = append(l.disks, d)
	}
	return l
}

func (l *lab) setup() Setup {
	return Setup{
		Name: "SQL1", ObjectGUID: "guid-of-SQL1", Addresses: []string{address1}, Clock: l, Directory: l, NewID: l.newID,
		Taken:    func(ip netip.Addr) bool { return ip == netip.MustParseAddr("10.0.1.254") },
		Timing:   Timing{Heartbeat: time.Second, Online: 3 * time.Second, Join: 5 * time.Second},
		Happened: func(s string) { l.told = append(l.told, s) },
	}
}

// form makes a cluster with one of the kinds of witnesses: "", disk, share or cloud. A disk witness takes a disk of its own.
func (l *lab) form(t *testing.T, witness string) *Cluster {
	t.Helper()
	if witness == "disk" {
		d := &disk{Disk: Disk{GUID: "{W}", SizeBytes: 1 << 30, Formatted: true, Reservations: true}, on: map[*computer]bool{}}
		for _, c := range l.computers {
			d.on[c] = true
		}
		l.disks = append(l.disks, d)
	}
	var computers []Computer
	for _, c := range l.computers {
		computers = append(computers, c)
	}
	c, err := Form(l.setup(), computers)
	must(t, err)
	l.advance(10 * time.Second)
	switch witness {
	case "disk":
		r, err := c.AddDisk("{W}")
		must(t, err)
		must(t, c.SetDiskWitness(r))
	case "share":
		must(t, c.SetShareWitness(`\\files\witness`))
	case "cloud":
		must(t, c.SetCloudWitness("account", "core.windows.net"))
	}
	return c
}

// role makes a file server FS1 on a disk and waits until it is online.
func (l *lab) role(t *testing.T, c *Cluster, guid string) *Group {
	t.Helper()
	r, err := c.AddDisk(guid)
	must(t, err)
	g, err := c.AddFileServer("FS1", []string{r.Name}, []string{address2})
	must(t, err)
	l.advance(3 * time.Second)
	if g.State() != GroupOnline {
		t.Fatalf("role is %s: %v", g.State(), l.told)
	}
	return g
}

func (l *lab) computer(name string) *computer {
	i := slices.IndexFunc(l.computers, func(c *computer) bool { return c.name == name })
	return l.computers[i]
}

// fail takes the power of computers away, all at once.
func (l *lab) fail(c *Cluster, names ...string) {
	for _, name := range names {
		l.computer(name).condition = Off
	}
	c.Changed()
}

// boot gives a computer power again and starts its cluster service.
func (l *lab) boot(c *Cluster, name string) {
	l.computer(name).condition = Running
	c.Changed()
	if n := c.Node(name); n != nil {
		c.Start(n)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// heard is whether an event with that text was told.
func (l *lab) heard(text string) bool {
	return slices.ContainsFunc(l.told, func(s string) bool { return strings.Contains(s, text) })
}

func refusedFor(t *testing.T, err error, reason Reason) {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) || r.Reason != reason {
		t.Errorf("error is %v, want a refusal for %s", err, reason)
	}
}
