package surface_test

import (
	"testing"

	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/test/powershell"
)

func TestExamplesBindInPowerShell(t *testing.T) {
	var cases []powershell.Case
	for _, batch := range cmdlet.Examples() {
		cases = append(cases, powershell.Case{Build: newest, Batch: batch})
	}
	for i, verdict := range powershell.Bind(t, cases) {
		for _, call := range verdict.Calls {
			if call.Error != "" {
				t.Errorf("example %d: %s: %s: %s", i+1, call.Cmdlet, call.Error, call.Message)
			}
			t.Log(call)
		}
	}
}
