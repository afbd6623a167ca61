package rack

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// RefusedError says that a host refused credentials, now or before.
type RefusedError struct {
	err    error
	before bool
}

func (e *RefusedError) Error() string { return e.err.Error() }

// Unwrap gives the host's own answer.
func (e *RefusedError) Unwrap() error { return e.err }

// overtake is how long a login that gets no answer keeps the others waiting: a host that hangs must not keep all others
// out.
const overtake = 10 * time.Second

// Gate holds one version of credentials. It lets one login try them first, and none once they were refused: a domain
// account is locked out by tries on any host.
type Gate struct {
	// alone holds a token while a login tries what nobody knows yet.
	alone chan struct{}
	// known is closed with the first verdict.
	known chan struct{}

	mu       sync.Mutex
	accepted bool
	refused  error
}

// NewGate is for credentials that nobody has tried.
func NewGate() *Gate {
	return &Gate{alone: make(chan struct{}, 1), known: make(chan struct{})}
}

// Enter returns once the credentials may be tried; say to the Try what came of it. The error is a *RefusedError when they
// were refused before, else the context's.
func (g *Gate) Enter(ctx context.Context) (*Try, error) {
	for {
		if t, err := g.verdict(); t != nil || err != nil {
			return t, err
		}
		select {
		case g.alone <- struct{}{}:
			// The verdict may have come while this one got here.
			if t, err := g.verdict(); t != nil || err != nil {
				<-g.alone
				return t, err
			}
			return g.first(), nil
		case <-g.known:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Known says whether the credentials were accepted once, and gives a *RefusedError when they were refused.
func (g *Gate) Known() (accepted bool, refused error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.accepted, g.refused
}

// verdict gives what is known, or nothing.
func (g *Gate) verdict() (*Try, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refused != nil {
		return nil, g.refused
	}
	if g.accepted {
		return &Try{gate: g, done: func() {}}, nil
	}
	return nil, nil
}

// first is the try that the others wait for.
func (g *Gate) first() *Try {
	leave := sync.OnceFunc(func() { <-g.alone })
	timer := time.AfterFunc(overtake, leave)
	return &Try{gate: g, done: func() {
		timer.Stop()
		leave()
	}}
}

// Try is one use of the credentials. One of its methods is called, once.
type Try struct {
	gate *Gate
	done func()
}

// Unknown says that no verdict came.
func (t *Try) Unknown() { t.done() }

// Accepted says that the credentials are right.
func (t *Try) Accepted() {
	t.gate.settle(func(g *Gate) { g.accepted = true })
	t.done()
}

// RefusedBy says for certain that the credentials are wrong, and gives the error to return: a *RefusedError.
func (t *Try) RefusedBy(whom string, why error) error {
	const check = "check user and password in the Secret and whether the account is locked or expired"
	t.gate.settle(func(g *Gate) {
		g.refused = &RefusedError{before: true, err: fmt.Errorf("%s refused these credentials before; %s; until the Secret changes they are "+
			"not tried again, on any host, so that the account is not locked out", whom, check)}
	})
	t.done()
	return &RefusedError{err: fmt.Errorf("%s refused the credentials; %s: %w", whom, check, why)}
}

func (g *Gate) settle(set func(*Gate)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.accepted && g.refused == nil {
		close(g.known)
	}
	set(g)
}
