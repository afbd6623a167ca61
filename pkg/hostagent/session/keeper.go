package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/utils/clock"

	"guestclustering.io/operator/pkg/hostagent"
)

// keep looks after the process: it pings it, retires it, and ends it. It returns when nothing is left of it here.
func (c *channel) keep(ticker clock.Ticker) {
	defer close(c.ended)
	c.watch(ticker)
	c.endErr = c.release()
	c.streams.Wait()
	if c.endErr != nil {
		c.options.Log.Info("A process could not be ended well; the host ends what is left of it", "target", c.options.Target.String(), "error", c.endErr)
	}
	if noise := c.scanner.Noise(); noise.Lines > 0 || c.unknown > 0 {
		c.options.Log.Info("Skipped what is no answer", "target", c.options.Target.String(), "lines", noise.Lines, "bytes", noise.Bytes, "frames", c.unknown)
	}
}

// pulse is a ping that is on its way, if there is one, and how long none was needed.
type pulse struct {
	quiet int
	ping  *call
	// silence rings when nothing has come for too long; arrived is what had come when it was set.
	silence clock.Timer
	arrived int64
}

func (p *pulse) answered() <-chan struct{} {
	if p.ping == nil {
		return nil
	}
	return p.ping.answered
}

func (p *pulse) tooLong() <-chan time.Time {
	if p.silence == nil {
		return nil
	}
	return p.silence.C()
}

func (p *pulse) stop() {
	if p.silence != nil {
		p.silence.Stop()
	}
	p.ping, p.silence = nil, nil
}

// watch returns when the channel is broken, by itself or because the process is to end.
func (c *channel) watch(ticker clock.Ticker) {
	defer ticker.Stop()
	var p pulse
	defer p.stop()
	for {
		select {
		case <-c.broken:
			return
		case <-c.closing:
			c.sayBye()
			return
		case <-c.emptied:
			c.sayBye()
			return
		case <-ticker.C():
			c.tick(&p)
		case <-p.answered():
			c.takePong(&p)
		case <-p.tooLong():
			c.checkSilence(&p)
		}
	}
}

// tick retires a process that is due, and pings one that may have fallen silent.
func (c *channel) tick(p *pulse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A host that waits for earlier work is not idle, and answers nothing yet.
	if c.cause != nil || !isDone(c.ready) {
		return
	}
	busy := c.busy()
	if !busy && c.options.Clock.Since(c.lastRun) >= c.limits.idle || c.isDue() && !c.changing() {
		c.retire()
	}
	p.quiet++
	if p.ping != nil || !busy && p.quiet < c.limits.idleBeats {
		return
	}
	p.quiet = 0
	p.arrived = c.arrived.Load()
	p.silence = c.options.Clock.NewTimer(c.limits.patience)
	p.ping = c.enqueue(KindPing, nil, false)
}

func (c *channel) takePong(p *pulse) {
	ping := p.ping
	p.stop()
	if ping.err != nil {
		return
	}
	var pong Pong
	if err := Unpack(ping.body, &pong); err != nil {
		c.fail(garbled("the answer to a ping", err))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.workingSet = pong.WorkingSet
	if pong.Running == 0 && ping.id > c.lingering {
		c.lingering = 0
	}
	if c.isDue() && !c.changing() {
		c.retire()
	}
}

// checkSilence breaks the channel unless something came meanwhile: a large answer holds up the one to the ping.
func (c *channel) checkSilence(p *pulse) {
	if now := c.arrived.Load(); now != p.arrived {
		p.arrived = now
		p.silence = c.options.Clock.NewTimer(c.limits.patience)
		return
	}
	c.fail(failed(hostagent.Unreachable, fmt.Errorf("%w (nothing came for %s)", errSilent, c.limits.patience)))
}

// sayBye lets the process take no more, and breaks the channel.
func (c *channel) sayBye() {
	written := make(chan struct{})
	c.mu.Lock()
	c.retired = true
	c.withdraw()
	c.send(outgoing{data: Frame{Kind: KindBye}.ToHost(), written: written})
	c.mu.Unlock()
	timer := c.options.Clock.NewTimer(c.limits.farewell)
	defer timer.Stop()
	select {
	case <-written:
	case <-c.broken:
	case <-timer.C():
	}
	c.fail(failed(hostagent.Unreachable, errClosed))
}

// withdraw takes back requests that were not handed to Write. The caller holds mu.
func (c *channel) withdraw() {
	c.queue = slices.DeleteFunc(c.queue, func(o outgoing) bool {
		if o.call == nil {
			return false
		}
		c.settle(o.call, nil, failed(hostagent.Unreachable, errClosed))
		return true
	})
}

// release gives back what the process holds. One that may be changing something is left to finish: cut, what it leaves would
// not be settled when the next session looks.
func (c *channel) release() error {
	if c.changesUnderWay() && !errors.Is(c.cause, errEnded) {
		return c.process.Leave()
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.limits.farewell)
	defer cancel()
	return c.process.Kill(ctx)
}

// leave lets the process end. It does not wait for that.
func (c *channel) leave() { c.closeOnce.Do(func() { close(c.closing) }) }

// close ends the process and returns when nothing is left of it here.
func (c *channel) close() error {
	c.leave()
	<-c.ended
	return c.endErr
}
