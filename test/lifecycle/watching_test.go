package lifecycle_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/inventory"
	"guestclustering.io/operator/pkg/hypervsim"
)

// machines are the machines on the hosts by name, with everything that can be read of them.
func (s *site) machines(ctx context.Context) map[string]hyperv.Machine {
	GinkgoHelper()
	out := map[string]hyperv.Machine{}
	for _, h := range s.world.State().Hosts {
		if !h.Powered {
			continue
		}
		for _, m := range s.machinesOn(ctx, h.Name) {
			out[m.Name] = m
		}
	}
	return out
}

func (s *site) machinesOn(ctx context.Context, host string) []hyperv.Machine {
	GinkgoHelper()
	h, err := inventory.DecodeHostState(host, s.run(ctx, inventory.HostState(host, nil)))
	Expect(err).NotTo(HaveOccurred())
	var ids []string
	for _, m := range h.Machines {
		ids = append(ids, m.ID)
	}
	if len(ids) > 0 {
		Expect(inventory.AddConfigurations(&h, s.run(ctx, inventory.Configurations(host, ids)))).To(Succeed())
	}
	return h.Machines
}

// run runs a batch as an administrator would, beside the operator.
func (s *site) run(ctx context.Context, b hostagent.Batch) hostagent.Results {
	GinkgoHelper()
	agent, err := s.world.Driver().Open(ctx, b.Target)
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(agent.Close()).To(Succeed()) }()
	results, err := agent.Run(ctx, b)
	Expect(err).NotTo(HaveOccurred())
	Expect(results.Err()).NotTo(HaveOccurred())
	return results
}

// byHand runs changing calls on a host as an administrator would.
func (s *site) byHand(ctx context.Context, host string, calls ...hostagent.Call) {
	GinkgoHelper()
	s.run(ctx, hostagent.Batch{Target: hostagent.Target{Host: host}, Logon: hostagent.LogonNetwork, OnError: hostagent.Stop, Calls: calls})
}

// group is the role of a machine.
func (s *site) group(machine string) hypervsim.GroupState {
	GinkgoHelper()
	state := s.world.State()
	for _, vm := range state.Machines {
		for _, g := range state.Groups {
			if vm.Name == machine && strings.EqualFold(g.VM, vm.ID) {
				return g
			}
		}
	}
	return hypervsim.GroupState{}
}

// vmState is the machine of a name; zero when there is none.
func (s *site) vmState(name string) hypervsim.VMState {
	for _, vm := range s.world.State().Machines {
		if vm.Name == name {
			return vm
		}
	}
	return hypervsim.VMState{}
}

// placement is where the machines whose names begin with a prefix run, as "name:host", sorted.
func (s *site) placement(prefix string) []string {
	var out []string
	for _, vm := range s.world.State().Machines {
		if strings.HasPrefix(vm.Name, prefix) {
			out = append(out, vm.Name+":"+vm.Host)
		}
	}
	slices.Sort(out)
	return out
}

// files are the files on the volumes whose paths hold a text.
func (s *site) files(part string) []string {
	var out []string
	for _, f := range s.world.State().Files {
		if strings.Contains(f.Path, part) {
			out = append(out, f.Path)
		}
	}
	return out
}

// now is the number of the last entry of the journal.
func (s *site) now() int {
	journal := s.world.Journal(0)
	if len(journal) == 0 {
		return 0
	}
	return journal[len(journal)-1].Seq
}

// changes are the changing calls since an entry that were carried out, whole or in part.
func (s *site) changes(since int) []hypervsim.Entry {
	return slices.DeleteFunc(s.world.Journal(since), func(e hypervsim.Entry) bool {
		// What ran inside a guest has entries of its own, beside that of the call that carried it.
		return e.Call == nil || !e.Call.Changes() || e.State == hostagent.NotRun || e.Call.Cmdlet == "Invoke-GuestBatch"
	})
}

// cmdlets are the names of the changing calls since an entry, in order.
func (s *site) cmdlets(since int) []string {
	var out []string
	for _, e := range s.changes(since) {
		out = append(out, e.Call.Cmdlet)
	}
	return out
}

// batches counts the batches on each host in some entries of the journal.
func batches(entries []hypervsim.Entry) map[string]int {
	seen := map[string]bool{}
	out := map[string]int{}
	for _, e := range entries {
		key := fmt.Sprint(e.Session, "/", e.Batch)
		if e.Call == nil || seen[key] {
			continue
		}
		seen[key] = true
		out[e.Host]++
	}
	return out
}

// polls waits until the operator has looked at the host cluster n more times.
func (s *site) polls(n int) {
	GinkgoHelper()
	from := s.now()
	Eventually(func() int {
		looks := 0
		for _, e := range s.world.Journal(from) {
			if e.Call != nil && e.Call.Cmdlet == "Get-ClusterSharedVolume" {
				looks++
			}
		}
		return looks
	}).Should(BeNumerically(">=", n))
}

// objects lists everything of ours at the site.
func (s *site) objects(ctx context.Context) []client.Object {
	GinkgoHelper()
	out := []client.Object{}
	for _, list := range []client.ObjectList{&v1alpha1.GuestClusterList{}, &v1alpha1.SharedDiskList{}, &v1alpha1.AntiAffinityGroupList{}} {
		Expect(c.List(ctx, list, client.InNamespace(s.namespace))).To(Succeed())
		Expect(meta.EachListItem(list, func(o runtime.Object) error {
			out = append(out, o.(client.Object))
			return nil
		})).To(Succeed())
	}
	hc := &v1alpha1.HostCluster{}
	if err := c.Get(ctx, client.ObjectKey{Name: s.hostCluster}, hc); err == nil {
		out = append(out, hc)
	}
	return out
}

// versions are the resource versions of everything of ours at the site, and the number of events.
func (s *site) versions(ctx context.Context) map[string]string {
	GinkgoHelper()
	out := map[string]string{}
	for _, o := range s.objects(ctx) {
		out[fmt.Sprintf("%T %s", o, o.GetName())] = o.GetResourceVersion()
	}
	var events corev1.EventList
	Expect(c.List(ctx, &events, client.InNamespace(s.namespace))).To(Succeed())
	out["events"] = fmt.Sprint(len(events.Items))
	return out
}

// statusWrites are the changes of a guest cluster's status from now on, each told by its conditions.
func (s *site) statusWrites(ctx context.Context, name string) func() []string {
	GinkgoHelper()
	watch, err := c.Watch(ctx, &v1alpha1.GuestClusterList{}, client.InNamespace(s.namespace), client.MatchingFields{"metadata.name": name})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(watch.Stop)
	var mu sync.Mutex
	var writes []string
	go func() {
		var last *v1alpha1.GuestClusterStatus
		for event := range watch.ResultChan() {
			gc, ok := event.Object.(*v1alpha1.GuestCluster)
			if !ok {
				continue
			}
			if last != nil && !equality.Semantic.DeepEqual(*last, gc.Status) {
				mu.Lock()
				writes = append(writes, told(gc))
				mu.Unlock()
			}
			last = &gc.Status
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(writes)
	}
}

// told is what an object's conditions say, on one line.
func told(obj client.Object) string {
	var out []string
	for _, cond := range conditionsOf(obj) {
		out = append(out, strings.TrimSuffix(fmt.Sprintf("%s %s %s: %s", cond.Type, cond.Status, cond.Reason, cond.Message), ": "))
	}
	return strings.Join(out, "; ")
}

// checkStatuses holds the rules of status on every object at the site.
func (s *site) checkStatuses(ctx context.Context) {
	GinkgoHelper()
	for _, obj := range s.objects(ctx) {
		for _, wrong := range wrongInStatus(obj) {
			Fail(fmt.Sprintf("status of %T %s: %s", obj, obj.GetName(), wrong))
		}
	}
}

func declared(obj client.Object) (types []v1alpha1.ConditionType, observed int64) {
	switch o := obj.(type) {
	case *v1alpha1.GuestCluster:
		return v1alpha1.GuestClusterConditions, o.Status.ObservedGeneration
	case *v1alpha1.SharedDisk:
		return v1alpha1.SharedDiskConditions, o.Status.ObservedGeneration
	case *v1alpha1.AntiAffinityGroup:
		return v1alpha1.AntiAffinityGroupConditions, o.Status.ObservedGeneration
	case *v1alpha1.HostCluster:
		return v1alpha1.HostClusterConditions, o.Status.ObservedGeneration
	default:
		return nil, 0
	}
}

// wrongInStatus lists what breaks the rules of conditions: every declared type is there, Reconciling and Stalled are never
// both True, Ready goes without Stalled, what is not Ready is either worked on or stalled (or paused), and every reason is of
// the closed set.
func wrongInStatus(obj client.Object) []string {
	types, observed := declared(obj)
	if observed == -1 {
		return nil
	}
	var wrong []string
	is := map[v1alpha1.ConditionType]metav1.Condition{}
	for _, cond := range conditionsOf(obj) {
		is[v1alpha1.ConditionType(cond.Type)] = cond
		if v1alpha1.Reason(cond.Reason).Actor() == "" {
			wrong = append(wrong, cond.Type+" has a reason that is none: "+cond.Reason)
		}
		if cond.ObservedGeneration != observed || observed > obj.GetGeneration() {
			wrong = append(wrong, fmt.Sprintf("%s is of generation %d, status of %d", cond.Type, cond.ObservedGeneration, observed))
		}
		if len(cond.Message) > 512 || strings.HasSuffix(cond.Message, "\n") {
			wrong = append(wrong, cond.Type+" has a message that is too long or ends with a newline")
		}
	}
	for _, t := range types {
		if _, ok := is[t]; !ok {
			wrong = append(wrong, string(t)+" is absent")
		}
	}
	isTrue := func(t v1alpha1.ConditionType) bool { return is[t].Status == metav1.ConditionTrue }
	working, stuck := isTrue(v1alpha1.ConditionReconciling), isTrue(v1alpha1.ConditionStalled)
	switch {
	case working && stuck:
		wrong = append(wrong, "Reconciling and Stalled are both True")
	case isTrue(v1alpha1.ConditionReady) && stuck:
		wrong = append(wrong, "Ready and Stalled are both True")
	case !isTrue(v1alpha1.ConditionReady) && !working && !stuck && is[v1alpha1.ConditionReconciling].Reason != string(v1alpha1.ReasonPaused):
		wrong = append(wrong, "not Ready, and neither Reconciling nor Stalled")
	}
	return wrong
}

// checkJournal holds that no call ever saved a member, took a checkpoint or forced a quorum.
func (s *site) checkJournal() {
	GinkgoHelper()
	for _, e := range s.world.Journal(0) {
		if e.Call == nil {
			continue
		}
		Expect(e.Effect).NotTo(ContainSubstring("saving VM"), "a member was saved")
		Expect(e.Call.Cmdlet).NotTo(BeElementOf("Save-VM", "Checkpoint-VM", "Restore-VMSnapshot", "Suspend-VM"))
		for _, p := range []string{"ForceQuorum", "Save"} {
			Expect(e.Call.Parameters).NotTo(HaveKey(p), e.Call.Cmdlet)
		}
	}
}
