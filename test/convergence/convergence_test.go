// Package convergence_test lets the planner, the executor and the pool loose on simulated host clusters that are disturbed
// at random, and holds that they always come to rest with everything as it is wanted.
package convergence_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/plan"
)

const (
	// round is how much time passes between two turns of the operator; it polls as often.
	round        = 10 * time.Second
	pollInterval = round
	// bound is within how many rounds everything must be as wanted once the accidents have ended: ten minutes for the hosts
	// to restart what they lost and for back-offs, and as much for the members to shut down and boot in turn.
	bound = 120
)

// A history is a matter of a tenth of a second. The command line's -rapid.checks stands.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "25"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// act is a happening with its dice and how many rounds pass before the next.
type act struct {
	what   happening
	seed   uint64
	rounds int
}

func (a act) GoString() string { return fmt.Sprintf("%s (%d), %d rounds", a.what, a.seed, a.rounds) }

func acts() *rapid.Generator[act] {
	return rapid.Custom(func(t *rapid.T) act {
		return act{
			what: rapid.SampledFrom(happenings).Draw(t, "what"), seed: rapid.Uint64Max(99).Draw(t, "seed"), rounds: rapid.IntRange(0, 8).Draw(t, "rounds"),
		}
	})
}

func TestFromNothing(t *testing.T) {
	if err := history(t, nil); err != nil {
		t.Error(err)
	}
}

// Whatever befalls a host cluster, from the first moment on, in the end nothing is left to do, and nothing was lost.
func TestConvergence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		happened := rapid.SliceOfN(acts(), 1, 12).Draw(rt, "history")
		if err := history(t, happened); err != nil {
			rt.Fatal(err)
		}
	})
}

// history plays acts on a new site, in a bubble of time of its own.
func history(t *testing.T, happened []act) error {
	var err error
	synctest.Test(t, func(t *testing.T) {
		world, werr := hypervsim.New(hypervsim.DefaultModel(), hypervsim.NewManualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
		if werr != nil {
			t.Fatal(werr)
		}
		s := &site{world: world, record: newRecord()}
		s.restart = func() {
			if s.operator != nil {
				s.operator.pool.Close()
			}
			s.operator = start(t.Context(), s.record, world)
		}
		s.restart()
		err = s.play(t.Context(), happened)
		s.operator.pool.Close()
		world.Close()
	})
	return err
}

func (s *site) play(ctx context.Context, happened []act) error {
	for _, a := range happened {
		s.dice = rand.New(rand.NewPCG(a.seed, 0))
		a.what.do(s)
		for range a.rounds {
			// What fails now is mended later.
			_, _ = s.turn(ctx)
		}
	}
	s.heal()
	left, err := s.settle(ctx)
	if err != nil {
		return err
	}
	if !left.Empty() {
		return fmt.Errorf("after %d rounds this is left:\n%s", bound, show(left))
	}
	if err := s.inspect(); err != nil {
		return err
	}
	return s.delete(ctx)
}

// delete gives everything up: the guest cluster first, then its rule and its disks.
func (s *site) delete(ctx context.Context) error {
	s.record.guestCluster.Deletion = plan.Remove
	if left, err := s.settle(ctx); err != nil || !left.Empty() {
		return fmt.Errorf("deleting the guest cluster, this is left:\n%s\n%w", show(left), err)
	}
	s.record.group.Deletion = plan.Remove
	for i := range s.record.disks {
		s.record.disks[i].Deletion = plan.Remove
	}
	if left, err := s.settle(ctx); err != nil || !left.Empty() {
		return fmt.Errorf("deleting the disks, this is left:\n%s\n%w", show(left), err)
	}
	return s.inspectRemains()
}

// inspectRemains: nothing of ours is left, and everything of others is.
func (s *site) inspectRemains() error {
	state := s.world.State()
	for _, vm := range state.Machines {
		if vm.Name != "legacy" {
			return fmt.Errorf("machine %s is left", vm.Name)
		}
	}
	for _, g := range state.Groups {
		if g.VM != "" {
			return fmt.Errorf("role %s is left", g.Name)
		}
	}
	for _, f := range state.Files {
		if strings.Contains(f.Path, `\payments.`) {
			return fmt.Errorf("file %s is left", f.Path)
		}
	}
	return s.inspectJournal()
}

// turn lets a round pass and the operator act.
func (s *site) turn(ctx context.Context) (plan.Plan, error) {
	_ = s.world.Advance(round)
	<-time.After(round)
	synctest.Wait()
	return s.operator.reconcile(ctx)
}

// settle lets rounds pass until nothing is left to do twice in a row, and shuts down members that wait for it.
func (s *site) settle(ctx context.Context) (plan.Plan, error) {
	var left plan.Plan
	quiet := 0
	for range bound {
		var err error
		if left, err = s.turn(ctx); len(left.Blocks) > 0 {
			return left, fmt.Errorf("somebody is to act although nothing was lost:\n%s\n%w", show(left), err)
		}
		if waitsForPowerOff(left) {
			_ = s.world.ShutDownVM(s.record.memberNamed(left))
		}
		if !left.Empty() {
			quiet = 0
			continue
		}
		if quiet++; quiet == 3 {
			break
		}
	}
	return left, nil
}

// inspect looks at the world itself, in its own way.
func (s *site) inspect() error {
	state := s.world.State()
	hosts := map[string]bool{}
	var errs []error
	for _, m := range s.record.guestCluster.Members {
		vm, group := find(state, m.RecordedID)
		hosts[vm.Host] = true
		if vm.State != "Running" || !strings.HasPrefix(vm.Heartbeat, "Ok") || vm.Name != m.VMName() || group.Owner != vm.Host || group.OfflineAction != 2 {
			errs = append(errs, fmt.Errorf("%s is not as wanted: %+v, %+v", m.Name, vm, group))
		}
		if !slices.Contains(group.ClassNames, s.record.guestCluster.ClassName) {
			errs = append(errs, fmt.Errorf("%s carries %v", m.Name, group.ClassNames))
		}
		errs = append(errs, s.inspectDevices(m, vm))
	}
	if len(hosts) != len(s.record.guestCluster.Members) {
		errs = append(errs, fmt.Errorf("members share a host"))
	}
	return errors.Join(append(errs, s.inspectJournal())...)
}

func find(state hypervsim.State, id string) (vm hypervsim.VMState, group hypervsim.GroupState) {
	for _, m := range state.Machines {
		if m.ID == id {
			vm = m
		}
	}
	for _, g := range state.Groups {
		if g.VM == id {
			group = g
		}
	}
	return vm, group
}

func (s *site) inspectDevices(m plan.Member, vm hypervsim.VMState) error {
	for _, n := range m.Networks {
		want := hypervsim.AdapterState{Name: n.Name, MAC: n.MAC.String(), Switch: n.SwitchName, VLAN: int64(n.VLAN)}
		if !slices.Contains(vm.Adapters, want) {
			return fmt.Errorf("%s lacks adapter %+v: %+v", m.Name, want, vm.Adapters)
		}
	}
	for _, d := range s.record.guestCluster.Disks {
		want := hypervsim.DriveState{Path: d.Path, Controller: "SCSI", Number: int64(d.Slot.Controller), Location: int64(d.Slot.Location), Shared: true}
		if !slices.Contains(vm.Drives, want) {
			return fmt.Errorf("%s lacks drive %+v: %+v", m.Name, want, vm.Drives)
		}
	}
	return nil
}

// inspectJournal: no member was ever saved, nothing of anybody else was touched, and no disk was made twice.
func (s *site) inspectJournal() error {
	made := map[string]bool{}
	for _, e := range s.world.Journal(0) {
		if strings.Contains(e.Effect, "saving VM") || strings.Contains(e.Effect, "was saved") {
			return fmt.Errorf("a machine was saved: %+v", e)
		}
		if e.Call == nil || !e.Call.Changes() || e.Effect == "" {
			continue
		}
		if strings.Contains(e.Effect, "legacy") {
			return fmt.Errorf("a foreign machine was touched: %s %s", e.Call.Cmdlet, e.Effect)
		}
		once := e.Call.Cmdlet == "New-VHD" || e.Call.Cmdlet == "New-VM"
		if once && made[e.Effect] {
			return fmt.Errorf("made twice: %s", e.Effect)
		}
		made[e.Effect] = true
	}
	return nil
}
