package lifecycle_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"guestclustering.io/operator/api/v1alpha1"
)

var _ = Describe("A guest cluster", func() {
	It("comes to be as asked, in few calls and few writes, and then nothing moves", func(ctx SpecContext) {
		world := newWorld()
		DeferCleanup(world.Close)
		o := startOperator(world.Driver())
		DeferCleanup(o.end)
		s := newSite(ctx)
		gc := s.guestCluster(ctx, "files")

		Eventually(gcCondition(ctx, gc, v1alpha1.ConditionReady)).Should(Equal("True Succeeded"))
	})
})
