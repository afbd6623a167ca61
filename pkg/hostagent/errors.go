package hostagent

import (
	"errors"
	"fmt"
)

// Class sorts every failure by who or what mends it. It is itself an error, so that errors.Is(err, hostagent.Busy)
// works through any wrapping. What has no class is Internal, which is transient.
type Class string

const (
	// Unreachable: no answer from the host's network or listener. The pool retries.
	Unreachable Class = "Unreachable"
	// Timeout: a reading call did not answer in time.
	Timeout Class = "Timeout"
	// OutcomeUnknown: the answer to a changing call was lost. Never send it again: look first.
	OutcomeUnknown Class = "OutcomeUnknown"
	// Unauthenticated: the host refused the credentials.
	Unauthenticated Class = "Unauthenticated"
	// Forbidden: the account lacks a right.
	Forbidden Class = "Forbidden"
	// NotFound: what the call names does not exist.
	NotFound Class = "NotFound"
	// Conflict: what the call would make exists.
	Conflict Class = "Conflict"
	// Busy: the object is in use or in transition; it passes by itself.
	Busy Class = "Busy"
	// Capacity: no room, memory or quota left.
	Capacity Class = "Capacity"
	// Throttled: the host limits our calls.
	Throttled Class = "Throttled"
	// Unsupported: this host's build cannot do it.
	Unsupported Class = "Unsupported"
	// Invalid: the host refused a value.
	Invalid Class = "Invalid"
	// Protocol: the answer could not be read.
	Protocol Class = "Protocol"
	// Internal: anything else; a defect of ours until shown otherwise.
	Internal Class = "Internal"
	// Canceled: the caller gave up.
	Canceled Class = "Canceled"
)

// Error names the class.
func (c Class) Error() string { return string(c) }

// Error is a transport failure of one Run or Open: the batch as a whole has no results.
type Error struct {
	Class  Class
	Op     string
	Target Target
	Err    error
}

// Error tells the operation, the target and the cause.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s on %s: %s", e.Op, e.Target, e.Class)
	}
	return fmt.Sprintf("%s on %s: %v", e.Op, e.Target, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches the class.
func (e *Error) Is(target error) bool {
	c, ok := target.(Class)
	return ok && c == e.Class
}

// ClassOf finds an error's class: of the outermost Error or CallError in its chain, else Internal. nil has none.
func ClassOf(err error) Class {
	var transport *Error
	var call *CallError
	var class Class
	switch {
	case err == nil:
		return ""
	case errors.As(err, &transport):
		return transport.Class
	case errors.As(err, &call):
		return call.Class()
	case errors.As(err, &class):
		return class
	default:
		return Internal
	}
}
