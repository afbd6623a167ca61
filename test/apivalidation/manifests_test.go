package apivalidation

import (
	"maps"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// manifest is an object as a user writes it, in YAML.
type manifest string

// change is a JSON merge patch of a manifest, in YAML: null takes a field away, a list replaces a list.
type change string

// The smallest manifests that are accepted.
const (
	hostCluster manifest = `
apiVersion: guestclustering.io/v1alpha1
kind: HostCluster
metadata: {name: rack1}
spec:
  agent: {type: Simulated, simulated: {address: "127.0.0.1:7100"}}
`
	overWinRM manifest = `
apiVersion: guestclustering.io/v1alpha1
kind: HostCluster
metadata: {name: rack1}
spec:
  agent: {type: WinRM, winRM: {hosts: [{name: hv01.corp.example}], authentication: Kerberos, credentialsSecretRef: {name: rack1}}}
`
	overSSH manifest = `
apiVersion: guestclustering.io/v1alpha1
kind: HostCluster
metadata: {name: rack1}
spec:
  agent: {type: SSH, ssh: {hosts: [{name: hv01.corp.example}], credentialsSecretRef: {name: rack1}, knownHosts: "hv01.corp.example ssh-ed25519 AAAA"}}
`
	guestCluster manifest = `
apiVersion: guestclustering.io/v1alpha1
kind: GuestCluster
metadata: {name: files}
spec:
  hostClusterRef: {name: rack1}
  members: {count: 2}
  machine:
    image: ws2022
    storagePool: gold
    networks:
    - {name: cluster, purpose: Cluster, hostNetwork: cluster}
`
	clustered manifest = `
apiVersion: guestclustering.io/v1alpha1
kind: GuestCluster
metadata: {name: files}
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
  - {name: witness, template: {spec: {size: 1Gi, storagePool: gold}}}
  - {name: data, template: {spec: {size: 500Gi, storagePool: gold}}}
  - {name: logs, template: {spec: {size: 50Gi, storagePool: gold}}}
  clustering:
    type: Failover
    failover:
      domain: {name: corp.example, credentialsSecretRef: {name: corp-join}}
      quorum: {type: NodeMajority}
`
	sharedDisk manifest = `
apiVersion: guestclustering.io/v1alpha1
kind: SharedDisk
metadata: {name: sql-logs}
spec: {hostClusterRef: {name: rack1}, size: 200Gi, storagePool: gold}
`
	antiAffinityGroup manifest = `
apiVersion: guestclustering.io/v1alpha1
kind: AntiAffinityGroup
metadata: {name: payments-apart}
spec: {hostClusterRef: {name: rack1}, guestClusters: [{name: sql}, {name: dtc}]}
`
)

var manifests = map[string]manifest{
	"HostCluster":       hostCluster,
	"GuestCluster":      guestCluster,
	"SharedDisk":        sharedDisk,
	"AntiAffinityGroup": antiAffinityGroup,
}

// with is the object after the changes, in the namespace of the spec where its kind has one.
func (m manifest) with(changes ...change) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: parse(string(m))}
	for _, c := range changes {
		merge(obj.Object, parse(string(c)))
	}
	if obj.GetKind() != "HostCluster" {
		obj.SetNamespace(namespace)
	}
	return obj
}

func parse(text string) map[string]any {
	var value map[string]any
	ExpectWithOffset(1, yaml.UnmarshalStrict([]byte(text), &value)).To(Succeed(), text)
	return value
}

func merge(into, from map[string]any) {
	for key, value := range from {
		child, isMap := value.(map[string]any)
		old, hadMap := into[key].(map[string]any)
		switch {
		case value == nil:
			delete(into, key)
		case isMap && hadMap:
			merge(old, child)
		case isMap:
			into[key] = maps.Clone(child)
		default:
			into[key] = value
		}
	}
}
