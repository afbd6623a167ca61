package lifecycle_test

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim"
)

var _ = Describe("Creation", func() {
	It("makes members, disks and placement as asked, in few calls and few writes, and then nothing moves", func(ctx SpecContext) {
		s := newSite(ctx)
		writes := s.statusWrites(ctx, "files")
		gc := s.guestCluster(ctx, "files")
		becomesReady(ctx, gc)
		group, hc := s.existingGroup(ctx, "files"), s.hostClusterObject(ctx)
		data, witness := s.existingDisk(ctx, "files-data"), s.existingDisk(ctx, "files-witness")
		becomesReady(ctx, hc, group, data, witness)

		By("looking at the hosts")
		machines := s.machines(ctx)
		Expect(machines).To(HaveLen(2))
		for _, member := range []string{"FILES-1", "FILES-2"} {
			s.expectMember(machines[s.vm(member)], hyperv.Configuration{
				Processors: 2, MemoryBytes: 4 << 30, StartAction: "Nothing", StopAction: "ShutDown", CheckpointType: "ProductionOnly",
				Controllers: []int32{0, 1}, Drives: []hyperv.Drive{
					{Path: gcMember(gc, member).OSDisk, ControllerType: "SCSI"},
					{Path: witness.Status.Path, ControllerType: "SCSI", Controller: 1, PersistentReservations: true},
					{Path: data.Status.Path, ControllerType: "SCSI", Controller: 1, Location: 1, PersistentReservations: true},
				},
			})
			Expect(s.group(s.vm(member))).To(And(
				HaveField("Name", s.vm(member)), HaveField("State", "Online"), HaveField("OfflineAction", BeEquivalentTo(2)),
				HaveField("ClassNames", []string{group.Status.ClassName}),
			))
		}
		Expect(machines[s.vm("FILES-1")].HostName).NotTo(Equal(machines[s.vm("FILES-2")].HostName))
		Expect(macs(machines)).To(HaveLen(4), "every adapter has an address of its own")

		By("reading the objects")
		Expect(gc.Status.Summary).To(Equal(v1alpha1.GuestClusterSummary{
			Members: "2/2", Storage: "2/2", Placement: gc.Status.Summary.Placement,
		}))
		Expect(condition(ctx, gc, v1alpha1.ConditionAvailable)()).To(Equal("True Succeeded"))
		Expect(condition(ctx, gc, v1alpha1.ConditionPlacementSatisfied)()).To(Equal("True Succeeded"))
		Expect(gcMember(gc, "FILES-1").HostName).To(Equal(machines[s.vm("FILES-1")].HostName))
		Expect(gcMember(gc, "FILES-1").State).To(Equal("Running"))
		Expect(data.Status.AttachedTo).To(Equal([]string{"FILES-1", "FILES-2"}))
		Expect(condition(ctx, data, v1alpha1.ConditionAttached)()).To(Equal("True Succeeded"))
		Expect(data.Status.Format).To(Equal("VHDSet"))
		Expect(data.Status.Size.String()).To(Equal("500Gi"))
		Expect(data.Status.Claim.UID).To(Equal(gc.UID))
		Expect(condition(ctx, group, v1alpha1.ConditionSatisfied)()).To(Equal("True Succeeded"))
		Expect(hc.Status.Summary).To(Equal(v1alpha1.HostClusterSummary{Hosts: "4/4", OS: "WindowsServer2022", Pools: "1/1", GuestClusters: 1}))

		By("counting")
		Expect(len(writes())).To(BeNumerically("<=", 6), "status writes: %q", writes())
		for host, n := range batches(s.changes(0)) {
			Expect(n).To(BeNumerically("<=", 12), "changing batches on %s", host)
		}
		s.expectNothingTwice(0)
		s.expectRest(ctx, 5)
	})

	It("takes what every host can do, whatever their releases", func(ctx SpecContext) {
		s := newSite(ctx, settings{model: func(m *hypervsim.Model) {
			m.Hosts[0].Build, m.Hosts[1].Build, m.Hosts[2].Build = hyperv.Build2016, hyperv.Build2019, hyperv.Build2022
		}})
		gc := s.guestCluster(ctx, "mixed", members(4))
		becomesReady(ctx, gc)
		machines := s.machines(ctx)
		var hosts []string
		for _, m := range machines {
			Expect(m.Version).To(Equal("8.0"), "Windows Server 2016 knows no newer one")
			Expect(m.Configuration.CheckpointType).To(Equal("ProductionOnly"))
			Expect(m.Configuration.AutomaticCheckpoint).To(BeFalse())
			hosts = append(hosts, m.HostName)
		}
		slices.Sort(hosts)
		Expect(hosts).To(Equal([]string{"hv01", "hv02", "hv03", "hv04"}))
		Expect(s.hostClusterObject(ctx).Status.Summary.OS).To(Equal("WindowsServer2016"))
	})

	It("names members as asked, and goes on from counted to named", func(ctx SpecContext) {
		s := newSite(ctx)
		named := func(names ...string) func(*v1alpha1.GuestCluster) {
			return func(gc *v1alpha1.GuestCluster) {
				gc.Spec.Members = v1alpha1.GuestClusterMembers{Type: v1alpha1.MembersNamed}
				for _, name := range names {
					gc.Spec.Members.Named = append(gc.Spec.Members.Named, v1alpha1.NamedMember{Name: name})
				}
			}
		}
		sql, files := s.guestCluster(ctx, "sql", noDisks, named("SQL-A", "SQL-B")), s.guestCluster(ctx, "files", noDisks)
		becomesReady(ctx, sql, files)
		edit(ctx, files, named("FILES-1", "FILES-2", "WITNESS"))
		becomesReady(ctx, files)
		Expect(s.placement(s.namespace)).To(HaveExactElements(
			HavePrefix(s.vm("FILES-1")), HavePrefix(s.vm("FILES-2")), HavePrefix(s.vm("SQL-A")), HavePrefix(s.vm("SQL-B")), HavePrefix(s.vm("WITNESS"))))
		s.expectNothingTwice(0)
	})

	It("uses VHDX on Windows Server 2012 R2, and says that VHD Sets need more", func(ctx SpecContext) {
		s := newSite(ctx, settings{model: func(m *hypervsim.Model) {
			for i := range m.Hosts {
				m.Hosts[i].Build = hyperv.Build2012R2
			}
		}})
		gc := s.guestCluster(ctx, "old")
		set := s.sharedDisk(ctx, "newer", func(d *v1alpha1.SharedDisk) { d.Spec.Format = v1alpha1.DiskFormatVHDSet })
		Eventually(stalled(ctx, set)).Should(Equal("True HostTooOld: " + s.hostCluster +
			" runs Windows Server 2012 R2; VHD Sets need 2016. Use format VHDX (no online growth, no host backup) or upgrade the hosts"))
		becomesReady(ctx, gc)
		Expect(s.existingDisk(ctx, "old-data").Status.Format).To(Equal("VHDX"))
		for _, m := range s.machines(ctx) {
			Expect(m.Generation).To(BeEquivalentTo(2))
			Expect(m.Configuration.Drives[1].PersistentReservations).To(BeTrue())
			Expect(m.Configuration.StopAction).To(Equal("ShutDown"))
		}
	})
})

func gcMember(gc *v1alpha1.GuestCluster, name string) v1alpha1.MemberStatus {
	for _, m := range gc.Status.Members {
		if m.Name == name {
			return m
		}
	}
	return v1alpha1.MemberStatus{}
}

// expectMember holds a machine against what every member of these specs is like.
func (s *site) expectMember(m hyperv.Machine, configuration hyperv.Configuration) {
	GinkgoHelper()
	Expect(m.Generation).To(BeEquivalentTo(2))
	Expect(m.Version).To(Equal("10.0"))
	Expect(m.State).To(Equal("Running"))
	Expect(m.Heartbeat).To(HavePrefix("Ok"))
	Expect(m.Clustered).To(BeTrue())
	Expect(*m.Configuration).To(Equal(configuration))
	Expect(m.Adapters).To(HaveLen(2))
	for i, want := range []hyperv.Adapter{{Name: "client", SwitchName: "vSwitch-Client", VLAN: 110}, {Name: "cluster", SwitchName: "vSwitch-Cluster", VLAN: 120}} {
		want.MAC = m.Adapters[i].MAC
		Expect(m.Adapters[i]).To(Equal(want))
		Expect(want.MAC.Dashed()).To(HavePrefix("02-A1-01-00-"))
	}
}

func macs(machines map[string]hyperv.Machine) map[hyperv.MAC]bool {
	out := map[hyperv.MAC]bool{}
	for _, m := range machines {
		for _, a := range m.Adapters {
			out[a.MAC] = true
		}
	}
	return out
}

// expectNothingTwice holds that no call since an entry changed what another had changed already.
func (s *site) expectNothingTwice(since int) {
	GinkgoHelper()
	done := map[string]bool{}
	for _, e := range s.changes(since) {
		// Set-VM says no more than that it changed settings; a machine gets two of them. The same answer file is written again when
		// the machine was not made after it.
		if e.Effect == "" || e.Call.Cmdlet == "Set-VM" || e.Call.Cmdlet == "Set-AnswerFile" {
			continue
		}
		Expect(done[e.VMID+e.Effect]).To(BeFalse(), "done twice: %s %s", e.VM, e.Effect)
		done[e.VMID+e.Effect] = true
	}
}

// expectRest holds that over some polls nothing is written to Kubernetes, nothing is changed on the hosts, and each host is
// asked in at most four batches a poll.
func (s *site) expectRest(ctx context.Context, polls int) {
	GinkgoHelper()
	s.polls(2)
	before, from := s.versions(ctx), s.now()
	s.polls(polls)
	Expect(s.versions(ctx)).To(Equal(before), "Kubernetes writes")
	Expect(s.cmdlets(from)).To(BeEmpty())
	for host, n := range batches(s.world.Journal(from)) {
		// The window may cut a poll in two.
		Expect(n).To(BeNumerically("<=", 4*(polls+1)), "batches on %s", host)
	}
}
