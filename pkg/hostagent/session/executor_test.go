package session_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/test/powershell"
)

// patience bounds every wait for PowerShell; only a defect makes it pass.
const patience = time.Minute

// p saves repeating the parameter type.
type p = hostagent.Parameters

// engine is one PowerShell that runs the executor.
type engine struct {
	t       *testing.T
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	frames  chan session.Frame
	scanner *session.Scanner
	stderr  bytes.Buffer
	exited  func() error
	// deaf is locked while nobody reads what PowerShell writes.
	deaf sync.Mutex
	// problem is what ended the frames.
	problem error
	// early are frames that came while another was waited for.
	early map[string][]session.Frame
}

// engineOptions say how a PowerShell is started.
type engineOptions struct {
	// modules is the directory of the stand-ins for modules of Windows.
	modules string
	// computer is the name of the simulated computer.
	computer string
	// file is the executor's file in installed mode.
	file     string
	parallel int
	// tasks is the directory of the stand-in for scheduled tasks.
	tasks string
}

// startEngine starts a PowerShell with the arguments that drivers use, and gives it the lines before the first request.
func startEngine(t *testing.T, o engineOptions) *engine {
	t.Helper()
	if o.modules == "" {
		o.modules = filepath.Join("testdata", "modules")
	}
	if o.computer == "" {
		o.computer = freshComputer()
	}
	if o.tasks == "" {
		o.tasks = t.TempDir()
	}
	if o.parallel == 0 {
		o.parallel = 4
	}
	modules, err := filepath.Abs(o.modules)
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, frames: make(chan session.Frame, 4096), early: map[string][]session.Frame{}}
	e.cmd = exec.CommandContext(t.Context(), powershell.Path(t), arguments(o.file)...)
	e.cmd.Env = append(os.Environ(), "PSModulePath="+modules, "COMPUTERNAME="+o.computer, "TASKS="+o.tasks)
	e.cmd.Stderr = &e.stderr
	if e.stdin, err = e.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := e.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	nonce := freshNonce()
	e.scanner = session.NewScanner(hearing{e, stdout}, nonce)
	e.exited = sync.OnceValue(func() error { return e.cmd.Wait() })
	go e.read()
	t.Cleanup(func() {
		_ = e.stdin.Close()
		_ = e.cmd.Process.Kill()
		for range e.frames { // what nobody waited for
		}
		_ = e.exited()
	})
	if o.file == "" {
		text, err := session.PackText([]byte(session.Executor))
		if err != nil {
			t.Fatal(err)
		}
		e.write(string(text))
	}
	opening, err := session.Pack(session.Opening{Nonce: nonce, Parallel: o.parallel})
	if err != nil {
		t.Fatal(err)
	}
	e.write(string(opening))
	return e
}

// arguments are those of the command line, as a Windows program takes them apart.
func arguments(file string) []string {
	if file != "" {
		switches, _, _ := strings.Cut(session.InstalledArguments, `C:\`)
		return append(strings.Fields(switches), file)
	}
	switches, script, _ := strings.Cut(strings.TrimSuffix(session.StreamedArguments, `"`), ` "`)
	return append(strings.Fields(switches), script)
}

func freshNonce() string {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	return hex.EncodeToString(random)
}

func freshComputer() string { return "HV" + freshNonce()[:8] }

// hearing reads unless the engine's reader is deaf.
type hearing struct {
	e      *engine
	stdout io.Reader
}

func (h hearing) Read(b []byte) (int, error) {
	h.e.deaf.Lock()
	h.e.deaf.Unlock() //nolint:staticcheck // it is only waited for
	return h.stdout.Read(b)
}

func (e *engine) read() {
	defer close(e.frames)
	for {
		f, err := e.scanner.Next()
		if err != nil {
			e.problem = err
			return
		}
		e.frames <- f
	}
}

func (e *engine) write(line string) {
	e.t.Helper()
	if _, err := io.WriteString(e.stdin, line+"\n"); err != nil {
		e.t.Fatalf("writing to PowerShell: %v\n%s", err, e.stderr.String())
	}
}

func (e *engine) send(kind session.Kind, id uint64, body any) {
	e.t.Helper()
	f := session.Frame{Kind: kind, ID: id}
	if body != nil {
		var err error
		if f.Body, err = session.Pack(body); err != nil {
			e.t.Fatal(err)
		}
	}
	e.write(strings.TrimSuffix(string(f.ToHost()), "\n"))
}

func key(kind session.Kind, id uint64) string { return fmt.Sprint(kind, " ", id) }

// await waits for a frame and keeps those that come before it.
func (e *engine) await(kind session.Kind, id uint64) session.Frame {
	e.t.Helper()
	k := key(kind, id)
	timeout := time.After(patience)
	for len(e.early[k]) == 0 {
		select {
		case f, ok := <-e.frames:
			if !ok {
				_ = e.cmd.Process.Kill()
				e.t.Fatalf("there are no frames any more (%v), and %s did not come: %v\n%s", e.problem, k, e.exited(), e.stderr.String())
			}
			e.early[key(f.Kind, f.ID)] = append(e.early[key(f.Kind, f.ID)], f)
		case <-timeout:
			e.t.Fatalf("%s did not come", k)
		}
	}
	f := e.early[k][0]
	e.early[k] = e.early[k][1:]
	return f
}

// none checks that a frame has not come yet.
func (e *engine) none(kind session.Kind, id uint64) {
	e.t.Helper()
	if n := len(e.early[key(kind, id)]); n > 0 {
		e.t.Errorf("%s came %d times", key(kind, id), n)
	}
}

// end waits for the end of the process, with all that it wrote.
func (e *engine) end() {
	e.t.Helper()
	for f := range e.frames {
		e.early[key(f.Kind, f.ID)] = append(e.early[key(f.Kind, f.ID)], f)
	}
	if err := e.exited(); err != nil {
		e.t.Errorf("PowerShell: %v\n%s", err, e.stderr.String())
	}
}

func (e *engine) ready() *engine {
	e.t.Helper()
	e.await(session.KindHello, 0)
	e.await(session.KindReady, 0)
	return e
}

func unpack[T any](t *testing.T, f session.Frame) T {
	t.Helper()
	var body T
	if err := session.Unpack(f.Body, &body); err != nil {
		t.Fatal(err)
	}
	return body
}

func (e *engine) request(id uint64, batch hostagent.Batch) {
	e.t.Helper()
	raw, err := hostagent.EncodeBatch(batch)
	if err != nil {
		e.t.Fatal(err)
	}
	e.send(session.KindRequest, id, session.Request{Changes: batch.Changes(), Batch: raw})
}

func (e *engine) answer(id uint64) session.Answer {
	e.t.Helper()
	return unpack[session.Answer](e.t, e.await(session.KindResult, id))
}

var lastID uint64

// run runs calls of which none stops the others.
func (e *engine) run(calls ...hostagent.Call) hostagent.Results {
	e.t.Helper()
	return e.batch(hostagent.Batch{OnError: hostagent.Continue, Calls: calls})
}

func (e *engine) batch(b hostagent.Batch) hostagent.Results {
	e.t.Helper()
	lastID++
	e.request(lastID, b)
	a := e.answer(lastID)
	if len(a.Results) != len(b.Calls) {
		e.t.Fatalf("%d calls were answered with %+v", len(b.Calls), a)
	}
	return a.Results
}

// ping asks, and so waits until what was sent before has been read.
func (e *engine) ping() session.Pong {
	e.t.Helper()
	lastID++
	e.send(session.KindPing, lastID, nil)
	return unpack[session.Pong](e.t, e.await(session.KindPong, lastID))
}

// rest waits until no batch is under way.
func (e *engine) rest() {
	e.t.Helper()
	for deadline := time.Now().Add(patience); e.ping().Running > 0; {
		if time.Now().After(deadline) {
			e.t.Fatal("a batch does not end")
		}
	}
}

func call(id, cmdlet string, parameters p, selected ...string) hostagent.Call {
	return hostagent.Call{ID: id, Cmdlet: cmdlet, Parameters: parameters, Select: selected}
}

func getVM(id string, names ...string) hostagent.Call {
	return call(id, "Get-VM", p{"Name": hostagent.Texts(names...)}, "Name")
}

func names(r hostagent.Result) []string {
	out := []string{}
	for _, v := range r.Values {
		out = append(out, v.Text("Name"))
	}
	return out
}

func states(results hostagent.Results) string {
	var out []string
	for _, r := range results {
		out = append(out, string(r.State))
	}
	return strings.Join(out, " ")
}

func TestExecutorHello(t *testing.T) {
	installed := func(text string) string {
		file := filepath.Join(t.TempDir(), "executor.ps1")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	crlf := strings.ReplaceAll(session.Executor, "\n", "\r\n")
	tests := map[string]string{
		"streamed":                    "",
		"installed":                   installed(session.Executor),
		"installed as CRLF":           installed(crlf),
		"installed, with a signature": installed(crlf + "\r\n# SIG # Begin signature block\r\n# MII\r\n# SIG # End signature block\r\n"),
	}
	for name, file := range tests {
		t.Run(name, func(t *testing.T) {
			e := startEngine(t, engineOptions{computer: "HV07-" + freshNonce()[:6], file: file})
			h := unpack[session.Hello](t, e.await(session.KindHello, 0))
			if h.PID != e.cmd.Process.Pid || !strings.HasPrefix(h.Host, "HV07-") || h.PowerShell == "" || h.LanguageMode != "FullLanguage" || h.Hash != session.ExecutorHash {
				t.Errorf("hello: %+v, want the hash %s", h, session.ExecutorHash)
			}
			if age := time.Since(h.Boot); age < 0 || h.Boot.Location() != time.UTC {
				t.Errorf("the host was started %v ago, at %v", age, h.Boot)
			}
			e.await(session.KindReady, 0)
			if pong := e.ping(); pong.Running != 0 || pong.WorkingSet < 1<<20 {
				t.Errorf("pong: %+v", pong)
			}
			if got := names(e.run(getVM("a", "x"))[0]); !cmp.Equal(got, []string{"x"}) {
				t.Errorf("a call gave %q", got)
			}
			e.write("bye")
			e.end()
			if noise := e.scanner.Noise(); noise.Lines > 0 || e.stderr.Len() > 0 {
				t.Errorf("beside the frames there were %+v and %q", noise, e.stderr.String())
			}
		})
	}
}

func TestExecutorValues(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	want := map[string]any{
		"Text": "it's \"quoted\"\r\n<a>&amp;]]></a> 幸\U0001F600\x00\u2028", "Blank": "   ", "Null": nil, "True": true, "Switch": true,
		"Int": json.Number("7"), "Byte": json.Number("7"), "Long": json.Number("-9223372036854775808"), "ULong": json.Number("18446744073709551615"),
		"Double": json.Number("1.5"), "Whole": json.Number("3"), "NaN": "NaN", "Decimal": json.Number("1.10"),
		"Char": "x", "Enum": "Red", "Guid": "11111111-2222-3333-4444-555555555555", "Version": "10.0.17763", "Span": "1.02:03:04",
		"Date": "2026-01-02T03:04:05Z", "Fraction": "2026-01-02T03:04:05.12Z", "Local": "2026-01-02T03:04:05Z", "Offset": "2026-01-02T01:04:05Z",
		"One": []any{json.Number("1")}, "None": []any{}, "Nested": []any{[]any{json.Number("1")}}, "Strings": []any{},
		"Adapters.Name": []any{"a", "b"}, "Adapters.IP": []any{[]any{"1", "2"}, []any{}}, "Adapters": []any{"", ""},
		"Table": map[string]any{"a b": []any{json.Number("1")}, "": nil}, "Table.a b": []any{json.Number("1")},
		"Tables": []any{map[string]any{"Name": "x", "Length": json.Number("1")}}, "Object": "", "Object.x": json.Number("1"), "Uri": "http://a/b",
		"Shadows": map[string]any{"Keys": json.Number("1"), "Count": json.Number("2"), "Values": json.Number("3")}, "Shadows.Keys": json.Number("1"),
		"Absent": nil, "Null.Absent": nil, "Absent.Absent": nil, "Text.Absent": nil, "text": "it's \"quoted\"\r\n<a>&amp;]]></a> 幸\U0001F600\x00\u2028",
	}
	var paths []string
	for path := range want {
		paths = append(paths, path)
	}
	results := e.run(call("all", "Get-VMHost", nil, paths...), call("none", "Get-VMHost", nil))
	if diff := cmp.Diff([]hostagent.Object{want}, results[0].Values); diff != "" {
		t.Errorf("values (-want +got):\n%s\n%+v", diff, results[0].Errors)
	}
	if diff := cmp.Diff(hostagent.Result{ID: "none", State: hostagent.Done}, results[1]); diff != "" {
		t.Errorf("nothing selected (-want +got):\n%s", diff)
	}
}

func TestExecutorErrors(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	around := func(name string) hostagent.Call { return getVM("a", "before", name, "after") }
	tests := map[string]struct {
		call  hostagent.Call
		names []string
		want  hostagent.CallError
	}{
		"one that does not end the call": {around("missing"), []string{"before", "after"}, hostagent.CallError{
			FullyQualifiedErrorID: "NoMachine,Get-VM", Category: "ObjectNotFound", HResult: "0x80070002", Target: "missing", Message: "no such machine",
		}},
		"the innermost code counts": {around("wrapped"), []string{"before", "after"}, hostagent.CallError{
			FullyQualifiedErrorID: "Wrapped,Get-VM", Category: "ResourceBusy", HResult: "0x80070020", Target: "System.Collections.Hashtable", Message: "cannot be done",
		}},
		"WMI's code": {around("wmi"), []string{"before", "after"}, hostagent.CallError{
			FullyQualifiedErrorID: "HRESULT 0x80070002,Get-VM", Category: "ObjectNotFound", HResult: "0x80070002", Message: "not found",
		}},
		"details": {around("details"), []string{"before", "after"}, hostagent.CallError{
			FullyQualifiedErrorID: "Details,Get-VM", Category: "InvalidData", HResult: "0x80131500", Target: "details", Message: "at length",
		}},
		"one that ends the call": {around("refused"), []string{"before"}, hostagent.CallError{
			FullyQualifiedErrorID: "Denied,Get-VM", Category: "PermissionDenied", HResult: "0x80070005", Target: "refused", Message: "denied",
		}},
		"a script's own": {around("thrown"), []string{"before"}, hostagent.CallError{
			FullyQualifiedErrorID: "thrown", Category: "OperationStopped", HResult: "0x80131501", Target: "thrown", Message: "thrown",
		}},
		"a script's defect": {around("divided"), []string{"before"}, hostagent.CallError{
			FullyQualifiedErrorID: "RuntimeException,Get-VM", Category: "NotSpecified", HResult: "0x80020012", Message: "Attempted to divide by zero.",
		}},
		"a property that cannot be read": {call("a", "Get-VM", p{"Name": hostagent.Texts("x", "unreadable")}, "Name", "Bad"), []string{"x", "unreadable"}, hostagent.CallError{
			FullyQualifiedErrorID: "GetValueInvocationException", Category: "NotSpecified", HResult: "0x80131501",
			Message: `Exception calling "get_Value" with "0" argument(s): "Exception getting "Bad": "cannot be read""`,
		}},
		"a cmdlet of which nothing is known": {call("a", "Get-Nonsense", nil, "Name"), nil, hostagent.CallError{
			FullyQualifiedErrorID: "CommandNotFoundException", Category: "ObjectNotFound", HResult: "0x80131501", Target: "Get-Nonsense",
			Message: "The executor runs no cmdlet or function named 'Get-Nonsense'.",
		}},
		"a parameter that is not there": {call("a", "Get-VM", p{"Nme": hostagent.Text("x")}, "Name"), nil, hostagent.CallError{
			FullyQualifiedErrorID: "NamedParameterNotFound,Get-VM", Category: "InvalidArgument", HResult: "0x80131501",
			Message: "A parameter cannot be found that matches parameter name 'Nme'.",
		}},
		"a mandatory parameter that is missing": {call("a", "Get-StampedFolder", nil), nil, hostagent.CallError{
			FullyQualifiedErrorID: "MissingMandatoryParameter,Get-StampedFolder", Category: "InvalidArgument", HResult: "0x80131501",
			Message: "Cannot process command because of one or more missing mandatory parameters: Pool.",
		}},
		"a named function's": {call("a", "Get-StampedFolder", p{"Pool": hostagent.Texts("Q:")}, "Path"), nil, hostagent.CallError{
			FullyQualifiedErrorID: "PoolNotFound,Get-StampedFolder", Category: "ObjectNotFound", HResult: "0x80131501", Target: "Q:",
			Message: "The folder Q: does not exist.",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := e.run(test.call)[0]
			if test.names != nil && !cmp.Equal(names(r), test.names) {
				t.Errorf("values: %q, want %q", names(r), test.names)
			}
			if diff := cmp.Diff([]hostagent.CallError{test.want}, r.Errors); diff != "" || r.State != hostagent.Failed {
				t.Errorf("%s, errors (-want +got):\n%s", r.State, diff)
			}
		})
	}
}

// Commands of the engine and of this computer that no batch may run.
func TestExecutorRunsNothingElse(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	for _, name := range []string{
		"Get-Command", "Invoke-Command", "Set-StrictMode", "Import-Module", "Get-ChildItem", "Test-Path", "Remove-Item", "Register-ScheduledTask",
		"StampFile", "CopyWork", "InvokeBatch", "ls", "/bin/sh", "$Shared", "{ 1 }", "Hyper-V\\Get-VM", "Get-V*", " Get-VM", "Get-Cluster",
	} {
		r := e.run(call("a", name, nil))[0]
		if r.State != hostagent.Failed || len(r.Errors) != 1 || r.Errors[0].FullyQualifiedErrorID != "CommandNotFoundException" || r.Errors[0].Category != "ObjectNotFound" {
			t.Errorf("%q: %+v", name, r)
		}
	}
	if r := e.run(call("a", "get-vm", p{"name": hostagent.Text("x")}, "Name"))[0]; r.State != hostagent.Done {
		t.Errorf("PowerShell's names have no case: %+v", r)
	}
}

func TestExecutorOnError(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	calls := []hostagent.Call{getVM("a", "x"), getVM("b", "missing", "y"), getVM("c", "z"), call("d", "Nonsense", nil)}
	for on, want := range map[hostagent.OnError]string{hostagent.Stop: "Done Failed NotRun NotRun", hostagent.Continue: "Done Failed Done Failed"} {
		if got := states(e.batch(hostagent.Batch{OnError: on, Calls: calls})); got != want {
			t.Errorf("%s: %s, want %s", on, got, want)
		}
	}
}

func TestExecutorBinds(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	set := func(parameters p) hostagent.Call { return call("set", "Set-VM", parameters, "Name", "Type", "Text") }
	ref := func(id, property string) hostagent.Value { return hostagent.Ref{Call: id, Property: property} }
	tests := map[string]struct {
		name  string
		value hostagent.Value
		want  string
	}{
		"a number":                    {"ProcessorCount", hostagent.Int(3), "Int32 3"},
		"a large number":              {"Memory", hostagent.Int(1 << 40), "UInt64 1099511627776"},
		"a number as text":            {"ProcessorCount", hostagent.Text("3"), "Int32 3"},
		"a switch":                    {"Passthru", hostagent.Bool(true), "SwitchParameter True"},
		"a switch that is off":        {"Passthru", hostagent.Bool(false), "SwitchParameter False"},
		"a Boolean":                   {"Flag", hostagent.Bool(false), "Boolean False"},
		"an enumeration":              {"Color", hostagent.Text("red"), "ConsoleColor Red"},
		"a GUID":                      {"Id", hostagent.Text("{11111111-2222-3333-4444-555555555555}"), "Guid 11111111-2222-3333-4444-555555555555"},
		"a version":                   {"Version", hostagent.Text("10.0"), "Version 10.0"},
		"text":                        {"Notes", hostagent.Text(" $(Get-VM) `n '\"$env:X "), "String  $(Get-VM) `n '\"$env:X "},
		"text that is empty":          {"Notes", hostagent.Text(""), "String "},
		"a list":                      {"Names", hostagent.Texts("a", "b"), "String[] a,b"},
		"one for a list":              {"Names", hostagent.Text("a"), "String[] a"},
		"a secret":                    {"Password", hostagent.NewSecret("hush"), "SecureString 4"},
		"an empty secret":             {"Password", hostagent.NewSecret(""), "SecureString 0"},
		"an account":                  {"Credential", hostagent.Credential{User: `CORP\u`, Password: hostagent.NewSecret("hush")}, `PSCredential CORP\u 4`},
		"a live object":               {"VM", ref("one", ""), "Object[] a"},
		"live objects":                {"VM", ref("two", ""), "Object[] b,c"},
		"live objects in a list":      {"VM", hostagent.List{ref("two", ""), ref("one", "")}, "Object[] b,c,a"},
		"a property":                  {"Notes", ref("one", "Name"), "String a"},
		"a property that is not text": {"Id", ref("one", "Id"), "Guid 11111111-2222-3333-4444-555555555555"},
		"a property of each":          {"Names", ref("two", "Name"), "String[] b,c"},
		"properties in a list":        {"Names", hostagent.List{hostagent.Text("x"), ref("two", "Name")}, "String[] x,b,c"},
		"a text that is like a tag":   {"Notes", hostagent.Text(`{"$secret":"x"}`), `String {"$secret":"x"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := e.run(getVM("one", "a"), getVM("two", "b", "c"), set(p{test.name: test.value})).ByID("set")
			for _, v := range r.Values {
				if got := v.Text("Type") + " " + v.Text("Text"); v.Text("Name") == test.name && got == test.want {
					return
				}
			}
			t.Errorf("bound as %v %+v, want %s", r.Values, r.Errors, test.want)
		})
	}
	t.Run("names that a table of parameters has itself", func(t *testing.T) {
		r := e.run(set(p{"Keys": hostagent.Int(1), "Values": hostagent.Int(2), "Notes": hostagent.Text("x")}))[0]
		if len(r.Values) != 4 || r.State != hostagent.Done {
			t.Errorf("bound as %v %+v, want these and ErrorAction", r.Values, r.Errors)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		for name, v := range map[string]hostagent.Value{"a ref": ref("none", ""), "a list": hostagent.List{}, "a ref in a list": hostagent.List{ref("none", "Name")}} {
			r := e.run(getVM("none", "missing"), set(p{"VM": v})).ByID("set")
			if len(r.Errors) != 1 || r.Errors[0].FullyQualifiedErrorID != "ParameterArgumentValidationErrorEmptyArrayNotAllowed" || r.Errors[0].Category != "InvalidData" {
				t.Errorf("%s to nothing: %+v", name, r)
			}
		}
	})
}

// What would wait for a person fails, and what is meant for one goes nowhere.
func TestExecutorHasNoUser(t *testing.T) {
	e := startEngine(t, engineOptions{parallel: 1}).ready() // a runspace that is new has the errors of modules that are not there
	for _, name := range []string{"continue", "line", "password", "choice", "credential"} {
		r := e.run(getVM("a", name))[0]
		if r.State != hostagent.Failed || len(r.Errors) != 1 || !strings.Contains(r.Errors[0].FullyQualifiedErrorID, "HostException") {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := e.run(call("a", "Set-VM", p{"Confirm": hostagent.Bool(true)}))[0]; r.State != hostagent.Failed {
		t.Errorf("a confirmation that is asked for: %+v", r)
	}
	for _, name := range []string{"console", "chatty"} {
		if r := e.run(getVM("a", name))[0]; r.State != hostagent.Done {
			t.Errorf("%s: %+v", name, r)
		}
	}
	around := e.run(call("a", "Get-VMSwitch", nil, "Confirm", "Loading", "Errors", "Culture"))[0]
	want := []hostagent.Object{{"Confirm": "None", "Loading": "None", "Errors": json.Number("0"), "Culture": ""}}
	if diff := cmp.Diff(want, around.Values); diff != "" {
		t.Errorf("around a cmdlet (-want +got):\n%s", diff)
	}
	e.write("bye")
	e.end()
	if noise := e.scanner.Noise(); noise.Lines > 0 || strings.Contains(e.stderr.String(), "noise") {
		t.Errorf("beside the frames there were %+v and %q", noise, e.stderr.String())
	}
}

// gate is a named pipe at which a stand-in blocks.
type gate struct {
	t    *testing.T
	path string
	end  *os.File
}

func newGate(t *testing.T) *gate {
	t.Helper()
	g := &gate{t: t, path: filepath.Join(t.TempDir(), "gate")}
	if err := syscall.Mkfifo(g.path, 0o600); err != nil {
		t.Fatal(err)
	}
	return g
}

// reached waits until a call blocks at the gate.
func (g *gate) reached() {
	g.t.Helper()
	opened := make(chan error, 1)
	go func() {
		var err error
		g.end, err = os.OpenFile(g.path, os.O_WRONLY, 0)
		opened <- err
	}()
	select {
	case err := <-opened:
		if err != nil {
			g.t.Fatal(err)
		}
	case <-time.After(patience):
		g.t.Fatal("no call came to the gate")
	}
	g.t.Cleanup(g.open)
}

func (g *gate) open() { _ = g.end.Close() }

func (g *gate) stopVM(id string) hostagent.Call {
	return call(id, "Stop-VM", p{"Path": hostagent.Text(g.path)})
}

func (g *gate) getVHD(id string) hostagent.Call {
	return call(id, "Get-VHD", p{"Path": hostagent.Text(g.path)})
}

// counter is a file in which a stand-in notes each time that it runs.
func counter(t *testing.T) (call hostagent.Call, count func() int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "count")
	return hostagent.Call{ID: "count", Cmdlet: "New-VM", Parameters: p{"Path": hostagent.Text(path)}}, func() int {
		text, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return len(text)
	}
}

func batchOf(calls ...hostagent.Call) hostagent.Batch {
	return hostagent.Batch{OnError: hostagent.Continue, Calls: calls}
}

func TestExecutorCancelsWhatBlocks(t *testing.T) {
	e := startEngine(t, engineOptions{parallel: 2}).ready()
	g := newGate(t)
	noted, count := counter(t)
	e.request(1000, batchOf(g.stopVM("block"), noted))
	g.reached()
	if pong := e.ping(); pong.Running != 1 {
		t.Errorf("while one blocks: %+v", pong)
	}
	if got := names(e.run(getVM("a", "beside"))[0]); !cmp.Equal(got, []string{"beside"}) {
		t.Errorf("beside a call that blocks: %q", got)
	}
	e.send(session.KindCancel, 1000, nil)
	e.send(session.KindCancel, 1000, nil)
	if a := e.answer(1000); !a.Cancelled || a.Results != nil {
		t.Errorf("the answer to a batch that is cancelled: %+v", a)
	}
	if pong := e.ping(); pong.Running != 1 {
		t.Errorf("a cancelled batch whose cmdlet still blocks is under way: %+v", pong)
	}
	g.open()
	e.write("bye")
	e.end()
	e.none(session.KindResult, 1000)
	if count() != 0 {
		t.Error("a call after the cancelled one ran")
	}
}

// A batch that waits for a runspace is cancelled without ever beginning.
func TestExecutorCancelsWhatHasNotBegun(t *testing.T) {
	e := startEngine(t, engineOptions{parallel: 1}).ready()
	g := newGate(t)
	noted, count := counter(t)
	e.request(1000, batchOf(g.getVHD("block")))
	g.reached()
	e.request(1001, batchOf(noted))
	e.send(session.KindCancel, 1001, nil)
	if a := e.answer(1001); !a.Cancelled {
		t.Errorf("the answer: %+v", a)
	}
	e.send(session.KindCancel, 4711, nil) // nothing has this id
	g.open()
	e.answer(1000)
	if r := e.run(getVM("a", "x"))[0]; r.State != hostagent.Done {
		t.Errorf("afterwards: %+v", r)
	}
	if count() != 0 {
		t.Error("the cancelled batch ran")
	}
}

func TestExecutorAnswersAnIDOnce(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	noted, count := counter(t)
	e.request(1000, batchOf(noted))
	e.request(1000, batchOf(noted))
	e.answer(1000)
	e.request(1000, batchOf(noted))
	e.send(session.KindCancel, 1000, nil)
	e.ping()
	e.write("bye")
	e.end()
	e.none(session.KindResult, 1000)
	if count() != 1 {
		t.Errorf("it ran %d times", count())
	}
}

func TestExecutorTakesManyBatches(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	const many = 1000
	go func() {
		for i := range uint64(many) {
			raw, err := hostagent.EncodeBatch(batchOf(getVM("a", fmt.Sprint(i))))
			if err != nil {
				t.Error(err)
			}
			body, err := session.Pack(session.Request{Batch: raw})
			if err != nil {
				t.Error(err)
			}
			if _, err := e.stdin.Write(session.Frame{Kind: session.KindRequest, ID: 1 + i, Body: body}.ToHost()); err != nil {
				t.Error(err)
			}
		}
	}()
	for i := range uint64(many) {
		a := e.answer(1 + i)
		if len(a.Results) != 1 || !cmp.Equal(names(a.Results[0]), []string{fmt.Sprint(i)}) {
			t.Fatalf("batch %d was answered with %+v", i, a)
		}
	}
	if pong := e.ping(); pong.WorkingSet > 1<<30 {
		t.Errorf("afterwards: %+v", pong)
	}
}

func TestExecutorCannotReadARequest(t *testing.T) {
	e := startEngine(t, engineOptions{}).ready()
	body := func(v any) string {
		packed, err := session.Pack(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(packed)
	}
	bodies := map[string]string{
		"nothing":            "",
		"no base64":          "!!!",
		"no gzip":            "AAAA",
		"no JSON":            func() string { b, _ := session.PackText([]byte("{")); return string(b) }(),
		"no batch":           body(map[string]any{"changes": false}),
		"no calls":           body(map[string]any{"changes": false, "batch": map[string]any{}}),
		"no word on changes": body(map[string]any{"batch": batchOf(getVM("a", "x"))}),
		"no id":              body(map[string]any{"changes": false, "batch": batchOf(hostagent.Call{Cmdlet: "Get-VM"})}),
		"no cmdlet":          body(map[string]any{"changes": false, "batch": batchOf(hostagent.Call{ID: "a"})}),
		"a list":             body([]int{1}),
	}
	for name, b := range bodies {
		t.Run(name, func(t *testing.T) {
			lastID++
			e.write(fmt.Sprintf("req %d %s", lastID, b))
			if a := e.answer(lastID); a.Unreadable == "" || a.Results != nil || a.Cancelled {
				t.Errorf("the answer: %+v", a)
			}
		})
	}
	for _, line := range []string{"", "req", "later 1 AAAA", "can", "can x", "\x00\xff", "ping"} {
		e.write(line)
	}
	e.write("ping 77\r") // CR is tolerated
	e.await(session.KindPong, 77)
}

func TestExecutorBoundsItsAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("makes more than an answer holds")
	}
	e := startEngine(t, engineOptions{}).ready()
	results := e.run(getVM("small", "x"), getVM("large", "large"), call("state", "Get-VM", p{"Name": hostagent.Text("large")}))
	if got := states(results); got != "Failed Failed Done" {
		t.Errorf("states: %s", got)
	}
	if r := results.ByID("large"); r.Values != nil || len(r.Errors) != 1 || r.Errors[0].FullyQualifiedErrorID != "AnswerTooLarge" || r.Errors[0].Class() != hostagent.Capacity {
		t.Errorf("too large: %+v", r)
	}
}

// A second process is ready only once nothing changes any more, be it cancelled or not, and the first one is gone.
func TestExecutorIsReadyOnceNothingChanges(t *testing.T) {
	computer := freshComputer()
	first := startEngine(t, engineOptions{computer: computer}).ready()
	reads, changes := newGate(t), newGate(t)
	first.request(1000, batchOf(reads.getVHD("block")))
	reads.reached()
	startEngine(t, engineOptions{computer: computer}).ready() // reading stands in nobody's way

	first.request(1001, batchOf(changes.stopVM("block")))
	changes.reached()
	second := startEngine(t, engineOptions{computer: computer})
	other := startEngine(t, engineOptions{}).ready()
	second.await(session.KindHello, 0)
	second.ping() // after which it has looked at least once
	second.none(session.KindReady, 0)
	first.send(session.KindCancel, 1001, nil)
	first.answer(1001)
	second.ping()
	second.none(session.KindReady, 0)
	changes.open()
	second.await(session.KindReady, 0)
	_ = other
}

// A process that waits for others ends when it is told to.
func TestExecutorEndsWhileItWaits(t *testing.T) {
	computer := freshComputer()
	first := startEngine(t, engineOptions{computer: computer}).ready()
	g := newGate(t)
	first.request(1000, batchOf(g.stopVM("block")))
	g.reached()
	second := startEngine(t, engineOptions{computer: computer})
	second.await(session.KindHello, 0)
	second.write("bye")
	second.end()
	second.none(session.KindReady, 0)

	// What is killed leaves nothing behind.
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	startEngine(t, engineOptions{computer: computer}).ready()
}

func TestExecutorFinishesWhatChanges(t *testing.T) {
	for name, finish := range map[string]func(*engine){
		"bye":              func(e *engine) { e.write("bye") },
		"end of the input": func(e *engine) { _ = e.stdin.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			e := startEngine(t, engineOptions{parallel: 2}).ready()
			reads, changes := newGate(t), newGate(t)
			noted, count := counter(t)
			e.request(1000, batchOf(reads.getVHD("block")))
			reads.reached()
			e.request(1001, batchOf(changes.stopVM("block"), noted))
			changes.reached()
			finish(e)
			changes.open()
			e.end() // although what reads still blocks
			if count() != 1 {
				t.Errorf("the counter is at %d, want 1", count())
			}
		})
	}
}

func TestExecutorEndsWithoutWhatHasNotBegun(t *testing.T) {
	e := startEngine(t, engineOptions{parallel: 1}).ready()
	g := newGate(t)
	noted, count := counter(t)
	e.request(1000, batchOf(g.getVHD("block")))
	g.reached()
	e.request(1001, batchOf(noted))
	e.write("bye")
	e.end() // although what reads still blocks
	if count() != 0 {
		t.Error("a batch began after bye")
	}
}

// What nobody reads any more holds up no end, and so no change that waits for it.
func TestExecutorEndsWhenNobodyReads(t *testing.T) {
	e := startEngine(t, engineOptions{parallel: 2}).ready()
	g := newGate(t)
	large := call("a", "Get-VM", p{"Name": hostagent.Text("noise")}, "Name")
	e.request(1000, batchOf(large, g.stopVM("block")))
	g.reached()
	e.deaf.Lock()
	defer e.deaf.Unlock()
	g.open()
	e.request(1001, batchOf(large, getVM("b", "x")))
	e.write("bye")
	ended := make(chan error, 1)
	go func() { ended <- e.exited() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("PowerShell: %v", err)
		}
	case <-time.After(patience):
		t.Error("it waits for somebody to read its answer")
	}
}
