package executor_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hypervsim/executor"
)

// world answers a batch once it is told to, with what it is told.
type world struct {
	begun chan string
	// answers are by cmdlet.
	answers map[string]chan error
}

func newWorld() *world {
	return &world{begun: make(chan string, 100), answers: map[string]chan error{"Get-VM": make(chan error), "New-VM": make(chan error)}}
}

func (w *world) Open(context.Context, hostagent.Target) (hostagent.Agent, error) {
	return w, nil
}

func (w *world) Run(ctx context.Context, b hostagent.Batch) (hostagent.Results, error) {
	w.begun <- b.Calls[0].Cmdlet
	select {
	case err := <-w.answers[b.Calls[0].Cmdlet]:
		return answer(), err
	case <-ctx.Done():
		return nil, &hostagent.Error{Class: hostagent.Canceled, Err: context.Cause(ctx)}
	}
}

func (w *world) Close() error { return nil }

// run is a process that runs, driven frame by frame.
type run struct {
	t      *testing.T
	stdin  *io.PipeWriter
	frames chan session.Frame
	kill   context.CancelFunc
	exit   chan int
}

const nonce = "00112233445566778899aabbccddeeff"

func start(t *testing.T, e *executor.Executor, p executor.Process) *run {
	t.Helper()
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	ctx, kill := context.WithCancel(context.Background())
	r := &run{t: t, stdin: stdin, frames: make(chan session.Frame, 100), kill: kill, exit: make(chan int, 1)}
	go func() {
		code := e.Run(ctx, p, in, out)
		_ = in.Close()
		_ = out.Close()
		r.exit <- code
	}()
	go func() {
		scanner := session.NewScanner(stdout, nonce)
		for {
			f, err := scanner.Next()
			if err != nil {
				close(r.frames)
				return
			}
			r.frames <- f
		}
	}()
	t.Cleanup(func() {
		kill()
		_ = stdin.Close()
		_ = stdout.Close()
		synctest.Wait()
	})
	if !p.Installed {
		r.line([]byte(session.Executor), nil)
	}
	r.line(nil, session.Opening{Nonce: nonce, Parallel: 2})
	return r
}

// line writes a text or a value as a line of its own.
func (r *run) line(text []byte, v any) {
	packed, err := session.PackText(text)
	if text == nil {
		packed, err = session.Pack(v)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(append(packed, '\n'))
}

func (r *run) write(data []byte) {
	if _, err := r.stdin.Write(data); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

func (r *run) request(id uint64, cmdlet string) {
	wire, err := hostagent.EncodeBatch(batchOf(cmdlet))
	if err != nil {
		r.t.Fatal(err)
	}
	packed, err := session.Pack(session.Request{Changes: batchOf(cmdlet).Changes(), Batch: wire})
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(session.Frame{Kind: session.KindRequest, ID: id, Body: packed}.ToHost())
}

func (r *run) send(kind session.Kind, id uint64) { r.write(session.Frame{Kind: kind, ID: id}.ToHost()) }

// came gives the frames that have come since, as kinds and texts.
func (r *run) came() string {
	synctest.Wait()
	var all []string
	for {
		select {
		case f, ok := <-r.frames:
			if !ok {
				return strings.Join(append(all, "end"), " ")
			}
			text, err := session.UnpackText(f.Body)
			if err != nil {
				r.t.Fatal(err)
			}
			if f.Kind == session.KindHello {
				text = nil
			}
			all = append(all, string(f.Kind)+string(text))
		default:
			return strings.Join(all, " ")
		}
	}
}

func (r *run) want(came string) {
	r.t.Helper()
	if got := r.came(); got != came {
		r.t.Errorf("came %s, want %s", got, came)
	}
}

func (r *run) exits(code int) {
	r.t.Helper()
	synctest.Wait()
	select {
	case got := <-r.exit:
		if got != code {
			r.t.Errorf("the exit code is %d, want %d", got, code)
		}
	default:
		r.t.Error("it has not ended")
	}
}

const (
	done      = `res{"results":[{"id":"a","state":"Done"}]}`
	cancelled = `res{"cancelled":true}`
)

func TestProcess(t *testing.T) {
	tests := map[string]func(t *testing.T, w *world, r *run){
		"a request": func(_ *testing.T, w *world, r *run) {
			r.request(1, "Get-VM")
			r.want("")
			w.answers["Get-VM"] <- nil
			r.want(done)
			r.send(session.KindBye, 0)
			r.exits(0)
		},
		"a request that comes twice": func(t *testing.T, w *world, r *run) {
			r.request(1, "New-VM")
			r.request(1, "New-VM")
			w.answers["New-VM"] <- nil
			r.request(1, "New-VM")
			r.want(done)
			if len(w.begun) != 1 {
				t.Errorf("it ran %d times", len(w.begun))
			}
		},
		"more than may run side by side": func(t *testing.T, w *world, r *run) {
			for id := range uint64(3) {
				r.request(id, "Get-VM")
			}
			if len(w.begun) != 2 {
				t.Errorf("%d run side by side", len(w.begun))
			}
			r.send(session.KindPing, 9)
			r.want(`pong{"workingSet":104857600,"running":3}`)
			r.send(session.KindCancel, 2)
			r.want(cancelled)
			w.answers["Get-VM"] <- nil
			w.answers["Get-VM"] <- nil
			r.want(done + " " + done)
		},
		"a cancellation": func(_ *testing.T, _ *world, r *run) {
			r.request(1, "New-VM")
			r.send(session.KindCancel, 1)
			r.send(session.KindCancel, 1)
			r.send(session.KindCancel, 2)
			r.want(cancelled)
		},
		"a request that cannot be read": func(_ *testing.T, _ *world, r *run) {
			r.write([]byte("req 1 QUJD\n"))
			r.want(`res{"unreadable":"not a frame of this session: its body: unexpected EOF"}`)
		},
		"a request that the host refuses": func(_ *testing.T, w *world, r *run) {
			r.request(1, "New-VM")
			w.answers["New-VM"] <- &hostagent.Error{Class: hostagent.Invalid, Op: "run", Err: errors.New("no")}
			r.want(`res{"unreadable":"run on any host: no"}`)
		},
		"frames that it does not know": func(_ *testing.T, w *world, r *run) {
			r.write([]byte("push 1 QUJD\n\nwhat\n"))
			r.request(1, "Get-VM")
			w.answers["Get-VM"] <- nil
			r.want(done)
		},
		"the host is lost": func(_ *testing.T, w *world, r *run) {
			r.request(1, "New-VM")
			w.answers["New-VM"] <- &hostagent.Error{Class: hostagent.OutcomeUnknown, Err: errors.New("lost")}
			r.exits(1)
			r.want("end")
		},
		"bye while a change runs": func(_ *testing.T, w *world, r *run) {
			r.request(1, "New-VM")
			r.request(2, "Get-VM")
			r.send(session.KindBye, 0)
			r.want("")
			w.answers["New-VM"] <- nil
			r.exits(0)
			r.want("end")
		},
		"the end of the input while a change runs": func(_ *testing.T, w *world, r *run) {
			r.request(1, "New-VM")
			_ = r.stdin.Close()
			r.want("")
			w.answers["New-VM"] <- nil
			r.exits(0)
			r.want("end")
		},
		"killed while a change runs": func(_ *testing.T, _ *world, r *run) {
			r.request(1, "New-VM")
			r.kill()
			r.exits(1)
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				r := start(t, executor.New(w), executor.Process{Host: "hv02"})
				r.want("hello ready{}")
				test(t, w, r)
			})
		})
	}
}

func TestAProcessWaitsForTheChangesOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		e := executor.New(w)
		first := start(t, e, executor.Process{Host: "hv02"})
		first.want("hello ready{}")
		first.request(1, "New-VM")

		elsewhere := start(t, e, executor.Process{Host: "hv03"})
		elsewhere.want("hello ready{}")
		second := start(t, e, executor.Process{Host: "HV02"})
		second.want("hello")
		over := start(t, e, executor.Process{Host: "hv02"})
		over.want("hello")
		over.send(session.KindBye, 0)
		over.exits(1)

		w.answers["New-VM"] <- nil
		second.want("ready{}")
	})
}

// Whoever left a process reads nothing of it any more. That its answer cannot be written keeps nobody waiting.
func TestAnAnswerThatNobodyReadsIsNoChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		e := executor.New(w)
		left := start(t, e, executor.Process{Host: "hv02"})
		left.want("hello ready{}")
		for id := range uint64(cap(left.frames) + 1) {
			left.send(session.KindPing, id)
		}
		left.request(1000, "New-VM")
		second := start(t, e, executor.Process{Host: "hv02"})
		second.want("hello")
		w.answers["New-VM"] <- nil
		second.want("ready{}")
		left.came() // so that it can end
	})
}

func TestHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boot := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		for _, installed := range []bool{false, true} {
			r := start(t, executor.New(newWorld()), executor.Process{Host: "hv02", Boot: boot, Installed: installed})
			synctest.Wait()
			var hello session.Hello
			if err := session.Unpack((<-r.frames).Body, &hello); err != nil {
				t.Fatal(err)
			}
			if hello.Host != "hv02" || !hello.Boot.Equal(boot) || hello.Hash != session.ExecutorHash || hello.LanguageMode != "FullLanguage" {
				t.Errorf("it says %+v", hello)
			}
		}
	})
}
