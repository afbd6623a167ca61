package guestcluster

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/execute"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/status"
)

// The states of a member in status, beside Windows' own names of machine states.
const (
	stateCreating   = "Creating"
	stateStarting   = "Starting"
	stateSettingUp  = "SettingUp"
	stateRestarting = "Restarting"
	stateUnknown    = "Unknown"
	stateLost       = "Lost"
	stateDeleting   = "Deleting"
)

func (g *gathered) status(out execute.Outcome, now time.Time) v1alpha1.GuestClusterStatus {
	gc := g.gc
	s := v1alpha1.GuestClusterStatus{
		ObservedGeneration: gc.Generation, Members: gc.Status.Members, SharedDisks: gc.Status.SharedDisks,
		AntiAffinityGroupName: gc.Status.AntiAffinityGroupName, EffectiveImage: gc.Status.EffectiveImage, StoragePoolPath: gc.Status.StoragePoolPath,
	}
	if g.group != nil {
		s.AntiAffinityGroupName = g.group.Name
	}
	if len(g.want.Members) > 0 {
		s.EffectiveImage, s.StoragePoolPath = g.want.Machine.Image, g.want.Machine.Pool
		s.Members = g.members()
		s.SharedDisks = g.sharedDisks()
		g.insideStatus(&s)
	}
	f := g.findings(out, s)
	s.Conditions = f.Conditions(gc.Status.Conditions, gc.Generation, now)
	s.Summary = g.summary(s)
	s.Summary.Message = status.Summary(s.Conditions)
	return s
}

func (g *gathered) members() []v1alpha1.MemberStatus {
	var out []v1alpha1.MemberStatus
	for _, m := range g.want.Members {
		if plan.Gone(m, g.hosts.Seen) {
			continue
		}
		ms := g.recorded(m.Name)
		ms.Folder, ms.VMName, ms.OSDisk = m.Folder, m.VMName(), m.OSDisk()
		if len(m.Networks) > 0 {
			ms.Networks = nil
		}
		for _, n := range m.Networks {
			ns := v1alpha1.MemberNetworkStatus{Name: n.Name, MACAddress: n.MAC.Dashed(), SwitchName: n.SwitchName}
			if n.VLAN != 0 {
				vlan := n.VLAN
				ns.VLANID = &vlan
			}
			ms.Networks = append(ms.Networks, ns)
		}
		g.observe(&ms, m)
		out = append(out, ms)
	}
	return out
}

// observe puts what the snapshot shows of a member into its status. What it showed last stays while it cannot be seen.
func (g *gathered) observe(ms *v1alpha1.MemberStatus, m plan.Member) {
	vm, presence := g.machine(m)
	switch {
	case presence == hyperv.Known:
		ms.VMID = cmp.Or(ms.VMID, vm.ID)
		ms.HostName, ms.State, ms.ConfigurationVersion = vm.HostName, memberState(vm), vm.Version
	case presence == hyperv.Unknown && m.RecordedID != "":
		ms.State = stateUnknown
		if group, known := g.hosts.Seen.GroupOf(m.RecordedID); known == hyperv.Known && group.Moving() {
			ms.State = stateRestarting
		}
	case m.RecordedID == "":
		ms.State = stateCreating
	case g.deletion() != plan.NotDeleting:
		ms.State = stateDeleting
	case plan.Lost(m.RecordedID, g.hosts.Seen):
		ms.State = stateLost
	}
}

// machine finds a member's machine. Without a recorded id it is the only one in the member's folder; of two, neither is
// taken for ours.
func (g *gathered) machine(m plan.Member) (*hyperv.Machine, hyperv.Presence) {
	if m.RecordedID != "" {
		return g.hosts.Seen.Machine(m.RecordedID)
	}
	found, presence := g.hosts.Seen.MachinesIn(m.Folder)
	if presence != hyperv.Known {
		return nil, presence
	}
	folder, presence := g.hosts.Seen.Folder(m.Folder)
	if len(found) != 1 || presence != hyperv.Known || !folder.Readable || !folder.Stamp.SameObject(m.Stamp) {
		return nil, hyperv.Unknown
	}
	return found[0], hyperv.Known
}

func memberState(vm *hyperv.Machine) string {
	switch {
	case vm.Migrating():
		return "Migrating"
	case vm.Running() && !vm.Healthy():
		return stateStarting
	default:
		return vm.State
	}
}

func (g *gathered) sharedDisks() []v1alpha1.AttachedDiskStatus {
	var out []v1alpha1.AttachedDiskStatus
	for i, d := range g.want.Disks {
		s := v1alpha1.AttachedDiskStatus{
			Name: d.Name, SharedDiskName: g.disks[i].objectName,
			ControllerNumber: d.Slot.Controller, ControllerLocation: d.Slot.Location, AttachedTo: g.attachedTo(d),
		}
		recorded := slices.ContainsFunc(g.gc.Status.SharedDisks, func(r v1alpha1.AttachedDiskStatus) bool { return r.Name == d.Name && r.Path != "" })
		if object := g.disks[i].object; g.disksKnown() || recorded || len(s.AttachedTo) > 0 {
			s.Path = d.Path
			if object != nil {
				s.SharedDiskUID = object.UID
			}
		}
		out = append(out, s)
	}
	// A released disk stays listed until no machine has it, so that it is detached whatever happens meanwhile.
	for _, s := range g.gc.Status.SharedDisks {
		if slices.Contains(g.want.Released, s.Path) && (!g.hosts.Seen.Complete() || len(g.hosts.Seen.AttachedTo(s.Path)) > 0) {
			out = append(out, s)
		}
	}
	return out
}

// attachedTo are the members that have the disk where it belongs and with the flag.
func (g *gathered) attachedTo(d plan.AttachedDisk) []string {
	if d.Path == "" {
		return nil
	}
	var out []string
	for _, m := range g.want.Members {
		vm, presence := g.machine(m)
		if presence != hyperv.Known {
			continue
		}
		if hasInPlace(vm, d) {
			out = append(out, m.Name)
		}
	}
	return out
}

// isEverywhere reports whether the members that stay are all among some.
func (g *gathered) isEverywhere(members []string) bool {
	return !slices.ContainsFunc(g.want.Members, func(m plan.Member) bool { return !m.Leaving && !slices.Contains(members, m.Name) })
}

func hasInPlace(vm *hyperv.Machine, d plan.AttachedDisk) bool {
	drive := vm.DriveIn(d.Slot.Controller, d.Slot.Location)
	return drive != nil && hyperv.SamePath(drive.Path, d.Path) && drive.PersistentReservations
}

func (g *gathered) summary(s v1alpha1.GuestClusterStatus) v1alpha1.GuestClusterSummary {
	names := v1alpha1.MemberNames(g.gc)
	running, attached := 0, 0
	var hosts []string
	for _, m := range s.Members {
		if m.State == "Running" || m.State == "Migrating" {
			running++
		}
		if m.HostName != "" && m.State != stateUnknown && m.State != stateLost && m.State != stateDeleting {
			hosts = append(hosts, m.HostName)
		}
	}
	for _, d := range s.SharedDisks {
		if len(d.AttachedTo) == len(names) {
			attached++
		}
	}
	return v1alpha1.GuestClusterSummary{
		Members: fmt.Sprintf("%d/%d", running, len(names)), Placement: strings.Join(hosts, ","),
		Storage: fmt.Sprintf("%d/%d", attached, len(g.gc.Spec.SharedDisks)), Tolerates: tolerates(s.ToleratedHostFailures),
	}
}

// atStage is the stage as what is being done.
func (g *gathered) atStage() []plan.Wait {
	if stage, ok := g.stage(); ok {
		return []plan.Wait{stage}
	}
	return nil
}

// tolerates is empty for what is not known, never 0.
func tolerates(hostFailures *int32) string {
	if hostFailures == nil {
		return ""
	}
	return strconv.Itoa(int(*hostFailures))
}

func (g *gathered) findings(out execute.Outcome, s v1alpha1.GuestClusterStatus) status.Findings {
	waits, blocks := out.Verdicts()
	for _, step := range g.plan.Steps {
		if !slices.ContainsFunc(out.Failures, func(f execute.Failure) bool { return f.Step.Key == step.Key }) {
			waits = append(waits, plan.Wait{Reason: step.Reason, Message: step.Describe})
		}
	}
	f := status.Findings{
		Declared: g.gc.ConditionTypes(), Parts: map[v1alpha1.ConditionType]status.Fact{}, Informing: map[v1alpha1.ConditionType]status.Fact{},
		Doing:  slices.Concat(g.waits, g.atStage(), waits, g.plan.Waits),
		Blocks: slices.Concat(g.blocks, g.plan.Blocks, blocks), Paused: g.hosts.Paused(g.gc.Spec.Management),
	}
	if !g.gc.DeletionTimestamp.IsZero() && len(f.Doing) == 0 {
		f.Doing = append(f.Doing, plan.Wait{Reason: v1alpha1.ReasonDeleting, Message: "being deleted"})
	}
	f.Blocks = slices.Concat(f.Blocks, g.diskBlocks())
	next := nextOf(f)
	if !g.hosts.Readable() || len(g.want.Members) == 0 {
		g.unseenParts(f, next)
		return f
	}
	f.Parts[v1alpha1.ConditionMachinesReady] = g.machinesReady(s, next)
	f.Parts[v1alpha1.ConditionStorageReady] = g.storageReady(s)
	f.Parts[v1alpha1.ConditionNetworksReady] = g.networksReady(next)
	f.Informing[v1alpha1.ConditionAvailable] = g.available(s, next)
	if g.gc.Spec.Failover() != nil {
		g.insideFindings(f, next)
		f.Informing[v1alpha1.ConditionAvailable] = g.insideAvailable(next)
	}
	placement := g.placement(s)
	f.Informing[v1alpha1.ConditionPlacementSatisfied] = placement
	tellRepair(f.Doing, placement)
	return f
}

// informing are the conditions that are not part of Ready.
func (g *gathered) informing() []v1alpha1.ConditionType {
	types := []v1alpha1.ConditionType{v1alpha1.ConditionAvailable, v1alpha1.ConditionPlacementSatisfied, v1alpha1.ConditionSurvivesHostLoss}
	if f := g.gc.Spec.Failover(); f != nil && f.Validation == v1alpha1.ValidationReport {
		types = append(types, v1alpha1.ConditionValidated)
	}
	return types
}

// unseenParts are the conditions while nothing can be seen of the members.
func (g *gathered) unseenParts(f status.Findings, next plan.Wait) {
	informing := g.informing()
	for _, t := range g.gc.ConditionTypes() {
		switch {
		case t == v1alpha1.ConditionReady || t == v1alpha1.ConditionReconciling || t == v1alpha1.ConditionStalled:
		case slices.Contains(informing, t):
			f.Informing[t] = status.Unknown(next.Reason, next.Message)
		default:
			f.Parts[t] = status.Unknown(next.Reason, next.Message)
		}
	}
}

// nextOf is what stands between now and ready: what is being done, else what somebody must mend.
func nextOf(f status.Findings) plan.Wait {
	switch {
	case len(f.Blocks) > 0:
		return plan.Wait(f.Blocks[0])
	case len(f.Doing) > 0:
		return f.Doing[0]
	default:
		return plan.Wait{Reason: v1alpha1.ReasonWaitingForHost, Message: "waiting for the hosts"}
	}
}

// diskBlocks tell of disks that another guest cluster holds, and of those that somebody must mend.
func (g *gathered) diskBlocks() []plan.Block {
	var blocks []plan.Block
	for _, d := range g.disks {
		switch {
		case d.object == nil:
		case d.object.Status.Claim == nil && g.strangerWith(d.object) != nil:
			blocks = append(blocks, plan.Block{Reason: v1alpha1.ReasonDiskInUse, Message: g.inUse(d)})
		case d.object.Status.Claim != nil && d.object.Status.Claim.UID != g.gc.UID:
			blocks = append(blocks, plan.Block{Reason: v1alpha1.ReasonDiskInUse, Message: fmt.Sprintf(
				"%s belongs to guest cluster %s/%s; detach it there first", d.objectName, g.gc.Namespace, d.object.Status.Claim.Name)})
		case d.object.DeletionTimestamp.IsZero():
			if stalled := meta.FindStatusCondition(d.object.Status.Conditions, string(v1alpha1.ConditionStalled)); stalled != nil && stalled.Status == metav1.ConditionTrue {
				blocks = append(blocks, plan.Block{Reason: v1alpha1.Reason(stalled.Reason), Message: fmt.Sprintf("SharedDisk %s: %s", d.objectName, stalled.Message)})
			}
		}
	}
	return blocks
}

// strangerWith is a machine that has a disk and is no member: one that a deleted guest cluster left with its disks, or
// somebody else's. Nobody gets the disk meanwhile.
func (g *gathered) strangerWith(d *v1alpha1.SharedDisk) *hyperv.Machine {
	if g.hosts.Seen == nil || d.Status.Path == "" {
		return nil
	}
	for _, vm := range g.hosts.Seen.AttachedTo(d.Status.Path) {
		if stamp, stamped := g.hosts.Seen.StampOf(vm); !stamped || stamp.UID != g.stamp.UID {
			return vm
		}
	}
	return nil
}

func (g *gathered) inUse(d wantedDisk) string {
	vm := g.strangerWith(d.object)
	who := g.hosts.Seen.NameFor(g.gc.Namespace, vm)
	if stamp, stamped := g.hosts.Seen.StampOf(vm); stamped && stamp.Kind == hyperv.KindGuestCluster && stamp.Namespace == g.gc.Namespace {
		who += fmt.Sprintf(" of guest cluster %s/%s", stamp.Namespace, stamp.Name)
	}
	return fmt.Sprintf("%s is attached to %s on %s; take it off there first", d.objectName, who, vm.HostName)
}

func (g *gathered) machinesReady(s v1alpha1.GuestClusterStatus, next plan.Wait) status.Fact {
	for i, m := range s.Members {
		if i < len(g.want.Members) && g.want.Members[i].Leaving {
			return status.False(v1alpha1.ReasonDeleting, m.Name+" is being removed")
		}
		if fact := g.memberReady(m, next); fact.Status != metav1.ConditionTrue {
			return fact
		}
	}
	for _, w := range g.plan.Waits {
		if w.Reason == v1alpha1.ReasonWaitingForPowerOff {
			return status.False(w.Reason, w.Message)
		}
	}
	return status.True(v1alpha1.ReasonSucceeded, "")
}

func (g *gathered) memberReady(m v1alpha1.MemberStatus, next plan.Wait) status.Fact {
	stage, beginning := g.stage()
	switch {
	case m.State == "Running" || m.State == "Migrating":
		return status.True(v1alpha1.ReasonSucceeded, "")
	case beginning && (m.State == stateSettingUp || m.State == stateStarting):
		return status.False(stage.Reason, stage.Message)
	case m.State == stateSettingUp:
		return status.False(v1alpha1.ReasonSettingUp, "setting up Windows in "+m.Name)
	case g.deletion() != plan.NotDeleting:
		return status.False(next.Reason, next.Message)
	default:
		return g.memberAway(m, next)
	}
}

// memberAway says why a member does not run.
func (g *gathered) memberAway(m v1alpha1.MemberStatus, next plan.Wait) status.Fact {
	switch m.State {
	case stateUnknown:
		return status.Unknown(v1alpha1.ReasonObservationIncomplete, fmt.Sprintf("%s was on %s, which cannot be seen now", m.Name, m.HostName))
	case stateRestarting:
		return status.False(v1alpha1.ReasonRestarting, fmt.Sprintf("%s waits for a restart after the loss of %s", m.Name, m.HostName))
	case stateLost:
		return status.False(v1alpha1.ReasonMemberLost, fmt.Sprintf("the machine of %s is gone from the host cluster", m.Name))
	case stateStarting:
		return status.False(v1alpha1.ReasonWaitingForGuest, fmt.Sprintf("%s on %s: waiting for its heartbeat", m.Name, m.HostName))
	case "Off", "Stopping":
		if len(g.waits) > 0 {
			return status.False(g.waits[0].Reason, g.waits[0].Message)
		}
		return status.False(v1alpha1.ReasonStarting, fmt.Sprintf("%s is %s on %s", m.Name, strings.ToLower(m.State), m.HostName))
	default:
		return status.False(next.Reason, next.Message)
	}
}

func (g *gathered) storageReady(s v1alpha1.GuestClusterStatus) status.Fact {
	for _, d := range g.disks {
		if d.object == nil {
			return status.False(v1alpha1.ReasonWaitingForDependency, "waiting for SharedDisk "+d.objectName)
		}
	}
	if !g.disksKnown() {
		return status.False(v1alpha1.ReasonWaitingForDependency, "waiting for the shared disks to be made")
	}
	for i, d := range g.want.Disks {
		if g.isEverywhere(s.SharedDisks[i].AttachedTo) {
			continue
		}
		if g.unseen() {
			return status.Unknown(v1alpha1.ReasonObservationIncomplete, "not every member can be seen")
		}
		if member := g.misplacedOn(d); member != "" {
			return status.False(v1alpha1.ReasonWaitingForPowerOff, plan.MendedWhenOff(plan.Attachment(d.Name), member))
		}
		return status.False(v1alpha1.ReasonAttaching, fmt.Sprintf("disk %s is not attached to every member yet", d.Name))
	}
	return status.True(v1alpha1.ReasonSucceeded, "")
}

// misplacedOn is a member that has the disk in a wrong place, or without the flag, and is not off.
func (g *gathered) misplacedOn(d plan.AttachedDisk) string {
	for _, m := range g.want.Members {
		vm, presence := g.machine(m)
		if presence == hyperv.Known && !vm.Off() && vm.DriveWith(d.Path) != nil && !hasInPlace(vm, d) {
			return m.Name
		}
	}
	return ""
}

// disksKnown reports whether every disk can be attached. Until then what each is comes to be known bit by bit, which the
// disks tell themselves.
func (g *gathered) disksKnown() bool {
	return !slices.ContainsFunc(g.want.Disks, func(d plan.AttachedDisk) bool { return !d.Ready })
}

func (g *gathered) unseen() bool {
	return slices.ContainsFunc(g.want.Members, func(m plan.Member) bool {
		_, presence := g.machine(m)
		return presence == hyperv.Unknown
	})
}

func (g *gathered) networksReady(next plan.Wait) status.Fact {
	for _, m := range g.want.Members {
		if m.Leaving {
			continue
		}
		vm, presence := g.machine(m)
		if presence == hyperv.Unknown {
			return status.Unknown(v1alpha1.ReasonObservationIncomplete, m.Name+" cannot be seen now")
		}
		if presence == hyperv.Absent {
			return status.False(next.Reason, next.Message)
		}
		for _, n := range m.Networks {
			if fact := asAsked(m, n, vm); fact.Status != metav1.ConditionTrue {
				return fact
			}
		}
	}
	return status.True(v1alpha1.ReasonSucceeded, "")
}

// asAsked compares an adapter with what is wanted. Its address alone can only be changed while the machine is off.
func asAsked(m plan.Member, n plan.Network, vm *hyperv.Machine) status.Fact {
	a := vm.Adapter(n.Name)
	switch {
	case a == nil, a.VLAN != n.VLAN, !strings.EqualFold(a.SwitchName, n.SwitchName):
	case a.MAC == n.MAC && !a.Dynamic:
		return status.True(v1alpha1.ReasonSucceeded, "")
	case !vm.Off():
		return status.False(v1alpha1.ReasonWaitingForPowerOff, plan.MendedWhenOff(plan.AdapterMAC(n.Name), m.Name))
	}
	return status.False(v1alpha1.ReasonRepairing, fmt.Sprintf("adapter %s of %s is not as asked", n.Name, m.Name))
}

// available: without a cluster inside, the guest cluster serves while a member runs.
func (g *gathered) available(s v1alpha1.GuestClusterStatus, next plan.Wait) status.Fact {
	unknown := false
	for _, m := range s.Members {
		if m.State == "Running" || m.State == "Migrating" {
			return status.True(v1alpha1.ReasonSucceeded, "")
		}
		unknown = unknown || m.State == stateUnknown
	}
	if g.deletion() != plan.NotDeleting {
		return status.False(next.Reason, next.Message)
	}
	if unknown {
		return status.Unknown(v1alpha1.ReasonObservationIncomplete, "no member can be seen")
	}
	return status.False(v1alpha1.ReasonStarting, "no member runs")
}

// placement is what the hosts show; how a violation is repaired, the members' own rule says.
func (g *gathered) placement(s v1alpha1.GuestClusterStatus) status.Fact {
	shared := sharedHosts(s.Members)
	if len(shared) == 0 {
		return status.True(v1alpha1.ReasonSucceeded, "")
	}
	if g.group != nil && len(g.group.Status.Violations) > 0 {
		return status.False(v1alpha1.ReasonViolated, g.group.Status.Summary.Message)
	}
	return status.False(v1alpha1.ReasonViolated, "members share host "+strings.Join(shared, ", "))
}

// sharedHosts are the hosts with more than one member, by name.
func sharedHosts(members []v1alpha1.MemberStatus) []string {
	count := map[string]int{}
	for _, m := range members {
		switch m.State {
		case stateLost, stateUnknown, stateCreating, stateDeleting:
		default:
			count[m.HostName]++
		}
	}
	var shared []string
	for host, n := range count {
		if host != "" && n > 1 {
			shared = append(shared, host)
		}
	}
	slices.Sort(shared)
	return shared
}

// tellRepair lets a migration that repairs the placement be told as what it is for.
func tellRepair(doing []plan.Wait, placement status.Fact) {
	for i, w := range doing {
		if w.Reason == v1alpha1.ReasonMigrating && placement.Message != "" {
			doing[i].Message = placement.Message
		}
	}
}
