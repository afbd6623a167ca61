package plan_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/pkg/plan"
)

// most is how many things happen between two looks.
const most = 6

// A scene is a matter of microseconds: many are tried. The command line's -rapid.checks stands.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "3000"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// Nothing differs, nothing is planned.
func TestLawNothingDiffersNothingIsPlanned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scenes(strangers, most).Draw(t, "scene")
		for name, p := range s.plans() {
			if !p.Empty() {
				t.Fatalf("%s: %s", name, strings.Join(show(p), "\n"))
			}
		}
	})
}

// Nothing disruptive is planned while a fact it relies on is unknown.
func TestLawNothingDisruptiveOnUnknownFacts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scenes(happenings, most).Draw(t, "scene")
		for name, p := range s.plans() {
			for _, step := range p.Steps {
				if err := reliesOnKnown(s, step); err != nil {
					t.Fatalf("%s: %v\n%s", name, err, strings.Join(show(p), "\n"))
				}
			}
		}
	})
}

// disruptive are the calls that take something from somebody who may be using it.
var disruptive = []string{
	"Stop-VM", "Stop-ClusterGroup", "Remove-VM", "Remove-ClusterGroup", "Remove-VMHardDiskDrive", "Remove-StampedFolder", "Move-ClusterVirtualMachineRole",
}

func reliesOnKnown(s *scene, step plan.Step) error {
	var vm *hyperv.Machine
	for _, c := range step.Batch.Calls {
		if id, ok := c.Parameters["Id"].(hostagent.Text); ok && c.Cmdlet == "Get-VM" {
			vm, _ = s.seen.Machine(string(id))
		}
		if !slices.Contains(disruptive, c.Cmdlet) {
			continue
		}
		switch {
		case c.Cmdlet == "Move-ClusterVirtualMachineRole" && !s.seen.Complete():
			return fmt.Errorf("%s: not every host can be seen", c.Cmdlet)
		case c.Cmdlet == "Remove-StampedFolder" && vm == nil && !s.seen.Complete():
			return fmt.Errorf("%s: a machine may have its files there", c.Cmdlet)
		case c.Cmdlet == "Remove-StampedFolder" && step.Key == "disk" && !s.seen.DrivesSeen():
			return fmt.Errorf("%s: a machine may have the disk", c.Cmdlet)
		case vm != nil && vm.Configuration == nil:
			return fmt.Errorf("%s: the configuration of %s is not known", c.Cmdlet, vm.Name)
		case s.seen.Cluster == nil || !s.seen.Cluster.Quorate && c.Cmdlet != "Remove-VMHardDiskDrive":
			if _, presence := s.seen.GroupOf(idOf(vm)); presence == hyperv.Unknown {
				return fmt.Errorf("%s: the groups are not known", c.Cmdlet)
			}
		}
	}
	return nil
}

func idOf(vm *hyperv.Machine) string {
	if vm == nil {
		return ""
	}
	return vm.ID
}

// What is not ours, by its stamp and the recorded id together, is named by no step.
func TestLawOnlyOursIsTouched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scenes(happenings, most).Draw(t, "scene")
		for name, p := range s.plans() {
			for _, step := range p.Steps {
				o := ownership{scene: s, step: step}
				for _, c := range step.Batch.Calls {
					if err := o.check(c); err != nil {
						t.Fatalf("%s: %s: %v\n%s", name, c.Cmdlet, err, strings.Join(show(p), "\n"))
					}
				}
			}
		}
	})
}

// ownership knows again, in its own way, what is whose.
type ownership struct {
	scene *scene
	step  plan.Step
	// vm is the machine that the batch is about.
	vm string
}

func (o *ownership) check(c hostagent.Call) error {
	var errs []error
	for name, v := range c.Parameters {
		text, ok := v.(hostagent.Text)
		if !ok {
			continue
		}
		switch s := string(text); {
		case name == "VMId" || c.Cmdlet == "Get-VM" && name == "Id":
			errs = append(errs, o.machine(s))
			o.vm = s
		case name == "Name" && strings.HasSuffix(c.Cmdlet, "-ClusterGroup"):
			errs = append(errs, o.group(s))
		case name == "Name" && c.Cmdlet == "Get-ClusterResource":
			errs = append(errs, o.resource(s))
		case c.Cmdlet == "Add-VMHardDiskDrive" && name == "Path":
			errs = append(errs, o.attachable(s))
		case name == "Path" || name == "VHDPath" || name == "Destination":
			errs = append(errs, o.folder(s))
		case name == "Stamp":
			errs = append(errs, o.stamp(s))
		}
	}
	if c.Cmdlet == "Get-VMHardDiskDrive" {
		errs = append(errs, o.drive(c))
	}
	return errors.Join(errs...)
}

// machine is ours when it lies in a folder with a member's stamp under the recorded id, or under none recorded. A machine
// that no host shows is ours by its recorded id while its folder is.
func (o *ownership) machine(id string) error {
	vm, presence := o.scene.seen.Machine(id)
	for _, m := range o.scene.guestCluster.Members {
		if !o.carries(m.Folder, m.Stamp) || m.RecordedID != "" && !strings.EqualFold(m.RecordedID, id) {
			continue
		}
		if presence == hyperv.Known && hyperv.Within(m.Folder, vm.Location) || presence == hyperv.Absent && m.RecordedID != "" {
			return nil
		}
	}
	// A rule and the arbiter speak of machines of other objects too: a stamp says that they are somebody's of ours.
	if o.step.Key == "class-name" || strings.HasPrefix(o.step.Key, "move/") {
		for _, f := range o.scene.seen.Folders {
			if presence == hyperv.Known && f.Readable && f.Stamp.Kind == hyperv.KindGuestCluster && hyperv.Within(f.Path, vm.Location) {
				return nil
			}
		}
	}
	return fmt.Errorf("machine %s is not ours", id)
}

func (o *ownership) group(name string) error {
	for _, g := range o.scene.seen.Groups {
		if strings.EqualFold(g.Name, name) {
			return o.machine(g.VMID)
		}
	}
	made := slices.ContainsFunc(o.step.Batch.Calls, func(c hostagent.Call) bool {
		return c.Cmdlet == "Add-ClusterVirtualMachineRole" && c.Parameters["Name"] == hostagent.Text(name)
	})
	if !made {
		return fmt.Errorf("there is no group %s", name)
	}
	return nil
}

func (o *ownership) resource(name string) error {
	for _, g := range o.scene.seen.Groups {
		if g.Resource == name {
			return o.machine(g.VMID)
		}
	}
	return fmt.Errorf("there is no resource %s", name)
}

// folder is ours when it carries our stamp, or when it is not there yet.
func (o *ownership) folder(path string) error {
	for _, m := range o.scene.guestCluster.Members {
		if hyperv.Within(m.Folder, path) && (o.carries(m.Folder, m.Stamp) || o.absent(m.Folder)) {
			return nil
		}
	}
	if d := o.scene.disk; hyperv.Within(d.Folder, path) && (o.carries(d.Folder, d.Stamp) || o.absent(d.Folder)) {
		return nil
	}
	return fmt.Errorf("%s is not ours", path)
}

func (o *ownership) carries(folder string, stamp hyperv.Stamp) bool {
	f, presence := o.scene.seen.Folder(folder)
	return presence == hyperv.Known && f.Readable && f.Stamp == stamp
}

func (o *ownership) absent(folder string) bool {
	_, presence := o.scene.seen.Folder(folder)
	return presence == hyperv.Absent
}

func (o *ownership) stamp(text string) error {
	stamps := []hyperv.Stamp{o.scene.disk.Stamp}
	for _, m := range o.scene.guestCluster.Members {
		stamps = append(stamps, m.Stamp)
	}
	if !slices.ContainsFunc(stamps, func(s hyperv.Stamp) bool { return s.Encode() == text }) {
		return fmt.Errorf("stamp %s is not ours", text)
	}
	return nil
}

func (o *ownership) attachable(path string) error {
	for _, d := range o.scene.guestCluster.Disks {
		if d.Path == path && d.Ready {
			return nil
		}
	}
	return fmt.Errorf("%s is not the guest cluster's to attach", path)
}

// drive: what is taken off is a disk of the guest cluster, unless the whole machine goes.
func (o *ownership) drive(c hostagent.Call) error {
	if o.scene.guestCluster.Deletion == plan.Remove {
		return nil
	}
	vm, presence := o.scene.seen.Machine(o.vm)
	if presence != hyperv.Known {
		return fmt.Errorf("machine %q is not there", o.vm)
	}
	controller, _ := c.Parameters["ControllerNumber"].(hostagent.Int)
	location, _ := c.Parameters["ControllerLocation"].(hostagent.Int)
	d := vm.DriveIn(int32(controller), int32(location))
	if d == nil {
		return fmt.Errorf("slot %d:%d is empty", controller, location)
	}
	own := slices.Contains(o.scene.guestCluster.Released, d.Path)
	for _, a := range o.scene.guestCluster.Disks {
		own = own || a.Path == d.Path && a.Ready
	}
	if !own {
		return fmt.Errorf("%s is not ours to take off", d.Path)
	}
	return nil
}

// Absence is believed only from a complete snapshot, a loss and the end of a machine only from two.
func TestLawAbsenceIsProven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scenes(happenings, most).Draw(t, "scene")
		for name, p := range s.plans() {
			if err := absenceProven(s, p); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, strings.Join(show(p), "\n"))
			}
		}
	})
}

func absenceProven(s *scene, p plan.Plan) error {
	for _, b := range p.Blocks {
		switch {
		case b.Reason == v1alpha1.ReasonMemberLost && !slices.ContainsFunc(s.guestCluster.Members, func(m plan.Member) bool { return twiceAbsent(s, m) }):
			return fmt.Errorf("a loss is told that is not proven: %s", b.Message)
		case b.Reason == v1alpha1.ReasonDiskLost && s.seen.Memory.AbsentFor(s.disk.Path) < 2:
			return fmt.Errorf("a loss is told that is not proven: %s", b.Message)
		}
	}
	for _, step := range p.Steps {
		what, name, _ := strings.Cut(step.Key, "/")
		i := slices.IndexFunc(s.guestCluster.Members, func(m plan.Member) bool { return m.Name == name })
		if i < 0 {
			continue
		}
		m := s.guestCluster.Members[i]
		switch {
		case (what == "copy" || what == "create") && m.RecordedID != "":
			return fmt.Errorf("%s: a member that was made is made again", step.Key)
		case (what == "copy" || what == "create") && !nothingIn(s, m.Folder) && !s.seen.HeldNoMachine(m.Folder):
			return fmt.Errorf("%s: a machine may be there already", step.Key)
		case what == "files" && m.RecordedID == "" && !nothingIn(s, m.Folder):
			return fmt.Errorf("%s: a machine may have its files there", step.Key)
		case what == "files" && m.RecordedID != "" && !twiceAbsent(s, m):
			return fmt.Errorf("%s: the machine may be there", step.Key)
		}
	}
	// That nothing is left lets the object go.
	if s.guestCluster.Deletion == plan.Remove && plan.ForGuestCluster(s.guestCluster, s.seen).Empty() {
		for _, m := range s.guestCluster.Members {
			if m.RecordedID != "" && !twiceAbsent(s, m) {
				return fmt.Errorf("%s is let go although it may be there", m.Name)
			}
		}
	}
	return nil
}

func nothingIn(s *scene, folder string) bool {
	_, presence := s.seen.MachinesIn(folder)
	return presence == hyperv.Absent
}

func twiceAbsent(s *scene, m plan.Member) bool {
	_, presence := s.seen.Machine(m.RecordedID)
	return presence == hyperv.Absent && s.seen.Memory.AbsentFor(m.RecordedID) >= 2
}

// The plan does not depend on the order in which hosts, groups, folders and files were told.
func TestLawOrderMeansNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scenes(happenings, most).Draw(t, "scene")
		before := s.plans()
		shuffle(t, s)
		after := s.plans()
		for _, name := range []string{"guest cluster", "disk", "group", "admission"} {
			if diff := cmp.Diff(show(before[name]), show(after[name])); diff != "" {
				t.Fatalf("%s (-one order +another):\n%s", name, diff)
			}
		}
	})
}

func shuffle(t *rapid.T, s *scene) {
	dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
	copied := *s.seen
	copied.Hosts = shuffled(dice, s.seen.Hosts)
	for i, h := range copied.Hosts {
		copied.Hosts[i].Machines = shuffled(dice, h.Machines)
	}
	copied.Groups, copied.Folders = shuffled(dice, s.seen.Groups), shuffled(dice, s.seen.Folders)
	copied.Disks, copied.Volumes = shuffled(dice, s.seen.Disks), shuffled(dice, s.seen.Volumes)
	s.seen = &copied
	s.proposals, s.rules = shuffled(dice, s.proposals), shuffled(dice, s.rules)
}

func shuffled[T any](dice *rand.Rand, in []T) []T {
	out := slices.Clone(in)
	dice.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// Every block names who must act and what, every wait says what for, and every step can be run by its host.
func TestLawPlansCanBeReadAndRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scenes(happenings, most).Draw(t, "scene")
		for name, p := range s.plans() {
			if err := errors.Join(readable(p), runnable(s, p)); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, strings.Join(show(p), "\n"))
			}
		}
	})
}

func readable(p plan.Plan) error {
	for _, b := range p.Blocks {
		if !slices.Contains(canMend, b.Reason.Actor()) || strings.TrimSpace(b.Message) == "" {
			return fmt.Errorf("block %s is with %q and says %q", b.Reason, b.Reason.Actor(), b.Message)
		}
	}
	for _, w := range p.Waits {
		if w.Reason.Actor() == "" || strings.TrimSpace(w.Message) == "" {
			return fmt.Errorf("wait %q is with %q and says %q", w.Reason, w.Reason.Actor(), w.Message)
		}
	}
	keys := map[string]bool{}
	for _, step := range p.Steps {
		if keys[step.Key] || step.Key == "" {
			return fmt.Errorf("two steps have the key %q", step.Key)
		}
		keys[step.Key] = true
		if step.Reason.Actor() != v1alpha1.ActorOperator || step.Describe == "" || strings.Contains(step.Describe, "\n") {
			return fmt.Errorf("step %s is with %q and says %q", step.Key, step.Reason.Actor(), step.Describe)
		}
	}
	return nil
}

func runnable(s *scene, p plan.Plan) error {
	for _, step := range p.Steps {
		if err := step.Batch.Validate(); err != nil {
			return fmt.Errorf("%s: %w", step.Key, err)
		}
		if !step.Batch.Changes() {
			return fmt.Errorf("%s changes nothing", step.Key)
		}
		for _, h := range s.seen.Hosts {
			target := step.Batch.Target.Host
			if h.Answered && (target == "" || strings.EqualFold(h.Name, target)) {
				if _, err := surface.BindBatch(step.Batch, h.Build); err != nil {
					return fmt.Errorf("%s on build %d: %w", step.Key, h.Build, err)
				}
			}
		}
	}
	return nil
}

// At most one move is admitted, of a member whose siblings are well, and it breaks no rule of anybody.
func TestLawAdmission(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := scenes(happenings, most).Draw(t, "scene")
		// Mostly something is to be admitted.
		if rapid.IntRange(0, 3).Draw(t, "together") > 0 {
			for _, h := range happenings {
				if h.name == "members share a host" {
					h.do(t, s)
				}
			}
		}
		admitted, why := plan.Admit(s.seen, s.rules, s.proposals, "payments/sql")
		if admitted == nil {
			if why == "" && len(s.proposals) > 0 {
				t.Fatal("nothing is admitted and nobody says why")
			}
			return
		}
		if err := admissible(s, admitted); err != nil {
			t.Fatalf("%s to %s: %v", admitted.VMID, admitted.To, err)
		}
	})
}

func admissible(s *scene, a *plan.Admission) error {
	to, ok := s.seen.Host(a.To)
	group, _ := s.seen.GroupOf(a.VMID)
	switch {
	case !s.seen.Complete():
		return errors.New("not every host can be seen")
	case !ok || to.State != hyperv.HostUp || !to.Answered || a.To == a.From:
		return errors.New("the target takes nobody")
	case group == nil || !strings.EqualFold(group.OwnerNode, a.From):
		return errors.New("it does not come from its owner")
	}
	for _, g := range s.seen.Groups {
		for _, class := range g.ClassNames {
			if !strings.EqualFold(g.VMID, a.VMID) && strings.EqualFold(g.OwnerNode, a.To) && slices.Contains(group.ClassNames, class) {
				return fmt.Errorf("%s is there with class %s", g.Name, class)
			}
		}
	}
	for _, r := range s.rules {
		for _, id := range r.VMIDs {
			vm, presence := s.seen.Machine(id)
			if presence == hyperv.Known && vm.Migrating() {
				return fmt.Errorf("%s is on its way", id)
			}
			if slices.Contains(r.VMIDs, a.VMID) && (presence != hyperv.Known || !vm.Healthy()) {
				return fmt.Errorf("%s is not well", id)
			}
		}
	}
	return nil
}
