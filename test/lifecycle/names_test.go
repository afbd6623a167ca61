package lifecycle_test

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// stampOf is the stamp of a guest cluster's member.
func (s *site) stampOf(ctx context.Context, gc *v1alpha1.GuestCluster, member string) hyperv.Stamp {
	GinkgoHelper()
	var system, own corev1.Namespace
	Expect(c.Get(ctx, client.ObjectKey{Name: "kube-system"}, &system)).To(Succeed())
	Expect(c.Get(ctx, client.ObjectKey{Name: gc.Namespace}, &own)).To(Succeed())
	return hyperv.Stamp{
		ClusterID: string(system.UID), Namespace: gc.Namespace, NamespaceUID: string(own.UID), Kind: hyperv.KindGuestCluster, Name: gc.Name, UID: string(gc.UID), Member: member,
	}
}

var _ = Describe("A name on the hosts that is not ours", func() {
	It("blocks and says what to do, and nothing is made or touched", func(ctx SpecContext) {
		s := newSite(ctx)
		stranger := hyperv.Stamp{ClusterID: "another", Namespace: "a", NamespaceUID: "b", Kind: hyperv.KindGuestCluster, Name: "c", UID: "d", Member: "E"}
		earlier := func(kind, name, member, uid string) string {
			stamp := hyperv.Stamp{ClusterID: "another", Namespace: s.namespace, NamespaceUID: "before", Kind: kind, Name: name, UID: uid, Member: member}
			folder := hyperv.FolderPath(pool, stamp)
			Expect(s.world.AddFolder(folder, stamp.Encode())).To(Succeed())
			return folder
		}

		By("putting things in the way")
		ownedFolder := earlier(hyperv.KindGuestCluster, "owned", "OWNED-2", "3f0c0000-0000-4000-8000-000000000001")
		olderFolder := earlier(hyperv.KindSharedDisk, "older", "", "3f0c0000-0000-4000-8000-000000000002")
		Expect(s.world.AddFile(olderFolder+`\older.vhds`, 10<<30)).To(Succeed())
		id, err := s.world.AddForeignVM("hv02", "stranger", pool, "")
		Expect(err).NotTo(HaveOccurred())
		s.byHand(ctx, "hv02", cmdlet.MakeClustered("role", id, s.vm("ROLE-1")))
		Expect(c.Create(ctx, &v1alpha1.AntiAffinityGroup{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "apart"},
			Spec: v1alpha1.AntiAffinityGroupSpec{
				HostClusterRef: v1alpha1.HostClusterReference{Name: s.hostCluster}, GuestClusters: []v1alpha1.GuestClusterReference{{Name: "other"}},
			},
		})).To(Succeed())
		taken, full := s.guestCluster(ctx, "taken", noDisks, paused), s.guestCluster(ctx, "full", noDisks, paused)
		foreign := s.sharedDisk(ctx, "foreign", func(d *v1alpha1.SharedDisk) { d.Spec.Management = v1alpha1.ManagementPaused })
		folders := func() []string {
			_, _, _ = ready(ctx, taken)(), ready(ctx, full)(), ready(ctx, foreign)()
			return []string{gcMember(taken, "TAKEN-1").Folder, gcMember(full, "FULL-1").Folder, foreign.Status.Folder}
		}
		Eventually(folders).ShouldNot(ContainElement(""), "names are decided before anything is made")
		Expect(s.world.AddFolder(gcMember(taken, "TAKEN-1").Folder, stranger.Encode())).To(Succeed())
		Expect(s.world.AddFile(gcMember(full, "FULL-1").Folder+`\notes.txt`, 100)).To(Succeed())
		Expect(s.world.AddFolder(foreign.Status.Folder, stranger.Encode())).To(Succeed())
		s.polls(2)
		from := s.now()

		By("asking for the names")
		edit(ctx, taken, managed)
		edit(ctx, full, managed)
		edit(ctx, foreign, func(d *v1alpha1.SharedDisk) { d.Spec.Management = v1alpha1.ManagementManaged })
		owned, role := s.guestCluster(ctx, "owned", noDisks), s.guestCluster(ctx, "role", noDisks)
		apart := s.guestCluster(ctx, "apart", noDisks)
		older := s.sharedDisk(ctx, "older")

		By("reading what is told")
		Eventually(stalled(ctx, taken)).Should(Equal("True NameTaken: folder " + gcMember(taken, "TAKEN-1").Folder + " carries the stamp of something else; move it away or choose another name"))
		Eventually(stalled(ctx, full)).Should(And(HavePrefix("True NameTaken: "), ContainSubstring(gcMember(full, "FULL-1").Folder)))
		Eventually(stalled(ctx, foreign)).Should(Equal("True NameTaken: folder " + foreign.Status.Folder + " carries the stamp of something else; move it away or choose another name"))
		Eventually(stalled(ctx, owned)).Should(Equal(fmt.Sprintf("True OwnedByPrevious: %s holds %s/owned of UID 3f0c0000-0000-4000-8000-000000000001; choose another name", ownedFolder, s.namespace)))
		Eventually(stalled(ctx, older)).Should(Equal(fmt.Sprintf("True OwnedByPrevious: %s holds %s/older of UID 3f0c0000-0000-4000-8000-000000000002; choose another name", olderFolder, s.namespace)))
		Eventually(stalled(ctx, role)).Should(Equal("True NameTaken: the host cluster has a role " + s.vm("ROLE-1") + " that is not ours; rename it or choose another name"))
		Eventually(stalled(ctx, apart)).Should(Equal("True NameTaken: an AntiAffinityGroup apart exists that is not this guest cluster's; rename it, or choose another name"))

		By("looking at the hosts")
		s.polls(2)
		for _, member := range []string{"TAKEN-1", "FULL-1", "OWNED-2", "ROLE-1"} {
			Expect(s.vmState(s.vm(member)).ID).To(BeEmpty(), member)
		}
		Expect(s.files(foreign.Status.Folder)).To(HaveLen(1))
		Expect(s.files(gcMember(full, "FULL-1").Folder)).To(ConsistOf(gcMember(full, "FULL-1").Folder + `\notes.txt`))
		Expect(s.vmState("stranger").ID).To(Equal(id))
		for _, e := range s.changes(from) {
			Expect(e.Effect).NotTo(ContainSubstring("stranger"))
			Expect(e.Effect).NotTo(ContainSubstring("3f0c0000"))
		}

		By("getting out of the way")
		Expect(s.world.RemoveFile(gcMember(full, "FULL-1").Folder + `\notes.txt`)).To(Succeed())
		Expect(s.world.RenameGroup(id, "theirs")).To(Succeed())
		becomesReady(ctx, full, role)
	})
})
