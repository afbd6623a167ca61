package hostagent_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
)

func TestResultsErr(t *testing.T) {
	busy := hostagent.CallError{Category: "ResourceBusy", Message: "in use"}
	tests := map[string]struct {
		results hostagent.Results
		class   hostagent.Class
		want    string
	}{
		"all done":              {hostagent.Results{{ID: "a", State: hostagent.Done}, {ID: "b", State: hostagent.NotRun}}, "", ""},
		"the first that failed": {hostagent.Results{{ID: "a", State: hostagent.Done}, {ID: "b", State: hostagent.Failed, Errors: []hostagent.CallError{busy}}, {ID: "c", State: hostagent.NotRun}}, hostagent.Busy, "call b: in use"},
		"failed without words":  {hostagent.Results{{ID: "a", State: hostagent.Failed}}, hostagent.Internal, "call a: Internal"},
		"an end not seen":       {hostagent.Results{{ID: "a", State: hostagent.Unknown}}, hostagent.OutcomeUnknown, "call a: OutcomeUnknown"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.results.Err()
			if message(err) != test.want || hostagent.ClassOf(err) != test.class {
				t.Errorf("got %v of class %q, want %s of class %q", err, hostagent.ClassOf(err), test.want, test.class)
			}
		})
	}
}

func TestByID(t *testing.T) {
	results := hostagent.Results{{ID: "a", State: hostagent.Done}}
	if got := results.ByID("a").State; got != hostagent.Done {
		t.Errorf("got %s", got)
	}
	if got := results.ByID("b").State; got != hostagent.Unknown {
		t.Errorf("a call without a result is %s", got)
	}
}

func TestObjectReadsWhatAHostSends(t *testing.T) {
	dec := json.NewDecoder(strings.NewReader(`{"Name": "a", "Size": 9007199254740993, "On": true, "Names": ["a", 5, "b"], "One": "x", "Disks": [{"Path": "p"}, 1], "Nothing": null}`))
	dec.UseNumber()
	var o hostagent.Object
	if err := dec.Decode(&o); err != nil {
		t.Fatal(err)
	}
	got := []any{
		o.Text("Name"), o.Text("Size"), o.Text("On"), o.Text("Nothing"), o.Text("Missing"),
		o.Int("Size"), o.Int("Name"), o.Bool("On"), o.Bool("Name"),
		o.Texts("Names"), o.Texts("One"), o.Texts("Missing"), o.Objects("Disks"), o.Objects("Name"),
	}
	want := []any{
		"a", "9007199254740993", "true", "", "",
		int64(9007199254740993), int64(0), true, false,
		[]string{"a", "b"}, []string{"x"}, []string(nil), []hostagent.Object{{"Path": "p"}}, []hostagent.Object(nil),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
