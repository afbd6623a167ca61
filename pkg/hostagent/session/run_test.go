package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
)

// onRequest is a script that does something on requests, and all else as it should be.
func onRequest(do func(p *fake, f Frame)) func(*fake) {
	return func(p *fake) {
		p.script = func(p *fake, f Frame) {
			if f.Kind == KindRequest {
				do(p, f)
			} else {
				p.answer(f)
			}
		}
	}
}

// unanswered is a process that takes requests and cancellations and answers none.
func unanswered(p *fake) {
	p.script = func(p *fake, f Frame) {
		if f.Kind == KindPing {
			p.answer(f)
		}
	}
}

func writeFails(err error) func(p *fake) {
	return func(p *fake) {
		p.write = func([]byte) error {
			if p.nonce == "" {
				return nil
			}
			return err
		}
	}
}

func says(kind Kind, v any) func(*fake) {
	return onRequest(func(p *fake, f Frame) { p.say(kind, f.ID, v) })
}

func TestRunClassifiesWhatWentWrong(t *testing.T) {
	tests := map[string]struct {
		prepare      func(p *fake)
		read, change hostagent.Class
		reason       string
		// fate is the process's after a change; after a reading it is killed.
		fate string
	}{
		"the process ends": {
			onRequest(func(p *fake, _ Frame) { p.diagnostics = "out of memory"; p.end(io.EOF) }),
			hostagent.Unreachable, hostagent.OutcomeUnknown, `PowerShell has ended on the host; it said: "out of memory"`, "killed",
		},
		"the connection is lost": {
			onRequest(func(p *fake, _ Frame) { p.end(errors.New("reset by peer")) }),
			hostagent.Unreachable, hostagent.OutcomeUnknown, "reset by peer", "left",
		},
		"the connection is lost, and the driver knows why": {
			onRequest(func(p *fake, _ Frame) {
				p.end(&hostagent.Error{Class: hostagent.Unauthenticated, Op: "receive", Err: errors.New("ticket expired")})
			}),
			hostagent.Unauthenticated, hostagent.OutcomeUnknown, "ticket expired", "left",
		},
		"it cannot be written": {
			writeFails(io.ErrClosedPipe),
			hostagent.Unreachable, hostagent.OutcomeUnknown, "closed pipe", "left",
		},
		"it was certainly not sent": {
			writeFails(fmt.Errorf("%w: no route", ErrNotSent)),
			hostagent.Unreachable, hostagent.Unreachable, "no route", "killed",
		},
		"a garbled frame": {
			onRequest(func(p *fake, _ Frame) { p.print("\n@HV1 " + p.nonce + " res x\n") }),
			hostagent.Protocol, hostagent.OutcomeUnknown, "a frame from the host could not be read", "left",
		},
		"a garbled answer": {
			onRequest(func(p *fake, f Frame) { p.print(fmt.Sprintf("\n@HV1 %s res %d QUJD\n", p.nonce, f.ID)) }),
			hostagent.Protocol, hostagent.OutcomeUnknown, "the answer could not be read", "killed",
		},
		"a frame that is too large": {
			onRequest(func(p *fake, f Frame) {
				p.print(fmt.Sprintf("\n@HV1 %s res %d ", p.nonce, f.ID) + strings.Repeat("A", MaxLine))
			}),
			hostagent.Protocol, hostagent.OutcomeUnknown, "more than the session takes in one frame", "left",
		},
		"silence": {
			func(p *fake) { p.script = func(*fake, Frame) {} },
			hostagent.Unreachable, hostagent.OutcomeUnknown, "the host does not answer any more", "left",
		},
		"results of other calls": {
			says(KindResult, Answer{Results: hostagent.Results{{ID: "b", State: hostagent.Done}}}),
			hostagent.Protocol, hostagent.OutcomeUnknown, "the results are not those of the calls sent", "",
		},
		"no results": {
			says(KindResult, struct{}{}),
			hostagent.Protocol, hostagent.OutcomeUnknown, "the results are not those of the calls sent", "",
		},
		"given up by the host": {
			says(KindResult, Answer{Cancelled: true}),
			hostagent.Protocol, hostagent.OutcomeUnknown, "the host gave the batch up", "",
		},
		"a request that it cannot read": {
			says(KindResult, Answer{Unreadable: "no such cmdlet"}),
			hostagent.Protocol, hostagent.Protocol, "ran nothing of it: no such cmdlet", "",
		},
	}
	for name, test := range tests {
		for cmdlet, class := range map[string]hostagent.Class{read: test.read, change: test.change} {
			t.Run(name+"/"+cmdlet, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := &host{prepare: test.prepare}
					a := h.mustOpen(t, Options{}, defaults)
					_, err := a.Run(t.Context(), batchOf(cmdlet))
					wantFailure(t, err, class, test.reason)
					synctest.Wait()
					p := h.process(0)
					want := test.fate
					switch {
					case want == "":
						want = "runs"
					case cmdlet == read:
						want = "killed"
					}
					if got := p.fate(); got != want {
						t.Errorf("the process %s, want %s", got, want)
					}
					if n := p.count(KindRequest); n > 1 {
						t.Errorf("the request was sent %d times", n)
					}
				})
			})
		}
	}
}

// Who was told of a break has to open a new session, which begins by waiting for what was lost.
func TestABrokenSessionStaysBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{prepare: onRequest(func(p *fake, _ Frame) { p.end(io.EOF) })}
		a := h.mustOpen(t, Options{}, calm())
		_, err := a.Run(t.Context(), batchOf(change))
		wantFailure(t, err, hostagent.OutcomeUnknown, "PowerShell has ended on the host"+adviceEnded)
		_, err = a.Run(t.Context(), batchOf(change))
		wantFailure(t, err, hostagent.Unreachable, "the session is broken; open a new one: PowerShell has ended")
		if h.started() != 1 {
			t.Errorf("%d processes were started", h.started())
		}
	})
}

func TestABreakThatNobodyWasToldOfIsMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{}
		a := h.mustOpen(t, Options{}, calm())
		h.process(0).end(io.EOF)
		synctest.Wait()
		if _, err := a.Run(t.Context(), batchOf(change)); err != nil {
			t.Error(err)
		}
		if h.started() != 2 || h.process(0).fate() != "killed" {
			t.Errorf("%d processes were started, the first one %s", h.started(), h.process(0).fate())
		}
	})
}

// A process that ends as soon as it is ready is not started over and over.
func TestAProcessThatBreaksAtOnceIsNotStartedOverAndOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{}
		a := h.mustOpen(t, Options{}, calm())
		h.prepare = func(p *fake) {
			p.opening = func(p *fake) {
				p.say(KindHello, 0, p.hello)
				p.say(KindReady, 0, struct{}{})
				p.end(io.EOF)
			}
		}
		h.process(0).end(io.EOF)
		synctest.Wait()
		// Whether the request was written before the end was seen is open.
		if _, err := a.Run(t.Context(), batchOf(read)); err == nil || !strings.Contains(err.Error(), "PowerShell has ended") {
			t.Errorf("got %v", err)
		}
		if h.started() != 2 {
			t.Errorf("%d processes were started", h.started())
		}
	})
}

func TestOneFailureFailsAllThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{prepare: unanswered}
		a := h.mustOpen(t, Options{}, calm())
		want := map[string]hostagent.Class{"Get-VM": hostagent.Unreachable, "Test-Path": hostagent.Unreachable, "New-VM": hostagent.OutcomeUnknown, "Start-VM": hostagent.OutcomeUnknown}
		got := map[string]<-chan outcome{}
		for cmdlet := range want {
			got[cmdlet] = begin(t.Context(), a, cmdlet)
		}
		synctest.Wait()
		h.process(0).end(io.EOF)
		for cmdlet, class := range want {
			wantFailure(t, (<-got[cmdlet]).err, class, "PowerShell has ended")
		}
	})
}

func TestRunGivenUp(t *testing.T) {
	// atRest holds back every Write after the opening.
	atRest := func(p *fake) {
		p.write = func([]byte) error {
			if p.nonce != "" {
				<-p.gone
			}
			return nil
		}
	}
	tests := map[string]struct {
		prepare func(p *fake)
		// first is under way before, so that what is tried waits behind its Write.
		first   bool
		timeout bool
		cmdlet  string
		class   hostagent.Class
		reason  string
		came    string
	}{
		"reading, cancelled":        {unanswered, false, false, read, hostagent.Canceled, "context canceled", "req can"},
		"reading, out of time":      {unanswered, false, true, read, hostagent.Timeout, "deadline exceeded", "req can"},
		"changing, cancelled":       {unanswered, false, false, change, hostagent.OutcomeUnknown, "context canceled", "req can"},
		"changing, out of time":     {unanswered, false, true, change, hostagent.OutcomeUnknown, "deadline exceeded", "req can"},
		"not sent yet, cancelled":   {atRest, true, false, change, hostagent.Canceled, "given up before it was sent", ""},
		"not sent yet, out of time": {atRest, true, true, change, hostagent.Timeout, "given up before it was sent", ""},
		"handed to Write":           {atRest, false, false, change, hostagent.OutcomeUnknown, "context canceled", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{prepare: test.prepare}
				a := h.mustOpen(t, Options{}, calm())
				if test.first {
					begin(t.Context(), a, read)
					synctest.Wait()
				}
				ctx, cancel := context.WithCancel(t.Context())
				if test.timeout {
					ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
				}
				defer cancel()
				done := begin(ctx, a, test.cmdlet)
				synctest.Wait()
				if !test.timeout {
					cancel()
				}
				wantFailure(t, (<-done).err, test.class, test.reason)
				synctest.Wait()
				if got := h.process(0).came(); got != test.came {
					t.Errorf("came %q, want %q", got, test.came)
				}
			})
		})
	}
}

func TestAGivenUpChangeLeavesTheSessionToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{prepare: onRequest(func(p *fake, f Frame) {
			if batchIn(f).Calls[0].Cmdlet == read {
				p.answer(f)
			}
		})}
		a := h.mustOpen(t, Options{}, calm())
		ctx, cancel := context.WithCancel(t.Context())
		done := begin(ctx, a, change)
		synctest.Wait()
		cancel()
		wantFailure(t, (<-done).err, hostagent.OutcomeUnknown, "context canceled")
		got, err := a.Run(t.Context(), batchOf(read))
		if diff := cmp.Diff(answered(read), got); diff != "" || err != nil {
			t.Errorf("error %v, results (-want +got):\n%s", err, diff)
		}
		if h.started() != 1 {
			t.Errorf("%d processes were started", h.started())
		}
	})
}

func TestWhatIsWrongIsNotSent(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		ctx    context.Context
		change func(b *hostagent.Batch)
		class  hostagent.Class
		reason string
	}{
		"another host":       {t.Context(), func(b *hostagent.Batch) { b.Target.Host = "hv03" }, hostagent.Invalid, "the batch is for hv03, the session is with hv02"},
		"a guest":            {t.Context(), func(b *hostagent.Batch) { b.Target.VM = "4c4c" }, hostagent.Invalid, "the batch is for guest 4c4c, the session is with hv02"},
		"two calls with one": {t.Context(), func(b *hostagent.Batch) { b.Calls = append(b.Calls, b.Calls[0]) }, hostagent.Invalid, `two calls have the id "a"`},
		"given up before":    {ended, func(*hostagent.Batch) {}, hostagent.Canceled, "context canceled"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := &host{}
			a := h.mustOpen(t, Options{}, calm())
			batch := batchOf(change)
			test.change(&batch)
			_, err := a.Run(test.ctx, batch)
			wantFailure(t, err, test.class, test.reason)
			if got := h.process(0).came(); got != "" {
				t.Errorf("came %s", got)
			}
		})
	}
}

func TestTheSessionsHost(t *testing.T) {
	tests := map[string]struct{ target, batch string }{
		"the name that was asked for":     {"hv02", "hv02"},
		"in other letters":                {"hv02", "HV02"},
		"any host, by who answered":       {"", "hv02"},
		"any, and the batch names no one": {"", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := &host{}
			a, err := open(t.Context(), h.start, Options{Target: hostagent.Target{Host: test.target}}, calm())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = a.Close() }()
			batch := batchOf(read)
			batch.Target.Host = test.batch
			if _, err := a.Run(t.Context(), batch); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestQueuedFramesGoInOneWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		h := &host{prepare: func(p *fake) {
			p.write = func([]byte) error {
				if p.nonce != "" {
					<-hold
				}
				return nil
			}
		}}
		a := h.mustOpen(t, Options{}, calm())
		var all []<-chan outcome
		for range 10 {
			all = append(all, begin(t.Context(), a, read))
			synctest.Wait()
		}
		close(hold)
		for _, done := range all {
			if o := <-done; o.err != nil {
				t.Error(o.err)
			}
		}
		// The opening, the first request alone, and what came while that was written.
		if got := len(h.process(0).writes); got != 3 {
			t.Errorf("%d writes, want 3", got)
		}
	})
}

// Frames in any order, late, twice and of unknown kinds: each request has its own answer.
func TestAnswersFindTheirRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waiting []Frame
		h := &host{prepare: onRequest(func(p *fake, f Frame) {
			waiting = append(waiting, f)
			p.say("event", f.ID, "something changed")
			if len(waiting) < 20 {
				return
			}
			rand.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
			for _, f := range waiting {
				p.print("noise without an end")
				p.say(KindPong, f.ID, Pong{})
				p.answer(f)
				p.say(KindResult, f.ID, Answer{Results: hostagent.Results{{ID: "late"}}})
				p.say(KindResult, f.ID+1000, Answer{})
			}
		})}
		a := h.mustOpen(t, Options{}, calm())
		all := map[string]<-chan outcome{}
		for i := range 20 {
			cmdlet := fmt.Sprintf("Get-%d", i)
			all[cmdlet] = begin(t.Context(), a, cmdlet)
		}
		for cmdlet, done := range all {
			o := <-done
			if diff := cmp.Diff(answered(cmdlet), o.results); diff != "" || o.err != nil {
				t.Errorf("error %v, results (-want +got):\n%s", o.err, diff)
			}
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if !strings.Contains(h.log.String(), "Skipped what is no answer") {
			t.Errorf("the noise was not told: %s", h.log.String())
		}
	})
}

// An answer that is cut anywhere is no answer; nothing is guessed, and nothing is sent again.
func TestAnAnswerCutAnywhere(t *testing.T) {
	whole := func(f Frame, nonce string) []byte {
		packed, err := Pack(Answer{Results: answered(batchIn(f).Calls[0].Cmdlet)})
		if err != nil {
			t.Fatal(err)
		}
		return Frame{Kind: KindResult, ID: f.ID, Body: packed}.FromHost(nonce)
	}
	for cmdlet, class := range map[string]hostagent.Class{read: hostagent.Unreachable, change: hostagent.OutcomeUnknown} {
		for n, length := 0, 1; n <= length; n++ {
			synctest.Test(t, func(t *testing.T) {
				h := &host{prepare: onRequest(func(p *fake, f Frame) {
					frame := whole(f, p.nonce)
					length = len(frame)
					p.print(string(frame[:n]))
					p.end(io.EOF)
				})}
				a := h.mustOpen(t, Options{}, calm())
				results, err := a.Run(t.Context(), batchOf(cmdlet))
				switch {
				case n == length:
					if diff := cmp.Diff(answered(cmdlet), results); diff != "" || err != nil {
						t.Errorf("error %v, results (-want +got):\n%s", err, diff)
					}
				case err == nil:
					t.Errorf("%s cut after %d of %d bytes has results", cmdlet, n, length)
				default:
					wantFailure(t, err, class, "PowerShell has ended")
				}
				if got := h.process(0).count(KindRequest); got != 1 {
					t.Errorf("sent %d times", got)
				}
			})
		}
	}
}

// Many callers, some of which give up, on a process that answers some: no number is used twice, and no batch sent twice.
func TestNothingIsSentTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := calm()
		l.requests = 37
		h := &host{prepare: onRequest(func(p *fake, f Frame) {
			if f.ID%3 != 0 {
				p.answer(f)
			}
		})}
		a := h.mustOpen(t, Options{}, l)
		var callers sync.WaitGroup
		for i := range 200 {
			callers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%7)*time.Millisecond)
				defer cancel()
				_, _ = a.Run(ctx, batchOf(fmt.Sprintf("Get-%d", i)))
			})
		}
		callers.Wait()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		batches := map[string]bool{}
		for n := range h.started() {
			ids := map[uint64]bool{}
			for _, f := range h.process(n).frames {
				if f.Kind != KindRequest {
					continue
				}
				cmdlet := batchIn(f).Calls[0].Cmdlet
				if ids[f.ID] || batches[cmdlet] {
					t.Errorf("request %d with %s was sent again", f.ID, cmdlet)
				}
				ids[f.ID], batches[cmdlet] = true, true
			}
		}
		if len(batches) == 0 || h.started() < 2 {
			t.Errorf("%d batches on %d processes: this tests nothing", len(batches), h.started())
		}
	})
}
