package hypervsim

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"time"

	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// World is a simulated host cluster. Its methods may be called from many goroutines.
type World struct {
	clock     Clock
	durations Durations
	// runs is whether the clock runs by itself.
	runs   bool
	closed chan struct{}
	nudge  chan struct{}
	// goroutines are the loop and the batches on their way.
	goroutines sync.WaitGroup

	mu       sync.Mutex
	isClosed bool

	// The queue of events; running and sleeping count the batches that work and that wait for the clock. idle is told
	// when none works.
	queue             eventQueue
	eventSeq          int
	running, sleeping int
	idle              *sync.Cond

	name     string
	id       string
	hosts    []*host
	volumes  []*volume
	machines []*machine
	byID     map[string]*machine
	groups   []*group
	// migrations wait for a free slot or are under way, in the order in which they were asked for.
	migrations []*migration

	// domain is the one that guests may join, or nil; services are told what becomes of guests.
	domain               *windows.Domain
	network              guestNetwork
	services             *clusterServices
	guestSeq, guestOrder int

	idSeed      string
	idCount     int
	sessionSeq  int
	faults      []*faultRule
	faultSeq    int
	journal     []Entry
	journalBase int
	// secrets marks the secrets in the journal.
	secrets *marker

	// runTask runs what a scheduled task does; nil where nothing can.
	runTask func(context.Context, Task)
}

// New makes a world. It lives until Close.
func New(model Model, clock Clock) (*World, error) {
	w := &World{
		clock: clock, durations: model.Durations, closed: make(chan struct{}), nudge: make(chan struct{}, 1),
		name: model.ClusterName, byID: map[string]*machine{}, secrets: newMarker(),
		idSeed: fmt.Sprintf("%s %d", model.ClusterName, clock.Now().UnixNano()),
	}
	w.idle = sync.NewCond(&w.mu)
	w.services = newClusterServices(w)
	w.id = w.newID()
	_, w.runs = clock.realUntil(clock.Now())
	if err := w.populate(model); err != nil {
		return nil, err
	}
	if w.runs {
		w.goroutines.Add(1)
		go w.loop()
	}
	return w, nil
}

func (w *World) populate(model Model) error {
	for _, h := range model.Hosts {
		if err := w.addHost(h); err != nil {
			return err
		}
	}
	if len(w.hosts) == 0 {
		return fmt.Errorf("model %s: a host cluster needs at least one host", model.ClusterName)
	}
	for _, v := range model.Volumes {
		if err := w.addVolume(v); err != nil {
			return err
		}
	}
	for _, i := range model.Images {
		if err := w.addImage(i); err != nil {
			return err
		}
	}
	for i, v := range model.Volumes {
		if v.FreeBytes > 0 {
			w.volumes[i].free = v.FreeBytes
		}
	}
	w.addCoreGroups()
	w.addDomain(model)
	return nil
}

// Close ends every batch and every goroutine of the world. What answers is of the class Unreachable from then on.
func (w *World) Close() {
	w.mu.Lock()
	if !w.isClosed {
		w.isClosed = true
		close(w.closed)
		w.queue = nil
		for _, h := range w.hosts {
			h.scheduler.stop()
		}
		for _, m := range w.machines {
			m.guest.scheduler.stop()
		}
		w.idle.Broadcast()
	}
	w.mu.Unlock()
	w.goroutines.Wait()
}

// Now is the world's time.
func (w *World) Now() time.Time { return w.clock.Now() }

// newID makes a GUID that no other object of this world ever has.
func (w *World) newID() string {
	w.idCount++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", w.idSeed, w.idCount))
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// hostNamed finds a host by name, or nil.
func (w *World) hostNamed(name string) *host {
	for _, h := range w.hosts {
		if strings.EqualFold(h.name, name) {
			return h
		}
	}
	return nil
}
