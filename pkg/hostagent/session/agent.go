package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"guestclustering.io/operator/pkg/hostagent"
)

// agent is a session: one process after the other on one host, or one for each batch.
type agent struct {
	start   Start
	options Options
	limits  limits
	// gate lets one caller at a time start the process that all then share.
	gate chan struct{}
	// slots bounds the processes of one-shot mode.
	slots chan struct{}
	// closing is closed when the session ends.
	closing chan struct{}

	mu sync.Mutex
	// current takes requests; channels are all that have not ended.
	current  *channel
	channels map[*channel]bool
	// host is who answered.
	host string
	// broken is why callers must open a new session.
	broken error
	closed bool
	// dials are the processes being started, ends those that have not ended.
	dials, ends sync.WaitGroup
}

// Open starts a process and returns a session once the process takes requests. See Driver.Open and Options.
func Open(ctx context.Context, start Start, options Options) (hostagent.Agent, error) {
	return open(ctx, start, options, defaults)
}

func open(ctx context.Context, start Start, options Options, l limits) (hostagent.Agent, error) {
	options = options.withDefaults()
	a := &agent{
		start: start, options: options, limits: l,
		gate: make(chan struct{}, 1), slots: make(chan struct{}, options.Parallel), closing: make(chan struct{}), channels: map[*channel]bool{},
	}
	c, err := a.dial(ctx)
	if err != nil {
		return nil, errorOf("open", options.Target, err)
	}
	if options.OneShot {
		// It was started to show that it can be.
		if err := c.close(); err != nil {
			return nil, errorOf("open", options.Target, failed(hostagent.ClassOf(err), err))
		}
		return a, nil
	}
	a.current = c
	return a, nil
}

// Run sends the batch once, to the process that there is or to a new one.
func (a *agent) Run(ctx context.Context, batch hostagent.Batch) (hostagent.Results, error) {
	results, err := a.run(ctx, batch)
	if err != nil {
		return nil, errorOf("run", a.options.Target, err)
	}
	return results, nil
}

func (a *agent) run(ctx context.Context, batch hostagent.Batch) (hostagent.Results, error) {
	body, err := a.request(batch)
	switch {
	case err != nil:
		return nil, failed(hostagent.Invalid, err)
	case ctx.Err() != nil:
		return nil, failed(endClass(ctx), context.Cause(ctx))
	}
	for {
		c, err := a.channel(ctx)
		if err != nil {
			return nil, err
		}
		answer, err := c.run(ctx, body, batch.Changes())
		if a.options.OneShot {
			c.leave()
		}
		switch {
		case errors.Is(err, errRetired):
			continue
		case err != nil:
			return nil, err
		}
		return c.results(answer, batch)
	}
}

// request checks a batch and makes a request's body of it.
func (a *agent) request(batch hostagent.Batch) ([]byte, error) {
	if host := batch.Target.Host; host != "" && !a.isWith(host) {
		return nil, fmt.Errorf("the batch is for %s, the session is with %s", host, a.options.Target)
	}
	if batch.Target.VM != a.options.Target.VM && batch.Target.VM != "" {
		return nil, fmt.Errorf("the batch is for %s, the session is with %s", batch.Target, a.options.Target)
	}
	if err := batch.Validate(); err != nil {
		return nil, err
	}
	wire, err := hostagent.EncodeBatch(batch)
	if err != nil {
		return nil, err
	}
	return Pack(Request{Changes: batch.Changes(), Batch: wire})
}

// isWith is whether a name is the host's: the one that was asked for, or the one that answered.
func (a *agent) isWith(host string) bool {
	if a.options.Target.Host != "" {
		return strings.EqualFold(host, a.options.Target.Host)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.EqualFold(host, a.host)
}

// channel gives the process to send to.
func (a *agent) channel(ctx context.Context) (*channel, error) {
	if a.options.OneShot {
		return a.oneShot(ctx)
	}
	if c, err := a.usable(); c != nil || err != nil {
		return c, err
	}
	select {
	case a.gate <- struct{}{}:
	case <-ctx.Done():
		return nil, failed(endClass(ctx), fmt.Errorf("waiting for PowerShell to be started: %w", context.Cause(ctx)))
	}
	defer func() { <-a.gate }()
	if c, err := a.usable(); c != nil || err != nil {
		return c, err
	}
	c, err := a.dial(ctx)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.current = c
	return c, nil
}

// oneShot starts a process for one batch, when one more may be.
func (a *agent) oneShot(ctx context.Context) (*channel, error) {
	select {
	case a.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, failed(endClass(ctx), fmt.Errorf("waiting until another PowerShell has ended: %w", context.Cause(ctx)))
	}
	c, err := a.dial(ctx)
	if err != nil {
		<-a.slots
		return nil, err
	}
	a.ends.Go(func() {
		<-c.ended
		<-a.slots
	})
	return c, nil
}

// usable gives the current process unless it takes no more. A session in which a request failed because the process broke
// is over: its callers have to open one that begins by waiting for what was lost.
func (a *agent) usable() (*channel, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.unusable(); err != nil {
		return nil, err
	}
	c := a.current
	if c == nil {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told {
		a.broken = c.cause
		return nil, a.unusable()
	}
	if c.cause != nil || c.retired {
		return nil, nil
	}
	return c, nil
}

// unusable says why nothing is sent any more. The caller holds mu.
func (a *agent) unusable() error {
	switch {
	case a.closed:
		return failed(hostagent.Unreachable, errClosed)
	case a.broken != nil:
		return failed(hostagent.Unreachable, fmt.Errorf("the session is broken; open a new one: %w", a.broken))
	}
	return nil
}

// dial starts a process that ends with the session at the latest.
func (a *agent) dial(ctx context.Context) (*channel, error) {
	a.mu.Lock()
	if err := a.unusable(); err != nil {
		a.mu.Unlock()
		return nil, err
	}
	a.dials.Add(1)
	a.mu.Unlock()
	defer a.dials.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := a.onClose(func() { cancel(errClosed) })
	defer stop()
	c, err := dial(ctx, a.start, a.options, a.limits)
	switch {
	case err != nil && isDone(a.closing):
		return nil, failed(hostagent.Unreachable, errClosed)
	case err != nil:
		return nil, err
	}
	a.mu.Lock()
	a.channels[c] = true
	a.host = c.hello.Host
	a.mu.Unlock()
	a.ends.Go(func() {
		<-c.ended
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.channels, c)
	})
	return c, nil
}

// onClose calls f when the session ends, until stop.
func (a *agent) onClose(f func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		select {
		case <-a.closing:
			f()
		case <-done:
		}
	}()
	return func() { close(done) }
}

// results reads an answer. One that cannot be read is none.
func (c *channel) results(body []byte, batch hostagent.Batch) (hostagent.Results, error) {
	var answer Answer
	if err := Unpack(body, &answer); err != nil {
		err = garbled("the answer", err)
		c.fail(err)
		c.tell()
		return nil, unread(batch, err)
	}
	switch {
	case answer.Unreadable != "":
		return nil, failed(hostagent.Protocol, fmt.Errorf("the host could not read the request, and ran nothing of it: %s", answer.Unreadable))
	case answer.Cancelled:
		return nil, unread(batch, errors.New("the host gave the batch up"))
	case !answer.Results.Answer(batch.Calls):
		return nil, unread(batch, errors.New("the results are not those of the calls sent"))
	}
	return answer.Results, nil
}

// unread is a batch that has run and whose results are lost.
func unread(batch hostagent.Batch, err error) error {
	if batch.Changes() {
		return failed(hostagent.OutcomeUnknown, err)
	}
	return failed(hostagent.Protocol, err)
}

// Close ends the session and its processes. What is under way fails here; changes go on to their end there.
func (a *agent) Close() error {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	close(a.closing)
	a.mu.Unlock()
	// A process that is being started is in no list yet.
	a.dials.Wait()
	a.mu.Lock()
	channels := slices.Collect(maps.Keys(a.channels))
	a.mu.Unlock()
	errs := make([]error, len(channels))
	var closes sync.WaitGroup
	for i, c := range channels {
		closes.Go(func() { errs[i] = c.close() })
	}
	closes.Wait()
	a.ends.Wait()
	if err := errors.Join(errs...); err != nil {
		return errorOf("close", a.options.Target, failed(hostagent.ClassOf(err), err))
	}
	return nil
}
