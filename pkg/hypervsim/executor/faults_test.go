package executor_test

import (
	"context"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
)

const folder = `C:\ClusterStorage\Gold\faults`

func making() hostagent.Batch {
	return hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{
		ID: "make", Cmdlet: "New-StampedFolder", Parameters: hostagent.Parameters{"Path": hostagent.Text(folder), "Stamp": hostagent.Text("s")},
	}}}
}

func looking() hostagent.Batch {
	return hostagent.Batch{OnError: hostagent.Continue, Calls: []hostagent.Call{{
		ID: "look", Cmdlet: "Get-Item", Parameters: hostagent.Parameters{"LiteralPath": hostagent.Texts(folder)}, Select: []string{"FullName"},
	}}}
}

// A change whose answer is lost ran once or not at all, its outcome is said to be unknown, and a new session shows it.
func TestAChangeWhoseAnswerIsLost(t *testing.T) {
	tests := map[string]struct {
		fault hypervsim.Fault
		// end is how the caller ends it: it waits, gives up or closes the session.
		end  string
		made bool
	}{
		"the host is lost before it":     {hypervsim.Fault{Kind: hypervsim.DropBefore}, "wait", false},
		"the host is lost after it":      {hypervsim.Fault{Kind: hypervsim.DropAfter}, "wait", true},
		"it is given up and goes on":     {hypervsim.Fault{Kind: hypervsim.Delay, Delay: time.Second}, "give up", true},
		"it is given up while it hangs":  {hypervsim.Fault{Kind: hypervsim.Hang}, "give up", false},
		"the session is closed under it": {hypervsim.Fault{Kind: hypervsim.Delay, Delay: time.Second}, "close", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := quick(t)
			r := newRack(t, w)
			test.fault.Cmdlet, test.fault.Count = "New-StampedFolder", 1
			if _, err := w.AddFault(test.fault); err != nil {
				t.Fatal(err)
			}
			agent, err := r.Open(t.Context(), hostagent.Target{Host: "hv02"})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error, 1)
			go func() {
				_, err := agent.Run(ctx, making())
				done <- err
			}()
			untilHit(t, w)
			switch test.end {
			case "give up":
				cancel()
			case "close":
				_ = agent.Close()
			}
			err = <-done
			_ = agent.Close() // of one that broke there may be an error
			if got := hostagent.ClassOf(err); got != hostagent.OutcomeUnknown {
				t.Errorf("got %v, want OutcomeUnknown", err)
			}
			again, err := r.Open(t.Context(), hostagent.Target{Host: "hv02"})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = again.Close() }()
			results, err := again.Run(t.Context(), looking())
			if err != nil {
				t.Fatal(err)
			}
			if got := len(results[0].Values) == 1; got != test.made {
				t.Errorf("the folder is there: %t, want %t", got, test.made)
			}
			if got := w.Faults()[0].Matched; got != 1 {
				t.Errorf("the call came %d times", got)
			}
		})
	}
}

// untilHit waits until the host has begun the call that the fault is for.
func untilHit(t *testing.T, w *hypervsim.World) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for w.Faults()[0].Hit == 0 {
		select {
		case <-ticker.C:
		case <-t.Context().Done():
			t.Fatal("the call did not begin")
		}
	}
}
