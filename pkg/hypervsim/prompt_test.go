package hypervsim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// params saves repeating the parameter type.
type params = map[string]any

// prompt opens a PowerShell on a host for one test.
func (f fixture) prompt(host, directory string) prompt {
	f.Helper()
	p, err := f.Prompt(host, directory, "")
	f.ok(err)
	f.Cleanup(func() { f.ok(p.Close()) })
	return prompt{f, p}
}

type prompt struct {
	fixture
	*Prompt
}

// call runs a cmdlet and gives what it wrote, an object as its text, and an error as its category.
func (p prompt) call(cmdlet string, parameters params) []string {
	p.Helper()
	values, failures, err := p.Invoke(p.Context(), cmdlet, parameters)
	p.ok(err)
	var out []string
	for _, v := range values {
		if live, ok := v.(Live); ok {
			v = live.Text
		}
		out = append(out, fmt.Sprint(v))
	}
	for _, failure := range failures {
		out = append(out, "error "+failure.Category)
	}
	return out
}

func (p prompt) one(cmdlet string, parameters params) Live {
	p.Helper()
	values, failures, err := p.Invoke(p.Context(), cmdlet, parameters)
	p.ok(err)
	if len(values) != 1 || len(failures) > 0 {
		p.Fatalf("%s: %v, %v", cmdlet, values, failures)
	}
	return values[0].(Live)
}

func TestPromptGivesLiveObjects(t *testing.T) {
	f := newFixture(t)
	f.started("hv02", "a")
	p := f.prompt("hv02", `C:\`)
	vm := p.one("Get-VM", params{"Name": []any{"a"}})
	if vm.Class != "VirtualMachine" || vm.Text != "a" || vm.Properties["state"] != "Running" {
		t.Errorf("a machine: %+v", vm)
	}
	if again := p.one("Get-VM", nil); again.Handle != vm.Handle {
		t.Errorf("the same machine is %s and %s", vm.Handle, again.Handle)
	}
	p.call("Set-VM", params{"VM": []any{vm.Handle}, "Notes": "told"})
	now, err := p.Look(vm.Handle)
	f.ok(err)
	if now.Properties["notes"] != "told" {
		t.Errorf("its notes are %q", now.Properties["notes"])
	}
	adapter := now.Properties["networkadapters"].([]any)[0].(Live)
	if adapter.Class != "VMNetworkAdapter" || adapter.Properties["vmid"] != now.Properties["id"] {
		t.Errorf("an adapter in it: %+v", adapter)
	}
}

// One host is two objects: a node of the host cluster, and what Hyper-V knows of it.
func TestPromptTellsClassesApart(t *testing.T) {
	p := newFixture(t).prompt("hv02", `C:\`)
	host, node := p.one("Get-VMHost", nil), p.one("Get-ClusterNode", params{"Name": []any{"hv02"}})
	if host.Class != "VMHost" || node.Class != "ClusterNode" || host.Handle == node.Handle {
		t.Errorf("%s %s, %s %s", host.Class, host.Handle, node.Class, node.Handle)
	}
}

func TestPromptForgetsTheOldest(t *testing.T) {
	l := newLiveObjects()
	first := l.handle(&taskPart{})
	for range maxLiveObjects {
		l.handle(&taskPart{})
	}
	if _, ok := l.find(first); ok || len(l.byHandle) != maxLiveObjects || len(l.handles) != maxLiveObjects {
		t.Errorf("%d objects are kept", len(l.byHandle))
	}
	args, err := l.arguments(params{"VM": first})
	if err == nil {
		t.Errorf("an object that is forgotten is %v", args)
	}
}

func TestPromptSetsClassNames(t *testing.T) {
	f := newFixture(t)
	f.started("hv02", "a")
	p := f.prompt("hv02", `C:\`)
	group := p.one("Get-ClusterGroup", params{"Name": []any{"a"}})
	f.ok(p.Set(group.Handle, "antiAffinityClassNames", []string{"x", "y"}))
	if got := f.group("a").ClassNames; !slices.Equal(got, []string{"x", "y"}) {
		t.Errorf("class names %q", got)
	}
	if err := p.Set(group.Handle, "Name", []string{"b"}); err == nil {
		t.Error("the name could be set")
	}
}

func TestPromptInTheJournal(t *testing.T) {
	f := newFixture(t)
	f.started("hv02", "a")
	p := f.prompt("hv02", `C:\`)
	vm := p.one("Get-VM", nil)
	since := f.last()
	secret := hostagent.NewSecret("hunter2")
	account := hostagent.Credential{User: "u", Password: secret}
	p.call("Set-VM", params{"VM": []any{vm.Handle}, "Notes": "told", "Credential": []any{secret, account}, "Password": "hunter2"})
	e := f.Journal(since)[0]
	mark := f.secrets.mark(secret)
	want := fmt.Sprintf("map[Credential:[%s {u %s}] Notes:told Password:%s VM:[a]]", mark, mark, mark)
	if got := fmt.Sprint(e.Call.Parameters); e.Host != "hv02" || e.State != hostagent.Done || got != want {
		t.Errorf("%+v, with %s, want %s", e, got, want)
	}
}

// A call that nobody waits for goes on in the world, and stands in the way of new sessions as any other.
func TestPromptGivenUp(t *testing.T) {
	f := newFixture(t)
	p := f.prompt("hv02", `C:\`)
	for cmdlet, want := range map[string]hostagent.Class{"Get-VMHost": hostagent.Canceled, "New-Item": hostagent.OutcomeUnknown} {
		id, err := f.AddFault(Fault{Cmdlet: cmdlet, Kind: Hang})
		f.ok(err)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, _, err := p.Invoke(ctx, cmdlet, params{"Path": []any{gold + `\x`}, "ItemType": "Directory"})
			failed <- err
		}()
		f.until(func() bool { return f.Faults()[0].Hit == 1 })
		cancel()
		if err := <-failed; hostagent.ClassOf(err) != want {
			t.Errorf("%s given up: %v, want %s", cmdlet, err, want)
		}
		f.ok(f.RemoveFault(id))
		f.must("hv02")
	}
}

// A fault that names a named function is done to the cmdlet in it that has its effect.
func TestFaultsOfNamedFunctions(t *testing.T) {
	tests := map[string]struct {
		function, cmdlet string
		parameters       params
	}{
		"making":   {"New-StampedFolder", "New-Item", params{"Path": []any{gold + `\a`}, "ItemType": "Directory"}},
		"removing": {"Remove-StampedFolder", "Remove-Item", params{"LiteralPath": []any{gold + `\Images`}, "Recurse": true}},
		"copying":  {"Start-Work", "Register-ScheduledTask", params{"TaskName": "id"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			_, err := f.AddFault(Fault{Cmdlet: test.function, Kind: Error, Error: hostagent.CallError{Category: "DeviceError"}})
			f.ok(err)
			p := f.prompt("hv02", gold)
			if got := strings.Join(p.call(test.cmdlet, test.parameters), ","); got != "error DeviceError" {
				t.Errorf("%s: %q", test.cmdlet, got)
			}
			if got := strings.Join(p.call("Test-Path", params{"LiteralPath": []any{gold}}), ","); got != "true" {
				t.Errorf("Test-Path: %q", got)
			}
		})
	}
}

// What a PowerShell that was killed left behind holds up the next one.
func TestNextPromptWaits(t *testing.T) {
	w, err := New(DefaultModel(), NewRealClock(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	f := fixture{t, w}
	path := gold + `\d.vhdx`
	killed := f.prompt("hv01", gold)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, _, err := killed.Invoke(ctx, "New-VHD", params{"Path": []any{path}, "SizeBytes": 200 * GiB, "Fixed": true})
		done <- err
	}()
	f.until(func() bool { return f.has(path) })
	cancel()
	if err := <-done; hostagent.ClassOf(err) != hostagent.OutcomeUnknown {
		t.Errorf("got %v, want OutcomeUnknown", err)
	}
	next := f.prompt("hv01", gold)
	impatient, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, _, err := next.Invoke(impatient, "Get-VHD", params{"Path": []any{path}}); hostagent.ClassOf(err) != hostagent.Timeout {
		t.Errorf("a call while the earlier one is under way: %v, want it to wait", err)
	}
	if got := next.call("Get-VHD", params{"Path": []any{path}}); !slices.Equal(got, []string{path}) {
		t.Errorf("the disk is %v", got)
	}
}

func TestPromptIsLostWithItsHost(t *testing.T) {
	f := newFixture(t)
	p, err := f.Prompt("hv02", `C:\`, "")
	f.ok(err)
	_, err = f.AddFault(Fault{Cmdlet: "Get-VMHost", Kind: Hang})
	f.ok(err)
	failed := make(chan error, 1)
	go func() {
		_, _, err := p.Invoke(t.Context(), "Get-VMHost", nil)
		failed <- err
	}()
	f.until(func() bool { return f.Faults()[0].Hit == 1 })
	f.ok(f.FailHost("hv02"))
	<-p.Lost()
	if err := <-failed; hostagent.ClassOf(err) != hostagent.Unreachable {
		t.Errorf("the call under way: %v", err)
	}
	if _, _, err := p.Invoke(t.Context(), "Get-VMHost", nil); hostagent.ClassOf(err) != hostagent.Unreachable {
		t.Errorf("a call after that: %v", err)
	}
	if _, err := f.Prompt("hv02", `C:\`, ""); hostagent.ClassOf(err) != hostagent.Unreachable {
		t.Errorf("another prompt: %v", err)
	}
}

func TestItems(t *testing.T) {
	f := newFixture(t)
	p := f.prompt("hv02", gold)
	file, other := gold+`\a\one.txt`, gold+`\a\two.txt`
	at := func(path string, more ...any) params {
		out := params{"LiteralPath": []any{path}}
		for i := 0; i < len(more); i += 2 {
			out[more[i].(string)] = more[i+1]
		}
		return out
	}
	steps := []struct {
		cmdlet     string
		parameters params
		want       string
	}{
		{"Test-Path", at(gold + `\a`), "false"},
		{"Set-Content", at(file, "Value", []any{"x"}), "error ObjectNotFound"},
		{"New-Item", params{"Path": []any{gold + `\a`}, "ItemType": "Directory"}, gold + `\a`},
		{"New-Item", params{"Path": []any{gold + `\a`}, "ItemType": "Directory"}, "error ResourceExists"},
		{"Set-Content", at(file, "Value", []any{"one", "two"}), ""},
		{"Get-Content", at(file), "one,two"},
		{"Get-Content", at(file, "Raw", true), "one\r\ntwo\r\n"},
		{"Set-Content", at(file, "Value", []any{"x"}, "NoNewline", true), ""},
		{"Get-Content", at(`a\one.txt`, "Raw", true), "x"},
		{"Test-Path", at(file, "PathType", "Container"), "false"},
		{"Test-Path", at(file, "PathType", "Leaf"), "true"},
		{"Get-ChildItem", at("a"), file},
		{"Get-ChildItem", at(gold, "Directory", true), gold + `\Images,` + gold + `\a`},
		{"Get-ChildItem", at(gold + `\none`), "error ObjectNotFound"},
		{"Copy-Item", at(file, "Destination", other), ""},
		{"Move-Item", at(file, "Destination", other), "error WriteError"},
		{"Move-Item", at(file, "Destination", other, "Force", true), ""},
		{"Get-Content", at(file), "error ObjectNotFound"},
		{"Get-Content", at(other), "x"},
		{"Move-Item", at(other, "Destination", gold+`\none\two.txt`), "error ObjectNotFound"},
		{"Remove-Item", at(gold + `\a`), "error InvalidOperation"},
		{"Remove-Item", at(gold+`\a`, "Recurse", true), ""},
		{"Remove-Item", at(gold + `\a`), "error ObjectNotFound"},
		{"Remove-Item", at(gold, "Recurse", true), "error PermissionDenied"},
		{"Copy-Item", at(gold+`\none`, "Destination", other), "error ObjectNotFound"},
	}
	for _, s := range steps {
		if got := strings.Join(p.call(s.cmdlet, s.parameters), ","); got != s.want {
			t.Errorf("%s %v: %q, want %q", s.cmdlet, s.parameters, got, s.want)
		}
	}
}

func TestCopyItemTakesItsTime(t *testing.T) {
	f := newFixture(t)
	p := f.prompt("hv02", `C:\`)
	begun := f.Now()
	p.call("Copy-Item", params{"LiteralPath": []any{image}, "Destination": gold + `\copy.vhdx`})
	if took := f.Now().Sub(begun); took != time.Minute {
		t.Errorf("12 GiB took %v", took)
	}
	if got := p.call("Get-VHD", params{"Path": []any{gold + `\copy.vhdx`}}); !slices.Equal(got, []string{gold + `\copy.vhdx`}) {
		t.Errorf("the copy is %v", got)
	}
	f.ok(f.SetCSVFree(gold, 6*GiB))
	if got := p.call("Copy-Item", params{"LiteralPath": []any{image}, "Destination": gold + `\more.vhdx`}); !slices.Equal(got, []string{"error WriteError"}) || f.has(gold+`\more.vhdx`) {
		t.Errorf("onto a full volume: %v", got)
	}
}

func TestCopyItemEndsWithItsHost(t *testing.T) {
	f := newFixture(t)
	p, err := f.Prompt("hv02", `C:\`, "")
	f.ok(err)
	f.mu.Lock()
	f.after(30*time.Second, func() { f.failHost(f.hostNamed("hv02")) })
	f.mu.Unlock()
	_, _, err = p.Invoke(t.Context(), "Copy-Item", params{"LiteralPath": []any{image}, "Destination": gold + `\copy.vhdx`})
	if hostagent.ClassOf(err) != hostagent.OutcomeUnknown {
		t.Errorf("the copy: %v, want OutcomeUnknown", err)
	}
	remove := func() string {
		return strings.Join(f.prompt("hv03", `C:\`).call("Remove-Item", params{"LiteralPath": []any{gold + `\copy.vhdx`}}), ",")
	}
	if got := remove(); got != "error ResourceBusy" {
		t.Errorf("the part, before anybody knows of the failure: %q", got)
	}
	f.advance(time.Minute)
	if got := remove(); got != "" {
		t.Errorf("the part, afterwards: %q", got)
	}
}
