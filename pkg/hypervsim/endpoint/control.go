package endpoint

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/control"
)

// controlAPI is the control API: what people and accidents do to a host cluster, and what an observer sees of it.
type controlAPI struct {
	world *hypervsim.World
	log   *slog.Logger
}

// maxControlBytes bounds what the control API is sent.
const maxControlBytes = 1 << 20

func (c controlAPI) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/control/state", c.handleState)
	mux.HandleFunc("GET /v1/control/journal", c.handleJournal)
	mux.HandleFunc("GET /v1/control/actions", c.handleActions)
	mux.HandleFunc("POST /v1/control/actions", c.handleAction)
	mux.HandleFunc("GET /v1/control/faults", c.handleFaults)
	mux.HandleFunc("POST /v1/control/faults", c.handleAddFault)
	mux.HandleFunc("DELETE /v1/control/faults/{id}", c.handleRemoveFault)
}

func (c controlAPI) handleState(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, c.world.State())
}

// handleJournal gives at most MaxEntries entries: the next are those since the last one's number.
func (c controlAPI) handleJournal(w http.ResponseWriter, r *http.Request) {
	since, err := sinceOf(r)
	if err != nil {
		writeError(w, invalid("journal", err))
		return
	}
	entries := c.world.Journal(since)
	switch format := r.FormValue("format"); format {
	case "", "json":
		writeJSON(w, http.StatusOK, entries[:min(len(entries), control.MaxEntries)])
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

func (c controlAPI) handleFaults(w http.ResponseWriter, _ *http.Request) {
	faults := c.world.Faults()
	answer := make([]control.FaultStatistics, len(faults))
	for i, f := range faults {
		answer[i] = control.FaultStatistics{ID: f.ID, Fault: control.FaultOf(f.Fault), Matched: f.Matched, Hit: f.Hit}
	}
	writeJSON(w, http.StatusOK, answer)
}

func (c controlAPI) handleAddFault(w http.ResponseWriter, r *http.Request) {
	var f control.Fault
	id, err := c.addFault(w, r, &f)
	if err != nil {
		writeError(w, refused("add fault", err))
		return
	}
	c.log.LogAttrs(r.Context(), slog.LevelInfo, "Added fault", slog.String("id", id), slog.String("fault", text(f)))
	writeJSON(w, http.StatusCreated, control.Added{ID: id})
}

// text is a value as the log shows it.
func text(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(encoded)
}

func (c controlAPI) addFault(w http.ResponseWriter, r *http.Request, f *control.Fault) (string, error) {
	if err := readJSON(w, r, f); err != nil {
		return "", fmt.Errorf("%w: %w", hostagent.Invalid, err)
	}
	rule, err := f.Rule()
	if err != nil {
		return "", err
	}
	return c.world.AddFault(rule)
}

func (c controlAPI) handleRemoveFault(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if err := c.world.RemoveFault(id); err != nil {
		writeError(w, refused("remove fault", err))
		return
	}
	c.log.LogAttrs(r.Context(), slog.LevelInfo, "Removed fault", slog.String("id", id))
	w.WriteHeader(http.StatusNoContent)
}

// refused makes an error of a control method one that says which. What has no class is a refusal such as a cmdlet would
// give: things are not so that it could be done.
func refused(op string, err error) error {
	class := hostagent.ClassOf(err)
	if class == hostagent.Internal {
		class = hostagent.Conflict
	}
	return &hostagent.Error{Class: class, Op: op, Err: err}
}
