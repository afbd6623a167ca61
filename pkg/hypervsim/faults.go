package hypervsim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// FaultKind is what a fault rule does to a call.
type FaultKind string

const (
	// DropBefore loses the connection before the call has its effect: it has none, and Run answers with an error.
	DropBefore FaultKind = "DropBefore"
	// DropAfter loses the connection after the call has had its effect.
	DropAfter FaultKind = "DropAfter"
	// Error lets the call fail with the rule's error and without an effect.
	Error FaultKind = "Error"
	// Delay lets the call take longer, by the rule's delay.
	Delay FaultKind = "Delay"
	// Hang lets the call wait, without an effect, until the caller gives up, the host fails or the rule is removed; in the
	// last case it then runs.
	Hang FaultKind = "Hang"
)

// Fault is a rule that injects faults into calls. Every condition that is not empty must hold.
type Fault struct {
	Host string `json:"host,omitempty"`
	// VM is the id or name of a machine: the rule is about calls inside its guest. A connection that is lost is the one with the
	// guest there. Without it a rule is about calls on hosts and in guests alike.
	VM string `json:"vm,omitempty"`
	// Cmdlet may be a named function too. Where a real PowerShell runs that, its calls are those of its text: New-StampedFolder,
	// Remove-StampedFolder, Start-Work and Set-AnswerFile are then the one cmdlet in each that has its effect.
	Cmdlet string `json:"cmdlet,omitempty"`
	// Object is a part of a text parameter, or of the name or id of a machine that the call is given.
	Object string `json:"object,omitempty"`
	// Skip lets that many matching calls pass first. Count is how many are hit after that; 0 means all.
	Skip  int       `json:"skip,omitempty"`
	Count int       `json:"count,omitempty"`
	Kind  FaultKind `json:"kind"`
	// Error is the call's error, for kind Error.
	Error hostagent.CallError `json:"error,omitzero"`
	// Delay on the world's clock, for kind Delay.
	Delay time.Duration `json:"delay,omitempty"`
}

// FaultStatistics is a rule with what became of it.
type FaultStatistics struct {
	ID    string `json:"id"`
	Fault Fault  `json:"fault"`
	// Matched counts the calls that the conditions held for, Hit those that the fault was done to.
	Matched int `json:"matched"`
	Hit     int `json:"hit"`
}

type faultRule struct {
	Fault
	id           string
	matched, did int
	removed      chan struct{}
}

var errInjected = errors.New("a fault was injected")

// AddFault adds a rule and gives its id. Of several rules that match a call the oldest is applied.
func (w *World) AddFault(f Fault) (string, error) {
	switch f.Kind {
	case DropBefore, DropAfter, Error, Delay, Hang:
	default:
		return "", fmt.Errorf("%w: fault kind %q: want DropBefore, DropAfter, Error, Delay or Hang", hostagent.Invalid, f.Kind)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if f.Host != "" && w.hostNamed(f.Host) == nil {
		return "", fmt.Errorf("%w: no host %q", hostagent.NotFound, f.Host)
	}
	if f.Error == (hostagent.CallError{}) {
		f.Error = asCallError(f.Cmdlet, errInjected)
	}
	w.faultSeq++
	rule := &faultRule{Fault: f, id: fmt.Sprintf("fault-%d", w.faultSeq), removed: make(chan struct{})}
	w.faults = append(w.faults, rule)
	return rule.id, nil
}

// RemoveFault removes a rule; calls that hang for it go on.
func (w *World) RemoveFault(id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.faults, func(f *faultRule) bool { return f.id == id })
	if i < 0 {
		return fmt.Errorf("%w: no fault %q", hostagent.NotFound, id)
	}
	close(w.faults[i].removed)
	w.faults = slices.Delete(w.faults, i, i+1)
	return nil
}

// Faults lists the rules, oldest first.
func (w *World) Faults() []FaultStatistics {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]FaultStatistics, len(w.faults))
	for i, f := range w.faults {
		out[i] = FaultStatistics{ID: f.id, Fault: f.Fault, Matched: f.matched, Hit: f.did}
	}
	return out
}

// hit finds the rule to apply to a call, or nil.
func (w *World) hit(c *call) *faultRule {
	var found *faultRule
	for _, f := range w.faults {
		if !f.matches(c) {
			continue
		}
		f.matched++
		if found != nil || f.matched <= f.Skip || f.Count > 0 && f.did >= f.Count {
			continue
		}
		f.did++
		found = f
	}
	return found
}

// effects names, for a named function, the cmdlet in it that has its effect, which no batch calls.
var effects = map[string]string{
	"new-stampedfolder": "new-item", "remove-stampedfolder": "remove-item", "start-work": "register-scheduledtask",
	"set-answerfile": "dismount-vhd",
}

func (f *faultRule) isAbout(cmdlet string) bool {
	return f.Cmdlet == "" || strings.EqualFold(f.Cmdlet, cmdlet) || strings.EqualFold(effects[strings.ToLower(f.Cmdlet)], cmdlet)
}

func (f *faultRule) matches(c *call) bool {
	if f.Host != "" && !strings.EqualFold(f.Host, c.host.name) || !f.isAbout(c.cmdlet) || !f.isInside(c) {
		return false
	}
	if f.Object == "" {
		return true
	}
	part := strings.ToLower(f.Object)
	for _, arg := range c.args {
		if mentions(arg, part) {
			return true
		}
	}
	return false
}

// isInside is whether a call is made in the guest that the rule is about, if it is about one.
func (f *faultRule) isInside(c *call) bool {
	if f.VM == "" {
		return true
	}
	return c.guest != nil && (strings.EqualFold(f.VM, c.guest.machine.name) || strings.EqualFold(f.VM, c.guest.machine.id))
}

func mentions(arg any, part string) bool {
	switch arg := arg.(type) {
	case string:
		return strings.Contains(strings.ToLower(arg), part)
	case []any:
		return slices.ContainsFunc(arg, func(e any) bool { return mentions(e, part) })
	case object:
		for _, name := range []string{"name", "vmname", "vmid", "id"} {
			if text, ok := arg.property(name).(string); ok && strings.Contains(strings.ToLower(text), part) {
				return true
			}
		}
	}
	return false
}

// interfere does a rule's fault to a call, and says whether the call still runs.
func (w *World) interfere(rule *faultRule, c *call, e *Entry) bool {
	if rule == nil {
		return true
	}
	e.Fault = string(rule.Kind)
	switch rule.Kind {
	case DropBefore:
		return c.lose(e)
	case Error:
		c.report(&rule.Fault.Error)
		c.settle(e)
		return false
	case Hang:
		return w.hang(rule, c, e)
	case Delay:
		c.sleep(rule.Fault.Delay)
		return true
	default:
		return true
	}
}

// hang waits until nobody waits any more, or the rule or the guest is gone.
func (w *World) hang(rule *faultRule, c *call, e *Entry) bool {
	var lost <-chan struct{}
	if c.guest != nil {
		lost = c.guest.lost
	}
	w.block(rule.removed, c.run.released, lost)
	if c.run.isOver || w.isClosed || !c.alive() {
		e.State = hostagent.Unknown
		return false
	}
	return true
}
