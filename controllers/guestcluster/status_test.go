package guestcluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/status"
)

const (
	gold = `C:\ClusterStorage\Gold`
	logs = gold + `\payments.logs.d1\logs.vhds`
)

// heldBy is a host cluster on which one machine has the disk logs; its folder carries the stamp.
func heldBy(stamp hyperv.Stamp) *hyperv.Snapshot {
	return &hyperv.Snapshot{
		Hosts: []hyperv.Host{{Name: "hv01", Machines: []hyperv.Machine{{
			ID: "a", Name: "somebody", HostName: "hv01", Location: gold + `\m\x`,
			Configuration: &hyperv.Configuration{Drives: []hyperv.Drive{{Path: logs}}},
		}}}},
		Folders: []hyperv.Folder{{Path: gold + `\m`, Readable: stamp.Kind != "", Stamp: stamp}},
	}
}

func TestDiskBlocks(t *testing.T) {
	member := func(namespace, name, uid string) hyperv.Stamp {
		return hyperv.Stamp{Namespace: namespace, Kind: hyperv.KindGuestCluster, Name: name, UID: uid, Member: "FILES-1"}
	}
	held := func(by string) []plan.Block {
		return []plan.Block{{Reason: v1alpha1.ReasonDiskInUse, Message: "logs is attached to " + by + " on hv01; take it off there first"}}
	}
	for name, tc := range map[string]struct {
		reason string
		seen   *hyperv.Snapshot
		claim  *v1alpha1.DiskClaim
		path   string
		want   []plan.Block
	}{
		"left with its machines":  {"Whoever orphaned them still has the disk.", heldBy(member("payments", "old", "u-old")), nil, logs, held("FILES-1 of guest cluster payments/old")},
		"of another namespace":    {"Its names are not for this one.", heldBy(member("web", "old", "u-old")), nil, logs, held("a machine of another namespace")},
		"of nobody":               {"It is to be found by its name.", heldBy(hyperv.Stamp{}), nil, logs, held("machine somebody")},
		"of ours":                 {"The claim comes with the disk's next status.", heldBy(member("payments", "sql", "u-sql")), nil, logs, nil},
		"not made yet":            {"There is nothing that anybody could have.", heldBy(member("payments", "old", "u-old")), nil, "", nil},
		"not read yet":            {"Nobody is blamed unseen.", nil, nil, logs, nil},
		"claimed by this one":     {"The disk itself tells of the other.", heldBy(member("payments", "old", "u-old")), &v1alpha1.DiskClaim{Name: "sql", UID: "u-sql"}, logs, nil},
		"claimed by an other one": {"It is told by name.", heldBy(hyperv.Stamp{}), &v1alpha1.DiskClaim{Name: "old", UID: "u-old"}, logs, []plan.Block{{Reason: v1alpha1.ReasonDiskInUse, Message: "logs belongs to guest cluster payments/old; detach it there first"}}},
	} {
		t.Run(name, func(t *testing.T) {
			disk := &v1alpha1.SharedDisk{Status: v1alpha1.SharedDiskStatus{Path: tc.path, Claim: tc.claim}}
			g := gathered{
				gc:    &v1alpha1.GuestCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "sql", UID: "u-sql"}},
				stamp: hyperv.Stamp{UID: "u-sql"}, hosts: hostref.Hosts{Seen: tc.seen}, disks: []wantedDisk{{name: "logs", objectName: "logs", object: disk}},
			}
			if diff := cmp.Diff(tc.want, g.diskBlocks()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// sqlA is a member as it is wanted, and its machine.
func sqlA() (plan.Member, hyperv.Machine) {
	m := plan.Member{
		Name: "SQL-A", RecordedID: "a", Folder: gold + `\payments.SQL-A.u`, Stamp: hyperv.Stamp{Namespace: "payments", UID: "u-sql", Member: "SQL-A"},
		Networks: []plan.Network{{Name: "client", SwitchName: "vSwitch-Client", VLAN: 110, MAC: 1}},
	}
	return m, hyperv.Machine{
		ID: "a", Name: "payments.SQL-A", HostName: "hv01", State: "Running", Heartbeat: "Ok", Location: m.Folder,
		Adapters: []hyperv.Adapter{{Name: "client", SwitchName: "vSwitch-Client", VLAN: 110, MAC: 1}},
		Configuration: &hyperv.Configuration{Drives: []hyperv.Drive{
			{Path: logs, ControllerType: "SCSI", Controller: plan.SharedController, PersistentReservations: true},
		}},
	}
}

// What a condition says of a member that differs.
func TestParts(t *testing.T) {
	running := func(*hyperv.Machine) {}
	power := func(what string) status.Fact {
		return status.False(v1alpha1.ReasonWaitingForPowerOff, what+" of SQL-A will be mended when it is off: shut it down when it suits you")
	}
	asAsked := status.True(v1alpha1.ReasonSucceeded, "")
	repairing := status.False(v1alpha1.ReasonRepairing, "adapter client of SQL-A is not as asked")
	for name, tc := range map[string]struct {
		reason            string
		vm                func(*hyperv.Machine)
		networks, storage status.Fact
	}{
		"as asked":             {"Nothing differs.", running, asAsked, asAsked},
		"another address":      {"It can only be set while the machine is off.", func(vm *hyperv.Machine) { vm.Adapters[0].MAC = 9 }, power("the MAC address of adapter client"), asAsked},
		"an address by chance": {"Windows may give it another one.", func(vm *hyperv.Machine) { vm.Adapters[0].Dynamic = true }, power("the MAC address of adapter client"), asAsked},
		"another address, off": {"It is being set.", func(vm *hyperv.Machine) { vm.State, vm.Adapters[0].MAC = "Off", 9 }, repairing, asAsked},
		"another VLAN":         {"It is set while the machine runs.", func(vm *hyperv.Machine) { vm.Adapters[0].VLAN, vm.Adapters[0].MAC = 9, 9 }, repairing, asAsked},
		"no adapter":           {"It is added while the machine runs.", func(vm *hyperv.Machine) { vm.Adapters = nil }, repairing, asAsked},
		"a disk misplaced":     {"Taking it off would take it from a running cluster.", func(vm *hyperv.Machine) { vm.Configuration.Drives[0].Location = 5 }, asAsked, power("the attachment of disk logs")},
		"a disk detached":      {"It is attached again.", func(vm *hyperv.Machine) { vm.Configuration.Drives = nil }, asAsked, status.False(v1alpha1.ReasonAttaching, "disk logs is not attached to every member yet")},
	} {
		t.Run(name, func(t *testing.T) {
			m, vm := sqlA()
			tc.vm(&vm)
			g := gathered{
				gc:    &v1alpha1.GuestCluster{},
				hosts: hostref.Hosts{Seen: &hyperv.Snapshot{Cluster: &hyperv.Cluster{Quorate: true}, Hosts: []hyperv.Host{{Name: "hv01", Answered: true, Machines: []hyperv.Machine{vm}}}}},
				disks: []wantedDisk{{name: "logs", objectName: "logs", object: &v1alpha1.SharedDisk{}}},
				want: plan.GuestCluster{Members: []plan.Member{m}, Disks: []plan.AttachedDisk{
					{Name: "logs", Path: logs, Slot: cmdlet.Slot{Controller: plan.SharedController}, Ready: true},
				}},
			}
			s := v1alpha1.GuestClusterStatus{SharedDisks: g.sharedDisks()}
			if diff := cmp.Diff([]status.Fact{tc.networks, tc.storage}, []status.Fact{g.networksReady(plan.Wait{}), g.storageReady(s)}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// A member that is gone because it was to go is not lost.
func TestMachinesReadyWhileDeleting(t *testing.T) {
	m, _ := sqlA()
	now := metav1.Now()
	g := gathered{
		gc:   &v1alpha1.GuestCluster{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}},
		want: plan.GuestCluster{Members: []plan.Member{m}},
		hosts: hostref.Hosts{Seen: &hyperv.Snapshot{
			Cluster: &hyperv.Cluster{Quorate: true}, Hosts: []hyperv.Host{{Name: "hv01", Answered: true}}, Memory: hyperv.Memory{CompleteSnapshots: 9},
		}},
	}
	next := plan.Wait{Reason: v1alpha1.ReasonDeleting, Message: "remove the files of SQL-A"}
	s := v1alpha1.GuestClusterStatus{Members: g.members()}
	if s.Members[0].State != "Deleting" {
		t.Errorf("a member that was removed is %s", s.Members[0].State)
	}
	want := status.False(v1alpha1.ReasonDeleting, next.Message)
	if diff := cmp.Diff([]status.Fact{want, want}, []status.Fact{g.machinesReady(s, next), g.available(s, next)}); diff != "" {
		t.Errorf("while deleting (-want +got):\n%s", diff)
	}
}
