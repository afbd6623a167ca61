package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
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
	// Neighbours are the other guest clusters that some rule keeps apart from this one, as far as the API tells.
	Neighbours []Neighbour
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

// Neighbour is a guest cluster whose members shall share no host with another one's.
type Neighbour struct {
	Name, UID string
	// Unmade is how many of its members were not made yet.
	Unmade int
}

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
	// AnswerFile takes its Windows through the first start; without a text there is none.
	AnswerFile hostagent.Secret
	// Incomplete is whether something is missing that its machine is made with: it is not made then, and who plans says what.
	Incomplete bool
	// Leaving is whether the guest cluster is to have the member no more; it is removed once Released is set, too: nothing inside
	// needs it any more.
	Leaving, Released bool
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
		if m.Leaving {
			forLeaving(&p, m, seen)
			continue
		}
		forMember(&p, want, m, seen, places)
	}
	return p
}

// forLeaving removes a member that nothing needs any more, and leaves one alone that is still needed.
func forLeaving(p *Plan, m Member, seen *hyperv.Snapshot) {
	if m.Released {
		deleteMember(p, m, seen)
	}
}

// Gone reports whether nothing of a member that leaves is left on the hosts.
func Gone(m Member, seen *hyperv.Snapshot) bool {
	if !m.Leaving || !m.Released || seen == nil {
		return false
	}
	var p Plan
	deleteMember(&p, m, seen)
	return p.Empty()
}

func forMember(p *Plan, want GuestCluster, m Member, seen *hyperv.Snapshot, places *placement) {
	if checkFolder(p, m, seen) || checkCopies(p, m, seen) {
		return
	}
	tellCopiesElsewhere(p, m, seen)
	vm, presence := findMember(m, seen)
	if presence == hyperv.Known && !checkPlace(p, m, vm, seen) {
		return
	}
	switch {
	case presence == hyperv.Known && m.RecordedID == "":
		p.wait(v1alpha1.ReasonCreating, fmt.Sprintf("recording the id of %s", m.Name))
	case presence == hyperv.Known:
		forMachine(p, want, m, vm, seen)
	case presence == hyperv.Unknown:
		p.wait(v1alpha1.ReasonObservationIncomplete, unseen(m))
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
	switch {
	case presence == hyperv.Known:
		return found[0], hyperv.Known
	case seen.HeldNoMachine(m.Folder):
		// A host that hangs delays nobody who cannot have anything there.
		return nil, hyperv.Absent
	case slices.ContainsFunc(seen.Hosts, func(h hyperv.Host) bool { return h.Gone }):
		// One that never became a role is not failed over: it is there again when its host comes back.
		return nil, hyperv.Unknown
	default:
		return nil, presence
	}
}

// checkFolder blocks on a folder that is not the member's, and on what an earlier object of the same name left.
func checkFolder(p *Plan, m Member, seen *hyperv.Snapshot) bool {
	if f, presence := seen.Folder(m.Folder); presence == hyperv.Known && !isOf(f, m.Stamp) {
		p.block(v1alpha1.ReasonNameTaken, foreignFolder(m.Folder))
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

func isOf(f *hyperv.Folder, stamp hyperv.Stamp) bool {
	return f.Readable && f.Stamp.SameObject(stamp)
}

func foreignFolder(path string) string {
	return fmt.Sprintf("folder %s carries the stamp of something else; move it away or choose another name", path)
}

// checkPlace lets a machine pass that lies in the folder with the member's stamp. Its id alone does not make it ours.
func checkPlace(p *Plan, m Member, vm *hyperv.Machine, seen *hyperv.Snapshot) bool {
	_, presence := seen.Folder(m.Folder)
	switch {
	case presence == hyperv.Unknown:
		p.wait(v1alpha1.ReasonObservationIncomplete, fmt.Sprintf("folder %s cannot be read", m.Folder))
	case presence == hyperv.Absent:
		p.block(v1alpha1.ReasonNameTaken, fmt.Sprintf("folder %s holds a machine and no stamp of ours; put %s back into it, or move the machine away", m.Folder, hyperv.StampFile))
	case !hyperv.Within(m.Folder, vm.Location):
		p.block(v1alpha1.ReasonNameTaken, fmt.Sprintf("the machine of %s lies in %s instead of %s; move its configuration back", m.Name, vm.Location, m.Folder))
	default:
		return true
	}
	return false
}

// predecessor finds a folder that an earlier object of the stamp's name left, the first by path.
func predecessor(stamp hyperv.Stamp, seen *hyperv.Snapshot) (hyperv.Folder, bool) {
	var left []hyperv.Folder
	for _, f := range seen.Folders {
		if f.Readable && stamp.Predecessor(f.Stamp) {
			left = append(left, f)
		}
	}
	if len(left) == 0 {
		return hyperv.Folder{}, false
	}
	return slices.MinFunc(left, func(a, b hyperv.Folder) int { return cmp.Compare(a.Path, b.Path) }), true
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

// tellCopiesElsewhere tells of machines in other folders that carry the member's stamp: copied with their folder. The member
// itself is kept as it is meant to be.
func tellCopiesElsewhere(p *Plan, m Member, seen *hyperv.Snapshot) {
	var copies []string
	for _, f := range seen.Folders {
		if !isOf(&f, m.Stamp) || hyperv.SamePath(f.Path, m.Folder) {
			continue
		}
		found, _ := seen.MachinesIn(f.Path)
		for _, vm := range found {
			if hyperv.Key(vm.ID) != hyperv.Key(m.RecordedID) {
				copies = append(copies, fmt.Sprintf("machine %s on %s carries the stamp of %s but is another machine; remove %s from %s, or the machine", vm.ID, vm.HostName, m.Name, hyperv.StampFile, f.Path))
			}
		}
	}
	if len(copies) > 0 {
		p.block(v1alpha1.ReasonCopyOfOurs, slices.Min(copies))
	}
}

// Lost reports whether a machine that was recorded is gone for sure: absent from two complete snapshots, and held for alive
// by nobody.
func Lost(id string, seen *hyperv.Snapshot) bool {
	_, presence := seen.Machine(id)
	return presence == hyperv.Absent && seen.Memory.AbsentFor(id) >= 2 && !onItsWay(id, seen)
}

// forMissing tells a loss, once it is sure; a member is never made again unasked.
func forMissing(p *Plan, m Member, seen *hyperv.Snapshot) {
	if !Lost(m.RecordedID, seen) {
		p.wait(v1alpha1.ReasonObservationIncomplete, fmt.Sprintf("%s was not seen; looking again", m.Name))
		return
	}
	p.block(v1alpha1.ReasonMemberLost, fmt.Sprintf("the machine of %s (id %s) is gone from the host cluster; register it again from %s, or delete this guest cluster", m.Name, m.RecordedID, m.Folder))
}

// onItsWay reports whether the host cluster holds a machine for alive that no host shows: it is between two hosts.
func onItsWay(id string, seen *hyperv.Snapshot) bool {
	group, presence := seen.GroupOf(id)
	return presence == hyperv.Known && group.State != "Failed" && group.State != "Offline"
}

// groupNameTaken blocks on a group of the member's name that is another machine's. Group names are unique on a host
// cluster.
func groupNameTaken(p *Plan, m Member, id string, seen *hyperv.Snapshot) bool {
	i := slices.IndexFunc(seen.Groups, func(g hyperv.Group) bool {
		return strings.EqualFold(g.Name, m.VMName()) && (id == "" || !strings.EqualFold(g.VMID, id))
	})
	if i < 0 {
		return false
	}
	message := fmt.Sprintf("the host cluster has a role %s that is not ours; rename it or choose another name", m.VMName())
	if other, ok := memberOf(seen.Groups[i].VMID, seen); ok && other.Namespace == m.Stamp.Namespace && other.UID != m.Stamp.UID {
		message = fmt.Sprintf("guest cluster %s/%s has a member %s already; choose another name", other.Namespace, other.Name, other.Member)
	}
	p.block(v1alpha1.ReasonNameTaken, message)
	return true
}

// memberOf is the stamp of a machine that is a member of some guest cluster.
func memberOf(id string, seen *hyperv.Snapshot) (hyperv.Stamp, bool) {
	vm, presence := seen.Machine(id)
	if presence != hyperv.Known {
		return hyperv.Stamp{}, false
	}
	stamp, stamped := seen.StampOf(vm)
	return stamp, stamped && stamp.Kind == hyperv.KindGuestCluster
}
