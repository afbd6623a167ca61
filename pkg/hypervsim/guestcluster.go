package hypervsim

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hypervsim/failover"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// clusterServices are the cluster services in the world's guests, and the clusters that they form.
type clusterServices struct {
	world    *World
	clusters []*failover.Cluster
	// computers are the guests as the cluster service sees them.
	computers map[*machine]*guestComputer
	// lost are servers outside that do not answer, by lower-case name: those of witnesses.
	lost map[string]bool
	// isolated are machines that are cut off from all networks.
	isolated map[*machine]bool
	// written are when files in guests were written.
	written     map[guestFile]time.Time
	validations []*validationRun
	// telling is whether the clusters are being told already that something has changed.
	telling bool
}

func newClusterServices(w *World) *clusterServices {
	return &clusterServices{world: w, computers: map[*machine]*guestComputer{}, lost: map[string]bool{}, isolated: map[*machine]bool{}, written: map[guestFile]time.Time{}}
}

// innerClock is the world's time for a cluster inside: what happens there by itself shows in its guests at once.
type innerClock struct {
	services *clusterServices
	cluster  *failover.Cluster
}

func (c *innerClock) Now() time.Time { return c.services.world.clock.Now() }

func (c *innerClock) After(d time.Duration, do func()) (cancel func()) {
	w := c.services.world
	e := w.after(d, func() {
		do()
		c.services.settle(c.cluster)
	})
	return func() { w.forget(e) }
}

// booted is when Windows is up in a machine, after a start or a restart, or runs again after it was saved: if it is a node, its
// cluster service starts.
func (s *clusterServices) booted(m *machine) {
	s.changedFor(m)
	if n := s.node(m); n != nil && !m.guest.system.ClusterService.Disabled {
		n.Cluster().Start(n)
		s.settle(n.Cluster())
	}
}

// shuttingDown is when Windows begins to shut down or restart in good order: its cluster service leaves in order.
func (s *clusterServices) shuttingDown(m *machine) {
	if n := s.node(m); n != nil {
		n.Cluster().Stop(n)
		s.settle(n.Cluster())
	}
}

// stopped is when Windows runs no more: after shutting down, or at once with the machine's or its host's power. A machine that
// is saved counts as stopped.
func (s *clusterServices) stopped(m *machine) {
	if m.guest.system != nil {
		m.guest.system.ClusterService.Running = false
	}
	s.changedFor(m)
}

// changed tells the clusters that something may be different: a network, a place, the domain.
func (s *clusterServices) changed() { s.tell(s.clusters) }

// changedFor tells the clusters that some machines are nodes of that something may be different.
func (s *clusterServices) changedFor(machines ...*machine) {
	concerned := map[*failover.Cluster]bool{}
	for _, m := range machines {
		if n := s.node(m); n != nil {
			concerned[n.Cluster()] = true
		}
	}
	s.tell(slices.DeleteFunc(slices.Clone(s.clusters), func(c *failover.Cluster) bool { return !concerned[c] }))
}

func (s *clusterServices) tell(clusters []*failover.Cluster) {
	if s.telling {
		return
	}
	s.telling = true
	defer func() { s.telling = false }()
	for _, c := range slices.Clone(clusters) {
		for _, n := range c.Nodes {
			s.world.plug(machineOf(n))
		}
		c.Changed()
		s.settle(c)
	}
}

// machineOf is the machine that a node is.
func machineOf(n *failover.Node) *machine { return n.Computer.(*guestComputer).machine }

// settle writes down in each guest of a cluster what its cluster service does, and which disks are its own.
func (s *clusterServices) settle(c *failover.Cluster) {
	for _, n := range c.Nodes {
		m := machineOf(n)
		m.guest.system.ClusterService.Running = n.ServiceRuns() && m.guest.phase == guestUp
		for _, d := range m.guest.system.Disks() {
			if holds := c.Holds(n, d.Content.GUID); c.DiskResource(d.Content.GUID) != nil && d.Offline == holds {
				s.world.setOnline(m, d.UniqueID, holds)
			}
		}
	}
}

// node is the node that a machine is, or nil.
func (s *clusterServices) node(m *machine) *failover.Node {
	if c := s.computers[m]; c != nil {
		return c.node
	}
	return nil
}

// computer is a machine as the cluster service sees it.
func (s *clusterServices) computer(m *machine) *guestComputer {
	if s.computers[m] == nil {
		s.computers[m] = &guestComputer{services: s, machine: m}
	}
	return s.computers[m]
}

// named finds the machine of a computer name in a domain or workgroup, up, or nil.
func (s *clusterServices) named(name string) *machine {
	name, _, _ = strings.Cut(name, ".")
	for _, m := range s.world.machines {
		if m.guest.phase == guestUp && strings.EqualFold(m.guest.system.Name(), name) {
			return m
		}
	}
	return nil
}

// enlist notes that a guest is a node, whose service runs.
func (s *clusterServices) enlist(n *failover.Node) {
	n.Computer.(*guestComputer).node = n
	machineOf(n).guest.system.ClusterService = windows.Service{Running: true}
}

// discharge notes that a guest is the node of no cluster any more. One that is off does not hear of it.
func (s *clusterServices) discharge(n *failover.Node) {
	n.Computer.(*guestComputer).node = nil
	if m := machineOf(n); m.guest.phase == guestUp {
		m.guest.system.ClusterService = windows.Service{Disabled: true}
	}
}

// guestComputer is a guest as the cluster service sees it.
type guestComputer struct {
	services *clusterServices
	machine  *machine
	// node is what it is in its cluster; nil in none.
	node *failover.Node
}

func (c *guestComputer) Name() string { return c.machine.guest.system.Name() }
func (c *guestComputer) Build() int   { return c.machine.guest.system.Build }

func (c *guestComputer) Domain() string {
	if c.machine.guest.system.Domain() == nil {
		return ""
	}
	return c.machine.guest.system.DomainName()
}

// Condition is Frozen at the end of a live migration. A guest without the feature has no cluster service.
func (c *guestComputer) Condition() failover.Condition {
	m := c.machine
	switch {
	case m.removed || m.guest.phase != guestUp || m.guest.system.Feature(windows.FailoverClustering) != windows.Installed:
		return failover.Off
	case m.standsStill():
		return failover.Frozen
	default:
		return failover.Running
	}
}

// standsStill is whether a machine is in the last moment of a live migration, in which it runs on no host.
func (m *machine) standsStill() bool {
	mg, w := m.migration(), m.world
	return mg != nil && mg.underWay && !w.clock.Now().Before(mg.end.at.Add(-w.durations.Blackout))
}

// Adapters are those that are connected, on their switch and VLAN as one wire, with the addresses that they have.
func (c *guestComputer) Adapters() []failover.Adapter {
	if c.services.isolated[c.machine] {
		return nil
	}
	var out []failover.Adapter
	for _, a := range c.machine.guest.system.Adapters() {
		i := slices.IndexFunc(c.machine.adapters, func(v *adapter) bool { return v.mac == a.MAC })
		if !a.Up || i < 0 {
			continue
		}
		wire := c.machine.adapters[i]
		for _, address := range a.Addresses() {
			out = append(out, failover.Adapter{
				Name: a.Name, Segment: strings.ToLower(wire.switchName) + "/" + vlanName(wire.vlan), Address: address.Prefix,
				Gateway: len(a.DefaultGateways()) > 0, DHCP: address.Origin != windows.OriginManual,
			})
		}
	}
	return out
}

// Disks are those that the guest has found.
func (c *guestComputer) Disks() []failover.Disk {
	var out []failover.Disk
	for _, d := range c.machine.guest.system.Disks() {
		out = append(out, failover.Disk{
			GUID: d.Seen.GUID, UniqueID: d.UniqueID, Number: d.Number, SizeBytes: d.Device.Size, Local: d.System,
			Formatted:    slices.ContainsFunc(d.Seen.Partitions, func(p windows.Partition) bool { return p.FileSystem != "" }),
			Reservations: c.machine.shares(d.UniqueID),
		})
	}
	return out
}

// shares is whether the disk of a unique id is attached with persistent reservations.
func (m *machine) shares(uniqueID string) bool {
	return slices.ContainsFunc(m.drives, func(d *drive) bool {
		f := m.world.fileAt(m.host, d.path)
		return d.shared && f != nil && f.disk != nil && windows.UniqueID(f.disk.identifier) == uniqueID
	})
}

// Reaches is whether a server outside the cluster answers: one that is not lost, over the clients' network.
func (c *guestComputer) Reaches(server string) bool {
	return !c.services.lost[strings.ToLower(server)] && !c.services.isolated[c.machine] && c.Condition() == failover.Running && c.machine.onClientNetwork()
}

// onClientNetwork is whether a machine has an adapter on the switch that the domain is on.
func (m *machine) onClientNetwork() bool {
	clients := m.world.network.domainSwitch
	return slices.ContainsFunc(m.adapters, func(a *adapter) bool {
		return a.switchName != "" && (clients == "" || strings.EqualFold(a.switchName, clients))
	})
}

var errNoDomain = errors.New("no domain controller can be reached")

// Ensure gives the computer object of a role's name, made by the cluster's own object in the unit that it is in itself.
func (s *clusterServices) Ensure(cluster, name string) (objectGUID string, err error) {
	d := s.world.domain
	if d == nil || d.Stopped {
		return "", errNoDomain
	}
	own := d.Computer(cluster)
	if own == nil || !own.Enabled {
		return "", errors.New("the computer object " + cluster + " of the cluster is missing or disabled")
	}
	if there := d.Computer(name); there != nil && there.Creator == own.SID {
		return there.GUID, nil
	}
	made, err := d.CreateComputer(own.SID, containerOf(own), name)
	if err != nil {
		return "", err
	}
	return made.GUID, nil
}

// containerOf is the distinguished name of the container that a computer object is in.
func containerOf(c *windows.Computer) string {
	_, container, _ := strings.Cut(c.DistinguishedName, ",")
	return container
}

func vlanName(vlan int64) string {
	if vlan == 0 {
		return "untagged"
	}
	return asText(vlan)
}

// addressText is a subnet's address as Windows prints it; empty without one.
func addressText(subnet netip.Prefix) string {
	if !subnet.IsValid() {
		return ""
	}
	return subnet.Masked().Addr().String()
}
