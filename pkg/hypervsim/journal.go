package hypervsim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// journalSize bounds the journal; the oldest entries go first.
const journalSize = 100_000

// Entry is one line of the journal: a call with what became of it, or something that happened by itself or by a control
// method, in which case Call is nil.
type Entry struct {
	// Seq numbers the entries from 1 on without a gap.
	Seq  int       `json:"seq"`
	Time time.Time `json:"time"`
	Host string    `json:"host,omitempty"`
	// VM and VMID are the name and id of the machine whose guest the call was made in: a call of a batch inside the one call of
	// Session, Batch and Host, whose entry comes after those of the calls inside.
	VM   string `json:"vm,omitempty"`
	VMID string `json:"vmID,omitempty"`
	// Session and Batch number the sessions of the world and the batches of a session from 1 on; Index is the call's place
	// in its batch.
	Session int               `json:"session,omitempty"`
	Batch   int               `json:"batch,omitempty"`
	Index   int               `json:"index"`
	Logon   hostagent.Logon   `json:"logon,omitempty"`
	OnError hostagent.OnError `json:"onError,omitempty"`
	// Call has marks in the place of its secrets: equal ones for secrets that are equal, within one world.
	Call   *hostagent.Call       `json:"call,omitempty"`
	State  hostagent.State       `json:"state,omitempty"`
	Effect string                `json:"effect,omitempty"`
	Errors []hostagent.CallError `json:"errors,omitempty"`
	// Fault is the kind of the fault that was injected.
	Fault string `json:"fault,omitempty"`
}

// Journal gives the entries after the one with that number, oldest first: 0 for all that are kept.
func (w *World) Journal(since int) []Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	from := min(max(since-w.journalBase, 0), len(w.journal))
	return slices.Clone(w.journal[from:])
}

func (w *World) record(e Entry) {
	if len(w.journal) >= journalSize {
		// A tenth at a time, so that not every entry moves the others.
		gone := journalSize / 10
		w.journal = slices.Delete(w.journal, 0, gone)
		w.journalBase += gone
	}
	e.Seq = w.journalBase + len(w.journal) + 1
	e.Time = w.clock.Now()
	w.journal = append(w.journal, e)
}

// happened records what no call did.
func (w *World) happened(effect string) { w.record(Entry{Effect: effect}) }

// entry begins the journal entry of one call.
func (r *run) entry(i int) Entry { return r.entryOf(r.batch, i) }

func (r *run) entryOf(batch hostagent.Batch, i int) Entry {
	call := batch.Calls[i]
	call.Parameters = call.Parameters.ReplaceSecrets(r.session.world.secrets.mark)
	return Entry{
		Host: r.session.host.name, Session: r.session.id, Batch: r.number, Index: i,
		Logon: batch.Logon, OnError: batch.OnError, Call: &call,
	}
}

// marker makes the marks of one world's secrets: equal ones for equal secrets. They depend on a key that nobody is told, so
// that nobody can find a secret by trying what has the same mark.
type marker [sha256.Size]byte

func newMarker() *marker {
	var key marker
	_, _ = rand.Read(key[:]) // never fails
	return &key
}

func (m *marker) mark(s hostagent.Secret) hostagent.Secret {
	h := hmac.New(sha256.New, m[:])
	h.Write([]byte(s.Reveal()))
	return hostagent.NewMark(fmt.Sprintf("[secret %x]", h.Sum(nil)[:4]))
}
