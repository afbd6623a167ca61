package endpoint

import (
	"errors"
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/simulated"
	"guestclustering.io/operator/pkg/hypervsim"
)

const stamped = `C:\ClusterStorage\Gold\stamped`

// TestAccidentsAreToldAlike has both ways to a host tell what went wrong in the same words of class, and holds what the
// class says against what the world has.
func TestAccidentsAreToldAlike(t *testing.T) {
	tests := map[string]struct {
		fault        hypervsim.FaultKind
		read, change hostagent.Class
		made         bool
	}{
		"the connection is lost before the effect": {hypervsim.DropBefore, hostagent.Unreachable, hostagent.OutcomeUnknown, false},
		"the connection is lost after the effect":  {hypervsim.DropAfter, hostagent.Unreachable, hostagent.OutcomeUnknown, true},
		"the call fails": {hypervsim.Error, hostagent.Busy, hostagent.Busy, false},
	}
	drivers := map[string]func(*testing.T, *hypervsim.World) hostagent.Driver{
		"in process": func(_ *testing.T, w *hypervsim.World) hostagent.Driver { return w.Driver() },
		"over HTTP":  func(t *testing.T, w *hypervsim.World) hostagent.Driver { return simulated.New(serve(t, w)) },
	}
	for name, test := range tests {
		for way, driver := range drivers {
			t.Run(name+" "+way, func(t *testing.T) {
				w := still(t)
				if _, err := w.AddFault(hypervsim.Fault{Kind: test.fault, Error: hostagent.CallError{Category: "ResourceBusy"}}); err != nil {
					t.Fatal(err)
				}
				d := driver(t, w)
				if got := hostagent.ClassOf(try(t, d, hostagent.Call{ID: "a", Cmdlet: "Get-VMHost"})); got != test.read {
					t.Errorf("reading: %s, want %s", got, test.read)
				}
				making := hostagent.Call{ID: "a", Cmdlet: "New-StampedFolder", Parameters: hostagent.Parameters{
					"Path": hostagent.Text(stamped), "Stamp": hostagent.Text("{}"),
				}}
				if got := hostagent.ClassOf(try(t, d, making)); got != test.change {
					t.Errorf("changing: %s, want %s", got, test.change)
				}
				if made := strings.Contains(text(w.State().Files), "stamped"); made != test.made {
					t.Errorf("the folder is there: %t, want %t", made, test.made)
				}
			})
		}
	}
}

// try runs a call in a session of its own, and gives its error or that of the batch.
func try(t *testing.T, d hostagent.Driver, call hostagent.Call) error {
	t.Helper()
	agent, err := d.Open(t.Context(), hostagent.Target{Host: "hv01"})
	if err != nil {
		t.Fatal(err)
	}
	results, err := agent.Run(t.Context(), hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{call}})
	return errors.Join(err, results.Err(), agent.Close())
}

func TestAHostThatIsDownIsUnreachable(t *testing.T) {
	w := still(t)
	d := simulated.New(serve(t, w))
	agent, err := d.Open(t.Context(), hostagent.Target{Host: "hv02"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.FailHost("hv02"); err != nil {
		t.Fatal(err)
	}
	_, err = agent.Run(t.Context(), hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: "New-VM"}}})
	if !errors.Is(err, hostagent.Unreachable) {
		t.Errorf("Run: %v, want Unreachable", err)
	}
	if _, err := d.Open(t.Context(), hostagent.Target{Host: "hv02"}); !errors.Is(err, hostagent.Unreachable) || !strings.Contains(err.Error(), "open on hv02: the host does not answer") {
		t.Errorf("Open: %v, want Unreachable in the world's words", err)
	}
	if err := agent.Close(); err != nil {
		t.Error(err)
	}
}
