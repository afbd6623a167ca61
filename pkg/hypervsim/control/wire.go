package control

import (
	"fmt"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
)

// MaxEntries bounds the journal entries in one answer.
const MaxEntries = 5000

// Fault is a fault rule on the wire, where its delay is written as 1.5s or 4m.
type Fault struct {
	hypervsim.Fault
	Delay string `json:"delay,omitempty"`
}

// FaultOf gives a rule's wire form.
func FaultOf(rule hypervsim.Fault) Fault {
	f := Fault{Fault: rule}
	if rule.Delay != 0 {
		f.Delay = rule.Delay.String()
	}
	return f
}

// Rule gives back the rule. A delay that cannot be read is Invalid.
func (f Fault) Rule() (hypervsim.Fault, error) {
	rule := f.Fault
	if f.Delay == "" {
		return rule, nil
	}
	d, err := time.ParseDuration(f.Delay)
	if err != nil {
		return rule, fmt.Errorf("%w: delay is %q; write it as 1.5s or 4m", hostagent.Invalid, f.Delay)
	}
	rule.Delay = d
	return rule, nil
}

// FaultStatistics is a rule on the wire with what became of it.
type FaultStatistics struct {
	ID      string `json:"id"`
	Fault   Fault  `json:"fault"`
	Matched int    `json:"matched"`
	Hit     int    `json:"hit"`
}

// Added is the answer to a fault rule that was added.
type Added struct {
	ID string `json:"id"`
}
