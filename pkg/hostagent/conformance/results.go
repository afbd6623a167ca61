package conformance

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"guestclustering.io/operator/pkg/hostagent"
)

func onlyTheSelectionComes(t *testing.T, s Subject) {
	session := open(t, s)
	id := session.machine(s.Pool, "conformance")
	results := session.done(
		vmByID("nothing", id),
		vmByID("some", id, "Name", "Notes"),
		call("dotted", "Get-ClusterGroup", nil, "Name", "OwnerNode.Name"),
		// A machine without checkpoints has no parent: one path ends in null, the other meets it on the way.
		vmByID("null", id, "ParentSnapshotId", "ParentSnapshotId.Guid"),
	)
	if values := results.ByID("nothing").Values; len(values) > 0 {
		t.Errorf("nothing was selected, and %v came", values)
	}
	wantKeys(t, results.ByID("some"), "Name", "Notes")
	wantKeys(t, results.ByID("dotted"), "Name", "OwnerNode.Name")
	for _, group := range results.ByID("dotted").Values {
		if group.Text("OwnerNode.Name") == "" {
			t.Errorf("group %s has no owner's name", group.Text("Name"))
		}
	}
	want := []hostagent.Object{{"ParentSnapshotId": nil, "ParentSnapshotId.Guid": nil}}
	if diff := cmp.Diff(want, results.ByID("null").Values); diff != "" {
		t.Errorf("null values (-want +got):\n%s", diff)
	}
}

// wantKeys checks that there are values and that each has exactly these keys.
func wantKeys(t *testing.T, r hostagent.Result, keys ...string) {
	t.Helper()
	if len(r.Values) == 0 {
		t.Errorf("call %s gave nothing", r.ID)
	}
	for _, v := range r.Values {
		if got := slices.Sorted(maps.Keys(v)); !slices.Equal(got, keys) {
			t.Errorf("call %s gave the properties %q, want %q", r.ID, got, keys)
		}
	}
}

func listsStayLists(t *testing.T, s Subject) {
	session := open(t, s)
	results := session.done(
		call("host", "Get-VMHost", nil, "SupportedVmVersions"),
		call("groups", "Get-ClusterGroup", nil, "AntiAffinityClassNames"),
		call("volumes", "Get-ClusterSharedVolume", nil, "SharedVolumeInfo.Partition.Size"),
	)
	for id, path := range map[string]string{
		"host": "SupportedVmVersions", "groups": "AntiAffinityClassNames", "volumes": "SharedVolumeInfo.Partition.Size",
	} {
		wantKeys(t, results.ByID(id), path)
		for _, v := range results.ByID(id).Values {
			if _, ok := v[path].([]any); !ok {
				t.Errorf("%s is %T, want a list also when it has one element or none", path, v[path])
			}
		}
	}
}

func valuesComeBesideErrors(t *testing.T, s Subject) {
	session := open(t, s)
	folder := session.folder(s.Pool)
	results := session.run(hostagent.Stop, items("items", folder, folder+`\absent.vhdx`), items("after", folder))
	r := results.ByID("items")
	if diff := cmp.Diff([]hostagent.Object{{"FullName": folder}}, r.Values); diff != "" {
		t.Errorf("what is there (-want +got):\n%s", diff)
	}
	if r.State != hostagent.Failed || len(r.Errors) != 1 || r.Errors[0].Class() != hostagent.NotFound {
		t.Errorf("the call is %s with the errors %+v, want Failed with one that is NotFound", r.State, r.Errors)
	}
	if state := results.ByID("after").State; state != hostagent.NotRun {
		t.Errorf("the next call is %s, want NotRun: an error beside values is an error", state)
	}
}

func stopLeavesTheRestNotRun(t *testing.T, s Subject) {
	session := open(t, s)
	folder, path := session.folder(s.Pool), freshPath(s.Pool)
	session.removeAfterwards(path)
	results := session.run(hostagent.Stop, items("before", folder), absentVM("absent"), newFolder("new", path, stamp), items("after", folder))
	wantStates(t, results, hostagent.Done, hostagent.Failed, hostagent.NotRun, hostagent.NotRun)
	if err := results.Err(); hostagent.ClassOf(err) != hostagent.NotFound && hostagent.ClassOf(err) != hostagent.Invalid {
		t.Errorf("the batch's error is %v", err)
	}
	session.wantAbsent(path)
}

func continueRunsTheRest(t *testing.T, s Subject) {
	session := open(t, s)
	folder := session.folder(s.Pool)
	results := session.run(hostagent.Continue, absentVM("absent"), items("after", folder))
	wantStates(t, results, hostagent.Failed, hostagent.Done)
	wantKeys(t, results.ByID("after"), "FullName")
}

func wantStates(t *testing.T, results hostagent.Results, want ...hostagent.State) {
	t.Helper()
	got := make([]hostagent.State, len(results))
	for i, r := range results {
		got[i] = r.State
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

// absentVM asks for a machine that does not exist.
func absentVM(id string) hostagent.Call { return vmByID(id, uuid.NewString(), "Id") }

// wantAbsent checks that there is nothing at the path.
func (s session) wantAbsent(path string) {
	s.t.Helper()
	if r := s.run(hostagent.Continue, items("look", path))[0]; r.State != hostagent.Failed || len(r.Values) > 0 {
		s.t.Errorf("%s exists", path)
	}
}
