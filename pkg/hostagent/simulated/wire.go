package simulated

import (
	"errors"

	"guestclustering.io/operator/pkg/hostagent"
)

// MaxBytes bounds a batch and an answer on the wire.
const MaxBytes = 64 << 20

// Session is the answer to POST /v1/sessions, whose body is a hostagent.Target.
type Session struct {
	ID string `json:"session"`
}

// Answer is the answer to a batch that ran.
type Answer struct {
	Results hostagent.Results `json:"results"`
}

// Failure is a *hostagent.Error on the wire: the body of every answer whose status is not 2xx.
type Failure struct {
	Class   hostagent.Class  `json:"class"`
	Op      string           `json:"op"`
	Target  hostagent.Target `json:"target,omitzero"`
	Message string           `json:"message,omitempty"`
}

// FailureOf gives an error's wire form. One without a class becomes Internal.
func FailureOf(err error) Failure {
	transport, ok := errors.AsType[*hostagent.Error](err)
	if !ok {
		return Failure{Class: hostagent.ClassOf(err), Op: "run", Message: err.Error()}
	}
	f := Failure{Class: transport.Class, Op: transport.Op, Target: transport.Target}
	if transport.Err != nil {
		f.Message = transport.Err.Error()
	}
	return f
}

// Err gives back the error, equal in class, operation, target and text.
func (f Failure) Err() *hostagent.Error {
	e := &hostagent.Error{Class: f.Class, Op: f.Op, Target: f.Target}
	if f.Message != "" {
		e.Err = errors.New(f.Message)
	}
	return e
}
