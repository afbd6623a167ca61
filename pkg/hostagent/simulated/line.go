package simulated

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// line is a session's connections to the simulator.
type line struct {
	client    *http.Client
	transport *http.Transport
}

func newLine() *line {
	t := &http.Transport{
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxConnsPerHost:        64,
		MaxIdleConnsPerHost:    8,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
	return &line{
		transport: t,
		client: &http.Client{
			Transport: t,
			// A redirect would send a batch a second time, to where nobody asked for it.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (l *line) close() { l.transport.CloseIdleConnections() }

// stage says how far an exchange came that brought no answer.
type stage int

const (
	// misdirected: the address is none.
	misdirected stage = iota
	// unsent: no connection came about, so nothing left this process.
	unsent
	// lost: something may have been sent and no whole answer came.
	lost
	// unreadable: an answer came that is none of ours.
	unreadable
)

// brokenError is an exchange that brought no answer.
type brokenError struct {
	stage   stage
	changes bool
	err     error
}

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

func (e *brokenError) class(ctx context.Context) hostagent.Class {
	switch {
	case e.stage == misdirected:
		return hostagent.Invalid
	case e.stage != unsent && e.changes:
		return hostagent.OutcomeUnknown
	case e.stage == unreadable:
		return hostagent.Protocol
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return hostagent.Timeout
	case ctx.Err() != nil:
		return hostagent.Canceled
	default:
		return hostagent.Unreachable
	}
}

// exchange sends the request once and reads its answer into out. It returns the simulator's own *hostagent.Error, or a
// *brokenError.
func (l *line) exchange(ctx context.Context, r request, out any) error {
	req, err := r.http(ctx)
	if err != nil {
		return &brokenError{stage: misdirected, err: fmt.Errorf("the simulator's address is to be written as 127.0.0.1:7100: %w", err)}
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return &brokenError{stage: stageOf(err), changes: r.changes, err: withoutURL(err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBytes+1))
	switch {
	case err != nil:
		return &brokenError{stage: lost, changes: r.changes, err: fmt.Errorf("reading the answer: %w", err)}
	case len(body) > MaxBytes:
		return &brokenError{stage: unreadable, changes: r.changes, err: fmt.Errorf("the answer has more than %d MiB", MaxBytes>>20)}
	}
	if err := decode(resp, body, out); err != nil {
		if said, ok := errors.AsType[*hostagent.Error](err); ok {
			return said
		}
		return &brokenError{stage: unreadable, changes: r.changes, err: err}
	}
	return nil
}

// decode reads an answer into out, or gives the *hostagent.Error that it is.
func decode(resp *http.Response, body []byte, out any) error {
	if resp.StatusCode/100 != 2 {
		var f Failure
		if err := json.Unmarshal(body, &f); err != nil || f.Class == "" {
			return fmt.Errorf("the answer is %s without an error class: is this address the simulator's?", resp.Status)
		}
		return f.Err()
	}
	if out == nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(out); err != nil {
		return fmt.Errorf("decoding the answer: %w", err)
	}
	return nil
}

// stageOf tells a connection that never was from one that was lost. Dialling is the only failure after which nothing
// can have been sent: net/http dials again only when it wrote nothing to the connection before.
func stageOf(err error) stage {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return unsent
	}
	return lost
}

// withoutURL drops what net/http puts in front of every cause: the operation and target stand in the error already.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
