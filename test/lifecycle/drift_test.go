package lifecycle_test

import (
	"cmp"
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim"
)

// picture is everything about a machine that the operator keeps as it is.
type picture struct {
	Machine       hyperv.Machine
	Configuration hyperv.Configuration
	OfflineAction int64
	ClassNames    []string
}

// pictures are the machines as the operator keeps them, by id, without what moves by itself and without any order that means
// nothing.
func (s *site) pictures(ctx SpecContext) map[string]picture {
	GinkgoHelper()
	out := map[string]picture{}
	for name, m := range s.machines(ctx) {
		p := picture{Machine: m, Configuration: *m.Configuration}
		g := s.group(name)
		p.OfflineAction, p.ClassNames = g.OfflineAction, slices.Sorted(slices.Values(g.ClassNames))
		p.Machine.Heartbeat, p.Machine.OperationalStatus, p.Machine.Configuration = "", nil, nil
		slices.SortFunc(p.Machine.Adapters, func(a, b hyperv.Adapter) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(p.Configuration.Drives, func(a, b hyperv.Drive) int { return cmp.Compare(a.Path, b.Path) })
		out[m.ID] = p
	}
	return out
}

var _ = Describe("What changes behind the operator's back", func() {
	It("is put back while the members run, or told when they must be off", func(ctx SpecContext) {
		s := newSite(ctx)
		gc := s.guestCluster(ctx, "files")
		becomesReady(ctx, gc)
		one, two := s.vm("FILES-1"), s.vm("FILES-2")
		data := s.existingDisk(ctx, "files-data")
		ours := s.existingGroup(ctx, "files").Status.ClassName
		host := s.vmState(one).Host
		want := s.pictures(ctx)
		Expect(want).To(HaveLen(2))
		isMended := func(after func() error) {
			GinkgoHelper()
			Expect(after()).To(Succeed())
			Eventually(func() map[string]picture { return s.pictures(ctx) }).Should(Equal(want))
			becomesReady(ctx, gc)
		}
		runs := s.world.Journal(0)
		from := runs[len(runs)-1].Seq

		By("taking the class name, and putting a foreign one there")
		Expect(s.world.SetClassNames(one, "theirs")).To(Succeed())
		Eventually(func() []string { return s.group(one).ClassNames }).Should(ConsistOf("theirs", ours))
		isMended(func() error { return s.world.SetClassNames(one, ours) })

		By("detaching a disk")
		isMended(func() error { return s.world.DetachDisk(two, data.Status.Path) })
		By("removing an adapter")
		isMended(func() error { return s.world.RemoveAdapter(one, "cluster") })
		By("plugging an adapter into another switch")
		isMended(func() error { return s.world.SetSwitch(one, "client", "vSwitch-Cluster") })
		By("unplugging an adapter")
		isMended(func() error { return s.world.SetSwitch(two, "client", "") })
		By("putting an adapter into another VLAN")
		isMended(func() error { return s.world.SetVLAN(two, "client", 999) })
		By("taking an adapter out of its VLAN")
		isMended(func() error { return s.world.SetVLAN(two, "cluster", 0) })
		By("renaming a machine")
		isMended(func() error { return s.world.RenameVM(one, "somebody-else") })
		By("letting a machine be saved when it goes offline")
		isMended(func() error { return s.world.SetOfflineAction(two, 1) })
		By("letting a machine start, stop and be checkpointed on its own")
		isMended(func() error {
			s.byHand(ctx, host, cmdlet.VMByID("vm", s.vmState(one).ID), hostagent.Call{ID: "set", Cmdlet: "Set-VM", Parameters: hostagent.Parameters{
				"VM": hostagent.Ref{Call: "vm"}, "AutomaticStartAction": hostagent.Text("Start"), "AutomaticStopAction": hostagent.Text("Save"),
				"CheckpointType": hostagent.Text("Standard"), "AutomaticCheckpointsEnabled": hostagent.Bool(true),
			}})
			return nil
		})
		By("taking the role away")
		isMended(func() error { return s.world.RemoveGroup(one) })
		Expect(s.cmdlets(from)).NotTo(ContainElements("Stop-ClusterGroup"), "no member was stopped for any of this")
		Expect(s.cmdlets(from)).NotTo(ContainElements("Stop-VM"))

		By("turning a machine off")
		isMended(func() error { return s.world.TurnOffVM(one) })
		By("shutting a machine down from inside")
		isMended(func() error { return s.world.ShutDownVM(two) })

		By("reading what was mended, each as an event of its own")
		Eventually(func() ([]string, error) {
			var list eventsv1.EventList
			err := c.List(ctx, &list, client.InNamespace(s.namespace))
			var told []string
			for _, e := range list.Items {
				told = append(told, e.Regarding.Kind+" "+e.Reason+": "+e.Note)
			}
			return told, err
		}).Should(ContainElements(
			MatchRegexp(`^AntiAffinityGroup Repairing: give class name \S+ back to FILES-1$`),
			MatchRegexp(`^GuestCluster Repairing: FILES-2 on hv0\d: attach disk data$`),
			MatchRegexp(`^GuestCluster Repairing: FILES-1 on hv0\d: add adapter cluster, put adapter cluster into its VLAN$`),
			MatchRegexp(`^GuestCluster Repairing: FILES-1 on hv0\d: make it a clustered role$`),
			MatchRegexp(`^GuestCluster Starting: FILES-2 on hv0\d: start it$`),
		))

		By("changing an address, which cannot be put back while the machine runs")
		Expect(s.world.SetMAC(one, "client", "02-A1-01-00-99-99")).To(Succeed())
		Eventually(ready(ctx, gc)).Should(Equal("False WaitingForPowerOff: the MAC address of adapter client of FILES-1 will be mended when it is off: shut it down when it suits you"))
		Expect(condition(ctx, gc, v1alpha1.ConditionReconciling)()).To(HavePrefix("True WaitingForPowerOff: "))
		Expect(s.vmState(one).State).To(Equal("Running"))
		isMended(func() error { return s.world.ShutDownVM(one) })

		By("putting a disk in another place, which cannot be put right while the machine runs")
		Expect(s.world.DetachDisk(two, data.Status.Path)).To(Succeed())
		Expect(s.world.AttachDisk(two, hypervsim.DriveState{Path: data.Status.Path, Controller: "SCSI", Number: 1, Location: 7, Shared: true})).To(Succeed())
		Eventually(ready(ctx, gc)).Should(Equal("False WaitingForPowerOff: the attachment of disk data of FILES-2 will be mended when it is off: shut it down when it suits you"))
		isMended(func() error { return s.world.ShutDownVM(two) })

		By("putting something else in a disk's place")
		Expect(s.world.AddFile(pool+`\Backup\other.vhdx`, 10<<30)).To(Succeed())
		Expect(s.world.DetachDisk(two, data.Status.Path)).To(Succeed())
		Expect(s.world.AttachDisk(two, hypervsim.DriveState{Path: pool + `\Backup\other.vhdx`, Controller: "SCSI", Number: 1, Location: 1, Shared: true})).To(Succeed())
		Eventually(stalled(ctx, gc)).Should(Equal("True NameTaken: FILES-2 has " + pool + `\Backup\other.vhdx in the place of disk data (controller 1, location 1); take it off`))
		isMended(func() error { return s.world.DetachDisk(two, pool+`\Backup\other.vhdx`) })

		By("moving a machine, and the volume to another owner")
		Expect(s.world.SetCSVOwner(pool, "hv04")).To(Succeed())
		free := s.freeHost()
		Expect(s.world.MoveVM(one, free)).To(Succeed())
		Eventually(func() string { _ = ready(ctx, gc)(); return gcMember(gc, "FILES-1").HostName }).Should(Equal(free))
		becomesReady(ctx, gc)
		want = s.pictures(ctx)

		By("saving a machine")
		Expect(s.world.SaveVM(two)).To(Succeed())
		Eventually(stalled(ctx, gc)).Should(Equal(fmt.Sprintf(
			"True HostFailed: FILES-2 is saved on %s; discard its saved state (Remove-VMSavedState) or turn it off: it is then started", s.vmState(two).Host)))
		Expect(ready(ctx, gc)()).To(HavePrefix("False HostFailed: FILES-2 is saved"))
		isMended(func() error { return s.world.TurnOffVM(two) })

		By("renaming a role, which nothing depends on")
		Expect(s.world.RenameGroup(two, "renamed")).To(Succeed())
		Expect(s.world.SetClassNames("renamed")).To(Succeed())
		isMended(func() error { return s.world.TurnOffVM(two) })
		s.expectRest(ctx, 3)
	})

	It("is left alone where it is not ours", func(ctx SpecContext) {
		s := newSite(ctx)
		stranger, err := s.world.AddForeignVM("hv01", "stranger", `C:\VMs`, "")
		Expect(err).NotTo(HaveOccurred())
		beside, err := s.world.AddForeignVM("hv02", "beside", pool, "")
		Expect(err).NotTo(HaveOccurred())
		gc := s.guestCluster(ctx, "files")
		becomesReady(ctx, gc)
		one := s.vm("FILES-1")

		Expect(s.world.AddFile(pool+`\Backup\backup.vhdx`, 10<<30)).To(Succeed())
		Expect(s.world.AttachDisk(one, hypervsim.DriveState{Path: pool + `\Backup\backup.vhdx`, Controller: "SCSI", Number: 0, Location: 9})).To(Succeed())
		s.expectRest(ctx, 3)
		Expect(s.vmState(one).Drives).To(ContainElement(HaveField("Path", pool+`\Backup\backup.vhdx`)))

		s.delete(ctx, gc)
		Eventually(gone(ctx, gc)).Should(BeTrue())
		Expect(s.files("backup.vhdx")).To(HaveLen(1), "a drive that somebody added is only taken off")
		Expect(s.vmState("stranger").ID).To(Equal(stranger))
		Expect(s.vmState("beside").ID).To(Equal(beside))
		for _, e := range s.changes(0) {
			Expect(e.Effect).NotTo(ContainSubstring("stranger"))
			Expect(e.Effect).NotTo(ContainSubstring("beside"))
		}
	})
})
