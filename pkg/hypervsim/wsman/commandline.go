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
	for quoted := false; line != "" && (quoted || !strings.ContainsRune(" \t", rune(line[0]))); {
		var text string
		text, quoted, line = nextPart(line, quoted)
		b.WriteString(text)
	}
	return b.String(), line
}

// nextPart reads backslashes with the quote that follows them, or one other character.
func nextPart(line string, quoted bool) (text string, stillQuoted bool, rest string) {
	rest = strings.TrimLeft(line, `\`)
	backslashes := len(line) - len(rest)
	if !strings.HasPrefix(rest, `"`) {
		n := max(backslashes, 1)
		return line[:n], quoted, line[n:]
	}
	text, rest = strings.Repeat(`\`, backslashes/2), rest[1:]
	switch {
	case backslashes%2 == 1:
		return text + `"`, quoted, rest
	case quoted && strings.HasPrefix(rest, `"`):
		return text + `"`, quoted, rest[1:]
	default:
		return text, !quoted, rest
	}
}
