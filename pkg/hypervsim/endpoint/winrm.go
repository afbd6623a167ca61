package endpoint

import (
	"fmt"
	"log/slog"
	"net/http"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim/control"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// WinRM is the WinRM services of the world's hosts, so that trouble can be made for them too.
type WinRM interface {
	// Server gives a host's service, or nil when there is none.
	Server(host string) *wsman.Server
}

// winRMAPI is the part of the control API that is about the way to the hosts.
type winRMAPI struct {
	winRM WinRM
	log   *slog.Logger
}

func (a winRMAPI) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/control/winrm/{host}", a.on(a.handleState))
	mux.HandleFunc("POST /v1/control/winrm/{host}/faults", a.on(a.handleAddFault))
	mux.HandleFunc("DELETE /v1/control/winrm/{host}/faults", a.on(a.handleClearFaults))
	mux.HandleFunc("POST /v1/control/winrm/{host}/restart", a.on(a.handleRestart))
}

// on finds the host's service.
func (a winRMAPI) on(handle func(*wsman.Server, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var server *wsman.Server
		if a.winRM != nil {
			server = a.winRM.Server(r.PathValue("host"))
		}
		if server == nil {
			err := fmt.Errorf("host %q does not serve WinRM; start hypervsim with --winrm", r.PathValue("host"))
			writeError(w, &hostagent.Error{Class: hostagent.NotFound, Op: "winrm", Err: err})
			return
		}
		handle(server, w, r)
	}
}

func (a winRMAPI) handleState(s *wsman.Server, w http.ResponseWriter, _ *http.Request) {
	state := control.WinRMState{Shells: s.Shells(), Requests: s.Requests(), Faults: []control.WinRMFault{}}
	for _, f := range s.Faults() {
		state.Faults = append(state.Faults, control.WinRMFaultOf(f))
	}
	writeJSON(w, http.StatusOK, state)
}

func (a winRMAPI) handleAddFault(s *wsman.Server, w http.ResponseWriter, r *http.Request) {
	var f control.WinRMFault
	if err := readJSON(w, r, &f); err != nil {
		writeError(w, invalid("add fault", err))
		return
	}
	fault, err := f.Fault()
	if err == nil {
		err = fault.Validate()
	}
	if err != nil {
		writeError(w, refused("add fault", err))
		return
	}
	s.AddFault(fault)
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "Added fault of WinRM", slog.String("host", r.PathValue("host")), slog.String("fault", text(f)))
	w.WriteHeader(http.StatusNoContent)
}

func (a winRMAPI) handleClearFaults(s *wsman.Server, w http.ResponseWriter, r *http.Request) {
	s.ClearFaults()
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "Cleared faults of WinRM", slog.String("host", r.PathValue("host")))
	w.WriteHeader(http.StatusNoContent)
}

func (a winRMAPI) handleRestart(s *wsman.Server, w http.ResponseWriter, r *http.Request) {
	s.Restart()
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "Restarted WinRM", slog.String("host", r.PathValue("host")))
	w.WriteHeader(http.StatusNoContent)
}
