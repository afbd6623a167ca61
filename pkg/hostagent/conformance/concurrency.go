package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

func callsRunSideBySide(t *testing.T, s Subject) {
	session := open(t, s)
	const many = 40
	errs := make([]error, many)
	var wg sync.WaitGroup
	for i := range many {
		path := freshPath(s.Pool)
		session.removeAfterwards(path)
		wg.Go(func() { errs[i] = makeAndLook(t.Context(), session.agent, path) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// makeAndLook makes a folder and checks that the answer is about that one.
func makeAndLook(ctx context.Context, agent hostagent.Agent, path string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	results, err := agent.Run(ctx, hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{newFolder("new", path, stamp), items("look", path)}})
	if err != nil {
		return err
	}
	if err := results.Err(); err != nil {
		return err
	}
	for _, item := range results.ByID("look").Values {
		if item.Text("FullName") == path {
			return nil
		}
	}
	return fmt.Errorf("asked for %s, answered about %v", path, results.ByID("look").Values)
}

func sessionsAreApart(t *testing.T, s Subject) {
	first := open(t, s)
	second, err := s.Driver.Open(t.Context(), hostagent.Target{Host: s.Host})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatalf("closing the second session: %v", err)
	}
	first.done(items("look", s.Pool))
}

// moment is long enough for a batch to start and short enough to wait for in vain.
func (s Subject) moment() time.Duration { return s.Start + 200*time.Millisecond }

// long is how long a call takes that is given up after a moment.
func (s Subject) long() time.Duration { return 5 * s.moment() }

func readingGivenUp(t *testing.T, s Subject) {
	session := open(t, s)
	slow(t, s, "Get-VMHost")
	ctx, cancel := context.WithTimeout(t.Context(), s.moment())
	defer cancel()
	read := hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{call("host", "Get-VMHost", nil, "Name")}}
	if _, err := session.agent.Run(ctx, read); hostagent.ClassOf(err) != hostagent.Timeout {
		t.Errorf("out of time: %v, want Timeout", err)
	}
	session.done(read.Calls...)
}

// changingGivenUp gives up a changing call: its outcome is unknown, and settled once a new session is open.
func changingGivenUp(t *testing.T, s Subject) {
	path := freshPath(s.Pool)
	giveUpMaking(t, s, path)

	session := open(t, s)
	session.removeAfterwards(path)
	if first, second := session.exists(path), session.exists(path); first != second {
		t.Error("the folder's state still changes after a new session was opened")
	}
	// What was given up does not stand in the way of what comes next.
	session.done(newFolder("new", path, stamp), items("look", path))
}

// openWaitsForEarlierWork gives up a changing call and opens a session, which must come only once the call has ended.
func openWaitsForEarlierWork(t *testing.T, s Subject) {
	path := freshPath(s.Pool)
	giveUpMaking(t, s, path)

	ctx, cancel := context.WithTimeout(t.Context(), s.moment())
	defer cancel()
	if early, err := s.Driver.Open(ctx, hostagent.Target{Host: s.Host}); err == nil {
		t.Error("a session came while earlier work was still running")
		_ = early.Close()
	} else if hostagent.ClassOf(err) != hostagent.Timeout {
		t.Errorf("opening while earlier work runs: %v, want Timeout", err)
	}
	open(t, s).removeAfterwards(path)
}

// giveUpMaking starts to make a folder and gives up before the answer.
func giveUpMaking(t *testing.T, s Subject, path string) {
	t.Helper()
	session := open(t, s)
	slow(t, s, "New-StampedFolder")
	ctx, cancel := context.WithTimeout(t.Context(), s.moment())
	defer cancel()
	_, err := session.agent.Run(ctx, hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{newFolder("new", path, stamp)}})
	if hostagent.ClassOf(err) != hostagent.OutcomeUnknown {
		t.Fatalf("a changing call given up: %v, want OutcomeUnknown", err)
	}
}

// givenUpBeforehand runs a batch that nobody waits for from the start: it must not run.
func givenUpBeforehand(t *testing.T, s Subject) {
	session := open(t, s)
	path := freshPath(s.Pool)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := session.agent.Run(ctx, hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{newFolder("new", path, stamp)}})
	if hostagent.ClassOf(err) != hostagent.Canceled && hostagent.ClassOf(err) != hostagent.OutcomeUnknown {
		t.Errorf("got %v, want Canceled", err)
	}
	again := open(t, s)
	again.removeAfterwards(path)
	again.wantAbsent(path)
}

func (s session) exists(path string) bool {
	s.t.Helper()
	return len(s.run(hostagent.Continue, items("look", path))[0].Values) > 0
}

// slow makes the next call of the cmdlet take long, or skips the test.
func slow(t *testing.T, s Subject, cmdlet string) {
	t.Helper()
	if s.Slow == nil {
		t.Skip("calls on this host cannot be made to take long")
	}
	s.Slow(t, cmdlet, s.long())
}
