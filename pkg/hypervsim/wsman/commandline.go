package wsman

import (
	"context"
	"fmt"
	"strings"
)

// maxShellLine is the longest line that cmd.exe takes, in characters.
const maxShellLine = 8191

// throughShell is a program that cmd.exe starts.
func throughShell(program Program) Program {
	return func(ctx context.Context, p Invocation) int {
		if len(p.CommandLine) > maxShellLine {
			fmt.Fprint(p.Stderr, "The command line is too long.\r\n")
			return 1
		}
		return program(ctx, p)
	}
}

// withoutShell takes off what cmd.exe takes off: the quotes around a whole command line.
func withoutShell(line string) string {
	line = strings.TrimSpace(line)
	if len(line) > 1 && line[0] == '"' && line[len(line)-1] == '"' && strings.Count(line, `"`) == 2 && strings.Contains(line, " -") {
		return line[1 : len(line)-1]
	}
	return line
}

// splitCommandLine cuts a command line into its arguments as programs of Microsoft's C library do: two quotes within quotes
// are one, backslashes count where a quote follows.
func splitCommandLine(line string) []string {
	var args []string
	for line = strings.TrimLeft(line, " \t"); line != ""; line = strings.TrimLeft(line, " \t") {
		var arg string
		arg, line = nextArgument(line)
		args = append(args, arg)
	}
	return args
}

func nextArgument(line string) (arg, rest string) {
	var b strings.Builder
	quoted, backslashes := false, 0
	flush := func(n int) {
		b.WriteString(strings.Repeat(`\`, n))
		backslashes = 0
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '\\':
			backslashes++
		case c == '"' && backslashes%2 == 1:
			flush(backslashes / 2)
			b.WriteByte('"')
		case c == '"' && quoted && strings.HasPrefix(line[i+1:], `"`):
			flush(backslashes / 2)
			b.WriteByte('"')
			i++
		case c == '"':
			flush(backslashes / 2)
			quoted = !quoted
		case (c == ' ' || c == '\t') && !quoted:
			flush(backslashes)
			return b.String(), line[i:]
		default:
			flush(backslashes)
			b.WriteByte(c)
		}
	}
	flush(backslashes)
	return b.String(), ""
}
