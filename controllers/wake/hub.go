// Package wake brings what changed on the hosts to the controllers whose objects it concerns.
package wake

import (
	"context"
	"sync"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"guestclustering.io/operator/pkg/hostpool"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Mapper finds the objects of one controller that a change concerns.
type Mapper func(ctx context.Context, change hostpool.Change) []reconcile.Request

// Hub passes changes on to every controller that asked. Its zero value is ready.
type Hub struct {
	mu        sync.Mutex
	listeners []func(hostpool.Change)
}

// Notify is hostpool's callback. It never blocks: work queues are unbounded and merge.
func (h *Hub) Notify(change hostpool.Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, listen := range h.listeners {
		listen(change)
	}
}

// Source makes changes wake the objects that the mapper finds.
func (h *Hub) Source(mapper Mapper) source.Source {
	return source.Func(func(ctx context.Context, q queue) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.listeners = append(h.listeners, func(change hostpool.Change) {
			for _, request := range mapper(ctx, change) {
				q.Add(request)
			}
		})
		return nil
	})
}
