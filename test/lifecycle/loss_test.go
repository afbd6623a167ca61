package lifecycle_test

import (
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim"
)

var _ = Describe("What is lost or copied", func() {
	It("is told and never made again by itself, and a copy is not taken for ours", func(ctx SpecContext) {
		s := newSite(ctx)
		lost, disk := s.guestCluster(ctx, "lost", noDisks), s.guestCluster(ctx, "disk")
		twin, moved := s.guestCluster(ctx, "twin", noDisks), s.guestCluster(ctx, "moved", noDisks)
		bare := s.guestCluster(ctx, "bare", noDisks)
		becomesReady(ctx, lost, disk, twin, moved, bare)
		data := s.existingDisk(ctx, "disk-data")
		from := s.now()

		By("doing everything at once")
		Expect(s.world.RemoveVM(s.vm("LOST-1"), hypervsim.KeepFiles)).To(Succeed())
		Expect(s.world.RemoveFile(data.Status.Path)).To(Succeed())
		inside, err := s.world.CopyVM(s.vm("TWIN-1"), "")
		Expect(err).NotTo(HaveOccurred())
		outside, err := s.world.CopyVM(s.vm("MOVED-1"), pool+`\Restored`)
		Expect(err).NotTo(HaveOccurred())
		_, err = s.world.AddForeignVM("hv01", "intruder", `C:\VMs`, "02-A1-01-00-00-50")
		Expect(err).NotTo(HaveOccurred())

		By("reading what is told")
		member := gcMember(lost, "LOST-1")
		Eventually(stalled(ctx, lost)).Should(Equal(fmt.Sprintf(
			"True MemberLost: the machine of LOST-1 (id %s) is gone from the host cluster; register it again from %s, or delete this guest cluster", member.VMID, member.Folder)))
		Expect(ready(ctx, lost)()).To(HavePrefix("False MemberLost: "))
		Expect(condition(ctx, lost, "MachinesReady")()).To(Equal("False MemberLost: the machine of LOST-1 is gone from the host cluster"))
		Expect(gcMember(lost, "LOST-1").State).To(Equal("Lost"))
		Expect(gcMember(lost, "LOST-2").State).To(Equal("Running"))

		Eventually(stalled(ctx, data)).Should(Equal("True DiskLost: " + data.Status.Path + " is gone; restore the file, or delete this SharedDisk and create a new one"))
		Eventually(ready(ctx, disk)).Should(Equal("False DiskLost: SharedDisk disk-data: " + data.Status.Path + " is gone; restore the file, or delete this SharedDisk and create a new one"))

		host := s.vmState(s.vm("TWIN-1")).Host
		Eventually(stalled(ctx, twin)).Should(Equal(fmt.Sprintf(
			"True CopyOfOurs: machine %s on %s lies in the folder of TWIN-1 but is another machine; move it to a folder of its own or remove it", inside, host)))
		host = s.vmState(s.vm("MOVED-1")).Host
		Eventually(stalled(ctx, moved)).Should(Equal(fmt.Sprintf(
			`True CopyOfOurs: machine %s on %s carries the stamp of MOVED-1 but is another machine; remove %s from C:\ClusterStorage\Gold\Restored, or the machine`, outside, host, hyperv.StampFile)))
		hc := s.hostClusterObject(ctx)
		Eventually(stalled(ctx, hc)).Should(Equal("True MacRangeOverlaps: range a: intruder on hv01 has address 02-A1-01-00-00-50; choose a range that nobody else uses"))
		Expect(s.world.RemoveFile(hyperv.JoinPath(gcMember(bare, "BARE-2").Folder, hyperv.StampFile))).To(Succeed())
		Eventually(stalled(ctx, bare)).Should(Equal("True NameTaken: folder " + gcMember(bare, "BARE-2").Folder +
			" holds a machine and no stamp of ours; put guestclustering.json back into it, or move the machine away"))

		s.polls(3)
		Expect(s.cmdlets(from)).To(BeEmpty(), "nothing is done about any of it")

		By("mending it")
		Expect(s.world.RemoveVM(inside, hypervsim.KeepFiles)).To(Succeed())
		Expect(s.world.RemoveVM(outside, hypervsim.RemoveFiles)).To(Succeed())
		Expect(s.world.RemoveVM("intruder", hypervsim.RemoveFiles)).To(Succeed())
		Expect(s.world.AddFolder(gcMember(bare, "BARE-2").Folder, s.stampOf(ctx, bare, "BARE-2").Encode())).To(Succeed())
		becomesReady(ctx, twin, moved, bare, hc)
		s.delete(ctx, lost)
		Eventually(gone(ctx, lost)).Should(BeTrue())
		Expect(s.files("LOST-")).To(BeEmpty())
		Expect(s.cmdlets(from)).NotTo(ContainElement("New-VM"))
		Expect(s.cmdlets(from)).NotTo(ContainElement("New-VHD"))
	})
})
