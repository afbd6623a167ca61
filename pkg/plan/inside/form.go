package inside

import (
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hyperv"
)

// cluster plans the cluster inside; ready is whether every member that stays is as it should be.
func (p *planner) cluster(ready bool) {
	c := p.seen.Cluster
	switch {
	case p.want.ClusterID == "":
		p.form(ready)
	case c == nil:
		p.awaitCluster()
	case !sameID(p.want.ClusterID, c.ID):
		p.block(v1alpha1.ReasonClusterLost, "the members are nodes of cluster %s (id %s) instead of the one that was formed (id %s); it is left alone", c.Name, c.ID, p.want.ClusterID)
	default:
		p.formed(c, ready)
	}
}

// form plans the forming, once in a guest cluster's life: every member has answered, none is a node, and the domain knows no
// computer object of the cluster's name.
func (p *planner) form(ready bool) {
	c, voted := p.seen.Cluster, p.hasWitness()
	switch {
	case c != nil && strings.EqualFold(c.Name, p.want.ClusterName):
		p.wait(v1alpha1.ReasonForming, "recording the id of cluster %s", c.Name)
	case c != nil:
		p.block(v1alpha1.ReasonNameTaken, "the members are nodes of a cluster %s that is not ours; destroy it (Remove-Cluster) if nobody needs it", c.Name)
	case p.hasNode():
		p.wait(v1alpha1.ReasonForming, "a member is a node of a cluster that does not answer; no cluster is formed meanwhile")
	case !ready:
		// What is missing is told where it is.
	case !p.noNodes():
		p.wait(v1alpha1.ReasonForming, "cluster %s is formed once every member answers, those that leave too", p.want.ClusterName)
	case voted && p.namesSettled() && p.knowsWindows() && p.passed():
		p.newCluster()
	}
}

func (p *planner) newCluster() {
	var nodes, addresses []string
	for _, m := range p.want.staying() {
		nodes = append(nodes, m.Name)
	}
	for _, a := range p.want.ClusterAddresses {
		addresses = append(addresses, a.String())
	}
	p.asFormer("form", v1alpha1.ReasonForming, "form cluster "+p.want.ClusterName+" of "+strings.Join(nodes, ", "), p.want.staying()[0].VMID,
		cmdlet.NewCluster("form", p.want.ClusterName, nodes, addresses, p.want.Domain != nil))
}

// namesSettled reports whether the domain was asked, and has no computer object of the cluster's name nor foreign ones.
func (p *planner) namesSettled() bool {
	switch {
	case p.want.Domain == nil:
		return true
	case p.seen.Directory == nil:
		p.wait(v1alpha1.ReasonForming, "looking up names in %s: it was not asked yet, or does not answer", p.want.Domain.Name)
	case p.namesAreFree() && p.claimOnCluster() == claimFree:
		return true
	default:
		p.wait(v1alpha1.ReasonForming, "the cluster is formed once its names are settled in %s", p.want.Domain.Name)
	}
	return false
}

// hasWitness blocks on two members with nobody to decide between them: either alone would stop.
func (p *planner) hasWitness() bool {
	if len(p.want.staying()) != 2 || p.want.Quorum.Type != v1alpha1.QuorumNodeMajority {
		return true
	}
	p.block(v1alpha1.ReasonNoWitness, "two members need a witness: when one is lost, the other has no majority. Set clustering.failover.quorum to a disk, a file share or a cloud witness")
	return false
}

// knowsWindows blocks on a workgroup cluster of members before Windows Server 2016 ("What's new in Failover Clustering").
func (p *planner) knowsWindows() bool {
	for _, m := range p.want.staying() {
		if g, ok := told(m, p.seen); ok && p.want.Domain == nil && g.Build < hyperv.Build2016 {
			p.block(v1alpha1.ReasonInvalidSpec, "a cluster in a workgroup needs Windows Server 2016 or later in %s; take a later image, or give clustering.failover.domain", m.Name)
			return false
		}
	}
	return true
}

// awaitCluster waits for a cluster that was formed and that nobody tells of now. It never forms another.
func (p *planner) awaitCluster() {
	silent := slices.ContainsFunc(p.want.staying(), func(m Member) bool {
		_, ok := told(m, p.seen)
		return !ok
	})
	switch {
	case silent:
		p.wait(v1alpha1.ReasonObservationIncomplete, "cluster %s cannot be asked: not every member answers", p.want.ClusterName)
	case p.noNodes():
		p.block(v1alpha1.ReasonClusterLost, "cluster %s (id %s) is gone from its members; restore them, or delete this guest cluster: it is never formed anew by itself", p.want.ClusterName, p.want.ClusterID)
	case !p.seen.WithoutQuorum(machines(p.want.staying())...):
		p.wait(v1alpha1.ReasonObservationIncomplete, "cluster %s has not been asked yet", p.want.ClusterName)
	default:
		p.wait(v1alpha1.ReasonQuorumLost, "cluster %s does not answer on its members, as without quorum; it comes back with them", p.want.ClusterName)
	}
}

// machines are the members' machines, by id.
func machines(members []Member) []string {
	var ids []string
	for _, m := range members {
		ids = append(ids, m.VMID)
	}
	return ids
}

// formed plans what the cluster inside lacks: what it is made of first, then who its nodes are.
func (p *planner) formed(c *guest.Cluster, ready bool) {
	teller, ok := p.teller(c)
	if !ok {
		p.wait(v1alpha1.ReasonObservationIncomplete, "the member that tells of cluster %s cannot be asked now", c.Name)
		return
	}
	before := len(p.plan.Steps)
	p.configure(c, teller)
	p.roles(c, teller)
	if len(p.plan.Steps) > before {
		return
	}
	p.growVolumes(c)
	if len(p.plan.Steps) > before {
		return
	}
	if p.renew(c, teller) && p.grow(c, teller, ready) {
		p.shrink(c, teller)
	}
}

// renew plans that a node whose own Windows knows nothing of the cluster any more, as when the feature was removed, is evicted: it
// becomes a node again after that. True when there is none.
func (p *planner) renew(c *guest.Cluster, teller Member) bool {
	for _, m := range p.want.staying() {
		n, in := c.Node(m.Name)
		g, ok := told(m, p.seen)
		if !in || !ok || n.State != guest.NodeDown || g.ClusterService != guest.ServiceDisabled || g.RestartPending {
			continue
		}
		if othersUp := !slices.ContainsFunc(c.Nodes, func(o guest.Node) bool { return o.State != guest.NodeUp && o.ID != n.ID }); !othersUp {
			p.wait(v1alpha1.ReasonRepairing, "%s becomes a node of cluster %s anew once all other nodes are up", m.Name, c.Name)
			return false
		}
		p.asFormer("evict/"+m.Name, v1alpha1.ReasonRepairing, "take "+m.Name+" out of cluster "+c.Name+", of which its Windows knows nothing any more", teller.VMID, cmdlet.EvictNode("evict", m.Name))
		return false
	}
	return true
}

// teller is the member that told of the cluster, as long as it can be told something too.
func (p *planner) teller(c *guest.Cluster) (Member, bool) {
	for _, m := range p.want.Members {
		if hyperv.Key(m.VMID) == hyperv.Key(c.Teller) {
			_, ok := told(m, p.seen)
			return m, ok && m.Up && !p.moves(m)
		}
	}
	return Member{}, false
}

// grow plans that a member becomes a node, one at a time and while all others are up; true when nobody is missing.
func (p *planner) grow(c *guest.Cluster, teller Member, ready bool) bool {
	var missing []Member
	for _, m := range p.want.staying() {
		if _, in := c.Node(m.Name); !in {
			missing = append(missing, m)
		}
	}
	if len(missing) == 0 {
		return true
	}
	m := missing[0]
	g, ok := told(m, p.seen)
	switch {
	case ok && isNode(g):
		p.block(v1alpha1.ReasonNodeDown, "%s takes itself for a node of a cluster, and cluster %s does not know it; clean it up (Clear-ClusterNode -Force on it)", m.Name, c.Name)
	case !ready:
		p.wait(v1alpha1.ReasonJoining, "%s joins cluster %s once every member is set up and answers", m.Name, c.Name)
	case !allUp(c):
		p.wait(v1alpha1.ReasonJoining, "%s joins cluster %s once all its nodes are up", m.Name, c.Name)
	case p.passed():
		p.asFormer("add-node/"+m.Name, v1alpha1.ReasonJoining, "make "+m.Name+" a node of cluster "+c.Name, teller.VMID, cmdlet.AddNode("node", m.Name))
	}
	return false
}

func allUp(c *guest.Cluster) bool {
	return !slices.ContainsFunc(c.Nodes, func(n guest.Node) bool { return n.State != guest.NodeUp })
}
