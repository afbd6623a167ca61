package status_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/status"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 500, time.UTC)

// kind is a kind's declared conditions, those that Ready is made of and those that inform.
type kind struct {
	declared, parts, informing []v1alpha1.ConditionType
}

var kinds = []kind{
	{v1alpha1.HostClusterConditions, []v1alpha1.ConditionType{v1alpha1.ConditionConnected, v1alpha1.ConditionCapable, v1alpha1.ConditionStorageReady}, nil},
	{
		v1alpha1.GuestClusterConditions, []v1alpha1.ConditionType{v1alpha1.ConditionMachinesReady, v1alpha1.ConditionStorageReady, v1alpha1.ConditionNetworksReady},
		[]v1alpha1.ConditionType{v1alpha1.ConditionAvailable, v1alpha1.ConditionPlacementSatisfied},
	},
	{v1alpha1.SharedDiskConditions, []v1alpha1.ConditionType{v1alpha1.ConditionProvisioned}, []v1alpha1.ConditionType{v1alpha1.ConditionAttached}},
	{v1alpha1.AntiAffinityGroupConditions, []v1alpha1.ConditionType{v1alpha1.ConditionRuleApplied}, []v1alpha1.ConditionType{v1alpha1.ConditionSatisfied}},
}

func reasons() *rapid.Generator[v1alpha1.Reason] {
	var all []v1alpha1.Reason
	for _, actor := range []v1alpha1.Actor{v1alpha1.ActorNobody, v1alpha1.ActorOperator, v1alpha1.ActorUser, v1alpha1.ActorPlatformTeam} {
		all = append(all, v1alpha1.Reasons(actor)...)
	}
	return rapid.SampledFrom(all)
}

func messages() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.Just(""), rapid.Just("moving SQL-B to hv04"), rapid.Just("a line\r\n"),
		rapid.Map(rapid.IntRange(500, 520), func(n int) string { return strings.Repeat("ä", n/2) + strings.Repeat("x", n%2) + "Ende" }),
		rapid.StringN(0, 40, 2000),
	)
}

func facts(t *rapid.T, types []v1alpha1.ConditionType) map[v1alpha1.ConditionType]status.Fact {
	out := map[v1alpha1.ConditionType]status.Fact{}
	for _, c := range types {
		if rapid.IntRange(0, 4).Draw(t, "looked at") == 0 {
			continue
		}
		out[c] = status.Fact{
			Status: rapid.SampledFrom([]metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown, ""}).Draw(t, "status"),
			Reason: reasons().Draw(t, "reason"), Message: messages().Draw(t, "message"),
		}
	}
	return out
}

func findings() *rapid.Generator[status.Findings] {
	return rapid.Custom(func(t *rapid.T) status.Findings {
		k := rapid.SampledFrom(kinds).Draw(t, "kind")
		f := status.Findings{
			Declared: k.declared, Parts: facts(t, k.parts), Informing: facts(t, k.informing),
			Paused: rapid.IntRange(0, 3).Draw(t, "paused") == 0,
		}
		for range rapid.IntRange(0, 2).Draw(t, "waits") {
			f.Doing = append(f.Doing, plan.Wait{Reason: reasons().Draw(t, "reason"), Message: messages().Draw(t, "message")})
		}
		for range rapid.IntRange(0, 1).Draw(t, "blocks") {
			f.Blocks = append(f.Blocks, plan.Block{Reason: reasons().Draw(t, "reason"), Message: messages().Draw(t, "message")})
		}
		return f
	})
}

func of(conditions []metav1.Condition, t v1alpha1.ConditionType) metav1.Condition {
	for _, c := range conditions {
		if c.Type == string(t) {
			return c
		}
	}
	return metav1.Condition{}
}

// The invariants of conditions, whatever was found out.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := findings().Draw(t, "findings")
		generation := rapid.Int64Range(1, 9).Draw(t, "generation")
		conditions := f.Conditions(nil, generation, noon)

		var types []v1alpha1.ConditionType
		for _, c := range conditions {
			types = append(types, v1alpha1.ConditionType(c.Type))
			if err := valid(c, generation); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(f.Declared, types); diff != "" {
			t.Fatalf("every declared condition is there, in its order (-want +got):\n%s", diff)
		}
		if err := kstatus(f, conditions); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(conditions, f.Conditions(nil, generation, noon)); diff != "" {
			t.Fatalf("the same findings give the same conditions (-once +again):\n%s", diff)
		}
	})
}

func valid(c metav1.Condition, generation int64) error {
	switch {
	case !slices.Contains([]metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown}, c.Status):
		return fmt.Errorf("%s has status %q", c.Type, c.Status)
	case v1alpha1.Reason(c.Reason).Actor() == "":
		return fmt.Errorf("%s has reason %q, which is not of the closed set", c.Type, c.Reason)
	case len(c.Message) > 512 || strings.TrimSpace(c.Message) != c.Message || !utf8.ValidString(c.Message):
		return fmt.Errorf("%s has message %q", c.Type, c.Message)
	case c.ObservedGeneration != generation:
		return fmt.Errorf("%s is of generation %d, want %d", c.Type, c.ObservedGeneration, generation)
	default:
		return nil
	}
}

func kstatus(f status.Findings, conditions []metav1.Condition) error {
	ready, reconciling, stalled := of(conditions, v1alpha1.ConditionReady), of(conditions, v1alpha1.ConditionReconciling), of(conditions, v1alpha1.ConditionStalled)
	at, stuck := reconciling.Status == metav1.ConditionTrue, stalled.Status == metav1.ConditionTrue
	switch {
	case at && stuck:
		return fmt.Errorf("it is both reconciling and stalled: %v", conditions)
	case ready.Status == metav1.ConditionTrue && stuck:
		return fmt.Errorf("it is ready and stalled: %v", conditions)
	case ready.Status != metav1.ConditionTrue && !f.Paused && at == stuck:
		return fmt.Errorf("it is not ready, and nobody knows who is at it: %v", conditions)
	case f.Paused && (at || stuck):
		return fmt.Errorf("it is paused and yet at work: %v", conditions)
	case len(f.Blocks) > 0 && !f.Paused && !stuck:
		return fmt.Errorf("somebody must act and is not told: %v", conditions)
	}
	for t, part := range f.Parts {
		if ready.Status == metav1.ConditionTrue && part.Status != metav1.ConditionTrue {
			return fmt.Errorf("it is ready although %s is %q", t, part.Status)
		}
	}
	if len(f.Parts) == 0 && ready.Status == metav1.ConditionTrue {
		return fmt.Errorf("it is ready although nothing was looked at")
	}
	return nil
}

func TestTransitionTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := findings().Draw(t, "first")
		second := findings().Draw(t, "second")
		second.Declared = first.Declared
		before := first.Conditions(nil, 1, noon)
		after := second.Conditions(before, 2, noon.Add(time.Hour))
		for i, c := range after {
			moved := c.Status != before[i].Status
			if got := !c.LastTransitionTime.Equal(&before[i].LastTransitionTime); got != moved {
				t.Fatalf("%s went from %s to %s, and its time moved: %v", c.Type, before[i].Status, c.Status, got)
			}
		}
	})
}

func TestConditions(t *testing.T) {
	type facts = map[v1alpha1.ConditionType]status.Fact
	fine := status.True(v1alpha1.ReasonSucceeded, "")
	allFine := facts{v1alpha1.ConditionMachinesReady: fine, v1alpha1.ConditionStorageReady: fine, v1alpha1.ConditionNetworksReady: fine}
	with := func(t v1alpha1.ConditionType, f status.Fact) facts {
		out := maps.Clone(allFine)
		out[t] = f
		return out
	}
	doing := []plan.Wait{{Reason: v1alpha1.ReasonMigrating, Message: "moving SQL-B to hv04"}, {Reason: v1alpha1.ReasonCreating, Message: "later"}}
	blocks := []plan.Block{{Reason: v1alpha1.ReasonMemberLost, Message: "SQL-B is gone"}}
	starting := status.False(v1alpha1.ReasonStarting, "SQL-A is starting on hv01")
	unseen := status.Unknown(v1alpha1.ReasonObservationIncomplete, "SQL-B cannot be seen")
	cases := map[string]struct {
		reason                      string
		findings                    status.Findings
		ready, reconciling, stalled string
	}{
		"as asked":            {"Nothing is to be done.", status.Findings{Parts: allFine}, "True Succeeded ", "False Succeeded ", "False Succeeded "},
		"ready, repairing":    {"What informs may be mended while it is ready.", status.Findings{Parts: allFine, Doing: doing}, "True Succeeded ", "True Migrating moving SQL-B to hv04", "False Succeeded "},
		"not ready":           {"The part that is not says why.", status.Findings{Parts: with(v1alpha1.ConditionMachinesReady, starting)}, "False Starting SQL-A is starting on hv01", "True Starting SQL-A is starting on hv01", "False Succeeded "},
		"not ready, doing":    {"What is being done is the better word.", status.Findings{Parts: with(v1alpha1.ConditionMachinesReady, starting), Doing: doing}, "False Starting SQL-A is starting on hv01", "True Migrating moving SQL-B to hv04", "False Succeeded "},
		"out of sight":        {"What cannot be seen is unknown.", status.Findings{Parts: with(v1alpha1.ConditionNetworksReady, unseen)}, "Unknown ObservationIncomplete SQL-B cannot be seen", "True ObservationIncomplete SQL-B cannot be seen", "False Succeeded "},
		"False beats Unknown": {"A fault that is seen counts more than one that may be.", status.Findings{Parts: facts{v1alpha1.ConditionMachinesReady: unseen, v1alpha1.ConditionStorageReady: starting}}, "False Starting SQL-A is starting on hv01", "True Starting SQL-A is starting on hv01", "False Succeeded "},
		"blocked":             {"Who must act is told, and ready it is not, whatever the parts say.", status.Findings{Parts: allFine, Doing: doing, Blocks: blocks}, "False MemberLost SQL-B is gone", "False MemberLost ", "True MemberLost SQL-B is gone"},
		"paused":              {"Nothing is done, and what is seen is told.", status.Findings{Parts: with(v1alpha1.ConditionMachinesReady, starting), Doing: doing, Blocks: blocks, Paused: true}, "False Starting SQL-A is starting on hv01", "False Paused management is Paused: nothing is changed on the hosts", "False Succeeded "},
		"nothing known":       {"Before the first look nothing is known.", status.Findings{}, "Unknown Unknown not looked at yet", "True Unknown not looked at yet", "False Succeeded "},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.findings.Declared = v1alpha1.GuestClusterConditions
			conditions := tc.findings.Conditions(nil, 3, noon)
			want := map[v1alpha1.ConditionType]string{v1alpha1.ConditionReady: tc.ready, v1alpha1.ConditionReconciling: tc.reconciling, v1alpha1.ConditionStalled: tc.stalled}
			got := map[v1alpha1.ConditionType]string{}
			for c := range want {
				found := of(conditions, c)
				got[c] = fmt.Sprintf("%s %s %s", found.Status, found.Reason, found.Message)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	condition := func(t v1alpha1.ConditionType, s metav1.ConditionStatus, reason v1alpha1.Reason, message string) metav1.Condition {
		return metav1.Condition{Type: string(t), Status: s, Reason: string(reason), Message: message}
	}
	notReady := condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonStarting, "not ready")
	unavailable := condition(v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonStarting, "not available")
	reconciling := condition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonMigrating, "moving")
	violated := condition(v1alpha1.ConditionPlacementSatisfied, metav1.ConditionFalse, v1alpha1.ReasonViolated, "members share a host")
	attaching := condition(v1alpha1.ConditionAttached, metav1.ConditionFalse, v1alpha1.ReasonAttaching, "attaching")
	cases := map[string]struct {
		reason     string
		conditions []metav1.Condition
		want       string
	}{
		"nothing to tell":   {"All is well.", []metav1.Condition{condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "")}, ""},
		"not ready first":   {"That matters most.", []metav1.Condition{violated, reconciling, unavailable, notReady}, "not ready"},
		"then available":    {"Then the service.", []metav1.Condition{violated, reconciling, unavailable}, "not available"},
		"then what is done": {"Then what is being done.", []metav1.Condition{attaching, violated, reconciling}, "moving"},
		"then what informs": {"Then the rest.", []metav1.Condition{attaching, violated}, "members share a host"},
		"a rule":            {"A rule informs of its own.", []metav1.Condition{condition(v1alpha1.ConditionSatisfied, metav1.ConditionFalse, v1alpha1.ReasonViolated, "apart")}, "apart"},
		"a disk":            {"A disk informs of its own.", []metav1.Condition{attaching}, "attaching"},
		"an unclaimed disk": {"That nobody uses it is nothing to tell.", []metav1.Condition{condition(v1alpha1.ConditionAttached, metav1.ConditionFalse, v1alpha1.ReasonUnclaimed, "no guest cluster uses the disk")}, ""},
		"paused":            {"That nothing is done is to be told.", []metav1.Condition{condition(v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonPaused, "paused"), violated}, "paused"},
		"settled":           {"Not reconciling tells nothing.", []metav1.Condition{condition(v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonSucceeded, "x"), violated}, "members share a host"},
		"unknown":           {"Unknown is not True.", []metav1.Condition{condition(v1alpha1.ConditionReady, metav1.ConditionUnknown, v1alpha1.ReasonUnknown, "cannot be seen")}, "cannot be seen"},
		"without words":     {"A condition without words gives way.", []metav1.Condition{condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonStarting, ""), reconciling}, "moving"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := status.Summary(tc.conditions); got != tc.want {
				t.Errorf("%s\ngot %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestLongMessages(t *testing.T) {
	for name, message := range map[string]string{
		"just fits": strings.Repeat("x", 512), "one more": strings.Repeat("x", 513), "umlauts": strings.Repeat("ä", 300), "enormous": strings.Repeat("ä", 1<<20),
	} {
		f := status.Findings{Declared: v1alpha1.SharedDiskConditions, Blocks: []plan.Block{{Reason: v1alpha1.ReasonDiskLost, Message: message}}}
		got := of(f.Conditions(nil, 1, noon), v1alpha1.ConditionStalled).Message
		if len(got) > 512 || !utf8.ValidString(got) || len(message) > 512 && !strings.HasSuffix(got, "...") || len(message) <= 512 && got != message {
			t.Errorf("%s: %d bytes became %d that end in %q", name, len(message), len(got), got[len(got)-5:])
		}
	}
}
