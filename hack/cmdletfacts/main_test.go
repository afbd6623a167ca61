package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hyperv/surface"
)

const published = `{
 "source": {"windows": {"repo": "docs", "commit": "c", "date": "d", "docset": "winserver2025-ps"}, "powershell": {}, "reflection": {}},
 "types": {"M": {"enums": {"Colour": {"Red": 2, "Blue": 1}, "Unused": {"A": 1}}, "classes": {"Thing": {"Name": "String"}, "Other": {}}}},
 "modules": {"M": {"Get-Thing": {
  "defaultSet": "A", "outputs": ["Microsoft.Thing"], "parameterSets": {"A": ["Name", "Hidden", "WhatIf"], "B": ["Colour"]},
  "parameters": {"Name": {"type": "String", "required": true}, "Hidden": {"type": "Int32", "from": "reflection"}, "WhatIf": {"type": "SwitchParameter"}, "Colour": {"type": "Colour[]"}}
 }, "Get-Unused": {"parameterSets": {"A": []}, "parameters": {}}}}
}`

func TestPick(t *testing.T) {
	var r reference
	if err := json.Unmarshal([]byte(published), &r); err != nil {
		t.Fatal(err)
	}
	facts, err := r.pick([]string{"Get-Thing", "Get-Ours"}, []string{"Get-Unused"}, map[string]surface.Cmdlet{"Get-Ours": {}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"source":{"powershell":{},"reflection":{},"windows":{"repo":"docs","commit":"c","date":"d","docset":"winserver2025-ps"}},` +
		`"cmdlets":{"Get-Thing":{"module":"M","defaultSet":"A","parameterSets":{"A":["Name"],"B":["Colour"]},` +
		`"parameters":{"Colour":{"type":"Colour[]"},"Name":{"type":"String","required":true}},"outputs":["Microsoft.Thing"],"shouldProcess":true},` +
		`"Get-Unused":{"module":"M","inside":true,"parameterSets":{"A":[]},"parameters":{}}},` +
		`"enums":{"Colour":["Blue","Red"]},"classes":{"Thing":{"Name":"String"}}}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestPickRefusesWhatHasNoFacts(t *testing.T) {
	var r reference
	if err := json.Unmarshal([]byte(published), &r); err != nil {
		t.Fatal(err)
	}
	_, err := r.pick([]string{"Get-Pony"}, nil, nil)
	if want := "no facts about Get-Pony: it is no published cmdlet and no named function"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestFactsAreCurrent: the facts in the project are what the program takes today.
func TestFactsAreCurrent(t *testing.T) {
	root := filepath.Join("..", "..")
	from := filepath.Join(root, defaultFrom)
	if _, err := os.Stat(from); err != nil {
		t.Skipf("the description of the published cmdlets is not at %s", defaultFrom)
	}
	want, err := os.ReadFile(filepath.Join(root, to))
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "facts.json")
	var report bytes.Buffer
	if err := run(from, out, &report); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s is not what the program takes from %s; run go run ./hack/cmdletfacts", to, defaultFrom)
	}
	for _, said := range []string{"cmdlets with", "MicrosoftDocs/windows-powershell-docs winserver2025-ps, commit ", "MicrosoftDocs/PowerShell-Docs 5.1, commit "} {
		if !strings.Contains(report.String(), said) {
			t.Errorf("the report does not say %q:\n%s", said, report.String())
		}
	}
}
