package winrm

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
)

// However many hosts are opened at once, a wrong password is tried once.
func TestAWrongPasswordIsTriedOnce(t *testing.T) {
	a := newAuthority(t)
	certificate := a.server()
	g := rack.NewGate()
	var stubs []*stub
	for range 4 {
		stubs = append(stubs, newStub(t, certificate, asksFirst(refusesBasic)))
	}
	open := func(s *stub) {
		l := s.basicLane(t, a, g)
		_, err := l.call(t.Context(), "open", l.writerOf().create("S"))
		if !errors.Is(err, hostagent.Unauthenticated) || !notTaken(err) {
			t.Errorf("got %v, want Unauthenticated", err)
		}
	}
	var group sync.WaitGroup
	for _, s := range stubs {
		group.Go(func() { open(s) })
		group.Go(func() { open(s) })
	}
	group.Wait()
	tries := 0
	for _, s := range stubs {
		tries += s.tries()
	}
	if tries != 1 {
		t.Errorf("the password was tried %d times", tries)
	}
	before := len(stubs[0].seen())
	l := stubs[0].basicLane(t, a, g)
	if _, err := l.call(t.Context(), "open", l.writerOf().create("S")); err == nil || !strings.Contains(err.Error(), "not tried again, on any host") {
		t.Errorf("got %v, want that it is not tried again", err)
	}
	if got := len(stubs[0].seen()); got != before {
		t.Errorf("%d requests went to the host after the refusal", got-before)
	}
}

// A host that does not ask for Basic is not told the password, and says nothing about it.
func TestBasicIsNotOffered(t *testing.T) {
	a := newAuthority(t)
	s := newStub(t, a.server(), func(w http.ResponseWriter, _ string) {
		w.Header().Set("WWW-Authenticate", "Negotiate")
		w.WriteHeader(http.StatusUnauthorized)
	})
	g := rack.NewGate()
	l := s.basicLane(t, a, g)
	_, err := l.call(t.Context(), "open", l.writerOf().create("S"))
	if !errors.Is(err, hostagent.Unauthenticated) || !strings.Contains(err.Error(), "does not offer Basic but Negotiate") {
		t.Errorf("got %v", err)
	}
	if s.tries() != 0 {
		t.Error("the password was told")
	}
	if _, err := g.Enter(t.Context()); err != nil {
		t.Errorf("the password counts as refused: %v", err)
	}
}
