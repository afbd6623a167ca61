package session_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
)

// logons are those that run in a task; every word in them is looked for where it must not be.
var logons = map[hostagent.Logon]*hostagent.Credential{
	hostagent.LogonSystem:   nil,
	hostagent.LogonExplicit: {User: `CORP\admin`, Password: hostagent.NewSecret("open sesame")},
}

// as is a batch with a logon.
func as(logon hostagent.Logon, calls ...hostagent.Call) hostagent.Batch {
	return hostagent.Batch{Logon: logon, Credential: logons[logon], OnError: hostagent.Continue, Calls: calls}
}

// tasks is the stand-in for the scheduled tasks of a host.
type tasks struct {
	t   *testing.T
	dir string
}

func newTasks(t *testing.T) tasks { return tasks{t, t.TempDir()} }

func (d tasks) put(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// names are the tasks that are registered.
func (d tasks) names() []string {
	d.t.Helper()
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		if !slices.Contains([]string{"recorded", "fail", "stuck"}, e.Name()) && !strings.HasSuffix(e.Name(), ".pid") {
			names = append(names, e.Name())
		}
	}
	return names
}

// kill ends the process of a task, or of a guest's session.
func (d tasks) kill(name string) {
	d.t.Helper()
	pid, err := os.ReadFile(filepath.Join(d.dir, name+".pid"))
	if err != nil {
		d.t.Fatal(err)
	}
	var id int
	if _, err := fmt.Sscan(string(pid), &id); err != nil {
		d.t.Fatal(err)
	}
	process, err := os.FindProcess(id)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		d.t.Fatal(err)
	}
}

func (d tasks) recorded() string {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, "recorded"))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

// installed is a file with the executor in it.
func installed(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "executor.ps1")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// ways are how an executor is started, each with what its tasks are told beside the name of a pipe.
func ways(t *testing.T) map[string]struct{ file, told string } {
	t.Helper()
	file := installed(t, session.Executor)
	return map[string]struct{ file, told string }{"streamed": {"", "'.','NAME',"}, "installed": {file, `-File "` + file + `" NAME`}}
}

// A batch in a task is answered as any other, from another process, and the task is gone with the answer.
func TestExecutorRunsABatchInATask(t *testing.T) {
	for way, start := range ways(t) {
		t.Run(way, func(t *testing.T) { runsABatchInATask(t, start.file) })
	}
}

func runsABatchInATask(t *testing.T, file string) {
	d := newTasks(t)
	e := startEngine(t, engineOptions{tasks: d.dir, file: file}).ready()
	calls := []hostagent.Call{
		getVM("read", "x", "missing", "it's \U0001F600 \"quoted\" $(Get-VM)"),
		call("change", "Set-VM", p{
			"Notes": hostagent.Ref{Call: "read", Property: "Name"}, "Password": hostagent.NewSecret("hush hush"),
			"Credential": hostagent.Credential{User: "u", Password: hostagent.NewSecret("hush hush")},
		}, "Type", "Text"),
		call("everything", "Get-VMHost", nil, "Text", "ULong", "Decimal", "Nested", "Table", "Enum"),
		call("around", "Get-VMSwitch", nil, "Confirm", "Loading", "Culture"),
		getVM("asks", "continue"), call("nothing", "Get-Nonsense", nil),
	}
	want := e.run(calls...)
	for logon := range logons {
		t.Run(string(logon), func(t *testing.T) {
			if diff := cmp.Diff(want, e.batch(as(logon, calls...))); diff != "" {
				t.Errorf("results (-Network +%s):\n%s", logon, diff)
			}
			if names := d.names(); len(names) > 0 {
				t.Errorf("afterwards there are the tasks %q", names)
			}
			process := e.batch(as(logon, call("a", "Get-VMSwitch", nil, "Process")))[0].Values[0].Int("Process")
			if process == 0 || int(process) == e.cmd.Process.Pid {
				t.Errorf("it ran in the process %d, the executor's own is %d", process, e.cmd.Process.Pid)
			}
		})
	}
}

// pipeName is all of a task that differs from one to the next.
var pipeName = regexp.MustCompile(`Batch\.[0-9a-f]{32}`)

// A task is the same whatever it runs: no data and no secret is in it. The one password goes to the Task Scheduler alone.
func TestExecutorTellsATaskNothing(t *testing.T) {
	for way, start := range ways(t) {
		t.Run(way, func(t *testing.T) { tellsATaskNothing(t, start.file, start.told) })
	}
}

func tellsATaskNothing(t *testing.T, file, told string) {
	const secret, password = "correct horse", "open sesame"
	d := newTasks(t)
	e := startEngine(t, engineOptions{tasks: d.dir, file: file}).ready()
	noted, count := counter(t)
	for logon := range logons {
		e.batch(as(logon, getVM("a", "a-machine"), call("b", "Set-VM", p{"Password": hostagent.NewSecret(secret)}, "Text"), noted))
		e.batch(as(logon, getVM("a", "another")))
	}
	if count() != 2 {
		t.Errorf("the batches ran %d times, want 2", count())
	}
	seen := map[string]map[string]int{}
	for line := range strings.Lines(d.recorded()) {
		cmdlet, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		if seen[cmdlet] == nil {
			seen[cmdlet] = map[string]int{}
		}
		seen[cmdlet][pipeName.ReplaceAllString(text, "NAME")]++
		if cmdlet == "Register-ScheduledTask" && strings.Contains(text, "Password="+password) && strings.Contains(text, `User=CORP\admin`) && strings.Contains(text, "RunLevel=Highest") {
			text = strings.Replace(text, password, "", 1)
		}
		for _, word := range []string{secret, password, "machine", "another", "Get-VM"} {
			if strings.Contains(text, word) {
				t.Errorf("%s was told %q", cmdlet, text)
			}
		}
	}
	for cmdlet, want := range map[string]int{"New-ScheduledTaskAction": 1, "New-ScheduledTaskPrincipal": 1, "New-ScheduledTaskSettingsSet": 1, "Register-ScheduledTask": 2, "Start-ScheduledTask": 1} {
		if len(seen[cmdlet]) != want {
			t.Errorf("%s was told %d different things, want %d: %v", cmdlet, len(seen[cmdlet]), want, seen[cmdlet])
		}
	}
	for text := range seen["New-ScheduledTaskPrincipal"] {
		if !strings.Contains(text, "UserId=S-1-5-18") || !strings.Contains(text, "LogonType=ServiceAccount") {
			t.Errorf("the machine's own task is of %q", text)
		}
	}
	for text := range seen["New-ScheduledTaskAction"] {
		// The Task Scheduler expands these.
		if strings.Contains(text, "$(") || strings.Contains(text, "%") || !strings.Contains(text, told) || (file != "" && strings.Contains(text, "Command")) {
			t.Errorf("the action: %s", text)
		}
	}
}

// A task that cannot be had is an error of every call, and nothing of the batch has run.
func TestExecutorSaysWhyThereIsNoTask(t *testing.T) {
	slow := strings.Replace(session.Executor, "FromSeconds(30)", "FromSeconds(2)", 1)
	tests := map[string]struct {
		file, text string
		want       hostagent.CallError
	}{
		"policy forbids it": {"fail", "0x80070569", hostagent.CallError{
			FullyQualifiedErrorID: "HRESULT 0x80070569,Register-ScheduledTask", Category: "NotSpecified", HResult: "0x80070569", Message: "Logon failure",
		}},
		"it never begins": {"stuck", "", hostagent.CallError{
			FullyQualifiedErrorID: "TaskNotStarted", Category: "OperationTimeout", HResult: "0x80131505",
			Message: "The scheduled task for the batch did not begin in time. A user needs the right to log on as a batch job.",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := newTasks(t)
			d.put(test.file, test.text)
			e := startEngine(t, engineOptions{tasks: d.dir, file: installed(t, slow)}).ready()
			noted, count := counter(t)
			for logon := range logons {
				results := e.batch(as(logon, noted, getVM("b", "x")))
				for _, r := range results {
					if len(r.Errors) == 1 {
						r.Errors[0].Target = ""
					}
					if diff := cmp.Diff([]hostagent.CallError{test.want}, r.Errors); diff != "" || r.State != hostagent.Failed {
						t.Errorf("%s: %s, errors (-want +got):\n%s", logon, r.State, diff)
					}
				}
			}
			if names := d.names(); len(names) > 0 || count() != 0 {
				t.Errorf("afterwards there are the tasks %q, and the batch ran %d times", names, count())
			}
			e.rest()
		})
	}
}

func TestExecutorReadsALogon(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	noted, count := counter(t)
	for _, b := range []hostagent.Batch{
		{Logon: "Root", OnError: hostagent.Stop, Calls: []hostagent.Call{noted}},
		{Logon: hostagent.LogonExplicit, OnError: hostagent.Stop, Calls: []hostagent.Call{noted}},
	} {
		lastID++
		e.request(lastID, b)
		if a := e.answer(lastID); a.Unreadable == "" || a.Results != nil {
			t.Errorf("%s: %+v", b.Logon, a)
		}
	}
	if results := e.batch(hostagent.Batch{Logon: hostagent.LogonNetwork, OnError: hostagent.Stop, Calls: []hostagent.Call{noted}}); count() != 1 {
		t.Errorf("%+v, and it ran %d times, want once", results, count())
	}
}

// A batch in a task that is given up is answered at once. It counts until its process has ended, and so do its changes.
func TestExecutorCancelsInATask(t *testing.T) {
	computer, d := freshComputer(), newTasks(t)
	first := startEngine(t, engineOptions{computer: computer, tasks: d.dir}).ready()
	g := newGate(t)
	noted, count := counter(t)
	first.request(1000, as(hostagent.LogonSystem, g.stopVM("block"), noted))
	g.reached()
	first.send(session.KindCancel, 1000, nil)
	if a := first.answer(1000); !a.Cancelled || a.Results != nil {
		t.Errorf("the answer to a batch that is cancelled: %+v", a)
	}
	if pong := first.ping(); pong.Running != 1 {
		t.Errorf("while its cmdlet still blocks: %+v", pong)
	}
	second := startEngine(t, engineOptions{computer: computer, tasks: d.dir})
	second.await(session.KindHello, 0)
	second.ping()
	second.none(session.KindReady, 0)
	g.open()
	second.await(session.KindReady, 0)
	if pong := first.ping(); pong.Running != 0 {
		t.Errorf("afterwards: %+v", pong)
	}
	if names := d.names(); len(names) > 0 || count() != 0 {
		t.Errorf("the tasks are %q, and the call after the cancelled one ran %d times", names, count())
	}
	first.write("bye")
	first.end()
	first.none(session.KindResult, 1000)
}

// What an executor leaves that is killed: the call under way ends, no other begins, and meanwhile nobody is ready. The task
// goes with its process, and no other one does.
func TestExecutorIsKilledBesideItsTask(t *testing.T) {
	computer, d := freshComputer(), newTasks(t)
	first := startEngine(t, engineOptions{computer: computer, tasks: d.dir}).ready()
	g := newGate(t)
	noted, count := counter(t)
	d.put("a-copy", "")
	first.request(1000, as(hostagent.LogonSystem, g.stopVM("block"), noted))
	g.reached()
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.exited()
	second := startEngine(t, engineOptions{computer: computer, tasks: d.dir})
	second.await(session.KindHello, 0)
	second.ping()
	second.none(session.KindReady, 0)
	g.open()
	second.await(session.KindReady, 0)
	if count() != 0 {
		t.Error("a call began after the executor's end")
	}
	if diff := cmp.Diff([]string{"a-copy"}, d.names()); diff != "" {
		t.Errorf("the tasks that are left (-want +got):\n%s", diff)
	}
}

// A task whose process was killed with its executor is swept, and no other one is.
func TestExecutorSweepsATask(t *testing.T) {
	d := newTasks(t)
	first := startEngine(t, engineOptions{tasks: d.dir}).ready()
	g := newGate(t)
	first.request(1000, as(hostagent.LogonSystem, g.stopVM("block")))
	g.reached()
	name := d.names()[0]
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	d.kill(name)
	_ = first.exited()
	d.put("a-copy", "")
	second := startEngine(t, engineOptions{tasks: d.dir, parallel: 1}).ready()
	second.run(getVM("a", "x")) // after which the sweep is over
	if diff := cmp.Diff([]string{"a-copy"}, d.names()); diff != "" {
		t.Errorf("the tasks that are left (-want +got):\n%s", diff)
	}
}

// A task that somebody still waits for is not swept, even before it runs.
func TestExecutorSweepsNoTaskOfOthers(t *testing.T) {
	d := newTasks(t)
	d.put("stuck", "")
	first := startEngine(t, engineOptions{tasks: d.dir}).ready()
	first.request(1000, as(hostagent.LogonSystem, getVM("a", "x")))
	for len(d.names()) == 0 {
		first.ping()
	}
	second := startEngine(t, engineOptions{tasks: d.dir, parallel: 1}).ready()
	second.run(getVM("a", "x"))
	if names := d.names(); len(names) != 1 {
		t.Errorf("the tasks are %q, want one", names)
	}
	first.send(session.KindCancel, 1000, nil)
	first.answer(1000)
	first.rest()
	if names := d.names(); len(names) > 0 {
		t.Errorf("afterwards the tasks are %q", names)
	}
}

// A task's process that ends in the midst of a batch leaves nobody who knows how far it came.
func TestExecutorLosesATask(t *testing.T) {
	d := newTasks(t)
	e := startEngine(t, engineOptions{tasks: d.dir}).ready()
	g := newGate(t)
	e.request(1000, as(hostagent.LogonSystem, g.stopVM("block"), getVM("b", "x")))
	g.reached()
	d.kill(d.names()[0])
	if got := states(e.answer(1000).Results); got != "Unknown Unknown" {
		t.Errorf("states: %s", got)
	}
	if names := d.names(); len(names) > 0 {
		t.Errorf("afterwards the tasks are %q", names)
	}
}

// With its session's end a batch that changes something goes on to its own, in a task, too.
func TestExecutorFinishesWhatChangesInATask(t *testing.T) {
	d := newTasks(t)
	e := startEngine(t, engineOptions{tasks: d.dir}).ready()
	g := newGate(t)
	noted, count := counter(t)
	e.request(1000, as(hostagent.LogonSystem, g.stopVM("block"), noted))
	g.reached()
	e.write("bye")
	g.open()
	e.end()
	if names := d.names(); len(names) > 0 || count() != 1 {
		t.Errorf("the tasks are %q, and the last call ran %d times", names, count())
	}
}
