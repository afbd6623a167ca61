package install_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers"
	"guestclustering.io/operator/controllers/hostcluster"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
)

// needed are rights that no request shows, with what needs them.
var needed = map[string]string{
	"update guestclusters/finalizers": "admission asks for it, not the manager; without it making a child is refused",
	"patch events":                    "an event that repeats is counted in the first one; within a test none need repeat",
	"patch events.k8s.io/events":      "as above",
	// Today's client watches from the beginning instead of listing, where the API server can do that.
	"list antiaffinitygroups": "API servers without streaming lists",
	"list guestclusters":      "as above",
	"list hostclusters":       "as above",
	"list namespaces":         "as above",
	"list shareddisks":        "as above",
}

// rightsAreUsed lives through a guest cluster's life with the manager's own account.
func rightsAreUsed(t *testing.T, c *cluster) {
	seen := &requests{rights: map[string]bool{}}
	end := startManager(t, c, seen)
	c.apply(t, storyYAML)
	c.apply(t, hostCluster(strings.ReplaceAll(winRMAgent, "winrm}", "story}")+"  caBundle: {configMapRef: {name: story-ca}}"))
	key := client.ObjectKey{Namespace: "payments", Name: "files"}
	eventually(t, "the guest cluster is ready", func(ctx context.Context) error {
		var gc v1alpha1.GuestCluster
		if err := c.Get(ctx, key, &gc); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(gc.Status.Conditions, string(v1alpha1.ConditionReady)) {
			return fmt.Errorf("%v", gc.Status.Conditions)
		}
		return nil
	})
	// Not only marked: everything must go that holds it.
	c.kubectl(t, "delete", "guestcluster,shareddisk,antiaffinitygroup", "--all", "-n", key.Namespace, "--wait=false")
	for _, kind := range []client.ObjectList{&v1alpha1.GuestClusterList{}, &v1alpha1.SharedDiskList{}} {
		eventually(t, "it goes", func(ctx context.Context) error { return c.none(ctx, kind) })
	}
	// Nobody collects garbage here.
	c.kubectl(t, "delete", "antiaffinitygroup", "--all", "-n", key.Namespace)
	c.kubectl(t, "delete", "hostcluster", "--all")
	end()

	if refused := seen.refused(); len(refused) > 0 {
		t.Errorf("refused to the manager: %s", strings.Join(refused, ", "))
	}
	for _, right := range c.rights(t) {
		if _, ok := needed[right]; !ok && !seen.rights[right] {
			t.Errorf("%s: the manager has this right and does not use it", right)
		}
	}
}

const storyYAML = `
{apiVersion: v1, kind: Namespace, metadata: {name: payments}}
---
{apiVersion: v1, kind: Secret, metadata: {namespace: guestclustering-system, name: story}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {namespace: guestclustering-system, name: story-ca}, data: {ca.crt: one}}
---
apiVersion: guestclustering.io/v1alpha1
kind: GuestCluster
metadata: {namespace: payments, name: files}
spec:
  hostClusterRef: {name: rack1}
  members: {count: 2}
  machine:
    image: ws2022
    storagePool: gold
    networks:
    - {name: client, purpose: Client, hostNetwork: client}
    - {name: cluster, purpose: Cluster, hostNetwork: cluster}
  sharedDisks:
  - {name: data, template: {spec: {size: 50Gi, storagePool: gold, reclaimPolicy: Delete}}}
`

func (c *cluster) none(ctx context.Context, list client.ObjectList) error {
	if err := c.List(ctx, list); err != nil {
		return err
	}
	if n := meta.LenList(list); n > 0 {
		return fmt.Errorf("%d are still there", n)
	}
	return nil
}

// startManager runs every controller on a simulated host cluster, as the manager's ServiceAccount.
func startManager(t *testing.T, c *cluster, seen *requests) (end func()) {
	world, err := hypervsim.New(hypervsim.DefaultModel(), hypervsim.NewRealClock(100))
	must(t, err)
	config := rest.CopyConfig(c.plane.Config)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":manager",
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	config.Wrap(seen.watch)
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: c.scheme, Metrics: metricsserver.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		LeaderElection: true, LeaderElectionID: "guestclustering.io", LeaderElectionNamespace: namespace,
	})
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	drivers := func(_ v1alpha1.HostAgent, keys hostcluster.Keys) (hostagent.Driver, string, error) {
		return world.Driver(), keys.Version, nil
	}
	must(t, controllers.Setup(ctx, mgr, controllers.Options{Drivers: drivers, Namespace: namespace}))
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	return func() {
		stop()
		must(t, <-done)
		world.Close()
	}
}

// rights is every right of the manager, as <verb> <resource>, with the resource's group before it unless it is ours or the core.
func (c *cluster) rights(t *testing.T) []string {
	t.Helper()
	var own rbacv1.ClusterRole
	must(t, c.Get(t.Context(), client.ObjectKey{Name: "guestclustering-manager"}, &own))
	var roles rbacv1.RoleList
	must(t, c.List(t.Context(), &roles, client.InNamespace(namespace)))
	rules := own.Rules
	for _, r := range roles.Items {
		rules = append(rules, r.Rules...)
	}
	found := map[string]bool{}
	for _, r := range rules {
		for _, verb := range r.Verbs {
			for _, resource := range r.Resources {
				found[right(verb, r.APIGroups[0], resource)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func right(verb, group, resource string) string {
	if group != "" && group != v1alpha1.GroupName {
		resource = group + "/" + resource
	}
	return verb + " " + resource
}

// requests is what was asked of the API server.
type requests struct {
	mu     sync.Mutex
	rights map[string]bool
	denied []string
}

func (r *requests) refused() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.denied
}

func (r *requests) watch(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		asked := rightFor(request)
		r.rights[asked] = true
		if response.StatusCode == http.StatusForbidden {
			r.denied = append(r.denied, asked+" ("+request.URL.Path+")")
		}
		return response, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// rightFor is the right that a request needs; empty for one about the API itself.
func rightFor(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	group := ""
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		group, parts = parts[1], parts[3:]
	default:
		return ""
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	resource := parts[0]
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	return right(verb(r, len(parts) > 1), group, resource)
}

func verb(r *http.Request, named bool) string {
	switch r.Method {
	case http.MethodGet:
		switch {
		case r.URL.Query().Get("watch") != "":
			return "watch"
		case named:
			return "get"
		default:
			return "list"
		}
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	default:
		return strings.ToLower(r.Method)
	}
}
