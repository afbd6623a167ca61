package forward

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/test/powershell"
)

func TestMain(m *testing.M) {
	// A server gives a client that it hangs up on half a second to read the last answer.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

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

// newFixture finds a PowerShell too; the test skips when there is none.
func newFixture(t *testing.T, changes ...func(*hypervsim.Model)) fixture {
	t.Helper()
	engine := powershell.Path(t)
	f := newServer(t, changes...)
	f.engine = engine
	f.server.RunTasks(engine, slog.New(slog.NewTextHandler(t.Output(), nil)))
	return f
}

func newServer(t *testing.T, changes ...func(*hypervsim.Model)) fixture {
	t.Helper()
	f := fixture{T: t}
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
	t.Cleanup(func() { f.ok(f.server.Close()) })
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

// account is one in a journal: its password is a mark.
var account = regexp.MustCompile(`\{"password":"\[secret [0-9a-f]{8}\]","user":"user"\}`)

// Scripts that anybody might send, on a host with the machines a and b.
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
		"properties of an object": {
			script: `$vm = Get-VM -Name a; "$vm"; $vm.GetType().Name; $vm.State; $vm.ProcessorCount + 1; $vm.IsClustered; $null -eq $vm.Heartbeat; $null -eq $vm.CPUUsage
				$vm.NetworkAdapters.Count; $vm.NetworkAdapters[0].Name; $vm.NetworkAdapters[0].VlanSetting.OperationMode; $vm.HardDrives -is [array]; $vm.Id -match '^[0-9a-f-]{36}$'`,
			want: "a\nVirtualMachine\nOff\n2\nFalse\nTrue\nTrue\n1\nNetwork Adapter\nUntagged\nTrue\nTrue",
		},
		"a property that is not there": {
			script: `Set-StrictMode -Version 2.0; (Get-VM -Name a).Pony`,
			want:   "ended PropertyNotFoundStrict",
		},
		"deep in another object": {
			script: `$g = Get-ClusterGroup -Name 'Cluster Group'; $g.OwnerNode.Name; $g.OwnerNode.State; "$($g.OwnerNode)"; $g.AntiAffinityClassNames.Count`,
			want:   "hv01\nUp\nhv01\n0",
		},
		"dates and CIM instances": {
			script: `$os = Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime, BuildNumber; $os.LastBootUpTime.GetType().Name; $os.BuildNumber; $os.GetType().Name`,
			want:   "DateTime\n20348\nCimInstance",
		},
		"errors beside values": {
			script: `Get-VM -Name a, none, b -ErrorAction SilentlyContinue -ErrorVariable e | ForEach-Object { $_.Name }
				foreach ($r in $e) { $r.FullyQualifiedErrorId; "$($r.CategoryInfo.Category)"; $r.TargetObject; '{0:X8}' -f $r.Exception.HResult }`,
			want: "a\nb\nObjectNotFound,Microsoft.HyperV.PowerShell.Commands.GetVM\nObjectNotFound\nnone\n80131500",
		},
		"an error that ends the script": {
			script: `$ErrorActionPreference = 'Stop'; try { Get-VM -Name none; 'went on' } catch { "$($_.CategoryInfo.Category)" }; Get-VM -Name none -ErrorAction Ignore; 'here'`,
			want:   "ObjectNotFound\nhere",
		},
		"what the binder refuses": {
			script: `foreach ($try in { Get-VM -Nme a }, { Set-VM -VM 'a' }, { Get-ChildItem -LiteralPath 'C:\' -Depth many }, { New-VHD -Path 'C:\x.vhdx' -SizeBytes 1GB -BlockSizeBytes 'x' }) {
				try { & $try } catch { $_.FullyQualifiedErrorId } }`,
			want: "NamedParameterNotFound,Get-VM\nParameterArgumentTransformationError,Set-VM\nParameterArgumentTransformationError,Get-ChildItem\nParameterArgumentTransformationError,New-VHD",
		},
		"WhatIf": {
			script: `Remove-VM -Name a -WhatIf; (Get-VM -Name a).Name`,
			want:   "a",
		},
		"values of every kind": {
			script: `Get-VM -Name a | Set-VM -ProcessorCount 3 -StaticMemory -AutomaticStopAction ShutDown -MemoryStartupBytes 2GB; $vm = Get-VM -Name a; $vm.ProcessorCount; $vm.AutomaticStopAction; $vm.MemoryStartup
				(Get-VM -Id ([guid] $vm.Id)).Name`,
			want: "3\nShutDown\n2147483648\na",
		},
		"an object that is gone": {
			script: `$vm = New-VM -Name c -Path 'C:\ClusterStorage\Gold\c' -NoVHD; Remove-VM -VM $vm -Force; $vm.Name; try { Set-VM -VM $vm -Notes x -ErrorAction Stop } catch { "$($_.CategoryInfo.Category)" }`,
			want:   "c\nObjectNotFound",
		},
		"text with everything in it": {
			script: `$text = -join [char[]] (0xe4, 0xd83d, 0xdcbe, 9, 34, 36, 39, 96, 0x2019, 0x5c, 10, 1); Set-VM -Name b -Notes $text; (Get-VM -Name b).Notes -ceq $text`,
			want:   "True",
		},
		"credentials": {
			script: `$s = [securestring]::new(); foreach ($c in 'hunter2'.ToCharArray()) { $s.AppendChar($c) }
				foreach ($n in 1, 2) { (Get-VMHost -ComputerName hv02 -Credential ([pscredential]::new('user', $s))).Name }`,
			want: "hv02\nhv02",
		},
		"modules by name": {
			script: `foreach ($m in 'Hyper-V', 'FailoverClusters', 'CimCmdlets', 'Microsoft.PowerShell.Management', 'ScheduledTasks') {
					Import-Module $m; $bad = @(Get-Command -Module $m | Where-Object { -not $_.Parameters.Count }); "$m $($bad.Count)" }
				(Hyper-V\Get-VM -Name a).Name`,
			want: "Hyper-V 0\nFailoverClusters 0\nCimCmdlets 0\nMicrosoft.PowerShell.Management 0\nScheduledTasks 0\na",
		},
	}
	f := newFixture(t)
	var script strings.Builder
	script.WriteString(`foreach ($name in 'a', 'b') { $null = New-VM -Name $name -Path "C:\ClusterStorage\Gold\$name" -Generation 2 -MemoryStartupBytes 1GB -NoVHD }`)
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		test := tests[name]
		script.WriteString("\n'== " + name + "'\ntry { & {\n" + test.script + "\n} } catch { \"ended $($_.FullyQualifiedErrorId)\" }\n")
	}
	out := map[string]string{}
	for _, part := range strings.Split("\n"+f.script("hv02", script.String()), "\n== ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		out[strings.TrimSpace(name)] = strings.TrimSpace(text)
	}
	var accounts []string
	for _, e := range f.Journal(0) {
		raw, err := json.Marshal(e)
		if err != nil || strings.Contains(string(raw), "hunter2") {
			t.Errorf("in the journal: %s, %v", raw, err)
		}
		accounts = append(accounts, account.FindAllString(string(raw), -1)...)
	}
	if len(accounts) != 2 || accounts[0] != accounts[1] {
		t.Errorf("one account, used twice, is in the journal as %q", accounts)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, out[name]); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// A host has what its Windows build has.
func TestModulesAreOfTheirBuild(t *testing.T) {
	f := newFixture(t, func(m *hypervsim.Model) { m.Hosts[0].Build, m.Hosts[1].Build = hyperv.Build2012R2, hyperv.Build2025 })
	for host, want := range map[string]string{"hv01": "False", "hv02": "True"} {
		if got := f.script(host, `(Get-Command Set-VM).Parameters.ContainsKey('CheckpointType')`); got != want {
			t.Errorf("%s: -CheckpointType is there: %s", host, got)
		}
	}
}
