package forward

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/test/powershell"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	gold = `C:\ClusterStorage\Gold`
	// timeout bounds one run of PowerShell; a scenario takes a second.
	timeout = time.Minute
)

// fixture is a world on which nothing takes time, with a server and the modules of its hosts.
type fixture struct {
	*testing.T
	*hypervsim.World
	server *Server
	engine string
}

func newFixture(t *testing.T, changes ...func(*hypervsim.Model)) fixture {
	t.Helper()
	f := fixture{T: t, engine: powershell.Path(t)}
	model := hypervsim.DefaultModel()
	model.Durations = hypervsim.Durations{MaxMigrations: 2}
	for _, change := range changes {
		change(&model)
	}
	var err error
	f.World, err = hypervsim.New(model, hypervsim.NewRealClock(1))
	f.ok(err)
	t.Cleanup(f.World.Close)
	f.server, err = Serve(f.World, t.TempDir(), slog.New(slog.DiscardHandler))
	f.ok(err)
	f.server.RunTasks(f.engine, slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(func() {
		if err := f.server.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// script runs a script on a host and gives what it wrote.
func (f fixture) script(host, text string) string {
	f.Helper()
	shell, err := f.server.Open(host)
	f.ok(err)
	defer func() { f.ok(shell.Close()) }()
	file := filepath.Join(f.TempDir(), "script.ps1")
	f.ok(os.WriteFile(file, []byte(text), 0o600))
	ctx, cancel := context.WithTimeout(f.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, f.engine, "-NoProfile", "-NonInteractive", "-File", file)
	cmd.Env = shell.Environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.Fatalf("PowerShell: %v\n%s", err, out)
	}
	return strings.ReplaceAll(strings.TrimSpace(string(out)), "\r\n", "\n")
}

// run runs a batch in the world itself.
func (f fixture) run(host string, calls ...hostagent.Call) hostagent.Results {
	f.Helper()
	agent, err := f.Driver().Open(f.Context(), hostagent.Target{Host: host})
	f.ok(err)
	defer func() { f.ok(agent.Close()) }()
	results, err := agent.Run(f.Context(), hostagent.Batch{OnError: hostagent.Stop, Calls: calls})
	f.ok(err)
	f.ok(results.Err())
	return results
}

const twoMachines = `
foreach ($name in 'a', 'b') { $null = New-VM -Name $name -Path "C:\ClusterStorage\Gold\$name" -Generation 2 -MemoryStartupBytes 1GB -NoVHD }
`

func TestScripts(t *testing.T) {
	tests := map[string]struct{ script, want string }{
		"names by pipeline": {
			script: `Get-VM | ForEach-Object { $_.Name }`,
			want:   "a\nb",
		},
		"a live object is bound, by parameter and by pipeline": {
			script: `$vm = Get-VM -Name a; Set-VM -VM $vm -Notes 'one'; $vm.Notes; Get-VM | Set-VM -Notes two; Get-VM | ForEach-Object { $_.Notes }`,
			want:   "one\ntwo\ntwo",
		},
	}
	f := newFixture(t)
	var script strings.Builder
	script.WriteString(twoMachines)
	for name, test := range tests {
		script.WriteString("\n'== " + name + "'\ntry { & {\n" + test.script + "\n} } catch { \"ended $_\" }\n")
	}
	out := map[string]string{}
	for _, part := range strings.Split("\n"+f.script("hv02", script.String()), "\n== ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		out[strings.TrimSpace(name)] = strings.TrimSpace(text)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, out[name]); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
