// Package hostpool holds, for every host cluster, the sessions with its hosts, the latest snapshot and the arbiter of
// disruptive steps.
//
// One snapshot per host cluster is taken per poll interval and shared by every object; nobody polls per object. Hosts
// are asked side by side, and one that hangs is left to answer in its own time while the others go on: until it does,
// what it runs is unknown.
//
// What a batch of ours changed is read again before Run returns, so that whoever plans next sees it. When that reading
// fails, or when the answer to a changing batch is lost, the host counts as not having answered: nobody plans on a
// picture that is older than our own last act.
package hostpool

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// Config says how a host cluster is reached and what is read of it.
type Config struct {
	Driver hostagent.Driver
	// DriverKey changes when the driver must be made anew, such as another address.
	DriverKey string
	// Pools are the folders whose stamped folders are listed; Files are checked to exist on every host.
	Pools, Files []string
	PollInterval time.Duration
}

// Change says what of a host cluster differs from the snapshot before.
type Change struct {
	HostCluster string
	// Objects are the stamps of the objects whose folders, machines, groups or disks differ.
	Objects []hyperv.Stamp
	// Hosts is whether anything differs that concerns the host cluster itself, and so every object on it.
	Hosts bool
	// Addresses is whether the addresses differ that machines of somebody else have.
	Addresses bool
}

// Pool is every host cluster by name.
type Pool struct {
	start func(name string, config Config) *Cluster

	mu       sync.Mutex
	clusters map[string]*Cluster
}

// New makes an empty pool. Polling ends with ctx. notify is called from the polling goroutines when something differs
// from the last snapshot; it must not block.
func New(ctx context.Context, c clock.Clock, notify func(Change)) *Pool {
	start := func(name string, config Config) *Cluster { return newCluster(ctx, name, config, c, notify) }
	return &Pool{start: start, clusters: map[string]*Cluster{}}
}

// Set starts polling a host cluster, or changes how it is polled. It does not wait for an answer.
func (p *Pool) Set(name string, config Config) *Cluster {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.clusters[name]
	if !ok {
		c = p.start(name, config)
		p.clusters[name] = c
		return c
	}
	c.reconfigure(config)
	return c
}

// Get finds a host cluster that was set.
func (p *Pool) Get(name string) (*Cluster, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.clusters[name]
	return c, ok
}

// Remove ends polling a host cluster and closes its sessions.
func (p *Pool) Remove(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c, ok := p.clusters[name]; ok {
		c.stop()
		delete(p.clusters, name)
	}
}

// Close ends polling everything.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, c := range p.clusters {
		c.stop()
		delete(p.clusters, name)
	}
}
