package hypervsim

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	guestcmdlet "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// makeGuest makes a machine that starts with an answer file, and has the shared disks.
func (c *chaos) makeGuest(host string) {
	c.seq++
	name := fmt.Sprintf("vm%d", c.seq)
	folder := gold + `\` + name
	disk := folder + `\os.vhdx`
	c.run(host, cmdlet.NewStampedFolder("f", folder, "s"), cmdlet.StartCopy("c", "work-"+name, "h", image, disk))
	_ = c.Advance(2 * time.Minute)
	results := c.run(host, cmdlet.SetAnswerFile("a", disk, hostagent.NewSecret(answerFile(name, localPassword))),
		cmdlet.NewVM("vm", cmdlet.NewMachine{Name: name, Folder: folder, Version: "10.0", MemoryBytes: 8 * GiB, OSDisk: disk}),
		cmdlet.RemoveNewAdapters("n", "vm"),
		cmdlet.AddAdapter("client", "vm", cmdlet.Adapter{Name: "client", SwitchName: "vSwitch-Client", MACAddress: fmt.Sprintf("02A1010000%02X", c.seq)}),
		cmdlet.SetVLAN("vlan", "vm", "client", 110), cmdlet.AddController("ctl", "vm"),
		cmdlet.AttachSharedDisk("d0", "vm", diskPaths[0], cmdlet.Slot{Controller: 1}), cmdlet.AttachSharedDisk("d1", "vm", diskPaths[1], cmdlet.Slot{Controller: 1, Location: 1}),
		cmdlet.MakeNewClustered("g", "vm", name), cmdlet.MachineResourceOf("r", "vm"), cmdlet.SetOfflineAction("o", "r", 2), cmdlet.StartGroup("s", name))
	for _, o := range results.ByID("vm").Values {
		c.vms = append(c.vms, o.Text("Id"))
	}
}

// inside sends calls into a guest, as the local administrator or as one of the domain.
func (c *chaos) inside(calls ...hostagent.Call) {
	id := c.vm()
	as := rapid.SampledFrom([]hostagent.Credential{local, ops}).Draw(c.T, "account")
	c.run(c.owner(id), wrap(id, as, hostagent.Batch{OnError: hostagent.Continue, Calls: calls}))
}

func (c *chaos) guestActions() map[string]func(*rapid.T) {
	actions := c.actions()
	unique := func() string {
		path := rapid.SampledFrom(diskPaths[:2]).Draw(c.T, "disk")
		c.mu.Lock()
		defer c.mu.Unlock()
		if f := c.fileAt(nil, path); f != nil {
			return windows.UniqueID(f.disk.identifier)
		}
		return "none"
	}
	sid := c.domain.Account("ops").SID
	maps.Copy(actions, map[string]func(*rapid.T){
		"make": func(*rapid.T) { c.makeGuest(c.host()) },
		"read inside": func(*rapid.T) {
			c.inside(guestcmdlet.Disks("d"), guestcmdlet.Adapters("a"), guestcmdlet.Addresses("i"))
		},
		"join inside": func(*rapid.T) {
			c.inside(guestcmdlet.Join("j", "corp.example", unit, join), guestcmdlet.AddAdministrators("a", sid))
		},
		"install":      func(*rapid.T) { c.inside(guestcmdlet.InstallFeatures("f", windows.FailoverClustering)) },
		"restart":      func(*rapid.T) { c.inside(guestcmdlet.Restart("r")) },
		"initialise":   func(*rapid.T) { c.inside(guestcmdlet.InitializeDisk("i", unique(), "data")) },
		"disk offline": func(*rapid.T) { c.inside(guestcmdlet.SetDiskOffline("o", unique())) },
		"rescan":       func(*rapid.T) { c.inside(guestcmdlet.Rescan("r")) },
		"user restart": func(*rapid.T) { _ = c.RestartGuest(c.vm()) },
		"rename": func(*rapid.T) {
			_ = c.RenameComputer(c.vm(), fmt.Sprintf("n%d", rapid.IntRange(1, 99).Draw(c.T, "name")))
		},
		"domain away": func(*rapid.T) { _ = c.StopDomainController() },
		"domain back": func(*rapid.T) { _ = c.StartDomainController() },
		"":            func(*rapid.T) { c.check(); c.checkGuests() },
	})
	return actions
}

// checkGuests holds what must be so of guests at any moment.
func (c *chaos) checkGuests() {
	for _, vm := range c.State().Machines {
		g := vm.Guest
		if runs := vm.State == running || vm.State == stopping || vm.State == saving; g.Setup != "" && (g.Phase != "") != runs {
			c.Fatalf("%s is %s and what is inside %q", vm.Name, vm.State, g.Phase)
		}
		if g.Phase == string(guestUp) && (g.Setup != windows.Complete || g.Waits != "") {
			c.Fatalf("%s is up and its set-up %s, waiting for %q", vm.Name, g.Setup, g.Waits)
		}
		if c.setUp[vm.ID] && g.Setup != windows.Complete {
			c.Fatalf("the set-up of %s was over and is %s", vm.Name, g.Setup)
		}
		c.setUp[vm.ID] = g.Setup == windows.Complete
		numbers := map[int64]bool{}
		for _, d := range g.Disks {
			if numbers[d.Number] || d.Number < 0 {
				c.Fatalf("%s has two disks %d, or one without a number: %+v", vm.Name, d.Number, g.Disks)
			}
			numbers[d.Number] = true
		}
	}
	c.checkOnce()
}

// checkOnce: no disk is formatted twice, and no name has two computer objects.
func (c *chaos) checkOnce() {
	formatted := map[string]bool{}
	for _, e := range c.Journal(0) {
		for effect := range strings.SplitSeq(e.Effect, "; ") {
			disk, is := strings.CutPrefix(effect, "formatted disk ")
			disk, _, _ = strings.Cut(disk, " ")
			if is && formatted[disk] {
				c.Fatalf("disk %s was formatted twice", disk)
			}
			formatted[disk] = formatted[disk] || is
		}
	}
	names := map[string]bool{}
	for _, name := range c.State().Domain.Computers {
		if names[name] {
			c.Fatalf("the domain has two computers %s", name)
		}
		names[name] = true
	}
}

// Whatever happens, guests are where their machines are, set-up never goes back, no disk is formatted twice, and nothing of a
// call is left once it has ended.
func TestGuestInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, err := New(DefaultModel(), NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
		if err != nil {
			rt.Fatal(err)
		}
		defer w.Close()
		c := &chaos{T: rt, World: w, ids: map[string]bool{}, setUp: map[string]bool{}}
		c.run("hv01", cmdlet.NewStampedFolder("f", gold+`\shared`, "shared"), cmdlet.NewVHD("a", diskPaths[0], GiB, false),
			cmdlet.NewVHD("b", diskPaths[1], GiB, false))
		for i := range 2 {
			c.makeGuest(hostNames[i])
		}
		_ = c.Advance(4 * time.Minute)
		rt.Repeat(c.guestActions())
		_ = c.Advance(time.Hour)
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, m := range w.machines {
			if len(m.guest.sessions) != 0 {
				rt.Fatalf("%d sessions are left in %s", len(m.guest.sessions), m.name)
			}
		}
		if w.running != 0 || w.sleeping != 0 {
			rt.Fatalf("%d batches run and %d wait", w.running, w.sleeping)
		}
	})
}
