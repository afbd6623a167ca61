package apivalidation

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"guestclustering.io/operator/api/v1alpha1"
)

// names are the resources, the short names and the columns of each kind.
var names = map[string]struct {
	resource, shortName string
	columns             []string
}{
	"HostCluster":       {"hostclusters", "hcl", []string{"Ready", "Hosts", "OS", "Pools", "GuestClusters", "Message", "Age"}},
	"GuestCluster":      {"guestclusters", "gcl", []string{"Ready", "Available", "Members", "Tolerates", "Placement", "Storage", "Message", "Age"}},
	"SharedDisk":        {"shareddisks", "sdisk", []string{"Ready", "Attached", "UsedBy", "Format", "Size", "Message", "Age"}},
	"AntiAffinityGroup": {"antiaffinitygroups", "aag", []string{"Ready", "Satisfied", "Members", "Violations", "Message", "Age"}},
}

var _ = Describe("every kind", func() {
	for kind, m := range manifests {
		It("has a status that says that nobody has seen it: "+kind, func(ctx SpecContext) {
			obj := m.with()
			Expect(kube.Create(ctx, obj, strict)).To(Succeed())
			Expect(kube.Get(ctx, client.ObjectKeyFromObject(obj), obj)).To(Succeed())
			Expect(obj.Object["status"]).To(Equal(map[string]any{"observedGeneration": int64(-1)}))
		})

		It("takes no status from a user's manifest: "+kind, func(ctx SpecContext) {
			obj := m.with(`status: {observedGeneration: 1, summary: {message: all is well}}`)
			Expect(kube.Create(ctx, obj)).To(Succeed())
			Expect(kube.Get(ctx, client.ObjectKeyFromObject(obj), obj)).To(Succeed())
			Expect(obj.Object["status"]).To(Equal(map[string]any{"observedGeneration": int64(-1)}))
		})

		It("knows Managed and Paused alone: "+kind, func(ctx SpecContext) {
			Expect(kube.Create(ctx, m.with(`spec: {management: Paused}`), client.DryRunAll, strict)).To(Succeed())
			Expect(causes(kube.Create(ctx, m.with(`spec: {management: Observe}`), client.DryRunAll))).To(ContainElement(
				cause{"spec.management", `Unsupported value: "Observe": supported values: "Managed", "Paused"`}))
		})

		It("has a short name and the category: "+kind, func(ctx SpecContext) {
			client, err := discovery.NewDiscoveryClientForConfig(config)
			Expect(err).NotTo(HaveOccurred())
			list, err := client.ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
			Expect(err).NotTo(HaveOccurred())
			Expect(list.APIResources).To(ContainElement(SatisfyAll(
				HaveField("Name", names[kind].resource),
				HaveField("ShortNames", ConsistOf(names[kind].shortName)),
				HaveField("Categories", ConsistOf("guestclustering")),
				HaveField("Namespaced", kind != "HostCluster"),
			)))
		})
	}
})

var _ = Describe("the smallest manifest gets the defaults", func() {
	for kind, spec := range map[string]string{
		"HostCluster": `
management: Managed
agent: {type: Simulated, simulated: {address: "127.0.0.1:7100"}}
allowedNamespaces: {from: None}
pollInterval: 30s
`,
		"GuestCluster": `
management: Managed
deletionPolicy: Delete
hostClusterRef: {name: rack1}
members: {type: Count, count: 2}
machine:
  image: ws2022
  storagePool: gold
  cpus: 2
  memory: {startup: 4Gi}
  setup: {timeZone: UTC, locale: en-US}
  networks:
  - {name: cluster, purpose: Cluster, hostNetwork: cluster}
guestAccess: {type: PowerShellDirect}
antiAffinity: {enforcement: Preferred, remediation: Migrate}
`,
		"SharedDisk": `
management: Managed
hostClusterRef: {name: rack1}
provisioning: Dynamic
size: 200Gi
storagePool: gold
reclaimPolicy: Retain
`,
		"AntiAffinityGroup": `
management: Managed
hostClusterRef: {name: rack1}
guestClusters: [{name: sql}, {name: dtc}]
enforcement: Preferred
remediation: Migrate
`,
	} {
		It(kind, func(ctx SpecContext) {
			obj := manifests[kind].with()
			Expect(kube.Create(ctx, obj, client.DryRunAll, strict)).To(Succeed())
			got, err := json.Marshal(obj.Object["spec"])
			Expect(err).NotTo(HaveOccurred())
			Expect(got).To(MatchYAML(spec))
		})
	}

	It("a template of a shared disk", func(ctx SpecContext) {
		obj := guestCluster.with(`spec: {sharedDisks: [{name: data, template: {spec: {size: 1Gi, storagePool: gold}}}]}`)
		Expect(kube.Create(ctx, obj, client.DryRunAll, strict)).To(Succeed())
		disks, _, err := unstructured.NestedSlice(obj.Object, "spec", "sharedDisks")
		Expect(err).NotTo(HaveOccurred())
		Expect(disks).To(ConsistOf(map[string]any{
			"name": "data",
			"type": "Template",
			"template": map[string]any{"spec": map[string]any{
				"size": "1Gi", "storagePool": "gold", "provisioning": "Dynamic", "reclaimPolicy": "Retain",
			}},
		}))
	})
})

var _ = Describe("what is given in part gets the defaults of the rest", func() {
	for name, c := range map[string]struct {
		change change
		path   []string
		want   string
	}{
		"a failover cluster": {
			`{}`, []string{"spec", "clustering"},
			`{type: Failover, failover: {domain: {name: corp.example, credentialsSecretRef: {name: corp-join}}, quorum: {type: NodeMajority}, validation: Enforce}}`,
		},
		"access with an account": {
			`spec: {guestAccess: {credentialsSecretRef: {name: sql-ops}}}`, []string{"spec", "guestAccess"}, `{type: PowerShellDirect, credentialsSecretRef: {name: sql-ops}}`,
		},
		"set-up": {
			`spec: {machine: {setup: {locale: de-DE}}}`, []string{"spec", "machine", "setup"}, `{timeZone: UTC, locale: de-DE}`,
		},
	} {
		It(name, func(ctx SpecContext) {
			obj := clustered.with(c.change)
			Expect(kube.Create(ctx, obj, client.DryRunAll, strict)).To(Succeed())
			field, found, err := unstructured.NestedMap(obj.Object, c.path...)
			Expect(err).NotTo(HaveOccurred())
			Expect(found).To(BeTrue())
			got, err := json.Marshal(field)
			Expect(err).NotTo(HaveOccurred())
			Expect(got).To(MatchYAML(c.want))
		})
	}
})

// What the types send is what the CRDs take: a client in Go leaves out what it does not set.
var _ = Describe("an object made in Go", func() {
	It("gets the same defaults", func(ctx SpecContext) {
		count := int32(2)
		gc := &v1alpha1.GuestCluster{
			ObjectMeta: metav1.ObjectMeta{Name: "files", Namespace: namespace},
			Spec: v1alpha1.GuestClusterSpec{
				HostClusterRef: v1alpha1.HostClusterReference{Name: "rack1"},
				Members:        v1alpha1.GuestClusterMembers{Count: &count},
				Machine: v1alpha1.GuestClusterMachine{
					Image: "ws2022", StoragePool: "gold",
					Networks: []v1alpha1.MachineNetwork{{Name: "cluster", Purpose: v1alpha1.NetworkPurposeCluster, HostNetwork: "cluster"}},
				},
			},
		}
		Expect(kube.Create(ctx, gc, strict)).To(Succeed())
		Expect(gc.Spec.Machine.Memory.Startup.String()).To(Equal("4Gi"))
		Expect(gc.Spec.AntiAffinity.Remediation).To(Equal(v1alpha1.RemediationMigrate))
		Expect(gc.Spec.Machine.Setup.TimeZone).To(Equal("UTC"))
		Expect(gc.Spec.GuestAccess.Type).To(Equal(v1alpha1.GuestAccessPowerShellDirect))
		Expect(gc.Spec.Failover()).To(BeNil())
		Expect(gc.Status.ObservedGeneration).To(Equal(int64(-1)))

		gc.Spec.Clustering = &v1alpha1.GuestClusterClustering{Type: v1alpha1.ClusteringFailover, Failover: &v1alpha1.FailoverClustering{
			Quorum: v1alpha1.FailoverQuorum{Type: v1alpha1.QuorumNodeMajority},
		}}
		Expect(kube.Update(ctx, gc, strict)).To(Succeed(), "what was left out may be given later")
		Expect(gc.Spec.Failover().Validation).To(Equal(v1alpha1.ValidationEnforce))

		hc := &v1alpha1.HostCluster{
			ObjectMeta: metav1.ObjectMeta{Name: "rack1"},
			Spec: v1alpha1.HostClusterSpec{Agent: v1alpha1.HostAgent{
				Type: v1alpha1.AgentSimulated, Simulated: &v1alpha1.SimulatedAgent{Address: "127.0.0.1:7100"},
			}},
		}
		Expect(kube.Create(ctx, hc, strict)).To(Succeed())
		Expect(hc.Spec.PollInterval.Duration).To(Equal(30 * time.Second))
		Expect(hc.Spec.AllowedNamespaces.From).To(Equal(v1alpha1.NamespacesFromNone))
	})
})

var _ = Describe("kubectl get", func() {
	const ready = `conditions: [{type: Ready, status: "True", reason: Succeeded, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}`
	for kind, c := range map[string]struct {
		status change
		cells  []any
	}{
		"HostCluster": {
			"status: {" + ready + "], summary: {hosts: 4/4, os: WindowsServer2022, pools: 1/1, guestClusters: 2, message: m}}",
			[]any{"True", "4/4", "WindowsServer2022", "1/1", float64(2), "m"},
		},
		"GuestCluster": {
			"status: {" + ready + `, {type: Available, status: "False", reason: Starting, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}], summary: {members: 2/2, tolerates: "1", placement: "hv01,hv02", storage: 2/2, message: m}}`,
			[]any{"True", "False", "2/2", "1", "hv01,hv02", "2/2", "m"},
		},
		"SharedDisk": {
			"status: {" + ready + `], format: VHDSet, size: 200Gi, summary: {attached: "2", usedBy: sql, message: m}}`,
			[]any{"True", "2", "sql", "VHDSet", "200Gi", "m"},
		},
		"AntiAffinityGroup": {
			"status: {" + ready + `, {type: Satisfied, status: "False", reason: Violated, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}], summary: {members: 3/3, violations: "1", message: m}}`,
			[]any{"True", "False", "3/3", "1", "m"},
		},
	} {
		It("shows the columns of "+kind, func(ctx SpecContext) {
			obj := manifests[kind].with()
			Expect(kube.Create(ctx, obj, strict)).To(Succeed())
			merge(obj.Object, parse(string(c.status)))
			Expect(kube.Status().Update(ctx, obj, &client.SubResourceUpdateOptions{UpdateOptions: client.UpdateOptions{FieldValidation: "Strict"}})).To(Succeed())

			table := table(ctx, obj)
			shown := []string{}
			for _, column := range table.ColumnDefinitions[1:] {
				Expect(column.Priority).To(BeZero(), "%s is not shown without -o wide", column.Name)
				shown = append(shown, column.Name)
			}
			Expect(shown).To(Equal(names[kind].columns))
			Expect(table.Rows).To(HaveLen(1))
			cells := table.Rows[0].Cells
			Expect(cells[1 : len(cells)-1]).To(Equal(c.cells))
		})
	}
})

// table asks for an object as kubectl get does.
func table(ctx SpecContext, obj *unstructured.Unstructured) *metav1.Table {
	httpClient, err := rest.HTTPClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	path := []string{strings.TrimSuffix(config.Host, "/"), "apis", v1alpha1.GroupVersion.String()}
	if obj.GetNamespace() != "" {
		path = append(path, "namespaces", obj.GetNamespace())
	}
	path = append(path, names[obj.GetKind()].resource, obj.GetName())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.Join(path, "/"), nil)
	Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	response, err := httpClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = response.Body.Close() }()
	Expect(response.StatusCode).To(Equal(http.StatusOK))
	result := &metav1.Table{}
	Expect(json.NewDecoder(response.Body).Decode(result)).To(Succeed())
	return result
}

var _ = Describe("the samples of the project and its documentation", func() {
	for _, file := range slices.Concat(files("../../config/samples"), files("../../hack/apidocs/examples")) {
		It("are accepted, every field known: "+filepath.Base(file), func(ctx SpecContext) {
			text, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			obj := &unstructured.Unstructured{}
			Expect(yaml.UnmarshalStrict(text, &obj.Object)).To(Succeed())
			if obj.GetKind() == "Namespace" {
				Expect(obj.GetName()).To(Equal(namespace), "the namespace of the other samples")
				return
			}
			Expect(kube.Create(ctx, obj, client.DryRunAll, strict)).To(Succeed())
		})
	}
})

// files are the manifests in a directory; one without any is a mistake in its name.
func files(directory string) []string {
	found, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil || len(found) == 0 {
		panic("no manifests in " + directory)
	}
	return found
}

// A rule at the root sees every write, status and finalizers too. An object that was stored before a rule
// was made must not become one that nobody can report on or delete.
var _ = Describe("an object older than a rule", Serial, func() {
	for name, old := range map[string]struct {
		manifest manifest
		change   change
		message  string
	}{
		"GuestCluster with long names": {
			clustered,
			change(`{metadata: {name: ` + strings.Repeat("a", 70) + `, finalizers: [guestclustering.io/guestcluster]}, spec: {sharedDisks: [{name: ` + strings.Repeat("d", 60) + `, template: {spec: {size: 1Gi, storagePool: gold}}}, {name: a, type: Reference, sharedDiskRef: {name: logs}}, {name: b, type: Reference, sharedDiskRef: {name: logs}}]}}`),
			"has at most 63 characters",
		},
		"GuestCluster whose roles have others' names": {
			clustered,
			change(`{metadata: {finalizers: [guestclustering.io/guestcluster]}, spec: {clustering: {failover: {roles: [` + fileServer("FILES-CL", "data") + `, ` + fileServer("FILES-1", "logs") + `]}}}}`),
			"<NAME>-CL is already the cluster's name",
		},
		"SharedDisk": {
			sharedDisk,
			change(`{metadata: {name: ` + strings.Repeat("a", 70) + `, finalizers: [guestclustering.io/shareddisk]}}`),
			"has at most 63 characters",
		},
	} {
		It("takes status, and lets go of its finalizer: "+name, func(ctx SpecContext) {
			obj := old.manifest.with(old.change)
			restore := withoutRootRules(ctx, obj.GetKind())
			Eventually(func() error { return kube.Create(ctx, obj, strict) }).WithTimeout(20 * time.Second).Should(Succeed())
			restore()
			Eventually(func() error {
				return kube.Create(ctx, old.manifest.with(old.change, `metadata: {generateName: x, finalizers: null}`), client.DryRunAll)
			}).WithTimeout(20 * time.Second).Should(MatchError(ContainSubstring(old.message)))

			merge(obj.Object, parse(`status: {observedGeneration: 1, summary: {message: seen}}`))
			Expect(kube.Status().Update(ctx, obj)).To(Succeed())
			Expect(kube.Delete(ctx, obj)).To(Succeed())
			Expect(kube.Get(ctx, client.ObjectKeyFromObject(obj), obj)).To(Succeed())
			obj.SetFinalizers(nil)
			Expect(kube.Update(ctx, obj)).To(Succeed())
		})
	}
})

// withoutRootRules takes the rules at the root off a kind's CRD, and gives what puts them back.
func withoutRootRules(ctx SpecContext, kind string) (restore func()) {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	key := client.ObjectKey{Name: names[kind].resource + "." + v1alpha1.GroupName}
	set := func(rules apiextensionsv1.ValidationRules) (old apiextensionsv1.ValidationRules) {
		Expect(kube.Get(ctx, key, crd)).To(Succeed())
		root := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
		old, root.XValidations = root.XValidations, rules
		Expect(kube.Update(ctx, crd)).To(Succeed())
		return old
	}
	rules := set(nil)
	restored := false
	restore = func() {
		if !restored {
			restored = true
			set(rules)
		}
	}
	DeferCleanup(func(SpecContext) { restore() })
	return restore
}
