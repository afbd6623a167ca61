package hypervsim

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// why is what callers may rely on in an error.
type why struct {
	Category, HResult string
	Class             hostagent.Class
}

func build(n int) func(*Model) {
	return func(m *Model) {
		for i := range m.Hosts {
			m.Hosts[i].Build = n
		}
	}
}

// scene is what most refusals need: a member that is off, one that runs, a shared disk, and a disk that is being made.
type scene struct {
	fixture
	off, running string
}

const (
	sharedDisk = gold + `\data\data.vhds`
	slowDisk   = gold + `\data\slow.vhdx`
)

func newScene(t *testing.T) scene {
	f := newFixture(t)
	f.must("hv01", cmdlet.NewStampedFolder("folder", gold+`\data`, "stamp"), cmdlet.NewVHD("disk", sharedDisk, GiB, false))
	s := scene{fixture: f, off: f.member("hv01", "off"), running: f.started("hv01", "running", sharedDisk)}
	f.must("hv01", cmdlet.NewVHD("slow", slowDisk, 100*GiB, true))
	return s
}

func TestRefusals(t *testing.T) {
	slot := func(controller, location int32) cmdlet.Slot {
		return cmdlet.Slot{Controller: controller, Location: location}
	}
	vm := func(id string) hostagent.Call { return cmdlet.VMByID("vm", id) }
	tests := map[string]struct {
		// host is hv01 unless it is named.
		host  string
		calls func(s scene) []hostagent.Call
		want  why
	}{
		"a machine of another host": {
			host:  "hv02",
			calls: func(s scene) []hostagent.Call { return []hostagent.Call{vm(s.off)} },
			want:  why{"ObjectNotFound", hresultNone, hostagent.NotFound},
		},
		"a controller for a running machine": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.running), cmdlet.AddController("c", "vm")}
			},
			want: why{"InvalidOperation", hresultInvalidState, hostagent.Busy},
		},
		"a fifth controller": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.AddController("c2", "vm"), cmdlet.AddController("c3", "vm"), cmdlet.AddController("c4", "vm")}
			},
			want: why{"LimitsExceeded", hresultNone, hostagent.Capacity},
		},
		"a slot that is taken": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.AttachSharedDisk("a", "vm", sharedDisk, slot(0, 0))}
			},
			want: why{"ResourceExists", hresultNone, hostagent.Conflict},
		},
		"a location past the last": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.AttachSharedDisk("a", "vm", sharedDisk, slot(1, 64))}
			},
			want: why{"InvalidArgument", hresultParameter, hostagent.Invalid},
		},
		"a controller past the fourth": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.AttachSharedDisk("a", "vm", sharedDisk, slot(4, 0))}
			},
			want: why{"InvalidArgument", hresultParameter, hostagent.Invalid},
		},
		"a controller that is not there": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.AttachSharedDisk("a", "vm", sharedDisk, slot(3, 0))}
			},
			want: why{"ObjectNotFound", hresultNone, hostagent.NotFound},
		},
		"a shared disk that is on no shared volume": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.AttachSharedDisk("a", "vm", `D:\data.vhdx`, slot(1, 0))}
			},
			want: why{"InvalidArgument", hresultUnsupported, hostagent.Unsupported},
		},
		"a shared disk in an old format": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.AttachSharedDisk("a", "vm", gold+`\data\old.vhd`, slot(1, 0))}
			},
			want: why{"InvalidArgument", hresultUnsupported, hostagent.Unsupported},
		},
		"a shared disk on IDE": {
			calls: func(s scene) []hostagent.Call {
				attach := cmdlet.AttachSharedDisk("a", "vm", sharedDisk, slot(0, 0))
				attach.Parameters["ControllerType"] = hostagent.Text("IDE")
				return []hostagent.Call{vm(s.off), attach}
			},
			want: why{"ObjectNotFound", hresultNone, hostagent.NotFound},
		},
		"a disk that is not there": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.AttachSharedDisk("a", "vm", gold+`\data\none.vhdx`, slot(1, 0))}
			},
			want: why{"ObjectNotFound", hresultFileNotFound, hostagent.NotFound},
		},
		"a disk that is still being made": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.AttachSharedDisk("a", "vm", slowDisk, slot(1, 0))}
			},
			want: why{"ResourceBusy", hresultSharing, hostagent.Busy},
		},
		"the same disk twice": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.AttachSharedDisk("a", "vm", sharedDisk, slot(1, 0)), cmdlet.AttachSharedDisk("b", "vm", sharedDisk, slot(1, 1))}
			},
			want: why{"ResourceExists", hresultNone, hostagent.Conflict},
		},
		"the OS disk of a running machine for another running one": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.running), cmdlet.AttachSharedDisk("a", "vm", gold+`\foreign\disk.vhdx`, slot(1, 1))}
			},
			want: why{"ResourceBusy", hresultSharing, hostagent.Busy},
		},
		"reading a disk that is still being made": {
			calls: func(scene) []hostagent.Call { return []hostagent.Call{cmdlet.Disks("d", slowDisk)} },
			want:  why{"ResourceBusy", hresultSharing, hostagent.Busy},
		},
		"reading a disk that is not there": {
			calls: func(scene) []hostagent.Call { return []hostagent.Call{cmdlet.Disks("d", gold+`\data\none.vhdx`)} },
			want:  why{"ObjectNotFound", hresultFileNotFound, hostagent.NotFound},
		},
		"reading what is no disk": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.Disks("d", gold+`\data\`+hyperv.StampFile)}
			},
			want: why{"InvalidData", hresultDiskCorrupt, hostagent.Invalid},
		},
		"a disk that exists": {
			calls: func(scene) []hostagent.Call { return []hostagent.Call{cmdlet.NewVHD("d", sharedDisk, GiB, false)} },
			want:  why{"ResourceExists", hresultFileExists, hostagent.Conflict},
		},
		"a disk in no folder": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.NewVHD("d", gold+`\none\d.vhdx`, GiB, false)}
			},
			want: why{"ObjectNotFound", hresultPathNotFound, hostagent.NotFound},
		},
		"a disk of no whole sectors": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.NewVHD("d", gold+`\data\d.vhdx`, GiB+1, false)}
			},
			want: why{"InvalidArgument", hresultParameter, hostagent.Invalid},
		},
		"a fixed disk without room": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.NewVHD("d", gold+`\data\d.vhdx`, 30*TiB, true)}
			},
			want: why{"WriteError", hresultDiskFull, hostagent.Capacity},
		},
		"a machine without its OS disk": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.NewVM("n", cmdlet.NewMachine{Name: "n", Folder: gold + `\data`, MemoryBytes: GiB, OSDisk: gold + `\data\none.vhdx`})}
			},
			want: why{"ObjectNotFound", hresultFileNotFound, hostagent.NotFound},
		},
		"a machine on the OS disk of a running one": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.NewVM("n", cmdlet.NewMachine{Name: "n", Folder: gold + `\data`, MemoryBytes: GiB, OSDisk: gold + `\running\running.vhdx`})}
			},
			want: why{"ResourceBusy", hresultSharing, hostagent.Busy},
		},
		"a machine of a version that the host lacks": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.NewVM("n", cmdlet.NewMachine{Name: "n", Folder: gold + `\data`, Version: "12.0", MemoryBytes: GiB, OSDisk: gold + `\off\off.vhdx`})}
			},
			want: why{"InvalidArgument", hresultParameter, hostagent.Invalid},
		},
		"memory that is no multiple of 2 MB": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.SetProcessorsAndMemory("s", "vm", cmdlet.MachineSettings{Processors: 1, MemoryBytes: 4*GiB + MiB})}
			},
			want: why{"InvalidArgument", hresultParameter, hostagent.Invalid},
		},
		"memory of a running machine": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.running), cmdlet.SetProcessorsAndMemory("s", "vm", cmdlet.MachineSettings{Processors: 1, MemoryBytes: 4 * GiB})}
			},
			want: why{"InvalidOperation", hresultInvalidState, hostagent.Busy},
		},
		"more processors than the host has": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.SetProcessorsAndMemory("s", "vm", cmdlet.MachineSettings{Processors: 65, MemoryBytes: 4 * GiB})}
			},
			want: why{"InvalidArgument", hresultParameter, hostagent.Invalid},
		},
		"removing a running machine": {
			calls: func(s scene) []hostagent.Call { return []hostagent.Call{vm(s.running), cmdlet.RemoveVM("r", "vm")} },
			want:  why{"InvalidOperation", hresultInvalidState, hostagent.Busy},
		},
		"the MAC address of a running machine": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.running), cmdlet.AdapterByName("a", "vm", "client"), cmdlet.SetStaticMAC("m", "a", "02A101000009")}
			},
			want: why{"InvalidOperation", hresultInvalidState, hostagent.Busy},
		},
		"a switch that is not there": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.AddAdapter("a", "vm", cmdlet.Adapter{Name: "n", SwitchName: "none", MACAddress: "02A101000009"})}
			},
			want: why{"ObjectNotFound", hresultNone, hostagent.NotFound},
		},
		"an adapter that is not there": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.SetVLAN("v", "vm", "none", 5)}
			},
			want: why{"ObjectNotFound", hresultNone, hostagent.NotFound},
		},
		"a VLAN past the last": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{vm(s.off), cmdlet.SetVLAN("v", "vm", "client", 4095)}
			},
			want: why{"InvalidArgument", hresultParameter, hostagent.Invalid},
		},
		"a clustered machine again": {
			calls: func(s scene) []hostagent.Call { return []hostagent.Call{cmdlet.MakeClustered("g", s.off, "other")} },
			want:  why{"ResourceExists", hresultClusterExists, hostagent.Conflict},
		},
		"clustering a machine from another host": {
			host:  "hv02",
			calls: func(s scene) []hostagent.Call { return []hostagent.Call{cmdlet.MakeClustered("g", s.off, "other")} },
			want:  why{"ObjectNotFound", hresultNone, hostagent.NotFound},
		},
		"a group that is not there": {
			calls: func(scene) []hostagent.Call { return []hostagent.Call{cmdlet.StartGroup("g", "none")} },
			want:  why{"ObjectNotFound", hresultNoGroup, hostagent.NotFound},
		},
		"a live migration of a machine that is off": {
			calls: func(s scene) []hostagent.Call { return []hostagent.Call{cmdlet.LiveMigrate("m", s.off, "hv02")} },
			want:  why{"InvalidOperation", hresultInvalidState, hostagent.Busy},
		},
		"a live migration to nowhere": {
			calls: func(s scene) []hostagent.Call { return []hostagent.Call{cmdlet.LiveMigrate("m", s.running, "hv09")} },
			want:  why{"ObjectNotFound", hresultNoNode, hostagent.NotFound},
		},
		"a live migration to where it is": {
			calls: func(s scene) []hostagent.Call { return []hostagent.Call{cmdlet.LiveMigrate("m", s.running, "hv01")} },
			want:  why{"InvalidArgument", hresultParameter, hostagent.Invalid},
		},
		"a live migration to a paused node": {
			calls: func(s scene) []hostagent.Call {
				s.ok(s.Drain("hv03"))
				return []hostagent.Call{cmdlet.LiveMigrate("m", s.running, "hv03")}
			},
			want: why{"InvalidOperation", hresultNodePaused, hostagent.Busy},
		},
		"a live migration to a host without the switch": {
			calls: func(s scene) []hostagent.Call {
				s.ok(s.RemoveSwitch("hv03", "vSwitch-Client"))
				return []hostagent.Call{cmdlet.LiveMigrate("m", s.running, "hv03")}
			},
			want: why{"ObjectNotFound", hresultNone, hostagent.NotFound},
		},
		"changing a machine that migrates": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.LiveMigrate("m", s.running, "hv03"), vm(s.running), cmdlet.DriveAt("d", "vm", slot(1, 0)), cmdlet.DetachDrive("x", "d")}
			},
			want: why{"InvalidOperation", hresultInvalidState, hostagent.Busy},
		},
		"an OfflineAction that does not exist": {
			calls: func(s scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.MachineResource("r", "Virtual Machine off"), cmdlet.SetOfflineAction("o", "r", 4)}
			},
			want: why{"InvalidArgument", hresultParameter, hostagent.Invalid},
		},
		"a folder with another stamp": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.NewStampedFolder("f", gold+`\data`, "other")}
			},
			want: why{"ResourceExists", hresultInvalidState, hostagent.Conflict},
		},
		"a folder with content and no stamp": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.NewStampedFolder("f", gold+`\Images`, "other")}
			},
			want: why{"ResourceExists", hresultInvalidState, hostagent.Conflict},
		},
		"removing a folder with another stamp": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.RemoveStampedFolder("f", gold+`\data`, "other")}
			},
			want: why{"ResourceExists", hresultInvalidState, hostagent.Conflict},
		},
		"removing a folder that a machine is registered in": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.RemoveStampedFolder("f", gold+`\off`, "stamp of off")}
			},
			want: why{"ResourceBusy", hresultSharing, hostagent.Busy},
		},
		"removing a folder with a disk that is attached to a running machine": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.RemoveStampedFolder("f", gold+`\data`, "stamp")}
			},
			want: why{"ResourceBusy", hresultSharing, hostagent.Busy},
		},
		"other work at the same destination": {
			calls: func(scene) []hostagent.Call {
				d := gold + `\data\copy.vhdx`
				return []hostagent.Call{cmdlet.StartCopy("a", "one", "hash", image, d), cmdlet.StartCopy("b", "two", "hash", image, d)}
			},
			want: why{"ResourceBusy", hresultInvalidState, hostagent.Busy},
		},
		"a copy over what is there": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.StartCopy("a", "one", "hash", image, sharedDisk)}
			},
			want: why{"ResourceExists", hresultInvalidState, hostagent.Conflict},
		},
		"a file that is not there": {
			calls: func(scene) []hostagent.Call { return []hostagent.Call{cmdlet.Files("f", gold+`\none`)} },
			want:  why{"ObjectNotFound", hresultItemNotFound, hostagent.NotFound},
		},
		"a pool that is not there": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{cmdlet.StampedFolders("f", `C:\ClusterStorage\None`)}
			},
			want: why{"ObjectNotFound", hresultItemNotFound, hostagent.NotFound},
		},
		"an unknown cmdlet": {
			calls: func(scene) []hostagent.Call { return []hostagent.Call{{ID: "x", Cmdlet: "Save-VM"}} },
			want:  why{"ObjectNotFound", hresultItemNotFound, hostagent.Unsupported},
		},
		"an unknown parameter": {
			calls: func(scene) []hostagent.Call {
				return []hostagent.Call{{ID: "x", Cmdlet: "Get-VM", Parameters: hostagent.Parameters{"Nonsense": hostagent.Bool(true)}}}
			},
			want: why{"InvalidArgument", hresultItemNotFound, hostagent.Invalid},
		},
		"an empty list of machines": {
			calls: func(s scene) []hostagent.Call { return []hostagent.Call{cmdlet.Drives("d", []string{"vm"})} },
			want:  why{"InvalidData", hresultParameter, hostagent.Invalid},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.foreign()
			host := "hv01"
			if test.host != "" {
				host = test.host
			}
			calls := test.calls(s)
			if name == "an empty list of machines" {
				calls = append([]hostagent.Call{cmdlet.MachineResource("vm", "Virtual Machine off")}, calls...)
				calls[0] = hostagent.Call{ID: "vm", Cmdlet: "Get-VM", Parameters: hostagent.Parameters{"Name": hostagent.Texts("none*")}}
			}
			results, err := s.run(host, calls...)
			s.ok(err)
			if got := lastError(results); !cmp.Equal(got, test.want) {
				t.Errorf("%s\nin %+v", cmp.Diff(test.want, got), results)
			}
		})
	}
}

// foreign runs a machine on another host that has a disk for itself alone.
func (s scene) foreign() {
	disk := gold + `\foreign\disk.vhdx`
	s.ok(s.AddFile(disk, GiB))
	id, err := s.AddForeignVM("hv04", "foreign", gold+`\foreign`, "")
	s.ok(err)
	s.advance(s.durations.StartVM)
	s.ok(s.AttachDisk(id, DriveState{Path: disk, Location: 5}))
}

// lastError is why the last call failed; every one before it must have ended well.
func lastError(results hostagent.Results) why {
	for _, r := range results[:len(results)-1] {
		if r.State != hostagent.Done {
			return why{Category: "call " + r.ID + " failed already"}
		}
	}
	var e *hostagent.CallError
	if !errors.As(results[len(results)-1].Err(), &e) {
		return why{}
	}
	return why{e.Category, e.HResult, e.Class()}
}

func TestWhatOlderBuildsLack(t *testing.T) {
	protection := func(f fixture, s cmdlet.MachineSettings) hostagent.Call { return cmdlet.SetProtection("p", "vm", s) }
	tests := map[string]struct {
		build int
		call  func(f fixture) hostagent.Call
		want  why
	}{
		"a VHD Set before 2016": {
			build: hyperv.Build2012R2,
			call:  func(fixture) hostagent.Call { return cmdlet.NewVHD("d", gold+`\d.vhds`, GiB, false) },
			want:  why{"InvalidArgument", hresultUnsupported, hostagent.Unsupported},
		},
		"automatic checkpoints before 2019": {
			build: hyperv.Build2016,
			call: func(f fixture) hostagent.Call {
				return protection(f, cmdlet.MachineSettings{Checkpoints: "ProductionOnly", AutomaticCheckpointsOff: true})
			},
			want: why{"InvalidArgument", hresultItemNotFound, hostagent.Invalid},
		},
		"automatic checkpoints from 2019 on": {
			build: hyperv.Build2019,
			call: func(f fixture) hostagent.Call {
				return protection(f, cmdlet.MachineSettings{Checkpoints: "ProductionOnly", AutomaticCheckpointsOff: true})
			},
		},
		"a VHD Set from 2016 on": {
			build: hyperv.Build2016,
			call:  func(fixture) hostagent.Call { return cmdlet.NewVHD("d", gold+`\d.vhds`, GiB, false) },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, build(test.build))
			id, err := f.AddForeignVM("hv01", "vm", gold+`\vm`, "")
			f.ok(err)
			f.advance(f.durations.StartVM)
			results, err := f.run("hv01", cmdlet.VMByID("vm", id), test.call(f))
			f.ok(err)
			if got := lastError(results); !cmp.Equal(got, test.want) {
				t.Errorf("%s\nin %+v", cmp.Diff(test.want, got), results)
			}
		})
	}
}

// A property that a build does not have is null there.
func TestPropertiesOfOlderBuilds(t *testing.T) {
	tests := map[int]hostagent.Object{
		hyperv.Build2012R2: {"CheckpointType": nil, "AutomaticCheckpointsEnabled": nil},
		hyperv.Build2016:   {"CheckpointType": "Production", "AutomaticCheckpointsEnabled": nil},
		hyperv.Build2019:   {"CheckpointType": "Production", "AutomaticCheckpointsEnabled": false},
	}
	for n, want := range tests {
		f := newFixture(t, build(n))
		id, err := f.AddForeignVM("hv01", "vm", gold+`\vm`, "")
		f.ok(err)
		call := cmdlet.VMByID("vm", id)
		call.Select = []string{"CheckpointType", "AutomaticCheckpointsEnabled"}
		got := f.must("hv01", call)[0].Values[0]
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("build %d: %s", n, diff)
		}
	}
}
