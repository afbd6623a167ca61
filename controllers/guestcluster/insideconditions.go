package guestcluster

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/plan/inside"
	"guestclustering.io/operator/pkg/status"
)

// insideFindings are the conditions of the cluster inside.
func (g *gathered) insideFindings(f status.Findings, next plan.Wait) {
	f.Parts[v1alpha1.ConditionFormed] = g.formed(next)
	f.Parts[v1alpha1.ConditionQuorumHealthy] = g.quorumHealthy(next)
	f.Parts[v1alpha1.ConditionServing] = g.serving(next)
	facts := f.Parts
	if slices.Contains(g.informing(), v1alpha1.ConditionValidated) {
		facts = f.Informing
	}
	facts[v1alpha1.ConditionValidated] = g.validated(next)
	f.Informing[v1alpha1.ConditionSurvivesHostLoss] = g.survivesHostLoss(next)
}

// stage is what is being done to bring the inside about the first time, in so few words that each is one write of a status: which
// member is at which step of it is told by events. It is false before the machines are there, and after the first time.
func (g *gathered) stage() (plan.Wait, bool) {
	switch {
	case g.inside.Deleting || g.someMember(func(m inside.Member) bool { return m.VMID == "" }):
		return plan.Wait{}, false
	case g.someMember(func(m inside.Member) bool { return !m.SetUp }):
		return plan.Wait{Reason: v1alpha1.ReasonSettingUp, Message: "setting up Windows in the members"}, true
	case !g.inside.Clustered:
		return plan.Wait{}, false
	default:
		return g.clusterStage()
	}
}

func (g *gathered) someMember(holds func(inside.Member) bool) bool {
	return slices.ContainsFunc(g.inside.Members, func(m inside.Member) bool { return !m.Leaving && holds(m) })
}

func (g *gathered) clusterStage() (plan.Wait, bool) {
	want, before := g.inside, g.gc.Status.FailoverCluster
	switch {
	case want.Domain != nil && g.someMember(func(m inside.Member) bool { return m.ObjectGUID == "" }):
		return plan.Wait{Reason: v1alpha1.ReasonJoiningDomain, Message: "joining the members to " + want.Domain.Name}, true
	case want.ClusterID == "":
		return plan.Wait{Reason: v1alpha1.ReasonForming, Message: "validating the members and forming " + want.ClusterName}, true
	case before == nil || before.Witness == nil || !g.rolesAreMade():
		return plan.Wait{Reason: v1alpha1.ReasonConfiguringCluster, Message: "giving " + want.ClusterName + " its disks, witness and roles"}, true
	default:
		return plan.Wait{}, false
	}
}

func (g *gathered) rolesAreMade() bool {
	return !slices.ContainsFunc(g.inside.Roles, func(r inside.Role) bool { return r.ObjectGUID == "" && g.inside.Domain != nil })
}

// undecided is what is told while the cluster inside cannot be seen, or was never formed.
func (g *gathered) undecided(next plan.Wait) status.Fact {
	if g.inside.ClusterID == "" {
		return status.False(next.Reason, next.Message)
	}
	return status.Unknown(v1alpha1.ReasonGuestUnreachable, fmt.Sprintf("no member can be asked about %s now", g.inside.ClusterName))
}

func (g *gathered) formed(next plan.Wait) status.Fact {
	c := g.ownCluster()
	if c == nil {
		return g.undecided(next)
	}
	for _, m := range g.want.Members {
		if fact := nodeUp(c, m); fact.Status != metav1.ConditionTrue {
			return fact
		}
	}
	if len(g.insidePlan.Steps)+len(g.insidePlan.Blocks)+len(g.insidePlan.Waits) > 0 {
		now := nextOf(status.Findings{Doing: doingOf(g.insidePlan), Blocks: g.insidePlan.Blocks})
		return status.False(now.Reason, now.Message)
	}
	return status.True(v1alpha1.ReasonSucceeded, "")
}

// doingOf are a plan's steps and waits as what is being done.
func doingOf(p plan.Plan) []plan.Wait {
	var out []plan.Wait
	for _, s := range p.Steps {
		out = append(out, plan.Wait{Reason: s.Reason, Message: s.Describe})
	}
	return append(out, p.Waits...)
}

func nodeUp(c *guest.Cluster, m plan.Member) status.Fact {
	n, ok := c.Node(m.Name)
	switch {
	case !ok && m.Leaving:
		return status.True(v1alpha1.ReasonSucceeded, "")
	case !ok:
		return status.False(v1alpha1.ReasonJoining, fmt.Sprintf("%s is to join %s", m.Name, c.Name))
	case n.State == guest.NodeUp:
		return status.True(v1alpha1.ReasonSucceeded, "")
	case n.State == guest.NodePaused && m.Leaving:
		return status.False(v1alpha1.ReasonDraining, fmt.Sprintf("%s leaves %s", m.Name, c.Name))
	case n.State == guest.NodePaused:
		return status.False(v1alpha1.ReasonNodePaused, fmt.Sprintf("%s is paused in %s; resume it there (Resume-ClusterNode)", m.Name, c.Name))
	case n.State == guest.NodeJoining:
		return status.False(v1alpha1.ReasonJoining, fmt.Sprintf("%s is joining %s", m.Name, c.Name))
	default:
		return status.False(v1alpha1.ReasonNodeDown, fmt.Sprintf("%s is %s in %s", m.Name, strings.ToLower(string(n.State)), c.Name))
	}
}

func (g *gathered) quorumHealthy(next plan.Wait) status.Fact {
	c := g.ownCluster()
	if c == nil {
		if g.quorumIsLost() {
			return status.False(v1alpha1.ReasonQuorumLost, g.inside.ClusterName+" has no quorum; it comes back with its members")
		}
		return g.undecided(next)
	}
	wanted := g.gc.Spec.Failover().Quorum.Type
	for _, b := range g.insidePlan.Blocks {
		if b.Reason == v1alpha1.ReasonNoWitness {
			return status.False(b.Reason, b.Message)
		}
	}
	if wanted == v1alpha1.QuorumNodeMajority {
		return status.True(v1alpha1.ReasonSucceeded, "")
	}
	r, ok := witnessResource(c)
	switch {
	case !ok || witnessTypes[r.Type] != wanted:
		return status.False(v1alpha1.ReasonConfiguringCluster, fmt.Sprintf("%s has no witness of type %s yet", c.Name, wanted))
	case r.State == "Online" || r.State == "OnlinePending":
		return status.True(v1alpha1.ReasonSucceeded, "")
	default:
		return status.False(v1alpha1.ReasonWitnessLost, fmt.Sprintf("the witness %s of %s is %s and has no vote", r.Name, c.Name, strings.ToLower(r.State)))
	}
}

// quorumIsLost: every member was asked, and none has a cluster service that can tell.
func (g *gathered) quorumIsLost() bool {
	var ids []string
	for _, m := range g.inside.Members {
		ids = append(ids, m.VMID)
	}
	return g.inside.ClusterID != "" && g.guests != nil && g.guests.WithoutQuorum(ids...)
}

func (g *gathered) serving(next plan.Wait) status.Fact {
	c := g.ownCluster()
	if c == nil {
		return g.undecided(next)
	}
	for _, r := range g.inside.Roles {
		if fact := roleOnline(c, r.Name); fact.Status != metav1.ConditionTrue {
			return fact
		}
	}
	return status.True(v1alpha1.ReasonSucceeded, "")
}

func roleOnline(c *guest.Cluster, name string) status.Fact {
	group, ok := c.Group(name)
	switch {
	case !ok:
		return status.False(v1alpha1.ReasonConfiguringCluster, fmt.Sprintf("role %s is to be made", name))
	case group.State == "Online":
		return status.True(v1alpha1.ReasonSucceeded, "")
	case group.State == "Pending":
		return status.False(v1alpha1.ReasonFailingOver, fmt.Sprintf("role %s is coming online on %s", name, strings.ToUpper(group.OwnerNode)))
	case group.State == "Offline":
		return status.False(v1alpha1.ReasonRoleOffline, fmt.Sprintf("role %s is offline; bring it online in %s (Start-ClusterGroup)", name, c.Name))
	default:
		return status.False(v1alpha1.ReasonRoleFailed, fmt.Sprintf("role %s is %s on %s%s", name, strings.ToLower(group.State), strings.ToUpper(group.OwnerNode), failedParts(c, name)))
	}
}

// failedParts names the resources that a role fails by.
func failedParts(c *guest.Cluster, role string) string {
	var failed []string
	for _, r := range c.ResourcesOf(role) {
		if r.State == "Failed" {
			failed = append(failed, r.Name)
		}
	}
	if len(failed) == 0 {
		return ""
	}
	return ": " + strings.Join(failed, ", ") + " failed"
}

func (g *gathered) validated(next plan.Wait) status.Fact {
	v := g.inside.Validation
	policy := g.gc.Spec.Failover().Validation
	switch {
	case policy == v1alpha1.ValidationSkip:
		return status.True(v1alpha1.ReasonSucceeded, "validation is skipped, as the spec says")
	case v.Result == v1alpha1.ValidationFailed:
		return status.False(v1alpha1.ReasonValidationFailed, "Windows's own tests failed: "+strings.Join(v.Failed, ", "))
	case v.Result == v1alpha1.ValidationWarned:
		return status.True(v1alpha1.ReasonValidationWarned, "Windows's own tests warn: "+strings.Join(v.Warned, ", "))
	case v.Result == v1alpha1.ValidationPassed:
		return status.True(v1alpha1.ReasonSucceeded, "")
	case g.inside.ClusterID != "":
		return status.Unknown(v1alpha1.ReasonUnknown, "how the members were validated is not recorded")
	default:
		return status.False(next.Reason, next.Message)
	}
}

func (g *gathered) survivesHostLoss(next plan.Wait) status.Fact {
	if g.ownCluster() == nil {
		return g.undecided(next)
	}
	s, known := g.survives()
	switch {
	case !known:
		return status.Unknown(v1alpha1.ReasonObservationIncomplete, "not every member's host can be seen")
	case s.HostFailures > 0:
		return status.True(v1alpha1.ReasonSucceeded, "")
	default:
		return status.False(v1alpha1.ReasonViolated, fmt.Sprintf("the loss of %s would take %s, and with it the quorum of %s", s.Fatal, strings.Join(s.Members, " and "), g.inside.ClusterName))
	}
}

// insideAvailable: quorum is held and every role is online.
func (g *gathered) insideAvailable(next plan.Wait) status.Fact {
	c := g.ownCluster()
	if c == nil {
		return g.quorumHealthy(next)
	}
	return g.serving(next)
}
