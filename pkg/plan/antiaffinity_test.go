package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
)

// apart is what is wanted of the rule that keeps sql's members apart.
func apart() plan.AntiAffinityGroup {
	return plan.AntiAffinityGroup{
		ClassName: className, MembersKnown: true,
		Members: []plan.PlacedMember{{GuestCluster: "sql", Name: "SQL-A", VMID: idA}, {GuestCluster: "sql", Name: "SQL-B", VMID: idB}},
	}
}

func TestForAntiAffinityGroup(t *testing.T) {
	names := func(id string, names ...string) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) { groupOf(s, id).ClassNames = names }
	}
	onlyA := func(g *plan.AntiAffinityGroup) { g.Members = g.Members[:1] }
	step := func(calls ...string) []string {
		lines := []string{`class-name: put class name ` + className + ` where it belongs (Repairing), on any host`}
		for _, c := range calls {
			lines = append(lines, "    "+c)
		}
		return lines
	}
	add := func(id string) string { return `Add-AntiAffinityClassName -ClassName ` + className + ` -VMId ` + id }
	remove := func(id string) string {
		return `Remove-AntiAffinityClassName -ClassName ` + className + ` -VMId ` + id
	}
	cases := map[string]struct {
		reason string
		wanted func(*plan.AntiAffinityGroup)
		seen   func(*hyperv.Snapshot)
		want   []string
	}{
		"applied":        {reason: "Nothing differs."},
		"missing on one": {"It is added, whatever else is there.", nil, names(idA, "foreign"), step(add(idA))},
		"missing on all": {"One batch for the rule.", nil, all(names(idA), names(idB)), step(add(idA), add(idB))},
		"a foreign name beside it": {
			"Names that are not the rule's are nobody's business here.", nil, names(idA, className, "foreign"), nil,
		},
		"no role yet":        {"There is nothing to carry the name.", nil, func(s *hyperv.Snapshot) { dropGroup(s, idA) }, nil},
		"not made yet":       {"A member without an id has no role.", func(g *plan.AntiAffinityGroup) { g.Members[0].VMID = "" }, names(idA), nil},
		"no longer a member": {"It is taken off.", onlyA, nil, step(remove(idB))},
		"no longer a member, id in capitals": {
			"Ids are told in both cases.", func(g *plan.AntiAffinityGroup) { g.Members[1].VMID = "BBBBBBBB-0000-0000-0000-000000000002" }, nil, nil,
		},
		"members not known": {"Who is no member is not known: nothing is taken off.", func(g *plan.AntiAffinityGroup) { onlyA(g); g.MembersKnown = false }, names(idA), step(add(idA))},
		"no longer a member, out of sight": {
			"Whose machine it is cannot be told.", onlyA, all(hv03Silent, func(s *hyperv.Snapshot) { dropMachine(s, idB) }),
			[]string{`wait (ObservationIncomplete): payments.SQL-B carries the class name and cannot be seen: not every host answers`},
		},
		"on a foreign machine": {"Somebody keeps a machine apart from ours.", nil, names(idForeign, className), nil},
		"on the role of a machine that is gone": {
			"A role without a machine goes with it.", onlyA, func(s *hyperv.Snapshot) { dropMachine(s, idB) }, nil,
		},
		"on a role without a machine's id": {"It cannot be named.", onlyA, func(s *hyperv.Snapshot) { groupOf(s, idB).VMID = "" }, nil},
		"deleted":                          {"It is taken off everywhere.", func(g *plan.AntiAffinityGroup) { g.Deletion = plan.Remove }, nil, step(remove(idA), remove(idB))},
		"deleted, members not known": {
			"Every machine of ours loses it.", func(g *plan.AntiAffinityGroup) { g.Deletion, g.MembersKnown = plan.Remove, false }, nil, step(remove(idA), remove(idB)),
		},
		"groups unread": {
			"Nothing is known.", nil, func(s *hyperv.Snapshot) { s.Cluster = nil },
			[]string{`wait (HostUnreachable): the host cluster has not been read yet`},
		},
		"no quorum": {"Groups are not to be trusted.", nil, all(names(idA), func(s *hyperv.Snapshot) { s.Cluster.Quorate = false; dropGroup(s, idA) }), nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want, s := apart(), rack()
			if tc.wanted != nil {
				tc.wanted(&want)
			}
			if tc.seen != nil {
				tc.seen(s)
			}
			if diff := cmp.Diff(tc.want, show(plan.ForAntiAffinityGroup(want, s))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	if diff := cmp.Diff([]string{`wait (HostUnreachable): the host cluster has not been read yet`}, show(plan.ForAntiAffinityGroup(apart(), nil))); diff != "" {
		t.Errorf("without a snapshot nothing is known (-want +got):\n%s", diff)
	}
}

// put moves a machine of the snapshot to another host.
func put(s *hyperv.Snapshot, id, host string) {
	vm := *vmOf(s, id)
	dropMachine(s, id)
	vm.HostName = host
	h, _ := s.Host(host)
	h.Machines = append(h.Machines, vm)
	groupOf(s, id).OwnerNode = host
}

func TestViolations(t *testing.T) {
	sqlA, sqlB, dtc := apart().Members[0], apart().Members[1], plan.PlacedMember{GuestCluster: "dtc", Name: "DTC-1", VMID: idForeign}
	cases := map[string]struct {
		reason string
		wanted func(*plan.AntiAffinityGroup)
		seen   func(*hyperv.Snapshot)
		want   []plan.Violation
	}{
		"apart":    {reason: "Each is on a host of its own."},
		"together": {"They share a host.", nil, func(s *hyperv.Snapshot) { put(s, idA, "hv02") }, []plan.Violation{{HostName: "hv02", Members: []plan.PlacedMember{sqlA, sqlB}}}},
		"of two guest clusters": {
			"A rule may keep several guest clusters apart.",
			func(g *plan.AntiAffinityGroup) { g.Members = append(g.Members, dtc) }, func(s *hyperv.Snapshot) { put(s, idForeign, "hv01") },
			[]plan.Violation{{HostName: "hv01", Members: []plan.PlacedMember{sqlA, dtc}}},
		},
		"on two hosts": {
			"Hosts by name.",
			func(g *plan.AntiAffinityGroup) {
				g.Members = append(g.Members, dtc, plan.PlacedMember{Name: "DTC-2", VMID: "dtc-2"})
			},
			func(s *hyperv.Snapshot) {
				put(s, idForeign, "hv02")
				s.Hosts[0].Machines = append(s.Hosts[0].Machines, hyperv.Machine{ID: "dtc-2", HostName: "hv01"})
				s.Hosts[0], s.Hosts[1] = s.Hosts[1], s.Hosts[0]
			},
			[]plan.Violation{
				{HostName: "hv01", Members: []plan.PlacedMember{sqlA, {Name: "DTC-2", VMID: "dtc-2"}}}, {HostName: "hv02", Members: []plan.PlacedMember{sqlB, dtc}},
			},
		},
		"one out of sight": {"Of what cannot be seen nothing is told.", nil, func(s *hyperv.Snapshot) { put(s, idA, "hv02"); s.Hosts[1].Machines = s.Hosts[1].Machines[:1] }, nil},
		"not made yet":     {"A member without an id is on no host.", func(g *plan.AntiAffinityGroup) { g.Members[0].VMID, g.Members[1].VMID = "", "" }, nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want, s := apart(), rack()
			if tc.wanted != nil {
				tc.wanted(&want)
			}
			if tc.seen != nil {
				tc.seen(s)
			}
			if diff := cmp.Diff(tc.want, plan.Violations(want, s)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
