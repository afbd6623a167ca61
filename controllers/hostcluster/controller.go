// Package hostcluster reconciles HostCluster: it takes up the connection, and tells what the hosts are and can do.
package hostcluster

import (
	"context"
	"errors"
	"slices"
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
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostpool"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/status"
)

const owner = "hostcluster/status"

// Drivers makes the driver for an agent. The key changes when another driver is needed.
type Drivers func(v1alpha1.HostAgent, Keys) (driver hostagent.Driver, key string, err error)

// Reconciler reconciles HostClusters.
type Reconciler struct {
	Client  client.Client
	Objects Objects
	Pool    *hostpool.Pool
	Hub     *wake.Hub
	Drivers Drivers
	Events  events.EventRecorder
	Now     func() time.Time
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	named := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, obj client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: hostref.NameOf(obj)}}}
	})
	// Only that an object comes, goes or begins to be deleted matters here, not what it is like.
	comesOrGoes := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		For(&v1alpha1.HostCluster{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.GuestCluster{}, named, comesOrGoes).
		Watches(&v1alpha1.SharedDisk{}, named, comesOrGoes).
		Watches(&v1alpha1.AntiAffinityGroup{}, named, comesOrGoes).
		WatchesRawSource(r.Hub.Source(func(_ context.Context, change hostpool.Change) []reconcile.Request {
			return []reconcile.Request{{NamespacedName: client.ObjectKey{Name: change.HostCluster}}}
		})).
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
}

// Reconcile takes up one HostCluster and writes its status.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var hc v1alpha1.HostCluster
	if err := r.Client.Get(ctx, req.NamespacedName, &hc); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.Pool.Remove(req.Name)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if err := status.EnsureFinalizer(ctx, r.Client, &hc, v1alpha1.FinalizerInUse); err != nil {
		return status.Result(0, err)
	}
	users, err := usersOf(ctx, r.Client, hc.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	if !hc.DeletionTimestamp.IsZero() && len(users.names) == 0 {
		r.Pool.Remove(hc.Name)
		return status.Result(0, status.RemoveFinalizer(ctx, r.Client, &hc, v1alpha1.FinalizerInUse))
	}
	view, err := r.look(ctx, &hc, users)
	if err != nil {
		return ctrl.Result{}, err
	}
	again := lookAgain(&hc)
	if view.pending() && len(hc.Status.Conditions) > 0 {
		// The first snapshot since this process began comes soon and wakes us; until then status says nothing new.
		return ctrl.Result{RequeueAfter: again}, nil
	}
	view.users = users
	return status.Result(again, r.report(ctx, &hc, view.status(&hc, r.Now())))
}

// lookAgain is when to look for other credentials, whose objects are not watched: at the next poll.
func lookAgain(hc *v1alpha1.HostCluster) time.Duration {
	if hc.Spec.Agent.WinRM == nil && hc.Spec.Agent.SSH == nil {
		return 0
	}
	return hostref.PollInterval(hc)
}

// look takes up the connection and gives what is seen through it. What is in the way of a connection is part of the view;
// an error is only that the API server could not tell.
func (r *Reconciler) look(ctx context.Context, hc *v1alpha1.HostCluster, users users) (view, error) {
	driver, key, err := r.driver(ctx, hc.Spec.Agent)
	if block, ok := errors.AsType[*blockError](err); ok {
		v := view{block: &block.Block}
		if known, ok := r.Pool.Get(hc.Name); ok {
			v.see(known)
		}
		return v, nil
	}
	if err != nil {
		return view{}, err
	}
	var v view
	v.see(r.Pool.Set(hc.Name, config(hc, users, driver, key)))
	return v, nil
}

func (r *Reconciler) driver(ctx context.Context, agent v1alpha1.HostAgent) (hostagent.Driver, string, error) {
	keys, err := r.Objects.Keys(ctx, agent)
	if err != nil {
		return nil, "", err
	}
	driver, key, err := r.Drivers(agent, keys)
	if _, ok := errors.AsType[*blockError](err); err != nil && !ok {
		err = blocked(v1alpha1.ReasonInvalidSpec, "%s", err.Error())
	}
	return driver, key, err
}

// see takes in what was last read of the hosts.
func (v *view) see(c *hostpool.Cluster) {
	v.seen, v.readErr = c.Snapshot()
	v.hostErrs = c.HostErrors()
}

func config(hc *v1alpha1.HostCluster, users users, driver hostagent.Driver, key string) hostpool.Config {
	config := hostpool.Config{Driver: driver, DriverKey: key, PollInterval: hostref.PollInterval(hc)}
	for _, p := range hc.Spec.StoragePools {
		config.Pools = append(config.Pools, p.Path)
	}
	for _, path := range users.pools {
		// What uses a pool that is declared no more is still looked after.
		if !slices.ContainsFunc(config.Pools, func(declared string) bool { return hyperv.SamePath(declared, path) }) {
			config.Pools = append(config.Pools, path)
		}
	}
	for _, i := range hc.Spec.Images {
		config.Files = append(config.Files, i.Path)
	}
	return config
}

func (r *Reconciler) report(ctx context.Context, hc *v1alpha1.HostCluster, next v1alpha1.HostClusterStatus) error {
	if equality.Semantic.DeepEqual(hc.Status, next) {
		return nil
	}
	if err := status.Apply(ctx, r.Client, owner, hc, &next); err != nil {
		return err
	}
	status.EmitTransitions(r.Events, hc, hc.Status.Conditions, next.Conditions)
	return nil
}
