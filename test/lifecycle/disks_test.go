package lifecycle_test

import (
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"guestclustering.io/operator/api/v1alpha1"
)

// template makes a guest cluster's disks one, data, with this reclaim policy.
func template(policy v1alpha1.ReclaimPolicy) func(*v1alpha1.GuestCluster) {
	return func(gc *v1alpha1.GuestCluster) {
		gc.Spec.SharedDisks = []v1alpha1.GuestClusterSharedDisk{{Name: "data", Template: &v1alpha1.SharedDiskTemplate{
			Spec: v1alpha1.SharedDiskTemplateSpec{Size: resource.MustParse("10Gi"), StoragePool: "gold", ReclaimPolicy: policy},
		}}}
	}
}

var _ = Describe("A shared disk", func() {
	It("belongs to one guest cluster at a time, also when two ask in the same moment", func(ctx SpecContext) {
		s := newSite(ctx)
		logs := s.sharedDisk(ctx, "logs")
		left, right := s.newGuestCluster("left", refersTo("logs")), s.newGuestCluster("right", refersTo("logs"))
		var both sync.WaitGroup
		for _, gc := range []*v1alpha1.GuestCluster{left, right} {
			both.Go(func() {
				defer GinkgoRecover()
				Expect(c.Create(ctx, gc)).To(Succeed())
			})
		}
		both.Wait()
		Eventually(func() *v1alpha1.DiskClaim { return s.existingDisk(ctx, "logs").Status.Claim }).ShouldNot(BeNil())
		has, waits := left, right
		if s.existingDisk(ctx, "logs").Status.Claim.Name == "right" {
			has, waits = right, left
		}

		becomesReady(ctx, has)
		Eventually(stalled(ctx, waits)).Should(Equal("True DiskInUse: logs belongs to guest cluster " + s.namespace + "/" + has.Name + "; detach it there first"))
		Expect(ready(ctx, waits)()).To(HavePrefix("False DiskInUse: "))
		Expect(condition(ctx, waits, v1alpha1.ConditionAvailable)()).To(HavePrefix("False "), "nothing is started without its disk")
		s.polls(2)
		Expect(s.existingDisk(ctx, "logs").Status.AttachedTo).To(Equal([]string{capitals(has.Name) + "-1", capitals(has.Name) + "-2"}))

		By("taking it off the one that has it")
		edit(ctx, has, refersTo())
		becomesReady(ctx, waits, has)
		becomesReady(ctx, logs)
		Expect(logs.Status.Claim.UID).To(Equal(waits.UID))
		Expect(logs.Status.AttachedTo).To(Equal([]string{capitals(waits.Name) + "-1", capitals(waits.Name) + "-2"}))
		var order []string
		for _, e := range s.changes(0) {
			if e.Call.Cmdlet == "Remove-VMHardDiskDrive" || e.Call.Cmdlet == "Add-VMHardDiskDrive" {
				order = append(order, e.Call.Cmdlet)
			}
		}
		Expect(order).To(Equal([]string{
			"Add-VMHardDiskDrive", "Add-VMHardDiskDrive", "Remove-VMHardDiskDrive", "Remove-VMHardDiskDrive", "Add-VMHardDiskDrive", "Add-VMHardDiskDrive",
		}))
		s.expectRest(ctx, 2)
	})

	It("follows its template's policy, and its data outlives the guest cluster", func(ctx SpecContext) {
		s := newSite(ctx)
		other := s.sharedDisk(ctx, "third-data")
		first := s.guestCluster(ctx, "first", template(v1alpha1.ReclaimDelete))
		again := s.guestCluster(ctx, "again", template(v1alpha1.ReclaimRetain))
		third := s.guestCluster(ctx, "third", template(v1alpha1.ReclaimRetain))
		Eventually(stalled(ctx, third)).Should(Equal("True DiskNameTaken: a SharedDisk third-data exists that is not this guest cluster's; rename the disk in spec.sharedDisks, or refer to it with type Reference"))
		becomesReady(ctx, first, again)
		Expect(s.existingDisk(ctx, "third-data").Status.Claim).To(BeNil())

		By("changing the policy")
		owned := func() []metav1.OwnerReference { return s.existingDisk(ctx, "first-data").OwnerReferences }
		Expect(owned()).To(ConsistOf(And(HaveField("UID", first.UID), HaveField("Kind", "GuestCluster"))))
		edit(ctx, first, func(gc *v1alpha1.GuestCluster) {
			gc.Spec.SharedDisks[0].Template.Spec.ReclaimPolicy = v1alpha1.ReclaimRetain
		})
		Eventually(owned).Should(BeEmpty())
		Expect(s.existingDisk(ctx, "first-data").Spec.ReclaimPolicy).To(Equal(v1alpha1.ReclaimRetain))
		edit(ctx, first, func(gc *v1alpha1.GuestCluster) {
			gc.Spec.SharedDisks[0].Template.Spec.ReclaimPolicy = v1alpha1.ReclaimDelete
		})
		Eventually(owned).Should(HaveLen(1))

		By("referring to what a template would have made")
		edit(ctx, third, func(gc *v1alpha1.GuestCluster) {
			gc.Spec.SharedDisks[0] = v1alpha1.GuestClusterSharedDisk{Name: "data", Type: v1alpha1.SharedDiskFromReference, SharedDiskRef: &v1alpha1.SharedDiskReference{Name: "third-data"}}
		})
		becomesReady(ctx, third, other)

		By("deleting and making again")
		before := s.existingDisk(ctx, "again-data")
		Expect(before.OwnerReferences).To(BeEmpty())
		Expect(before.Labels).To(HaveKeyWithValue(v1alpha1.LabelGuestCluster, "again"))
		s.delete(ctx, again)
		s.delete(ctx, first)
		Eventually(gone(ctx, again)).Should(BeTrue())
		Eventually(gone(ctx, first)).Should(BeTrue())
		Eventually(condition(ctx, before, v1alpha1.ConditionAttached)).Should(Equal("False Unclaimed: no guest cluster uses the disk"))
		Eventually(gone(ctx, &v1alpha1.SharedDisk{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "first-data"}})).Should(BeTrue())
		Expect(s.files("first")).To(BeEmpty())
		Expect(s.files("AGAIN")).To(BeEmpty())
		Expect(s.files("again-data.vhds")).To(ConsistOf(before.Status.Path))
		from := s.now()
		again = s.guestCluster(ctx, "again", template(v1alpha1.ReclaimRetain))
		becomesReady(ctx, again)
		after := s.existingDisk(ctx, "again-data")
		Expect(after.UID).To(Equal(before.UID))
		Expect(after.Status.DiskIdentifier).To(Equal(before.Status.DiskIdentifier))
		Expect(after.Status.Claim.UID).To(Equal(again.UID))
		Expect(s.cmdlets(from)).NotTo(ContainElement("New-VHD"))
		Expect(slices.Contains(s.cmdlets(from), "Remove-StampedFolder")).To(BeFalse())

		By("deleting the disk too: what it left blocks the next of its name")
		s.delete(ctx, again)
		Eventually(gone(ctx, again)).Should(BeTrue())
		s.delete(ctx, after)
		Eventually(gone(ctx, after)).Should(BeTrue())
		again = s.guestCluster(ctx, "again", template(v1alpha1.ReclaimRetain))
		left := "OwnedByPrevious: " + before.Status.Folder + " holds " + s.namespace + "/again-data of UID " + string(before.UID) + "; choose another name"
		next := &v1alpha1.SharedDisk{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "again-data"}}
		Eventually(stalled(ctx, next)).Should(Equal("True " + left))
		Eventually(stalled(ctx, again)).Should(Equal("True " + strings.Replace(left, ": ", ": SharedDisk again-data: ", 1)))
		Expect(s.files("again-data.vhds")).To(ConsistOf(before.Status.Path))
	})
})
