package inside_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/plan/inside"
)

// stage is one moment in a guest cluster's life: what is wanted beside what was seen.
type stage struct {
	want  inside.Clustering
	seen  *guest.Snapshot
	hosts *hyperv.Snapshot
}

// before is the moment at which a step of the key is planned first; an empty key is the end, when everything is made.
func before(t *testing.T, want inside.Clustering, key string) *stage {
	t.Helper()
	s := begin(want)
	for range rounds {
		seen := s.w.snapshot()
		p, err := s.look(true)
		if err != nil {
			t.Fatal(err)
		}
		at := &stage{want: s.want, seen: seen, hosts: rack(s.want)}
		if p.Empty() && key == "" {
			return at
		}
		for _, step := range p.Steps {
			if key != "" && strings.HasPrefix(step.Key, key) {
				return at
			}
			if err := s.run(step.Batch, len(step.Batch.Calls)); err != nil {
				t.Fatal(err)
			}
		}
		s.w.pass()
	}
	t.Fatalf("no step %s is ever planned", key)
	return nil
}

// member changes what a member told.
func (s *stage) member(n int, change func(*guest.Member)) {
	m := s.seen.Members[vmID(n)]
	change(&m)
	s.seen.Members[vmID(n)] = m
}

// silence is a member that does not answer, for a cluster that knows.
func (s *stage) silence(n int) {
	s.member(n, func(m *guest.Member) { *m = guest.Member{Account: m.Account, Why: "no route"} })
	if c := s.seen.Cluster; c != nil {
		for i, node := range c.Nodes {
			if node.Name == member(n).Name {
				c.Nodes[i].State = guest.NodeDown
			}
		}
	}
}

// moment is a stage with something different about it, and what is planned then.
type moment struct {
	differs func(*stage)
	plan    []string
}

// checkMoments compares plans as they are told.
func checkMoments(t *testing.T, at func(*testing.T) *stage, moments map[string]moment) {
	t.Helper()
	check(t, at, moments, told)
}

// checkCalls compares plans with their calls.
func checkCalls(t *testing.T, at func(*testing.T) *stage, moments map[string]moment) {
	t.Helper()
	check(t, at, moments, func(p plan.Plan) []string {
		var lines []string
		for _, s := range p.Steps {
			for _, c := range s.Batch.Calls {
				lines = append(lines, s.Key+": "+showCall(c))
			}
		}
		return append(lines, told(plan.Plan{Waits: p.Waits, Blocks: p.Blocks})...)
	})
}

func check(t *testing.T, at func(*testing.T) *stage, moments map[string]moment, as func(plan.Plan) []string) {
	t.Helper()
	for name, m := range moments {
		t.Run(name, func(t *testing.T) {
			s := at(t)
			m.differs(s)
			p := inside.Plan(s.want, s.seen, s.hosts)
			if diff := cmp.Diff(m.plan, as(p)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if err := readable(p); err != nil {
				t.Error(err)
			}
		})
	}
}
