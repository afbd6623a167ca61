package wsman_test

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

func TestACommandFromBeginningToEnd(t *testing.T) {
	c := serve(t, plain()).raw(t)
	made := create()
	made.body = `<rsp:Shell><rsp:IdleTimeOut>PT300S</rsp:IdleTimeOut><rsp:Environment><rsp:Variable Name="COMPUTERNAME">fake</rsp:Variable></rsp:Environment></rsp:Shell>`
	r := c.ok(made)
	shell := r.Body.Shell.ShellId
	if r.Body.Shell.IdleTimeOut != "PT300.000S" || !strings.Contains(r.Text, `<w:Selector Name="ShellId">`+shell+`<`) {
		t.Errorf("Create: %s", r.Text)
	}
	command := c.begin(shell, "read", "a<b", `"c d"`)
	c.ok(send(shell, command, "fa", false))
	c.ok(send(shell, command, "", false))
	c.ok(send(shell, command, "il", true))
	out, problems, code := c.output(shell, command)
	if out != "read a<b \"c d\" on HV01\nfail" || problems != "warning" || code != "3" {
		t.Errorf("got %q, %q, %s", out, problems, code)
	}
	c.ok(signal(shell, command, "terminate"))
	if r := c.post(receive(shell, command, "")); r.fault() != "2150858843" {
		t.Errorf("after terminate: %s", r.Text)
	}
	c.ok(remove(shell))
	if r := c.post(receive(shell, command, "")); r.fault() != "2150858843" || r.Body.Fault.Code.Subcode.Value != "w:InvalidSelectors" {
		t.Errorf("after Delete: %s", r.Text)
	}
}

func TestOutputFitsIntoTheEnvelope(t *testing.T) {
	for _, line := range []string{"large", "mixed"} {
		t.Run(line, func(t *testing.T) { testOutputFits(t, line) })
	}
}

func testOutputFits(t *testing.T, line string) {
	config := plain()
	config.Program = func(_ context.Context, p wsman.Invocation) int {
		chunk := map[string]int{"large": 1_000_000, "mixed": 7}[line]
		for range 1_000_000 / chunk / 2 {
			_, _ = p.Stdout.Write(make([]byte, chunk))
			_, _ = p.Stderr.Write(make([]byte, chunk))
		}
		_, _ = p.Stdout.Write(make([]byte, 1_000_000))
		return 0
	}
	c := serve(t, config).raw(t)
	shell := c.shell()
	command := c.begin(shell, line)
	total := 0
	for {
		r := c.ok(receive(shell, command, ""))
		if len(r.Text) > 512000 {
			t.Fatalf("an answer of %d bytes", len(r.Text))
		}
		for _, s := range r.Body.ReceiveResponse.Stream {
			total += len(s.Text)
		}
		if strings.HasSuffix(r.Body.ReceiveResponse.CommandState[0].State, "/Done") {
			break
		}
	}
	if total < 1_000_000*4/3 {
		t.Errorf("%d bytes came", total)
	}
}

func TestAConsoleNeverEnds(t *testing.T) {
	e := serve(t, plain())
	c := e.raw(t)
	shell := c.shell()
	m := begin(shell, "read")
	m.options["WINRS_CONSOLEMODE_STDIN"] = "TRUE"
	command := c.ok(m).Body.CommandResponse.CommandId
	c.ok(send(shell, command, "x", true))
	for {
		r := c.post(receive(shell, command, "PT0.1S"))
		if r.fault() == "2150858793" {
			break
		}
		if r.Status != http.StatusOK || !strings.HasSuffix(r.Body.ReceiveResponse.CommandState[0].State, "/Running") {
			t.Fatalf("the command ended: %s", r.Text)
		}
	}
	c.ok(signal(shell, command, "ctrl_c"))
	if _, _, code := c.output(shell, command); code != "3221225786" {
		t.Errorf("exit code %s after ctrl_c", code)
	}
}

// silent says nothing and ends with its input.
func silent(_ context.Context, p wsman.Invocation) int {
	_, _ = io.Copy(io.Discard, p.Stdin)
	return 0
}

// Every way in which a request can be wrong or too much, by the codes of Windows.
func TestFaults(t *testing.T) {
	limits := wsman.Limits{ShellsPerUser: 2, ProcessesPerShell: 2, OperationsPerUser: 4}
	idle := create()
	idle.body = "<rsp:Shell><rsp:IdleTimeOut>60000</rsp:IdleTimeOut></rsp:Shell>"
	for name, test := range map[string]struct {
		ask           func(c raw, shell, command string) message
		code, subcode string
	}{
		"no such shell":                    {func(_ raw, _, c string) message { return receive("gone", c, "") }, "2150858843", "w:InvalidSelectors"},
		"no shell named":                   {func(_ raw, _, c string) message { return receive("", c, "") }, "2150858843", "w:InvalidSelectors"},
		"no such command":                  {func(_ raw, s, _ string) message { return receive(s, "gone", "") }, "2150858843", "w:InvalidSelectors"},
		"nothing to receive":               {func(_ raw, s, id string) message { return receive(s, id, "PT0.1S") }, "2150858793", "w:TimedOut"},
		"an idle time that is no duration": {func(raw, string, string) message { return idle }, "2150858817", "w:SchemaValidationError"},
		"a timeout that is no duration":    {func(_ raw, s, id string) message { return receive(s, id, "20") }, "2150858817", "w:SchemaValidationError"},
		"input that is no base64": {func(_ raw, s, id string) message {
			m := send(s, id, "", false)
			m.body = strings.Replace(m.body, "></rsp:Stream>", ">%%%</rsp:Stream>", 1)
			return m
		}, "2150858817", "w:SchemaValidationError"},
		"a signal that is none":  {func(_ raw, s, id string) message { return signal(s, id, "explode") }, "2150858817", "w:SchemaValidationError"},
		"an action that is none": {func(_ raw, s, _ string) message { return message{action: winShell + "/Explode", shell: s} }, "2150858754", "a:ActionNotSupported"},
		"another resource": {func(_ raw, s, _ string) message {
			return message{action: transfer + "Create", resource: "http://schemas.microsoft.com/powershell/Microsoft.PowerShell"}
		}, "2150858752", "w:InvalidResourceURI"},
		"a line that is too long": {func(_ raw, s, _ string) message { return begin(s, "x", strings.Repeat("y", 32767)) }, "2147942606", "w:InternalError"},
		"too many shells": {func(c raw, _, _ string) message {
			c.shell()
			return create()
		}, "2150859173", "w:QuotaLimit"},
		"too many processes": {func(c raw, s, _ string) message {
			c.begin(s, "read")
			return begin(s, "read")
		}, "1816", "w:InternalError"},
		"too many operations": {func(c raw, s, id string) message {
			c.ok(signal(s, id, "terminate"))
			for range 3 {
				// A terminated command still counts.
				c.ok(signal(s, c.begin(s, "read"), "terminate"))
			}
			return begin(s, "read")
		}, "2150859174", "w:QuotaLimit"},
	} {
		t.Run(name, func(t *testing.T) {
			config := plain()
			config.Program = silent
			config.Limits = limits
			c := serve(t, config).raw(t)
			shell := c.shell()
			r := c.post(test.ask(c, shell, c.begin(shell, "read")))
			if r.Status != http.StatusInternalServerError || r.fault() != test.code || r.Body.Fault.Code.Subcode.Value != test.subcode {
				t.Errorf("got %d: %s", r.Status, r.Text)
			}
			if r.Header.RelatesTo != "uuid:of-this" || r.Body.Fault.Detail.WSManFault.Message == "" {
				t.Errorf("got %s", r.Text)
			}
		})
	}
}

func TestNoEnvelope(t *testing.T) {
	c := serve(t, plain()).raw(t)
	for name, test := range map[string]struct {
		text   string
		status int
		code   string
	}{
		"no XML":    {"<html>", http.StatusInternalServerError, "2150858817"},
		"not whole": {create().String()[:300], http.StatusInternalServerError, "2150858817"},
		"too large": {strings.Repeat(" ", 600<<10) + create().String(), http.StatusRequestEntityTooLarge, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := c.try(test.text); err != nil || r.Status != test.status || r.fault() != test.code {
				t.Errorf("got %d %v: %s", r.Status, err, r.Text)
			}
		})
	}
}

// A deleted shell gives back what its commands counted.
func TestOperationsAreGivenBackWithTheShell(t *testing.T) {
	config := plain()
	config.Limits.OperationsPerUser = 1
	c := serve(t, config).raw(t)
	first, second := c.shell(), c.shell()
	c.begin(first, "read")
	if r := c.post(begin(second, "read")); r.fault() != "2150859174" {
		t.Errorf("got %s", r.Text)
	}
	c.ok(remove(first))
	c.begin(second, "read")
}

func TestShellsBelongToTheirUsers(t *testing.T) {
	config := plain()
	config.Authentication.Users["other"] = wsman.User{Password: "other"}
	e := serve(t, config)
	c := e.raw(t)
	shell := c.shell()
	for name, password := range map[string]string{"other": "other", "guest": "guest"} {
		stranger := c
		stranger.user, stranger.password = name, password
		if r := stranger.post(remove(shell)); r.fault() != "5" {
			t.Errorf("%s: got %s", name, r.Text)
		}
	}
	if n := e.Shells(); n != 1 {
		t.Errorf("%d shells", n)
	}
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !holds() {
		if ctx.Err() != nil {
			t.Fatalf("never: %s", what)
		}
		runtime.Gosched()
	}
}

func TestIdleShellsAreReaped(t *testing.T) {
	config := plain()
	clock := clocktesting.NewFakeClock(time.Now())
	config.Clock = clock
	e := serve(t, config)
	c := e.raw(t)
	for asked, want := range map[string]time.Duration{"PT300S": 5 * time.Minute, "PT1S": time.Minute, "": 2 * time.Hour} {
		m := create()
		if asked != "" {
			m.body = "<rsp:Shell><rsp:IdleTimeOut>" + asked + "</rsp:IdleTimeOut></rsp:Shell>"
		}
		shell := c.ok(m).Body.Shell.ShellId
		command := c.begin(shell, "read")
		clock.Step(want - time.Second)
		c.ok(send(shell, command, "still there", false))
		clock.Step(want - time.Second)
		if n := e.Shells(); n != 1 {
			t.Errorf("%s: %d shells before the time", asked, n)
		}
		clock.Step(time.Second)
		eventually(t, "the shell is reaped", func() bool { return e.Shells() == 0 })
	}
}

// A shell with a Receive that waits is not idle, and the Receive says when its shell is deleted.
func TestAShellIsDeletedUnderAReceive(t *testing.T) {
	config := plain()
	config.Program = silent
	clock := clocktesting.NewFakeClock(time.Now())
	config.Clock = clock
	e := serve(t, config)
	c := e.raw(t)
	shell := c.shell()
	command := c.begin(shell, "read")
	waiting := clock.Waiters()
	answer := make(chan reply, 1)
	go func() {
		r, err := c.try(receive(shell, command, "PT60S").String())
		if err != nil {
			t.Error(err)
		}
		answer <- r
	}()
	eventually(t, "the Receive waits", func() bool { return clock.Waiters() > waiting })
	c.ok(remove(shell))
	if r := <-answer; r.fault() != "995" {
		t.Errorf("got %s", r.Text)
	}
}

func TestARestart(t *testing.T) {
	config := plain()
	config.Program = silent
	e := serve(t, config)
	c := e.raw(t)
	shell := c.shell()
	command := c.begin(shell, "read")
	failed := make(chan error, 1)
	before := e.Requests()
	go func() {
		_, err := c.try(receive(shell, command, "").String())
		failed <- err
	}()
	eventually(t, "the Receive is there", func() bool { return e.Requests() > before })
	e.Restart()
	if err := <-failed; err == nil {
		t.Error("the Receive was answered")
	}
	if n := e.Shells(); n != 0 {
		t.Errorf("%d shells are left", n)
	}
	if r := c.post(receive(shell, command, "")); r.fault() != "2150858843" {
		t.Errorf("got %s", r.Text)
	}
}

func TestWithoutPowerNobodyIsThere(t *testing.T) {
	e := serve(t, plain())
	c := e.raw(t)
	shell := c.shell()
	c.begin(shell, "read")
	e.SetPower(false)
	if n := e.Shells(); n != 0 {
		t.Errorf("%d shells are left", n)
	}
	if r, err := c.try(create().String()); err == nil {
		t.Errorf("it was answered: %s", r.Text)
	}
	e.SetPower(true)
	c.shell()
}

func TestAccountsAreLocked(t *testing.T) {
	config := plain()
	config.Authentication.LockoutThreshold = 3
	e := serve(t, config)
	c := e.raw(t)
	wrong := c
	wrong.password = "wrong"
	refused := func(c raw) bool { return c.post(create()).Status == http.StatusUnauthorized }
	for i := range 3 {
		if i == 2 && refused(c) {
			t.Error("locked too early")
		}
		if i == 2 {
			// The right password begins the count anew.
			refused(wrong)
			refused(wrong)
		}
		if !refused(wrong) {
			t.Error("a wrong password was let in")
		}
	}
	if !refused(c) {
		t.Error("a locked account was let in")
	}
	if attempts, refusals := e.Attempts(user), e.Refusals(user); attempts != 7 || refusals != 6 {
		t.Errorf("%d attempts, %d refused", attempts, refusals)
	}
	e.SetPassword(user, "another")
	c.password = "another"
	if refused(c) {
		t.Error("the new password was refused")
	}
}

func TestShellsAreListed(t *testing.T) {
	c := serve(t, plain()).raw(t)
	first, second := c.shell(), c.shell()
	const enumeration = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/"
	for name, m := range map[string]message{
		"at once": {
			action: enumeration + "Enumerate", resource: winShell,
			body: `<n:Enumerate xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"><w:OptimizeEnumeration/></n:Enumerate>`,
		},
		"pulled": {
			action: enumeration + "Pull", resource: winShell,
			body: `<n:Pull xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"><n:EnumerationContext>shells</n:EnumerationContext></n:Pull>`,
		},
	} {
		if r := c.ok(m); strings.Count(r.Text, "<rsp:ShellId>") != 2 || !strings.Contains(r.Text, first) || !strings.Contains(r.Text, second) || !strings.Contains(r.Text, ":EndOfSequence/>") {
			t.Errorf("%s: %s", name, r.Text)
		}
	}
	begun := c.ok(message{action: enumeration + "Enumerate", resource: winShell, body: `<n:Enumerate xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"/>`})
	if !strings.Contains(begun.Text, "<n:EnumerationContext>shells<") || strings.Contains(begun.Text, "EndOfSequence") {
		t.Errorf("begun: %s", begun.Text)
	}
}

func TestAnybodyMayAskWhatThisIs(t *testing.T) {
	e := serve(t, settings())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url(false), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("WSMANIDENTIFY", "unauthenticated")
	resp, err := e.raw(t).http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "<wsmid:ProductVendor>Microsoft Corporation<") {
		t.Errorf("got %d %v: %s", resp.StatusCode, err, body)
	}
}

// A client may choose the id of its shell, once.
func TestAClientChoosesAShellsID(t *testing.T) {
	c := serve(t, plain()).raw(t)
	const id = "5D0C64B5-6F0F-4C7A-9F8E-0A6B1F8F0A11"
	for _, step := range []struct{ id, fault string }{{id, ""}, {id, "2150858817"}, {"mine", "2150858817"}} {
		made := create()
		made.body = `<rsp:Shell ShellId="` + step.id + `"/>`
		if r := c.post(made); r.fault() != step.fault || step.fault == "" && r.Body.Shell.ShellId != id {
			t.Errorf("%s: %s", step.id, r.Text)
		}
	}
	c.ok(remove(id))
}
