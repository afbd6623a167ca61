package rack

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

// However many come at once, before the verdict or while it comes, refused credentials are tried once.
func TestRefusedCredentialsAreTriedOnce(t *testing.T) {
	for range 200 {
		g := NewGate()
		var tries atomic.Int32
		var group sync.WaitGroup
		for range 16 {
			group.Go(func() {
				try, err := g.Enter(t.Context())
				if err == nil {
					tries.Add(1)
					err = try.RefusedBy("hv01", errors.New("no"))
				}
				if _, ok := errors.AsType[*RefusedError](err); !ok {
					t.Errorf("got %v, want a refusal", err)
				}
			})
		}
		group.Wait()
		if n := tries.Load(); n != 1 {
			t.Fatalf("%d tries", n)
		}
	}
}

func TestWhoComesAfterTheVerdict(t *testing.T) {
	accepted := NewGate()
	enter := func() *Try {
		t.Helper()
		try, err := accepted.Enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return try
	}
	first := enter()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := accepted.Enter(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up waiting for the verdict: %v", err)
	}
	// No verdict: the next one tries.
	first.Unknown()
	enter().Accepted()
	// All may come now, side by side.
	one, two := enter(), enter()
	one.Accepted()
	if ok, err := accepted.Known(); !ok || err != nil {
		t.Errorf("known: %t, %v", ok, err)
	}
	// A password that was right can become wrong.
	if err := two.RefusedBy("hv01", errors.New("no")); err == nil {
		t.Error("no refusal")
	}
	if _, err := accepted.Enter(t.Context()); err == nil {
		t.Error("refused credentials are tried again")
	}
}

// Who comes later is told what to do as the first one was, and why nothing is tried.
func TestARefusalSaysWhatToDo(t *testing.T) {
	g := NewGate()
	try, err := g.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const check = "check user and password in the Secret and whether the account is locked or expired"
	if err := try.RefusedBy("hv01", errors.New("401")); err.Error() != "hv01 refused the credentials; "+check+": 401" {
		t.Errorf("the first: %v", err)
	}
	const later = "hv01 refused these credentials before; " + check +
		"; until the Secret changes they are not tried again, on any host, so that the account is not locked out"
	if _, err := g.Enter(t.Context()); err == nil || err.Error() != later {
		t.Errorf("later: %v", err)
	}
}
