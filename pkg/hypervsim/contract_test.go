package hypervsim

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hyperv/inventory"
)

// batch runs a batch on its target and gives its results, whatever they are.
func (f fixture) batch(b hostagent.Batch) hostagent.Results {
	f.Helper()
	agent, err := f.Driver().Open(f.Context(), b.Target)
	f.ok(err)
	defer func() { _ = agent.Close() }()
	results, err := agent.Run(f.Context(), b)
	f.ok(err)
	return results
}

// What the operator reads of a member, through the very calls and decoders that it reads with.
func TestInventory(t *testing.T) {
	f := newFixture(t)
	stamp := hyperv.Stamp{ClusterID: "c", Namespace: "payments", NamespaceUID: "n", Kind: "SharedDisk", Name: "data", UID: "u"}
	disk := gold + `\data\data.vhds`
	f.must("hv01", cmdlet.NewStampedFolder("f", gold+`\data`, stamp.Encode()), cmdlet.NewVHD("d", disk, 10*GiB, false))
	id := f.started("hv01", "payments.FILES-1", disk)
	f.must("hv02", cmdlet.AddClassName("c", id, "apart"))

	cluster, err := inventory.DecodeClusterState([]string{gold}, f.batch(inventory.ClusterState("hv02", []string{gold})))
	f.ok(err)
	wantGroup := hyperv.Group{
		Name: "payments.FILES-1", State: "Online", OwnerNode: "hv01", ClassNames: []string{"apart"},
		VMID: id, Resource: "Virtual Machine payments.FILES-1", OfflineAction: 2,
	}
	if diff := cmp.Diff([]hyperv.Group{wantGroup}, cluster.Groups); diff != "" {
		t.Error("groups:", diff)
	}
	if diff := cmp.Diff(hyperv.Cluster{Name: "rack1", ResiliencyPeriod: 240 * time.Second, Quorate: true}, cluster.Cluster); diff != "" {
		t.Error("cluster:", diff)
	}
	if v := cluster.Volumes; len(v) != 1 || v[0].Path != gold || v[0].OwnerNode != "hv01" || v[0].Size != 20*TiB || v[0].Free >= v[0].Size {
		t.Errorf("volumes: %+v", v)
	}
	if len(cluster.Nodes) != 4 || cluster.Nodes[3] != (inventory.Node{Name: "hv04", State: hyperv.HostUp}) {
		t.Errorf("nodes: %+v", cluster.Nodes)
	}
	if files := inventory.SharedDiskFiles(cluster.Folders); !slices.Equal(files, []string{disk}) {
		t.Errorf("shared disks: %q, want %q", files, disk)
	}

	disks := inventory.DecodeDisks(f.batch(inventory.Disks("hv03", []string{disk})))
	if len(disks) != 1 || disks[0].Identifier == "" {
		t.Fatalf("disks: %+v", disks)
	}
	disks[0].Identifier = ""
	if diff := cmp.Diff(hyperv.VirtualDisk{Path: disk, Format: "VHDSet", Type: "Dynamic", Size: 10 * GiB, Attached: true}, disks[0]); diff != "" {
		t.Error("disk:", diff)
	}
	f.checkHost(id, disk)
}

func (f fixture) checkHost(id, disk string) {
	host, err := inventory.DecodeHostState("hv01", f.batch(inventory.HostState("hv01", []string{image, gold + `\none`})))
	f.ok(err)
	f.ok(inventory.AddConfigurations(&host, f.batch(inventory.Configurations("hv01", []string{id}))))
	want := hyperv.Machine{
		ID: id, Name: "payments.FILES-1", HostName: "hv01", State: "Running", Heartbeat: "OkApplicationsUnknown", OperationalStatus: []string{"Ok"},
		Location: gold + `\payments.FILES-1\payments.FILES-1`, Generation: 2, Version: "9.0", Clustered: true,
		Adapters: []hyperv.Adapter{{Name: "client", MAC: 0x02A101000001, SwitchName: "vSwitch-Client", VLAN: 110}},
		Configuration: &hyperv.Configuration{
			Processors: 2, MemoryBytes: 4 * GiB, StartAction: "Nothing", StopAction: "ShutDown", CheckpointType: "ProductionOnly",
			Controllers: []int32{0, 1},
			Drives: []hyperv.Drive{
				{Path: gold + `\payments.FILES-1\payments.FILES-1.vhdx`, ControllerType: "SCSI"},
				{Path: disk, ControllerType: "SCSI", Controller: 1, PersistentReservations: true},
			},
		},
	}
	if diff := cmp.Diff([]hyperv.Machine{want}, host.Machines); diff != "" {
		f.Error("machines:", diff)
	}
	if host.Build != 20348 || host.MemoryBytes != 256*GiB || host.FreeMemoryBytes != 248*GiB || host.Processors != 64 || !slices.Equal(host.Files, []hyperv.File{{Name: image, Length: 12 * GiB}}) {
		f.Errorf("host: %+v", host)
	}
	if !slices.Equal(host.Switches, []string{"vSwitch-Client", "vSwitch-Cluster"}) || host.MACPool != (hyperv.MACRange{First: 0x00155D410000, Last: 0x00155D4100FF}) {
		f.Errorf("host: %+v", host)
	}
	if len(host.ForeignAdapters) != 1 || host.ForeignAdapters[0].MAC == 0 {
		f.Errorf("foreign adapters: %+v, want the management system's", host.ForeignAdapters)
	}
}

// Every call that the operator makes of a machine, in the order of a machine's life.
func TestMachineLife(t *testing.T) {
	f := newFixture(t)
	id := f.started("hv01", "a")
	f.must("hv01", cmdlet.VMByID("vm", id),
		cmdlet.RenameVM("name", "vm", "renamed"),
		cmdlet.AdapterByName("adapter", "vm", "client"), cmdlet.ConnectAdapter("connect", "adapter", "vSwitch-Cluster"),
		cmdlet.SetUntagged("untagged", "vm", "client"), cmdlet.RefreshConfiguration("refresh", id))
	vm := f.vm(id)
	if want := (AdapterState{Name: "client", MAC: "02A101000001", Switch: "vSwitch-Cluster"}); vm.Name != "renamed" || !cmp.Equal(vm.Adapters, []AdapterState{want}) {
		t.Errorf("the machine is %+v", vm)
	}
	f.must("hv03", cmdlet.AddClassName("one", id, "one"), cmdlet.AddClassName("two", id, "two"), cmdlet.AddClassName("again", id, "two"), cmdlet.RemoveClassName("gone", id, "one"))
	if got := f.group("a").ClassNames; !slices.Equal(got, []string{"two"}) {
		t.Errorf("class names %q, want two alone", got)
	}
	f.must("hv01", cmdlet.StopGroup("stop", "a"))
	f.advance(time.Minute)
	f.must("hv01", cmdlet.VMByID("vm", id), cmdlet.AdapterByName("adapter", "vm", "client"), cmdlet.SetStaticMAC("mac", "adapter", "02A101000002"))
	if got := f.vm(id).Adapters[0].MAC; got != "02A101000002" {
		t.Errorf("address %s", got)
	}
	f.must("hv01", cmdlet.RemoveMachineGroup("group", id), cmdlet.VMByID("vm", id), cmdlet.RemoveVM("remove", "vm"), cmdlet.RemoveStampedFolder("folder", gold+`\a`, "stamp of a"))
	s := f.State()
	if len(s.Machines) != 0 || len(s.Groups) != 2 || len(s.Files) != 2 {
		t.Errorf("left behind: %+v", s)
	}
}

func TestTurnOffIsImmediate(t *testing.T) {
	f := newFixture(t)
	id := f.started("hv01", "a")
	f.must("hv01", cmdlet.VMByID("vm", id), cmdlet.TurnOffVM("off", "vm"))
	if vm, g := f.vm(id), f.group("a"); vm.State != "Off" || g.State != "Offline" {
		t.Errorf("machine %s, group %s", vm.State, g.State)
	}
}

// What an earlier call returned is live: it shows what later calls made of it, and is gone with its object.
func TestLiveObjects(t *testing.T) {
	f := newFixture(t)
	id := f.member("hv01", "a")
	results := f.batch(hostagent.Batch{Target: hostagent.Target{Host: "hv01"}, OnError: hostagent.Continue, Calls: []hostagent.Call{
		cmdlet.VMByID("vm", id), cmdlet.RenameVM("name", "vm", "b"),
		{ID: "byname", Cmdlet: "Get-VM", Parameters: hostagent.Parameters{"Name": hostagent.Ref{Call: "vm", Property: "Name"}}, Select: []string{"Id"}},
		cmdlet.RemoveVM("remove", "vm"), cmdlet.AddController("late", "vm"),
	}})
	if got := results.ByID("byname").Values; len(got) != 1 || got[0].Text("Id") != id {
		t.Errorf("by the name that it has now: %+v", results.ByID("byname"))
	}
	if r := results.ByID("late"); r.State != hostagent.Failed || hostagent.ClassOf(r.Err()) != hostagent.NotFound {
		t.Errorf("a machine that is gone: %+v", r)
	}
}

// A list of Refs stands for all that they stand for; a call that returned nothing adds nothing.
func TestListsOfRefs(t *testing.T) {
	f := newFixture(t)
	a, b := f.member("hv01", "a"), f.member("hv01", "b")
	results := f.batch(inventory.Configurations("hv01", []string{a, "11111111-2222-3333-4444-555555555555", b}))
	if got := results.ByID("drives"); got.State != hostagent.Done || len(got.Values) != 2 {
		t.Errorf("drives of the two machines that are there: %+v", got)
	}
}

// A fixed disk is written by a job: the call returns at once, and nobody can open the disk until it is complete.
func TestFixedDisk(t *testing.T) {
	f := newFixture(t)
	path := gold + `\data\data.vhdx`
	before := f.State().Volumes[0].FreeBytes
	f.must("hv01", cmdlet.NewStampedFolder("f", gold+`\data`, "s"), cmdlet.NewVHD("d", path, 100*GiB, true))
	if disks := inventory.DecodeDisks(f.batch(inventory.Disks("hv02", []string{path}))); len(disks) != 0 {
		t.Errorf("the disk can be read while it is written: %+v", disks)
	}
	if took := before - f.State().Volumes[0].FreeBytes; took < 100*GiB {
		t.Errorf("a fixed disk of 100 GiB takes %d bytes", took)
	}
	f.advance(200 * time.Second)
	disks := inventory.DecodeDisks(f.batch(inventory.Disks("hv02", []string{path})))
	if len(disks) != 1 || disks[0].Type != "Fixed" || disks[0].Format != "VHDX" || disks[0].Attached {
		t.Errorf("disks: %+v", disks)
	}
}

func TestFixedDiskIsInterrupted(t *testing.T) {
	f := newFixture(t)
	path := gold + `\data\data.vhdx`
	f.must("hv02", cmdlet.NewStampedFolder("f", gold+`\data`, "s"), cmdlet.NewVHD("d", path, 100*GiB, true))
	f.ok(f.FailHost("hv02"))
	f.advance(10 * time.Minute)
	results, err := f.run("hv01", cmdlet.Disks("d", path))
	f.ok(err)
	if got, want := lastError(results), (why{"InvalidData", hresultDiskCorrupt, hostagent.Invalid}); got != want {
		t.Errorf("half a disk: %+v, want %+v", got, want)
	}
}

// folder reads the stamped folder of a copy.
func (f fixture) folder(path string) *hyperv.Folder {
	f.Helper()
	cluster, err := inventory.DecodeClusterState([]string{gold}, f.batch(inventory.ClusterState("", []string{gold})))
	f.ok(err)
	for i := range cluster.Folders {
		if cluster.Folders[i].Path == path {
			return &cluster.Folders[i]
		}
	}
	f.Fatalf("no folder %s", path)
	return nil
}

func TestCopy(t *testing.T) {
	folder := gold + `\a`
	disk := folder + `\os.vhdx`
	copyIt := func(source string) []hostagent.Call {
		return []hostagent.Call{cmdlet.NewStampedFolder("f", folder, "s"), cmdlet.StartCopy("c", "id", "hash", source, disk)}
	}
	tests := map[string]struct {
		source string
		after  func(f fixture)
		state  string
		files  []string
	}{
		"under way":       {state: "Running", files: []string{"guestclustering.json", "os.vhdx.partial", "os.vhdx.work.json"}},
		"complete":        {after: func(f fixture) { f.advance(time.Minute) }, state: "Completed", files: []string{"guestclustering.json", "os.vhdx", "os.vhdx.work.json"}},
		"no source":       {source: gold + `\none.vhdx`, after: func(f fixture) { f.advance(time.Minute) }, state: "Failed", files: []string{"guestclustering.json", "os.vhdx.work.json"}},
		"not yet noticed": {after: func(f fixture) { f.ok(f.FailHost("hv03")) }, state: "Running", files: []string{"guestclustering.json", "os.vhdx.partial", "os.vhdx.work.json"}},
		"interrupted": {after: func(f fixture) {
			f.ok(f.FailHost("hv03"))
			f.advance(time.Minute)
		}, state: "Running", files: []string{"guestclustering.json", "os.vhdx.partial", "os.vhdx.work.json"}},
		"again after it was interrupted": {after: func(f fixture) {
			f.ok(f.FailHost("hv03"))
			f.advance(11 * time.Second)
			f.must("hv04", copyIt(image)...)
			f.advance(2 * time.Minute)
		}, state: "Completed", files: []string{"guestclustering.json", "os.vhdx", "os.vhdx.work.json"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			source := test.source
			if source == "" {
				source = image
			}
			f.must("hv03", copyIt(source)...)
			if test.after != nil {
				test.after(f)
			}
			got := f.folder(folder)
			var files []string
			for _, file := range got.Files {
				files = append(files, file.Name)
			}
			if diff := cmp.Diff(test.files, files); diff != "" {
				t.Error(diff)
			}
			if w, ok := got.WorkFor(disk); !ok || w.State != test.state || w.ID != "id" || w.InputHash != "hash" || (w.Error != "") != (test.state == "Failed") {
				t.Errorf("work %+v, want it %s", w, test.state)
			}
		})
	}
}

// The same work is started once, however often it is asked for, from whatever host.
func TestCopyStartsOnce(t *testing.T) {
	f := newFixture(t)
	folder := gold + `\a`
	start := cmdlet.StartCopy("c", "id", "hash", image, folder+`\os.vhdx`)
	f.must("hv01", cmdlet.NewStampedFolder("f", folder, "s"), start)
	f.must("hv02", start)
	f.advance(61 * time.Second)
	f.must("hv02", start)
	f.advance(time.Hour)
	copies := 0
	for _, e := range f.Journal(0) {
		if e.Effect == "copied "+folder+`\os.vhdx` {
			copies++
		}
	}
	if copies != 1 {
		t.Errorf("it was copied %d times, want once", copies)
	}
}

func TestCopyOntoAFullVolume(t *testing.T) {
	f := newFixture(t)
	f.ok(f.SetCSVFree(gold, 6*GiB))
	folder := gold + `\a`
	f.must("hv01", cmdlet.NewStampedFolder("f", folder, "s"), cmdlet.StartCopy("c", "id", "hash", image, folder+`\os.vhdx`))
	f.advance(20 * time.Second)
	if w, _ := f.folder(folder).WorkFor(folder + `\os.vhdx`); w.State != "Running" {
		t.Errorf("work %+v: want it to fail when the volume is full, not before", w)
	}
	f.advance(20 * time.Second)
	if w, _ := f.folder(folder).WorkFor(folder + `\os.vhdx`); w.State != "Failed" || w.Error != diskFull(folder+`\os.vhdx.partial`).message {
		t.Errorf("work %+v, want it failed for the room on the volume", w)
	}
}

// A disk that a running machine has for itself can be read on its host and nowhere else.
func TestReadingADiskInUse(t *testing.T) {
	f := newFixture(t)
	f.started("hv01", "a")
	disk := gold + `\a\a.vhdx`
	f.must("hv01", cmdlet.Disks("d", disk))
	results, err := f.run("hv02", cmdlet.Disks("d", disk))
	f.ok(err)
	if got, want := lastError(results), (why{"ResourceBusy", hresultSharing, hostagent.Busy}); got != want {
		t.Errorf("on another host: %+v, want %+v", got, want)
	}
}
