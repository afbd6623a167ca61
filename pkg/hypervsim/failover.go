package hypervsim

import (
	"fmt"
	"maps"
	"slices"

	"guestclustering.io/operator/pkg/hostagent"
)

// FailHost takes a host's power away. It stops answering at once and what ran on it is gone. After the detection time
// the node is Down and isolated and its machines are unmonitored; after the resiliency period they start elsewhere, from
// cold, if the host cluster has quorum ("Virtual Machine Compute Resiliency in Windows Server 2016").
func (w *World) FailHost(name string) error {
	return w.onHost(name, func(h *host) error {
		if !h.powered {
			return fmt.Errorf("%w: host %s has failed already", hostagent.Conflict, h.name)
		}
		w.failHost(h)
		return nil
	})
}

// onHost does something to a host with the world locked, and lets the world react to it.
func (w *World) onHost(name string, do func(*host) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hostNamed(name)
	if h == nil {
		return fmt.Errorf("%w: no host %q", hostagent.NotFound, name)
	}
	if err := do(h); err != nil {
		return err
	}
	w.react()
	return nil
}

func (w *World) failHost(h *host) {
	w.happened("host " + h.name + " failed")
	h.powered = false
	h.failures++
	h.powerChanges()
	for _, s := range slices.Clone(h.sessions) {
		s.ended = true
		s.lose()
		for _, r := range slices.Clone(s.runs) {
			w.cut(r, errHostDown)
		}
	}
	h.sessions = nil
	for job := range h.jobs {
		w.forget(job.event)
		if job.cut != nil {
			job.cut()
		}
	}
	h.scheduler.stop()
	h.dismountAll()
	for _, m := range w.machinesOn(h, everyMachine) {
		w.interrupt(m)
	}
	for _, mg := range slices.Clone(w.migrations) {
		if mg.to == h {
			w.cancelMigration(mg.machine)
		}
	}
	w.forget(h.join)
	h.joining = false
	if h.member {
		h.detection = w.after(w.durations.Detection, func() { w.loseMembership(h) })
		return
	}
	w.interruptJobs(h)
	w.failOver()
}

// interruptJobs ends what a host did that is gone: what it had open is open no longer.
func (w *World) interruptJobs(h *host) {
	jobs := slices.SortedFunc(maps.Keys(h.jobs), func(a, b *work) int { return a.event.seq - b.event.seq })
	clear(h.jobs)
	for _, job := range jobs {
		job.interrupted()
	}
}

// interrupt ends a machine with its host's power.
func (w *World) interrupt(m *machine) {
	w.forget(m.transition)
	m.transition = nil
	w.cancelMigration(m)
	m.interrupted = m.interrupted || m.state == running || m.state == starting
	if m.active() {
		m.state = off
	}
	w.stopGuest(m)
}

// loseMembership is when the host cluster notices that a node is gone: volumes and core groups move at once, machines
// wait for the resiliency period.
func (w *World) loseMembership(h *host) {
	h.member, h.isolated = false, true
	w.happened("node " + h.name + " left the host cluster")
	w.rehomeCore(h)
	w.interruptJobs(h)
	h.resiliency = w.after(w.durations.Resiliency, func() {
		h.isolated = false
		w.happened("the resiliency period of node " + h.name + " is over")
		w.failOver()
		w.react()
	})
}

// rehomeCore gives volumes and core groups of a node to another one that is up.
func (w *World) rehomeCore(h *host) {
	i := slices.IndexFunc(w.hosts, func(o *host) bool { return o != h && o.powered && o.member })
	if i < 0 {
		return
	}
	for _, v := range w.volumes {
		if v.owner == h {
			v.owner = w.hosts[i]
		}
	}
	for _, g := range w.groups {
		if g.vm == "" && g.owner == h {
			g.owner = w.hosts[i]
		}
	}
}

// failOver restarts what nodes that are gone for good ran, elsewhere. Without quorum nothing moves.
func (w *World) failOver() {
	if !w.quorate() {
		return
	}
	for _, g := range slices.Clone(w.groups) {
		m := g.machine()
		if m == nil || g.owner.member || g.owner.isolated || g.owner.joining {
			continue
		}
		lost := g.owner
		to := w.bestHost(m, anyHost)
		if to == nil {
			continue
		}
		w.relocate(m, to)
		w.happened("clustered role " + g.name + " failed over from " + lost.name + " to " + to.name)
		w.restart(m)
	}
}

func anyHost(*host) bool { return true }

// restart starts a machine that ran when its host went down.
func (w *World) restart(m *machine) {
	if !m.interrupted {
		return
	}
	m.interrupted = false
	if m.role != nil {
		// What cannot be started leaves the group failed, and the journal says why.
		_ = w.bringOnline(m.role, m)
		return
	}
	if m.startAction == "Nothing" {
		return
	}
	if err := w.start(m); err != nil {
		w.happened("VM " + m.name + " could not be started on " + m.host.name + ": " + err.Error())
	}
}

// ReturnHost gives a failed host its power back: it answers, joins, and is up after the joining time. What it ran is
// restarted there if it has not been elsewhere; nothing fails back.
func (w *World) ReturnHost(name string) error {
	return w.onHost(name, func(h *host) error {
		if h.powered {
			return fmt.Errorf("%w: host %s has not failed", hostagent.Conflict, h.name)
		}
		if h.member {
			w.forget(h.detection)
			w.loseMembership(h)
		}
		h.powered, h.joining, h.booted = true, true, w.clock.Now()
		h.powerChanges()
		w.happened("host " + h.name + " is back")
		h.join = w.after(w.durations.Join, func() { w.join(h) })
		return nil
	})
}

func (w *World) join(h *host) {
	w.forget(h.resiliency)
	h.joining, h.member, h.isolated = false, true, false
	w.happened("node " + h.name + " joined the host cluster")
	if h.drain == drainInProgress {
		h.drain = drainCompleted
	}
	for _, m := range w.machinesOn(h, everyMachine) {
		w.restart(m)
	}
	w.failOver()
	w.react()
}

// Drain pauses a node and lets its machines move away: those that run by live migration, the others by moving their
// groups ("Suspend-ClusterNode").
func (w *World) Drain(name string) error {
	return w.onHost(name, func(h *host) error {
		if !h.powered || !h.member || h.paused {
			return fmt.Errorf("%w: node %s is %s: only a node that is Up can be drained", hostagent.Conflict, h.name, h.nodeState())
		}
		h.paused, h.drain = true, drainInProgress
		w.happened("draining node " + h.name)
		return nil
	})
}

// Resume lets a paused node take machines again. Nothing fails back ("Resume-ClusterNode").
func (w *World) Resume(name string) error {
	return w.onHost(name, func(h *host) error {
		if !h.paused {
			return fmt.Errorf("%w: node %s is not paused", hostagent.Conflict, h.name)
		}
		h.paused, h.drain = false, drainNotInitiated
		w.happened("node " + h.name + " is up again")
		w.failOver()
		return nil
	})
}

// drainOn takes a drain as far as it can go now.
func (w *World) drainOn(h *host) {
	if h.drain != drainInProgress || !h.powered {
		return
	}
	left, stuck := 0, 0
	for _, g := range slices.Clone(w.groups) {
		m := g.machine()
		if m == nil || g.owner != h {
			continue
		}
		left++
		if m.settled() && !w.drainMachine(m) {
			stuck++
		}
		if g.owner != h {
			left--
		}
	}
	w.rehomeCore(h)
	switch left {
	case 0:
		h.drain = drainCompleted
		w.happened("node " + h.name + " is drained")
	case stuck:
		h.drain = drainFailed
		w.happened("the drain of node " + h.name + " failed")
	}
}

// drainMachine moves a machine away from its host, or says that it cannot.
func (w *World) drainMachine(m *machine) bool {
	if m.state != running {
		to := w.bestHost(m, anyHost)
		if to != nil {
			w.relocate(m, to)
		}
		return to != nil
	}
	to := w.bestHost(m, func(h *host) bool { return w.migratable(m, h) == nil })
	if to != nil {
		w.migrate(m, to)
	}
	return to != nil
}
