package guest_test

import (
	"testing"

	"guestclustering.io/operator/pkg/guest"
)

func TestWithoutQuorum(t *testing.T) {
	mute := guest.Member{Answered: true, ClusterService: guest.ServiceRunning, ClusterSilent: true}
	stopped := guest.Member{Answered: true, ClusterService: guest.ServiceStopped}
	for name, tc := range map[string]struct {
		reason  string
		second  guest.Member
		cluster *guest.Cluster
		want    bool
	}{
		"both cannot tell":      {"Each is a node, and its service knows of no cluster.", mute, nil, true},
		"one does not run":      {"It comes back when the service does.", stopped, nil, true},
		"one was not asked":     {"It may tell.", guest.Member{Answered: true, ClusterService: guest.ServiceRunning}, nil, false},
		"one does not answer":   {"It may be up with a quorum of its own.", guest.Member{}, nil, false},
		"one is being set up":   {"What it says now is not its own.", guest.Member{Answered: true, SettingUp: true, ClusterService: guest.ServiceStopped}, nil, false},
		"one is a node of none": {"Then there is more amiss than quorum.", guest.Member{Answered: true, ClusterService: guest.ServiceDisabled}, nil, false},
		"somebody tells":        {"A cluster that tells has quorum.", mute, &guest.Cluster{}, false},
	} {
		s := &guest.Snapshot{Members: map[string]guest.Member{"a": mute, "b": tc.second}, Cluster: tc.cluster}
		if got := s.WithoutQuorum("A", "b"); got != tc.want {
			t.Errorf("%s: %v. %s", name, got, tc.reason)
		}
	}
	if (&guest.Snapshot{}).WithoutQuorum() {
		t.Error("nobody is without quorum")
	}
}
