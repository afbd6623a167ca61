package inside

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
)

// heartbeats is how many heartbeats may be missed at least: a live migration's pause is longer than Windows' default within one
// subnet ("Tuning failover cluster network thresholds").
const heartbeats = 20

// What a network of the cluster is for ("ClusterNetworkRole").
const (
	roleCluster          = 1
	roleClusterAndClient = 3
)

// settings gathers what the cluster itself lacks, in one batch on one node.
type settings struct {
	calls []hostagent.Call
	does  []string
}

func (s *settings) add(does string, calls ...hostagent.Call) {
	s.does = append(s.does, does)
	s.calls = append(s.calls, calls...)
}

func (s *settings) id(name string) string { return fmt.Sprintf("%s%d", name, len(s.calls)) }

// configure plans heartbeats, networks, disks and the witness.
func (p *planner) configure(c *guest.Cluster, teller Member) {
	var s settings
	p.heartbeat(&s, c)
	p.networks(&s, c)
	p.addDisks(&s, c)
	p.releaseDisks(&s, c)
	// Last: a witness may be a disk that was just added.
	p.quorum(&s, c)
	if len(s.calls) == 0 {
		return
	}
	batch := inGuest(teller.VMID, s.calls...)
	// One that is refused, such as a share that is out of reach, keeps nothing else waiting.
	batch.OnError = hostagent.Continue
	p.step("configure", v1alpha1.ReasonConfiguringCluster, c.Name+": "+strings.Join(s.does, ", "), batch)
}

// heartbeat raises thresholds and lowers none.
func (p *planner) heartbeat(s *settings, c *guest.Cluster) {
	same, cross := max(c.SameSubnetThreshold, heartbeats), max(c.CrossSubnetThreshold, heartbeats)
	if !p.want.ScaleOut && (same != c.SameSubnetThreshold || cross != c.CrossSubnetThreshold) {
		s.add("let heartbeats be missed", cmdlet.SetHeartbeat("heartbeat", same, cross))
	}
}

// networks names the cluster's networks and says what they are for. One of which it is not known whose it is stays as it is.
func (p *planner) networks(s *settings, c *guest.Cluster) {
	names := map[string]string{}
	for _, n := range c.Networks {
		names[n.ID] = n.Name
	}
	byID := slices.SortedFunc(slices.Values(c.Networks), func(a, b guest.Network) int { return strings.Compare(a.ID, b.ID) })
	for _, n := range byID {
		candidates := p.networksIn(n.Subnet)
		if len(candidates) != 1 {
			continue
		}
		want, role := candidates[0], int64(roleCluster)
		if want.Purpose == v1alpha1.NetworkPurposeClient {
			role = roleClusterAndClient
		}
		name := want.Name
		if p.spansSubnets(want, c) {
			name = n.Name
		}
		if names[n.ID] != name || n.Role != role {
			s.stepAside(n.ID, name, byID, names)
			s.add("set up network "+want.Name, cmdlet.SetNetwork(s.id("network"), n.ID, name, role))
			names[n.ID] = name
		}
	}
}

// stepAside takes a name from the network that has it: names are unique in a cluster, and two may have each other's.
func (s *settings) stepAside(id, name string, networks []guest.Network, names map[string]string) {
	for _, other := range networks {
		if other.ID != id && strings.EqualFold(names[other.ID], name) {
			names[other.ID] += " (" + other.ID + ")"
			s.add("rename network "+name, cmdlet.SetNetwork(s.id("aside"), other.ID, names[other.ID], other.Role))
		}
	}
}

// networksIn are the wanted networks that members have in a subnet. Without an address of its own Windows gives itself a
// link-local one, and the cluster's network has no other.
func (p *planner) networksIn(subnet netip.Prefix) []Network {
	linkLocal := !subnet.IsValid() || subnet.Addr().IsLinkLocalUnicast()
	var out []Network
	for _, m := range p.want.staying() {
		g, ok := told(m, p.seen)
		if !ok {
			continue
		}
		for _, n := range m.Networks {
			a, ok := adapterOf(n, g)
			if !ok || slices.ContainsFunc(out, func(o Network) bool { return o.Name == n.Name }) {
				continue
			}
			here := slices.ContainsFunc(a.Addresses, func(x netip.Prefix) bool { return x.Masked() == subnet })
			if here || linkLocal && len(a.Addresses) == 0 {
				out = append(out, n)
			}
		}
	}
	return out
}

// spansSubnets reports whether the cluster has more than one network for a wanted one: one a subnet.
func (p *planner) spansSubnets(want Network, c *guest.Cluster) bool {
	count := 0
	for _, n := range c.Networks {
		if candidates := p.networksIn(n.Subnet); len(candidates) == 1 && candidates[0].Name == want.Name {
			count++
		}
	}
	return count > 1
}

// addDisks makes the disks cluster disks, under spec's names, and those that are to be cluster shared volumes.
func (p *planner) addDisks(s *settings, c *guest.Cluster) {
	for _, d := range p.want.kept() {
		r, clustered := diskResource(c, d.GUID)
		available := slices.ContainsFunc(c.AvailableDisks, func(a guest.AvailableDisk) bool { return sameID(a.ID, d.GUID) })
		switch {
		case p.prepared[d.Name]:
			continue
		case !clustered && available:
			s.add("add disk "+d.Name, cmdlet.AddDisk(s.id("disk"), d.GUID, d.Name))
			r.Name = d.Name
		case !clustered && d.GUID != "":
			p.wait(v1alpha1.ReasonConfiguringCluster, "disk %s is not yet one that cluster %s could take: every node has to see it, offline", d.Name, c.Name)
			continue
		case !clustered:
			continue
		}
		if d.Use == UseCSV && !isShared(c, r.Name) {
			s.add("make disk "+d.Name+" a cluster shared volume", cmdlet.MakeSharedVolume(s.id("volume"), r.Name))
		}
	}
}

func isShared(c *guest.Cluster, resource string) bool {
	return slices.ContainsFunc(c.SharedVolumes, func(name string) bool { return strings.EqualFold(name, resource) })
}

// quorum sets who votes beside the nodes.
func (p *planner) quorum(s *settings, c *guest.Cluster) {
	if !p.hasWitness() || p.votes(c) {
		return
	}
	q := p.want.Quorum
	switch q.Type {
	case v1alpha1.QuorumDiskWitness:
		d, _ := p.want.disk(q.Disk)
		r, clustered := diskResource(c, d.GUID)
		adding := slices.ContainsFunc(s.calls, func(call hostagent.Call) bool {
			return call.Parameters["Name"] == hostagent.Text(d.Name) && call.Cmdlet == "Add-SharedDisk"
		})
		switch {
		case clustered:
			s.add("make disk "+d.Name+" the witness", cmdlet.DiskWitness("witness", r.Name))
		case adding:
			s.add("make disk "+d.Name+" the witness", cmdlet.DiskWitness("witness", d.Name))
		}
	case v1alpha1.QuorumFileShareWitness:
		s.add("make "+q.SharePath+" the witness", cmdlet.FileShareWitness("witness", q.SharePath))
	case v1alpha1.QuorumCloudWitness:
		s.add("make storage account "+q.AccountName+" the witness", cmdlet.CloudWitness("witness", q.AccountName, q.Endpoint, q.Key))
	case v1alpha1.QuorumNodeMajority:
		s.add("leave the votes to the nodes", cmdlet.NoWitness("witness"))
	}
}

// votes reports whether the witness is the one that is wanted.
func (p *planner) votes(c *guest.Cluster) bool {
	r, has := witness(c)
	q := p.want.Quorum
	switch q.Type {
	case v1alpha1.QuorumDiskWitness:
		d, _ := p.want.disk(q.Disk)
		return has && r.Type == guest.TypeDisk && sameID(d.GUID, r.DiskGUID)
	case v1alpha1.QuorumFileShareWitness:
		return has && r.Type == guest.TypeFileShareWitness && strings.EqualFold(r.SharePath, q.SharePath)
	case v1alpha1.QuorumCloudWitness:
		return has && r.Type == guest.TypeCloudWitness && strings.EqualFold(r.AccountName, q.AccountName)
	case v1alpha1.QuorumNodeMajority:
		return c.WitnessResource == ""
	}
	// Nothing is wanted that we know.
	return true
}

// witness is the resource that votes.
func witness(c *guest.Cluster) (guest.Resource, bool) {
	i := slices.IndexFunc(c.Resources, func(r guest.Resource) bool {
		return c.WitnessResource != "" && strings.EqualFold(r.Name, c.WitnessResource)
	})
	if i < 0 {
		return guest.Resource{}, false
	}
	return c.Resources[i], true
}

// releaseDisks takes the disks that leave out of the cluster, where nothing uses them.
func (p *planner) releaseDisks(s *settings, c *guest.Cluster) {
	for _, d := range p.want.Disks {
		r, clustered := diskResource(c, d.GUID)
		if !d.Leaving || !clustered {
			continue
		}
		user := userOf(r, c)
		if user == theWitness && !p.wantsWitness(d) {
			p.wait(v1alpha1.ReasonConfiguringCluster, "disk %s leaves cluster %s once another witness votes", d.Name, c.Name)
			continue
		}
		if user != "" {
			p.block(v1alpha1.ReasonDiskInUseByRole, "disk %s is not detached while it is %s in cluster %s; take it out there first, or put it back into sharedDisks", d.Name, user, c.Name)
			continue
		}
		s.add("take disk "+d.Name+" out of the cluster", cmdlet.RemoveResource(s.id("remove"), r.Name))
	}
}

func (p *planner) wantsWitness(d Disk) bool {
	return p.want.Quorum.Type == v1alpha1.QuorumDiskWitness && p.want.Quorum.Disk == d.Name
}

const theWitness = "the witness"

// userOf says what uses a disk in the cluster; empty when nothing does.
func userOf(r guest.Resource, c *guest.Cluster) string {
	w, has := witness(c)
	g, _ := c.Group(r.Group)
	switch {
	case has && sameID(w.DiskGUID, r.DiskGUID):
		return theWitness
	case isShared(c, r.Name):
		return "a cluster shared volume"
	case g.Type != guest.GroupTypeAvailableStorage:
		return "part of role " + r.Group
	default:
		return ""
	}
}
