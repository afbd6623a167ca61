package session

import (
	"context"
	"errors"
	"io"
)

// ErrNotSent is what Process.Write returns, wrapped, when certainly nothing of what it was given has left.
var ErrNotSent = errors.New("nothing was sent")

// Process is one PowerShell that a driver has started on a host, seen as its three streams. Read and Write are called
// side by side, each by one goroutine at a time.
type Process interface {
	// Read reads its standard output. io.EOF says that the process has ended; any other error says that the way to it is
	// lost, and is a *hostagent.Error where its class is known.
	io.Reader
	// Write writes to its standard input. After an error it is unknown how much arrived, unless the error is ErrNotSent.
	io.Writer
	// Diagnostics is the beginning of what it wrote to its standard error: text for people, bounded.
	Diagnostics() string
	// Kill ends the process and gives back what it holds on the host. It unblocks Read and Write.
	Kill(ctx context.Context) error
	// Leave lets go of a process that still works on something that must not be cut: it ends by itself once that is
	// done, and what it then still holds on the host is given back when the next process is started there, or by the
	// host itself. It unblocks Read and Write.
	Leave() error
}

// Start starts a PowerShell that runs the program with the arguments, which are a command line's remainder and hold no
// data. Errors are *hostagent.Error. What a process needs beyond Start lives until Kill or Leave, not until ctx ends.
type Start func(ctx context.Context, program, arguments string) (Process, error)
