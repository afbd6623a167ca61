package wsman

import (
	"context"
	"io"
)

// Program is what a shell's command runs. It ends soon after ctx has ended, which is how a process is killed, and gives
// the exit code.
type Program func(ctx context.Context, p Invocation) (exitCode int)

// Invocation is one run of a program.
type Invocation struct {
	// Host is the computer's name.
	Host string
	// CommandLine is the command with its arguments, as Windows starts it.
	CommandLine string
	Environment map[string]string
	// Stdin ends when the client has said that it ends, if the client asked for a pipe, and when the program has ended or is
	// to end.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}
