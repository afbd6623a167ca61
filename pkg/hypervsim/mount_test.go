package hypervsim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/guest/answerfile"
	guestcmdlet "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

const (
	osFolder   = gold + `\a`
	osDisk     = osFolder + `\os.vhdx`
	answerPath = `\Windows\Panther\Unattend\Unattend.xml`
)

// osDisk makes the copy of an image in a folder with a stamp.
func (f fixture) osDisk() {
	f.Helper()
	f.must("hv01", cmdlet.NewStampedFolder("folder", osFolder, "s"), cmdlet.StartCopy("copy", "id", "hash", image, osDisk))
	f.advance(2 * time.Minute)
}

func putAnswer(text string) hostagent.Call {
	return cmdlet.SetAnswerFile("answer", osDisk, hostagent.NewSecret(text))
}

// answerIn is the text of the answer file in a disk.
func (f fixture) answerIn(disk string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fileAt(nil, disk).disk.files[windows.AnswerFile]
}

// objects are what a cmdlet of a prompt returns.
func (p prompt) objects(cmdlet string, parameters params) []Live {
	p.Helper()
	values, failures, err := p.Invoke(p.Context(), cmdlet, parameters)
	p.ok(err)
	if len(failures) > 0 {
		p.Fatalf("%s: %v", cmdlet, failures)
	}
	out := make([]Live, len(values))
	for i, v := range values {
		out[i] = v.(Live)
	}
	return out
}

// storage asks for objects of storage management.
func storage(class, filter string) params {
	return params{"Namespace": "root/Microsoft/Windows/Storage", "ClassName": class, "Filter": filter}
}

// done checks that calls of a prompt return nothing, and no error.
func (p prompt) done(cmdlet string, parameters params) {
	p.Helper()
	if got := p.objects(cmdlet, parameters); len(got) > 0 {
		p.Fatalf("%s returns %v", cmdlet, got)
	}
}

func TestSetAnswerFile(t *testing.T) {
	tests := map[string]struct {
		before func(f fixture)
		call   hostagent.Call
		want   why
	}{
		"a copy of an image": {call: putAnswer("<unattend/>")},
		"once more":          {before: func(f fixture) { f.must("hv02", putAnswer("old")) }, call: putAnswer("<unattend/>")},
		"the disk of a machine that is off": {before: func(f fixture) {
			f.must("hv01", cmdlet.NewVM("vm", cmdlet.NewMachine{Name: "m", Folder: osFolder, MemoryBytes: GiB, OSDisk: osDisk}))
		}, call: putAnswer("<unattend/>")},
		"no disk": {call: cmdlet.SetAnswerFile("a", osFolder+`\other.vhdx`, hostagent.NewSecret("x")), want: why{"ObjectNotFound", hresultFileNotFound, hostagent.NotFound}},
		"no virtual disk": {
			call: cmdlet.SetAnswerFile("a", osFolder+`\guestclustering.json`, hostagent.NewSecret("x")), want: why{"InvalidData", hresultDiskCorrupt, hostagent.Invalid},
		},
		"the image itself": {call: cmdlet.SetAnswerFile("a", image, hostagent.NewSecret("x")), want: why{"PermissionDenied", hresultInvalidState, hostagent.Forbidden}},
		"nowhere":          {call: cmdlet.SetAnswerFile("a", `C:\none\os.vhdx`, hostagent.NewSecret("x")), want: why{"PermissionDenied", hresultInvalidState, hostagent.Forbidden}},
		"a disk without a Windows": {
			before: func(f fixture) { f.must("hv01", cmdlet.NewVHD("d", osFolder+`\empty.vhdx`, GiB, false)) },
			call:   cmdlet.SetAnswerFile("a", osFolder+`\empty.vhdx`, hostagent.NewSecret("x")), want: why{"InvalidData", hresultInvalidState, hostagent.Invalid},
		},
		"the disk of a machine that runs": {before: func(f fixture) {
			f.must("hv01", cmdlet.NewVM("vm", cmdlet.NewMachine{Name: "m", Folder: osFolder, MemoryBytes: GiB, OSDisk: osDisk}), cmdlet.MakeNewClustered("g", "vm", "m"), cmdlet.StartGroup("s", "m"))
		}, call: putAnswer("x"), want: why{"ResourceBusy", hresultSharing, hostagent.Busy}},
		"a mounted disk": {
			before: func(f fixture) { f.prompt("hv02", `C:\`).done("Mount-VHD", params{"Path": []any{osDisk}}) },
			call:   putAnswer("x"), want: why{"ResourceBusy", hresultSharing, hostagent.Busy},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.osDisk()
			if tc.before != nil {
				tc.before(f)
			}
			results, err := f.run("hv01", tc.call)
			f.ok(err)
			if tc.want != (why{}) {
				if got := lastError(results); got != tc.want {
					t.Errorf("refused as %+v, want %+v", got, tc.want)
				}
				if got := f.answerIn(osDisk); got != "" {
					t.Errorf("it has an answer file: %s", got)
				}
				return
			}
			f.ok(results.Err())
			if got := f.answerIn(osDisk); got != "<unattend/>" {
				t.Errorf("the answer file says %q", got)
			}
			f.advance(time.Second)
			if raw, err := json.Marshal(f.Journal(0)); err != nil || strings.Contains(string(raw), "unattend/") {
				t.Errorf("the journal tells it: %v", err)
			}
		})
	}
}

// What is put into one copy is in no other, nor in the image; a copy of the copy has it.
func TestAnswerFilesAreTheDisksOwn(t *testing.T) {
	f := newFixture(t)
	f.osDisk()
	f.must("hv01", putAnswer("one"), cmdlet.StartCopy("c", "id2", "h", osDisk, osFolder+`\copy.vhdx`))
	f.advance(2 * time.Minute)
	f.must("hv01", putAnswer("two"), cmdlet.StartCopy("c", "id3", "h", image, osFolder+`\new.vhdx`))
	f.advance(2 * time.Minute)
	got := []string{f.answerIn(image), f.answerIn(osDisk), f.answerIn(osFolder + `\copy.vhdx`), f.answerIn(osFolder + `\new.vhdx`)}
	if diff := cmp.Diff([]string{"", "two", "one", ""}, got); diff != "" {
		t.Errorf("the image, the disk, its copy, a new one (-want +got):\n%s", diff)
	}
}

// A Windows is set up by the answer file of its disk, as the operator writes it, and the operator finds and removes it inside.
func TestAnswerFilesAreFoundBySetUp(t *testing.T) {
	f := newFixture(t)
	f.osDisk()
	account := hostagent.Credential{User: "Administrator", Password: hostagent.NewSecret(`<&"'> pass`)}
	text, err := answerfile.Encode(answerfile.Settings{ComputerName: "FILES-1", Password: account.Password, TimeZone: "UTC", Locale: "en-US"})
	f.ok(err)
	results := f.must("hv01", cmdlet.SetAnswerFile("answer", osDisk, text),
		cmdlet.NewVM("vm", cmdlet.NewMachine{Name: "m", Folder: osFolder, MemoryBytes: GiB, OSDisk: osDisk}), cmdlet.MakeNewClustered("group", "vm", "m"), cmdlet.StartGroup("start", "m"))
	id := results.ByID("vm").Values[0].Text("Id")
	f.advance(4 * time.Minute)
	inside := f.mustInside(id, account, guestcmdlet.Computer("c"), guestcmdlet.FindAnswerFile("f"), guestcmdlet.RemoveAnswerFile("r"))
	if name := inside.ByID("c").Values[0].Text("Name"); name != "FILES-1" {
		t.Errorf("the computer is named %s", name)
	}
	if got := f.answerIn(osDisk); got != "" {
		t.Errorf("the disk still has %q", got)
	}
}

// mounted is a disk that hv02 has mounted, with its files at E:.
func mounted(t *testing.T) (fixture, prompt) {
	f := newFixture(t)
	f.osDisk()
	p := f.prompt("hv02", `C:\`)
	vhd := p.one("Mount-VHD", params{"Path": []any{osDisk}, "NoDriveLetter": true, "Passthru": true})
	if vhd.Properties["disknumber"] != int64(1) || vhd.Properties["attached"] != true {
		t.Fatalf("it is mounted as %v", vhd.Properties)
	}
	partitions := p.objects("Get-CimInstance", storage("MSFT_Partition", "DiskNumber = 1"))
	if len(partitions) != 3 {
		t.Fatalf("it has %d partitions", len(partitions))
	}
	outcome := func(partition Live) any {
		return p.one("Invoke-CimMethod", params{"InputObject": partition.Handle, "MethodName": "AddAccessPath", "Arguments": map[string]any{"AssignDriveLetter": true}}).Properties["returnvalue"]
	}
	got := []any{outcome(partitions[0]), outcome(partitions[1]), outcome(partitions[2]), outcome(partitions[2])}
	if diff := cmp.Diff([]any{hiddenPartition, hiddenPartition, int64(0), accessPathInUse}, got); diff != "" {
		t.Fatalf("drive letters (-want +got):\n%s", diff)
	}
	return f, p
}

func TestMountedDisksHaveTheirFiles(t *testing.T) {
	f, p := mounted(t)
	for path, want := range map[string]bool{`E:\Windows`: true, `e:\windows`: true, `E:` + answerPath: false, `F:\Windows`: false} {
		if got := p.call("Test-Path", params{"LiteralPath": []any{path}}); got[0] != fmt.Sprint(want) {
			t.Errorf("%s is there: %s", path, got[0])
		}
	}
	p.call("New-Item", params{"Path": []any{`E:\Windows\Panther\Unattend`}, "ItemType": "Directory", "Force": true})
	p.done("Set-Content", params{"LiteralPath": []any{"E:" + answerPath}, "Value": []any{"<unattend/>"}, "NoNewline": true})
	p.done("Set-Content", params{"LiteralPath": []any{`E:\Windows\other.txt`}, "Value": []any{"x"}})
	p.done("Dismount-VHD", params{"DiskNumber": int64(1)})
	if got := f.answerIn(osDisk); got != "<unattend/>" {
		t.Errorf("the answer file says %q", got)
	}
	if got := p.call("Test-Path", params{"LiteralPath": []any{`E:\Windows`}}); got[0] != "false" {
		t.Error("a disk that is not mounted has its files at E:")
	}
	other := f.prompt("hv03", `C:\`)
	other.done("Mount-VHD", params{"Path": []any{osDisk}})
	if got := other.call("Get-Content", params{"LiteralPath": []any{"E:" + answerPath}, "Raw": true}); got[0] != "<unattend/>" {
		t.Errorf("another host reads %q", got)
	}
	other.done("Remove-Item", params{"LiteralPath": []any{"E:" + answerPath}})
	other.done("Dismount-VHD", params{"Path": []any{osDisk}})
	if got := f.answerIn(osDisk); got != "" {
		t.Errorf("what was removed is there: %q", got)
	}
	if raw, err := json.Marshal(f.Journal(0)); err != nil || strings.Contains(string(raw), "unattend/") {
		t.Errorf("the journal tells it: %v", err)
	}
}

// Nobody else opens what is mounted.
func TestMountedDisksAreInUse(t *testing.T) {
	f := newFixture(t)
	id := f.member("hv01", "m")
	disk := gold + `\m\m.vhdx`
	f.prompt("hv02", `C:\`).done("Mount-VHD", params{"Path": []any{disk}})
	busy := why{"ResourceBusy", hresultSharing, hostagent.Busy}
	for _, host := range []string{"hv02", "hv03"} {
		_, failures, err := f.prompt(host, `C:\`).Invoke(t.Context(), "Mount-VHD", params{"Path": []any{disk}})
		f.ok(err)
		if len(failures) != 1 || failures[0].Category != busy.Category || failures[0].HResult != busy.HResult {
			t.Errorf("mounted twice, on %s: %+v", host, failures)
		}
	}
	for name, call := range map[string]hostagent.Call{
		"another machine around it": cmdlet.NewVM("vm", cmdlet.NewMachine{Name: "n", Folder: gold + `\n`, MemoryBytes: GiB, OSDisk: disk}),
		"its folder is removed":     cmdlet.RemoveStampedFolder("r", gold+`\m`, "stamp of m"),
		"another host looks at it":  cmdlet.Disks("d", disk),
	} {
		results, err := f.run("hv03", call)
		f.ok(err)
		if got := lastError(results); got != busy {
			t.Errorf("%s: %+v", name, got)
		}
	}
	f.must("hv02", cmdlet.Disks("d", disk))
	f.must("hv01", cmdlet.StartGroup("s", "m"))
	f.advance(time.Minute)
	if vm := f.vm(id); vm.State != "Off" {
		t.Errorf("a machine whose disk is mounted is %s", vm.State)
	}
	f.prompt("hv02", `C:\`).done("Dismount-VHD", params{"Path": []any{disk}})
	f.must("hv01", cmdlet.StartGroup("s", "m"))
	f.advance(time.Minute)
	if vm := f.vm(id); vm.State != "Running" {
		t.Errorf("once it is dismounted, the machine is %s", vm.State)
	}
}

// What a host has mounted is mounted no more once it goes down, with what was written.
func TestAHostThatGoesDownHasNothingMounted(t *testing.T) {
	f, p := mounted(t)
	p.call("New-Item", params{"Path": []any{`E:\Windows\Panther\Unattend`}, "ItemType": "Directory"})
	p.done("Set-Content", params{"LiteralPath": []any{"E:" + answerPath}, "Value": []any{"half"}, "NoNewline": true})
	f.ok(f.FailHost("hv02"))
	if got := f.answerIn(osDisk); got != "half" {
		t.Errorf("the answer file says %q", got)
	}
	f.must("hv03", putAnswer("whole"))
	f.ok(f.ReturnHost("hv02"))
	if disks := f.prompt("hv02", `C:\`).objects("Get-CimInstance", storage("MSFT_Disk", "BusType = 15")); len(disks) != 0 {
		t.Errorf("after its return the host has %d disks", len(disks))
	}
}

func TestMountRefusals(t *testing.T) {
	f := newFixture(t)
	f.osDisk()
	p := f.prompt("hv02", `C:\`)
	for name, tc := range map[string]struct {
		cmdlet string
		args   params
		want   string
	}{
		"dismount what is not mounted": {"Dismount-VHD", params{"Path": []any{osDisk}}, "InvalidOperation"},
		"dismount no number":           {"Dismount-VHD", params{"DiskNumber": int64(3)}, "InvalidOperation"},
		"mount nothing":                {"Mount-VHD", params{"Path": []any{osFolder + `\none.vhdx`}}, "ObjectNotFound"},
		"a filter that is not known":   {"Get-CimInstance", storage("MSFT_Disk", "Number > 1"), "InvalidArgument"},
		"another class":                {"Get-CimInstance", storage("MSFT_Volume", "Number = 1"), "MetadataError"},
		"a method of nothing":          {"Invoke-CimMethod", params{"MethodName": "Online"}, "MetadataError"},
	} {
		_, failures, err := p.Invoke(t.Context(), tc.cmdlet, tc.args)
		f.ok(err)
		if len(failures) != 1 || failures[0].Category != tc.want {
			t.Errorf("%s: %+v, want %s", name, failures, tc.want)
		}
	}
	if disks := p.objects("Get-CimInstance", storage("MSFT_Disk", "BusType = 15")); len(disks) != 0 {
		t.Errorf("disks that are files: %v", disks)
	}
}
