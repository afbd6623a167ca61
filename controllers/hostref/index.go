package hostref

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostpool"
	"guestclustering.io/operator/pkg/hyperv"
)

// NameOf is the name of the host cluster that an object refers to; empty for kinds without a reference.
func NameOf(obj client.Object) string {
	switch o := obj.(type) {
	case *v1alpha1.GuestCluster:
		return o.Spec.HostClusterRef.Name
	case *v1alpha1.SharedDisk:
		return o.Spec.HostClusterRef.Name
	case *v1alpha1.AntiAffinityGroup:
		return o.Spec.HostClusterRef.Name
	default:
		return ""
	}
}

// SetupIndexes makes objects findable by Field.
func SetupIndexes(ctx context.Context, mgr ctrl.Manager) error {
	for _, obj := range []client.Object{&v1alpha1.GuestCluster{}, &v1alpha1.SharedDisk{}, &v1alpha1.AntiAffinityGroup{}} {
		err := mgr.GetFieldIndexer().IndexField(ctx, obj, Field, func(o client.Object) []string { return []string{NameOf(o)} })
		if err != nil {
			return fmt.Errorf("indexing %T by host cluster: %w", obj, err)
		}
	}
	return nil
}

// InNamespace finds the objects of a list's kind in a namespace. Labels of a namespace decide what it may use.
func InNamespace(c client.Reader, kind client.ObjectList) handler.MapFunc {
	return func(ctx context.Context, namespace client.Object) []reconcile.Request {
		list, _ := kind.DeepCopyObject().(client.ObjectList)
		// An error is of the cache, which is not started or has ended: then there is nothing to wake.
		if err := c.List(ctx, list, client.InNamespace(namespace.GetName())); err != nil {
			return nil
		}
		var out []reconcile.Request
		// Every item of a list is an object.
		_ = meta.EachListItem(list, func(item runtime.Object) error {
			obj, _ := item.(client.Object)
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(obj)})
			return nil
		})
		return out
	}
}

// Requests turns a list's items into requests.
func Requests[T any, P interface {
	*T
	client.Object
}](items []T) []reconcile.Request {
	out := make([]reconcile.Request, len(items))
	for i := range items {
		out[i] = reconcile.Request{NamespacedName: client.ObjectKeyFromObject(P(&items[i]))}
	}
	return out
}

// Change is what hostpool tells about a host cluster.
type Change = hostpool.Change

// Named is the metadata of a cluster-scoped object of that name.
func Named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

// RequestFor is the request for the object of a stamp.
func RequestFor(stamp hyperv.Stamp) reconcile.Request {
	return reconcile.Request{NamespacedName: client.ObjectKey{Namespace: stamp.Namespace, Name: stamp.Name}}
}
