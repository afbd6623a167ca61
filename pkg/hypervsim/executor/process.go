package executor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
)

// Process is what a process finds when it begins.
type Process struct {
	// Host is the simulated host that it runs on, and Boot when that was started; zero is now.
	Host string
	Boot time.Time
	// Installed is whether its command line names the installed script; else the script is the first line of its input.
	Installed bool
}

// What the stand-in says of itself.
const (
	version    = "5.1.20348.1"
	build      = 20348
	workingSet = 100 << 20
)

// process is a process that runs.
type process struct {
	executor *Executor
	host     string
	nonce    string
	agent    hostagent.Agent
	slots    chan struct{}
	// closing is whether bye or the end of the input has come: nobody reads what would be answered.
	closing atomic.Bool
	// died says that the way to the host was lost, as the host's own end would.
	died chan struct{}
	once sync.Once
	// batches are all under way, changes those that may change something.
	batches, changes sync.WaitGroup

	out sync.Mutex
	w   io.Writer

	mu sync.Mutex
	// cancels has every request that there was; a nil one has ended.
	cancels map[uint64]context.CancelFunc
	running int
}

// Run runs a process and gives its exit code. It ends at "bye" and at the end of its input, once the changing batches under
// way have ended, and at once when ctx ends, which abandons them. Whoever ends ctx closes both streams too: a read or a
// write under way does not end by itself. After Run a read of the input may be left; it ends with the input.
func (e *Executor) Run(ctx context.Context, p Process, stdin io.Reader, stdout io.Writer) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	run := &process{executor: e, host: p.Host, w: stdout, died: make(chan struct{}), cancels: map[uint64]context.CancelFunc{}}
	lines := session.NewLineReader(stdin)
	if err := run.greet(p, lines); err != nil {
		return 1
	}
	frames := make(chan session.Frame)
	go readFrames(ctx, lines, frames)
	agent, err := run.open(ctx, frames)
	if err != nil {
		return 1
	}
	run.agent = agent
	run.say(session.KindReady, 0, struct{}{})
	code := run.serve(ctx, frames)
	cancel()
	run.batches.Wait()
	if err := agent.Close(); err != nil {
		return 1
	}
	return code
}

// greet reads the script and the opening, and says hello.
func (p *process) greet(from Process, lines session.LineReader) error {
	hash := session.ExecutorHash
	if !from.Installed {
		line, err := lines.Next()
		if err != nil {
			return err
		}
		script, err := session.UnpackText(line)
		if err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(strings.ReplaceAll(string(script), "\r\n", "\n")))
		hash = hex.EncodeToString(sum[:])
	}
	line, err := lines.Next()
	if err != nil {
		return err
	}
	var opening session.Opening
	if err := session.Unpack(line, &opening); err != nil {
		return err
	}
	boot := from.Boot
	if boot.IsZero() {
		boot = time.Now()
	}
	p.nonce, p.slots = opening.Nonce, make(chan struct{}, max(opening.Parallel, 1))
	p.say(session.KindHello, 0, session.Hello{
		PID: os.Getpid(), Host: p.host, Boot: boot.UTC(), PowerShell: version, Build: build, LanguageMode: "FullLanguage", Hash: hash,
	})
	return nil
}

// readFrames reads frames until there are no more, or bye.
func readFrames(ctx context.Context, lines session.LineReader, frames chan<- session.Frame) {
	defer close(frames)
	for {
		line, err := lines.Next()
		if err != nil {
			return
		}
		f, err := session.ParseFrame(line)
		if err != nil {
			continue
		}
		if f.Kind == session.KindBye {
			return
		}
		select {
		case frames <- f:
		case <-ctx.Done():
			return
		}
	}
}

var errOver = errors.New("the process has ended")

// open waits for earlier work. The process may be told to end meanwhile.
func (p *process) open(ctx context.Context, frames <-chan session.Frame) (hostagent.Agent, error) {
	type opened struct {
		agent hostagent.Agent
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan opened, 1)
	go func() {
		agent, err := p.executor.open(ctx, p.host)
		done <- opened{agent, err}
	}()
	for {
		select {
		case o := <-done:
			return o.agent, o.err
		case f, ok := <-frames:
			if ok {
				p.refuse(f)
				continue
			}
		}
		cancel()
		if o := <-done; o.err == nil {
			return nil, errors.Join(errOver, o.agent.Close())
		}
		return nil, errOver
	}
}

// refuse answers a request that came before the process was ready.
func (p *process) refuse(f session.Frame) {
	if f.Kind == session.KindRequest {
		p.say(session.KindResult, f.ID, session.Answer{Unreadable: "it was sent before the process was ready"})
	}
}

// serve answers frames to the end, and gives the exit code.
func (p *process) serve(ctx context.Context, frames <-chan session.Frame) int {
	for {
		select {
		case f, ok := <-frames:
			if !ok {
				p.closing.Store(true)
				return p.finish(ctx)
			}
			p.take(ctx, f)
		case <-p.died:
			return 1
		case <-ctx.Done():
			return 1
		}
	}
}

// finish waits for the changes under way.
func (p *process) finish(ctx context.Context) int {
	finished := make(chan struct{})
	go func() {
		p.changes.Wait()
		close(finished)
	}()
	select {
	case <-finished:
		return 0
	case <-p.died:
		return 1
	case <-ctx.Done():
		return 1
	}
}

func (p *process) take(ctx context.Context, f session.Frame) {
	switch f.Kind {
	case session.KindRequest:
		p.request(ctx, f)
	case session.KindCancel:
		p.mu.Lock()
		defer p.mu.Unlock()
		if cancel := p.cancels[f.ID]; cancel != nil {
			cancel()
		}
	case session.KindPing:
		p.mu.Lock()
		running := p.running
		p.mu.Unlock()
		p.say(session.KindPong, f.ID, session.Pong{WorkingSet: workingSet, Running: running})
	default:
	}
}

// request starts a batch. A number that was there already is a request that arrived twice; it runs once.
func (p *process) request(ctx context.Context, f session.Frame) {
	p.mu.Lock()
	if _, twice := p.cancels[f.ID]; twice {
		p.mu.Unlock()
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	p.cancels[f.ID] = cancel
	p.running++
	p.mu.Unlock()
	request, batch, err := read(f.Body)
	if err != nil {
		p.done(f.ID, session.Answer{Unreadable: err.Error()})
		return
	}
	ended := func() {}
	if request.Changes {
		end := p.executor.begin(p.host)
		p.changes.Add(1)
		ended = func() {
			end()
			p.changes.Done()
		}
	}
	p.batches.Go(func() {
		answer, ok := p.run(ctx, batch)
		// Before the answer, which may wait for somebody who reads it.
		ended()
		if ok {
			p.done(f.ID, answer)
		}
	})
}

func read(body []byte) (session.Request, hostagent.Batch, error) {
	var request session.Request
	var batch hostagent.Batch
	if err := session.Unpack(body, &request); err != nil {
		return request, batch, err
	}
	if err := json.Unmarshal(request.Batch, &batch); err != nil {
		return request, batch, err
	}
	return request, batch, batch.Validate()
}

// run runs a batch when there is a place for it. It gives no answer when the way to the host was lost.
func (p *process) run(ctx context.Context, batch hostagent.Batch) (answer session.Answer, ok bool) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return session.Answer{Cancelled: true}, true
	}
	results, err := p.agent.Run(ctx, batch)
	switch {
	case err == nil:
		return session.Answer{Results: results}, true
	case ctx.Err() != nil:
		return session.Answer{Cancelled: true}, true
	case errors.Is(err, hostagent.Invalid):
		return session.Answer{Unreadable: err.Error()}, true
	default:
		p.once.Do(func() { close(p.died) })
		return session.Answer{}, false
	}
}

// done answers a request.
func (p *process) done(id uint64, answer session.Answer) {
	p.mu.Lock()
	if cancel := p.cancels[id]; cancel != nil {
		cancel()
	}
	p.cancels[id] = nil
	p.running--
	p.mu.Unlock()
	if !p.closing.Load() {
		p.say(session.KindResult, id, answer)
	}
}

// say writes a frame. What cannot be written nobody reads any more.
func (p *process) say(kind session.Kind, id uint64, body any) {
	packed, err := session.Pack(body)
	if err != nil {
		p.once.Do(func() { close(p.died) })
		return
	}
	p.out.Lock()
	defer p.out.Unlock()
	_, _ = p.w.Write(session.Frame{Kind: kind, ID: id, Body: packed}.FromHost(p.nonce))
}
