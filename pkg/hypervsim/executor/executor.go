// Package executor stands in for the executor, which is PowerShell: it answers the frames of pkg/hostagent/session with a
// simulated world. Nothing of the world's is in here: what a cmdlet does is the world's own agent's to say.
package executor

import (
	"context"
	"strings"
	"sync"

	"guestclustering.io/operator/pkg/hostagent"
)

// Executor runs processes on the hosts of one world. The processes of a host know of each other what a named object of the
// host's kernel tells the real ones: whether one of them is changing something.
type Executor struct {
	driver hostagent.Driver

	mu sync.Mutex
	// changing counts the changing batches by host; settled is closed and made anew when one ends.
	changing map[string]int
	settled  chan struct{}
}

// New makes an executor whose processes hand their batches to the world's driver.
func New(world hostagent.Driver) *Executor {
	return &Executor{driver: world, changing: map[string]int{}, settled: make(chan struct{})}
}

// begin counts a changing batch on a host until end.
func (e *Executor) begin(host string) (end func()) {
	host = strings.ToLower(host)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changing[host]++
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.changing[host]--
		close(e.settled)
		e.settled = make(chan struct{})
	}
}

// open gives the host's agent once no process changes anything on the host, and nothing that was given up runs there.
func (e *Executor) open(ctx context.Context, host string) (hostagent.Agent, error) {
	for {
		e.mu.Lock()
		n, settled := e.changing[strings.ToLower(host)], e.settled
		e.mu.Unlock()
		if n == 0 {
			return e.driver.Open(ctx, hostagent.Target{Host: host})
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
