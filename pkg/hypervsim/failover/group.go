package failover

import (
	"cmp"
	"slices"
)

// Group is a clustered role, or one of the groups that every cluster has.
type Group struct {
	Name, ID string
	Type     GroupType
	// Owner is the node that the group is on, or was on last.
	Owner     *Node
	Resources []*Resource
	Shares    []Share
	// Service says how long the group has served.
	Service Service

	cluster *Cluster
	// pending is the end of coming online; wanted is whether it shall be online.
	pending func()
	wanted  bool
	// failedOn are the nodes that it could not be brought online on.
	failedOn map[*Node]bool
	retry    func()
}

// GroupType is Windows' ClusterGroupType.
type GroupType string

// The types of groups that there are here.
const (
	CoreGroup        GroupType = "Cluster"
	AvailableStorage GroupType = "AvailableStorage"
	FileServerRole   GroupType = "FileServer"
	// SharedVolume is the group of a cluster shared volume, which Windows does not list.
	SharedVolume GroupType = "ClusterSharedVolume"
)

// GroupState is Windows' ClusterGroupState.
type GroupState string

// The states of a group.
const (
	GroupOnline        GroupState = "Online"
	GroupOffline       GroupState = "Offline"
	GroupFailed        GroupState = "Failed"
	GroupPartialOnline GroupState = "PartialOnline"
	GroupPending       GroupState = "Pending"
)

// Share is an SMB share of a role.
type Share struct {
	Name, ScopeName, Path string
	ContinuouslyAvailable bool
}

// State follows from the states of the group's resources ("ClusterGroupState").
func (g *Group) State() GroupState {
	online, failed := 0, 0
	for _, r := range g.Resources {
		switch r.State {
		case ResourceOnline:
			online++
		case ResourceFailed:
			failed++
		case ResourceOffline, ResourceOnlinePending:
		}
	}
	switch {
	case g.pending != nil:
		return GroupPending
	case failed > 0:
		return GroupFailed
	case len(g.Resources) == 0 || online == 0:
		return GroupOffline
	case online < len(g.Resources):
		return GroupPartialOnline
	default:
		return GroupOnline
	}
}

func (c *Cluster) addGroup(name string, kind GroupType, owner *Node) *Group {
	g := &Group{Name: name, ID: c.newID(), Type: kind, Owner: owner, cluster: c, wanted: true, failedOn: map[*Node]bool{}}
	c.Groups = append(c.Groups, g)
	return g
}

func (c *Cluster) dropGroup(g *Group) {
	cancel(&g.pending)
	cancel(&g.retry)
	c.Groups = slices.DeleteFunc(c.Groups, func(o *Group) bool { return o == g })
}

// makeCoreGroups makes the groups that every cluster has.
func (c *Cluster) makeCoreGroups(addresses []address) {
	owner := c.Nodes[0]
	core := c.addGroup("Cluster Group", CoreGroup, owner)
	ips := core.addAddresses("Cluster IP Address", addresses)
	name := core.add("Cluster Name", NetworkName, map[string]string{"DnsName": c.Name, "ObjectGUID": c.ObjectGUID}, ips...)
	name.anyOf = true
	c.addGroup("Available Storage", AvailableStorage, owner)
	core.bringOnline()
}

// takeOffline ends the group where it is, whatever it was doing.
func (g *Group) takeOffline() {
	cancel(&g.pending)
	for _, r := range g.Resources {
		if r.State != ResourceFailed {
			r.State = ResourceOffline
		}
	}
}

// bringOnline begins to bring the group online where it is.
func (g *Group) bringOnline() {
	cancel(&g.pending)
	if len(g.Resources) == 0 {
		return
	}
	for _, r := range g.Resources {
		if r.State != ResourceOnline {
			r.State = ResourceOnlinePending
		}
	}
	g.pending = g.cluster.later(g.cluster.timing.Online, g.complete)
}

// complete is when the resources come online, each after those that it depends on.
func (g *Group) complete() {
	g.pending = nil
	for _, r := range g.Resources {
		r.bringOnline()
	}
	if g.broken() {
		g.cluster.groupFailed(g)
	} else {
		clear(g.failedOn)
		g.cluster.say("group %s is online on %s", g.Name, g.Owner.Name())
	}
	g.cluster.settle()
}

// broken is whether a resource has failed that the group needs.
func (g *Group) broken() bool {
	return slices.ContainsFunc(g.Resources, func(r *Resource) bool { return r.State == ResourceFailed && !r.isWitness() })
}

// groupFailed tries the group on another node that it has not failed on. When none is left it stays, and is tried again later.
func (c *Cluster) groupFailed(g *Group) {
	g.failedOn[g.Owner] = true
	if to := c.bestNode(g, g.failedOn); to != nil {
		c.say("group %s failed on %s and goes to %s", g.Name, g.Owner.Name(), to.Name())
		c.move(g, to)
		return
	}
	c.say("group %s failed (1205)", g.Name)
	cancel(&g.retry)
	g.retry = c.later(retryPeriod, func() {
		g.retry = nil
		if g.broken() && g.Owner.member {
			g.restart()
		}
	})
}

// restart tries a group that failed once more.
func (g *Group) restart() {
	clear(g.failedOn)
	for _, r := range g.Resources {
		r.State = ResourceOffline
	}
	g.bringOnline()
}

// retryFailed tries again what has failed, since a node has come.
func (c *Cluster) retryFailed() {
	for _, g := range c.Groups {
		if g.pending == nil && g.broken() {
			g.restart()
		}
	}
}

// StartGroup brings a group online where it is.
func (c *Cluster) StartGroup(g *Group) {
	g.wanted = true
	if s := g.State(); s == GroupOnline || s == GroupPending {
		return
	}
	g.restart()
	c.settle()
}

// MoveGroup moves a group to another node that is up.
func (c *Cluster) MoveGroup(g *Group, to *Node) error {
	if to == nil {
		to = c.bestNode(g, nil)
	}
	switch {
	case to == nil || !to.member || to.paused:
		return refuse(NotOnline, g.Name, "Group %s cannot move: no node that it could move to is up.", g.Name)
	case to == g.Owner:
		return nil
	}
	c.move(g, to)
	c.settle()
	return nil
}

// move takes a group offline where it is and brings it online elsewhere.
func (c *Cluster) move(g *Group, to *Node) {
	g.takeOffline()
	for _, r := range g.Resources {
		r.State = ResourceOffline
	}
	g.Owner = to
	if g.wanted {
		g.bringOnline()
	}
}

// bestNode chooses where a group goes: to a node that is up and not paused, where its resources can be online, with the fewest
// groups. Nil when there is none.
func (c *Cluster) bestNode(g *Group, but map[*Node]bool) *Node {
	fit := slices.DeleteFunc(c.members(), func(n *Node) bool { return n == g.Owner || n.paused || n.gone || but[n] })
	if len(fit) == 0 {
		return nil
	}
	return slices.MinFunc(fit, func(a, b *Node) int {
		return cmp.Or(
			compareBools(g.fits(a), g.fits(b)),
			cmp.Compare(c.groupsOn(a), c.groupsOn(b)),
			cmp.Compare(a.number, b.number),
		)
	})
}

// fits is whether all resources of a group could be online on a node.
func (g *Group) fits(n *Node) bool {
	return !slices.ContainsFunc(g.Resources, func(r *Resource) bool { return r.problem(n) != "" })
}

func (c *Cluster) groupsOn(n *Node) int {
	count := 0
	for _, g := range c.Groups {
		if g.Owner == n {
			count++
		}
	}
	return count
}

// watchGroups moves groups whose node is gone and looks whether those that are online still can be.
func (c *Cluster) watchGroups() {
	for _, g := range slices.Clone(c.Groups) {
		switch {
		case !g.Owner.member:
			c.failOver(g)
		case g.pending == nil && g.wanted && g.atRest():
			g.bringOnline()
		case g.pending == nil:
			c.watchGroup(g)
		}
	}
}

// atRest is whether something that the group needs is offline though nothing has failed.
func (g *Group) atRest() bool {
	return !g.broken() && slices.ContainsFunc(g.Resources, func(r *Resource) bool { return r.State == ResourceOffline && !r.isWitness() })
}

// failOver gives a group whose node is gone to another one. A node that is paused takes it only when no other is there.
func (c *Cluster) failOver(g *Group) {
	lost := g.Owner
	to := c.bestNode(g, nil)
	if to == nil {
		to = c.members()[0]
	}
	clear(g.failedOn)
	c.move(g, to)
	if len(g.Resources) > 0 {
		c.say("group %s fails over from %s to %s", g.Name, lost.Name(), to.Name())
	}
}

// watchGroup fails resources whose ground is gone. A node that nobody hears cannot tell the others so: they will miss it first.
func (c *Cluster) watchGroup(g *Group) {
	if c.unheard(g.Owner) {
		return
	}
	failed := false
	for _, r := range g.Resources {
		if r.State != ResourceOnline || r.isWitness() || silent(g.Owner) {
			continue
		}
		if why := r.problem(g.Owner); why != "" {
			r.fail(why)
			failed = true
		}
	}
	if failed {
		c.groupFailed(g)
	}
}
