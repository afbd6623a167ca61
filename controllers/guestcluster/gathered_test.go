package guestcluster

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

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

func TestNeighbours(t *testing.T) {
	on := v1alpha1.HostClusterReference{Name: "rack1"}
	now := metav1.Now()
	cluster := func(name string, change func(*v1alpha1.GuestCluster)) v1alpha1.GuestCluster {
		gc := v1alpha1.GuestCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: name, UID: types.UID("u-" + name)}}
		gc.Spec.HostClusterRef, gc.Spec.Members.Count = on, new(int32(2))
		if change != nil {
			change(&gc)
		}
		return gc
	}
	rule := func(names ...string) v1alpha1.AntiAffinityGroup {
		r := v1alpha1.AntiAffinityGroup{Spec: v1alpha1.AntiAffinityGroupSpec{HostClusterRef: on}}
		for _, name := range names {
			r.Spec.GuestClusters = append(r.Spec.GuestClusters, v1alpha1.GuestClusterReference{Name: name})
		}
		return r
	}
	ends := rule("sql", "last")
	ends.DeletionTimestamp = &now
	elsewhere := rule("sql", "last")
	elsewhere.Spec.HostClusterRef.Name = "rack2"
	all := []v1alpha1.GuestCluster{
		cluster("sql", nil),
		cluster("dtc", func(gc *v1alpha1.GuestCluster) {
			gc.Status.Members = []v1alpha1.MemberStatus{{Name: "DTC-1", VMID: "a"}, {Name: "DTC-2"}}
		}),
		cluster("goes", func(gc *v1alpha1.GuestCluster) { gc.DeletionTimestamp = &now }),
		cluster("away", func(gc *v1alpha1.GuestCluster) { gc.Spec.HostClusterRef.Name = "rack2" }),
		cluster("dtc", func(gc *v1alpha1.GuestCluster) { gc.Namespace = "web" }),
		cluster("stranger", nil), cluster("last", nil), cluster("new", nil),
	}
	rules := []v1alpha1.AntiAffinityGroup{rule("sql"), rule("sql", "dtc", "goes", "away"), rule("new", "sql", "nobody"), rule("stranger", "dtc"), ends, elsewhere}
	want := []plan.Neighbour{{Name: "dtc", UID: "u-dtc", Unmade: 1}, {Name: "goes", UID: "u-goes"}, {Name: "new", UID: "u-new", Unmade: 2}}
	if diff := cmp.Diff(want, neighbours(&all[0], rules, all)); diff != "" {
		t.Errorf("who stays apart from sql (-want +got):\n%s", diff)
	}
}
