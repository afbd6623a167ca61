// Package antiaffinitygroup reconciles AntiAffinityGroup: its class name on the members' groups, and the repair of
// violations through the arbiter.
package antiaffinitygroup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

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
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/status"
)

const owner = "antiaffinitygroup/status"

// lookAgain is when a violation whose repair was not admitted is proposed again, in case that nothing changes on the hosts.
const lookAgain = 30 * time.Second

// Reconciler reconciles AntiAffinityGroups.
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
		For(&v1alpha1.AntiAffinityGroup{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		// A guest cluster's status has the ids of its machines.
		Watches(&v1alpha1.GuestCluster{}, handler.EnqueueRequestsFromMapFunc(r.groupsOf)).
		Watches(&v1alpha1.HostCluster{}, handler.EnqueueRequestsFromMapFunc(r.groupsOn), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesRawSource(r.Hub.Source(r.changed)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
}

// groupsOf are the groups that name a guest cluster.
func (r *Reconciler) groupsOf(ctx context.Context, obj client.Object) []reconcile.Request {
	return r.naming(ctx, client.ObjectKeyFromObject(obj))
}

func (r *Reconciler) naming(ctx context.Context, guestCluster client.ObjectKey) []reconcile.Request {
	var list v1alpha1.AntiAffinityGroupList
	// An error is of the cache, which is not started or has ended: then there is nothing to wake.
	if err := r.Client.List(ctx, &list, client.InNamespace(guestCluster.Namespace)); err != nil {
		return nil
	}
	items := slices.DeleteFunc(list.Items, func(g v1alpha1.AntiAffinityGroup) bool {
		return !slices.ContainsFunc(g.Spec.GuestClusters, func(ref v1alpha1.GuestClusterReference) bool { return ref.Name == guestCluster.Name })
	})
	return hostref.Requests[v1alpha1.AntiAffinityGroup](items)
}

func (r *Reconciler) groupsOn(ctx context.Context, obj client.Object) []reconcile.Request {
	var list v1alpha1.AntiAffinityGroupList
	if err := r.Client.List(ctx, &list, client.MatchingFields{hostref.Field: obj.GetName()}); err != nil {
		return nil
	}
	return hostref.Requests[v1alpha1.AntiAffinityGroup](list.Items)
}

func (r *Reconciler) changed(ctx context.Context, change hostref.Change) []reconcile.Request {
	if change.Hosts {
		return r.groupsOn(ctx, &v1alpha1.HostCluster{ObjectMeta: hostref.Named(change.HostCluster)})
	}
	var out []reconcile.Request
	for _, stamp := range change.Objects {
		out = append(out, r.naming(ctx, client.ObjectKey{Namespace: stamp.Namespace, Name: stamp.Name})...)
	}
	return out
}

// Reconcile brings one rule about and writes its status.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var group v1alpha1.AntiAffinityGroup
	if err := r.Client.Get(ctx, req.NamespacedName, &group); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.Execute.Forget(req.String())
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if err := status.EnsureFinalizer(ctx, r.Client, &group, v1alpha1.FinalizerAntiAffinityGroup); err != nil {
		return status.Result(0, err)
	}
	g, err := r.gather(ctx, &group)
	if err != nil {
		return status.Result(0, err)
	}
	if g.hosts.Pending() {
		return ctrl.Result{RequeueAfter: hostref.PendingDelay}, nil
	}
	var out execute.Outcome
	if g.runs() {
		stripped := g.stripped()
		out = r.Execute.Run(ctx, req.String(), group.Generation, g.hosts.Cluster, g.plan)
		if len(stripped) > 0 && len(out.Done(v1alpha1.ReasonRepairing)) > 0 {
			status.EmitDone(r.Events, &group, v1alpha1.ReasonRepairing, "give class name "+g.want.ClassName+" back to "+strings.Join(stripped, ", "))
		}
		g.again()
	}
	g.repair(ctx, req.String())
	if g.admitted != "" {
		status.EmitDone(r.Events, &group, v1alpha1.ReasonMigrating, g.admitted)
	}
	if g.finished() {
		return status.Result(0, status.RemoveFinalizer(ctx, r.Client, &group, v1alpha1.FinalizerAntiAffinityGroup))
	}
	return status.Result(g.next(out), r.report(ctx, &group, g.status(out, r.Now())))
}

// gather reads all that the rule's plan and status are made of, and plans.
func (r *Reconciler) gather(ctx context.Context, group *v1alpha1.AntiAffinityGroup) (*gathered, error) {
	hosts, err := r.Resolver.Resolve(ctx, group.Namespace, group.Spec.HostClusterRef.Name)
	if err != nil {
		return nil, err
	}
	var all v1alpha1.GuestClusterList
	if err := r.Client.List(ctx, &all, client.MatchingFields{hostref.Field: group.Spec.HostClusterRef.Name}); err != nil {
		return nil, fmt.Errorf("listing guest clusters: %w", err)
	}
	g := &gathered{group: group, hosts: hosts, all: all.Items}
	g.again()
	return g, nil
}

func (r *Reconciler) report(ctx context.Context, group *v1alpha1.AntiAffinityGroup, next v1alpha1.AntiAffinityGroupStatus) error {
	if equality.Semantic.DeepEqual(group.Status, next) {
		return nil
	}
	if err := status.Apply(ctx, r.Client, owner, group, &next); err != nil {
		return err
	}
	status.EmitTransitions(r.Events, group, group.Status.Conditions, next.Conditions)
	return nil
}

// rules say of every guest cluster on the hosts which machines are its members, whoever's rule is being repaired.
func rules(clusters []v1alpha1.GuestCluster) []plan.Rule {
	var out []plan.Rule
	for _, gc := range clusters {
		r := plan.Rule{GuestCluster: gc.Namespace + "/" + gc.Name}
		for _, m := range gc.Status.Members {
			if m.VMID != "" {
				r.VMIDs = append(r.VMIDs, m.VMID)
			}
		}
		out = append(out, r)
	}
	return out
}
