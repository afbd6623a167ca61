package surface

import "fmt"

// Kind sorts refusals the way PowerShell's binder does.
type Kind string

const (
	// UnknownCmdlet: no cmdlet or named function that the operator calls has this name.
	UnknownCmdlet Kind = "UnknownCmdlet"
	// UnknownParameter: the cmdlet has no parameter of exactly this name.
	UnknownParameter Kind = "UnknownParameter"
	// Missing: a mandatory parameter is not given.
	Missing Kind = "Missing"
	// Ambiguous: the parameters fit no parameter set, or more than one.
	Ambiguous Kind = "Ambiguous"
	// Unconvertible: the value is not of the parameter's type.
	Unconvertible Kind = "Unconvertible"
	// NotAccepted: the value is of the type, and not among the accepted ones.
	NotAccepted Kind = "NotAccepted"
	// TooOld: the host's build lacks the cmdlet or the parameter.
	TooOld Kind = "TooOld"
)

// Refusal says why a call cannot be made as it is.
type Refusal struct {
	Kind Kind
	// Call is the call's id.
	Call   string
	Cmdlet string
	// Parameter is the one at fault; empty when the call as a whole is.
	Parameter string
	Message   string
}

// Error names the call, the cmdlet, the parameter and what is wrong.
func (r *Refusal) Error() string {
	if r.Parameter == "" {
		return fmt.Sprintf("call %s: %s: %s", r.Call, r.Cmdlet, r.Message)
	}
	return fmt.Sprintf("call %s: %s -%s: %s", r.Call, r.Cmdlet, r.Parameter, r.Message)
}
