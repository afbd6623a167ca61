package surface_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/test/powershell"
)

// TestParamBlocksAsPowerShellSeesThem holds our parser of param blocks against PowerShell's.
func TestParamBlocksAsPowerShellSeesThem(t *testing.T) {
	functions, err := surface.ParseFunctions(session.Executor)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for name, c := range functions {
		for _, parameter := range c.Sets["__AllParameterSets"] {
			p := c.Parameters[parameter]
			got[name] = append(got[name], fmt.Sprintf("%s %s %s", parameter, p.Type, map[bool]string{true: "True", false: "False"}[p.Required]))
		}
	}
	want := powershell.Inspect(t, session.Executor).Parameters
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-PowerShell +ours)\n%s", diff)
	}
}

func TestParseFunctionsRefuses(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"another form of function": {
			text: "function Get-Thing\n{\n",
			want: "line 1: want `function Verb-Noun {`",
		},
		"no CmdletBinding": {
			text: "function Get-Thing {\n    param(\n",
			want: "Get-Thing, line 2: want `    [CmdletBinding()]`",
		},
		"an attribute that it does not know": {
			text: "function Get-Thing {\n    [CmdletBinding()]\n    param(\n        [ValidateSet('a')] [string] $A\n    )\n",
			want: "Get-Thing, line 4: want `[Parameter(Mandatory)] [type] $Name,` with a known type",
		},
		"a type that it does not know": {
			text: "function Get-Thing {\n    [CmdletBinding()]\n    param(\n        [datetime] $A\n    )\n",
			want: "Get-Thing, line 4: want `[Parameter(Mandatory)] [type] $Name,` with a known type",
		},
		"a parameter twice": {
			text: "function Get-Thing {\n    [CmdletBinding()]\n    param(\n        [string] $A,\n        [string] $A\n    )\n",
			want: "Get-Thing, line 5: A is there twice",
		},
		"no end": {
			text: "function Get-Thing {\n    [CmdletBinding()]\n    param(\n        [string] $A,",
			want: "Get-Thing, line 4: the param block does not end",
		},
		"something after the last parameter": {
			text: "function Get-Thing {\n    [CmdletBinding()]\n    param(\n        [string] $A\n        [string] $B\n    )\n",
			want: "Get-Thing, line 5: want `    )`",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := surface.ParseFunctions(test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
