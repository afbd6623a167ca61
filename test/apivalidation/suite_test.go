// Package apivalidation checks on a real kube-apiserver what the CRDs alone accept, refuse and default:
// every CEL rule with manifests on both sides of it, by the field and the sentence that a user sees.
package apivalidation

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/test/controlplane"
)

// namespace holds the namespaced objects of all specs, one spec's at a time: a new namespace costs the first
// object in it a wait of 50 ms.
const namespace = "payments"

var (
	config *rest.Config
	kube   client.Client
)

func TestAPIValidation(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "API validation")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	plane, err := controlplane.Start(ctx, controlplane.Options{Log: GinkgoWriter})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(plane.Stop)

	scheme := runtime.NewScheme()
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(apiextensionsv1.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	config = plane.Config
	kube, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	Expect(kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})).To(Succeed())
}, NodeTimeout(3*time.Minute))

var _ = AfterEach(func(ctx SpecContext) {
	for _, kind := range []client.Object{&v1alpha1.GuestCluster{}, &v1alpha1.SharedDisk{}, &v1alpha1.AntiAffinityGroup{}} {
		Expect(kube.DeleteAllOf(ctx, kind, client.InNamespace(namespace))).To(Succeed())
	}
	Expect(kube.DeleteAllOf(ctx, &v1alpha1.HostCluster{})).To(Succeed())
})

// strict makes the API server refuse fields that it does not know.
var strict = client.FieldValidation("Strict")
