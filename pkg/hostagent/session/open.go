package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strings"
	"time"

	"k8s.io/utils/clock"

	"guestclustering.io/operator/pkg/hostagent"
)

var errDeadline = errors.New("the time for its start is over")

// dial starts a process and returns once it takes requests. Everything up to its hello has the time of limits.hello; the
// wait for earlier work after that has only the caller's.
func dial(ctx context.Context, start Start, o Options, l limits) (*channel, error) {
	arguments := StreamedArguments
	if o.Installed {
		arguments = InstalledArguments
	}
	nonce, bootstrap, err := bootstrap(o)
	if err != nil {
		return nil, err
	}
	startCtx, cancel := within(ctx, o.Clock, l.hello)
	defer cancel()
	process, err := start(startCtx, PowerShell, arguments)
	if err != nil {
		return nil, startFailure(ctx, startCtx, err)
	}
	c := newChannel(process, nonce, o, l)
	err = c.shakeHands(startCtx, bootstrap)
	cancel()
	if err == nil {
		err = c.awaitReady(ctx)
	}
	if err != nil {
		c.fail(failed(hostagent.Unreachable, errClosed)) // it would not take a bye
		_ = c.close()                                    // logged there; why it did not start says more
		return nil, err
	}
	return c, nil
}

// bootstrap is what a process is given before the first request, and the nonce in it.
func bootstrap(o Options) (nonce string, lines []byte, err error) {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	nonce = hex.EncodeToString(random)
	if !o.Installed {
		text, err := PackText([]byte(Executor))
		if err != nil {
			return "", nil, err
		}
		lines = append(text, '\n')
	}
	parallel := o.Parallel
	if o.OneShot {
		parallel = 1
	}
	opening, err := Pack(Opening{Nonce: nonce, Parallel: parallel})
	if err != nil {
		return "", nil, err
	}
	return nonce, append(append(lines, opening...), '\n'), nil
}

// within gives a context that ends after so long on the clock.
func within(ctx context.Context, c clock.WithTicker, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := c.NewTimer(d)
	go func() {
		defer timer.Stop()
		select {
		case <-timer.C():
			cancel(errDeadline)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

func startFailure(ctx, startCtx context.Context, err error) error {
	const stage = "starting PowerShell"
	switch {
	case ctx.Err() != nil:
		return failed(endClass(ctx), fmt.Errorf("%s: %w (%w)", stage, context.Cause(ctx), err))
	case startCtx.Err() != nil:
		return failed(hostagent.Timeout, fmt.Errorf("%s: %w (%w)", stage, context.Cause(startCtx), err))
	}
	return failed(hostagent.ClassOf(err), fmt.Errorf("%s: %w", stage, err))
}

// shakeHands gives the process the executor and takes its hello.
func (c *channel) shakeHands(ctx context.Context, bootstrap []byte) error {
	written := make(chan struct{})
	c.mu.Lock()
	c.send(outgoing{data: bootstrap, written: written})
	c.mu.Unlock()
	select {
	case f := <-c.greeted:
		return c.greet(f)
	case <-c.broken:
	case <-ctx.Done():
	}
	// Several may have happened; what the process said counts most.
	select {
	case f := <-c.greeted:
		return c.greet(f)
	default:
	}
	stage := "it did not take the executor"
	if isDone(written) {
		stage = "it took the executor and did not say hello"
	}
	if isDone(c.broken) {
		return c.notGreeted(stage, c.cause)
	}
	return c.notGreeted(stage, stopped(ctx))
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// stopped says why a context ended.
func stopped(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), errDeadline) {
		return failed(hostagent.Timeout, errDeadline)
	}
	return failed(endClass(ctx), context.Cause(ctx))
}

// notGreeted tells how far a process came, with all that it wrote: that is where a policy or an antivirus is named.
func (c *channel) notGreeted(stage string, cause error) error {
	class := classOf(cause)
	if errors.Is(cause, errEnded) { // what it is told with is said below
		cause = errEnded
	}
	advice := adviceStart
	if class != hostagent.Unreachable && class != hostagent.Timeout {
		advice = "" // the driver knows why, or nobody waits
	}
	noise := c.process.Diagnostics() + "\n" + c.scanner.Noise().Beginning
	return failed(class, fmt.Errorf("PowerShell was started; %s: %w%s%s", stage, cause, said(noise), advice))
}

func (c *channel) greet(f Frame) error {
	if err := Unpack(f.Body, &c.hello); err != nil {
		return garbled("the hello", err)
	}
	h := c.hello
	switch {
	case h.LanguageMode != "FullLanguage":
		return failed(hostagent.Forbidden, fmt.Errorf(
			"PowerShell on %s runs in %s: an AppLocker or WDAC policy restricts scripts there; allow the executor in that policy (by its path in installed mode)", h.Host, h.LanguageMode))
	case !strings.EqualFold(h.Hash, ExecutorHash) && c.options.Installed:
		return failed(hostagent.Unsupported, fmt.Errorf(
			"the executor installed on %s is another version (SHA-256 %s, want %s): copy executor.ps1 there again", h.Host, h.Hash, ExecutorHash))
	case !strings.EqualFold(h.Hash, ExecutorHash):
		return failed(hostagent.Protocol, fmt.Errorf("the executor arrived on %s changed (SHA-256 %s, want %s)", h.Host, h.Hash, ExecutorHash))
	}
	c.note()
	return nil
}

// note logs who answers, and after a session that broke whether the host was restarted.
func (c *channel) note() {
	h, log := c.hello, c.options.Log.With("target", c.options.Target.String())
	if named := c.options.Target.Host; named != "" && !strings.EqualFold(named, h.Host) {
		log.Warn("The host that answers has another name: check its address", "host", h.Host)
	}
	former, lost := c.options.Memory.meet(h.Boot)
	switch {
	case restarted(former, h.Boot):
		log.Warn("The host was restarted", "boot", h.Boot, "formerBoot", former)
	case lost:
		log.Info("Only the session was lost: the host was not restarted", "boot", h.Boot)
	}
	level := slog.LevelInfo
	if c.options.OneShot {
		level = slog.LevelDebug
	}
	log.Log(context.Background(), level, "Session started", "host", h.Host, "pid", h.PID, "powershell", h.PowerShell, "build", h.Build, "boot", h.Boot)
}

// awaitReady waits until no earlier process of ours changes anything on the host any more.
func (c *channel) awaitReady(ctx context.Context) error {
	const stage = "waiting for earlier work of ours on the host"
	select {
	case <-c.ready:
		return nil
	case <-c.broken:
		return failed(classOf(c.cause), fmt.Errorf("%s: %w", stage, c.cause))
	case <-ctx.Done():
		return failed(endClass(ctx), fmt.Errorf("%s: %w", stage, context.Cause(ctx)))
	}
}

// jitter is a part of the bound.
func jitter(bound time.Duration) time.Duration {
	if bound <= 0 {
		return 0
	}
	return mathrand.N(bound) //nolint:gosec // spreads load; is no secret
}
