// Package status turns what was found out about an object into its conditions, and writes them: once per reconcile, and
// not at all when nothing changed.
package status

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/plan"
)

// messageLimit keeps a message readable in a terminal and below the API's bound.
const messageLimit = 512

// Fact is what is known about one condition.
type Fact struct {
	Status  metav1.ConditionStatus
	Reason  v1alpha1.Reason
	Message string
}

// True is a fact that holds.
func True(reason v1alpha1.Reason, message string) Fact {
	return Fact{Status: metav1.ConditionTrue, Reason: reason, Message: message}
}

// False is a fact that does not hold.
func False(reason v1alpha1.Reason, message string) Fact {
	return Fact{Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

// Unknown is a fact that cannot be seen.
func Unknown(reason v1alpha1.Reason, message string) Fact {
	return Fact{Status: metav1.ConditionUnknown, Reason: reason, Message: message}
}

// Findings are everything that the conditions of one object are made of.
type Findings struct {
	// Declared are the condition types of the kind, in the order in which they stand in status.
	Declared []v1alpha1.ConditionType
	// Parts are the facts that Ready is made of; Informing those that it is not.
	Parts, Informing map[v1alpha1.ConditionType]Fact
	// Doing is what is being done or waited for; Blocks what somebody must mend. Doing is nil when nothing is.
	Doing  []plan.Wait
	Blocks []plan.Block
	// Paused is whether nothing is done because management is Paused.
	Paused bool
}

// Conditions makes all conditions of the object anew. A condition whose status is as before keeps its transition time.
func (f Findings) Conditions(before []metav1.Condition, generation int64, now time.Time) []metav1.Condition {
	facts := map[v1alpha1.ConditionType]Fact{}
	maps.Copy(facts, f.Parts)
	maps.Copy(facts, f.Informing)
	facts[v1alpha1.ConditionReady] = f.ready()
	facts[v1alpha1.ConditionStalled] = f.stalled()
	facts[v1alpha1.ConditionReconciling] = f.reconciling(facts[v1alpha1.ConditionReady])
	out := make([]metav1.Condition, 0, len(f.Declared))
	for _, t := range f.Declared {
		out = append(out, condition(t, known(facts[t]), before, generation, now))
	}
	return out
}

// known makes a fact of nothing: what was not looked at is unknown.
func known(f Fact) Fact {
	if f.Status == "" {
		return Unknown(v1alpha1.ReasonUnknown, "not looked at yet")
	}
	return f
}

func condition(t v1alpha1.ConditionType, fact Fact, before []metav1.Condition, generation int64, now time.Time) metav1.Condition {
	c := metav1.Condition{
		Type: string(t), Status: fact.Status, Reason: string(cmp.Or(fact.Reason, v1alpha1.ReasonUnknown)),
		Message: clip(fact.Message), ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	}
	i := slices.IndexFunc(before, func(b metav1.Condition) bool { return b.Type == c.Type })
	if i >= 0 && before[i].Status == c.Status {
		c.LastTransitionTime = before[i].LastTransitionTime
	}
	return c
}

// clip keeps a message on its line and below the limit, without cutting a character in two.
func clip(message string) string {
	return cut(strings.TrimSpace(message), messageLimit)
}

func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len("...")
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "..."
}

// ready: a block makes it False whatever else holds, since Ready and Stalled are never both True; then the parts decide.
func (f Findings) ready() Fact {
	if len(f.Blocks) > 0 && !f.Paused {
		return False(f.Blocks[0].Reason, f.Blocks[0].Message)
	}
	worst := Fact{}
	for _, t := range f.Declared {
		part, ok := f.Parts[t]
		if !ok {
			continue
		}
		part = known(part)
		if part.Status == metav1.ConditionFalse {
			return part
		}
		if worst.Status != metav1.ConditionUnknown {
			worst = part
		}
	}
	if worst.Status == metav1.ConditionTrue {
		return True(v1alpha1.ReasonSucceeded, "")
	}
	// Without a part that was looked at, nothing is known.
	return known(worst)
}

func (f Findings) stalled() Fact {
	switch {
	case len(f.Blocks) > 0 && !f.Paused:
		return True(f.Blocks[0].Reason, f.Blocks[0].Message)
	default:
		return False(v1alpha1.ReasonSucceeded, "")
	}
}

// reconciling: what is not ready and not stalled is being worked on, even when all that can be done is to look again.
func (f Findings) reconciling(ready Fact) Fact {
	switch {
	case f.Paused:
		return False(v1alpha1.ReasonPaused, "management is Paused: nothing is changed on the hosts")
	case len(f.Blocks) > 0:
		return False(f.Blocks[0].Reason, "")
	case len(f.Doing) > 0:
		return True(f.Doing[0].Reason, f.Doing[0].Message)
	case ready.Status != metav1.ConditionTrue:
		return True(ready.Reason, ready.Message)
	default:
		return False(v1alpha1.ReasonSucceeded, "")
	}
}

// Summary is the message of the first condition that a reader wants to know of: that management is Paused, Ready not True,
// Available not True, Reconciling, then an informing condition that is not True.
func Summary(conditions []metav1.Condition) string {
	return cmp.Or(
		paused(conditions),
		notTrue(conditions, v1alpha1.ConditionReady),
		notTrue(conditions, v1alpha1.ConditionAvailable),
		doing(conditions),
		notTrue(conditions, v1alpha1.ConditionPlacementSatisfied),
		notTrue(conditions, v1alpha1.ConditionSatisfied),
		notTrue(conditions, v1alpha1.ConditionAttached),
	)
}

// notTrue is the message of a condition that is not True. That nobody uses a disk is nothing to tell.
func notTrue(conditions []metav1.Condition, t v1alpha1.ConditionType) string {
	c := find(conditions, t)
	if c == nil || c.Status == metav1.ConditionTrue || c.Reason == string(v1alpha1.ReasonUnclaimed) {
		return ""
	}
	return c.Message
}

// doing is what is being done, or that nothing is because somebody said so.
// paused comes before all else: what is not ready stays so.
func paused(conditions []metav1.Condition) string {
	if c := find(conditions, v1alpha1.ConditionReconciling); c != nil && c.Reason == string(v1alpha1.ReasonPaused) {
		return c.Message
	}
	return ""
}

func doing(conditions []metav1.Condition) string {
	c := find(conditions, v1alpha1.ConditionReconciling)
	if c == nil || c.Status != metav1.ConditionTrue && c.Reason != string(v1alpha1.ReasonPaused) {
		return ""
	}
	return c.Message
}
