package guest_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/guest"
)

func node(name string, state guest.NodeState, vote int64) guest.Node {
	return guest.Node{Name: name, State: state, Weight: 1, DynamicWeight: vote}
}

func TestSurvives(t *testing.T) {
	up, down := guest.NodeUp, guest.NodeDown
	apart := map[string]string{"a": "hv01", "b": "hv02", "c": "hv03"}
	for name, tc := range map[string]struct {
		reason  string
		nodes   []guest.Node
		witness int64
		hosts   map[string]string
		want    guest.Survival
	}{
		"two with a witness": {"The other one and the witness are two of three votes.", []guest.Node{node("A", up, 1), node("B", up, 1)}, 1, apart, guest.Survival{HostFailures: 1}},
		"two without a witness": {
			"Windows takes one's vote away; the loss of the other is the end.", []guest.Node{node("A", up, 1), node("B", up, 0)}, 0, apart,
			guest.Survival{Fatal: "hv01", Members: []string{"A"}},
		},
		"two on one host": {
			"The witness alone is no cluster.", []guest.Node{node("A", up, 1), node("B", up, 1)}, 1, map[string]string{"a": "hv01", "b": "hv01"},
			guest.Survival{Fatal: "hv01", Members: []string{"A", "B"}},
		},
		"one is down": {
			"Its vote was taken away, and the witness's with it.", []guest.Node{node("A", up, 1), node("B", down, 0)}, 0, apart,
			guest.Survival{Fatal: "hv01", Members: []string{"A"}},
		},
		"one went down a moment ago": {
			"Its vote counts still, and is not there.", []guest.Node{node("A", up, 1), node("B", down, 1)}, 1, apart,
			guest.Survival{Fatal: "hv01", Members: []string{"A"}},
		},
		"three": {"Two are a majority of three.", []guest.Node{node("A", up, 1), node("B", up, 1), node("C", up, 1)}, 0, apart, guest.Survival{HostFailures: 1}},
		"three on two hosts": {
			"The one that is left has one vote of three.", []guest.Node{node("A", up, 1), node("B", up, 1), node("C", up, 1)}, 0,
			map[string]string{"a": "hv01", "b": "hv01", "c": "hv02"}, guest.Survival{Fatal: "hv01", Members: []string{"A", "B"}},
		},
		"one is paused": {"It has its vote.", []guest.Node{node("A", up, 1), node("B", guest.NodePaused, 1)}, 1, apart, guest.Survival{HostFailures: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c := guest.Cluster{Nodes: tc.nodes, WitnessDynamicWeight: tc.witness}
			got, known := c.Survives(tc.hosts)
			if diff := cmp.Diff(tc.want, got); diff != "" || !known {
				t.Errorf("%s known=%v (-want +got):\n%s", tc.reason, known, diff)
			}
		})
	}
}

func TestSurvivesWithoutItsWitness(t *testing.T) {
	for state, want := range map[string]int{"Online": 1, "OnlinePending": 1, "Failed": 0, "Offline": 0} {
		c := guest.Cluster{
			Nodes:           []guest.Node{node("A", guest.NodeUp, 1), node("B", guest.NodeUp, 1)},
			WitnessResource: "Cloud Witness", WitnessDynamicWeight: 1, Resources: []guest.Resource{{Name: "cloud witness", State: state}},
		}
		if got, known := c.Survives(map[string]string{"a": "hv01", "b": "hv02"}); !known || got.HostFailures != want {
			t.Errorf("with a witness that is %s: %+v, known %v; want %d host failures", state, got, known, want)
		}
	}
}

func TestSurvivesUnknown(t *testing.T) {
	c := guest.Cluster{Nodes: []guest.Node{node("A", guest.NodeUp, 1), node("B", guest.NodeUp, 1)}}
	if got, known := c.Survives(map[string]string{"a": "hv01"}); known {
		t.Errorf("it is told as %+v though nobody knows where B runs", got)
	}
}
