package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
	"k8s.io/utils/clock"

	"guestclustering.io/operator/pkg/hostagent/session"
)

const (
	// A connection on which nothing comes is asked for a sign of life each interval; after so many without one it is cut.
	interval = 15 * time.Second
	patience = 3
	// maxDiagnostics bounds what is kept of a program's standard error.
	maxDiagnostics = 8 << 10
)

var (
	errEnded  = errors.New("the process was let go by us")
	errSilent = fmt.Errorf("the connection is dead: no answer for %s", (patience+1)*interval)
)

// process is one connection with one command on it.
type process struct {
	client  *ssh.Client
	session *ssh.Session
	stdout  io.Reader
	// lost makes an error of the connection's end.
	lost func(error) error

	// writing is held while stdin is used.
	writing sync.Mutex
	stdin   io.WriteCloser

	diagnostics diagnostics
	arrived     atomic.Int64
	// over is closed once the process, or the connection, has ended; then end says how.
	over chan struct{}
	end  error
	// released is closed when the process is let go of here.
	released   chan struct{}
	release    func(why error)
	why        error
	background sync.WaitGroup
}

// start runs a command on the connection, which is the process's from then on. After an error it is still the caller's.
func start(ctx context.Context, client *ssh.Client, command string) (*process, error) {
	stop := context.AfterFunc(ctx, func() { _ = client.Close() })
	defer stop()
	s, err := client.NewSession()
	if err != nil {
		return nil, refusal(err)
	}
	p := &process{client: client, session: s, over: make(chan struct{}), released: make(chan struct{})}
	var once sync.Once
	p.release = func(why error) {
		once.Do(func() {
			p.why = why
			close(p.released)
			_ = client.Close()
		})
	}
	s.Stderr = &p.diagnostics
	stdin, inErr := s.StdinPipe()
	stdout, outErr := s.StdoutPipe()
	if err := errors.Join(inErr, outErr, s.Start(command)); err != nil {
		return nil, refusal(err)
	}
	p.stdin, p.stdout = stdin, stdout
	p.background.Go(func() {
		p.end = s.Wait()
		close(p.over)
	})
	return p, nil
}

// refusal tells a host that says no from a connection that is lost.
func refusal(err error) error {
	if isConnection(err) {
		return err
	}
	return &execRefusedError{err}
}

// Read gives io.EOF when the process has ended: the host has said so. The end of the stream alone says nothing.
func (p *process) Read(b []byte) (int, error) {
	n, err := p.stdout.Read(b)
	p.arrived.Add(int64(n))
	if n > 0 || err == nil {
		return n, nil
	}
	<-p.over
	return 0, p.ending()
}

// ending says how it ended. Call it once over is closed.
func (p *process) ending() error {
	select {
	case <-p.released:
		return p.lost(p.why)
	default:
	}
	if p.hasExited() {
		return io.EOF
	}
	return p.lost(errors.New("the connection was lost"))
}

// hasExited reports whether the host told how the process ended. Call it once over is closed.
func (p *process) hasExited() bool {
	_, exit := errors.AsType[*ssh.ExitError](p.end)
	return p.end == nil || exit
}

// Write writes to the process's standard input.
func (p *process) Write(b []byte) (int, error) {
	p.writing.Lock()
	defer p.writing.Unlock()
	if p.isOver() {
		return 0, fmt.Errorf("%w: %w", session.ErrNotSent, p.lost(errors.New("the process or the connection has ended")))
	}
	n, err := p.stdin.Write(b)
	if err != nil {
		err = p.lost(fmt.Errorf("writing: %w", err))
	}
	return n, err
}

func (p *process) isOver() bool {
	select {
	case <-p.over:
		return true
	case <-p.released:
		return true
	default:
		return false
	}
}

// Diagnostics is what the program said on its standard error, and how it ended unless that was well.
func (p *process) Diagnostics() string {
	text := p.diagnostics.text()
	select {
	case <-p.over:
	default:
		return text
	}
	if exit, ok := errors.AsType[*ssh.ExitError](p.end); ok {
		how := fmt.Sprintf("exit code %d", exit.ExitStatus())
		if exit.Signal() != "" {
			how = "signal " + strings.ToValidUTF8(exit.Signal(), "")
		}
		text = strings.TrimSpace(fmt.Sprintf("%s (%s)", text, how))
	}
	return text
}

// Kill ends the process's input, at which it ends, and waits for the host to say so. Servers that know signals kill it.
func (p *process) Kill(ctx context.Context) error {
	defer p.background.Wait()
	stop := context.AfterFunc(ctx, func() { p.release(errEnded) })
	defer stop()
	_ = p.session.Signal(ssh.SIGKILL)
	p.endInput()
	// What it still writes must not keep it from ending.
	p.background.Go(func() { _, _ = io.Copy(io.Discard, p.stdout) })
	select {
	case <-p.over:
	case <-p.released:
		<-p.over
	}
	if p.hasExited() {
		p.release(errEnded)
		return nil
	}
	err := p.ending()
	p.release(errEnded)
	return err
}

// Leave ends the connection; the process notices that its input has ended.
func (p *process) Leave() error {
	p.release(errEnded)
	p.background.Wait()
	return nil
}

// endInput ends the standard input. A write under way is not waited for: it may wait for the process.
func (p *process) endInput() {
	if p.writing.TryLock() {
		defer p.writing.Unlock()
		_ = p.stdin.Close()
	}
}

// keepAlive cuts a connection on which nothing comes any more. It ends with the process.
func (p *process) keepAlive(c clock.WithTicker) {
	ticker := c.NewTicker(interval)
	defer ticker.Stop()
	answers := make(chan struct{}, 1)
	var s signs
	for {
		select {
		case <-p.over:
			return
		case <-answers:
			s.answered()
		case <-ticker.C():
			ask, dead := s.pass(p.arrived.Load())
			if dead {
				p.release(errSilent)
				return
			}
			if ask {
				p.background.Go(func() { p.ask(answers) })
			}
		}
	}
}

// signs are the signs of life on a connection.
type signs struct {
	asked   bool
	silent  int
	arrived int64
}

func (s *signs) answered() { s.asked, s.silent = false, 0 }

// pass notes that an interval has passed in which so many bytes have arrived in all, and says whether to ask for a sign of
// life now, and whether the connection is dead.
func (s *signs) pass(arrived int64) (ask, dead bool) {
	switch {
	case arrived != s.arrived:
		// A large answer holds up the one to the question.
		s.arrived, s.silent = arrived, 0
	case s.asked:
		s.silent++
	}
	ask = !s.asked
	s.asked = true
	return ask, s.silent >= patience
}

// ask asks the server for a sign of life. That it does not know the question is one.
func (p *process) ask(answers chan<- struct{}) {
	if _, _, err := p.client.SendRequest("keepalive@openssh.com", true, nil); err == nil {
		answers <- struct{}{}
	}
}

// diagnostics keeps the beginning of what is written.
type diagnostics struct {
	mu   sync.Mutex
	kept []byte
}

func (d *diagnostics) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if room := maxDiagnostics - len(d.kept); room > 0 {
		d.kept = append(d.kept, b[:min(room, len(b))]...)
	}
	return len(b), nil
}

func (d *diagnostics) text() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(d.kept), ""))
}
