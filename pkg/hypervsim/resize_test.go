package hypervsim

import (
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

func TestResizeVHD(t *testing.T) {
	disk := func(name string, fixed bool) func(fixture) {
		return func(f fixture) {
			f.must("hv01", cmdlet.NewStampedFolder("f", gold+`\d`, "s"), cmdlet.NewVHD("d", gold+`\d\`+name, GiB, fixed))
			f.advance(10 * time.Second)
		}
	}
	tests := map[string]struct {
		before func(f fixture)
		path   string
		size   int64
		want   why
		// takes is what it takes of the volume.
		takes int64
	}{
		"a VHD Set":       {before: disk("a.vhds", false), path: `a.vhds`, size: 2 * GiB},
		"a fixed VHD Set": {before: disk("a.vhds", true), path: `a.vhds`, size: 3 * GiB, takes: 2 * GiB},
		"a VHD Set that two machines have open": {before: func(f fixture) {
			disk("a.vhds", false)(f)
			f.started("hv01", "one", gold+`\d\a.vhds`)
			f.started("hv02", "two", gold+`\d\a.vhds`)
		}, path: `a.vhds`, size: 2 * GiB},
		"a VHDX that machines share": {before: func(f fixture) {
			disk("a.vhdx", false)(f)
			f.started("hv01", "one", gold+`\d\a.vhdx`)
		}, path: `a.vhdx`, size: 2 * GiB, want: why{"ResourceBusy", hresultSharing, hostagent.Busy}},
		"as large as it is":           {before: disk("a.vhds", false), path: `a.vhds`, size: GiB},
		"smaller":                     {before: disk("a.vhds", false), path: `a.vhds`, size: GiB / 2, want: why{"InvalidArgument", hresultParameter, hostagent.Invalid}},
		"no multiple of 512":          {before: disk("a.vhds", false), path: `a.vhds`, size: 2*GiB + 1, want: why{"InvalidArgument", hresultParameter, hostagent.Invalid}},
		"larger than the volume":      {before: disk("a.vhds", true), path: `a.vhds`, size: 30 * TiB, want: why{"WriteError", hresultDiskFull, hostagent.Capacity}},
		"no disk":                     {path: `none.vhds`, size: GiB, want: why{"ObjectNotFound", hresultFileNotFound, hostagent.NotFound}},
		"a file that is no such disk": {before: disk("a.vhds", false), path: `guestclustering.json`, size: GiB, want: why{"InvalidData", hresultDiskCorrupt, hostagent.Invalid}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if tc.before != nil {
				tc.before(f)
			}
			path := gold + `\d\` + tc.path
			free := f.volumes[0].free
			results, err := f.run("hv03", cmdlet.ResizeVHD("r", path, tc.size))
			f.ok(err)
			if tc.want != (why{}) {
				if got := lastError(results); got != tc.want {
					t.Errorf("refused as %+v, want %+v", got, tc.want)
				}
				return
			}
			f.ok(results.Err())
			if got := f.must("hv04", cmdlet.Disks("d", path)).ByID("d").Values[0].Int("Size"); got != tc.size {
				t.Errorf("it has %d bytes", got)
			}
			if took := free - f.volumes[0].free; took != tc.takes {
				t.Errorf("it took %d bytes of the volume, want %d", took, tc.takes)
			}
		})
	}
}
