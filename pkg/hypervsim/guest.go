package hypervsim

import (
	"maps"
	"slices"
	"time"

	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// guestPhase is what goes on in a machine that runs.
type guestPhase string

const (
	// guestOff: nothing runs.
	guestOff guestPhase = ""
	// guestBooting: nothing answers yet.
	guestBooting guestPhase = "Booting"
	// guestAlien: an operating system that we know nothing of.
	guestAlien guestPhase = "Alien"
	// guestSpecialising: Windows' set-up, as yet without a password, or waiting for somebody for ever.
	guestSpecialising guestPhase = "Specialising"
	// guestWelcoming: the end of set-up, in which the administrator can log on.
	guestWelcoming guestPhase = "Welcoming"
	guestUp        guestPhase = "Up"
	// guestEnding: it shuts down or restarts.
	guestEnding guestPhase = "Ending"
)

// guest is what runs inside a machine.
type guest struct {
	// system is its Windows: made at the first start from the disk that it starts from, and kept as long as the machine.
	system *windows.System
	// order numbers the systems in the order of their first starts.
	order int
	phase guestPhase
	// next is the end of the phase, if it ends by itself.
	next *event
	// booted is when it was started last, answersFrom when its heartbeat begins after that.
	booted, answersFrom time.Time
	// saved is what went on when the machine's memory was saved.
	saved guestPhase
	// sessions are the PowerShells in it that came over its host; scheduler has the others, nil before its first task.
	sessions  map[*guestSession]bool
	scheduler *scheduler
}

// hasHeartbeat is whether its integration services answer.
func (g *guest) hasHeartbeat() bool { return g.phase != guestOff && g.phase != guestBooting }

// boot starts what is on a machine's disks.
func (w *World) boot(m *machine) {
	g := &m.guest
	g.phase, g.booted = guestBooting, w.clock.Now()
	if g.system != nil {
		g.system.Boot()
		w.plug(m)
	}
	g.answersFrom = g.booted.Add(w.durations.Boot)
	w.guestNext(m, w.durations.Boot, func() { w.hasBooted(m) })
}

// guestNext lets the guest's phase end later.
func (w *World) guestNext(m *machine, takes time.Duration, end func()) {
	w.forget(m.guest.next)
	m.guest.next = w.after(takes, func() {
		m.guest.next = nil
		end()
		w.react()
	})
}

// hasBooted is when the operating system runs: set-up goes on, or it is up.
func (w *World) hasBooted(m *machine) {
	g := &m.guest
	if g.system == nil {
		g.system = w.install(m)
		w.plug(m)
	}
	switch {
	case g.system == nil:
		g.phase = guestAlien
	case g.system.Setup == windows.Generalised, g.system.Setup == windows.Specialising:
		w.specialise(m)
	case g.system.Setup == windows.Welcoming:
		w.welcome(m)
	default:
		w.isUp(m)
	}
}

// install makes the Windows of the disk that a machine starts from, or nil if there is none on it.
func (w *World) install(m *machine) *windows.System {
	for _, d := range m.drives {
		f := w.fileAt(m.host, d.path)
		if d.shared || f == nil || f.disk == nil || f.disk.windows == 0 {
			continue
		}
		w.guestOrder++
		m.guest.order = w.guestOrder
		return windows.New(f.disk.windows, m.id, f.disk.files, f.disk.restartFor)
	}
	return nil
}

// cloneGuest gives a copy of a machine the Windows that the other has.
func (w *World) cloneGuest(to, from *machine) {
	if from.guest.system == nil {
		return
	}
	for _, d := range to.drives {
		if f := w.fileAt(to.host, d.path); !d.shared && f != nil && f.disk != nil && f.disk.windows != 0 {
			to.guest.system = from.guest.system.Clone(f.disk.files)
			return
		}
	}
}

// specialise is the first part of Windows' set-up, which ends with a restart. One that was interrupted begins again, which
// the real one often does not.
func (w *World) specialise(m *machine) {
	g := &m.guest
	g.phase = guestSpecialising
	g.system.Specialise()
	if g.system.Waits != "" {
		w.happened("Windows' set-up in VM " + m.name + " waits: " + g.system.Waits)
		return
	}
	w.guestNext(m, w.durations.Specialise*2/3, func() {
		g.system.Welcome()
		w.happened("Windows in VM " + m.name + " is named " + g.system.Name())
		w.boot(m)
	})
}

// welcome is the last part of set-up.
func (w *World) welcome(m *machine) {
	m.guest.phase = guestWelcoming
	w.guestNext(m, w.durations.Specialise/3, func() {
		m.guest.system.Finish()
		w.isUp(m)
	})
}

func (w *World) isUp(m *machine) {
	m.guest.phase = guestUp
	w.happened("Windows is up in VM " + m.name)
	w.applyPolicy(m)
	w.services.booted(m)
}

// applyPolicy lets the domain do to a computer what its policies say, where it can be asked.
func (w *World) applyPolicy(m *machine) {
	if m.guest.phase == guestUp && w.reachesDomain(m) {
		m.guest.system.ApplyPolicy()
	}
}

// end begins to shut Windows down in good order.
func (w *World) end(m *machine) {
	wasUp := m.guest.phase == guestUp
	w.forget(m.guest.next)
	m.guest.phase = guestEnding
	w.cutGuest(m)
	m.guest.scheduler.stop()
	if wasUp {
		w.services.shuttingDown(m)
	}
}

// restartGuest restarts Windows in a machine that goes on running.
func (w *World) restartGuest(m *machine) {
	w.end(m)
	w.guestNext(m, w.durations.ShutDown, func() {
		w.services.stopped(m)
		w.boot(m)
	})
}

// stopGuest ends what runs in a machine at once. What is on its disks stays.
func (w *World) stopGuest(m *machine) {
	if m.guest.phase == guestOff {
		return
	}
	w.forget(m.guest.next)
	m.guest.phase, m.guest.answersFrom = guestOff, time.Time{}
	w.cutGuest(m)
	m.guest.scheduler.stop()
	w.services.stopped(m)
}

// saveGuest freezes what runs in a machine.
func (w *World) saveGuest(m *machine) {
	m.guest.saved = m.guest.phase
	w.stopGuest(m)
}

// startGuest begins what runs in a machine, or lets it go on where its memory was saved. What was not up then begins anew.
func (w *World) startGuest(m *machine) {
	g := &m.guest
	resumed := g.saved
	g.saved = guestOff
	if resumed != guestUp && resumed != guestAlien {
		w.boot(m)
		return
	}
	g.phase = resumed
	if resumed == guestUp {
		w.services.booted(m)
	}
}

// cutGuest cuts every session with a guest.
func (w *World) cutGuest(m *machine) {
	sessions := slices.SortedFunc(maps.Keys(m.guest.sessions), func(a, b *guestSession) int { return a.seq - b.seq })
	for _, s := range sessions {
		s.cut()
	}
}
