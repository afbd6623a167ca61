package ssh

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hypervsim"
)

func batch(cmdlet string, parameters hostagent.Parameters) hostagent.Batch {
	return hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: cmdlet, Parameters: parameters}}}
}

var (
	reading  = batch("Get-VMHost", nil)
	changing = batch("New-StampedFolder", hostagent.Parameters{"Path": hostagent.Text(`C:\ClusterStorage\Gold\x`), "Stamp": hostagent.Text("s")})
)

// What is cut off while it runs on a host is unknown if it changes something, and else out of reach.
func TestWhatIsCutOff(t *testing.T) {
	happenings := map[string]struct {
		happen  func(*servers)
		oneShot bool
	}{
		"the connection is cut":       {happen: (*servers).cut},
		"the process is killed":       {happen: (*servers).kill},
		"the connection of one batch": {happen: (*servers).cut, oneShot: true},
		"the process of one batch":    {happen: (*servers).kill, oneShot: true},
	}
	batches := map[string]struct {
		batch hostagent.Batch
		class hostagent.Class
	}{
		"reading":  {reading, hostagent.Unreachable},
		"changing": {changing, hostagent.OutcomeUnknown},
	}
	for what, happening := range happenings {
		for kind, test := range batches {
			t.Run(what+", "+kind, func(t *testing.T) {
				s, w := newRack(t)
				s.config.OneShot = happening.oneShot
				agent, err := s.driver().Open(t.Context(), hostagent.Target{Host: "hv01"})
				ok(t, err)
				cmdlet := test.batch.Calls[0].Cmdlet
				id, err := w.AddFault(hypervsim.Fault{Cmdlet: cmdlet, Count: 1, Kind: hypervsim.Hang})
				ok(t, err)
				failed := make(chan error, 1)
				go func() {
					_, err := agent.Run(t.Context(), test.batch)
					failed <- err
				}()
				until(t, func() bool { return w.Faults()[0].Hit > 0 })
				happening.happen(s)
				if err := <-failed; !errors.Is(err, test.class) {
					t.Errorf("got %v, want %s", err, test.class)
				}
				_ = agent.Close()
				ok(t, w.RemoveFault(id))
				// The next session comes once what was lost has ended.
				again, err := s.driver().Open(t.Context(), hostagent.Target{Host: "hv01"})
				ok(t, err)
				ok(t, again.Close())
			})
		}
	}
}

// raw starts a command on a host with nothing of the session around it.
func (s *servers) raw(d *driver) session.Process {
	s.t.Helper()
	host, err := d.hosts.Find("hv01")
	ok(s.t, err)
	p, err := d.starter(host, hostagent.Target{Host: "hv01"})(s.t.Context(), session.PowerShell, session.StreamedArguments)
	ok(s.t, err)
	return p
}

func TestTheEndOfAProcessIsNotThatOfTheConnection(t *testing.T) {
	tests := map[string]struct {
		command string
		before  func(*servers)
		ended   bool
	}{
		"it ends":               {command: "true", ended: true},
		"it fails":              {command: "exit 4", ended: true},
		"it is killed":          {command: "kill -9 $$", ended: true},
		"the connection is cut": {command: "cat", before: (*servers).cut},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServers(t)
			s.configure(test.command)
			p := s.raw(s.driver())
			if test.before != nil {
				test.before(s)
			}
			_, err := io.ReadAll(p)
			if test.ended != (err == nil) {
				t.Errorf("reading to the end: %v", err)
			}
			if !test.ended && !errors.Is(err, hostagent.Unreachable) {
				t.Errorf("got %v, want Unreachable", err)
			}
			if n, err := p.Write([]byte("x")); n != 0 || !errors.Is(err, session.ErrNotSent) {
				t.Errorf("writing after the end: %d, %v", n, err)
			}
			if err := p.Kill(t.Context()); test.ended != (err == nil) {
				t.Errorf("Kill: %v", err)
			}
		})
	}
}

func TestKillWaitsForTheProcess(t *testing.T) {
	tests := map[string]struct {
		command string
		dies    bool
	}{
		"it ends with its input": {"cat", true},
		"it writes without end":  {"cat /dev/zero & cat >/dev/null; kill $!", true},
		"it takes no notice":     {"exec sleep 5", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newServers(t)
			s.configure(test.command)
			p := s.raw(s.driver())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if !test.dies {
				cancel()
			}
			err := p.Kill(ctx)
			if !test.dies && !errors.Is(err, hostagent.Unreachable) {
				t.Errorf("Kill: %v, want that it is not known", err)
			}
			if _, err := p.Read(make([]byte, 1)); err == nil {
				t.Error("Read goes on")
			}
		})
	}
}

func TestLeaveUnblocks(t *testing.T) {
	s := newServers(t)
	s.configure("cat")
	p := s.raw(s.driver())
	read := make(chan error, 1)
	go func() {
		_, err := p.Read(make([]byte, 1))
		read <- err
	}()
	ok(t, p.Leave())
	if err := <-read; !errors.Is(err, hostagent.Unreachable) {
		t.Errorf("Read: %v", err)
	}
}

// A host that answers nothing any more, though its connection stands, is given up after a while.
func TestASilentConnectionIsCut(t *testing.T) {
	s := newServers(t)
	s.configure("cat")
	clock := clocktesting.NewFakeClock(time.Now())
	s.config.Clock = clock
	p := s.raw(s.driver())
	s.signal(syscall.SIGSTOP)
	defer s.signal(syscall.SIGCONT)
	read := make(chan error, 1)
	go func() {
		_, err := p.Read(make([]byte, 1))
		read <- err
	}()
	for {
		select {
		case err := <-read:
			if !errors.Is(err, errSilent) || !errors.Is(err, hostagent.Unreachable) {
				t.Errorf("got %v", err)
			}
			_ = p.Leave()
			return
		default:
			clock.Step(interval)
		}
	}
}

func TestSignsOfLife(t *testing.T) {
	var s signs
	pass := func(arrived int64, wantAsk, wantDead bool) {
		t.Helper()
		if ask, dead := s.pass(arrived); ask != wantAsk || dead != wantDead {
			t.Errorf("ask %t, dead %t", ask, dead)
		}
	}
	pass(0, true, false)
	pass(0, false, false)
	s.answered()
	pass(0, true, false)
	pass(0, false, false)
	pass(0, false, false)
	pass(9, false, false) // what arrives is a sign too
	pass(9, false, false)
	pass(9, false, false)
	pass(9, false, true)
}

// until waits for something that must come.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 60_000 {
		if holds() {
			return
		}
		<-tick.C
	}
	t.Fatal("it does not come")
}
