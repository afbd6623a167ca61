package ssh

import (
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/conformance"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hypervsim"
)

func TestDriverConforms(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Subject {
		s, w := newRack(t)
		return s.subject(w)
	})
}

// Batches are the session's, however it is held; what the driver does is to pass on how.
func TestModesAreTheSessions(t *testing.T) {
	modes := map[string]struct {
		change func(*Config)
		// processes are started by opening and by two batches.
		processes int
		arguments string
	}{
		"a process that stays":  {func(*Config) {}, 1, session.StreamedArguments},
		"a process for each":    {func(c *Config) { c.OneShot = true }, 3, session.StreamedArguments},
		"an installed executor": {func(c *Config) { c.Installed = true }, 1, session.InstalledArguments},
	}
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			s, _ := newRack(t)
			mode.change(&s.config)
			serve := s.serve
			var lines lines
			s.serve = func(g greeting, stdin io.Reader, stdout io.Writer) {
				lines.add(g.CommandLine)
				serve(g, stdin, stdout)
			}
			agent, err := s.driver().Open(t.Context(), hostagent.Target{Host: "hv01"})
			ok(t, err)
			for _, b := range []hostagent.Batch{reading, changing} {
				results, err := agent.Run(t.Context(), b)
				ok(t, err)
				ok(t, results.Err())
			}
			ok(t, agent.Close())
			want := slices.Repeat([]string{session.PowerShell + " " + mode.arguments}, mode.processes)
			if diff := cmp.Diff(want, lines.all()); diff != "" {
				t.Errorf("command lines (-want +got)\n%s", diff)
			}
		})
	}
}

// lines are texts in the order in which they came.
type lines struct {
	mu    sync.Mutex
	texts []string
}

func (l *lines) add(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.texts = append(l.texts, text)
}

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.texts)
}

func (s *servers) subject(w *hypervsim.World) conformance.Subject {
	return conformance.Subject{
		Driver: s.driver(), Host: "hv02", Absent: "hv99", Pool: `C:\ClusterStorage\Gold`,
		Slow: func(t *testing.T, cmdlet string, by time.Duration) {
			_, err := w.AddFault(hypervsim.Fault{Cmdlet: cmdlet, Count: 1, Kind: hypervsim.Delay, Delay: by})
			ok(t, err)
		},
	}
}
