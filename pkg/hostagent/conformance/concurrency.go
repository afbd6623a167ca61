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
	if got := results.ByID("look").Values[0].Text("FullName"); got != path {
		return fmt.Errorf("asked for %s, answered about %s", path, got)
	}
	return nil
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

func readingGivenUp(t *testing.T, s Subject) {
	release := hold(t, s, "Get-VMHost")
	defer release()
	session := open(t, s)
	read := hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{call("host", "Get-VMHost", nil, "Name")}}

	ctx, cancel := context.WithTimeout(t.Context(), moment)
	defer cancel()
	_, err := session.agent.Run(ctx, read)
	if !errors.Is(err, hostagent.Timeout) {
		t.Errorf("out of time: %v, want Timeout", err)
	}
}

// changingGivenUp gives up a changing call: its outcome is unknown, and once a new session is open it is settled.
func changingGivenUp(t *testing.T, s Subject) {
	release := hold(t, s, "New-StampedFolder")
	defer release()
	session := open(t, s)
	path := freshPath(s.Pool)
	session.giveUpMaking(path)
	release()

	again := open(t, s)
	again.removeAfterwards(path)
	first, second := again.exists(path), again.exists(path)
	if first != second {
		t.Error("the folder's state still changes after a new session was opened")
	}
	// What was given up must not stand in the way of what comes next.
	again.done(newFolder("new", path, stamp), items("look", path))
}

// openWaitsForEarlierWork holds a changing call, gives it up and opens a session: it must come only once the call has
// ended.
func openWaitsForEarlierWork(t *testing.T, s Subject) {
	release := hold(t, s, "New-StampedFolder")
	defer release()
	session := open(t, s)
	path := freshPath(s.Pool)
	session.giveUpMaking(path)

	ctx, cancel := context.WithTimeout(t.Context(), moment)
	defer cancel()
	if early, err := s.Driver.Open(ctx, hostagent.Target{Host: s.Host}); err == nil {
		t.Error("a session came while earlier work was still running")
		_ = early.Close()
	} else if !errors.Is(err, hostagent.Timeout) {
		t.Errorf("opening while earlier work runs: %v, want Timeout", err)
	}
	release()
	open(t, s).removeAfterwards(path)
}

// moment is long enough for a batch to start and short enough to wait for in vain.
const moment = 200 * time.Millisecond

// giveUpMaking starts to make a folder and gives up before the answer.
func (s session) giveUpMaking(path string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), moment)
	defer cancel()
	_, err := s.agent.Run(ctx, hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{newFolder("new", path, stamp)}})
	if !errors.Is(err, hostagent.OutcomeUnknown) {
		s.t.Fatalf("a changing call given up: %v, want OutcomeUnknown", err)
	}
}

func (s session) exists(path string) bool {
	s.t.Helper()
	return len(s.run(hostagent.Continue, items("look", path))[0].Values) > 0
}

// hold makes the next call of the cmdlet go on until it is released, once; later releases do nothing.
func hold(t *testing.T, s Subject, cmdlet string) func() {
	t.Helper()
	if s.Hold == nil {
		t.Skip("this host cannot be made to hold a call")
	}
	return sync.OnceFunc(s.Hold(t, cmdlet))
}
