package surface_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/test/powershell"
)

func stubs(t *testing.T, build int) string {
	t.Helper()
	var text strings.Builder
	if err := surface.StubModule(&text, build, "$PSBoundParameters"); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestStubModuleIsWindowsPowerShell51(t *testing.T) {
	seen := powershell.Inspect(t, stubs(t, newest))
	for _, problem := range seen.Problems {
		t.Error(problem)
	}
	for name, c := range surface.Loaded().Cmdlets {
		if isCmdlet := c.Module != ""; isCmdlet != slices.Contains(seen.Functions, name) {
			t.Errorf("%s: a function in the module: %v", name, !isCmdlet)
		}
	}
}

func TestStubModuleIsOfItsBuild(t *testing.T) {
	for parameter, since := range map[string]int{
		"[bool] $AutomaticCheckpointsEnabled": hyperv.Build2019, "[version] $Version": hyperv.Build2016,
		"[string] $SourceGuestStatePath": hyperv.Build2025, "[switch] $StaticMemory": hyperv.Build2012R2,
	} {
		for _, build := range surface.Builds {
			// The classes have properties of the same names, which end with a semicolon.
			text := strings.ReplaceAll(stubs(t, build), ",\n", "\n")
			if has := strings.Contains(text, parameter+"\n"); has != (build >= since) {
				t.Errorf("%s on %d: %v", parameter, build, has)
			}
		}
	}
	if err := surface.StubModule(io.Discard, 9200, ""); err == nil {
		t.Error("there are stubs for a host that is older than all facts")
	}
}
