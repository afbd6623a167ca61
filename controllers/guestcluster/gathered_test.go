package guestcluster

import (
	"testing"
	"time"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/pkg/execute"
	"guestclustering.io/operator/pkg/plan"
)

// What comes without a word is looked for.
func TestNext(t *testing.T) {
	for name, tc := range map[string]struct {
		plan plan.Plan
		out  execute.Outcome
		want time.Duration
	}{
		"nothing is waited for":       {},
		"a failed step is due":        {out: execute.Outcome{RetryAfter: time.Second}, want: time.Second},
		"a host has too little room":  {plan: plan.Plan{Waits: []plan.Wait{{Reason: v1alpha1.ReasonWaitingForHost}}}, want: hostref.RoomDelay},
		"a pool has too little room":  {plan: plan.Plan{Blocks: []plan.Block{{Reason: v1alpha1.ReasonPoolFull}}}, want: hostref.RoomDelay},
		"something else must be done": {plan: plan.Plan{Blocks: []plan.Block{{Reason: v1alpha1.ReasonNameTaken}}}},
	} {
		t.Run(name, func(t *testing.T) {
			g := gathered{gc: &v1alpha1.GuestCluster{}, plan: tc.plan}
			if got := g.next(tc.out); got != tc.want {
				t.Errorf("comes back after %s, want %s", got, tc.want)
			}
		})
	}
}
