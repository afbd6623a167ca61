package hypervsim

import (
	"container/heap"
	"errors"
	"time"
)

// event is something that will happen in the world. Events that are due at the same time happen in the order in which
// they were made.
type event struct {
	at    time.Time
	seq   int
	index int
	run   func()
}

type eventQueue []*event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].seq < q[j].seq
	}
	return q[i].at.Before(q[j].at)
}
func (q eventQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *eventQueue) Push(x any) {
	e := x.(*event)
	e.index = len(*q)
	*q = append(*q, e)
}
func (q *eventQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	e.index = -1
	return e
}

// after makes something happen later. The world is locked when it happens.
func (w *World) after(d time.Duration, run func()) *event {
	w.eventSeq++
	e := &event{at: w.clock.Now().Add(d), seq: w.eventSeq, run: run}
	heap.Push(&w.queue, e)
	if w.runs && e.index == 0 {
		w.nudgeLoop()
	}
	return e
}

// forget takes an event back; one that happened already, or none, is left alone.
func (w *World) forget(e *event) {
	if e != nil && e.index >= 0 && !w.isClosed {
		heap.Remove(&w.queue, e.index)
	}
}

func (w *World) step() {
	e := heap.Pop(&w.queue).(*event)
	w.clock.moveTo(e.at)
	e.run()
}

func (w *World) nudgeLoop() {
	select {
	case w.nudge <- struct{}{}:
	default:
	}
}

// loop lets events happen on a clock that runs.
func (w *World) loop() {
	defer w.goroutines.Done()
	for {
		timer := time.NewTimer(w.runDue())
		select {
		case <-timer.C:
		case <-w.nudge:
			timer.Stop()
		case <-w.closed:
			timer.Stop()
			return
		}
	}
}

// runDue lets everything happen that is due, and tells how long in real time the next event is away.
func (w *World) runDue() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) > 0 && !w.queue[0].at.After(w.clock.Now()) {
		w.step()
	}
	if len(w.queue) == 0 {
		return time.Hour
	}
	wait, _ := w.clock.realUntil(w.queue[0].at)
	return wait
}

// pump steps a manual clock while every Run waits and one of them waits for the clock.
func (w *World) pump() {
	if w.runs || w.isClosed {
		w.idle.Broadcast()
		return
	}
	for w.running == 0 && w.sleeping > 0 && len(w.queue) > 0 {
		w.step()
	}
	w.idle.Broadcast()
}

// sleep lets a batch wait for the world's clock. The world is unlocked meanwhile.
func (w *World) sleep(d time.Duration) {
	if d <= 0 || w.isClosed {
		return
	}
	woken := make(chan struct{})
	w.sleeping++
	w.after(d, func() {
		w.sleeping--
		w.running++
		close(woken)
	})
	w.running--
	w.pump()
	w.mu.Unlock()
	select {
	case <-woken:
	case <-w.closed:
	}
	w.mu.Lock()
}

// block lets a batch wait for one of three things that no event brings; nil never comes. The world is unlocked meanwhile.
func (w *World) block(one, other, third <-chan struct{}) {
	w.running--
	w.pump()
	w.mu.Unlock()
	select {
	case <-one:
	case <-other:
	case <-third:
	case <-w.closed:
	}
	w.mu.Lock()
	w.running++
}

var errClockRuns = errors.New("the world's clock runs by itself: only a manual clock can be advanced")

// Advance lets the time pass on a manual clock, everything that falls into it happening in order. On a clock that runs
// it is refused.
func (w *World) Advance(d time.Duration) error {
	if w.runs {
		return errClockRuns
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	until := w.clock.Now().Add(d)
	for !w.isClosed {
		for w.running > 0 {
			w.idle.Wait()
		}
		if len(w.queue) == 0 || w.queue[0].at.After(until) {
			break
		}
		w.step()
	}
	w.clock.moveTo(until)
	return nil
}
