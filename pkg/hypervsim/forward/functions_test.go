package forward

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hyperv/inventory"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/pkg/hypervsim"
)

const (
	image  = gold + `\Images\ws2022.vhdx`
	folder = gold + `\prod.sql-1.0a1b2c3d`
	disk   = folder + `\os.vhdx`
	stamp  = `{"uid":"0a1b2c3d","name":"sql \"ä\" 'x'"}`
)

// step is what happens next in a scenario: calls on a host, or something else.
type step struct {
	on    string
	calls []hostagent.Call
	// goesOn: the next step comes while the copy is under way.
	goesOn bool
	// meanwhile is done in place of calls, to the world.
	meanwhile func(fixture)
}

func on(host string, calls ...hostagent.Call) step { return step{on: host, calls: calls} }

func copyTo(destination, hash string) hostagent.Call {
	return cmdlet.StartCopy("copy", "id1", hash, image, destination)
}

// lostWhileCopying fails a host in the midst of its copy, and waits until the host cluster knows.
func lostWhileCopying(f fixture) {
	f.until(func() bool { return f.hasPart() })
	f.ok(f.FailHost("hv02"))
	f.until(func() bool {
		return slices.ContainsFunc(f.Journal(0), func(e hypervsim.Entry) bool { return strings.HasSuffix(e.Effect, "was interrupted") })
	})
}

var scenarios = map[string]struct {
	copyPerGiB time.Duration
	steps      []step
}{
	"stamped folders": {steps: []step{
		on("hv02", cmdlet.NewStampedFolder("1", folder, stamp), cmdlet.NewStampedFolder("2", folder, stamp)),
		on("hv03", cmdlet.NewStampedFolder("1", folder, "other"), cmdlet.RemoveStampedFolder("2", folder, "other")),
	}},
	"a folder that goes": {steps: []step{
		on("hv02", cmdlet.NewStampedFolder("1", folder, stamp), cmdlet.NewStampedFolder("2", folder+`\deep\er`, stamp)),
		on("hv02", cmdlet.RemoveStampedFolder("1", folder, stamp), cmdlet.RemoveStampedFolder("2", folder, stamp)),
	}},
	"a folder with content and no stamp": {steps: []step{
		on("hv02", cmdlet.NewStampedFolder("1", gold+`\Images`, stamp), cmdlet.RemoveStampedFolder("2", gold+`\Images`, stamp)),
	}},
	"a copy": {steps: []step{
		on("hv02", cmdlet.NewStampedFolder("1", folder, stamp), copyTo(disk, "h1")),
		on("hv03", copyTo(disk, "h1"), copyTo(disk, "h2")),
	}},
	"a copy from nowhere": {steps: []step{
		on("hv02", cmdlet.NewStampedFolder("1", folder, stamp), cmdlet.StartCopy("2", "id1", "h1", gold+`\missing.vhdx`, disk)),
		on("hv02", copyTo(disk, "h1")),
	}},
	"a copy into nowhere": {steps: []step{on("hv02", copyTo(disk, "h1"))}},
	"a copy onto a full volume": {steps: []step{
		on("hv02", cmdlet.NewStampedFolder("1", folder, stamp)),
		{meanwhile: func(f fixture) { f.ok(f.SetCSVFree(gold, hypervsim.GiB)) }},
		on("hv02", copyTo(disk, "h1")),
	}},
	"a copy beside another one": {copyPerGiB: 100 * time.Millisecond, steps: []step{
		on("hv02", cmdlet.NewStampedFolder("1", folder, stamp), copyTo(disk, "h1"), copyTo(disk, "h1"), copyTo(disk, "h2"), copyTo(folder+`\two.vhdx`, "h1")),
	}},
	"a copy whose host is lost": {copyPerGiB: 100 * time.Millisecond, steps: []step{
		{on: "hv02", calls: []hostagent.Call{cmdlet.NewStampedFolder("1", folder, stamp), copyTo(disk, "h1")}, goesOn: true},
		{meanwhile: lostWhileCopying},
		on("hv03", copyTo(disk, "h1")),
	}},
	"answer files": {steps: []step{
		on("hv02", cmdlet.NewStampedFolder("1", folder, stamp), copyTo(disk, "h1")),
		on("hv02", putAnswer(disk, "<one/>"), putAnswer(folder+`\none.vhdx`, "x"), putAnswer(folder+`\guestclustering.json`, "x"), putAnswer(image, "x"), putAnswer(`none.vhdx`, "x")),
		{meanwhile: func(f fixture) { f.run("hv02", cmdlet.NewVHD("1", folder+`\empty.vhdx`, hypervsim.GiB, false)) }},
		on("hv03", putAnswer(disk, "<two/>"), putAnswer(folder+`\empty.vhdx`, "x")),
		{meanwhile: func(f fixture) { f.mount("hv02", disk) }},
		on("hv02", putAnswer(disk, "<three/>")),
		on("hv03", putAnswer(disk, "<three/>")),
	}},
	"class names": {steps: []step{
		{meanwhile: func(f fixture) {
			f.run("hv02", cmdlet.NewVM("new", cmdlet.NewMachine{Name: "m", Folder: folder, Version: "9.0", MemoryBytes: hypervsim.GiB, OSDisk: image}),
				cmdlet.MakeNewClustered("role", "new", "m"))
			f.ok(f.SetClassNames("m", "foreign"))
		}},
		on("hv02", addName("ours"), addName("ours"), addName("more"), removeName("foreign"), removeName("absent")),
		on("hv02", cmdlet.AddClassName("1", "00000000-0000-0000-0000-000000000001", "x")),
	}},
}

// theMachine stands for the id of the one machine of a scenario.
const theMachine = "11111111-2222-4333-8444-555555555555"

func addName(name string) hostagent.Call    { return cmdlet.AddClassName("1", theMachine, name) }
func removeName(name string) hostagent.Call { return cmdlet.RemoveClassName("1", theMachine, name) }

// The named functions of functions.ps1, run by a real PowerShell against the world, answer as the world's own do, and leave
// the world as they do.
func TestFunctionsAreAsTheWorldsOwn(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			copies := func(m *hypervsim.Model) { m.Durations.CopyPerGiB = s.copyPerGiB }
			got, want := newFixture(t, copies), newFixture(t, copies)
			if diff := cmp.Diff(want.play(s.steps, want.inWorld), got.play(s.steps, got.inPowerShell)); diff != "" {
				t.Errorf("answers (-world's own +functions.ps1):\n%s", diff)
			}
			wantFolders, wantGroups := want.outcome()
			folders, groups := got.outcome()
			if diff := cmp.Diff(wantFolders, folders); diff != "" {
				t.Errorf("folders (-world's own +functions.ps1):\n%s", diff)
			}
			if diff := cmp.Diff(wantGroups, groups); diff != "" {
				t.Errorf("groups (-world's own +functions.ps1):\n%s", diff)
			}
		})
	}
}

// play goes through the steps, each once the work of the one before has ended.
func (f fixture) play(steps []step, run func(string, ...hostagent.Call) []string) []string {
	f.Helper()
	var answers []string
	for _, s := range steps {
		if s.meanwhile != nil {
			s.meanwhile(f)
			continue
		}
		answers = append(answers, run(s.on, f.withMachine(s.calls)...)...)
		if !s.goesOn {
			f.until(func() bool { return f.work().State != hyperv.WorkRunning })
		}
	}
	return answers
}

// withMachine puts the id of the machine that the scenario has made in the place of the one that stands for it.
func (f fixture) withMachine(calls []hostagent.Call) []hostagent.Call {
	calls = slices.Clone(calls)
	for i, c := range calls {
		if c.Parameters["VMId"] == hostagent.Text(theMachine) {
			id := f.run("hv02", cmdlet.Machines("m"))[0].Values[0].Text("Id")
			calls[i].Parameters = hostagent.Parameters{"VMId": hostagent.Text(id), "ClassName": c.Parameters["ClassName"]}
		}
	}
	return calls
}

// until looks at the world until something holds: processes work on it side by side.
func (f fixture) until(holds func() bool) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), timeout)
	defer cancel()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for !holds() {
		select {
		case <-again.C:
		case <-ctx.Done():
			f.Fatal("it did not come to pass")
		}
	}
}

// outcome is what the scenarios leave: the folders and groups of the host cluster, without times and the lengths of texts
// that have times in them.
func (f fixture) outcome() ([]hyperv.Folder, []hyperv.Group) {
	f.Helper()
	agent, err := f.Driver().Open(f.Context(), hostagent.Target{Host: f.hosts()[2]})
	f.ok(err)
	defer func() { f.ok(agent.Close()) }()
	pools := []string{gold}
	results, err := agent.Run(f.Context(), inventory.ClusterState("", pools))
	f.ok(err)
	cluster, err := inventory.DecodeClusterState(pools, results)
	f.ok(err)
	for i := range cluster.Groups {
		cluster.Groups[i].VMID = ""
	}
	for i := range cluster.Folders {
		for j := range cluster.Folders[i].Work {
			cluster.Folders[i].Work[j].Started = time.Time{}
		}
		for j, file := range cluster.Folders[i].Files {
			if strings.HasSuffix(file.Name, ".work.json") {
				cluster.Folders[i].Files[j].Length = 0
			}
		}
	}
	return cluster.Folders, cluster.Groups
}

// work is the record of the scenarios' copy, and whether its part is there.
func (f fixture) work() hyperv.Work {
	f.Helper()
	folders, _ := f.outcome()
	for i := range folders {
		if w, ok := folders[i].WorkFor(disk); ok {
			return w
		}
	}
	return hyperv.Work{}
}

func (f fixture) hasPart() bool {
	folders, _ := f.outcome()
	return slices.ContainsFunc(folders, func(folder hyperv.Folder) bool { return folder.HasFile("os.vhdx.partial") })
}

// inPowerShell runs calls of named functions in a real PowerShell on a host, as functions.ps1 has them, and gives for each
// the category of its error, or "done".
func (f fixture) inPowerShell(host string, calls ...hostagent.Call) []string {
	f.Helper()
	var script strings.Builder
	script.WriteString(session.Functions)
	for _, c := range calls {
		text, err := surface.Print(hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{c}})
		f.ok(err)
		script.WriteString("\ntry { " + withSecrets(strings.TrimSpace(text), c) + "; 'done' } catch { \"$($_.CategoryInfo.Category)\"; if ($_.CategoryInfo.Category -eq 'NotSpecified') { \"$_\" } }\n")
	}
	return strings.Split(f.script(host, script.String()), "\n")
}

// withSecrets puts a call's secrets where its text asks an administrator for them.
func withSecrets(text string, c hostagent.Call) string {
	for name, v := range c.Parameters {
		if secret, ok := v.(hostagent.Secret); ok {
			text = strings.Replace(text, "Read-Host -AsSecureString -Prompt '"+name+"'", "[Net.NetworkCredential]::new('', '"+secret.Reveal()+"').SecurePassword", 1)
		}
	}
	return text
}

// inWorld runs the same calls as the world's own.
func (f fixture) inWorld(host string, calls ...hostagent.Call) []string {
	f.Helper()
	var out []string
	for _, c := range calls {
		agent, err := f.Driver().Open(f.Context(), hostagent.Target{Host: host})
		f.ok(err)
		results, err := agent.Run(f.Context(), hostagent.Batch{OnError: hostagent.Continue, Calls: []hostagent.Call{c}})
		f.ok(err)
		f.ok(agent.Close())
		if len(results[0].Errors) > 0 {
			out = append(out, results[0].Errors[0].Category)
		} else {
			out = append(out, "done")
		}
	}
	return out
}
