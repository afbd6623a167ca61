package failover

import (
	"slices"
	"strings"
	"time"
)

// Node is a computer that is a node of the cluster, whether it runs or not.
type Node struct {
	Computer Computer
	cluster  *Cluster
	// name is what the computer was called when it became a node.
	name   string
	number int
	// weight is NodeWeight: 1, or 0 for a node that was given no vote.
	weight  int
	service service
	// member is whether it belongs to the nodes that run the cluster now.
	member bool
	// current is whether it has the newest database: it was a member when it last changed.
	current bool
	// gone is whether it has lost power as a member, and nobody knows yet. frozenSince is since when it stands still.
	gone        bool
	frozenSince time.Time
	paused      bool
	drain       Drain
	// starting is the start of its service.
	starting func()
	// departures are when it left without a word, within the last hour.
	departures       []time.Time
	isolatedUntil    time.Time
	quarantinedUntil time.Time
}

// service says what the cluster service of a node does.
type service int

const (
	serviceDown service = iota
	// serviceStarting: it was started, or starts itself again.
	serviceStarting
	// serviceUp: it runs, as a member or waiting for the others.
	serviceUp
)

// Drain is what became of a drain ("ClusterNodeDrainStatus").
type Drain string

// The states of a drain.
const (
	DrainNotInitiated Drain = "NotInitiated"
	DrainInProgress   Drain = "InProgress"
	DrainCompleted    Drain = "Completed"
	DrainFailed       Drain = "Failed"
)

// State is a node's state as the nodes that run the cluster see it ("ClusterNodeState").
type State string

// The states of a node.
const (
	Up      State = "Up"
	Down    State = "Down"
	Paused  State = "Paused"
	Joining State = "Joining"
)

// Name is the node's: that of the computer when it became one.
func (n *Node) Name() string { return n.name }

// Cluster is the node's cluster.
func (n *Node) Cluster() *Cluster { return n.cluster }

// Number is the node's id.
func (n *Node) Number() int { return n.number }

// State is the node's state.
func (n *Node) State() State {
	switch {
	case n.member && n.paused:
		return Paused
	case n.member:
		return Up
	case n.service == serviceUp && n.cluster.Running() && !n.Quarantined():
		return Joining
	default:
		return Down
	}
}

// Isolated is whether the node has left without a word a short time ago.
func (n *Node) Isolated() bool { return !n.member && n.cluster.clock.Now().Before(n.isolatedUntil) }

// Quarantined is whether the node is kept out since it left without a word too often.
func (n *Node) Quarantined() bool { return n.cluster.clock.Now().Before(n.quarantinedUntil) }

// Serves is whether the node's own service can be asked: it is a member of a cluster that runs.
func (n *Node) Serves() bool { return n.member && n.Computer.Condition() == Running }

// ServiceRuns is whether the process of the service is there, be it a member or not.
func (n *Node) ServiceRuns() bool { return n.service == serviceUp || n.service == serviceStarting }

// Drained says how a drain goes.
func (n *Node) Drained() Drain {
	if n.drain == "" {
		return DrainNotInitiated
	}
	return n.drain
}

// Weight is the vote that the node is configured to have, DynamicWeight the one that it has now.
func (n *Node) Weight() int { return n.weight }

// DynamicWeight is 1 for a node whose vote counts now.
func (n *Node) DynamicWeight() int {
	if n.cluster.ballot.nodes[n] {
		return 1
	}
	return 0
}

// addNode makes a computer a node, whose service does not run yet.
func (c *Cluster) addNode(computer Computer) *Node {
	c.nodeSeq++
	n := &Node{Computer: computer, cluster: c, name: computer.Name(), number: c.nodeSeq, weight: 1}
	c.Nodes = append(c.Nodes, n)
	return n
}

// Join makes another computer a node. It must hear a member.
func (c *Cluster) Join(computer Computer) (*Node, error) {
	if n := c.Node(computer.Name()); n != nil {
		return nil, refuse(Exists, computer.Name(), "%s is a node of %s already.", computer.Name(), c.Name)
	}
	n := c.addNode(computer)
	c.findNetworks()
	if !c.hearsMember(n) {
		c.Nodes = slices.DeleteFunc(c.Nodes, func(o *Node) bool { return o == n })
		c.dropNetworks()
		return nil, refuse(NotOnline, computer.Name(), "%s hears no node of %s on any network.", computer.Name(), c.Name)
	}
	n.service = serviceUp
	c.settle()
	return n, nil
}

// Evict makes a node a node no more. What it owns moves away first. The last node stays: a cluster is destroyed instead.
func (c *Cluster) Evict(n *Node) error {
	if len(c.Nodes) == 1 {
		return refuse(InUse, n.Name(), "%s is the last node of %s: destroy the cluster instead.", n.Name(), c.Name)
	}
	if n.member && len(c.members()) == 1 {
		return refuse(InUse, n.Name(), "%s is the last node of %s that is up.", n.Name(), c.Name)
	}
	c.stop(n)
	c.Nodes = slices.DeleteFunc(c.Nodes, func(o *Node) bool { return o == n })
	delete(c.ballot.nodes, n)
	c.say("node %s was evicted", n.Name())
	c.agree(c.members())
	c.dropNetworks()
	c.settle()
	return nil
}

// Start starts the service of a node: it joins, or waits until there are enough nodes to form the cluster. On a computer that
// has another name since it does not start.
func (c *Cluster) Start(n *Node) {
	if n.gone {
		// It is back before it was missed.
		c.regroupNow()
	}
	if n.ServiceRuns() {
		return
	}
	if !strings.EqualFold(n.name, n.Computer.Name()) {
		c.say("the service of node %s does not start: the computer is named %s", n.name, n.Computer.Name())
		return
	}
	c.startAfter(n, c.timing.Join)
}

func (c *Cluster) startAfter(n *Node, d time.Duration) {
	cancel(&n.starting)
	n.service = serviceStarting
	n.starting = c.later(d, func() {
		n.starting = nil
		n.service = serviceUp
		c.settle()
	})
}

// Stop stops the service of a node in order: it says goodbye, and what it owns moves away.
func (c *Cluster) Stop(n *Node) {
	c.stop(n)
	c.settle()
}

func (c *Cluster) stop(n *Node) {
	cancel(&n.starting)
	n.service = serviceDown
	if !n.member {
		return
	}
	rest := without(c.members(), n)
	if len(rest) > 0 {
		// Who leaves in order gives its vote back first.
		c.ballot = c.ballot.spread(rest, c.witness != nil, c.witnessWorks())
	}
	n.member, n.gone = false, false
	c.say("node %s left", n.Name())
	if len(rest) == 0 {
		c.end()
		return
	}
	c.agree(rest)
	if !c.ballot.isMajority(rest, c.witnessFrom(rest)) {
		c.regroupNow()
	}
}

func without(nodes []*Node, n *Node) []*Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(o *Node) bool { return o == n })
}

// Suspend pauses a node: it takes no groups. With drain its groups move away.
func (c *Cluster) Suspend(n *Node, drain bool) error {
	if !n.member {
		return refuse(NotOnline, n.Name(), "Node %s is not up.", n.Name())
	}
	n.paused = true
	if drain {
		n.drain = DrainInProgress
		c.say("draining node %s", n.Name())
	}
	c.settle()
	return nil
}

// Resume lets a node take groups again; nothing moves back.
func (c *Cluster) Resume(n *Node) error {
	if !n.member {
		return refuse(NotOnline, n.Name(), "Node %s is not up.", n.Name())
	}
	n.paused, n.drain = false, DrainNotInitiated
	c.settle()
	return nil
}

// drainOn takes a drain as far as it goes now.
func (c *Cluster) drainOn(n *Node) {
	if !n.member || n.drain != DrainInProgress {
		return
	}
	left := 0
	for _, g := range c.Groups {
		if g.Owner != n {
			continue
		}
		to := c.bestNode(g, nil)
		if to == nil {
			left++
			continue
		}
		c.move(g, to)
	}
	switch {
	case left > 0:
		n.drain = DrainFailed
		c.say("the drain of node %s failed", n.Name())
	case !slices.ContainsFunc(c.Groups, func(g *Group) bool { return g.State() == GroupPending }):
		n.drain = DrainCompleted
		c.say("node %s is drained", n.Name())
	}
}

// depart notes that a node left without a word, and keeps it out once that has happened too often.
func (c *Cluster) depart(n *Node) {
	now := c.clock.Now()
	n.isolatedUntil = now.Add(isolation)
	n.departures = append(slices.DeleteFunc(n.departures, func(t time.Time) bool { return now.Sub(t) >= quarantineWindow }), now)
	if len(n.departures) < quarantineAfter || c.quarantined() >= max(1, len(c.Nodes)/4) {
		return
	}
	n.quarantinedUntil = now.Add(quarantineDuration)
	n.departures = nil
	c.say("node %s is in quarantine", n.Name())
	c.later(quarantineDuration, c.settle)
}

func (c *Cluster) quarantined() int {
	n := 0
	for _, node := range c.Nodes {
		if node.Quarantined() {
			n++
		}
	}
	return n
}
