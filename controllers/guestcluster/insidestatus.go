package guestcluster

import (
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan/inside"
)

// insideStatus puts what is known of the inside into a status that has the machines already. What was seen last stays while it
// cannot be seen, but for states, which are Unknown then.
func (g *gathered) insideStatus(s *v1alpha1.GuestClusterStatus) {
	for i := range s.Members {
		g.memberInside(&s.Members[i])
	}
	if g.gc.Spec.Failover() == nil {
		return
	}
	want := g.inside
	f := &v1alpha1.FailoverClusterStatus{Name: want.ClusterName, ID: want.ClusterID, ObjectGUID: want.ClusterObjectGUID}
	if before := g.gc.Status.FailoverCluster; before != nil {
		f.Addresses, f.Witness, f.Networks = before.Addresses, before.Witness, before.Networks
	}
	if v := want.Validation; v.Result != "" {
		f.Validation = &v1alpha1.ValidationStatus{Result: v.Result, InputHash: v.InputHash, Failed: evidence(v.Failed), Warned: evidence(v.Warned), ReportName: v.InputHash}
	}
	for _, r := range want.Roles {
		f.Roles = append(f.Roles, g.roleStatus(r))
	}
	for i := range s.SharedDisks {
		g.diskInside(&s.SharedDisks[i])
	}
	if c := g.ownCluster(); c != nil {
		f.Addresses = addressesOf(c, coreGroup(c))
		f.Witness = witness(c)
		f.Networks = networks(c)
		s.AccessPoints = accessPoints(c, want.Roles)
	} else {
		s.AccessPoints = g.gc.Status.AccessPoints
	}
	s.FailoverCluster = f
	s.ToleratedHostFailures = g.tolerated()
}

// mostEvidence is how many tests a status names: as many as the schema lets it.
const mostEvidence = 32

func evidence(tests []string) []string { return tests[:min(len(tests), mostEvidence)] }

// ownCluster is the cluster inside as it was seen, if it is the one that is recorded.
func (g *gathered) ownCluster() *guest.Cluster {
	if g.guests == nil || g.guests.Cluster == nil || !strings.EqualFold(g.guests.Cluster.ID, g.inside.ClusterID) {
		return nil
	}
	return g.guests.Cluster
}

func (g *gathered) memberInside(m *v1alpha1.MemberStatus) {
	for _, w := range g.inside.Members {
		if w.Name == m.Name {
			m.ComputerObjectGUID = w.ObjectGUID
			if w.SetUp {
				m.SetUp = v1alpha1.SetUpComplete
			}
		}
	}
	if m.SetUp != v1alpha1.SetUpComplete && (m.State == "Running" || m.State == stateStarting) {
		// Its heartbeat comes and goes meanwhile.
		m.State = stateSettingUp
	}
	m.NodeState = g.nodeState(m.Name)
	for i := range m.Networks {
		m.Networks[i].Addresses = g.addressesInside(m, m.Networks[i])
	}
}

// addressesInside are an adapter's addresses as its Windows told them last.
func (g *gathered) addressesInside(m *v1alpha1.MemberStatus, n v1alpha1.MemberNetworkStatus) []string {
	seen, _ := g.guests.Member(m.VMID)
	if !seen.Answered || seen.SettingUp {
		return g.addressesBefore(m.Name, n.Name)
	}
	for _, a := range seen.Adapters {
		if a.MAC.Dashed() == n.MACAddress {
			return texts(a.Addresses)
		}
	}
	return nil
}

func (g *gathered) addressesBefore(member, network string) []string {
	for _, n := range g.recorded(member).Networks {
		if n.Name == network {
			return n.Addresses
		}
	}
	return nil
}

// nodeState is empty while no cluster has the member.
func (g *gathered) nodeState(member string) v1alpha1.NodeState {
	switch c := g.ownCluster(); {
	case g.inside.ClusterID == "":
		return ""
	case c == nil:
		return v1alpha1.NodeUnknown
	default:
		if n, ok := c.Node(member); ok {
			return v1alpha1.NodeState(n.State)
		}
		return ""
	}
}

func (g *gathered) diskInside(d *v1alpha1.AttachedDiskStatus) {
	for _, w := range g.inside.Disks {
		if w.Name == d.Name {
			d.DiskGUID = w.GUID
		}
	}
	if c := g.ownCluster(); c != nil {
		if r, ok := c.DiskResource(d.DiskGUID); ok {
			d.ClusterState, d.OwnerMember = r.State, strings.ToUpper(r.OwnerNode)
		}
	}
}

func (g *gathered) roleStatus(r inside.Role) v1alpha1.RoleStatus {
	out := v1alpha1.RoleStatus{Name: r.Name, Type: string(r.Type), ObjectGUID: r.ObjectGUID}
	c := g.ownCluster()
	if c == nil {
		if g.inside.ClusterID != "" {
			out.State = stateUnknown
		}
		return out
	}
	if group, ok := c.Group(r.Name); ok {
		out.State, out.OwnerMember = group.State, strings.ToUpper(group.OwnerNode)
	}
	return out
}

func coreGroup(c *guest.Cluster) string {
	for _, group := range c.Groups {
		if group.Type == guest.GroupTypeCore {
			return group.Name
		}
	}
	return ""
}

func addressesOf(c *guest.Cluster, group string) []string {
	var out []string
	for _, r := range c.ResourcesOf(group) {
		if r.Type == guest.TypeIPAddress && r.Address != "" {
			out = append(out, r.Address)
		}
	}
	slices.Sort(out)
	return out
}

// witnessTypes are the types of quorum by the type of the witness's resource.
var witnessTypes = map[string]v1alpha1.QuorumType{
	guest.TypeDisk: v1alpha1.QuorumDiskWitness, guest.TypeFileShareWitness: v1alpha1.QuorumFileShareWitness, guest.TypeCloudWitness: v1alpha1.QuorumCloudWitness,
}

func witness(c *guest.Cluster) *v1alpha1.WitnessStatus {
	r, ok := witnessResource(c)
	if !ok {
		return &v1alpha1.WitnessStatus{Type: string(v1alpha1.QuorumNodeMajority)}
	}
	return &v1alpha1.WitnessStatus{Type: string(witnessTypes[r.Type]), State: r.State, Resource: r.Name}
}

func witnessResource(c *guest.Cluster) (guest.Resource, bool) {
	i := slices.IndexFunc(c.Resources, func(r guest.Resource) bool {
		return c.WitnessResource != "" && strings.EqualFold(r.Name, c.WitnessResource)
	})
	if i < 0 {
		return guest.Resource{}, false
	}
	return c.Resources[i], true
}

// networkRoles are the names of a network's roles ("ClusterNetworkRole").
var networkRoles = map[int64]string{0: "None", 1: "Cluster", 3: "ClusterAndClient"}

func networks(c *guest.Cluster) []v1alpha1.ClusterNetworkStatus {
	var out []v1alpha1.ClusterNetworkStatus
	for _, n := range c.Networks {
		out = append(out, v1alpha1.ClusterNetworkStatus{Name: n.Name, Role: networkRoles[n.Role], State: n.State})
	}
	slices.SortFunc(out, func(a, b v1alpha1.ClusterNetworkStatus) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// accessPoints are the roles' network names with their addresses.
func accessPoints(c *guest.Cluster, roles []inside.Role) []v1alpha1.AccessPoint {
	var out []v1alpha1.AccessPoint
	for _, r := range roles {
		for _, resource := range c.ResourcesOf(r.Name) {
			if resource.Type == guest.TypeNetworkName {
				out = append(out, v1alpha1.AccessPoint{Name: r.Name, DNSName: resource.DNSName, Addresses: addressesOf(c, r.Name)})
				break
			}
		}
	}
	return out
}

// tolerated is nil for not known, never 0.
func (g *gathered) tolerated() *int32 {
	s, known := g.survives()
	if !known {
		return nil
	}
	n := int32(s.HostFailures)
	return &n
}

func (g *gathered) survives() (guest.Survival, bool) {
	c := g.ownCluster()
	if c == nil {
		return guest.Survival{}, false
	}
	hosts := map[string]string{}
	for _, m := range g.want.Members {
		if vm, presence := g.machine(m); presence == hyperv.Known {
			hosts[strings.ToLower(m.Name)] = vm.HostName
		}
	}
	return c.Survives(hosts)
}

func texts[T fmt.Stringer](values []T) []string {
	var out []string
	for _, v := range values {
		out = append(out, v.String())
	}
	return out
}
