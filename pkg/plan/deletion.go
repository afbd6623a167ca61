package plan

import (
	"fmt"
	"time"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// shutDownLimit is how long a machine that is being deleted may take to shut down before it is turned off.
const shutDownLimit = 10 * time.Minute

// forDeletion plans the way to nothing: stop, unregister, remove the files. An empty plan means that nothing is left.
func forDeletion(want GuestCluster, seen *hyperv.Snapshot) Plan {
	var p Plan
	if want.Deletion == Leave {
		return p
	}
	for _, m := range want.Members {
		deleteMember(&p, m, seen)
	}
	return p
}

func deleteMember(p *Plan, m Member, seen *hyperv.Snapshot) {
	folder, presence := seen.Folder(m.Folder)
	switch {
	case presence == hyperv.Unknown:
		p.wait(v1alpha1.ReasonObservationIncomplete, fmt.Sprintf("folder %s cannot be read", m.Folder))
	case presence == hyperv.Known && isOf(folder, m.Stamp):
		deleteOurs(p, m, folder, seen)
	case m.RecordedID != "":
		confirmGone(p, m, seen)
	}
	// A folder that is not ours holds nothing of ours, unless a machine is recorded.
}

// confirmGone waits until it is sure that a machine without a folder of ours is gone. One that is there is not removed.
func confirmGone(p *Plan, m Member, seen *hyperv.Snapshot) {
	switch _, presence := seen.Machine(m.RecordedID); {
	case presence == hyperv.Known:
		p.block(v1alpha1.ReasonNameTaken, fmt.Sprintf("folder %s does not carry the stamp of %s, so its machine is left alone; put the stamp back, remove the machine, or set spec.deletionPolicy to Orphan", m.Folder, m.Name))
	case presence == hyperv.Unknown:
		p.wait(v1alpha1.ReasonObservationIncomplete, unseen(m))
	case seen.Memory.AbsentFor(m.RecordedID) < 2:
		p.wait(v1alpha1.ReasonDeleting, fmt.Sprintf("making sure that %s is gone", m.Name))
	}
}

func unseen(m Member) string { return fmt.Sprintf("%s cannot be seen: not every host answers", m.Name) }

func deleteOurs(p *Plan, m Member, folder *hyperv.Folder, seen *hyperv.Snapshot) {
	if checkCopies(p, m, seen) {
		return
	}
	vm, presence := findMember(m, seen)
	switch {
	case presence == hyperv.Unknown:
		p.wait(v1alpha1.ReasonObservationIncomplete, unseen(m))
	case presence == hyperv.Absent:
		deleteFiles(p, m, folder, seen)
	case checkPlace(p, m, vm, seen):
		deleteMachine(p, m, vm, seen)
	}
}

func deleteMachine(p *Plan, m Member, vm *hyperv.Machine, seen *hyperv.Snapshot) {
	group, groupPresence := seen.GroupOf(vm.ID)
	busy := onTheMove(vm, group)
	switch {
	case vm.Configuration == nil || groupPresence == hyperv.Unknown:
		p.wait(v1alpha1.ReasonObservationIncomplete, unread(m, groupPresence))
	case !busy && (vm.Off() || vm.State == "Saved"):
		p.step(removeMachine(m, vm, group))
	case seen.Memory.SettlingFor[hyperv.Key(vm.ID)] > shutDownLimit:
		p.step(turnOff(m, vm))
	case busy:
		p.wait(v1alpha1.ReasonDeleting, fmt.Sprintf("%s is shutting down", m.Name))
	default:
		p.step(stopMachine(m, vm, group))
	}
}

// stopMachine shuts the guest down through its group; a machine without one, or one that stands still, is turned off.
func stopMachine(m Member, vm *hyperv.Machine, group *hyperv.Group) Step {
	if group == nil || !vm.Running() {
		return turnOff(m, vm)
	}
	var calls []hostagent.Call
	if group.OfflineAction != cmdlet.OfflineActionShutDown {
		// It would be saved, and its disks would hold a half-written state.
		calls = append(calls, cmdlet.MachineResource("resource", group.Resource),
			cmdlet.SetOfflineAction("offline", "resource", cmdlet.OfflineActionShutDown))
	}
	return Step{
		Key: "stop/" + m.Name, Reason: v1alpha1.ReasonDeleting, Describe: fmt.Sprintf("shut %s down on %s", m.Name, vm.HostName),
		Batch: change(vm.HostName, append(calls, cmdlet.StopGroup("stop", group.Name))...),
	}
}

func turnOff(m Member, vm *hyperv.Machine) Step {
	return Step{
		Key: "turn-off/" + m.Name, Reason: v1alpha1.ReasonDeleting, Describe: fmt.Sprintf("turn %s off on %s", m.Name, vm.HostName),
		Batch: change(vm.HostName, cmdlet.VMByID("vm", vm.ID), cmdlet.TurnOffVM("off", "vm")),
	}
}

// removeMachine takes the shared disks off first, so that no file is removed while a machine refers to it. A saved machine
// cannot be changed; it is removed as it is, which leaves disk files where they are.
func removeMachine(m Member, vm *hyperv.Machine, group *hyperv.Group) Step {
	var calls []hostagent.Call
	if group != nil {
		calls = append(calls, cmdlet.RemoveMachineGroup("group", vm.ID))
	}
	calls = append(calls, cmdlet.VMByID("vm", vm.ID))
	for i, d := range vm.Configuration.Drives {
		if !vm.Off() || d.ControllerType != "SCSI" || hyperv.Within(m.Folder, d.Path) {
			continue
		}
		got := fmt.Sprintf("drive%d", i)
		calls = append(calls, cmdlet.DriveAt(got, "vm", cmdlet.Slot{Controller: d.Controller, Location: d.Location}), cmdlet.DetachDrive(fmt.Sprintf("detach%d", i), got))
	}
	calls = append(calls, cmdlet.RemoveVM("remove", "vm"), cmdlet.RemoveStampedFolder("folder", m.Folder, m.Stamp.Encode()))
	return Step{
		Key: "remove/" + m.Name, Reason: v1alpha1.ReasonDeleting, Describe: fmt.Sprintf("remove %s from %s with its files", m.Name, vm.HostName),
		Batch: change(vm.HostName, calls...),
	}
}

// deleteFiles removes what a member without a machine left, once two complete snapshots say that there is no machine.
func deleteFiles(p *Plan, m Member, folder *hyperv.Folder, seen *hyperv.Snapshot) {
	work, _ := folder.WorkFor(m.OSDisk())
	switch {
	case work.State == hyperv.WorkRunning && !seen.Interrupted(work):
		p.wait(v1alpha1.ReasonDeleting, fmt.Sprintf("the image is still being copied for %s", m.Name))
		return
	case m.RecordedID != "" && (onItsWay(m.RecordedID, seen) || seen.Memory.AbsentFor(m.RecordedID) < 2):
		p.wait(v1alpha1.ReasonDeleting, fmt.Sprintf("making sure that %s is gone", m.Name))
		return
	}
	var calls []hostagent.Call
	if _, presence := seen.GroupOf(m.RecordedID); presence == hyperv.Known {
		calls = append(calls, cmdlet.RemoveMachineGroup("group", m.RecordedID))
	}
	p.step(Step{
		Key: "files/" + m.Name, Reason: v1alpha1.ReasonDeleting, Describe: fmt.Sprintf("remove the files of %s", m.Name),
		Batch: change("", append(calls, cmdlet.RemoveStampedFolder("folder", m.Folder, m.Stamp.Encode()))...),
	})
}
