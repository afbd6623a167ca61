package hostagent

import (
	"fmt"
	"strings"
)

// Target is the machine that a batch runs on.
type Target struct {
	// Host is a node of the host cluster, by its computer name. Empty means: any host that answers.
	Host string `json:"host,omitempty"`
	// VM is the id of a virtual machine, when the batch runs inside its guest.
	VM string `json:"vm,omitempty"`
	// Credential is the guest's account; it travels with the session, never with a batch.
	Credential *Credential `json:"-"`
}

// String names the target for errors and logs.
func (t Target) String() string {
	switch {
	case t.VM != "":
		return "guest " + t.VM
	case t.Host == "":
		return "any host"
	default:
		return t.Host
	}
}

// Logon says with whose rights a batch runs on its target.
type Logon string

const (
	// LogonNetwork is the session's own network logon: the default.
	LogonNetwork Logon = "Network"
	// LogonSystem runs the batch as the machine itself, in a scheduled task.
	LogonSystem Logon = "System"
	// LogonExplicit runs the batch with a user's credential, for calls that act on other machines as a user.
	LogonExplicit Logon = "Explicit"
)

// OnError says what a failed call means to the calls after it.
type OnError string

const (
	// Stop leaves the calls after a failed one NotRun.
	Stop OnError = "Stop"
	// Continue runs every call.
	Continue OnError = "Continue"
)

// Batch is one round trip: calls that run in order on one target.
type Batch struct {
	Target Target `json:"target,omitzero"`
	Logon  Logon  `json:"logon,omitempty"`
	// Credential is the user's whom an Explicit batch runs as; no other batch has one.
	Credential *Credential `json:"credential,omitempty"`
	OnError    OnError     `json:"onError"`
	Calls      []Call      `json:"calls"`
}

// Call is one cmdlet, or one named function of the executor, with its parameters and the result properties wanted.
type Call struct {
	// ID is unique within the batch; results and Refs name it.
	ID     string `json:"id"`
	Cmdlet string `json:"cmdlet"`
	// Parameters by name. A switch parameter is a Bool.
	Parameters Parameters `json:"parameters,omitempty"`
	// Select lists the properties to return, as dotted paths; each value of the result has exactly these keys.
	// Lists on the way stay lists. Empty: nothing is returned but the state.
	Select []string `json:"select,omitempty"`
}

// Changes reports whether the call may change something. PowerShell's approved verbs Get and Test only read
// ("Approved Verbs for PowerShell Commands"); everything else is taken to change. A batch that is carried into a guest changes
// what its own calls change.
func (c Call) Changes() bool {
	if inside, carried := c.Carried(); carried {
		return inside.Changes()
	}
	verb, _, _ := strings.Cut(c.Cmdlet, "-")
	return verb != "Get" && verb != "Test"
}

// Carried is the batch that the call carries into a guest, if it carries one.
func (c Call) Carried() (Batch, bool) {
	nested, carried := c.Parameters["Batch"].(Nested)
	return nested.Batch, carried
}

// Changes reports whether any call of the batch may change something.
func (b Batch) Changes() bool {
	for _, c := range b.Calls {
		if c.Changes() {
			return true
		}
	}
	return false
}

// Validate refuses a batch that no executor could run: repeated or empty ids, Refs that do not point backwards, and a logon
// without what it takes.
func (b Batch) Validate() error {
	if b.OnError != Stop && b.OnError != Continue {
		return fmt.Errorf("batch: onError is %q, want Stop or Continue", b.OnError)
	}
	if err := b.checkLogon(); err != nil {
		return err
	}
	seen := make(map[string]bool, len(b.Calls))
	for i, c := range b.Calls {
		if c.ID == "" || c.Cmdlet == "" {
			return fmt.Errorf("batch: call %d needs an id and a cmdlet", i)
		}
		if seen[c.ID] {
			return fmt.Errorf("batch: two calls have the id %q", c.ID)
		}
		for name, v := range c.Parameters {
			if err := checkRefs(v, seen); err != nil {
				return fmt.Errorf("batch: call %s, parameter %s: %w", c.ID, name, err)
			}
		}
		seen[c.ID] = true
	}
	return nil
}

func (b Batch) checkLogon() error {
	switch b.Logon {
	case "", LogonNetwork, LogonSystem:
		if b.Credential != nil {
			return fmt.Errorf("batch: it has a credential, which only the logon %s takes", LogonExplicit)
		}
	case LogonExplicit:
		if b.Credential == nil || b.Credential.User == "" {
			return fmt.Errorf("batch: the logon %s needs the credential of a user", LogonExplicit)
		}
	default:
		return fmt.Errorf("batch: the logon is %q, want %s, %s or %s", b.Logon, LogonNetwork, LogonSystem, LogonExplicit)
	}
	return nil
}

func checkRefs(v Value, seen map[string]bool) error {
	switch v := v.(type) {
	case nil:
		return fmt.Errorf("has no value")
	case Ref:
		if !seen[v.Call] {
			return fmt.Errorf("refers to %q, which is no earlier call", v.Call)
		}
	case List:
		for _, e := range v {
			if err := checkRefs(e, seen); err != nil {
				return err
			}
		}
	}
	return nil
}
