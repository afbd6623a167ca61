package powershell

import (
	_ "embed" // the inspecting script
	"os"
	"path/filepath"
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
		fields := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if len(fields) != 3 {
			t.Fatalf("PowerShell said %q", line)
		}
		switch fields[0] {
		case "problem":
			seen.Problems = append(seen.Problems, "line "+fields[1]+": "+fields[2])
		case "command":
			seen.Commands = append(seen.Commands, strings.TrimSpace(fields[1]+" "+fields[2]))
		case "type":
			seen.Types = append(seen.Types, fields[1])
		case "function":
			seen.Functions = append(seen.Functions, fields[1])
		case "parameter":
			seen.Parameters[fields[1]] = append(seen.Parameters[fields[1]], fields[2])
		}
	}
	return seen
}
