package conformance

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guestclustering.io/operator/pkg/hostagent"
)

func refsPassLiveObjects(t *testing.T, s Subject) {
	session := open(t, s)
	id := session.machine(s.Pool, "conformance")
	// The object is the machine, not a copy of what it was: under its new name it is still the one meant.
	results := session.done(
		vmByID("vm", id),
		call("rename", "Rename-VM", p{"VM": hostagent.Ref{Call: "vm"}, "NewName": hostagent.Text("conformance-2")}),
		call("set", "Set-VM", p{"VM": hostagent.Ref{Call: "vm"}, "ProcessorCount": hostagent.Int(2)}),
		vmByID("look", id, "Name", "ProcessorCount"),
	)
	vm := session.one(results.ByID("look"))
	if vm.Text("Name") != "conformance-2" || vm.Int("ProcessorCount") != 2 {
		t.Errorf("the machine is %v, want conformance-2 with 2 processors", vm)
	}
}

func refsPassProperties(t *testing.T, s Subject) {
	session := open(t, s)
	id := session.machine(s.Pool, "conformance")
	results := session.done(
		vmByID("vm", id),
		call("same", "Get-VM", p{"Id": hostagent.Ref{Call: "vm", Property: "Id"}}, "Id"),
	)
	if diff := cmp.Diff([]hostagent.Object{{"Id": id}}, results.ByID("same").Values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func refsStandInLists(t *testing.T, s Subject) {
	session := open(t, s)
	first, second := session.machine(s.Pool, "conformance-1"), session.machine(s.Pool, "conformance-2")
	results := session.done(
		vmByID("a", first), vmByID("b", second),
		call("drives", "Get-VMHardDiskDrive", p{"VM": hostagent.List{hostagent.Ref{Call: "a"}, hostagent.Ref{Call: "b"}}}, "VMId"),
	)
	want := []hostagent.Object{{"VMId": first}, {"VMId": second}}
	byID := cmpopts.SortSlices(func(a, b hostagent.Object) bool { return a.Text("VMId") < b.Text("VMId") })
	if diff := cmp.Diff(want, results.ByID("drives").Values, byID); diff != "" {
		t.Errorf("one drive for each machine (-want +got):\n%s", diff)
	}
}
