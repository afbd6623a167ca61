package failover

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Cluster is one failover cluster. Its fields that are exported may be read at any time; methods change it.
type Cluster struct {
	Name, ID string
	// ObjectGUID is that of the cluster's computer object; empty in a workgroup.
	ObjectGUID string
	// SameSubnetThreshold and CrossSubnetThreshold are how many heartbeats a node may miss, CrossSubnetThreshold has no effect
	// here: all nodes are in one place.
	SameSubnetThreshold, CrossSubnetThreshold int64

	Nodes    []*Node
	Groups   []*Group
	Networks []*Network

	clock     Clock
	timing    Timing
	directory Directory
	newID     func() string
	outside   func(netip.Addr) bool
	happened  func(string)

	ballot ballot
	// witness is what decides beside the nodes; nil without one.
	witness *Resource
	// regroup is when the members will find that one of them is missing.
	regroup    func()
	nodeSeq    int
	diskSeq    int
	networkSeq int
	destroyed  bool
}

// Timing is how long things take.
type Timing struct {
	// Heartbeat is the time between two heartbeats ("SameSubnetDelay").
	Heartbeat time.Duration
	// Online is how long a group takes to come online.
	Online time.Duration
	// Join is from the start of the service to membership.
	Join time.Duration
}

// Microsoft's defaults.
const (
	defaultSameSubnet  = 10
	defaultCrossSubnet = 20

	isolation          = 240 * time.Second
	quarantineAfter    = 3
	quarantineWindow   = time.Hour
	quarantineDuration = 2 * time.Hour

	// serviceRestart is when Windows starts a cluster service again that has ended itself.
	serviceRestart = time.Minute
	// retryPeriod is when a group that has failed on every node is tried again ("RetryPeriodOnFailure").
	retryPeriod = time.Hour
)

// Setup is what a cluster is formed with.
type Setup struct {
	Name string
	// ObjectGUID is that of the cluster's computer object; empty in a workgroup.
	ObjectGUID string
	// Addresses are those of the cluster's name, one for each network without DHCP that clients use.
	Addresses []string

	Clock     Clock
	Timing    Timing
	Directory Directory
	NewID     func() string
	// Taken is whether an address is in use outside the cluster.
	Taken func(netip.Addr) bool
	// Happened is told every event, as a sentence.
	Happened func(string)
}

// Reason says why something was refused.
type Reason string

// The reasons of refusals.
const (
	// NotFound: there is no object of that name.
	NotFound Reason = "NotFound"
	// Exists: there is one already.
	Exists Reason = "Exists"
	// NotOnline: what is asked for needs something that is not online, or a node that is up.
	NotOnline Reason = "NotOnline"
	// InUse: something else needs it.
	InUse Reason = "InUse"
	// Invalid: the values make no sense here.
	Invalid Reason = "Invalid"
)

// Refusal is why a method did nothing.
type Refusal struct {
	Reason Reason
	// What is refused: a name.
	What    string
	Message string
}

func (r *Refusal) Error() string { return r.Message }

func refuse(reason Reason, what, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, What: what, Message: fmt.Sprintf(format, args...)}
}

// Form makes a cluster of computers that all run and hear each other. No disk is added. It is online at once, but for its
// groups, which come online in their time.
func Form(s Setup, computers []Computer) (*Cluster, error) {
	c := &Cluster{
		Name: s.Name, ID: s.NewID(), ObjectGUID: s.ObjectGUID,
		SameSubnetThreshold: defaultSameSubnet, CrossSubnetThreshold: defaultCrossSubnet,
		clock: s.Clock, timing: s.Timing, directory: s.Directory, newID: s.NewID, outside: s.Taken, happened: s.Happened,
	}
	for _, computer := range computers {
		if c.Node(computer.Name()) != nil {
			return nil, refuse(Invalid, computer.Name(), "%s is named twice.", computer.Name())
		}
		c.addNode(computer)
	}
	c.findNetworks()
	if err := c.unreachable(c.Nodes); err != nil {
		return nil, err
	}
	addresses, err := c.accessPoint(s.Addresses)
	if err != nil {
		return nil, err
	}
	for _, n := range c.Nodes {
		n.service, n.member = serviceUp, true
	}
	c.makeCoreGroups(addresses)
	c.agree(c.Nodes)
	c.settle()
	return c, nil
}

// unreachable is the refusal of nodes of which one does not hear another.
func (c *Cluster) unreachable(nodes []*Node) error {
	for _, n := range nodes[1:] {
		if !c.hear(nodes[0], n) {
			return refuse(NotOnline, n.Name(), "%s does not hear %s on any network.", n.Name(), nodes[0].Name())
		}
	}
	return nil
}

// Destroy ends the cluster. Its disks keep what is on them.
func (c *Cluster) Destroy() {
	c.destroyed = true
	cancel(&c.regroup)
	for _, g := range c.Groups {
		cancel(&g.pending)
	}
	for _, n := range c.Nodes {
		cancel(&n.starting)
	}
	c.Nodes, c.Groups = nil, nil
}

// Running is whether the cluster runs at all: some nodes are members and have quorum.
func (c *Cluster) Running() bool { return len(c.members()) > 0 }

// Node finds a node by its name, or nil.
func (c *Cluster) Node(name string) *Node {
	return find(c.Nodes, func(n *Node) bool { return strings.EqualFold(n.Name(), name) })
}

// Group finds a group by its name, or nil.
func (c *Cluster) Group(name string) *Group {
	return find(c.Groups, func(g *Group) bool { return strings.EqualFold(g.Name, name) })
}

// Resource finds a resource by its name, or nil.
func (c *Cluster) Resource(name string) *Resource {
	return find(c.Resources(), func(r *Resource) bool { return strings.EqualFold(r.Name, name) })
}

// Resources are those of all groups, cluster shared volumes among them.
func (c *Cluster) Resources() []*Resource {
	var out []*Resource
	for _, g := range c.Groups {
		out = append(out, g.Resources...)
	}
	return out
}

// Network finds a network by its id, or nil.
func (c *Cluster) Network(id string) *Network {
	return find(c.Networks, func(n *Network) bool { return strings.EqualFold(n.ID, id) })
}

func (c *Cluster) coreGroup() *Group {
	return find(c.Groups, func(g *Group) bool { return g.Type == CoreGroup })
}

func (c *Cluster) availableStorage() *Group {
	return find(c.Groups, func(g *Group) bool { return g.Type == AvailableStorage })
}

func find[T any](all []*T, is func(*T) bool) *T {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i]
	}
	return nil
}

// cancel cancels what was going to happen.
func cancel(what *func()) {
	if *what != nil {
		(*what)()
		*what = nil
	}
}

func (c *Cluster) say(format string, args ...any) {
	c.happened("cluster " + c.Name + ": " + fmt.Sprintf(format, args...))
}

// later lets something happen in this cluster, unless it is destroyed before.
func (c *Cluster) later(d time.Duration, do func()) func() {
	return c.clock.After(d, func() {
		if !c.destroyed {
			do()
			c.measure()
		}
	})
}

// detection is how long a node may be silent.
func (c *Cluster) detection() time.Duration {
	return time.Duration(c.SameSubnetThreshold) * c.timing.Heartbeat
}
