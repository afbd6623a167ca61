package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/simulated"
)

// The batch API: what the driver in pkg/hostagent/simulated speaks.

func (s *sessions) routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/sessions", s.handleOpen)
	mux.HandleFunc("POST /v1/sessions/{id}/batches", s.handleRun)
	mux.HandleFunc("DELETE /v1/sessions/{id}", s.handleClose)
}

func (s *sessions) handleOpen(w http.ResponseWriter, r *http.Request) {
	var target hostagent.Target
	if err := readJSON(w, r, &target); err != nil {
		writeError(w, invalid("open", err))
		return
	}
	id, err := s.start(r.Context(), target)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusCreated, simulated.Session{ID: id})
}

func (s *sessions) handleRun(w http.ResponseWriter, r *http.Request) {
	var batch hostagent.Batch
	// The body is read to its end first: only then does net/http watch the connection and end the context with it.
	if err := readJSON(w, r, &batch); err != nil {
		writeError(w, invalid("run", err))
		return
	}
	if err := batch.Validate(); err != nil {
		writeError(w, invalid("run", err))
		return
	}
	results, err := s.run(r.Context(), r.PathValue("id"), batch)
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, simulated.Answer{Results: results})
}

func (s *sessions) handleClose(w http.ResponseWriter, r *http.Request) {
	if err := s.end(r.PathValue("id")); err != nil {
		writeError(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func invalid(op string, err error) error {
	return &hostagent.Error{Class: hostagent.Invalid, Op: op, Err: err}
}

// readJSON reads a body that holds one JSON value and no field that is not known, so that a misspelt one is noticed.
func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, simulated.MaxBytes))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("reading the body: text after the JSON value")
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client has gone when this fails; it knows.
	_ = json.NewEncoder(w).Encode(body)
}

func writeError(w http.ResponseWriter, err error) {
	f := simulated.FailureOf(err)
	writeJSON(w, statusOf(f.Class), f)
}

// statusOf gives a class its nearest HTTP status; clients read the class.
func statusOf(c hostagent.Class) int {
	switch c {
	case hostagent.Invalid:
		return http.StatusBadRequest
	case hostagent.Unauthenticated:
		return http.StatusUnauthorized
	case hostagent.Forbidden:
		return http.StatusForbidden
	case hostagent.NotFound:
		return http.StatusNotFound
	case hostagent.Conflict, hostagent.Busy:
		return http.StatusConflict
	case hostagent.Throttled:
		return http.StatusTooManyRequests
	case hostagent.Unsupported:
		return http.StatusNotImplemented
	case hostagent.Unreachable:
		return http.StatusServiceUnavailable
	case hostagent.Timeout:
		return http.StatusGatewayTimeout
	case hostagent.OutcomeUnknown, hostagent.Protocol:
		return http.StatusBadGateway
	default:
		return http.StatusInternalServerError
	}
}
