package hypervsim

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim/failover"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

func init() {
	inGuests(map[string]command{
		"New-Cluster":         {func(d *Durations) time.Duration { return d.FormCluster }, needsHost, needsFeature(windows.ClusterPowerShell, newInnerCluster)},
		"Add-ClusterNode":     {func(d *Durations) time.Duration { return d.AddNode }, needsHost, inCluster(addInnerNode)},
		"Remove-ClusterNode":  {func(d *Durations) time.Duration { return d.AddNode }, needsHost, inCluster(removeInnerNode)},
		"Remove-Cluster":      {func(d *Durations) time.Duration { return d.AddNode }, needsHost, inCluster(removeInnerCluster)},
		"Suspend-ClusterNode": {changing, needsHost, inCluster(suspendInnerNode)},
		"Resume-ClusterNode":  {changing, needsHost, inCluster(resumeInnerNode)},
	})
}

// hresultNoServer is RPC_S_SERVER_UNAVAILABLE.
const hresultNoServer = "0x800706BA"

// secondHop refuses what acts on other machines unless the logon carries a password there ("Making the second hop in PowerShell
// Remoting").
func (c *call) secondHop(other string) error {
	if c.guest.logon == hostagent.LogonExplicit {
		return nil
	}
	return accessDenied(other)
}

func accessDenied(server string) error {
	return refuse("PermissionDenied", hresultAccessDenied, "ClusterAccessDenied", server,
		"You do not have administrative privileges on the server %q. Access is denied.", server)
}

// member finds a guest that is to be a node, and refuses one that cannot be: it must answer, have the feature, let the user in
// as an administrator, and be the node of no cluster.
func (c *call) member(name string) (*machine, error) {
	m, err := c.administered(name)
	if err != nil {
		return nil, err
	}
	if !m.guest.system.ClusterService.Disabled {
		return nil, refuse("ResourceExists", hresultClusterExists, "ClusterNodeExists", name, "The computer %q is joined to a cluster already.", name)
	}
	return m, nil
}

// administered finds a guest that answers, has the feature and lets the user in as an administrator.
func (c *call) administered(name string) (*machine, error) {
	m := c.w.services.named(name)
	if m != nil {
		c.w.plug(m)
	}
	switch {
	case m == nil || m != c.guest.machine && !c.w.services.hears(c.guest.machine, m):
		return nil, refuse("ConnectionError", hresultNoServer, "ClusterServerUnavailable", name, "The computer %q cannot be reached. The RPC server is unavailable.", name)
	case !administers(c.guest.user, c.system(), m.guest.system):
		return nil, accessDenied(name)
	case m.guest.system.Feature(windows.FailoverClustering) != windows.Installed:
		return nil, refuse("NotInstalled", hresultNone, "ClusterFeatureMissing", name, "The Failover Clustering feature is not installed on %q.", name)
	}
	return m, nil
}

// administers is whether a user of one system is an administrator of another one: by its SID, or by a local account of the same
// name and password.
func administers(u windows.User, own, other *windows.System) bool {
	if u.Domain || own == other {
		return other.Domain() == own.Domain() && slices.Contains(other.Administrators, u.SID)
	}
	mine, theirs := own.Account(u.Name), other.Account(u.Name)
	return mine != nil && theirs != nil && theirs.Enabled && theirs.Password == mine.Password && slices.Contains(other.Administrators, theirs.SID)
}

// hears is whether two guests reach each other on a network.
func (s *clusterServices) hears(a, b *machine) bool {
	for _, one := range s.computer(a).Adapters() {
		for _, other := range s.computer(b).Adapters() {
			if one.Segment == other.Segment && one.Address.Masked() == other.Address.Masked() {
				return true
			}
		}
	}
	return false
}

// newInnerCluster answers New-Cluster.
func newInnerCluster(c *call) error {
	name, container := splitClusterName(c.text("Name"))
	if err := c.secondHop(name); err != nil {
		return err
	}
	var machines []*machine
	var computers []failover.Computer
	for _, node := range c.texts("Node") {
		m, err := c.member(node)
		if err != nil {
			return err
		}
		machines = append(machines, m)
		computers = append(computers, c.w.services.computer(m))
	}
	account, err := c.clusterAccount(name, container, machines)
	if err != nil {
		return err
	}
	cluster, err := c.w.services.form(name, account, c.texts("StaticAddress"), computers)
	if err != nil {
		c.w.withdraw(account)
		return asInner(err)
	}
	for _, n := range cluster.Nodes {
		c.w.services.enlist(n)
	}
	if !c.flag("NoStorage") {
		for _, d := range cluster.AvailableDisks() {
			_, err := cluster.AddDisk(d.GUID)
			c.report(asInner(err))
		}
	}
	c.did("formed cluster " + name + " of " + strings.Join(c.texts("Node"), ", "))
	c.emit(innerClusterView(cluster))
	return nil
}

// splitClusterName gives the name and the container of a cluster whose name may be a distinguished name ("Prestage cluster
// computer objects in AD DS").
func splitClusterName(name string) (plain, container string) {
	if rest, ok := strings.CutPrefix(name, "CN="); ok {
		plain, container, _ = strings.Cut(rest, ",")
		return plain, container
	}
	return name, ""
}

// form forms a cluster of guests.
func (s *clusterServices) form(name string, account *windows.Computer, addresses []string, computers []failover.Computer) (*failover.Cluster, error) {
	d, clock := s.world.durations, &innerClock{services: s}
	setup := failover.Setup{
		Name: name, Addresses: addresses, Clock: clock, Directory: s, NewID: s.world.newID, Taken: s.taken, Happened: s.world.happened,
		// Windows misses a node after ten heartbeats.
		Timing: failover.Timing{Heartbeat: d.NodeDetection / 10, Online: d.Failover, Join: d.AddNode / 2},
	}
	if account != nil {
		setup.ObjectGUID = account.GUID
	}
	cluster, err := failover.Form(setup, computers)
	if err != nil {
		return nil, err
	}
	clock.cluster = cluster
	s.clusters = append(s.clusters, cluster)
	return cluster, nil
}

// taken is whether an address is that of a guest that is up, or of a cluster inside.
func (s *clusterServices) taken(ip netip.Addr) bool {
	if slices.ContainsFunc(s.clusters, func(c *failover.Cluster) bool { return c.Offers(ip) }) {
		return true
	}
	return slices.ContainsFunc(s.world.machines, func(m *machine) bool {
		return m.guest.phase == guestUp && slices.ContainsFunc(s.computer(m).Adapters(), func(a failover.Adapter) bool { return a.Address.Addr() == ip })
	})
}

// clusterAccount makes the computer object of a cluster on behalf of the user: in a unit of its own, or in that of the nodes.
// One that exists is refused. Nil for a cluster whose access point is in DNS alone.
func (c *call) clusterAccount(name, container string, machines []*machine) (*windows.Computer, error) {
	taken := slices.ContainsFunc(c.w.services.clusters, func(o *failover.Cluster) bool { return strings.EqualFold(o.Name, name) })
	if taken || c.w.services.named(name) != nil {
		return nil, refuse("ResourceExists", hresultAlreadyExists, "ClusterNameExists", name, "The name %q is in use on the network.", name)
	}
	if strings.EqualFold(c.text("AdministrativeAccessPoint"), "Dns") {
		return nil, nil
	}
	membership := c.system().Membership()
	same := !slices.ContainsFunc(machines, func(m *machine) bool { return m.guest.system.Domain() != c.system().Domain() })
	if membership == nil || !same {
		return nil, refuse("InvalidArgument", hresultParameter, "ClusterNodesNotInDomain", name, "The nodes of %q must be in one domain.", name)
	}
	if !c.w.reachesDomain(c.guest.machine) || !c.guest.user.Domain {
		return nil, accessDenied(membership.Domain.Name)
	}
	if container == "" {
		container = containerOf(membership.Computer)
	}
	made, err := membership.Domain.CreateComputer(c.guest.user.SID, container, name)
	if err != nil {
		return nil, clusterAccountRefused(name, container, err)
	}
	return made, nil
}

func clusterAccountRefused(name, container string, err error) error {
	if errors.Is(err, windows.ErrReuseBlocked) {
		return refuse("ResourceExists", hresultAlreadyExists, "ClusterNameExists", name, "The computer object %q exists in Active Directory and is enabled.", name)
	}
	return refuse("PermissionDenied", hresultAccessDenied, "ClusterNameObject", name, "The computer object %q cannot be created in %s: %s", name, container, err)
}

// withdraw removes a computer object that was made for nothing.
func (w *World) withdraw(account *windows.Computer) {
	if account != nil {
		w.domain.Computers = drop(w.domain.Computers, account)
	}
}

// addInnerNode answers Add-ClusterNode.
func addInnerNode(c *call, n *failover.Node) error {
	for _, name := range c.texts("Name") {
		if err := c.secondHop(name); err != nil {
			return err
		}
		m, err := c.member(name)
		if err != nil {
			return err
		}
		node, err := n.Cluster().Join(c.w.services.computer(m))
		if err != nil {
			return err
		}
		c.w.services.enlist(node)
		c.did("added node " + name + " to cluster " + n.Cluster().Name)
		c.emit(innerNodeView(node))
	}
	return nil
}

// nodesMeant are the nodes that the parameter Name names: the guest's own when it is not given.
func (c *call) nodesMeant(n *failover.Node) ([]*failover.Node, error) {
	if !c.has("Name") {
		return []*failover.Node{n}, nil
	}
	var out []*failover.Node
	for _, name := range c.texts("Name") {
		node := n.Cluster().Node(name)
		if node == nil {
			return nil, noClusterObject(hresultNoNode, name)
		}
		out = append(out, node)
	}
	return out, nil
}

// removeInnerNode answers Remove-ClusterNode. One that is off keeps thinking that it is a node.
func removeInnerNode(c *call, n *failover.Node) error {
	nodes, err := c.nodesMeant(n)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if err := c.secondHop(node.Name()); err != nil {
			return err
		}
		if err := n.Cluster().Evict(node); err != nil {
			return err
		}
		c.w.services.discharge(node)
		c.did("evicted node " + node.Name() + " from cluster " + n.Cluster().Name)
	}
	return nil
}

// removeInnerCluster answers Remove-Cluster; with -CleanupAD its computer objects go, else they are disabled.
func removeInnerCluster(c *call, n *failover.Node) error {
	cluster := n.Cluster()
	if err := c.secondHop(cluster.Name); err != nil {
		return err
	}
	for _, node := range cluster.Nodes {
		c.w.services.discharge(node)
	}
	for _, r := range cluster.Resources() {
		if r.Type == failover.NetworkName {
			c.report(c.retire(r.Properties["ObjectGUID"]))
		}
	}
	name := cluster.Name
	cluster.Destroy()
	c.w.services.clusters = drop(c.w.services.clusters, cluster)
	c.did("destroyed cluster " + name)
	return nil
}

// retire removes or disables a computer object of a cluster that goes.
func (c *call) retire(guid string) error {
	if guid == "" || c.w.domain == nil {
		return nil
	}
	account := c.w.domain.ComputerByGUID(guid)
	switch {
	case account == nil:
		return nil
	case !c.w.reachesDomain(c.guest.machine):
		return refuse("ConnectionError", hresultNoServer, "ClusterDirectory", account.Name, "No domain controller could be contacted.")
	case !c.flag("CleanupAD"):
		account.Enabled = false
		return nil
	}
	if err := c.w.domain.Remove(c.guest.user.SID, account); err != nil {
		return refuse("PermissionDenied", hresultAccessDenied, "ClusterDirectory", account.Name, "The computer object %q cannot be removed: %s", account.Name, err)
	}
	return nil
}

// suspendInnerNode answers Suspend-ClusterNode.
func suspendInnerNode(c *call, n *failover.Node) error {
	nodes, err := c.nodesMeant(n)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if err := n.Cluster().Suspend(node, c.flag("Drain")); err != nil {
			return err
		}
		c.did("paused node " + node.Name() + " of cluster " + n.Cluster().Name)
		c.emit(innerNodeView(node))
	}
	return nil
}

// resumeInnerNode answers Resume-ClusterNode.
func resumeInnerNode(c *call, n *failover.Node) error {
	nodes, err := c.nodesMeant(n)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if err := n.Cluster().Resume(node); err != nil {
			return err
		}
		c.did("resumed node " + node.Name() + " of cluster " + n.Cluster().Name)
		c.emit(innerNodeView(node))
	}
	return nil
}
