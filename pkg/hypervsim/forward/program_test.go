package forward

import (
	"bytes"
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

func (f fixture) shell(host, command string) (code int, output string) {
	f.Helper()
	var out, problems bytes.Buffer
	code = f.server.Program(f.engine)(f.Context(), wsman.Invocation{
		Host: host, CommandLine: `powershell.exe -NoProfile -NonInteractive -Command "` + command + `"`,
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &problems,
	})
	return code, strings.TrimSpace(out.String() + problems.String())
}

func TestProgram(t *testing.T) {
	f := newFixture(t)
	if code, out := f.shell("hv02", "(Get-VMHost).Name; $env:COMPUTERNAME"); code != 0 || strings.Join(strings.Fields(out), " ") != "hv02 hv02" {
		t.Errorf("exit code %d, %q", code, out)
	}
	f.ok(f.FailHost("hv02"))
	if code, out := f.shell("hv02", "(Get-VMHost).Name"); code == 0 || !strings.Contains(out, "the host does not answer") {
		t.Errorf("on a host that has failed: exit code %d, %q", code, out)
	}
}

// A process ends where its host does, and where a fault cuts the way to it: its client sees it end without an answer.
func TestProgramEndsWithTheConnection(t *testing.T) {
	f := newFixture(t)
	_, err := f.AddFault(hypervsim.Fault{Cmdlet: "Get-VMHost", Kind: hypervsim.DropAfter})
	f.ok(err)
	if _, out := f.shell("hv02", "(Get-VMHost).Name; 'went on'"); out != "" {
		t.Errorf("it still said %q", out)
	}
}
