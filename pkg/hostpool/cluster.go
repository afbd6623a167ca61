package hostpool

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/inventory"
	"guestclustering.io/operator/pkg/plan"
)

const (
	// readTimeout bounds one reading batch; one that carries batches into guests has as long for each of them.
	readTimeout = 20 * time.Second
	// changeTimeout bounds one changing batch: long work is started, not awaited.
	changeTimeout = 2 * time.Minute
	// patience is how long a poll waits for a host before it goes on without; suspectPatience for one that did not answer the
	// last time.
	patience        = 3 * time.Second
	suspectPatience = 200 * time.Millisecond
)

// Cluster is one host cluster: its sessions and the latest snapshot. Its methods may be called from many goroutines.
type Cluster struct {
	name   string
	clock  clock.Clock
	notify func(Change)
	stop   context.CancelFunc
	wake   chan struct{}

	mu       sync.Mutex
	conf     Config
	sessions *sessions
	facts    *facts
	no       int
	latest   *hyperv.Snapshot
	lastErr  error
	// pending counts the readings under way of each host.
	pending map[string]int
	// teller is the host that told about the host cluster last time.
	teller string

	// arbiter lets one disruptive step be weighed at a time.
	arbiter   chan struct{}
	proposals map[string]plan.Proposal
	// movingTo is where machines were last let move to, by Key.
	movingTo map[string]string
	macs     macReservations
}

func newCluster(ctx context.Context, name string, config Config, c clock.Clock, notify func(Change)) *Cluster {
	ctx, cancel := context.WithCancel(ctx)
	cl := &Cluster{
		name: name, clock: c, notify: notify, stop: cancel, conf: config, facts: newFacts(), wake: make(chan struct{}, 1), arbiter: make(chan struct{}, 1),
		sessions: newSessions(config.Driver),
		pending:  map[string]int{}, proposals: map[string]plan.Proposal{}, movingTo: map[string]string{}, macs: macReservations{},
	}
	go cl.poll(ctx)
	return cl
}

func (c *Cluster) config() Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conf
}

// reconfigure takes effect at once: what is read may have changed. Another driver gets sessions of its own; what is
// remembered of the hosts stays.
func (c *Cluster) reconfigure(config Config) {
	c.mu.Lock()
	same := slices.Equal(c.conf.Pools, config.Pools) && slices.Equal(c.conf.Files, config.Files) && c.conf.PollInterval == config.PollInterval
	var old *sessions
	if c.conf.DriverKey != config.DriverKey {
		same, old = false, c.sessions
		c.sessions = newSessions(config.Driver)
	}
	config.Driver = nil // the sessions have it
	c.conf = config
	c.mu.Unlock()
	if old != nil {
		// Closing may take as long as a host takes to answer.
		go func() { _ = old.close() }()
	}
	if !same {
		c.pollNow()
	}
}

// current are the sessions to use now.
func (c *Cluster) current() *sessions {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions
}

func (c *Cluster) pollNow() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Snapshot is the latest snapshot, or nil before the first, and why the host cluster could not be read the last time.
func (c *Cluster) Snapshot() (*hyperv.Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest, c.lastErr
}

// HostErrors is why hosts did not answer the last time they were asked, by their names.
func (c *Cluster) HostErrors() map[string]error {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := map[string]error{}
	for name, h := range c.facts.hosts {
		if h.err != nil {
			errs[name] = h.err
		}
	}
	return errs
}

func (c *Cluster) poll(ctx context.Context) {
	defer func() { _ = c.current().close() }()
	for {
		c.readAll(ctx)
		timer := c.clock.NewTimer(c.config().PollInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-c.wake:
		case <-timer.C():
		}
		timer.Stop()
	}
}

// readAll takes a full snapshot. It gives the number of the reading.
func (c *Cluster) readAll(ctx context.Context) int {
	no := c.nextReading()
	c.readCluster(ctx, no)
	c.readHosts(ctx, no, c.hostNames())
	c.publish(no)
	return no
}

// nextReading numbers a reading at its start.
func (c *Cluster) nextReading() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.no++
	return c.no
}

func (c *Cluster) hostNames() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.facts.cluster == nil {
		return nil
	}
	var names []string
	for _, n := range c.facts.cluster.Nodes {
		names = append(names, n.Name)
	}
	return names
}

// clusterAnswer is what one host told about the host cluster.
type clusterAnswer struct {
	host    string
	cluster inventory.Cluster
	disks   []hyperv.VirtualDisk
	disksOK bool
	err     error
}

// readCluster asks a host about the host cluster, the one that told it last time first. One that takes long is not waited
// for: the next is asked too, and the first answer counts.
func (c *Cluster) readCluster(ctx context.Context, no int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hosts := c.candidates()
	answers := make(chan clusterAnswer, len(hosts))
	asked, failed := 0, 0
	var lastErr error
	for failed < len(hosts) {
		if asked < len(hosts) {
			go func(host string) { answers <- c.askCluster(ctx, host) }(hosts[asked])
			asked++
		}
		answer, ok := c.within(patience, answers, asked == len(hosts))
		switch {
		case !ok:
		case answer.err == nil:
			c.keepCluster(answer, no)
			return
		default:
			failed++
			lastErr = answer.err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if no > c.facts.clusterNo {
		c.facts.clusterOK, c.facts.clusterNo, c.lastErr = false, no, lastErr
	}
}

// within waits for an answer; not for ever, unless nobody is left to ask. Every question is bounded itself.
func (c *Cluster) within(limit time.Duration, answers <-chan clusterAnswer, forever bool) (clusterAnswer, bool) {
	if forever {
		return <-answers, true
	}
	timer := c.clock.NewTimer(limit)
	defer timer.Stop()
	select {
	case answer := <-answers:
		return answer, true
	case <-timer.C():
		return clusterAnswer{}, false
	}
}

func (c *Cluster) keepCluster(a clusterAnswer, no int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts.setCluster(&a.cluster, a.disks, a.disksOK, no, c.clock.Now())
	c.lastErr, c.teller = nil, a.host
}

// candidates are the hosts to ask about the host cluster: the one that told it last time, then those that answered last
// time, by name. At the end stands the empty name: any host that the driver can reach.
func (c *Cluster) candidates() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	if c.facts.cluster != nil {
		for _, n := range c.facts.cluster.Nodes {
			if c.facts.hosts[n.Name].ok && n.State != hyperv.HostDown {
				names = append(names, n.Name)
			}
		}
	}
	slices.Sort(names)
	if i := slices.Index(names, c.teller); i > 0 {
		names = slices.Insert(slices.Delete(names, i, i+1), 0, c.teller)
	}
	return append(names, "")
}

func (c *Cluster) askCluster(ctx context.Context, host string) clusterAnswer {
	a := clusterAnswer{host: host}
	pools := c.config().Pools
	results, err := c.read(ctx, inventory.ClusterState(host, pools))
	if err != nil {
		a.err = err
		return a
	}
	if a.cluster, a.err = inventory.DecodeClusterState(pools, results); a.err != nil {
		return a
	}
	files := inventory.SharedDiskFiles(a.cluster.Folders)
	if len(files) == 0 {
		a.disksOK = true
		return a
	}
	// Another host is asked first: the teller has the most to answer at each poll. Without an answer the disks are unknown, and
	// the snapshot says so; the rest counts.
	for _, from := range c.diskTellers(host) {
		if results, err = c.read(ctx, inventory.Disks(from, files)); err == nil {
			a.disks, a.disksOK = inventory.DecodeDisks(results), true
			return a
		}
	}
	return a
}

// diskTellers are the hosts to ask about virtual disks, which every host can open: the one that would be asked about the host
// cluster after the teller, then that one. Those that come before did not answer.
func (c *Cluster) diskTellers(teller string) []string {
	hosts := c.candidates()
	if i := slices.Index(hosts, teller); i >= 0 && i+1 < len(hosts) && hosts[i+1] != "" {
		return []string{hosts[i+1], teller}
	}
	return []string{teller}
}

func (c *Cluster) read(ctx context.Context, b hostagent.Batch) (hostagent.Results, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout*time.Duration(max(1, carried(b))))
	defer cancel()
	return c.current().run(ctx, b)
}

// carried counts the batches that a batch carries into guests.
func carried(b hostagent.Batch) int {
	n := 0
	for _, call := range b.Calls {
		if _, carries := call.Carried(); carries {
			n++
		}
	}
	return n
}

// readHosts asks hosts side by side and waits a while for them: less for one that did not answer the last time. An answer
// that comes later counts when it comes.
func (c *Cluster) readHosts(ctx context.Context, no int, names []string) {
	var wait sync.WaitGroup
	for _, name := range names {
		limit, busy := c.beginReading(name)
		if busy {
			continue
		}
		late := make(chan struct{})
		done := make(chan struct{})
		go func() {
			c.readHost(ctx, name, no)
			c.endReading(name)
			close(done)
			select {
			case <-late:
				c.publish(no)
			default:
			}
		}()
		wait.Go(func() {
			if !c.await(done, limit) {
				close(late)
			}
		})
	}
	wait.Wait()
}

func (c *Cluster) await(done <-chan struct{}, limit time.Duration) bool {
	timer := c.clock.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C():
		return false
	}
}

// beginReading says how long to wait for a host. One that did not answer the last time is asked once at a time.
func (c *Cluster) beginReading(name string) (limit time.Duration, busy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, seen := c.facts.hosts[name]
	suspect := seen && !known.ok
	if suspect && c.pending[name] > 0 {
		return 0, true
	}
	c.pending[name]++
	if suspect {
		return suspectPatience, false
	}
	return patience, false
}

func (c *Cluster) endReading(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending[name]--
}

func (c *Cluster) readHost(ctx context.Context, name string, no int) {
	h, err := c.askHost(ctx, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts.setHost(name, h, no, err)
}

func (c *Cluster) askHost(ctx context.Context, name string) (hyperv.Host, error) {
	results, err := c.read(ctx, inventory.HostState(name, c.config().Files))
	if err != nil {
		return hyperv.Host{}, err
	}
	h, err := inventory.DecodeHostState(name, results)
	if err != nil {
		return hyperv.Host{}, err
	}
	ids := c.ours(h.Machines)
	if len(ids) == 0 {
		return h, nil
	}
	results, err = c.read(ctx, inventory.Configurations(name, ids))
	if err != nil {
		return hyperv.Host{}, err
	}
	return h, inventory.AddConfigurations(&h, results)
}

// ours are the machines in stamped folders; only they are asked for their configuration.
func (c *Cluster) ours(machines []hyperv.Machine) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.facts.cluster == nil {
		return nil
	}
	var ids []string
	for _, vm := range machines {
		if slices.ContainsFunc(c.facts.cluster.Folders, func(f hyperv.Folder) bool { return hyperv.Within(f.Path, vm.Location) }) {
			ids = append(ids, vm.ID)
		}
	}
	return ids
}

// publish makes the latest facts the snapshot and tells what differs. A reading of everything counts in the memory once
// every answer is of it, or of a later one.
func (c *Cluster) publish(reading int) {
	c.mu.Lock()
	now := c.clock.Now()
	before, next := c.latest, c.facts.snapshot(now)
	c.facts.memory.remember(next, c.facts.counts(reading), now)
	c.latest = next
	change := difference(before, next, c.facts.memory.owners)
	c.mu.Unlock()
	change.HostCluster = c.name
	if change.Hosts || change.Addresses || len(change.Objects) > 0 {
		c.notify(change)
	}
}

// Refresh reads the host cluster and these hosts again; without names, every host.
func (c *Cluster) Refresh(ctx context.Context, hosts ...string) {
	if len(hosts) == 0 {
		c.readAll(ctx)
		return
	}
	no := c.nextReading()
	c.readCluster(ctx, no)
	for _, h := range hosts {
		c.readHost(ctx, h, no)
	}
	c.publish(partial)
}

// partial is the number of a reading that was not of everything.
const partial = -1

// Run runs a batch. One that changes something is followed by reading its target again before Run returns, whatever
// became of it: a lost answer means that we look, never that we send again. One whose calls all went into guests, and whose
// answer came, changed nothing that is read of a host.
func (c *Cluster) Run(ctx context.Context, b hostagent.Batch) (hostagent.Results, error) {
	if err := b.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", hostagent.Internal, err)
	}
	if !b.Changes() {
		return c.read(ctx, b)
	}
	runCtx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	b.Target.Host = cmp.Or(b.Target.Host, c.candidates()[0])
	results, err := c.current().run(runCtx, b)
	if err == nil && carried(b) == len(b.Calls) {
		return results, nil
	}
	if err != nil {
		c.unhear(b.Target.Host)
	}
	c.Refresh(ctx, c.touched(b.Target.Host)...)
	if ctx.Err() != nil {
		// The caller's time was over before that reading: what it left unknown is read again at once.
		c.pollNow()
	}
	return results, err
}

func (c *Cluster) unhear(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts.unhear(host)
}

// touched are the hosts to read after a change on one. Without a name the change was the host cluster's.
func (c *Cluster) touched(host string) []string {
	if host == "" {
		return nil
	}
	return []string{host}
}
