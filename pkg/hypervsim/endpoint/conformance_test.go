package endpoint

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/conformance"
	"guestclustering.io/operator/pkg/hostagent/simulated"
	"guestclustering.io/operator/pkg/hypervsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick is a host cluster on which nothing takes time, on a clock that runs: what a test slows, it slows in real time.
func quick(t *testing.T) *hypervsim.World {
	t.Helper()
	model := hypervsim.DefaultModel()
	model.Durations = hypervsim.Durations{MaxMigrations: 2}
	w, err := hypervsim.New(model, hypervsim.NewRealClock(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// serve serves the world on loopback and gives its address.
func serve(t *testing.T, w *hypervsim.World) string {
	t.Helper()
	return serveWith(t, w, nil)
}

// serveWith serves the world with the WinRM services of its hosts.
func serveWith(t *testing.T, w *hypervsim.World, winRM WinRM) string {
	t.Helper()
	server := httptest.NewServer(Handler(w, winRM, slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestInProcessDriverConforms(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Subject {
		w := quick(t)
		return subject(w, w.Driver())
	})
}

func TestDriverOverHTTPConforms(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Subject {
		w := quick(t)
		return subject(w, simulated.New(serve(t, w)))
	})
}

func subject(w *hypervsim.World, d hostagent.Driver) conformance.Subject {
	return conformance.Subject{
		Driver: d, Host: "hv02", Absent: "hv99", Pool: `C:\ClusterStorage\Gold`,
		Slow: func(t *testing.T, cmdlet string, by time.Duration) {
			if _, err := w.AddFault(hypervsim.Fault{Cmdlet: cmdlet, Count: 1, Kind: hypervsim.Delay, Delay: by}); err != nil {
				t.Fatal(err)
			}
		},
	}
}
