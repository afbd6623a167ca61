package hyperv_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hyperv"
)

const (
	pool = `C:\ClusterStorage\Gold`
	idA  = "aaaaaaaa-0000-0000-0000-000000000001"
	idB  = "bbbbbbbb-0000-0000-0000-000000000002"
)

// seen is a complete snapshot of two hosts: hv01 runs A, which lies in a folder of ours and has a shared disk.
func seen(changes ...func(*hyperv.Snapshot)) *hyperv.Snapshot {
	s := &hyperv.Snapshot{
		Cluster: &hyperv.Cluster{Name: "rack1", Quorate: true},
		Hosts: []hyperv.Host{
			{Name: "hv01", State: hyperv.HostUp, Answered: true, Machines: []hyperv.Machine{{
				ID: idA, Name: "payments.SQL-A", HostName: "hv01", State: "Running", Location: pool + `\a\payments.SQL-A`,
				Configuration: &hyperv.Configuration{Drives: []hyperv.Drive{
					{Path: pool + `\a\os.vhdx`, ControllerType: "SCSI"},
					{Path: pool + `\d\data.vhds`, ControllerType: "SCSI", Controller: 1, Location: 2},
				}},
				Adapters: []hyperv.Adapter{{Name: "client"}},
			}}},
			{Name: "hv02", State: hyperv.HostUp, Answered: true},
		},
		Groups:    []hyperv.Group{{Name: "payments.SQL-A", VMID: idA, OwnerNode: "hv01", State: "Online"}, {Name: "empty"}},
		Folders:   []hyperv.Folder{{Path: pool + `\a`}, {Path: pool + `\d`, Files: []hyperv.File{{Name: "data.vhds"}, {Name: "new.vhds"}}}},
		PoolsSeen: []string{pool},
		Disks:     []hyperv.VirtualDisk{{Path: pool + `\d\data.vhds`, Identifier: "i1"}},
		DisksSeen: true,
		Volumes:   []hyperv.Volume{{Path: pool, OwnerNode: "hv02"}},
	}
	for _, change := range changes {
		change(s)
	}
	return s
}

func silent(s *hyperv.Snapshot)    { s.Hosts[1].Answered = false }
func noQuorum(s *hyperv.Snapshot)  { s.Cluster.Quorate = false }
func noCluster(s *hyperv.Snapshot) { s.Cluster = nil }

func TestComplete(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*hyperv.Snapshot)
		want   bool
	}{
		"everybody answered": {reason: "Nothing is hidden.", change: func(*hyperv.Snapshot) {}, want: true},
		"a silent host":      {reason: "It may run anything.", change: silent},
		"a host that is gone": {
			reason: "What it ran was restarted elsewhere.",
			change: func(s *hyperv.Snapshot) { s.Hosts[1].Answered, s.Hosts[1].Gone = false, true }, want: true,
		},
		"a paused host": {
			reason: "It answers, whatever it takes on.",
			change: func(s *hyperv.Snapshot) { s.Hosts[1].State = hyperv.HostPaused }, want: true,
		},
		"no quorum":  {reason: "A part of the host cluster may go on elsewhere.", change: noQuorum},
		"no cluster": {reason: "Nobody told which hosts there are.", change: noCluster},
		"no hosts":   {reason: "A host cluster has hosts; a list without any is no answer.", change: func(s *hyperv.Snapshot) { s.Hosts = nil }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := seen(tc.change).Complete(); got != tc.want {
				t.Errorf("%s\ngot %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

func TestLookUps(t *testing.T) {
	machine := func(id string) func(*hyperv.Snapshot) hyperv.Presence {
		return func(s *hyperv.Snapshot) hyperv.Presence { _, p := s.Machine(id); return p }
	}
	in := func(folder string) func(*hyperv.Snapshot) hyperv.Presence {
		return func(s *hyperv.Snapshot) hyperv.Presence { _, p := s.MachinesIn(folder); return p }
	}
	group := func(id string) func(*hyperv.Snapshot) hyperv.Presence {
		return func(s *hyperv.Snapshot) hyperv.Presence { _, p := s.GroupOf(id); return p }
	}
	folder := func(path string) func(*hyperv.Snapshot) hyperv.Presence {
		return func(s *hyperv.Snapshot) hyperv.Presence { _, p := s.Folder(path); return p }
	}
	disk := func(path string) func(*hyperv.Snapshot) hyperv.Presence {
		return func(s *hyperv.Snapshot) hyperv.Presence { _, p := s.Disk(path); return p }
	}
	fine := func(*hyperv.Snapshot) {}
	cases := map[string]struct {
		reason string
		change func(*hyperv.Snapshot)
		look   func(*hyperv.Snapshot) hyperv.Presence
		want   hyperv.Presence
	}{
		"machine":                 {"It was seen.", fine, machine(idA), hyperv.Known},
		"machine, other case":     {"Ids are told in both cases.", fine, machine("AAAAAAAA-0000-0000-0000-000000000001"), hyperv.Known},
		"no machine":              {"Everybody was asked.", fine, machine(idB), hyperv.Absent},
		"no machine, silent host": {"The silent host may run it.", silent, machine(idB), hyperv.Unknown},
		"machine, silent host":    {"What was seen was seen.", silent, machine(idA), hyperv.Known},
		"no machine, no quorum":   {"It may run in the other part.", noQuorum, machine(idB), hyperv.Unknown},
		"machine in folder":       {"It lies below the folder.", fine, in(pool + `\A\`), hyperv.Known},
		"nothing in folder":       {"Everybody was asked.", fine, in(pool + `\b`), hyperv.Absent},
		"in folder, silent host":  {"A machine of the silent host may lie there.", silent, in(pool + `\b`), hyperv.Unknown},
		"group":                   {"The host cluster told it.", silent, group(idA), hyperv.Known},
		"group, no quorum":        {"Groups are not to be trusted.", noQuorum, group(idA), hyperv.Unknown},
		"no group":                {"The host cluster alone knows groups.", silent, group(idB), hyperv.Absent},
		"no group, no quorum":     {"Groups are not to be trusted.", noQuorum, group(idB), hyperv.Unknown},
		"no group, no cluster":    {"Nobody told.", noCluster, group(idB), hyperv.Unknown},
		"group of no id":          {"A group whose machine is not known is nobody's.", fine, group(""), hyperv.Absent},
		"folder":                  {"It carries a stamp.", noCluster, folder(pool + `\A\`), hyperv.Known},
		"no folder":               {"The pool was listed.", fine, folder(pool + `\x`), hyperv.Absent},
		"folder of another pool":  {"That pool was not listed.", fine, folder(`C:\ClusterStorage\Silver\x`), hyperv.Unknown},
		"disk":                    {"It could be opened.", fine, disk(pool + `\D\Data.vhds`), hyperv.Known},
		"no disk":                 {"The folder was listed.", fine, disk(pool + `\d\other.vhds`), hyperv.Absent},
		"no disk, no folder":      {"Without its folder it cannot be.", fine, disk(pool + `\x\data.vhds`), hyperv.Absent},
		"disk being made":         {"The file is there but could not be opened.", fine, disk(pool + `\d\new.vhds`), hyperv.Unknown},
		"disk of another pool":    {"That pool was not listed.", fine, disk(`C:\ClusterStorage\Silver\x\data.vhds`), hyperv.Unknown},
		"disks not asked": {
			"The host that was to open them did not answer.",
			func(s *hyperv.Snapshot) { s.DisksSeen, s.Disks = false, nil }, disk(pool + `\d\other.vhds`), hyperv.Unknown,
		},
		"disk without a folder": {"A bare name is in no pool that was listed.", fine, disk("data.vhds"), hyperv.Unknown},
		"disk without a path":   {"Nothing can be said of nothing.", fine, disk(""), hyperv.Unknown},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.look(seen(tc.change)); got != tc.want {
				t.Errorf("%s\ngot %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

func TestOneMachineShownByTwoHosts(t *testing.T) {
	twice := func(s *hyperv.Snapshot) {
		other := s.Hosts[0].Machines[0]
		other.HostName, other.State = "hv02", "Off"
		s.Hosts[1].Machines = append(s.Hosts[1].Machines, other)
	}
	cases := map[string]struct {
		reason string
		change func(*hyperv.Snapshot)
		want   string
	}{
		"owned by the first":  {"The group says where it runs.", func(*hyperv.Snapshot) {}, "hv01"},
		"owned by the second": {"The group says where it runs.", func(s *hyperv.Snapshot) { s.Groups[0].OwnerNode = "HV02" }, "hv02"},
		"without a group":     {"Without a group the answer is at least always the same.", func(s *hyperv.Snapshot) { s.Groups = nil }, "hv01"},
		"the other order": {
			"The order of hosts means nothing.",
			func(s *hyperv.Snapshot) { s.Groups, s.Hosts[0], s.Hosts[1] = nil, s.Hosts[1], s.Hosts[0] }, "hv01",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := seen(twice, tc.change)
			vm, _ := s.Machine(idA)
			if vm.HostName != tc.want {
				t.Errorf("%s\ngot the one on %s, want %s", tc.reason, vm.HostName, tc.want)
			}
			if found, _ := s.MachinesIn(pool + `\a`); len(found) != 1 || found[0].HostName != tc.want {
				t.Errorf("%s\nthe folder holds %d machines, want the one on %s", tc.reason, len(found), tc.want)
			}
			if attached := s.AttachedTo(pool + `\d\data.vhds`); len(attached) != 1 {
				t.Errorf("the disk is attached to %d machines, want 1", len(attached))
			}
		})
	}
}

func TestNameFor(t *testing.T) {
	stamped := func(stamp hyperv.Stamp) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) { s.Folders[0].Readable, s.Folders[0].Stamp = true, stamp }
	}
	cases := map[string]struct {
		reason, namespace string
		change            func(*hyperv.Snapshot)
		want              string
	}{
		"one of theirs":            {"They know it by its member's name.", "payments", stamped(hyperv.Stamp{Namespace: "payments", Member: "SQL-A"}), "SQL-A"},
		"renamed":                  {"The stamp says which it is.", "payments", func(s *hyperv.Snapshot) { stamped(hyperv.Stamp{Namespace: "payments", Member: "SQL-B"})(s) }, "SQL-B"},
		"of another namespace":     {"Its name is not theirs to see.", "web", stamped(hyperv.Stamp{Namespace: "payments", Member: "SQL-A"}), "a machine of another namespace"},
		"in a disk's folder":       {"Somebody put it there.", "payments", stamped(hyperv.Stamp{Namespace: "payments"}), "payments.SQL-A"},
		"of nobody":                {"It is to be found by its name.", "payments", func(*hyperv.Snapshot) {}, "machine payments.SQL-A"},
		"with a stamp, unreadable": {"Whose it is cannot be told.", "payments", func(s *hyperv.Snapshot) { s.Folders[0].Stamp.Namespace = "payments" }, "machine payments.SQL-A"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := seen(tc.change)
			vm, _ := s.Machine(idA)
			if got := s.NameFor(tc.namespace, vm); got != tc.want {
				t.Errorf("%s\ngot %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestHeldNoMachine(t *testing.T) {
	const pool, folder = `C:\Pool`, `C:\Pool\ns.M-1.u`
	cases := map[string]struct {
		reason string
		change func(*hyperv.Snapshot)
		want   bool
	}{
		"no folder":             {"What was never begun cannot run anywhere.", func(*hyperv.Snapshot) {}, true},
		"no folder in it":       {"New-VM makes one.", func(s *hyperv.Snapshot) { s.Folders = []hyperv.Folder{{Path: folder}} }, true},
		"a folder in it":        {"It may be a machine's.", func(s *hyperv.Snapshot) { s.Folders = []hyperv.Folder{{Path: folder, Folders: []string{"ns.M-1"}}} }, false},
		"pool not seen":         {"The folder may be there.", func(s *hyperv.Snapshot) { s.PoolsSeen = nil }, false},
		"a host not heard":      {"It may be making one just now.", func(s *hyperv.Snapshot) { s.Hosts[1].Unheard = true }, false},
		"no quorum":             {"The pool's files may be old.", func(s *hyperv.Snapshot) { s.Cluster.Quorate = false }, false},
		"nothing could be read": {"Nothing is known.", func(s *hyperv.Snapshot) { s.Cluster = nil }, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := &hyperv.Snapshot{
				Cluster: &hyperv.Cluster{Quorate: true}, PoolsSeen: []string{pool},
				Hosts: []hyperv.Host{{Name: "hv01", State: hyperv.HostUp, Answered: true}, {Name: "hv02", State: hyperv.HostUp}},
			}
			tc.change(s)
			if got := s.HeldNoMachine(folder); got != tc.want {
				t.Errorf("%s got %v", tc.reason, got)
			}
		})
	}
}

func TestDrivesSeen(t *testing.T) {
	unread := func(location string) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) {
			s.Hosts[1].Machines = []hyperv.Machine{{ID: idB, HostName: "hv02", Location: location}}
		}
	}
	cases := map[string]struct {
		reason string
		change func(*hyperv.Snapshot)
		want   bool
	}{
		"all read":                {"Every machine of ours told its drives.", func(*hyperv.Snapshot) {}, true},
		"one of ours unread":      {"It may have the disk.", unread(pool + `\a\x`), false},
		"a foreign one unread":    {"Foreign machines are not asked.", unread(`D:\VMs\x`), true},
		"a machine may be hidden": {"The silent host may run one of ours.", silent, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := seen(tc.change).DrivesSeen(); got != tc.want {
				t.Errorf("%s\ngot %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

func TestFinding(t *testing.T) {
	s := seen()
	if h, ok := s.Host("HV02"); !ok || h.Name != "hv02" {
		t.Errorf("host HV02 is %v, %v", h, ok)
	}
	if _, ok := s.Host("hv03"); ok {
		t.Error("host hv03 was found")
	}
	if v, ok := s.Volume(pool + `\a\os.vhdx`); !ok || v.OwnerNode != "hv02" {
		t.Errorf("the volume is %v, %v", v, ok)
	}
	if _, ok := s.Volume(`D:\a`); ok {
		t.Error("a volume was found for D:")
	}
	vm, _ := s.Machine(idA)
	if d := vm.DriveIn(1, 2); d == nil || d.Path != pool+`\d\data.vhds` {
		t.Errorf("the drive in slot 1:2 is %v", d)
	}
	if d := vm.DriveIn(1, 0); d != nil {
		t.Errorf("the drive in slot 1:0 is %v", d)
	}
	if d := vm.DriveWith(pool + `\D\DATA.vhds`); d == nil || d.Location != 2 {
		t.Errorf("the drive with the file is %v", d)
	}
	if a := vm.Adapter("CLIENT"); a == nil {
		t.Error("the adapter was not found")
	}
	if a := vm.Adapter("cluster"); a != nil {
		t.Errorf("adapter cluster is %v", a)
	}
	unread := hyperv.Machine{}
	if unread.DriveIn(0, 0) != nil || unread.DriveWith("x") != nil {
		t.Error("a machine whose configuration was not read has drives")
	}
	// An IDE drive has the same numbers as a SCSI drive and is none.
	ide := hyperv.Machine{Configuration: &hyperv.Configuration{Drives: []hyperv.Drive{{Path: "x", ControllerType: "IDE"}}}}
	if ide.DriveIn(0, 0) != nil {
		t.Error("an IDE drive was found in a SCSI slot")
	}
}

func TestWorkFor(t *testing.T) {
	f := hyperv.Folder{Work: []hyperv.Work{{ID: "w1", Destination: pool + `\a\os.vhdx`, State: hyperv.WorkRunning}}}
	if w, ok := f.WorkFor(pool + `\A\OS.vhdx`); !ok || w.ID != "w1" {
		t.Errorf("the work is %v, %v", w, ok)
	}
	if _, ok := f.WorkFor(pool + `\a\other.vhdx`); ok {
		t.Error("work was found for another file")
	}
}

func TestInterrupted(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	node := func(h hyperv.Host) *hyperv.Snapshot {
		h.Name = "hv01"
		return &hyperv.Snapshot{Cluster: &hyperv.Cluster{}, Hosts: []hyperv.Host{{Name: "hv02", Answered: true, BootTime: noon.Add(time.Hour)}, h}}
	}
	cases := map[string]struct {
		reason string
		seen   *hyperv.Snapshot
		state  string
		want   bool
	}{
		"under way":             {"Its host has been up since before.", node(hyperv.Host{Answered: true, BootTime: noon.Add(-time.Hour)}), hyperv.WorkRunning, false},
		"host started since":    {"A start ends everything.", node(hyperv.Host{Answered: true, BootTime: noon.Add(1)}), hyperv.WorkRunning, true},
		"completed":             {"There is nothing to interrupt.", node(hyperv.Host{Answered: true, BootTime: noon.Add(1)}), hyperv.WorkCompleted, false},
		"failed":                {"It has ended.", node(hyperv.Host{Gone: true}), hyperv.WorkFailed, false},
		"host silent":           {"It may be at it still, whatever it said before.", node(hyperv.Host{BootTime: noon.Add(1)}), hyperv.WorkRunning, false},
		"host gone":             {"Nobody is at it.", node(hyperv.Host{Gone: true}), hyperv.WorkRunning, true},
		"no such node":          {"Only nodes reach the volumes.", &hyperv.Snapshot{Cluster: &hyperv.Cluster{}}, hyperv.WorkRunning, true},
		"host cluster not read": {"Which nodes there are is not known.", &hyperv.Snapshot{}, hyperv.WorkRunning, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.seen.Interrupted(hyperv.Work{State: tc.state, Node: "HV01", Started: noon}); got != tc.want {
				t.Errorf("%s\ngot %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

func TestAbsentFor(t *testing.T) {
	m := hyperv.Memory{CompleteSnapshots: 5, LastSeen: map[string]int{idA: 5, idB: 3}}
	got := map[string]int{"seen": m.AbsentFor("AAAAAAAA-0000-0000-0000-000000000001"), "gone": m.AbsentFor(idB), "never seen": m.AbsentFor("x")}
	if diff := cmp.Diff(map[string]int{"seen": 0, "gone": 2, "never seen": 5}, got); diff != "" {
		t.Errorf("complete snapshots without it (-want +got):\n%s", diff)
	}
}

func TestMachineStates(t *testing.T) {
	type states struct{ Off, Running, Healthy, Settled, Migrating bool }
	cases := map[string]struct {
		reason string
		vm     hyperv.Machine
		want   states
	}{
		"running":          {"The guest answers.", hyperv.Machine{State: "Running", Heartbeat: "OkApplicationsUnknown", OperationalStatus: []string{"Ok"}}, states{Running: true, Healthy: true, Settled: true}},
		"starting guest":   {"The machine runs, its guest does not answer yet.", hyperv.Machine{State: "Running", Heartbeat: "NoContact"}, states{Running: true, Settled: true}},
		"off":              {"It may be changed.", hyperv.Machine{State: "Off", OperationalStatus: []string{"Ok"}}, states{Off: true, Settled: true}},
		"saved":            {"Nothing is going on.", hyperv.Machine{State: "Saved"}, states{Settled: true}},
		"stopping":         {"It is on its way.", hyperv.Machine{State: "Stopping"}, states{}},
		"critical":         {"Its storage is in trouble.", hyperv.Machine{State: "RunningCritical"}, states{}},
		"no known state":   {"What is not known counts as something going on.", hyperv.Machine{State: "Teleporting"}, states{}},
		"migrating":        {"Disks may not be changed meanwhile.", hyperv.Machine{State: "Running", Heartbeat: "OkApplicationsHealthy", OperationalStatus: []string{"Ok", "MigratingVirtualMachine"}}, states{Running: true, Healthy: true, Migrating: true}},
		"backing up":       {"Disks may not be changed meanwhile.", hyperv.Machine{State: "Running", OperationalStatus: []string{"BackingUpVirtualMachine"}}, states{Running: true}},
		"no known status":  {"What is not known counts as something going on.", hyperv.Machine{State: "Off", OperationalStatus: []string{"Juggling"}}, states{Off: true}},
		"status of no use": {"Degraded goes on for long and forbids nothing.", hyperv.Machine{State: "Off", OperationalStatus: []string{"Degraded"}}, states{Off: true, Settled: true}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := states{tc.vm.Off(), tc.vm.Running(), tc.vm.Healthy(), tc.vm.Settled(), tc.vm.Migrating()}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestGroupMoving(t *testing.T) {
	cases := map[string]struct {
		reason string
		group  hyperv.Group
		want   bool
	}{
		"online":      {"It is where it is.", hyperv.Group{State: "Online"}, false},
		"failed":      {"It stays so until somebody acts.", hyperv.Group{State: "Failed"}, false},
		"pending":     {"It is between two states.", hyperv.Group{State: "Pending"}, true},
		"unmonitored": {"Its host is out of sight.", hyperv.Group{State: "Online", Status: []string{"Unmonitored"}}, true},
		"queued":      {"It waits for a migration.", hyperv.Group{State: "Online", Status: []string{"Queued"}}, true},
		"waiting":     {"It is about to start.", hyperv.Group{State: "Offline", Status: []string{"WaitingToStart"}}, true},
		"kept apart":  {"Anti-affinity keeps it offline.", hyperv.Group{State: "Offline", Status: []string{"OfflineAntiAffinityConflict"}}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := tc.group.Moving(); got != tc.want {
				t.Errorf("%s\ngot %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}
