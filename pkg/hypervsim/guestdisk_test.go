package hypervsim

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	guestcmdlet "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// sharedDisks makes VHD Sets on the volume and gives their paths.
func (f fixture) sharedDisks(names ...string) []string {
	f.Helper()
	f.must("", cmdlet.NewStampedFolder("folder", gold+`\data`, "stamp"))
	var paths []string
	for _, name := range names {
		path := gold + `\data\` + name + `.vhds`
		f.must("", cmdlet.NewVHD("disk", path, 100*GiB, false))
		paths = append(paths, path)
	}
	return paths
}

// guestDisk is a disk as a guest tells it, with its place.
type guestDisk struct {
	Number, Port, LUN, Size int64
	UniqueID, Style, GUID   string
	Offline, ReadOnly, Boot bool
}

// disksOf reads the disks of a guest as the operator does, by their places.
func (f fixture) disksOf(id string) map[[2]int64]guestDisk {
	f.Helper()
	results := f.mustInside(id, local, guestcmdlet.Disks("d"), guestcmdlet.DiskPlaces("p"))
	byNumber := map[int64]guestDisk{}
	for _, v := range results[0].Values {
		byNumber[v.Int("Number")] = guestDisk{
			Number: v.Int("Number"), Size: v.Int("Size"), UniqueID: v.Text("UniqueId"), Style: v.Text("PartitionStyle"), GUID: v.Text("Guid"),
			Offline: v.Bool("IsOffline"), ReadOnly: v.Bool("IsReadOnly"), Boot: v.Bool("IsBoot"),
		}
	}
	out := map[[2]int64]guestDisk{}
	for _, v := range results[1].Values {
		d := byNumber[v.Int("Index")]
		d.Port, d.LUN = v.Int("SCSIPort"), v.Int("SCSILogicalUnit")
		out[[2]int64{d.Port, d.LUN}] = d
	}
	return out
}

// Members see the same disks by the same unique ids at the same places, under numbers of their own; what one formats the
// others see once they look again.
func TestSharedDisksInside(t *testing.T) {
	f := newFixture(t)
	paths := f.sharedDisks("a", "b", "c")
	ids := []string{f.windows("hv01", "one", "one-1", paths...), f.windows("hv02", "two", "two-1", paths...), f.windows("hv03", "three", "three-1", paths...)}
	first := f.disksOf(ids[0])
	// The shared disks are on the second controller, which Windows numbers first.
	if len(first) != 4 || !first[[2]int64{1, 0}].Boot || first[[2]int64{1, 0}].Number != 0 {
		t.Fatalf("%+v", first)
	}
	differ := false
	for _, id := range ids[1:] {
		other := f.disksOf(id)
		for place, d := range first {
			o := other[place]
			differ = differ || o.Number != d.Number
			if d.Boot {
				continue
			}
			if o.UniqueID != d.UniqueID || d.Style != "RAW" || d.GUID != "" || !d.Offline || d.Size != 100*GiB {
				t.Errorf("at %v: %+v and %+v", place, d, o)
			}
		}
	}
	if !differ {
		t.Error("all members number their disks alike")
	}
	d := first[[2]int64{0, 1}]
	if identifier := f.fileAt(nil, paths[1]).disk.identifier; d.UniqueID == identifier || d.UniqueID != windows.UniqueID(identifier) {
		t.Errorf("unique id %s of the disk with identifier %s", d.UniqueID, identifier)
	}
	guid := f.mustInside(ids[0], local, guestcmdlet.InitializeDisk("i", d.UniqueID, "b"))[0].Values[0].Text("Guid")
	after, other := f.disksOf(ids[0])[[2]int64{0, 1}], f.disksOf(ids[1])[[2]int64{0, 1}]
	if guid == "" || after.GUID != guid || after.Style != "GPT" || !after.Offline || other.Style != "RAW" {
		t.Errorf("initialised as %s: %+v, elsewhere %+v", guid, after, other)
	}
	// The one that has not looked again does not format it either.
	results, err := f.inside(ids[1], local, guestcmdlet.InitializeDisk("i", d.UniqueID, "b"))
	f.ok(err)
	if got := hostagent.ClassOf(results.Err()); got != hostagent.Conflict {
		t.Errorf("initialised again: %s", got)
	}
	f.mustInside(ids[1], local, guestcmdlet.Rescan("r"))
	if other := f.disksOf(ids[1])[[2]int64{0, 1}]; other.GUID != guid || other.Style != "GPT" {
		t.Errorf("once it has looked: %+v, want %s", other, guid)
	}
	// A machine made later sees what is on it, too, and so does one that starts again.
	f.ok(f.TurnOffVM(ids[2]))
	f.ok(f.StartVM(ids[2]))
	f.advance(time.Minute)
	if other := f.disksOf(ids[2])[[2]int64{0, 1}]; other.GUID != guid {
		t.Errorf("after a start: %+v, want %s", other, guid)
	}
	results, err = f.inside(ids[0], local, guestcmdlet.InitializeDisk("i", "nothing", "b"))
	f.ok(err)
	if got := hostagent.ClassOf(results.Err()); got != hostagent.NotFound {
		t.Errorf("a disk that is not there: %s", got)
	}
}

// A disk that became larger is larger in the guest once it looks, and its volume once that is told to grow, where it is online.
func TestAVolumeGrows(t *testing.T) {
	f := newFixture(t)
	paths := f.sharedDisks("a")
	id := f.windows("hv01", "one", "one-1", paths...)
	unique := f.disksOf(id)[[2]int64{0, 0}].UniqueID
	guid := f.mustInside(id, local, guestcmdlet.InitializeDisk("i", unique, "a"))[0].Values[0].Text("Guid")
	grow := func() hostagent.Result {
		t.Helper()
		results, err := f.inside(id, local, guestcmdlet.GrowVolume("g", guid))
		f.ok(err)
		return results[0]
	}
	if got := hostagent.ClassOf(grow().Err()); got != hostagent.Busy {
		t.Errorf("while it is offline: %s", got)
	}
	f.mu.Lock()
	f.setOnline(f.machineByID(id), unique, true)
	f.mu.Unlock()
	before := grow().Values[0].Int("Size")
	f.mu.Lock()
	f.fileAt(nil, paths[0]).disk.size = 200 * GiB
	f.mu.Unlock()
	if got := f.disksOf(id)[[2]int64{0, 0}].Size; got != 100*GiB {
		t.Errorf("before it looks again: %d", got)
	}
	after := grow().Values[0].Int("Size")
	if before >= 100*GiB || before < 99*GiB || after-before != 100*GiB || f.disksOf(id)[[2]int64{0, 0}].Size != 200*GiB {
		t.Errorf("the volume had %d and has %d", before, after)
	}
	if again := grow().Values[0].Int("Size"); again != after {
		t.Errorf("grown again: %d", again)
	}
}

// The cmdlets that the named functions run do the same one by one, and refuse what the real ones refuse.
func TestDiskCmdletsInside(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1", f.sharedDisks("a")...)
	unique := f.disksOf(id)[[2]int64{0, 0}].UniqueID
	p, err := f.GuestPrompt("hv01", id, local, hostagent.LogonNetwork)
	f.ok(err)
	defer func() { _ = p.Close() }()
	invoke := func(cmdlet string, parameters map[string]any) ([]any, string) {
		t.Helper()
		values, errs, err := p.Invoke(t.Context(), cmdlet, parameters)
		f.ok(err)
		if len(errs) > 0 {
			return values, errs[0].FullyQualifiedErrorID
		}
		return values, ""
	}
	disk := map[string]any{"UniqueId": unique}
	var got []string
	step := func(cmdlet string, parameters map[string]any) []any {
		t.Helper()
		values, refused := invoke(cmdlet, parameters)
		got = append(got, cmdlet+" "+refused)
		return values
	}
	with := func(name string, v any) map[string]any { return map[string]any{"UniqueId": unique, name: v} }
	step("Initialize-Disk", disk)
	step("Set-Disk", with("IsOffline", false))
	step("Set-Disk", with("IsReadOnly", false))
	step("New-Partition", with("UseMaximumSize", true))
	step("Initialize-Disk", disk)
	step("Initialize-Disk", disk)
	number := step("Get-Disk", disk)[0].(Live).Properties["number"]
	partition := step("New-Partition", map[string]any{"DiskNumber": number, "UseMaximumSize": true, "AssignDriveLetter": true})[0].(Live)
	step("Format-Volume", map[string]any{"Partition": partition.Handle, "FileSystem": "NTFS", "NewFileSystemLabel": "a"})
	step("Resize-Partition", map[string]any{"DriveLetter": "E", "Size": int64(1) << 50})
	size := step("Get-PartitionSupportedSize", map[string]any{"DriveLetter": "E"})[0].(Live).Properties["sizemax"]
	step("Resize-Partition", map[string]any{"DriveLetter": "E", "Size": size})
	step("Get-Partition", map[string]any{"DriveLetter": "Z"})
	want := []string{
		"Initialize-Disk StorageWMI 41004,Initialize-Disk", "Set-Disk ", "Set-Disk ", "New-Partition StorageWMI 41000,New-Partition", "Initialize-Disk ",
		"Initialize-Disk StorageWMI 41002,Initialize-Disk", "Get-Disk ", "New-Partition ", "Format-Volume ", "Resize-Partition StorageWMI 4097,Resize-Partition",
		"Get-PartitionSupportedSize ", "Resize-Partition StorageWMI 42008,Resize-Partition", "Get-Partition CmdletizationQuery_NotFound_DriveLetter,Get-Partition",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d := f.disksOf(id)[[2]int64{0, 0}]; d.Style != "GPT" || d.Offline {
		t.Errorf("%+v", d)
	}
}

// What people do inside guests shows in what the guests tell.
func TestPeopleInsideGuests(t *testing.T) {
	f := newFixture(t)
	paths := f.sharedDisks("a")
	id := f.joined("hv01", "one", "one-1", paths...)
	f.mustInside(id, ops, guestcmdlet.InstallFeatures("f", windows.FailoverClustering))
	state := func() string {
		t.Helper()
		return f.mustInside(id, ops, guestcmdlet.Features("f", windows.FailoverClustering))[0].Values[0].Text("InstallState")
	}
	if got := state(); got != "Installed" {
		t.Errorf("installed: %s", got)
	}
	service := f.mustInside(id, ops, guestcmdlet.ClusterService("s"))[0].Values
	if len(service) != 1 || service[0].Text("StartMode") != "Disabled" || service[0].Text("State") != "Stopped" {
		t.Errorf("the cluster service: %+v", service)
	}
	f.ok(f.RemoveFeature(id, "failover-clustering"))
	if got, left := state(), f.mustInside(id, ops, guestcmdlet.ClusterService("s"))[0].Values; got != "Available" || len(left) != 0 {
		t.Errorf("removed: %s, service %+v", got, left)
	}
	unique := f.machineByID(id).guest.system.Disks()[1].UniqueID
	f.mu.Lock()
	f.setOnline(f.machineByID(id), unique, true)
	f.mu.Unlock()
	f.ok(f.TakeDiskOffline(id, paths[0]))
	if d := f.mustInside(id, ops, guestcmdlet.Disks("d"))[0].Values[1]; !d.Bool("IsOffline") {
		t.Errorf("the disk: %+v", d)
	}
	f.ok(f.RotateLocalAdministrator(id))
	if _, err := f.inside(id, local, guestcmdlet.Computer("c")); refusalOf(err) != refusedNow {
		t.Errorf("after the rotation: %v", err)
	}
	f.ok(f.RenameComputer(id, "other"))
	f.advance(2 * time.Minute)
	results := f.mustInside(id, ops, guestcmdlet.Computer("c"))
	if got := results[0].Values[0].Text("Name"); got != "OTHER" || f.domain.Computer("OTHER") == nil || f.domain.Computer("ONE-1") != nil {
		t.Errorf("renamed: %s", got)
	}
	if got := f.vm(id).Guest; got.ComputerName != "OTHER" || got.Domain != "corp.example" || got.Setup != windows.Complete || len(got.Adapters) != 1 {
		t.Errorf("the picture: %+v", got)
	}
	f.ok(f.GrantCreateComputers(unit, "OTHER$"))
	if !f.domain.MayCreate(f.domain.Computer("OTHER").SID, unit) {
		t.Error("the right was not granted")
	}
	f.ok(f.TurnOffVM(id))
	for name, err := range map[string]error{
		"a guest that is off":          f.RestartGuest(id),
		"a controller that runs":       f.StartDomainController(),
		"no such account":              f.GrantCreateComputers(unit, "nobody"),
		"an account that is there":     f.AddComputerAccount("other"),
		"an account without a name":    f.AddComputerAccount(""),
		"no such computer account":     f.RemoveComputerAccount("nobody"),
		"no such policy":               f.SetAdministratorPolicy("Shred"),
		"a feature of one that is off": f.RemoveFeature(id, "RSAT-AD-PowerShell"),
	} {
		if err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}

// What a call left that died in the middle is brought to its end where the disk is online; anything else is never formatted.
func TestInitialisingADiskIsBroughtToItsEnd(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*windows.Disk)
		label  string
		want   hostagent.Class
	}{
		"raw":                          {change: func(*windows.Disk) {}},
		"raw and online":               {change: func(d *windows.Disk) { d.SetOffline(false) }},
		"GPT alone, online":            {change: func(d *windows.Disk) { d.Content.Initialise("1"); d.SetOffline(false) }},
		"GPT alone, offline":           {change: func(d *windows.Disk) { d.Content.Initialise("1") }, want: hostagent.Conflict},
		"a partition":                  {change: func(d *windows.Disk) { d.Content.Initialise("1"); d.Content.AddPartition(d.Size); d.SetOffline(false) }, want: hostagent.Conflict},
		"a label that is far too long": {change: func(*windows.Disk) {}, label: "0123456789012345678901234567890123", want: hostagent.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			id := f.windows("hv01", "one", "one-1", f.sharedDisks("a")...)
			unique := f.disksOf(id)[[2]int64{0, 0}].UniqueID
			f.mu.Lock()
			d := f.machineByID(id).guest.system.Disk(unique)
			test.change(d)
			before := d.Content.Clone()
			f.mu.Unlock()
			results, err := f.inside(id, local, guestcmdlet.InitializeDisk("i", unique, "a"+test.label))
			f.ok(err)
			if got := hostagent.ClassOf(results.Err()); got != test.want {
				t.Fatalf("got %s, want %q", got, test.want)
			}
			if test.want != "" {
				if diff := cmp.Diff(before, d.Content.Clone()); diff != "" {
					t.Errorf("the disk is not as it was:\n%s", diff)
				}
				return
			}
			data := d.Content.Data()
			if len(data) != 1 || data[0].FileSystem != "NTFS" || data[0].Label != "a" || data[0].Letter == "" || !d.Offline {
				t.Errorf("%+v, offline %v", data, d.Offline)
			}
		})
	}
}

// A copy of a machine is the same computer, and goes ways of its own from then on.
func TestACopyHasTheWindowsToo(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	copied, err := f.CopyVM(id, gold+`\copy`)
	f.ok(err)
	f.ok(f.StartVM(copied))
	f.advance(time.Minute)
	for _, vm := range []string{id, copied} {
		if got := f.mustInside(vm, local, guestcmdlet.Computer("c"))[0].Values[0].Text("Name"); got != "ONE-1" {
			t.Errorf("%s is %s", vm, got)
		}
	}
	f.mustInside(copied, local, guestcmdlet.RemoveAnswerFile("r"))
	f.ok(f.RotateLocalAdministrator(copied))
	f.mustInside(id, local, guestcmdlet.FindAnswerFile("f"))
}
