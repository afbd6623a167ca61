package session

import (
	"log/slog"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"guestclustering.io/operator/pkg/hostagent"
)

// Options say how a session is held. Target alone is needed.
type Options struct {
	// Target is what the session is with; its host, if it names one, is what batches are held against.
	Target hostagent.Target
	// Installed is whether the executor is a file on the host, for hosts on which a policy or an antivirus refuses a script
	// that comes over standard input.
	Installed bool
	// OneShot starts a process for each batch, for hosts whose policy allows none that stays.
	OneShot bool
	// Parallel is how many batches a host runs side by side, and in one-shot mode how many processes; 0 is 8.
	Parallel int
	// Memory is what is remembered of the host between sessions; nil remembers within this one.
	Memory *Memory
	// Log is nil for none; Clock is nil for the real one.
	Log   *slog.Logger
	Clock clock.WithTicker
}

func (o Options) withDefaults() Options {
	if o.Parallel == 0 {
		o.Parallel = 8
	}
	if o.Memory == nil {
		o.Memory = &Memory{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return o
}

// limits are the session's times and bounds, so that tests can have others.
type limits struct {
	// hello bounds the start of a process up to its hello; the wait after that, for earlier work, has no bound but the
	// caller's.
	hello time.Duration
	// farewell bounds the last write to a process, and its end.
	farewell time.Duration
	// beat is how often a busy process is pinged, and one at rest at every idleBeats-th; patience is how long nothing at all
	// may come back.
	beat, patience time.Duration
	idleBeats      int
	// A process ends after so long without a batch, and is replaced at so old (and up to jitter more, so that not all hosts
	// are due at once), after so many requests, or when it holds so much memory.
	idle, age, jitter time.Duration
	requests          uint64
	workingSet        int64
}

var defaults = limits{
	hello: 30 * time.Second, farewell: 5 * time.Second,
	beat: 30 * time.Second, patience: 30 * time.Second, idleBeats: 4,
	// Windows ends a remote shell after 8 hours, whatever runs in it.
	idle: 10 * time.Minute, age: 4 * time.Hour, jitter: 30 * time.Minute,
	requests: 20_000, workingSet: 512 << 20,
}

// Memory is what a driver keeps of one host from session to session, so that a host that was restarted can be told from a
// session that was merely lost. The zero value remembers nothing yet.
type Memory struct {
	mu   sync.Mutex
	boot time.Time
	lost bool
}

// lose records that a session broke.
func (m *Memory) lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost = true
}

// meet records the host's boot time as a new session has it. It gives the former one, and whether a session broke since.
func (m *Memory) meet(boot time.Time) (former time.Time, lost bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	former, lost = m.boot, m.lost
	m.boot, m.lost = boot, false
	return former, lost
}

// bootTolerance is how far two readings of one boot time may be apart: Windows computes it from a clock that is set.
const bootTolerance = 5 * time.Second

// restarted is whether a host that had the former boot time was started again since.
func restarted(former, boot time.Time) bool {
	return !former.IsZero() && !boot.IsZero() && boot.Sub(former).Abs() > bootTolerance
}
