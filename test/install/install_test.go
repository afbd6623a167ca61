// Package install_test holds config/default on a real API server: that it can be applied, that the manager's Pod is one that
// the namespace admits, that the manager's rights are the ones it uses, and what the policy on deletions refuses.
package install_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/go-logr/logr"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/test/controlplane"
)

const (
	// namespace is the operator's own in config/default.
	namespace = "guestclustering-system"
	patience  = 60 * time.Second
)

// cluster is an API server with config/default applied to it.
type cluster struct {
	client.Client

	plane  *controlplane.ControlPlane
	scheme *runtime.Scheme
}

func TestInstall(t *testing.T) {
	ctrl.SetLogger(logr.Discard())
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	c := &cluster{plane: controlplane.ForTest(t, controlplane.Options{CRDs: []string{}}), scheme: runtime.NewScheme()}
	must(t, clientgoscheme.AddToScheme(c.scheme))
	must(t, v1alpha1.AddToScheme(c.scheme))
	var err error
	c.Client, err = client.New(c.plane.Config, client.Options{Scheme: c.scheme})
	must(t, err)
	c.kubectl(t, "apply", "--server-side", "-k", "../../config/default")
	c.kubectl(t, "wait", "--for=condition=Established", "crd", "--all")

	t.Run("the namespace admits the manager's Pod", func(t *testing.T) { admitsPod(t, c) })
	t.Run("the manager knows its arguments", func(t *testing.T) { knowsArguments(t, c) })
	t.Run("the manager has the rights that it uses, and no more", func(t *testing.T) { rightsAreUsed(t, c) })
	t.Run("what a HostCluster names is not deleted", func(t *testing.T) { keysInUseStay(t, c) })
	t.Run("another namespace and image", func(t *testing.T) { overlay(t, c) })
}

// admitsPod makes the Pod that the Deployment describes, without keeping it: a Deployment whose Pods are refused is accepted.
func admitsPod(t *testing.T, c *cluster) {
	var d appsv1.Deployment
	must(t, c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "manager"}, &d))
	pod := func(spec corev1.PodSpec) error {
		return c.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "manager"}, Spec: spec}, client.DryRunAll)
	}
	if err := pod(d.Spec.Template.Spec); err != nil {
		t.Errorf("the manager's Pod: %v", err)
	}
	spec := *d.Spec.Template.Spec.DeepCopy()
	spec.SecurityContext.RunAsNonRoot = nil
	if err := pod(spec); err == nil || !strings.Contains(err.Error(), "runAsNonRoot") {
		t.Errorf("a Pod that may run as root: %v, want it refused for runAsNonRoot", err)
	}
}

// knowsArguments asks the manager itself what it may be told.
func knowsArguments(t *testing.T, c *cluster) {
	var d appsv1.Deployment
	must(t, c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "manager"}, &d))
	usage, err := exec.CommandContext(t.Context(), "go", "run", "../../cmd/manager", "-h").CombinedOutput()
	must(t, err)
	for _, arg := range d.Spec.Template.Spec.Containers[0].Args {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if !strings.Contains(string(usage), "\n  "+name) {
			t.Errorf("the manager knows no %s", arg)
		}
	}
}

// overlay: what an administrator puts on top moves the whole into a namespace of their choice.
func overlay(t *testing.T, c *cluster) {
	dir := t.TempDir()
	// kustomize takes relative paths only.
	base, err := filepath.Abs("../../config/default")
	must(t, err)
	base, err = filepath.Rel(dir, base)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(`
namespace: hv-ops
images: [{name: guestclustering-manager, newName: registry.example/manager, newTag: v1}]
resources: [`+base+`]
`), 0o600))
	out := c.kubectl(t, "kustomize", dir)
	for _, want := range []string{"image: registry.example/manager:v1", "name: hv-ops", "namespace: hv-ops"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in it", want)
		}
	}
	if strings.Contains(out, namespace) {
		t.Errorf("%s is still in it", namespace)
	}
}

// apply makes or changes the objects of a YAML text.
func (c *cluster) apply(t *testing.T, text string) {
	t.Helper()
	cmd := c.plane.Kubectl(t.Context(), "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
}

func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.plane.Kubectl(t.Context(), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// hostCluster is a HostCluster whose agent is this.
func hostCluster(agent string) string {
	var hc v1alpha1.HostCluster
	if err := yaml.UnmarshalStrict([]byte(hostClusterYAML), &hc); err != nil {
		panic(err)
	}
	if err := yaml.UnmarshalStrict([]byte(agent), &hc.Spec.Agent); err != nil {
		panic(err)
	}
	out, err := yaml.Marshal(hc)
	if err != nil {
		panic(err)
	}
	return string(out)
}

const hostClusterYAML = `
apiVersion: guestclustering.io/v1alpha1
kind: HostCluster
metadata: {name: rack1}
spec:
  pollInterval: 1s
  storagePools: [{name: gold, path: 'C:\ClusterStorage\Gold'}]
  images: [{name: ws2022, path: 'C:\ClusterStorage\Gold\Images\ws2022.vhdx', os: WindowsServer2022}]
  networks:
  - {name: client, switchName: vSwitch-Client, vlan: {id: 110}}
  - {name: cluster, switchName: vSwitch-Cluster, vlan: {id: 120}}
  macAddressRanges: [{name: a, first: 02-A1-01-00-00-00, last: 02-A1-01-00-FF-FF}]
  allowedNamespaces: {from: All}
`

// eventually waits for a condition of the API.
func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	NewWithT(t).Eventually(func() error { return check(t.Context()) }).Should(Succeed(), what)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
