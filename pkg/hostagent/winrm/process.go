package winrm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
)

const (
	// busyTries is how often input is sent that the host was too busy to take, with busyPause in between.
	busyTries = 4
	busyPause = 250 * time.Millisecond
	// maxDiagnostics bounds what is kept of a program's standard error.
	maxDiagnostics = 8 << 10
	// afterwards bounds what is done on a host to give back what a start that failed holds there.
	afterwards = 10 * time.Second
)

var errEnded = errors.New("the process was ended by us")

// process is one shell on a host with one command in it.
type process struct {
	tx, rx *lane
	writer writer
	// life ends with Kill or Leave.
	life context.Context //nolint:containedctx // Reads and writes have no context of their own; this is the process's.
	end  context.CancelCauseFunc
	// release gives back what the process holds here; leave remembers a shell that is still on the host.
	release func()
	leave   func(shell string)

	shell, command string
	// pause is the time between two tries of input that the host is too busy for.
	pause time.Duration

	// For Read alone.
	output bytes.Buffer
	done   bool

	mu       sync.Mutex
	errors   strings.Builder
	exitCode string
}

// start makes the shell and starts the program. What failed leaves nothing behind, as far as the host lets us.
func (p *process) start(ctx context.Context, program, arguments string) error {
	err := p.open(ctx)
	if wasRefused(err) {
		return err
	}
	if err == nil {
		err = p.run(ctx, program, arguments)
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
		defer cancel()
		_ = p.remove(ctx) // why it did not start says more
	}
	return err
}

// open makes the shell. Its id is ours, so that a shell can be deleted although the answer that tells of it is lost.
func (p *process) open(ctx context.Context) error {
	p.shell = strings.ToUpper(uuid.NewString())
	a, err := p.tx.call(ctx, "open a shell", p.writer.create(p.shell))
	if err != nil {
		return err
	}
	id, err := a.shell()
	if err != nil {
		return p.unreadable("open a shell", err)
	}
	p.shell = id
	return nil
}

// wasRefused reports whether the host has certainly done nothing of what it was asked.
func wasRefused(err error) bool {
	_, said := errors.AsType[*fault](err)
	return notTaken(err) || said && !isFault(err, faultNothingYet)
}

func (p *process) run(ctx context.Context, program, arguments string) error {
	a, err := p.tx.call(ctx, "start PowerShell", p.writer.command(p.shell, program, arguments))
	if err != nil {
		return err
	}
	if p.command, err = a.command(); err != nil {
		return p.unreadable("start PowerShell", err)
	}
	return nil
}

func (p *process) unreadable(op string, err error) error {
	return p.tx.failure(p.life, op, garbled(err))
}

// Read asks the host for output when there is none left here. There is one Receive at a time, on the process's own
// context: giving one up would lose what it brings.
func (p *process) Read(b []byte) (int, error) {
	for p.output.Len() == 0 {
		if p.done {
			return 0, io.EOF
		}
		if err := p.receive(); err != nil {
			return 0, err
		}
	}
	return p.output.Read(b)
}

func (p *process) receive() error {
	a, err := p.rx.call(p.life, "receive", p.writer.receive(p.shell, p.command))
	if isFault(err, faultNothingYet) {
		return nil
	}
	if err != nil {
		return notTheEnd(err)
	}
	done, exitCode, err := a.output(p.take)
	if err != nil {
		return p.unreadable("receive", err)
	}
	if done {
		p.done = true
		p.mu.Lock()
		p.exitCode = exitCode
		p.mu.Unlock()
	}
	return nil
}

// notTheEnd keeps an io.EOF of the connection's, or of an answer that ends too early, apart from that of the program's
// output, which it is to whoever reads a process.
func notTheEnd(err error) error {
	e, ok := errors.AsType[*hostagent.Error](err)
	if !ok || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return &hostagent.Error{Class: e.Class, Op: e.Op, Target: e.Target, Err: errors.New(e.Err.Error())}
}

func (p *process) take(stream string, data []byte) {
	switch stream {
	case stdout:
		p.output.Write(data)
	case stderr:
		p.mu.Lock()
		defer p.mu.Unlock()
		if room := maxDiagnostics - p.errors.Len(); room > 0 {
			p.errors.Write(data[:min(room, len(data))])
		}
	}
}

// Write sends the bytes in pieces that fit into an envelope.
func (p *process) Write(b []byte) (int, error) {
	written := 0
	for piece := range chunks(b) {
		if err := p.send(piece); err != nil {
			if written == 0 && notTaken(err) {
				err = fmt.Errorf("%w: %w", session.ErrNotSent, err)
			}
			return written, err
		}
		written += len(piece)
	}
	return written, nil
}

func chunks(b []byte) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			n := min(chunk, len(b))
			if !yield(b[:n]) {
				return
			}
			b = b[n:]
		}
	}
}

// send sends one piece of input. Busy says that the host did not take it, so it goes out again. Should the host have taken
// it all the same, the frame that it is a part of fails its checksum, or comes twice under one id: neither runs anything
// twice. "Not in time" says, as others have found, that the input went through and its acknowledgement did not.
func (p *process) send(piece []byte) error {
	message := p.writer.send(p.shell, p.command, piece)
	for i := 1; ; i++ {
		_, err := p.tx.call(p.life, "send", message)
		switch {
		case isFault(err, faultNothingYet):
			return nil
		case isFault(err, faultBusy) && i < busyTries:
			if err := p.wait(); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

func (p *process) wait() error {
	select {
	case <-time.After(p.pause):
		return nil
	case <-p.life.Done():
		return p.tx.failure(p.life, "send", context.Cause(p.life))
	}
}

// Diagnostics is what the program said on its standard error, and its exit code unless that is 0.
func (p *process) Diagnostics() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := strings.ToValidUTF8(strings.TrimSpace(p.errors.String()), "")
	if p.exitCode != "" && p.exitCode != "0" {
		text = strings.TrimSpace(fmt.Sprintf("%s (exit code %.20s)", text, p.exitCode))
	}
	return text
}

// Kill ends the program and deletes the shell. What the host does not confirm is remembered, and deleted later.
func (p *process) Kill(ctx context.Context) error {
	p.end(errEnded)
	defer p.release()
	// The host must be told in any case, also of a program that has ended; what matters is Delete.
	_, _ = p.tx.call(ctx, "end PowerShell", p.writer.terminate(p.shell, p.command))
	return p.remove(ctx)
}

// Leave lets go of the process. Its shell is deleted once the host is known to have nothing of ours under way.
func (p *process) Leave() error {
	p.end(errEnded)
	p.leave(p.shell)
	p.release()
	return nil
}

func (p *process) remove(ctx context.Context) error {
	err := deleteShell(ctx, p.tx, p.writer, p.shell)
	if err != nil {
		p.leave(p.shell)
	}
	return err
}

// deleteShell deletes a shell with everything in it. One that is gone is deleted.
func deleteShell(ctx context.Context, l *lane, w writer, shell string) error {
	_, err := l.call(ctx, "delete the shell", w.delete(shell))
	if isGone(err) {
		return nil
	}
	return err
}
