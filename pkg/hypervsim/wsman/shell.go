package wsman

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// shell is one remote shell: an environment and the commands in it.
type shell struct {
	id, user    string
	environment map[string]string
	idleTimeout time.Duration
	// gone is closed when the shell is.
	gone chan struct{}

	// Under the server's lock.
	commands map[string]*command
	// operations counts the commands that there were: the count of a text shell's falls only with the shell.
	operations int
	lastUse    time.Time
	// receiving counts the Receives that wait: a shell with one is not idle.
	receiving int
}

func (sh *shell) isGone() bool {
	select {
	case <-sh.gone:
		return true
	default:
		return false
	}
}

// command is one run of a program, with its streams.
type command struct {
	id string
	// console is whether the client asked for a console as standard input, which never ends.
	console bool
	kill    context.CancelFunc
	stdin   *inbox
	out     *outbox
	ended   chan struct{}
}

// start runs a program. The process ends with kill.
func start(program Program, p Invocation, id string, console bool) *command {
	ctx, kill := context.WithCancel(context.Background())
	c := &command{id: id, console: console, kill: kill, stdin: newInbox(), out: newOutbox(), ended: make(chan struct{})}
	p.Stdin, p.Stdout, p.Stderr = c.stdin, c.out.stream("stdout"), c.out.stream("stderr")
	context.AfterFunc(ctx, func() {
		c.stdin.close()
		c.out.abandon()
	})
	go func() {
		defer close(c.ended)
		defer kill()
		code := program(ctx, p)
		if ctx.Err() != nil {
			code = codeInterrupted
		}
		c.stdin.close()
		c.out.end(code)
	}()
	return c
}

// codeInterrupted is STATUS_CONTROL_C_EXIT, which is what a process that was stopped leaves.
const codeInterrupted = 0xC000013A

func (c *command) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// maxInput bounds what waits to be read by a program.
const maxInput = 64 << 20

var errInputFull = errors.New("the program does not read its input")

// inbox is a program's standard input: what was sent and not read yet.
type inbox struct {
	mu     sync.Mutex
	filled *sync.Cond
	data   []byte
	closed bool
}

func newInbox() *inbox {
	b := &inbox{}
	b.filled = sync.NewCond(&b.mu)
	return b
}

func (b *inbox) send(p []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.data)+len(p) > maxInput {
		return errInputFull
	}
	if !b.closed {
		b.data = append(b.data, p...)
	}
	b.filled.Broadcast()
	return nil
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.filled.Broadcast()
}

// Read waits for input.
func (b *inbox) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.data) == 0 && !b.closed {
		b.filled.Wait()
	}
	if len(b.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

// maxOutput is how much a program may write ahead of its readers.
const maxOutput = 1 << 20

var errKilled = errors.New("the process was ended")

// outbox is a program's output: what was written and not received yet, in order.
type outbox struct {
	mu      sync.Mutex
	drained *sync.Cond
	chunks  []chunk
	size    int
	done    bool
	code    int
	killed  bool
	// changed is closed and replaced whenever there is more to receive.
	changed chan struct{}
}

type chunk struct {
	stream string
	data   []byte
}

func newOutbox() *outbox {
	o := &outbox{changed: make(chan struct{})}
	o.drained = sync.NewCond(&o.mu)
	return o
}

func (o *outbox) stream(name string) io.Writer { return outputStream{o, name} }

type outputStream struct {
	box  *outbox
	name string
}

// Write waits until there is room.
func (s outputStream) Write(p []byte) (int, error) {
	o := s.box
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.size >= maxOutput && !o.killed {
		o.drained.Wait()
	}
	if o.killed {
		return 0, errKilled
	}
	if last := len(o.chunks) - 1; last >= 0 && o.chunks[last].stream == s.name {
		o.chunks[last].data = append(o.chunks[last].data, p...)
	} else {
		o.chunks = append(o.chunks, chunk{s.name, append([]byte(nil), p...)})
	}
	o.size += len(p)
	o.signal()
	return len(p), nil
}

func (o *outbox) signal() {
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *outbox) end(code int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done, o.code = true, code
	o.signal()
}

func (o *outbox) abandon() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.killed = true
	o.drained.Broadcast()
	o.signal()
}

// streamCost is what the element around a chunk takes, in bytes of output that it could hold.
const streamCost = 128

// take gives output that fits into so many bytes, whether the program has ended and everything was taken, and what to wait for
// when there is nothing yet.
func (o *outbox) take(most int) (chunks []chunk, done bool, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.chunks) > 0 && most > 0 {
		first := &o.chunks[0]
		n := min(max(most-streamCost, 1), len(first.data))
		chunks = append(chunks, chunk{first.stream, first.data[:n]})
		first.data = first.data[n:]
		most -= n + streamCost
		o.size -= n
		if len(first.data) == 0 {
			o.chunks = o.chunks[1:]
		}
	}
	o.drained.Broadcast()
	return chunks, o.done && len(o.chunks) == 0, o.changed
}
