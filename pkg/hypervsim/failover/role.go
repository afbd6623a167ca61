package failover

import (
	"fmt"
	"slices"
	"strings"
)

// AddFileServer makes a file server role on cluster disks in Available Storage, and begins to bring it online. Whether it gets
// there its state tells.
func (c *Cluster) AddFileServer(name string, disks, addresses []string) (*Group, error) {
	if c.Group(name) != nil || strings.EqualFold(c.Name, name) || c.Node(name) != nil {
		return nil, refuse(Exists, name, "The name %s is in use in %s.", name, c.Name)
	}
	var storage []*Resource
	for _, d := range disks {
		r := c.Resource(d)
		switch {
		case r == nil || r.Type != PhysicalDisk:
			return nil, refuse(NotFound, d, "%s has no disk %s.", c.Name, d)
		case r.Group.Type != AvailableStorage:
			return nil, refuse(InUse, d, "%s is not in Available Storage.", d)
		}
		storage = append(storage, r)
	}
	where, err := c.accessPoint(addresses)
	if err != nil {
		return nil, err
	}
	g := c.addGroup(name, FileServerRole, c.availableStorage().Owner)
	ips := g.addAddresses("", where)
	network := g.add(name, NetworkName, map[string]string{"DnsName": name, "ObjectGUID": ""}, ips...)
	network.anyOf = true
	for _, r := range storage {
		r.transfer(g)
	}
	g.add(fmt.Sprintf(`File Server (\\%s)`, name), FileServer, nil, append([]*Resource{network}, storage...)...)
	c.say("made file server %s", name)
	g.bringOnline()
	c.settle()
	return g, nil
}

// AddShare makes a share of a role that is online.
func (c *Cluster) AddShare(g *Group, s Share) error {
	switch {
	case g.State() != GroupOnline:
		return refuse(NotOnline, g.Name, "The role %s is not online.", g.Name)
	case slices.ContainsFunc(g.Shares, func(o Share) bool { return strings.EqualFold(o.Name, s.Name) }):
		return refuse(Exists, s.Name, "The role %s has a share %s already.", g.Name, s.Name)
	}
	g.Shares = append(g.Shares, s)
	c.say(`share \\%s\%s`, s.ScopeName, s.Name)
	return nil
}
