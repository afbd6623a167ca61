package surface_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hyperv/surface"
)

const newest = 26100

func TestExamplesBind(t *testing.T) {
	for _, batch := range cmdlet.Examples() {
		if _, err := surface.BindBatch(batch, newest); err != nil {
			t.Error(err)
		}
	}
}

func TestEveryCmdletIsInTheTable(t *testing.T) {
	got := map[string]bool{}
	for _, batch := range cmdlet.Examples() {
		for _, call := range batch.Calls {
			got[call.Cmdlet] = true
		}
	}
	want := slices.Sorted(maps.Keys(cmdlet.Kinds))
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("the table has other cmdlets than the examples call (-table +examples):\n%s", diff)
	}
}

func TestBindCanonicalises(t *testing.T) {
	call := hostagent.Call{ID: "a", Cmdlet: "Get-VHD", Parameters: hostagent.Parameters{"Path": hostagent.Text(`C:\d.vhdx`)}}
	got, err := surface.Bind(call, newest)
	if err != nil {
		t.Fatal(err)
	}
	want := surface.Bound{Cmdlet: "Get-VHD", ParameterSet: "Path", Values: hostagent.Parameters{"Path": hostagent.Texts(`C:\d.vhdx`)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
