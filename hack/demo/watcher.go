package main

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
)

type condition = metav1.Condition

// watcher prints a line whenever what kubectl get shows of a guest cluster changes.
type watcher struct {
	client client.Client
	last   map[string]string
}

func newWatcher(c client.Client) *watcher { return &watcher{client: c, last: map[string]string{}} }

func (w *watcher) run(ctx context.Context) {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.look(ctx)
		}
	}
}

func (w *watcher) look(ctx context.Context) {
	var list v1alpha1.GuestClusterList
	// What cannot be read now is read at the next tick.
	if err := w.client.List(ctx, &list); err != nil {
		return
	}
	for i := range list.Items {
		gc := &list.Items[i]
		s := gc.Status.Summary
		line := fmt.Sprintf("%-6s ready=%-7s members=%-4s disks=%-4s on %-20s %s", gc.Name, ready(gc), s.Members, s.Storage, s.Placement, s.Message)
		if w.last[gc.Name] != line {
			w.last[gc.Name] = line
			say("%s", line)
		}
	}
}

func ready(gc *v1alpha1.GuestCluster) string {
	for _, c := range gc.Status.Conditions {
		if c.Type == string(v1alpha1.ConditionReady) {
			return string(c.Status)
		}
	}
	return "Unknown"
}
