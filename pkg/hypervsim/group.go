package hypervsim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// group is a clustered role. Those of machines have a resource; the two core groups have none.
type group struct {
	world      *World
	id, name   string
	kind       string
	owner      *host
	classNames []string
	// vm is the id of the group's machine; empty for a core group.
	vm       string
	resource *resource
	// failed is whether its machine could not be started.
	failed bool
}

// resource is a machine's resource in its group.
type resource struct {
	group         *group
	id, name      string
	offlineAction int64
}

// What becomes of a machine when its resource goes offline ("Virtual Machines: OfflineAction").
const (
	offlineTurnOff     = 0
	offlineSave        = 1
	offlineShutDown    = 2
	offlineForceDown   = 3
	kindVirtualMachine = "VirtualMachine"
)

func (w *World) addCoreGroups() {
	for _, g := range []struct{ name, kind string }{{"Cluster Group", "Cluster"}, {"Available Storage", "AvailableStorage"}} {
		w.groups = append(w.groups, &group{world: w, id: w.newID(), name: g.name, kind: g.kind, owner: w.hosts[0]})
	}
}

// machine is the group's machine, or nil for a core group and for one whose machine is gone.
func (g *group) machine() *machine { return g.world.byID[g.vm] }

func (w *World) groupNamed(name string) *group {
	for _, g := range w.groups {
		if strings.EqualFold(g.name, name) {
			return g
		}
	}
	return nil
}

func (g *group) state() string {
	m := g.machine()
	switch {
	case g.kind == "AvailableStorage":
		return "Offline"
	case g.vm == "":
		return "Online"
	case m == nil, g.failed && m.state == off:
		return "Failed"
	case m.interrupted:
		return "Online"
	case m.migration() != nil:
		return "Pending"
	case m.state == running:
		return "Online"
	case m.state == off, m.state == saved:
		return "Offline"
	default:
		return "Pending"
	}
}

// resourceState follows the machine's state ("Virtual Machine" resource type).
func (g *group) resourceState() string {
	m := g.machine()
	switch {
	case g.state() == "Failed":
		return "Failed"
	case m.interrupted, m.state == running:
		return "Online"
	case m.state == starting:
		return "OnlinePending"
	case m.state == off, m.state == saved:
		return "Offline"
	default:
		return "OfflinePending"
	}
}

func (g *group) status() string {
	m := g.machine()
	switch {
	case m == nil:
		return "0"
	case g.owner.isolated:
		return "Unmonitored"
	case m.migration() != nil && !m.migration().underWay:
		return "Queued"
	default:
		return "0"
	}
}

var groupClass = properties[*group]{
	"id":                     func(g *group) any { return g.id },
	"name":                   func(g *group) any { return g.name },
	"grouptype":              func(g *group) any { return g.kind },
	"iscoregroup":            func(g *group) any { return g.vm == "" },
	"state":                  func(g *group) any { return g.state() },
	"statusinformation":      func(g *group) any { return g.status() },
	"ownernode":              func(g *group) any { return nodeView(g.owner) },
	"antiaffinityclassnames": func(g *group) any { return list(g.classNames) },
}

func groupView(g *group) object { return view[*group]{g, groupClass, g.name} }

var resourceClass = properties[*resource]{
	"id":           func(r *resource) any { return r.id },
	"name":         func(r *resource) any { return r.name },
	"resourcetype": func(*resource) any { return record{"name": "Virtual Machine"} },
	"state":        func(r *resource) any { return r.group.resourceState() },
	"ownergroup":   func(r *resource) any { return groupView(r.group) },
	"ownernode":    func(r *resource) any { return nodeView(r.group.owner) },
}

func resourceView(r *resource) object { return view[*resource]{r, resourceClass, r.name} }

// getClusterGroup answers Get-ClusterGroup.
func getClusterGroup(c *call) error {
	for _, g := range c.groupsAsked() {
		c.emit(groupView(g))
	}
	return c.unlessFound(hresultNoGroup)
}

// groupsAsked are the groups that Name or VMId mean; all when neither is given.
func (c *call) groupsAsked() []*group {
	if !c.has("VMId") && !c.has("Name") {
		return c.w.groups
	}
	var out []*group
	for _, g := range c.w.groups {
		m := g.machine()
		if c.has("Name") && c.wanted(g.name) || c.has("VMId") && g.isOf(c.text("VMId"), m) {
			out = append(out, g)
		}
	}
	return out
}

// isOf is whether the group is that of a machine, which may be gone.
func (g *group) isOf(id string, m *machine) bool {
	return m != nil && matchesVM(id, m) || g.vm != "" && strings.EqualFold(strings.Trim(id, "{}"), g.vm)
}

// oneGroup is the group that the call means.
func (c *call) oneGroup() (*group, error) {
	groups := c.groupsAsked()
	if len(groups) != 1 || !c.has("VMId") && !c.has("Name") {
		return nil, noClusterObject(hresultNoGroup, c.text("Name")+c.text("VMId"))
	}
	return groups[0], nil
}

// machineGroup is the group that the call means, with its machine.
func (c *call) machineGroup() (*group, *machine, error) {
	g, err := c.oneGroup()
	if err != nil {
		return nil, nil, err
	}
	m := g.machine()
	if m == nil {
		return nil, nil, noClusterObject(hresultNoResource, g.name)
	}
	return g, m, nil
}

// getClusterResource answers Get-ClusterResource: of a machine's resources, the one that is the machine.
func getClusterResource(c *call) error {
	for _, g := range c.w.groups {
		if g.resource == nil {
			continue
		}
		if !c.has("Name") && !c.has("VMId") || c.has("Name") && c.wanted(g.resource.name) || c.has("VMId") && g.isOf(c.text("VMId"), g.machine()) {
			c.emit(resourceView(g.resource))
		}
	}
	return c.unlessFound(hresultNoResource)
}

// cimResources answers a query for MSCluster_Resource. Its State is a number, as in every CIM class.
func (c *call) cimResources() error {
	filter := strings.ReplaceAll(c.text("Filter"), " ", "")
	if filter != "" && !strings.EqualFold(filter, "Type='VirtualMachine'") {
		return refuse("InvalidArgument", "0x80041017", "HRESULT 0x80041017", filter, "Invalid query %q.", c.text("Filter"))
	}
	for _, g := range c.w.groups {
		if g.resource == nil {
			continue
		}
		c.emit(c.chosen(record{
			"name": g.resource.name, "id": g.resource.id, "type": "Virtual Machine", "ownergroup": g.name, "ownernode": g.owner.name,
			"state":             resourceStates[g.resourceState()],
			"privateproperties": record{"vmid": g.vm, "offlineaction": g.resource.offlineAction},
		}))
	}
	return nil
}

// resourceStates are the numbers of resource states ("ClusterResourceState").
var resourceStates = map[string]int64{"Online": 2, "Offline": 3, "Failed": 4, "OnlinePending": 129, "OfflinePending": 130}

// setClusterParameter answers Set-ClusterParameter for the one parameter that is set.
func setClusterParameter(c *call) error {
	for _, r := range given[*resource](c, "InputObject") {
		g := r.group
		if !slices.Contains(c.w.groups, g) {
			return noClusterObject(hresultNoResource, r.name)
		}
		if !strings.EqualFold(c.text("Name"), "OfflineAction") {
			return refuse("InvalidArgument", hresultParameter, "ClusterParameterNotFound", c.text("Name"), "Parameter %q cannot be set on %q.", c.text("Name"), r.name)
		}
		action, err := strconv.ParseInt(c.text("Value"), 10, 64)
		if err != nil || action < offlineTurnOff || action > offlineForceDown {
			return invalid(r.name, "OfflineAction %q does not exist.", c.text("Value"))
		}
		r.offlineAction = action
		c.did("set OfflineAction of " + g.name + " to " + c.text("Value"))
	}
	return nil
}

// addMachineRole answers Add-ClusterVirtualMachineRole, on the host that has the machine.
func addMachineRole(c *call) error {
	m := c.w.machineByID(c.text("VMId"))
	if m == nil || m.host != c.host {
		return c.noMachine(c.text("VMId"))
	}
	name := cmp.Or(c.text("Name"), m.name)
	switch {
	case m.role != nil:
		return refuse("ResourceExists", hresultClusterExists, "ClusterObjectExists", m.name, "The virtual machine %q is clustered already.", m.name)
	case c.w.groupNamed(name) != nil:
		return refuse("ResourceExists", hresultClusterExists, "ClusterObjectExists", name, "The cluster has a group %q already.", name)
	}
	g := c.w.cluster(m, name)
	m.startAction = "Nothing"
	c.did("made VM " + m.name + " clustered role " + name)
	c.emit(groupView(g))
	return nil
}

// cluster makes a group for a machine.
func (w *World) cluster(m *machine, name string) *group {
	g := &group{world: w, id: w.newID(), name: name, kind: kindVirtualMachine, owner: m.host, vm: m.id}
	g.resource = &resource{group: g, id: w.newID(), name: "Virtual Machine " + name, offlineAction: offlineSave}
	w.groups = append(w.groups, g)
	m.role = g
	return g
}

// removeClusterGroup answers Remove-ClusterGroup: the machine stays as it is.
func removeClusterGroup(c *call) error {
	g, err := c.oneGroup()
	if err != nil {
		return err
	}
	if g.vm == "" {
		return refuse("InvalidOperation", hresultNone, "ClusterCoreGroup", g.name, "The core group %q cannot be removed.", g.name)
	}
	if !c.flag("RemoveResources") {
		return refuse("InvalidOperation", hresultNone, "ClusterGroupNotEmpty", g.name, "The group %q has resources.", g.name)
	}
	c.w.removeGroup(g)
	c.did("removed clustered role " + g.name)
	return nil
}

// removeGroup leaves the group's machine where and as it is.
func (w *World) removeGroup(g *group) {
	if m := g.machine(); m != nil {
		w.cancelMigration(m)
		m.role = nil
	}
	w.groups = drop(w.groups, g)
}

// updateMachineConfiguration answers Update-ClusterVirtualMachineConfiguration.
func updateMachineConfiguration(c *call) error {
	g, _, err := c.machineGroup()
	if err != nil {
		return err
	}
	c.did("refreshed the configuration of " + g.name)
	c.emit(resourceView(g.resource))
	return nil
}

// addClassName answers Add-AntiAffinityClassName; foreign names stay, and one that is there is not added again.
func addClassName(c *call) error {
	g, err := c.oneGroup()
	if err != nil {
		return err
	}
	name := c.text("ClassName")
	if slices.Contains(g.classNames, name) {
		return nil
	}
	g.classNames = append(slices.Clone(g.classNames), name)
	c.did("added class name " + name + " to " + g.name)
	return nil
}

// removeClassName answers Remove-AntiAffinityClassName.
func removeClassName(c *call) error {
	g, err := c.oneGroup()
	if err != nil {
		return err
	}
	name := c.text("ClassName")
	if !slices.Contains(g.classNames, name) {
		return nil
	}
	g.classNames = drop(slices.Clone(g.classNames), name)
	c.did("removed class name " + name + " from " + g.name)
	return nil
}

// startClusterGroup answers Start-ClusterGroup. With -Wait 0 it does not wait for the machine to run.
func startClusterGroup(c *call) error {
	g, m, err := c.machineGroup()
	if err != nil {
		return err
	}
	if m.interrupted || m.state == running || m.state == starting {
		c.emit(groupView(g))
		return nil
	}
	if !m.settled() {
		return wrongState(m, "Starting")
	}
	c.w.placeForStart(g, m)
	if !m.host.available() {
		return nodeUnavailable(m.host)
	}
	c.did("starting VM " + m.name + " on " + m.host.name)
	cause := c.w.bringOnline(g, m)
	c.waitForGroup(m)
	if c.integer("Wait", -1) == 0 {
		cause = nil
	}
	c.emit(groupView(g))
	return cause
}

// bringOnline starts a group's machine; what cannot be started leaves the group failed.
func (w *World) bringOnline(g *group, m *machine) error {
	err := w.start(m)
	g.failed = err != nil
	if err != nil {
		w.happened("VM " + m.name + " could not be started on " + m.host.name + ": " + err.Error())
	}
	return err
}

// stopClusterGroup answers Stop-ClusterGroup: the machine does what its OfflineAction says.
func stopClusterGroup(c *call) error {
	g, m, err := c.machineGroup()
	if err != nil {
		return err
	}
	switch {
	case m.state == off, m.state == saved:
		g.failed = false
	case m.state != running || m.migration() != nil:
		return wrongState(m, "Stopping")
	default:
		c.did(c.w.takeOffline(g, m))
	}
	c.waitForGroup(m)
	c.emit(groupView(g))
	return nil
}

// takeOffline does what the OfflineAction says, and tells what that is.
func (w *World) takeOffline(g *group, m *machine) string {
	switch g.resource.offlineAction {
	case offlineTurnOff:
		w.turnOff(m)
		return "turned off VM " + m.name
	case offlineSave:
		w.save(m)
		return "saving VM " + m.name
	default:
		w.shutDown(m)
		return "shutting down VM " + m.name
	}
}

// waitForGroup waits as long as the parameter Wait says, in seconds; without it, until the machine is settled.
func (c *call) waitForGroup(m *machine) {
	for left := c.integer("Wait", -1); left != 0 && !m.settled() && c.alive(); left-- {
		c.w.sleep(time.Second)
	}
}
