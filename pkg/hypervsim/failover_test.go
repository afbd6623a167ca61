package hypervsim

import (
	"errors"
	"strings"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// effects are the journal's lines from a number on.
func (f fixture) effects(since int) string {
	var lines []string
	for _, e := range f.Journal(since) {
		if e.Effect != "" {
			lines = append(lines, e.Effect)
		}
	}
	return strings.Join(lines, "\n")
}

func (f fixture) last() int {
	all := f.Journal(0)
	return all[len(all)-1].Seq
}

func TestFailover(t *testing.T) {
	f := newFixture(t)
	a, b := f.started("hv01", "a"), f.started("hv02", "b")
	f.ok(f.SetClassNames("a", "apart"))
	f.ok(f.SetClassNames("b", "apart", "other"))
	f.ok(f.FailHost("hv01"))

	if _, err := f.run("hv01", cmdlet.Machines("vms")); !errors.Is(err, hostagent.Unreachable) {
		t.Errorf("a failed host answers %v, want Unreachable", err)
	}
	f.advance(9 * time.Second)
	if n := f.node("hv01"); n.State != "Up" {
		t.Errorf("before detection the node is %s, want Up", n.State)
	}
	f.advance(2 * time.Second)
	n, g := f.node("hv01"), f.group("a")
	if n.State != "Down" || n.Status != "Isolated" || g.Status != "Unmonitored" || g.State != "Online" || g.Owner != "hv01" {
		t.Errorf("after detection node %+v, group %+v: want Down and isolated, unmonitored and still there", n, g)
	}
	if f.State().Volumes[0].Owner == "hv01" {
		t.Error("the volume is still the failed host's")
	}
	f.advance(238 * time.Second)
	if vm := f.vm(a); vm.Host != "hv01" {
		t.Errorf("the machine moved to %s before the resiliency period was over", vm.Host)
	}
	f.advance(2 * time.Second)
	vm := f.vm(a)
	if vm.State != "Starting" || vm.Host == "hv01" || vm.Host == f.vm(b).Host {
		t.Errorf("after the resiliency period the machine is %s on %s, want it starting apart from %s", vm.State, vm.Host, f.vm(b).Host)
	}
	if n := f.node("hv01"); n.State != "Down" || n.Status != "Normal" {
		t.Errorf("the node is %+v, want Down and no longer isolated", n)
	}
	f.advance(4 * time.Second)
	if vm := f.vm(a); vm.State != "Running" || vm.Heartbeat != "NoContact" {
		t.Errorf("the machine is %s, heartbeat %s: want it booting", vm.State, vm.Heartbeat)
	}
	f.advance(time.Minute)
	if vm := f.vm(a); vm.Heartbeat != "OkApplicationsUnknown" {
		t.Errorf("heartbeat %s", vm.Heartbeat)
	}
}

// Anti-affinity is a wish: when no other host is left, members share one.
func TestFailoverIgnoresAntiAffinityAtLast(t *testing.T) {
	f := newFixture(t, func(m *Model) { m.Hosts = m.Hosts[:3] })
	a, b := f.started("hv01", "a"), f.started("hv02", "b")
	f.ok(f.SetClassNames("a", "apart"))
	f.ok(f.SetClassNames("b", "apart"))
	f.ok(f.Drain("hv03"))
	f.ok(f.FailHost("hv01"))
	f.advance(5 * time.Minute)
	if f.vm(a).Host != "hv02" || f.vm(b).Host != "hv02" || f.vm(a).State != "Running" {
		t.Errorf("members are on %s and %s, want both on hv02", f.vm(a).Host, f.vm(b).Host)
	}
}

// The three-node story: one host drained, one failed, three members on what is left; the failed host comes back.
func TestDrainThenFailure(t *testing.T) {
	f := newFixture(t)
	ids := []string{f.started("hv01", "a"), f.started("hv02", "b"), f.started("hv03", "c")}
	for _, g := range []string{"a", "b", "c"} {
		f.ok(f.SetClassNames(g, "apart"))
	}
	f.ok(f.Drain("hv01"))
	if n := f.node("hv01"); n.State != "Paused" || n.Drain != "InProgress" {
		t.Errorf("node %+v, want a drain in progress", n)
	}
	f.advance(time.Minute)
	if n := f.node("hv01"); n.Drain != "Completed" || f.vm(ids[0]).Host != "hv04" {
		t.Errorf("node %+v, machine on %s: want it drained to hv04, the host without a member", n, f.vm(ids[0]).Host)
	}
	f.ok(f.FailHost("hv02"))
	f.advance(5 * time.Minute)
	if host := f.vm(ids[1]).Host; host != "hv03" && host != "hv04" {
		t.Errorf("the member is on %s, want it on a host that is up", host)
	}
	f.ok(f.ReturnHost("hv02"))
	if n := f.node("hv02"); n.State != "Joining" {
		t.Errorf("node %+v, want it joining", n)
	}
	f.advance(time.Minute)
	if n := f.node("hv02"); n.State != "Up" || f.vm(ids[1]).Host == "hv02" {
		t.Errorf("node %+v, member on %s: want it up and nothing failed back", n, f.vm(ids[1]).Host)
	}
	if got := f.must("hv02", cmdlet.Machines("vms"))[0].Values; len(got) != 0 {
		t.Errorf("the returned host has %v, want its stale registrations gone", got)
	}
	f.ok(f.Resume("hv01"))
	if n := f.node("hv01"); n.State != "Up" || n.Drain != "NotInitiated" {
		t.Errorf("node %+v after resuming", n)
	}
}

// A host that is back before the resiliency period is over restarts its own machines.
func TestReturnBeforeTheResiliencyPeriod(t *testing.T) {
	f := newFixture(t)
	a := f.started("hv01", "a")
	f.ok(f.FailHost("hv01"))
	f.advance(time.Minute)
	f.ok(f.ReturnHost("hv01"))
	f.advance(time.Minute)
	if vm := f.vm(a); vm.Host != "hv01" || vm.State != "Running" {
		t.Errorf("the machine is %s on %s, want it running on hv01", vm.State, vm.Host)
	}
	f.advance(10 * time.Minute)
	if vm := f.vm(a); vm.Host != "hv01" {
		t.Errorf("the machine moved to %s afterwards", vm.Host)
	}
}

func TestQuorum(t *testing.T) {
	f := newFixture(t)
	a := f.started("hv01", "a")
	f.ok(f.FailHost("hv01"))
	f.ok(f.FailHost("hv02"))
	f.advance(time.Minute)
	results, err := f.run("hv03", cmdlet.Groups("groups"))
	f.ok(err)
	if got, want := lastError(results), (why{"ConnectionError", hresultNoEndpoint, hostagent.Unreachable}); got != want {
		t.Errorf("without quorum Get-ClusterGroup fails with %+v, want %+v", got, want)
	}
	f.must("hv03", cmdlet.Machines("vms"))
	f.advance(10 * time.Minute)
	if vm := f.vm(a); vm.Host != "hv01" {
		t.Errorf("without quorum the machine moved to %s", vm.Host)
	}
	f.ok(f.ReturnHost("hv02"))
	f.advance(time.Minute)
	if vm := f.vm(a); vm.Host == "hv01" || vm.State != "Running" {
		t.Errorf("with quorum the machine is %s on %s, want it running elsewhere", vm.State, vm.Host)
	}
}

// A machine that no host has the memory for is registered elsewhere all the same, off, and its group has failed.
func TestFailoverWithoutMemory(t *testing.T) {
	f := newFixture(t, func(m *Model) {
		for i := range m.Hosts[1:] {
			m.Hosts[i+1].MemoryBytes = 5 * GiB
		}
	})
	a := f.started("hv01", "a")
	f.ok(f.FailHost("hv01"))
	f.advance(5 * time.Minute)
	if vm, g := f.vm(a), f.group("a"); vm.Host == "hv01" || vm.State != "Off" || g.State != "Failed" {
		t.Errorf("machine %s on %s, group %s: want it off elsewhere and failed", vm.State, vm.Host, g.State)
	}
}

func TestOfflineAction(t *testing.T) {
	tests := map[string]struct {
		action int
		during string
		after  string
	}{
		"turn off":  {action: 0, during: "Off", after: "Off"},
		"save":      {action: 1, during: "Saving", after: "Saved"},
		"shut down": {action: 2, during: "Stopping", after: "Off"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			a := f.started("hv01", "a")
			f.ok(f.SetOfflineAction("a", test.action))
			f.must("hv02", cmdlet.StopGroup("stop", "a"))
			if got := f.vm(a).State; got != test.during {
				t.Errorf("the machine is %s, want %s", got, test.during)
			}
			f.advance(time.Minute)
			if vm, g := f.vm(a), f.group("a"); vm.State != test.after || g.State != "Offline" {
				t.Errorf("machine %s, group %s: want %s and Offline", vm.State, g.State, test.after)
			}
		})
	}
}

// Saving is what the default does, so a member that is made without setting the OfflineAction is saved.
func TestDefaultOfflineActionSaves(t *testing.T) {
	f := newFixture(t)
	id, err := f.AddForeignVM("hv01", "vm", gold+`\vm`, "")
	f.ok(err)
	f.advance(time.Minute)
	f.must("hv01", cmdlet.MakeClustered("g", id, "vm"), cmdlet.StopGroup("stop", "vm"))
	f.advance(time.Minute)
	if got := f.vm(id).State; got != "Saved" {
		t.Errorf("the machine is %s, want Saved", got)
	}
	if !strings.Contains(f.effects(0), "VM vm was saved") {
		t.Error("the journal does not say that a machine was saved")
	}
}

func TestLiveMigration(t *testing.T) {
	f := newFixture(t)
	disk := gold + `\data\data.vhds`
	f.must("hv01", cmdlet.NewStampedFolder("f", gold+`\data`, "s"), cmdlet.NewVHD("d", disk, GiB, false))
	a := f.started("hv01", "a", disk)
	f.must("hv01", cmdlet.LiveMigrate("move", a, "hv03"))
	read := cmdlet.Machines("vms")
	status := f.must("hv01", read)[0].Values[0].Texts("OperationalStatus")
	if len(status) != 2 || status[1] != "MigratingVirtualMachine" || f.group("a").State != "Pending" {
		t.Errorf("status %v, group %s: want it migrating and pending", status, f.group("a").State)
	}
	f.advance(9 * time.Second)
	vm := f.vm(a)
	if vm.Host != "hv03" || vm.State != "Running" || vm.Heartbeat != "OkApplicationsUnknown" || len(vm.Drives) != 2 {
		t.Errorf("after the move the machine is %+v", vm)
	}
	if g := f.group("a"); g.Owner != "hv03" || g.State != "Online" {
		t.Errorf("after the move the group is %+v", g)
	}
}

// Two migrations run on one host side by side; the third waits, and its group says so.
func TestMigrationSlots(t *testing.T) {
	f := newFixture(t)
	ids := []string{f.started("hv01", "a"), f.started("hv01", "b"), f.started("hv01", "c")}
	f.must("hv01", cmdlet.LiveMigrate("m1", ids[0], "hv02"), cmdlet.LiveMigrate("m2", ids[1], "hv03"), cmdlet.LiveMigrate("m3", ids[2], "hv04"))
	if g := f.group("c"); g.Status != "Queued" || f.vm(ids[2]).Activity == "migrating" {
		t.Errorf("the third migration's group is %+v, want it queued", g)
	}
	f.advance(time.Minute)
	for i, want := range []string{"hv02", "hv03", "hv04"} {
		if got := f.vm(ids[i]).Host; got != want {
			t.Errorf("machine %d is on %s, want %s", i, got, want)
		}
	}
}

// A migration whose target fails leaves the machine where it is; one whose source fails ends with the machine.
func TestFailureDuringMigration(t *testing.T) {
	f := newFixture(t)
	a, b := f.started("hv01", "a"), f.started("hv02", "b")
	f.must("hv01", cmdlet.LiveMigrate("m", a, "hv03"))
	f.ok(f.FailHost("hv03"))
	f.advance(time.Minute)
	if vm := f.vm(a); vm.Host != "hv01" || vm.State != "Running" || vm.MigratingTo != "" {
		t.Errorf("after the target failed the machine is %+v", vm)
	}
	f.must("hv02", cmdlet.LiveMigrate("m", b, "hv04"))
	f.ok(f.FailHost("hv02"))
	f.advance(time.Minute)
	if vm := f.vm(b); vm.Host != "hv02" || vm.State != "Off" {
		t.Errorf("after the source failed the machine is %+v", vm)
	}
}

// A drain that no host can take machines from fails, and says so.
func TestDrainFails(t *testing.T) {
	f := newFixture(t)
	a := f.started("hv01", "a")
	for _, h := range []string{"hv02", "hv03", "hv04"} {
		f.ok(f.RemoveSwitch(h, "vSwitch-Client"))
	}
	f.ok(f.Drain("hv01"))
	f.advance(time.Minute)
	if n := f.node("hv01"); n.Drain != "Failed" || n.State != "Paused" || f.vm(a).Host != "hv01" {
		t.Errorf("node %+v, machine on %s: want the drain failed", n, f.vm(a).Host)
	}
}

// A group that is offline on a node that takes no machines starts elsewhere.
func TestStartMovesAway(t *testing.T) {
	f := newFixture(t)
	a := f.member("hv01", "a")
	f.ok(f.Drain("hv02"))
	f.must("hv01", cmdlet.StartGroup("start", "a"))
	if vm := f.vm(a); vm.Host != "hv01" || vm.State != "Starting" {
		t.Errorf("machine %s on %s, want it starting on hv01", vm.State, vm.Host)
	}
	f.advance(time.Minute)
	f.ok(f.TurnOffVM("a"))
	f.ok(f.Drain("hv01"))
	f.must("hv03", cmdlet.StartGroup("start", "a"))
	if vm := f.vm(a); vm.Host == "hv01" || vm.Host == "hv02" || vm.State != "Starting" {
		t.Errorf("machine %s on %s, want it starting on a node that is up", vm.State, vm.Host)
	}
}

func TestForeignMachineComesBackWithItsHost(t *testing.T) {
	f := newFixture(t)
	id, err := f.AddForeignVM("hv01", "foreign", `D:\VMs`, "")
	f.ok(err)
	f.advance(time.Minute)
	f.ok(f.FailHost("hv01"))
	f.advance(10 * time.Minute)
	if vm := f.vm(id); vm.Host != "hv01" || vm.State != "Off" {
		t.Errorf("an unclustered machine is %s on %s after its host failed", vm.State, vm.Host)
	}
	f.ok(f.ReturnHost("hv01"))
	f.advance(time.Minute)
	if vm := f.vm(id); vm.State != "Running" {
		t.Errorf("it is %s after the host's return, want Running", vm.State)
	}
}

// Anti-affinity weighs more than an even spread.
func TestFailoverPrefersAnAffineHostToACrowdedOne(t *testing.T) {
	f := newFixture(t, func(m *Model) { m.Hosts = m.Hosts[:3] })
	a := f.started("hv01", "a")
	f.started("hv02", "b")
	for _, name := range []string{"x", "y", "z"} {
		_, err := f.AddForeignVM("hv03", name, `D:\VMs`, "")
		f.ok(err)
	}
	f.ok(f.SetClassNames("a", "apart"))
	f.ok(f.SetClassNames("b", "apart"))
	f.ok(f.FailHost("hv01"))
	f.advance(5 * time.Minute)
	if got := f.vm(a).Host; got != "hv03" {
		t.Errorf("the machine restarted on %s, want hv03, where no machine of its class is", got)
	}
}

// Each host has a resiliency period of its own.
func TestTwoHostsFailOneAfterTheOther(t *testing.T) {
	f := newFixture(t, func(m *Model) {
		more := m.Hosts[3]
		more.Name = "hv05"
		m.Hosts = append(m.Hosts, more)
	})
	a, b := f.started("hv01", "a"), f.started("hv02", "b")
	f.ok(f.FailHost("hv01"))
	f.advance(2 * time.Minute)
	f.ok(f.FailHost("hv02"))
	f.advance(131 * time.Second)
	if f.vm(a).Host == "hv01" || f.vm(b).Host != "hv02" {
		t.Errorf("machines are on %s and %s, want the first failed over and the second not yet", f.vm(a).Host, f.vm(b).Host)
	}
	f.advance(2 * time.Minute)
	if f.vm(b).Host == "hv02" {
		t.Error("the second machine did not fail over")
	}
}

// A call that is under way when its host fails has no effect.
func TestHostFailsUnderACall(t *testing.T) {
	f := newFixture(t)
	f.mu.Lock()
	f.after(50*time.Millisecond, func() {
		f.failHost(f.hosts[0])
		f.after(10*time.Millisecond, func() { f.hosts[0].powered = true })
	})
	f.mu.Unlock()
	if _, err := f.run("hv01", cmdlet.NewStampedFolder("f", gold+`\data`, "s")); !errors.Is(err, hostagent.OutcomeUnknown) {
		t.Errorf("got %v, want OutcomeUnknown", err)
	}
	f.advance(time.Second)
	if f.has(gold + `\data\guestclustering.json`) {
		t.Error("the call had its effect after its host had failed")
	}
}

// What people do lets the world go on: a drain ends when its last machine is removed.
func TestDrainEndsWithItsLastMachine(t *testing.T) {
	f := newFixture(t)
	f.started("hv01", "a")
	f.ok(f.Drain("hv01"))
	f.ok(f.RemoveVM("a", RemoveFiles))
	if n := f.node("hv01"); n.Drain != "Completed" {
		t.Errorf("node %+v, want it drained", n)
	}
}

// A drain waits for a machine that is just starting, and then moves it.
func TestDrainWaitsForAStart(t *testing.T) {
	f := newFixture(t)
	a := f.member("hv01", "a")
	f.must("hv01", cmdlet.StartGroup("start", "a"))
	f.ok(f.Drain("hv01"))
	if vm, n := f.vm(a), f.node("hv01"); vm.Host != "hv01" || n.Drain != "InProgress" {
		t.Errorf("machine %s on %s, drain %s: want it to wait", vm.State, vm.Host, n.Drain)
	}
	f.advance(time.Minute)
	if vm, n := f.vm(a), f.node("hv01"); vm.Host == "hv01" || vm.State != "Running" || n.Drain != "Completed" {
		t.Errorf("machine %s on %s, drain %s: want it moved", vm.State, vm.Host, n.Drain)
	}
}
