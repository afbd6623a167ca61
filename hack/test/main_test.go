package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReport(t *testing.T) {
	output := func(test, text string) event { return event{Action: "output", Package: "p", Test: test, Output: text} }
	tests := map[string]struct {
		events []event
		want   string
	}{
		"a package that passes is one line": {
			[]event{
				output("TestA", "=== RUN   TestA\n"), output("TestA", "chatter\n"), {Action: "pass", Package: "p", Test: "TestA"},
				output("", "PASS\n"), output("", "ok  \tp\t0.1s\n"), {Action: "pass", Package: "p"},
			},
			"ok  \tp\t0.1s\n",
		},
		"a package that fails has what its failed tests said": {
			[]event{
				output("TestA", "chatter\n"), {Action: "pass", Package: "p", Test: "TestA"},
				output("TestB", "    b_test.go:1: wrong\n"), output("TestB", "--- FAIL: TestB (0.00s)\n"), {Action: "fail", Package: "p", Test: "TestB"},
				output("", "FAIL\n"), output("", "FAIL\tp\t0.1s\n"), {Action: "fail", Package: "p"},
			},
			"    b_test.go:1: wrong\n--- FAIL: TestB (0.00s)\nFAIL\nFAIL\tp\t0.1s\n",
		},
		"a package that dies has what the test said that ran": {
			[]event{output("TestA", "on my way\n"), output("", "panic: oh\n"), {Action: "fail", Package: "p"}},
			"on my way\npanic: oh\n",
		},
		"a package without tests": {
			[]event{output("", "?   \tp\t[no test files]\n"), {Action: "skip", Package: "p"}},
			"?   \tp\t[no test files]\n",
		},
		"what does not build": {
			[]event{{Action: "build-output", Output: "a.go:1: oh\n"}, {Action: "build-fail"}},
			"a.go:1: oh\n",
		},
		"skipped tests come at the end, once for a reason": {
			[]event{
				output("TestA", "    a_test.go:3: no PowerShell: none is there\n"), output("TestA", "--- SKIP: TestA (0.00s)\n"), {Action: "skip", Package: "p", Test: "TestA"},
				output("TestB", "    b_test.go:9: no PowerShell: none is there\n"), {Action: "skip", Package: "p", Test: "TestB"},
				{Action: "skip", Package: "p", Test: "TestC"},
				output("", "ok  \tp\t0.1s\n"), {Action: "pass", Package: "p"},
			},
			"ok  \tp\t0.1s\n\nSkipped:\n  (no reason given)\n      p TestC\n  no PowerShell: none is there\n      p TestA and 1 more\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var in, out bytes.Buffer
			for _, e := range test.events {
				if err := json.NewEncoder(&in).Encode(e); err != nil {
					t.Fatal(err)
				}
			}
			r := newReport(&out)
			if err := r.read(&in); err != nil {
				t.Fatal(err)
			}
			r.printSkipped()
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("what is no event is printed", func(t *testing.T) {
		var out bytes.Buffer
		if err := newReport(&out).read(strings.NewReader("go: no such module")); err != nil || out.String() != "go: no such module" {
			t.Errorf("%q, %v", out.String(), err)
		}
	})
}
