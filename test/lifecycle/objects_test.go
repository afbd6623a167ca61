package lifecycle_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"guestclustering.io/operator/api/v1alpha1"
)

const hostClusterYAML = `
spec:
  agent: {type: Simulated, simulated: {address: "127.0.0.1:7100"}}
  pollInterval: 1s
  storagePools: [{name: gold, path: 'C:\ClusterStorage\Gold'}]
  images: [{name: ws2022, path: 'C:\ClusterStorage\Gold\Images\ws2022.vhdx', os: WindowsServer2022}]
  networks:
  - {name: client, switchName: vSwitch-Client, vlan: {id: 110}}
  - {name: cluster, switchName: vSwitch-Cluster, vlan: {id: 120}}
  macAddressRanges: [{name: a, first: 02-A1-01-00-00-00, last: 02-A1-01-00-FF-FF}]
  allowedNamespaces: {from: All}
`

const guestClusterYAML = `
spec:
  members: {count: 2}
  machine:
    image: ws2022
    storagePool: gold
    networks:
    - {name: client, purpose: Client, hostNetwork: client}
    - {name: cluster, purpose: Cluster, hostNetwork: cluster}
  sharedDisks:
  - {name: witness, template: {spec: {size: 1Gi, storagePool: gold}}}
  - {name: data, template: {spec: {size: 500Gi, storagePool: gold}}}
`

// site is a host cluster of a test's own: names that no other test has.
type site struct {
	hostCluster, namespace string
}

func newSite(ctx context.Context) site {
	GinkgoHelper()
	s := site{hostCluster: "rack-" + rand.String(5), namespace: "t-" + rand.String(5)}
	Expect(c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}})).To(Succeed())
	hc := &v1alpha1.HostCluster{}
	Expect(yaml.UnmarshalStrict([]byte(hostClusterYAML), hc)).To(Succeed())
	hc.Name = s.hostCluster
	Expect(c.Create(ctx, hc)).To(Succeed())
	return s
}

// guestCluster makes a two-node guest cluster with a witness and a data disk, changed by edit.
func (s site) guestCluster(ctx context.Context, name string, edit ...func(*v1alpha1.GuestCluster)) *v1alpha1.GuestCluster {
	GinkgoHelper()
	gc := &v1alpha1.GuestCluster{}
	Expect(yaml.UnmarshalStrict([]byte(guestClusterYAML), gc)).To(Succeed())
	gc.Namespace, gc.Name = s.namespace, name
	gc.Spec.HostClusterRef.Name = s.hostCluster
	for _, e := range edit {
		e(gc)
	}
	Expect(c.Create(ctx, gc)).To(Succeed())
	return gc
}

// status reads an object again and gives a condition as "True Reason: message".
func conditionOf(ctx context.Context, obj client.Object, conditions func() []metav1.Condition, t v1alpha1.ConditionType) string {
	if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return err.Error()
	}
	for _, cond := range conditions() {
		if cond.Type == string(t) {
			return strings.TrimSuffix(string(cond.Status)+" "+cond.Reason+": "+cond.Message, ": ")
		}
	}
	return "absent"
}

func gcCondition(ctx context.Context, gc *v1alpha1.GuestCluster, t v1alpha1.ConditionType) func() string {
	return func() string {
		return conditionOf(ctx, gc, func() []metav1.Condition { return gc.Status.Conditions }, t)
	}
}
