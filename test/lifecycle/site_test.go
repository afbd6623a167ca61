package lifecycle_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim"
)

const pool = `C:\ClusterStorage\Gold`

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

// site is a host cluster with hosts, an operator and a namespace of a spec's own.
type site struct {
	world                  *hypervsim.World
	hostCluster, namespace string
	driver                 hostagent.Driver
	operator               *operator
	// builds are the Windows builds of the hosts.
	builds map[string]int
}

// settings are what a spec wants different about its site.
type settings struct {
	model       func(*hypervsim.Model)
	hostCluster func(*v1alpha1.HostCluster)
	// driver stands between the operator and the world.
	driver func(hostagent.Driver) hostagent.Driver
}

// newSite makes a site that ends with the spec.
func newSite(ctx context.Context, with ...settings) *site {
	GinkgoHelper()
	s := openSite(ctx, with...)
	DeferCleanup(s.close)
	return s
}

// openSite makes a site that the caller closes.
func openSite(ctx context.Context, with ...settings) *site {
	GinkgoHelper()
	model := hypervsim.DefaultModel()
	// The operator counts it on a clock that runs like ours, not like the world's.
	model.Durations.Resiliency = 2 * time.Second
	s := &site{hostCluster: "rack-" + rand.String(5), namespace: "t-" + rand.String(5)}
	hc := &v1alpha1.HostCluster{}
	Expect(yaml.UnmarshalStrict([]byte(hostClusterYAML), hc)).To(Succeed())
	hc.Name = s.hostCluster
	for _, w := range with {
		if w.model != nil {
			w.model(&model)
		}
		if w.hostCluster != nil {
			w.hostCluster(hc)
		}
	}
	s.builds = map[string]int{}
	for _, h := range model.Hosts {
		s.builds[h.Name] = h.Build
	}
	var err error
	s.world, err = hypervsim.New(model, hypervsim.NewRealClock(speed))
	Expect(err).NotTo(HaveOccurred())
	s.driver = s.world.Driver()
	for _, w := range with {
		if w.driver != nil {
			s.driver = w.driver(s.driver)
		}
	}
	Expect(c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}})).To(Succeed())
	Expect(c.Create(ctx, hc)).To(Succeed())
	s.start()
	return s
}

func (s *site) start() {
	GinkgoHelper()
	s.operator = startOperator(s.driver, s.hostCluster, s.namespace)
}

// close ends a site and holds what holds everywhere: the rules of status, and that no machine was ever saved by a call.
func (s *site) close(ctx SpecContext) {
	GinkgoHelper()
	s.shut(ctx)
}

func (s *site) shut(ctx context.Context) {
	GinkgoHelper()
	if CurrentSpecReport().Failed() {
		s.explain(ctx)
	}
	s.checkStatuses(ctx)
	s.checkJournal()
	s.checkCalls()
	s.operator.end()
	s.world.Close()
}

// explain tells what a failed spec left: the objects' conditions and what was done on the hosts.
func (s *site) explain(ctx context.Context) {
	for _, o := range s.objects(ctx) {
		GinkgoWriter.Printf("%T %s: %s\n", o, o.GetName(), told(o))
	}
	for _, e := range s.world.Journal(0) {
		switch {
		case e.Call == nil:
			GinkgoWriter.Printf("%d %s\n", e.Seq, e.Effect)
		case e.Call.Changes():
			GinkgoWriter.Printf("%d %s %d/%d %s %s %s %s %v\n", e.Seq, e.Host, e.Session, e.Batch, e.Call.Cmdlet, e.State, e.Fault, e.Effect, e.Errors)
		}
	}
}

// vm is the name that a member has on the hosts.
func (s *site) vm(member string) string { return hyperv.MachineName(s.namespace, member) }

// delete deletes an object without waiting for anything.
func (s *site) delete(ctx context.Context, obj client.Object) {
	GinkgoHelper()
	Expect(c.Delete(ctx, obj)).To(Succeed())
}

// gone reports whether an object is not there any more.
func gone(ctx context.Context, obj client.Object) func() bool {
	return func() bool {
		return apierrors.IsNotFound(c.Get(ctx, client.ObjectKeyFromObject(obj), obj))
	}
}

// edit changes an object as a user does with kubectl edit.
func edit[T client.Object](ctx context.Context, obj T, change func(T)) {
	GinkgoHelper()
	Eventually(func() error {
		if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err
		}
		change(obj)
		return c.Update(ctx, obj)
	}).Should(Succeed())
}

// hostClusterObject reads the site's HostCluster.
func (s *site) hostClusterObject(ctx context.Context) *v1alpha1.HostCluster {
	GinkgoHelper()
	hc := &v1alpha1.HostCluster{}
	Expect(c.Get(ctx, client.ObjectKey{Name: s.hostCluster}, hc)).To(Succeed())
	return hc
}
