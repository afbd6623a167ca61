package session

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"guestclustering.io/operator/pkg/hostagent"
)

// counted counts what is read from a process.
type counted struct {
	from Process
	n    *atomic.Int64
}

func (r counted) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.n.Add(int64(n))
	return n, err
}

// read takes what the process says, until there is no more.
func (c *channel) read() {
	for {
		f, err := c.scanner.Next()
		if err != nil {
			c.fail(c.readFailure(err))
			return
		}
		c.take(f)
	}
}

func (c *channel) readFailure(err error) error {
	switch {
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrMalformed):
		return garbled("a frame from the host", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return failed(hostagent.Unreachable, &endedError{said(c.process.Diagnostics())})
	default:
		return lost(err)
	}
}

// endedError is a PowerShell that has ended unasked, with what it said.
type endedError struct{ said string }

func (e *endedError) Error() string { return errEnded.Error() + e.said + adviceEnded }
func (*endedError) Unwrap() error   { return errEnded }

// take gives a frame to whoever waits for it.
func (c *channel) take(f Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return
	}
	switch f.Kind {
	case KindHello:
		select {
		case c.greeted <- f:
		default:
		}
	case KindReady:
		c.becomeReady()
	case KindResult:
		c.answer(KindRequest, f)
	case KindPong:
		c.answer(KindPing, f)
	default:
		c.unknown++
	}
}

// becomeReady notes that earlier work has ended. The caller holds mu.
func (c *channel) becomeReady() {
	if !isDone(c.ready) {
		c.lastRun = c.options.Clock.Now()
		close(c.ready)
	}
}

// answer settles the call that a frame answers. A second answer, or one to nothing, is none. The caller holds mu.
func (c *channel) answer(kind Kind, f Frame) {
	r, ok := c.calls[f.ID]
	if !ok || r.kind != kind {
		c.unknown++
		return
	}
	if kind == KindRequest {
		c.lastRun = c.options.Clock.Now()
	}
	if r.changes && !r.awaited && wasCancelled(f.Body) {
		c.lingering = c.lastID
	}
	c.settle(r, f.Body, nil)
}

// wasCancelled is whether the answer says that nobody waits, and not that the batch has ended: hosts say so at once, while a
// cmdlet that cannot be stopped goes on. One that cannot be read counts as that.
func wasCancelled(body []byte) bool {
	var answer Answer
	return Unpack(body, &answer) != nil || answer.Cancelled
}

// write hands queued frames to the process, as many as there are in one Write: each costs a driver a round trip.
func (c *channel) write() {
	for {
		select {
		case <-c.broken:
			return
		case <-c.wake:
		}
		for frames := c.next(); len(frames) > 0; frames = c.next() {
			if err := c.writeFrames(frames); err != nil {
				c.fail(err)
				return
			}
		}
	}
}

// next takes the next frames from the queue: from then on their requests may have arrived.
func (c *channel) next() []outgoing {
	// One Write of much more would hold up what is queued after it.
	const enough = 1 << 20
	c.mu.Lock()
	defer c.mu.Unlock()
	n, size := 0, 0
	for n < len(c.queue) && size < enough {
		size += len(c.queue[n].data)
		if r := c.queue[n].call; r != nil {
			r.sent = true
		}
		n++
	}
	frames := c.queue[:n:n]
	c.queue = slices.Clone(c.queue[n:]) // lets go of what was sent
	return frames
}

func (c *channel) writeFrames(frames []outgoing) error {
	data := frames[0].data
	if len(frames) > 1 {
		var together bytes.Buffer
		for _, o := range frames {
			together.Write(o.data)
		}
		data = together.Bytes()
	}
	_, err := c.process.Write(data)
	if err != nil {
		if errors.Is(err, ErrNotSent) {
			c.takeBack(frames)
		}
		return lost(err)
	}
	for _, o := range frames {
		if o.written != nil {
			close(o.written)
		}
	}
	return nil
}

// takeBack notes that frames certainly did not leave.
func (c *channel) takeBack(frames []outgoing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range frames {
		if o.call != nil {
			o.call.sent = false
		}
	}
}

// said quotes what a host wrote for people, or is empty.
func said(text string) string {
	const enough = 2000
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	return fmt.Sprintf("; it said: %q", strings.ToValidUTF8(text[:min(len(text), enough)], ""))
}
