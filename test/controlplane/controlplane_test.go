package controlplane

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestControlPlane(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "demo", "kubeconfig")
	plane := ForTest(t, Options{
		CRDs:        []string{filepath.Join("testdata", "crds")},
		Controllers: true,
		Kubeconfig:  kubeconfig,
	})
	kube, err := client.New(plane.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}

	t.Run("kubectl sees the CRD through the kubeconfig", func(t *testing.T) {
		if plane.Kubeconfig != kubeconfig {
			t.Errorf("Kubeconfig = %q, want %q", plane.Kubeconfig, kubeconfig)
		}
		out, err := plane.Kubectl(t.Context(), "get", "crd", "-o", "name").CombinedOutput()
		if err != nil {
			t.Fatalf("kubectl: %v\n%s", err, out)
		}
		if got, want := strings.TrimSpace(string(out)), "customresourcedefinition.apiextensions.k8s.io/examples.test.guestclustering.io"; got != want {
			t.Errorf("kubectl get crd = %q, want %q", got, want)
		}
	})
	t.Run("dependents go with their owner", func(t *testing.T) {
		owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "owner"}}
		create(t, kube, owner)
		dependent := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Namespace: "default",
			Name:      "dependent",
			OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID},
			},
		}}
		create(t, kube, dependent)
		if err := kube.Delete(t.Context(), owner); err != nil {
			t.Fatal(err)
		}
		waitGone(t, kube, dependent)
	})
	t.Run("a deleted namespace goes", func(t *testing.T) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "short-lived"}}
		create(t, kube, namespace)
		create(t, kube, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "short-lived", Name: "inside"}})
		if err := kube.Delete(t.Context(), namespace); err != nil {
			t.Fatal(err)
		}
		waitGone(t, kube, namespace)
	})
}

func TestFindSaysWhatToDo(t *testing.T) {
	t.Setenv("KUBEBUILDER_ASSETS", t.TempDir())
	inEmptyProject(t)

	_, err := find(Options{Controllers: true})
	if err == nil {
		t.Fatal("found programs where there are none")
	}
	for _, want := range []string{"no etcd, kube-apiserver, kubectl, kube-controller-manager in", "`make controlplane`", "KUBEBUILDER_ASSETS"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestFindPrefersAssets(t *testing.T) {
	assets := t.TempDir()
	t.Setenv("KUBEBUILDER_ASSETS", assets)
	root := inEmptyProject(t)
	for _, name := range []program{etcd, apiserver, kubectl} {
		touch(t, filepath.Join(assets, string(name)))
	}
	built := filepath.Join(root, "bin", "controlplane")
	for _, name := range []program{etcd, controllers} {
		touch(t, filepath.Join(built, string(name)))
	}

	found, err := find(Options{Controllers: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := found[etcd], filepath.Join(assets, "etcd"); got != want {
		t.Errorf("etcd = %q, want %q", got, want)
	}
	if got, want := found[controllers], filepath.Join(built, "kube-controller-manager"); got != want {
		t.Errorf("kube-controller-manager = %q, want %q", got, want)
	}
}

func TestProjectRootOutsideACheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := projectRoot(); err == nil || !strings.Contains(err.Error(), "run inside a checkout") {
		t.Errorf("error = %v, want one that says to run inside a checkout", err)
	}
}

// inEmptyProject makes a checkout that has nothing but its go.mod, and enters it.
func inEmptyProject(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module "+modulePath+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	return root
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, kube client.Client, object client.Object) {
	t.Helper()
	if err := kube.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func waitGone(t *testing.T, kube client.Client, object client.Object) {
	t.Helper()
	ctx := t.Context()
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, wait.ConditionFunc(func() (bool, error) {
		err := kube.Get(ctx, client.ObjectKeyFromObject(object), object)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	}).WithContext())
	if err != nil {
		t.Errorf("waiting for %T %s to go: %v", object, object.GetName(), err)
	}
}
