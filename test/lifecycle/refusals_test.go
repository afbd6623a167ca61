package lifecycle_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim"
)

var _ = Describe("What cannot be", func() {
	It("is told with what to do about it, and comes to be once that is done", func(ctx SpecContext) {
		s := newSite(ctx)
		pool := func(gc *v1alpha1.GuestCluster) { gc.Spec.Machine.StoragePool = "silver" }
		image := func(gc *v1alpha1.GuestCluster) { gc.Spec.Machine.Image = "ws2025" }
		network := func(gc *v1alpha1.GuestCluster) { gc.Spec.Machine.Networks[0].HostNetwork = "dmz" }
		memory := func(gc *v1alpha1.GuestCluster) { gc.Spec.Machine.Memory.Startup = resource.MustParse("512Gi") }
		cpus := func(gc *v1alpha1.GuestCluster) { gc.Spec.Machine.CPUs = 128 }
		nowhere := func(gc *v1alpha1.GuestCluster) { gc.Spec.HostClusterRef.Name = "nowhere" }
		hc := "HostCluster " + s.hostCluster
		for name, tc := range map[string]struct {
			edit        func(*v1alpha1.GuestCluster)
			ready, stop string
		}{
			"pool":    {pool, "False PoolMissing: " + hc + " has no storage pool silver; ask the platform team which there are", "True PoolMissing: "},
			"image":   {image, "False ImageMissing: " + hc + " has no image ws2025; ask the platform team which there are", "True ImageMissing: "},
			"network": {network, "False NetworkMissing: " + hc + " has no network dmz; ask the platform team which there are", "True NetworkMissing: "},
			"memory":  {memory, "False NotEnoughHosts: no host has as much memory as spec.machine.memory.startup asks for: ask for less, or ask the platform team for a larger host", "True NotEnoughHosts: "},
			"cpus":    {cpus, "False NotEnoughHosts: no host has as many processors as spec.machine.cpus asks for: ask for less, or ask the platform team for a larger host", "True NotEnoughHosts: "},
			"nowhere": {nowhere, "False HostClusterNotFound: there is no HostCluster nowhere; create it, or name another one in spec.hostClusterRef", "True HostClusterNotFound: "},
		} {
			gc := s.guestCluster(ctx, name, noDisks, tc.edit)
			Eventually(stalled(ctx, gc)).Should(HavePrefix(tc.stop), name)
			Expect(ready(ctx, gc)()).To(Equal(tc.ready), name)
			s.delete(ctx, gc)
			Eventually(gone(ctx, gc)).Should(BeTrue(), name)
		}
		disk := s.sharedDisk(ctx, "pool", func(d *v1alpha1.SharedDisk) { d.Spec.StoragePool = "silver" })
		Eventually(stalled(ctx, disk)).Should(Equal("True PoolMissing: " + hc + " has no storage pool silver; ask the platform team which there are"))
		big := s.sharedDisk(ctx, "big", func(d *v1alpha1.SharedDisk) {
			d.Spec.Provisioning, d.Spec.Size = v1alpha1.ProvisioningFixed, resource.MustParse("40Ti")
		})
		Eventually(stalled(ctx, big)).Should(Equal("True PoolFull: storage pool C:\\ClusterStorage\\Gold has too little free space for a fixed disk of this size: ask the platform team for room, or use provisioning Dynamic"))

		By("filling the pool up")
		Expect(s.world.AddFile(`C:\ClusterStorage\Gold\Backup\full.vhdx`, s.world.State().Volumes[0].FreeBytes-hypervsim.GiB)).To(Succeed())
		s.polls(1)
		full := s.guestCluster(ctx, "full", noDisks)
		Eventually(stalled(ctx, full)).Should(Equal(`True PoolFull: storage pool C:\ClusterStorage\Gold has too little free space for a copy of the image for FULL-1: ask the platform team for room`))
		s.delete(ctx, full)
		Eventually(gone(ctx, full)).Should(BeTrue())
		Expect(s.world.RemoveFile(`C:\ClusterStorage\Gold\Backup\full.vhdx`)).To(Succeed())
		Expect(s.cmdlets(0)).To(BeEmpty())

		By("offering the pool after all")
		Expect(s.world.AddFolder(`C:\ClusterStorage\Gold\Silver`, "")).To(Succeed())
		edit(ctx, s.hostClusterObject(ctx), func(hc *v1alpha1.HostCluster) {
			hc.Spec.StoragePools = append(hc.Spec.StoragePools, v1alpha1.StoragePool{Name: "silver", Path: `C:\ClusterStorage\Gold\Silver`})
		})
		becomesReady(ctx, disk)
	})

	It("tells what the hosts lack, on the host cluster", func(ctx SpecContext) {
		s := newSite(ctx)
		hc := s.hostClusterObject(ctx)
		becomesReady(ctx, hc)
		Expect(s.world.RemoveSwitch("hv03", "vSwitch-Cluster")).To(Succeed())
		Eventually(stalled(ctx, hc)).Should(Equal("True NetworkMissing: network cluster: there is no virtual switch vSwitch-Cluster on hv03; create it under the same name on every host"))
		Expect(s.world.AddSwitch("hv03", "vSwitch-Cluster")).To(Succeed())
		becomesReady(ctx, hc)
		Expect(s.world.RemoveFile(`C:\ClusterStorage\Gold\Images\ws2022.vhdx`)).To(Succeed())
		Eventually(stalled(ctx, hc)).Should(Equal(`True ImageMissing: image ws2022: C:\ClusterStorage\Gold\Images\ws2022.vhdx is not there on hv01, hv02, hv03, hv04; copy the file there or correct spec.images`))
		gc := s.guestCluster(ctx, "files", noDisks)
		Eventually(ready(ctx, gc)).Should(ContainSubstring("ws2022.vhdx"))
		Expect(s.world.AddImage(hypervsim.ImageModel{Path: `C:\ClusterStorage\Gold\Images\ws2022.vhdx`, FileBytes: 12 << 30, SizeBytes: 127 << 30, Windows: hyperv.Build2022})).To(Succeed())
		becomesReady(ctx, hc, gc)
		edit(ctx, hc, func(hc *v1alpha1.HostCluster) {
			hc.Spec.MACAddressRanges[0].First, hc.Spec.MACAddressRanges[0].Last = "00-15-5D-42-00-10", "00-15-5D-42-00-20"
		})
		Eventually(stalled(ctx, hc)).Should(Equal("True MacRangeOverlaps: range a overlaps hv02's dynamic pool 00-15-5D-42-00-00 to 00-15-5D-42-00-FF; choose a range of your own"))
	})

	It("respects which namespaces may use the hosts, and every Paused", func(ctx SpecContext) {
		s := newSite(ctx, settings{hostCluster: func(hc *v1alpha1.HostCluster) {
			hc.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{
				From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"hyperv": "allowed"}},
			}
		}})
		gc := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimRetain))
		refused := "True NamespaceNotAllowed: namespace " + s.namespace + " may not use this host cluster: ask the platform team to allow it in HostCluster spec.allowedNamespaces"
		Eventually(stalled(ctx, gc)).Should(Equal(refused))
		Eventually(stalled(ctx, s.existingDisk(ctx, "files-data"))).Should(Equal(refused))
		Expect(s.cmdlets(0)).To(BeEmpty())

		By("allowing the namespace")
		label := func(value string) {
			edit(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}, func(ns *corev1.Namespace) { ns.Labels["hyperv"] = value })
		}
		label("allowed")
		becomesReady(ctx, gc)

		By("allowing it no more: what there is stays and is kept, and nothing new is made")
		label("denied")
		Expect(s.world.DetachDisk(s.vm("FILES-1"), s.existingDisk(ctx, "files-data").Status.Path)).To(Succeed())
		Eventually(func() int { return len(s.vmState(s.vm("FILES-1")).Drives) }).Should(Equal(2))
		edit(ctx, gc, members(3))
		Eventually(stalled(ctx, gc)).Should(Equal(refused))
		Expect(s.vmState(s.vm("FILES-3")).ID).To(BeEmpty())
		label("allowed")
		becomesReady(ctx, gc)

		By("pausing the host cluster")
		hc := s.hostClusterObject(ctx)
		edit(ctx, hc, func(hc *v1alpha1.HostCluster) { hc.Spec.Management = v1alpha1.ManagementPaused })
		Eventually(condition(ctx, hc, v1alpha1.ConditionReconciling)).Should(Equal("False Paused: management is Paused: nothing is changed on the hosts"))
		Eventually(condition(ctx, gc, v1alpha1.ConditionReconciling)).Should(Equal("False Paused: management is Paused: nothing is changed on the hosts"))
		s.polls(1)
		from := s.now()
		another := s.sharedDisk(ctx, "another")
		Expect(s.world.TurnOffVM(s.vm("FILES-1"))).To(Succeed())
		Expect(s.world.SetClassNames(s.vm("FILES-2"))).To(Succeed())
		Eventually(ready(ctx, gc)).Should(HavePrefix("False Starting: FILES-1 is off on "))
		s.polls(2)
		Expect(s.cmdlets(from)).To(BeEmpty(), "nothing is changed while Paused")
		edit(ctx, hc, func(hc *v1alpha1.HostCluster) { hc.Spec.Management = v1alpha1.ManagementManaged })
		becomesReady(ctx, gc, another, hc)

		By("pausing the guest cluster, whose rule and disks follow")
		edit(ctx, gc, paused)
		group, disk := s.existingGroup(ctx, "files"), s.existingDisk(ctx, "files-data")
		Eventually(condition(ctx, group, v1alpha1.ConditionReconciling)).Should(HavePrefix("False Paused: "))
		Eventually(condition(ctx, disk, v1alpha1.ConditionReconciling)).Should(HavePrefix("False Paused: "))
		from = s.now()
		Expect(s.world.SetClassNames(s.vm("FILES-1"))).To(Succeed())
		Expect(s.world.RenameVM(s.vm("FILES-2"), "renamed")).To(Succeed())
		Expect(c.Delete(ctx, disk)).To(Succeed())
		s.polls(3)
		Expect(s.cmdlets(from)).To(BeEmpty(), "nothing is changed while Paused")
		Expect(client.IgnoreNotFound(c.Get(ctx, client.ObjectKeyFromObject(disk), disk))).To(Succeed())
		Expect(disk.Finalizers).NotTo(BeEmpty())
	})
})
