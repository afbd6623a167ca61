// Package shareddisk reconciles SharedDisk: the disk's file, and which guest cluster holds it.
package shareddisk

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/controllers/wake"
	"guestclustering.io/operator/pkg/execute"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/status"
)

const owner = "shareddisk/status"

// Reconciler reconciles SharedDisks.
type Reconciler struct {
	Client   client.Client
	Resolver hostref.Resolver
	Hub      *wake.Hub
	Execute  *execute.Executor
	Events   events.EventRecorder
	Now      func() time.Time
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.SharedDisk{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.GuestCluster{}, handler.EnqueueRequestsFromMapFunc(disksOf), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.HostCluster{}, handler.EnqueueRequestsFromMapFunc(r.disksOn), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(hostref.InNamespace(r.Client, &v1alpha1.SharedDiskList{})), builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WatchesRawSource(r.Hub.Source(r.changed)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8}).
		Complete(r)
}

// disksOf are the disks that a guest cluster names.
func disksOf(_ context.Context, obj client.Object) []reconcile.Request {
	gc, ok := obj.(*v1alpha1.GuestCluster)
	if !ok {
		return nil
	}
	var out []reconcile.Request
	for i := range gc.Spec.SharedDisks {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKey{Namespace: gc.Namespace, Name: gc.Spec.SharedDisks[i].ObjectName(gc.Name)}})
	}
	return out
}

func (r *Reconciler) disksOn(ctx context.Context, obj client.Object) []reconcile.Request {
	var list v1alpha1.SharedDiskList
	// An error is of the cache, which is not started or has ended: then there is nothing to wake.
	if err := r.Client.List(ctx, &list, client.MatchingFields{hostref.Field: obj.GetName()}); err != nil {
		return nil
	}
	return hostref.Requests[v1alpha1.SharedDisk](list.Items)
}

// changed are the disks that a change on the hosts concerns: their own folders, or the hosts as such.
func (r *Reconciler) changed(ctx context.Context, change hostref.Change) []reconcile.Request {
	if change.Hosts {
		return r.disksOn(ctx, &v1alpha1.HostCluster{ObjectMeta: hostref.Named(change.HostCluster)})
	}
	var out []reconcile.Request
	for _, stamp := range change.Objects {
		switch stamp.Kind {
		case hyperv.KindSharedDisk:
			out = append(out, hostref.RequestFor(stamp))
		case hyperv.KindGuestCluster:
			// A member may have got or lost the disk.
			var gc v1alpha1.GuestCluster
			if err := r.Client.Get(ctx, client.ObjectKey{Namespace: stamp.Namespace, Name: stamp.Name}, &gc); err == nil {
				out = append(out, disksOf(ctx, &gc)...)
			}
		}
	}
	return out
}

// Reconcile brings one disk's file about and writes its status.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var disk v1alpha1.SharedDisk
	if err := r.Client.Get(ctx, req.NamespacedName, &disk); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.Execute.Forget(req.String())
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if err := status.EnsureFinalizer(ctx, r.Client, &disk, v1alpha1.FinalizerSharedDisk); err != nil {
		return status.Result(0, err)
	}
	g, err := r.gather(ctx, &disk)
	if err != nil {
		return status.Result(0, err)
	}
	if g.hosts.Pending() {
		return ctrl.Result{RequeueAfter: hostref.PendingDelay}, nil
	}
	if g.finished() {
		return status.Result(0, status.RemoveFinalizer(ctx, r.Client, &disk, v1alpha1.FinalizerSharedDisk))
	}
	var out execute.Outcome
	if g.runs() {
		out = r.Execute.Run(ctx, req.String(), disk.Generation, g.hosts.Cluster, g.plan)
		g.again()
	}
	if g.finished() {
		return status.Result(0, status.RemoveFinalizer(ctx, r.Client, &disk, v1alpha1.FinalizerSharedDisk))
	}
	return status.Result(g.next(out), r.report(ctx, &disk, g.status(out, r.Now())))
}

// gather reads all that the disk's plan and status are made of, and plans.
func (r *Reconciler) gather(ctx context.Context, disk *v1alpha1.SharedDisk) (*gathered, error) {
	hosts, err := r.Resolver.Resolve(ctx, disk.Namespace, disk.Spec.HostClusterRef.Name)
	if err != nil {
		return nil, err
	}
	var clusters v1alpha1.GuestClusterList
	if err := r.Client.List(ctx, &clusters, client.InNamespace(disk.Namespace)); err != nil {
		return nil, fmt.Errorf("listing guest clusters: %w", err)
	}
	g := &gathered{disk: disk, hosts: hosts, clusters: clusters.Items, stamp: r.Resolver.Stamp(hosts, hyperv.KindSharedDisk, disk)}
	g.claim, g.claimant = g.choose()
	g.again()
	return g, nil
}

func (r *Reconciler) report(ctx context.Context, disk *v1alpha1.SharedDisk, next v1alpha1.SharedDiskStatus) error {
	if equality.Semantic.DeepEqual(disk.Status, next) {
		return nil
	}
	if err := status.Apply(ctx, r.Client, owner, disk, &next); err != nil {
		return err
	}
	status.EmitTransitions(r.Events, disk, disk.Status.Conditions, next.Conditions)
	return nil
}
