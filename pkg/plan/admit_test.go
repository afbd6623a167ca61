package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
)

// together is rack with both members on hv02: the state in which a move is proposed.
func together(s *hyperv.Snapshot) { put(s, idA, "hv02") }

func sqlRule() []plan.Rule {
	return []plan.Rule{{GuestCluster: "payments/sql", VMIDs: []string{idA, idB}}}
}

func TestAdmit(t *testing.T) {
	moveB := []plan.Proposal{{Key: "payments/sql", VMIDs: []string{idB, idA}}}
	bTo := func(host string) []string {
		return []string{
			"payments/sql: move/" + idB + ": live-migrate payments.SQL-B from hv02 to " + host + " (Migrating), on hv02",
			"    Move-ClusterVirtualMachineRole -MigrationType Live -Node " + host + " -VMId " + idB + " -Wait 0",
		}
	}
	vm := func(id string, change func(*hyperv.Machine)) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) { change(vmOf(s, id)) }
	}
	group := func(id string, change func(*hyperv.Group)) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) { change(groupOf(s, id)) }
	}
	// dtc is a member of another guest cluster on hv03.
	dtc := func(s *hyperv.Snapshot) {
		g := groupOf(s, idForeign)
		g.ClassNames = []string{"payments.dtc", "payments-apart"}
	}
	cases := map[string]struct {
		reason    string
		seen      func(*hyperv.Snapshot)
		rules     []plan.Rule
		proposals []plan.Proposal
		asker     string
		want      []string
		why       string
	}{
		"nothing proposed": {reason: "Nothing moves unasked.", seen: together, rules: sqlRule()},
		"a violation": {
			reason: "To the host with the fewest machines; the first of the proposal goes first.",
			seen:   together, rules: sqlRule(), proposals: moveB, want: bTo("hv01"),
		},
		"apart again": {
			reason: "Somebody mended it meanwhile: a move for nothing disrupts.",
			seen:   func(*hyperv.Snapshot) {}, rules: sqlRule(), proposals: moveB, why: "SQL-B shares its host with nothing that it should not",
		},
		"a host silent": {
			reason: "What it runs is not known.",
			seen:   all(together, hv03Silent), rules: sqlRule(), proposals: moveB, why: "not every host can be seen",
		},
		"one migrating": {
			reason: "A restart of the manager forgets no move that is under way.",
			seen:   all(together, vm(idA, func(m *hyperv.Machine) { m.OperationalStatus = []string{"MigratingVirtualMachine"} })),
			rules:  sqlRule(), proposals: moveB, why: "SQL-A is migrating",
		},
		"one pending": {
			reason: "It is between two states.",
			seen:   all(together, group(idA, func(g *hyperv.Group) { g.State = "Pending" })), rules: sqlRule(), proposals: moveB, why: "SQL-A is changing state",
		},
		"one unmonitored": {
			reason: "Its host is out of sight and may lose it.",
			seen:   all(together, group(idA, func(g *hyperv.Group) { g.Status = []string{"Unmonitored"} })), rules: sqlRule(), proposals: moveB, why: "SQL-A is changing state",
		},
		"one of another guest cluster migrating": {
			reason: "One disruptive step at a time on a host cluster.",
			seen:   all(together, vm(idForeign, func(m *hyperv.Machine) { m.OperationalStatus = []string{"MigratingVirtualMachine"} })),
			rules:  append(sqlRule(), plan.Rule{GuestCluster: "payments/dtc", VMIDs: []string{idForeign}}), proposals: moveB, why: "machine legacy is migrating",
		},
		"a foreign one migrating": {
			reason: "What others do with their machines is theirs.",
			seen:   all(together, vm(idForeign, func(m *hyperv.Machine) { m.OperationalStatus = []string{"MigratingVirtualMachine"} })),
			rules:  sqlRule(), proposals: moveB, want: bTo("hv01"),
		},
		"a sibling without heartbeat": {
			reason: "Moving the other would leave nobody.",
			seen:   all(together, vm(idA, func(m *hyperv.Machine) { m.Heartbeat = "LostCommunication" })), rules: sqlRule(), proposals: moveB[:1:1],
			why: "another member of payments/sql has no good heartbeat",
		},
		"a sibling off": {
			reason: "Moving the other would leave nobody.",
			seen:   all(together, vm(idA, func(m *hyperv.Machine) { m.State = "Off" })), rules: sqlRule(), proposals: moveB,
			why: "another member of payments/sql has no good heartbeat",
		},
		"a sibling gone": {
			reason: "Moving the other would leave nobody.",
			seen:   all(together, func(s *hyperv.Snapshot) { dropMachine(s, idA) }), rules: sqlRule(), proposals: []plan.Proposal{{Key: "k", VMIDs: []string{idB}}},
			why: "another member of payments/sql has no good heartbeat",
		},
		"itself without heartbeat": {
			reason: "A guest that does not answer may be in the middle of something.",
			seen:   all(together, vm(idB, func(m *hyperv.Machine) { m.Heartbeat = "NoContact" })), rules: sqlRule(), proposals: []plan.Proposal{{Key: "k", VMIDs: []string{idB}}},
			why: "SQL-B has no good heartbeat",
		},
		"itself backing up": {
			reason: "It may not be moved meanwhile.",
			seen:   all(together, vm(idB, func(m *hyperv.Machine) { m.OperationalStatus = []string{"BackingUpVirtualMachine"} })), rules: sqlRule(), proposals: []plan.Proposal{{Key: "k", VMIDs: []string{idB}}},
			why: "SQL-B has no good heartbeat",
		},
		"unread": {
			reason: "How much memory it needs is not known.",
			seen:   all(together, vm(idB, func(m *hyperv.Machine) { m.Configuration = nil })), rules: sqlRule(), proposals: []plan.Proposal{{Key: "k", VMIDs: []string{idB}}},
			why: "the machine cannot be seen",
		},
		"not there": {
			reason: "A proposal may be older than the machine's end.",
			seen:   together, rules: sqlRule(), proposals: []plan.Proposal{{Key: "k", VMIDs: []string{"x"}}}, why: "the machine cannot be seen",
		},
		"of no guest cluster": {
			reason: "What is not ours is never moved.",
			seen:   together, rules: []plan.Rule{{GuestCluster: "payments/sql", VMIDs: []string{idA}}}, proposals: []plan.Proposal{{Key: "k", VMIDs: []string{idB}}},
			why: "SQL-B is no member of a guest cluster",
		},
		"without its stamp": {
			reason: "A recorded id alone does not make it ours.",
			seen:   all(together, func(s *hyperv.Snapshot) { dropFolder(s, folderB) }), rules: sqlRule(), proposals: []plan.Proposal{{Key: "k", VMIDs: []string{idB}}},
			why: "machine payments.SQL-B is no member of a guest cluster",
		},
		"breaks another rule": {
			reason: "The target is free of every class of the machine, whoever's: two rules play no ping-pong.",
			seen: all(together, dtc, group(idB, func(g *hyperv.Group) { g.ClassNames = append(g.ClassNames, "payments-apart") }),
				func(s *hyperv.Snapshot) { s.Hosts[0].State = hyperv.HostPaused }),
			rules: sqlRule(), proposals: []plan.Proposal{{Key: "k", VMIDs: []string{idB}}}, why: "no other host is free of its anti-affinity classes",
		},
		"the first has nowhere to go, the second has": {
			reason: "Any member that makes it right will do.",
			seen: all(together, dtc, group(idB, func(g *hyperv.Group) { g.ClassNames = append(g.ClassNames, "payments-apart") }),
				func(s *hyperv.Snapshot) { s.Hosts[0].State = hyperv.HostPaused }),
			rules: sqlRule(), proposals: moveB,
			want: []string{
				"payments/sql: move/" + idA + ": live-migrate payments.SQL-A from hv02 to hv03 (Migrating), on hv02",
				"    Move-ClusterVirtualMachineRole -MigrationType Live -Node hv03 -VMId " + idA + " -Wait 0",
			},
		},
		"too little memory": {
			reason: "It would not start there.",
			seen:   all(together, func(s *hyperv.Snapshot) { s.Hosts[0].FreeMemoryBytes = gib }), rules: sqlRule(), proposals: moveB, want: bTo("hv03"),
		},
		"no switch": {
			reason: "It would lose its network.",
			seen:   all(together, func(s *hyperv.Snapshot) { s.Hosts[0].Switches = s.Hosts[0].Switches[:1] }), rules: sqlRule(), proposals: moveB, want: bTo("hv03"),
		},
		"an old host": {
			reason: "It cannot run this version.",
			seen:   all(together, func(s *hyperv.Snapshot) { s.Hosts[0].SupportedVersions = []string{"9.0"} }), rules: sqlRule(), proposals: moveB, want: bTo("hv03"),
		},
		"a host gone": {
			reason: "It takes nobody.",
			seen:   all(together, func(s *hyperv.Snapshot) { s.Hosts[0] = hyperv.Host{Name: "hv01", State: hyperv.HostDown, Gone: true} }), rules: sqlRule(), proposals: moveB, want: bTo("hv03"),
		},
		"asked from another namespace": {
			reason: "Names of other namespaces are nobody's to see.",
			seen:   all(together, vm(idA, func(m *hyperv.Machine) { m.OperationalStatus = []string{"MigratingVirtualMachine"} })),
			rules:  sqlRule(), proposals: moveB, asker: "web/shop", why: "a machine of another namespace is migrating",
		},
		"asked from another namespace, one pending": {
			reason: "A role is called after its namespace.",
			seen:   all(together, group(idA, func(g *hyperv.Group) { g.State = "Pending" })), rules: sqlRule(), proposals: moveB, asker: "web/shop",
			why: "a machine of another namespace is changing state",
		},
		"asked from another namespace, a sibling off": {
			reason: "Nor are the names of their guest clusters.",
			seen:   all(together, vm(idA, func(m *hyperv.Machine) { m.State = "Off" })), rules: sqlRule(), proposals: moveB, asker: "web/shop",
			why: "a machine of another namespace has no good heartbeat",
		},
		"why not one's own": {
			reason: "Who asks is told of its own machines, whoever else waits.",
			seen:   func(*hyperv.Snapshot) {}, rules: sqlRule(),
			proposals: []plan.Proposal{{Key: "a/first", VMIDs: []string{"x"}}, {Key: "payments/sql", VMIDs: []string{idB}}},
			why:       "SQL-B shares its host with nothing that it should not",
		},
		"two proposals": {
			reason: "One move only, of the proposal whose key comes first.",
			seen:   together, rules: sqlRule(), proposals: []plan.Proposal{{Key: "z", VMIDs: []string{idA}}, {Key: "payments/sql", VMIDs: []string{idB}}}, want: bTo("hv01"),
		},
		"two proposals, the first not possible": {
			reason: "One that has to wait holds up nobody.",
			seen:   together, rules: sqlRule(), proposals: []plan.Proposal{{Key: "a", VMIDs: []string{idForeign}}, {Key: "payments/sql", VMIDs: []string{idB}}}, want: bTo("hv01"),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := rack()
			tc.seen(s)
			asker := "payments/sql"
			if tc.asker != "" {
				asker = tc.asker
			}
			admitted, why := plan.Admit(s, tc.rules, tc.proposals, asker)
			var got []string
			if admitted != nil {
				got = show(plan.Plan{Steps: []plan.Step{admitted.Step}})
				got[0] = admitted.Key + ": " + got[0]
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if why != tc.why {
				t.Errorf("%s\nit says %q, want %q", tc.reason, why, tc.why)
			}
		})
	}
	if admitted, why := plan.Admit(nil, sqlRule(), moveB, "payments/sql"); admitted != nil || why != "not every host can be seen" {
		t.Errorf("without a snapshot %v is admitted, and it says %q", admitted, why)
	}
}
