package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim/control"
)

func (c controlAPI) handleActions(w http.ResponseWriter, _ *http.Request) {
	known := make([]control.Known, 0, len(actions))
	for _, name := range slices.Sorted(maps.Keys(actions)) {
		a := actions[name]
		known = append(known, control.Known{Action: name, Does: a.does, Fields: a.fields, Optional: a.optional})
	}
	writeJSON(w, http.StatusOK, known)
}

func (c controlAPI) handleAction(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBytes))
	if err != nil {
		writeError(w, invalid("act", err))
		return
	}
	a, err := parseAction(body)
	var done control.Done
	if err == nil {
		done.ID, err = c.act(a)
	}
	if err != nil {
		c.log.LogAttrs(r.Context(), slog.LevelWarn, "Refused action", slog.String("action", loggable(body)), slog.Any("error", err))
		writeError(w, refused("act", err))
		return
	}
	c.log.LogAttrs(r.Context(), slog.LevelInfo, "Acted", slog.String("action", loggable(body)))
	writeJSON(w, http.StatusOK, done)
}

// loggable is a body as one line of a log holds it.
func loggable(body []byte) string {
	const enough = 500
	return string(body[:min(len(body), enough)])
}

func (c controlAPI) act(a control.Action) (string, error) {
	known := actions[a.Action]
	if known.makes != nil {
		return known.makes(c.world, a)
	}
	return "", known.do(c.world, a)
}

// parseAction reads an action that is known and has the fields that it needs and no others.
func parseAction(body []byte) (control.Action, error) {
	var given map[string]json.RawMessage
	var a control.Action
	if err := errors.Join(json.Unmarshal(body, &given), json.Unmarshal(body, &a)); err != nil {
		return a, fmt.Errorf("%w: reading the action: %w", hostagent.Invalid, err)
	}
	known, ok := actions[a.Action]
	if !ok {
		return a, fmt.Errorf("%w: no action %q: want one of %s", hostagent.Invalid, a.Action, strings.Join(slices.Sorted(maps.Keys(actions)), ", "))
	}
	delete(given, "action")
	for field, v := range given {
		if string(v) == "null" {
			return a, fmt.Errorf("%w: %s is null; leave it out", hostagent.Invalid, field)
		}
	}
	return a, known.check(a.Action, slices.Sorted(maps.Keys(given)))
}

// check refuses fields that are missing or that the action does not have.
func (a action) check(name string, given []string) error {
	for _, field := range a.fields {
		if !slices.Contains(given, field) {
			return fmt.Errorf("%w: %s needs %s", hostagent.Invalid, name, strings.Join(a.fields, ", "))
		}
	}
	for _, field := range given {
		if !slices.Contains(a.fields, field) && !slices.Contains(a.optional, field) {
			return fmt.Errorf("%w: %s has no field %q: it takes %s", hostagent.Invalid, name, field, strings.Join(append(slices.Clone(a.fields), a.optional...), ", "))
		}
	}
	return nil
}
