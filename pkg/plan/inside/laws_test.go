package inside_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/plan/inside"
)

// A story is a matter of a millisecond: many are tried. The command line's -rapid.checks stands.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "400"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// rounds is how many looks any story may take; the longest ones take about half.
const rounds = 60

// story is a guest cluster being made inside, look by look.
type story struct {
	want inside.Clustering
	w    *world
	// before looks at each plan; it may be nil.
	before func(inside.Clustering, *guest.Snapshot, plan.Plan) error
	// batches counts those that were sent, by machine.
	batches map[string]int
}

var wanted = map[string]func() inside.Clustering{"files": files, "workgroup": workgroup, "unclustered": unclustered, "volumes": volumes}

func begin(want inside.Clustering) *story {
	return &story{want: want, w: fresh(want), batches: map[string]int{}}
}

// look is one look at the members: what is told for the first time is recorded, if it is kept, and then planned by.
func (s *story) look(keep bool) (plan.Plan, error) {
	seen := s.w.snapshot()
	want := inside.Record(s.want, seen)
	if keep {
		s.want = want
	}
	p := inside.Plan(want, seen, rack(want))
	if s.before != nil {
		return p, s.before(want, seen, p)
	}
	return p, nil
}

// run does a batch up to a call.
func (s *story) run(b hostagent.Batch, calls int) error {
	s.batches[b.Target.VM]++
	for _, c := range b.Calls[:min(calls, len(b.Calls))] {
		if err := s.w.do(b.Target.VM, b.Logon, c); err != nil {
			return fmt.Errorf("%s: %w", showCall(c), err)
		}
		if c.Cmdlet == "Restart-Computer" {
			break
		}
	}
	return nil
}

// finish goes on undisturbed until everything is made and nothing is left to do.
func (s *story) finish() error { return errors.Join(s.end(), s.isDone()) }

// end goes on undisturbed until nothing is left to do.
func (s *story) end() error {
	for range rounds {
		p, err := s.look(true)
		switch {
		case err != nil:
			return err
		case p.Empty():
			return nil
		}
		for _, step := range p.Steps {
			if err := s.run(step.Batch, len(step.Batch.Calls)); err != nil {
				return fmt.Errorf("%s: %w", step.Key, err)
			}
		}
		s.w.pass()
	}
	p, _ := s.look(true)
	return fmt.Errorf("it never ends:\n%s", strings.Join(show(p), "\n"))
}

// isDone knows in its own way what a guest cluster is that was made.
func (s *story) isDone() error {
	var errs []error
	for _, m := range s.want.Members {
		vm := s.w.machines[m.VMID]
		if vm.AnswerFile || vm.joining != "" || vm.installing != nil || s.want.Domain != nil && vm.Domain != domain {
			errs = append(errs, fmt.Errorf("%s is not set up", m.Name))
		}
		for i, n := range m.Networks {
			if a := vm.Adapters[i]; a.Name != n.Name || a.Registers != (i == 0) || len(n.Addresses) > 0 && !slices.Equal(a.Addresses, n.Addresses) {
				errs = append(errs, fmt.Errorf("adapter %s of %s is %+v", n.Name, m.Name, a))
			}
		}
	}
	if s.want.Clustered {
		errs = append(errs, s.isFormed())
	}
	return errors.Join(errs...)
}

func (s *story) isFormed() error {
	c := s.w.cluster
	switch {
	case c == nil:
		return errors.New("there is no cluster")
	case len(c.Nodes) != len(s.want.Members) || c.SameSubnetThreshold != 20 || c.WitnessResource == "":
		return fmt.Errorf("the cluster is %+v", c)
	case c.Networks[0].Name != "client" || c.Networks[1].Name != "cluster" || c.Networks[1].Role != 1 || c.Networks[0].Role != 3:
		return fmt.Errorf("its networks are %+v", c.Networks)
	}
	for _, d := range s.want.Disks {
		if r, ok := c.DiskResource(d.GUID); !ok || r.Name != d.Name || s.w.formatted["naa."+d.Name] != 1 || slices.Contains(c.SharedVolumes, r.Name) != (d.Use == inside.UseCSV) {
			return fmt.Errorf("disk %s is %+v, formatted %v, volumes %v", d.Name, r, s.w.formatted, c.SharedVolumes)
		}
	}
	for _, r := range s.want.Roles {
		if g, ok := c.Group(r.Name); !ok || g.State != "Online" || len(s.w.shares[r.Name]) != len(r.Shares) || r.ObjectGUID == "" {
			return fmt.Errorf("role %+v is %+v with %v", r, g, s.w.shares)
		}
	}
	return nil
}

// Whatever is wanted is made, each thing once, and then nothing is planned.
func TestEverythingIsMade(t *testing.T) {
	for name, want := range wanted {
		t.Run(name, func(t *testing.T) {
			s := begin(want())
			if err := s.finish(); err != nil {
				t.Fatal(err)
			}
			if n := s.w.done["New-Cluster"]; s.want.Clustered && n != 1 || n > 1 {
				t.Errorf("%d clusters were formed", n)
			}
		})
	}
}

// The critical path has at most 12 batches a host, four of which are the machine's: design's budget.
func TestBatchesAMember(t *testing.T) {
	s := begin(files())
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	for id, n := range s.batches {
		if n > 8 {
			t.Errorf("%s got %d batches", id, n)
		}
	}
}

// drawn makes stories of one guest cluster: what is wanted, and how its image behaves.
func drawn(t *rapid.T) func() *story {
	want := rapid.SampledFrom([]func() inside.Clustering{files, workgroup, unclustered, volumes}).Draw(t, "wanted")
	restart, addressed := rapid.Bool().Draw(t, "features want a restart"), rapid.Bool().Draw(t, "the image has addresses")
	return func() *story {
		s := begin(want())
		s.w.featuresRestart = restart
		for _, m := range s.w.machines {
			if a := &m.Adapters[0]; addressed {
				a.DHCP, a.Addresses = false, []netip.Prefix{address("10.0.1.201", 24), address("10.0.1.200", 24)}
				a.Gateways = []netip.Addr{netip.MustParseAddr("10.0.1.254"), netip.MustParseAddr("10.0.1.253")}
			}
		}
		return s
	}
}

// disturb goes on with everything that may come between: batches that are cut, machines that fall silent, ids that are not kept,
// steps in any order.
func (s *story) disturb(t *rapid.T, cut bool) error {
	for range rapid.IntRange(0, 20).Draw(t, "looks") {
		for _, id := range slices.Sorted(maps.Keys(s.w.machines)) {
			s.w.machines[id].silent = cut && rapid.IntRange(0, 9).Draw(t, "silent"+id) == 0
		}
		p, err := s.look(rapid.Bool().Draw(t, "kept"))
		if err != nil {
			return err
		}
		for _, i := range rapid.Permutation(indexes(len(p.Steps))).Draw(t, "order") {
			batch := p.Steps[i].Batch
			calls := len(batch.Calls)
			switch {
			case rapid.IntRange(0, 4).Draw(t, "dropped") == 0:
				continue
			case cut:
				calls = rapid.IntRange(0, calls).Draw(t, "calls")
			}
			if err := s.run(batch, calls); err != nil {
				return fmt.Errorf("%s: %w", p.Steps[i].Key, err)
			}
		}
		if rapid.IntRange(0, 3).Draw(t, "time") > 0 {
			s.w.pass()
		}
	}
	for _, m := range s.w.machines {
		m.silent = false
	}
	return nil
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func indexes(n int) []int {
	var out []int
	for i := range n {
		out = append(out, i)
	}
	return out
}

// From wherever it was cut it goes on to the end: no call is refused, nothing is formatted twice, no second cluster is formed.
func TestLawItConvergesFromAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawn(t)()
		if err := errors.Join(s.disturb(t, true), s.finish()); err != nil {
			t.Fatal(err)
		}
		if n := s.w.done["New-Cluster"]; n > 1 {
			t.Fatalf("%d clusters were formed", n)
		}
	})
}

// A manager that is killed between steps repeats none of them: the same calls are made as without, each as often.
func TestLawNothingIsRepeated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tell := drawn(t)
		s, undisturbed := tell(), tell()
		if err := errors.Join(undisturbed.finish(), s.disturb(t, false), s.finish()); err != nil {
			t.Fatal(err)
		}
		// How often a disk is read again, or a machine is restarted on its way, depends on who was first.
		for _, w := range []*world{s.w, undisturbed.w} {
			delete(w.done, "Update-HostStorageCache")
		}
		if diff := cmp.Diff(undisturbed.w.done, s.w.done); diff != "" {
			t.Fatalf("calls (-undisturbed +disturbed):\n%s", diff)
		}
	})
}

// What was made is taken away: the cluster, and each computer object that is recorded.
func TestLawDeletionLeavesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawn(t)()
		if rapid.Bool().Draw(t, "made") {
			if err := s.finish(); err != nil {
				t.Fatal(err)
			}
		}
		s.want.Deleting = true
		s.w.newComputer("FILES-9")
		if err := errors.Join(s.disturb(t, true), s.end()); err != nil {
			t.Fatal(err)
		}
		if s.w.cluster != nil || len(s.w.computers) != 1 {
			t.Fatalf("left are %+v and %v", s.w.cluster, s.w.computers)
		}
	})
}

// A member that leaves is let go once nothing inside knows it, and a disk once no cluster has it; both may come again.
func TestLawLeaversLeave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := begin(volumes())
		s.want.Disks = append(s.want.Disks, inside.Disk{Name: "spare", LUN: 7, SizeBytes: gib, Attached: true, Formattable: true, Use: inside.UseData})
		s.w = fresh(s.want)
		if err := s.finish(); err != nil {
			t.Fatal(err)
		}
		last, spare := &s.want.Members[2], &s.want.Disks[2]
		last.Leaving, spare.Leaving = true, true
		s.before = func(want inside.Clustering, seen *guest.Snapshot, _ plan.Plan) error {
			if _, isNode := s.w.cluster.Node(last.Name); isNode && inside.Evicted(want, seen, last.Name) {
				return fmt.Errorf("%s is let go and is a node", last.Name)
			}
			if _, clustered := s.w.cluster.DiskResource(spare.GUID); clustered && inside.Released(want, seen, spare.Name) {
				return fmt.Errorf("%s is let go and is in the cluster", spare.Name)
			}
			return nil
		}
		if err := errors.Join(s.disturb(t, true), s.end()); err != nil {
			t.Fatal(err)
		}
		seen := s.w.snapshot()
		if !inside.Evicted(s.want, seen, last.Name) || !inside.Released(s.want, seen, spare.Name) || exists(seen, last.Name) {
			t.Fatalf("nobody left: %+v, %v", s.w.cluster, s.w.computers)
		}
	})
}

// Every plan on the way keeps the laws, whatever is silent meanwhile.
func TestLawsOfEveryPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawn(t)()
		s.before = func(want inside.Clustering, seen *guest.Snapshot, p plan.Plan) error {
			if err := errors.Join(readable(p), keepsSecrets(p), cautious(want, seen, p), stable(t, want, seen, p)); err != nil {
				return fmt.Errorf("%w\n%s", err, strings.Join(show(p), "\n"))
			}
			return nil
		}
		switch rapid.IntRange(0, 3).Draw(t, "then") {
		case 0:
			if err := s.finish(); err != nil {
				t.Fatal(err)
			}
			s.want.Deleting = true
		case 1:
			if err := s.finish(); err != nil {
				t.Fatal(err)
			}
			last := len(s.want.Members) - 1
			s.want.Members[last].Leaving = true
		}
		if err := s.disturb(t, true); err != nil {
			t.Fatal(err)
		}
	})
}

// readable: every step, wait and block can be told to somebody, and every step can be run.
func readable(p plan.Plan) error {
	keys := map[string]bool{}
	for _, step := range p.Steps {
		if keys[step.Key] || step.Key == "" {
			return fmt.Errorf("two steps have the key %q", step.Key)
		}
		keys[step.Key] = true
		if step.Reason.Actor() != v1alpha1.ActorOperator || step.Describe == "" || strings.Contains(step.Describe, "\n") {
			return fmt.Errorf("step %s is with %q and says %q", step.Key, step.Reason.Actor(), step.Describe)
		}
		if step.Batch.Target.VM == "" || !step.Batch.Changes() {
			return fmt.Errorf("step %s changes no member", step.Key)
		}
		if _, err := surface.BindBatch(step.Batch, hyperv.Build2022); err != nil {
			return fmt.Errorf("step %s cannot be run: %w", step.Key, err)
		}
	}
	for _, w := range p.Waits {
		if w.Reason.Actor() == "" || strings.TrimSpace(w.Message) == "" {
			return fmt.Errorf("wait %q is with %q and says %q", w.Reason, w.Reason.Actor(), w.Message)
		}
	}
	for _, b := range p.Blocks {
		if a := b.Reason.Actor(); a != v1alpha1.ActorUser && a != v1alpha1.ActorPlatformTeam || strings.TrimSpace(b.Message) == "" {
			return fmt.Errorf("block %s is with %q and says %q", b.Reason, a, b.Message)
		}
	}
	return nil
}

func keepsSecrets(p plan.Plan) error {
	if text := strings.Join(told(p), "\n") + fmt.Sprintf("%v %+v %#v", p, p, p); strings.Contains(text, password) {
		return errors.New("a secret is told")
	}
	return nil
}

// cautious: nothing is concluded from a member that does not answer, and nobody is disturbed who is needed.
func cautious(want inside.Clustering, seen *guest.Snapshot, p plan.Plan) error {
	membership := 0
	for _, step := range p.Steps {
		for _, c := range step.Batch.Calls {
			if err := cautiousCall(want, seen, step, c); err != nil {
				return fmt.Errorf("%s: %s: %w", step.Key, c.Cmdlet, err)
			}
			if slices.Contains([]string{"New-Cluster", "Add-ClusterNode", "Suspend-ClusterNode", "Remove-ClusterNode", "Remove-Cluster"}, c.Cmdlet) {
				membership++
			}
		}
	}
	if membership > 1 {
		return errors.New("two changes of who is a node at once")
	}
	return nil
}

func cautiousCall(want inside.Clustering, seen *guest.Snapshot, step plan.Step, c hostagent.Call) error {
	name, _ := c.Parameters["Name"].(hostagent.List)
	node := ""
	if len(name) > 0 {
		node = fmt.Sprint(name[0])
	}
	target, _ := seen.Member(step.Batch.Target.VM)
	switch c.Cmdlet {
	case "New-Cluster":
		if want.ClusterID != "" || seen.Cluster != nil || !allTold(want, seen, func(m guest.Member) bool { return m.ClusterService == guest.ServiceDisabled }) {
			return errors.New("there may be a cluster")
		}
		if want.Domain != nil && (seen.Directory == nil || exists(seen, want.ClusterName)) {
			return errors.New("its name may be taken")
		}
	case "Initialize-SharedDisk":
		want.Members = slices.DeleteFunc(slices.Clone(want.Members), func(m inside.Member) bool { return m.Leaving })
		if !allTold(want, seen, func(m guest.Member) bool { return rawOn(m, fmt.Sprint(c.Parameters["UniqueId"])) }) {
			return errors.New("somebody may have something on it")
		}
	case "Set-Disk":
		if clusterMayHave(want, seen, target, fmt.Sprint(c.Parameters["UniqueId"])) {
			return errors.New("the cluster may have it")
		}
	case "Restart-Computer":
		if target.ClusterService == guest.ServiceRunning {
			return errors.New("it is a node")
		}
	case "Add-ClusterNode", "Suspend-ClusterNode", "Remove-ClusterNode":
		for _, n := range seen.Cluster.Nodes {
			leaves := slices.ContainsFunc(want.Members, func(m inside.Member) bool { return m.Name == n.Name && m.Leaving })
			if n.State != guest.NodeUp && n.Name != node && !leaves {
				return fmt.Errorf("%s is %s", n.Name, n.State)
			}
		}
	case "Remove-Cluster":
		if !want.Deleting {
			return errors.New("the cluster is wanted")
		}
	case "Remove-ADComputer":
		if !slices.Contains(recorded(want), fmt.Sprint(c.Parameters["Identity"])) {
			return errors.New("it is not recorded as ours")
		}
	}
	return nil
}

// clusterMayHave is whether a disk of a member may be the cluster's.
func clusterMayHave(want inside.Clustering, seen *guest.Snapshot, m guest.Member, uniqueID string) bool {
	if seen.Cluster == nil {
		return slices.ContainsFunc(want.Members, func(o inside.Member) bool {
			g, _ := seen.Member(o.VMID)
			return g.ClusterService == guest.ServiceRunning || g.ClusterService == guest.ServiceStopped
		})
	}
	return slices.ContainsFunc(m.Disks, func(d guest.Disk) bool {
		_, clustered := seen.Cluster.DiskResource(d.GUID)
		return d.UniqueID == uniqueID && clustered
	})
}

func allTold(want inside.Clustering, seen *guest.Snapshot, ok func(guest.Member) bool) bool {
	return !slices.ContainsFunc(want.Members, func(m inside.Member) bool {
		g, _ := seen.Member(m.VMID)
		unmade := m.Leaving && m.VMID == ""
		return !unmade && (!g.Answered || g.SettingUp || !ok(g))
	})
}

func exists(seen *guest.Snapshot, name string) bool {
	return slices.ContainsFunc(seen.Directory.Computers, func(a guest.ComputerAccount) bool { return a.Name == name })
}

func rawOn(m guest.Member, uniqueID string) bool {
	return slices.ContainsFunc(m.Disks, func(d guest.Disk) bool { return d.UniqueID == uniqueID && d.Raw && d.GUID == "" })
}

func recorded(want inside.Clustering) []string {
	out := []string{want.ClusterObjectGUID}
	for _, m := range want.Members {
		out = append(out, m.ObjectGUID)
	}
	for _, r := range want.Roles {
		out = append(out, r.ObjectGUID)
	}
	return out
}

// stable: the plan does not depend on the order in which things were told, and neither does what is recorded.
func stable(t *rapid.T, want inside.Clustering, seen *guest.Snapshot, p plan.Plan) error {
	again := shuffled(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "told"), 0)), seen)
	if diff := cmp.Diff(show(p), show(inside.Plan(want, again, rack(want)))); diff != "" {
		return fmt.Errorf("plan (-one order +another):\n%s", diff)
	}
	if diff := cmp.Diff(want, inside.Record(want, again), exact); diff != "" {
		return fmt.Errorf("recorded (-once +twice):\n%s", diff)
	}
	return nil
}

// exact compares what cannot be looked into.
var exact = cmp.Options{
	cmp.Comparer(func(a, b hostagent.Secret) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

func shuffled(dice *rand.Rand, seen *guest.Snapshot) *guest.Snapshot {
	out := *seen
	out.Members = map[string]guest.Member{}
	for id, m := range seen.Members {
		mix(dice, &m.Adapters)
		mix(dice, &m.Disks)
		mix(dice, &m.Features)
		mix(dice, &m.Administrators)
		mix(dice, &m.Shares)
		for i := range m.Adapters {
			mix(dice, &m.Adapters[i].Addresses)
			mix(dice, &m.Adapters[i].Gateways)
		}
		out.Members[id] = m
	}
	if seen.Cluster != nil {
		c := *seen.Cluster
		mix(dice, &c.Nodes)
		mix(dice, &c.Groups)
		mix(dice, &c.Resources)
		mix(dice, &c.Networks)
		mix(dice, &c.AvailableDisks)
		mix(dice, &c.SharedVolumes)
		out.Cluster = &c
	}
	if seen.Directory != nil {
		d := *seen.Directory
		mix(dice, &d.Computers)
		out.Directory = &d
	}
	return &out
}

func mix[T any](dice *rand.Rand, in *[]T) {
	out := slices.Clone(*in)
	dice.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	*in = out
}

// From nothing that was told only waits follow.
func TestLawNothingIsPlannedBlind(t *testing.T) {
	for name, want := range wanted {
		t.Run(name, func(t *testing.T) {
			made := begin(want())
			if err := made.finish(); err != nil {
				t.Fatal(err)
			}
			deleting := made.want
			deleting.Deleting = true
			for what, w := range map[string]inside.Clustering{"new": want(), "made": made.want, "deleting": deleting} {
				for _, seen := range []*guest.Snapshot{nil, {}, {Members: map[string]guest.Member{vmID(1): {}, vmID(2): {Refused: true}}}} {
					p := inside.Plan(w, seen, rack(w))
					if len(p.Steps) > 0 || len(p.Waits) == 0 && !w.Deleting {
						t.Errorf("%s: %s", what, strings.Join(show(p), "\n"))
					}
				}
			}
		})
	}
}
