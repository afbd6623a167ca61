package lifecycle_test

import (
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hypervsim"
)

func capitals(name string) string { return strings.ToUpper(name) }

var _ = Describe("Deletion", func() {
	It("removes machines, files and roles in the right order, and keeps what is to be kept", func(ctx SpecContext) {
		s := newSite(ctx)
		gc := s.guestCluster(ctx, "files", func(gc *v1alpha1.GuestCluster) {
			gc.Spec.SharedDisks[0].Template.Spec.ReclaimPolicy = v1alpha1.ReclaimDelete
		})
		stopped := s.guestCluster(ctx, "stopped", noDisks)
		becomesReady(ctx, gc, stopped)
		group, data, witness := s.existingGroup(ctx, "files"), s.existingDisk(ctx, "files-data"), s.existingDisk(ctx, "files-witness")
		hc := s.hostClusterObject(ctx)

		By("deleting the host cluster too early")
		s.delete(ctx, hc)
		Eventually(stalled(ctx, hc)).Should(Equal(strings.ReplaceAll("True InUse: still used by AntiAffinityGroup NS/files, AntiAffinityGroup NS/stopped, GuestCluster NS/files, GuestCluster NS/stopped, SharedDisk NS/files-data and others; delete them first", "NS", s.namespace)))
		Expect(ready(ctx, gc)()).To(Equal("True Succeeded"))

		By("deleting while management is Paused")
		edit(ctx, stopped, paused)
		s.delete(ctx, stopped)
		Eventually(condition(ctx, stopped, v1alpha1.ConditionReconciling)).Should(Equal("False Paused: management is Paused: nothing is changed on the hosts"))
		s.polls(2)
		Expect(s.vmState(s.vm("STOPPED-1")).State).To(Equal("Running"))
		edit(ctx, stopped, managed)
		Eventually(gone(ctx, stopped)).Should(BeTrue())

		By("deleting a guest cluster")
		from := s.now()
		s.delete(ctx, gc)
		Eventually(gone(ctx, gc)).Should(BeTrue())
		Eventually(gone(ctx, group)).Should(BeTrue())
		Eventually(gone(ctx, witness)).Should(BeTrue(), "its policy is Delete")
		did := s.cmdlets(from)
		Expect(slices.Index(did, "Stop-ClusterGroup")).To(BeNumerically("<", slices.Index(did, "Remove-ClusterGroup")))
		Expect(did).NotTo(ContainElement("Stop-VM"), "members are shut down, not turned off")
		Eventually(condition(ctx, data, v1alpha1.ConditionAttached)).Should(Equal("False Unclaimed: no guest cluster uses the disk"))
		Expect(ready(ctx, data)()).To(Equal("True Succeeded"))
		Expect(s.world.State().Machines).To(BeEmpty())
		Expect(s.world.State().Groups).NotTo(ContainElement(HaveField("Name", HavePrefix(s.namespace))))
		Expect(s.files(s.namespace)).To(HaveEach(HavePrefix(data.Status.Folder)), "only the retained disk is left")
		Expect(s.files("files-data.vhds")).To(ConsistOf(data.Status.Path))

		By("deleting the disk, whose file stays, and with it the last user of the host cluster")
		s.delete(ctx, data)
		Eventually(gone(ctx, data)).Should(BeTrue())
		Expect(s.files("files-data.vhds")).To(HaveLen(1))
		Eventually(gone(ctx, hc)).Should(BeTrue())
	})

	It("orphans when asked: everything runs on, with its disks, whatever their policy", func(ctx SpecContext) {
		s := newSite(ctx)
		gc := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimDelete), func(gc *v1alpha1.GuestCluster) {
			gc.Spec.DeletionPolicy = v1alpha1.DeletionPolicyOrphan
		})
		becomesReady(ctx, gc)
		disk, group := s.existingDisk(ctx, "files-data"), s.existingGroup(ctx, "files")
		want := s.pictures(ctx)
		s.delete(ctx, gc)
		Eventually(gone(ctx, gc)).Should(BeTrue())
		Eventually(gone(ctx, group)).Should(BeTrue())
		s.polls(3)
		got := s.pictures(ctx)
		for id, p := range want {
			// The rule went with the guest cluster, and took its class name along.
			p.ClassNames = nil
			Expect(got).To(HaveKeyWithValue(id, p))
		}
		becomesReady(ctx, disk)
		Expect(disk.DeletionTimestamp).To(BeNil())
		Expect(disk.Spec.ReclaimPolicy).To(Equal(v1alpha1.ReclaimRetain))
		Expect(disk.OwnerReferences).To(BeEmpty())
		Expect(disk.Status.AttachedTo).To(HaveLen(2))

		By("referring to the disk that is still attached")
		second := s.guestCluster(ctx, "second", refersTo(disk.Name))
		Eventually(stalled(ctx, second)).Should(And(
			HavePrefix("True DiskInUse: files-data is attached to FILES-"), ContainSubstring(" of guest cluster "+s.namespace+"/files on hv0"), HaveSuffix("; take it off there first")))
		s.delete(ctx, second)
		Eventually(gone(ctx, second)).Should(BeTrue())

		By("making one of the same name again")
		gc = s.guestCluster(ctx, "files", template(v1alpha1.ReclaimRetain))
		Eventually(stalled(ctx, gc)).Should(HavePrefix("True OwnedByPrevious: "))
		s.polls(2)
		Expect(s.pictures(ctx)).To(HaveLen(2))
		s.delete(ctx, gc)
		Eventually(gone(ctx, gc)).Should(BeTrue())
		Expect(s.pictures(ctx)).To(HaveLen(2), "what was orphaned is not this guest cluster's to delete")
	})

	It("ends a creation that is under way, and goes with the namespace", func(ctx SpecContext) {
		s := newSite(ctx)
		soon := s.guestCluster(ctx, "soon", template(v1alpha1.ReclaimDelete))
		files := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimRetain))
		Eventually(func() []string { return s.files("SOON-1") }).ShouldNot(BeEmpty())
		s.delete(ctx, soon)
		becomesReady(ctx, files)
		Eventually(gone(ctx, soon)).Should(BeTrue())
		Eventually(func() []string { return append(s.files("SOON"), s.files("soon")...) }).Should(BeEmpty())
		Eventually(func() []hypervsim.VMState { return s.world.State().Machines }).Should(HaveLen(2))
		file := s.existingDisk(ctx, "files-data").Status.Path

		By("deleting the namespace")
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
		s.delete(ctx, ns)
		Eventually(gone(ctx, ns)).Should(BeTrue())
		Expect(s.world.State().Machines).To(BeEmpty())
		Expect(s.files(".vhd")).To(ConsistOf(file, HaveSuffix("ws2022.vhdx"), HaveSuffix("ws2019.vhdx")), "the retained disk's file is left")
		Eventually(func() int32 { return s.hostClusterObject(ctx).Status.Summary.GuestClusters }).Should(BeZero())
	})

	It("waits for a host that is down, and says so", func(ctx SpecContext) {
		s := newSite(ctx)
		gc := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimDelete))
		becomesReady(ctx, gc)
		host := s.vmState(s.vm("FILES-1")).Host
		Expect(s.world.FailHost(host)).To(Succeed())
		s.delete(ctx, gc)
		Eventually(condition(ctx, gc, v1alpha1.ConditionReconciling)).Should(Equal("True ObservationIncomplete: FILES-1 cannot be seen: not every host answers"))
		Eventually(gone(ctx, gc)).Should(BeTrue())
		Eventually(gone(ctx, &v1alpha1.SharedDisk{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "files-data"}})).Should(BeTrue())
		Expect(s.world.State().Machines).To(BeEmpty())
		Expect(s.files(s.namespace)).To(BeEmpty())
		Expect(s.world.ReturnHost(host)).To(Succeed())
	})
})
