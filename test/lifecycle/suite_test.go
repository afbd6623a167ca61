// Package lifecycle_test holds the operator as a whole: a real API server, every controller, and a simulated host cluster
// in this process. What is asserted is what a user sees in the objects and what the host cluster's journal holds.
package lifecycle_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers"
	"guestclustering.io/operator/controllers/hostcluster"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/test/controlplane"
)

const (
	// speed makes the world's ordinary durations short.
	speed = 100
	// patience is how long the suite waits for anything.
	patience = 30 * time.Second
)

func TestLifecycle(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "Lifecycle")
	t.Run("what was sent binds in PowerShell", journalsBind)
}

var (
	plane  *controlplane.ControlPlane
	scheme = runtime.NewScheme()
	c      client.WithWatch
)

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(logr.Discard())
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	var err error
	plane, err = controlplane.Start(context.WithoutCancel(ctx), controlplane.Options{Controllers: true})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(plane.Stop()).To(Succeed()) })
	c, err = client.NewWithWatch(plane.Config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
})

// operator is a manager with every controller.
type operator struct {
	stop context.CancelFunc
	done chan struct{}
}

// startOperator starts a manager for one host cluster and what is in these namespaces; it reaches hosts through the driver.
func startOperator(driver hostagent.Driver, hostCluster string, namespaces ...string) *operator {
	GinkgoHelper()
	in := map[string]cache.Config{}
	for _, ns := range namespaces {
		in[ns] = cache.Config{}
	}
	mgr, err := ctrl.NewManager(plane.Config, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Controller: config.Controller{SkipNameValidation: new(true)},
		Cache: cache.Options{
			DefaultNamespaces: in,
			ByObject: map[client.Object]cache.ByObject{
				&v1alpha1.HostCluster{}: {Field: fields.OneTermEqualSelector("metadata.name", hostCluster)},
			},
		},
	})
	Expect(err).NotTo(HaveOccurred())
	ctx, stop := context.WithCancel(context.Background())
	drivers := func(v1alpha1.HostAgent, hostcluster.Keys) (hostagent.Driver, string, error) {
		return driver, "in-process", nil
	}
	Expect(controllers.Setup(ctx, mgr, controllers.Options{Drivers: drivers, Clock: newHurriedClock()})).To(Succeed())
	o := &operator{stop: stop, done: make(chan struct{})}
	go func() {
		defer GinkgoRecover()
		defer close(o.done)
		Expect(mgr.Start(ctx)).To(Succeed())
	}()
	return o
}

// end stops the manager and waits for it.
func (o *operator) end() {
	GinkgoHelper()
	o.stop()
	Eventually(o.done).Should(BeClosed())
}
