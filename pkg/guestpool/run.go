package guestpool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/direct"
)

// Refresh asks all members of a guest cluster now, and waits for their answers.
func (p *Pool) Refresh(ctx context.Context, key string) error {
	p.mu.Lock()
	_, err := p.subject(key)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	p.readNow(ctx, key, reading{})
	return nil
}

// readNow reads a guest cluster, or after a write to one machine that member and the cluster.
func (p *Pool) readNow(ctx context.Context, key string, r reading) {
	p.mu.Lock()
	s, known := p.subjects[key]
	if !known {
		p.mu.Unlock()
		return
	}
	r.s = s
	asks := p.begin(&r)
	hosts, differs := s.want.Hosts, s.publish()
	p.mu.Unlock()
	if differs {
		p.changed(key)
	}
	p.askAll(ctx, key, hosts, asks)
}

// askAll asks guests and waits for their answers. What the end of ctx leaves unread is read again at once.
func (p *Pool) askAll(ctx context.Context, key string, hosts Hosts, asks []*ask) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.running.Add(1)
	p.mu.Unlock()
	defer p.running.Done()
	within, cancel := p.until(ctx)
	defer cancel()
	var wait sync.WaitGroup
	for host, together := range byHost(asks) {
		wait.Go(func() { p.askHost(within, hosts, host, together, func() {}) })
	}
	wait.Wait()
	if ctx.Err() != nil {
		p.soon(key)
	}
}

// soon has a guest cluster asked before the next poll.
func (p *Pool) soon(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s, known := p.subjects[key]; known {
		s.due = true
		p.join(s)
	}
}

// Run runs a batch inside the guest that its target names, a member of the guest cluster, through the host that runs the
// machine now. One that changes something is followed by reading that member and the cluster again before Run returns,
// whatever became of it, in the same round trip where that is possible. When the machine has moved to another host meanwhile,
// so that certainly nothing ran, it is tried once more there.
//
// An error is that of the host's agent, or an *hostagent.Error about the guest as direct.Unwrap has it. A member that cannot
// be asked, or that refused its account, is not sent anything.
func (p *Pool) Run(ctx context.Context, key string, b hostagent.Batch) (hostagent.Results, error) {
	e, err := p.errand(key, b)
	if err != nil {
		return nil, err
	}
	results, err := p.carry(ctx, e)
	if isElsewhere(err) {
		e.hosts.Refresh(ctx)
		if other, lost := p.errand(key, b); lost == nil && other.host != e.host {
			e = other
			results, err = p.carry(ctx, e)
		}
	}
	if b.Changes() {
		p.look(ctx, e)
	}
	return results, err
}

// errand is a batch on its way into a guest.
type errand struct {
	key    string
	batch  hostagent.Batch
	hosts  Hosts
	host   string
	member *member
	want   Member
	as     account
	// After a change along are read in the same round trip, and answers what they answered; rest are read after it.
	reading     *reading
	along, rest []*ask
	answers     []answer
}

// errand finds the way to a guest, and what is to be read after the batch.
func (p *Pool) errand(key string, b hostagent.Batch) (*errand, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.subject(key)
	if err != nil {
		return nil, err
	}
	m, want, known := s.member(b.Target.VM)
	if !known {
		return nil, fmt.Errorf("%w: machine %s is no member of guest cluster %s", hostagent.Internal, b.Target.VM, key)
	}
	if m.locate(s.hosts(), b.Target.VM); m.host == "" {
		return nil, m.why.err(want.VMID)
	}
	as := p.choose(m, want)
	if !as.ok {
		return nil, unanswered{hostagent.Unauthenticated, as.why()}.err(want.VMID)
	}
	e := &errand{key: key, batch: b, hosts: s.want.Hosts, host: m.host, member: m, want: want, as: as.account}
	if b.Changes() {
		e.reading = &reading{s: s, written: b.Target.VM, namesDiffer: calls(b, takesNames)}
		e.plan(p.begin(e.reading))
	}
	return e, nil
}

// plan sorts out what can be read in the same round trip: nothing where the guest answers no more in a moment, or may hang.
func (e *errand) plan(asks []*ask) {
	for _, a := range asks {
		if a.host == e.host && !a.apart() && !calls(e.batch, restarts) {
			e.along = append(e.along, a)
		} else {
			e.rest = append(e.rest, a)
		}
	}
}

func calls(b hostagent.Batch, those map[string]bool) bool {
	return slices.ContainsFunc(b.Calls, func(c hostagent.Call) bool { return those[c.Cmdlet] })
}

var (
	restarts = map[string]bool{"Restart-Computer": true}
	// takesNames are the cmdlets after which the domain has other computer objects of the guest cluster.
	takesNames = map[string]bool{"Add-Computer": true, "New-Cluster": true, "Add-ClusterFileServerRole": true, "Remove-ADComputer": true}
)

// carry runs the batch, and what is read along.
func (p *Pool) carry(ctx context.Context, e *errand) (hostagent.Results, error) {
	const id = "guest"
	call, err := direct.Wrap(id, e.as.credential, e.batch)
	if err != nil {
		return nil, err
	}
	// Where no session comes about none is tried for the reading.
	outer := hostagent.Batch{Target: hostagent.Target{Host: e.host}, OnError: hostagent.Stop, Calls: []hostagent.Call{call}}
	reading, err := wrapAll(e.along)
	if err != nil {
		return nil, err
	}
	outer.Calls = append(outer.Calls, reading...)
	outerResults, err := e.hosts.Run(ctx, outer)
	if err != nil {
		return nil, err
	}
	results, err := direct.Unwrap(e.batch, outerResults.ByID(id))
	if hostagent.ClassOf(err) == hostagent.Unauthenticated {
		p.mu.Lock()
		defer p.mu.Unlock()
		e.member.fails(err, e.as, e.want, p.clock.Now())
	}
	if err == nil {
		e.answers = unwrapAll(e.along, outerResults)
	}
	return results, err
}

// look takes in what was read along, and reads the rest. Without an answer everything is read anew.
func (p *Pool) look(ctx context.Context, e *errand) {
	if e.answers == nil {
		p.readNow(ctx, e.key, reading{written: e.batch.Target.VM, namesDiffer: e.reading.namesDiffer})
		return
	}
	// It is read after the change, and so after whatever began to be read before.
	p.mu.Lock()
	p.readings++
	e.reading.no = p.readings
	p.mu.Unlock()
	p.takeAll(ctx, e.hosts, e.along, e.answers, nil)
	p.askAll(ctx, e.key, e.hosts, e.rest)
}

// isElsewhere reports whether an error says that the host does not have the machine.
func isElsewhere(err error) bool {
	var e *hostagent.Error
	return errors.As(err, &e) && e.Target.VM != "" && e.Class == hostagent.NotFound
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
