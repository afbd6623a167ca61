package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/simulated"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/endpoint"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCheckLoopback(t *testing.T) {
	tests := map[string]struct{ address, refused string }{
		"IPv4":            {"127.0.0.1:7100", ""},
		"IPv6":            {"[::1]:7100", ""},
		"by name":         {"localhost:7100", ""},
		"everywhere":      {"0.0.0.0:7100", "no loopback address: whoever reaches the simulator controls it; use 127.0.0.1:7100"},
		"no host":         {":7200", "use 127.0.0.1:7200"},
		"another machine": {"192.0.2.1:7100", "no loopback address"},
		"no port":         {"127.0.0.1", "want host:port, such as 127.0.0.1:7100"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := checkLoopback("listen", test.address)
			if (err == nil) != (test.refused == "") || err != nil && !strings.Contains(err.Error(), test.refused) {
				t.Errorf("got %v, want an error with %q", err, test.refused)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := map[string]struct {
		args []string
		want string
	}{
		"an argument":        {[]string{"start"}, `there are only flags, and "start" is none`},
		"a clock that stops": {[]string{"--speed", "0"}, "-speed is 0: want more than 0"},
		"no such model":      {[]string{"--model", "absent.yaml"}, "reading the model: open absent.yaml"},
		"everywhere":         {[]string{"--listen", ":7100"}, "no loopback address"},
		"a port in use":      {[]string{"--listen", taken.Addr().String()}, "listening on " + taken.Addr().String()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), test.args)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestStoppingAnswersWhatIsUnderWay(t *testing.T) {
	world, err := newWorld("", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer world.Close()
	if _, err := world.AddFault(hypervsim.Fault{Cmdlet: "New-StampedFolder", Kind: hypervsim.Hang}); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	log := slog.New(slog.DiscardHandler)
	go func() { ended <- serve(ctx, listener, endpoint.Handler(world, nil, log), world, log) }()

	agent, err := simulated.New(listener.Addr().String()).Open(t.Context(), hostagent.Target{Host: "hv01"})
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error)
	go func() {
		_, err := agent.Run(t.Context(), batch("New-StampedFolder", hostagent.Parameters{"Path": hostagent.Text(`C:\ClusterStorage\Gold\a`), "Stamp": hostagent.Text("{}")}))
		answered <- err
	}()
	for world.Faults()[0].Hit == 0 {
		select {
		case err := <-answered:
			t.Fatalf("answered before the stop: %v", err)
		default:
		}
	}
	stop()
	if class := hostagent.ClassOf(<-answered); class != hostagent.OutcomeUnknown {
		t.Errorf("the batch under way: %s, want OutcomeUnknown", class)
	}
	if err := <-ended; err != nil {
		t.Errorf("serve: %v", err)
	}
	_ = agent.Close() // Nobody listens any more.
}

func batch(cmdlet string, parameters hostagent.Parameters) hostagent.Batch {
	return hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: cmdlet, Parameters: parameters}}}
}

// TestTheDocumentedModelIsOne makes a world of the model in docs/simulator.md.
func TestTheDocumentedModelIsOne(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "simulator.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```yaml\n(clusterName.*?)```").FindSubmatch(page)
	if shown == nil {
		t.Fatal("docs/simulator.md shows no model")
	}
	file := filepath.Join(t.TempDir(), "model.yaml")
	if err := os.WriteFile(file, shown[1], 0o600); err != nil {
		t.Fatal(err)
	}
	world, err := newWorld(file, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer world.Close()
	if state := world.State(); state.Cluster != "lab" || len(state.Hosts) != 2 || len(state.Files) != 1 {
		t.Errorf("the world is %+v", state)
	}
}
