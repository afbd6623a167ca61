package hypervsim

import (
	"context"
	"errors"
	"slices"

	"guestclustering.io/operator/pkg/hostagent"
)

// Driver reaches the world's hosts in process.
func (w *World) Driver() hostagent.Driver { return driver{w} }

type driver struct{ world *World }

var (
	errHostDown  = errors.New("the host does not answer")
	errNoHost    = errors.New("no host of that name answers")
	errNoHostUp  = errors.New("no host answers")
	errClosed    = errors.New("the simulator has ended")
	errGuests    = errors.New("the simulator has no guests to log on to")
	errLost      = errors.New("the connection was lost")
	errEnded     = errors.New("the session has ended")
	errOtherHost = errors.New("the session is with another host")
)

// session is an agent: a session with one host.
type session struct {
	world  *World
	id     int
	host   *host
	target hostagent.Target
	// batches counts those sent; runs are those on their way.
	batches int
	runs    []*run
	ended   bool
	// lost is closed when the connection is cut, by a fault or with its host.
	lost   chan struct{}
	isLost bool
}

// Open starts a session once what earlier sessions left behind on the host has ended.
func (d driver) Open(ctx context.Context, target hostagent.Target) (hostagent.Agent, error) {
	fail := func(class hostagent.Class, err error) (hostagent.Agent, error) {
		return nil, &hostagent.Error{Class: class, Op: "open", Target: target, Err: err}
	}
	if target.VM != "" {
		return fail(hostagent.Unsupported, errGuests)
	}
	w := d.world
	for {
		s, wait, err := w.open(target)
		switch {
		case err != nil:
			return fail(hostagent.Unreachable, err)
		case s != nil:
			return s, nil
		}
		select {
		case <-wait:
		case <-w.closed:
		case <-ctx.Done():
			return fail(endClass(ctx), context.Cause(ctx))
		}
	}
}

// open gives a session, or what to wait for before one can be had.
func (w *World) open(target hostagent.Target) (*session, <-chan struct{}, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isClosed {
		return nil, nil, errClosed
	}
	h, err := w.answering(target.Host)
	if err != nil {
		return nil, nil, err
	}
	if len(h.orphans) > 0 {
		return nil, h.orphans[0].ended, nil
	}
	return w.newSession(h, target), nil, nil
}

func (w *World) newSession(h *host, target hostagent.Target) *session {
	w.sessionSeq++
	target.Host = h.name
	s := &session{world: w, id: w.sessionSeq, host: h, target: target, lost: make(chan struct{})}
	h.sessions = append(h.sessions, s)
	return s
}

// lose tells who listens that the connection is cut.
func (s *session) lose() {
	if !s.isLost {
		s.isLost = true
		close(s.lost)
	}
}

// answering finds the host to talk to. Any host means one that is a member of the host cluster, if there is one.
func (w *World) answering(name string) (*host, error) {
	if name != "" {
		h := w.hostNamed(name)
		switch {
		case h == nil:
			return nil, errNoHost
		case !h.powered:
			return nil, errHostDown
		}
		return h, nil
	}
	var outsider *host
	for _, h := range w.hosts {
		if h.powered && h.member {
			return h, nil
		}
		if h.powered && outsider == nil {
			outsider = h
		}
	}
	if outsider == nil {
		return nil, errNoHostUp
	}
	return outsider, nil
}

// endClass says how a context ended before anything was changed.
func endClass(ctx context.Context) hostagent.Class {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return hostagent.Timeout
	}
	return hostagent.Canceled
}

// run is a batch on its way.
type run struct {
	session *session
	batch   hostagent.Batch
	number  int

	// answered is closed once results or err are there; ended once nothing of the batch is left in the world.
	answered, ended chan struct{}
	results         hostagent.Results
	err             error
	// live is what a prompt's call returned, in place of results' values.
	live []any
	// released is closed when nobody waits for the batch any more: what hangs ends then.
	released chan struct{}
	isOver   bool
}

// Run runs a batch. When ctx ends first, the call that is under way completes in the world and the later ones do not run.
func (s *session) Run(ctx context.Context, batch hostagent.Batch) (hostagent.Results, error) {
	if err := s.check(batch); err != nil {
		return nil, s.failure(hostagent.Invalid, err)
	}
	if ctx.Err() != nil {
		return nil, s.failure(endClass(ctx), context.Cause(ctx))
	}
	r, err := s.world.begin(s, batch, s.world.execute)
	if err != nil {
		return nil, s.failure(hostagent.Unreachable, err)
	}
	if !r.wait(ctx) {
		return nil, r.givenUp(ctx)
	}
	return r.results, r.err
}

// wait waits for the answer, and says whether it came before ctx ended. What did not answer is left alone.
func (r *run) wait(ctx context.Context) bool {
	select {
	case <-r.answered:
		return true
	case <-ctx.Done():
	}
	r.session.world.abandon(r)
	select {
	case <-r.answered:
		return true
	default:
		return false
	}
}

// givenUp is the error of a run whose answer nobody waited for.
func (r *run) givenUp(ctx context.Context) error {
	class := endClass(ctx)
	if r.batch.Changes() {
		class = hostagent.OutcomeUnknown
	}
	return r.session.failure(class, context.Cause(ctx))
}

func (s *session) check(batch hostagent.Batch) error {
	if batch.Target.Host != "" && s.world.hostNamed(batch.Target.Host) != s.host {
		return errOtherHost
	}
	if batch.Target.VM != "" {
		return errGuests
	}
	return batch.Validate()
}

func (s *session) failure(class hostagent.Class, err error) error {
	return &hostagent.Error{Class: class, Op: "run", Target: s.target, Err: err}
}

// Close ends the session. What is under way on the host completes there.
func (s *session) Close() error {
	w := s.world
	w.mu.Lock()
	defer w.mu.Unlock()
	s.ended = true
	for _, r := range slices.Clone(s.runs) {
		w.cut(r, errEnded)
	}
	s.host.sessions = slices.DeleteFunc(s.host.sessions, func(o *session) bool { return o == s })
	return nil
}

// begin sends a batch on its way: execute runs it, and ends with finish.
func (w *World) begin(s *session, batch hostagent.Batch, execute func(*run)) (*run, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.isClosed:
		return nil, errClosed
	case s.ended:
		return nil, errEnded
	case !s.host.powered:
		return nil, errHostDown
	}
	s.batches++
	r := &run{
		session: s, batch: batch, number: s.batches,
		answered: make(chan struct{}), ended: make(chan struct{}), released: make(chan struct{}),
	}
	s.runs = append(s.runs, r)
	w.running++
	w.goroutines.Go(func() { execute(r) })
	return r, nil
}

// abandon leaves a batch alone: nobody waits for it any more.
func (w *World) abandon(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leave(r)
}

func (w *World) leave(r *run) {
	if r.isOver {
		return
	}
	r.isOver = true
	close(r.released)
	r.session.host.orphans = append(r.session.host.orphans, r)
}

// cut lets a batch end without an answer.
func (w *World) cut(r *run, cause error) {
	if r.isOver {
		return
	}
	class := hostagent.Unreachable
	if r.batch.Changes() {
		class = hostagent.OutcomeUnknown
	}
	r.err = r.session.failure(class, cause)
	r.session.lose()
	close(r.answered)
	w.leave(r)
}

// finish ends a batch in the world. Its results count if somebody still waits for them.
func (w *World) finish(r *run, results hostagent.Results) {
	switch {
	case w.isClosed:
		w.cut(r, errClosed)
	case !r.isOver:
		r.isOver, r.results = true, results
		close(r.answered)
		close(r.released)
	}
	close(r.ended)
	s := r.session
	s.runs = slices.DeleteFunc(s.runs, func(o *run) bool { return o == r })
	s.host.orphans = slices.DeleteFunc(s.host.orphans, func(o *run) bool { return o == r })
	w.running--
	w.pump()
}
