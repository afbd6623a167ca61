package session_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/direct"
	"guestclustering.io/operator/pkg/hostagent/session"
)

const (
	// A guest lets in who has the password.
	machine, guestPassword = "11111111-2222-3333-4444-555555555555", "right"
	deafMachine            = "00000000-0000-0000-0000-000000000000"
)

// inside is the batch for a host that carries one into a guest.
func inside(t *testing.T, vm, password string, b hostagent.Batch) hostagent.Batch {
	t.Helper()
	b.Target.VM = vm
	wrapped, err := direct.Wrap("guest", hostagent.Credential{User: "admin", Password: hostagent.NewSecret(password)}, b)
	if err != nil {
		t.Fatal(err)
	}
	return batchOf(wrapped)
}

// guest runs a batch in the guest.
func (e *engine) guest(b hostagent.Batch) (hostagent.Results, error) {
	e.t.Helper()
	return direct.Unwrap(b, e.batch(inside(e.t, machine, guestPassword, b))[0])
}

func (e *engine) mustGuest(b hostagent.Batch) hostagent.Results {
	e.t.Helper()
	results, err := e.guest(b)
	if err != nil {
		e.t.Fatal(err)
	}
	return results
}

func getObject(id, filter string, selected ...string) hostagent.Call {
	return call(id, "Get-ADObject", p{"LDAPFilter": hostagent.Text(filter)}, selected...)
}

// block is a call in a guest that blocks at the gate.
func (g *gate) block() hostagent.Call {
	return call("block", "Remove-ADComputer", p{"Identity": hostagent.Text(g.path)})
}

// guestCounter is a counter in a guest.
func guestCounter(t *testing.T) (hostagent.Call, func() int) {
	t.Helper()
	noted, count := counter(t)
	return call("count", "Remove-ADComputer", p{"Identity": noted.Parameters["Path"], "Count": hostagent.Bool(true)}), count
}

// guestCalls have the secrets "right" and "other".
func guestCalls() []hostagent.Call {
	return []hostagent.Call{
		getObject("one", "it's \U0001F600", "Name", "Number", "List", "Confirm", "Process"),
		call("set", "Get-ADComputer", p{
			"LDAPFilter": hostagent.Ref{Call: "one", Property: "Name"}, "Password": hostagent.NewSecret(guestPassword),
			"Credential": hostagent.Credential{User: "u", Password: hostagent.NewSecret("other")},
		}, "Name", "Type", "Text"),
		call("unknown", "Get-Nonsense", nil), getVM("a host's", "x"),
		call("a host's function", "Get-StampedFolder", p{"Pool": hostagent.Texts("a")}),
		call("text", "Get-ADObject", p{"LDAPFilter": hostagent.NewSecret(guestPassword)}, "Name"),
		getObject("fails", "missing", "Name"),
	}
}

// The stand-in for Invoke-Command runs what it is given in a PowerShell of its own, as remoting does.
func TestExecutorRunsABatchInAGuest(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	results := e.mustGuest(batchOf(guestCalls()...))
	if got := states(results); got != "Done Done Failed Failed Failed Failed Failed" {
		t.Errorf("states inside: %s, %+v", got, results)
	}
	bound := map[string]string{}
	for _, v := range results.ByID("set").Values {
		bound[v.Text("Name")] = v.Text("Type") + " " + v.Text("Text")
	}
	delete(bound, "ErrorAction")
	want := map[string]string{"LDAPFilter": "String it's \U0001F600", "Password": "SecureString 5", "Credential": "PSCredential u 5"}
	if diff := cmp.Diff(want, bound); diff != "" {
		t.Errorf("bound inside (-want +got):\n%s", diff)
	}
	stops := hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{getObject("a", "missing"), getObject("b", "x")}}
	if got := states(e.mustGuest(stops)); got != "Failed NotRun" {
		t.Errorf("a batch that stops: %s", got)
	}
	// PowerShell reports both under one id and category.
	for name, test := range map[string]struct{ id, password, want string }{
		"a wrong password":             {machine, "wrong", "InvalidCredential AuthenticationError"},
		"a guest that does not listen": {deafMachine, guestPassword, "PSSessionStateBroken,Invoke-Command OpenError"},
	} {
		r := e.batch(inside(t, test.id, test.password, stops))[0]
		if r.State != hostagent.Failed || len(r.Errors) != 1 || r.Errors[0].FullyQualifiedErrorID+" "+r.Errors[0].Category != test.want {
			t.Errorf("%s: %+v, want %s", name, r, test.want)
		}
	}
}

// A host runs nothing that is for guests, and a guest nothing that is for hosts, in a task either.
func TestExecutorRunsWhatIsForThisPlace(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	forGuests := []hostagent.Call{
		getObject("cmdlet", "a"),
		call("function", "Set-ClusterHeartbeat", p{"SameSubnetThreshold": hostagent.Int(1), "CrossSubnetThreshold": hostagent.Int(1)}),
	}
	forHosts := []hostagent.Call{getVM("cmdlet", "a"), call("function", "Get-StampedFolder", p{"Pool": hostagent.Texts("a")})}
	for _, logon := range []hostagent.Logon{hostagent.LogonNetwork, hostagent.LogonExplicit} {
		for _, r := range append(e.batch(as(logon, forGuests...)), e.mustGuest(as(logon, forHosts...))...) {
			if r.State != hostagent.Failed || len(r.Errors) != 1 || r.Errors[0].FullyQualifiedErrorID != "CommandNotFoundException" {
				t.Errorf("%s: %+v", logon, r)
			}
		}
	}
}

// A guest's batch in a task is answered as any other, from another process, and the task is gone with the answer. Nothing but
// the Task Scheduler is told a secret.
func TestExecutorRunsAGuestsBatchInATask(t *testing.T) {
	for way, start := range ways(t) {
		t.Run(way, func(t *testing.T) {
			d := newTasks(t)
			e := startEngine(t, engineOptions{tasks: d.dir, file: start.file}).ready()
			want := e.mustGuest(batchOf(guestCalls()...))
			for logon := range logons {
				got := e.mustGuest(as(logon, guestCalls()...))
				ran := got[0].Values[0].Text("Process")
				if own, err := os.ReadFile(filepath.Join(d.dir, "guest.pid")); err != nil || ran == "" || ran == string(own) {
					t.Errorf("%s: it ran in the process %q, the guest's session is %s, %v", logon, ran, own, err)
				}
				got[0].Values[0]["Process"] = want[0].Values[0]["Process"]
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("results (-Network +%s):\n%s", logon, diff)
				}
				if names := d.names(); len(names) > 0 {
					t.Errorf("%s: afterwards there are the tasks %q", logon, names)
				}
				wire, err := json.Marshal(got)
				if err != nil || secretWords.Match(wire) {
					t.Errorf("%s: a secret came back: %s, %v", logon, wire, err)
				}
			}
			for line := range strings.Lines(d.recorded()) {
				if strings.HasPrefix(line, "Register-ScheduledTask ") && strings.Contains(line, "Password=open sesame") {
					line = strings.Replace(line, "open sesame", "", 1)
				}
				if secretWords.MatchString(line) || strings.Contains(line, "ADObject") {
					t.Errorf("the Task Scheduler was told %s", line)
				}
			}
		})
	}
}

// secretWords are in the secrets of these tests alone.
var secretWords = regexp.MustCompile(`\b(right|other|sesame)\b`)

// A task that a guest does not give is an error of every call, and nothing of the batch has run.
func TestExecutorSaysWhyAGuestGivesNoTask(t *testing.T) {
	slow := strings.Replace(session.Executor, "FromSeconds(30)", "FromSeconds(2)", 1)
	d := newTasks(t)
	e := startEngine(t, engineOptions{tasks: d.dir, file: installed(t, slow)}).ready()
	noted, count := guestCounter(t)
	for _, test := range []struct {
		name, file, text string
		want             hostagent.Class
		reason           string
	}{
		{"a wrong password", "fail", "0x8007052e", hostagent.Unauthenticated, "Logon failure"},
		{"no right to batch jobs", "fail", "0x80070569", hostagent.Forbidden, "Logon failure"},
		{"no passwords may be kept", "fail", "0x80070520", hostagent.Forbidden, "Logon failure"},
		{"one that never begins", "stuck", "", hostagent.Timeout, "A user needs the right to log on as a batch job"},
	} {
		d.put(test.file, test.text)
		for _, r := range e.mustGuest(as(hostagent.LogonExplicit, noted, getObject("b", "x"))) {
			if r.State != hostagent.Failed || hostagent.ClassOf(r.Err()) != test.want || !strings.Contains(r.Err().Error(), test.reason) {
				t.Errorf("%s: %s, %v, want %s with %q", test.name, r.State, r.Err(), test.want, test.reason)
			}
		}
		if names := d.names(); len(names) > 0 || count() != 0 {
			t.Errorf("%s: afterwards there are the tasks %q, and the batch ran %d times", test.name, names, count())
		}
		if err := os.Remove(filepath.Join(d.dir, test.file)); err != nil {
			t.Fatal(err)
		}
	}
}

// A guest's batch in a task that is given up counts until its call under way has ended, and no later one begins. Until then the
// guest takes no other.
func TestExecutorCancelsInAGuestsTask(t *testing.T) {
	d := newTasks(t)
	e := startEngine(t, engineOptions{tasks: d.dir}).ready()
	g := newGate(t)
	noted, count := guestCounter(t)
	e.request(1000, inside(t, machine, guestPassword, as(hostagent.LogonExplicit, g.block(), noted)))
	g.reached()
	e.send(session.KindCancel, 1000, nil)
	if a := e.answer(1000); !a.Cancelled || a.Results != nil {
		t.Errorf("the answer to a batch that is cancelled: %+v", a)
	}
	takesNoOther(t, e)
	running := e.ping().Running
	for deadline := time.Now().Add(patience); running > 1 && time.Now().Before(deadline); running = e.ping().Running { // the others' answers are there
	}
	if running != 1 {
		t.Errorf("while its cmdlet still blocks %d batches are under way", running)
	}
	g.open()
	e.rest()
	if names := d.names(); len(names) > 0 || count() != 0 {
		t.Errorf("the tasks are %q, and the call after the cancelled one ran %d times", names, count())
	}
	if got := states(e.mustGuest(as(hostagent.LogonExplicit, noted))); got != "Done" || count() != 1 {
		t.Errorf("another batch: %s, and it ran %d times", got, count())
	}
}

// takesNoOther checks that a guest refuses another batch with a logon, and no batch without.
func takesNoOther(t *testing.T, e *engine) {
	t.Helper()
	noted, count := guestCounter(t)
	r := e.mustGuest(as(hostagent.LogonExplicit, noted))[0]
	if hostagent.ClassOf(r.Err()) != hostagent.Busy || !strings.Contains(r.Err().Error(), "has not ended in this guest") || count() != 0 {
		t.Errorf("another batch meanwhile: %v, and it ran %d times", r.Err(), count())
	}
	if got := states(e.mustGuest(batchOf(noted))); got != "Done" {
		t.Errorf("a batch without a logon meanwhile: %s", got)
	}
}

// The task of a guest whose session was cut, given up before or not, ends with the call under way, and takes its registration
// with it.
func TestExecutorLosesAGuestBesideItsTask(t *testing.T) {
	for name, giveUp := range map[string]bool{"waited for": false, "given up": true} {
		t.Run(name, func(t *testing.T) { losesAGuestBesideItsTask(t, giveUp) })
	}
}

func losesAGuestBesideItsTask(t *testing.T, giveUp bool) {
	d := newTasks(t)
	e := startEngine(t, engineOptions{tasks: d.dir}).ready()
	g := newGate(t)
	noted, count := guestCounter(t)
	batch := as(hostagent.LogonExplicit, g.block(), noted)
	e.request(1000, inside(t, machine, guestPassword, batch))
	g.reached()
	if giveUp {
		e.send(session.KindCancel, 1000, nil)
	} else {
		d.kill("guest")
	}
	a := e.answer(1000)
	if giveUp {
		d.kill("guest")
	} else if _, err := direct.Unwrap(batch, a.Results[0]); hostagent.ClassOf(err) != hostagent.OutcomeUnknown {
		t.Errorf("got %v, want OutcomeUnknown", err)
	}
	takesNoOther(t, e)
	g.open()
	for deadline := time.Now().Add(patience); len(d.names()) > 0; e.ping() {
		if time.Now().After(deadline) {
			t.Fatalf("the tasks %q stay", d.names())
		}
	}
	if count() != 0 {
		t.Error("a call began after the session's end")
	}
}

// What a guest that went down in the midst of a task has left goes before its next task, and nothing else does.
func TestExecutorSweepsAGuestsTasks(t *testing.T) {
	d := newTasks(t)
	e := startEngine(t, engineOptions{tasks: d.dir, parallel: 1}).ready()
	e.run(getVM("a", "x")) // after which the host's own sweep is over
	d.put("Batch.0123456789abcdef0123456789abcdef", "")
	d.put("Validation.a", "")
	e.mustGuest(as(hostagent.LogonExplicit, getObject("a", "x")))
	if diff := cmp.Diff([]string{"Validation.a"}, d.names()); diff != "" {
		t.Errorf("the tasks that are left (-want +got):\n%s", diff)
	}
}

// A guest answers no more than leaves room for others, and says so in the place of values.
func TestExecutorBoundsAGuestsAnswer(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	for _, logon := range []hostagent.Logon{hostagent.LogonNetwork, hostagent.LogonExplicit} {
		results := e.mustGuest(as(logon, getObject("large", "large", "Name"), getObject("nothing", "x")))
		if got := states(results); got != "Failed Done" || results[0].Errors[0].FullyQualifiedErrorID != "AnswerTooLarge" {
			t.Errorf("%s: %s, %+v", logon, got, results[0].Errors)
		}
	}
}

func TestExecutorReadsAGuestsLogon(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	noted, count := guestCounter(t)
	for _, b := range []hostagent.Batch{
		{Logon: "Root", OnError: hostagent.Stop, Calls: []hostagent.Call{noted}},
		{Logon: hostagent.LogonExplicit, OnError: hostagent.Stop, Calls: []hostagent.Call{noted}},
	} {
		r := e.run(call("guest", "Invoke-GuestBatch", p{
			"VMId": hostagent.Text(machine), "Batch": hostagent.Nested{Batch: b},
			"Credential": hostagent.Credential{User: "admin", Password: hostagent.NewSecret(guestPassword)},
		}, "Results"))[0]
		if r.State != hostagent.Failed || len(r.Values) > 0 || count() != 0 {
			t.Errorf("%s: %+v, and it ran %d times", b.Logon, r, count())
		}
	}
}
