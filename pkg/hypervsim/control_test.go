package hypervsim

import (
	"errors"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// Each thing that can be done behind the operator's back does what it says, seen in the state.
func TestControl(t *testing.T) {
	disk := gold + `\data\data.vhds`
	tests := map[string]struct {
		do   func(f fixture, id string) error
		held func(f fixture, id string) bool
	}{
		"class names": {
			do:   func(f fixture, id string) error { return f.SetClassNames(id, "x", "y") },
			held: func(f fixture, _ string) bool { return len(f.group("a").ClassNames) == 2 },
		},
		"rename group": {
			do:   func(f fixture, _ string) error { return f.RenameGroup("a", "z") },
			held: func(f fixture, id string) bool { return f.group("z").VM == id },
		},
		"remove group": {
			do:   func(f fixture, _ string) error { return f.RemoveGroup("a") },
			held: func(f fixture, id string) bool { return len(f.State().Groups) == 2 && f.vm(id).State == "Running" },
		},
		"offline action": {
			do:   func(f fixture, _ string) error { return f.SetOfflineAction("a", 1) },
			held: func(f fixture, _ string) bool { return f.group("a").OfflineAction == 1 },
		},
		"detach disk": {
			do:   func(f fixture, id string) error { return f.DetachDisk(id, disk) },
			held: func(f fixture, id string) bool { return len(f.vm(id).Drives) == 1 },
		},
		"attach disk elsewhere": {
			do: func(f fixture, id string) error {
				return errors.Join(f.DetachDisk(id, disk), f.AttachDisk(id, DriveState{Path: disk, Number: 1, Location: 9, Shared: true}))
			},
			held: func(f fixture, id string) bool {
				return f.vm(id).Drives[1] == DriveState{Path: disk, Controller: "SCSI", Number: 1, Location: 9, Shared: true}
			},
		},
		"remove adapter": {
			do:   func(f fixture, id string) error { return f.RemoveAdapter(id, "client") },
			held: func(f fixture, id string) bool { return len(f.vm(id).Adapters) == 0 },
		},
		"add adapter": {
			do:   func(f fixture, id string) error { return f.AddAdapter(id, "more", "vSwitch-Cluster", "02A1010000FF") },
			held: func(f fixture, id string) bool { return f.vm(id).Adapters[1].MAC == "02A1010000FF" },
		},
		"MAC address": {
			do:   func(f fixture, id string) error { return f.SetMAC(id, "client", "02-A1-01-00-00-EE") },
			held: func(f fixture, id string) bool { return f.vm(id).Adapters[0].MAC == "02A1010000EE" },
		},
		"switch": {
			do:   func(f fixture, id string) error { return f.SetSwitch(id, "client", "vSwitch-Cluster") },
			held: func(f fixture, id string) bool { return f.vm(id).Adapters[0].Switch == "vSwitch-Cluster" },
		},
		"VLAN": {
			do:   func(f fixture, id string) error { return f.SetVLAN(id, "client", 0) },
			held: func(f fixture, id string) bool { return f.vm(id).Adapters[0].VLAN == 0 },
		},
		"remove switch": {
			do:   func(f fixture, _ string) error { return f.RemoveSwitch("hv01", "vSwitch-Client") },
			held: func(f fixture, id string) bool { return f.vm(id).Adapters[0].Switch == "" },
		},
		"add switch": {
			do:   func(f fixture, _ string) error { return f.AddSwitch("hv01", "more") },
			held: func(f fixture, _ string) bool { return len(f.node("hv01").Switches) == 3 },
		},
		"rename": {
			do:   func(f fixture, id string) error { return f.RenameVM(id, "b") },
			held: func(f fixture, id string) bool { return f.vm(id).Name == "b" },
		},
		"remove": {
			do:   func(f fixture, _ string) error { return f.RemoveVM("a", KeepFiles) },
			held: func(f fixture, _ string) bool { return len(f.State().Machines) == 0 && f.has(gold+`\a\a.vhdx`) },
		},
		"remove with files": {
			do:   func(f fixture, _ string) error { return f.RemoveVM("a", RemoveFiles) },
			held: func(f fixture, _ string) bool { return len(f.State().Machines) == 0 && !f.has(gold+`\a\a.vhdx`) },
		},
		"turn off": {
			do:   func(f fixture, id string) error { return f.TurnOffVM(id) },
			held: func(f fixture, id string) bool { return f.vm(id).State == "Off" },
		},
		"shut down and start": {
			do: func(f fixture, id string) error {
				err := f.ShutDownVM(id)
				f.advance(time.Minute)
				return errors.Join(err, f.StartVM(id))
			},
			held: func(f fixture, id string) bool { return f.vm(id).State == "Starting" },
		},
		"save": {
			do: func(f fixture, id string) error {
				defer f.advance(time.Minute)
				return f.SaveVM(id)
			},
			held: func(f fixture, id string) bool { return f.vm(id).State == "Saved" },
		},
		"move": {
			do: func(f fixture, id string) error {
				defer f.advance(time.Minute)
				return f.MoveVM(id, "hv04")
			},
			held: func(f fixture, id string) bool { return f.vm(id).Host == "hv04" },
		},
		"copy beside": {
			do: func(f fixture, id string) error {
				_, err := f.CopyVM(id, "")
				return err
			},
			held: func(f fixture, id string) bool {
				vms := f.State().Machines
				return len(vms) == 2 && vms[1].ID != id && vms[1].Location == vms[0].Location && vms[1].State == "Off"
			},
		},
		"copy elsewhere": {
			do: func(f fixture, id string) error {
				_, err := f.CopyVM(id, gold+`\restored`)
				return err
			},
			held: func(f fixture, _ string) bool {
				vm := f.State().Machines[1]
				return vm.Location == gold+`\restored\a` && vm.Drives[0].Path == gold+`\restored\a.vhdx` && f.has(gold+`\restored\guestclustering.json`)
			},
		},
		"folder with a stamp": {
			do:   func(f fixture, _ string) error { return f.AddFolder(gold+`\x`, "stamp") },
			held: func(f fixture, _ string) bool { return f.folder(gold+`\x`).StampText == "stamp" },
		},
		"file": {
			do:   func(f fixture, _ string) error { return f.AddFile(gold+`\x\y.vhdx`, GiB) },
			held: func(f fixture, _ string) bool { return f.has(gold + `\x\y.vhdx`) },
		},
		"remove file": {
			do:   func(f fixture, _ string) error { return f.RemoveFile(disk) },
			held: func(f fixture, _ string) bool { return !f.has(disk) },
		},
		"remove folder": {
			do: func(f fixture, _ string) error {
				return errors.Join(f.AddFile(gold+`\x\y.vhdx`, GiB), f.RemoveFolder(gold+`\x`))
			},
			held: func(f fixture, _ string) bool { return !f.has(gold + `\x\y.vhdx`) },
		},
		"free space": {
			do:   func(f fixture, _ string) error { return f.SetCSVFree(gold, 7) },
			held: func(f fixture, _ string) bool { return f.State().Volumes[0].FreeBytes == 7 },
		},
		"volume owner": {
			do:   func(f fixture, _ string) error { return f.SetCSVOwner(gold, "hv03") },
			held: func(f fixture, _ string) bool { return f.State().Volumes[0].Owner == "hv03" },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.must("hv01", cmdlet.NewStampedFolder("f", gold+`\data`, "s"), cmdlet.NewVHD("d", disk, GiB, false))
			id := f.started("hv01", "a", disk)
			since := f.last()
			f.ok(test.do(f, id))
			if !test.held(f, id) {
				t.Errorf("not so afterwards: %+v", f.State())
			}
			if f.effects(since) == "" {
				t.Error("the journal does not tell")
			}
		})
	}
}

func (f fixture) has(path string) bool {
	for _, file := range f.State().Files {
		if file.Path == path {
			return true
		}
	}
	return false
}

func TestControlRefuses(t *testing.T) {
	f := newFixture(t)
	f.started("hv01", "a")
	f.started("hv02", "b")
	f.ok(f.RenameVM("b", "a"))
	tests := map[string]struct {
		err  error
		want hostagent.Class
	}{
		"a machine that is not there":  {f.TurnOffVM("none"), hostagent.NotFound},
		"a name that two machines use": {f.TurnOffVM("a"), hostagent.Conflict},
		"a group that is not there":    {f.SetClassNames("none"), hostagent.NotFound},
		"a host that is not there":     {f.FailHost("hv09"), hostagent.NotFound},
		"returning a host that is up":  {f.ReturnHost("hv01"), hostagent.Conflict},
		"resuming a node that is up":   {f.Resume("hv01"), hostagent.Conflict},
		"a folder on no volume":        {f.AddFolder(`D:\x`, ""), hostagent.Invalid},
		"a file that is not there":     {f.RemoveFile(gold + `\none`), hostagent.NotFound},
		"a group name that is taken":   {f.RenameGroup("a", "b"), hostagent.Conflict},
		"more free space than size":    {f.SetCSVFree(gold, 21*TiB), hostagent.Invalid},
		"a fault of no kind":           {second(f.AddFault(Fault{})), hostagent.Invalid},
		"a fault that is not there":    {f.RemoveFault("none"), hostagent.NotFound},
		"a removed folder in use":      {f.RemoveFolder(gold + `\a`), hostagent.Busy},
	}
	for name, test := range tests {
		if !errors.Is(test.err, test.want) {
			t.Errorf("%s: got %v, want %s", name, test.err, test.want)
		}
	}
}

func second(_ string, err error) error { return err }
