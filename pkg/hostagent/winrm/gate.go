package winrm

import (
	"context"
	"fmt"
	"sync"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// loginError is a login that did not come about though the host, or its domain, answered.
type loginError struct {
	class hostagent.Class
	err   error
}

func (e *loginError) Error() string { return e.err.Error() }
func (e *loginError) Unwrap() error { return e.err }

func loginFailed(format string, args ...any) *loginError {
	return &loginError{class: hostagent.Unauthenticated, err: fmt.Errorf(format, args...)}
}

// overtake is how long a login that gets no answer keeps the others waiting: a host that hangs must not keep all others
// out.
const overtake = 10 * time.Second

// gate lets one login try the credentials first, and none once they were refused: a domain account is locked out by
// tries on any host.
type gate struct {
	// alone holds a token while a login tries what nobody knows yet.
	alone chan struct{}
	// known is closed with the first verdict.
	known chan struct{}

	mu       sync.Mutex
	accepted bool
	refused  error
}

func newGate() *gate {
	return &gate{alone: make(chan struct{}, 1), known: make(chan struct{})}
}

// settled reports whether the credentials were accepted once.
func (g *gate) settled() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.accepted
}

// refusal is the error to return when the credentials were refused before.
func (g *gate) refusal() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refused
}

// enter returns once the credentials may be tried; say what came of it. It fails when they were refused before.
func (g *gate) enter(ctx context.Context) (*try, error) {
	for {
		if t, err := g.verdict(); t != nil || err != nil {
			return t, err
		}
		select {
		case g.alone <- struct{}{}:
			return g.first(), nil
		case <-g.known:
		case <-ctx.Done():
			return nil, &unsentError{err: context.Cause(ctx)}
		}
	}
}

// verdict gives what is known, or nothing.
func (g *gate) verdict() (*try, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refused != nil {
		return nil, g.refused
	}
	if g.accepted {
		return &try{gate: g, done: func() {}}, nil
	}
	return nil, nil
}

// first is the try that the others wait for.
func (g *gate) first() *try {
	leave := sync.OnceFunc(func() { <-g.alone })
	timer := time.AfterFunc(overtake, leave)
	return &try{gate: g, done: func() {
		timer.Stop()
		leave()
	}}
}

// try is one use of the credentials.
type try struct {
	gate *gate
	done func()
}

// unknown says that no verdict came.
func (t *try) unknown() { t.done() }

func (t *try) accepted() {
	t.gate.settle(func(g *gate) { g.accepted = true })
	t.done()
}

// refusedBy says for certain that the credentials are wrong, and gives the error to return.
func (t *try) refusedBy(whom string, why error) error {
	t.gate.settle(func(g *gate) {
		g.refused = loginFailed("%s refused these credentials before; they are not tried again, on any host, "+
			"so that the account is not locked out: put the right ones into the Secret", whom)
	})
	t.done()
	return loginFailed("%s refused the credentials; check user and password in the Secret and whether the account is locked or expired: %w", whom, why)
}

func (g *gate) settle(set func(*gate)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.accepted && g.refused == nil {
		close(g.known)
	}
	set(g)
}
