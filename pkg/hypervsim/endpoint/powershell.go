package endpoint

import (
	"fmt"
	"net/http"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/pkg/hypervsim"
)

// writePowerShell writes the batches of a journal as an administrator would type them, each below a comment that says
// when and where it ran and how its calls ended.
func writePowerShell(w http.ResponseWriter, entries []hypervsim.Entry) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, batch := range batchesOf(entries) {
		if _, err := fmt.Fprintln(w, printed(batch)); err != nil {
			return // The client has gone.
		}
	}
}

// batchesOf puts together the calls of each batch. Batches on several hosts run side by side, so that their entries
// stand between each other's.
func batchesOf(entries []hypervsim.Entry) [][]hypervsim.Entry {
	type key struct{ session, batch int }
	var batches [][]hypervsim.Entry
	position := map[key]int{}
	for _, e := range entries {
		if e.Call == nil {
			continue
		}
		k := key{e.Session, e.Batch}
		i, ok := position[k]
		if !ok {
			i = len(batches)
			position[k] = i
			batches = append(batches, nil)
		}
		batches[i] = append(batches[i], e)
	}
	return batches
}

func printed(entries []hypervsim.Entry) string {
	first := entries[0]
	batch := hostagent.Batch{Target: hostagent.Target{Host: first.Host}, Logon: first.Logon, OnError: first.OnError}
	var ends []string
	for _, e := range entries {
		batch.Calls = append(batch.Calls, *e.Call)
		ends = append(ends, fmt.Sprintf("%q %s", e.Call.ID, e.State))
	}
	head := fmt.Sprintf("# %d: %s on %s: %s\n", first.Seq, first.Time.UTC().Format("15:04:05.000"), first.Host, strings.Join(ends, ", "))
	text, err := surface.Print(batch)
	if err != nil {
		// A comment, so that what is printed stays PowerShell.
		return head + "# not printable: " + strings.ReplaceAll(err.Error(), "\n", " ") + "\n"
	}
	return head + text
}
