package endpoint

import (
	"fmt"
	"net/http"
	"strconv"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
	wire "guestclustering.io/operator/pkg/hypervsim/control"
)

// control is the control API: what people and accidents do to a host cluster, and what an observer sees of it.
type control struct{ world *hypervsim.World }

func (c control) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/control/state", c.handleState)
	mux.HandleFunc("GET /v1/control/journal", c.handleJournal)
	mux.HandleFunc("GET /v1/control/faults", c.handleFaults)
	mux.HandleFunc("POST /v1/control/faults", c.handleAddFault)
	mux.HandleFunc("DELETE /v1/control/faults/{id}", c.handleRemoveFault)
}

func (c control) handleState(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, c.world.State())
}

// handleJournal gives at most MaxEntries entries: the next are those since the last one's number.
func (c control) handleJournal(w http.ResponseWriter, r *http.Request) {
	since, err := sinceOf(r)
	if err != nil {
		writeError(w, invalid("journal", err))
		return
	}
	entries := c.world.Journal(since)
	switch format := r.FormValue("format"); format {
	case "", "json":
		writeJSON(w, http.StatusOK, entries[:min(len(entries), wire.MaxEntries)])
	case "powershell":
		writePowerShell(w, entries)
	default:
		writeError(w, invalid("journal", fmt.Errorf("format is %q: want json or powershell", format)))
	}
}

func sinceOf(r *http.Request) (int, error) {
	text := r.FormValue("since")
	if text == "" {
		return 0, nil
	}
	since, err := strconv.Atoi(text)
	if err != nil || since < 0 {
		return 0, fmt.Errorf("since is %q: want the number of the last entry that you have seen, or 0", text)
	}
	return since, nil
}

func (c control) handleFaults(w http.ResponseWriter, _ *http.Request) {
	faults := c.world.Faults()
	answer := make([]wire.FaultStatistics, len(faults))
	for i, f := range faults {
		answer[i] = wire.FaultStatistics{ID: f.ID, Fault: wire.FaultOf(f.Fault), Matched: f.Matched, Hit: f.Hit}
	}
	writeJSON(w, http.StatusOK, answer)
}

func (c control) handleAddFault(w http.ResponseWriter, r *http.Request) {
	id, err := c.addFault(w, r)
	if err != nil {
		writeError(w, refused("add fault", err))
		return
	}
	writeJSON(w, http.StatusCreated, wire.Added{ID: id})
}

func (c control) addFault(w http.ResponseWriter, r *http.Request) (string, error) {
	var f wire.Fault
	if err := readJSON(w, r, &f); err != nil {
		return "", fmt.Errorf("%w: %w", hostagent.Invalid, err)
	}
	rule, err := f.Rule()
	if err != nil {
		return "", err
	}
	return c.world.AddFault(rule)
}

func (c control) handleRemoveFault(w http.ResponseWriter, r *http.Request) {
	if err := c.world.RemoveFault(r.PathValue("id")); err != nil {
		writeError(w, refused("remove fault", err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// refused makes an error of a control method one that says which.
func refused(op string, err error) error {
	return &hostagent.Error{Class: hostagent.ClassOf(err), Op: op, Err: err}
}
