package hostpool

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/inventory"
	"guestclustering.io/operator/pkg/plan"
)

const (
	// readTimeout bounds one reading batch.
	readTimeout = 20 * time.Second
	// changeTimeout bounds one changing batch: long work is started, not awaited.
	changeTimeout = 2 * time.Minute
	// suspectGrace is how long a poll waits for a host that did not answer the last time.
	suspectGrace = 200 * time.Millisecond
)

// Cluster is one host cluster: its sessions and the latest snapshot. Its methods may be called from many goroutines.
type Cluster struct {
	name     string
	clock    clock.Clock
	notify   func(Change)
	sessions *sessions
	stop     context.CancelFunc
	wake     chan struct{}

	mu      sync.Mutex
	conf    Config
	facts   *facts
	no      int
	latest  *hyperv.Snapshot
	lastErr error
	// pending are the readings of hosts that a poll did not wait for.
	pending map[string]bool

	// arbiter lets one disruptive step be weighed at a time.
	arbiter   sync.Mutex
	proposals map[string]plan.Proposal
	macs      macReservations
}

func newCluster(ctx context.Context, name string, config Config, c clock.Clock, notify func(Change)) *Cluster {
	ctx, cancel := context.WithCancel(ctx)
	cl := &Cluster{
		name: name, clock: c, notify: notify, stop: cancel, conf: config, facts: newFacts(), wake: make(chan struct{}, 1),
		sessions: &sessions{driver: config.Driver, agents: map[string]hostagent.Agent{}},
		pending:  map[string]bool{}, proposals: map[string]plan.Proposal{}, macs: macReservations{},
	}
	go cl.poll(ctx)
	return cl
}

func (c *Cluster) config() Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conf
}

// reconfigure takes effect at once: what is read may have changed.
func (c *Cluster) reconfigure(config Config) {
	c.mu.Lock()
	config.Driver = c.conf.Driver
	same := slices.Equal(c.conf.Pools, config.Pools) && slices.Equal(c.conf.Files, config.Files) && c.conf.PollInterval == config.PollInterval
	c.conf = config
	c.mu.Unlock()
	if same {
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Snapshot is the latest snapshot, or nil before the first, and why the host cluster could not be read the last time.
func (c *Cluster) Snapshot() (*hyperv.Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest, c.lastErr
}

func (c *Cluster) poll(ctx context.Context) {
	defer func() { _ = c.sessions.close() }()
	for {
		c.readAll(ctx)
		timer := c.clock.NewTimer(c.config().PollInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-c.wake:
		case <-timer.C():
		}
		timer.Stop()
	}
}

// readAll takes a full snapshot.
func (c *Cluster) readAll(ctx context.Context) {
	no := c.nextReading()
	c.readCluster(ctx, no)
	c.readHosts(ctx, no, c.hostNames())
	c.publish(true)
}

// nextReading numbers a reading at its start.
func (c *Cluster) nextReading() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.no++
	return c.no
}

func (c *Cluster) hostNames() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.facts.cluster == nil {
		return nil
	}
	var names []string
	for _, n := range c.facts.cluster.Nodes {
		names = append(names, n.Name)
	}
	return names
}

// readCluster asks one host about the host cluster: first one that answered last time, by name, else any.
func (c *Cluster) readCluster(ctx context.Context, no int) {
	conf := c.config()
	var lastErr error
	for _, host := range c.candidates() {
		cluster, disks, disksOK, err := c.askCluster(ctx, host, conf.Pools)
		if err == nil {
			c.mu.Lock()
			c.facts.setCluster(&cluster, disks, disksOK, no, c.clock.Now())
			c.lastErr = nil
			c.mu.Unlock()
			return
		}
		lastErr = err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if no > c.facts.clusterNo {
		c.facts.clusterOK, c.facts.clusterNo, c.lastErr = false, no, lastErr
	}
}

// candidates are the hosts to ask about the host cluster, those that answered last time first. At the end stands the
// empty name: any host that the driver can reach.
func (c *Cluster) candidates() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	if c.facts.cluster != nil {
		for _, n := range c.facts.cluster.Nodes {
			if c.facts.hosts[n.Name].ok && n.State != hyperv.HostDown {
				names = append(names, n.Name)
			}
		}
	}
	slices.Sort(names)
	return append(names, "")
}

func (c *Cluster) askCluster(ctx context.Context, host string, pools []string) (inventory.Cluster, []hyperv.VirtualDisk, bool, error) {
	results, err := c.read(ctx, inventory.ClusterState(host, pools))
	if err != nil {
		return inventory.Cluster{}, nil, false, err
	}
	cluster, err := inventory.DecodeClusterState(pools, results)
	if err != nil {
		return inventory.Cluster{}, nil, false, err
	}
	files := inventory.SharedDiskFiles(cluster.Folders)
	if len(files) == 0 {
		return cluster, nil, true, nil
	}
	results, err = c.read(ctx, inventory.Disks(host, files))
	if err != nil {
		return cluster, nil, false, nil //nolint:nilerr // the disks are then unknown, which the snapshot says; the rest counts
	}
	return cluster, inventory.DecodeDisks(results), true, nil
}

func (c *Cluster) read(ctx context.Context, b hostagent.Batch) (hostagent.Results, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return c.sessions.run(ctx, b)
}

// readHosts asks hosts side by side. It waits for all of them but those that did not answer the last time: they get a
// moment, and their answer counts when it comes.
func (c *Cluster) readHosts(ctx context.Context, no int, names []string) {
	var wait sync.WaitGroup
	for _, name := range names {
		suspect, busy := c.beginReading(name)
		if busy {
			continue
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer c.endReading(name)
			c.readHost(ctx, name, no)
			if suspect {
				c.publish(false)
			}
		}()
		wait.Go(func() { c.await(done, suspect) })
	}
	wait.Wait()
}

func (c *Cluster) await(done <-chan struct{}, suspect bool) {
	if !suspect {
		<-done
		return
	}
	timer := c.clock.NewTimer(suspectGrace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C():
	}
}

func (c *Cluster) beginReading(name string) (suspect, busy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, seen := c.facts.hosts[name]
	suspect = seen && !known.ok
	if suspect && c.pending[name] {
		return true, true
	}
	if suspect {
		c.pending[name] = true
	}
	return suspect, false
}

func (c *Cluster) endReading(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, name)
}

func (c *Cluster) readHost(ctx context.Context, name string, no int) {
	h, err := c.askHost(ctx, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts.setHost(name, h, no, err == nil)
}

func (c *Cluster) askHost(ctx context.Context, name string) (hyperv.Host, error) {
	results, err := c.read(ctx, inventory.HostState(name, c.config().Files))
	if err != nil {
		return hyperv.Host{}, err
	}
	h, err := inventory.DecodeHostState(name, results)
	if err != nil {
		return hyperv.Host{}, err
	}
	ids := c.ours(h.Machines)
	if len(ids) == 0 {
		return h, nil
	}
	results, err = c.read(ctx, inventory.Configurations(name, ids))
	if err != nil {
		return hyperv.Host{}, err
	}
	return h, inventory.AddConfigurations(&h, results)
}

// ours are the machines in stamped folders; only they are asked for their configuration.
func (c *Cluster) ours(machines []hyperv.Machine) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.facts.cluster == nil {
		return nil
	}
	var ids []string
	for _, vm := range machines {
		if slices.ContainsFunc(c.facts.cluster.Folders, func(f hyperv.Folder) bool { return hyperv.Within(f.Path, vm.Location) }) {
			ids = append(ids, vm.ID)
		}
	}
	return ids
}

// publish makes the latest facts the snapshot and tells what differs.
func (c *Cluster) publish(full bool) {
	c.mu.Lock()
	now := c.clock.Now()
	before, next := c.latest, c.facts.snapshot(now)
	c.facts.memory.remember(next, full, now)
	c.latest = next
	change := difference(before, next)
	c.mu.Unlock()
	change.HostCluster = c.name
	if change.Hosts || len(change.Objects) > 0 {
		c.notify(change)
	}
}

// Refresh reads the host cluster and these hosts again; without names, every host.
func (c *Cluster) Refresh(ctx context.Context, hosts ...string) {
	if len(hosts) == 0 {
		c.readAll(ctx)
		return
	}
	no := c.nextReading()
	c.readCluster(ctx, no)
	for _, h := range hosts {
		c.readHost(ctx, h, no)
	}
	c.publish(false)
}

// Run runs a batch. One that changes something is followed by reading its target again before Run returns, whatever
// became of it: a lost answer means that we look, never that we send again.
func (c *Cluster) Run(ctx context.Context, b hostagent.Batch) (hostagent.Results, error) {
	if err := b.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", hostagent.Internal, err)
	}
	if !b.Changes() {
		return c.read(ctx, b)
	}
	runCtx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	b.Target.Host = cmp.Or(b.Target.Host, c.candidates()[0])
	results, err := c.sessions.run(runCtx, b)
	c.Refresh(ctx, c.touched(b.Target.Host)...)
	return results, err
}

// touched are the hosts to read after a change on one. Without a name the change was the host cluster's.
func (c *Cluster) touched(host string) []string {
	if host == "" {
		return nil
	}
	return []string{host}
}
