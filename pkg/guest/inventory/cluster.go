package inventory

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
)

// ClusterState asks a node about the cluster inside.
func ClusterState(vmID string) hostagent.Batch {
	return read(vmID,
		cmdlet.Cluster("cluster"), cmdlet.Nodes("nodes"), cmdlet.Groups("groups"), cmdlet.Resources("resources"), cmdlet.ResourceProperties("properties"),
		cmdlet.Networks("networks"), cmdlet.Quorum("quorum"), cmdlet.SharedVolumes("volumes"), cmdlet.AvailableDisks("available"),
	)
}

// DecodeCluster reads the answer to ClusterState of the member with this machine's id.
func DecodeCluster(vmID string, results hostagent.Results) (*guest.Cluster, error) {
	if err := results.Need("cluster", "nodes", "groups", "resources", "properties", "networks", "quorum", "volumes", "available"); err != nil {
		return nil, fmt.Errorf("reading the cluster inside: %w", err)
	}
	c := &guest.Cluster{Teller: vmID}
	for _, o := range results.ByID("cluster").Values {
		c.Name, c.ID, c.WitnessDynamicWeight = o.Text("Name"), o.Text("Id"), o.Int("WitnessDynamicWeight")
		c.SameSubnetThreshold, c.CrossSubnetThreshold = o.Int("SameSubnetThreshold"), o.Int("CrossSubnetThreshold")
	}
	for _, o := range results.ByID("nodes").Values {
		c.Nodes = append(c.Nodes, guest.Node{
			Name: o.Text("Name"), ID: o.Text("Id"), State: nodeState(o), Weight: o.Int("NodeWeight"), DynamicWeight: o.Int("DynamicWeight"),
			Draining: o.Text("DrainStatus") == "InProgress",
		})
	}
	for _, o := range results.ByID("groups").Values {
		c.Groups = append(c.Groups, guest.Group{
			Name: o.Text("Name"), ID: o.Text("Id"), Type: o.Text("GroupType"), State: o.Text("State"), OwnerNode: o.Text("OwnerNode.Name"),
		})
	}
	c.Resources = resources(results)
	for _, o := range results.ByID("networks").Values {
		c.Networks = append(c.Networks, guest.Network{
			Name: o.Text("Name"), ID: o.Text("Id"), Role: role(o), State: o.Text("State"), Subnet: subnet(o.Text("Address"), o.Text("AddressMask")),
		})
	}
	for _, o := range results.ByID("quorum").Values {
		c.WitnessResource = o.Text("QuorumResource.Name")
	}
	for _, o := range results.ByID("volumes").Values {
		c.SharedVolumes = append(c.SharedVolumes, o.Text("Name"))
	}
	for _, o := range results.ByID("available").Values {
		c.AvailableDisks = append(c.AvailableDisks, guest.AvailableDisk{ID: strings.ToUpper(o.Text("Id")), Number: o.Int("Number")})
	}
	return c, nil
}

// nodeState puts a node's state and its status flags together: a node that is isolated or quarantined is not merely down.
func nodeState(o hostagent.Object) guest.NodeState {
	for _, flag := range o.Flags("StatusInformation") {
		switch flag {
		case "Isolated":
			return guest.NodeIsolated
		case "Quarantined":
			return guest.NodeQuarantined
		}
	}
	switch s := guest.NodeState(o.Text("State")); s {
	case guest.NodeUp, guest.NodeDown, guest.NodePaused, guest.NodeJoining:
		return s
	default:
		return guest.NodeUnknown
	}
}

// resources are those that Get-ClusterResource lists, and the cluster shared volumes, which it leaves out and
// MSCluster_Resource does not.
func resources(results hostagent.Results) []guest.Resource {
	properties := map[string]hostagent.Object{}
	for _, o := range results.ByID("properties").Values {
		properties[strings.ToLower(o.Text("Name"))] = o
	}
	var out []guest.Resource
	listed := map[string]bool{}
	for _, o := range results.ByID("resources").Values {
		r := withProperties(guest.Resource{
			Name: o.Text("Name"), ID: o.Text("Id"), Type: o.Text("ResourceType.Name"), State: o.Text("State"),
			Group: o.Text("OwnerGroup.Name"), OwnerNode: o.Text("OwnerNode.Name"),
		}, properties)
		listed[strings.ToLower(r.Name)] = true
		out = append(out, r)
	}
	for _, o := range results.ByID("volumes").Values {
		if !listed[strings.ToLower(o.Text("Name"))] {
			out = append(out, withProperties(guest.Resource{
				Name: o.Text("Name"), Type: guest.TypeDisk, State: o.Text("State"), OwnerNode: o.Text("OwnerNode.Name"),
			}, properties))
		}
	}
	return out
}

// withProperties adds a resource's private properties.
func withProperties(r guest.Resource, properties map[string]hostagent.Object) guest.Resource {
	private := properties[strings.ToLower(r.Name)]
	r.DiskGUID = strings.ToUpper(private.Text("PrivateProperties.DiskIdGuid"))
	r.DNSName, r.Address = private.Text("PrivateProperties.DnsName"), private.Text("PrivateProperties.Address")
	r.ObjectGUID = directoryGUID(private.Text("PrivateProperties.ObjectGUID"))
	r.SharePath, r.AccountName = private.Text("PrivateProperties.SharePath"), private.Text("PrivateProperties.AccountName")
	return r
}

// directoryGUID gives a network name's ObjectGUID as a GUID is written, in lower case. It may come as the octets of the
// directory, two digits each, in which those of the first three parts stand from right to left ("IADs::get_GUID").
func directoryGUID(text string) string {
	text = strings.ToLower(strings.Trim(text, "{}"))
	octets, err := hex.DecodeString(text)
	if err != nil || len(octets) != 16 {
		return text
	}
	slices.Reverse(octets[0:4])
	slices.Reverse(octets[4:6])
	slices.Reverse(octets[6:8])
	return fmt.Sprintf("%x-%x-%x-%x-%x", octets[0:4], octets[4:6], octets[6:8], octets[8:10], octets[10:])
}

// role reads a network's role by name or number: its names are those of the enumeration ("ClusterNetworkRole").
func role(o hostagent.Object) int64 {
	switch o.Text("Role") {
	case "Cluster":
		return 1
	case "ClusterAndClient":
		return 3
	default:
		return o.Int("Role")
	}
}

// subnet is invalid where the network has no IPv4 subnet.
func subnet(address, mask string) netip.Prefix {
	a, err := netip.ParseAddr(address)
	if err != nil || !a.Is4() {
		return netip.Prefix{}
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || !m.Is4() {
		return netip.Prefix{}
	}
	bits := 0
	for _, b := range m.As4() {
		for ; b != 0; b <<= 1 {
			bits++
		}
	}
	return netip.PrefixFrom(a, bits).Masked()
}
