// Package plan decides: from what is wanted and what was seen, what to do now. It is pure and total: no I/O, no clock,
// no randomness, and an answer for every input.
//
// What is wanted comes resolved: names have become paths, switches and addresses, and the ids of what was made before
// stand beside it. What was seen is one hyperv.Snapshot. The answer is a Plan: steps to take now, what is waited for,
// or a block that says who must act.
//
// The rules that hold everywhere, each a property test:
//
//   - nothing differs, nothing is planned;
//   - absence is believed only from a complete snapshot, and a loss only from two;
//   - what is not ours by stamp and recorded id together is never changed;
//   - nothing disruptive is planned while a fact it relies on is unknown;
//   - the same input gives the same plan.
package plan

import (
	"slices"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
)

// Plan is what to do for one object now. Steps of one plan are independent of each other.
type Plan struct {
	Steps []Step
	Waits []Wait
	// Blocks say what somebody must mend; what can go on beside them is still in Steps.
	Blocks []Block
}

// Step is one batch with its purpose.
type Step struct {
	// Key is the same for the same step of the same object in every plan.
	Key string
	// Reason for conditions and events: an active one of the closed set, such as Creating.
	Reason v1alpha1.Reason
	// Describe says in one line what the step does.
	Describe string
	Batch    hostagent.Batch
}

// Wait is something that passes by itself.
type Wait struct {
	Reason  v1alpha1.Reason
	Message string
}

// Block is something that a person must mend.
type Block struct {
	Reason  v1alpha1.Reason
	Message string
}

func (p *Plan) step(s Step) { p.Steps = append(p.Steps, s) }

func (p *Plan) wait(reason v1alpha1.Reason, message string) {
	p.Waits = append(p.Waits, Wait{Reason: reason, Message: message})
}

func (p *Plan) block(reason v1alpha1.Reason, message string) {
	p.Blocks = append(p.Blocks, Block{Reason: reason, Message: message})
}

// blockOnce is block for what concerns several members alike.
func (p *Plan) blockOnce(reason v1alpha1.Reason, message string) {
	if !slices.Contains(p.Blocks, Block{Reason: reason, Message: message}) {
		p.block(reason, message)
	}
}

// AwaitsRoom reports whether the plan goes on once there is memory or space, which comes without a word: who waits for it
// looks again.
func (p Plan) AwaitsRoom() bool {
	return slices.ContainsFunc(p.Waits, func(w Wait) bool { return w.Reason == v1alpha1.ReasonWaitingForHost }) ||
		slices.ContainsFunc(p.Blocks, func(b Block) bool { return b.Reason == v1alpha1.ReasonPoolFull })
}

// Empty reports whether nothing is to be done, waited for or mended.
func (p Plan) Empty() bool { return len(p.Steps)+len(p.Waits)+len(p.Blocks) == 0 }
