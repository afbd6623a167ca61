package session

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// pass lets the time pass, and what is due in it happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestHeartbeat(t *testing.T) {
	tests := map[string]struct {
		prepare func(p *fake)
		// busy is whether a reading is under way; after is how long, pings how many came in that time.
		busy   bool
		after  time.Duration
		pings  int
		broken bool
	}{
		"at rest, early":             {nil, false, 119 * time.Second, 0, false},
		"at rest":                    {nil, false, 121 * time.Second, 1, false},
		"at rest, for long":          {nil, false, 8*time.Minute + time.Second, 4, false},
		"busy, early":                {unanswered, true, 29 * time.Second, 0, false},
		"busy":                       {unanswered, true, 31 * time.Second, 1, false},
		"busy, for an hour":          {unanswered, true, time.Hour + time.Second, 120, false},
		"unanswered, not yet lost":   {func(p *fake) { p.script = func(*fake, Frame) {} }, true, 59 * time.Second, 1, false},
		"unanswered":                 {func(p *fake) { p.script = func(*fake, Frame) {} }, true, 61 * time.Second, 1, true},
		"unanswered at rest":         {func(p *fake) { p.script = func(*fake, Frame) {} }, false, 151 * time.Second, 1, true},
		"an answer that takes long":  {trickle, true, 5 * time.Minute, 1, false},
		"a pong that cannot be read": {func(p *fake) { p.script = garbledPong }, true, 31 * time.Second, 1, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{prepare: test.prepare}
				a := h.mustOpen(t, Options{}, defaults)
				if test.busy {
					begin(t.Context(), a, read)
				}
				pass(test.after)
				p := h.process(0)
				if got := p.count(KindPing); got != test.pings {
					t.Errorf("%d pings, want %d", got, test.pings)
				}
				if got := p.fate() == "killed"; got != test.broken {
					t.Errorf("broken: %t, want %t; %s", got, test.broken, h.log.String())
				}
			})
		})
	}
}

// trickle answers nothing, and says something every 20 seconds, as a large answer on a slow line does.
func trickle(p *fake) {
	p.script = func(p *fake, f Frame) {
		if f.Kind != KindRequest {
			return
		}
		go func() {
			for {
				select {
				case <-p.gone:
					return
				case <-time.After(20 * time.Second):
					p.print("H4sI")
				}
			}
		}()
	}
}

func garbledPong(p *fake, f Frame) {
	if f.Kind == KindPing {
		p.say(KindPong, f.ID, "well")
	}
}

func TestAProcessIsReplaced(t *testing.T) {
	tests := map[string]struct {
		prepare func(p *fake)
		limit   func(l *limits)
		wait    time.Duration
		runs    int
		started int
	}{
		"at rest for a while":            {nil, nil, 9 * time.Minute, 1, 1},
		"at rest for long":               {nil, nil, 11 * time.Minute, 1, 2},
		"at its age":                     {nil, func(l *limits) { l.idle, l.jitter = 100*time.Hour, 0 }, 4*time.Hour + time.Minute, 1, 2},
		"before its age":                 {nil, func(l *limits) { l.idle = 100 * time.Hour }, 4*time.Hour - time.Minute, 1, 1},
		"at its age, the jitter has run": {nil, func(l *limits) { l.idle = 100 * time.Hour }, 4*time.Hour + 31*time.Minute, 1, 2},
		"after many requests":            {nil, func(l *limits) { l.requests = 3 }, 0, 7, 3},
		"when it holds much memory": {func(p *fake) {
			p.script = func(p *fake, f Frame) {
				if f.Kind == KindPing {
					p.say(KindPong, f.ID, Pong{WorkingSet: 513 << 20})
				} else {
					p.answer(f)
				}
			}
		}, nil, 121 * time.Second, 1, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, l := &host{prepare: test.prepare}, defaults
				if test.limit != nil {
					test.limit(&l)
				}
				a := h.mustOpen(t, Options{}, l)
				pass(test.wait)
				for range test.runs {
					if _, err := a.Run(t.Context(), batchOf(change)); err != nil {
						t.Error(err)
					}
				}
				synctest.Wait()
				if h.started() != test.started {
					t.Fatalf("%d processes were started, want %d", h.started(), test.started)
				}
				for n := range test.started - 1 {
					if p := h.process(n); p.fate() != "killed" || !strings.HasSuffix(p.came(), "bye") {
						t.Errorf("process %d %s after %s", n, p.fate(), p.came())
					}
				}
				if strings.Contains(h.log.String(), "Session broke") {
					t.Errorf("logged %s", h.log.String())
				}
			})
		})
	}
}

// A process that is due goes on until what it does has ended; new requests go to another, unless it changes something: the
// other would have to wait for that.
func TestAProcessThatIsDueEndsItsWork(t *testing.T) {
	tests := map[string]struct {
		cmdlet  string
		started int
	}{
		"reading":  {read, 2},
		"changing": {change, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var first Frame
				h := &host{prepare: onRequest(func(p *fake, f Frame) {
					if first.ID == 0 {
						first = f
						return
					}
					p.answer(f)
				})}
				l := calm()
				l.requests = 1
				a := h.mustOpen(t, Options{}, l)
				done := begin(t.Context(), a, test.cmdlet)
				synctest.Wait()
				if _, err := a.Run(t.Context(), batchOf(read)); err != nil {
					t.Error(err)
				}
				if h.started() != test.started || h.process(0).fate() != "runs" {
					t.Errorf("%d processes were started, the first one %s", h.started(), h.process(0).fate())
				}
				h.process(0).answer(first)
				if o := <-done; o.err != nil {
					t.Error(o.err)
				}
			})
		})
	}
}

func TestClose(t *testing.T) {
	tests := map[string]struct {
		prepare func(p *fake)
		// cmdlet is under way; givenUp is whether its caller has left.
		cmdlet  string
		givenUp bool
		wait    time.Duration
		class   hostagent.Class
		fate    string
		came    string
	}{
		"at rest":                          {nil, "", false, 0, "", "killed", "bye"},
		"reading":                          {unanswered, read, false, 0, hostagent.Unreachable, "killed", "req bye"},
		"changing":                         {unanswered, change, false, 0, hostagent.OutcomeUnknown, "left", "req bye"},
		"a reading given up":               {unanswered, read, true, 0, hostagent.Canceled, "killed", "req can bye"},
		"a change given up":                {unanswered, change, true, 0, hostagent.OutcomeUnknown, "left", "req can bye"},
		"a change cancelled":               {cancels(1), change, true, 0, hostagent.OutcomeUnknown, "left", "req can bye"},
		"a change cancelled, still there":  {cancels(1), change, true, 31 * time.Second, hostagent.OutcomeUnknown, "left", "req can ping bye"},
		"a change cancelled that is over":  {cancels(0), change, true, 31 * time.Second, hostagent.OutcomeUnknown, "killed", "req can ping bye"},
		"a change given up and done":       {doneAnyway, change, true, 0, hostagent.OutcomeUnknown, "killed", "req can bye"},
		"a process that cannot be written": {stuck, change, false, 0, hostagent.OutcomeUnknown, "left", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{prepare: test.prepare}
				a := h.mustOpen(t, Options{}, defaults)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var done <-chan outcome
				if test.cmdlet != "" {
					done = begin(ctx, a, test.cmdlet)
					synctest.Wait()
				}
				if test.givenUp {
					cancel()
				}
				pass(test.wait)
				before := time.Now()
				if err := a.Close(); err != nil {
					t.Error(err)
				}
				if took := time.Since(before); took > defaults.farewell {
					t.Errorf("it took %s", took)
				}
				if done != nil {
					if got := hostagent.ClassOf((<-done).err); got != test.class {
						t.Errorf("what was under way ended %s, want %s", got, test.class)
					}
				}
				if p := h.process(0); p.fate() != test.fate || p.came() != test.came {
					t.Errorf("%s after %q, want %s after %q", p.fate(), p.came(), test.fate, test.came)
				}
				_, err := a.Run(t.Context(), batchOf(read))
				wantFailure(t, err, hostagent.Unreachable, "the session was closed")
				if err := a.Close(); err != nil {
					t.Errorf("closing again: %v", err)
				}
			})
		})
	}
}

// cancels answers a cancellation at once, as an executor does while a cmdlet cannot be stopped; so many batches run then.
func cancels(running int) func(p *fake) {
	return func(p *fake) {
		p.script = func(p *fake, f Frame) {
			switch f.Kind {
			case KindCancel:
				p.say(KindResult, f.ID, Answer{Cancelled: true})
			case KindPing:
				p.say(KindPong, f.ID, Pong{Running: running})
			default:
			}
		}
	}
}

// doneAnyway answers a request when it is cancelled.
func doneAnyway(p *fake) {
	p.script = func(p *fake, f Frame) {
		if f.Kind == KindCancel {
			p.say(KindResult, f.ID, Answer{Results: answered(change)})
		}
	}
}

// stuck takes the opening and nothing more.
func stuck(p *fake) {
	p.write = func([]byte) error {
		if p.nonce != "" {
			<-p.gone
			return io.ErrClosedPipe
		}
		return nil
	}
}

func TestCloseEndsAProcessThatIsBeingStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{}
		a := h.mustOpen(t, Options{}, defaults)
		h.prepare = func(p *fake) { p.opening = silent }
		pass(11 * time.Minute)
		all := []<-chan outcome{begin(t.Context(), a, read), begin(t.Context(), a, change)}
		synctest.Wait()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		for _, done := range all {
			wantFailure(t, (<-done).err, hostagent.Unreachable, "the session was closed")
		}
		if h.started() != 2 || h.process(1).fate() != "killed" {
			t.Errorf("%d processes were started", h.started())
		}
	})
}

// Callers that come while a process is started share it, and wait no longer than they would.
func TestOneProcessIsStartedForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{}
		a := h.mustOpen(t, Options{}, defaults)
		pass(11 * time.Minute)
		h.prepare = func(p *fake) {
			p.opening = func(p *fake) {
				time.AfterFunc(time.Minute, func() { p.say(KindReady, 0, struct{}{}) })
				p.say(KindHello, 0, p.hello)
			}
		}
		first, second := begin(t.Context(), a, read), begin(t.Context(), a, change)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := a.Run(ctx, batchOf(change))
		wantFailure(t, err, hostagent.Timeout, "waiting for PowerShell to be started: context deadline exceeded")
		if err := errors.Join((<-first).err, (<-second).err); err != nil {
			t.Error(err)
		}
		if h.started() != 2 {
			t.Errorf("%d processes were started", h.started())
		}
	})
}

func TestOneShot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{}
		a := h.mustOpen(t, Options{OneShot: true}, defaults)
		for range 3 {
			if _, err := a.Run(t.Context(), batchOf(change)); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		want := []string{"bye", "req bye", "req bye", "req bye"}
		if h.started() != len(want) {
			t.Fatalf("%d processes were started", h.started())
		}
		for n, came := range want {
			if p := h.process(n); p.came() != came || p.fate() != "killed" {
				t.Errorf("process %d %s after %s", n, p.fate(), p.came())
			}
		}
	})
}

func TestOneShotGivenUp(t *testing.T) {
	for cmdlet, fate := range map[string]string{read: "killed", change: "left"} {
		t.Run(cmdlet, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{prepare: unanswered}
				a := h.mustOpen(t, Options{OneShot: true}, defaults)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := a.Run(ctx, batchOf(cmdlet)); err == nil {
					t.Error("there are results")
				}
				synctest.Wait()
				if p := h.process(1); p.fate() != fate || p.came() != "req can bye" {
					t.Errorf("%s after %s", p.fate(), p.came())
				}
			})
		})
	}
}

func TestOneShotIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{prepare: unanswered}
		a := h.mustOpen(t, Options{OneShot: true, Parallel: 2}, calm())
		for range 2 {
			begin(t.Context(), a, read)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := a.Run(ctx, batchOf(change))
		wantFailure(t, err, hostagent.Timeout, "waiting until another PowerShell has ended")
		if h.started() != 3 {
			t.Errorf("%d processes were started", h.started())
		}
	})
}
