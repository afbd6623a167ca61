package lifecycle_test

import (
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"guestclustering.io/operator/api/v1alpha1"
)

var _ = Describe("A guest cluster", func() {
	It("comes to be as asked, in few calls and few writes, and then nothing moves", func(ctx SpecContext) {
		s := newSite(ctx)
		writes := s.statusWrites(ctx, "files")
		gc := s.guestCluster(ctx, "files")
		becomesReady(ctx, gc)
		for _, e := range s.world.Journal(0) {
			if e.Call != nil && e.Call.Changes() || e.Call == nil {
				n := ""
				if e.Call != nil { n = e.Call.Cmdlet }
				fmt.Fprintln(GinkgoWriter, e.Seq, e.Host, e.Session, e.Batch, e.Index, n, e.State, e.Effect, e.Errors)
			}
		}
		for i, w := range writes() { fmt.Fprintln(GinkgoWriter, "write", i, w) }
		fmt.Fprintln(GinkgoWriter, batches(s.changes(0)), batches(s.world.Journal(0)))
		fmt.Fprintf(GinkgoWriter, "%+v\n", s.machines(ctx))
		_ = slices.Sort[[]string]
		Expect(gc.Status.Summary.Members).To(Equal("2/2"))
		_ = v1alpha1.ConditionReady
	})
})
