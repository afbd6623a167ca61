package lifecycle_test

import (
	"time"

	"k8s.io/utils/clock"
)

// hurry is how much faster than real time the operator's clock runs, by which it polls the hosts: the API allows no poll
// interval below a second.
const hurry = 4

// hurriedClock is a clock that runs faster than real time.
type hurriedClock struct {
	clock.RealClock
	start time.Time
}

func newHurriedClock() clock.Clock { return hurriedClock{start: time.Now()} }

func (c hurriedClock) Now() time.Time { return c.start.Add(hurry * time.Since(c.start)) }

func (c hurriedClock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

func (c hurriedClock) After(d time.Duration) <-chan time.Time { return c.RealClock.After(d / hurry) }

func (c hurriedClock) Sleep(d time.Duration) { c.RealClock.Sleep(d / hurry) }

func (c hurriedClock) NewTimer(d time.Duration) clock.Timer {
	return hurriedTimer{c.RealClock.NewTimer(d / hurry)}
}

type hurriedTimer struct{ clock.Timer }

func (t hurriedTimer) Reset(d time.Duration) bool { return t.Timer.Reset(d / hurry) }
