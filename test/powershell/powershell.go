// Package powershell finds a real PowerShell for tests and asks its binder what it makes of calls. Where there is none,
// a test that needs one skips and says so.
package powershell

import (
	"context"
	_ "embed" // the oracle's script
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv/surface"
)

// timeout bounds one run of PowerShell; a thousand calls take seconds.
const timeout = 3 * time.Minute

//go:embed oracle.ps1
var oracle string

// Path is a PowerShell's program: PWSH names it, else it is in tools beside the project, else pwsh is on the PATH.
// The test skips when there is none.
func Path(t testing.TB) string {
	t.Helper()
	if named := os.Getenv("PWSH"); named != "" {
		return named
	}
	if root, ok := projectRoot(); ok {
		beside := filepath.Join(filepath.Dir(root), "shared", "tools", "powershell", "bin", "powershell")
		if info, err := os.Stat(beside); err == nil && !info.IsDir() {
			return beside
		}
	}
	if found, err := exec.LookPath("pwsh"); err == nil {
		return found
	}
	t.Skip("no PowerShell: PWSH names none, none is in ../shared/tools/powershell, and no pwsh is on the PATH")
	return ""
}

func projectRoot() (string, bool) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, true
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	return "", false
}

// Run runs a script file and gives what it wrote to its standard output.
func Run(t testing.TB, script string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, Path(t), append([]string{"-NoProfile", "-NonInteractive", "-File", script}, args...)...)
	var problems limited
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("PowerShell: %v\n%s%s", err, out, problems.text)
	}
	return string(out)
}

// limited keeps the beginning of what is written to it.
type limited struct{ text []byte }

func (l *limited) Write(p []byte) (int, error) {
	if room := 4096 - len(l.text); room > 0 {
		l.text = append(l.text, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

// Case is what PowerShell's binder is asked about: a batch, or the PowerShell text of one, on a Windows build.
type Case struct {
	Build int
	Batch hostagent.Batch
	// Text is PowerShell to run in place of the batch.
	Text string
}

// Verdict is what PowerShell made of a case.
type Verdict struct {
	Calls []Received `json:"calls"`
	// Problem says why a text is not the plain calls that it should be.
	Problem string `json:"problem,omitempty"`
}

// Received is what one cmdlet received, or the error of the binder.
type Received struct {
	Cmdlet string           `json:"cmdlet"`
	Set    string           `json:"set,omitempty"`
	Values map[string]Value `json:"values,omitempty"`
	// Error is the id of the binder's error; empty when the call was bound.
	Error   string `json:"error,omitempty"`
	Message string `json:"message,omitempty"`
}

// Value is a bound value: the parameter's .NET type and the value's text, or those of a list's elements. An object that
// an earlier call returned is "call N".
type Value struct {
	Type  string   `json:"type"`
	Texts []string `json:"texts"`
}

// Bind asks one PowerShell about all cases.
func Bind(t testing.TB, cases []Case) []Verdict {
	t.Helper()
	dir := t.TempDir()
	script, request, answer := filepath.Join(dir, "oracle.ps1"), filepath.Join(dir, "request.json"), filepath.Join(dir, "answer.json")
	if err := writeRequest(dir, request, cases); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, []byte(oracle), 0o600); err != nil {
		t.Fatal(err)
	}
	said := Run(t, script, request, answer)
	raw, err := os.ReadFile(answer)
	if err != nil {
		t.Fatalf("no answer from PowerShell: %v\n%s", err, said)
	}
	var verdicts []Verdict
	if err := json.Unmarshal(raw, &verdicts); err != nil {
		t.Fatalf("reading PowerShell's answer: %v", err)
	}
	if len(verdicts) != len(cases) {
		t.Fatalf("PowerShell answered %d of %d cases", len(verdicts), len(cases))
	}
	return verdicts
}

type wireCase struct {
	Build int             `json:"build"`
	Batch json.RawMessage `json:"batch,omitempty"`
	Text  string          `json:"text,omitempty"`
}

func writeRequest(dir, path string, cases []Case) error {
	wire := struct {
		Modules   map[string]string `json:"modules"`
		Functions string            `json:"functions"`
		Cases     []wireCase        `json:"cases"`
	}{Modules: map[string]string{}, Functions: session.Executor, Cases: make([]wireCase, len(cases))}
	for i, c := range cases {
		module, err := stubModule(dir, c.Build)
		if err != nil {
			return err
		}
		wire.Modules[strconv.Itoa(c.Build)] = module
		wire.Cases[i] = wireCase{Build: c.Build, Text: c.Text}
		if c.Text != "" {
			continue
		}
		if wire.Cases[i].Batch, err = hostagent.EncodeBatch(c.Batch); err != nil {
			return fmt.Errorf("case %d: %w", i, err)
		}
	}
	raw, err := json.Marshal(wire)
	if err != nil {
		return fmt.Errorf("encoding the request: %w", err)
	}
	return os.WriteFile(path, raw, 0o600)
}

func stubModule(dir string, build int) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("stubs%d.psm1", build))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	var text strings.Builder
	if err := surface.StubModule(&text, build, "Write-Bound $PSCmdlet $PSBoundParameters $MyInvocation.MyCommand"); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(text.String()), 0o600)
}
