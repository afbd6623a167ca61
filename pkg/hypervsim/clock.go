package hypervsim

import (
	"sync"
	"time"
)

// Clock is the world's time. There are two: one that runs, and one that is stepped.
type Clock interface {
	// Now is the world's time.
	Now() time.Time
	// realUntil is how long to wait in real time for an instant of the world. Runs is false on a clock that is stepped.
	realUntil(t time.Time) (wait time.Duration, runs bool)
	// moveTo sets a clock that is stepped.
	moveTo(t time.Time)
}

// NewRealClock makes a clock that begins now and runs speed times as fast as real time. A speed of 0 or less is 1.
func NewRealClock(speed float64) Clock {
	if speed <= 0 {
		speed = 1
	}
	return &realClock{start: time.Now(), speed: speed}
}

type realClock struct {
	start time.Time
	speed float64
}

func (c *realClock) Now() time.Time {
	return c.start.Add(time.Duration(float64(time.Since(c.start)) * c.speed))
}

func (c *realClock) realUntil(t time.Time) (time.Duration, bool) {
	return time.Duration(float64(t.Sub(c.Now()))/c.speed) + 1, true
}

func (c *realClock) moveTo(time.Time) {}

// NewManualClock makes a clock that stands still but in two cases: World.Advance moves it, and while every Run of the
// world waits for something that is due, it steps from one due event to the next.
func NewManualClock(start time.Time) Clock { return &manualClock{now: start} }

type manualClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *manualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *manualClock) realUntil(time.Time) (time.Duration, bool) { return 0, false }

func (c *manualClock) moveTo(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.now = t
	}
}
