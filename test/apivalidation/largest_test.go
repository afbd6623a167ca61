package apivalidation

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"guestclustering.io/operator/api/v1alpha1"
)

// many is what each gives for 1 to n.
func many[T any](n int, each func(i int) T) []T {
	all := []T{}
	for i := range n {
		all = append(all, each(i+1))
	}
	return all
}

// largest has every list of its spec as long as may be, and its texts long.
func largest() *v1alpha1.GuestCluster {
	network := func(i int) string { return fmt.Sprintf("%s-%d", strings.Repeat("n", 61), i) }
	disk := func(i int) string { return fmt.Sprintf("%s-%02d", strings.Repeat("d", 54), i) }
	address := func(i int) string { return fmt.Sprintf("fd00:1111:2222:3333:4444:5555:6666:%04d", i) }
	return &v1alpha1.GuestCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "files", Namespace: namespace},
		Spec: v1alpha1.GuestClusterSpec{
			HostClusterRef: v1alpha1.HostClusterReference{Name: "rack1"},
			Members: v1alpha1.GuestClusterMembers{Type: v1alpha1.MembersNamed, Named: many(64, func(i int) v1alpha1.NamedMember {
				return v1alpha1.NamedMember{Name: fmt.Sprintf("MEMBER-%08d", i), Networks: many(8, func(i int) v1alpha1.NamedMemberNetwork {
					return v1alpha1.NamedMemberNetwork{Name: network(i), Addresses: many(4, func(i int) string { return address(i) + "/128" })}
				})}
			})},
			Machine: v1alpha1.GuestClusterMachine{
				Image: "ws2022", StoragePool: "gold",
				Networks: many(8, func(i int) v1alpha1.MachineNetwork {
					if i == 1 {
						return v1alpha1.MachineNetwork{Name: network(i), Purpose: v1alpha1.NetworkPurposeCluster, HostNetwork: "cluster"}
					}
					return v1alpha1.MachineNetwork{
						Name: network(i), Purpose: v1alpha1.NetworkPurposeClient, HostNetwork: "client",
						Gateways: []string{"10.0.1.1", address(1)}, DNSServers: many(8, address),
					}
				}),
			},
			SharedDisks: many(15, func(i int) v1alpha1.GuestClusterSharedDisk {
				return v1alpha1.GuestClusterSharedDisk{Name: disk(i), Template: &v1alpha1.SharedDiskTemplate{
					Spec: v1alpha1.SharedDiskTemplateSpec{Size: resource.MustParse("500Gi"), StoragePool: "gold"},
				}}
			}),
			Clustering: &v1alpha1.GuestClusterClustering{Type: v1alpha1.ClusteringFailover, Failover: &v1alpha1.FailoverClustering{
				Name: "CLUSTER-0000001", Addresses: many(8, address),
				Domain: &v1alpha1.FailoverDomain{
					Name:                 strings.Repeat("d", 253),
					OrganizationalUnit:   "OU=" + strings.Repeat("o", 1000) + ",DC=corp,DC=example",
					CredentialsSecretRef: v1alpha1.SecretReference{Name: "corp-join"},
				},
				Quorum: v1alpha1.FailoverQuorum{Type: v1alpha1.QuorumNodeMajority},
				Roles: many(15, func(i int) v1alpha1.FailoverRole {
					return v1alpha1.FailoverRole{
						Name: fmt.Sprintf("ROLE-0000000-%02d", i), Type: v1alpha1.RoleFileServer, Addresses: many(8, address),
						FileServer: &v1alpha1.FileServerRole{Disk: disk(i), Shares: many(32, func(i int) v1alpha1.FileShare {
							return v1alpha1.FileShare{
								Name:       fmt.Sprintf("%s-%02d", strings.Repeat("s", 77), i),
								FullAccess: many(16, func(i int) string { return fmt.Sprintf(`%s\%02d`, strings.Repeat("a", 125), i) }),
							}
						})},
					}
				}),
			}},
		},
	}
}

// The API server stops rules that take too long, whatever their estimate was: what may be in each field must be allowed in
// all fields at once.
var _ = Describe("the largest GuestCluster", func() {
	It("is accepted, changed and reported on", func(ctx SpecContext) {
		gc := largest()
		Expect(kube.Create(ctx, gc, strict)).To(Succeed())
		gc.Spec.Clustering.Failover.Validation = v1alpha1.ValidationReport
		gc.Spec.Members.Named[0].Networks = gc.Spec.Members.Named[0].Networks[:1]
		Expect(kube.Update(ctx, gc, strict)).To(Succeed())
		gc.Status.Summary.Message = "seen"
		Expect(kube.Status().Update(ctx, gc)).To(Succeed())
	})
})
