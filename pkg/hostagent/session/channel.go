package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

var (
	// errRetired: the process takes no more requests. Nothing was sent; another process takes it.
	errRetired = errors.New("the process takes no more requests")
	errClosed  = errors.New("the session was closed")
	errEnded   = errors.New("PowerShell has ended on the host")
	errSilent  = errors.New("the host does not answer any more: it may hang, or the way to it is cut; is it well, and can it be reached?")
)

// channel is one PowerShell on a host and the requests on their way to it. One goroutine reads, one writes, one looks after
// both and ends them.
type channel struct {
	process Process
	options Options
	limits  limits
	// due is when it is too old.
	due     time.Time
	scanner *Scanner
	hello   Hello

	// arrived counts the bytes read: what arrives slowly is no silence.
	arrived atomic.Int64

	// wake tells the writer of frames; emptied and closing tell the keeper that the process is to end, because nothing is
	// under way any more in one that takes no more, or now.
	wake, emptied, closing chan struct{}
	closeOnce              sync.Once
	// greeted carries the hello; ready is closed once earlier work has ended.
	greeted chan Frame
	ready   chan struct{}
	// broken is closed when nothing more can be sent or come; ended when nothing is left of the process here.
	broken, ended chan struct{}
	streams       sync.WaitGroup

	mu      sync.Mutex
	queue   []outgoing
	calls   map[uint64]*call
	lastID  uint64
	retired bool
	// cause is why it is broken. It is errClosed when that is what was wanted.
	cause error
	// told is whether a caller got the cause as its answer.
	told bool
	// lastRun is when a request was last begun or answered; workingSet is what the process last said.
	lastRun    time.Time
	workingSet int64
	// lingering is the number of the last frame when a change was cancelled that may not have ended yet, or 0.
	lingering uint64
	// unknown counts frames that nothing waits for.
	unknown int
	// endErr is why the process could not be ended well. It is there once ended is closed.
	endErr error
}

// outgoing is a frame that waits to be written. written is closed after that.
type outgoing struct {
	data    []byte
	call    *call
	written chan struct{}
}

// call is a request, or a ping, that has no answer yet.
type call struct {
	id   uint64
	kind Kind
	// changes is whether it may change something; awaited is whether a caller still waits for it.
	changes, awaited bool
	// sent is whether it was handed to Write.
	sent bool
	// answered is closed once body or err is there.
	answered chan struct{}
	body     []byte
	err      error
}

func newChannel(process Process, nonce string, options Options, l limits) *channel {
	now := options.Clock.Now()
	c := &channel{
		process: process, options: options, limits: l,
		lastRun: now, due: now.Add(l.age + jitter(l.jitter)),
		wake: make(chan struct{}, 1), emptied: make(chan struct{}, 1), closing: make(chan struct{}),
		greeted: make(chan Frame, 1), ready: make(chan struct{}),
		broken: make(chan struct{}), ended: make(chan struct{}),
		calls: map[uint64]*call{},
	}
	c.scanner = NewScanner(counted{process, &c.arrived}, nonce)
	c.streams.Go(c.read)
	c.streams.Go(c.write)
	go c.keep(options.Clock.NewTicker(l.beat))
	return c
}

// begin queues a request. It is refused with errRetired by a process that takes no more, and with why by one that broke: were
// another tried then, one that breaks at once would be started over and over.
func (c *channel) begin(body []byte, changes bool) (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.cause != nil && !errors.Is(c.cause, errClosed):
		c.told = true
		return nil, (&call{}).failure(c.cause)
	case c.cause != nil, c.retired:
		return nil, errRetired
	}
	if c.isDue() && !c.changing() {
		c.retire()
		return nil, errRetired
	}
	c.lastRun = c.options.Clock.Now()
	return c.enqueue(KindRequest, body, changes), nil
}

// enqueue queues a frame that will be answered. The caller holds mu.
func (c *channel) enqueue(kind Kind, body []byte, changes bool) *call {
	c.lastID++
	r := &call{id: c.lastID, kind: kind, changes: changes, awaited: kind == KindRequest, answered: make(chan struct{})}
	c.calls[r.id] = r
	c.send(outgoing{data: Frame{Kind: kind, ID: r.id, Body: body}.ToHost(), call: r})
	return r
}

// send hands a frame to the writer. The caller holds mu.
func (c *channel) send(o outgoing) {
	c.queue = append(c.queue, o)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run sends a request once and waits for its answer. It gives up when ctx ends.
func (c *channel) run(ctx context.Context, body []byte, changes bool) ([]byte, error) {
	r, err := c.begin(body, changes)
	if err != nil {
		return nil, err
	}
	select {
	case <-r.answered:
		return r.body, r.err
	case <-ctx.Done():
	}
	return c.abandon(ctx, r)
}

// abandon gives a request up: it is taken back if it was not handed to Write, and else cancelled on the host.
func (c *channel) abandon(ctx context.Context, r *call) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-r.answered:
		return r.body, r.err
	default:
	}
	if !r.sent {
		c.queue = slices.DeleteFunc(c.queue, func(o outgoing) bool { return o.call == r })
		c.settle(r, nil, nil)
		return nil, failed(endClass(ctx), fmt.Errorf("given up before it was sent: %w", context.Cause(ctx)))
	}
	r.awaited = false
	c.send(outgoing{data: Frame{Kind: KindCancel, ID: r.id}.ToHost()})
	class := endClass(ctx)
	if r.changes {
		class = hostagent.OutcomeUnknown
	}
	return nil, failed(class, fmt.Errorf("given up before the host answered: %w", context.Cause(ctx)))
}

// settle ends a call. The caller holds mu.
func (c *channel) settle(r *call, body []byte, err error) {
	delete(c.calls, r.id)
	r.body, r.err = body, err
	close(r.answered)
	c.noteEmpty()
}

func (c *channel) noteEmpty() {
	if c.retired && len(c.calls) == 0 {
		select {
		case c.emptied <- struct{}{}:
		default:
		}
	}
}

// retire lets the process end once it has answered what is under way. The caller holds mu.
func (c *channel) retire() {
	c.retired = true
	c.noteEmpty()
}

// isDue is whether another process should take what comes next. The caller holds mu.
func (c *channel) isDue() bool {
	return !c.options.Clock.Now().Before(c.due) || c.lastID >= c.limits.requests || c.workingSet > c.limits.workingSet
}

// changing is whether a changing request may be running on the host, whether anybody waits for it or not. The caller holds mu.
func (c *channel) changing() bool {
	if c.lingering > 0 {
		return true
	}
	for r := range maps.Values(c.calls) {
		if r.changes && r.sent {
			return true
		}
	}
	return false
}

// busy is whether a request is under way. The caller holds mu.
func (c *channel) busy() bool {
	if c.lingering > 0 {
		return true
	}
	for r := range maps.Values(c.calls) {
		if r.kind == KindRequest {
			return true
		}
	}
	return false
}

// fail breaks the channel: what is under way fails, changes that may have arrived with an unknown outcome.
func (c *channel) fail(cause error) {
	underWay, first := c.breakDown(cause)
	if first && !errors.Is(cause, errClosed) {
		c.options.Memory.lose()
		c.options.Log.Warn("Session broke", "target", c.options.Target.String(), "error", cause, "underWay", underWay)
	}
}

// breakDown fails what is under way, and gives how much that was, unless that happened before.
func (c *channel) breakDown(cause error) (underWay int, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return 0, false
	}
	c.cause = cause
	for _, r := range c.calls {
		c.told = c.told || r.awaited
		r.err = r.failure(cause)
		close(r.answered)
	}
	close(c.broken)
	return len(c.calls), true
}

// failure is what a call comes to when the channel breaks.
func (r *call) failure(cause error) error {
	class := classOf(cause)
	switch {
	case r.changes && r.sent:
		class = hostagent.OutcomeUnknown
	case class == hostagent.OutcomeUnknown:
		class = hostagent.Unreachable // of a call that may have arrived, which this one is not
	}
	return failed(class, cause)
}

// tell notes that a caller knows why the channel broke.
func (c *channel) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = true
}

// changesUnderWay is whether the process must not be cut.
func (c *channel) changesUnderWay() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changing()
}
