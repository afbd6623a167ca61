package executor_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/conformance"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/executor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipes is a process of the stand-in whose streams are pipes.
type pipes struct {
	stdin  *io.PipeWriter
	stdout *io.PipeReader
	kill   context.CancelFunc
	done   chan struct{}
}

func (p *pipes) Read(b []byte) (int, error)  { return p.stdout.Read(b) }
func (p *pipes) Write(b []byte) (int, error) { return p.stdin.Write(b) }
func (p *pipes) Diagnostics() string         { return "" }

func (p *pipes) Kill(ctx context.Context) error {
	p.kill()
	p.stdin.CloseWithError(io.EOF)
	p.stdout.CloseWithError(io.EOF)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pipes) Leave() error {
	return errors.Join(p.stdin.Close(), p.stdout.Close())
}

// rack is a host cluster that is reached over sessions.
type rack struct {
	t        *testing.T
	executor *executor.Executor
	options  session.Options

	mu sync.Mutex
	// started counts processes; running are those that have not ended.
	started int
	running sync.WaitGroup
}

func newRack(t *testing.T, w *hypervsim.World) *rack {
	r := &rack{t: t, executor: executor.New(w.Driver())}
	// A process that was left ends once its world has.
	t.Cleanup(r.running.Wait)
	t.Cleanup(w.Close)
	return r
}

func (r *rack) Open(ctx context.Context, target hostagent.Target) (hostagent.Agent, error) {
	o := r.options
	o.Target = target
	host := target.Host
	if host == "" {
		host = "hv01"
	}
	return session.Open(ctx, r.start(host), o)
}

func (r *rack) start(host string) session.Start {
	return func(_ context.Context, _, arguments string) (session.Process, error) {
		if host == "hv99" {
			return nil, &hostagent.Error{Class: hostagent.Unreachable, Op: "open", Target: hostagent.Target{Host: host}, Err: errors.New("no such host")}
		}
		in, stdin := io.Pipe()
		stdout, out := io.Pipe()
		ctx, kill := context.WithCancel(context.Background())
		p := &pipes{stdin: stdin, stdout: stdout, kill: kill, done: make(chan struct{})}
		r.mu.Lock()
		r.started++
		r.mu.Unlock()
		r.running.Go(func() {
			defer close(p.done)
			defer kill()
			r.executor.Run(ctx, executor.Process{Host: host, Installed: arguments == session.InstalledArguments}, in, out)
			_ = in.Close()
			_ = out.Close()
		})
		return p, nil
	}
}

// quick is a host cluster on which nothing takes time, on a clock that runs: what a test slows, it slows in real time.
func quick(t *testing.T) *hypervsim.World {
	t.Helper()
	model := hypervsim.DefaultModel()
	model.Durations = hypervsim.Durations{MaxMigrations: 2}
	w, err := hypervsim.New(model, hypervsim.NewRealClock(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func TestSessionConforms(t *testing.T) {
	modes := map[string]session.Options{
		"kept": {}, "one-shot": {OneShot: true},
	}
	for name, options := range modes {
		t.Run(name, func(t *testing.T) {
			conformance.Run(t, func(t *testing.T) conformance.Subject {
				w := quick(t)
				r := newRack(t, w)
				r.options = options
				return conformance.Subject{
					Driver: r, Host: "hv02", Absent: "hv99", Pool: `C:\ClusterStorage\Gold`,
					Slow: func(t *testing.T, cmdlet string, by time.Duration) {
						if _, err := w.AddFault(hypervsim.Fault{Cmdlet: cmdlet, Count: 1, Kind: hypervsim.Delay, Delay: by}); err != nil {
							t.Fatal(err)
						}
					},
				}
			})
		})
	}
}
