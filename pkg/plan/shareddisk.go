package plan

import (
	"fmt"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// SharedDisk is what is wanted of one shared disk, resolved.
type SharedDisk struct {
	Stamp  hyperv.Stamp
	Pool   string
	Folder string
	// Path of the file; its extension is the format's.
	Path      string
	Format    v1alpha1.DiskFormat
	SizeBytes int64
	Fixed     bool
	// RecordedIdentifier is the disk's own identifier once it was made.
	RecordedIdentifier string
	Deletion           Deletion
	// Claimed is whether a guest cluster holds the disk.
	Claimed    bool
	NewAllowed bool
	// HostCluster is the name for messages.
	HostCluster string
}

// ForSharedDisk plans a shared disk's file. Attaching it is the guest cluster's.
func ForSharedDisk(want SharedDisk, seen *hyperv.Snapshot) Plan {
	var p Plan
	if seen == nil {
		p.wait(v1alpha1.ReasonHostUnreachable, "the host cluster has not been read yet")
		return p
	}
	if want.Deletion != NotDeleting {
		deleteDisk(&p, want, seen)
		return p
	}
	folder, presence := seen.Folder(want.Folder)
	switch {
	case presence == hyperv.Unknown:
		p.wait(v1alpha1.ReasonObservationIncomplete, fmt.Sprintf("storage pool %s cannot be read", want.Pool))
	case presence == hyperv.Known && !isOf(folder, want.Stamp):
		p.block(v1alpha1.ReasonNameTaken, foreignFolder(want.Folder))
	default:
		provision(&p, want, presence, seen)
	}
	return p
}

func provision(p *Plan, want SharedDisk, folder hyperv.Presence, seen *hyperv.Snapshot) {
	disk, presence := seen.Disk(want.Path)
	switch {
	case presence == hyperv.Known && another(want, disk):
		p.block(v1alpha1.ReasonCopyOfOurs, notTheDisk(want, disk))
	case presence == hyperv.Known && want.RecordedIdentifier != "" && disk.Size < want.SizeBytes:
		growDisk(p, want, disk, seen)
	case presence == hyperv.Known:
		return
	case presence == hyperv.Unknown && want.RecordedIdentifier != "":
		p.wait(v1alpha1.ReasonObservationIncomplete, cannotOpen(want))
	case presence == hyperv.Unknown:
		p.wait(v1alpha1.ReasonCreating, fmt.Sprintf("%s is being made, or cannot be opened now", hyperv.BaseName(want.Path)))
	case want.RecordedIdentifier != "":
		forLostDisk(p, want, seen)
	default:
		createDisk(p, want, folder, seen)
	}
}

// growDisk makes a disk larger while the guests use it, which a shared VHDX cannot ("Virtual Hard Disk Sharing Overview"). A
// smaller size is never asked for.
func growDisk(p *Plan, want SharedDisk, disk *hyperv.VirtualDisk, seen *hyperv.Snapshot) {
	volume, ok := seen.Volume(want.Pool)
	switch {
	case disk.Format != string(v1alpha1.DiskFormatVHDSet):
		p.block(v1alpha1.ReasonInvalidSpec, fmt.Sprintf("%s is a shared VHDX, which cannot grow; restore the size, or create a new disk of format VHDSet and move the data", hyperv.BaseName(want.Path)))
	case !ok:
		p.block(v1alpha1.ReasonPoolMissing, fmt.Sprintf("storage pool %s is on no cluster shared volume of the host cluster", want.Pool))
	case want.Fixed && volume.Free < want.SizeBytes-disk.Size:
		p.block(v1alpha1.ReasonPoolFull, fmt.Sprintf("storage pool %s has too little free space to make this fixed disk larger: ask the platform team for room", want.Pool))
	default:
		p.step(Step{
			Key: "grow", Reason: v1alpha1.ReasonGrowing, Describe: "make " + want.Path + " larger",
			Batch: change(maker(volume, seen), cmdlet.ResizeVHD("grow", want.Path, want.SizeBytes)),
		})
	}
}

// forLostDisk never makes an empty disk in the place of one that held data.
func forLostDisk(p *Plan, want SharedDisk, seen *hyperv.Snapshot) {
	if seen.Memory.AbsentFor(want.Path) < 2 {
		p.wait(v1alpha1.ReasonObservationIncomplete, fmt.Sprintf("%s was not seen; looking again", want.Path))
		return
	}
	p.block(v1alpha1.ReasonDiskLost, fmt.Sprintf("%s is gone; restore the file, or delete this SharedDisk and create a new one", want.Path))
}

func createDisk(p *Plan, want SharedDisk, folder hyperv.Presence, seen *hyperv.Snapshot) {
	if left, ok := predecessor(want.Stamp, seen); ok {
		p.block(v1alpha1.ReasonOwnedByPrevious, leftBehind(want.Stamp, left))
		return
	}
	if !want.NewAllowed {
		p.block(v1alpha1.ReasonNamespaceNotAllowed, fmt.Sprintf("namespace %s may not use this host cluster: ask the platform team to allow it in HostCluster spec.allowedNamespaces", want.Stamp.Namespace))
		return
	}
	volume, ok := seen.Volume(want.Pool)
	if !ok {
		p.block(v1alpha1.ReasonPoolMissing, fmt.Sprintf("storage pool %s is on no cluster shared volume of the host cluster", want.Pool))
		return
	}
	if !canMake(p, want, volume, seen) {
		return
	}
	var calls []hostagent.Call
	if folder == hyperv.Absent {
		calls = append(calls, cmdlet.NewStampedFolder("folder", want.Folder, want.Stamp.Encode()))
	}
	calls = append(calls, cmdlet.NewVHD("disk", want.Path, want.SizeBytes, want.Fixed))
	p.step(Step{
		Key: "disk", Reason: v1alpha1.ReasonCreating, Describe: "create " + want.Path,
		Batch: change(maker(volume, seen), calls...),
	})
}

func canMake(p *Plan, want SharedDisk, volume *hyperv.Volume, seen *hyperv.Snapshot) bool {
	oldest := OldestBuild(seen)
	if oldest == 0 {
		p.wait(v1alpha1.ReasonObservationIncomplete, "no host has told its Windows build yet")
		return false
	}
	if want.Format == v1alpha1.DiskFormatVHDSet && oldest < hyperv.Build2016 {
		p.block(v1alpha1.ReasonHostTooOld, fmt.Sprintf("%s runs Windows Server 2012 R2; VHD Sets need 2016. Use format VHDX (no online growth, no host backup) or upgrade the hosts", want.HostCluster))
		return false
	}
	if want.Fixed && volume.Free < want.SizeBytes {
		p.block(v1alpha1.ReasonPoolFull, fmt.Sprintf("storage pool %s has too little free space for a fixed disk of this size: ask the platform team for room, or use provisioning Dynamic", want.Pool))
		return false
	}
	return true
}

// OldestBuild is the lowest Windows build among the hosts that ever told theirs, or 0.
func OldestBuild(seen *hyperv.Snapshot) int {
	oldest := 0
	for _, h := range seen.Hosts {
		if h.Build != 0 && (oldest == 0 || h.Build < oldest) {
			oldest = h.Build
		}
	}
	return oldest
}

// deleteDisk plans what becomes of the file of a disk that is not wanted any more. What is not ours is left alone.
func deleteDisk(p *Plan, want SharedDisk, seen *hyperv.Snapshot) {
	folder, presence := seen.Folder(want.Folder)
	switch {
	case want.Claimed:
		p.block(v1alpha1.ReasonInUse, "a guest cluster still uses the disk; remove it there first")
	case want.Deletion == Leave || presence == hyperv.Absent:
	case presence == hyperv.Unknown:
		p.wait(v1alpha1.ReasonObservationIncomplete, fmt.Sprintf("storage pool %s cannot be read", want.Pool))
	case isOf(folder, want.Stamp):
		removeDisk(p, want, seen)
	case want.RecordedIdentifier != "":
		p.block(v1alpha1.ReasonNameTaken, fmt.Sprintf("folder %s does not carry the stamp of the disk, so its file is left alone; put the stamp back, or set spec.reclaimPolicy to Retain", want.Folder))
	}
}

// removeDisk removes the file once it is sure that it is the disk and that no machine has it.
func removeDisk(p *Plan, want SharedDisk, seen *hyperv.Snapshot) {
	disk, presence := seen.Disk(want.Path)
	attached := seen.AttachedTo(want.Path)
	switch {
	case presence == hyperv.Known && another(want, disk):
		p.block(v1alpha1.ReasonCopyOfOurs, notTheDisk(want, disk)+", or set spec.reclaimPolicy to Retain")
	case presence == hyperv.Unknown && want.RecordedIdentifier != "":
		p.wait(v1alpha1.ReasonObservationIncomplete, cannotOpen(want))
	case len(attached) > 0:
		p.wait(v1alpha1.ReasonInUse, "the disk is still attached to "+seen.NameFor(want.Stamp.Namespace, attached[0]))
	case !seen.DrivesSeen():
		p.wait(v1alpha1.ReasonObservationIncomplete, "not every machine can be seen; the file is removed once it is sure that none has it")
	default:
		p.step(Step{
			Key: "disk", Reason: v1alpha1.ReasonDeleting, Describe: "remove " + want.Folder,
			Batch: change("", cmdlet.RemoveStampedFolder("folder", want.Folder, want.Stamp.Encode())),
		})
	}
}

// another reports whether the file is not the disk that was recorded.
func another(want SharedDisk, disk *hyperv.VirtualDisk) bool {
	return want.RecordedIdentifier != "" && disk.Identifier != want.RecordedIdentifier
}

func notTheDisk(want SharedDisk, disk *hyperv.VirtualDisk) string {
	return fmt.Sprintf("%s is not the disk that was made there (identifier %s, not %s); put the right file back", want.Path, disk.Identifier, want.RecordedIdentifier)
}

func cannotOpen(want SharedDisk) string {
	return hyperv.BaseName(want.Path) + " cannot be opened now"
}
