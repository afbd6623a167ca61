package shareddisk

import (
	"testing"
	"time"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/pkg/execute"
	"guestclustering.io/operator/pkg/plan"
)

// A path is decided once and written; a disk that is blocked before its path was written waits to be woken.
func TestNext(t *testing.T) {
	blocked := plan.Plan{Blocks: []plan.Block{{Reason: v1alpha1.ReasonOwnedByPrevious}}}
	full := plan.Plan{Blocks: []plan.Block{{Reason: v1alpha1.ReasonPoolFull}}}
	for name, tc := range map[string]struct {
		recorded string
		plan     plan.Plan
		want     time.Duration
	}{
		"the path was decided now":      {want: time.Millisecond},
		"the path stands in status":     {recorded: `C:\a\b.vhds`, want: 0},
		"blocked before it was written": {plan: blocked, want: 0},
		"there is no room":              {plan: full, want: hostref.RoomDelay},
	} {
		t.Run(name, func(t *testing.T) {
			g := gathered{disk: &v1alpha1.SharedDisk{}, want: plan.SharedDisk{Path: `C:\a\b.vhds`}, plan: tc.plan}
			g.disk.Status.Path = tc.recorded
			if got := g.next(execute.Outcome{}); got != tc.want {
				t.Errorf("comes back after %s, want %s", got, tc.want)
			}
		})
	}
}
