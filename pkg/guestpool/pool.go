package guestpool

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"sync"

	"k8s.io/utils/clock"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
)

// Pool is every guest cluster by a key of the caller's. Its methods may be called from many goroutines.
type Pool struct {
	stop context.CancelFunc
	// until is a context that ends with the pool, too.
	until   func(context.Context) (context.Context, context.CancelFunc)
	clock   clock.Clock
	parse   func(report string) (*guest.Report, error)
	changed func(key string)
	// digestKey makes digests of passwords that are worth nothing outside this process.
	digestKey []byte
	// running are the goroutines, for Close.
	running sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	subjects map[string]*subject
	pollers  map[Hosts]*poller
	// standings are of the versions of domains' accounts that a guest let in, by their digests.
	standings map[string]standing
	// readings counts the readings, so that a slow answer never replaces a newer one.
	readings int
}

// New makes an empty pool. Polling ends with ctx or Close. parse reads the report of a validation. changed is called, from
// the goroutines that ask, when a guest cluster's snapshot differs from the one before; it must not block.
func New(ctx context.Context, c clock.Clock, parse func(report string) (*guest.Report, error), changed func(key string)) *Pool {
	all, stop := context.WithCancel(ctx)
	until := func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		detach := context.AfterFunc(all, cancel)
		return ctx, func() {
			detach()
			cancel()
		}
	}
	p := &Pool{
		stop: stop, until: until, clock: c, parse: parse, changed: changed, digestKey: make([]byte, 32),
		subjects: map[string]*subject{}, pollers: map[Hosts]*poller{}, standings: map[string]standing{},
	}
	_, _ = rand.Read(p.digestKey) // it never fails
	return p
}

// Set starts asking a guest cluster, or changes what is asked. It does not wait for an answer. When something to be asked
// differs, or a machine can be asked that could not before, it is asked without waiting for the next poll.
func (p *Pool) Set(key string, want Subject) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	s, known := p.subjects[key]
	switch {
	case !known:
		s = &subject{key: key, members: map[string]*member{}, due: true}
		p.subjects[key] = s
	case s.want.Hosts != want.Hosts:
		p.leave(s)
		s.due = true
	default:
		s.due = s.due || asksMore(s.want, want)
	}
	s.want = want
	s.keepMembers()
	s.due = s.due || s.reachesMore()
	p.join(s)
}

// asksMore reports whether there is something to be asked that was not before.
func asksMore(was, is Subject) bool {
	return is.Forming && !was.Forming || !reflect.DeepEqual(was.Members, is.Members) || !reflect.DeepEqual(was.Questions, is.Questions)
}

// Forget ends asking a guest cluster. What is under way ends by itself and tells nobody.
func (p *Pool) Forget(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, known := p.subjects[key]; known {
		p.leave(s)
		delete(p.subjects, key)
	}
}

// Latest is the latest snapshot of a guest cluster; nil before any member was asked.
func (p *Pool) Latest(key string) *guest.Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, known := p.subjects[key]; known {
		return s.latest
	}
	return nil
}

// Close ends all asking and waits until nothing is under way any more, which the hosts' agents bound. It must not be called
// from changed.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.running.Wait()
}

// goes starts a goroutine that Close waits for, unless the pool is closed. The caller has the lock.
func (p *Pool) goes(f func()) {
	if !p.closed {
		p.running.Go(f)
	}
}

func (p *Pool) subject(key string) (*subject, error) {
	s, known := p.subjects[key]
	if !known {
		return nil, fmt.Errorf("%w: guest cluster %s is not asked", hostagent.Internal, key)
	}
	return s, nil
}
