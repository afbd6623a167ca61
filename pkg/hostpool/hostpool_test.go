package hostpool_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostpool"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
)

const interval = 30 * time.Second

// bench is a pool that polls a rack. Its time is the bubble's: it passes when everybody waits.
type bench struct {
	*rack
	pool    *hostpool.Pool
	cluster *hostpool.Cluster
	conf    hostpool.Config
}

// polling runs a test beside a pool that has polled once. Afterwards the pool is closed: what still runs then, or a session
// that is still open, fails the test.
func polling(t *testing.T, prepare func(*rack), test func(*testing.T, *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRack()
		if prepare != nil {
			prepare(r)
		}
		pool := hostpool.New(t.Context(), clock.RealClock{}, r.notify)
		conf := hostpool.Config{Driver: r, DriverKey: "a", Pools: []string{gold}, PollInterval: interval}
		b := &bench{rack: r, pool: pool, conf: conf, cluster: pool.Set("rack1", conf)}
		synctest.Wait()
		b.told()
		b.asked()
		test(t, b)
		pool.Close()
		r.with(func() {
			for _, held := range r.hold {
				close(held)
			}
		})
		synctest.Wait()
		r.with(func() {
			if r.opened != r.closed {
				t.Errorf("%d sessions were opened and %d closed", r.opened, r.closed)
			}
		})
	})
}

// pass lets time pass, and what is due then happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (b *bench) seen() *hyperv.Snapshot {
	seen, _ := b.cluster.Snapshot()
	return seen
}

// state is a machine's state and host as the snapshot shows it.
func (b *bench) state(id string) string {
	vm, presence := b.seen().Machine(id)
	switch presence {
	case hyperv.Known:
		return vm.State + " on " + vm.HostName
	case hyperv.Absent:
		return "absent"
	default:
		return "unknown"
	}
}

// concerned are the objects of some changes as kind/name/member, and "hosts" for the hosts.
func concerned(changes []hostpool.Change) []string {
	found := map[string]bool{}
	for _, c := range changes {
		if c.Hosts {
			found["hosts"] = true
		}
		for _, s := range c.Objects {
			found[s.Kind+"/"+s.Name+"/"+s.Member] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

const (
	objectA = "GuestCluster/sql/SQL-A"
	objectB = "GuestCluster/sql/SQL-B"
	objectD = "SharedDisk/data/"
)

func change(host string) hostagent.Batch {
	return hostagent.Batch{Target: hostagent.Target{Host: host}, OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "do", Cmdlet: "Set-Something"}}}
}

func TestSnapshot(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		s := b.seen()
		if !s.Complete() {
			t.Error("the snapshot of a rack that answers is not complete")
		}
		got := map[string]string{"A": b.state(idA), "B": b.state(idB), "other": b.state("x")}
		if diff := cmp.Diff(map[string]string{"A": "Running on hv01", "B": "Running on hv02", "other": "absent"}, got); diff != "" {
			t.Errorf("machines (-want +got):\n%s", diff)
		}
		// Foreign machines are not asked for their configuration.
		if vm, _ := s.Machine(idA); vm.Configuration == nil {
			t.Error("the configuration of a machine of ours was not read")
		}
		if vm := s.Hosts[2].Machines[0]; vm.Configuration != nil {
			t.Error("the configuration of a foreign machine was read")
		}
		if d, presence := s.Disk(data); presence != hyperv.Known || d.Identifier != "i1" {
			t.Errorf("the disk is %v, %v", d, presence)
		}
	})
}

func TestRoundTripsOfAPoll(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		pass(interval)
		b.told()
		b.asked()
		pass(10 * interval)
		asked := b.asked()
		total := 0
		for host, n := range asked {
			if n > 3*10 {
				t.Errorf("%s got %d batches in ten polls, want at most 30, so that there is one left for guests", host, n)
			}
			total += n
		}
		// Two for the host cluster and its disks, one a host, one more for each with a machine of ours.
		if total != 10*(2+3+2) {
			t.Errorf("ten polls took %d batches, want 70: %v", total, asked)
		}
		if got := concerned(b.told()); got != nil {
			t.Errorf("nothing changed, and %v were woken", got)
		}
	})
}

func TestAHostThatHangsDelaysNobody(t *testing.T) {
	cases := map[string]struct {
		reason string
		hangs  string
	}{
		"any host":      {"The others are not waited for longer.", "hv03"},
		"the one asked": {"The next one is asked about the host cluster.", "hv01"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			polling(t, nil, func(t *testing.T, b *bench) {
				b.with(func() {
					b.hold[tc.hangs] = make(chan struct{})
					b.vm("hv02").State = "Off"
				})
				// Who hangs is asked about the host cluster and about itself: twice the patience.
				pass(interval + 7*time.Second)
				if got := b.state(idB); got != "Off on hv02" {
					t.Errorf("%s\nafter a poll with a host that hangs SQL-B is %s, want Off on hv02", tc.reason, got)
				}
				pass(interval)
				if h, _ := b.seen().Host(tc.hangs); h.Answered || b.seen().Complete() {
					t.Error("a host that hangs counts as having answered")
				}
				// From now on it is known, and costs next to nothing.
				b.with(func() { b.vm("hv02").State = "Running" })
				pass(interval)
				if got := b.state(idB); got != "Running on hv02" {
					t.Errorf("%s\nafter another poll SQL-B is %s, want Running on hv02", tc.reason, got)
				}
				// While it is being asked, nobody asks it again.
				b.asked()
				for range 3 {
					b.cluster.Refresh(t.Context())
				}
				if n := b.asked()[tc.hangs]; n != 0 {
					t.Errorf("%s\na host that is being asked got %d batches more", tc.reason, n)
				}
				b.with(func() {
					close(b.hold[tc.hangs])
					delete(b.hold, tc.hangs)
				})
				pass(interval + time.Second)
				if !b.seen().Complete() {
					t.Error("a host that answers again is not taken up")
				}
			})
		})
	}
}

func TestASlowAnswerNeverReplacesANewerOne(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		slow := make(chan struct{})
		b.with(func() { b.hold["hv02"] = slow })
		// The poll asks hv02 at 30 s; the answer is of then and comes later.
		pass(interval + time.Second)
		b.with(func() {
			delete(b.hold, "hv02")
			b.vm("hv02").State = "Off"
		})
		b.cluster.Refresh(t.Context(), "hv02")
		if got := b.state(idB); got != "Off on hv02" {
			t.Fatalf("after a refresh SQL-B is %s, want Off on hv02", got)
		}
		close(slow)
		pass(time.Second)
		if got := b.state(idB); got != "Off on hv02" {
			t.Errorf("the old answer came and SQL-B is %s, want Off on hv02 still", got)
		}
	})
	// So with what hosts tell about the host cluster; hv01 told it the last time and is asked first.
	polling(t, nil, func(t *testing.T, b *bench) {
		slow := make(chan struct{})
		b.with(func() { b.hold["hv01"] = slow })
		pass(interval + time.Second)
		b.with(func() {
			delete(b.hold, "hv01")
			b.groups[0].State = "Failed"
		})
		b.cluster.Refresh(t.Context(), "hv01")
		close(slow)
		pass(time.Second)
		if g, _ := b.seen().GroupOf(idA); g.State != "Failed" {
			t.Errorf("the old answer came and the group is %s, want Failed still", g.State)
		}
	})
}

func TestRunReadsWhatItChanged(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		b.with(func() {
			b.effect = func(hostagent.Batch) error { b.vm("hv01").State = "Off"; return nil }
		})
		if _, err := b.cluster.Run(t.Context(), change("hv01")); err != nil {
			t.Fatal(err)
		}
		if got := b.state(idA); got != "Off on hv01" {
			t.Errorf("when Run returns SQL-A is %s, want Off on hv01", got)
		}
		if diff := cmp.Diff([]string{objectA}, concerned(b.told())); diff != "" {
			t.Errorf("woken (-want +got):\n%s", diff)
		}
		b.asked()
		if _, err := b.cluster.Run(t.Context(), hostagent.Batch{Target: hostagent.Target{Host: "hv01"}, OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "get", Cmdlet: "Get-VM"}}}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]int{"hv01": 1}, b.asked()); diff != "" {
			t.Errorf("batches of a batch that only reads (-want +got):\n%s", diff)
		}
		if _, err := b.cluster.Run(t.Context(), hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{Cmdlet: "Set-X"}}}); !errors.Is(err, hostagent.Internal) || len(b.asked()) != 0 {
			t.Errorf("a batch that cannot be run gives %v, want class Internal and no round trip", err)
		}
	})
}

// inside is a batch for the guests of some machines of hv01.
func inside(cmdlet string, machines ...string) hostagent.Batch {
	b := hostagent.Batch{Target: hostagent.Target{Host: "hv01"}, OnError: hostagent.Continue}
	for _, vm := range machines {
		nested := hostagent.Nested{Batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: cmdlet}}}}
		b.Calls = append(b.Calls, hostagent.Call{ID: vm, Cmdlet: "Invoke-GuestBatch", Parameters: hostagent.Parameters{"Batch": nested}})
	}
	return b
}

func TestWhatChangesAGuestChangesNoHost(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		if _, err := b.cluster.Run(t.Context(), inside("Set-Disk", idA)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]int{"hv01": 1}, b.asked()); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
		mixed := inside("Set-Disk", idA)
		mixed.Calls = append(mixed.Calls, hostagent.Call{ID: "host", Cmdlet: "Set-VM"})
		if _, err := b.cluster.Run(t.Context(), mixed); err != nil {
			t.Fatal(err)
		}
		if got := b.asked()["hv01"]; got < 2 {
			t.Errorf("a batch that changes the host, too, was %d batches on it, want it to be read after", got)
		}
	})
}

func TestEachGuestInABatchHasItsTime(t *testing.T) {
	polling(t, func(r *rack) { r.hold = map[string]chan struct{}{} }, func(t *testing.T, b *bench) {
		for guests, want := range map[int]time.Duration{1: 20 * time.Second, 3: time.Minute} {
			b.with(func() { b.hold["hv01"] = make(chan struct{}) })
			began := time.Now()
			_, err := b.cluster.Run(t.Context(), inside("Get-Disk", []string{"a", "b", "c"}[:guests]...))
			if took := time.Since(began); !errors.Is(err, hostagent.Timeout) || took != want {
				t.Errorf("%d guests: %v after %v, want Timeout after %v", guests, err, took, want)
			}
		}
	})
}

func TestALostAnswer(t *testing.T) {
	lost := &hostagent.Error{Class: hostagent.OutcomeUnknown, Op: "run", Err: errors.New("connection reset")}
	silent := &hostagent.Error{Class: hostagent.Unreachable, Op: "run", Err: errors.New("connection refused")}
	cases := map[string]struct {
		reason string
		then   error
		want   string
	}{
		"and the host answers again": {reason: "What is read then is settled, and shows what was done.", want: "Off on hv01"},
		"and the host is silent":     {reason: "Nobody plans on a picture older than our own last act.", then: silent, want: "unknown"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			polling(t, nil, func(t *testing.T, b *bench) {
				sent := 0
				b.with(func() {
					b.effect = func(hostagent.Batch) error {
						sent++
						b.vm("hv01").State = "Off"
						b.fails["hv01"] = tc.then
						return lost
					}
				})
				opened := b.opened
				_, err := b.cluster.Run(t.Context(), change("hv01"))
				if b.opened == opened {
					t.Error("the session that lost an answer is used again")
				}
				if !errors.Is(err, hostagent.OutcomeUnknown) {
					t.Errorf("%s\nthe error is %v, want class OutcomeUnknown", tc.reason, err)
				}
				if got := b.state(idA); got != tc.want {
					t.Errorf("%s\nSQL-A is %s, want %s", tc.reason, got, tc.want)
				}
				b.with(func() { b.effect = nil; delete(b.fails, "hv01") })
				pass(interval + time.Second)
				if got := b.state(idA); got != "Off on hv01" || sent != 1 {
					t.Errorf("%s\nafter the next poll SQL-A is %s; the batch was sent %d times", tc.reason, got, sent)
				}
			})
		})
	}
}

func TestAReadingThatNobodyWaitsForKeepsItsSession(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		slow := make(chan struct{})
		b.with(func() { b.hold["hv02"] = slow })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.cluster.Refresh(ctx, "hv02")
		}()
		synctest.Wait()
		cancel()
		<-done
		b.with(func() { delete(b.hold, "hv02") })
		close(slow)
		before := b.opened
		b.cluster.Refresh(t.Context(), "hv02")
		if b.opened != before || b.state(idB) != "Running on hv02" {
			t.Errorf("%d sessions were opened for the next reading, want none; SQL-B is %s", b.opened-before, b.state(idB))
		}
	})
}

func TestACallerWhoseTimeIsOver(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		ctx, cancel := context.WithCancel(t.Context())
		b.with(func() {
			b.effect = func(hostagent.Batch) error { cancel(); b.vm("hv01").State = "Off"; return nil }
		})
		if _, err := b.cluster.Run(ctx, change("hv01")); err == nil {
			t.Error("a batch whose caller gave up gives no error")
		}
		// It was not read again in the caller's time; the poll does it at once.
		pass(time.Second)
		if got := b.state(idA); got != "Off on hv01" {
			t.Errorf("SQL-A is %s, want Off on hv01", got)
		}
	})
}

func TestGone(t *testing.T) {
	down := func(b *bench) {
		b.with(func() {
			b.nodes["hv03"] = "Down"
			b.fails["hv03"] = &hostagent.Error{Class: hostagent.Unreachable, Op: "run"}
		})
	}
	look := func(b *bench) string {
		h, _ := b.seen().Host("hv03")
		return fmt.Sprintf("answered %v, gone %v, complete %v", h.Answered, h.Gone, b.seen().Complete())
	}
	polling(t, nil, func(t *testing.T, b *bench) {
		down(b)
		pass(4 * time.Minute)
		if got := look(b); got != "answered false, gone false, complete false" {
			t.Errorf("within the resiliency period: %s", got)
		}
		b.told()
		pass(time.Minute)
		if got := look(b); got != "answered false, gone true, complete true" {
			t.Errorf("after the resiliency period: %s", got)
		}
		if diff := cmp.Diff([]string{"hosts"}, concerned(b.told())); diff != "" {
			t.Errorf("woken when it is gone (-want +got):\n%s", diff)
		}
		b.with(func() { b.nodes["hv03"] = "Up"; delete(b.fails, "hv03") })
		pass(interval)
		if got := look(b); got != "answered true, gone false, complete true" {
			t.Errorf("back: %s", got)
		}
		// Its next failure begins from nothing.
		down(b)
		pass(2 * interval)
		if got := look(b); got != "answered false, gone false, complete false" {
			t.Errorf("down again: %s", got)
		}
	})
	polling(t, nil, func(t *testing.T, b *bench) {
		// A node that lost its membership is isolated for the resiliency period; its machines may still run.
		down(b)
		b.with(func() { b.nodes["hv03"] = "Down Isolated" })
		pass(5 * time.Minute)
		if got := look(b); got != "answered false, gone false, complete false" {
			t.Errorf("isolated: %s", got)
		}
		b.with(func() { b.nodes["hv03"] = "Down" })
		pass(interval)
		if got := look(b); got != "answered false, gone true, complete true" {
			t.Errorf("down after its isolation: %s", got)
		}
	})
	polling(t, nil, func(t *testing.T, b *bench) {
		// The cluster service is stopped, and the host tells what it runs.
		b.with(func() { b.nodes["hv03"] = "Down" })
		pass(10 * time.Minute)
		if got := look(b); got != "answered true, gone false, complete true" {
			t.Errorf("down and answering: %s", got)
		}
	})
}

func TestTheHostClusterCannotBeRead(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		b.with(func() {
			for host := range b.hosts {
				b.fails[host] = &hostagent.Error{Class: hostagent.Unauthenticated, Op: "open"}
			}
		})
		pass(interval)
		seen, err := b.cluster.Snapshot()
		if !errors.Is(err, hostagent.Unauthenticated) || seen.Cluster != nil || seen.Complete() || b.state(idA) != "unknown" {
			t.Errorf("the error is %v, the snapshot %+v", err, seen)
		}
		b.with(func() { clear(b.fails) })
		pass(interval)
		if seen, err := b.cluster.Snapshot(); err != nil || !seen.Complete() {
			t.Errorf("afterwards the error is %v, and complete is %v", err, seen.Complete())
		}
	})
}

// Every difference wakes exactly the objects it concerns.
func TestDifferences(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*rack)
		want   []string
	}{
		"nothing":                 {"Nothing changed.", func(*rack) {}, nil},
		"a machine's state":       {"It is of that member.", func(r *rack) { r.vm("hv01").State = "Off" }, []string{objectA}},
		"a heartbeat":             {"A guest began to answer.", func(r *rack) { r.vm("hv02").Heartbeat = "OkApplicationsHealthy" }, []string{objectB}},
		"a machine moved":         {"It is of that member, and of nobody at the other host.", func(r *rack) { r.move("hv01", "hv03") }, []string{objectA}},
		"a machine is gone":       {"It is of that member.", func(r *rack) { r.hosts["hv01"].Machines = nil }, []string{objectA}},
		"a configuration":         {"Somebody changed it.", func(r *rack) { r.vm("hv01").Configuration.Processors = 8 }, []string{objectA}},
		"a foreign machine":       {"It is nobody's.", func(r *rack) { r.vm("hv03").State = "Off" }, nil},
		"a group":                 {"It is of that member.", func(r *rack) { r.groups[1].ClassNames = nil }, []string{objectB}},
		"a group without machine": {"Its name says whose it is.", func(r *rack) { r.hosts["hv01"].Machines = nil; r.groups[0].State = "Failed" }, []string{objectA}},
		"a disk was attached": {
			"It concerns the member and the disk.",
			func(r *rack) {
				r.vm("hv01").Configuration.Drives = []hyperv.Drive{{Path: data, ControllerType: "SCSI", Controller: 1}}
			}, []string{objectA, objectD},
		},
		"a disk was exchanged":  {"It is the disk's.", func(r *rack) { r.disks[0].Identifier = "i2" }, []string{objectD}},
		"a disk cannot be read": {"It is the disk's.", func(r *rack) { r.disks = nil }, []string{objectD}},
		"a file":                {"It lies in that folder.", func(r *rack) { r.folders[0].Files = nil }, []string{objectA}},
		"a folder is gone":      {"It was of that member.", func(r *rack) { r.folders = r.folders[1:] }, []string{objectA}},
		"a stamp was overwritten": {
			"It concerns whose it was and whose it is.",
			func(r *rack) {
				other := stampA
				other.Name, other.Member, other.UID = "other", "X", "u9"
				r.folders[0].StampText = other.Encode()
			}, []string{"GuestCluster/other/X", objectA},
		},
		"a stamp was destroyed": {"It concerns whose it was.", func(r *rack) { r.folders[0].StampText = "junk" }, []string{objectA}},
		"junk appeared":         {"It is nobody's.", func(r *rack) { r.folders = append(r.folders, hyperv.Folder{Path: gold + `\junk`, StampText: "junk"}) }, nil},
		"a host's state":        {"It concerns everybody.", func(r *rack) { r.nodes["hv03"] = "Paused" }, []string{"hosts"}},
		"a switch":              {"It concerns everybody.", func(r *rack) { r.hosts["hv03"].Switches = nil }, []string{"hosts"}},
		"a host was started":    {"Nothing was going on there.", func(r *rack) { r.hosts["hv01"].BootTime = noon.Add(time.Hour) }, nil},
		"a copy was interrupted": {
			"It is the member's whose copy the host began before it was started.",
			func(r *rack) { r.hosts["hv02"].BootTime = noon.Add(time.Hour) }, []string{objectB},
		},
		"a clock was set": {
			"It moves the time of the start a little, and interrupts nothing.",
			func(r *rack) { r.hosts["hv02"].BootTime = noon.Add(-time.Hour) }, nil,
		},
		"free memory": {"It moves all the time.", func(r *rack) { r.hosts["hv03"].FreeMemoryBytes = 0 }, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			// Two polls, so that losses are believed before and the second one tells nothing of its own.
			polling(t, nil, func(t *testing.T, b *bench) {
				pass(interval)
				b.told()
				b.with(func() { tc.change(b.rack) })
				pass(interval)
				if diff := cmp.Diff(tc.want, concerned(b.told())); diff != "" {
					t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
				}
			})
		})
	}
}

func TestALossIsBelievedFromTheSecondCompleteSnapshot(t *testing.T) {
	absent := func(b *bench) int { return b.seen().Memory.AbsentFor(idA) }
	polling(t, nil, func(t *testing.T, b *bench) {
		pass(interval)
		b.told()
		b.with(func() { b.hosts["hv01"].Machines, b.folders = nil, b.folders[1:] })
		// Our own refreshes are not looks at everything.
		for range 3 {
			b.cluster.Refresh(t.Context(), "hv01")
		}
		if absent(b) != 0 || b.state(idA) != "absent" {
			t.Errorf("after refreshes of one host it is %s from %d complete snapshots", b.state(idA), absent(b))
		}
		pass(interval)
		b.told()
		if absent(b) != 1 {
			t.Errorf("after a poll it is absent from %d complete snapshots, want 1", absent(b))
		}
		// A look that misses a host counts for nothing.
		b.with(func() { b.fails["hv03"] = &hostagent.Error{Class: hostagent.Unreachable, Op: "run"} })
		pass(3 * interval)
		if absent(b) != 1 {
			t.Errorf("after incomplete polls it is absent from %d complete snapshots, want 1", absent(b))
		}
		b.with(func() { delete(b.fails, "hv03") })
		b.told()
		pass(interval)
		if absent(b) != 2 {
			t.Errorf("after another poll it is absent from %d complete snapshots, want 2", absent(b))
		}
		// Nothing else differs now; whoever waited for the proof is woken all the same, though its folder is gone.
		if woken := concerned(b.told()); !slices.Contains(woken, objectA) {
			t.Errorf("woken: %v, want %s among them", woken, objectA)
		}
		pass(20 * interval)
		if absent(b) < 2 {
			t.Errorf("long after it is absent from %d complete snapshots, want at least 2", absent(b))
		}
	})
}

func TestTheSecondCompleteSnapshotAfterAStartIsNewsForEverybody(t *testing.T) {
	polling(t, func(r *rack) { r.hosts["hv01"].Machines = nil }, func(t *testing.T, b *bench) {
		pass(interval)
		if diff := cmp.Diff([]string{"hosts"}, concerned(b.told())); diff != "" {
			t.Errorf("what this process never saw is believed lost from now on (-want +got):\n%s", diff)
		}
		pass(interval)
		if got := concerned(b.told()); got != nil {
			t.Errorf("woken by the third: %v", got)
		}
	})
}

func TestAFileThatCannotBeSeenIsNotAbsent(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		b.with(func() { b.disks = nil })
		pass(5 * interval)
		if n := b.seen().Memory.AbsentFor(data); n != 0 {
			t.Errorf("a file that cannot be opened is absent from %d complete snapshots, want 0", n)
		}
		b.with(func() { b.folders[2].Files = nil })
		pass(interval)
		if n := b.seen().Memory.AbsentFor(data); n != 1 {
			t.Errorf("a file that is gone is absent from %d complete snapshots, want 1", n)
		}
	})
}

func TestMachinesInTransition(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		pass(interval)
		b.told()
		b.with(func() { b.vm("hv01").State = "Stopping" })
		pass(interval)
		b.told()
		pass(4 * interval)
		if d := b.seen().Memory.SettlingFor[idA]; d != 2*time.Minute {
			t.Errorf("it is in transition for %s, want 2m", d)
		}
		// Who waits for it looks again each minute.
		if changes := b.told(); len(changes) != 2 || !slices.Equal(concerned(changes), []string{objectA}) {
			t.Errorf("in two minutes %d changes woke %v", len(changes), concerned(changes))
		}
		// The group's transition is the machine's.
		b.with(func() { b.vm("hv01").State, b.groups[0].State = "Running", "Pending" })
		pass(2 * interval)
		if d := b.seen().Memory.SettlingFor[idA]; d != 3*time.Minute {
			t.Errorf("it is in transition for %s, want 3m", d)
		}
		b.with(func() { b.groups[0].State = "Online" })
		pass(interval)
		if d, moving := b.seen().Memory.SettlingFor[idA]; moving {
			t.Errorf("settled, it is in transition for %s", d)
		}
	})
}

func mac(t *testing.T, text string) hyperv.MAC {
	t.Helper()
	m, err := hyperv.ParseMAC(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReserveMAC(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		// The range begins in the hosts' own pool; adapters of A and B have 02A101000061 and 02A101000062.
		ranges := []hyperv.MACRange{
			{First: 0x00155D4000FE, Last: 0x00155D400102}, {First: mac(t, "02A101000060"), Last: mac(t, "02A101000064")},
		}
		used := map[hyperv.MAC]bool{0x00155D400101: true}
		var got []string
		for i := range 5 {
			m, err := b.cluster.ReserveMAC(fmt.Sprint("sql/", i), ranges, used)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.String())
		}
		want := []string{"00155D400100", "00155D400102", "02A101000060", "02A101000063", "02A101000064"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("addresses (-want +got):\n%s", diff)
		}
		if again, err := b.cluster.ReserveMAC("sql/3", ranges, used); err != nil || again.String() != want[3] {
			t.Errorf("asked again it gets %s, %v; want %s", again, err, want[3])
		}
		if _, err := b.cluster.ReserveMAC("sql/5", ranges, used); !errors.Is(err, hostagent.Capacity) {
			t.Errorf("when none is left the error is %v, want class Capacity", err)
		}
		b.cluster.ReleaseMACs("sql/")
		if m, err := b.cluster.ReserveMAC("other/0", ranges, used); err != nil || m.String() != want[0] {
			t.Errorf("after the release it gets %s, %v; want %s", m, err, want[0])
		}
		// A range inside a host's pool gives nothing, however large.
		b.with(func() { b.hosts["hv01"].MACPool = hyperv.MACRange{First: 1, Last: 1 << 46} })
		pass(interval)
		if _, err := b.cluster.ReserveMAC("x", []hyperv.MACRange{{First: 2, Last: 1 << 45}}, nil); !errors.Is(err, hostagent.Capacity) {
			t.Errorf("of a range inside a pool the error is %v, want class Capacity", err)
		}
	})
}

func TestReservedAddressesAreUnique(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		const many = 200
		ranges := []hyperv.MACRange{{First: 0x02A101000000, Last: 0x02A10100FFFF}}
		got := make([]hyperv.MAC, many)
		var wait sync.WaitGroup
		for i := range many {
			wait.Go(func() { got[i], _ = b.cluster.ReserveMAC(fmt.Sprint(i), ranges, nil) })
		}
		wait.Wait()
		slices.Sort(got)
		if unique := slices.Compact(slices.Clone(got)); len(unique) != many || got[0] == 0 {
			t.Errorf("%d addresses are %d different ones, the first %s", many, len(unique), got[0])
		}
	})
}

func TestArbiter(t *testing.T) {
	rules := []plan.Rule{{GuestCluster: "payments/sql", VMIDs: []string{idA, idB}}}
	both := func(key string) plan.Proposal { return plan.Proposal{Key: key, VMIDs: []string{idB, idA}} }
	together := func(r *rack) { r.move("hv01", "hv02") }
	// The first move takes its time, and the host shows it only at the end.
	polling(t, together, func(t *testing.T, b *bench) {
		var moves []string
		read, sent := make(chan struct{}), make(chan struct{})
		b.with(func() {
			b.hold["hv03"] = read
			b.effect = func(batch hostagent.Batch) error {
				c := batch.Calls[0]
				moves = append(moves, fmt.Sprint(c.Cmdlet, " ", c.Parameters["VMId"], " to ", c.Parameters["Node"]))
				b.hold["hv02"] = sent
				return nil
			}
		})
		answers := make([]string, 8)
		var wait sync.WaitGroup
		for i := range answers {
			wait.Go(func() {
				admitted, why, err := b.cluster.Propose(t.Context(), both(fmt.Sprint("payments/rule-", i)), rules)
				answers[i] = fmt.Sprintf("%s %v", why, err)
				if admitted != nil {
					answers[i] = "admitted " + admitted.Key
				}
			})
		}
		// Whoever weighs has begun to read before anything moves.
		synctest.Wait()
		b.with(func() { delete(b.hold, "hv03") })
		close(read)
		synctest.Wait()
		b.with(func() {
			delete(b.hold, "hv02")
			for i := range b.hosts["hv02"].Machines {
				b.hosts["hv02"].Machines[i].OperationalStatus = []string{"MigratingVirtualMachine"}
			}
		})
		close(sent)
		wait.Wait()
		if want := []string{"Move-ClusterVirtualMachineRole " + idB + " to hv01"}; !slices.Equal(moves, want) {
			t.Errorf("eight proposals at once moved %v, want %v", moves, want)
		}
		slices.Sort(answers)
		// Whoever proposed it, the one that weighed it is told.
		if !strings.HasPrefix(answers[7], "admitted payments/rule-") || answers[0] != "SQL-A is migrating <nil>" || answers[6] != answers[0] {
			t.Errorf("answers: %q", answers)
		}
		if to, ok := b.cluster.MovingTo(idB); !ok || to != "hv01" {
			t.Errorf("SQL-B is said to move to %q", to)
		}
	})
	polling(t, together, func(t *testing.T, b *bench) {
		// What was withdrawn is not weighed, whoever asks next.
		if _, why, err := b.cluster.Propose(t.Context(), plan.Proposal{Key: "a", VMIDs: []string{"nobody"}}, rules); err != nil || why != "the machine cannot be seen" {
			t.Errorf("it says %q, %v", why, err)
		}
		b.cluster.Withdraw("a")
		admitted, _, err := b.cluster.Propose(t.Context(), both("b"), rules)
		if err != nil || admitted == nil || admitted.Key != "b" {
			t.Errorf("admitted is %v, %v", admitted, err)
		}
	})
	polling(t, together, func(t *testing.T, b *bench) {
		// A host that does not answer this reading may run anything: its old answer admits nothing.
		b.with(func() { b.hold["hv03"] = make(chan struct{}) })
		admitted, why, err := b.cluster.Propose(t.Context(), both("a"), rules)
		if admitted != nil || why != "not every host has answered yet" || err != nil {
			t.Errorf("admitted is %v, and it says %q, %v", admitted, why, err)
		}
	})
}

// What a host is like, it told before: a machine that only a silent host is large enough for is not called too large.
func TestSizeOfASilentHost(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		b.with(func() { b.fails["hv03"] = errors.New("connection refused") })
		b.cluster.Refresh(t.Context())
		seen, _ := b.cluster.Snapshot()
		h, _ := seen.Host("hv03")
		if h.Answered || h.Processors != 32 || h.MemoryBytes != 64<<30 || h.FreeMemoryBytes != 0 {
			t.Errorf("the silent host is %+v", h)
		}
	})
}

func TestSet(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		same := b.pool.Set("rack1", b.conf)
		pass(time.Second)
		if asked := b.asked(); same != b.cluster || len(asked) != 0 {
			t.Errorf("the same again is another cluster: %v, and asked %v", same != b.cluster, asked)
		}
		b.conf.Files = []string{gold + `\Images\ws2022.vhdx`}
		b.pool.Set("rack1", b.conf)
		pass(time.Second)
		if len(b.asked()) == 0 {
			t.Error("more to read is not read at once")
		}
		var opened atomic.Int32
		b.conf.DriverKey, b.conf.Driver = "b", openings{b.conf.Driver, &opened}
		before, _ := b.cluster.Snapshot()
		if again := b.pool.Set("rack1", b.conf); again != b.cluster {
			t.Error("another way to the hosts makes another cluster, which remembers nothing")
		}
		pass(time.Second)
		if opened.Load() == 0 {
			t.Error("the other driver is not used")
		}
		if now, _ := b.cluster.Snapshot(); now.Memory.CompleteSnapshots <= before.Memory.CompleteSnapshots {
			t.Errorf("%d complete snapshots are remembered after %d", now.Memory.CompleteSnapshots, before.Memory.CompleteSnapshots)
		}
	})
}

// openings counts the sessions that a driver opens.
type openings struct {
	hostagent.Driver
	n *atomic.Int32
}

func (o openings) Open(ctx context.Context, target hostagent.Target) (hostagent.Agent, error) {
	o.n.Add(1)
	return o.Driver.Open(ctx, target)
}

func TestRemove(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		b.pool.Remove("rack1")
		b.pool.Remove("never there")
		pass(time.Second)
		b.asked()
		pass(5 * interval)
		if asked := b.asked(); len(asked) != 0 {
			t.Errorf("a host cluster that was removed was asked: %v", asked)
		}
		if _, ok := b.pool.Get("rack1"); ok {
			t.Error("a host cluster that was removed is found")
		}
		if _, err := b.cluster.Run(t.Context(), change("hv01")); !errors.Is(err, hostagent.Canceled) {
			t.Errorf("a batch gives %v, want class Canceled", err)
		}
	})
}

// A session that opens slowly is not left behind when the end comes first.
func TestASessionThatOpensAfterTheEnd(t *testing.T) {
	polling(t, nil, func(t *testing.T, b *bench) {
		slow := make(chan struct{})
		b.with(func() { b.opening["hv09"] = slow })
		answer := make(chan error)
		go func() {
			_, err := b.cluster.Run(t.Context(), change("hv09"))
			answer <- err
		}()
		synctest.Wait()
		b.pool.Close()
		synctest.Wait()
		close(slow)
		if err := <-answer; !errors.Is(err, hostagent.Canceled) {
			t.Errorf("a batch gives %v, want class Canceled", err)
		}
	})
}

// A batch that names no host goes to one that is known to answer, and so is read again.
func TestRunOnAnyHost(t *testing.T) {
	polling(t, func(r *rack) { r.fails["hv01"] = &hostagent.Error{Class: hostagent.Unreachable, Op: "run"} }, func(t *testing.T, b *bench) {
		var on string
		b.with(func() { b.effect = func(batch hostagent.Batch) error { on = batch.Target.Host; return nil } })
		if _, err := b.cluster.Run(t.Context(), change("")); err != nil {
			t.Fatal(err)
		}
		if on != "hv02" {
			t.Errorf("it ran on %q, want hv02", on)
		}
	})
}
