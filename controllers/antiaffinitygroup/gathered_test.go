package antiaffinitygroup

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
)

func TestAnswer(t *testing.T) {
	own := &plan.Admission{Key: "payments/sql", VMID: "b", To: "hv03", Step: plan.Step{Describe: "live-migrate payments.SQL-B from hv02 to hv03"}}
	other := &plan.Admission{Key: "web/shop", VMID: "s", To: "hv03"}
	refusal := &hostagent.CallError{Category: "ResourceBusy", Message: "web.SHOP-1 is busy."}
	type told struct {
		Reason   v1alpha1.Reason
		Message  string
		Admitted string
		Again    bool
	}
	for name, tc := range map[string]struct {
		reason   string
		admitted *plan.Admission
		why      string
		err      error
		want     told
	}{
		"its own":               {"The migration is told as an event, too.", own, "", nil, told{v1alpha1.ReasonMigrating, "moving SQL-B to hv03", own.Step.Describe, false}},
		"its own, refused":      {"The host's words help its owner.", own, "", refusal, told{v1alpha1.ReasonHostFailed, "the host refused a migration: " + refusal.Error(), "", true}},
		"its own, answer lost":  {"It is looked at before anything else.", own, "", &hostagent.Error{Class: hostagent.OutcomeUnknown, Op: "run", Err: errors.New("reset")}, told{v1alpha1.ReasonVerifyingOutcome, "the answer to a migration was lost; looking before anything is done again", "", false}},
		"another one's":         {"One at a time.", other, "", nil, told{v1alpha1.ReasonWaitingForHost, "another migration on these hosts goes first", "", true}},
		"another one's, failed": {"The host's words name what is not this namespace's to see.", other, "", refusal, told{v1alpha1.ReasonWaitingForHost, "another migration on these hosts goes first", "", true}},
		"nothing admitted":      {"It says why.", nil, "SQL-A has no good heartbeat", nil, told{v1alpha1.ReasonWaitingForHost, "not moved now: SQL-A has no good heartbeat", "", true}},
	} {
		t.Run(name, func(t *testing.T) {
			g := gathered{want: plan.AntiAffinityGroup{Members: []plan.PlacedMember{{Name: "SQL-B", VMID: "B"}}}}
			g.answer(tc.admitted, tc.why, tc.err, "payments/sql")
			if diff := cmp.Diff(tc.want, told{g.repairing.Reason, g.repairing.Message, g.admitted, g.refused}); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// A new member gets the class name, which is nothing to tell; one that had it gets it back.
func TestStripped(t *testing.T) {
	placed := func(name string) plan.PlacedMember {
		return plan.PlacedMember{GuestCluster: "sql", Name: name, VMID: name}
	}
	g := gathered{
		group: &v1alpha1.AntiAffinityGroup{Status: v1alpha1.AntiAffinityGroupStatus{Members: []v1alpha1.PlacedMember{
			{GuestCluster: "sql", Name: "HAS"}, {GuestCluster: "sql", Name: "LOST"}, {GuestCluster: "sql", Name: "UNSEEN"}, {GuestCluster: "dtc", Name: "NEW"},
		}}},
		want: plan.AntiAffinityGroup{ClassName: "apart", Members: []plan.PlacedMember{placed("HAS"), placed("LOST"), placed("UNSEEN"), placed("NEW")}},
		hosts: hostref.Hosts{Seen: &hyperv.Snapshot{Cluster: &hyperv.Cluster{Quorate: true}, Groups: []hyperv.Group{
			{VMID: "HAS", ClassNames: []string{"other", "apart"}}, {VMID: "LOST", ClassNames: []string{"other"}}, {VMID: "NEW"},
		}}},
	}
	if diff := cmp.Diff([]string{"LOST"}, g.stripped()); diff != "" {
		t.Errorf("members whose class name somebody took (-want +got):\n%s", diff)
	}
}
