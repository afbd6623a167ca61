package shareddisk

import (
	"cmp"
	"slices"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hyperv"
)

// choose finds the one guest cluster that holds the disk. A holder keeps it while it exists and names the disk, or while
// one of its machines still has it. A new holder is the oldest guest cluster that names the disk, and only if no machine of
// anybody else has it. The claim is written with the status, whose resourceVersion makes a second choice from a stale
// copy fail.
func (g *gathered) choose() (*v1alpha1.DiskClaim, *v1alpha1.GuestCluster) {
	if claim := g.disk.Status.Claim; claim != nil {
		if gc := g.byUID(claim); gc != nil && (names(gc, g.disk) || g.attachedToMachinesOf(gc)) {
			return claim, gc
		}
	}
	if !g.disk.DeletionTimestamp.IsZero() {
		return nil, nil
	}
	var claimants []*v1alpha1.GuestCluster
	for i := range g.clusters {
		gc := &g.clusters[i]
		if gc.DeletionTimestamp.IsZero() && names(gc, g.disk) && g.free(gc) {
			claimants = append(claimants, gc)
		}
	}
	if len(claimants) == 0 {
		return nil, nil
	}
	first := slices.MinFunc(claimants, func(a, b *v1alpha1.GuestCluster) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return &v1alpha1.DiskClaim{Name: first.Name, UID: first.UID}, first
}

func (g *gathered) byUID(claim *v1alpha1.DiskClaim) *v1alpha1.GuestCluster {
	i := slices.IndexFunc(g.clusters, func(gc v1alpha1.GuestCluster) bool { return gc.UID == claim.UID })
	if i < 0 {
		return nil
	}
	return &g.clusters[i]
}

// names reports whether a guest cluster names the disk: by reference, or by a template that made it.
func names(gc *v1alpha1.GuestCluster, disk *v1alpha1.SharedDisk) bool {
	if gc.Spec.HostClusterRef != disk.Spec.HostClusterRef {
		return false
	}
	return slices.ContainsFunc(gc.Spec.SharedDisks, func(d v1alpha1.GuestClusterSharedDisk) bool {
		if d.ObjectName(gc.Name) != disk.Name {
			return false
		}
		return d.SharedDiskRef != nil || disk.Labels[v1alpha1.LabelGuestCluster] == gc.Name
	})
}

// free reports whether no machine but the guest cluster's own has the disk. A disk that was made and cannot be looked at is
// not known to be free.
func (g *gathered) free(gc *v1alpha1.GuestCluster) bool {
	if g.disk.Status.DiskIdentifier == "" {
		return true
	}
	if g.hosts.Seen == nil || !g.hosts.Seen.Complete() {
		return false
	}
	return !slices.ContainsFunc(g.hosts.Seen.AttachedTo(g.disk.Status.Path), func(vm *hyperv.Machine) bool { return !g.machineOf(gc, vm) })
}

func (g *gathered) attachedToMachinesOf(gc *v1alpha1.GuestCluster) bool {
	if g.hosts.Seen == nil || g.disk.Status.Path == "" {
		return true
	}
	if !g.hosts.Seen.Complete() {
		return true
	}
	return slices.ContainsFunc(g.hosts.Seen.AttachedTo(g.disk.Status.Path), func(vm *hyperv.Machine) bool { return g.machineOf(gc, vm) })
}

func (g *gathered) machineOf(gc *v1alpha1.GuestCluster, vm *hyperv.Machine) bool {
	return slices.ContainsFunc(g.hosts.Seen.Folders, func(f hyperv.Folder) bool {
		return f.Stamp.Kind == hyperv.KindGuestCluster && f.Stamp.UID == string(gc.UID) && hyperv.Within(f.Path, vm.Location)
	})
}
