package failover

import (
	"slices"
	"strings"
)

// leastWitnessDisk is what a disk must have to be a witness ("Configure and manage quorum").
const leastWitnessDisk = 512 << 20

// Witness is the resource of the witness, or nil.
func (c *Cluster) Witness() *Resource { return c.witness }

// WitnessDynamicWeight is 1 while the witness has a vote.
func (c *Cluster) WitnessDynamicWeight() int {
	if c.witness != nil && c.ballot.witness {
		return 1
	}
	return 0
}

// SetDiskWitness makes a cluster disk in Available Storage the witness.
func (c *Cluster) SetDiskWitness(r *Resource) error {
	switch {
	case r.isWitness():
		return nil
	case r.Type != PhysicalDisk:
		return refuse(Invalid, r.Name, "%s is no disk.", r.Name)
	case r.Group.Type != AvailableStorage:
		return refuse(InUse, r.Name, "%s is not in Available Storage.", r.Name)
	}
	if disk, ok := diskOf(r.Group.Owner.Computer, r.Properties["DiskIdGuid"]); ok && disk.SizeBytes < leastWitnessDisk {
		return refuse(Invalid, r.Name, "%s is too small for a witness.", r.Name)
	}
	c.dismissWitness()
	r.transfer(c.coreGroup())
	c.swearIn(r)
	return nil
}

// SetShareWitness makes a file share the witness. A member must reach its server.
func (c *Cluster) SetShareWitness(path string) error {
	return c.setRemoteWitness("File Share Witness", FileShareWitness, map[string]string{"SharePath": path})
}

// SetCloudWitness makes an Azure storage account the witness. A member must reach it.
func (c *Cluster) SetCloudWitness(account, endpoint string) error {
	return c.setRemoteWitness("Cloud Witness", CloudWitness, map[string]string{"AccountName": account, "EndpointInfo": endpoint})
}

func (c *Cluster) setRemoteWitness(name string, kind ResourceType, properties map[string]string) error {
	r := &Resource{Name: name, ID: c.newID(), Type: kind, State: ResourceOffline, Group: c.coreGroup(), Properties: properties}
	if why := r.problem(c.coreGroup().Owner); why != "" {
		return refuse(NotOnline, r.server(), "The witness cannot be online: %s.", why)
	}
	c.dismissWitness()
	c.coreGroup().Resources = append(c.coreGroup().Resources, r)
	c.swearIn(r)
	return nil
}

// SetNoWitness leaves the nodes alone.
func (c *Cluster) SetNoWitness() {
	c.dismissWitness()
	c.agree(c.members())
	c.settle()
}

func (c *Cluster) swearIn(r *Resource) {
	c.witness = r
	r.bringOnline()
	c.say("%s is the witness", r.Name)
	c.agree(c.members())
	c.settle()
}

// dismissWitness ends the witness that there is: a disk goes back to Available Storage, anything else goes away.
func (c *Cluster) dismissWitness() {
	w := c.witness
	c.witness = nil
	if w == nil {
		return
	}
	c.ballot.witness = false
	if w.Type == PhysicalDisk {
		w.transfer(c.availableStorage())
		w.bringOnline()
		return
	}
	core := c.coreGroup()
	core.Resources = slices.DeleteFunc(core.Resources, func(r *Resource) bool { return r == w })
}

// server is what a remote witness is on.
func (r *Resource) server() string {
	if r.Type == CloudWitness {
		return r.Properties["AccountName"]
	}
	server, _, _ := strings.Cut(strings.TrimPrefix(r.Properties["SharePath"], `\\`), `\`)
	return server
}

// witnessFrom is whether the witness can be had by some of the nodes.
func (c *Cluster) witnessFrom(nodes []*Node) bool {
	return c.witness != nil && slices.ContainsFunc(nodes, func(n *Node) bool { return !silent(n) && c.witness.problem(n) == "" })
}

func (c *Cluster) witnessWorks() bool { return c.witness != nil && c.witnessFrom(c.members()) }

// watchWitness notes that the witness was lost or is back, and gives the votes anew. Losing it may cost the quorum.
func (c *Cluster) watchWitness() {
	if c.witness == nil || !slices.ContainsFunc(c.members(), func(n *Node) bool { return !silent(n) }) {
		return
	}
	r, works := c.witness, c.witnessWorks()
	if c.coreGroup().pending == nil && works != (r.State == ResourceOnline) {
		if works {
			r.State, r.Why = ResourceOnline, ""
			c.say("%s is online", r.Name)
		} else if r.State != ResourceFailed {
			r.fail("the witness is lost (1564)")
		}
	}
	if !c.ballot.isMajority(c.members(), works) {
		c.regroupNow()
		return
	}
	c.agree(c.members())
}
