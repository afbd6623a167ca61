package lifecycle_test

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"guestclustering.io/operator/api/v1alpha1"
)

// forming is how long a cluster inside may take until it serves, on these machines.
const forming = 2 * time.Minute

const failoverYAML = `
type: Failover
failover:
  domain:
    name: corp.example
    organizationalUnit: OU=Clusters,DC=corp,DC=example
    credentialsSecretRef: {name: corp-join}
    formingCredentialsSecretRef: {name: corp-cluster}
  quorum: {type: DiskWitness, diskWitness: {disk: witness}}
  roles:
  - {name: FILES-FS, type: FileServer, fileServer: {disk: data, shares: [{name: invoices}]}}
`

// The passwords of the simulated domain's accounts.
var accounts = map[string][2]string{
	"corp-join": {"join@corp.example", "Join-the-domain-1"}, "corp-cluster": {"forming@corp.example", "Form-the-cluster-1"},
	"members": {`CORP\ops`, "Run-the-members-1"},
}

// failover gives a guest cluster a failover cluster inside.
func failover(gc *v1alpha1.GuestCluster) {
	gc.Spec.Clustering = &v1alpha1.GuestClusterClustering{}
	Expect(yaml.UnmarshalStrict([]byte(failoverYAML), gc.Spec.Clustering)).To(Succeed())
	gc.Spec.GuestAccess.CredentialsSecretRef = &v1alpha1.SecretReference{Name: "members"}
}

// giveAccounts makes the Secrets that failover names.
func (s *site) giveAccounts(ctx context.Context) {
	GinkgoHelper()
	for name, account := range accounts {
		Expect(c.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
			StringData: map[string]string{"username": account[0], "password": account[1]},
		})).To(Succeed())
	}
}

// serves waits until the cluster inside serves and nothing is being done.
func serves(ctx context.Context, gc *v1alpha1.GuestCluster) {
	GinkgoHelper()
	Eventually(ready(ctx, gc)).WithTimeout(forming).Should(Equal("True Succeeded"))
	becomesReady(ctx, gc)
}

// ran counts the calls of a cmdlet that changed something, or tried to.
func (s *site) ran(cmdlet string) int {
	n := 0
	for _, e := range s.world.Journal(0) {
		if e.Call != nil && e.Call.Cmdlet == cmdlet {
			n++
		}
	}
	return n
}

var _ = Describe("The cluster inside", func() {
	It("is formed, validated and quorate, and serves its role", func(ctx SpecContext) {
		s := newSite(ctx)
		s.giveAccounts(ctx)
		writes := s.statusWrites(ctx, "files")
		gc := s.guestCluster(ctx, "files", failover)
		serves(ctx, gc)

		By("reading the object")
		for _, t := range []v1alpha1.ConditionType{
			v1alpha1.ConditionFormed, v1alpha1.ConditionQuorumHealthy, v1alpha1.ConditionServing, v1alpha1.ConditionAvailable, v1alpha1.ConditionSurvivesHostLoss,
		} {
			Expect(condition(ctx, gc, t)()).To(Equal("True Succeeded"), string(t))
		}
		Expect(condition(ctx, gc, v1alpha1.ConditionValidated)()).To(HavePrefix("True "))
		inside := gc.Status.FailoverCluster
		Expect(inside.Name).To(Equal("FILES-CL"))
		Expect(inside.Witness).To(HaveField("State", "Online"))
		Expect(inside.Roles).To(ConsistOf(And(HaveField("Name", "FILES-FS"), HaveField("State", "Online"), HaveField("ObjectGUID", Not(BeEmpty())))))
		Expect(gc.Status.ToleratedHostFailures).To(HaveValue(BeEquivalentTo(1)))
		Expect(gc.Status.AccessPoints).To(ConsistOf(And(HaveField("Name", "FILES-FS"), HaveField("Addresses", Not(BeEmpty())))))
		for _, m := range gc.Status.Members {
			Expect(m).To(And(HaveField("NodeState", v1alpha1.NodeUp), HaveField("SetUp", v1alpha1.SetUpComplete), HaveField("ComputerObjectGUID", Not(BeEmpty()))))
		}
		for _, d := range gc.Status.SharedDisks {
			Expect(d).To(And(HaveField("DiskGUID", Not(BeEmpty())), HaveField("ClusterState", "Online")))
		}

		By("counting")
		Expect(s.ran("New-Cluster")).To(Equal(1))
		Expect(s.ran("Initialize-SharedDisk")).To(Equal(2))
		// Identity is recorded as it comes to be: machines, set-up, accounts, disks, the verdict, the cluster, its role.
		Expect(len(writes())).To(BeNumerically("<=", 16), "status writes:\n%s", strings.Join(writes(), "\n"))
		// Members that boot apart are prepared apart, which takes some more on a busy machine than the nine that are needed.
		for host, n := range batches(s.changes(0)) {
			Expect(n).To(BeNumerically("<=", 18), "changing batches on %s", host)
		}
		GinkgoWriter.Printf("%d status writes; changing batches by host: %v\n", len(writes()), batches(s.changes(0)))
		s.expectRest(ctx, 5)
	})

	It("takes the administrator's Secret with it, and what it made in the domain", func(ctx SpecContext) {
		s := newSite(ctx)
		s.giveAccounts(ctx)
		gc := s.guestCluster(ctx, "files", failover)
		serves(ctx, gc)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "files-administrator"}}
		Expect(c.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
		s.delete(ctx, gc)
		Eventually(gone(ctx, gc)).WithTimeout(forming).Should(BeTrue())
		Eventually(gone(ctx, secret)).Should(BeTrue())
	})
})

var _ = Describe("A change of the cluster inside", func() {
	It("makes a disk larger while it is used, down to the volume", func(ctx SpecContext) {
		s := newSite(ctx)
		s.giveAccounts(ctx)
		gc := s.guestCluster(ctx, "files", failover)
		serves(ctx, gc)
		edit(ctx, gc, func(gc *v1alpha1.GuestCluster) {
			gc.Spec.SharedDisks[1].Template.Spec.Size = resource.MustParse("600Gi")
		})
		disk := s.existingDisk(ctx, "files-data")
		Eventually(func() string {
			_ = ready(ctx, disk)()
			return disk.Status.Size.String()
		}).Should(Equal("600Gi"))
		Eventually(func() int { return s.ran("Expand-SharedDisk") }).Should(Equal(1))
		serves(ctx, gc)
		Expect(s.ran("Resize-VHD")).To(Equal(1))
		Expect(s.ran("Expand-SharedDisk")).To(Equal(1))
	})

	It("adds a member and lets it go again, one that served too", func(ctx SpecContext) {
		s := newSite(ctx)
		s.giveAccounts(ctx)
		gc := s.guestCluster(ctx, "files", failover)
		serves(ctx, gc)
		edit(ctx, gc, members(3))
		serves(ctx, gc)
		Expect(gc.Status.Members).To(HaveLen(3))
		Expect(gcMember(gc, "FILES-3").NodeState).To(Equal(v1alpha1.NodeUp))
		Expect(s.ran("New-Cluster")).To(Equal(1))

		edit(ctx, gc, members(2))
		serves(ctx, gc)
		Expect(gc.Status.Members).To(HaveLen(2))
		Expect(s.world.State().Machines).To(HaveLen(2))
		Expect(s.world.State().Domain.Computers).NotTo(ContainElement("FILES-3"))
		Expect(s.files("FILES-3")).To(BeEmpty())
	})
})
