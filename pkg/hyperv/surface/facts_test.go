package surface_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hyperv/surface"
)

func TestFactsAreAboutTheCmdletsThatWeCall(t *testing.T) {
	for name := range cmdlet.Kinds {
		if _, ok := surface.Loaded().Cmdlets[name]; !ok {
			t.Errorf("%s: no facts; run go run ./hack/cmdletfacts, or write it in functions.ps1", name)
		}
	}
	for name := range surface.Loaded().Cmdlets {
		if cmdlet.Kinds[name] == "" {
			t.Errorf("%s: facts about a cmdlet that is not in cmdlet.Kinds", name)
		}
	}
}

func TestFactsSayWhereTheyAreFrom(t *testing.T) {
	for _, of := range []string{"windows", "powershell"} {
		var source struct{ Repo, Commit, Date string }
		if err := json.Unmarshal(surface.Loaded().Source[of], &source); err != nil {
			t.Fatal(err)
		}
		if source.Repo == "" || len(source.Commit) != 40 || source.Date == "" {
			t.Errorf("source %s: %+v", of, source)
		}
	}
}

func TestEveryParameterIsInASet(t *testing.T) {
	for name, c := range surface.Loaded().Cmdlets {
		if _, ok := c.Sets[c.DefaultSet]; !ok {
			t.Errorf("%s: its default set %q is none of its sets", name, c.DefaultSet)
		}
		for parameter := range c.Parameters {
			found := slices.ContainsFunc(setsOf(c), func(set []string) bool { return slices.Contains(set, parameter) })
			if !found {
				t.Errorf("%s -%s is in no parameter set", name, parameter)
			}
		}
	}
}

func setsOf(c surface.Cmdlet) [][]string {
	var out [][]string
	for _, set := range c.Sets {
		out = append(out, set)
	}
	return out
}

func TestCorrectionsAreRefusedWhenTheyCorrectNothing(t *testing.T) {
	facts, err := os.ReadFile("facts.json")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ corrections, want string }{
		"no reason":         {`[{"cmdlet": "Get-VM", "since": 14393}]`, "entry 1: it has no reason"},
		"no such cmdlet":    {`[{"cmdlet": "Get-Pony", "since": 14393, "reason": "r"}]`, "entry 1: nothing in facts.json is corrected by it"},
		"no such parameter": {`[{"cmdlet": "Get-VM", "parameters": ["Pony"], "since": 14393, "reason": "r"}]`, "entry 1: nothing in facts.json is corrected by it"},
		"no such class":     {`[{"class": "Pony", "base": "Horse", "reason": "r"}]`, "entry 1: there is no class Pony"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := surface.Load(facts, []byte(test.corrections), session.Functions)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
