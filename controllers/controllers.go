// Package controllers is the list of what runs in the manager.
package controllers

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/controllers/antiaffinitygroup"
	"guestclustering.io/operator/controllers/guestcluster"
	"guestclustering.io/operator/controllers/hostcluster"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/controllers/shareddisk"
	"guestclustering.io/operator/controllers/wake"
	"guestclustering.io/operator/pkg/execute"
	"guestclustering.io/operator/pkg/guest/validation"
	"guestclustering.io/operator/pkg/guestpool"
	"guestclustering.io/operator/pkg/hostpool"
	"guestclustering.io/operator/pkg/hyperv"
)

type setup interface{ SetupWithManager(ctrl.Manager) error }

// Options say how the controllers reach hosts.
type Options struct {
	Drivers hostcluster.Drivers
	// Namespace is the operator's own, in which the Secrets are that HostClusters name.
	Namespace string
	// Clock is that by which hosts are polled and waited for; nil is the real one.
	Clock clock.Clock
}

// Setup registers every controller. Polling of hosts ends with ctx.
func Setup(ctx context.Context, mgr ctrl.Manager, options Options) error {
	c := options.Clock
	if c == nil {
		c = clock.RealClock{}
	}
	if err := hostref.SetupIndexes(ctx, mgr); err != nil {
		return err
	}
	id, err := clusterID(ctx, mgr.GetAPIReader())
	if err != nil {
		return err
	}
	hub := &wake.Hub{}
	pool := hostpool.New(ctx, c, hub.Notify)
	guests := guestpool.New(ctx, c, validation.Parse, func(key string) { hub.Notify(changeOf(key)) })
	resolver := hostref.Resolver{Client: mgr.GetClient(), Pool: pool, ClusterID: id}
	kube, now := mgr.GetClient(), time.Now
	recorder := mgr.GetEventRecorder("guestclustering")
	executor := func() *execute.Executor { return execute.New(c) }
	for _, s := range []setup{
		&hostcluster.Reconciler{
			Client: kube, Objects: hostcluster.Objects{Reader: mgr.GetAPIReader(), Namespace: options.Namespace},
			Pool: pool, Hub: hub, Drivers: options.Drivers, Events: recorder, Now: now,
		},
		&shareddisk.Reconciler{Client: kube, Resolver: resolver, Hub: hub, Execute: executor(), Events: recorder, Now: now},
		&guestcluster.Reconciler{Client: kube, Secrets: mgr.GetAPIReader(), Resolver: resolver, Hub: hub, Execute: executor(), Guests: guests, Events: recorder, Now: now},
		&antiaffinitygroup.Reconciler{Client: kube, Resolver: resolver, Hub: hub, Execute: executor(), Events: recorder, Now: now},
	} {
		if err := s.SetupWithManager(mgr); err != nil {
			return fmt.Errorf("setting up %T: %w", s, err)
		}
	}
	return nil
}

// changeOf says that what is known of one guest cluster's members differs.
func changeOf(key string) hostpool.Change {
	namespace, name, _ := strings.Cut(key, "/")
	return hostpool.Change{Objects: []hyperv.Stamp{{Kind: hyperv.KindGuestCluster, Namespace: namespace, Name: name}}}
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
