package hypervsim

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"guestclustering.io/operator/pkg/hypervsim/failover"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

func init() {
	inGuests(map[string]command{
		"Get-Cluster":              {reading, needsHost, inCluster(getInnerCluster)},
		"Get-ClusterNode":          {reading, needsHost, inCluster(getInnerNode)},
		"Get-ClusterGroup":         {reading, needsHost, inCluster(getInnerGroup)},
		"Get-ClusterResource":      {reading, needsHost, inCluster(getInnerResource)},
		"Get-ClusterNetwork":       {reading, needsHost, inCluster(getInnerNetwork)},
		"Get-ClusterQuorum":        {reading, needsHost, inCluster(getInnerQuorum)},
		"Get-ClusterSharedVolume":  {reading, needsHost, inCluster(getInnerVolume)},
		"Get-ClusterAvailableDisk": {reading, needsHost, inCluster(getAvailableDisk)},
		"Get-SmbShare":             {reading, needsHost, getSMBShare},
	})
}

// inCluster makes a command of what is done with the cluster that the guest is a node of.
func inCluster(do func(*call, *failover.Node) error) func(*call) error {
	return needsFeature(windows.ClusterPowerShell, func(c *call) error {
		n, err := c.innerNode()
		if err != nil {
			return err
		}
		return asInner(do(c, n))
	})
}

// innerNode is the node that the guest is, whose cluster service answers.
func (c *call) innerNode() (*failover.Node, error) {
	n := c.w.services.node(c.guest.machine)
	if n == nil || !n.Serves() {
		return nil, refuse("ConnectionError", hresultNoEndpoint, "ClusterRpcConnection", c.system().Name(),
			"The cluster service is not running. Make sure that the service is running on all nodes in the cluster.")
	}
	return n, nil
}

// innerRefusals is how the cluster's cmdlets say why they refuse.
var innerRefusals = map[failover.Reason]struct{ category, hresult, id string }{
	failover.NotFound:  {"ObjectNotFound", hresultNoResource, "ClusterObjectNotFound"},
	failover.Exists:    {"ResourceExists", hresultClusterExists, "ClusterObjectExists"},
	failover.NotOnline: {"ResourceUnavailable", hresultNodeGone, "ClusterObjectNotOnline"},
	failover.InUse:     {"InvalidOperation", hresultInnerDependent, "ClusterObjectInUse"},
	failover.Invalid:   {"InvalidArgument", hresultParameter, "ClusterInvalidArgument"},
}

// hresultInnerDependent is ERROR_DEPENDENT_RESOURCE_EXISTS.
const hresultInnerDependent = "0x80071389"

// asInner gives a refusal of the model as that of a cmdlet.
func asInner(err error) error {
	r, ok := errors.AsType[*failover.Refusal](err)
	if !ok {
		return err
	}
	as := innerRefusals[r.Reason]
	return refuse(as.category, as.hresult, as.id, r.What, "%s", r.Message)
}

// The classes of what is in a cluster inside guests.
var (
	innerClusterClass = properties[*failover.Cluster]{
		"name":                 func(c *failover.Cluster) any { return c.Name },
		"id":                   func(c *failover.Cluster) any { return c.ID },
		"samesubnetthreshold":  func(c *failover.Cluster) any { return c.SameSubnetThreshold },
		"crosssubnetthreshold": func(c *failover.Cluster) any { return c.CrossSubnetThreshold },
		"witnessdynamicweight": func(c *failover.Cluster) any { return c.WitnessDynamicWeight() },
		"dynamicquorum":        func(*failover.Cluster) any { return 1 },
	}
	innerNodeClass = properties[*failover.Node]{
		"name":              func(n *failover.Node) any { return n.Name() },
		"nodename":          func(n *failover.Node) any { return n.Name() },
		"id":                func(n *failover.Node) any { return strconv.Itoa(n.Number()) },
		"state":             func(n *failover.Node) any { return string(n.State()) },
		"statusinformation": func(n *failover.Node) any { return innerNodeStatus(n) },
		"drainstatus":       func(n *failover.Node) any { return string(n.Drained()) },
		"nodeweight":        func(n *failover.Node) any { return n.Weight() },
		"dynamicweight":     func(n *failover.Node) any { return n.DynamicWeight() },
	}
	innerGroupClass = properties[*failover.Group]{
		"name":      func(g *failover.Group) any { return g.Name },
		"id":        func(g *failover.Group) any { return g.ID },
		"grouptype": func(g *failover.Group) any { return string(g.Type) },
		"iscoregroup": func(g *failover.Group) any {
			return g.Type == failover.CoreGroup || g.Type == failover.AvailableStorage
		},
		"state":     func(g *failover.Group) any { return string(g.State()) },
		"ownernode": func(g *failover.Group) any { return innerNodeView(g.Owner) },
	}
	innerResourceClass properties[*failover.Resource]
	innerNetworkClass  properties[innerNetwork]
)

func init() {
	guestClasses["root/mscluster:mscluster_resource"] = clusterResources
	// These lead back to their own view functions.
	innerResourceClass = properties[*failover.Resource]{
		"name":         func(r *failover.Resource) any { return r.Name },
		"id":           func(r *failover.Resource) any { return r.ID },
		"resourcetype": func(r *failover.Resource) any { return record{"name": string(r.Type)} },
		"state":        func(r *failover.Resource) any { return string(r.State) },
		"ownergroup":   func(r *failover.Resource) any { return innerGroupView(r.Group) },
		"ownernode":    func(r *failover.Resource) any { return innerNodeView(r.Group.Owner) },
	}
	innerNetworkClass = properties[innerNetwork]{
		"name":        func(n innerNetwork) any { return n.Name },
		"id":          func(n innerNetwork) any { return n.ID },
		"role":        func(n innerNetwork) any { return networkRoles[n.Role] },
		"state":       func(n innerNetwork) any { return n.cluster.NetworkState(n.Network) },
		"address":     func(n innerNetwork) any { return addressText(n.Subnet) },
		"addressmask": func(n innerNetwork) any { return failover.Mask(n.Subnet) },
	}
}

// networkRoles are the names of a network's roles ("ClusterNetworkRole").
var networkRoles = map[failover.NetworkRole]string{
	failover.RoleNone: "None", failover.RoleCluster: "Cluster", failover.RoleClusterAndClient: "ClusterAndClient",
}

// innerNetwork is a network of a cluster inside.
type innerNetwork struct {
	*failover.Network
	cluster *failover.Cluster
}

func innerClusterView(c *failover.Cluster) object {
	return view[*failover.Cluster]{c, innerClusterClass, c.Name}
}
func innerNodeView(n *failover.Node) object { return view[*failover.Node]{n, innerNodeClass, n.Name()} }
func innerGroupView(g *failover.Group) object {
	return view[*failover.Group]{g, innerGroupClass, g.Name}
}

func innerResourceView(r *failover.Resource) object {
	return view[*failover.Resource]{r, innerResourceClass, r.Name}
}

func innerNetworkView(c *failover.Cluster, n *failover.Network) object {
	return view[innerNetwork]{innerNetwork{n, c}, innerNetworkClass, n.Name}
}

func innerNodeStatus(n *failover.Node) string {
	switch {
	case n.Quarantined():
		return "Quarantined"
	case n.Isolated():
		return "Isolated"
	case n.Drained() == failover.DrainInProgress:
		return "DrainInProgress"
	case n.Drained() == failover.DrainCompleted:
		return "DrainCompleted"
	case n.Drained() == failover.DrainFailed:
		return "DrainFailed"
	default:
		return "Normal"
	}
}

// getInnerCluster answers Get-Cluster.
func getInnerCluster(c *call, n *failover.Node) error {
	c.emit(innerClusterView(n.Cluster()))
	return nil
}

// getInnerNode answers Get-ClusterNode.
func getInnerNode(c *call, n *failover.Node) error {
	for _, node := range n.Cluster().Nodes {
		if c.wanted(node.Name()) {
			c.emit(innerNodeView(node))
		}
	}
	return c.unlessFound(hresultNoNode)
}

// getInnerGroup answers Get-ClusterGroup, which does not list the groups of cluster shared volumes.
func getInnerGroup(c *call, n *failover.Node) error {
	for _, g := range n.Cluster().Groups {
		if g.Type != failover.SharedVolume && c.wanted(g.Name) {
			c.emit(innerGroupView(g))
		}
	}
	return c.unlessFound(hresultNoGroup)
}

// getInnerResource answers Get-ClusterResource, which does not list cluster shared volumes.
func getInnerResource(c *call, n *failover.Node) error {
	for _, r := range n.Cluster().Resources() {
		if r.Group.Type != failover.SharedVolume && c.wanted(r.Name) {
			c.emit(innerResourceView(r))
		}
	}
	return c.unlessFound(hresultNoResource)
}

// getInnerNetwork answers Get-ClusterNetwork.
func getInnerNetwork(c *call, n *failover.Node) error {
	for _, network := range n.Cluster().Networks {
		if c.wanted(network.Name) {
			c.emit(innerNetworkView(n.Cluster(), network))
		}
	}
	return c.unlessFound(hresultNoResource)
}

// getInnerQuorum answers Get-ClusterQuorum.
func getInnerQuorum(c *call, n *failover.Node) error {
	out := record{"cluster": innerClusterView(n.Cluster()), "quorumresource": nil, "quorumtype": "Majority"}
	if w := n.Cluster().Witness(); w != nil {
		out["quorumresource"] = innerResourceView(w)
	}
	c.emit(out)
	return nil
}

// getInnerVolume answers Get-ClusterSharedVolume.
func getInnerVolume(c *call, n *failover.Node) error {
	for _, r := range n.Cluster().SharedVolumes() {
		if c.wanted(r.Name) {
			c.emit(innerResourceView(r))
		}
	}
	return c.unlessFound(hresultNoResource)
}

// getAvailableDisk answers Get-ClusterAvailableDisk; with -Disk it looks at one disk alone.
func getAvailableDisk(c *call, n *failover.Node) error {
	for _, d := range n.Cluster().AvailableDisks() {
		if asked := given[*windows.Disk](c, "Disk"); c.has("Disk") && !slices.ContainsFunc(asked, func(a *windows.Disk) bool { return a.UniqueID == d.UniqueID }) {
			continue
		}
		c.emit(availableDiskView(n.Cluster(), d))
	}
	return nil
}

// clusterResources are those of the class MSCluster_Resource, which lists cluster shared volumes too.
func clusterResources(c *call) ([]record, error) {
	if c.system().Feature(windows.FailoverClustering) != windows.Installed {
		return nil, refuse("MetadataError", "0x8004100E", "HRESULT 0x8004100e", c.text("Namespace"), "Invalid namespace %q.", c.text("Namespace"))
	}
	n := c.w.services.node(c.guest.machine)
	if n == nil || !n.Serves() {
		return nil, refuse("NotSpecified", hresultNoEndpoint, "HRESULT 0x800706d9", c.text("ClassName"), "There are no more endpoints available from the endpoint mapper.")
	}
	var out []record
	for _, r := range n.Cluster().Resources() {
		private := record{}
		for name, value := range r.Properties {
			private[strings.ToLower(name)] = value
		}
		if guid := r.Properties["ObjectGUID"]; guid != "" {
			private["objectguid"] = octets(guid)
		}
		out = append(out, record{
			"name": r.Name, "id": r.ID, "type": string(r.Type), "ownergroup": r.Group.Name, "ownernode": r.Group.Owner.Name(),
			"state": resourceStates[string(r.State)], "isclustersharedvolume": r.Group.Type == failover.SharedVolume,
			"coreresource": r.Group.Type == failover.CoreGroup, "privateproperties": private,
		})
	}
	return out, nil
}

// octets gives a GUID as a network name's ObjectGUID has it: its bytes as they are in the directory, which are the first three
// parts' from right to left, in hexadecimal digits alone ("IADs::get_GUID").
func octets(guid string) string {
	var out strings.Builder
	for i, part := range strings.Split(strings.Trim(guid, "{}"), "-") {
		for j := 0; j+1 < len(part); j += 2 {
			at := j
			if i < 3 {
				at = len(part) - 2 - j
			}
			out.WriteString(part[at : at+2])
		}
	}
	return out.String()
}

// getSMBShare answers Get-SmbShare: the shares of the roles that are online here, and Windows' own.
func getSMBShare(c *call) error {
	if special, given := c.args["special"]; !given || !allFalse(special) {
		c.emit(record{"name": "ADMIN$", "scopename": "*", "path": `C:\Windows`, "special": true, "continuouslyavailable": false})
		c.emit(record{"name": "IPC$", "scopename": "*", "path": "", "special": true, "continuouslyavailable": false})
	}
	n := c.w.services.node(c.guest.machine)
	if n == nil || !n.Serves() {
		return nil
	}
	for _, g := range n.Cluster().Groups {
		if g.Owner != n || !g.Served() {
			continue
		}
		for _, s := range g.Shares {
			c.emit(record{"name": s.Name, "scopename": cmp.Or(s.ScopeName, "*"), "path": s.Path, "special": false, "continuouslyavailable": s.ContinuouslyAvailable})
		}
	}
	return nil
}

func allFalse(v any) bool {
	values, ok := v.([]any)
	if !ok {
		values = []any{v}
	}
	return !slices.Contains(values, any(true))
}
