package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// fake is a scripted process. It answers within Write, so that nothing of it runs by itself.
type fake struct {
	hello Hello
	// script is what it does on a frame; nil answers every request and ping.
	script func(p *fake, f Frame)
	// opening is what it does once it was given all that comes before the frames; nil says hello and ready.
	opening func(p *fake)
	// write is what Write does first; nil is nothing.
	write func(data []byte) error
	// diagnostics is its standard error.
	diagnostics string
	arguments   string

	mu   sync.Mutex
	some *sync.Cond
	// nonce is there once the opening was read.
	nonce  string
	in     bytes.Buffer
	out    bytes.Buffer
	outErr error
	// lines counts what was read; frames and writes are what came.
	lines  int
	frames []Frame
	writes [][]byte
	killed bool
	left   bool
	gone   chan struct{}
}

func newFake() *fake {
	p := &fake{
		hello: Hello{PID: 4711, Host: "HV02", Boot: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), PowerShell: "5.1.1", Build: 20348, LanguageMode: "FullLanguage", Hash: ExecutorHash},
		gone:  make(chan struct{}),
	}
	p.some = sync.NewCond(&p.mu)
	return p
}

func (p *fake) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.out.Len() == 0 && p.outErr == nil {
		p.some.Wait()
	}
	if p.out.Len() > 0 {
		return p.out.Read(b)
	}
	return 0, p.outErr
}

func (p *fake) Write(data []byte) (int, error) {
	p.mu.Lock()
	p.writes = append(p.writes, bytes.Clone(data))
	write := p.write
	p.mu.Unlock()
	if write != nil {
		if err := write(data); err != nil {
			return 0, err
		}
	}
	p.mu.Lock()
	if p.killed || p.left {
		p.mu.Unlock()
		return 0, io.ErrClosedPipe
	}
	p.in.Write(data)
	p.mu.Unlock()
	for {
		line, ok := p.line()
		if !ok {
			return len(data), nil
		}
		p.take(line)
	}
}

func (p *fake) line() ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !bytes.Contains(p.in.Bytes(), []byte("\n")) {
		return nil, false
	}
	line, _ := p.in.ReadBytes('\n')
	p.lines++
	return bytes.TrimSpace(line), true
}

func (p *fake) take(line []byte) {
	before := 2
	if p.arguments == InstalledArguments {
		before = 1
	}
	switch {
	case p.lines < before:
	case p.lines == before:
		var opening Opening
		if err := Unpack(line, &opening); err != nil {
			panic(err)
		}
		p.nonce = opening.Nonce
		if p.opening != nil {
			p.opening(p)
			return
		}
		p.say(KindHello, 0, p.hello)
		p.say(KindReady, 0, struct{}{})
	default:
		f, err := ParseFrame(line)
		if err != nil {
			panic(err)
		}
		p.mu.Lock()
		p.frames = append(p.frames, f)
		p.mu.Unlock()
		if p.script != nil {
			p.script(p, f)
			return
		}
		p.answer(f)
	}
}

// answer does what a well process does.
func (p *fake) answer(f Frame) {
	switch f.Kind {
	case KindRequest:
		p.say(KindResult, f.ID, Answer{Results: p.results(f)})
	case KindPing:
		p.say(KindPong, f.ID, Pong{WorkingSet: 1 << 20})
	case KindCancel:
		p.say(KindResult, f.ID, Answer{Cancelled: true})
	default:
	}
}

// results are those of a request every call of which is done.
func (p *fake) results(f Frame) hostagent.Results {
	batch := batchIn(f)
	results := make(hostagent.Results, len(batch.Calls))
	for i, c := range batch.Calls {
		results[i] = hostagent.Result{ID: c.ID, State: hostagent.Done, Values: []hostagent.Object{{"Cmdlet": c.Cmdlet}}}
	}
	return results
}

func (p *fake) say(kind Kind, id uint64, v any) {
	packed, err := Pack(v)
	if err != nil {
		panic(err)
	}
	p.print(string(Frame{Kind: kind, ID: id, Body: packed}.FromHost(p.nonce)))
}

// print writes what can be read, unless that has ended: a request may still arrive then.
func (p *fake) print(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outErr != nil {
		return
	}
	p.out.WriteString(text)
	p.some.Broadcast()
}

// end ends what can be read.
func (p *fake) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outErr == nil {
		p.outErr = err
	}
	p.some.Broadcast()
}

func (p *fake) Diagnostics() string { return p.diagnostics }

func (p *fake) Kill(context.Context) error {
	p.end(io.ErrClosedPipe)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed || p.left {
		return errors.New("it was ended before")
	}
	p.killed = true
	close(p.gone)
	return nil
}

func (p *fake) Leave() error {
	p.end(io.ErrClosedPipe)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed || p.left {
		return errors.New("it was ended before")
	}
	p.left = true
	close(p.gone)
	return nil
}

// fate is how it was ended.
func (p *fake) fate() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.killed:
		return "killed"
	case p.left:
		return "left"
	}
	return "runs"
}

// came gives the kinds that came, in order.
func (p *fake) came() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	kinds := make([]string, len(p.frames))
	for i, f := range p.frames {
		kinds[i] = string(f.Kind)
	}
	return strings.Join(kinds, " ")
}

// count is how many frames of a kind came.
func (p *fake) count(kind Kind) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(p.frames), func(f Frame) bool { return f.Kind != kind }))
}

// host starts scripted processes, one after the other.
type host struct {
	// prepare is told of each before it runs.
	prepare func(p *fake)

	mu        sync.Mutex
	processes []*fake
	log       bytes.Buffer
}

func (h *host) start(_ context.Context, program, arguments string) (Process, error) {
	if program != PowerShell {
		return nil, errors.New("no such program")
	}
	p := newFake()
	p.arguments = arguments
	if h.prepare != nil {
		h.prepare(p)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.processes = append(h.processes, p)
	return p, nil
}

func (h *host) process(n int) *fake {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.processes[n]
}

func (h *host) started() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.processes)
}

// calm are limits under which nothing happens by itself for a day.
func calm() limits {
	l := defaults
	l.beat, l.idle, l.age, l.jitter = 24*time.Hour, 240*time.Hour, 240*time.Hour, 0
	return l
}

func (h *host) open(t *testing.T, o Options, l limits) (hostagent.Agent, error) {
	t.Helper()
	if o.Target == (hostagent.Target{}) {
		o.Target.Host = "hv02"
	}
	o.Log = slog.New(slog.NewTextHandler(&h.log, nil))
	a, err := open(t.Context(), h.start, o, l)
	if err == nil {
		t.Cleanup(func() { _ = a.Close() })
	}
	return a, err
}

func (h *host) mustOpen(t *testing.T, o Options, l limits) hostagent.Agent {
	t.Helper()
	a, err := h.open(t, o, l)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func batchOf(cmdlet string) hostagent.Batch {
	return hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: cmdlet}}}
}

// answered are the results of batchOf.
func answered(cmdlet string) hostagent.Results {
	return hostagent.Results{{ID: "a", State: hostagent.Done, Values: []hostagent.Object{{"Cmdlet": cmdlet}}}}
}

const (
	read   = "Get-VM"
	change = "New-VM"
)

func batchIn(f Frame) hostagent.Batch {
	var request Request
	if err := Unpack(f.Body, &request); err != nil {
		panic(err)
	}
	var batch hostagent.Batch
	if err := json.Unmarshal(request.Batch, &batch); err != nil {
		panic(err)
	}
	if batch.Changes() != request.Changes {
		panic("the request does not say whether it changes something")
	}
	return batch
}

// outcome is what a Run came to.
type outcome struct {
	results hostagent.Results
	err     error
}

// begin runs a batch beside the test.
func begin(ctx context.Context, a hostagent.Agent, cmdlet string) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		results, err := a.Run(ctx, batchOf(cmdlet))
		done <- outcome{results, err}
	}()
	return done
}

// wantFailure checks an error's class, its reason, and that it says what and where.
func wantFailure(t *testing.T, err error, class hostagent.Class, reason string) {
	t.Helper()
	var e *hostagent.Error
	if !errors.As(err, &e) {
		t.Errorf("got %v, want a *hostagent.Error", err)
		return
	}
	if e.Class != class || !strings.Contains(err.Error(), reason) {
		t.Errorf("got %s: %v; want %s with %q", e.Class, err, class, reason)
	}
	if !strings.Contains(err.Error(), " on hv02: ") {
		t.Errorf("the error does not say where: %v", err)
	}
}
