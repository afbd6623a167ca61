package ssh

import (
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent/conformance"
	"guestclustering.io/operator/pkg/hypervsim"
)

func TestDriverConforms(t *testing.T) {
	modes := map[string]struct {
		oneShot bool
		start   time.Duration
	}{
		"a process that stays": {},
		"one-shot":             {oneShot: true, start: 500 * time.Millisecond},
	}
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			conformance.Run(t, func(t *testing.T) conformance.Subject {
				s, w := newRack(t)
				s.config.OneShot = mode.oneShot
				subject := s.subject(w)
				subject.Start = mode.start
				return subject
			})
		})
	}
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
