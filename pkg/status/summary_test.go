package status_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"guestclustering.io/operator/pkg/status"
)

// While management is Paused, nothing that is told to be done is being done.
func TestSummaryTellsPausedFirst(t *testing.T) {
	conditions := []metav1.Condition{
		{Type: "Ready", Status: metav1.ConditionFalse, Reason: "Creating", Message: "create machine A"},
		{Type: "Reconciling", Status: metav1.ConditionFalse, Reason: "Paused", Message: "management is Paused"},
	}
	if got := status.Summary(conditions); got != "management is Paused" {
		t.Errorf("the summary is %q", got)
	}
}
