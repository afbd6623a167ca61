package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/plan"
)

const (
	gold      = `C:\ClusterStorage\Gold`
	image     = gold + `\Images\ws2022.vhdx`
	idA       = "aaaaaaaa-0000-0000-0000-000000000001"
	idB       = "bbbbbbbb-0000-0000-0000-000000000002"
	idForeign = "ffffffff-0000-0000-0000-00000000000f"
	className = "payments.sql.u-sql"

	gib = int64(1) << 30
)

var (
	stamp = hyperv.Stamp{ClusterID: "k1", Namespace: "payments", NamespaceUID: "n1", Kind: hyperv.KindGuestCluster, Name: "sql", UID: "3f0c1111-sql"}

	folderA = gold + `\payments.SQL-A.3f0c1111`
	folderB = gold + `\payments.SQL-B.3f0c1111`
	data    = gold + `\payments.sql-data.d1\sql-data.vhds`
	witness = gold + `\payments.sql-witness.d2\sql-witness.vhds`
)

func member(name, id string) plan.Member {
	m := plan.Member{Name: name, Stamp: stamp, RecordedID: id}
	m.Stamp.Member = name
	m.Folder = hyperv.FolderPath(gold, m.Stamp)
	last := map[string]hyperv.MAC{"SQL-A": 0x10, "SQL-B": 0x20}[name]
	m.Networks = []plan.Network{
		{Name: "client", SwitchName: "vSwitch-Client", VLAN: 110, MAC: 0x02A101000000 + last},
		{Name: "cluster", SwitchName: "vSwitch-Cluster", MAC: 0x02A101000000 + last + 1},
	}
	return m
}

// sql is what is wanted of a guest cluster of two members with two disks that was made.
func sql() plan.GuestCluster {
	return plan.GuestCluster{
		Namespace: "payments", Name: "sql", ClassName: className, NewAllowed: true,
		Members: []plan.Member{member("SQL-A", idA), member("SQL-B", idB)},
		Machine: plan.Machine{Pool: gold, Image: image, Processors: 4, MemoryBytes: 8 * gib},
		Disks: []plan.AttachedDisk{
			{Name: "data", Path: data, Slot: cmdlet.Slot{Controller: plan.SharedController, Location: 0}, Ready: true},
			{Name: "witness", Path: witness, Slot: cmdlet.Slot{Controller: plan.SharedController, Location: 1}, Ready: true},
		},
	}
}

// asWanted is the machine of a member as sql wants it.
func asWanted(m plan.Member, id, host string) hyperv.Machine {
	vm := hyperv.Machine{
		ID: id, Name: m.VMName(), HostName: host, State: "Running", Heartbeat: "OkApplicationsUnknown", OperationalStatus: []string{"Ok"},
		Location: m.Folder + `\` + m.VMName(), Generation: 2, Version: "10.0", Clustered: true,
		Configuration: &hyperv.Configuration{
			Processors: 4, MemoryBytes: 8 * gib, StartAction: "Nothing", StopAction: "ShutDown", CheckpointType: "ProductionOnly",
			Controllers: []int32{0, 1},
			Drives: []hyperv.Drive{
				{Path: m.OSDisk(), ControllerType: "SCSI"},
				{Path: data, ControllerType: "SCSI", Controller: 1, Location: 0, PersistentReservations: true},
				{Path: witness, ControllerType: "SCSI", Controller: 1, Location: 1, PersistentReservations: true},
			},
		},
	}
	for _, n := range m.Networks {
		vm.Adapters = append(vm.Adapters, hyperv.Adapter{Name: n.Name, MAC: n.MAC, SwitchName: n.SwitchName, VLAN: n.VLAN})
	}
	return vm
}

func asGroup(m plan.Member, id, host string) hyperv.Group {
	return hyperv.Group{
		Name: m.VMName(), State: "Online", OwnerNode: host, VMID: id, Resource: "Virtual Machine " + m.VMName(),
		OfflineAction: cmdlet.OfflineActionShutDown, ClassNames: []string{className},
	}
}

func asFolder(m plan.Member) hyperv.Folder {
	return hyperv.Folder{
		Path: m.Folder, Stamp: m.Stamp, Readable: true,
		Files:   []hyperv.File{{Name: hyperv.StampFile}, {Name: "os.vhdx", Length: 20 * gib}},
		Work:    []hyperv.Work{{ID: plan.WorkID(m.Stamp, "os"), Destination: m.OSDisk(), State: hyperv.WorkCompleted}},
		Folders: []string{m.VMName()},
	}
}

// copying is the record of a copy that hv03 began at noon.
func copying(m plan.Member) hyperv.Work {
	return hyperv.Work{ID: plan.WorkID(m.Stamp, "os"), Destination: m.OSDisk(), State: hyperv.WorkRunning, Node: "hv03", Started: noon}
}

// noon is long after the hosts of rack were started.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func host(name string, machines ...hyperv.Machine) hyperv.Host {
	return hyperv.Host{
		Name: name, State: hyperv.HostUp, Answered: true, Build: hyperv.Build2022, Processors: 32, MemoryBytes: 64 * gib, FreeMemoryBytes: 48 * gib,
		BootTime: noon.AddDate(0, 0, -9), SupportedVersions: []string{"9.0", "10.0", "254.0"}, Switches: []string{"vSwitch-Client", "vSwitch-Cluster"}, Machines: machines,
	}
}

// rack is the host cluster with sql as it is wanted: A on hv01, B on hv02, nothing of ours on hv03.
func rack() *hyperv.Snapshot {
	a, b := member("SQL-A", idA), member("SQL-B", idB)
	foreign := hyperv.Machine{ID: idForeign, Name: "legacy", HostName: "hv03", State: "Running", Location: `D:\VMs\legacy`}
	return &hyperv.Snapshot{
		Cluster:   &hyperv.Cluster{Name: "rack1", Quorate: true},
		Hosts:     []hyperv.Host{host("hv01", asWanted(a, idA, "hv01")), host("hv02", asWanted(b, idB, "hv02")), host("hv03", foreign)},
		Groups:    []hyperv.Group{asGroup(a, idA, "hv01"), asGroup(b, idB, "hv02"), {Name: "legacy", VMID: idForeign, OwnerNode: "hv03", State: "Online"}},
		Folders:   []hyperv.Folder{asFolder(a), asFolder(b)},
		PoolsSeen: []string{gold},
		Disks:     []hyperv.VirtualDisk{{Path: data, Identifier: "i1"}, {Path: witness, Identifier: "i2"}},
		DisksSeen: true,
		Volumes:   []hyperv.Volume{{Path: gold, State: "Online", OwnerNode: "hv02", Size: 4000 * gib, Free: 1000 * gib}},
		Memory:    hyperv.Memory{CompleteSnapshots: 9, LastSeen: map[string]int{idA: 9, idB: 9}},
	}
}

// vmOf is a machine of the snapshot, to be changed.
func vmOf(s *hyperv.Snapshot, id string) *hyperv.Machine {
	for i := range s.Hosts {
		for j := range s.Hosts[i].Machines {
			if s.Hosts[i].Machines[j].ID == id {
				return &s.Hosts[i].Machines[j]
			}
		}
	}
	panic("no machine " + id)
}

func groupOf(s *hyperv.Snapshot, id string) *hyperv.Group {
	for i := range s.Groups {
		if s.Groups[i].VMID == id {
			return &s.Groups[i]
		}
	}
	panic("no group of " + id)
}

func folderOf(s *hyperv.Snapshot, path string) *hyperv.Folder {
	for i := range s.Folders {
		if s.Folders[i].Path == path {
			return &s.Folders[i]
		}
	}
	panic("no folder " + path)
}

func dropMachine(s *hyperv.Snapshot, id string) {
	for i := range s.Hosts {
		s.Hosts[i].Machines = slices.DeleteFunc(s.Hosts[i].Machines, func(m hyperv.Machine) bool { return m.ID == id })
	}
}

func dropGroup(s *hyperv.Snapshot, id string) {
	s.Groups = slices.DeleteFunc(s.Groups, func(g hyperv.Group) bool { return g.VMID == id })
}

func dropFolder(s *hyperv.Snapshot, path string) {
	s.Folders = slices.DeleteFunc(s.Folders, func(f hyperv.Folder) bool { return f.Path == path })
}

// show tells a plan in lines: every step with its calls, every wait and every block.
func show(p plan.Plan) []string {
	var lines []string
	for _, s := range p.Steps {
		lines = append(lines, fmt.Sprintf("%s: %s (%s), on %s", s.Key, s.Describe, s.Reason, s.Batch.Target))
		for _, c := range s.Batch.Calls {
			lines = append(lines, "    "+showCall(c))
		}
	}
	for _, w := range p.Waits {
		lines = append(lines, fmt.Sprintf("wait (%s): %s", w.Reason, w.Message))
	}
	for _, b := range p.Blocks {
		lines = append(lines, fmt.Sprintf("block (%s): %s", b.Reason, b.Message))
	}
	return lines
}

func showCall(c hostagent.Call) string {
	words := []string{c.Cmdlet}
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		words = append(words, "-"+name, showValue(c.Parameters[name]))
	}
	return strings.Join(words, " ")
}

func showValue(v hostagent.Value) string {
	switch v := v.(type) {
	case hostagent.Ref:
		return strings.TrimSuffix("$"+v.Call+"."+v.Property, ".")
	case hostagent.List:
		var words []string
		for _, e := range v {
			words = append(words, showValue(e))
		}
		return strings.Join(words, ",")
	default:
		return fmt.Sprint(v)
	}
}
