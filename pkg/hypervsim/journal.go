package hypervsim

import (
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
	// Session and Batch number the sessions of the world and the batches of a session from 1 on; Index is the call's place
	// in its batch.
	Session int               `json:"session,omitempty"`
	Batch   int               `json:"batch,omitempty"`
	Index   int               `json:"index"`
	Logon   hostagent.Logon   `json:"logon,omitempty"`
	OnError hostagent.OnError `json:"onError,omitempty"`
	// Call has its secrets hidden.
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
func (r *run) entry(i int) Entry {
	call := r.batch.Calls[i]
	call.Parameters = withoutSecrets(call.Parameters)
	return Entry{
		Host: r.session.host.name, Session: r.session.id, Batch: r.number, Index: i,
		Logon: r.batch.Logon, OnError: r.batch.OnError, Call: &call,
	}
}

func withoutSecrets(p hostagent.Parameters) hostagent.Parameters {
	out := make(hostagent.Parameters, len(p))
	for name, v := range p {
		out[name] = withoutSecret(v)
	}
	return out
}

func withoutSecret(v hostagent.Value) hostagent.Value {
	hidden := hostagent.NewSecret("[secret]")
	switch v := v.(type) {
	case hostagent.Secret:
		return hidden
	case hostagent.Credential:
		return hostagent.Credential{User: v.User, Password: hidden}
	case hostagent.List:
		out := make(hostagent.List, len(v))
		for i, e := range v {
			out[i] = withoutSecret(e)
		}
		return out
	case hostagent.Nested:
		b := v.Batch
		if b.Credential != nil {
			b.Credential = &hostagent.Credential{User: b.Credential.User, Password: hidden}
		}
		b.Calls = slices.Clone(b.Calls)
		for i := range b.Calls {
			b.Calls[i].Parameters = withoutSecrets(b.Calls[i].Parameters)
		}
		return hostagent.Nested{Batch: b}
	default:
		return v
	}
}
