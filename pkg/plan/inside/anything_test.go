package inside_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan/inside"
)

// mishaps are what people and accidents do between two looks, and what is not told, whether it makes sense together or not.
var mishaps = map[string]func(*stage, int){
	"a member is silent":       func(s *stage, n int) { s.silence(n) },
	"a member was not asked":   func(s *stage, n int) { delete(s.seen.Members, vmID(n)) },
	"a member refuses":         func(s *stage, n int) { s.member(n, func(m *guest.Member) { *m = guest.Member{Refused: true} }) },
	"a member is told empty":   func(s *stage, n int) { s.member(n, func(m *guest.Member) { *m = guest.Member{Answered: true} }) },
	"a member is renamed":      func(s *stage, n int) { s.member(n, func(m *guest.Member) { m.ComputerName = "WIN-1" }) },
	"a member is in no domain": func(s *stage, n int) { s.member(n, func(m *guest.Member) { m.Domain = "" }) },
	"a member has no features": func(s *stage, n int) {
		s.member(n, func(m *guest.Member) { m.Features, m.ClusterService = nil, guest.ServiceAbsent })
	},
	"a member waits for restart": func(s *stage, n int) { s.member(n, func(m *guest.Member) { m.RestartPending = true }) },
	"a member has no disks":      func(s *stage, n int) { s.member(n, func(m *guest.Member) { m.Disks = nil }) },
	"a member has raw disks": func(s *stage, n int) {
		s.member(n, func(m *guest.Member) {
			disks := m.Disks
			m.Disks = nil
			for _, d := range disks {
				d.Raw, d.GUID = !d.Boot, ""
				m.Disks = append(m.Disks, d)
			}
		})
	},
	"a member has no adapters": func(s *stage, n int) { s.member(n, func(m *guest.Member) { m.Adapters = nil }) },
	"a service is stopped":     func(s *stage, n int) { s.member(n, func(m *guest.Member) { m.ClusterService = guest.ServiceStopped }) },
	"a service is disabled":    func(s *stage, n int) { s.member(n, func(m *guest.Member) { m.ClusterService = guest.ServiceDisabled }) },
	"a machine was never made": func(s *stage, n int) { s.want.Members[n-1].VMID = "" },
	"a machine is off":         func(s *stage, n int) { s.want.Members[n-1].Up = false },
	"a member leaves":          func(s *stage, n int) { s.want.Members[n-1].Leaving = true },
	"a disk leaves":            func(s *stage, n int) { s.want.Disks[n-1].Leaving = true },
	"a disk is detached":       func(s *stage, n int) { s.want.Disks[n-1].Attached = false },
	"a disk is adopted":        func(s *stage, n int) { s.want.Disks[n-1].Formattable = false },
	"a disk is forgotten":      func(s *stage, n int) { s.want.Disks[n-1].GUID = "" },
	"the domain is silent":     func(s *stage, _ int) { s.seen.Directory = nil },
	"the domain knows nothing": func(s *stage, _ int) { s.seen.Directory = &guest.Directory{} },
	"the cluster is silent":    func(s *stage, _ int) { s.seen.Cluster = nil },
	"the cluster is empty":     func(s *stage, _ int) { s.seen.Cluster = &guest.Cluster{Teller: vmID(1)} },
	"the cluster is another":   func(s *stage, _ int) { s.want.ClusterID = "other" },
	"the cluster is forgotten": func(s *stage, _ int) { s.want.ClusterID = "" },
	"a validation runs":        func(s *stage, _ int) { s.seen.Validation = &guest.Validation{ID: "x", State: hyperv.WorkRunning} },
	"a validation is empty": func(s *stage, _ int) {
		s.seen.Validation = &guest.Validation{ID: inside.ValidationRun(s.want), State: hyperv.WorkCompleted}
	},
	"a validation is forgotten": func(s *stage, _ int) { s.want.Validation = inside.Validation{} },
	"nodes alone vote":          func(s *stage, _ int) { s.want.Quorum = inside.Quorum{Type: v1alpha1.QuorumNodeMajority} },
	"nobody knows who votes":    func(s *stage, _ int) { s.want.Quorum = inside.Quorum{} },
	"a role wants another disk": func(s *stage, _ int) { s.want.Roles[0].Disk = "other" },
	"credentials are gone": func(s *stage, _ int) {
		s.want.Domain.Join, s.want.Domain.Forming = hostagent.Credential{}, hostagent.Credential{}
	},
	"it is deleted": func(s *stage, _ int) { s.want.Deleting = true },
}

// Whatever is told, there is an answer, and it keeps the laws.
func TestLawThereIsAlwaysAnAnswer(t *testing.T) {
	moments := []string{"set-up/FILES-1", "validate", "form", "configure", "role", "shares", ""}
	names := keys(mishaps)
	rapid.Check(t, func(rt *rapid.T) {
		s := before(t, files(), rapid.SampledFrom(moments).Draw(rt, "moment"))
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 4).Draw(rt, "mishaps") {
			mishaps[name](s, rapid.IntRange(1, 2).Draw(rt, "which"))
		}
		want := inside.Record(s.want, s.seen)
		p := inside.Plan(want, s.seen, s.hosts)
		if err := errors.Join(readable(p), keepsSecrets(p), cautious(want, s.seen, p), stable(rt, want, s.seen, p)); err != nil {
			rt.Fatalf("%v\n%s", err, strings.Join(show(p), "\n"))
		}
		if p.Empty() && !want.Deleting && want.ClusterID == "" {
			rt.Fatal("nothing is formed, and nobody says why")
		}
		for _, m := range want.Members {
			inside.Evicted(want, s.seen, m.Name)
		}
		for _, d := range want.Disks {
			inside.Released(want, s.seen, d.Name)
		}
	})
}
