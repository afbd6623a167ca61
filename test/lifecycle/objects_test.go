package lifecycle_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"guestclustering.io/operator/api/v1alpha1"
)

const guestClusterYAML = `
spec:
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
`

// guestCluster makes a two-node guest cluster with a witness and a data disk, changed by edits.
func (s *site) guestCluster(ctx context.Context, name string, edits ...func(*v1alpha1.GuestCluster)) *v1alpha1.GuestCluster {
	GinkgoHelper()
	gc := s.newGuestCluster(name, edits...)
	Expect(c.Create(ctx, gc)).To(Succeed())
	return gc
}

func (s *site) newGuestCluster(name string, edits ...func(*v1alpha1.GuestCluster)) *v1alpha1.GuestCluster {
	GinkgoHelper()
	gc := &v1alpha1.GuestCluster{}
	Expect(yaml.UnmarshalStrict([]byte(guestClusterYAML), gc)).To(Succeed())
	gc.Namespace, gc.Name = s.namespace, name
	gc.Spec.HostClusterRef.Name = s.hostCluster
	for _, e := range edits {
		e(gc)
	}
	return gc
}

func members(n int32) func(*v1alpha1.GuestCluster) {
	return func(gc *v1alpha1.GuestCluster) { gc.Spec.Members.Count = &n }
}

func noDisks(gc *v1alpha1.GuestCluster) { gc.Spec.SharedDisks = nil }

// refersTo lets a guest cluster have these SharedDisks and no others.
func refersTo(disks ...string) func(*v1alpha1.GuestCluster) {
	return func(gc *v1alpha1.GuestCluster) {
		gc.Spec.SharedDisks = nil
		for _, name := range disks {
			gc.Spec.SharedDisks = append(gc.Spec.SharedDisks, v1alpha1.GuestClusterSharedDisk{
				Name: name, Type: v1alpha1.SharedDiskFromReference, SharedDiskRef: &v1alpha1.SharedDiskReference{Name: name},
			})
		}
	}
}

func paused(gc *v1alpha1.GuestCluster)  { gc.Spec.Management = v1alpha1.ManagementPaused }
func managed(gc *v1alpha1.GuestCluster) { gc.Spec.Management = v1alpha1.ManagementManaged }

// sharedDisk makes a SharedDisk of its own.
func (s *site) sharedDisk(ctx context.Context, name string, edits ...func(*v1alpha1.SharedDisk)) *v1alpha1.SharedDisk {
	GinkgoHelper()
	d := &v1alpha1.SharedDisk{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Spec: v1alpha1.SharedDiskSpec{
			HostClusterRef:         v1alpha1.HostClusterReference{Name: s.hostCluster},
			SharedDiskTemplateSpec: v1alpha1.SharedDiskTemplateSpec{Size: resource.MustParse("10Gi"), StoragePool: "gold"},
		},
	}
	for _, e := range edits {
		e(d)
	}
	Expect(c.Create(ctx, d)).To(Succeed())
	return d
}

// existingDisk is the SharedDisk of a name, read anew.
func (s *site) existingDisk(ctx context.Context, name string) *v1alpha1.SharedDisk {
	GinkgoHelper()
	d := &v1alpha1.SharedDisk{}
	Expect(c.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, d)).To(Succeed())
	return d
}

// existingGroup is the AntiAffinityGroup of a name, read anew.
func (s *site) existingGroup(ctx context.Context, name string) *v1alpha1.AntiAffinityGroup {
	GinkgoHelper()
	g := &v1alpha1.AntiAffinityGroup{}
	Expect(c.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, g)).To(Succeed())
	return g
}

// conditionsOf are the conditions of any of our kinds.
func conditionsOf(obj client.Object) []metav1.Condition {
	switch o := obj.(type) {
	case *v1alpha1.GuestCluster:
		return o.Status.Conditions
	case *v1alpha1.SharedDisk:
		return o.Status.Conditions
	case *v1alpha1.AntiAffinityGroup:
		return o.Status.Conditions
	case *v1alpha1.HostCluster:
		return o.Status.Conditions
	default:
		return nil
	}
}

// condition reads an object again and gives a condition as "True Reason: message".
func condition(ctx context.Context, obj client.Object, t v1alpha1.ConditionType) func() string {
	return func() string {
		if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return err.Error()
		}
		if _, observed := declared(obj); observed < obj.GetGeneration() {
			return fmt.Sprintf("of generation %d, not %d", observed, obj.GetGeneration())
		}
		for _, cond := range conditionsOf(obj) {
			if cond.Type == string(t) {
				return strings.TrimSuffix(string(cond.Status)+" "+cond.Reason+": "+cond.Message, ": ")
			}
		}
		return "absent"
	}
}

func ready(ctx context.Context, obj client.Object) func() string {
	return condition(ctx, obj, v1alpha1.ConditionReady)
}

func stalled(ctx context.Context, obj client.Object) func() string {
	return condition(ctx, obj, v1alpha1.ConditionStalled)
}

// becomesReady waits until everything about the objects is as asked and nothing is being done.
func becomesReady(ctx context.Context, objs ...client.Object) {
	GinkgoHelper()
	for _, obj := range objs {
		Eventually(ready(ctx, obj)).Should(Equal("True Succeeded"), obj.GetName())
		Eventually(condition(ctx, obj, v1alpha1.ConditionReconciling)).Should(Equal("False Succeeded"), obj.GetName())
	}
}
