// Package guestcluster reconciles GuestCluster: its members on the hosts, and the objects that it makes for itself.
package guestcluster

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
	"guestclustering.io/operator/pkg/guestpool"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/status"
)

const owner = "guestcluster/status"

// told are the reasons of steps that are told by an event once they are done: what the conditions do not say, or only in stages.
var told = []v1alpha1.Reason{
	v1alpha1.ReasonRepairing, v1alpha1.ReasonStarting, v1alpha1.ReasonSettingUp, v1alpha1.ReasonInstallingFeatures, v1alpha1.ReasonJoiningDomain,
	v1alpha1.ReasonPreparingDisks, v1alpha1.ReasonForming, v1alpha1.ReasonJoining, v1alpha1.ReasonConfiguringCluster, v1alpha1.ReasonGrowing,
	v1alpha1.ReasonDraining, v1alpha1.ReasonEvicting,
}

// Reconciler reconciles GuestClusters.
type Reconciler struct {
	Client client.Client
	// Secrets reads Secrets past the cache, which would list and watch them.
	Secrets  client.Reader
	Resolver hostref.Resolver
	Hub      *wake.Hub
	Execute  *execute.Executor
	// Guests asks the members.
	Guests *guestpool.Pool
	Events events.EventRecorder
	Now    func() time.Time

	waits waits
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.GuestCluster{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.SharedDisk{}, handler.EnqueueRequestsFromMapFunc(r.usersOf)).
		Owns(&v1alpha1.AntiAffinityGroup{}).
		Watches(&v1alpha1.HostCluster{}, handler.EnqueueRequestsFromMapFunc(r.clustersOn), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(hostref.InNamespace(r.Client, &v1alpha1.GuestClusterList{})), builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WatchesRawSource(r.Hub.Source(r.changed)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 16}).
		Complete(r)
}

// usersOf are the guest clusters that name a disk.
func (r *Reconciler) usersOf(ctx context.Context, obj client.Object) []reconcile.Request {
	var list v1alpha1.GuestClusterList
	// An error is of the cache, which is not started or has ended: then there is nothing to wake.
	if err := r.Client.List(ctx, &list, client.InNamespace(obj.GetNamespace())); err != nil {
		return nil
	}
	var users []v1alpha1.GuestCluster
	for _, gc := range list.Items {
		for i := range gc.Spec.SharedDisks {
			if gc.Spec.SharedDisks[i].ObjectName(gc.Name) == obj.GetName() {
				users = append(users, gc)
				break
			}
		}
	}
	return hostref.Requests[v1alpha1.GuestCluster](users)
}

func (r *Reconciler) clustersOn(ctx context.Context, obj client.Object) []reconcile.Request {
	var list v1alpha1.GuestClusterList
	if err := r.Client.List(ctx, &list, client.MatchingFields{hostref.Field: obj.GetName()}); err != nil {
		return nil
	}
	return hostref.Requests[v1alpha1.GuestCluster](list.Items)
}

func (r *Reconciler) changed(ctx context.Context, change hostref.Change) []reconcile.Request {
	if change.Hosts {
		return r.clustersOn(ctx, &v1alpha1.HostCluster{ObjectMeta: hostref.Named(change.HostCluster)})
	}
	var out []reconcile.Request
	for _, stamp := range change.Objects {
		if stamp.Kind == hyperv.KindGuestCluster {
			out = append(out, hostref.RequestFor(stamp))
		}
	}
	return out
}

// Reconcile brings one guest cluster's members about and writes its status.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var gc v1alpha1.GuestCluster
	if err := r.Client.Get(ctx, req.NamespacedName, &gc); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.Execute.Forget(req.String())
			r.Guests.Forget(req.String())
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if err := status.EnsureFinalizer(ctx, r.Client, &gc, v1alpha1.FinalizerGuestCluster); err != nil {
		return status.Result(0, err)
	}
	g, err := r.gather(ctx, &gc)
	if err != nil {
		return status.Result(0, err)
	}
	if g.hosts.Pending() {
		return ctrl.Result{RequeueAfter: hostref.PendingDelay}, nil
	}
	var out execute.Outcome
	if g.runs() {
		out = r.Execute.Run(ctx, req.String(), gc.Generation, runner{g.hosts.Cluster, r.Guests, req.String()}, g.plan)
		for _, step := range out.Done(told...) {
			status.EmitDone(r.Events, &gc, step.Reason, step.Describe)
		}
		g.again()
	}
	r.ask(req.String(), g)
	if g.finished() {
		return status.Result(0, r.release(ctx, g))
	}
	return status.Result(g.next(out), r.report(ctx, &gc, g.status(out, r.Now())))
}

// gather reads all that the plan and the status are made of, makes the objects that the guest cluster makes for itself, and
// plans.
func (r *Reconciler) gather(ctx context.Context, gc *v1alpha1.GuestCluster) (*gathered, error) {
	hosts, err := r.Resolver.Resolve(ctx, gc.Namespace, gc.Spec.HostClusterRef.Name)
	if err != nil {
		return nil, err
	}
	g := &gathered{gc: gc, hosts: hosts, stamp: r.Resolver.Stamp(hosts, hyperv.KindGuestCluster, gc)}
	children := r.ensureChildren
	if !gc.DeletionTimestamp.IsZero() {
		children = r.followDeletion
	}
	if err := children(ctx, g); err != nil {
		return nil, err
	}
	if g.lacksAddresses() {
		var others v1alpha1.GuestClusterList
		if err := r.Client.List(ctx, &others, client.MatchingFields{hostref.Field: gc.Spec.HostClusterRef.Name}); err != nil {
			return nil, fmt.Errorf("listing guest clusters: %w", err)
		}
		g.usedMACs = usedMACs(others.Items)
	}
	if unmade(gc) > 0 {
		if err := r.readNeighbours(ctx, g); err != nil {
			return nil, err
		}
	}
	if err := r.gatherInside(ctx, g); err != nil {
		return nil, err
	}
	g.again()
	return g, nil
}

func (r *Reconciler) readNeighbours(ctx context.Context, g *gathered) error {
	var rules v1alpha1.AntiAffinityGroupList
	var all v1alpha1.GuestClusterList
	for _, list := range []client.ObjectList{&rules, &all} {
		if err := r.Client.List(ctx, list, client.InNamespace(g.gc.Namespace)); err != nil {
			return fmt.Errorf("listing what stays apart from the guest cluster: %w", err)
		}
	}
	g.neighbours = neighbours(g.gc, rules.Items, all.Items)
	return nil
}

func (r *Reconciler) release(ctx context.Context, g *gathered) error {
	if g.deletion() == plan.Leave {
		if err := r.retainDisks(ctx, g.gc); err != nil {
			return err
		}
	}
	if g.hosts.Cluster != nil {
		g.hosts.Cluster.ReleaseMACs(string(g.gc.UID))
	}
	r.Guests.Forget(client.ObjectKeyFromObject(g.gc).String())
	if g.deletion() == plan.Remove {
		if err := r.removeAdministrator(ctx, g.gc); err != nil {
			return err
		}
	}
	return status.RemoveFinalizer(ctx, r.Client, g.gc, v1alpha1.FinalizerGuestCluster)
}

func (r *Reconciler) report(ctx context.Context, gc *v1alpha1.GuestCluster, next v1alpha1.GuestClusterStatus) error {
	if equality.Semantic.DeepEqual(gc.Status, next) {
		return nil
	}
	if err := status.Apply(ctx, r.Client, owner, gc, &next); err != nil {
		return err
	}
	status.EmitTransitions(r.Events, gc, gc.Status.Conditions, next.Conditions)
	return nil
}
