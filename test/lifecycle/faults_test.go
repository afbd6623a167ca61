package lifecycle_test

import (
	"context"
	"fmt"
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

// sideBySide runs cases, a few at a time, each at a site of its own; name says which one failed.
func sideBySide[T any](ctx SpecContext, cases []T, name func(T) string, run func(ctx context.Context, s *site, c T), with ...settings) {
	GinkgoHelper()
	slots := make(chan struct{}, 6)
	var wait sync.WaitGroup
	for _, c := range cases {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			defer GinkgoRecover()
			s := openSite(ctx, with...)
			defer s.shut(ctx)
			defer func() {
				if r := recover(); r != nil {
					AddReportEntry("failed: "+name(c), s.namespace)
					s.explain(ctx)
					panic(r)
				}
			}()
			run(ctx, s, c)
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
	"Set-ClusterParameter", "Add-AntiAffinityClassName", "Start-ClusterGroup",
}

var _ = Describe("A fault", func() {
	It("that loses an answer lets nothing be done twice or left out, whichever call it hits", func(ctx SpecContext) {
		var faults []hypervsim.Fault
		for _, name := range creationCmdlets {
			for _, kind := range []hypervsim.FaultKind{hypervsim.DropBefore, hypervsim.DropAfter} {
				faults = append(faults, hypervsim.Fault{Cmdlet: name, Kind: kind, Count: 1})
			}
		}
		name := func(f hypervsim.Fault) string { return string(f.Kind) + " " + f.Cmdlet }
		sideBySide(ctx, faults, name, func(ctx context.Context, s *site, f hypervsim.Fault) {
			_, err := s.world.AddFault(f)
			Expect(err).NotTo(HaveOccurred())
			gc := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimRetain))
			s.expectUndisturbed(ctx, gc)
			Expect(s.world.Faults()).To(ConsistOf(HaveField("Hit", 1)), name(f))
			used := s.cmdlets(0)
			slices.Sort(used)
			Expect(slices.Compact(used)).To(ConsistOf(creationCmdlets), "these are the cmdlets of a creation")
		})
	})

	It("that a host reports is told in words that say who acts, and passes", func(ctx SpecContext) {
		type refusal struct {
			name  string
			fault hypervsim.Fault
			// told is the condition that tells, and how it begins.
			told v1alpha1.ConditionType
			says string
		}
		failing := func(cmdlet, category, message string) hypervsim.Fault {
			return hypervsim.Fault{Cmdlet: cmdlet, Kind: hypervsim.Error, Error: hostagent.CallError{Category: category, Message: message}}
		}
		sideBySide(ctx, []refusal{
			{"access denied", failing("New-VM", "PermissionDenied", "You do not have the required permission."), v1alpha1.ConditionStalled,
				"True AccessDenied: create machine FILES-1 on hv0"},
			{"disk full", failing("Start-Work", "WriteError", "There is not enough space on the disk."), v1alpha1.ConditionStalled,
				"True PoolFull: copy the image for FILES-1 to "},
			{"busy", failing("New-VM", "ResourceBusy", "The operation cannot be performed now."), v1alpha1.ConditionReconciling,
				"True WaitingForHost: create machine FILES-1 on hv0"},
		}, func(r refusal) string { return r.name }, func(ctx context.Context, s *site, r refusal) {
			if r.name == "disk full" {
				r.fault.Error.HResult = "0x80070070"
			}
			id, err := s.world.AddFault(r.fault)
			Expect(err).NotTo(HaveOccurred())
			gc := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimRetain))
			Eventually(condition(ctx, gc, r.told)).Should(And(HavePrefix(r.says), HaveSuffix(": "+r.fault.Error.Message)), r.name)
			Expect(s.world.RemoveFault(id)).To(Succeed())
			s.expectUndisturbed(ctx, gc)
		})
	})

	It("that lets a host hang delays nobody on the other hosts", func(ctx SpecContext) {
		s := newSite(ctx)
		gc := s.guestCluster(ctx, "files", template(v1alpha1.ReclaimRetain))
		becomesReady(ctx, gc)
		hung := s.freeHost()
		id, err := s.world.AddFault(hypervsim.Fault{Host: hung, Kind: hypervsim.Hang})
		Expect(err).NotTo(HaveOccurred())
		hc := s.hostClusterObject(ctx)
		Eventually(condition(ctx, hc, v1alpha1.ConditionConnected)).Should(Equal("False HostUnreachable: " + hung + " cannot be read; trying again"))
		began := time.Now()
		Expect(s.world.RenameVM(s.vm("FILES-1"), "renamed")).To(Succeed())
		Expect(s.world.TurnOffVM(s.vm("FILES-2"))).To(Succeed())
		Eventually(func() string { return s.vmState(s.vm("FILES-1")).Name + s.vmState(s.vm("FILES-2")).State }).Should(Equal(s.vm("FILES-1") + "Running"))
		Expect(time.Since(began)).To(BeNumerically("<", 5*time.Second))
		other := s.guestCluster(ctx, "other", template(v1alpha1.ReclaimRetain))
		becomesReady(ctx, other, gc)
		Expect(time.Since(began)).To(BeNumerically("<", 15*time.Second))
		Expect(s.placement(s.namespace)).NotTo(ContainElement(HaveSuffix(hung)))
		Expect(s.world.RemoveFault(id)).To(Succeed())
		becomesReady(ctx, hc)
		Expect(fmt.Sprint(s.placement(s.namespace))).NotTo(BeEmpty())
	})
})
