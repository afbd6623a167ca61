package hypervsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	guestcmdlet "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

const localPassword = "Local-administrator-1"

var (
	local = hostagent.Credential{User: "Administrator", Password: hostagent.NewSecret(localPassword)}
	ops   = hostagent.Credential{User: `CORP\ops`, Password: hostagent.NewSecret("Run-the-members-1")}
	join  = hostagent.Credential{User: "join@corp.example", Password: hostagent.NewSecret("Join-the-domain-1")}
)

// answerFile is one that leaves no question open.
func answerFile(name, password string) string {
	return fmt.Sprintf(`<unattend xmlns="urn:schemas-microsoft-com:unattend">
 <settings pass="specialize"><component name="Microsoft-Windows-Shell-Setup"><ComputerName>%s</ComputerName></component></settings>
 <settings pass="oobeSystem">
  <component name="Microsoft-Windows-International-Core"><InputLocale>en-US</InputLocale><SystemLocale>en-US</SystemLocale>
   <UILanguage>en-US</UILanguage><UserLocale>en-US</UserLocale></component>
  <component name="Microsoft-Windows-Shell-Setup"><OOBE><HideEULAPage>true</HideEULAPage></OOBE><TimeZone>UTC</TimeZone>
   <UserAccounts><AdministratorPassword><Value>%s</Value><PlainText>true</PlainText></AdministratorPassword></UserAccounts></component>
 </settings></unattend>`, name, password)
}

// answered puts an answer file on a machine's OS disk.
func (f fixture) answered(id, text string) {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.machineByID(id)
	f.fileAt(m.host, m.drives[0].path).disk.files[windows.AnswerFile] = text
}

// windows makes a machine whose Windows is set up, as a computer of that name.
func (f fixture) windows(host, name, computer string, disks ...string) string {
	f.Helper()
	id := f.member(host, name, disks...)
	f.answered(id, answerFile(computer, localPassword))
	f.must(host, cmdlet.StartGroup("start", name))
	f.advance(4 * time.Minute)
	return id
}

// wrap is the call that runs a batch in a guest.
func wrap(id string, as hostagent.Credential, batch hostagent.Batch) hostagent.Call {
	return hostagent.Call{ID: "guest", Cmdlet: "Invoke-GuestBatch", Select: []string{"Results"}, Parameters: hostagent.Parameters{
		"VMId": hostagent.Text(id), "Credential": as, "Batch": hostagent.Nested{Batch: batch},
	}}
}

// inside runs calls in a guest; an error is that of the host's call.
func (f fixture) inside(id string, as hostagent.Credential, calls ...hostagent.Call) (hostagent.Results, error) {
	f.Helper()
	return f.insideAs(id, as, hostagent.Batch{OnError: hostagent.Stop, Calls: calls})
}

func (f fixture) insideAs(id string, as hostagent.Credential, batch hostagent.Batch) (hostagent.Results, error) {
	f.Helper()
	outer, err := f.run(f.vm(id).Host, wrap(id, as, batch))
	if err != nil {
		return nil, err
	}
	if err := outer.Err(); err != nil {
		return nil, err
	}
	var results hostagent.Results
	decoder := json.NewDecoder(strings.NewReader(outer[0].Values[0].Text("Results")))
	decoder.UseNumber()
	f.ok(decoder.Decode(&results))
	return results, nil
}

// mustInside runs calls in a guest that all end well.
func (f fixture) mustInside(id string, as hostagent.Credential, calls ...hostagent.Call) hostagent.Results {
	f.Helper()
	results, err := f.inside(id, as, calls...)
	if err == nil {
		err = results.Err()
	}
	if err != nil {
		var call *hostagent.CallError
		errors.As(err, &call)
		f.Fatalf("%v: %+v", err, call)
	}
	return results
}

// refusal is how PowerShell Direct refuses, or empty.
func refusalOf(err error) string {
	if call, ok := errors.AsType[*hostagent.CallError](err); ok {
		return call.FullyQualifiedErrorID
	}
	return fmt.Sprint(err)
}

const (
	opened     = "<nil>"
	notOpened  = directBroken
	notHere    = "InvalidVMIdNotSingle," + directClass
	notRuns    = "InvalidVMState," + directClass
	refusedNow = directRefused
)

// A guest with an answer file specialises, restarts and finishes set-up; its heartbeat is there before anybody can log on.
func TestFirstBoot(t *testing.T) {
	f := newFixture(t)
	id := f.member("hv01", "one")
	f.answered(id, answerFile("one-1", localPassword))
	f.must("hv01", cmdlet.StartGroup("start", "one"))
	for _, step := range []struct {
		after          time.Duration
		heartbeat, log string
		settingUp      string
	}{
		{30 * time.Second, "NoContact", notOpened, ""},
		{30 * time.Second, "OkApplicationsUnknown", refusedNow, ""},
		{60 * time.Second, "NoContact", notOpened, ""},
		{40 * time.Second, "OkApplicationsUnknown", opened, "IMAGE_STATE_SPECIALIZE_RESEAL_TO_OOBE"},
		{40 * time.Second, "OkApplicationsUnknown", opened, "IMAGE_STATE_COMPLETE"},
	} {
		f.advance(step.after)
		if got := f.vm(id).Heartbeat; got != step.heartbeat {
			t.Errorf("heartbeat at %v: %s, want %s", f.Now(), got, step.heartbeat)
		}
		results, err := f.inside(id, local, guestcmdlet.SetupState("s"))
		if got := refusalOf(err); got != step.log {
			t.Fatalf("logging on at %v: %s, want %s", f.Now(), got, step.log)
		}
		if err == nil && results[0].Values[0].Text("ImageState") != step.settingUp {
			t.Errorf("at %v: %+v, want %s", f.Now(), results, step.settingUp)
		}
	}
}

// Without an answer file that answers everything, set-up waits for ever, with a heartbeat.
func TestSetupWaits(t *testing.T) {
	for name, text := range map[string]string{"no file": "", "an open question": answerFile("one-1", ""), "no XML": "<unattend"} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			id := f.member("hv01", "one")
			if text != "" {
				f.answered(id, text)
			}
			f.must("hv01", cmdlet.StartGroup("start", "one"))
			f.advance(24 * time.Hour)
			_, err := f.inside(id, local, guestcmdlet.SetupState("s"))
			if got := refusalOf(err); got != refusedNow || f.vm(id).Heartbeat != "OkApplicationsUnknown" {
				t.Errorf("got %s with heartbeat %s", got, f.vm(id).Heartbeat)
			}
		})
	}
}

func TestWhoIsLetIn(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	as := func(user, password string) hostagent.Credential {
		return hostagent.Credential{User: user, Password: hostagent.NewSecret(password)}
	}
	for name, test := range map[string]struct {
		as   hostagent.Credential
		want string
	}{
		"the administrator":           {local, opened},
		"in other words":              {as(`one-1\administrator`, localPassword), opened},
		"of this computer":            {as(`.\Administrator`, localPassword), opened},
		"a wrong password":            {as("Administrator", "other"), refusedNow},
		"an unknown name":             {as("root", localPassword), refusedNow},
		"of another computer":         {as(`two\Administrator`, localPassword), refusedNow},
		"a domain's, in a work group": {ops, refusedNow},
		"nobody":                      {as("Guest", ""), refusedNow},
	} {
		_, err := f.inside(id, test.as, guestcmdlet.SetupState("s"))
		if got := refusalOf(err); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestWhereAGuestIsReached(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	ask := func(host, id string) string {
		t.Helper()
		results, err := f.run(host, wrap(id, local, hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{guestcmdlet.SetupState("s")}}))
		if err == nil {
			err = results.Err()
		}
		return refusalOf(err)
	}
	got := map[string]string{
		"here": ask("hv01", id), "elsewhere": ask("hv02", id), "nowhere": ask("hv01", "11111111-2222-3333-4444-555555555555"),
	}
	f.ok(f.MoveVM(id, "hv02"))
	f.advance(time.Minute)
	got["from where it was"], got["where it went"] = ask("hv01", id), ask("hv02", id)
	f.ok(f.ShutDownVM(id))
	got["ending"] = ask("hv02", id)
	f.advance(time.Minute)
	got["off"] = ask("hv02", id)
	f.ok(f.StartVM(id))
	f.advance(20 * time.Second)
	got["booting"] = ask("hv02", id)
	f.advance(time.Minute)
	got["up again"] = ask("hv02", id)
	want := map[string]string{
		"here": opened, "elsewhere": notHere, "nowhere": notHere, "from where it was": notHere, "where it went": opened,
		"ending": notRuns, "off": notRuns, "booting": notOpened, "up again": opened,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A batch inside ends at its first error or runs on, as it says, and its calls are in the journal before the one that carried
// them, with the machine and without secrets.
func TestBatchInside(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	calls := []hostagent.Call{
		guestcmdlet.SetupState("a"), guestcmdlet.PendingJoin("b"), guestcmdlet.SetupProgress("c"),
	}
	for onError, want := range map[hostagent.OnError]string{hostagent.Stop: "Done Failed NotRun", hostagent.Continue: "Done Failed Done"} {
		before := f.last()
		results, err := f.insideAs(id, local, hostagent.Batch{OnError: onError, Calls: calls})
		f.ok(err)
		if got := fmt.Sprint(results[0].State, " ", results[1].State, " ", results[2].State); got != want {
			t.Errorf("%s: %s, want %s", onError, got, want)
		}
		entries := f.Journal(before)
		if len(entries) != 4 || entries[3].Call.Cmdlet != "Invoke-GuestBatch" || entries[3].VM != "" {
			t.Fatalf("%+v", entries)
		}
		for i, e := range entries[:3] {
			if e.VM != "one" || e.VMID != id || e.Host != "hv01" || e.Index != i || e.Batch != entries[3].Batch || e.Session != entries[3].Session {
				t.Errorf("the entry of a call inside: %+v", e)
			}
		}
	}
	text, err := json.Marshal(f.Journal(0))
	f.ok(err)
	if strings.Contains(string(text), localPassword) {
		t.Error("the journal holds the password")
	}
}

// Faults hit calls in guests, too: what is lost there is the connection with the guest.
func TestFaultsInside(t *testing.T) {
	for name, test := range map[string]struct {
		fault   Fault
		want    string
		removed bool
	}{
		"dropped before":  {Fault{Kind: DropBefore}, directLost, false},
		"dropped after":   {Fault{Kind: DropAfter}, directLost, true},
		"an error":        {Fault{Kind: Error, Error: hostagent.CallError{FullyQualifiedErrorID: "X"}}, "X", false},
		"a delay":         {Fault{Kind: Delay, Delay: time.Hour}, opened, true},
		"by the VM":       {Fault{Kind: DropBefore, VM: "ONE"}, directLost, false},
		"another VM":      {Fault{Kind: DropBefore, VM: "two"}, opened, true},
		"another cmdlet":  {Fault{Kind: DropBefore, Cmdlet: "Get-Disk"}, opened, true},
		"its object":      {Fault{Kind: DropBefore, Object: "unattend"}, directLost, false},
		"the second call": {Fault{Kind: DropBefore, Skip: 1}, opened, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			id := f.windows("hv01", "one", "one-1")
			if test.fault.Cmdlet == "" {
				test.fault.Cmdlet = "Remove-Item"
			}
			_, err := f.AddFault(test.fault)
			f.ok(err)
			results, err := f.inside(id, local, guestcmdlet.RemoveAnswerFile("r"))
			if err == nil {
				err = results.Err()
			}
			if got := refusalOf(err); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			left, err := f.inside(id, local, guestcmdlet.FindAnswerFile("f"))
			f.ok(err)
			if got := left[0].State == hostagent.Failed; got != test.removed {
				t.Errorf("the file is gone: %v, want %v", got, test.removed)
			}
		})
	}
}

// A call in a guest that dies has no end that anybody saw; the later ones do not run, and the host's call says that the
// session broke.
func TestTheGuestDiesUnderACall(t *testing.T) {
	for name, dies := range map[string]func(fixture, string) error{
		"turned off":    func(f fixture, id string) error { return f.TurnOffVM(id) },
		"saved":         func(f fixture, id string) error { return f.SaveVM(id) },
		"shut down":     func(f fixture, id string) error { return f.ShutDownVM(id) },
		"restarted":     func(f fixture, id string) error { return f.RestartGuest(id) },
		"migrated":      func(f fixture, id string) error { return f.MoveVM(id, "hv03") },
		"removed":       func(f fixture, id string) error { return f.RemoveVM(id, KeepFiles) },
		"its host died": func(f fixture, _ string) error { return f.FailHost("hv01") },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			id := f.windows("hv01", "one", "one-1")
			before := f.last()
			type answer struct {
				results hostagent.Results
				err     error
			}
			answers := make(chan answer)
			_, err := f.AddFault(Fault{Cmdlet: "Remove-Item", Kind: Hang})
			f.ok(err)
			go func() {
				results, err := f.run("hv01", wrap(id, local, hostagent.Batch{OnError: hostagent.Continue, Calls: []hostagent.Call{
					guestcmdlet.RemoveAnswerFile("r"), guestcmdlet.FindAnswerFile("f"),
				}}))
				answers <- answer{results, err}
			}()
			f.until(func() bool { return f.Faults()[0].Hit == 1 })
			f.ok(dies(f, id))
			f.advance(time.Minute)
			a := <-answers
			if name == "its host died" {
				if !errors.Is(a.err, hostagent.OutcomeUnknown) {
					t.Errorf("got %v, want OutcomeUnknown", a.err)
				}
			} else if got := refusalOf(a.results.Err()); got != directLost {
				t.Errorf("got %s, want %s", got, directLost)
			}
			var states []hostagent.State
			f.until(func() bool {
				states = nil
				for _, e := range f.Journal(before) {
					if e.VM != "" {
						states = append(states, e.State)
					}
				}
				return len(states) == 2
			})
			if diff := cmp.Diff([]hostagent.State{hostagent.Unknown, hostagent.NotRun}, states); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A call that waits for the clock ends with its guest, not with its own time.
func TestALongCallEndsWithItsGuest(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	_, err := f.AddFault(Fault{VM: id, Kind: Delay, Delay: 10 * time.Hour})
	f.ok(err)
	f.mu.Lock()
	f.after(time.Hour, func() { f.turnOff(f.machineByID(id)) })
	f.mu.Unlock()
	from := f.Now()
	_, err = f.inside(id, local, guestcmdlet.SetupState("s"))
	if got := refusalOf(err); got != directLost || f.Now().Sub(from) > 2*time.Hour {
		t.Errorf("got %s after %v, want %s after an hour", got, f.Now().Sub(from), directLost)
	}
}

func TestExplicitLogonInside(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	wrong := hostagent.Credential{User: "Administrator", Password: hostagent.NewSecret("other")}
	for name, test := range map[string]struct {
		as    hostagent.Credential
		class hostagent.Class
	}{
		"its administrator": {local, ""}, "a wrong password": {wrong, hostagent.Unauthenticated}, "a stranger": {ops, hostagent.Unauthenticated},
	} {
		results, err := f.insideAs(id, local, hostagent.Batch{
			Logon: hostagent.LogonExplicit, Credential: &test.as, OnError: hostagent.Stop, Calls: []hostagent.Call{guestcmdlet.SetupState("s")},
		})
		f.ok(err)
		if got := hostagent.ClassOf(results.Err()); got != test.class {
			t.Errorf("%s: %q, want %q", name, got, test.class)
		}
	}
}

// What is in memory ends with the power and is kept where it is saved; what set-up did stays.
func TestPowerAndGuests(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	booted := func() time.Time {
		t.Helper()
		at, err := f.mustInside(id, local, guestcmdlet.OperatingSystem("o"))[0].Values[0].Time("LastBootUpTime")
		f.ok(err)
		return at
	}
	first := booted()
	f.ok(f.SaveVM(id))
	f.advance(time.Minute)
	f.ok(f.StartVM(id))
	f.advance(5 * time.Second)
	if got := booted(); !got.Equal(first) {
		t.Errorf("started at %v after it was saved, want %v", got, first)
	}
	f.ok(f.TurnOffVM(id))
	f.ok(f.StartVM(id))
	f.advance(time.Minute)
	second := booted()
	if !second.After(first) {
		t.Errorf("started at %v after it was turned off, first at %v", second, first)
	}
	f.ok(f.FailHost("hv01"))
	f.advance(10 * time.Minute)
	if third := booted(); !third.After(second) {
		t.Errorf("started at %v after its host failed, before at %v", third, second)
	}
}

// A PowerShell in a guest answers single cmdlets as the one in a batch does, and is lost with its guest.
func TestPromptInAGuest(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	for name, test := range map[string]struct {
		host string
		as   hostagent.Credential
		want string
	}{
		"a wrong account": {"hv01", ops, refusedNow}, "another host": {"hv02", local, notHere},
	} {
		if _, err := f.GuestPrompt(test.host, id, test.as, hostagent.LogonNetwork); err == nil || refusalOf(err) != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	p, err := f.GuestPrompt("hv01", id, local, hostagent.LogonNetwork)
	f.ok(err)
	if name, build := p.Host(); name != "ONE-1" || build != 20348 {
		t.Errorf("it is on %s, build %d", name, build)
	}
	setup := map[string]any{"LiteralPath": []any{`HKLM:\SYSTEM\Setup`}}
	values, errs, err := p.Invoke(t.Context(), "Get-ItemProperty", setup)
	f.ok(err)
	if len(errs) != 0 || len(values) != 1 || values[0].(Live).Properties["systemsetupinprogress"] != int64(0) {
		t.Errorf("%+v, %+v", values, errs)
	}
	if _, errs, err := p.Invoke(t.Context(), "Get-VM", nil); err != nil || len(errs) != 1 || errs[0].Category != "NotImplemented" {
		t.Errorf("what is a host's: %+v, %v", errs, err)
	}
	f.ok(f.RestartGuest(id))
	select {
	case <-p.Lost():
	default:
		t.Error("it is not lost with its guest")
	}
	f.advance(2 * time.Minute)
	if _, _, err := p.Invoke(t.Context(), "Get-ItemProperty", setup); !errors.Is(err, hostagent.Unreachable) {
		t.Errorf("after the restart: %v, want Unreachable", err)
	}
	f.ok(p.Close())
	entries := f.Journal(0)
	if i := slices.IndexFunc(entries, func(e Entry) bool { return e.Call != nil && e.Call.Cmdlet == "Get-ItemProperty" }); entries[i].VMID != id {
		t.Errorf("the journal: %+v", entries[i])
	}
}

// Calls side by side in one PowerShell end with their guest, all of them.
func TestCallsSideBySideEndWithTheirGuest(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	p, err := f.GuestPrompt("hv01", id, local, hostagent.LogonNetwork)
	f.ok(err)
	defer func() { _ = p.Close() }()
	_, err = f.AddFault(Fault{VM: id, Kind: Hang})
	f.ok(err)
	failures := make(chan error)
	for range 3 {
		go func() {
			_, _, err := p.Invoke(t.Context(), "Get-ItemProperty", map[string]any{"LiteralPath": []any{`HKLM:\SYSTEM\Setup`}})
			failures <- err
		}()
	}
	f.until(func() bool { return f.Faults()[0].Hit == 3 })
	f.ok(f.TurnOffVM(id))
	for range 3 {
		if err := <-failures; !errors.Is(err, hostagent.Unreachable) {
			t.Errorf("got %v, want Unreachable", err)
		}
	}
}

// The same history gives the same world, guests included.
func TestGuestsAreDeterministic(t *testing.T) {
	tell := func() string {
		f := newFixture(t)
		paths := f.sharedDisks("a", "b")
		for i, name := range []string{"one", "two"} {
			id := f.joined(fmt.Sprint("hv0", i+1), name, name+"-1", paths...)
			f.mustInside(id, ops, guestcmdlet.Disks("d"), guestcmdlet.Addresses("a"))
		}
		f.ok(f.FailHost("hv02"))
		f.advance(10 * time.Minute)
		var text strings.Builder
		for _, e := range f.Journal(0) {
			fmt.Fprintln(&text, e.Time, e.Host, e.VM, e.State, e.Effect, e.Errors)
		}
		fmt.Fprintf(&text, "%+v", f.State())
		return text.String()
	}
	if diff := cmp.Diff(tell(), tell()); diff != "" {
		t.Error(diff)
	}
}

// Set-up that loses its power begins the part that it was in anew, and comes to its end.
func TestSetupIsInterrupted(t *testing.T) {
	for name, after := range map[string]time.Duration{"booting": 20 * time.Second, "specialising": time.Minute, "starting again": 2 * time.Minute, "welcoming": 160 * time.Second} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			id := f.member("hv01", "one")
			f.answered(id, answerFile("one-1", localPassword))
			f.must("hv01", cmdlet.StartGroup("start", "one"))
			f.advance(after)
			f.ok(f.TurnOffVM(id))
			f.ok(f.StartVM(id))
			f.advance(5 * time.Minute)
			if got := f.mustInside(id, local, guestcmdlet.SetupState("s"))[0].Values[0].Text("ImageState"); got != "IMAGE_STATE_COMPLETE" {
				t.Error(got)
			}
		})
	}
}

// A machine without an answer file goes on with set-up at the first start that finds one.
func TestAnAnswerFileThatComesLate(t *testing.T) {
	f := newFixture(t)
	id := f.started("hv01", "one")
	f.ok(f.TurnOffVM(id))
	f.answered(id, answerFile("one-1", localPassword))
	f.ok(f.StartVM(id))
	f.advance(5 * time.Minute)
	f.mustInside(id, local, guestcmdlet.SetupState("s"))
}

// What an image is decides what its guests can do.
func TestImagesDiffer(t *testing.T) {
	with := func(change func(*ImageModel)) func(*Model) {
		return func(m *Model) { change(&m.Images[0]) }
	}
	t.Run("older than PowerShell Direct", func(t *testing.T) {
		f := newFixture(t, with(func(i *ImageModel) { i.Windows = hyperv.Build2012R2 }))
		id := f.windows("hv01", "one", "one-1")
		if _, err := f.inside(id, local, guestcmdlet.SetupState("s")); refusalOf(err) != notOpened {
			t.Errorf("got %v, want %s", err, notOpened)
		}
	})
	t.Run("without Windows", func(t *testing.T) {
		f := newFixture(t, with(func(i *ImageModel) { i.Windows = 0 }))
		id := f.started("hv01", "one")
		if _, err := f.inside(id, local, guestcmdlet.SetupState("s")); refusalOf(err) != notOpened || f.vm(id).Heartbeat != "OkApplicationsUnknown" {
			t.Errorf("got %v with heartbeat %s", err, f.vm(id).Heartbeat)
		}
	})
	t.Run("wants a restart for a feature", func(t *testing.T) {
		f := newFixture(t, with(func(i *ImageModel) { i.RestartFor = []string{windows.FailoverClustering} }))
		id := f.windows("hv01", "one", "one-1")
		read := func(c hostagent.Call, property string) string {
			t.Helper()
			return f.mustInside(id, local, c)[0].Values[0].Text(property)
		}
		install := guestcmdlet.InstallFeatures("i", windows.FailoverClustering)
		from := f.Now()
		got := []string{read(install, "RestartNeeded"), read(install, "ExitCode"), read(guestcmdlet.Features("f", windows.FailoverClustering), "InstallState")}
		if took := f.Now().Sub(from); took < time.Minute || took > 2*time.Minute {
			t.Errorf("installing twice took %v, want a minute for the first alone", took)
		}
		f.mustInside(id, local, guestcmdlet.Restart("r"))
		f.advance(2 * time.Minute)
		got = append(got, read(install, "ExitCode"), read(guestcmdlet.Features("f", windows.FailoverClustering), "InstallState"))
		if diff := cmp.Diff([]string{"Yes", "SuccessRestartRequired", "InstallPending", "NoChangeNeeded", "Installed"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A guest that is told to restart twice restarts once; its answer is there before it goes.
func TestRestartingTwice(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	results, err := f.insideAs(id, local, hostagent.Batch{OnError: hostagent.Continue, Calls: []hostagent.Call{guestcmdlet.Restart("1"), guestcmdlet.Restart("2")}})
	f.ok(err)
	if results[0].State != hostagent.Done || results[1].State != hostagent.Failed {
		t.Errorf("%+v", results)
	}
	f.advance(2 * time.Minute)
	f.mustInside(id, local, guestcmdlet.SetupState("s"))
	if got := f.vm(id); got.State != running {
		t.Errorf("the machine is %s", got.State)
	}
}

// When the caller gives up, the call that is under way inside ends and the later ones do not run.
func TestTheCallerOfABatchInsideGivesUp(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	before := f.last()
	_, err := f.AddFault(Fault{VM: id, Cmdlet: "Remove-Item", Kind: Hang})
	f.ok(err)
	ctx, cancel := context.WithCancel(t.Context())
	agent, err := f.Driver().Open(ctx, hostagent.Target{Host: "hv01"})
	f.ok(err)
	defer func() { _ = agent.Close() }()
	done := make(chan error)
	go func() {
		_, err := agent.Run(ctx, hostagent.Batch{OnError: hostagent.Continue, Calls: []hostagent.Call{wrap(id, local, hostagent.Batch{
			OnError: hostagent.Continue, Calls: []hostagent.Call{guestcmdlet.RemoveAnswerFile("r"), guestcmdlet.Restart("n")},
		})}})
		done <- err
	}()
	f.until(func() bool { return f.Faults()[0].Hit == 1 })
	cancel()
	if err := <-done; !errors.Is(err, hostagent.OutcomeUnknown) {
		t.Errorf("got %v, want OutcomeUnknown", err)
	}
	// The next session begins once nothing of the batch is left.
	f.mustInside(id, local, guestcmdlet.FindAnswerFile("f"))
	var got []string
	for _, e := range f.Journal(before) {
		if e.VM != "" {
			got = append(got, e.Call.Cmdlet+" "+string(e.State))
		}
	}
	if diff := cmp.Diff([]string{"Remove-Item Unknown", "Restart-Computer NotRun", "Get-Item Done"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
