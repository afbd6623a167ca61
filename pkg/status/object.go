package status

import (
	"cmp"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"guestclustering.io/operator/api/v1alpha1"
)

// EnsureFinalizer puts a finalizer on an object that is not being deleted. The patch carries the resourceVersion, so that
// it cannot bring back an object that is gone.
func EnsureFinalizer(ctx context.Context, c client.Client, obj client.Object, finalizer string) error {
	if !obj.GetDeletionTimestamp().IsZero() || controllerutil.ContainsFinalizer(obj, finalizer) {
		return nil
	}
	before, _ := obj.DeepCopyObject().(client.Object)
	controllerutil.AddFinalizer(obj, finalizer)
	if err := c.Patch(ctx, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		return fmt.Errorf("adding finalizer to %s: %w", obj.GetName(), err)
	}
	return nil
}

// RemoveFinalizer lets an object go. One that is gone already is none to let go.
func RemoveFinalizer(ctx context.Context, c client.Client, obj client.Object, finalizer string) error {
	if !controllerutil.ContainsFinalizer(obj, finalizer) {
		return nil
	}
	before, _ := obj.DeepCopyObject().(client.Object)
	controllerutil.RemoveFinalizer(obj, finalizer)
	err := c.Patch(ctx, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing finalizer from %s: %w", obj.GetName(), err)
	}
	return nil
}

// EmitTransitions records an event when Ready or Stalled changed, and none when only a message did.
func EmitTransitions(recorder events.EventRecorder, obj client.Object, before, after []metav1.Condition) {
	for _, t := range []v1alpha1.ConditionType{v1alpha1.ConditionReady, v1alpha1.ConditionStalled} {
		was, is := find(before, t), find(after, t)
		if is == nil || !worthTelling(t, was, is) {
			continue
		}
		kind := corev1.EventTypeNormal
		if t == v1alpha1.ConditionStalled {
			kind = corev1.EventTypeWarning
		}
		recorder.Eventf(obj, nil, kind, is.Reason, string(t), "%s", cmp.Or(is.Message, string(t)))
	}
}

// EmitDone records that something was done on the hosts, in one line that says what and for whom. Events of one action are
// taken for one and the same for a while, with the words of the first: so the words are the action, too.
func EmitDone(recorder events.EventRecorder, obj client.Object, reason v1alpha1.Reason, what string) {
	recorder.Eventf(obj, nil, corev1.EventTypeNormal, string(reason), cut(what, actionLimit), "%s", what)
}

// actionLimit is the API's bound for the action of an event.
const actionLimit = 128

// worthTelling: a condition that was never there before says something only when it is True, and so does Stalled always.
func worthTelling(t v1alpha1.ConditionType, was, is *metav1.Condition) bool {
	if (was == nil || t == v1alpha1.ConditionStalled) && is.Status != metav1.ConditionTrue {
		return false
	}
	return was == nil || was.Status != is.Status || was.Reason != is.Reason
}

func find(conditions []metav1.Condition, t v1alpha1.ConditionType) *metav1.Condition {
	for i := range conditions {
		if conditions[i].Type == string(t) {
			return &conditions[i]
		}
	}
	return nil
}

// Result is what a reconcile ends with. A status that was made from a stale copy was refused as a conflict: the object is
// looked at again in a moment, which is no failure.
func Result(after time.Duration, err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) {
		return reconcile.Result{RequeueAfter: staleDelay}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: after}, nil
}

// staleDelay gives the cache time to catch up with what this process wrote.
const staleDelay = 50 * time.Millisecond
