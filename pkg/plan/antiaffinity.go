package plan

import (
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// AntiAffinityGroup is what is wanted of one rule: its class name on exactly these machines' groups.
type AntiAffinityGroup struct {
	ClassName string
	Members   []PlacedMember
	// MembersKnown is whether every guest cluster that the rule names could be read: only then is the class name taken
	// from anything.
	MembersKnown bool
	Deletion     Deletion
}

// PlacedMember is a machine that a rule speaks of.
type PlacedMember struct {
	GuestCluster, Name string
	VMID               string
}

// Violation is a host that runs more than one machine of a rule.
type Violation struct {
	HostName string
	Members  []PlacedMember
}

// ForAntiAffinityGroup plans the class names of one rule. Names that are not the rule's are never touched.
func ForAntiAffinityGroup(want AntiAffinityGroup, seen *hyperv.Snapshot) Plan {
	var p Plan
	if seen == nil || seen.Cluster == nil {
		p.wait(v1alpha1.ReasonHostUnreachable, "the host cluster has not been read yet")
		return p
	}
	members := want.Members
	if want.Deletion != NotDeleting {
		members = nil
	}
	var calls []hostagent.Call
	for i, m := range members {
		g, presence := seen.GroupOf(m.VMID)
		if presence == hyperv.Known && !slices.Contains(g.ClassNames, want.ClassName) {
			calls = append(calls, cmdlet.AddClassName(fmt.Sprintf("add%d", i), g.VMID, want.ClassName))
		}
	}
	if want.MembersKnown || want.Deletion != NotDeleting {
		calls = append(calls, removals(want.ClassName, members, seen)...)
	}
	if len(calls) > 0 {
		p.step(Step{
			Key: "class-name", Reason: v1alpha1.ReasonRepairing, Describe: "put class name " + want.ClassName + " where it belongs",
			Batch: hostagent.Batch{Logon: hostagent.LogonNetwork, OnError: hostagent.Continue, Calls: calls},
		})
	}
	return p
}

func removals(className string, members []PlacedMember, seen *hyperv.Snapshot) []hostagent.Call {
	var calls []hostagent.Call
	for i := range seen.Groups {
		g := &seen.Groups[i]
		wanted := slices.ContainsFunc(members, func(m PlacedMember) bool { return strings.EqualFold(m.VMID, g.VMID) })
		if !wanted && g.VMID != "" && slices.Contains(g.ClassNames, className) {
			calls = append(calls, cmdlet.RemoveClassName(fmt.Sprintf("remove%d", i), g.VMID, className))
		}
	}
	return calls
}

// Violations lists the hosts that run more than one machine of the rule, by host name.
func Violations(want AntiAffinityGroup, seen *hyperv.Snapshot) []Violation {
	byHost := map[string][]PlacedMember{}
	for _, m := range want.Members {
		if vm, presence := seen.Machine(m.VMID); presence == hyperv.Known && m.VMID != "" {
			byHost[vm.HostName] = append(byHost[vm.HostName], m)
		}
	}
	var out []Violation
	for i := range seen.Hosts {
		if together := byHost[seen.Hosts[i].Name]; len(together) > 1 {
			out = append(out, Violation{HostName: seen.Hosts[i].Name, Members: together})
		}
	}
	return out
}
