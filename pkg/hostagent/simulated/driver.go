package simulated

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// endTimeout bounds the end of a session, which has no context of its own.
const endTimeout = 5 * time.Second

type driver struct{ base url.URL }

// New makes a driver for the simulator that listens on the address, as host:port. Nothing is sent before Open.
func New(address string) hostagent.Driver {
	return driver{base: url.URL{Scheme: "http", Host: address, Path: "/v1/sessions"}}
}

// Open starts a session; the simulator answers once what earlier sessions run there has ended.
func (d driver) Open(ctx context.Context, target hostagent.Target) (hostagent.Agent, error) {
	body, err := json.Marshal(target)
	if err != nil {
		return nil, &hostagent.Error{Class: hostagent.Invalid, Op: "open", Target: target, Err: err}
	}
	// Every session has its connections to itself, so that Close leaves none behind.
	l := newLine()
	var session Session
	err = l.exchange(ctx, request{method: http.MethodPost, url: d.base.String(), body: body}, &session)
	if err == nil && session.ID == "" {
		err = &brokenError{stage: unreadable, err: errors.New("the answer names no session")}
	}
	if err != nil {
		l.close()
		return nil, classified(ctx, "open", target, err)
	}
	return &agent{line: l, url: d.base.JoinPath(session.ID), target: target}, nil
}

type agent struct {
	line   *line
	url    *url.URL
	target hostagent.Target
}

// Run posts the batch once. After a changing batch whose outcome is unknown the session has ended: a batch that is
// still on its way is refused when it arrives, and a session opened later waits for one that has arrived.
func (a *agent) Run(ctx context.Context, batch hostagent.Batch) (hostagent.Results, error) {
	if err := batch.Validate(); err != nil {
		return nil, a.refused(err)
	}
	body, err := hostagent.EncodeBatch(batch)
	if err != nil {
		return nil, a.refused(err)
	}
	if ctx.Err() != nil {
		return nil, classified(ctx, "run", a.target, &brokenError{stage: unsent, err: context.Cause(ctx)})
	}
	var answer Answer
	r := request{method: http.MethodPost, url: a.url.JoinPath("batches").String(), body: body, changes: batch.Changes()}
	err = a.line.exchange(ctx, r, &answer)
	if err == nil && !answer.Results.Answer(batch.Calls) {
		err = &brokenError{stage: unreadable, changes: r.changes, err: errors.New("the results are not those of the calls sent")}
	}
	if err == nil {
		return answer.Results, nil
	}
	failure := classified(ctx, "run", a.target, err)
	if failure.Class == hostagent.OutcomeUnknown {
		// If this fails, the simulator does not answer, and will not answer Open either.
		_ = a.end()
	}
	return nil, failure
}

// Close ends the session on the simulator and closes its connections.
func (a *agent) Close() error {
	defer a.line.close()
	return a.end()
}

// end ends the session on the simulator, once or again.
func (a *agent) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	err := a.line.exchange(ctx, request{method: http.MethodDelete, url: a.url.String()}, nil)
	if err != nil {
		return classified(ctx, "close", a.target, err)
	}
	return nil
}

func (a *agent) refused(err error) error {
	return &hostagent.Error{Class: hostagent.Invalid, Op: "run", Target: a.target, Err: err}
}

// classified makes a *hostagent.Error of what exchange returned. What the simulator itself said stands.
func classified(ctx context.Context, op string, target hostagent.Target, err error) *hostagent.Error {
	if said, ok := errors.AsType[*hostagent.Error](err); ok {
		return said
	}
	e := &hostagent.Error{Class: hostagent.Internal, Op: op, Target: target, Err: err}
	if broken, ok := errors.AsType[*brokenError](err); ok {
		e.Class = broken.class(ctx)
	}
	return e
}

// A request is one HTTP request. changes says that it may change something once it has been sent.
type request struct {
	method, url string
	body        []byte
	changes     bool
}

func (r request) http(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}
