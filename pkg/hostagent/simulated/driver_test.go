package simulated

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
)

// batchOf makes a batch of one call.
func batchOf(cmdlet string) hostagent.Batch {
	return hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: cmdlet}}}
}

// simulator answers session requests well and hands batches to the handler. It counts the batches.
func simulator(t *testing.T, batches http.HandlerFunc) (address string, sent *atomic.Int32) {
	t.Helper()
	sent = new(atomic.Int32)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/sessions", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(Session{ID: "s1"})
	})
	mux.HandleFunc("DELETE /v1/sessions/s1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /v1/sessions/s1/batches", func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		batches(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), sent
}

func open(t *testing.T, address string) hostagent.Agent {
	t.Helper()
	agent, err := New(address).Open(t.Context(), hostagent.Target{Host: "hv01"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Close() })
	return agent
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func dropsConnection(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

func TestRunClassifiesWhatBringsNoResults(t *testing.T) {
	tests := map[string]struct {
		answer       http.HandlerFunc
		read, change hostagent.Class
		text         string
	}{
		"the connection is lost":        {dropsConnection, hostagent.Unreachable, hostagent.OutcomeUnknown, "EOF"},
		"the answer is cut off":         {cutOff, hostagent.Unreachable, hostagent.OutcomeUnknown, "reading the answer"},
		"the answer is not JSON":        {says(http.StatusOK, "<html>"), hostagent.Protocol, hostagent.OutcomeUnknown, "decoding the answer"},
		"the answer is a proxy's":       {says(http.StatusBadGateway, "<html>"), hostagent.Protocol, hostagent.OutcomeUnknown, "is this address the simulator's?"},
		"the answer leads elsewhere":    {http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect).ServeHTTP, hostagent.Protocol, hostagent.OutcomeUnknown, "307"},
		"the answer has no results":     {says(http.StatusOK, `{}`), hostagent.Protocol, hostagent.OutcomeUnknown, "not those of the calls sent"},
		"the results are another's":     {says(http.StatusOK, `{"results":[{"id":"b","state":"Done"}]}`), hostagent.Protocol, hostagent.OutcomeUnknown, "not those of the calls sent"},
		"the answer is too large":       {tooLarge, hostagent.Protocol, hostagent.OutcomeUnknown, "more than 64 MiB"},
		"the simulator names the class": {says(http.StatusServiceUnavailable, `{"class":"Throttled","op":"run","message":"slowly"}`), hostagent.Throttled, hostagent.Throttled, "run on any host: slowly"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			address, sent := simulator(t, test.answer)
			agent := open(t, address)
			for cmdlet, want := range map[string]hostagent.Class{"Get-VM": test.read, "New-VM": test.change} {
				sent.Store(0)
				_, err := agent.Run(t.Context(), batchOf(cmdlet))
				if got := hostagent.ClassOf(err); got != want {
					t.Errorf("%s: class %s, want %s (%v)", cmdlet, got, want, err)
				}
				if err == nil || !strings.Contains(err.Error(), test.text) {
					t.Errorf("%s: error %v, want one that says %q", cmdlet, err, test.text)
				}
				if n := sent.Load(); n != 1 {
					t.Errorf("%s: sent %d times", cmdlet, n)
				}
			}
		})
	}
}

func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, `{"results":[`)
}

func tooLarge(w http.ResponseWriter, _ *http.Request) {
	block := bytes.Repeat([]byte(" "), 1<<20)
	for range MaxBytes>>20 + 1 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func TestRunClassifiesTheEndOfItsContext(t *testing.T) {
	gaveUp := func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }
	outOfTime := func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		return deadlineContext{ctx}, func() { cancel(context.DeadlineExceeded) }
	}
	tests := map[string]struct {
		with   func(context.Context) (context.Context, context.CancelFunc)
		cmdlet string
		want   hostagent.Class
	}{
		"reading, given up":      {gaveUp, "Get-VM", hostagent.Canceled},
		"reading, out of time":   {outOfTime, "Get-VM", hostagent.Timeout},
		"changing, given up":     {gaveUp, "New-VM", hostagent.OutcomeUnknown},
		"changing, out of time":  {outOfTime, "New-VM", hostagent.OutcomeUnknown},
		"testing is but reading": {gaveUp, "Test-Path", hostagent.Canceled},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			arrived, seen := make(chan struct{}), make(chan struct{})
			address, _ := simulator(t, func(_ http.ResponseWriter, r *http.Request) {
				close(arrived)
				<-r.Context().Done()
				close(seen)
			})
			agent := open(t, address)
			ctx, cancel := test.with(t.Context())
			go func() {
				<-arrived
				cancel()
			}()
			_, err := agent.Run(ctx, batchOf(test.cmdlet))
			if got := hostagent.ClassOf(err); got != test.want {
				t.Errorf("class %s, want %s (%v)", got, test.want, err)
			}
			<-seen // The simulator sees that nobody waits any more.
		})
	}
}

// deadlineContext reports its cancellation as a deadline that has passed, at a moment of the test's choice.
type deadlineContext struct{ context.Context }

func (c deadlineContext) Err() error {
	if c.Context.Err() != nil {
		return context.DeadlineExceeded
	}
	return nil
}

func TestWhatIsGivenUpBeforehandIsNotSent(t *testing.T) {
	address, sent := simulator(t, says(http.StatusOK, `{}`))
	agent := open(t, address)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// The outcome is known: there is none.
	if _, err := agent.Run(ctx, batchOf("New-VM")); !errors.Is(err, hostagent.Canceled) {
		t.Errorf("got %v, want Canceled", err)
	}
	if sent.Load() != 0 {
		t.Error("the batch was sent")
	}
}

func TestALostChangeEndsTheSession(t *testing.T) {
	tests := map[string]struct {
		cmdlet string
		ended  bool
	}{
		"a lost change":  {"New-VM", true},
		"a lost reading": {"Get-VM", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ended := false
			mux := http.NewServeMux()
			mux.HandleFunc("POST /v1/sessions", says(http.StatusCreated, `{"session":"s1"}`))
			mux.HandleFunc("POST /v1/sessions/s1/batches", dropsConnection)
			mux.HandleFunc("DELETE /v1/sessions/s1", func(w http.ResponseWriter, _ *http.Request) {
				ended = true
				w.WriteHeader(http.StatusNoContent)
			})
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			_, err := open(t, strings.TrimPrefix(server.URL, "http://")).Run(t.Context(), batchOf(test.cmdlet))
			if err == nil || ended != test.ended {
				t.Errorf("the session has ended: %t, want %t (%v)", ended, test.ended, err)
			}
		})
	}
}

func TestNothingListens(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()

	if _, err := New(address).Open(t.Context(), hostagent.Target{Host: "hv01"}); !errors.Is(err, hostagent.Unreachable) {
		t.Errorf("Open: %v, want Unreachable", err)
	}
	if _, err := New("not an address").Open(t.Context(), hostagent.Target{}); !errors.Is(err, hostagent.Invalid) || !strings.Contains(err.Error(), "to be written as 127.0.0.1:7100") {
		t.Errorf("Open with a wrong address: %v, want Invalid", err)
	}
}

func TestTheSimulatorGoesAway(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/sessions", says(http.StatusCreated, `{"session":"s1"}`))
	server := httptest.NewServer(mux)
	defer server.Close()
	session := open(t, strings.TrimPrefix(server.URL, "http://"))
	server.Close()
	// The next batch needs a new connection; on the old one it could be lost on the way, which is another case.
	session.(*agent).line.close()

	// Nothing was sent: the caller may try again without looking.
	_, err := session.Run(t.Context(), batchOf("New-VM"))
	var transport *hostagent.Error
	if !errors.As(err, &transport) || transport.Class != hostagent.Unreachable {
		t.Fatalf("Run: %v, want Unreachable", err)
	}
	if transport.Target.Host != "hv01" {
		t.Errorf("the error names host %q, want the one that the session is with", transport.Target.Host)
	}
}

func TestRunRefusesABatchBeforeSendingIt(t *testing.T) {
	address, sent := simulator(t, says(http.StatusOK, `{}`))
	agent := open(t, address)
	tests := map[string]struct {
		batch hostagent.Batch
		text  string
	}{
		"two calls with one id": {
			hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: "Get-VM"}, {ID: "a", Cmdlet: "Get-VM"}}},
			`two calls have the id "a"`,
		},
		"no value in a nested batch": {
			hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: "Invoke-GuestBatch", Parameters: hostagent.Parameters{
				"Batch": hostagent.Nested{Batch: hostagent.Batch{Calls: []hostagent.Call{{ID: "b", Cmdlet: "Get-Item", Parameters: hostagent.Parameters{"Path": nil}}}}},
			}}}},
			"is no parameter value",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := agent.Run(t.Context(), test.batch)
			if !errors.Is(err, hostagent.Invalid) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want Invalid with %q", err, test.text)
			}
			if sent.Load() != 0 {
				t.Error("the batch was sent")
			}
		})
	}
}

func TestResultsKeepTheirShapes(t *testing.T) {
	address, _ := simulator(t, says(http.StatusOK, `{"results":[{"id":"a","state":"Failed","values":[{"N":9007199254740993,"L":["x"],"O":{"p":null}}],"errors":[{"category":"ResourceBusy"}]}]}`))
	got, err := open(t, address).Run(t.Context(), batchOf("Get-VM"))
	if err != nil {
		t.Fatal(err)
	}
	want := hostagent.Results{{
		ID: "a", State: hostagent.Failed,
		Values: []hostagent.Object{{"N": json.Number("9007199254740993"), "L": []any{"x"}, "O": map[string]any{"p": nil}}},
		Errors: []hostagent.CallError{{Category: "ResourceBusy"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestFailuresTravel(t *testing.T) {
	tests := map[string]struct {
		err  error
		want *hostagent.Error
	}{
		"with a cause": {
			&hostagent.Error{Class: hostagent.OutcomeUnknown, Op: "run", Target: hostagent.Target{Host: "hv02"}, Err: errors.New("the connection was lost")},
			&hostagent.Error{Class: hostagent.OutcomeUnknown, Op: "run", Target: hostagent.Target{Host: "hv02"}, Err: errors.New("the connection was lost")},
		},
		"without a cause": {
			&hostagent.Error{Class: hostagent.Unreachable, Op: "open", Target: hostagent.Target{VM: "4c4c"}},
			&hostagent.Error{Class: hostagent.Unreachable, Op: "open", Target: hostagent.Target{VM: "4c4c"}},
		},
		"another error": {
			errors.New("a defect"),
			&hostagent.Error{Class: hostagent.Internal, Op: "run", Err: errors.New("a defect")},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wire, err := json.Marshal(FailureOf(test.err))
			if err != nil {
				t.Fatal(err)
			}
			var f Failure
			if err := json.Unmarshal(wire, &f); err != nil {
				t.Fatal(err)
			}
			got := f.Err()
			if got.Error() != test.want.Error() || got.Class != test.want.Class || got.Target != test.want.Target {
				t.Errorf("got %#v, want %#v", got, test.want)
			}
		})
	}
}
