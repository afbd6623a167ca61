package surface_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/test/powershell"
)

func TestFactsAreAboutTheCmdletsThatWeCall(t *testing.T) {
	for name := range kinds() {
		if _, ok := surface.Loaded().Cmdlets[name]; !ok {
			t.Errorf("%s: no facts; run go run ./hack/cmdletfacts, or write it as a named function", name)
		}
	}
	for name, c := range surface.Loaded().Cmdlets {
		if inside := slices.Contains(inside(), name); c.Inside != inside || !inside && kinds()[name] == "" && name != guestBatch {
			t.Errorf("%s: facts about a cmdlet that is in no table Kinds and in no list Inside", name)
		}
	}
}

// What named functions run is no call for a batch.
func TestCmdletsInsideFunctionsAreRefused(t *testing.T) {
	for _, name := range inside() {
		_, err := surface.Bind(hostagent.Call{ID: "1", Cmdlet: name}, newest)
		if r, ok := errors.AsType[*surface.Refusal](err); !ok || r.Kind != surface.UnknownCmdlet {
			t.Errorf("%s: got %v, want a refusal of the kind UnknownCmdlet", name, err)
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
		if _, ok := c.Sets[c.DefaultSet]; !ok && (c.DefaultSet != "" || len(c.Sets) == 1) {
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
			_, err := surface.Load(facts, []byte(test.corrections), session.Executor)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// Cmdlets of the engine itself, which every PowerShell has.
var ofTheEngine = []string{"ForEach-Object", "Get-Command", "Where-Object"}

func TestInsideAreTheCmdletsOfNamedFunctions(t *testing.T) {
	used := map[string]bool{}
	for _, command := range powershell.Inspect(t, session.Functions).Commands {
		name, _, _ := strings.Cut(command, " ")
		if strings.Contains(name, "-") && !slices.Contains(ofTheEngine, name) && kinds()[name] == "" {
			used[name] = true
		}
	}
	if diff := cmp.Diff(inside(), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("what named functions run and no batch does (-Inside +functions):\n%s", diff)
	}
}
