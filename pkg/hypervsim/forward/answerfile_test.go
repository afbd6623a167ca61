package forward

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim"
)

func putAnswer(disk, text string) hostagent.Call {
	return cmdlet.SetAnswerFile("answer", disk, hostagent.NewSecret(text))
}

// prompt is a PowerShell of an administrator on a host.
func (f fixture) prompt(host string) *hypervsim.Prompt {
	f.Helper()
	p, err := f.Prompt(host, `C:\`, hostagent.LogonNetwork)
	f.ok(err)
	f.Cleanup(func() { f.ok(p.Close()) })
	return p
}

// ask runs a cmdlet that ends well.
func (f fixture) ask(p *hypervsim.Prompt, cmdlet string, parameters map[string]any) []any {
	f.Helper()
	values, failures, err := p.Invoke(f.Context(), cmdlet, parameters)
	f.ok(err)
	if len(failures) > 0 {
		f.Fatalf("%s: %v", cmdlet, failures)
	}
	return values
}

// mount mounts a disk, as an administrator may.
func (f fixture) mount(host, disk string) {
	f.Helper()
	f.ask(f.prompt(host), "Mount-VHD", map[string]any{"Path": []any{disk}})
}

// mounted is how many virtual disks a host has mounted.
func (f fixture) mounted(host string) int {
	f.Helper()
	return len(f.ask(f.prompt(host), "Get-CimInstance", map[string]any{"Namespace": "root/Microsoft/Windows/Storage", "ClassName": "MSFT_Disk", "Filter": "BusType = 15"}))
}

// answerIn is the text of the answer file in a disk that nobody has open, read on a host that has none mounted.
func (f fixture) answerIn(host, disk string) string {
	f.Helper()
	p := f.prompt(host)
	f.ask(p, "Mount-VHD", map[string]any{"Path": []any{disk}})
	defer f.ask(p, "Dismount-VHD", map[string]any{"Path": []any{disk}})
	return f.ask(p, "Get-Content", map[string]any{"LiteralPath": []any{`E:\Windows\Panther\Unattend\Unattend.xml`}, "Raw": true})[0].(string)
}

// osDisks makes copies of an image in folders with stamps.
func (f fixture) osDisks(n int) []string {
	f.Helper()
	var disks []string
	for i := range n {
		folder := fmt.Sprintf(`%s\prod.sql-%d.0a1b2c3d`, gold, i)
		disks = append(disks, folder+`\os.vhdx`)
		f.run(f.hosts()[1], cmdlet.NewStampedFolder("folder", folder, stamp), cmdlet.StartCopy("copy", fmt.Sprint("id", i), "h", image, disks[i]))
	}
	f.until(func() bool {
		folders, _ := f.outcome()
		done := 0
		for i := range folders {
			if w, ok := folders[i].WorkFor(folders[i].Path + `\os.vhdx`); ok && w.State == hyperv.WorkCompleted {
				done++
			}
		}
		return done == n
	})
	return disks
}

// swept opens a session of the shipped executor, whose sweep has looked at the host's disks.
func (f fixture) swept(host string) hostagent.Agent {
	f.Helper()
	before := len(f.Journal(0))
	agent, err := sessions{f, session.Options{}}.Open(f.Context(), hostagent.Target{Host: host})
	f.ok(err)
	f.until(func() bool {
		return slices.ContainsFunc(f.Journal(0)[before:], func(e hypervsim.Entry) bool {
			return e.Host == host && e.Call != nil && e.Call.Cmdlet == "Get-CimInstance"
		})
	})
	return agent
}

// run1 runs one call in a session.
func run1(t *testing.T, agent hostagent.Agent, call hostagent.Call) error {
	t.Helper()
	results, err := agent.Run(t.Context(), hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{call}})
	if err != nil {
		return err
	}
	return results.Err()
}

// Whatever is in an answer file, the disk has it as it was, and nothing tells it.
func TestAnswerFilesArriveAsTheyWere(t *testing.T) {
	f := newFixture(t, ownNames)
	host, disk := f.hosts()[1], f.osDisks(1)[0]
	agent := f.swept(host)
	defer func() { f.ok(agent.Close()) }()
	const mark = "hunter2"
	for _, password := range []string{
		mark, `$(` + mark + `)`, "`" + mark + "`$env:TEMP", `'` + mark + `'';"`, `%` + mark + `%`, mark + "\r\n\tnext\nline\n", ` ` + mark + ` `,
		"@{x=1};" + mark + " -Force", "\u043f\u0430\u0440\u043e\u043b\u044c " + mark + " \U0001F600 \u2019", `<a b="c">&lt;]]>` + mark + `</a>`, strings.Repeat(mark, 1000),
	} {
		f.ok(run1(t, agent, putAnswer(disk, password)))
		if got := f.answerIn(host, disk); got != password {
			t.Errorf("%q is read as %q", password, got)
		}
	}
	if raw, err := json.Marshal(f.Journal(0)); err != nil || strings.Contains(string(raw), mark) {
		t.Errorf("the journal tells it: %v", err)
	}
	if n := f.mounted(host); n != 0 {
		t.Errorf("%d disks are mounted", n)
	}
}

// steps are the cmdlets that one Set-AnswerFile runs, in their order.
func (f fixture) steps(agent hostagent.Agent, disk string) []string {
	f.Helper()
	before := len(f.Journal(0))
	f.ok(run1(f.T, agent, putAnswer(disk, "<first/>")))
	var out []string
	for _, e := range f.Journal(0)[before:] {
		if e.Call != nil {
			out = append(out, e.Call.Cmdlet)
		}
	}
	return out
}

// Wherever the process dies, no disk stays mounted once the next one has begun, and the same call ends well.
func TestAnswerFileIsInterrupted(t *testing.T) {
	f := newFixture(t, ownNames)
	disks := f.osDisks(len(f.hosts()))
	agent := f.swept(f.hosts()[0])
	steps := f.steps(agent, disks[0])
	f.ok(agent.Close())
	if !slices.Contains(steps, "Mount-VHD") || !slices.Contains(steps, "Dismount-VHD") {
		t.Fatalf("it runs %v", steps)
	}
	var leftMounted atomic.Int64
	t.Run("hosts", func(t *testing.T) {
		for h, host := range f.hosts() {
			t.Run(fmt.Sprint(h), func(t *testing.T) {
				t.Parallel() // each has its share of the steps
				f := f
				f.T = t
				agent := f.swept(host)
				defer func() { f.ok(agent.Close()) }()
				for i := h; i < len(steps); i += len(disks) {
					f.interrupt(agent, host, disks[h], steps[:i+1])
					_ = agent.Close() // which says that it is lost
					leftMounted.Add(int64(f.mounted(host)))
					agent = f.swept(host)
					f.until(func() bool { return f.mounted(host) == 0 })
					f.ok(run1(t, agent, putAnswer(disks[h], steps[i])))
					if got := f.answerIn(host, disks[h]); got != steps[i] {
						t.Errorf("after it was killed before %s the file says %q", steps[i], got)
					}
				}
			})
		}
	})
	if leftMounted.Load() == 0 {
		t.Error("no disk was ever left mounted: nothing was tried")
	}
	for _, disk := range disks {
		f.nothingBeside(disk)
	}
}

// interrupt kills a session's process before the last of the steps.
func (f fixture) interrupt(agent hostagent.Agent, host, disk string, steps []string) {
	f.Helper()
	last := len(steps) - 1
	f.fault(hypervsim.Fault{Host: host, Cmdlet: steps[last], Skip: count(steps[:last], steps[last]), Count: 1, Kind: hypervsim.DropBefore}, func() {
		if err := run1(f.T, agent, putAnswer(disk, "<half/>")); hostagent.ClassOf(err) != hostagent.OutcomeUnknown {
			f.Fatalf("killed before %s: %v", steps[last], err)
		}
	})
}

// Whatever fails, the disk is dismounted at once; where that is what fails, before the next one.
func TestAnswerFileFails(t *testing.T) {
	f := newFixture(t, ownNames)
	host, disk := f.hosts()[1], f.osDisks(1)[0]
	agent := f.swept(host)
	defer func() { f.ok(agent.Close()) }()
	steps := f.steps(agent, disk)
	for i, step := range steps {
		var err error
		f.fault(hypervsim.Fault{Host: host, Cmdlet: step, Skip: count(steps[:i], step), Count: 1, Kind: hypervsim.Error}, func() {
			err = run1(t, agent, putAnswer(disk, "<half/>"))
		})
		if err == nil && step != "Get-PSDrive" {
			t.Errorf("%s fails, and nothing is told", step)
		}
		want := 0
		if step == "Dismount-VHD" {
			want = 1
		}
		if n := f.mounted(host); n != want {
			t.Errorf("after %s has failed %d disks are mounted, want %d", step, n, want)
		}
		if err := run1(t, agent, putAnswer(disk, "<whole/>")); err != nil {
			t.Errorf("after %s has failed: %v", step, err)
		}
		if got := f.answerIn(host, disk); got != "<whole/>" {
			t.Errorf("after %s has failed the file says %q", step, got)
		}
	}
	f.nothingBeside(disk)
}

// fault lets something happen under a fault.
func (f fixture) fault(fault hypervsim.Fault, do func()) {
	f.Helper()
	id, err := f.AddFault(fault)
	f.ok(err)
	do()
	f.ok(f.RemoveFault(id))
}

// nothingBeside checks that beside the disk are its stamp and the record of its copy alone.
func (f fixture) nothingBeside(disk string) {
	f.Helper()
	folders, _ := f.outcome()
	var files []string
	for i := range folders {
		for _, file := range folders[i].Files {
			if hyperv.SamePath(folders[i].Path+`\os.vhdx`, disk) {
				files = append(files, file.Name)
			}
		}
	}
	if diff := cmp.Diff([]string{"guestclustering.json", "os.vhdx", "os.vhdx.work.json"}, files); diff != "" {
		f.Errorf("beside %s (-want +got):\n%s", disk, diff)
	}
}

func count(steps []string, step string) int {
	n := 0
	for _, s := range steps {
		if s == step {
			n++
		}
	}
	return n
}

// However many disks get answer files at once, over however many sessions, one of them is mounted at a time.
func TestOneDiskIsMountedAtATime(t *testing.T) {
	f := newFixture(t, ownNames)
	host, disks := f.hosts()[1], f.osDisks(4)
	_, err := f.AddFault(hypervsim.Fault{Host: host, Cmdlet: "Set-Content", Object: "E:", Kind: hypervsim.Delay, Delay: 100 * time.Millisecond})
	f.ok(err)
	agents := []hostagent.Agent{f.swept(host), f.swept(host)}
	defer func() {
		for _, agent := range agents {
			f.ok(agent.Close())
		}
	}()
	var all sync.WaitGroup
	for i, disk := range disks {
		all.Go(func() {
			if err := run1(t, agents[i%len(agents)], putAnswer(disk, disk)); err != nil {
				t.Errorf("%s: %v", disk, err)
			}
		})
	}
	all.Wait()
	var effects []string
	for _, e := range f.Journal(0) {
		if verb, _, _ := strings.Cut(e.Effect, " "); verb == "mounted" || verb == "dismounted" {
			effects = append(effects, verb)
		}
	}
	if want := slices.Repeat([]string{"mounted", "dismounted"}, len(disks)); !slices.Equal(effects, want) {
		t.Errorf("disks were %v", effects)
	}
	for _, disk := range disks {
		if got := f.answerIn(host, disk); got != disk {
			t.Errorf("%s has the answer file of %s", disk, got)
		}
	}
}

// A disk that an administrator has mounted stays mounted, whatever we begin meanwhile.
func TestDisksOfOthersStayMounted(t *testing.T) {
	f := newFixture(t, ownNames)
	host, disks := f.hosts()[1], f.osDisks(2)
	f.mount(host, disks[0])
	agent := f.swept(host)
	defer func() { f.ok(agent.Close()) }()
	f.ok(run1(t, agent, putAnswer(disks[1], "x")))
	if err := run1(t, agent, putAnswer(disks[0], "x")); hostagent.ClassOf(err) != hostagent.Busy {
		t.Errorf("a disk that somebody has mounted: %v", err)
	}
	if n := f.mounted(host); n != 1 {
		t.Errorf("%d disks are mounted, want the administrator's", n)
	}
}
