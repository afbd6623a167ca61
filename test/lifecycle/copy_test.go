package lifecycle_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"guestclustering.io/operator/pkg/hypervsim"
)

var _ = Describe("A copy of an image whose host fails", func() {
	It("is begun anew: by another host while that one is gone, by the host itself once it is back", func(ctx SpecContext) {
		s := newSite(ctx, settings{model: func(m *hypervsim.Model) { m.Durations.CopyPerGiB = 20 * time.Second }})

		By("losing the host")
		first := s.guestCluster(ctx, "first", noDisks)
		lost := s.copies(0, "FIRST-")
		Expect(s.world.FailHost(lost)).To(Succeed())
		becomesReady(ctx, first)
		Expect(s.copiesBegun(0)).To(HaveExactElements(lost, lost, Not(Equal(lost)), Not(Equal(lost))))
		Expect(s.world.ReturnHost(lost)).To(Succeed())
		Eventually(func() string { return s.hostClusterObject(ctx).Status.Summary.Hosts }).Should(Equal("4/4"))

		By("starting the host again")
		from := s.now()
		second := s.guestCluster(ctx, "second", noDisks)
		again := s.copies(from, "SECOND-")
		Expect(s.world.FailHost(again)).To(Succeed())
		Expect(s.world.ReturnHost(again)).To(Succeed())
		becomesReady(ctx, second)
		Expect(s.copiesBegun(from)).To(HaveExactElements(again, again, again, again), "nobody else takes over what its host can begin anew")
		Expect(s.files(".partial")).To(BeEmpty())
	})
})

// copies waits until two members' images are being copied since an entry, and gives the host that does it.
func (s *site) copies(since int, prefix string) string {
	GinkgoHelper()
	Eventually(func() []string { return s.copiesBegun(since) }).Should(HaveLen(2))
	Expect(s.files(prefix)).To(ContainElement(HaveSuffix(".partial")))
	return s.copiesBegun(since)[0]
}

// copiesBegun are the hosts on which copies were begun since an entry, in order.
func (s *site) copiesBegun(since int) []string {
	var hosts []string
	for _, e := range s.changes(since) {
		if strings.HasPrefix(e.Effect, "started copying ") {
			hosts = append(hosts, e.Host)
		}
	}
	return hosts
}
