package ssh

import (
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent/conformance"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/forward"
	"guestclustering.io/operator/test/powershell"
)

// ownName makes a host's name one that no other test on this machine has: executors of one host know of each other by the name
// of a kernel object.
var ownName = fmt.Sprintf("-%d", os.Getpid())

// becomePowerShell lets every command become a real PowerShell, with the command line that was sent and nothing of ours
// between it and sshd. Its cmdlets are forwarded to the world.
func (s *servers) becomePowerShell(server *forward.Server, engine string) {
	s.become = func(g greeting) (orders, func()) {
		shell, err := server.Open(g.Host + ownName)
		if err != nil {
			s.t.Error(err)
			return orders{Become: []string{"/bin/false"}}, func() {}
		}
		ended := make(chan struct{})
		s.group.Go(func() {
			select {
			case <-shell.Lost():
				_ = syscall.Kill(g.PID, syscall.SIGKILL)
			case <-ended:
			}
		})
		return orders{Become: append([]string{engine}, arguments(g.CommandLine)...), Environment: shell.Environment()}, func() {
			close(ended)
			if err := shell.Close(); err != nil {
				s.t.Error(err)
			}
		}
	}
}

// The shipped bootstrap and executor in a real PowerShell, behind a real SSH server.
func TestDriverConformsWithARealPowerShell(t *testing.T) {
	engine := powershell.Path(t)
	conformance.Run(t, func(t *testing.T) conformance.Subject {
		s := newServers(t)
		w := quick(t, func(m *hypervsim.Model) {
			for i := range m.Hosts {
				m.Hosts[i].Name += ownName
			}
			m.Volumes[0].Owner += ownName
		})
		server, err := forward.Serve(w, t.TempDir(), slog.New(slog.DiscardHandler))
		ok(t, err)
		t.Cleanup(func() {
			w.Close()
			ok(t, server.Close())
		})
		server.RunTasks(engine, slog.New(slog.DiscardHandler))
		s.becomePowerShell(server, engine)
		subject := s.subject(w)
		subject.Start = time.Second
		slow := subject.Slow
		subject.Slow = func(t *testing.T, cmdlet string, by time.Duration) {
			// The world sees what the function runs.
			if cmdlet == "New-StampedFolder" {
				cmdlet = "New-Item"
			}
			slow(t, cmdlet, by)
		}
		return subject
	})
}
