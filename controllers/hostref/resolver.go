// Package hostref resolves an object's hostClusterRef: the HostCluster, the latest snapshot of its hosts, and whether the
// object's namespace may use it.
package hostref

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostpool"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
)

// Field is the index under which objects are found by the name of their host cluster.
const Field = "spec.hostClusterRef.name"

// Resolver resolves references of namespaced objects.
type Resolver struct {
	Client client.Reader
	Pool   *hostpool.Pool
	// ClusterID is the Kubernetes cluster's identity in stamps.
	ClusterID string
}

// Hosts is a resolved reference.
type Hosts struct {
	// Object is nil when no HostCluster has the name.
	Object *v1alpha1.HostCluster
	// Cluster is nil until the HostCluster was taken up.
	Cluster *hostpool.Cluster
	// Seen is nil until the hosts were read.
	Seen *hyperv.Snapshot
	// ReadErr is why the hosts could not be read the last time.
	ReadErr error
	// Namespace is the object's own.
	Namespace *corev1.Namespace
	// Allowed is whether the namespace may get anything new.
	Allowed bool
}

// Resolve reads everything that a reference stands for. An error is of the Kubernetes API alone.
func (r Resolver) Resolve(ctx context.Context, namespace, name string) (Hosts, error) {
	var h Hosts
	h.Namespace = &corev1.Namespace{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: namespace}, h.Namespace); err != nil {
		return h, fmt.Errorf("reading namespace: %w", err)
	}
	var hc v1alpha1.HostCluster
	err := r.Client.Get(ctx, client.ObjectKey{Name: name}, &hc)
	if apierrors.IsNotFound(err) {
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("reading host cluster: %w", err)
	}
	h.Object = &hc
	if h.Allowed, err = allows(&hc, h.Namespace); err != nil {
		return h, err
	}
	if cluster, ok := r.Pool.Get(name); ok {
		h.Cluster = cluster
		h.Seen, h.ReadErr = cluster.Snapshot()
	}
	return h, nil
}

func allows(hc *v1alpha1.HostCluster, ns *corev1.Namespace) (bool, error) {
	switch hc.Spec.AllowedNamespaces.From {
	case v1alpha1.NamespacesFromAll:
		return true, nil
	case v1alpha1.NamespacesFromSelector:
		selector, err := metav1.LabelSelectorAsSelector(hc.Spec.AllowedNamespaces.Selector)
		if err != nil {
			return false, fmt.Errorf("host cluster %s: allowedNamespaces.selector: %w", hc.Name, err)
		}
		return selector.Matches(labels.Set(ns.Labels)), nil
	default:
		return false, nil
	}
}

// Pending reports whether the hosts were not read yet since this process began. The first snapshot comes soon; until then a
// status says nothing new.
func (h Hosts) Pending() bool {
	if h.Object == nil || h.Seen != nil {
		return false
	}
	stalled := meta.FindStatusCondition(h.Object.Status.Conditions, string(v1alpha1.ConditionStalled))
	// How its hosts are reached may be refused: then nobody reads them.
	return stalled == nil || stalled.Status != metav1.ConditionTrue || !slices.Contains(unreached, v1alpha1.Reason(stalled.Reason))
}

// unreached are the reasons of a HostCluster whose hosts nobody can read.
var unreached = []v1alpha1.Reason{v1alpha1.ReasonInvalidSpec, v1alpha1.ReasonSecretMissing}

// defaultPollInterval stands in for objects written before the field had its default.
const defaultPollInterval = 30 * time.Second

// PollInterval is how often a host cluster is read.
func PollInterval(hc *v1alpha1.HostCluster) time.Duration {
	if d := hc.Spec.PollInterval.Duration; d > 0 {
		return d
	}
	return defaultPollInterval
}

// PendingDelay is when to look again while Pending.
const PendingDelay = time.Second

// RoomDelay is when to look again for memory or space on the hosts: they are told to nobody when they come.
const RoomDelay = 30 * time.Second

// Readable reports whether the hosts were read.
func (h Hosts) Readable() bool { return h.Seen != nil && h.Seen.Cluster != nil }

// Unresolved says what stands in the way when the reference cannot be used yet; the plan is empty when it can.
func (h Hosts) Unresolved(name string) plan.Plan {
	switch {
	case h.Object == nil:
		return plan.Plan{Blocks: []plan.Block{{Reason: v1alpha1.ReasonHostClusterNotFound, Message: fmt.Sprintf("there is no HostCluster %s; create it, or name another one in spec.hostClusterRef", name)}}}
	case !h.Readable():
		return plan.Plan{Waits: []plan.Wait{{Reason: v1alpha1.ReasonHostUnreachable, Message: fmt.Sprintf("the hosts of %s cannot be read; see HostCluster %s", name, name)}}}
	default:
		return plan.Plan{}
	}
}

// Paused reports whether nothing may be changed on the hosts, by the object's own word or the host cluster's.
func (h Hosts) Paused(own v1alpha1.Management) bool {
	return own == v1alpha1.ManagementPaused || h.Object != nil && h.Object.Spec.Management == v1alpha1.ManagementPaused
}

// Pool finds a storage pool's path by the pool's name.
func (h Hosts) Pool(name string) (string, bool) {
	i := slices.IndexFunc(h.Object.Spec.StoragePools, func(p v1alpha1.StoragePool) bool { return p.Name == name })
	if i < 0 {
		return "", false
	}
	return h.Object.Spec.StoragePools[i].Path, true
}

// Image finds an image's path by the image's name.
func (h Hosts) Image(name string) (string, bool) {
	i := slices.IndexFunc(h.Object.Spec.Images, func(p v1alpha1.MachineImage) bool { return p.Name == name })
	if i < 0 {
		return "", false
	}
	return h.Object.Spec.Images[i].Path, true
}

// Network finds what tenants may plug into by its name.
func (h Hosts) Network(name string) (*v1alpha1.HostNetwork, bool) {
	i := slices.IndexFunc(h.Object.Spec.Networks, func(n v1alpha1.HostNetwork) bool { return n.Name == name })
	if i < 0 {
		return nil, false
	}
	return &h.Object.Spec.Networks[i], true
}

// Stamp is the stamp of an object of this namespace.
func (r Resolver) Stamp(h Hosts, kind string, obj client.Object) hyperv.Stamp {
	return hyperv.Stamp{
		ClusterID: r.ClusterID, Namespace: obj.GetNamespace(), NamespaceUID: string(h.Namespace.UID),
		Kind: kind, Name: obj.GetName(), UID: string(obj.GetUID()),
	}
}
