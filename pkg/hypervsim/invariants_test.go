package hypervsim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// chaos is a world to which anything may happen, in any order.
type chaos struct {
	*rapid.T
	*World
	vms []string
	ids map[string]bool
	// setUp are the machines whose set-up was over when it was looked at last.
	setUp map[string]bool
	seq   int
}

var (
	hostNames = []string{"hv01", "hv02", "hv03", "hv04"}
	diskPaths = []string{gold + `\shared\a.vhds`, gold + `\shared\b.vhdx`, gold + `\shared\fixed.vhdx`}
)

func (c *chaos) host() string { return rapid.SampledFrom(hostNames).Draw(c.T, "host") }

func (c *chaos) vm() string {
	if len(c.vms) == 0 {
		c.Skip("no machine yet")
	}
	return rapid.SampledFrom(c.vms).Draw(c.T, "vm")
}

// run sends calls wherever; what becomes of them is the world's business.
func (c *chaos) run(host string, calls ...hostagent.Call) hostagent.Results {
	agent, err := c.Driver().Open(c.Context(), hostagent.Target{Host: host})
	if err != nil {
		return nil
	}
	defer func() { _ = agent.Close() }()
	results, err := agent.Run(c.Context(), hostagent.Batch{OnError: hostagent.Stop, Calls: calls})
	if err != nil {
		return nil
	}
	return results
}

// owner is the host that has a machine, so that most calls reach it.
func (c *chaos) owner(id string) string {
	for _, vm := range c.State().Machines {
		if vm.ID == id {
			return vm.Host
		}
	}
	return "hv01"
}

// fail takes the power of a host, but never of more than two at a time, so that something is left to look at.
func (c *chaos) fail() {
	down := 0
	for _, h := range c.State().Hosts {
		if !h.Powered {
			down++
		}
	}
	if down < 2 {
		_ = c.FailHost(c.host())
	}
}

// mend brings back the first host that is failed or paused.
func (c *chaos) mend() {
	for _, h := range c.State().Hosts {
		if !h.Powered {
			_ = c.ReturnHost(h.Name)
			return
		}
		if h.State == "Paused" {
			_ = c.Resume(h.Name)
			return
		}
	}
}

func (c *chaos) makeMachine(copying time.Duration) {
	c.seq++
	name := fmt.Sprintf("vm%d", c.seq)
	folder := gold + `\` + name
	disk := folder + `\os.vhdx`
	host := c.host()
	c.run(host, cmdlet.NewStampedFolder("f", folder, "s"), cmdlet.StartCopy("c", "work-"+name, "h", image, disk))
	_ = c.Advance(copying)
	results := c.run(host, cmdlet.NewVM("vm", cmdlet.NewMachine{Name: name, Folder: folder, Version: "10.0", MemoryBytes: 8 * GiB, OSDisk: disk}),
		cmdlet.AddController("ctl", "vm"), cmdlet.MakeNewClustered("g", "vm", name), cmdlet.MachineResourceOf("r", "vm"), cmdlet.SetOfflineAction("o", "r", 2))
	if results == nil {
		return
	}
	for _, o := range results.ByID("vm").Values {
		id := o.Text("Id")
		if c.ids[id] {
			c.Fatalf("id %s was given out twice", id)
		}
		c.ids[id] = true
		c.vms = append(c.vms, id)
	}
}

func (c *chaos) actions() map[string]func(*rapid.T) {
	slot := func() cmdlet.Slot {
		return cmdlet.Slot{Controller: rapid.Int32Range(0, 2).Draw(c.T, "controller"), Location: rapid.Int32Range(0, 2).Draw(c.T, "location")}
	}
	path := func() string { return rapid.SampledFrom(diskPaths).Draw(c.T, "disk") }
	onVM := func(calls func(id string) []hostagent.Call) func(*rapid.T) {
		return func(*rapid.T) {
			id := c.vm()
			c.run(c.owner(id), append([]hostagent.Call{cmdlet.VMByID("vm", id)}, calls(id)...)...)
		}
	}
	return map[string]func(*rapid.T){
		"make": func(*rapid.T) {
			c.makeMachine(time.Duration(rapid.IntRange(40, 90).Draw(c.T, "copying")) * time.Second)
		},
		"attach": onVM(func(string) []hostagent.Call {
			return []hostagent.Call{cmdlet.AttachSharedDisk("a", "vm", path(), slot())}
		}),
		"detach": onVM(func(string) []hostagent.Call {
			return []hostagent.Call{cmdlet.DriveAt("d", "vm", slot()), cmdlet.DetachDrive("x", "d")}
		}),
		"start": func(*rapid.T) { c.run(c.host(), cmdlet.StartGroup("s", c.name0())) },
		"start and wait": func(*rapid.T) {
			start := cmdlet.StartGroup("s", c.name0())
			delete(start.Parameters, "Wait")
			c.run(c.host(), start)
		},
		"stop": func(*rapid.T) { c.run(c.host(), cmdlet.StopGroup("s", c.name0())) },
		"move": func(*rapid.T) { c.run(c.host(), cmdlet.LiveMigrate("m", c.vm(), c.host())) },
		"remove": onVM(func(id string) []hostagent.Call {
			return []hostagent.Call{cmdlet.RemoveMachineGroup("g", id), cmdlet.RemoveVM("r", "vm")}
		}),
		"class":  func(*rapid.T) { c.run(c.host(), cmdlet.AddClassName("c", c.vm(), "apart")) },
		"fail":   func(*rapid.T) { c.fail() },
		"return": func(*rapid.T) { c.mend() },
		"drain":  func(*rapid.T) { _ = c.Drain(c.host()) },
		"resume": func(*rapid.T) { c.mend() },
		"off":    func(*rapid.T) { _ = c.TurnOffVM(c.vm()) },
		"copy": func(*rapid.T) {
			id, err := c.CopyVM(c.vm(), "")
			if err == nil {
				c.vms = append(c.vms, id)
			}
		},
		"clean up": func(*rapid.T) {
			c.run(c.host(), cmdlet.RemoveStampedFolder("f", gold+fmt.Sprintf(`\vm%d`, rapid.IntRange(1, c.seq+1).Draw(c.T, "folder")), "s"))
		},
		"time": func(*rapid.T) {
			_ = c.Advance(time.Duration(rapid.IntRange(1, 300).Draw(c.T, "seconds")) * time.Second)
		},
		"": func(*rapid.T) { c.check() },
	}
}

// name0 is the name of some machine's group.
func (c *chaos) name0() string {
	return fmt.Sprintf("vm%d", rapid.IntRange(1, c.seq+1).Draw(c.T, "group"))
}

// check holds what must be so at any moment.
func (c *chaos) check() {
	s := c.State()
	hosts := map[string]HostState{}
	for _, h := range s.Hosts {
		hosts[h.Name] = h
		if h.FreeBytes < 0 || h.FreeBytes > h.MemoryBytes {
			c.Fatalf("host %s has %d bytes of memory free", h.Name, h.FreeBytes)
		}
	}
	groups := map[string]GroupState{}
	for _, g := range s.Groups {
		if g.VM != "" {
			groups[g.VM] = g
		}
	}
	seen := map[string]bool{}
	for _, vm := range s.Machines {
		if seen[vm.ID] {
			c.Fatalf("machine %s is registered twice", vm.ID)
		}
		seen[vm.ID] = true
		c.checkMachine(vm, hosts[vm.Host], groups[vm.ID])
	}
	c.checkDisks(s)
	c.checkSpace(s)
}

func (c *chaos) checkMachine(vm VMState, host HostState, g GroupState) {
	if vm.State != "Off" && !host.Powered {
		c.Fatalf("%s is %s on %s, which has no power", vm.Name, vm.State, host.Name)
	}
	if g.VM != "" && g.Owner != vm.Host {
		c.Fatalf("%s is on %s and its group on %s", vm.Name, vm.Host, g.Owner)
	}
	slots := map[string]bool{}
	for _, d := range vm.Drives {
		key := fmt.Sprint(d.Controller, d.Number, d.Location)
		if slots[key] || d.Location > 63 || d.Number > 3 {
			c.Fatalf("%s has two disks at %s, or one where none can be", vm.Name, key)
		}
		slots[key] = true
		if d.Shared && (d.Controller != "SCSI" || !strings.HasPrefix(d.Path, gold)) {
			c.Fatalf("%s shares %s on %s", vm.Name, d.Path, d.Controller)
		}
	}
}

// checkDisks: a file that two running machines have open is shared by both.
func (c *chaos) checkDisks(s State) {
	users := map[string][]DriveState{}
	for _, vm := range s.Machines {
		if vm.State == "Off" || vm.State == "Saved" {
			continue
		}
		for _, d := range vm.Drives {
			users[strings.ToLower(d.Path)] = append(users[strings.ToLower(d.Path)], d)
		}
	}
	for path, drives := range users {
		for _, d := range drives {
			if len(drives) > 1 && !d.Shared {
				c.Fatalf("%s is open %d times and not shared", path, len(drives))
			}
		}
	}
}

// checkSpace: what is free and what the files take is always the same together.
func (c *chaos) checkSpace(s State) {
	sum := s.Volumes[0].FreeBytes
	for _, f := range s.Files {
		sum += f.Length
	}
	if sum != s.Volumes[0].SizeBytes {
		c.Fatalf("free space and files are %d bytes together, want %d", sum, s.Volumes[0].SizeBytes)
	}
}

// Whatever happens, a machine is on one host, no slot is used twice, no disk is open against its rules, space adds up,
// and no member is ever saved.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, err := New(DefaultModel(), NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
		if err != nil {
			rt.Fatal(err)
		}
		defer w.Close()
		c := &chaos{T: rt, World: w, ids: map[string]bool{}}
		c.run("hv01", cmdlet.NewStampedFolder("f", gold+`\shared`, "shared"), cmdlet.NewVHD("a", diskPaths[0], GiB, false),
			cmdlet.NewVHD("b", diskPaths[1], GiB, false), cmdlet.NewVHD("c", diskPaths[2], 10*GiB, true))
		for range 3 {
			c.makeMachine(2 * time.Minute)
			c.run("hv01", cmdlet.StartGroup("s", fmt.Sprintf("vm%d", c.seq)))
		}
		rt.Repeat(c.actions())
		c.neverSaved()
	})
}

// neverSaved: every member's OfflineAction is 2, so nothing in the journal saves one.
func (c *chaos) neverSaved() {
	for _, e := range c.Journal(0) {
		if strings.Contains(e.Effect, "saving VM") || strings.Contains(e.Effect, "was saved") {
			c.Fatalf("a member was saved: %+v", e)
		}
	}
	for _, vm := range c.State().Machines {
		if vm.State == "Saved" || vm.State == "Saving" {
			c.Fatalf("%s is %s", vm.Name, vm.State)
		}
	}
}

// The same history gives the same world: ids, placement and times too.
func TestDeterminism(t *testing.T) {
	history := func() string {
		f := newFixture(t)
		f.started("hv01", "a")
		f.started("hv02", "b")
		f.ok(f.SetClassNames("a", "apart"))
		f.ok(f.SetClassNames("b", "apart"))
		f.ok(f.FailHost("hv01"))
		f.advance(10 * time.Minute)
		return fmt.Sprintf("%+v", f.State()) + f.effects(0)
	}
	if a, b := history(), history(); a != b {
		t.Errorf("two runs differ:\n%s\n%s", a, b)
	}
}
