package winrm

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
)

// script answers each action with what is next for it; what is asked more often gets the last again.
type script map[string][]func(w http.ResponseWriter, action string)

func (s script) answer(w http.ResponseWriter, action string) {
	steps := s[action]
	if len(steps) == 0 {
		says(500, faultBody(4711, "NotExpected", action))(w, action)
		return
	}
	if len(steps) > 1 {
		s[action] = steps[1:]
	}
	steps[0](w, action)
}

const (
	created = `<rsp:Shell><rsp:ShellId>S-1</rsp:ShellId></rsp:Shell>`
	started = `<rsp:CommandResponse><rsp:CommandId>C-1</rsp:CommandId></rsp:CommandResponse>`
)

type steps = []func(w http.ResponseWriter, action string)

// standard is a host on which all goes well; changes replace what it answers.
func standard(changes script) script {
	s := script{
		"Create":  {says(200, envelope(created))},
		"Command": {says(200, envelope(started))},
		"Send":    {says(200, envelope(`<rsp:SendResponse/>`))},
		"Signal":  {says(200, envelope(`<rsp:SignalResponse/>`))},
		"Delete":  {says(200, envelope(``))},
	}
	maps.Copy(s, changes)
	return s
}

func receives(state string, streams ...string) func(w http.ResponseWriter, action string) {
	var b strings.Builder
	for i := 0; i < len(streams); i += 2 {
		fmt.Fprintf(&b, `<rsp:Stream Name="%s" CommandId="C-1">%s</rsp:Stream>`, streams[i], base64.StdEncoding.EncodeToString([]byte(streams[i+1])))
	}
	return says(200, envelope(`<rsp:ReceiveResponse>`+b.String()+`<rsp:CommandState CommandId="C-1" State="`+state+`"/></rsp:ReceiveResponse>`))
}

const running = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Running"

func exited(code string) func(w http.ResponseWriter, action string) {
	return says(200, envelope(`<rsp:ReceiveResponse><rsp:Stream Name="stdout" CommandId="C-1" End="true"/><rsp:CommandState CommandId="C-1" State="`+
		stateDone+`"><rsp:ExitCode>`+code+`</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse>`))
}

// begin starts a process on a host that answers so.
func begin(t testing.TB, host script) (*process, *driver, *stub, error) {
	t.Helper()
	a := newAuthority(t)
	s := newStub(t, a.server(), asksFirst(host.answer))
	d, err := newDriver(Config{
		Hosts: []Host{s.host()}, Transport: HTTPS, Authentication: Basic, User: "operator", Password: hostagent.NewSecret("pa55word"), TLS: TLS{Roots: a.pem()},
	})
	if err != nil {
		t.Fatal(err)
	}
	held, err := d.hold(t.Context(), s.host(), hostagent.Target{Host: "hv01"})
	if err != nil {
		t.Fatal(err)
	}
	p := d.newProcess(s.host(), hostagent.Target{Host: "hv01"}, held)
	p.pause = 0
	t.Cleanup(func() {
		p.end(errEnded)
		p.release()
	})
	return p, d, s, p.start(t.Context(), `C:\powershell.exe`, "-NoLogo")
}

func mustBegin(t testing.TB, host script) (*process, *driver, *stub) {
	t.Helper()
	p, d, s, err := begin(t, host)
	if err != nil {
		t.Fatal(err)
	}
	return p, d, s
}

func TestAStartThatFailsLeavesNothing(t *testing.T) {
	quota := says(500, faultBody(2150859174, "QuotaLimit", "x"))
	tests := map[string]struct {
		host  script
		class hostagent.Class
		text  string
		seen  []string
		left  []string
	}{
		"no shell":         {script{"Create": {says(500, faultBody(2150859173, "QuotaLimit", "x"))}}, hostagent.Throttled, "MaxShellsPerUser", []string{"", "Create"}, nil},
		"a shell unnamed":  {script{"Create": {says(200, envelope(""))}}, hostagent.Protocol, "names no shell", []string{"", "Create", "Delete"}, nil},
		"a shell lost":     {script{"Create": {dropsConnection}}, hostagent.Unreachable, "lost", []string{"", "Create", "", "Delete"}, nil},
		"a shell too late": {script{"Create": {says(500, faultBody(2150858793, "TimedOut", "x"))}}, hostagent.Timeout, "in time", []string{"", "Create", "Delete"}, nil},
		"no command":       {script{"Command": {quota}}, hostagent.Throttled, "start PowerShell", []string{"", "Create", "Command", "Delete"}, nil},
		"a command lost":   {script{"Command": {dropsConnection}}, hostagent.Unreachable, "lost", []string{"", "Create", "Command", "Delete"}, nil},
		"a command unname": {script{"Command": {says(200, envelope(""))}}, hostagent.Protocol, "names no command", []string{"", "Create", "Command", "Delete"}, nil},
		"nothing deleted":  {script{"Command": {quota}, "Delete": {dropsConnection}}, hostagent.Throttled, "operations", []string{"", "Create", "Command", "Delete"}, []string{"S-1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, d, s, err := begin(t, standard(test.host))
			if hostagent.ClassOf(err) != test.class || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %s with %q", err, test.class, test.text)
			}
			if diff := cmp.Diff(test.seen, s.seen()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.left, d.leftovers.take(s.host())); diff != "" {
				t.Errorf("remembered (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadGivesWhatTheProgramWrites(t *testing.T) {
	p, _, _ := mustBegin(t, standard(script{"Receive": {
		receives(running, "stdout", "one ", "stderr", "oops\n", "stdout", "two "),
		says(500, faultBody(2150858793, "TimedOut", "OperationTimeout")),
		receives(running),
		receives(running, "stderr", strings.Repeat("x", 2*maxDiagnostics), "stdout", "three"),
		exited("1"),
	}}))
	got, err := io.ReadAll(p)
	if string(got) != "one two three" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if n, err := p.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %d, %v", n, err)
	}
	if text := p.Diagnostics(); !strings.HasPrefix(text, "oops\nxxx") || !strings.HasSuffix(text, "(exit code 1)") || len(text) > maxDiagnostics+20 {
		t.Errorf("diagnostics are %d characters, from %.10q", len(text), text)
	}
}

func TestReadThatFails(t *testing.T) {
	tests := map[string]struct {
		answer func(w http.ResponseWriter, action string)
		class  hostagent.Class
		text   string
	}{
		"broken Base64":    {says(200, envelope(`<rsp:ReceiveResponse><rsp:Stream Name="stdout">###</rsp:Stream></rsp:ReceiveResponse>`)), hostagent.Protocol, "illegal base64"},
		"no output at all": {says(200, envelope("")), hostagent.Protocol, "holds no output"},
		"the shell gone":   {says(500, faultBody(2150858843, "InvalidSelectors", "x")), hostagent.Unreachable, "the host was restarted"},
		"aborted":          {says(500, faultBody(995, "InternalError", "x")), hostagent.Unreachable, "its WinRM service stopped"},
		"an empty answer":  {says(200, ""), hostagent.Protocol, "no WS-Man message"},
		"a cut":            {dropsConnection, hostagent.Unreachable, "the connection was lost"},
		"an answer lost":   {cutOff, hostagent.Unreachable, "the connection was lost"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, _, s := mustBegin(t, standard(script{"Receive": {test.answer}}))
			_, err := p.Read(make([]byte, 10))
			if hostagent.ClassOf(err) != test.class || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %s with %q", err, test.class, test.text)
			}
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v looks like the end of the process", err)
			}
			if diff := cmp.Diff([]string{"", "Create", "Command", "Receive"}, s.seen()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrite(t *testing.T) {
	ok, busy := says(200, envelope("")), says(500, faultBody(170, "InternalError", "x"))
	notInTime := says(500, faultBody(2150858793, "TimedOut", "x"))
	tests := map[string]struct {
		sends   steps
		bytes   int
		written int
		class   hostagent.Class
		notSent bool
		count   int
	}{
		"one piece":                {steps{ok}, chunk, chunk, "", false, 1},
		"three pieces":             {steps{ok}, 2*chunk + 1, 2*chunk + 1, "", false, 3},
		"nothing":                  {steps{ok}, 0, 0, "", false, 0},
		"busy for a moment":        {steps{busy, busy, ok}, 10, 10, "", false, 3},
		"busy for too long":        {steps{busy}, 10, 0, hostagent.Throttled, false, busyTries},
		"acknowledged late":        {steps{notInTime}, 10, 10, "", false, 1},
		"lost":                     {steps{dropsConnection}, 10, 0, hostagent.Unreachable, false, 1},
		"refused":                  {steps{says(503, "")}, 10, 0, hostagent.Unreachable, true, 1},
		"the second piece lost":    {steps{ok, dropsConnection}, 2 * chunk, chunk, hostagent.Unreachable, false, 2},
		"the second piece refused": {steps{ok, says(503, "")}, 2 * chunk, chunk, hostagent.Unreachable, false, 2},
		"the shell gone":           {steps{says(500, faultBody(2150858843, "InvalidSelectors", "x"))}, 10, 0, hostagent.Unreachable, true, 1},
		"an unknown fault":         {steps{says(500, faultBody(4711, "InternalError", "x"))}, 10, 0, hostagent.Internal, false, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, _, s := mustBegin(t, standard(script{"Send": test.sends}))
			n, err := p.Write(bytes.Repeat([]byte("x"), test.bytes))
			if n != test.written || hostagent.ClassOf(err) != test.class {
				t.Errorf("wrote %d, %v; want %d, %s", n, err, test.written, test.class)
			}
			if got := errors.Is(err, session.ErrNotSent); got != test.notSent {
				t.Errorf("not sent: %t, want %t (%v)", got, test.notSent, err)
			}
			if got := len(s.seen()) - 3; got != test.count {
				t.Errorf("%d Sends, want %d", got, test.count)
			}
		})
	}
}

func TestKill(t *testing.T) {
	gone := says(500, faultBody(2150858843, "InvalidSelectors", "x"))
	tests := map[string]struct {
		host script
		left []string
		fine bool
	}{
		"in order":             {script{}, nil, true},
		"the command gone":     {script{"Signal": {gone}}, nil, true},
		"the shell gone":       {script{"Signal": {gone}, "Delete": {gone}}, nil, true},
		"the signal lost":      {script{"Signal": {dropsConnection}}, nil, true},
		"the deletion lost":    {script{"Delete": {dropsConnection}}, []string{"S-1"}, false},
		"the deletion refused": {script{"Delete": {says(500, faultBody(5, "AccessDenied", "x"))}}, []string{"S-1"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, d, s := mustBegin(t, standard(test.host))
			if err := p.Kill(t.Context()); (err == nil) != test.fine {
				t.Errorf("Kill: %v", err)
			}
			if diff := cmp.Diff([]string{"", "Create", "Command", "Signal", "Delete"}, s.seen()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.left, d.leftovers.take(s.host())); diff != "" {
				t.Errorf("remembered (-want +got):\n%s", diff)
			}
		})
	}
}

// A host that hangs in the middle of everything keeps nobody: Kill and Leave unblock Read and Write.
func TestEndingUnblocksReadAndWrite(t *testing.T) {
	endings := map[string]struct {
		end  func(*process) error
		seen int
	}{
		"Kill": {func(p *process) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return p.Kill(ctx)
		}, 5},
		"Leave": {(*process).Leave, 5},
	}
	for name, ending := range endings {
		t.Run(name, func(t *testing.T) {
			arrived, hang := make(chan struct{}, 2), make(chan struct{})
			hangs := func(http.ResponseWriter, string) {
				arrived <- struct{}{}
				<-hang
			}
			p, d, s := mustBegin(t, standard(script{"Receive": {hangs}, "Send": {hangs}}))
			t.Cleanup(func() { close(hang) })
			failures := make(chan error, 2)
			go func() {
				_, err := p.Read(make([]byte, 1))
				failures <- err
			}()
			go func() {
				_, err := p.Write([]byte("x"))
				failures <- err
			}()
			<-arrived
			<-arrived
			_ = ending.end(p)
			for range 2 {
				if err := <-failures; hostagent.ClassOf(err) != hostagent.Canceled || errors.Is(err, session.ErrNotSent) {
					t.Errorf("got %v, want Canceled, and that it is unknown what arrived", err)
				}
			}
			if got := len(s.seen()); got != ending.seen {
				t.Errorf("%d requests, want %d: %q", got, ending.seen, s.seen())
			}
			if diff := cmp.Diff([]string{"S-1"}, d.leftovers.take(s.host())); diff != "" {
				t.Errorf("remembered (-want +got):\n%s", diff)
			}
		})
	}
}
