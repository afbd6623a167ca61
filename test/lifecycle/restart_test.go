package lifecycle_test

import (
	"context"
	"fmt"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
)

// stopper is a driver that ends a manager with a changing batch: with the k-th, either before it is sent or with its answer
// on the way back. What comes after is not sent any more.
type stopper struct {
	hostagent.Driver
	at    int
	sends bool

	mu      sync.Mutex
	counted int
	stopped chan struct{}
}

func (d *stopper) Open(ctx context.Context, target hostagent.Target) (hostagent.Agent, error) {
	agent, err := d.Driver.Open(ctx, target)
	return stoppingAgent{agent, d}, err
}

type stoppingAgent struct {
	hostagent.Agent
	driver *stopper
}

func (a stoppingAgent) Run(ctx context.Context, b hostagent.Batch) (hostagent.Results, error) {
	lost := &hostagent.Error{Class: hostagent.OutcomeUnknown, Op: "run", Target: b.Target, Err: context.Canceled}
	if b.Changes() {
		last, after := a.driver.count()
		if after || last && !a.driver.sends {
			return nil, lost
		}
		if last {
			_, _ = a.Agent.Run(ctx, b)
			return nil, lost
		}
	}
	return a.Agent.Run(ctx, b)
}

// count counts a changing batch, and says whether the manager ends with it or has ended.
func (d *stopper) count() (last, after bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counted++
	if d.counted == d.at {
		close(d.stopped)
	}
	return d.counted == d.at, d.counted > d.at
}

var _ = Describe("A manager that is stopped at any point and started again", func() {
	It("repeats nothing and ends where it would have ended", func(ctx SpecContext) {
		var cases []sideCase
		// A creation takes this many changing batches: folders and copies, the disk, machines, the class name, the starts.
		for k := 1; k <= 8; k++ {
			for _, sends := range []bool{false, true} {
				cases = append(cases, isStopped(k, sends))
			}
		}
		cases = append(cases, sideCase{"addresses", keepsAddresses}, sideCase{"deletion", isStoppedDeleting}, sideCase{"at rest", isStoppedAtRest}, sideCase{"copied before it was recorded", copiedBeforeRecorded})
		sideBySide(ctx, cases)
	})
})

// isStopped ends the manager with the k-th changing batch of a creation.
func isStopped(k int, sends bool) sideCase {
	return sideCase{fmt.Sprintf("batch %d, sent %v", k, sends), func(ctx context.Context, s *site) {
		gc := s.restarting(ctx, k, sends, func() *v1alpha1.GuestCluster { return s.guestCluster(ctx, "files", template(v1alpha1.ReclaimRetain)) })
		s.expectUndisturbed(ctx, gc)
		s.expectRest(ctx, 2)
	}}
}

// restarting replaces the site's manager by one that ends with the k-th changing batch, lets do begin something, and starts
// another manager once the first has ended.
func (s *site) restarting(ctx context.Context, k int, sends bool, do func() *v1alpha1.GuestCluster) *v1alpha1.GuestCluster {
	GinkgoHelper()
	s.operator.end()
	stop := &stopper{Driver: s.driver, at: k, sends: sends, stopped: make(chan struct{})}
	s.operator = startOperator(stop, s.hostCluster, s.namespace)
	gc := do()
	Eventually(stop.stopped).Should(BeClosed(), "there are %d changing batches", k)
	s.operator.end()
	s.start()
	return gc
}

// isStoppedDeleting ends the manager in the middle of a deletion.
func isStoppedDeleting(ctx context.Context, s *site) {
	gc := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimDelete))
	becomesReady(ctx, gc)
	for k := 1; k <= 3; k++ {
		s.restarting(ctx, 1, k%2 == 0, func() *v1alpha1.GuestCluster {
			if k == 1 {
				s.delete(ctx, gc)
			}
			return gc
		})
	}
	Eventually(gone(ctx, gc)).Should(BeTrue())
	Eventually(func() []string { return s.files(s.namespace) }).Should(BeEmpty())
	Expect(s.world.State().Machines).To(BeEmpty())
	s.expectNothingTwice(0)
}

// keepsAddresses: addresses that stand in a status are given to nobody else, also by a manager that did not give them out.
func keepsAddresses(ctx context.Context, s *site) {
	first := s.guestCluster(ctx, "first", noDisks, paused)
	Eventually(func() string { _ = ready(ctx, first)(); return gcMember(first, "FIRST-2").Folder }).ShouldNot(BeEmpty())
	s.operator.end()
	s.start()
	second := s.guestCluster(ctx, "second", noDisks)
	becomesReady(ctx, second)
	edit(ctx, first, managed)
	becomesReady(ctx, first)
	Expect(macs(s.machines(ctx))).To(HaveLen(8))
}

// isStoppedAtRest: a manager that starts where everything is as asked changes nothing on the hosts, and comes to rest.
func isStoppedAtRest(ctx context.Context, s *site) {
	gc := s.guestCluster(ctx, "files")
	becomesReady(ctx, gc)
	becomesReady(ctx, s.hostClusterObject(ctx), s.existingDisk(ctx, "files-data"), s.existingDisk(ctx, "files-witness"))
	s.polls(2)
	from := s.now()
	s.operator.end()
	s.start()
	s.polls(3)
	// On a busy machine a host's first answer may come late, which is told; from then on nothing moves.
	becomesReady(ctx, gc)
	before := s.versions(ctx)
	s.polls(3)
	Expect(s.versions(ctx)).To(Equal(before))
	Expect(s.cmdlets(from)).To(BeEmpty())
}

// copiedBeforeRecorded: of two machines in a member's folder, of which neither is recorded, neither is taken for ours.
func copiedBeforeRecorded(ctx context.Context, s *site) {
	s.operator.end()
	// Folders and copies are two batches, the disk is the third; the machines are made with the fourth and the fifth.
	stop := &stopper{Driver: s.driver, at: 5, sends: true, stopped: make(chan struct{})}
	s.operator = startOperator(stop, s.hostCluster, s.namespace)
	gc := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimRetain))
	Eventually(stop.stopped).Should(BeClosed())
	s.operator.end()
	name := s.world.State().Machines[0].Name
	copied, err := s.world.CopyVM(name, "")
	Expect(err).NotTo(HaveOccurred())
	from := s.now()
	s.start()
	Eventually(stalled(ctx, gc)).Should(And(HavePrefix("True CopyOfOurs: machine "), HaveSuffix("but is another machine; move it to a folder of its own or remove it")))
	s.polls(2)
	Expect(s.cmdlets(from)).NotTo(ContainElement("New-VM"))
	Expect(s.world.RemoveVM(copied, hypervsim.KeepFiles)).To(Succeed())
	s.expectUndisturbed(ctx, gc)
}
