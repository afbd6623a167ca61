package endpoint

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"guestclustering.io/operator/pkg/hostagent"
)

// maxSessions bounds the sessions kept. A manager that was killed leaves its sessions behind; the ones longest unused
// make room.
const maxSessions = 1024

// sessions are the open sessions by id.
type sessions struct {
	driver hostagent.Driver

	mu   sync.Mutex
	open map[string]*session
	uses uint64
}

// A session is an agent and who uses it.
type session struct {
	agent hostagent.Agent
	// lastUse orders sessions by their last use; running counts the batches in flight.
	lastUse uint64
	running int
}

func newSessions(d hostagent.Driver) *sessions {
	return &sessions{driver: d, open: map[string]*session{}}
}

// start opens a session with the target and gives its id, which is never used again, by a later process neither: a
// client that outlives the simulator must not reach another's session.
func (s *sessions) start(ctx context.Context, target hostagent.Target) (string, error) {
	agent, err := s.driver.Open(ctx, target)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= maxSessions {
		if err := s.evict(); err != nil {
			return "", errors.Join(err, agent.Close())
		}
	}
	id := rand.Text()
	s.open[id] = &session{agent: agent, lastUse: s.nextUse()}
	return id, nil
}

// evict ends the idle session that was unused for longest.
func (s *sessions) evict() error {
	oldest := ""
	for id, session := range s.open {
		if session.running == 0 && (oldest == "" || session.lastUse < s.open[oldest].lastUse) {
			oldest = id
		}
	}
	if oldest == "" {
		return &hostagent.Error{Class: hostagent.Throttled, Op: "open", Err: fmt.Errorf("all %d sessions have batches in flight", maxSessions)}
	}
	agent := s.open[oldest].agent
	delete(s.open, oldest)
	return agent.Close()
}

// run runs a batch on a session.
func (s *sessions) run(ctx context.Context, id string, batch hostagent.Batch) (hostagent.Results, error) {
	session, err := s.use(id)
	if err != nil {
		return nil, err
	}
	defer s.release(session)
	return session.agent.Run(ctx, batch)
}

func (s *sessions) use(id string) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := s.open[id]
	if !ok {
		// The batch did not run and a new session mends it, as after a host's restart.
		return nil, &hostagent.Error{Class: hostagent.Unreachable, Op: "run", Err: errors.New("this session has ended; open a new one")}
	}
	session.running++
	session.lastUse = s.nextUse()
	return session, nil
}

func (s *sessions) release(session *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session.running--
}

// end closes a session. One that has ended already is no error.
func (s *sessions) end(id string) error {
	s.mu.Lock()
	session, ok := s.open[id]
	delete(s.open, id)
	s.mu.Unlock()
	if !ok {
		return nil
	}
	return session.agent.Close()
}

func (s *sessions) nextUse() uint64 {
	s.uses++
	return s.uses
}
