package failover

import (
	"fmt"
	"net/netip"
	"slices"
)

// Network is a network of the cluster: one for each subnet that its nodes have.
type Network struct {
	Name, ID string
	Subnet   netip.Prefix
	Role     NetworkRole
}

// NetworkRole is what a network is for ("ClusterNetwork Role").
type NetworkRole int64

// The roles of a network; 2 is in the enumeration and not supported.
const (
	RoleNone             NetworkRole = 0
	RoleCluster          NetworkRole = 1
	RoleClusterAndClient NetworkRole = 3
)

// findNetworks makes a network for each subnet that a node is in and that has none yet. One with a default gateway is for
// clients too.
func (c *Cluster) findNetworks() {
	for _, n := range c.Nodes {
		for _, a := range n.Computer.Adapters() {
			if !a.Address.IsValid() || c.networkOf(a.Address.Addr()) != nil {
				continue
			}
			c.networkSeq++
			role := RoleCluster
			if c.hasGateway(a.Address.Masked()) {
				role = RoleClusterAndClient
			}
			c.Networks = append(c.Networks, &Network{
				Name: fmt.Sprintf("Cluster Network %d", c.networkSeq), ID: c.newID(), Subnet: a.Address.Masked(), Role: role,
			})
		}
	}
}

// dropNetworks drops the networks that no node is in and that nothing needs.
func (c *Cluster) dropNetworks() {
	c.Networks = slices.DeleteFunc(c.Networks, func(network *Network) bool {
		return !c.carries(network) && !slices.ContainsFunc(c.Nodes, func(n *Node) bool {
			_, has := adapterIn(n.Computer, network.Subnet)
			return has || n.Computer.Condition() == Off
		})
	})
}

// carries is whether a network carries an address of a resource.
func (c *Cluster) carries(network *Network) bool {
	return slices.ContainsFunc(c.Resources(), func(r *Resource) bool { return r.network == network })
}

func (c *Cluster) hasGateway(subnet netip.Prefix) bool {
	return slices.ContainsFunc(c.Nodes, func(n *Node) bool {
		a, ok := adapterIn(n.Computer, subnet)
		return ok && a.Gateway
	})
}

func (c *Cluster) networkOf(a netip.Addr) *Network {
	return find(c.Networks, func(n *Network) bool { return n.Subnet.Contains(a) })
}

// NetworkState is a network's state: Up while a node that runs is in it, Partitioned while some that are in it do not hear each other.
func (c *Cluster) NetworkState(network *Network) string {
	wires := map[string]bool{}
	for _, n := range c.Nodes {
		if a, ok := adapterIn(n.Computer, network.Subnet); ok && !silent(n) {
			wires[a.Segment] = true
		}
	}
	switch len(wires) {
	case 0:
		return "Down"
	case 1:
		return "Up"
	default:
		return "Partitioned"
	}
}

// SetNetwork names a network and gives it a role. One that carries an address must stay open to clients.
func (c *Cluster) SetNetwork(network *Network, name string, role NetworkRole) error {
	other := find(c.Networks, func(n *Network) bool { return n != network && n.Name == name })
	switch {
	case other != nil:
		return refuse(Exists, name, "%s has a network %s already.", c.Name, name)
	case role != RoleNone && role != RoleCluster && role != RoleClusterAndClient:
		return refuse(Invalid, name, "Role %d does not exist.", role)
	case c.carries(network) && role != RoleClusterAndClient:
		return refuse(InUse, name, "Network %s carries an IP address.", network.Name)
	}
	network.Name, network.Role = name, role
	c.Changed()
	return nil
}

// SetThresholds sets how many heartbeats a node may miss ("Tuning failover cluster network thresholds").
func (c *Cluster) SetThresholds(sameSubnet, crossSubnet int64) error {
	const least, most = 3, 120
	if min(sameSubnet, crossSubnet) < least || max(sameSubnet, crossSubnet) > most {
		return refuse(Invalid, c.Name, "A threshold must be from %d to %d.", least, most)
	}
	c.SameSubnetThreshold, c.CrossSubnetThreshold = sameSubnet, crossSubnet
	return nil
}

// address is one address of a network name.
type address struct {
	network *Network
	// ip is invalid where DHCP gives one.
	ip netip.Addr
}

// accessPoint finds the addresses that a network name takes: those given, and one from DHCP on every network for clients that
// has it. Each network for clients needs one ("New-Cluster": StaticAddress).
func (c *Cluster) accessPoint(static []string) ([]address, error) {
	var out []address
	for _, text := range static {
		ip, err := netip.ParseAddr(text)
		network := c.networkOf(ip)
		switch {
		case err != nil:
			return nil, refuse(Invalid, text, "%q is no IP address.", text)
		case network == nil || network.Role != RoleClusterAndClient:
			return nil, refuse(Invalid, text, "The address %s is in no network of the cluster that clients use.", text)
		case c.taken(ip):
			return nil, refuse(Exists, text, "The address %s is in use.", text)
		}
		out = append(out, address{network, ip})
	}
	for _, network := range c.Networks {
		if network.Role != RoleClusterAndClient || slices.ContainsFunc(out, func(a address) bool { return a.network == network }) {
			continue
		}
		if !c.hasDHCP(network.Subnet) {
			return nil, refuse(Invalid, network.Subnet.String(), "A static address is needed for the network %s, which has no DHCP.", network.Subnet)
		}
		out = append(out, address{network: network})
	}
	return out, nil
}

func (c *Cluster) hasDHCP(subnet netip.Prefix) bool {
	return !slices.ContainsFunc(c.Nodes, func(n *Node) bool {
		a, ok := adapterIn(n.Computer, subnet)
		return ok && !a.DHCP
	})
}

// taken is whether an address is in use: it is a node's or a resource's, or somebody else's.
func (c *Cluster) taken(ip netip.Addr) bool {
	for _, n := range c.Nodes {
		for _, a := range n.Computer.Adapters() {
			if a.Address.IsValid() && a.Address.Addr() == ip {
				return true
			}
		}
	}
	return c.Offers(ip) || c.outside(ip)
}

// Offers is whether an address is that of one of the cluster's resources.
func (c *Cluster) Offers(ip netip.Addr) bool {
	return slices.ContainsFunc(c.Resources(), func(r *Resource) bool { return r.Type == IPAddress && r.Properties["Address"] == ip.String() })
}

// addAddresses gives a group its IP Address resources.
func (g *Group) addAddresses(name string, addresses []address) []*Resource {
	var out []*Resource
	for i, a := range addresses {
		dhcp := "0"
		if !a.ip.IsValid() {
			dhcp, a.ip = "1", g.cluster.lease(a.network.Subnet)
		}
		called := name
		if called == "" {
			called = "IP Address " + a.ip.String()
		} else if i > 0 {
			called = fmt.Sprintf("%s %d", name, i+1)
		}
		r := g.add(called, IPAddress, map[string]string{
			"Address": a.ip.String(), "SubnetMask": Mask(a.network.Subnet), "EnableDhcp": dhcp, "Network": a.network.Name,
		})
		r.network = a.network
		out = append(out, r)
	}
	return out
}

// lease is an address that DHCP gives: from the end of the subnet downwards.
func (c *Cluster) lease(subnet netip.Prefix) netip.Addr {
	last := subnet.Addr().As4()
	for bit := subnet.Bits(); bit < 32; bit++ {
		last[bit/8] |= 1 << (7 - bit%8)
	}
	ip := netip.AddrFrom4(last).Prev()
	for c.taken(ip) {
		ip = ip.Prev()
	}
	return ip
}

// Mask is a subnet's mask as Windows prints it.
func Mask(subnet netip.Prefix) string {
	var mask [4]byte
	for bit := range subnet.Bits() {
		mask[bit/8] |= 1 << (7 - bit%8)
	}
	return netip.AddrFrom4(mask).String()
}
