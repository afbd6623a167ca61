// Package controllers is the list of what runs in the manager.
package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/antiaffinitygroup"
	"guestclustering.io/operator/controllers/guestcluster"
	"guestclustering.io/operator/controllers/hostcluster"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/controllers/shareddisk"
	"guestclustering.io/operator/controllers/wake"
	"guestclustering.io/operator/pkg/execute"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/simulated"
	"guestclustering.io/operator/pkg/hostpool"
)

type setup interface{ SetupWithManager(ctrl.Manager) error }

// Setup registers every controller; drivers is how they reach hosts. Polling of hosts ends with ctx.
func Setup(ctx context.Context, mgr ctrl.Manager, drivers hostcluster.Drivers) error {
	return SetupOn(ctx, mgr, clock.RealClock{}, drivers)
}

// SetupOn is Setup with the clock by which hosts are polled and waited for.
func SetupOn(ctx context.Context, mgr ctrl.Manager, c clock.Clock, drivers hostcluster.Drivers) error {
	if err := hostref.SetupIndexes(ctx, mgr); err != nil {
		return err
	}
	id, err := clusterID(ctx, mgr.GetAPIReader())
	if err != nil {
		return err
	}
	hub := &wake.Hub{}
	pool := hostpool.New(ctx, c, hub.Notify)
	resolver := hostref.Resolver{Client: mgr.GetClient(), Pool: pool, ClusterID: id}
	kube, now := mgr.GetClient(), time.Now
	recorder := mgr.GetEventRecorder("guestclustering")
	executor := func() *execute.Executor { return execute.New(c) }
	for _, s := range []setup{
		&hostcluster.Reconciler{Client: kube, Pool: pool, Hub: hub, Drivers: drivers, Events: recorder, Now: now},
		&shareddisk.Reconciler{Client: kube, Resolver: resolver, Hub: hub, Execute: executor(), Events: recorder, Now: now},
		&guestcluster.Reconciler{Client: kube, Resolver: resolver, Hub: hub, Execute: executor(), Events: recorder, Now: now},
		&antiaffinitygroup.Reconciler{Client: kube, Resolver: resolver, Hub: hub, Execute: executor(), Events: recorder, Now: now},
	} {
		if err := s.SetupWithManager(mgr); err != nil {
			return fmt.Errorf("setting up %T: %w", s, err)
		}
	}
	return nil
}

// clusterID is this Kubernetes cluster's identity in stamps: the UID of its namespace kube-system, which lives as long as
// the cluster.
func clusterID(ctx context.Context, c client.Reader) (string, error) {
	var ns corev1.Namespace
	if err := c.Get(ctx, client.ObjectKey{Name: "kube-system"}, &ns); err != nil {
		return "", fmt.Errorf("reading the cluster's identity from namespace kube-system: %w", err)
	}
	return string(ns.UID), nil
}

// Driver makes the driver that an agent's type names.
func Driver(agent v1alpha1.HostAgent) (hostagent.Driver, string, error) {
	if agent.Type != v1alpha1.AgentSimulated || agent.Simulated == nil {
		return nil, "", fmt.Errorf("agent type %q is not known to this version; use Simulated", agent.Type)
	}
	return simulated.New(agent.Simulated.Address), "simulated/" + agent.Simulated.Address, nil
}
