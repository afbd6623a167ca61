package lifecycle_test

import (
	"context"
	"slices"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim"
)

// sideCase is a case that has a site of its own, so that several can run side by side.
type sideCase struct {
	name string
	run  func(ctx context.Context, s *site)
}

// sideBySide runs cases, a few at a time. What a failed case left is told under its name.
func sideBySide(ctx context.Context, cases []sideCase) {
	GinkgoHelper()
	slots := make(chan struct{}, 6)
	var wait sync.WaitGroup
	for _, c := range cases {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			defer GinkgoRecover()
			s := openSite(ctx)
			defer s.shut(ctx)
			defer func() {
				if r := recover(); r != nil {
					GinkgoWriter.Printf("failed: %s in %s\n", c.name, s.namespace)
					s.explain(ctx)
					panic(r)
				}
			}()
			c.run(ctx, s)
		})
	}
	wait.Wait()
}

// expectUndisturbed holds that a two-node guest cluster is as if nothing had happened, and that nothing was done twice for it.
func (s *site) expectUndisturbed(ctx context.Context, gc *v1alpha1.GuestCluster) {
	GinkgoHelper()
	becomesReady(ctx, gc)
	becomesReady(ctx, s.existingGroup(ctx, gc.Name), s.existingDisk(ctx, gc.Name+"-data"))
	machines := s.machines(ctx)
	Expect(machines).To(HaveLen(2))
	for _, name := range []string{capitals(gc.Name) + "-1", capitals(gc.Name) + "-2"} {
		s.expectMember(machines[s.vm(name)], hyperv.Configuration{
			Processors: 2, MemoryBytes: 4 << 30, StartAction: "Nothing", StopAction: "ShutDown", CheckpointType: "ProductionOnly",
			Controllers: []int32{0, 1}, Drives: []hyperv.Drive{
				{Path: gcMember(gc, name).OSDisk, ControllerType: "SCSI"},
				{Path: s.existingDisk(ctx, gc.Name+"-data").Status.Path, ControllerType: "SCSI", Controller: 1, PersistentReservations: true},
			},
		})
		Expect(s.group(s.vm(name)).OfflineAction).To(BeEquivalentTo(2))
		Expect(s.group(s.vm(name)).ClassNames).To(ConsistOf(s.existingGroup(ctx, gc.Name).Status.ClassName))
	}
	Expect(machines[s.vm(capitals(gc.Name)+"-1")].HostName).NotTo(Equal(machines[s.vm(capitals(gc.Name)+"-2")].HostName))
	s.expectNothingTwice(0)
}

var creationCmdlets = []string{
	"New-StampedFolder", "Start-Work", "New-VHD", "New-VM", "Set-VM", "Remove-VMNetworkAdapter", "Add-VMNetworkAdapter",
	"Set-VMNetworkAdapterVlan", "Add-VMScsiController", "Add-VMHardDiskDrive", "Add-ClusterVirtualMachineRole",
	"Set-ClusterParameter", "Add-AntiAffinityClassName", "Start-ClusterGroup", "Set-AnswerFile",
	"Remove-Item", "Rename-NetAdapter", "Set-DnsClient",
}

var _ = Describe("A fault", func() {
	It("lets nothing be done twice or left out, is told in words that say who acts, and passes", func(ctx SpecContext) {
		cases := []sideCase{{"a host hangs", aHostHangs}}
		for _, name := range creationCmdlets {
			for _, kind := range []hypervsim.FaultKind{hypervsim.DropBefore, hypervsim.DropAfter} {
				cases = append(cases, losesAnAnswer(hypervsim.Fault{Cmdlet: name, Kind: kind, Count: 1}))
			}
		}
		cases = append(cases,
			isRefused("New-VM", hostagent.CallError{Category: "PermissionDenied", Message: "You do not have the required permission."},
				v1alpha1.ConditionStalled, "True AccessDenied: create machine FILES-1 on hv0"),
			isRefused("Start-Work", hostagent.CallError{Category: "WriteError", HResult: "0x80070070", Message: "There is not enough space on the disk."},
				v1alpha1.ConditionStalled, "True PoolFull: copy the image for FILES-1 to "),
			isRefused("New-VM", hostagent.CallError{Category: "ResourceBusy", Message: "The operation cannot be performed now."},
				v1alpha1.ConditionReconciling, "True WaitingForHost: create machine FILES-1 on hv0"),
		)
		sideBySide(ctx, cases)
	})
})

// losesAnAnswer drops a connection during a creation.
func losesAnAnswer(f hypervsim.Fault) sideCase {
	return sideCase{string(f.Kind) + " " + f.Cmdlet, func(ctx context.Context, s *site) {
		_, err := s.world.AddFault(f)
		Expect(err).NotTo(HaveOccurred())
		gc := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimRetain))
		s.expectUndisturbed(ctx, gc)
		Expect(s.world.Faults()).To(ConsistOf(HaveField("Hit", 1)))
		used := s.cmdlets(0)
		slices.Sort(used)
		Expect(slices.Compact(used)).To(ConsistOf(creationCmdlets), "these are the cmdlets of a creation")
	}}
}

// isRefused lets a cmdlet fail for a while, which a condition tells.
func isRefused(name string, refusal hostagent.CallError, tells v1alpha1.ConditionType, begins string) sideCase {
	return sideCase{name + " " + refusal.Category, func(ctx context.Context, s *site) {
		id, err := s.world.AddFault(hypervsim.Fault{Cmdlet: name, Kind: hypervsim.Error, Error: refusal})
		Expect(err).NotTo(HaveOccurred())
		gc := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimRetain))
		Eventually(condition(ctx, gc, tells)).Should(And(HavePrefix(begins), HaveSuffix(": "+refusal.Message)))
		Expect(s.world.RemoveFault(id)).To(Succeed())
		s.expectUndisturbed(ctx, gc)
	}}
}

// aHostHangs lets a host answer nothing any more: nobody on the other hosts waits for it.
func aHostHangs(ctx context.Context, s *site) {
	gc := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimRetain))
	becomesReady(ctx, gc)
	hung := s.freeHost()
	id, err := s.world.AddFault(hypervsim.Fault{Host: hung, Kind: hypervsim.Hang})
	Expect(err).NotTo(HaveOccurred())
	hc := s.hostClusterObject(ctx)
	Eventually(condition(ctx, hc, v1alpha1.ConditionConnected)).Should(HavePrefix("False HostUnreachable: " + hung + " cannot be read; trying again: "))
	began := time.Now()
	Expect(s.world.RenameVM(s.vm("FILES-1"), "renamed")).To(Succeed())
	Expect(s.world.TurnOffVM(s.vm("FILES-2"))).To(Succeed())
	Eventually(func() string { return s.vmState(s.vm("FILES-1")).Name + s.vmState(s.vm("FILES-2")).State }).Should(Equal(s.vm("FILES-1") + "Running"))
	other := s.guestCluster(ctx, "other", template(v1alpha1.ReclaimRetain))
	becomesReady(ctx, other, gc)
	Expect(time.Since(began)).To(BeNumerically("<", 15*time.Second))
	Expect(s.placement(s.namespace)).NotTo(ContainElement(HaveSuffix(hung)))
	Expect(s.world.RemoveFault(id)).To(Succeed())
	becomesReady(ctx, hc)
}
