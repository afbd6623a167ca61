package failover

import (
	"cmp"
	"slices"
)

// members are the nodes that run the cluster: one partition at most, and it has quorum.
func (c *Cluster) members() []*Node {
	return slices.DeleteFunc(slices.Clone(c.Nodes), func(n *Node) bool { return !n.member })
}

// Changed tells the cluster that something outside has changed: power, a network, a disk, a witness.
func (c *Cluster) Changed() {
	if c.destroyed {
		return
	}
	c.lookForMissing()
	c.settle()
}

// lookForMissing begins to wait for a member that is silent, and stops once all are heard.
func (c *Cluster) lookForMissing() {
	members := c.members()
	for _, n := range members {
		n.gone = n.gone || n.Computer.Condition() == Off
		if n.Computer.Condition() != Frozen {
			n.frozenSince = c.clock.Now()
		}
	}
	whole := len(members) == 0 || len(c.partitions(members)) == 1 && !slices.ContainsFunc(members, silent)
	switch {
	case whole:
		cancel(&c.regroup)
	case c.regroup == nil:
		c.regroup = c.later(c.detection(), c.regroupNow)
	}
}

// silent is whether nothing is heard of a node. One that has lost power is never heard again as the member that it was.
func silent(n *Node) bool { return n.gone || n.Computer.Condition() != Running }

// partitions are the sets of running nodes that hear each other.
func (c *Cluster) partitions(nodes []*Node) [][]*Node {
	var out [][]*Node
	left := slices.DeleteFunc(slices.Clone(nodes), silent)
	for len(left) > 0 {
		part := []*Node{left[0]}
		left = left[1:]
		for i := 0; i < len(part); i++ {
			var still []*Node
			for _, n := range left {
				if c.hear(part[i], n) {
					part = append(part, n)
				} else {
					still = append(still, n)
				}
			}
			left = still
		}
		out = append(out, part)
	}
	return out
}

// regroupNow lets the members that hear each other find out who may go on: those with more votes first, and of two halves that
// both reach the witness the one with the core group, which holds it already.
func (c *Cluster) regroupNow() {
	cancel(&c.regroup)
	before := c.members()
	parts := c.partitions(before)
	owner := c.coreGroup().Owner
	slices.SortStableFunc(parts, func(a, b []*Node) int {
		return cmp.Or(
			cmp.Compare(c.ballot.cast(b, false), c.ballot.cast(a, false)),
			compareBools(slices.Contains(a, owner), slices.Contains(b, owner)),
		)
	})
	if len(parts) > 0 {
		// Who stands still for a moment is waited for.
		parts[0] = append(parts[0], c.patient(before)...)
	}
	var survivors []*Node
	for _, part := range parts {
		if c.ballot.isMajority(part, c.witnessFrom(part)) {
			survivors = part
			break
		}
	}
	for _, n := range before {
		if !slices.Contains(survivors, n) {
			c.lose(n, len(survivors) > 0)
		}
	}
	if len(survivors) == 0 {
		c.say("quorum is lost (1177)")
		c.end()
		c.settle()
		return
	}
	c.agree(survivors)
	c.settle()
}

// patient are members that stand still, but not for too long yet.
func (c *Cluster) patient(members []*Node) []*Node {
	return slices.DeleteFunc(slices.Clone(members), func(n *Node) bool {
		return n.gone || n.Computer.Condition() != Frozen || c.clock.Now().Sub(n.frozenSince) >= c.detection()
	})
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// lose takes a node out of membership that is gone, or that is left without quorum: its service ends itself then and starts
// again.
func (c *Cluster) lose(n *Node, othersGoOn bool) {
	off := n.gone || n.Computer.Condition() == Off
	n.member, n.gone = false, false
	if n.drain == DrainInProgress {
		n.drain = DrainFailed
	}
	if othersGoOn {
		c.say("node %s was removed from membership (1135)", n.Name())
		c.depart(n)
	}
	if off {
		cancel(&n.starting)
		n.service = serviceDown
		return
	}
	c.startAfter(n, serviceRestart)
}

// end takes everything offline: no node runs the cluster any more.
func (c *Cluster) end() {
	cancel(&c.regroup)
	for _, g := range c.Groups {
		g.takeOffline()
	}
}

// agree makes some nodes the members, who have agreed on it by the votes of before.
func (c *Cluster) agree(nodes []*Node) {
	for _, n := range c.Nodes {
		n.member = slices.Contains(nodes, n)
		n.current = n.member
	}
	c.ballot = c.ballot.spread(nodes, c.witness != nil, c.witnessWorks())
}

// settle lets happen what can happen now: nodes join or form the cluster, the witness is looked at, groups find an owner.
func (c *Cluster) settle() {
	if c.destroyed {
		return
	}
	c.powerOff()
	c.findNetworks()
	c.admit()
	c.lookForMissing()
	if c.Running() {
		c.watchWitness()
	}
	// Without its witness the cluster may have lost quorum.
	if c.Running() {
		c.watchGroups()
		for _, n := range c.Nodes {
			c.drainOn(n)
		}
	}
	c.measure()
}

// powerOff ends the service of nodes that are not members and have lost power.
func (c *Cluster) powerOff() {
	for _, n := range c.Nodes {
		if !n.member && n.Computer.Condition() == Off {
			cancel(&n.starting)
			n.service = serviceDown
		}
	}
}

// admit lets nodes in that wait.
func (c *Cluster) admit() {
	waiting := slices.DeleteFunc(slices.Clone(c.Nodes), func(n *Node) bool {
		return n.member || n.service != serviceUp || n.Quarantined() || silent(n)
	})
	if !c.Running() {
		c.form(waiting)
		return
	}
	for _, n := range waiting {
		if c.hearsMember(n) {
			c.say("node %s joined", n.Name())
			n.paused, n.drain = false, DrainNotInitiated
			n.isolatedUntil = c.clock.Now()
			c.agree(append(c.members(), n))
			c.retryFailed()
		}
	}
}

// form forms the cluster again once those that wait have quorum by the votes of before, and one has the newest database: a
// node that was there at the end, or a disk witness.
func (c *Cluster) form(waiting []*Node) {
	for _, part := range c.partitions(waiting) {
		witness := c.witnessFrom(part)
		newest := witness && c.witness.Type == PhysicalDisk || slices.ContainsFunc(part, func(n *Node) bool { return n.current })
		if newest && c.ballot.isMajority(part, witness) {
			for _, n := range part {
				c.say("node %s joined", n.Name())
			}
			c.agree(part)
			return
		}
	}
}

// hear is whether two nodes hear each other on a network that the cluster uses.
func (c *Cluster) hear(a, b *Node) bool {
	if silent(a) || silent(b) {
		return false
	}
	for _, network := range c.Networks {
		one, inOne := adapterIn(a.Computer, network.Subnet)
		other, inOther := adapterIn(b.Computer, network.Subnet)
		if network.Role != RoleNone && inOne && inOther && one.Segment == other.Segment {
			return true
		}
	}
	return false
}

// unheard is whether a member hears none of the others.
func (c *Cluster) unheard(n *Node) bool {
	others := without(c.members(), n)
	return len(others) > 0 && !slices.ContainsFunc(others, func(o *Node) bool { return c.hear(n, o) })
}

func (c *Cluster) hearsMember(n *Node) bool {
	return slices.ContainsFunc(c.members(), func(m *Node) bool { return c.hear(n, m) })
}
