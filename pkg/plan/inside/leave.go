package inside

import (
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/plan"
)

// Evicted reports whether a member that leaves, by name, has left the cluster inside and the domain, so that its machine may go.
// While that cannot be told it has not; Plan's waits say why.
func Evicted(want Clustering, seen *guest.Snapshot, member string) bool {
	m, ok := want.memberOf(member)
	if !ok || seen == nil {
		// A machine that was never made is nowhere.
		return ok && m.VMID == ""
	}
	p := planner{want: want, seen: seen}
	_, waits := p.holdsMember(m)
	return !waits
}

// Released reports whether the cluster inside has let go of a disk that leaves, by name, so that it may be detached. While that
// cannot be told it has not; Plan's waits say why.
func Released(want Clustering, seen *guest.Snapshot, disk string) bool {
	d, ok := want.disk(disk)
	if !ok || seen == nil {
		return false
	}
	p := planner{want: want, seen: seen}
	_, waits := p.holdsDisk(d)
	return !waits
}

// holdsMember says what a member that leaves waits for, if for anything: the cluster, then its computer object.
func (p *planner) holdsMember(m Member) (plan.Wait, bool) {
	if m.VMID == "" {
		return plan.Wait{}, false
	}
	if why, in := p.isIn(m); in {
		return why, true
	}
	return p.isKnown(m)
}

// holdsDisk says what a disk that leaves waits for, if for anything. One without a recorded GUID was never given to a cluster
// of ours.
func (p *planner) holdsDisk(d Disk) (plan.Wait, bool) {
	_, clustered := p.resourceOf(d)
	switch {
	case !p.want.Clustered || p.want.ClusterID != "" && d.GUID == "":
		return plan.Wait{}, false
	case clustered:
		return plan.Wait{Reason: v1alpha1.ReasonConfiguringCluster, Message: "disk " + d.Name + " is detached once it has left cluster " + p.want.ClusterName}, true
	case !p.tells():
		return p.cannotTell(), true
	default:
		return plan.Wait{}, false
	}
}

// leavers tells what waits for those that leave.
func (p *planner) leavers() {
	for _, m := range p.want.Members {
		if why, waits := p.holdsMember(m); m.Leaving && waits {
			p.wait(why.Reason, "%s", why.Message)
		}
	}
	for _, d := range p.want.Disks {
		if why, waits := p.holdsDisk(d); d.Leaving && waits {
			p.wait(why.Reason, "%s", why.Message)
		}
	}
}

// tells reports whether what the cluster does not have may be believed: the cluster told, or there certainly is none.
func (p *planner) tells() bool {
	if p.want.ClusterID == "" {
		return p.seen.Cluster == nil && p.noNodes()
	}
	return p.seen.Cluster != nil && sameID(p.seen.Cluster.ID, p.want.ClusterID)
}

func (p *planner) cannotTell() plan.Wait {
	return plan.Wait{Reason: v1alpha1.ReasonObservationIncomplete, Message: "cluster " + p.want.ClusterName + " cannot be asked now; nothing is taken from it meanwhile"}
}

// isIn says why a member is a node still, or may be one.
func (p *planner) isIn(m Member) (plan.Wait, bool) {
	if !p.want.Clustered {
		return plan.Wait{}, false
	}
	others := *p
	if _, ok := told(m, p.seen); !ok && p.want.ClusterID == "" {
		// A cluster is formed of members that all answered: one that does not, while no other is a node, is none either.
		others.want.Members = slices.DeleteFunc(slices.Clone(p.want.Members), func(o Member) bool { return o.Name == m.Name })
	}
	if !others.tells() {
		return p.cannotTell(), true
	}
	if p.seen.Cluster != nil {
		if _, in := p.seen.Cluster.Node(m.Name); in {
			return plan.Wait{Reason: v1alpha1.ReasonEvicting, Message: m.Name + " is removed once cluster " + p.want.ClusterName + " has let it go"}, true
		}
	}
	return plan.Wait{}, false
}

// isKnown says why the domain knows a member still, or may do so.
func (p *planner) isKnown(m Member) (plan.Wait, bool) {
	g, ok := told(m, p.seen)
	if p.want.Domain == nil || m.ObjectGUID == "" && !(ok && g.Domain != "") {
		// It never joined, as far as anybody knows.
		return plan.Wait{}, false
	}
	a, there := account(p.seen.Directory, m.Name)
	switch {
	case p.seen.Directory == nil:
		return plan.Wait{Reason: v1alpha1.ReasonObservationIncomplete, Message: p.want.Domain.Name + " cannot be asked now for the computer account of " + m.Name}, true
	case there && (m.ObjectGUID == "" || sameID(a.GUID, m.ObjectGUID)):
		return plan.Wait{Reason: v1alpha1.ReasonEvicting, Message: m.Name + " is removed once its computer account is"}, true
	default:
		return plan.Wait{}, false
	}
}

// shrink plans that a member that leaves is a node no more, one at a time and while all that stay are up. Its roles move before.
func (p *planner) shrink(c *guest.Cluster, teller Member) {
	n, m, ok := p.nextToLeave(c)
	if !ok || !p.hasWitness() {
		return
	}
	actor, found := p.actor(teller, m)
	switch {
	case !found || !p.stayersAreUp(c):
		p.wait(v1alpha1.ReasonEvicting, "%s leaves cluster %s once all nodes that stay are up", m.Name, c.Name)
	case p.validating():
		p.wait(v1alpha1.ReasonEvicting, "%s leaves cluster %s once the validation has ended", m.Name, c.Name)
	default:
		p.evict(c, n, m, actor)
	}
}

func (p *planner) evict(c *guest.Cluster, n guest.Node, m, actor Member) {
	switch {
	case n.State == guest.NodeUp, n.State == guest.NodePaused && !n.Draining && owns(n, c):
		p.step("drain/"+m.Name, v1alpha1.ReasonDraining, "move the roles off "+m.Name, inGuest(actor.VMID, cmdlet.DrainNode("drain", m.Name)))
	case n.State == guest.NodePaused && n.Draining:
		p.wait(v1alpha1.ReasonDraining, "the roles of %s are moving away", m.Name)
	case n.State == guest.NodePaused, n.State == guest.NodeDown:
		p.asFormer("evict/"+m.Name, v1alpha1.ReasonEvicting, "take "+m.Name+" out of cluster "+c.Name, actor.VMID, cmdlet.EvictNode("evict", m.Name))
	default:
		p.wait(v1alpha1.ReasonEvicting, "%s leaves cluster %s once it is up or down for sure", m.Name, c.Name)
	}
}

// nextToLeave is a node that is down before one that was begun with, and that one before any other; the last member of them.
func (p *planner) nextToLeave(c *guest.Cluster) (guest.Node, Member, bool) {
	for _, match := range []func(guest.Node) bool{
		func(n guest.Node) bool { return n.State == guest.NodeDown },
		func(n guest.Node) bool { return n.State == guest.NodePaused },
		func(guest.Node) bool { return true },
	} {
		for _, m := range slices.Backward(p.want.Members) {
			if n, in := c.Node(m.Name); m.Leaving && in && match(n) {
				return n, m, true
			}
		}
	}
	return guest.Node{}, Member{}, false
}

// stayersAreUp reports whether every node is up that is no member that leaves.
func (p *planner) stayersAreUp(c *guest.Cluster) bool {
	return !slices.ContainsFunc(c.Nodes, func(n guest.Node) bool {
		m, _ := p.want.memberOf(n.Name)
		return n.State != guest.NodeUp && !m.Leaving
	})
}

// actor is the member that acts on another one: the teller, or else the first that stays and can be told something.
func (p *planner) actor(teller, apart Member) (Member, bool) {
	if teller.Name != apart.Name {
		return teller, true
	}
	for _, m := range p.want.staying() {
		if g, ok := told(m, p.seen); ok && m.Up && !p.moves(m) && g.ClusterService == guest.ServiceRunning {
			return m, true
		}
	}
	return Member{}, false
}

// owns reports whether a node has something that runs.
func owns(n guest.Node, c *guest.Cluster) bool {
	return slices.ContainsFunc(c.Groups, func(g guest.Group) bool { return strings.EqualFold(g.OwnerNode, n.Name) && g.State != "Offline" })
}

// forget removes the computer objects of members that have left the cluster.
func (p *planner) forget() {
	var calls []hostagent.Call
	var names []string
	for _, m := range p.want.Members {
		if _, in := p.isIn(m); m.Leaving && p.want.Domain != nil && !in && p.isThere(m.Name, m.ObjectGUID) {
			calls = append(calls, p.removeAccount(m.Name, m.ObjectGUID))
			names = append(names, m.Name)
		}
	}
	p.removeAccounts(v1alpha1.ReasonEvicting, calls, names)
}

// isThere reports whether a computer object that was recorded is still there.
func (p *planner) isThere(name, recorded string) bool {
	a, ok := account(p.seen.Directory, name)
	return ok && sameID(a.GUID, recorded)
}

func (p *planner) removeAccount(name, guid string) hostagent.Call {
	return cmdlet.RemoveComputerAccount("account/"+name, p.want.Domain.Name, p.want.Domain.Join, guid)
}

// removeAccounts runs on a member that can ask the domain.
func (p *planner) removeAccounts(reason v1alpha1.Reason, calls []hostagent.Call, names []string) {
	asker, ok := p.asker()
	switch {
	case len(calls) == 0 || !ok:
		return
	case p.want.Domain.Join.User == "":
		p.block(v1alpha1.ReasonSecretMissing, "the account that joins %s is needed, to remove the computer accounts of %s; give its Secret a username and a password", p.want.Domain.Name, strings.Join(names, ", "))
		return
	}
	batch := inGuest(asker.VMID, calls...)
	batch.OnError = hostagent.Continue
	p.step("accounts", reason, "remove the computer accounts of "+strings.Join(names, ", "), batch)
}

// asker is the first member that can ask the domain, one that stays rather than one that leaves.
func (p *planner) asker() (Member, bool) {
	byStay := slices.Clone(p.want.Members)
	slices.SortStableFunc(byStay, func(a, b Member) int { return rank(a) - rank(b) })
	for _, m := range byStay {
		g, ok := told(m, p.seen)
		if ok && m.Up && !p.moves(m) && slices.Contains(g.Features, featureDirectory) {
			return m, true
		}
	}
	return Member{}, false
}

func rank(m Member) int {
	if m.Leaving {
		return 1
	}
	return 0
}
