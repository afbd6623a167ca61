package guestcluster

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/plan"
)

// ensureChildren makes and keeps the objects that a guest cluster makes for itself, and reads the disks that it refers to.
func (r *Reconciler) ensureChildren(ctx context.Context, g *gathered) error {
	if err := r.ensureGroup(ctx, g); err != nil {
		return err
	}
	for i := range g.gc.Spec.SharedDisks {
		entry := &g.gc.Spec.SharedDisks[i]
		disk, err := r.ensureDisk(ctx, g, entry)
		if err != nil {
			return err
		}
		g.disks = append(g.disks, wantedDisk{name: entry.Name, objectName: entry.ObjectName(g.gc.Name), object: disk})
	}
	return nil
}

// ensureGroup makes the rule that keeps the guest cluster's own members apart.
func (r *Reconciler) ensureGroup(ctx context.Context, g *gathered) error {
	gc := g.gc
	want := v1alpha1.AntiAffinityGroupSpec{
		HostClusterRef: gc.Spec.HostClusterRef, Management: gc.Spec.Management,
		GuestClusters: []v1alpha1.GuestClusterReference{{Name: gc.Name}},
		Enforcement:   gc.Spec.AntiAffinity.Enforcement, Remediation: gc.Spec.AntiAffinity.Remediation,
	}
	group := &v1alpha1.AntiAffinityGroup{ObjectMeta: metav1.ObjectMeta{Namespace: gc.Namespace, Name: v1alpha1.AntiAffinityGroupName(gc.Name)}}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(group), group)
	switch {
	case apierrors.IsNotFound(err):
		group.Labels = map[string]string{v1alpha1.LabelGuestCluster: gc.Name}
		group.Spec = want
		if err := controllerutil.SetControllerReference(gc, group, r.Client.Scheme()); err != nil {
			return fmt.Errorf("owning anti-affinity group: %w", err)
		}
		if err := r.Client.Create(ctx, group); err != nil {
			return ignoreExists(err, "making anti-affinity group")
		}
		g.group = group
		return nil
	case err != nil:
		return fmt.Errorf("reading anti-affinity group: %w", err)
	case !metav1.IsControlledBy(group, gc):
		g.block(v1alpha1.ReasonNameTaken, fmt.Sprintf("an AntiAffinityGroup %s exists that is not this guest cluster's; rename it, or choose another name", group.Name))
		return nil
	}
	g.group = group
	return r.patch(ctx, group, func() { group.Spec = want })
}

// ensureDisk makes a template's disk once, keeps what follows the guest cluster, and reads the disk. It gives nil, and says
// why, when the disk cannot be used.
func (r *Reconciler) ensureDisk(ctx context.Context, g *gathered, entry *v1alpha1.GuestClusterSharedDisk) (*v1alpha1.SharedDisk, error) {
	disk := &v1alpha1.SharedDisk{}
	key := client.ObjectKey{Namespace: g.gc.Namespace, Name: entry.ObjectName(g.gc.Name)}
	err := r.Client.Get(ctx, key, disk)
	switch {
	case apierrors.IsNotFound(err) && entry.Template != nil:
		return r.makeDisk(ctx, g, key, entry.Template)
	case apierrors.IsNotFound(err):
		g.wait(v1alpha1.ReasonWaitingForDependency, fmt.Sprintf("there is no SharedDisk %s yet", key.Name))
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading shared disk: %w", err)
	}
	if entry.Template != nil {
		if !g.binds(disk, entry.Template) {
			g.block(v1alpha1.ReasonDiskNameTaken, fmt.Sprintf("a SharedDisk %s exists that is not this guest cluster's; rename the disk in spec.sharedDisks, or refer to it with type Reference", disk.Name))
			return nil, nil
		}
		return disk, r.follow(ctx, g.gc, disk, entry.Template)
	}
	if disk.Spec.HostClusterRef != g.gc.Spec.HostClusterRef {
		g.block(v1alpha1.ReasonInvalidSpec, fmt.Sprintf("SharedDisk %s is on host cluster %s; a guest cluster's disks are on its own", disk.Name, disk.Spec.HostClusterRef.Name))
		return nil, nil
	}
	return disk, nil
}

func (r *Reconciler) makeDisk(ctx context.Context, g *gathered, key client.ObjectKey, t *v1alpha1.SharedDiskTemplate) (*v1alpha1.SharedDisk, error) {
	disk := &v1alpha1.SharedDisk{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: map[string]string{v1alpha1.LabelGuestCluster: g.gc.Name}},
		Spec:       v1alpha1.SharedDiskSpec{HostClusterRef: g.gc.Spec.HostClusterRef, Management: g.gc.Spec.Management, SharedDiskTemplateSpec: t.Spec},
	}
	if err := r.setOwner(g.gc, disk, t.Spec.ReclaimPolicy); err != nil {
		return nil, err
	}
	return disk, ignoreExists(r.Client.Create(ctx, disk), "making shared disk")
}

// setOwner: a Retain disk has no ownerReference, or garbage collection would mark it for deletion under a running cluster.
func (r *Reconciler) setOwner(gc *v1alpha1.GuestCluster, disk *v1alpha1.SharedDisk, policy v1alpha1.ReclaimPolicy) error {
	if policy == v1alpha1.ReclaimDelete {
		if err := controllerutil.SetControllerReference(gc, disk, r.Client.Scheme()); err != nil {
			return fmt.Errorf("owning shared disk: %w", err)
		}
		return nil
	}
	if metav1.IsControlledBy(disk, gc) {
		if err := controllerutil.RemoveControllerReference(gc, disk, r.Client.Scheme()); err != nil {
			return fmt.Errorf("giving up shared disk: %w", err)
		}
	}
	return nil
}

// follow keeps what a template's disk takes from its guest cluster: management, the reclaim policy with its reference, and a
// larger size.
func (r *Reconciler) follow(ctx context.Context, gc *v1alpha1.GuestCluster, disk *v1alpha1.SharedDisk, t *v1alpha1.SharedDiskTemplate) error {
	owned := disk.DeepCopy()
	if err := r.setOwner(gc, owned, t.Spec.ReclaimPolicy); err != nil {
		return err
	}
	return r.patch(ctx, disk, func() {
		disk.Spec.Management, disk.Spec.ReclaimPolicy = gc.Spec.Management, t.Spec.ReclaimPolicy
		disk.OwnerReferences = owned.OwnerReferences
		if t.Spec.Size.Cmp(disk.Spec.Size) > 0 {
			disk.Spec.Size = t.Spec.Size
		}
	})
}

// followDeletion lets what a guest cluster made follow its management while it is being deleted: a child that stayed Paused
// would hold on to the hosts for ever.
func (r *Reconciler) followDeletion(ctx context.Context, g *gathered) error {
	groups, disks, err := r.made(ctx, g.gc)
	if err != nil {
		return err
	}
	for i := range groups {
		if err := r.patch(ctx, &groups[i], func() { groups[i].Spec.Management = g.gc.Spec.Management }); err != nil {
			return err
		}
	}
	for i := range disks {
		if err := r.patch(ctx, &disks[i], func() { disks[i].Spec.Management = g.gc.Spec.Management }); err != nil {
			return err
		}
	}
	return nil
}

// retainDisks keeps the disks of a guest cluster that leaves its machines on the hosts with them.
func (r *Reconciler) retainDisks(ctx context.Context, gc *v1alpha1.GuestCluster) error {
	_, disks, err := r.made(ctx, gc)
	if err != nil {
		return err
	}
	for i := range disks {
		err := r.patch(ctx, &disks[i], func() {
			disks[i].Spec.ReclaimPolicy = v1alpha1.ReclaimRetain
			disks[i].OwnerReferences = slices.DeleteFunc(disks[i].OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == gc.UID })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// made are the objects that a guest cluster made for itself.
func (r *Reconciler) made(ctx context.Context, gc *v1alpha1.GuestCluster) ([]v1alpha1.AntiAffinityGroup, []v1alpha1.SharedDisk, error) {
	var groups v1alpha1.AntiAffinityGroupList
	var disks v1alpha1.SharedDiskList
	for _, list := range []client.ObjectList{&groups, &disks} {
		if err := r.Client.List(ctx, list, client.InNamespace(gc.Namespace), client.MatchingLabels{v1alpha1.LabelGuestCluster: gc.Name}); err != nil {
			return nil, nil, fmt.Errorf("listing what the guest cluster made: %w", err)
		}
	}
	groups.Items = slices.DeleteFunc(groups.Items, func(g v1alpha1.AntiAffinityGroup) bool { return !metav1.IsControlledBy(&g, gc) })
	disks.Items = slices.DeleteFunc(disks.Items, func(d v1alpha1.SharedDisk) bool {
		return !metav1.IsControlledBy(&d, gc) && (d.Status.Claim == nil || d.Status.Claim.UID != gc.UID)
	})
	return groups.Items, disks.Items, nil
}

// patch changes an object if the change makes a difference.
func (r *Reconciler) patch(ctx context.Context, obj client.Object, change func()) error {
	before, _ := obj.DeepCopyObject().(client.Object)
	change()
	if reflect.DeepEqual(before, obj) {
		return nil
	}
	err := r.Client.Patch(ctx, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("changing %s: %w", obj.GetName(), err)
	}
	return nil
}

// ignoreExists: what exists was made by us a moment ago and is not in the cache yet; its event wakes us.
func ignoreExists(err error, doing string) error {
	if err == nil || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (g *gathered) block(reason v1alpha1.Reason, message string) {
	g.blocks = append(g.blocks, plan.Block{Reason: reason, Message: message})
}

func (g *gathered) wait(reason v1alpha1.Reason, message string) {
	g.waits = append(g.waits, plan.Wait{Reason: reason, Message: message})
}
