package hypervsim

import (
	"context"
	"errors"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

const (
	gold  = `C:\ClusterStorage\Gold`
	image = gold + `\Images\ws2022.vhdx`
)

// fixture is a world on a manual clock, with what tests do most.
type fixture struct {
	*testing.T
	*World
}

func newFixture(t *testing.T, change ...func(*Model)) fixture {
	t.Helper()
	m := DefaultModel()
	for _, c := range change {
		c(&m)
	}
	w, err := New(m, NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return fixture{t, w}
}

// run runs calls on a host in a session of their own.
func (f fixture) run(host string, calls ...hostagent.Call) (hostagent.Results, error) {
	f.Helper()
	ctx := f.Context()
	agent, err := f.Driver().Open(ctx, hostagent.Target{Host: host})
	if err != nil {
		return nil, err
	}
	defer func() { _ = agent.Close() }()
	return agent.Run(ctx, hostagent.Batch{OnError: hostagent.Stop, Calls: calls})
}

// must runs calls that all end well.
func (f fixture) must(host string, calls ...hostagent.Call) hostagent.Results {
	f.Helper()
	results, err := f.run(host, calls...)
	if err != nil {
		f.Fatal(err)
	}
	if err := results.Err(); err != nil {
		var call *hostagent.CallError
		errors.As(err, &call)
		f.Fatalf("%v: %+v", err, call)
	}
	return results
}

func (f fixture) advance(d time.Duration) {
	f.Helper()
	if err := f.Advance(d); err != nil {
		f.Fatal(err)
	}
}

// ok ends the test if a control method fails.
func (f fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// member makes a clustered machine as the operator does, off, and gives its id.
func (f fixture) member(host, name string, disks ...string) string {
	f.Helper()
	folder := gold + `\` + name
	disk := folder + `\` + name + `.vhdx`
	f.must(host, cmdlet.NewStampedFolder("folder", folder, "stamp of "+name),
		cmdlet.StartCopy("copy", "work-"+name, "hash", image, disk))
	f.advance(2 * time.Minute)
	calls := []hostagent.Call{
		cmdlet.NewVM("vm", cmdlet.NewMachine{Name: name, Folder: folder, Version: "9.0", MemoryBytes: 4 * GiB, OSDisk: disk}),
		cmdlet.SetProcessorsAndMemory("size", "vm", cmdlet.MachineSettings{Processors: 2, MemoryBytes: 4 * GiB}),
		cmdlet.SetProtection("protection", "vm", cmdlet.MachineSettings{Checkpoints: "ProductionOnly", AutomaticCheckpointsOff: true}),
		cmdlet.RemoveNewAdapters("adapters", "vm"),
		cmdlet.AddAdapter("client", "vm", cmdlet.Adapter{Name: "client", SwitchName: "vSwitch-Client", MACAddress: "02A101000001"}),
		cmdlet.SetVLAN("vlan", "vm", "client", 110),
		cmdlet.AddController("controller", "vm"),
	}
	for i, d := range disks {
		calls = append(calls, cmdlet.AttachSharedDisk("disk"+d, "vm", d, cmdlet.Slot{Controller: 1, Location: int32(i)}))
	}
	calls = append(calls, cmdlet.MakeNewClustered("group", "vm", name),
		cmdlet.MachineResourceOf("resource", "vm"), cmdlet.SetOfflineAction("offline", "resource", cmdlet.OfflineActionShutDown))
	return f.must(host, calls...).ByID("vm").Values[0].Text("Id")
}

// started makes a member that runs and answers.
func (f fixture) started(host, name string, disks ...string) string {
	f.Helper()
	id := f.member(host, name, disks...)
	f.must(host, cmdlet.StartGroup("start", name))
	f.advance(time.Minute)
	return id
}

func (f fixture) vm(id string) VMState {
	f.Helper()
	for _, vm := range f.State().Machines {
		if vm.ID == id {
			return vm
		}
	}
	f.Fatalf("no machine %s", id)
	return VMState{}
}

func (f fixture) group(name string) GroupState {
	f.Helper()
	for _, g := range f.State().Groups {
		if g.Name == name {
			return g
		}
	}
	f.Fatalf("no group %s", name)
	return GroupState{}
}

func (f fixture) node(name string) HostState {
	f.Helper()
	for _, h := range f.State().Hosts {
		if h.Name == name {
			return h
		}
	}
	f.Fatalf("no host %s", name)
	return HostState{}
}

func TestMemberFromNothing(t *testing.T) {
	f := newFixture(t)
	disk := gold + `\data\data.vhds`
	f.must("", cmdlet.NewStampedFolder("folder", gold+`\data`, "stamp"), cmdlet.NewVHD("disk", disk, 500*GiB, false))
	id := f.started("hv02", "payments.FILES-1", disk)
	vm := f.vm(id)
	if vm.State != "Running" || vm.Heartbeat != "OkApplicationsUnknown" || vm.Host != "hv02" {
		t.Errorf("the member is %+v, want it running with a heartbeat on hv02", vm)
	}
	if g := f.group("payments.FILES-1"); g.State != "Online" || g.OfflineAction != 2 || g.Owner != "hv02" {
		t.Errorf("the group is %+v", g)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	f := newFixture(t)
	ctx, cancel := context.WithCancel(t.Context())
	agent, err := f.Driver().Open(ctx, hostagent.Target{Host: "hv01"})
	f.ok(err)
	cancel()
	_, err = agent.Run(ctx, hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{cmdlet.Machines("vms")}})
	if !errors.Is(err, hostagent.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
}
