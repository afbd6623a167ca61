package forward

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
)

// invokeRequest is a call as PowerShell has bound it.
type invokeRequest struct {
	Cmdlet     string                     `json:"cmdlet"`
	Parameters map[string]json.RawMessage `json:"parameters"`
}

type invokeAnswer struct {
	Values []any         `json:"values"`
	Errors []errorRecord `json:"errors"`
}

// errorRecord is an error record: every field is there.
type errorRecord struct {
	ID       string `json:"id"`
	Category string `json:"category"`
	HResult  string `json:"hresult"`
	Target   string `json:"target"`
	Message  string `json:"message"`
}

func errorRecords(failures []hostagent.CallError) []errorRecord {
	out := make([]errorRecord, len(failures))
	for i, f := range failures {
		out[i] = errorRecord{f.FullyQualifiedErrorID, f.Category, f.HResult, f.Target, f.Message}
	}
	return out
}

// invoke answers the call of a cmdlet. The answer to a lost call never comes: the process is ended meanwhile.
func (s *Shell) invoke(w http.ResponseWriter, r *http.Request) {
	var request invokeRequest
	if !read(w, r, &request) {
		return
	}
	parameters := make(map[string]any, len(request.Parameters))
	for name, raw := range request.Parameters {
		v, err := parameter(raw)
		if err != nil {
			http.Error(w, fmt.Sprintf("parameter %s: %v", name, err), http.StatusBadRequest)
			return
		}
		parameters[name] = v
	}
	values, failures, err := s.prompt.Invoke(r.Context(), request.Cmdlet, parameters)
	if err != nil {
		s.lose(w, r, err)
		return
	}
	answer := invokeAnswer{Values: make([]any, len(values)), Errors: errorRecords(failures)}
	for i, v := range values {
		answer.Values[i] = encoded(v)
	}
	write(w, answer)
}

func (s *Shell) lose(w http.ResponseWriter, r *http.Request, err error) {
	timer := time.NewTimer(lostTimeout)
	defer timer.Stop()
	select {
	case <-r.Context().Done():
	case <-timer.C:
	}
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}

// look answers what an object is like now.
func (s *Shell) look(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Handle hypervsim.Handle `json:"handle"`
	}
	if !read(w, r, &request) {
		return
	}
	live, err := s.prompt.Look(request.Handle)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	write(w, encoded(live))
}

// set sets a property of a live object.
func (s *Shell) set(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Handle   hypervsim.Handle `json:"handle"`
		Property string           `json:"property"`
		Value    []string         `json:"value"`
	}
	if !read(w, r, &request) {
		return
	}
	err := s.prompt.Set(request.Handle, request.Property, request.Value)
	answer := invokeAnswer{Values: []any{}, Errors: []errorRecord{}}
	if failure, ok := errors.AsType[*hostagent.CallError](err); ok {
		answer.Errors = errorRecords([]hostagent.CallError{*failure})
	} else if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	write(w, answer)
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(r.Body).Decode(into)
	if err != nil {
		http.Error(w, fmt.Sprintf("the request: %v", err), http.StatusBadRequest)
	}
	return err == nil
}

func write(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	// The client has gone if this fails.
	_ = json.NewEncoder(w).Encode(answer)
}
