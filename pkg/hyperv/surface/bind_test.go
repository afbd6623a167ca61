package surface_test

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	inguest "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hyperv/surface"
)

const newest = hyperv.Build2025

// examples are batches with every call that the operator makes: of hosts, of guests, and of guests through a host.
func examples() []hostagent.Batch {
	as := hostagent.Credential{User: `CORP\join`, Password: hostagent.NewSecret("example")}
	nested := hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{
		inguest.Join("join", "corp.example", "", as), inguest.CloudWitness("witness", "account", "", as.Password), inguest.Restart("restart"),
	}}
	through := hostagent.Call{ID: "inside", Cmdlet: guestBatch, Parameters: p{
		"VMId":       hostagent.Text("8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42"),
		"Credential": hostagent.Credential{User: "Administrator", Password: hostagent.NewSecret("example")},
		"Batch":      hostagent.Nested{Batch: nested},
	}}
	return slices.Concat(cmdlet.Examples(), inguest.Examples(), []hostagent.Batch{{OnError: hostagent.Stop, Calls: []hostagent.Call{through}}})
}

// guestBatch is the named function that runs a batch inside a virtual machine.
const guestBatch = "Invoke-GuestBatch"

// kinds are the tables of what is called on hosts and in guests.
func kinds() map[string]cmdlet.Kind {
	out := maps.Clone(cmdlet.Kinds)
	maps.Copy(out, inguest.Kinds)
	return out
}

// inside are the cmdlets that named functions alone run.
func inside() []string {
	both := slices.DeleteFunc(slices.Concat(cmdlet.Inside, inguest.Inside), func(name string) bool { return kinds()[name] != "" })
	slices.Sort(both)
	return slices.Compact(both)
}

func TestExamplesBind(t *testing.T) {
	for _, batch := range examples() {
		if _, err := surface.BindBatch(batch, newest); err != nil {
			t.Error(err)
		}
	}
}

type p = hostagent.Parameters

func TestBind(t *testing.T) {
	tests := map[string]struct {
		cmdlet     string
		parameters p
		build      int
		set        string
		values     p
	}{
		"a lone value for a list": {
			cmdlet: "Get-VHD", parameters: p{"Path": hostagent.Text(`C:\d.vhdx`)}, build: newest,
			set: "Path", values: p{"Path": hostagent.Texts(`C:\d.vhdx`)},
		},
		"a GUID is written as .NET writes it": {
			cmdlet: "Get-VM", parameters: p{"Id": hostagent.Text("8F0F2E4C-5B1A-4C0E-9A53-0D2F1C7E6B42")}, build: newest,
			set: "Id", values: p{"Id": hostagent.Text("8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42")},
		},
		"a named function": {
			cmdlet: "Get-StampedFolder", parameters: p{"Pool": hostagent.Texts(`C:\a`, `C:\b`)}, build: hyperv.Build2012R2,
			set: "__AllParameterSets", values: p{"Pool": hostagent.Texts(`C:\a`, `C:\b`)},
		},
		"an account by its SID": {
			cmdlet: "Add-LocalGroupMember", parameters: p{"SID": hostagent.Text("S-1-5-32-544"), "Member": hostagent.Text("S-1-5-21-1-2-3-1106")}, build: newest,
			set: "SecurityIdentifier", values: p{"SID": hostagent.Text("S-1-5-32-544"), "Member": hostagent.Texts("S-1-5-21-1-2-3-1106")},
		},
		"a batch inside a machine": {
			cmdlet: guestBatch, build: newest, set: "__AllParameterSets",
			parameters: p{"VMId": hostagent.Text("8F0F2E4C-5B1A-4C0E-9A53-0D2F1C7E6B42"), "Credential": hostagent.Credential{User: "u"}, "Batch": hostagent.Nested{}},
			values:     p{"VMId": hostagent.Text("8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42"), "Credential": hostagent.Credential{User: "u"}, "Batch": hostagent.Nested{}},
		},
		"the default set when nothing decides": {
			cmdlet: "Get-VM", build: newest, set: "Name", values: p{},
		},
		"a switch given as false decides all the same": {
			cmdlet: "New-VHD", parameters: p{"Path": hostagent.Text("a"), "SizeBytes": hostagent.Int(1), "Fixed": hostagent.Bool(false)}, build: newest,
			set: "FixedWithoutSource", values: p{"Path": hostagent.Texts("a"), "SizeBytes": hostagent.Int(1), "Fixed": hostagent.Bool(false)},
		},
		"a build between two releases is held to the older": {
			cmdlet: "Set-VM", parameters: p{"Name": hostagent.Text("a"), "AutomaticCheckpointsEnabled": hostagent.Bool(false)}, build: 25398,
			set: "Name", values: p{"Name": hostagent.Texts("a"), "AutomaticCheckpointsEnabled": hostagent.Bool(false)},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			call := hostagent.Call{ID: "a", Cmdlet: test.cmdlet, Parameters: test.parameters}
			got, err := surface.Bind(call, test.build)
			if err != nil {
				t.Fatal(err)
			}
			want := surface.Bound{Cmdlet: test.cmdlet, ParameterSet: test.set, Values: test.values}
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(hostagent.Secret{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBindRefuses(t *testing.T) {
	tests := map[string]struct {
		cmdlet     string
		parameters p
		build      int
		kind       surface.Kind
		want       string
	}{
		"a cmdlet that we do not call": {
			cmdlet: "Format-Volume", build: newest,
			kind: surface.UnknownCmdlet, want: "call a: Format-Volume: the operator calls no such cmdlet",
		},
		"a parameter that is none": {
			cmdlet: "Get-VM", parameters: p{"Nme": hostagent.Text("a")}, build: newest,
			kind: surface.UnknownParameter, want: "call a: Get-VM -Nme: there is no parameter of this name",
		},
		"an alias": {
			cmdlet: "Get-VM", parameters: p{"VMName": hostagent.Text("a")}, build: newest,
			kind: surface.UnknownParameter, want: "call a: Get-VM -VMName: there is no parameter of this name; write Name",
		},
		"a name in other case": {
			cmdlet: "Get-VM", parameters: p{"name": hostagent.Text("a")}, build: newest,
			kind: surface.UnknownParameter, want: "call a: Get-VM -name: there is no parameter of this name; write Name",
		},
		"a common parameter": {
			cmdlet: "Remove-VM", parameters: p{"Name": hostagent.Text("a"), "Confirm": hostagent.Bool(false)}, build: newest,
			kind: surface.UnknownParameter, want: "call a: Remove-VM -Confirm: there is no parameter of this name",
		},
		"one of two mandatory ones missing": {
			cmdlet: "Rename-VM", parameters: p{"NewName": hostagent.Text("a")}, build: newest,
			kind: surface.Missing, want: "call a: Rename-VM: needs Name, or VM",
		},
		"two sets at once": {
			cmdlet: "Get-VM", parameters: p{"Name": hostagent.Text("a"), "Id": hostagent.Text("8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42")}, build: newest,
			kind: surface.Ambiguous, want: "call a: Get-VM: no parameter set has Id, Name together",
		},
		"no set decided": {
			cmdlet: "New-VHD", parameters: p{"Path": hostagent.Text("a"), "Fixed": hostagent.Bool(true)}, build: newest,
			kind: surface.Ambiguous, want: "call a: New-VHD: needs SourceDisk, or SizeBytes",
		},
		"a text for a number": {
			cmdlet: "Start-ClusterGroup", parameters: p{"Wait": hostagent.Text("0")}, build: newest,
			kind: surface.Unconvertible, want: "call a: Start-ClusterGroup -Wait: takes Int32, not a text",
		},
		"a number that does not fit": {
			cmdlet: "Start-ClusterGroup", parameters: p{"Wait": hostagent.Int(1 << 40)}, build: newest,
			kind: surface.Unconvertible, want: "call a: Start-ClusterGroup -Wait: 1099511627776 is beyond Int32",
		},
		"a number that is not accepted": {
			cmdlet: "New-VM", parameters: p{"Generation": hostagent.Int(3)}, build: newest,
			kind: surface.NotAccepted, want: "call a: New-VM -Generation: 3 is none of 1, 2",
		},
		"a name that cannot be": {
			cmdlet: "Set-VM", parameters: p{"Name": hostagent.Text("a"), "CheckpointType": hostagent.Text("Off")}, build: newest,
			kind: surface.Unconvertible, want: `call a: Set-VM -CheckpointType: "Off" is none of Disabled, Production, ProductionOnly, Standard`,
		},
		"a value that only newer hosts know": {
			cmdlet: "Get-VMHardDiskDrive", parameters: p{"VMName": hostagent.Text("a"), "ControllerType": hostagent.Text("PMEM")}, build: newest,
			kind: surface.NotAccepted, want: `call a: Get-VMHardDiskDrive -ControllerType: "PMEM" is none of IDE, SCSI`,
		},
		"no GUID": {
			cmdlet: "Get-VM", parameters: p{"Id": hostagent.Text("sql-1")}, build: newest,
			kind: surface.Unconvertible, want: `call a: Get-VM -Id: "sql-1" is no GUID of 32 hexadecimal digits with dashes`,
		},
		"no SID": {
			cmdlet: "Get-LocalGroupMember", parameters: p{"SID": hostagent.Text("Administrators")}, build: newest,
			kind: surface.Unconvertible, want: `call a: Get-LocalGroupMember -SID: "Administrators" is no SecurityIdentifier`,
		},
		"an account without a name": {
			cmdlet: "Remove-ADComputer", parameters: p{"Identity": hostagent.Text("")}, build: newest,
			kind: surface.Unconvertible, want: `call a: Remove-ADComputer -Identity: "" is no ADComputer`,
		},
		"a number that is too large for a byte": {
			cmdlet: "New-NetIPAddress", parameters: p{"InterfaceIndex": hostagent.Int(1), "IPAddress": hostagent.Text("10.0.0.1"), "PrefixLength": hostagent.Int(256)}, build: newest,
			kind: surface.Unconvertible, want: "call a: New-NetIPAddress -PrefixLength: 256 is beyond Byte",
		},
		"a batch where none belongs": {
			cmdlet: "Get-VM", parameters: p{"Name": hostagent.Nested{}}, build: newest,
			kind: surface.Unconvertible, want: "call a: Get-VM -Name: takes String, not a batch",
		},
		"a cmdlet of 2016 on 2012 R2": {
			cmdlet: "Get-LocalGroupMember", parameters: p{"Name": hostagent.Text("a")}, build: hyperv.Build2012R2,
			kind: surface.TooOld, want: "call a: Get-LocalGroupMember: Windows build 9600 does not have it",
		},
		"no version": {
			cmdlet: "New-VM", parameters: p{"Version": hostagent.Text("9")}, build: newest,
			kind: surface.Unconvertible, want: `call a: New-VM -Version: "9" is no version of two to four numbers`,
		},
		"a name for a live object": {
			cmdlet: "Set-VM", parameters: p{"VM": hostagent.Text("sql-1")}, build: newest,
			kind: surface.Unconvertible, want: "call a: Set-VM -VM: takes VirtualMachine, not a text",
		},
		"true for a text": {
			cmdlet: "Get-VM", parameters: p{"Name": hostagent.Bool(true)}, build: newest,
			kind: surface.Unconvertible, want: "call a: Get-VM -Name: takes String, not true or false",
		},
		"a secret where none belongs": {
			cmdlet: "Get-VM", parameters: p{"Name": hostagent.NewSecret("hunter2")}, build: newest,
			kind: surface.Unconvertible, want: "call a: Get-VM -Name: takes String, not a secret",
		},
		"a list for one": {
			cmdlet: "Get-Cluster", parameters: p{"Name": hostagent.Texts("a", "b")}, build: newest,
			kind: surface.Unconvertible, want: "call a: Get-Cluster -Name: takes no list here",
		},
		"an empty list": {
			cmdlet: "Get-VHD", parameters: p{"Path": hostagent.List{}}, build: newest,
			kind: surface.NotAccepted, want: "call a: Get-VHD -Path: must not be empty",
		},
		"an empty text": {
			cmdlet: "New-StampedFolder", parameters: p{"Path": hostagent.Text(""), "Stamp": hostagent.Text("s")}, build: newest,
			kind: surface.NotAccepted, want: "call a: New-StampedFolder -Path: must not be empty",
		},
		"a parameter of 2019 on 2016": {
			cmdlet: "Set-VM", parameters: p{"Name": hostagent.Text("a"), "AutomaticCheckpointsEnabled": hostagent.Bool(false)}, build: hyperv.Build2016,
			kind: surface.TooOld, want: "call a: Set-VM -AutomaticCheckpointsEnabled: Windows build 14393 does not have it",
		},
		"a parameter of 2016 on 2012 R2": {
			cmdlet: "Set-VM", parameters: p{"Name": hostagent.Text("a"), "CheckpointType": hostagent.Text("Standard")}, build: hyperv.Build2012R2,
			kind: surface.TooOld, want: "call a: Set-VM -CheckpointType: Windows build 9600 does not have it",
		},
		"a parameter of the 2025 docset on 2022": {
			cmdlet: "New-VM", parameters: p{"SourceGuestStatePath": hostagent.Text("a")}, build: hyperv.Build2022,
			kind: surface.TooOld, want: "call a: New-VM -SourceGuestStatePath: Windows build 20348 does not have it",
		},
		"a host older than all": {
			cmdlet: "Get-VM", build: 9200,
			kind: surface.TooOld, want: "call a: Get-VM: Windows build 9200 is older than 9600",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := surface.Bind(hostagent.Call{ID: "a", Cmdlet: test.cmdlet, Parameters: test.parameters}, test.build)
			checkRefusal(t, err, test.kind, test.want)
		})
	}
}

func checkRefusal(t *testing.T, err error, kind surface.Kind, want string) {
	t.Helper()
	var refusal *surface.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("got %v, want a refusal", err)
	}
	if refusal.Kind != kind || refusal.Error() != want {
		t.Errorf("got  %s: %v\nwant %s: %s", refusal.Kind, refusal, kind, want)
	}
}

func TestBindBatchHoldsRefs(t *testing.T) {
	vm := hostagent.Call{ID: "vm", Cmdlet: "Get-VM"}
	tests := map[string]struct {
		first  hostagent.Call
		second hostagent.Call
		want   string
	}{
		"another class": {
			first:  vm,
			second: hostagent.Call{Cmdlet: "Remove-VMHardDiskDrive", Parameters: p{"VMHardDiskDrive": hostagent.Ref{Call: "vm"}}},
			want:   "call b: Remove-VMHardDiskDrive -VMHardDiskDrive: takes HardDiskDrive; call vm returns VirtualMachine",
		},
		"an object for a text": {
			first:  vm,
			second: hostagent.Call{Cmdlet: "Get-Cluster", Parameters: p{"Name": hostagent.Ref{Call: "vm"}}},
			want:   "call b: Get-Cluster -Name: takes String; call vm returns VirtualMachine",
		},
		"a property of another type": {
			first:  vm,
			second: hostagent.Call{Cmdlet: "Get-VM", Parameters: p{"Id": hostagent.Ref{Call: "vm", Property: "Name"}}},
			want:   "call b: Get-VM -Id: takes Guid; Name of call vm is String",
		},
		"a property that is none": {
			first:  vm,
			second: hostagent.Call{Cmdlet: "Get-VM", Parameters: p{"Id": hostagent.Ref{Call: "vm", Property: "Uid"}}},
			want:   "call b: Get-VM -Id: VirtualMachine has no property Uid whose type is known",
		},
		"a call that returns nothing": {
			first:  hostagent.Call{ID: "off", Cmdlet: "Stop-VM", Parameters: p{"Name": hostagent.Text("a")}},
			second: hostagent.Call{Cmdlet: "Remove-VM", Parameters: p{"VM": hostagent.Ref{Call: "off"}}},
			want:   "call b: Remove-VM -VM: refers to call off, which returns no objects of a known class",
		},
		"a call that returns a job": {
			first:  hostagent.Call{ID: "new", Cmdlet: "New-VM", Parameters: p{"AsJob": hostagent.Bool(true)}},
			second: hostagent.Call{Cmdlet: "Remove-VM", Parameters: p{"VM": hostagent.Ref{Call: "new"}}},
			want:   "call b: Remove-VM -VM: refers to call new, which returns no objects of a known class",
		},
		"a Ref for a switch": {
			first:  vm,
			second: hostagent.Call{Cmdlet: "Remove-VM", Parameters: p{"VM": hostagent.Ref{Call: "vm"}, "Force": hostagent.Ref{Call: "vm", Property: "IsClustered"}}},
			want:   "call b: Remove-VM -Force: a switch takes true or false, not a Ref",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.second.ID = "b"
			_, err := surface.BindBatch(hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{test.first, test.second}}, newest)
			checkRefusal(t, err, surface.Unconvertible, test.want)
		})
	}
}

func TestBindBatchRefusesWhatIsNoBatch(t *testing.T) {
	call := hostagent.Call{ID: "a", Cmdlet: "Set-VM", Parameters: p{"VM": hostagent.Ref{Call: "later"}}}
	_, err := surface.BindBatch(hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{call}}, newest)
	if want := `batch: call a, parameter VM: refers to "later", which is no earlier call`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
