package forward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/conformance"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim"
)

// process is a real PowerShell with the shipped executor, on a simulated host.
type process struct {
	io.Reader
	io.WriteCloser
	kill  context.CancelFunc
	ended chan struct{}
}

func (p *process) Diagnostics() string { return "" }

func (p *process) Kill(ctx context.Context) error {
	p.kill()
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *process) Leave() error { return p.Close() }

// sessions reach simulated hosts over the session of real drivers.
type sessions struct {
	fixture
	options session.Options
}

func (s sessions) Open(ctx context.Context, target hostagent.Target) (hostagent.Agent, error) {
	options := s.options
	options.Target = target
	start := func(_ context.Context, _, arguments string) (session.Process, error) {
		return s.start(target, arguments)
	}
	return session.Open(ctx, start, options)
}

func (s sessions) start(target hostagent.Target, arguments string) (session.Process, error) {
	host := target.Host
	if host == "" {
		host = s.hosts()[0]
	}
	shell, err := s.server.Open(host)
	if err != nil {
		return nil, err
	}
	ctx, kill := context.WithCancel(context.Background())
	p := &process{kill: kill, ended: make(chan struct{})}
	cmd := exec.CommandContext(ctx, s.engine, s.split(arguments)...)
	cmd.Env = shell.Environment()
	cmd.Stderr = s.Output()
	stdin, inErr := cmd.StdinPipe()
	stdout, out := io.Pipe()
	cmd.Stdout = out
	p.Reader, p.WriteCloser = stdout, stdin
	if err := errors.Join(inErr, cmd.Start()); err != nil {
		kill()
		return nil, errors.Join(err, shell.Close())
	}
	go func() {
		defer close(p.ended)
		defer kill()
		s.Logf("PowerShell on %s ended: %v", host, errors.Join(cmd.Wait(), shell.Close(), out.Close()))
	}()
	go func() {
		select {
		case <-shell.Lost():
			kill()
		case <-p.ended:
		}
	}()
	return p, nil
}

// split is the command line as Windows splits it.
func (s sessions) split(arguments string) []string {
	if before, ok := strings.CutSuffix(arguments, `C:\ProgramData\GuestClustering\executor.ps1`); ok {
		return append(strings.Fields(before), s.installed())
	}
	before, command, _ := strings.Cut(strings.TrimSuffix(arguments, `"`), `"`)
	return append(strings.Fields(before), command)
}

// ownNames gives hosts names that no other test on this machine has: executors of one host know of each other by the name of a
// kernel object.
func ownNames(m *hypervsim.Model) {
	for i := range m.Hosts {
		m.Hosts[i].Name = fmt.Sprintf("hv%02d-%d", i+1, os.Getpid())
	}
	m.Volumes[0].Owner = m.Hosts[0].Name
}

func TestExecutorConforms(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Subject {
		f := newFixture(t, ownNames)
		return conformance.Subject{
			Driver: sessions{f, session.Options{}}, Host: f.hosts()[1], Absent: "hv99", Pool: gold,
			Slow: func(t *testing.T, cmdlet string, by time.Duration) {
				if _, err := f.AddFault(hypervsim.Fault{Cmdlet: cmdlet, Count: 1, Kind: hypervsim.Delay, Delay: by}); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

// installed is a file with the executor in it.
func (s sessions) installed() string {
	file := filepath.Join(s.TempDir(), "executor.ps1")
	s.ok(os.WriteFile(file, []byte(session.Executor), 0o600))
	return file
}

// Where an antivirus refuses scripts that come in another way, the file alone is run: by the session and by its tasks, with
// every logon and for a copy.
func TestInstalledExecutor(t *testing.T) {
	f := newFixture(t, ownNames)
	agent, err := sessions{f, session.Options{Installed: true}}.Open(t.Context(), hostagent.Target{Host: f.hosts()[2]})
	f.ok(err)
	defer func() { f.ok(agent.Close()) }()
	user := &hostagent.Credential{User: `CORP\admin`, Password: hostagent.NewSecret("open sesame")}
	for _, b := range []hostagent.Batch{
		{Calls: []hostagent.Call{cmdlet.Host("h"), cmdlet.NewStampedFolder("f", folder, stamp), copyTo(disk, "h1")}},
		{Logon: hostagent.LogonSystem, Calls: []hostagent.Call{cmdlet.Host("h")}},
		{Logon: hostagent.LogonExplicit, Credential: user, Calls: []hostagent.Call{cmdlet.Host("h")}},
	} {
		b.OnError = hostagent.Stop
		results, err := agent.Run(t.Context(), b)
		f.ok(err)
		f.ok(results.Err())
	}
	f.until(func() bool { return f.work().State == hyperv.WorkCompleted })
	tasks := 0
	for _, e := range f.Journal(0) {
		if e.Call == nil || e.Call.Cmdlet != "New-ScheduledTaskAction" {
			continue
		}
		tasks++
		if argument := fmt.Sprint(e.Call.Parameters["Argument"]); !fileAlone.MatchString(argument) {
			t.Errorf("a task's process is told %s", argument)
		}
	}
	if tasks != 3 {
		t.Errorf("there were %d tasks, want one for the copy and one for each other logon", tasks)
	}
}

// fileAlone is a command line that runs no script but the executor's file.
var fileAlone = regexp.MustCompile(`^-NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -InputFormat None -File "[^"]+executor\.ps1" (CopyWork|Batch\.[0-9a-f]{32})$`)

// hosts are the names of the world's hosts.
func (f fixture) hosts() []string {
	var out []string
	for _, h := range f.State().Hosts {
		out = append(out, h.Name)
	}
	return out
}

// What a batch calls with another logon is done with it, and the journal tells no password, nor has the host a task left.
func TestExecutorRunsWithOtherLogons(t *testing.T) {
	const password = "open sesame"
	f := newFixture(t, ownNames)
	host := f.hosts()[1]
	agent, err := sessions{f, session.Options{}}.Open(t.Context(), hostagent.Target{Host: host})
	f.ok(err)
	defer func() { f.ok(agent.Close()) }()
	user := &hostagent.Credential{User: `CORP\admin`, Password: hostagent.NewSecret(password)}
	for logon, credential := range map[hostagent.Logon]*hostagent.Credential{hostagent.LogonSystem: nil, hostagent.LogonExplicit: user} {
		results, err := agent.Run(t.Context(), hostagent.Batch{Logon: logon, Credential: credential, OnError: hostagent.Stop, Calls: []hostagent.Call{cmdlet.Host("h")}})
		f.ok(err)
		f.ok(results.Err())
	}
	got := map[hostagent.Logon]int{}
	for _, e := range f.Journal(0) {
		if raw, err := json.Marshal(e); err != nil || strings.Contains(string(raw), password) {
			t.Errorf("in the journal: %s, %v", raw, err)
		}
		if e.Call != nil && e.Call.Cmdlet == "Get-VMHost" {
			got[e.Logon]++
		}
	}
	if diff := cmp.Diff(map[hostagent.Logon]int{hostagent.LogonSystem: 1, hostagent.LogonExplicit: 1}, got); diff != "" {
		t.Errorf("logons of the call (-want +got):\n%s", diff)
	}
	if out := f.script(host, `Get-ScheduledTask -TaskPath '\GuestClustering\' -ErrorAction Ignore | ForEach-Object { $_.TaskName }`); out != "" {
		t.Errorf("there are tasks left: %s", out)
	}
}
