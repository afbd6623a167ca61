package endpoint

import (
	"fmt"
	"net/http"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/pkg/hypervsim"
)

// writePowerShell writes a journal as an administrator would have typed it: each batch below a comment that says when and
// where it ran and how its calls ended, and a comment for what no call did.
func writePowerShell(w http.ResponseWriter, entries []hypervsim.Entry) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, together := range batchesOf(entries) {
		if _, err := fmt.Fprintln(w, printed(together)); err != nil {
			return // The client has gone.
		}
	}
}

// batchesOf puts together the calls of each batch, in the order in which the batches began: several run side by side, so
// that their entries stand between each other's. Batches in a guest are their own, before the one that carried them. An entry
// without a call stands alone.
func batchesOf(entries []hypervsim.Entry) [][]hypervsim.Entry {
	type key struct {
		session, batch int
		vm             string
	}
	var batches [][]hypervsim.Entry
	position := map[key]int{}
	for _, e := range entries {
		k := key{e.Session, e.Batch, e.VMID}
		i, begun := position[k]
		if e.Call == nil || !begun || e.VMID != "" && e.Index == 0 {
			i = len(batches)
			batches = append(batches, nil)
		}
		if e.Call != nil {
			position[k] = i
		}
		batches[i] = append(batches[i], e)
	}
	return batches
}

func printed(entries []hypervsim.Entry) string {
	first := entries[0]
	head := fmt.Sprintf("# %d, %s", first.Seq, first.Time.UTC().Format("15:04:05.000"))
	if first.Call == nil {
		return head + ": " + comment(first.Effect) + "\n"
	}
	batch := hostagent.Batch{Target: hostagent.Target{Host: first.Host}, Logon: first.Logon, OnError: first.OnError}
	var ends []string
	for _, e := range entries {
		batch.Calls = append(batch.Calls, *e.Call)
		ends = append(ends, fmt.Sprintf("%q %s", e.Call.ID, e.State))
	}
	where := "on " + first.Host
	if first.VM != "" {
		where = "in VM " + comment(first.VM) + " " + where
	}
	head += fmt.Sprintf(", %s: %s\n", where, strings.Join(ends, ", "))
	text, err := surface.Print(batch)
	if err != nil {
		return head + "# not printable: " + comment(err.Error()) + "\n"
	}
	return head + text
}

// comment keeps a text within its line, so that all that is not a call stays a comment.
func comment(text string) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(text)
}
