package status_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/status"
)

const finalizer = v1alpha1.FinalizerSharedDisk

func newClient(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

func disk(finalizers ...string) *v1alpha1.SharedDisk {
	return &v1alpha1.SharedDisk{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "data", Finalizers: finalizers}}
}

// get reads the disk as it is now; nil when it is gone.
func get(t *testing.T, c client.Client) *v1alpha1.SharedDisk {
	t.Helper()
	d := disk()
	err := c.Get(t.Context(), client.ObjectKeyFromObject(d), d)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEnsureFinalizer(t *testing.T) {
	c := newClient(t, disk("other"))
	d := get(t, c)
	if err := status.EnsureFinalizer(t.Context(), c, d, finalizer); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"other", finalizer}, get(t, c).Finalizers); diff != "" {
		t.Errorf("finalizers (-want +got):\n%s", diff)
	}
	// Asked again it writes nothing.
	version := get(t, c).ResourceVersion
	if err := status.EnsureFinalizer(t.Context(), c, get(t, c), finalizer); err != nil || get(t, c).ResourceVersion != version {
		t.Errorf("asked again, %v, and the version went from %s to %s", err, version, get(t, c).ResourceVersion)
	}
}

func TestEnsureFinalizerOnAStaleCopy(t *testing.T) {
	c := newClient(t, disk())
	stale, other := get(t, c), get(t, c)
	other.Labels = map[string]string{"changed": "meanwhile"}
	if err := c.Update(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if err := status.EnsureFinalizer(t.Context(), c, stale, finalizer); !apierrors.IsConflict(err) {
		t.Errorf("a stale copy gives %v, want a conflict", err)
	}
}

func TestEnsureFinalizerLeavesWhatIsDeleted(t *testing.T) {
	c := newClient(t, disk("other"))
	if err := c.Delete(t.Context(), disk()); err != nil {
		t.Fatal(err)
	}
	if err := status.EnsureFinalizer(t.Context(), c, get(t, c), finalizer); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"other"}, get(t, c).Finalizers); diff != "" {
		t.Errorf("finalizers of what is being deleted (-want +got):\n%s", diff)
	}
}

func TestRemoveFinalizer(t *testing.T) {
	c := newClient(t, disk(finalizer))
	if err := c.Delete(t.Context(), disk()); err != nil {
		t.Fatal(err)
	}
	last := get(t, c)
	if err := status.RemoveFinalizer(t.Context(), c, last.DeepCopy(), finalizer); err != nil {
		t.Fatal(err)
	}
	if d := get(t, c); d != nil {
		t.Errorf("it is still there: %v", d)
	}
	// From a cache that does not know it yet, it is let go once more.
	if err := status.RemoveFinalizer(t.Context(), c, last, finalizer); err != nil {
		t.Errorf("letting go what is gone gives %v", err)
	}
	if err := status.RemoveFinalizer(t.Context(), c, disk("other"), finalizer); err != nil {
		t.Errorf("letting go what is not held gives %v", err)
	}
}

func TestEmitTransitions(t *testing.T) {
	ready := func(s metav1.ConditionStatus, reason v1alpha1.Reason, message string) metav1.Condition {
		return metav1.Condition{Type: string(v1alpha1.ConditionReady), Status: s, Reason: string(reason), Message: message}
	}
	stalled := func(s metav1.ConditionStatus, reason v1alpha1.Reason, message string) metav1.Condition {
		return metav1.Condition{Type: string(v1alpha1.ConditionStalled), Status: s, Reason: string(reason), Message: message}
	}
	const yes, no = metav1.ConditionTrue, metav1.ConditionFalse
	cases := map[string]struct {
		reason        string
		before, after []metav1.Condition
		want          []string
	}{
		"first look":       {"That work begins is nothing to tell.", nil, []metav1.Condition{ready(no, v1alpha1.ReasonCreating, "x"), stalled(no, v1alpha1.ReasonSucceeded, "")}, nil},
		"ready":            {"That it came about is.", []metav1.Condition{ready(no, v1alpha1.ReasonCreating, "x")}, []metav1.Condition{ready(yes, v1alpha1.ReasonSucceeded, "")}, []string{"Normal Succeeded Ready"}},
		"ready at once":    {"Also at first sight.", nil, []metav1.Condition{ready(yes, v1alpha1.ReasonSucceeded, "")}, []string{"Normal Succeeded Ready"}},
		"not ready":        {"So is that it went.", []metav1.Condition{ready(yes, v1alpha1.ReasonSucceeded, "")}, []metav1.Condition{ready(no, v1alpha1.ReasonRestarting, "SQL-B restarts")}, []string{"Normal Restarting SQL-B restarts"}},
		"another reason":   {"A new reason is news.", []metav1.Condition{ready(no, v1alpha1.ReasonRestarting, "x")}, []metav1.Condition{ready(no, v1alpha1.ReasonStarting, "y")}, []string{"Normal Starting y"}},
		"another message":  {"Another message is not.", []metav1.Condition{ready(no, v1alpha1.ReasonStarting, "x")}, []metav1.Condition{ready(no, v1alpha1.ReasonStarting, "y")}, nil},
		"stalled":          {"That somebody must act is a warning.", []metav1.Condition{stalled(no, v1alpha1.ReasonSucceeded, "")}, []metav1.Condition{stalled(yes, v1alpha1.ReasonPoolFull, "no room")}, []string{"Warning PoolFull no room"}},
		"stalled at once":  {"Also at first sight.", nil, []metav1.Condition{stalled(yes, v1alpha1.ReasonPoolFull, "no room")}, []string{"Warning PoolFull no room"}},
		"not stalled":      {"Ready tells of the recovery.", []metav1.Condition{stalled(yes, v1alpha1.ReasonPoolFull, "no room")}, []metav1.Condition{stalled(no, v1alpha1.ReasonSucceeded, "")}, nil},
		"nothing declared": {"What is not there is not told.", []metav1.Condition{ready(yes, v1alpha1.ReasonSucceeded, "")}, nil, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			recorder := events.NewFakeRecorder(10)
			status.EmitTransitions(recorder, disk(), tc.before, tc.after)
			close(recorder.Events)
			var got []string
			for e := range recorder.Events {
				got = append(got, e)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// spy keeps what an event's fake recorder leaves out.
type spy struct{ told []string }

func (s *spy) Eventf(_, _ runtime.Object, kind, reason, action, note string, args ...any) {
	s.told = append(s.told, strings.Join([]string{kind, reason, action, fmt.Sprintf(note, args...)}, "|"))
}

func TestEmitDone(t *testing.T) {
	long := strings.Repeat("ä", 70)
	var recorder spy
	for _, what := range []string{"SQL-A on hv01: attach disk data", "100%s", long} {
		status.EmitDone(&recorder, disk(), v1alpha1.ReasonRepairing, what)
	}
	want := []string{
		"Normal|Repairing|SQL-A on hv01: attach disk data|SQL-A on hv01: attach disk data",
		"Normal|Repairing|100%s|100%s",
		"Normal|Repairing|" + strings.Repeat("ä", 62) + "...|" + long,
	}
	if diff := cmp.Diff(want, recorder.told); diff != "" {
		t.Errorf("events, each with an action of its own (-want +got):\n%s", diff)
	}
}

func TestResult(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "shareddisks"}, "data", errors.New("changed"))
	broken := errors.New("no connection")
	cases := map[string]struct {
		reason string
		err    error
		want   reconcile.Result
		fails  error
	}{
		"well":       {reason: "It comes back when it said.", want: reconcile.Result{RequeueAfter: time.Minute}},
		"stale copy": {reason: "A conflict is no failure: the cache catches up in a moment.", err: conflict, want: reconcile.Result{RequeueAfter: 50 * time.Millisecond}},
		"API error":  {reason: "The work queue has a back-off for these.", err: broken, fails: broken},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := status.Result(time.Minute, tc.err)
			if got != tc.want || !errors.Is(err, tc.fails) {
				t.Errorf("%s\ngot %v, %v; want %v, %v", tc.reason, got, err, tc.want, tc.fails)
			}
		})
	}
}
