// Package hostagent is the seam between the operator and the machines it drives.
//
// Everything asked of a host is data: a Batch of Calls in one round trip, answered by Results. No script text is ever
// built from data. A Driver opens an Agent for a Target; an Agent runs batches. Nothing above this package knows how
// a batch travels; nothing in it knows Kubernetes.
//
// Two kinds of failure are kept apart. A call that fails is a Result. An error of Run is transport: its Class says
// what is known, and OutcomeUnknown says that a changing call may or may not have run.
package hostagent

import "context"

// Driver opens sessions. One exists per way of reaching hosts, so that the rest need not know which it is.
type Driver interface {
	// Open starts a session with the target and returns once what an earlier session of ours still runs there has
	// ended, so that what is read next is settled. Errors are *Error.
	Open(ctx context.Context, target Target) (Agent, error)
}

// Agent is a session with one target.
type Agent interface {
	// Run sends the batch once and gives a result for every call. It is never repeated by the agent itself.
	// An error is an *Error; when ctx ends first and the batch changes something, its class is OutcomeUnknown.
	Run(ctx context.Context, batch Batch) (Results, error)
	// Close ends the session. What a host still runs goes on there.
	Close() error
}
