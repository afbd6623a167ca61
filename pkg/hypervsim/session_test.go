package hypervsim

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

func TestAnyHost(t *testing.T) {
	f := newFixture(t)
	f.ok(f.FailHost("hv01"))
	f.advance(time.Minute)
	f.ok(f.ReturnHost("hv01"))
	// hv01 answers, but it is not a member yet.
	f.must("", cmdlet.Cluster("c"))
	if e := f.Journal(f.last() - 1); e[0].Host != "hv02" {
		t.Errorf("any host was %s, want hv02, the first that is a member", e[0].Host)
	}
}

func TestRefusedTargets(t *testing.T) {
	f := newFixture(t)
	f.ok(f.FailHost("hv04"))
	tests := map[string]struct {
		target hostagent.Target
		want   hostagent.Class
	}{
		"a guest":          {hostagent.Target{VM: "11111111-2222-3333-4444-555555555555"}, hostagent.Unsupported},
		"no host":          {hostagent.Target{Host: "hv09"}, hostagent.Unreachable},
		"a host that died": {hostagent.Target{Host: "hv04"}, hostagent.Unreachable},
	}
	for name, test := range tests {
		if _, err := f.Driver().Open(t.Context(), test.target); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}

// A call that is under way when its caller gives up completes; the later ones do not run, and the next session waits.
func TestCallerGivesUp(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	agent, err := f.Driver().Open(ctx, hostagent.Target{Host: "hv01"})
	f.ok(err)
	hung, err := f.AddFault(Fault{Cmdlet: "New-VHD", Kind: Hang})
	f.ok(err)
	batch := hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{
		cmdlet.NewStampedFolder("f", gold+`\data`, "s"), cmdlet.NewVHD("d", gold+`\data\d.vhdx`, GiB, false), cmdlet.NewVHD("e", gold+`\data\e.vhdx`, GiB, false),
	}}
	done := make(chan error)
	go func() {
		_, err := agent.Run(ctx, batch)
		done <- err
	}()
	f.until(func() bool { return f.Faults()[0].Hit == 1 })
	cancel()
	if err := <-done; !errors.Is(err, hostagent.OutcomeUnknown) {
		t.Errorf("got %v, want OutcomeUnknown", err)
	}
	f.ok(f.RemoveFault(hung))
	f.must("hv01", cmdlet.StampedFolders("folders", gold))
	want := []hostagent.State{hostagent.Done, hostagent.Unknown, hostagent.NotRun, hostagent.Done}
	var got []hostagent.State
	for _, e := range f.Journal(0) {
		if e.Call != nil {
			got = append(got, e.State)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What a caller left behind on a host holds up the next session there until it has ended.
func TestNextSessionWaits(t *testing.T) {
	w, err := New(DefaultModel(), NewRealClock(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	f := fixture{t, w}
	path := gold + `\data\d.vhdx`
	f.must("hv01", cmdlet.NewStampedFolder("f", gold+`\data`, "s"))
	disk := cmdlet.NewVHD("d", path, 200*GiB, true)
	delete(disk.Parameters, "AsJob")
	ctx, cancel := context.WithCancel(t.Context())
	agent, err := w.Driver().Open(ctx, hostagent.Target{Host: "hv01"})
	f.ok(err)
	done := make(chan error)
	go func() {
		_, err := agent.Run(ctx, hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{disk}})
		done <- err
	}()
	f.until(func() bool { return f.has(path) })
	cancel()
	if err := <-done; !errors.Is(err, hostagent.OutcomeUnknown) {
		t.Errorf("got %v, want OutcomeUnknown", err)
	}
	impatient, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := w.Driver().Open(impatient, hostagent.Target{Host: "hv01"}); !errors.Is(err, hostagent.Timeout) {
		t.Errorf("a session while the call is under way: %v, want it to wait", err)
	}
	f.must("hv01", cmdlet.Disks("disks", path))
}

// until waits, in real time, for something that other goroutines bring about.
func (f fixture) until(holds func() bool) {
	f.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-f.Context().Done():
			f.Fatal("it never came about")
		}
	}
}

func TestFaults(t *testing.T) {
	create := func(name string) hostagent.Call { return cmdlet.NewVHD("d", gold+`\data\`+name, GiB, false) }
	exists := func(f fixture, name string) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.fileAt(nil, gold+`\data\`+name) != nil
	}
	custom := hostagent.CallError{FullyQualifiedErrorID: "X", Category: "PermissionDenied", HResult: "0x80070005", Message: "no"}
	tests := map[string]struct {
		fault Fault
		// class of Run's error, or of the call's.
		want   hostagent.Class
		exists bool
		takes  time.Duration
	}{
		"dropped before": {fault: Fault{Kind: DropBefore}, want: hostagent.OutcomeUnknown},
		"dropped after":  {fault: Fault{Kind: DropAfter}, want: hostagent.OutcomeUnknown, exists: true},
		"an error":       {fault: Fault{Kind: Error, Error: custom}, want: hostagent.Forbidden},
		"a delay":        {fault: Fault{Kind: Delay, Delay: time.Hour}, exists: true, takes: time.Hour},
		"another host":   {fault: Fault{Kind: DropBefore, Host: "hv02"}, exists: true},
		"another cmdlet": {fault: Fault{Kind: DropBefore, Cmdlet: "Get-VHD"}, exists: true},
		"another object": {fault: Fault{Kind: DropBefore, Object: "other.vhdx"}, exists: true},
		"its object":     {fault: Fault{Kind: DropBefore, Object: "D.VHDX"}, want: hostagent.OutcomeUnknown},
		"a later one":    {fault: Fault{Kind: DropBefore, Skip: 1}, exists: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.ok(f.AddFolder(gold+`\data`, ""))
			_, err := f.AddFault(test.fault)
			f.ok(err)
			begin := f.Now()
			results, err := f.run("hv01", create("d.vhdx"))
			if err == nil {
				err = results.Err()
			}
			if got := hostagent.ClassOf(err); got != test.want {
				t.Errorf("got class %q (%v), want %q", got, err, test.want)
			}
			if got := exists(f, "d.vhdx"); got != test.exists {
				t.Errorf("the disk exists: %t, want %t", got, test.exists)
			}
			if took := f.Now().Sub(begin); took < test.takes || took > test.takes+time.Minute {
				t.Errorf("it took %s, want %s and a little", took, test.takes)
			}
		})
	}
}

func TestFaultsCount(t *testing.T) {
	f := newFixture(t)
	_, err := f.AddFault(Fault{Cmdlet: "get-cluster", Kind: Error, Skip: 1, Count: 2})
	f.ok(err)
	var failed []bool
	for range 5 {
		results, err := f.run("hv01", cmdlet.Cluster("c"))
		f.ok(err)
		failed = append(failed, results.Err() != nil)
	}
	if diff := cmp.Diff([]bool{false, true, true, false, false}, failed); diff != "" {
		t.Error(diff)
	}
	if s := f.Faults()[0]; s.Matched != 5 || s.Hit != 2 {
		t.Errorf("statistics %+v, want 5 matched and 2 hit", s)
	}
}

// A rule that names a machine also hits calls that are given the machine as a live object.
func TestFaultOnALiveObject(t *testing.T) {
	f := newFixture(t)
	id := f.member("hv01", "a")
	_, err := f.AddFault(Fault{Cmdlet: "Add-VMScsiController", Object: id, Kind: Error})
	f.ok(err)
	results, err := f.run("hv01", cmdlet.VMByID("vm", id), cmdlet.AddController("c", "vm"))
	f.ok(err)
	if results[1].State != hostagent.Failed {
		t.Errorf("got %+v, want the injected error", results[1])
	}
}

// A host that fails lets every batch that is under way on it end, with what is known of its outcome.
func TestHostFailsUnderARun(t *testing.T) {
	f := newFixture(t)
	_, err := f.AddFault(Fault{Kind: Hang})
	f.ok(err)
	errs := make(chan error, 2)
	for _, call := range []hostagent.Call{cmdlet.Machines("vms"), cmdlet.NewStampedFolder("f", gold+`\data`, "s")} {
		go func() {
			_, err := f.run("hv01", call)
			errs <- err
		}()
	}
	f.until(func() bool { return f.Faults()[0].Hit == 2 })
	f.ok(f.FailHost("hv01"))
	got := map[hostagent.Class]int{hostagent.ClassOf(<-errs): 1}
	got[hostagent.ClassOf(<-errs)]++
	if diff := cmp.Diff(map[hostagent.Class]int{hostagent.Unreachable: 1, hostagent.OutcomeUnknown: 1}, got); diff != "" {
		t.Error(diff)
	}
}

func TestOnErrorContinue(t *testing.T) {
	f := newFixture(t)
	agent, err := f.Driver().Open(t.Context(), hostagent.Target{Host: "hv01"})
	f.ok(err)
	calls := []hostagent.Call{cmdlet.VMByID("vm", "11111111-2222-3333-4444-555555555555"), cmdlet.Switches("s")}
	for onError, want := range map[hostagent.OnError]hostagent.State{hostagent.Stop: hostagent.NotRun, hostagent.Continue: hostagent.Done} {
		results, err := agent.Run(t.Context(), hostagent.Batch{OnError: onError, Calls: calls})
		f.ok(err)
		if results[0].State != hostagent.Failed || results[1].State != want {
			t.Errorf("%s: got %s and %s, want Failed and %s", onError, results[0].State, results[1].State, want)
		}
	}
}

// Values and errors stand side by side.
func TestPartialAnswer(t *testing.T) {
	f := newFixture(t)
	results, err := f.run("hv01", cmdlet.Files("files", image, gold+`\none.vhdx`))
	f.ok(err)
	r := results[0]
	if r.State != hostagent.Failed || len(r.Values) != 1 || len(r.Errors) != 1 || r.Values[0].Int("Length") != 12*GiB {
		t.Errorf("got %+v, want the one file and one error", r)
	}
}

// Time passes by the durations of calls, and side by side for batches on different hosts.
func TestDurations(t *testing.T) {
	f := newFixture(t)
	d := f.durations
	begin := f.Now()
	f.must("hv01", cmdlet.Cluster("a"), cmdlet.Nodes("b"))
	if took := f.Now().Sub(begin); took != d.Latency+2*d.Read {
		t.Errorf("two reads took %s, want %s", took, d.Latency+2*d.Read)
	}
	f.ok(f.AddFolder(gold+`\data`, ""))
	disk := cmdlet.NewVHD("d", gold+`\data\d.vhdx`, 10*GiB, true)
	delete(disk.Parameters, "AsJob")
	begin = f.Now()
	f.must("hv01", disk)
	if took, want := f.Now().Sub(begin), d.Latency+d.CreateDisk+10*d.FixedPerGiB; took != want {
		t.Errorf("a fixed disk took %s, want %s", took, want)
	}
}

func TestManyRunsAtOnce(t *testing.T) {
	f := newFixture(t)
	f.ok(f.AddFolder(gold+`\data`, ""))
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			host := f.State().Hosts[i%4].Name
			results, err := f.run(host, cmdlet.NewVHD("d", gold+`\data\`+string(rune('a'+i))+`.vhdx`, GiB, false), cmdlet.Groups("g"))
			if err != nil || results.Err() != nil {
				t.Error(err, results.Err())
			}
		})
	}
	all.Wait()
	if got := len(f.Journal(0)) - 1; got != 40 {
		t.Errorf("the journal has %d calls, want 40", got)
	}
}

func TestRealClock(t *testing.T) {
	w, err := New(DefaultModel(), NewRealClock(1000))
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{t, w}
	defer w.Close()
	if err := w.Advance(time.Second); err == nil {
		t.Error("a clock that runs was advanced")
	}
	folder := gold + `\a`
	f.must("hv01", cmdlet.NewStampedFolder("f", folder, "s"), cmdlet.StartCopy("c", "id", "hash", image, folder+`\a.vhdx`))
	begin := w.Now()
	f.until(func() bool { return strings.Contains(f.effects(0), "copied "+folder) })
	if took := w.Now().Sub(begin); took < 50*time.Second {
		t.Errorf("the copy took %s of the world's time, want a minute", took)
	}
}

func TestClose(t *testing.T) {
	for name, clock := range map[string]Clock{"real": NewRealClock(1), "manual": NewManualClock(time.Now())} {
		w, err := New(DefaultModel(), clock)
		if err != nil {
			t.Fatal(err)
		}
		f := fixture{t, w}
		_, err = w.AddFault(Fault{Kind: Hang})
		f.ok(err)
		done := make(chan error)
		go func() {
			_, err := f.run("hv01", cmdlet.Cluster("c"))
			done <- err
		}()
		f.until(func() bool { return w.Faults()[0].Hit == 1 })
		w.Close()
		if err := <-done; !errors.Is(err, hostagent.Unreachable) {
			t.Errorf("%s: got %v, want Unreachable", name, err)
		}
		if _, err := w.Driver().Open(t.Context(), hostagent.Target{}); !errors.Is(err, hostagent.Unreachable) {
			t.Errorf("%s: opening afterwards gives %v, want Unreachable", name, err)
		}
		w.Close()
	}
}

func TestJournalIsBounded(t *testing.T) {
	f := newFixture(t)
	f.mu.Lock()
	for range journalSize + 1 {
		f.happened("x")
	}
	f.mu.Unlock()
	all := f.Journal(0)
	if len(all) > journalSize || all[len(all)-1].Seq != journalSize+1 || all[0].Seq != journalSize+1-len(all)+1 {
		t.Errorf("the journal has %d entries, %d to %d", len(all), all[0].Seq, all[len(all)-1].Seq)
	}
	if got := f.Journal(journalSize); len(got) != 1 {
		t.Errorf("since the last but one: %d entries, want 1", len(got))
	}
	if got := f.Journal(journalSize + 100); len(got) != 0 {
		t.Errorf("since the future: %d entries, want none", len(got))
	}
}

func TestStateIsJSON(t *testing.T) {
	f := newFixture(t)
	f.started("hv01", "a")
	text, err := json.Marshal(f.State())
	f.ok(err)
	var back State
	f.ok(json.Unmarshal(text, &back))
	if diff := cmp.Diff(f.State(), back); diff != "" {
		t.Error(diff)
	}
}
