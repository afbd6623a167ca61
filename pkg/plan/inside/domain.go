package inside

import (
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
)

// ComputerNames are the names that the guest cluster takes in its domain: its members', those that leave too, its own and its
// roles'.
func ComputerNames(want Clustering) []string {
	var out []string
	for _, m := range want.Members {
		out = append(out, m.Name)
	}
	if !want.Clustered {
		return out
	}
	out = append(out, want.ClusterName)
	for _, r := range want.Roles {
		out = append(out, r.Name)
	}
	return out
}

// AsksDomain reports whether what the domain tells about those names matters now: while one is not recorded as ours, and for
// those whose computer object is to be removed.
func AsksDomain(want Clustering) bool {
	if want.Domain == nil || want.Domain.Join.User == "" {
		return false
	}
	return want.Deleting || want.Clustered && want.ClusterObjectGUID == "" ||
		slices.ContainsFunc(want.Members, func(m Member) bool { return m.ObjectGUID == "" || m.Leaving }) ||
		slices.ContainsFunc(want.Roles, func(r Role) bool { return r.ObjectGUID == "" })
}

// Container is the distinguished name of what the cluster's computer object lies in, while its rights matter: to a role that has
// no computer object yet. It is as the domain told, or else as it is wanted; empty when neither says.
func Container(want Clustering, seen *guest.Snapshot) string {
	awaited := slices.ContainsFunc(want.Roles, func(r Role) bool { return r.ObjectGUID == "" })
	if want.Domain == nil || want.Deleting || want.ClusterID == "" || !awaited {
		return ""
	}
	return home(want, seen)
}

// home is what the cluster's computer object lies in.
func home(want Clustering, seen *guest.Snapshot) string {
	if seen != nil {
		if a, ok := account(seen.Directory, want.ClusterName); ok {
			return containerOf(a.DistinguishedName)
		}
	}
	return want.Domain.OU
}

// claim says whose a computer object is.
type claim int

const (
	// claimUnknown: whose it is cannot be told now.
	claimUnknown claim = iota
	// claimFree: there is none of the name.
	claimFree
	claimOurs
	claimTaken
)

// account finds a computer object by name. Names of computers have no case.
func account(d *guest.Directory, name string) (guest.ComputerAccount, bool) {
	if d == nil {
		return guest.ComputerAccount{}, false
	}
	i := slices.IndexFunc(d.Computers, func(a guest.ComputerAccount) bool { return strings.EqualFold(a.Name, name) })
	if i < 0 {
		return guest.ComputerAccount{}, false
	}
	return d.Computers[i], true
}

// claimOn says whose the object of a name is, by what is recorded, or else by what else is known of it.
func (p *planner) claimOn(name, recorded string, otherwise func(guest.ComputerAccount) claim) claim {
	a, ok := account(p.seen.Directory, name)
	switch {
	case p.seen.Directory == nil:
		return claimUnknown
	case !ok:
		return claimFree
	case sameID(recorded, a.GUID):
		return claimOurs
	case recorded != "":
		return claimTaken
	default:
		return otherwise(a)
	}
}

// claimOnMember: an object without a record is the member's once it has joined, and may be while it does not answer.
func (p *planner) claimOnMember(m Member) claim {
	return p.claimOn(m.Name, m.ObjectGUID, func(guest.ComputerAccount) claim {
		g, ok := told(m, p.seen)
		switch {
		case m.VMID == "":
			return claimTaken
		case !ok || g.RestartPending:
			return claimUnknown
		case p.joined(g):
			return claimOurs
		default:
			return claimTaken
		}
	})
}

// claimOnCluster: an object without a record is the cluster's once a member is a node, and may be while one does not answer.
func (p *planner) claimOnCluster() claim {
	return p.claimOn(p.want.ClusterName, p.want.ClusterObjectGUID, func(guest.ComputerAccount) claim {
		switch {
		case p.want.ClusterID != "" || p.seen.Cluster != nil:
			return claimOurs
		case !p.noNodes():
			return claimUnknown
		default:
			return claimTaken
		}
	})
}

func (p *planner) claimOnRole(r Role) claim {
	return p.claimOn(r.Name, r.ObjectGUID, func(a guest.ComputerAccount) claim {
		switch {
		case p.seen.Cluster == nil && (p.want.ClusterID != "" || !p.noNodes()):
			return claimUnknown
		case sameID(networkName(p.seen.Cluster, r.Name).ObjectGUID, a.GUID):
			return claimOurs
		default:
			return claimTaken
		}
	})
}

// noNodes reports whether certainly no member is a node of any cluster.
func (p *planner) noNodes() bool {
	silent := slices.ContainsFunc(p.want.Members, func(m Member) bool {
		_, ok := told(m, p.seen)
		return m.VMID != "" && !ok
	})
	return !silent && !p.hasNode()
}

// hasNode reports whether a member is a node of some cluster for sure.
func (p *planner) hasNode() bool {
	return slices.ContainsFunc(p.want.Members, func(m Member) bool {
		g, ok := told(m, p.seen)
		return ok && isNode(g)
	})
}

// isNode: Windows disables the service of a member that is no node.
func isNode(g guest.Member) bool {
	return g.ClusterService != guest.ServiceDisabled && g.ClusterService != guest.ServiceAbsent
}

// networkName is the network name resource of a group; of several the first by name.
func networkName(c *guest.Cluster, group string) guest.Resource {
	var first guest.Resource
	if c == nil {
		return first
	}
	for _, r := range c.ResourcesOf(group) {
		if r.Type == guest.TypeNetworkName && (first.Name == "" || r.Name < first.Name) {
			first = r
		}
	}
	return first
}

// namesAreFree reports whether every name that the guest cluster takes in its domain is free or its own already. All are looked
// up before the first member joins, so that nothing has to be taken back.
func (p *planner) namesAreFree() bool {
	free := true
	check := func(c claim, name, instead string) {
		free = free && (c == claimFree || c == claimOurs)
		if c == claimTaken {
			p.block(v1alpha1.ReasonNameTaken, "computer account %s exists and is not ours; %s or remove the account", name, instead)
		}
	}
	for _, m := range p.want.staying() {
		check(p.claimOnMember(m), m.Name, "rename the member")
	}
	if !p.want.Clustered {
		return free
	}
	check(p.claimOnCluster(), p.want.ClusterName, "create the guest cluster with another name for its cluster")
	for _, r := range p.want.Roles {
		check(p.claimOnRole(r), r.Name, "rename the role")
	}
	return free
}

// join plans that a member joins its domain, with its administrators put in before the restart that completes it: from then on
// it is asked as one of them.
func (p *planner) join(w *work) {
	domain := p.want.Domain
	if domain == nil {
		return
	}
	if p.seen.Directory == nil {
		if !p.joined(w.seen) {
			p.wait(v1alpha1.ReasonJoiningDomain, "looking up names in %s: it was not asked yet, or does not answer", domain.Name)
		}
		return
	}
	missing, found := p.missingAdministrators(w.seen)
	if p.joined(w.seen) {
		// Without any it could not tell them.
		if len(missing) > 0 && len(w.seen.Administrators) > 0 {
			w.add(v1alpha1.ReasonRepairing, "add its administrators", cmdlet.AddAdministrators(w.id("administrators"), missing...))
		}
		return
	}
	switch {
	case !found || !p.namesAreFree():
		p.wait(v1alpha1.ReasonJoiningDomain, "%s joins %s once its names and accounts are settled there", w.member.Name, domain.Name)
		return
	case domain.Join.User == "":
		p.block(v1alpha1.ReasonSecretMissing, "the account that joins %s is needed; give its Secret a username and a password", domain.Name)
		return
	}
	if len(missing) > 0 {
		w.add(v1alpha1.ReasonJoiningDomain, "add its administrators", cmdlet.AddAdministrators(w.id("administrators"), missing...))
	}
	w.add(v1alpha1.ReasonJoiningDomain, fmt.Sprintf("join %s, restart it", domain.Name),
		cmdlet.Join(w.id("join"), domain.Name, domain.OU, domain.Join), cmdlet.Restart(w.id("restart")))
}

// missingAdministrators are the SIDs of the accounts that are not in a member's local group Administrators; false when the
// domain does not know one of them.
func (p *planner) missingAdministrators(g guest.Member) ([]string, bool) {
	var missing []string
	found := true
	for _, name := range p.want.Domain.AdministratorAccounts {
		sid := p.seen.Directory.SIDs[strings.ToLower(name)]
		switch {
		case sid == "":
			found = false
			p.block(v1alpha1.ReasonInvalidSpec, "domain %s knows no account %s; correct the username in its Secret", p.want.Domain.Name, name)
		case !slices.Contains(g.Administrators, sid) && !slices.Contains(missing, sid):
			missing = append(missing, sid)
		}
	}
	return missing, found
}
