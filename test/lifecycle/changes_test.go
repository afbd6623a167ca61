package lifecycle_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"k8s.io/apimachinery/pkg/types"

	"guestclustering.io/operator/api/v1alpha1"
)

var _ = Describe("A change of spec", func() {
	It("makes one more member, attaches and releases disks while members run, and waits for what needs them off", func(ctx SpecContext) {
		s := newSite(ctx)
		logs := s.sharedDisk(ctx, "logs")
		gc := s.guestCluster(ctx, "files")
		becomesReady(ctx, gc)
		data, witness := s.existingDisk(ctx, "files-data"), s.existingDisk(ctx, "files-witness")

		By("counting up")
		from := s.now()
		edit(ctx, gc, members(3))
		Eventually(func() string { return gcMember(gc, "FILES-3").VMID + ready(ctx, gc)() }).Should(HaveSuffix("True Succeeded"))
		becomesReady(ctx, gc)
		Expect(gc.Status.Summary.Members).To(Equal("3/3"))
		var made []string
		for _, e := range s.changes(from) {
			if e.Call.Cmdlet == "New-VM" {
				made = append(made, e.Effect)
			}
			Expect(e.Effect).NotTo(Or(ContainSubstring("FILES-1"), ContainSubstring("FILES-2")), "the others are left alone")
		}
		Expect(made).To(ConsistOf(ContainSubstring(s.vm("FILES-3"))))
		Expect(s.group(s.vm("FILES-3")).ClassNames).To(ConsistOf(s.existingGroup(ctx, "files").Status.ClassName))
		s.expectNothingTwice(0)

		By("adding a disk")
		from = s.now()
		edit(ctx, gc, func(gc *v1alpha1.GuestCluster) {
			gc.Spec.SharedDisks = append(gc.Spec.SharedDisks, v1alpha1.GuestClusterSharedDisk{
				Name: "logs", Type: v1alpha1.SharedDiskFromReference, SharedDiskRef: &v1alpha1.SharedDiskReference{Name: "logs"},
			})
		})
		Eventually(condition(ctx, logs, v1alpha1.ConditionAttached)).Should(Equal("True Succeeded"))
		becomesReady(ctx, gc)
		for _, member := range []string{"FILES-1", "FILES-2", "FILES-3"} {
			Expect(s.vmState(s.vm(member)).Drives).To(ContainElement(And(
				HaveField("Path", logs.Status.Path), HaveField("Number", BeEquivalentTo(1)), HaveField("Location", BeEquivalentTo(2)), HaveField("Shared", true))))
		}
		Expect(gc.Status.Summary.Storage).To(Equal("3/3"))

		By("removing one")
		edit(ctx, gc, func(gc *v1alpha1.GuestCluster) { gc.Spec.SharedDisks = gc.Spec.SharedDisks[1:] })
		Eventually(condition(ctx, witness, v1alpha1.ConditionAttached)).Should(Equal("False Unclaimed: no guest cluster uses the disk"))
		becomesReady(ctx, gc, witness)
		Expect(witness.Status.Claim).To(BeNil())
		Expect(witness.Status.AttachedTo).To(BeEmpty())
		Expect(gc.Status.SharedDisks).To(HaveLen(2))
		for _, member := range []string{"FILES-1", "FILES-2", "FILES-3"} {
			Expect(s.vmState(s.vm(member)).Drives).NotTo(ContainElement(HaveField("Path", witness.Status.Path)))
			Expect(s.vmState(s.vm(member)).Drives).To(ContainElement(And(HaveField("Path", data.Status.Path), HaveField("Location", BeEquivalentTo(1)))), "the others stay where they are")
		}
		Expect(s.cmdlets(from)).NotTo(ContainElement("Stop-ClusterGroup"))
		Expect(s.files("files-witness.vhds")).To(HaveLen(1))

		By("plugging the networks elsewhere, online")
		edit(ctx, gc, func(gc *v1alpha1.GuestCluster) { gc.Spec.Machine.Networks[0].HostNetwork = "cluster" })
		Eventually(func() []string {
			var vlans []string
			for _, vm := range s.world.State().Machines {
				if vm.Adapters[0].VLAN == 120 && vm.Adapters[0].Switch == "vSwitch-Cluster" {
					vlans = append(vlans, vm.Name)
				}
			}
			return vlans
		}).Should(HaveLen(3))
		becomesReady(ctx, gc)

		By("taking the pool, the image and the network off the host cluster's list: what there is stays")
		hc := s.hostClusterObject(ctx)
		before := hc.Spec.DeepCopy()
		edit(ctx, hc, func(hc *v1alpha1.HostCluster) {
			hc.Spec.StoragePools, hc.Spec.Images, hc.Spec.Networks, hc.Spec.MACAddressRanges = nil, nil, nil, nil
		})
		becomesReady(ctx, hc)
		s.polls(2)
		Expect(s.world.TurnOffVM(s.vm("FILES-1"))).To(Succeed())
		Eventually(ready(ctx, gc)).Should(HavePrefix("False "))
		becomesReady(ctx, gc, data)
		edit(ctx, hc, func(hc *v1alpha1.HostCluster) { hc.Spec = *before })
		becomesReady(ctx, hc, gc)

		By("deleting what the guest cluster made, while it needs it")
		group := s.existingGroup(ctx, "files")
		s.delete(ctx, group)
		old := group.UID
		Eventually(func() types.UID { _ = ready(ctx, group)(); return group.UID }).ShouldNot(Equal(old))
		Eventually(func() []string { return s.group(s.vm("FILES-1")).ClassNames }).Should(ConsistOf(HaveSuffix(string(s.existingGroup(ctx, "files").UID))))
		s.delete(ctx, data)
		Eventually(stalled(ctx, data)).Should(Equal("True InUse: a guest cluster still uses the disk; remove it there first"))
		becomesReady(ctx, gc)
		Expect(s.vmState(s.vm("FILES-1")).Drives).To(ContainElement(HaveField("Path", data.Status.Path)))

		By("asking for more processors")
		edit(ctx, gc, func(gc *v1alpha1.GuestCluster) { gc.Spec.Machine.CPUs = 4 })
		Eventually(ready(ctx, gc)).Should(Equal("False WaitingForPowerOff: processors and memory of FILES-1 will be mended when it is off: shut it down when it suits you"))
		for _, member := range []string{"FILES-1", "FILES-2", "FILES-3"} {
			Eventually(ready(ctx, gc)).Should(HavePrefix("False WaitingForPowerOff: processors and memory of " + member))
			Expect(s.world.ShutDownVM(s.vm(member))).To(Succeed())
			Eventually(func() int64 { return s.machines(ctx)[s.vm(member)].Configuration.Processors }).Should(BeEquivalentTo(4))
		}
		becomesReady(ctx, gc)
		s.expectRest(ctx, 2)
	})
})
