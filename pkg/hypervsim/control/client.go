// Package control is the client of a simulator's control API: it fails and returns hosts, changes things behind the
// operator's back, injects faults, and reads the state and the journal. docs/simulator.md shows the same with curl.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/simulated"
	"guestclustering.io/operator/pkg/hypervsim"
)

// requestTimeout bounds one request, whatever its context allows: the control API never waits for the world's clock.
const requestTimeout = 30 * time.Second

// Client asks one simulator. Its errors have a class: an *Error what the simulator refused, Unreachable when nothing was
// heard of it. It holds no connection between two requests.
type Client struct {
	base url.URL
	http http.Client
}

// New makes a client of the simulator that listens on the address, as host:port.
func New(address string) *Client {
	return &Client{
		base: url.URL{Scheme: "http", Host: address, Path: "/v1/control"},
		http: http.Client{Timeout: requestTimeout, Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

// Do does something to the world, and returns once it has begun: what follows from it takes the world's time. An action
// that cannot be done as things are is refused with Conflict, one on what does not exist with NotFound.
func (c *Client) Do(ctx context.Context, a Action) (Done, error) {
	var done Done
	err := c.exchange(ctx, http.MethodPost, c.base.JoinPath("actions"), a, &done)
	return done, err
}

// Known lists the actions that the simulator knows.
func (c *Client) Known(ctx context.Context) ([]Known, error) {
	var known []Known
	err := c.exchange(ctx, http.MethodGet, c.base.JoinPath("actions"), nil, &known)
	return known, err
}

// State is the world as it is now.
func (c *Client) State(ctx context.Context) (hypervsim.State, error) {
	var s hypervsim.State
	err := c.exchange(ctx, http.MethodGet, c.base.JoinPath("state"), nil, &s)
	return s, err
}

// Journal gives every entry that is kept after the one with that number, oldest first: 0 for all.
func (c *Client) Journal(ctx context.Context, since int) ([]hypervsim.Entry, error) {
	var all []hypervsim.Entry
	for {
		u := c.base.JoinPath("journal")
		u.RawQuery = url.Values{"since": {strconv.Itoa(since)}}.Encode()
		var some []hypervsim.Entry
		if err := c.exchange(ctx, http.MethodGet, u, nil, &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < MaxEntries {
			return all, nil
		}
		since = some[len(some)-1].Seq
	}
}

// AddFault adds a fault rule and gives its id.
func (c *Client) AddFault(ctx context.Context, rule hypervsim.Fault) (string, error) {
	var added Added
	err := c.exchange(ctx, http.MethodPost, c.base.JoinPath("faults"), FaultOf(rule), &added)
	return added.ID, err
}

// RemoveFault removes a fault rule; calls that hang for it go on.
func (c *Client) RemoveFault(ctx context.Context, id string) error {
	return c.exchange(ctx, http.MethodDelete, c.base.JoinPath("faults", id), nil, nil)
}

// Faults lists the fault rules, oldest first.
func (c *Client) Faults(ctx context.Context) ([]hypervsim.FaultStatistics, error) {
	var listed []FaultStatistics
	if err := c.exchange(ctx, http.MethodGet, c.base.JoinPath("faults"), nil, &listed); err != nil {
		return nil, err
	}
	rules := make([]hypervsim.FaultStatistics, len(listed))
	for i, l := range listed {
		rule, err := l.Fault.Rule()
		if err != nil {
			return nil, err
		}
		rules[i] = hypervsim.FaultStatistics{ID: l.ID, Fault: rule, Matched: l.Matched, Hit: l.Hit}
	}
	return rules, nil
}

// Error is a refusal of the simulator, in its words.
type Error struct {
	Class   hostagent.Class
	Message string
}

func (e *Error) Error() string { return "the simulator: " + e.Message }

// Unwrap gives the class, for errors.Is and hostagent.ClassOf.
func (e *Error) Unwrap() error { return e.Class }

// exchange sends in, if there is any, and reads the answer into out, if one is wanted.
func (c *Client) exchange(ctx context.Context, method string, u *url.URL, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return fmt.Errorf("%w: %w", hostagent.Invalid, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), &body)
	if err != nil {
		return fmt.Errorf("%w: the simulator's address is %q; write it as 127.0.0.1:7100: %w", hostagent.Invalid, c.base.Host, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking the simulator: %w: %w", hostagent.Unreachable, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, simulated.MaxBytes))
	if err != nil {
		return fmt.Errorf("hearing the simulator: %w: %w", hostagent.Unreachable, err)
	}
	if resp.StatusCode/100 != 2 {
		return refusal(resp, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("reading the simulator's answer: %w: %w", hostagent.Protocol, err)
	}
	return nil
}

// refusal is the error that an answer tells.
func refusal(resp *http.Response, answer []byte) error {
	var f simulated.Failure
	if err := json.Unmarshal(answer, &f); err != nil || f.Class == "" {
		return fmt.Errorf("%w: %s answers %s without an error class: is this address the simulator's?", hostagent.Protocol, resp.Request.URL, resp.Status)
	}
	return &Error{Class: f.Class, Message: f.Message}
}
