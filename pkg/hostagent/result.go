package hostagent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// State says how far a call came.
type State string

const (
	// Done: the call ran without an error.
	Done State = "Done"
	// Failed: the call ran and reported at least one error; it may have values too.
	Failed State = "Failed"
	// NotRun: the call was never started, because an earlier one failed.
	NotRun State = "NotRun"
	// Unknown: the call was started and its end was not seen.
	Unknown State = "Unknown"
)

// Result is what one call gave: values and errors may stand side by side.
type Result struct {
	ID     string      `json:"id"`
	State  State       `json:"state"`
	Values []Object    `json:"values,omitempty"`
	Errors []CallError `json:"errors,omitempty"`
}

// Results are a batch's results, in the order of its calls.
type Results []Result

// ByID gives the result of the call with that id. A missing one is Unknown: it was not seen to run.
func (rs Results) ByID(id string) Result {
	for _, r := range rs {
		if r.ID == id {
			return r
		}
	}
	return Result{ID: id, State: Unknown}
}

// Answer reports whether there is one result for each call, in order.
func (rs Results) Answer(calls []Call) bool {
	return slices.EqualFunc(rs, calls, func(r Result, c Call) bool { return r.ID == c.ID })
}

// Err is the first call that did not end well as an error with its class, or nil.
func (rs Results) Err() error {
	for _, r := range rs {
		switch r.State {
		case Failed:
			return fmt.Errorf("call %s: %w", r.ID, r.Err())
		case Unknown:
			return fmt.Errorf("call %s: %w", r.ID, OutcomeUnknown)
		case Done, NotRun:
		}
	}
	return nil
}

// Need gives the first error of the calls that must have ended well for an answer to be worth anything, or nil.
func (rs Results) Need(ids ...string) error {
	for _, id := range ids {
		r := rs.ByID(id)
		if r.State == Done {
			continue
		}
		if err := (Results{r}).Err(); err != nil {
			return err
		}
		return fmt.Errorf("call %s was not run: %w", id, Protocol)
	}
	return nil
}

// Err is the call's first error, or nil.
func (r Result) Err() error {
	if len(r.Errors) > 0 {
		return &r.Errors[0]
	}
	if r.State == Failed {
		return Internal
	}
	return nil
}

// CallError is one PowerShell error record, as far as it may be relied on: Message is for people and is localised.
type CallError struct {
	// FullyQualifiedErrorID as the host gave it.
	FullyQualifiedErrorID string `json:"id,omitempty"`
	// Category is a name of System.Management.Automation.ErrorCategory.
	Category string `json:"category,omitempty"`
	// HResult is the innermost exception's code, as 0x and eight hexadecimal digits.
	HResult string `json:"hresult,omitempty"`
	Target  string `json:"target,omitempty"`
	Message string `json:"message,omitempty"`
}

// Error gives the host's own words.
func (e *CallError) Error() string {
	if e.Message != "" {
		return e.Message
	}
	return e.Category + " " + e.HResult
}

// Is matches the error's class: errors.Is(err, hostagent.Busy).
func (e *CallError) Is(target error) bool {
	c, ok := target.(Class)
	return ok && c == e.Class()
}

// Class sorts the error by HRESULT first, which is exact, then by category. That a host has no such cmdlet, because a
// module is missing, says nothing of the object that was asked for.
func (e *CallError) Class() Class {
	if e.FullyQualifiedErrorID == "CommandNotFoundException" {
		return Unsupported
	}
	if c, ok := classByHResult[e.HResult]; ok {
		return c
	}
	if c, ok := classByCategory[e.Category]; ok {
		return c
	}
	return Internal
}

var classByHResult = map[string]Class{
	"0x80070005": Forbidden, // E_ACCESSDENIED
	"0x80070020": Busy,      // ERROR_SHARING_VIOLATION
	"0x80070032": Unsupported,
	// Registering a task for a user: a wrong password, no right to log on as a batch job, and a policy that lets no password
	// be stored.
	"0x8007052E": Unauthenticated,
	"0x80070569": Forbidden,
	"0x80070520": Forbidden,
	"0x80070070": Capacity, // ERROR_DISK_FULL
	"0x80070050": Conflict, // ERROR_FILE_EXISTS
	"0x800700B7": Conflict, // ERROR_ALREADY_EXISTS
}

var classByCategory = map[string]Class{
	"ObjectNotFound":      NotFound,
	"ResourceExists":      Conflict,
	"ResourceBusy":        Busy,
	"ResourceUnavailable": Busy,
	"InvalidOperation":    Busy, // Hyper-V's answer to a machine in the wrong state
	"PermissionDenied":    Forbidden,
	"SecurityError":       Forbidden,
	"AuthenticationError": Unauthenticated,
	"InvalidArgument":     Invalid,
	"InvalidData":         Invalid,
	"InvalidType":         Invalid,
	"SyntaxError":         Invalid,
	"NotImplemented":      Unsupported,
	"NotInstalled":        Unsupported,
	"LimitsExceeded":      Capacity,
	"QuotaExceeded":       Capacity,
	"OperationTimeout":    Timeout,
	"ConnectionError":     Unreachable, // the cluster service, without quorum or while a node joins
}

// Object is one value of a result: the selected properties by their dotted path.
// Numbers are json.Number, lists []any, nested objects map[string]any.
type Object map[string]any

// Text gives a property as text; a missing or null one is empty.
func (o Object) Text(path string) string {
	switch v := o[path].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	default:
		return ""
	}
}

// Int gives a property as a whole number; what is none is 0.
func (o Object) Int(path string) int64 {
	switch v := o[path].(type) {
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			return 0
		}
		return n
	case float64:
		return int64(v)
	case int64:
		return v
	case int:
		return int64(v)
	default:
		return 0
	}
}

// Bool gives a property as a Boolean; what is none is false.
func (o Object) Bool(path string) bool {
	b, ok := o[path].(bool)
	return ok && b
}

// Time gives a date as executors write it, ISO 8601 with an offset from UTC; a missing or null one is zero.
func (o Object) Time(path string) (time.Time, error) {
	text := o.Text(path)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w: %w", path, Protocol, err)
	}
	return t.UTC(), nil
}

// Flags splits the text of a Windows flags enumeration. One without a flag set is its member for none, or 0.
func (o Object) Flags(path string) []string {
	var out []string
	for f := range strings.SplitSeq(o.Text(path), ",") {
		if f = strings.TrimSpace(f); f != "" && f != "0" && f != "None" && f != "Normal" {
			out = append(out, f)
		}
	}
	return out
}

// Texts gives a list property as texts; a lone text is a list of one.
func (o Object) Texts(path string) []string {
	switch v := o[path].(type) {
	case string:
		return []string{v}
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	default:
		return nil
	}
}

// Objects gives a list property as objects.
func (o Object) Objects(path string) []Object {
	list, ok := o[path].([]any)
	if !ok {
		return nil
	}
	out := make([]Object, 0, len(list))
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, Object(m))
		}
	}
	return out
}
