package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// silent is a process that takes the executor and says no more.
func silent(*fake) {}

func TestOpenSaysHowFarItCame(t *testing.T) {
	tests := map[string]struct {
		prepare func(p *fake)
		options Options
		// patience is the caller's; 0 is an hour.
		patience time.Duration
		class    hostagent.Class
		reason   string
	}{
		"it does not take the executor": {
			prepare: func(p *fake) { p.write = func([]byte) error { <-p.gone; return io.ErrClosedPipe } },
			class:   hostagent.Timeout, reason: "PowerShell was started; it did not take the executor: the time for its start is over",
		},
		"the executor cannot be sent": {
			prepare: func(p *fake) { p.write = func([]byte) error { return fmt.Errorf("%w: no route", ErrNotSent) } },
			class:   hostagent.Unreachable, reason: "it did not take the executor: nothing was sent: no route",
		},
		"no hello": {
			prepare: func(p *fake) { p.opening = silent },
			class:   hostagent.Timeout, reason: "it took the executor and did not say hello: the time for its start is over",
		},
		"no hello, and the caller has no more time": {
			prepare:  func(p *fake) { p.opening = silent },
			patience: time.Second, class: hostagent.Timeout, reason: "did not say hello: context deadline exceeded",
		},
		// Whether the executor was all taken before the end was seen is open.
		"an antivirus refuses the executor": {
			prepare: func(p *fake) {
				p.diagnostics = "FullyQualifiedErrorId : ScriptContainedMaliciousContent"
				p.opening = func(p *fake) { p.end(io.EOF) }
			},
			class: hostagent.Unreachable, reason: `: PowerShell has ended on the host; it said: "FullyQualifiedErrorId : ScriptContainedMaliciousContent"` + adviceStart,
		},
		"what it said is bounded": {
			prepare: func(p *fake) {
				p.diagnostics = strings.Repeat("x", 1<<20)
				p.opening = func(p *fake) { p.end(io.EOF) }
			},
			class: hostagent.Unreachable, reason: `it said: "` + strings.Repeat("x", 2000) + `"`,
		},
		"something else answers": {
			prepare: func(p *fake) {
				p.opening = func(p *fake) { p.print("'powershell' is not recognized\r\n"); p.end(io.EOF) }
			},
			class: hostagent.Unreachable, reason: "'powershell' is not recognized",
		},
		"half a hello": {
			prepare: func(p *fake) {
				p.opening = func(p *fake) { p.print("\n@HV1 " + p.nonce + " hello 0 H4s"); p.end(io.EOF) }
			},
			class: hostagent.Unreachable, reason: ": PowerShell has ended on the host",
		},
		"a hello that cannot be read": {
			prepare: func(p *fake) { p.opening = func(p *fake) { p.print("\n@HV1 " + p.nonce + " hello 0 QUJD\n") } },
			class:   hostagent.Protocol, reason: "the hello could not be read: " + ErrMalformed.Error(),
		},
		"a hello that cannot be read, and what to look at": {
			prepare: func(p *fake) { p.opening = func(p *fake) { p.print("\n@HV1 " + p.nonce + " hello 0 QUJD\n") } },
			class:   hostagent.Protocol, reason: adviceGarbled,
		},
		"the connection is lost, and the driver knows why": {
			prepare: func(p *fake) {
				p.opening = func(p *fake) {
					p.end(&hostagent.Error{Class: hostagent.Throttled, Op: "receive", Err: errors.New("quota")})
				}
			},
			class: hostagent.Throttled, reason: "quota",
		},
		"a policy restricts scripts": {
			prepare: func(p *fake) { p.hello.LanguageMode = "ConstrainedLanguage" },
			class:   hostagent.Forbidden, reason: "runs in ConstrainedLanguage: an AppLocker or WDAC policy restricts scripts there; allow the executor in that policy",
		},
		"another executor is installed": {
			prepare: func(p *fake) { p.hello.Hash = strings.Repeat("0", 64) },
			options: Options{Installed: true},
			class:   hostagent.Unsupported, reason: "copy executor.ps1 there again",
		},
		"the executor was changed on its way": {
			prepare: func(p *fake) { p.hello.Hash = strings.Repeat("0", 64) },
			class:   hostagent.Protocol, reason: "the executor arrived on HV02 changed",
		},
		"earlier work does not end": {
			prepare:  func(p *fake) { p.opening = func(p *fake) { p.say(KindHello, 0, p.hello) } },
			patience: 5 * time.Minute, class: hostagent.Timeout, reason: "waiting for earlier work of ours on the host: context deadline exceeded",
		},
		"it ends while earlier work runs": {
			prepare: func(p *fake) { p.opening = func(p *fake) { p.say(KindHello, 0, p.hello); p.end(io.EOF) } },
			class:   hostagent.Unreachable, reason: "waiting for earlier work of ours on the host: PowerShell has ended",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for how, oneShot := range map[string]bool{"kept": false, "one-shot": true} {
				t.Run(how, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						h := &host{prepare: test.prepare}
						options := test.options
						options.OneShot, options.Target.Host = oneShot, "hv02"
						patience := test.patience
						if patience == 0 {
							patience = time.Hour
						}
						ctx, cancel := context.WithTimeout(t.Context(), patience)
						defer cancel()
						_, err := open(ctx, h.start, options, defaults)
						wantFailure(t, err, test.class, test.reason)
						if got := h.process(0).fate(); got != "killed" {
							t.Errorf("the process was not ended: it %s", got)
						}
					})
				})
			}
		})
	}
}

func TestOpenWhenNothingCanBeStarted(t *testing.T) {
	tests := map[string]struct {
		start  Start
		class  hostagent.Class
		reason string
	}{
		"refused": {
			func(context.Context, string, string) (Process, error) {
				return nil, &hostagent.Error{Class: hostagent.Unauthenticated, Op: "logon", Err: errors.New("wrong password")}
			},
			hostagent.Unauthenticated, "starting PowerShell: logon on any host: wrong password",
		},
		"no answer": {
			func(ctx context.Context, _, _ string) (Process, error) { <-ctx.Done(); return nil, ctx.Err() },
			hostagent.Timeout, "starting PowerShell: the time for its start is over",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := Open(t.Context(), test.start, Options{Target: hostagent.Target{Host: "hv02"}})
				wantFailure(t, err, test.class, test.reason)
			})
		})
	}
}

// The hello has a bound; the wait for earlier work has the caller's alone.
func TestOpenWaitsForEarlierWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &host{prepare: func(p *fake) {
			p.opening = func(p *fake) {
				p.say(KindHello, 0, p.hello)
				time.AfterFunc(time.Hour+time.Second, func() { p.say(KindReady, 0, struct{}{}) })
			}
		}}
		a := h.mustOpen(t, Options{}, defaults)
		if _, err := a.Run(t.Context(), batchOf(read)); err != nil {
			t.Error(err)
		}
		if got := h.process(0).came(); got != "req" {
			t.Errorf("came %s: nothing may be sent to a host that waits", got)
		}
	})
}

func TestTheExecutorIsSentUnlessInstalled(t *testing.T) {
	for name, installed := range map[string]bool{"streamed": false, "installed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &host{}
				h.mustOpen(t, Options{Installed: installed}, calm())
				first, _, _ := strings.Cut(string(h.process(0).writes[0]), "\n")
				text, err := UnpackText([]byte(first))
				if err != nil {
					t.Fatal(err)
				}
				if got := string(text) == Executor; got == installed {
					t.Errorf("the executor was sent: %t", got)
				}
			})
		})
	}
}

func TestARestartIsToldFromALostSession(t *testing.T) {
	tests := map[string]struct {
		shift time.Duration
		want  string
	}{
		"the same boot":            {0, "Only the session was lost"},
		"the same boot, as read":   {-4 * time.Second, "Only the session was lost"},
		"another boot":             {time.Hour, "The host was restarted"},
		"another boot soon after":  {6 * time.Second, "The host was restarted"},
		"a boot that is not known": {-1 << 62, "Only the session was lost"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory := &Memory{}
				h := &host{}
				a := h.mustOpen(t, Options{Memory: memory}, calm())
				h.process(0).end(io.EOF)
				synctest.Wait()
				if err := a.Close(); err != nil {
					t.Error(err)
				}
				h.prepare = func(p *fake) {
					p.hello.Boot = p.hello.Boot.Add(test.shift)
					if test.shift < -time.Hour {
						p.hello.Boot = time.Time{}
					}
				}
				h.log.Reset()
				h.mustOpen(t, Options{Memory: memory}, calm())
				both := strings.Count(h.log.String(), "The host was restarted") + strings.Count(h.log.String(), "Only the session")
				if !strings.Contains(h.log.String(), test.want) || both != 1 {
					t.Errorf("logged %s", h.log.String())
				}
			})
		})
	}
}
