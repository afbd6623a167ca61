package guestpool

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/direct"
)

const (
	// guestTimeout bounds what one guest is asked; each further one in the same batch has guestExtra more. A session with a
	// guest takes seconds.
	guestTimeout = 20 * time.Second
	guestExtra   = 5 * time.Second
	// slowest is how often guest clusters are asked at least.
	slowest = 10 * time.Minute
	// apartAtOnce bounds the guests of one host that are asked apart at the same time: a host runs eight batches side by side,
	// and guests are not to take them all.
	apartAtOnce = 2
)

// poller asks the guests of one host cluster.
type poller struct {
	pool  *Pool
	hosts Hosts
	stop  context.CancelFunc
	wake  chan struct{}
	// busy counts the rounds whose questions hosts are at. The pool's lock guards it.
	busy map[string]int
}

// join puts a guest cluster with the others on its host cluster. The caller has the lock.
func (p *Pool) join(s *subject) {
	po, known := p.pollers[s.want.Hosts]
	if !known {
		ctx, stop := p.until(context.Background())
		po = &poller{pool: p, hosts: s.want.Hosts, stop: stop, wake: make(chan struct{}, 1), busy: map[string]int{}}
		p.pollers[s.want.Hosts] = po
		p.goes(func() { po.poll(ctx) })
	}
	if s.due {
		select {
		case po.wake <- struct{}{}:
		default:
		}
	}
}

// leave ends polling a host cluster with its last guest cluster. The caller has the lock.
func (p *Pool) leave(s *subject) {
	for _, other := range p.subjects {
		if other != s && other.want.Hosts == s.want.Hosts {
			return
		}
	}
	if po, known := p.pollers[s.want.Hosts]; known {
		po.stop()
		delete(p.pollers, s.want.Hosts)
	}
}

// poll asks everybody at each interval, and in between those who are due.
func (po *poller) poll(ctx context.Context) {
	timer := po.pool.clock.NewTimer(po.interval())
	defer func() { timer.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-po.wake:
			po.round(ctx, func(s *subject) (*reading, bool) { return &reading{s: s}, s.due })
		case <-timer.C():
			po.round(ctx, func(s *subject) (*reading, bool) { return &reading{s: s, poll: !s.due, busy: po.busyNow()}, true })
			timer = po.pool.clock.NewTimer(po.interval())
		}
	}
}

// interval is the shortest of the guest clusters'.
func (po *poller) interval() time.Duration {
	po.pool.mu.Lock()
	defer po.pool.mu.Unlock()
	shortest := slowest
	for _, s := range po.pool.subjects {
		if every := s.want.PollInterval; s.want.Hosts == po.hosts && every > 0 && every < shortest {
			shortest = every
		}
	}
	return shortest
}

func (po *poller) busyNow() map[string]bool {
	busy := map[string]bool{}
	for host, rounds := range po.busy {
		busy[host] = rounds > 0
	}
	return busy
}

// round asks the guest clusters that which picks, and does not wait for the answers: a host that is slow holds up no other.
func (po *poller) round(ctx context.Context, which func(*subject) (*reading, bool)) {
	p := po.pool
	p.mu.Lock()
	var asks []*ask
	var changed []string
	for _, s := range p.subjects {
		if s.want.Hosts != po.hosts {
			continue
		}
		r, picked := which(s)
		if !picked {
			continue
		}
		s.due = false
		asks = append(asks, p.begin(r)...)
		if s.publish() {
			changed = append(changed, s.key)
		}
	}
	for host, together := range byHost(asks) {
		po.busy[host]++
		over := func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			po.busy[host]--
		}
		p.goes(func() { p.askHost(ctx, po.hosts, host, together, over) })
	}
	p.mu.Unlock()
	p.tell(changed)
}

func byHost(asks []*ask) map[string][]*ask {
	hosts := map[string][]*ask{}
	for _, a := range asks {
		hosts[a.host] = append(hosts[a.host], a)
	}
	return hosts
}

func (p *Pool) tell(changed []string) {
	for _, key := range changed {
		p.changed(key)
	}
}

// askHost asks guests of one host: in one batch, apart from those that hang; the domain is asked after that, since its guest is
// asked in it. It waits for all of them, and calls over once the common batch is.
func (p *Pool) askHost(ctx context.Context, hosts Hosts, host string, asks []*ask, over func()) {
	var together, hanging, domain []*ask
	p.mu.Lock()
	for _, a := range asks {
		switch {
		case a.directory != nil:
			domain = append(domain, a)
		case a.member.hangs:
			hanging = append(hanging, a)
		default:
			together = append(together, a)
		}
	}
	p.mu.Unlock()
	var wait sync.WaitGroup
	wait.Go(func() { p.askApart(ctx, hosts, hanging) })
	unheard := p.askTogether(ctx, hosts, host, together)
	over()
	p.askApart(ctx, hosts, append(unheard, p.stillOpen(domain)...))
	wait.Wait()
}

// stillOpen leaves out asks whose account was refused meanwhile.
func (p *Pool) stillOpen(asks []*ask) []*ask {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(asks, func(a *ask) bool {
		c := p.choose(a.member, a.want)
		return !c.ok || c.digest != a.as.digest
	})
}

// askTogether asks guests in one batch. It gives those to ask apart: all of them when the batch ended without an answer,
// because one of them hangs.
func (p *Pool) askTogether(ctx context.Context, hosts Hosts, host string, asks []*ask) (unheard []*ask) {
	if len(asks) == 0 {
		return nil
	}
	answers, err := p.send(ctx, hosts, host, asks)
	if err != nil && len(asks) > 1 && hostagent.ClassOf(err) == hostagent.Timeout {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, a := range asks {
			a.member.hangs = true
		}
		return asks
	}
	p.takeAll(ctx, hosts, asks, answers, err)
	return nil
}

// askApart asks each guest in a batch of its own, a few at a time.
func (p *Pool) askApart(ctx context.Context, hosts Hosts, asks []*ask) {
	slots := make(chan struct{}, apartAtOnce)
	var wait sync.WaitGroup
	for _, a := range asks {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			p.setAsking(a, true)
			defer p.setAsking(a, false)
			if err := p.whereabouts(a); err != nil {
				p.takeAll(ctx, hosts, []*ask{a}, []answer{{err: err}}, nil)
				return
			}
			p.askOne(ctx, hosts, a)
		})
	}
	wait.Wait()
}

// whereabouts is why a guest that waited for its turn cannot be asked any more: its host may have gone silent meanwhile.
func (p *Pool) whereabouts(a *ask) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.member.locate(a.reading.s.hosts(), a.want.VMID); a.member.host == "" {
		return a.member.why.err(a.want.VMID)
	}
	return nil
}

func (p *Pool) setAsking(a *ask, asking bool) {
	if a.directory == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		a.member.asking = asking
	}
}

func (p *Pool) askOne(ctx context.Context, hosts Hosts, a *ask) {
	answers, err := p.send(ctx, hosts, a.host, []*ask{a})
	p.takeAll(ctx, hosts, []*ask{a}, answers, err)
}

// answer is what became of one ask.
type answer struct {
	results hostagent.Results
	err     error
}

// send asks guests of one host in one batch. An error is about all of them.
func (p *Pool) send(ctx context.Context, hosts Hosts, host string, asks []*ask) ([]answer, error) {
	calls, err := wrapAll(asks)
	if err != nil {
		return nil, err
	}
	b := hostagent.Batch{Target: hostagent.Target{Host: host}, OnError: hostagent.Continue, Calls: calls}
	ctx, cancel := context.WithTimeout(ctx, guestTimeout+time.Duration(len(asks)-1)*guestExtra)
	defer cancel()
	results, err := hosts.Run(ctx, b)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil {
		err = &hostagent.Error{Class: hostagent.Timeout, Op: "asking guests", Target: b.Target, Err: err}
	}
	if err != nil {
		return nil, err
	}
	return unwrapAll(asks, results), nil
}

func wrapAll(asks []*ask) ([]hostagent.Call, error) {
	calls := make([]hostagent.Call, len(asks))
	for i, a := range asks {
		call, err := direct.Wrap(strconv.Itoa(i), a.as.credential, a.batch())
		if err != nil {
			return nil, err
		}
		calls[i] = call
	}
	return calls, nil
}

func unwrapAll(asks []*ask, results hostagent.Results) []answer {
	answers := make([]answer, len(asks))
	for i, a := range asks {
		answers[i].results, answers[i].err = direct.Unwrap(a.batch(), results.ByID(strconv.Itoa(i)))
	}
	return answers
}

// takeAll takes in what became of asks, tells who differs, and asks what they lead to. An error is about all of them. What
// nobody waited for says nothing of a guest.
func (p *Pool) takeAll(ctx context.Context, hosts Hosts, asks []*ask, answers []answer, err error) {
	if err != nil && ctx.Err() != nil {
		return
	}
	if err != nil {
		answers = slices.Repeat([]answer{{err: ofHost(err)}}, len(asks))
	}
	asks, answers, moved := p.sortOut(asks, answers)
	p.mu.Lock()
	var next []*ask
	var changed []string
	for i, a := range asks {
		if further := p.take(a, answers[i].results, answers[i].err); further != nil {
			next = append(next, further)
		}
	}
	for _, a := range asks {
		s := a.reading.s
		if p.subjects[s.key] == s && s.publish() {
			changed = append(changed, s.key)
		}
	}
	p.mu.Unlock()
	p.tell(changed)
	for _, a := range next {
		p.askOne(ctx, hosts, a)
	}
	p.follow(ctx, hosts, moved)
}

// ofHost is a host's failure as one of its guests: that the host refuses us says nothing of the guest's account.
func ofHost(err error) error {
	class := hostagent.ClassOf(err)
	if class == hostagent.Unauthenticated || class == hostagent.Forbidden {
		class = hostagent.Unreachable
	}
	return &hostagent.Error{Class: class, Op: "asking the guest", Err: err}
}

// sortOut takes out the asks of machines that the host does not have any more; each is sent after its machine once.
func (p *Pool) sortOut(asks []*ask, answers []answer) (here []*ask, theirs []answer, moved []*ask) {
	for i, a := range asks {
		if isElsewhere(answers[i].err) && !a.followed {
			moved = append(moved, a)
			continue
		}
		here, theirs = append(here, a), append(theirs, answers[i])
	}
	return here, theirs, moved
}

// follow asks machines that have moved where they are now.
func (p *Pool) follow(ctx context.Context, hosts Hosts, moved []*ask) {
	if len(moved) == 0 {
		return
	}
	hosts.Refresh(ctx)
	for _, a := range moved {
		p.mu.Lock()
		a.followed = true
		if a.member.locate(a.reading.s.hosts(), a.want.VMID); a.member.host != "" {
			a.host = a.member.host
		}
		p.mu.Unlock()
		p.askOne(ctx, hosts, a)
	}
}
