package conformance

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"guestclustering.io/operator/pkg/hostagent"
)

// patience bounds every wait for something that must come.
const patience = time.Minute

// session is an agent that fails its test when a batch has no results.
type session struct {
	t     *testing.T
	agent hostagent.Agent
}

func open(t *testing.T, s Subject) session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	agent, err := s.Driver.Open(ctx, hostagent.Target{Host: s.Host})
	if err != nil {
		t.Fatalf("opening a session with %s: %v", s.Host, err)
	}
	t.Cleanup(func() {
		if err := agent.Close(); err != nil {
			t.Errorf("closing the session: %v", err)
		}
	})
	return session{t: t, agent: agent}
}

// run runs a batch and gives one result for each of its calls.
func (s session) run(onError hostagent.OnError, calls ...hostagent.Call) hostagent.Results {
	s.t.Helper()
	return s.batch(hostagent.Batch{OnError: onError, Calls: calls})
}

// batch is run for any batch.
func (s session) batch(b hostagent.Batch) hostagent.Results {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), patience)
	defer cancel()
	calls := b.Calls
	results, err := s.agent.Run(ctx, b)
	if err != nil {
		s.t.Fatalf("run: %v", err)
	}
	if len(results) != len(calls) {
		s.t.Fatalf("%d results for %d calls", len(results), len(calls))
	}
	for i, r := range results {
		if r.ID != calls[i].ID {
			s.t.Fatalf("result %d is of call %q, want %q", i, r.ID, calls[i].ID)
		}
	}
	return results
}

// done runs a batch every call of which must succeed.
func (s session) done(calls ...hostagent.Call) hostagent.Results {
	s.t.Helper()
	results := s.run(hostagent.Stop, calls...)
	for _, r := range results {
		if r.State != hostagent.Done || len(r.Errors) > 0 {
			s.t.Fatalf("call %s is %s: %v", r.ID, r.State, r.Err())
		}
	}
	return results
}

// one gives the only value of a call that must have one.
func (s session) one(r hostagent.Result) hostagent.Object {
	s.t.Helper()
	if len(r.Values) != 1 {
		s.t.Fatalf("call %s gave %d values, want one", r.ID, len(r.Values))
	}
	return r.Values[0]
}

// folder makes a stamped folder that goes with the test, and gives its path.
func (s session) folder(pool string) string {
	s.t.Helper()
	path := freshPath(pool)
	s.done(newFolder("new", path, stamp))
	s.removeAfterwards(path)
	return path
}

// removeAfterwards removes a folder when the test ends, whether it came to be or not.
func (s session) removeAfterwards(path string) {
	s.t.Cleanup(func() { s.run(hostagent.Continue, removeFolder("remove", path, stamp)) })
}

// freshPath is the path of a folder that does not exist.
func freshPath(pool string) string { return pool + `\conformance-` + uuid.NewString() }

// stamp is the text in the suite's own folders; removing a folder asks for the same text.
const stamp = `{"made by":"conformance"}`
