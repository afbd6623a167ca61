package wsman

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// FaultKind is a way in which a request goes wrong.
type FaultKind string

// What can be made to go wrong.
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
	// Oversize answers with Bytes bytes.
	Oversize FaultKind = "Oversize"
	// Empty answers with status 500 and nothing else, before any effect.
	Empty FaultKind = "Empty"
	// LateTimeout answers that time has run out although the request had its effect.
	LateTimeout FaultKind = "LateTimeout"
	// Busy refuses the request with code 170, before any effect.
	Busy FaultKind = "Busy"
	// Slow delays the answer by Delay, in real time.
	Slow FaultKind = "Slow"
	// NoShells refuses the request because the user has too many shells; NoOperations likewise.
	NoShells     FaultKind = "NoShells"
	NoOperations FaultKind = "NoOperations"
)

// Fault makes the next Count requests of the action go wrong; without an action, any request.
type Fault struct {
	Kind   FaultKind
	Action Action
	Count  int
	Bytes  int
	Delay  time.Duration

	released <-chan struct{}
}

// AddFault adds trouble. Of several that fit a request, the one added first counts.
func (s *Server) AddFault(f Fault) { s.faults.add(f) }

type faultList struct {
	mu       sync.Mutex
	faults   []*Fault
	released chan struct{}
}

func (l *faultList) add(f Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, &f)
}

// release lets everything go that hangs, for good.
func (l *faultList) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released == nil {
		l.released = make(chan struct{})
	}
	select {
	case <-l.released:
	default:
		close(l.released)
	}
}

// take finds what goes wrong with a request, and counts it down. The result may be nil and is good to ask all the same.
func (l *faultList) take(a Action) *Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.faults, func(f *Fault) bool { return f.Action == "" || f.Action == a })
	if i < 0 {
		return nil
	}
	if l.released == nil {
		l.released = make(chan struct{})
	}
	f := l.faults[i]
	if f.Count--; f.Count <= 0 {
		l.faults = slices.Delete(l.faults, i, i+1)
	}
	hit := *f
	hit.released = l.released
	return &hit
}

func (f *Fault) kind() FaultKind {
	if f == nil {
		return ""
	}
	return f.Kind
}

// before spoils a request that has no effect then, and reports whether it did.
func (f *Fault) before(w http.ResponseWriter, r *http.Request) bool {
	switch f.kind() {
	case Hang:
		f.wait(r)
	case DropBefore:
		drop(w)
	case Empty:
		w.WriteHeader(http.StatusInternalServerError)
	case Busy:
		refuse(w, errBusy)
	case NoShells:
		refuse(w, errShells(30))
	case NoOperations:
		refuse(w, errOperations(1500))
	case Slow:
		f.delay(r)
		return false
	default:
		return false
	}
	return true
}

func refuse(w http.ResponseWriter, f *fault) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = w.Write(f.envelope(""))
}

// refusal is what is said of a request that had its effect all the same, or nil.
func (f *Fault) refusal() error {
	if f.kind() == LateTimeout {
		return errTimedOut
	}
	return nil
}

// after spoils the answer to a request that had its effect, and reports whether it did.
func (f *Fault) after(w http.ResponseWriter, r *http.Request, reply []byte) bool {
	switch f.kind() {
	case DropAfter:
		drop(w)
	case Half:
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
		_, _ = w.Write(reply[:len(reply)/2])
		panic(http.ErrAbortHandler)
	case Garbage:
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write([]byte("<html>this is no envelope"))
	case Oversize:
		f.flood(w)
	default:
		return false
	}
	return true
}

func (f *Fault) flood(w http.ResponseWriter) {
	w.Header().Set("Content-Type", contentType)
	block := make([]byte, 64<<10)
	for i := range block {
		block[i] = ' '
	}
	for left := f.Bytes; left > 0; left -= len(block) {
		if _, err := w.Write(block[:min(left, len(block))]); err != nil {
			return
		}
	}
}

func (f *Fault) wait(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-f.released:
	}
}

func (f *Fault) delay(r *http.Request) {
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-f.released:
	}
}

// drop cuts the connection.
func drop(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}
