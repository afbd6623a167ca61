package powershell

import (
	_ "embed" // the inspecting script
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

//go:embed inspect.ps1
var inspect string

// Inspection is what PowerShell's own parser sees in a script.
type Inspection struct {
	// Problems are syntax errors, and syntax that Windows PowerShell 5.1 does not have, with their lines.
	Problems []string
	// Commands are the commands that the script names, each with the parameters given: "Get-Item LiteralPath".
	Commands []string
	// Types are the types that the script names.
	Types     []string
	Functions []string
	// Parameters are those of param blocks, by function: "Name Type mandatory", as in "Pool String[] True".
	Parameters map[string][]string
	// Uses are what a rule may be about, in the order of the syntax tree.
	Uses []Use
}

// Use is one use of the language in a script.
type Use struct {
	Line int
	// Kind is: "command", Text being its name and the parameters given; "Ampersand", "Dot" or "Unknown", the operator before
	// what is run without a name, Text being its syntax and itself; "call", a method; "static", another static member;
	// "cast", the type and the syntax of what is cast; "variable"; "program", a text that names one; "type".
	Kind string
	Text string
}

// Inspect parses a script.
func Inspect(t testing.TB, script string) Inspection {
	t.Helper()
	dir := t.TempDir()
	subject, program := filepath.Join(dir, "subject.ps1"), filepath.Join(dir, "inspect.ps1")
	for path, text := range map[string]string{subject: script, program: inspect} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seen := Inspection{Parameters: map[string][]string{}}
	for line := range strings.Lines(Run(t, program, subject)) {
		if !seen.take(strings.Split(strings.TrimRight(line, "\r\n"), "\t")) {
			t.Fatalf("PowerShell said %q", line)
		}
	}
	return seen
}

// take adds what a line tells. It reports whether it could be read.
func (i *Inspection) take(fields []string) bool {
	if len(fields) == 4 && fields[0] == "use" {
		line, err := strconv.Atoi(fields[1])
		i.Uses = append(i.Uses, Use{Line: line, Kind: fields[2], Text: strings.TrimSpace(fields[3])})
		return err == nil
	}
	if len(fields) != 3 {
		return false
	}
	switch fields[0] {
	case "problem":
		i.Problems = append(i.Problems, "line "+fields[1]+": "+fields[2])
	case "command":
		i.Commands = append(i.Commands, strings.TrimSpace(fields[1]+" "+fields[2]))
	case "type":
		i.Types = append(i.Types, fields[1])
	case "function":
		i.Functions = append(i.Functions, fields[1])
	case "parameter":
		i.Parameters[fields[1]] = append(i.Parameters[fields[1]], fields[2])
	}
	return true
}
