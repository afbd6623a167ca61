package guestpool

import (
	"context"
	"errors"
	"fmt"
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
	p.readNow(ctx, key, "")
	return nil
}

// readNow reads a guest cluster, or after a write to one machine that member and the cluster. What the end of ctx leaves
// unread is read again at once.
func (p *Pool) readNow(ctx context.Context, key, written string) {
	p.mu.Lock()
	s, known := p.subjects[key]
	if !known || p.closed {
		p.mu.Unlock()
		return
	}
	hosts := s.want.Hosts
	asks := p.begin(&reading{s: s, written: written})
	differs := s.publish()
	p.running.Add(1)
	p.mu.Unlock()
	defer p.running.Done()
	if differs {
		p.changed(key)
	}
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
// whatever became of it. When the machine has moved to another host meanwhile, so that certainly nothing ran, it is tried
// once more there.
//
// An error is that of the host's agent, or an *hostagent.Error about the guest as direct.Unwrap has it. A member that cannot
// be asked, or that refused its account, is not sent anything.
func (p *Pool) Run(ctx context.Context, key string, b hostagent.Batch) (hostagent.Results, error) {
	way, err := p.route(key, b.Target.VM)
	if err != nil {
		return nil, err
	}
	results, err := p.runInGuest(ctx, way, b)
	if isElsewhere(err) {
		way.hosts.Refresh(ctx)
		if other, lost := p.route(key, b.Target.VM); lost == nil && other.host != way.host {
			results, err = p.runInGuest(ctx, other, b)
		}
	}
	if b.Changes() {
		p.readNow(ctx, key, b.Target.VM)
	}
	return results, err
}

// way is how a guest is reached.
type way struct {
	hosts  Hosts
	host   string
	member *member
	want   Member
	as     account
}

func (p *Pool) route(key, vmID string) (way, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.subject(key)
	if err != nil {
		return way{}, err
	}
	m, want, known := s.member(vmID)
	if !known {
		return way{}, fmt.Errorf("%w: machine %s is no member of guest cluster %s", hostagent.Internal, vmID, key)
	}
	unreachable := func(class hostagent.Class, why string) error {
		return &hostagent.Error{Class: class, Op: "reaching it", Target: hostagent.Target{VM: vmID}, Err: errors.New(why)}
	}
	if m.locate(s.hosts(), vmID); m.host == "" {
		return way{}, unreachable(m.why.class, m.why.text)
	}
	as := p.choose(m, want)
	if !as.ok {
		return way{}, unreachable(hostagent.Unauthenticated, as.why())
	}
	return way{hosts: s.want.Hosts, host: m.host, member: m, want: want, as: as.account}, nil
}

func (p *Pool) runInGuest(ctx context.Context, w way, b hostagent.Batch) (hostagent.Results, error) {
	const id = "guest"
	call, err := direct.Wrap(id, w.as.credential, b)
	if err != nil {
		return nil, err
	}
	outer := hostagent.Batch{Target: hostagent.Target{Host: w.host}, OnError: hostagent.Stop, Calls: []hostagent.Call{call}}
	outerResults, err := w.hosts.Run(ctx, outer)
	if err != nil {
		return nil, err
	}
	results, err := direct.Unwrap(b, outerResults.ByID(id))
	if hostagent.ClassOf(err) == hostagent.Unauthenticated {
		p.mu.Lock()
		defer p.mu.Unlock()
		w.member.fails(err, w.as, w.want, p.clock.Now())
	}
	return results, err
}

// isElsewhere reports whether an error says that the host does not have the machine.
func isElsewhere(err error) bool {
	var e *hostagent.Error
	return errors.As(err, &e) && e.Target.VM != "" && e.Class == hostagent.NotFound
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
