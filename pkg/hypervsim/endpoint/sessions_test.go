package endpoint

import (
	"context"
	"errors"
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
)

// countingDriver opens agents that do nothing, and counts those that are open.
type countingDriver struct{ open int }

func (d *countingDriver) Open(context.Context, hostagent.Target) (hostagent.Agent, error) {
	d.open++
	return &countedAgent{driver: d}, nil
}

type countedAgent struct{ driver *countingDriver }

func (*countedAgent) Run(context.Context, hostagent.Batch) (hostagent.Results, error) {
	return hostagent.Results{}, nil
}

func (a *countedAgent) Close() error {
	a.driver.open--
	return nil
}

func start(t *testing.T, s *sessions) string {
	t.Helper()
	id, err := s.start(t.Context(), hostagent.Target{})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestTheSessionUnusedForLongestMakesRoom(t *testing.T) {
	driver := &countingDriver{}
	s := newSessions(driver)
	first, second := start(t, s), start(t, s)
	for len(s.open) < maxSessions {
		start(t, s)
	}
	if _, err := s.run(t.Context(), first, hostagent.Batch{}); err != nil {
		t.Fatal(err)
	}
	start(t, s)

	if driver.open != maxSessions {
		t.Errorf("%d agents are open, want %d", driver.open, maxSessions)
	}
	if _, err := s.run(t.Context(), first, hostagent.Batch{}); err != nil {
		t.Errorf("the session just used has ended: %v", err)
	}
	if _, err := s.run(t.Context(), second, hostagent.Batch{}); !errors.Is(err, hostagent.Unreachable) || !strings.Contains(err.Error(), "open a new one") {
		t.Errorf("the session unused for longest: %v, want Unreachable", err)
	}
}

func TestSessionsWithBatchesInFlightStay(t *testing.T) {
	driver := &countingDriver{}
	s := newSessions(driver)
	var busy []*session
	for len(s.open) < maxSessions {
		session, err := s.use(start(t, s))
		if err != nil {
			t.Fatal(err)
		}
		busy = append(busy, session)
	}
	if _, err := s.start(t.Context(), hostagent.Target{}); !errors.Is(err, hostagent.Throttled) {
		t.Fatalf("one session too many: %v, want Throttled", err)
	}
	if driver.open != maxSessions {
		t.Errorf("%d agents are open, want %d", driver.open, maxSessions)
	}
	s.release(busy[0])
	start(t, s)
}

func TestEndingASessionTwiceIsNoError(t *testing.T) {
	driver := &countingDriver{}
	s := newSessions(driver)
	id := start(t, s)
	for range 2 {
		if err := s.end(id); err != nil {
			t.Error(err)
		}
	}
	if driver.open != 0 {
		t.Errorf("%d agents are open", driver.open)
	}
}
