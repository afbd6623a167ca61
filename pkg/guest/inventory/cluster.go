package inventory

import (
	"fmt"
	"net/netip"
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

func resources(results hostagent.Results) []guest.Resource {
	properties := map[string]hostagent.Object{}
	for _, o := range results.ByID("properties").Values {
		properties[strings.ToLower(o.Text("Name"))] = o
	}
	var out []guest.Resource
	for _, o := range results.ByID("resources").Values {
		private := properties[strings.ToLower(o.Text("Name"))]
		out = append(out, guest.Resource{
			Name: o.Text("Name"), ID: o.Text("Id"), Type: o.Text("ResourceType.Name"), State: o.Text("State"),
			Group: o.Text("OwnerGroup.Name"), OwnerNode: o.Text("OwnerNode.Name"),
			DiskGUID: strings.ToUpper(private.Text("PrivateProperties.DiskIdGuid")), DNSName: private.Text("PrivateProperties.DnsName"),
			ObjectGUID: strings.ToLower(strings.Trim(private.Text("PrivateProperties.ObjectGUID"), "{}")), Address: private.Text("PrivateProperties.Address"),
			SharePath: private.Text("PrivateProperties.SharePath"), AccountName: private.Text("PrivateProperties.AccountName"),
		})
	}
	return out
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
