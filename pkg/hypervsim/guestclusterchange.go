package hypervsim

import (
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hypervsim/failover"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

func init() {
	inGuests(map[string]command{
		"Set-ClusterQuorum":         {changing, needsHost, inCluster(setInnerQuorum)},
		"Set-CloudWitness":          {changing, needsHost, inCluster(setCloudWitness)},
		"Add-SharedDisk":            {changing, needsHost, inCluster(addSharedDisk)},
		"Add-ClusterSharedVolume":   {changing, needsHost, inCluster(addInnerVolume)},
		"Remove-ClusterResource":    {changing, needsHost, inCluster(removeInnerResource)},
		"Set-ClusterNetworkRole":    {changing, needsHost, inCluster(setNetworkRole)},
		"Set-ClusterHeartbeat":      {changing, needsHost, inCluster(setHeartbeat)},
		"Add-ClusterFileServerRole": {changing, needsHost, inCluster(addFileServer)},
		"Start-ClusterGroup":        {changing, needsHost, inCluster(startInnerGroup)},
		"Move-ClusterGroup":         {changing, needsHost, inCluster(moveInnerGroup)},
		"New-ClusterShare":          {changing, needsHost, inCluster(newClusterShare)},
	})
}

// resourceNamed is the resource of a name.
func resourceNamed(cluster *failover.Cluster, name string) (*failover.Resource, error) {
	if r := cluster.Resource(name); r != nil {
		return r, nil
	}
	return nil, noClusterObject(hresultNoResource, name)
}

func groupNamed(cluster *failover.Cluster, name string) (*failover.Group, error) {
	if g := cluster.Group(name); g != nil {
		return g, nil
	}
	return nil, noClusterObject(hresultNoGroup, name)
}

// setInnerQuorum answers Set-ClusterQuorum.
func setInnerQuorum(c *call, n *failover.Node) error {
	cluster := n.Cluster()
	var err error
	switch {
	case c.has("DiskWitness"):
		var r *failover.Resource
		if r, err = resourceNamed(cluster, c.text("DiskWitness")); err == nil {
			err = cluster.SetDiskWitness(r)
		}
	case c.has("FileShareWitness"):
		err = cluster.SetShareWitness(c.text("FileShareWitness"))
	case c.flag("CloudWitness"):
		err = cluster.SetCloudWitness(c.text("AccountName"), c.text("Endpoint"))
	case c.flag("NoWitness"):
		cluster.SetNoWitness()
	default:
		return refuse("NotImplemented", hresultUnsupported, "NotImplemented", cluster.Name, "This kind of quorum is not simulated.")
	}
	if err != nil {
		return err
	}
	c.did("set the quorum of cluster " + cluster.Name)
	return getInnerQuorum(c, n)
}

// setCloudWitness answers Set-CloudWitness.
func setCloudWitness(c *call, n *failover.Node) error {
	if err := n.Cluster().SetCloudWitness(c.text("AccountName"), c.text("Endpoint")); err != nil {
		return err
	}
	c.did("made " + c.text("AccountName") + " the witness of cluster " + n.Cluster().Name)
	return nil
}

// addSharedDisk answers Add-SharedDisk. A disk that is a cluster disk already only gets its name.
func addSharedDisk(c *call, n *failover.Node) error {
	cluster, name := n.Cluster(), c.text("Name")
	guid := "{" + strings.ToUpper(strings.Trim(c.text("Guid"), "{}")) + "}"
	if r := cluster.DiskResource(guid); r != nil && r.Name == name {
		return nil
	}
	r := cluster.DiskResource(guid)
	if other := cluster.Resource(name); other != nil && other != r {
		return refuse("ResourceExists", hresultClusterExists, "ClusterObjectExists", name, "The cluster has a resource %q already.", name)
	}
	if r == nil {
		var err error
		if r, err = cluster.AddDisk(guid); err != nil {
			return err
		}
	}
	c.did("made disk " + guid + " the cluster disk " + name)
	return cluster.Rename(r, name)
}

// addInnerVolume answers Add-ClusterSharedVolume.
func addInnerVolume(c *call, n *failover.Node) error {
	for _, name := range c.texts("Name") {
		r, err := resourceNamed(n.Cluster(), name)
		if err != nil {
			return err
		}
		if err := n.Cluster().AddSharedVolume(r); err != nil {
			return err
		}
		c.did("made " + name + " a cluster shared volume")
		c.emit(innerResourceView(r))
	}
	return nil
}

// removeInnerResource answers Remove-ClusterResource.
func removeInnerResource(c *call, n *failover.Node) error {
	for _, name := range c.texts("Name") {
		r, err := resourceNamed(n.Cluster(), name)
		if err != nil {
			return err
		}
		if err := n.Cluster().RemoveResource(r); err != nil {
			return err
		}
		c.did("removed resource " + name + " from cluster " + n.Cluster().Name)
	}
	return nil
}

// setNetworkRole answers Set-ClusterNetworkRole.
func setNetworkRole(c *call, n *failover.Node) error {
	network := n.Cluster().Network(c.text("Id"))
	if network == nil {
		return noClusterObject(hresultNoResource, c.text("Id"))
	}
	if err := n.Cluster().SetNetwork(network, c.text("Name"), failover.NetworkRole(c.integer("Role", 0))); err != nil {
		return err
	}
	c.did("network " + network.Name + " of cluster " + n.Cluster().Name + " has role " + c.text("Role"))
	return nil
}

// setHeartbeat answers Set-ClusterHeartbeat.
func setHeartbeat(c *call, n *failover.Node) error {
	if err := n.Cluster().SetThresholds(c.integer("SameSubnetThreshold", 0), c.integer("CrossSubnetThreshold", 0)); err != nil {
		return err
	}
	c.did("set the heartbeat thresholds of cluster " + n.Cluster().Name)
	return nil
}

// addFileServer answers Add-ClusterFileServerRole, which needs a domain ("Create a workgroup cluster") and the role's feature.
func addFileServer(c *call, n *failover.Node) error {
	name := c.text("Name")
	switch {
	case c.system().Feature(windows.FileServer) != windows.Installed:
		return refuse("NotInstalled", hresultNone, "ClusterRoleFeatureMissing", name, "The File Server role is not installed on %q.", n.Name())
	case n.Cluster().ObjectGUID == "":
		return refuse("InvalidOperation", hresultUnsupported, "ClusterRoleNeedsDomain", name, "A file server cannot be made in a cluster without Active Directory.")
	case c.w.services.named(name) != nil:
		return refuse("ResourceExists", hresultAlreadyExists, "ClusterNameExists", name, "The name %q is in use on the network.", name)
	}
	g, err := n.Cluster().AddFileServer(name, c.texts("Storage"), c.texts("StaticAddress"))
	if err != nil {
		return err
	}
	c.did("made file server " + name + " in cluster " + n.Cluster().Name)
	c.waitForInner(g)
	c.emit(innerGroupView(g))
	return nil
}

// waitForInner waits as long as the parameter Wait says, in seconds; without it, until the group is settled.
func (c *call) waitForInner(g *failover.Group) {
	for left := c.integer("Wait", -1); left != 0 && g.State() == failover.GroupPending && c.alive(); left-- {
		c.sleep(time.Second)
	}
}

// startInnerGroup answers Start-ClusterGroup.
func startInnerGroup(c *call, n *failover.Node) error {
	g, err := groupNamed(n.Cluster(), c.text("Name"))
	if err != nil {
		return err
	}
	n.Cluster().StartGroup(g)
	c.did("starting group " + g.Name)
	c.waitForInner(g)
	c.emit(innerGroupView(g))
	return nil
}

// moveInnerGroup answers Move-ClusterGroup.
func moveInnerGroup(c *call, n *failover.Node) error {
	g, err := groupNamed(n.Cluster(), c.text("Name"))
	if err != nil {
		return err
	}
	var to *failover.Node
	if c.has("Node") {
		if to = n.Cluster().Node(c.text("Node")); to == nil {
			return noClusterObject(hresultNoNode, c.text("Node"))
		}
	}
	if err := n.Cluster().MoveGroup(g, to); err != nil {
		return err
	}
	c.did("moving group " + g.Name + " to " + g.Owner.Name())
	c.waitForInner(g)
	c.emit(innerGroupView(g))
	return nil
}

// newClusterShare answers New-ClusterShare, on the node that owns the role. A share that is there already is left as it is.
func newClusterShare(c *call, n *failover.Node) error {
	g, err := groupNamed(n.Cluster(), c.text("Role"))
	if err != nil {
		return err
	}
	name := c.text("Name")
	r := n.Cluster().DiskResource("{" + strings.ToUpper(strings.Trim(c.text("DiskGuid"), "{}")) + "}")
	switch {
	case r == nil || r.Group != g:
		return noClusterObject(hresultNoResource, c.text("DiskGuid"))
	case g.Owner != n:
		return refuse("ResourceUnavailable", hresultNodeGone, "ClusterGroupNotHere", g.Name, "The role %q is on %s.", g.Name, g.Owner.Name())
	case slices.ContainsFunc(g.Shares, func(s failover.Share) bool { return strings.EqualFold(s.Name, name) }):
		return nil
	}
	path, err := c.volumeOf(r.Properties["DiskIdGuid"])
	if err != nil {
		return err
	}
	if err := n.Cluster().AddShare(g, failover.Share{Name: name, ScopeName: g.Name, Path: path + `Shares\` + name, ContinuouslyAvailable: true}); err != nil {
		return err
	}
	c.did(`made share \\` + g.Name + `\` + name)
	return nil
}

// volumeOf is the root of a disk's volume.
func (c *call) volumeOf(guid string) (string, error) {
	d := c.system().Disk(guid)
	if d == nil {
		return "", refuse("ObjectNotFound", hresultNone, "CmdletizationQuery_NotFound", guid, "No disk %s was found.", guid)
	}
	for _, p := range d.Content.Partitions {
		if p.Letter != "" {
			return p.Letter + `:\`, nil
		}
	}
	return "", refuse("ObjectNotFound", hresultNone, "CmdletizationQuery_NotFound", guid, "No volume of the disk %s has a letter.", guid)
}
