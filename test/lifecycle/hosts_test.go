package lifecycle_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hypervsim"
)

func reports(gc *v1alpha1.GuestCluster) {
	gc.Spec.AntiAffinity.Remediation = v1alpha1.RemediationReport
}

// moves are the live migrations that the operator asked for since an entry.
func (s *site) moves(since int) []string {
	var out []string
	for _, e := range s.changes(since) {
		if e.Call.Cmdlet == "Move-ClusterVirtualMachineRole" {
			out = append(out, e.Effect)
		}
	}
	return out
}

// expectOneMoveAtATime holds that no live migration was asked for before the last one was over.
func (s *site) expectOneMoveAtATime(since int) {
	GinkgoHelper()
	under := ""
	for _, e := range s.world.Journal(since) {
		switch {
		case e.Call != nil && e.Call.Cmdlet == "Move-ClusterVirtualMachineRole":
			Expect(under).To(BeEmpty(), "%s was asked for while %s", e.Effect, under)
			under = e.Effect
		case e.Call == nil && strings.Contains(e.Effect, " moved from "):
			under = ""
		}
	}
}

// freeHost is the host that runs no machine.
func (s *site) freeHost() string {
	GinkgoHelper()
	state := s.world.State()
	for _, h := range state.Hosts {
		if !slices.ContainsFunc(state.Machines, func(vm hypervsim.VMState) bool { return vm.Host == h.Name }) {
			return h.Name
		}
	}
	Fail("every host runs something")
	return ""
}

var _ = Describe("Placement", func() {
	It("is told while a host is lost and another is drained, and repaired by one migration when it is back", func(ctx SpecContext) {
		s := newSite(ctx, settings{model: func(m *hypervsim.Model) {
			// Long enough that the time between is seen.
			m.Durations.Resiliency = 100 * time.Second
		}})
		web := s.guestCluster(ctx, "web", members(3))
		becomesReady(ctx, web)
		group, hc := s.existingGroup(ctx, "web"), s.hostClusterObject(ctx)
		one := s.vm("WEB-1")
		lost, drained := s.vmState(one).Host, s.freeHost()
		writes := s.statusWrites(ctx, "web")
		from := s.now()

		By("draining " + drained + " and losing " + lost)
		Expect(s.world.Drain(drained)).To(Succeed())
		Eventually(func() []v1alpha1.HostStatus { return s.hostClusterObject(ctx).Status.Hosts }).Should(ContainElement(And(HaveField("Name", drained), HaveField("State", "Paused"))))
		Expect(s.world.FailHost(lost)).To(Succeed())
		Eventually(func() string { return s.vmState(one).Host }).ShouldNot(Equal(lost))
		shared := s.vmState(one).Host
		Eventually(condition(ctx, web, v1alpha1.ConditionPlacementSatisfied)).Should(HavePrefix("False Violated: members share host " + shared))
		Eventually(ready(ctx, web)).Should(Equal("True Succeeded"), "placement is a preference: it informs")
		Expect(condition(ctx, web, v1alpha1.ConditionAvailable)()).To(Equal("True Succeeded"))
		Expect(condition(ctx, group, v1alpha1.ConditionSatisfied)()).To(HavePrefix("False Violated: members share host " + shared))
		Expect(group.Status.Violations).To(ConsistOf(And(HaveField("HostName", shared), HaveField("Members", ContainElement("WEB-1")))))
		Expect(web.Status.Summary.Message).To(HavePrefix("members share host " + shared))
		Expect(writes()).To(ContainElement(Or(
			ContainSubstring("MachinesReady Unknown ObservationIncomplete: WEB-1 was on "+lost+", which cannot be seen now"),
			ContainSubstring("MachinesReady False Restarting: WEB-1 waits for a restart after the loss of "+lost))))
		s.polls(2)
		Expect(s.cmdlets(from)).To(BeEmpty(), "the hosts restart a member, not the operator, and there is no free host to move to")

		By("letting " + lost + " come back")
		Expect(s.world.ReturnHost(lost)).To(Succeed())
		Eventually(condition(ctx, web, v1alpha1.ConditionPlacementSatisfied)).Should(Equal("True Succeeded"))
		becomesReady(ctx, web, group, hc)
		Expect(s.moves(from)).To(ConsistOf(HaveSuffix(fmt.Sprintf("from %s to %s", shared, lost))))
		Expect(s.world.Resume(drained)).To(Succeed())
		Eventually(func() string { return s.hostClusterObject(ctx).Status.Summary.Hosts }).Should(Equal("4/4"))
		s.expectRest(ctx, 3)
		Expect(s.cmdlets(from)).To(Equal([]string{"Move-ClusterVirtualMachineRole"}))
	})

	It("is unknown while no host answers, and nothing is concluded from that", func(ctx SpecContext) {
		s := newSite(ctx)
		gc := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimRetain))
		becomesReady(ctx, gc)
		want, from := s.pictures(ctx), s.now()
		hc, disk, group := s.hostClusterObject(ctx), s.existingDisk(ctx, "files-data"), s.existingGroup(ctx, "files")
		id, err := s.world.AddFault(hypervsim.Fault{Kind: hypervsim.DropBefore})
		Expect(err).NotTo(HaveOccurred())
		Eventually(ready(ctx, hc)).Should(HavePrefix("False HostUnreachable: no host could tell about the host cluster; trying again: "))
		unread := "Unknown HostUnreachable: the hosts of " + s.hostCluster + " cannot be read; see HostCluster " + s.hostCluster
		Eventually(ready(ctx, gc)).Should(Equal(unread))
		Eventually(ready(ctx, disk)).Should(Equal(unread))
		Eventually(ready(ctx, group)).Should(HavePrefix("Unknown HostUnreachable: "))
		Expect(condition(ctx, gc, v1alpha1.ConditionStalled)()).To(Equal("False Succeeded"))
		Expect(gcMember(gc, "FILES-1").VMID).NotTo(BeEmpty(), "what was known stays in status")
		s.operator.end()
		s.start()
		Consistently(ready(ctx, gc)).WithTimeout(2 * time.Second).Should(Equal(unread))
		Expect(s.world.RemoveFault(id)).To(Succeed())
		becomesReady(ctx, hc, gc, disk, group)
		Expect(s.pictures(ctx)).To(Equal(want))
		Expect(s.cmdlets(from)).To(BeEmpty())
	})

	It("is only reported where that is asked for, and repaired one at a time where not", func(ctx SpecContext) {
		s := newSite(ctx)
		told := s.guestCluster(ctx, "told", noDisks, reports)
		a, b := s.guestCluster(ctx, "a", noDisks), s.guestCluster(ctx, "b", noDisks)
		becomesReady(ctx, told, a, b)
		from := s.now()
		for _, name := range []string{"TOLD", "A", "B"} {
			Expect(s.world.MoveVM(s.vm(name+"-2"), s.vmState(s.vm(name+"-1")).Host)).To(Succeed())
		}
		Eventually(condition(ctx, told, v1alpha1.ConditionPlacementSatisfied)).Should(Equal("False Violated: members share host " + s.vmState(s.vm("TOLD-1")).Host))
		for _, gc := range []*v1alpha1.GuestCluster{a, b} {
			Eventually(func() bool {
				return s.vmState(s.vm(capitals(gc.Name)+"-1")).Host != s.vmState(s.vm(capitals(gc.Name)+"-2")).Host
			}).Should(BeTrue())
			Eventually(condition(ctx, gc, v1alpha1.ConditionPlacementSatisfied)).Should(Equal("True Succeeded"))
		}
		s.expectRest(ctx, 3)
		Expect(s.moves(from)).To(ConsistOf(ContainSubstring(s.vm("A-")), ContainSubstring(s.vm("B-"))))
		s.expectOneMoveAtATime(from)
		Expect(condition(ctx, told, v1alpha1.ConditionPlacementSatisfied)()).To(HavePrefix("False Violated: "))

		By("asking for the repair after all")
		edit(ctx, told, func(gc *v1alpha1.GuestCluster) { gc.Spec.AntiAffinity.Remediation = v1alpha1.RemediationMigrate })
		Eventually(condition(ctx, told, v1alpha1.ConditionPlacementSatisfied)).Should(Equal("True Succeeded"))
	})

	It("weighs rules together, so that two of them never play ping-pong", func(ctx SpecContext) {
		s := newSite(ctx)
		together := &v1alpha1.AntiAffinityGroup{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "together"},
			Spec: v1alpha1.AntiAffinityGroupSpec{
				HostClusterRef: v1alpha1.HostClusterReference{Name: s.hostCluster}, Remediation: v1alpha1.RemediationMigrate,
				GuestClusters: []v1alpha1.GuestClusterReference{{Name: "a"}, {Name: "b"}},
			},
		}
		Expect(c.Create(ctx, together)).To(Succeed())
		Eventually(condition(ctx, together, v1alpha1.ConditionRuleApplied)).Should(Equal("True NoMembersYet"))
		a, b := s.guestCluster(ctx, "a", noDisks), s.guestCluster(ctx, "b", noDisks)
		becomesReady(ctx, a, b, together)
		Eventually(condition(ctx, together, v1alpha1.ConditionSatisfied)).Should(Equal("True Succeeded"), "four machines, four hosts")
		Expect(s.group(s.vm("A-1")).ClassNames).To(ConsistOf(together.Status.ClassName, s.existingGroup(ctx, "a").Status.ClassName))

		By("moving a machine beside one of the other guest cluster")
		from := s.now()
		home := s.vmState(s.vm("A-2")).Host
		Expect(s.world.MoveVM(s.vm("A-2"), s.vmState(s.vm("B-1")).Host)).To(Succeed())
		Eventually(func() []string { return s.moves(from) }).Should(HaveLen(1))
		Eventually(condition(ctx, together, v1alpha1.ConditionSatisfied)).Should(Equal("True Succeeded"))
		// What was true before the move is still told for a moment.
		s.polls(4)
		becomesReady(ctx, a, b, together)
		s.expectRest(ctx, 3)
		Expect(s.moves(from)).To(ConsistOf(HaveSuffix(" to " + home)))

		By("draining a host: now the rules cannot all hold")
		from = s.now()
		Expect(s.world.Drain(home)).To(Succeed())
		Eventually(condition(ctx, together, v1alpha1.ConditionSatisfied)).Should(And(HavePrefix("False Violated: members share host "), HaveSuffix("; not moved now: no other host is free of its anti-affinity classes")))
		becomesReady(ctx, a, b)
		s.polls(6)
		Expect(s.moves(from)).To(BeEmpty())
		Expect(s.world.Resume(home)).To(Succeed())
		Eventually(condition(ctx, together, v1alpha1.ConditionSatisfied)).Should(Equal("True Succeeded"))
		s.expectRest(ctx, 3)
		Expect(s.moves(from)).To(HaveLen(1))

		By("deleting the rule, which takes its class name along and no other")
		s.delete(ctx, together)
		Eventually(gone(ctx, together)).Should(BeTrue())
		Expect(s.group(s.vm("A-1")).ClassNames).To(ConsistOf(s.existingGroup(ctx, "a").Status.ClassName))
	})
})
