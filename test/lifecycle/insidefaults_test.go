package lifecycle_test

import (
	"context"
	"fmt"
	"maps"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// formingCalls are the cmdlets of a forming inside guests that make or join something, with how often each has its effect.
var formingCalls = map[string]int{
	"Install-WindowsFeature": 2, "Add-Computer": 2, "Restart-Computer": 2, "Initialize-SharedDisk": 2, "Start-ClusterValidation": 1,
	"New-Cluster": 1, "Add-SharedDisk": 2, "Set-ClusterQuorum": 1, "Set-ClusterNetworkRole": 2, "Set-ClusterHeartbeat": 1,
	"Add-ClusterFileServerRole": 1, "New-ClusterShare": 1,
}

// done counts the calls of a forming that had their effect.
func (s *site) done() map[string]int {
	out := map[string]int{}
	for _, e := range s.world.Journal(0) {
		if e.Call != nil && formingCalls[e.Call.Cmdlet] > 0 && e.Effect != "" {
			out[e.Call.Cmdlet]++
		}
	}
	return out
}

// expectFormedOnce holds that the cluster inside serves as if nothing had happened, and that nothing was done twice for it.
func (s *site) expectFormedOnce(ctx context.Context, gc *v1alpha1.GuestCluster) {
	GinkgoHelper()
	serves(ctx, gc)
	Expect(s.done()).To(Equal(formingCalls), "what had its effect, and how often")
	s.expectInside(gc)
}

// expectInside holds that the guest cluster's status and the world agree that one whole cluster serves, and that everything that was
// made in the domain is recorded.
func (s *site) expectInside(gc *v1alpha1.GuestCluster) {
	GinkgoHelper()
	clusters := s.world.State().GuestClusters
	Expect(clusters).To(HaveLen(1))
	cluster := clusters[0]
	Expect(cluster.Witness).To(HaveValue(HaveField("State", "Online")))
	Expect(cluster.Nodes).To(HaveLen(2))
	Expect(cluster.Nodes).To(HaveEach(HaveField("State", "Up")))
	Expect(cluster.Roles).To(ContainElement(And(HaveField("Name", "FILES-FS"), HaveField("Served", true), HaveField("Shares", ConsistOf("invoices")))))
	inside := gc.Status.FailoverCluster
	Expect(inside.ID).To(BeEquivalentTo(cluster.ID))
	Expect(inside.ObjectGUID).NotTo(BeEmpty())
	Expect(inside.Roles).To(ConsistOf(And(HaveField("State", "Online"), HaveField("ObjectGUID", Not(BeEmpty())))))
	Expect(gc.Status.Members).To(HaveLen(2))
	Expect(gc.Status.Members).To(HaveEach(And(HaveField("NodeState", v1alpha1.NodeUp), HaveField("ComputerObjectGUID", Not(BeEmpty())))))
	Expect(gc.Status.SharedDisks).To(HaveLen(2))
	Expect(gc.Status.SharedDisks).To(HaveEach(And(HaveField("DiskGUID", Not(BeEmpty())), HaveField("ClusterState", "Online"))))
}

var _ = Describe("Forming the cluster inside", func() {
	It("goes on with another manager wherever the first was stopped", func(ctx SpecContext) {
		var cases []sideCase
		// Nine batches make the machines and start them; there are at least as many more inside guests, the joins among them.
		for k := 10; k <= 18; k++ {
			cases = append(cases, isStoppedForming(k, k%2 == 0))
		}
		cases = append(cases, isStoppedForming(13, true), isStoppedForming(14, false))
		sideBySide(ctx, cases)
	})

	It("does nothing twice when an answer is lost", func(ctx SpecContext) {
		var cases []sideCase
		for _, name := range slices.Sorted(maps.Keys(formingCalls)) {
			cases = append(cases, losesAnAnswerInside(hypervsim.Fault{Cmdlet: name, Kind: hypervsim.DropAfter, Count: 1}))
		}
		for _, name := range []string{"Add-Computer", "Restart-Computer", "Initialize-SharedDisk", "New-Cluster"} {
			cases = append(cases, losesAnAnswerInside(hypervsim.Fault{Cmdlet: name, Kind: hypervsim.DropBefore, Count: 1}))
		}
		sideBySide(ctx, cases)
	})
})

// isStoppedForming ends the manager with the k-th changing batch.
func isStoppedForming(k int, sends bool) sideCase {
	return sideCase{fmt.Sprintf("batch %d, sent %v", k, sends), func(ctx context.Context, s *site) {
		s.giveAccounts(ctx)
		gc := s.restarting(ctx, k, sends, func() *v1alpha1.GuestCluster { return s.guestCluster(ctx, "files", failover) })
		s.expectFormedOnce(ctx, gc)
	}}
}

// losesAnAnswerInside drops a connection to a guest.
func losesAnAnswerInside(f hypervsim.Fault) sideCase {
	return sideCase{string(f.Kind) + " " + f.Cmdlet, func(ctx context.Context, s *site) {
		_, err := s.world.AddFault(f)
		Expect(err).NotTo(HaveOccurred())
		s.giveAccounts(ctx)
		gc := s.guestCluster(ctx, "files", failover)
		s.expectFormedOnce(ctx, gc)
		Expect(s.world.Faults()).To(ConsistOf(HaveField("Hit", 1)))
	}}
}

var _ = Describe("The domain of a cluster inside", func() {
	It("may have its names taken, own the local administrators, or be away once members are up", func(ctx SpecContext) {
		cases := []sideCase{{"no domain controller once Ready", domainGoesAway}}
		for _, name := range []string{"FILES-2", "FILES-CL", "FILES-FS"} {
			cases = append(cases, nameIsTaken(name))
		}
		for _, policy := range []windows.AdministratorPolicy{windows.RotateAdministrator, windows.RenameAdministrator, windows.DisableAdministrator} {
			cases = append(cases, policyTakesAdministrator(policy))
		}
		sideBySide(ctx, cases)
	})
})

// nameIsTaken: no member joins while one of the names in the domain is another's.
func nameIsTaken(name string) sideCase {
	return sideCase{"computer account " + name, func(ctx context.Context, s *site) {
		Expect(s.world.AddComputerAccount(name)).To(Succeed())
		s.giveAccounts(ctx)
		gc := s.guestCluster(ctx, "files", failover)
		Eventually(stalled(ctx, gc)).WithTimeout(forming).Should(And(
			HavePrefix("True NameTaken: computer account "+name+" exists and is not ours; "), HaveSuffix("or remove the account")))
		s.polls(3)
		Expect(s.ran("Add-Computer")).To(BeZero())
		Expect(s.world.RemoveComputerAccount(name)).To(Succeed())
		s.expectFormedOnce(ctx, gc)
	}}
}

// policyTakesAdministrator: from the restart on that completes the join, the local administrator is the domain's.
func policyTakesAdministrator(policy windows.AdministratorPolicy) sideCase {
	return sideCase{"policy " + string(policy), func(ctx context.Context, s *site) {
		Expect(s.world.SetAdministratorPolicy(policy)).To(Succeed())
		s.giveAccounts(ctx)
		s.expectFormedOnce(ctx, s.guestCluster(ctx, "files", failover))
	}}
}

// domainGoesAway: guests let the domain's accounts in no more, so that the inside is unknown, and neither down nor Ready. What serves
// goes on serving, and nothing is done about it.
func domainGoesAway(ctx context.Context, s *site) {
	s.giveAccounts(ctx)
	gc := s.guestCluster(ctx, "files", failover)
	serves(ctx, gc)
	from := s.now()
	Expect(s.world.StopDomainController()).To(Succeed())
	Eventually(stalled(ctx, gc)).Should(And(HavePrefix("True GuestCredentialsRefused: "), HaveSuffix("or let the member reach a domain controller")))
	for _, t := range []v1alpha1.ConditionType{v1alpha1.ConditionFormed, v1alpha1.ConditionQuorumHealthy, v1alpha1.ConditionServing, v1alpha1.ConditionAvailable} {
		Eventually(condition(ctx, gc, t)).Should(Equal("Unknown GuestUnreachable: no member can be asked about FILES-CL now"), string(t))
	}
	Expect(ready(ctx, gc)()).To(HavePrefix("False GuestCredentialsRefused: "))
	s.polls(4)
	Expect(s.cmdlets(from)).To(BeEmpty())
	Expect(s.world.State().GuestClusters[0].Roles).To(ContainElement(And(HaveField("Name", "FILES-FS"), HaveField("Served", true), HaveField("Interruptions", 0))))
}
