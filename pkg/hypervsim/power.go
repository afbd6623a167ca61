package hypervsim

import (
	"slices"
	"time"
)

// start begins to start a machine on its host, or says why that cannot be.
func (w *World) start(m *machine) error {
	if m.state == running || m.state == starting {
		return nil
	}
	if m.state != off && m.state != saved {
		return wrongState(m, "Starting")
	}
	if err := w.startable(m); err != nil {
		return err
	}
	m.state, m.interrupted = starting, false
	w.inTransition(m, w.durations.StartVM, func() {
		m.state = running
		w.happened("VM " + m.name + " runs on " + m.host.name)
		w.startGuest(m)
	})
	return nil
}

// startable checks what a start needs: a host, memory, the disks, and an address for every dynamic adapter.
func (w *World) startable(m *machine) error {
	if !m.host.powered {
		return nodeUnavailable(m.host)
	}
	if m.host.freeMemory() < m.memory {
		return refuse("ResourceUnavailable", hresultNoMemory, "OutOfMemory", m.name,
			"%q could not initialize: not enough memory on %s to start the virtual machine.", m.name, m.host.name)
	}
	for _, d := range m.drives {
		if err := w.openable(d); err != nil {
			return err
		}
	}
	for _, a := range m.adapters {
		if a.dynamic && a.mac == 0 && !m.host.giveAddress(a) {
			return refuse("NotSpecified", hresultInvalidAddress, "OperationFailed", m.name, "%q could not start: attempt to access invalid address.", m.name)
		}
	}
	return nil
}

// openable checks that a running machine could open a drive's file beside all others that have it open.
func (w *World) openable(d *drive) error {
	f := w.fileAt(d.machine.host, d.path)
	switch {
	case f == nil:
		return noFile(d.path)
	case f.holder != "":
		return inUse(d.path)
	case f.broken:
		return unreadableDisk(d.path)
	}
	for _, other := range w.openedBy(d.path) {
		if other.machine != d.machine && !(d.shared && other.shared) {
			return inUse(d.path)
		}
	}
	return nil
}

// openedBy lists the drives of running machines that have a file open.
func (w *World) openedBy(path string) []*drive {
	var out []*drive
	key := pathKey(path)
	for _, m := range w.machines {
		if !m.active() {
			continue
		}
		for _, d := range m.drives {
			if d.key == key {
				out = append(out, d)
			}
		}
	}
	return out
}

// giveAddress gives an adapter an address of the host's own pool.
func (h *host) giveAddress(a *adapter) bool {
	if h.nextMAC > h.macs.Last {
		return false
	}
	a.mac = h.nextMAC
	h.nextMAC++
	return true
}

// inTransition lets a machine's change of state end later.
func (w *World) inTransition(m *machine, takes time.Duration, end func()) {
	w.forget(m.transition)
	m.transition = w.after(takes, func() {
		m.transition = nil
		end()
		w.react()
	})
}

// shutDown asks the guest to shut down. One that is still booting answers when it is up.
func (w *World) shutDown(m *machine) {
	takes := w.durations.ShutDown + max(m.guest.answersFrom.Sub(w.clock.Now()), 0)
	m.state = stopping
	w.end(m)
	w.inTransition(m, takes, func() { w.isOff(m, "VM "+m.name+" has shut down") })
}

// save writes a machine's memory to its disk. It is what must never happen to a member of a guest cluster.
func (w *World) save(m *machine) {
	m.state = saving
	w.inTransition(m, w.durations.Save, func() {
		m.state = saved
		w.saveGuest(m)
		w.happened("VM " + m.name + " was saved")
	})
}

// turnOff ends a machine at once.
func (w *World) turnOff(m *machine) {
	w.forget(m.transition)
	m.transition = nil
	w.cancelMigration(m)
	w.isOff(m, "VM "+m.name+" was turned off")
	w.react()
}

func (w *World) isOff(m *machine, effect string) {
	m.state, m.guest.saved = off, guestOff
	w.stopGuest(m)
	w.happened(effect)
}

// react lets happen what a change may have made possible: migrations that waited for a slot, drains that waited for a
// machine.
func (w *World) react() {
	w.startMigrations()
	for _, h := range w.hosts {
		w.drainOn(h)
	}
	w.startMigrations()
	w.services.changed()
}

// drop removes one element.
func drop[T comparable](s []T, e T) []T {
	return slices.DeleteFunc(s, func(o T) bool { return o == e })
}
