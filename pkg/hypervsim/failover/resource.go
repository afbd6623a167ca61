package failover

import (
	"fmt"
	"maps"
	"slices"
)

// Resource is a cluster resource.
type Resource struct {
	Name, ID string
	Type     ResourceType
	State    ResourceState
	Group    *Group
	// Properties are its private properties, under Windows' names.
	Properties map[string]string
	// Why is what it failed of.
	Why string

	dependsOn []*Resource
	// anyOf is whether one of those that it depends on is enough.
	anyOf   bool
	network *Network
}

// ResourceType is the name of a resource type ("Resource Types").
type ResourceType string

// The types of resources that there are here.
const (
	PhysicalDisk     ResourceType = "Physical Disk"
	IPAddress        ResourceType = "IP Address"
	NetworkName      ResourceType = "Network Name"
	FileServer       ResourceType = "File Server"
	FileShareWitness ResourceType = "File Share Witness"
	CloudWitness     ResourceType = "Cloud Witness"
)

// ResourceState is Windows' ClusterResourceState.
type ResourceState string

// The states of a resource.
const (
	ResourceOnline        ResourceState = "Online"
	ResourceOffline       ResourceState = "Offline"
	ResourceFailed        ResourceState = "Failed"
	ResourceOnlinePending ResourceState = "OnlinePending"
)

// Cluster is the resource's cluster.
func (r *Resource) Cluster() *Cluster { return r.Group.cluster }

// add gives a group a resource, offline.
func (g *Group) add(name string, kind ResourceType, properties map[string]string, dependsOn ...*Resource) *Resource {
	r := &Resource{
		Name: name, ID: g.cluster.newID(), Type: kind, State: ResourceOffline, Group: g,
		Properties: maps.Clone(properties), dependsOn: dependsOn,
	}
	g.Resources = append(g.Resources, r)
	return r
}

// transfer moves a resource to another group.
func (r *Resource) transfer(to *Group) {
	r.Group.Resources = slices.DeleteFunc(r.Group.Resources, func(o *Resource) bool { return o == r })
	r.Group = to
	to.Resources = append(to.Resources, r)
}

// isWitness is whether the resource is the cluster's witness.
func (r *Resource) isWitness() bool { return r.Group.cluster.witness == r }

// bringOnline brings the resource online on its group's owner, or says why not.
func (r *Resource) bringOnline() {
	if !r.carried() {
		r.State = ResourceOffline
		return
	}
	why := r.problem(r.Group.Owner)
	if why == "" {
		why = r.takeName()
	}
	if why != "" {
		r.fail(why)
		return
	}
	r.State, r.Why = ResourceOnline, ""
}

// carried is whether what the resource depends on is online.
func (r *Resource) carried() bool {
	online := 0
	for _, d := range r.dependsOn {
		if d.State == ResourceOnline {
			online++
		}
	}
	return online == len(r.dependsOn) || r.anyOf && online > 0
}

func (r *Resource) fail(why string) {
	r.State, r.Why = ResourceFailed, why
	r.Group.cluster.say("resource %s failed (1069): %s", r.Name, why)
}

// problem says why the resource could not be online on a node, or nothing.
func (r *Resource) problem(n *Node) string {
	switch r.Type {
	case PhysicalDisk:
		disk, ok := diskOf(n.Computer, r.Properties["DiskIdGuid"])
		if !ok {
			return fmt.Sprintf("%s has no disk %s", n.Name(), r.Properties["DiskIdGuid"])
		}
		if !disk.Reservations {
			return fmt.Sprintf("disk %s of %s takes no persistent reservations", disk.GUID, n.Name())
		}
	case IPAddress:
		if _, ok := adapterIn(n.Computer, r.network.Subnet); !ok {
			return fmt.Sprintf("%s has no adapter in %s", n.Name(), r.network.Subnet)
		}
	case FileShareWitness, CloudWitness:
		if !n.Computer.Reaches(r.server()) {
			return fmt.Sprintf("%s does not reach %s", n.Name(), r.server())
		}
	case NetworkName, FileServer:
	}
	return ""
}

// takeName gives a network name its computer object; without one it cannot be online (1194).
func (r *Resource) takeName() string {
	c := r.Group.cluster
	if r.Type != NetworkName || c.ObjectGUID == "" || r.Properties["ObjectGUID"] != "" {
		return ""
	}
	guid, err := c.directory.Ensure(c.Name, r.Properties["DnsName"])
	if err != nil {
		return "the computer object could not be made (1194): " + err.Error()
	}
	r.Properties["ObjectGUID"] = guid
	return ""
}

// RemoveResource takes a resource out of the cluster; a disk keeps what is on it.
func (c *Cluster) RemoveResource(r *Resource) error {
	switch {
	case r.isWitness():
		return refuse(InUse, r.Name, "%s is the witness of %s.", r.Name, c.Name)
	case r.Group.Type == CoreGroup:
		return refuse(InUse, r.Name, "%s is a core resource of %s.", r.Name, c.Name)
	}
	for _, other := range c.Resources() {
		if slices.Contains(other.dependsOn, r) {
			return refuse(InUse, r.Name, "%s depends on %s.", other.Name, r.Name)
		}
	}
	g := r.Group
	g.Resources = slices.DeleteFunc(g.Resources, func(o *Resource) bool { return o == r })
	if g.Type == SharedVolume {
		c.dropGroup(g)
	}
	c.settle()
	return nil
}

// Rename gives a resource another name.
func (c *Cluster) Rename(r *Resource, name string) error {
	if other := c.Resource(name); other != nil && other != r {
		return refuse(Exists, name, "%s has a resource %s already.", c.Name, name)
	}
	r.Name = name
	return nil
}
