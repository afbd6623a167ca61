package forward

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
)

// guestAnswer is the environment of the process that is to run in a guest, or why there is none.
type guestAnswer struct {
	Environment map[string]string `json:"environment"`
	Errors      []errorRecord     `json:"errors"`
}

// enter opens a shell in a guest, as PowerShell Direct does.
func (s *Shell) enter(w http.ResponseWriter, r *http.Request) {
	var request struct {
		VMID       string          `json:"vmId"`
		Credential json.RawMessage `json:"credential"`
	}
	if !read(w, r, &request) {
		return
	}
	as, err := parameter(request.Credential)
	credential, ok := as.(hostagent.Credential)
	if err != nil || !ok {
		http.Error(w, "the request has no credential", http.StatusBadRequest)
		return
	}
	inner, err := s.openGuest(request.VMID, credential)
	if failure, ok := errors.AsType[*hostagent.CallError](err); ok {
		write(w, guestAnswer{Environment: map[string]string{}, Errors: errorRecords([]hostagent.CallError{*failure})})
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer := guestAnswer{Environment: map[string]string{}, Errors: []errorRecord{}}
	for _, variable := range inner.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		answer.Environment[name] = value
	}
	write(w, answer)
}

func (s *Shell) openGuest(vmID string, as hostagent.Credential) (*Shell, error) {
	host, _ := s.prompt.Host()
	prompt, err := s.server.world.GuestPrompt(host, vmID, as, hostagent.LogonNetwork)
	if err != nil {
		return nil, err
	}
	inner, err := s.server.shell(prompt, s)
	if err != nil {
		return nil, fmt.Errorf("entering a guest: %w", err)
	}
	return inner, nil
}

// lost answers once nothing more of the shell reaches anybody.
func (s *Shell) lost(w http.ResponseWriter, r *http.Request) {
	select {
	case <-s.Lost():
	case <-r.Context().Done():
	}
	write(w, struct{}{})
}

// leave ends the shell, whose process has ended.
func (s *Shell) leave(w http.ResponseWriter, _ *http.Request) {
	if err := s.Close(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	write(w, struct{}{})
}
