package hypervsim

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hyperv/inventory"
)

// A host that goes down leaves its copy Running. The host itself begins it anew once it is back, others while it is down.
func TestInterruptedCopy(t *testing.T) {
	folder := gold + `\a`
	disk := folder + `\os.vhdx`
	back := func(f fixture) {
		f.advance(15 * time.Second)
		f.ok(f.ReturnHost("hv03"))
	}
	tests := map[string]struct {
		reason string
		// since the failure, until Start-Work is asked for on a host.
		since func(f fixture)
		on    string
		// other is what tells other work from this.
		other string
		// begun is on which host the copy is after that, anew or still.
		begun   string
		refused hostagent.Class
	}{
		"not yet noticed":       {reason: "The node counts as up.", since: func(fixture) {}, on: "hv04", begun: "hv03"},
		"down":                  {reason: "Nobody is at it.", since: func(f fixture) { f.advance(11 * time.Second) }, on: "hv04", begun: "hv04"},
		"joining":               {reason: "The node is not down any more.", since: back, on: "hv04", begun: "hv03"},
		"back, asked elsewhere": {reason: "It is left to its node.", since: func(f fixture) { back(f); f.advance(time.Hour) }, on: "hv04", begun: "hv03"},
		"back":                  {reason: "No task runs on it.", since: func(f fixture) { back(f); f.advance(time.Hour) }, on: "hv03", begun: "hv03 anew"},
		"other work, joining":   {reason: "It could be under way.", since: back, on: "hv04", other: "2", begun: "hv03", refused: hostagent.Busy},
		"other work, down":      {reason: "Nobody is at the earlier one.", since: func(f fixture) { f.advance(11 * time.Second) }, on: "hv04", other: "2", begun: "hv04"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f, hash := newFixture(t), "hash"+test.other
			f.must("hv03", cmdlet.NewStampedFolder("f", folder, "s"), cmdlet.StartCopy("c", "id", "hash", image, disk))
			first, _ := f.folder(folder).WorkFor(disk)
			f.advance(30 * time.Second)
			f.ok(f.FailHost("hv03"))
			test.since(f)
			asked := f.Now()
			results, err := f.run(test.on, cmdlet.StartCopy("c", "id", hash, image, disk))
			f.ok(err)
			if got := lastError(results).Class; got != test.refused {
				t.Errorf("%s\nthe answer is %q, want %q", test.reason, got, test.refused)
			}
			want, anew := first, test.begun != "hv03"
			if anew {
				want.Node, want.InputHash = test.begun[:4], hash
			}
			got, _ := f.folder(folder).WorkFor(disk)
			if anew && !got.Started.Before(asked) {
				want.Started = got.Started
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.reason, diff)
			}
			f.advance(59 * time.Second)
			if f.folder(folder).HasFile("os.vhdx") {
				t.Error("it did not begin from nothing")
			}
			f.advance(2 * time.Second)
			if made := f.folder(folder).HasFile("os.vhdx"); made != anew {
				t.Errorf("the copy is there: %v, want %v", made, anew)
			}
		})
	}
}

// What a host was doing before it was started last it does no more: its record is older than its start.
func TestBootTime(t *testing.T) {
	f := newFixture(t)
	disk := gold + `\a\os.vhdx`
	f.must("hv03", cmdlet.NewStampedFolder("f", gold+`\a`, "s"), cmdlet.StartCopy("c", "id", "hash", image, disk))
	booted := func() time.Time {
		h, err := inventory.DecodeHostState("hv03", f.batch(inventory.HostState("hv03", nil)))
		f.ok(err)
		return h.BootTime
	}
	work, _ := f.folder(gold + `\a`).WorkFor(disk)
	if first := booted(); first.IsZero() || first.After(work.Started) {
		t.Errorf("hv03 was started at %v, the work at %v", first, work.Started)
	}
	f.advance(time.Second)
	f.ok(f.FailHost("hv03"))
	f.advance(time.Second)
	f.ok(f.ReturnHost("hv03"))
	if second := booted(); !second.After(work.Started) {
		t.Errorf("hv03 was started again at %v, the work at %v", second, work.Started)
	}
}
