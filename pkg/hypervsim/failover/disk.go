package failover

import (
	"fmt"
	"slices"
	"strings"
)

// AvailableDisks are the disks that could become cluster disks: they have a GPT GUID, all nodes that are up see them and can
// reserve them, and they are none yet ("Get-ClusterAvailableDisk").
func (c *Cluster) AvailableDisks() []Disk {
	members := slices.DeleteFunc(c.members(), silent)
	if len(members) == 0 {
		return nil
	}
	var out []Disk
	for _, d := range members[0].Computer.Disks() {
		if d.GUID != "" && c.DiskResource(d.GUID) == nil && seenByAll(d.GUID, members) {
			out = append(out, d)
		}
	}
	return out
}

func seenByAll(guid string, nodes []*Node) bool {
	return !slices.ContainsFunc(nodes, func(n *Node) bool {
		d, ok := diskOf(n.Computer, guid)
		return !ok || !d.Reservations || d.Local
	})
}

// DiskResource finds the cluster disk of a GPT GUID, or nil.
func (c *Cluster) DiskResource(guid string) *Resource {
	return find(c.Resources(), func(r *Resource) bool {
		return r.Type == PhysicalDisk && strings.EqualFold(r.Properties["DiskIdGuid"], guid)
	})
}

// AddDisk makes an available disk a cluster disk in Available Storage, which comes online there. It is named as Windows names
// it.
func (c *Cluster) AddDisk(guid string) (*Resource, error) {
	if r := c.DiskResource(guid); r != nil {
		return nil, refuse(Exists, guid, "The disk %s is the cluster disk %s already.", guid, r.Name)
	}
	if !slices.ContainsFunc(c.AvailableDisks(), func(d Disk) bool { return strings.EqualFold(d.GUID, guid) }) {
		return nil, refuse(NotFound, guid, "No disk %s is available for clustering.", guid)
	}
	c.diskSeq++
	for c.Resource(fmt.Sprintf("Cluster Disk %d", c.diskSeq)) != nil {
		c.diskSeq++
	}
	storage := c.availableStorage()
	r := storage.add(fmt.Sprintf("Cluster Disk %d", c.diskSeq), PhysicalDisk, map[string]string{"DiskIdGuid": strings.ToUpper(guid)})
	r.bringOnline()
	c.say("disk %s is %s", guid, r.Name)
	c.settle()
	return r, nil
}

// AddSharedVolume makes a cluster disk in Available Storage a cluster shared volume.
func (c *Cluster) AddSharedVolume(r *Resource) error {
	switch {
	case r.Type != PhysicalDisk:
		return refuse(Invalid, r.Name, "%s is no disk.", r.Name)
	case r.Group.Type == SharedVolume:
		return refuse(Exists, r.Name, "%s is a cluster shared volume already.", r.Name)
	case r.Group.Type != AvailableStorage:
		return refuse(InUse, r.Name, "%s is not in Available Storage.", r.Name)
	}
	r.transfer(c.addGroup(r.ID, SharedVolume, r.Group.Owner))
	c.settle()
	return nil
}

// SharedVolumes are the disks that are cluster shared volumes.
func (c *Cluster) SharedVolumes() []*Resource {
	return slices.DeleteFunc(c.Resources(), func(r *Resource) bool { return r.Group.Type != SharedVolume })
}

// Holds is whether a node holds a disk: the disk is online there, and no other node may use it.
func (c *Cluster) Holds(n *Node, guid string) bool {
	r := c.DiskResource(guid)
	return r != nil && r.State == ResourceOnline && r.Group.Owner == n && n.member
}
