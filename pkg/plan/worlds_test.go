package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
)

// scene is what is wanted beside what was seen.
type scene struct {
	guestCluster plan.GuestCluster
	disk         plan.SharedDisk
	group        plan.AntiAffinityGroup
	rules        []plan.Rule
	proposals    []plan.Proposal
	seen         *hyperv.Snapshot

	happened []happening
}

// GoString tells what happened: a failing test prints it.
func (s *scene) GoString() string { return fmt.Sprintf("after %q", s.happened) }

func (s scene) plans() map[string]plan.Plan {
	plans := map[string]plan.Plan{
		"guest cluster": plan.ForGuestCluster(s.guestCluster, s.seen),
		"disk":          plan.ForSharedDisk(s.disk, s.seen),
		"group":         plan.ForAntiAffinityGroup(s.group, s.seen),
	}
	if admitted, _ := plan.Admit(s.seen, s.rules, s.proposals, "payments/sql"); admitted != nil {
		plans["admission"] = plan.Plan{Steps: []plan.Step{admitted.Step}}
	}
	return plans
}

// asItShouldBe is a scene in which nothing differs.
func asItShouldBe() *scene {
	return &scene{
		guestCluster: sql(), disk: logsDisk(), group: apart(), seen: withLogs(), rules: sqlRule(),
		proposals: []plan.Proposal{{Key: "payments/sql", VMIDs: []string{idB, idA}}},
	}
}

// happening is something that may have come about between two looks.
type happening struct {
	name string
	do   func(*rapid.T, *scene)
}

func (h happening) String() string { return h.name }

// draw is short for drawing one of some values.
func draw[T any](t *rapid.T, what string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, what)
}

// anyVM is a machine of the snapshot, to be changed.
func anyVM(t *rapid.T, s *scene) *hyperv.Machine {
	var found []*hyperv.Machine
	for i := range s.seen.Hosts {
		for j := range s.seen.Hosts[i].Machines {
			found = append(found, &s.seen.Hosts[i].Machines[j])
		}
	}
	if len(found) == 0 {
		return &hyperv.Machine{}
	}
	return found[rapid.IntRange(0, len(found)-1).Draw(t, "machine")]
}

func anyConfiguration(t *rapid.T, s *scene) *hyperv.Configuration {
	if vm := anyVM(t, s); vm.Configuration != nil {
		return vm.Configuration
	}
	return &hyperv.Configuration{}
}

func anyGroup(t *rapid.T, s *scene) *hyperv.Group {
	if len(s.seen.Groups) == 0 {
		return &hyperv.Group{}
	}
	return &s.seen.Groups[rapid.IntRange(0, len(s.seen.Groups)-1).Draw(t, "group")]
}

func anyFolder(t *rapid.T, s *scene) *hyperv.Folder {
	if len(s.seen.Folders) == 0 {
		return &hyperv.Folder{}
	}
	return &s.seen.Folders[rapid.IntRange(0, len(s.seen.Folders)-1).Draw(t, "folder")]
}

func anyHost(t *rapid.T, s *scene) *hyperv.Host {
	return &s.seen.Hosts[rapid.IntRange(0, len(s.seen.Hosts)-1).Draw(t, "host")]
}

func anyMember(t *rapid.T, s *scene) *plan.Member {
	return &s.guestCluster.Members[rapid.IntRange(0, len(s.guestCluster.Members)-1).Draw(t, "member")]
}

// happenings are what may differ. Together they reach what a host cluster, its administrators and a manager that died can
// do to a guest cluster of ours, a disk and a rule.
var happenings = []happening{
	{"nothing was made of a member", func(t *rapid.T, s *scene) {
		m := anyMember(t, s)
		id := m.RecordedID
		m.RecordedID = ""
		dropMachine(s.seen, id)
		dropGroup(s.seen, id)
		if rapid.Bool().Draw(t, "no folder") {
			dropFolder(s.seen, m.Folder)
		}
	}},
	{"an id was not recorded", func(t *rapid.T, s *scene) { anyMember(t, s).RecordedID = "" }},
	{"a disk was not recorded", func(_ *rapid.T, s *scene) { s.disk.RecordedIdentifier = "" }},
	{"the namespace is not allowed", func(_ *rapid.T, s *scene) { s.guestCluster.NewAllowed, s.disk.NewAllowed = false, false }},
	{"the guest cluster is deleted", func(t *rapid.T, s *scene) { s.guestCluster.Deletion = draw(t, "how", plan.Remove, plan.Leave) }},
	{"the disk is deleted", func(t *rapid.T, s *scene) { s.disk.Deletion = draw(t, "how", plan.Remove, plan.Leave) }},
	{"the rule is deleted", func(_ *rapid.T, s *scene) { s.group.Deletion = plan.Remove }},
	{"the disk is claimed", func(_ *rapid.T, s *scene) { s.disk.Claimed = true }},
	{"a disk is not ready", func(t *rapid.T, s *scene) {
		s.guestCluster.Disks[rapid.IntRange(0, len(s.guestCluster.Disks)-1).Draw(t, "disk")].Ready = false
	}},
	{"a disk is released", func(_ *rapid.T, s *scene) {
		s.guestCluster.Disks, s.guestCluster.Released = s.guestCluster.Disks[:1], []string{witness}
	}},
	{"more is wanted", func(_ *rapid.T, s *scene) {
		s.guestCluster.Machine.Processors, s.guestCluster.Machine.MemoryBytes = 8, 60*gib
	}},
	{"more is wanted than a host has", func(t *rapid.T, s *scene) {
		s.guestCluster.Machine.Processors = draw(t, "processors", int64(4), 33)
		anyHost(t, s).Processors = draw(t, "a host's processors", int64(0), 2, 32, 64)
	}},
	{"a fixed disk is wanted", func(_ *rapid.T, s *scene) { s.disk.Fixed = true }},
	{"a member left the rule", func(t *rapid.T, s *scene) {
		s.group.Members = s.group.Members[:rapid.IntRange(0, 1).Draw(t, "left")]
		s.group.MembersKnown = rapid.Bool().Draw(t, "known")
	}},

	{"a host does not answer", func(t *rapid.T, s *scene) {
		h := anyHost(t, s)
		*h = hyperv.Host{
			Name: h.Name, State: draw(t, "state", hyperv.HostUp, hyperv.HostDown, hyperv.HostIsolated, hyperv.HostUnknown),
			Unheard: rapid.Bool().Draw(t, "unheard"), Build: h.Build, SupportedVersions: h.SupportedVersions,
		}
	}},
	{"a host is gone", func(t *rapid.T, s *scene) {
		h := anyHost(t, s)
		*h = hyperv.Host{Name: h.Name, State: hyperv.HostDown, Gone: true}
	}},
	{"a host's state", func(t *rapid.T, s *scene) {
		anyHost(t, s).State = draw(t, "state", hyperv.HostPaused, hyperv.HostDraining, hyperv.HostJoining, hyperv.HostQuarantined)
	}},
	{"a host's release", func(t *rapid.T, s *scene) {
		h := anyHost(t, s)
		h.Build = draw(t, "build", hyperv.Build2012R2, hyperv.Build2016, hyperv.Build2019, hyperv.Build2025)
		h.SupportedVersions = draw(t, "versions", []string(nil), []string{"5.0", "9.0"}, []string{"10.0", "12.0"})
	}},
	{"a host's means", func(t *rapid.T, s *scene) {
		h := anyHost(t, s)
		h.FreeMemoryBytes = draw(t, "free", 0, 9*gib, 64*gib)
		h.Switches = draw(t, "switches", []string{"vSwitch-Client"}, []string{"VSWITCH-CLUSTER", "VSWITCH-CLIENT"})
	}},
	{"no quorum", func(_ *rapid.T, s *scene) {
		if s.seen.Cluster != nil {
			s.seen.Cluster.Quorate = false
		}
	}},
	{"the host cluster cannot be read", func(_ *rapid.T, s *scene) {
		s.seen.Cluster, s.seen.Groups, s.seen.Folders, s.seen.PoolsSeen, s.seen.Disks, s.seen.DisksSeen = nil, nil, nil, nil, nil, false
	}},
	{"the pool cannot be read", func(_ *rapid.T, s *scene) { s.seen.PoolsSeen, s.seen.Folders, s.seen.Disks = nil, nil, nil }},
	{"disks cannot be opened", func(t *rapid.T, s *scene) { s.seen.Disks, s.seen.DisksSeen = nil, rapid.Bool().Draw(t, "asked") }},
	{"the volume is gone or full", func(t *rapid.T, s *scene) {
		s.seen.Volumes = draw(t, "volumes", nil, []hyperv.Volume{{Path: gold, OwnerNode: "hv01", Free: gib}})
	}},
	{"few complete snapshots", func(t *rapid.T, s *scene) {
		s.seen.Memory.CompleteSnapshots = rapid.IntRange(0, 12).Draw(t, "complete")
		s.seen.Memory.LastSeen = map[string]int{}
		for _, key := range []string{idA, idB, logs} {
			s.seen.Memory.LastSeen[hyperv.Key(key)] = rapid.IntRange(0, s.seen.Memory.CompleteSnapshots).Draw(t, "seen")
		}
		s.seen.Memory.SettlingFor = map[string]time.Duration{idA: draw(t, "settling", 0, time.Minute, time.Hour)}
	}},

	{"a machine's state", func(t *rapid.T, s *scene) {
		anyVM(t, s).State = draw(t, "state", "Off", "Running", "Saved", "Paused", "Starting", "Stopping", "RunningCritical", "Teleporting")
	}},
	{"a machine is off", func(t *rapid.T, s *scene) { anyVM(t, s).State = "Off" }},
	{"a machine's status", func(t *rapid.T, s *scene) {
		anyVM(t, s).OperationalStatus = draw(t, "status", []string(nil), []string{"Ok", "MigratingVirtualMachine"}, []string{"BackingUpVirtualMachine"}, []string{"Degraded"})
	}},
	{"a heartbeat", func(t *rapid.T, s *scene) {
		anyVM(t, s).Heartbeat = draw(t, "heartbeat", "NoContact", "OkApplicationsHealthy", "LostCommunication")
	}},
	{"a machine was renamed", func(t *rapid.T, s *scene) {
		anyVM(t, s).Name = draw(t, "name", "x", "payments.SQL-A", "payments.SQL-B")
	}},
	{"a machine is gone", func(t *rapid.T, s *scene) { dropMachine(s.seen, anyVM(t, s).ID) }},
	{"a machine lies elsewhere", func(t *rapid.T, s *scene) {
		anyVM(t, s).Location = draw(t, "location", "", `D:\VMs\x`, folderA+`\x`, folderB+`\x`, diskFolder+`\x`, gold)
	}},
	{"a machine moved", func(t *rapid.T, s *scene) {
		vm := *anyVM(t, s)
		to := anyHost(t, s)
		if !to.Answered || vm.ID == "" || vm.HostName == to.Name {
			return
		}
		if !rapid.Bool().Draw(t, "still shown") {
			dropMachine(s.seen, vm.ID)
		}
		vm.HostName = to.Name
		to.Machines = append(to.Machines, vm)
		if g, presence := s.seen.GroupOf(vm.ID); presence == hyperv.Known && rapid.Bool().Draw(t, "owner follows") {
			g.OwnerNode = to.Name
		}
	}},
	{"a machine was copied", func(t *rapid.T, s *scene) {
		vm, to := *anyVM(t, s), anyHost(t, s)
		if to.Answered {
			vm.ID, vm.HostName = fmt.Sprintf("cccccccc-0000-0000-0000-%012d", len(to.Machines)), to.Name
			to.Machines = append(to.Machines, vm)
		}
	}},
	{"a configuration was not read", func(t *rapid.T, s *scene) { anyVM(t, s).Configuration = nil }},
	{"settings", func(t *rapid.T, s *scene) {
		c := anyConfiguration(t, s)
		c.Processors, c.DynamicMemory = rapid.Int64Range(1, 8).Draw(t, "processors"), rapid.Bool().Draw(t, "dynamic")
		c.StartAction, c.StopAction = draw(t, "start", "Nothing", "Start"), draw(t, "stop", "ShutDown", "Save")
		c.CheckpointType, c.AutomaticCheckpoint = draw(t, "type", "", "Standard", "ProductionOnly"), rapid.Bool().Draw(t, "automatic")
	}},
	{"controllers", func(t *rapid.T, s *scene) {
		anyConfiguration(t, s).Controllers = draw(t, "controllers", nil, []int32{0}, []int32{0, 1, 2})
	}},
	{"an adapter", func(t *rapid.T, s *scene) {
		vm := anyVM(t, s)
		vm.Adapters = slices.Clone(vm.Adapters)
		if len(vm.Adapters) == 0 {
			return
		}
		a := &vm.Adapters[rapid.IntRange(0, len(vm.Adapters)-1).Draw(t, "adapter")]
		a.Name, a.SwitchName = draw(t, "name", "client", "cluster", "other"), draw(t, "switch", "", "vSwitch-Client", "vSwitch-Cluster")
		a.MAC, a.Dynamic, a.VLAN = draw(t, "mac", a.MAC, 1), rapid.Bool().Draw(t, "dynamic"), draw[int32](t, "vlan", 0, 110, 5)
	}},
	{"a drive", func(t *rapid.T, s *scene) {
		c := anyConfiguration(t, s)
		c.Drives = slices.Clone(c.Drives)
		if len(c.Drives) == 0 {
			return
		}
		d := &c.Drives[rapid.IntRange(0, len(c.Drives)-1).Draw(t, "drive")]
		d.Path = draw(t, "path", d.Path, data, witness, logs, `D:\other.vhdx`, "")
		d.PersistentReservations = rapid.Bool().Draw(t, "flag")
		kind, controller, location := draw(t, "type", "SCSI", "SCSI", "IDE"), draw[int32](t, "controller", 0, 1, 1), draw[int32](t, "location", 0, 1, 5)
		// A slot holds one drive.
		taken := slices.ContainsFunc(c.Drives, func(other hyperv.Drive) bool {
			return other.ControllerType == kind && other.Controller == controller && other.Location == location
		})
		if !taken {
			d.ControllerType, d.Controller, d.Location = kind, controller, location
		}
	}},
	{"a drive was taken off", func(t *rapid.T, s *scene) {
		c := anyConfiguration(t, s)
		c.Drives = c.Drives[:max(0, len(c.Drives)-1)]
	}},

	{"a group's state", func(t *rapid.T, s *scene) {
		g := anyGroup(t, s)
		g.State = draw(t, "state", "Online", "Offline", "Pending", "Failed")
		g.Status = draw(t, "status", []string(nil), []string{"Unmonitored"}, []string{"Queued"}, []string{"WaitingToStart"})
	}},
	{"a group's resource", func(t *rapid.T, s *scene) {
		g := anyGroup(t, s)
		g.OfflineAction = rapid.IntRange(0, 3).Draw(t, "action")
		g.OwnerNode = draw(t, "owner", g.OwnerNode, "hv01", "HV02", "hv03")
	}},
	{"a group is gone", func(t *rapid.T, s *scene) { dropGroup(s.seen, anyGroup(t, s).VMID) }},
	{"a group was renamed", func(t *rapid.T, s *scene) {
		name := draw(t, "name", "x", "payments.SQL-A", "PAYMENTS.SQL-B")
		// Windows keeps names of groups apart.
		if !slices.ContainsFunc(s.seen.Groups, func(g hyperv.Group) bool { return strings.EqualFold(g.Name, name) }) {
			anyGroup(t, s).Name = name
		}
	}},
	{"a group's machine", func(t *rapid.T, s *scene) { anyGroup(t, s).VMID = draw(t, "id", "", idA, idB, idForeign) }},
	{"class names", func(t *rapid.T, s *scene) {
		anyGroup(t, s).ClassNames = rapid.SliceOfN(rapid.SampledFrom([]string{className, "other", "payments-apart"}), 0, 3).Draw(t, "names")
	}},

	{"a stamp", func(t *rapid.T, s *scene) {
		f := anyFolder(t, s)
		f.Readable = rapid.Bool().Draw(t, "readable")
		f.Stamp.UID = draw(t, "uid", f.Stamp.UID, "00000000-old")
		f.Stamp.Member = draw(t, "member", f.Stamp.Member, "", "SQL-A", "SQL-B")
	}},
	{"a folder is gone", func(t *rapid.T, s *scene) { dropFolder(s.seen, anyFolder(t, s).Path) }},
	{"files are gone", func(t *rapid.T, s *scene) {
		f := anyFolder(t, s)
		f.Files = nil
		s.seen.Disks = slices.DeleteFunc(s.seen.Disks, func(d hyperv.VirtualDisk) bool { return hyperv.Within(f.Path, d.Path) })
	}},
	{"work", func(t *rapid.T, s *scene) {
		if f := anyFolder(t, s); len(f.Work) > 0 {
			f.Work = slices.Clone(f.Work)
			f.Work[0].State, f.Work[0].Error = draw(t, "state", hyperv.WorkRunning, hyperv.WorkFailed, "", "Unheard of"), "no room"
			f.Work[0].Node, f.Work[0].Started = draw(t, "node", "hv01", "hv02", "hv03", "hv09", ""), noon
		}
	}},
	{"a folder was copied", func(t *rapid.T, s *scene) {
		f := *anyFolder(t, s)
		f.Path = gold + `\copied`
		s.seen.Folders = append(s.seen.Folders, f)
		if rapid.Bool().Draw(t, "with a machine") {
			anyVM(t, s).Location = f.Path + `\x`
		}
	}},
	{"an earlier object left a folder", func(t *rapid.T, s *scene) {
		left := draw(t, "whose", member("SQL-A", "").Stamp, member("SQL-B", "").Stamp, diskStamp)
		left.UID = draw(t, "uid", "00000000-old", "99999999-older")
		s.seen.Folders = append(s.seen.Folders, hyperv.Folder{Path: hyperv.FolderPath(gold, left), Stamp: left, Readable: true})
	}},
	{"a disk was exchanged", func(t *rapid.T, s *scene) {
		if len(s.seen.Disks) > 0 {
			s.seen.Disks[len(s.seen.Disks)-1].Identifier = "another"
		}
	}},
	{"a volume has little room", func(t *rapid.T, s *scene) {
		if len(s.seen.Volumes) > 0 {
			imageOf20(s.seen)
			s.seen.Volumes[0].Free = rapid.Int64Range(0, 60*gib).Draw(t, "free")
		}
	}},
	{"members share a host", func(_ *rapid.T, s *scene) {
		a, presence := s.seen.Machine(idA)
		b, other := s.seen.Machine(idB)
		if presence != hyperv.Known || other != hyperv.Known || a.HostName == b.HostName {
			return
		}
		if g, known := s.seen.GroupOf(idA); known == hyperv.Known && g.OwnerNode == a.HostName {
			put(s.seen, idA, b.HostName)
		}
	}},
	{"somebody proposes", func(t *rapid.T, s *scene) {
		s.proposals = append(s.proposals, plan.Proposal{Key: draw(t, "key", "a", "z"), VMIDs: []string{draw(t, "id", idA, idB, idForeign, "x")}})
	}},
}

// strangers are happenings that are nobody's business but their own: with them alone, nothing of ours differs.
var strangers = []happening{
	{"foreign machines", func(t *rapid.T, s *scene) {
		h := anyHost(t, s)
		h.Machines = append(h.Machines, hyperv.Machine{ID: fmt.Sprintf("foreign-%s-%d", h.Name, len(h.Machines)), Name: "payments.SQL-A", HostName: h.Name, State: draw(t, "state", "Off", "Saved", "Stopping"), Location: `D:\VMs\x`})
	}},
	{"foreign groups", func(t *rapid.T, s *scene) {
		s.seen.Groups = append(s.seen.Groups, hyperv.Group{Name: fmt.Sprint("foreign", len(s.seen.Groups)), VMID: idForeign, OwnerNode: "hv03", State: "Pending", ClassNames: []string{draw(t, "class", "other", className)}})
	}},
	{"foreign class names on ours", func(t *rapid.T, s *scene) {
		g := groupOf(s.seen, draw(t, "id", idA, idB))
		g.ClassNames = append([]string{"other"}, g.ClassNames...)
	}},
	{"folders of others", func(t *rapid.T, s *scene) {
		other := stamp
		other.Namespace, other.UID, other.Member = "hr", "55555555", draw(t, "member", "SQL-A", "X")
		s.seen.Folders = append(s.seen.Folders, hyperv.Folder{Path: hyperv.FolderPath(gold, other), Stamp: other, Readable: true})
		s.seen.Folders = append(s.seen.Folders, hyperv.Folder{Path: gold + `\junk`, StampText: "junk"})
	}},
	{"an adapter or drive more", func(t *rapid.T, s *scene) {
		vm := vmOf(s.seen, draw(t, "id", idA, idB))
		vm.Adapters = append(vm.Adapters, hyperv.Adapter{Name: "backup", Dynamic: true})
		vm.Configuration.Drives = append(vm.Configuration.Drives, hyperv.Drive{Path: `D:\x.vhdx`, ControllerType: "SCSI", Controller: 1, Location: 60})
	}},
	{"free memory, full volume", func(_ *rapid.T, s *scene) { s.seen.Hosts[0].FreeMemoryBytes, s.seen.Volumes[0].Free = 0, 0 }},
	{"a host that is gone", func(_ *rapid.T, s *scene) {
		s.seen.Hosts = append(s.seen.Hosts, hyperv.Host{Name: "hv09", State: hyperv.HostDown, Gone: true})
	}},
	{"an empty host that is silent", func(_ *rapid.T, s *scene) {
		s.seen.Hosts = append(s.seen.Hosts, hyperv.Host{Name: "hv08", State: hyperv.HostUp, Unheard: true})
	}},
	{"a paused host", func(_ *rapid.T, s *scene) { s.seen.Hosts[1].State = hyperv.HostPaused }},
	{"spelling", func(_ *rapid.T, s *scene) {
		vmOf(s.seen, idA).Adapters[0].SwitchName = "VSWITCH-client"
		s.seen.Folders[0].Path = hyperv.Key(s.seen.Folders[0].Path)
	}},
	{"another guest cluster's rule", func(_ *rapid.T, s *scene) {
		s.rules = append(s.rules, plan.Rule{GuestCluster: "hr/x", VMIDs: []string{"foreign"}})
	}},
}

func scenes(from []happening, most int) *rapid.Generator[*scene] {
	return rapid.Custom(func(t *rapid.T) *scene {
		s := asItShouldBe()
		s.happened = rapid.SliceOfN(rapid.SampledFrom(from), 0, most).Draw(t, "happened")
		for _, h := range s.happened {
			h.do(t, s)
		}
		return s
	})
}

// actors with whom a block may be.
var canMend = []v1alpha1.Actor{v1alpha1.ActorUser, v1alpha1.ActorPlatformTeam}
