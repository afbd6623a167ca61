package convergence_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/clock"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/execute"
	"guestclustering.io/operator/pkg/hostpool"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/plan"
)

const (
	gold  = `C:\ClusterStorage\Gold`
	image = gold + `\Images\ws2022.vhdx`
	gib   = int64(1) << 30
)

// record is what stands in Kubernetes and outlives the operator's process: what is wanted, and the ids of what was made.
type record struct {
	guestCluster plan.GuestCluster
	disks        []plan.SharedDisk
	group        plan.AntiAffinityGroup
}

// newRecord wants a guest cluster of two members with two disks, kept apart.
func newRecord() *record {
	const className = "payments.sql.3f0c1111"
	stamp := hyperv.Stamp{ClusterID: "k1", Namespace: "payments", NamespaceUID: "n1", Kind: hyperv.KindGuestCluster, Name: "sql", UID: "3f0c1111-2222"}
	r := &record{
		guestCluster: plan.GuestCluster{
			Namespace: "payments", Name: "sql", ClassName: className, NewAllowed: true,
			Machine: plan.Machine{Pool: gold, Image: image, Processors: 4, MemoryBytes: 8 * gib},
		},
		group: plan.AntiAffinityGroup{ClassName: className, MembersKnown: true},
	}
	for i, name := range []string{"SQL-A", "SQL-B"} {
		m := plan.Member{Name: name, Stamp: stamp}
		m.Stamp.Member = name
		m.Folder = hyperv.FolderPath(gold, m.Stamp)
		m.Networks = []plan.Network{
			{Name: "client", SwitchName: "vSwitch-Client", VLAN: 110, MAC: hyperv.MAC(0x02A101000010 + 2*i)},
			{Name: "cluster", SwitchName: "vSwitch-Cluster", MAC: hyperv.MAC(0x02A101000011 + 2*i)},
		}
		r.guestCluster.Members = append(r.guestCluster.Members, m)
	}
	for i, name := range []string{"sql-data", "sql-witness"} {
		d := plan.SharedDisk{
			Stamp: hyperv.Stamp{ClusterID: "k1", Namespace: "payments", NamespaceUID: "n1", Kind: hyperv.KindSharedDisk, Name: name, UID: fmt.Sprintf("d%d000000-0000", i)},
			Pool:  gold, Format: v1alpha1.DiskFormatVHDSet, SizeBytes: gib, NewAllowed: true, HostCluster: "rack1",
		}
		d.Folder = hyperv.FolderPath(gold, d.Stamp)
		d.Path = hyperv.JoinPath(d.Folder, name+".vhds")
		r.disks = append(r.disks, d)
		r.guestCluster.Disks = append(r.guestCluster.Disks, plan.AttachedDisk{
			Name: name, Path: d.Path, Slot: cmdlet.Slot{Controller: plan.SharedController, Location: int32(i)},
		})
	}
	return r
}

// learn records what a snapshot shows of what was made.
func (r *record) learn(seen *hyperv.Snapshot) {
	for i := range r.disks {
		if d, presence := seen.Disk(r.disks[i].Path); presence == hyperv.Known && r.disks[i].RecordedIdentifier == "" {
			r.disks[i].RecordedIdentifier = d.Identifier
			r.guestCluster.Disks[i].Ready = true
		}
	}
	r.group.Members = nil
	for i := range r.guestCluster.Members {
		m := &r.guestCluster.Members[i]
		found, _ := seen.MachinesIn(m.Folder)
		if f, presence := seen.Folder(m.Folder); m.RecordedID == "" && len(found) == 1 && presence == hyperv.Known && f.Stamp == m.Stamp {
			m.RecordedID = found[0].ID
		}
		if m.RecordedID != "" {
			r.group.Members = append(r.group.Members, plan.PlacedMember{GuestCluster: "sql", Name: m.Name, VMID: m.RecordedID})
		}
	}
}

func (r *record) ids() []string {
	var ids []string
	for _, m := range r.guestCluster.Members {
		if m.RecordedID != "" {
			ids = append(ids, m.RecordedID)
		}
	}
	return ids
}

// operator does what the controllers do, without Kubernetes: plan on the latest snapshot, run the steps, propose moves.
type operator struct {
	*record
	pool     *hostpool.Pool
	cluster  *hostpool.Cluster
	executor *execute.Executor
}

// start begins a process of the operator, which knows nothing but the record.
func start(ctx context.Context, r *record, world *hypervsim.World) *operator {
	o := &operator{record: r, executor: execute.New(clock.RealClock{})}
	o.pool = hostpool.New(ctx, clock.RealClock{}, func(hostpool.Change) {})
	o.cluster = o.pool.Set("rack1", hostpool.Config{Driver: world.Driver(), Pools: []string{gold}, PollInterval: pollInterval})
	return o
}

// reconcile takes one turn and gives what was still to be done before it.
func (o *operator) reconcile(ctx context.Context) (plan.Plan, error) {
	seen, _ := o.cluster.Snapshot()
	if seen == nil || seen.Cluster == nil {
		return plan.Plan{Waits: []plan.Wait{{Message: "nothing was read"}}}, nil
	}
	o.learn(seen)
	plans := map[string]plan.Plan{
		"guest cluster": plan.ForGuestCluster(o.guestCluster, seen),
		"rule":          plan.ForAntiAffinityGroup(o.group, seen),
	}
	for _, d := range o.disks {
		plans["disk "+d.Stamp.Name] = plan.ForSharedDisk(d, seen)
	}
	var all plan.Plan
	var errs []error
	for _, name := range []string{"disk sql-data", "disk sql-witness", "guest cluster", "rule"} {
		p := plans[name]
		all.Steps, all.Waits, all.Blocks = append(all.Steps, p.Steps...), append(all.Waits, p.Waits...), append(all.Blocks, p.Blocks...)
		out := o.executor.Run(ctx, name, 1, o.cluster, p)
		for _, f := range out.Failures {
			errs = append(errs, f.Err)
		}
	}
	if why := o.repair(ctx); why != "" {
		all.Waits = append(all.Waits, plan.Wait{Reason: v1alpha1.ReasonViolated, Message: why})
	}
	return all, errors.Join(errs...)
}

// repair proposes to move a member that shares its host.
func (o *operator) repair(ctx context.Context) string {
	seen, _ := o.cluster.Snapshot()
	violations := plan.Violations(o.group, seen)
	if len(violations) == 0 {
		o.cluster.Withdraw("payments/sql")
		return ""
	}
	p := plan.Proposal{Key: "payments/sql"}
	for _, m := range slices.Backward(violations[0].Members) {
		p.VMIDs = append(p.VMIDs, m.VMID)
	}
	admitted, why, err := o.cluster.Propose(ctx, p, []plan.Rule{{GuestCluster: "payments/sql", VMIDs: o.ids()}})
	if admitted != nil {
		why = "moving " + admitted.VMID + " to " + admitted.To
	}
	return fmt.Sprintf("members share host %s: %s %v", violations[0].HostName, why, err)
}

// waitsForPowerOff is whether all that is left waits for a member to be off, which is a person's act.
func waitsForPowerOff(p plan.Plan) bool {
	return len(p.Steps) == 0 && len(p.Blocks) == 0 && len(p.Waits) > 0 &&
		!slices.ContainsFunc(p.Waits, func(w plan.Wait) bool { return w.Reason != v1alpha1.ReasonWaitingForPowerOff })
}

// memberNamed is the first member that a plan's waits name.
func (r *record) memberNamed(p plan.Plan) string {
	for _, m := range r.guestCluster.Members {
		if strings.Contains(p.Waits[0].Message, m.Name) {
			return m.RecordedID
		}
	}
	return ""
}

func show(p plan.Plan) string {
	var lines []string
	for _, s := range p.Steps {
		lines = append(lines, "step "+s.Key+": "+s.Describe)
	}
	for _, w := range p.Waits {
		lines = append(lines, fmt.Sprintf("wait %s: %s", w.Reason, w.Message))
	}
	for _, b := range p.Blocks {
		lines = append(lines, fmt.Sprintf("block %s: %s", b.Reason, b.Message))
	}
	return strings.Join(lines, "\n")
}
