package shareddisk

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/pkg/execute"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/status"
)

// gathered is what one reconcile knows of a disk.
type gathered struct {
	disk     *v1alpha1.SharedDisk
	hosts    hostref.Hosts
	clusters []v1alpha1.GuestCluster
	stamp    hyperv.Stamp

	claim    *v1alpha1.DiskClaim
	claimant *v1alpha1.GuestCluster

	want plan.SharedDisk
	plan plan.Plan
}

// again plans on the latest snapshot.
func (g *gathered) again() {
	if g.hosts.Cluster != nil {
		g.hosts.Seen, g.hosts.ReadErr = g.hosts.Cluster.Snapshot()
	}
	if g.plan = g.hosts.Unresolved(g.disk.Spec.HostClusterRef.Name); !g.plan.Empty() {
		return
	}
	want, block := g.resolve()
	if block != nil {
		g.plan = plan.Plan{Blocks: []plan.Block{*block}}
		return
	}
	if want.Format == "" {
		g.plan = plan.Plan{Waits: []plan.Wait{{Reason: v1alpha1.ReasonObservationIncomplete, Message: "no host has told its Windows build yet, which decides the disk's format"}}}
		return
	}
	g.want = want
	g.plan = plan.ForSharedDisk(want, g.hosts.Seen)
}

// resolve turns names into paths. What was decided before stands in status and stays.
func (g *gathered) resolve() (plan.SharedDisk, *plan.Block) {
	d := g.disk
	want := plan.SharedDisk{
		Stamp: g.stamp, Folder: d.Status.Folder, Path: d.Status.Path, Format: v1alpha1.DiskFormat(d.Status.Format),
		SizeBytes: d.Spec.Size.Value(), Fixed: d.Spec.Provisioning == v1alpha1.ProvisioningFixed,
		RecordedIdentifier: d.Status.DiskIdentifier, Deletion: g.deletion(), Claimed: g.claim != nil,
		NewAllowed: g.hosts.Allowed, HostCluster: d.Spec.HostClusterRef.Name,
	}
	if want.Path != "" {
		want.Pool = hyperv.DirName(want.Folder)
		return want, nil
	}
	pool, ok := g.hosts.Pool(d.Spec.StoragePool)
	if !ok {
		return want, &plan.Block{Reason: v1alpha1.ReasonPoolMissing, Message: fmt.Sprintf("HostCluster %s has no storage pool %s; ask the platform team which there are", want.HostCluster, d.Spec.StoragePool)}
	}
	want.Pool = pool
	if want.Format = cmp.Or(d.Spec.Format, g.bestFormat()); want.Format == "" {
		return want, nil
	}
	want.Folder = hyperv.FolderPath(pool, g.stamp)
	want.Path = hyperv.JoinPath(want.Folder, d.Name+extension(want.Format))
	return want, nil
}

// bestFormat: VHD Sets can grow and be backed up while in use; hosts before 2016 cannot make them. While no host has told
// its build there is none: what is decided once stays.
func (g *gathered) bestFormat() v1alpha1.DiskFormat {
	switch oldest := plan.OldestBuild(g.hosts.Seen); {
	case oldest == 0:
		return ""
	case oldest < hyperv.Build2016:
		return v1alpha1.DiskFormatVHDX
	default:
		return v1alpha1.DiskFormatVHDSet
	}
}

func extension(f v1alpha1.DiskFormat) string {
	if f == v1alpha1.DiskFormatVHDX {
		return ".vhdx"
	}
	return ".vhds"
}

func (g *gathered) deletion() plan.Deletion {
	switch {
	case g.disk.DeletionTimestamp.IsZero():
		return plan.NotDeleting
	case g.disk.Spec.ReclaimPolicy == v1alpha1.ReclaimDelete:
		return plan.Remove
	default:
		return plan.Leave
	}
}

// runs reports whether the plan's steps may be run.
func (g *gathered) runs() bool {
	return len(g.plan.Steps) > 0 && g.decided() && !g.hosts.Paused(g.disk.Spec.Management)
}

// decided reports whether the disk's path stands in status: only then is anything made there.
func (g *gathered) decided() bool { return g.disk.Status.Path != "" || g.want.Path == "" }

// next is when to come back: at once after the path was decided, which was only written now, when a failed step is due, or
// to look for room.
func (g *gathered) next(out execute.Outcome) time.Duration {
	if !g.decided() && len(g.plan.Blocks) == 0 {
		return time.Millisecond
	}
	if out.RetryAfter == 0 && g.plan.AwaitsRoom() {
		return hostref.RoomDelay
	}
	return out.RetryAfter
}

// finished reports whether a disk that is being deleted may go: nothing is left to do on the hosts, or nothing was ever
// made there.
func (g *gathered) finished() bool {
	if g.disk.DeletionTimestamp.IsZero() || g.hosts.Paused(g.disk.Spec.Management) {
		return false
	}
	if g.claim == nil && (g.disk.Status.Folder == "" || g.deletion() == plan.Leave) {
		return true
	}
	return g.hosts.Object == nil || g.plan.Empty() && g.hosts.Seen != nil
}

func (g *gathered) status(out execute.Outcome, now time.Time) v1alpha1.SharedDiskStatus {
	d := g.disk
	s := v1alpha1.SharedDiskStatus{
		ObservedGeneration: d.Generation, Folder: d.Status.Folder, Path: d.Status.Path, Format: d.Status.Format,
		DiskIdentifier: d.Status.DiskIdentifier, Size: d.Status.Size, Claim: g.claim, AttachedTo: d.Status.AttachedTo,
	}
	if g.want.Path != "" && len(g.plan.Blocks) == 0 {
		s.Folder, s.Path, s.Format = g.want.Folder, g.want.Path, string(g.want.Format)
	}
	provisioned := g.observe(&s)
	waits, blocks := out.Verdicts()
	for _, step := range g.plan.Steps {
		waits = append(waits, plan.Wait{Reason: step.Reason, Message: step.Describe})
	}
	f := status.Findings{
		Declared:  v1alpha1.SharedDiskConditions,
		Parts:     map[v1alpha1.ConditionType]status.Fact{v1alpha1.ConditionProvisioned: provisioned},
		Informing: map[v1alpha1.ConditionType]status.Fact{v1alpha1.ConditionAttached: g.attached(s)},
		Doing:     append(waits, g.plan.Waits...), Blocks: append(g.plan.Blocks, blocks...),
		Paused: g.hosts.Paused(d.Spec.Management),
	}
	s.Conditions = f.Conditions(d.Status.Conditions, d.Generation, now)
	s.Summary = v1alpha1.SharedDiskSummary{Message: status.Summary(s.Conditions), Attached: strconv.Itoa(len(s.AttachedTo))}
	if g.claim != nil {
		s.Summary.UsedBy = g.claim.Name
	}
	return s
}

// observe puts what the snapshot shows of the disk into its status.
func (g *gathered) observe(s *v1alpha1.SharedDiskStatus) status.Fact {
	if g.want.Path == "" || !g.hosts.Readable() {
		unseen := g.missing()
		return status.Unknown(unseen.Reason, unseen.Message)
	}
	if g.hosts.Seen.Complete() {
		s.AttachedTo = nil
		for _, vm := range g.hosts.Seen.AttachedTo(g.want.Path) {
			s.AttachedTo = append(s.AttachedTo, g.hosts.Seen.NameFor(g.disk.Namespace, vm))
		}
		slices.Sort(s.AttachedTo)
	}
	seen, presence := g.hosts.Seen.Disk(g.want.Path)
	switch presence {
	case hyperv.Known:
		if d := g.disk.Status.DiskIdentifier; d != "" && d != seen.Identifier {
			return status.False(v1alpha1.ReasonCopyOfOurs, "another disk lies where this one was made")
		}
		s.DiskIdentifier = seen.Identifier
		s.Size = resource.NewQuantity(seen.Size, resource.BinarySI)
		if seen.Size < g.want.SizeBytes {
			return g.growing()
		}
		return status.True(v1alpha1.ReasonSucceeded, "")
	case hyperv.Absent:
		return g.missing()
	default:
		return g.missing()
	}
}

// growing is what is told of a disk that is smaller than it is to be.
func (g *gathered) growing() status.Fact {
	if len(g.plan.Blocks) > 0 {
		return status.False(g.plan.Blocks[0].Reason, g.plan.Blocks[0].Message)
	}
	return status.False(v1alpha1.ReasonGrowing, "the disk is being made larger")
}

// missing says why the file is not there, or is not to be seen.
func (g *gathered) missing() status.Fact {
	switch {
	case len(g.plan.Blocks) > 0:
		return status.False(g.plan.Blocks[0].Reason, g.plan.Blocks[0].Message)
	case len(g.plan.Waits) > 0 && g.plan.Waits[0].Reason == v1alpha1.ReasonObservationIncomplete:
		return status.Unknown(g.plan.Waits[0].Reason, g.plan.Waits[0].Message)
	case len(g.plan.Waits) > 0:
		return status.False(g.plan.Waits[0].Reason, g.plan.Waits[0].Message)
	case !g.disk.DeletionTimestamp.IsZero():
		return status.False(v1alpha1.ReasonDeleting, "being deleted")
	default:
		return status.False(v1alpha1.ReasonCreating, "the file is not there yet")
	}
}

// stranger is a machine that has the disk and is none of the claimant's.
func (g *gathered) stranger() *hyperv.Machine {
	if g.hosts.Seen == nil || g.disk.Status.Path == "" {
		return nil
	}
	for _, vm := range g.hosts.Seen.AttachedTo(g.disk.Status.Path) {
		if !g.machineOf(g.claimant, vm) {
			return vm
		}
	}
	return nil
}

func (g *gathered) attached(s v1alpha1.SharedDiskStatus) status.Fact {
	if g.claim == nil {
		return status.False(v1alpha1.ReasonUnclaimed, "no guest cluster uses the disk")
	}
	if vm := g.stranger(); vm != nil {
		return status.False(v1alpha1.ReasonCopyOfOurs, fmt.Sprintf("%s on %s has the disk and is no member of %s; take the disk off it", g.hosts.Seen.NameFor(g.disk.Namespace, vm), vm.HostName, g.claim.Name))
	}
	members := len(v1alpha1.MemberNames(g.claimant))
	if len(s.AttachedTo) < members {
		return status.False(v1alpha1.ReasonAttaching, fmt.Sprintf("attached to %d of the %d members of %s", len(s.AttachedTo), members, g.claim.Name))
	}
	return status.True(v1alpha1.ReasonSucceeded, "")
}
