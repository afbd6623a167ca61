package hostpool

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"guestclustering.io/operator/pkg/hostagent"
)

// sessions keeps one agent per host open.
type sessions struct {
	driver hostagent.Driver

	mu     sync.Mutex
	agents map[string]hostagent.Agent
	// closed is whether the host cluster is not ours to talk to any more.
	closed bool
}

func newSessions(d hostagent.Driver) *sessions {
	return &sessions{driver: d, agents: map[string]hostagent.Agent{}}
}

// run runs a batch on its target's agent. After a transport error the agent is closed: the next batch opens a new
// session, which begins by waiting for what the old one may still run. That nobody waits for a reading any more, or not so
// long, is no error of the session: others may have batches on it, and whether its host still answers it finds out itself.
func (s *sessions) run(ctx context.Context, b hostagent.Batch) (hostagent.Results, error) {
	agent, err := s.open(ctx, b.Target)
	if err != nil {
		return nil, err
	}
	results, err := agent.Run(ctx, b)
	if err != nil && (b.Changes() || ctx.Err() == nil) {
		s.drop(b.Target.Host, agent)
	}
	return results, err
}

func (s *sessions) open(ctx context.Context, target hostagent.Target) (hostagent.Agent, error) {
	s.mu.Lock()
	agent, ok := s.agents[target.Host]
	closed := s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return nil, ended(target)
	case ok:
		return agent, nil
	}
	// Opening may take long; the lock is not held meanwhile.
	agent, err := s.driver.Open(ctx, target)
	if err != nil {
		return nil, err
	}
	kept, err := s.keep(target, agent)
	if kept != agent {
		// It was not needed, so how its end goes tells nothing.
		_ = agent.Close()
	}
	return kept, err
}

// keep gives the agent to use: one that was opened meanwhile, or this one.
func (s *sessions) keep(target hostagent.Target, agent hostagent.Agent) (hostagent.Agent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ended(target)
	}
	if other, raced := s.agents[target.Host]; raced {
		return other, nil
	}
	s.agents[target.Host] = agent
	return agent, nil
}

// drop closes a session that is broken, once: several batches on it may find out.
func (s *sessions) drop(host string, agent hostagent.Agent) {
	s.mu.Lock()
	ours := s.agents[host] == agent
	if ours {
		delete(s.agents, host)
	}
	s.mu.Unlock()
	if ours {
		// That a broken session cannot be closed well tells nothing new.
		_ = agent.Close()
	}
}

// ended is why a batch is not sent after the end.
func ended(target hostagent.Target) error {
	return &hostagent.Error{Class: hostagent.Canceled, Op: "open", Target: target, Err: errors.New("the host cluster is not polled any more")}
}

// close ends every session, side by side, and those that are being opened. A host that does not answer takes its time.
func (s *sessions) close() error {
	s.mu.Lock()
	s.closed = true
	agents := slices.Collect(maps.Values(s.agents))
	clear(s.agents)
	s.mu.Unlock()
	errs := make([]error, len(agents))
	var wait sync.WaitGroup
	for i, agent := range agents {
		wait.Go(func() { errs[i] = agent.Close() })
	}
	wait.Wait()
	return errors.Join(errs...)
}
