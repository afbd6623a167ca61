package antiaffinitygroup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/pkg/execute"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/status"
)

// gathered is what one reconcile knows of a rule.
type gathered struct {
	group *v1alpha1.AntiAffinityGroup
	hosts hostref.Hosts
	// all are the guest clusters on the host cluster, of every namespace.
	all []v1alpha1.GuestCluster

	want plan.AntiAffinityGroup
	plan plan.Plan
	// repairing says what the arbiter answered, when something was proposed.
	repairing *plan.Wait
	refused   bool
	// admitted is the migration that was begun, in one line.
	admitted string
}

// className couples exactly this rule's members: name and UID, so that no other rule has the same by chance.
func (g *gathered) className() string {
	if g.group.Status.ClassName != "" {
		return g.group.Status.ClassName
	}
	return fmt.Sprintf("%s.%s.%s", g.group.Namespace, g.group.Name, g.group.UID)
}

// again plans on the latest snapshot.
func (g *gathered) again() {
	if g.hosts.Cluster != nil {
		g.hosts.Seen, g.hosts.ReadErr = g.hosts.Cluster.Snapshot()
	}
	g.want = plan.AntiAffinityGroup{ClassName: g.className(), MembersKnown: true}
	if !g.group.DeletionTimestamp.IsZero() {
		g.want.Deletion = plan.Remove
	}
	for _, ref := range g.group.Spec.GuestClusters {
		g.addMembers(ref.Name)
	}
	if g.plan = g.hosts.Unresolved(g.group.Spec.HostClusterRef.Name); !g.plan.Empty() {
		return
	}
	g.plan = plan.ForAntiAffinityGroup(g.want, g.hosts.Seen)
}

// addMembers adds a guest cluster's machines as far as they were made and are not lost. One that is not there has none.
func (g *gathered) addMembers(guestCluster string) {
	i := slices.IndexFunc(g.all, func(gc v1alpha1.GuestCluster) bool {
		return gc.Namespace == g.group.Namespace && gc.Name == guestCluster
	})
	if i < 0 {
		return
	}
	for _, m := range g.all[i].Status.Members {
		if m.VMID != "" && (g.hosts.Seen == nil || !plan.Lost(m.VMID, g.hosts.Seen)) {
			g.want.Members = append(g.want.Members, plan.PlacedMember{GuestCluster: guestCluster, Name: m.Name, VMID: m.VMID})
		}
	}
}

// stripped are the members that were the rule's before and do not carry its class name: somebody took it off them.
func (g *gathered) stripped() []string {
	var names []string
	for _, m := range g.want.Members {
		known := slices.ContainsFunc(g.group.Status.Members, func(p v1alpha1.PlacedMember) bool { return p.GuestCluster == m.GuestCluster && p.Name == m.Name })
		if group, presence := g.hosts.Seen.GroupOf(m.VMID); known && presence == hyperv.Known && !slices.Contains(group.ClassNames, g.want.ClassName) {
			names = append(names, m.Name)
		}
	}
	return names
}

func (g *gathered) paused() bool { return g.hosts.Paused(g.group.Spec.Management) }

func (g *gathered) runs() bool { return len(g.plan.Steps) > 0 && !g.paused() }

func (g *gathered) violations() []plan.Violation {
	if g.hosts.Seen == nil {
		return nil
	}
	return plan.Violations(g.want, g.hosts.Seen)
}

// repair proposes to move a member of each violation, and withdraws what is not needed any more.
func (g *gathered) repair(ctx context.Context, key string) {
	if g.hosts.Cluster == nil {
		return
	}
	violations := g.violations()
	wanted := len(violations) > 0 && g.group.Spec.Remediation == v1alpha1.RemediationMigrate && !g.paused() && g.group.DeletionTimestamp.IsZero()
	if !wanted {
		g.hosts.Cluster.Withdraw(key)
		return
	}
	if moving := g.moving(); moving != nil {
		g.repairing = moving
		return
	}
	proposal := plan.Proposal{Key: key}
	for _, v := range violations {
		// The last of them by name moves first, so that the first members stay where they are.
		for _, m := range slices.Backward(v.Members) {
			proposal.VMIDs = append(proposal.VMIDs, m.VMID)
		}
	}
	admitted, why, err := g.hosts.Cluster.Propose(ctx, proposal, rules(g.all))
	g.again()
	g.answer(admitted, why, err, key)
}

func (g *gathered) answer(admitted *plan.Admission, why string, err error, key string) {
	switch {
	case admitted != nil && admitted.Key != key:
		// Whatever became of it, it is another one's.
		g.refused = true
		g.repairing = &plan.Wait{Reason: v1alpha1.ReasonWaitingForHost, Message: "another migration on these hosts goes first"}
	case err != nil && hostagent.ClassOf(err) == hostagent.OutcomeUnknown:
		g.repairing = &plan.Wait{Reason: v1alpha1.ReasonVerifyingOutcome, Message: "the answer to a migration was lost; looking before anything is done again"}
	case err != nil:
		g.refused = true
		g.repairing = &plan.Wait{Reason: v1alpha1.ReasonHostFailed, Message: fmt.Sprintf("the host refused a migration: %v", err)}
	case admitted != nil:
		g.admitted = admitted.Step.Describe
		g.repairing = &plan.Wait{Reason: v1alpha1.ReasonMigrating, Message: fmt.Sprintf("moving %s to %s", g.memberName(admitted.VMID), admitted.To)}
	default:
		g.refused = true
		g.repairing = &plan.Wait{Reason: v1alpha1.ReasonWaitingForHost, Message: "not moved now: " + why}
	}
}

// moving tells of a member that is on its way already.
func (g *gathered) moving() *plan.Wait {
	for _, m := range g.want.Members {
		if vm, presence := g.hosts.Seen.Machine(m.VMID); presence == hyperv.Known && vm.Migrating() {
			message := "moving " + m.Name
			if to, known := g.hosts.Cluster.MovingTo(m.VMID); known {
				message += " to " + to
			}
			return &plan.Wait{Reason: v1alpha1.ReasonMigrating, Message: message}
		}
	}
	return nil
}

func (g *gathered) memberName(id string) string {
	for _, m := range g.want.Members {
		if strings.EqualFold(m.VMID, id) {
			return m.Name
		}
	}
	return id
}

func (g *gathered) finished() bool {
	return !g.group.DeletionTimestamp.IsZero() && !g.paused() && (g.hosts.Object == nil || g.plan.Empty())
}

func (g *gathered) next(out execute.Outcome) time.Duration {
	if out.RetryAfter == 0 && g.refused {
		return lookAgain
	}
	return out.RetryAfter
}

func (g *gathered) status(out execute.Outcome, now time.Time) v1alpha1.AntiAffinityGroupStatus {
	s := v1alpha1.AntiAffinityGroupStatus{ObservedGeneration: g.group.Generation, ClassName: g.className()}
	s.Members = g.placed()
	for _, v := range g.violations() {
		pv := v1alpha1.PlacementViolation{HostName: v.HostName}
		for _, m := range v.Members {
			pv.Members = append(pv.Members, m.Name)
		}
		s.Violations = append(s.Violations, pv)
	}
	waits, blocks := out.Verdicts()
	for _, step := range g.plan.Steps {
		waits = append(waits, plan.Wait{Reason: step.Reason, Message: step.Describe})
	}
	if g.repairing != nil {
		waits = append(waits, *g.repairing)
	}
	f := status.Findings{
		Declared: v1alpha1.AntiAffinityGroupConditions, Doing: append(waits, g.plan.Waits...), Blocks: append(g.plan.Blocks, blocks...), Paused: g.paused(),
		Parts:     map[v1alpha1.ConditionType]status.Fact{v1alpha1.ConditionRuleApplied: g.applied()},
		Informing: map[v1alpha1.ConditionType]status.Fact{v1alpha1.ConditionSatisfied: g.satisfied(s)},
	}
	s.Conditions = f.Conditions(g.group.Status.Conditions, g.group.Generation, now)
	s.Summary = v1alpha1.AntiAffinityGroupSummary{
		Message: status.Summary(s.Conditions), Members: fmt.Sprintf("%d/%d", g.carrying(), len(g.want.Members)), Violations: violationText(s.Violations),
	}
	if len(s.Violations) > 0 {
		s.Summary.Message = g.violationMessage(s)
	}
	return s
}

func violationText(violations []v1alpha1.PlacementViolation) string {
	var hosts []string
	for _, v := range violations {
		hosts = append(hosts, v.HostName)
	}
	return strings.Join(hosts, ",")
}

func (g *gathered) violationMessage(s v1alpha1.AntiAffinityGroupStatus) string {
	message := "members share host " + violationText(s.Violations)
	if g.repairing != nil {
		message += "; " + g.repairing.Message
	}
	return message
}

// placed are the members with the hosts that run them; what was seen last stays while a member cannot be seen.
func (g *gathered) placed() []v1alpha1.PlacedMember {
	var out []v1alpha1.PlacedMember
	for _, m := range g.want.Members {
		p := v1alpha1.PlacedMember{GuestCluster: m.GuestCluster, Name: m.Name}
		for _, before := range g.group.Status.Members {
			if before.GuestCluster == p.GuestCluster && before.Name == p.Name {
				p.HostName = before.HostName
			}
		}
		if g.hosts.Seen != nil {
			if vm, presence := g.hosts.Seen.Machine(m.VMID); presence == hyperv.Known {
				p.HostName = vm.HostName
			}
		}
		out = append(out, p)
	}
	return out
}

func (g *gathered) carrying() int {
	n := 0
	for _, m := range g.want.Members {
		if g.hosts.Seen == nil {
			return 0
		}
		if group, presence := g.hosts.Seen.GroupOf(m.VMID); presence == hyperv.Known && slices.Contains(group.ClassNames, g.want.ClassName) {
			n++
		}
	}
	return n
}

func (g *gathered) applied() status.Fact {
	switch {
	case g.hosts.Seen == nil || g.hosts.Seen.Cluster == nil:
		return status.Unknown(v1alpha1.ReasonHostUnreachable, "the hosts cannot be read")
	case len(g.want.Members) == 0:
		return status.True(v1alpha1.ReasonNoMembersYet, "")
	case g.carrying() < len(g.want.Members):
		return status.False(v1alpha1.ReasonRepairing, fmt.Sprintf("%d of %d members carry the class name", g.carrying(), len(g.want.Members)))
	default:
		return status.True(v1alpha1.ReasonSucceeded, "")
	}
}

func (g *gathered) satisfied(s v1alpha1.AntiAffinityGroupStatus) status.Fact {
	switch {
	case g.hosts.Seen == nil || g.hosts.Seen.Cluster == nil:
		return status.Unknown(v1alpha1.ReasonHostUnreachable, "the hosts cannot be read")
	case len(s.Violations) > 0:
		return status.False(v1alpha1.ReasonViolated, g.violationMessage(s))
	case !g.hosts.Seen.Complete():
		return status.Unknown(v1alpha1.ReasonObservationIncomplete, "not every host can be seen")
	default:
		return status.True(v1alpha1.ReasonSucceeded, "")
	}
}
