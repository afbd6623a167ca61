package plan

import (
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// repair gathers what one machine needs in one batch on the host that has it.
type repair struct {
	want  GuestCluster
	m     Member
	vm    *hyperv.Machine
	group *hyperv.Group
	host  *hyperv.Host
	seen  *hyperv.Snapshot

	plan  *Plan
	calls []hostagent.Call
	does  []string
	// incomplete is whether the machine lacks something that it must have before it is started.
	incomplete bool
	// leaving are the paths of the drives that are taken off.
	leaving []string
	// configured is whether a call changed the machine through Hyper-V's cmdlets, which the host cluster then must read.
	configured bool
}

// forMachine plans an existing member: what is missing or has drifted, then the start.
func forMachine(p *Plan, want GuestCluster, m Member, vm *hyperv.Machine, seen *hyperv.Snapshot) {
	group, groupPresence := seen.GroupOf(vm.ID)
	host, known := seen.Host(vm.HostName)
	switch {
	case vm.Configuration == nil || groupPresence == hyperv.Unknown || !known:
		p.wait(v1alpha1.ReasonObservationIncomplete, unread(m, groupPresence))
		return
	case vm.State == "Starting":
		awaitGuest(p, m, vm)
		return
	case onTheMove(vm, group):
		p.wait(settling(vm, group), fmt.Sprintf("%s is %s on %s", m.Name, activity(vm, group), vm.HostName))
		return
	}
	if vm.State == "Saved" || vm.State == "Paused" {
		// A cluster node that comes back from a moment long ago is a danger to its cluster.
		p.block(v1alpha1.ReasonHostFailed, fmt.Sprintf("%s is %s on %s; discard its saved state (Remove-VMSavedState) or turn it off: it is then started", m.Name, strings.ToLower(vm.State), vm.HostName))
		return
	}
	r := &repair{want: want, m: m, vm: vm, group: group, host: host, seen: seen, plan: p}
	r.name()
	r.newAdapters()
	r.adapters()
	r.settings()
	r.controller()
	r.disks()
	r.role()
	r.start()
	r.finish()
}

func unread(m Member, group hyperv.Presence) string {
	if group == hyperv.Unknown {
		return "the host cluster cannot be read, or has no quorum"
	}
	return fmt.Sprintf("the configuration of %s has not been read yet", m.Name)
}

// onTheMove reports whether something is going on with a machine, or its group is on another host than itself.
func onTheMove(vm *hyperv.Machine, group *hyperv.Group) bool {
	return !vm.Settled() || group != nil && (group.Moving() || !strings.EqualFold(group.OwnerNode, vm.HostName))
}

func settling(vm *hyperv.Machine, group *hyperv.Group) v1alpha1.Reason {
	switch {
	case vm.Migrating():
		return v1alpha1.ReasonMigrating
	case group != nil && slices.Contains(group.Status, "Unmonitored"):
		return v1alpha1.ReasonRestarting
	default:
		return v1alpha1.ReasonStarting
	}
}

func activity(vm *hyperv.Machine, group *hyperv.Group) string {
	switch {
	case vm.Migrating():
		return "migrating"
	case vm.State != "Running" && vm.State != "Off":
		return strings.ToLower(vm.State)
	case group != nil && group.Moving():
		return "changing state"
	default:
		return "busy"
	}
}

func (r *repair) add(does string, calls ...hostagent.Call) {
	if !slices.Contains(r.does, does) {
		r.does = append(r.does, does)
	}
	r.calls = append(r.calls, calls...)
	r.configured = true
}

// needsOff says that something can only be mended while the machine is off, which is the user's own act.
func (r *repair) needsOff(what string) {
	r.plan.wait(v1alpha1.ReasonWaitingForPowerOff, MendedWhenOff(what, r.m.Name))
}

// MendedWhenOff says what of a member waits for the user's own act. Who tells it of a condition says it in the same words.
func MendedWhenOff(what, member string) string {
	return fmt.Sprintf("%s of %s will be mended when it is off: shut it down when it suits you", what, member)
}

// AdapterMAC is what MendedWhenOff says of an adapter.
func AdapterMAC(adapter string) string { return "the MAC address of adapter " + adapter }

// Attachment is what MendedWhenOff says of a disk.
func Attachment(disk string) string { return "the attachment of disk " + disk }

func (r *repair) id(name string) string { return fmt.Sprintf("%s%d", name, len(r.calls)) }

func (r *repair) name() {
	if r.vm.Name != r.m.VMName() {
		r.add("rename it back", cmdlet.RenameVM(r.id("name"), "vm", r.m.VMName()))
	}
}

// newAdapters removes the adapter that "New-VM" makes, when the batch that made the machine was cut short before that: it is
// connected to nothing and was never given an address, and the machine has none of its own adapters yet.
func (r *repair) newAdapters() {
	if r.group != nil || !r.vm.Off() || len(r.vm.Adapters) == 0 {
		return
	}
	used := slices.ContainsFunc(r.vm.Adapters, func(a hyperv.Adapter) bool { return !a.Dynamic || a.MAC != 0 || a.SwitchName != "" })
	if !used {
		r.add("remove the adapter that it was made with", cmdlet.RemoveNewAdapters(r.id("adapters"), "vm"))
	}
}

func (r *repair) adapters() {
	for _, n := range r.m.Networks {
		a := r.vm.Adapter(n.Name)
		if a == nil {
			r.addAdapter(n)
			continue
		}
		if a.MAC != n.MAC || a.Dynamic {
			r.setMAC(n)
		}
		if !strings.EqualFold(a.SwitchName, n.SwitchName) {
			got := r.id("adapter")
			r.add("connect adapter "+n.Name, cmdlet.AdapterByName(got, "vm", n.Name), cmdlet.ConnectAdapter(r.id("connect"), got, n.SwitchName))
		}
		if a.VLAN != n.VLAN {
			r.setVLAN(n)
		}
	}
}

func (r *repair) addAdapter(n Network) {
	r.add("add adapter "+n.Name, cmdlet.AddAdapter(r.id("adapter"), "vm", adapter(n, r.host)))
	if n.VLAN != 0 {
		r.setVLAN(n)
	}
}

func (r *repair) setMAC(n Network) {
	if !r.vm.Off() {
		r.needsOff(AdapterMAC(n.Name))
		return
	}
	got := r.id("adapter")
	r.add("set the address of adapter "+n.Name, cmdlet.AdapterByName(got, "vm", n.Name), cmdlet.SetStaticMAC(r.id("mac"), got, n.MAC.String()))
}

func (r *repair) setVLAN(n Network) {
	if n.VLAN == 0 {
		r.add("take adapter "+n.Name+" out of its VLAN", cmdlet.SetUntagged(r.id("vlan"), "vm", n.Name))
		return
	}
	r.add("put adapter "+n.Name+" into its VLAN", cmdlet.SetVLAN(r.id("vlan"), "vm", n.Name, n.VLAN))
}

func (r *repair) settings() {
	c, s := r.vm.Configuration, settings(r.want, r.host)
	if c.StartAction != "Nothing" || c.StopAction != "ShutDown" || s.Checkpoints != "" && c.CheckpointType != s.Checkpoints || s.AutomaticCheckpointsOff && c.AutomaticCheckpoint {
		r.add("set start, stop and checkpoint actions", cmdlet.SetProtection(r.id("protection"), "vm", s))
	}
	r.size(c, s)
}

func (r *repair) size(c *hyperv.Configuration, s cmdlet.MachineSettings) {
	if c.Processors == s.Processors && c.MemoryBytes == s.MemoryBytes && !c.DynamicMemory {
		return
	}
	if why := oversized(r.want.Machine, r.seen); why != "" {
		r.plan.blockOnce(v1alpha1.ReasonNotEnoughHosts, why)
		return
	}
	if !r.vm.Off() {
		r.needsOff("processors and memory")
		return
	}
	r.add("set processors and memory", cmdlet.SetProcessorsAndMemory(r.id("size"), "vm", s))
}

func (r *repair) controller() {
	if slices.Contains(r.vm.Configuration.Controllers, SharedController) {
		return
	}
	r.incomplete = true
	if !r.vm.Off() {
		r.needsOff("the controller for shared disks")
		return
	}
	r.incomplete = false
	r.add("add the controller for shared disks", cmdlet.AddController(r.id("controller"), "vm"))
}

// disks takes off what is wanted no more or sits in a wrong place, then attaches what is missing; a drive that somebody
// else added stays.
func (r *repair) disks() {
	for _, path := range r.want.Released {
		wanted := slices.ContainsFunc(r.want.Disks, func(d AttachedDisk) bool { return hyperv.SamePath(d.Path, path) })
		if drive := r.vm.DriveWith(path); drive != nil && !wanted {
			r.detach("detach "+hyperv.BaseName(path), *drive)
		}
	}
	for _, d := range r.want.Disks {
		if drive := r.vm.DriveWith(d.Path); drive != nil && !inPlace(*drive, d) {
			r.misplaced(d, *drive)
		}
	}
	for _, d := range r.want.Disks {
		r.attach(d)
	}
}

func inPlace(drive hyperv.Drive, d AttachedDisk) bool {
	return drive.ControllerType == "SCSI" && drive.Controller == d.Slot.Controller && drive.Location == d.Slot.Location && drive.PersistentReservations
}

// misplaced takes a disk off a machine that is off. Taking it off to put it right would take it from a running cluster.
func (r *repair) misplaced(d AttachedDisk, drive hyperv.Drive) {
	switch {
	case !d.Ready:
	case r.vm.Off():
		r.detach("detach disk "+d.Name+" from the wrong place", drive)
	default:
		r.needsOff(Attachment(d.Name))
	}
}

// attach attaches a disk to a slot that is free, or is freed in the same batch.
func (r *repair) attach(d AttachedDisk) {
	drive := r.vm.DriveWith(d.Path)
	if drive != nil && inPlace(*drive, d) {
		return
	}
	other := r.vm.DriveIn(d.Slot.Controller, d.Slot.Location)
	switch {
	case !d.Ready,
		drive != nil && !r.leaves(*drive),
		!r.vm.Off() && !slices.Contains(r.vm.Configuration.Controllers, d.Slot.Controller):
		r.incomplete = true
	case other != nil && !r.leaves(*other):
		r.incomplete = true
		r.occupied(d, *other)
	default:
		r.add("attach disk "+d.Name, cmdlet.AttachSharedDisk(r.id("attach"), "vm", d.Path, d.Slot))
	}
}

// occupied blocks on a drive in a disk's place. One of our own that waits for the machine to be off is told already.
func (r *repair) occupied(d AttachedDisk, other hyperv.Drive) {
	if slices.ContainsFunc(r.want.Disks, func(own AttachedDisk) bool { return hyperv.SamePath(own.Path, other.Path) }) {
		return
	}
	r.plan.block(v1alpha1.ReasonNameTaken, fmt.Sprintf("%s has %s in the place of disk %s (controller %d, location %d); take it off", r.m.Name, other.Path, d.Name, d.Slot.Controller, d.Slot.Location))
}

func (r *repair) leaves(drive hyperv.Drive) bool { return slices.Contains(r.leaving, drive.Path) }

// detach takes a drive off. The machines that we make have SCSI drives alone; another one was put there by somebody.
func (r *repair) detach(does string, drive hyperv.Drive) {
	if drive.ControllerType != "SCSI" {
		r.plan.block(v1alpha1.ReasonNameTaken, fmt.Sprintf("%s has %s on a controller of type %s; take it off", r.m.Name, drive.Path, drive.ControllerType))
		return
	}
	r.leaving = append(r.leaving, drive.Path)
	got := r.id("drive")
	r.add(does, cmdlet.DriveAt(got, "vm", cmdlet.Slot{Controller: drive.Controller, Location: drive.Location}), cmdlet.DetachDrive(r.id("detach"), got))
}

// role makes the machine a role of the host cluster, and keeps it from being saved.
func (r *repair) role() {
	switch {
	case r.group == nil && groupNameTaken(r.plan, r.m, r.vm.ID, r.seen):
		r.incomplete = true
	case r.group == nil:
		r.add("make it a clustered role",
			cmdlet.MakeClustered(r.id("group"), r.vm.ID, r.m.VMName()),
			cmdlet.MachineResourceOf("resource", "vm"), cmdlet.SetOfflineAction(r.id("offline"), "resource", cmdlet.OfflineActionShutDown))
	case r.group.Resource != "" && r.group.OfflineAction != cmdlet.OfflineActionShutDown:
		r.add("shut it down instead of saving it when its resource goes offline",
			cmdlet.MachineResource("resource", r.group.Resource), cmdlet.SetOfflineAction(r.id("offline"), "resource", cmdlet.OfflineActionShutDown))
	}
}

func (r *repair) start() {
	if !r.vm.Off() {
		return
	}
	if r.incomplete {
		r.plan.wait(v1alpha1.ReasonAttaching, fmt.Sprintf("%s is started once its shared disks can be attached", r.m.Name))
		return
	}
	name := r.m.VMName()
	if r.group != nil {
		name = r.group.Name
	}
	r.add("start it", cmdlet.StartGroup(r.id("start"), name))
}

func (r *repair) finish() {
	if len(r.calls) == 0 {
		if r.vm.Running() && !r.vm.Healthy() {
			awaitGuest(r.plan, r.m, r.vm)
		}
		return
	}
	calls := append([]hostagent.Call{cmdlet.VMByID("vm", r.vm.ID)}, r.calls...)
	reason := v1alpha1.ReasonRepairing
	if r.vm.Off() {
		reason = v1alpha1.ReasonStarting
	} else if r.group != nil && r.configured {
		calls = append(calls, cmdlet.RefreshConfiguration("refresh", r.vm.ID))
	}
	r.plan.step(Step{
		Key: "machine/" + r.m.Name, Reason: reason, Describe: fmt.Sprintf("%s on %s: %s", r.m.Name, r.vm.HostName, strings.Join(r.does, ", ")),
		Batch: change(r.vm.HostName, calls...),
	})
}

// awaitGuest waits for the heartbeat. It says the same from the start on, so that a start is told once.
func awaitGuest(p *Plan, m Member, vm *hyperv.Machine) {
	p.wait(v1alpha1.ReasonWaitingForGuest, fmt.Sprintf("%s on %s: waiting for its heartbeat", m.Name, vm.HostName))
}
