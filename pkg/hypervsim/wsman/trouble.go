package wsman

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// FaultKind is a way in which a connection or a request goes wrong.
type FaultKind string

// What can be made to go wrong with a connection.
const (
	// Refuse resets a connection that was just made.
	Refuse FaultKind = "Refuse"
	// Mute keeps a connection, over TLS before its handshake, and never says anything on it.
	Mute FaultKind = "Mute"
	// ExpiredCertificate shows Config.Expired in a TLS handshake.
	ExpiredCertificate FaultKind = "ExpiredCertificate"
)

// What can be made to go wrong with a request that was let in.
const (
	// Hang takes the request and never answers; it ends with the connection.
	Hang FaultKind = "Hang"
	// DropBefore cuts the connection before the request has any effect, DropAfter after it had.
	DropBefore FaultKind = "DropBefore"
	DropAfter  FaultKind = "DropAfter"
	// Half sends half of the answer and cuts the connection.
	Half FaultKind = "Half"
	// Garbage answers with something that is no envelope; the request had its effect.
	Garbage FaultKind = "Garbage"
	// Oversize answers with Bytes bytes; the request had its effect.
	Oversize FaultKind = "Oversize"
	// Empty answers with status 500 and nothing else, before any effect; Forgotten with status 400, as the service does to a
	// message that was sealed for a session that it does not have any more.
	Empty     FaultKind = "Empty"
	Forgotten FaultKind = "Forgotten"
	// LateTimeout answers that time has run out although the request had its effect.
	LateTimeout FaultKind = "LateTimeout"
	// Busy refuses the request with code 170, before any effect.
	Busy FaultKind = "Busy"
	// Slow begins with the request after Delay.
	Slow FaultKind = "Slow"
	// NoShells refuses the request because the user has too many shells, NoOperations because of too many operations.
	NoShells     FaultKind = "NoShells"
	NoOperations FaultKind = "NoOperations"
)

// stage is what a fault is done to.
type stage int

const (
	toConnection stage = iota
	toHandshake
	toRequest
)

var stages = map[FaultKind]stage{
	Refuse: toConnection, Mute: toConnection, ExpiredCertificate: toHandshake,
	Hang: toRequest, DropBefore: toRequest, DropAfter: toRequest, Half: toRequest, Garbage: toRequest, Oversize: toRequest, Empty: toRequest,
	Forgotten: toRequest, LateTimeout: toRequest, Busy: toRequest, Slow: toRequest, NoShells: toRequest, NoOperations: toRequest,
}

// Fault makes the next Count connections or requests go wrong, or all until ClearFaults when Count is 0.
type Fault struct {
	Kind FaultKind
	// Action narrows a fault of requests to one action.
	Action Action
	Count  int
	// Bytes is the size of an Oversize answer.
	Bytes int
	// Delay is that of Slow, on the server's clock.
	Delay time.Duration

	cleared <-chan struct{}
}

// Validate reports what of a fault is not possible, as hostagent.Invalid.
func (f Fault) Validate() error {
	at, known := stages[f.Kind]
	switch {
	case !known:
		return fmt.Errorf("%w: no fault %q: want one of %s", hostagent.Invalid, f.Kind, names(stages))
	case f.Count < 0 || f.Bytes < 0 || f.Delay < 0:
		return fmt.Errorf("%w: a fault's count, bytes and delay are not negative", hostagent.Invalid)
	case f.Action == "":
		return nil
	case at != toRequest:
		return fmt.Errorf("%w: %s is done to connections, which have no action", hostagent.Invalid, f.Kind)
	case !slices.Contains(slices.Collect(maps.Values(actions)), f.Action):
		return fmt.Errorf("%w: no action %q: want one of %s", hostagent.Invalid, f.Action, strings.Join(actionNames(), ", "))
	}
	return nil
}

func names(kinds map[FaultKind]stage) string {
	out := make([]string, 0, len(kinds))
	for k := range kinds {
		out = append(out, string(k))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func actionNames() []string {
	out := make([]string, 0, len(actions))
	for _, a := range actions {
		out = append(out, string(a))
	}
	slices.Sort(out)
	return out
}

// AddFault adds trouble. Of several that fit, the one added first is done. A fault that Validate refuses does nothing.
func (s *Server) AddFault(f Fault) { s.faults.add(f) }

// Faults are those that are still to be done, with what is left of their counts.
func (s *Server) Faults() []Fault { return s.faults.left() }

// ClearFaults takes all faults back and cuts what hangs because of one.
func (s *Server) ClearFaults() { s.faults.clear() }

type faultList struct {
	mu     sync.Mutex
	faults []*Fault
	// cleared is closed, and made anew, when the faults are taken back.
	cleared chan struct{}
}

func newFaultList() *faultList { return &faultList{cleared: make(chan struct{})} }

func (l *faultList) add(f Fault) {
	if f.Validate() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, &f)
}

func (l *faultList) left() []Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Fault, 0, len(l.faults))
	for _, f := range l.faults {
		out = append(out, *f)
	}
	return out
}

func (l *faultList) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = nil
	close(l.cleared)
	l.cleared = make(chan struct{})
}

// take finds what goes wrong at a stage, and counts it down. The result may be nil and is good to ask all the same.
func (l *faultList) take(at stage, a Action) *Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.faults, func(f *Fault) bool { return stages[f.Kind] == at && (f.Action == "" || f.Action == a) })
	if i < 0 {
		return nil
	}
	f := l.faults[i]
	hit := *f
	hit.cleared = l.cleared
	switch f.Count {
	case 0:
	case 1:
		l.faults = slices.Delete(l.faults, i, i+1)
	default:
		f.Count--
	}
	return &hit
}

func (f *Fault) kind() FaultKind {
	if f == nil {
		return ""
	}
	return f.Kind
}

// before spoils a request that then has no effect and no answer of its own, and reports whether it did.
func (f *Fault) before(s *Server, w http.ResponseWriter, r *http.Request) bool {
	switch f.kind() {
	case Hang:
		select {
		case <-r.Context().Done():
		case <-f.cleared:
		}
		drop(w)
	case DropBefore:
		drop(w)
	case Empty:
		w.WriteHeader(http.StatusInternalServerError)
	case Forgotten:
		w.WriteHeader(http.StatusBadRequest)
	case Slow:
		f.delay(s, r)
		return false
	default:
		return false
	}
	return true
}

func (f *Fault) delay(s *Server, r *http.Request) {
	timer := s.config.Clock.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C():
	case <-r.Context().Done():
	case <-f.cleared:
	}
}

// refusal is what a request is refused with before it has an effect, or nil.
func (f *Fault) refusal(limits Limits) *fault {
	switch f.kind() {
	case Busy:
		return errBusy
	case NoShells:
		return errShells(limits.ShellsPerUser)
	case NoOperations:
		return errOperations(limits.OperationsPerUser)
	default:
		return nil
	}
}

// send sends what is left of an answer whose request had its effect.
func (f *Fault) send(w http.ResponseWriter, status int, reply []byte) {
	switch f.kind() {
	case DropAfter:
		drop(w)
	case Half:
		w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
		w.WriteHeader(status)
		_, _ = w.Write(reply[:len(reply)/2])
		_ = http.NewResponseController(w).Flush() // The client has gone when this fails.
		drop(w)
	case Garbage:
		_, _ = w.Write([]byte("<html>this is no envelope"))
	case Oversize:
		f.flood(w)
	default:
		w.WriteHeader(status)
		_, _ = w.Write(reply) // The client has gone when this fails.
	}
}

func (f *Fault) flood(w http.ResponseWriter) {
	block := []byte(strings.Repeat(" ", 64<<10))
	for left := f.Bytes; left > 0; left -= len(block) {
		if _, err := w.Write(block[:min(left, len(block))]); err != nil {
			return
		}
	}
}

// drop cuts the connection.
func drop(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}
