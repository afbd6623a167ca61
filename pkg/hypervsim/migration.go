package hypervsim

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// migration is a live migration, waiting for a slot or under way.
type migration struct {
	machine  *machine
	from, to *host
	underWay bool
	end      *event
}

// moveMachineRole answers Move-ClusterVirtualMachineRole for a live migration. With -Wait 0 it does not wait for its end.
func moveMachineRole(c *call) error {
	g, m, err := c.machineGroup()
	if err != nil {
		return err
	}
	to := c.w.hostNamed(c.text("Node"))
	switch kind := c.text("MigrationType"); {
	case kind != "" && !strings.EqualFold(kind, "Live"):
		return refuse("NotImplemented", hresultUnsupported, "NotImplemented", kind, "Only live migration is simulated, not %s.", kind)
	case to == nil:
		return noClusterObject(hresultNoNode, c.text("Node"))
	}
	if err := c.w.migratable(m, to); err != nil {
		return err
	}
	c.w.migrate(m, to)
	c.did("live-migrating VM " + m.name + " from " + m.host.name + " to " + to.name)
	c.waitForGroup(m)
	if c.integer("Wait", -1) != 0 && m.host != to {
		return refuse("InvalidResult", hresultNone, "ClusterMoveFailed", m.name, "The live migration of %q to %s failed.", m.name, to.name)
	}
	c.emit(groupView(g))
	return nil
}

// migratable says why a machine cannot be live-migrated to a host, or nothing.
func (w *World) migratable(m *machine, to *host) error {
	switch {
	case m.state != running || m.migration() != nil:
		return wrongState(m, "Live migration")
	case to == m.host:
		return invalid(m.name, "%q runs on %s already.", m.name, to.name)
	case !to.available():
		return refuse("InvalidOperation", hresultNodePaused, "ClusterNodeNotAvailable", to.name, "Node %s is %s and takes no machines.", to.name, strings.ToLower(to.nodeState()))
	case !to.supports(m.version):
		return refuse("NotImplemented", hresultUnsupported, "ConfigurationVersion", m.name, "%s does not support configuration version %s.", to.name, m.version)
	case to.freeMemory() < m.memory:
		return refuse("ResourceUnavailable", hresultNoMemory, "OutOfMemory", m.name, "Not enough memory on %s for %q.", to.name, m.name)
	}
	for _, a := range m.adapters {
		if a.switchName != "" && to.switchNamed(a.switchName) == nil {
			return refuse("ObjectNotFound", hresultNone, "NoMatchingSwitch", a.switchName, "%s has no matching virtual switch %q.", to.name, a.switchName)
		}
	}
	return nil
}

// migrate asks for a live migration; it begins once both hosts have a slot free.
func (w *World) migrate(m *machine, to *host) {
	w.migrations = append(w.migrations, &migration{machine: m, from: m.host, to: to})
	w.startMigrations()
}

func (w *World) startMigrations() {
	for _, mg := range slices.Clone(w.migrations) {
		if mg.underWay || !w.slotFree(mg.from) || !w.slotFree(mg.to) {
			continue
		}
		if mg.to.freeMemory() < mg.machine.memory || !mg.to.available() {
			w.migrations = drop(w.migrations, mg)
			w.happened("the live migration of VM " + mg.machine.name + " to " + mg.to.name + " failed")
			continue
		}
		mg.underWay = true
		gib := float64(mg.machine.memory) / float64(GiB)
		takes := w.durations.MigrateBase + time.Duration(gib*float64(w.durations.MigratePerGiB))
		mg.end = w.after(takes, func() { w.arrive(mg) })
		w.after(max(takes-w.durations.Blackout, 0), func() { w.services.changedFor(mg.machine) })
	}
}

func (w *World) slotFree(h *host) bool {
	n := 0
	for _, mg := range w.migrations {
		if mg.underWay && (mg.from == h || mg.to == h) {
			n++
		}
	}
	return n < max(w.durations.MaxMigrations, 1)
}

// arrive ends a live migration: the machine runs on, on the other host.
func (w *World) arrive(mg *migration) {
	w.migrations = drop(w.migrations, mg)
	m := mg.machine
	w.relocate(m, mg.to)
	w.happened("VM " + m.name + " moved from " + mg.from.name + " to " + mg.to.name)
	w.react()
}

// relocate registers a machine, and its group, on another host. PowerShell Direct does not go with it.
func (w *World) relocate(m *machine, to *host) {
	w.cutGuest(m)
	m.host = to
	if m.role != nil {
		m.role.owner = to
	}
}

// cancelMigration leaves a machine where it is.
func (w *World) cancelMigration(m *machine) {
	if mg := m.migration(); mg != nil {
		w.forget(mg.end)
		w.migrations = drop(w.migrations, mg)
	}
}

// placeForStart moves a group that is offline to where its machine can be started, if it cannot be where it is.
func (w *World) placeForStart(g *group, m *machine) {
	if m.host.available() && m.host.freeMemory() >= m.memory {
		return
	}
	if to := w.bestHost(m, func(h *host) bool { return h.freeMemory() >= m.memory }); to != nil {
		w.relocate(m, to)
		w.happened("clustered role " + g.name + " moved to " + to.name)
	}
}

// bestHost chooses where else a machine goes, among the hosts that fit: where its memory fits, where no machine of its anti-affinity classes is, where
// the fewest machines are. Anti-affinity is a wish: it is ignored when no other host is left ("AntiAffinityClassNames").
// A host without the memory is chosen last of all. Nil when no host takes machines.
func (w *World) bestHost(m *machine, fits func(*host) bool) *host {
	var fit []*host
	for _, h := range w.hosts {
		if h != m.host && h.available() && h.supports(m.version) && fits(h) {
			fit = append(fit, h)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return slices.MinFunc(fit, func(a, b *host) int {
		return cmp.Or(
			compareBools(a.freeMemory() < m.memory, b.freeMemory() < m.memory),
			compareBools(w.conflicts(m, a), w.conflicts(m, b)),
			cmp.Compare(len(w.machinesOn(a, everyMachine)), len(w.machinesOn(b, everyMachine))),
			cmp.Compare(b.freeMemory(), a.freeMemory()),
			cmp.Compare(a.nodeID, b.nodeID),
		)
	})
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// conflicts is whether a host has, or awaits, a machine whose group shares an anti-affinity class name.
func (w *World) conflicts(m *machine, h *host) bool {
	g := m.role
	if g == nil {
		return false
	}
	for _, other := range w.groups {
		om := other.machine()
		if other == g || om == nil || !sharesName(g.classNames, other.classNames) {
			continue
		}
		if mg := om.migration(); other.owner == h || mg != nil && mg.to == h {
			return true
		}
	}
	return false
}

func sharesName(a, b []string) bool {
	return slices.ContainsFunc(a, func(name string) bool { return slices.Contains(b, name) })
}
