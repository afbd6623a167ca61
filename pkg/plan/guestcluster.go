package plan

import (
	"fmt"
	"slices"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// SharedController is the SCSI controller that holds shared disks and nothing else, the same on every member: the
// cluster inside tells disks by location on it. It is made before the first start, since a controller cannot be added
// to a running machine. Its 64 locations are more than a guest cluster's disks.
const SharedController int32 = 1

// GuestCluster is what is wanted of one guest cluster's machines, resolved, with what is recorded of them.
type GuestCluster struct {
	Namespace, Name string
	Members         []Member
	Machine         Machine
	Disks           []AttachedDisk
	// Released are the paths of disks that the guest cluster had and names no more: they are detached.
	Released []string
	// ClassName is the anti-affinity class of its members, so that new ones are placed apart from the first.
	ClassName string
	// Deletion is empty while the guest cluster is wanted.
	Deletion Deletion
	// NewAllowed is whether the namespace may get anything new on this host cluster.
	NewAllowed bool
}

// Deletion says what becomes of the machines of a guest cluster that is not wanted any more.
type Deletion string

const (
	// NotDeleting: the guest cluster is wanted.
	NotDeleting Deletion = ""
	// Remove removes the members with their files.
	Remove Deletion = "Delete"
	// Leave leaves them as they are.
	Leave Deletion = "Orphan"
)

// Machine is what all members have in common.
type Machine struct {
	Pool, Image             string
	Processors, MemoryBytes int64
}

// Member is one wanted machine.
type Member struct {
	Name     string
	Stamp    hyperv.Stamp
	Folder   string
	Networks []Network
	// RecordedID is the machine's id once it was made; empty while it was never made.
	RecordedID string
}

// VMName is the member's name on the hosts, and its group's.
func (m Member) VMName() string { return hyperv.MachineName(m.Stamp.Namespace, m.Name) }

// OSDisk is the path of the member's own disk.
func (m Member) OSDisk() string { return hyperv.JoinPath(m.Folder, "os.vhdx") }

// Network is one wanted adapter.
type Network struct {
	Name, SwitchName string
	// VLAN is 0 for untagged.
	VLAN int32
	MAC  hyperv.MAC
}

// AttachedDisk is a shared disk that every member shall have.
type AttachedDisk struct {
	Name string
	Path string
	Slot cmdlet.Slot
	// Ready is whether the disk exists and belongs to this guest cluster; until then it is not attached.
	Ready bool
}

// ForGuestCluster plans a guest cluster's machines.
func ForGuestCluster(want GuestCluster, seen *hyperv.Snapshot) Plan {
	var p Plan
	if seen == nil {
		p.wait(v1alpha1.ReasonHostUnreachable, "the host cluster has not been read yet")
		return p
	}
	if want.Deletion != NotDeleting {
		return forDeletion(want, seen)
	}
	places := newPlacement(want, seen)
	for _, m := range want.Members {
		forMember(&p, want, m, seen, places)
	}
	return p
}

func forMember(p *Plan, want GuestCluster, m Member, seen *hyperv.Snapshot, places *placement) {
	if blocked := checkFolder(p, m, seen); blocked {
		return
	}
	vm, presence := findMember(m, seen)
	if copied := checkCopies(p, m, seen); copied {
		return
	}
	switch {
	case presence == hyperv.Known && m.RecordedID == "":
		p.wait(v1alpha1.ReasonCreating, fmt.Sprintf("recording the id of %s", m.Name))
	case presence == hyperv.Known:
		forMachine(p, want, m, vm, seen)
	case presence == hyperv.Unknown:
		p.wait(v1alpha1.ReasonObservationIncomplete, fmt.Sprintf("%s cannot be seen: not every host answers", m.Name))
	case m.RecordedID != "":
		forMissing(p, m, seen)
	default:
		forNewMember(p, want, m, seen, places)
	}
}

// findMember finds a member's machine: by its recorded id, else by its folder.
func findMember(m Member, seen *hyperv.Snapshot) (*hyperv.Machine, hyperv.Presence) {
	if m.RecordedID != "" {
		return seen.Machine(m.RecordedID)
	}
	found, presence := seen.MachinesIn(m.Folder)
	if presence != hyperv.Known {
		return nil, presence
	}
	return found[0], hyperv.Known
}

// checkFolder blocks on a folder that is not the member's, and on what an earlier object of the same name left.
func checkFolder(p *Plan, m Member, seen *hyperv.Snapshot) bool {
	if f, presence := seen.Folder(m.Folder); presence == hyperv.Known && !(f.Readable && f.Stamp.SameObject(m.Stamp)) {
		p.block(v1alpha1.ReasonNameTaken, fmt.Sprintf("folder %s carries the stamp of something else; move it away or choose another name", m.Folder))
		return true
	}
	if m.RecordedID != "" {
		return false
	}
	if left, ok := predecessor(m.Stamp, seen); ok {
		p.block(v1alpha1.ReasonOwnedByPrevious, leftBehind(m.Stamp, left))
		return true
	}
	return false
}

// predecessor finds a folder that an earlier object of the stamp's name left, first by path.
func predecessor(stamp hyperv.Stamp, seen *hyperv.Snapshot) (hyperv.Folder, bool) {
	for _, f := range seen.Folders {
		if f.Readable && stamp.Predecessor(f.Stamp) {
			return f, true
		}
	}
	return hyperv.Folder{}, false
}

func leftBehind(stamp hyperv.Stamp, f hyperv.Folder) string {
	return fmt.Sprintf("%s holds %s/%s of UID %s; choose another name", f.Path, stamp.Namespace, stamp.Name, f.Stamp.UID)
}

// checkCopies blocks on a machine that lies in the member's folder under another id: restored, cloned or replicated.
func checkCopies(p *Plan, m Member, seen *hyperv.Snapshot) bool {
	found, _ := seen.MachinesIn(m.Folder)
	own := 1
	if m.RecordedID != "" {
		found = slices.DeleteFunc(found, func(vm *hyperv.Machine) bool { return hyperv.Key(vm.ID) == hyperv.Key(m.RecordedID) })
		own = 0
	}
	if len(found) <= own {
		return false
	}
	other := found[len(found)-1]
	p.block(v1alpha1.ReasonCopyOfOurs, fmt.Sprintf("machine %s on %s lies in the folder of %s but is another machine; move it to a folder of its own or remove it", other.ID, other.HostName, m.Name))
	return true
}

// forMissing tells a loss, once it is sure; a member is never made again unasked.
func forMissing(p *Plan, m Member, seen *hyperv.Snapshot) {
	// A group whose machine no host shows is a machine on its way between two hosts.
	if _, grouped := seen.GroupOf(m.RecordedID); grouped == hyperv.Known || seen.Memory.AbsentFor(m.RecordedID) < 2 {
		p.wait(v1alpha1.ReasonObservationIncomplete, fmt.Sprintf("%s was not seen; looking again", m.Name))
		return
	}
	p.block(v1alpha1.ReasonMemberLost, fmt.Sprintf("the machine of %s (id %s) is gone from the host cluster; register it again from %s, or delete this guest cluster", m.Name, m.RecordedID, m.Folder))
}
