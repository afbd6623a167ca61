package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	text := `goos: linux
pkg: example.com/a
BenchmarkPlan/100_members-2   	    1000	   1234.5 ns/op	     640 B/op	      12 allocs/op
BenchmarkPoll-2               	       1	 2000000 ns/op	       3.50 batches/host
PASS
ok  	example.com/a	1.2s
pkg: example.com/b
BenchmarkOneProcessor         	      10	     100 ns/op
PASS
`
	want := []result{
		{Package: "example.com/a", Name: "Plan/100_members", Iterations: 1000, Values: map[string]float64{"ns/op": 1234.5, "B/op": 640, "allocs/op": 12}},
		{Package: "example.com/a", Name: "Poll", Iterations: 1, Values: map[string]float64{"ns/op": 2e6, "batches/host": 3.5}},
		{Package: "example.com/b", Name: "OneProcessor", Iterations: 10, Values: map[string]float64{"ns/op": 100}},
	}
	got, err := parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestParseRefusesWhatIsNotANumber(t *testing.T) {
	_, err := parse(strings.NewReader("BenchmarkPoll-2  10  many ns/op\n"))
	if err == nil || !strings.Contains(err.Error(), "many ns/op") {
		t.Errorf("error = %v, want one that shows the line", err)
	}
}
