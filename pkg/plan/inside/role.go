package inside

import (
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
)

// roles plans the roles, each for itself.
func (p *planner) roles(c *guest.Cluster, teller Member) {
	for _, r := range p.want.Roles {
		if r.Type != v1alpha1.RoleFileServer {
			continue
		}
		g, made := c.Group(r.Name)
		switch {
		case !made:
			p.newRole(r, c, teller)
		case g.Type != guest.GroupTypeFileServer:
			p.block(v1alpha1.ReasonNameTaken, "cluster %s has a group %s that is no file server of ours; rename the role, or the group", c.Name, r.Name)
		default:
			p.keepRole(r, g, c, teller)
		}
	}
}

// newRole makes a role once its disk is free for it, every member has the feature, and the cluster's name may create the role's
// computer object.
func (p *planner) newRole(r Role, c *guest.Cluster, teller Member) {
	d, _ := p.want.disk(r.Disk)
	resource, clustered := diskResource(c, d.GUID)
	switch user := userOf(resource, c); {
	case !clustered:
		p.wait(v1alpha1.ReasonConfiguringCluster, "role %s is made once cluster %s has disk %s", r.Name, c.Name, r.Disk)
	case user != "":
		p.block(v1alpha1.ReasonDiskInUseByRole, "role %s cannot have disk %s, which is %s; name another disk for the role", r.Name, r.Disk, user)
	case !p.canServe():
		p.wait(v1alpha1.ReasonInstallingFeatures, "role %s is made once every member has %s", r.Name, featureFileServer)
	case p.mayCreate(r):
		var addresses []string
		for _, a := range r.Addresses {
			addresses = append(addresses, a.String())
		}
		p.step("role/"+r.Name, v1alpha1.ReasonConfiguringCluster, "make file server "+r.Name+" on disk "+r.Disk,
			inGuest(teller.VMID, cmdlet.NewFileServer("role", r.Name, resource.Name, addresses...)))
	}
}

// canServe reports whether no member that tells lacks a feature.
func (p *planner) canServe() bool {
	return !slices.ContainsFunc(p.want.staying(), func(m Member) bool {
		g, ok := told(m, p.seen)
		return ok && len(missingFeatures(p.want, g)) > 0
	})
}

// mayCreate reports whether the cluster's name can have a computer object made for a role.
func (p *planner) mayCreate(r Role) bool {
	if p.want.Domain == nil {
		return true
	}
	d, container := p.seen.Directory, home(p.want, p.seen)
	switch {
	case isDefaultContainer(container):
	case d == nil || d.Rights == "" || len(d.ClusterSIDs) == 0:
		p.wait(v1alpha1.ReasonConfiguringCluster, "looking up in %s whether %s may create a computer object for role %s", p.want.Domain.Name, p.want.ClusterName, r.Name)
		return false
	}
	switch p.claimOnRole(r) {
	case claimTaken:
		p.block(v1alpha1.ReasonNameTaken, "computer account %s exists and is not ours; rename the role or remove the account", r.Name)
		return false
	case claimUnknown:
		p.wait(v1alpha1.ReasonConfiguringCluster, "looking up in %s whose the name of role %s is", p.want.Domain.Name, r.Name)
		return false
	case claimFree, claimOurs:
	}
	if isDefaultContainer(container) || mayCreateComputers(d.Rights, d.ClusterSIDs) {
		return true
	}
	p.block(v1alpha1.ReasonClusterNameLacksRights, "computer account %s$ may not create computer objects in %s, where role %s needs one; grant it Create Computer objects there", p.want.ClusterName, container, r.Name)
	return false
}

// containerOf is the distinguished name of what an object lies in. A comma in a name is escaped ("Distinguished Names").
func containerOf(dn string) string {
	escaped := false
	for i, c := range dn {
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == ',':
			return dn[i+1:]
		}
	}
	return ""
}

// isDefaultContainer: there a cluster's name may create up to ten objects without a right of its own ("Prestage cluster computer
// objects").
func isDefaultContainer(dn string) bool {
	return strings.HasPrefix(strings.ToUpper(dn), "CN=COMPUTERS,DC=")
}

// keepRole brings a role online that failed, or that never was online, and gives it its shares. One that somebody took offline
// stays so.
func (p *planner) keepRole(r Role, g guest.Group, c *guest.Cluster, teller Member) {
	neverOnline := p.want.Domain != nil && networkName(c, r.Name).ObjectGUID == ""
	switch {
	case g.State == "Online":
		p.shares(r, g)
	case g.State == "Offline" && !neverOnline:
		p.block(v1alpha1.ReasonRoleOffline, "role %s was taken offline in cluster %s; start it when it suits you (Start-ClusterGroup)", r.Name, c.Name)
	case g.State == "Offline", g.State == "Failed", g.State == "PartialOnline":
		p.step("start/"+r.Name, v1alpha1.ReasonFailingOver, "start role "+r.Name, inGuest(teller.VMID, cmdlet.StartGroup("start", r.Name)))
	default:
		p.wait(v1alpha1.ReasonFailingOver, "role %s is changing state", r.Name)
	}
}

// shares makes the shares that are missing, on the member that has the role.
func (p *planner) shares(r Role, g guest.Group) {
	d, _ := p.want.disk(r.Disk)
	owner, ours := p.want.memberOf(g.OwnerNode)
	seen, ok := told(owner, p.seen)
	switch {
	case len(r.Shares) == 0:
		return
	case !ours || !ok || !owner.Up || p.moves(owner):
		p.wait(v1alpha1.ReasonObservationIncomplete, "the shares of role %s cannot be seen on %s now", r.Name, g.OwnerNode)
		return
	case d.GUID == "":
		p.wait(v1alpha1.ReasonConfiguringCluster, "the GUID of disk %s is not recorded yet, on which role %s has its shares", r.Disk, r.Name)
		return
	}
	var calls []hostagent.Call
	var names []string
	for i, want := range r.Shares {
		has := slices.ContainsFunc(seen.Shares, func(s guest.Share) bool {
			return strings.EqualFold(s.Name, want.Name) && strings.EqualFold(s.ScopeName, r.Name)
		})
		if !has {
			calls = append(calls, cmdlet.NewShare(fmt.Sprintf("share%d", i), r.Name, d.GUID, want.Name, want.FullAccess...))
			names = append(names, want.Name)
		}
	}
	if len(calls) > 0 {
		p.step("shares/"+r.Name, v1alpha1.ReasonConfiguringCluster, "share "+strings.Join(names, ", ")+" on role "+r.Name, inGuest(owner.VMID, calls...))
	}
}
