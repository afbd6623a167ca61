package plan

import (
	"cmp"
	"fmt"
	"maps"
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
		if presence == hyperv.Known && !slices.Contains(g.ClassNames, want.ClassName) && ofMember(g.VMID, seen) {
			calls = append(calls, cmdlet.AddClassName(fmt.Sprintf("add%d", i), g.VMID, want.ClassName))
		}
	}
	if want.MembersKnown || want.Deletion != NotDeleting {
		calls = append(calls, removals(&p, want.ClassName, members, seen)...)
	}
	if len(calls) > 0 {
		p.step(Step{
			Key: "class-name", Reason: v1alpha1.ReasonRepairing, Describe: "put class name " + want.ClassName + " where it belongs",
			Batch: hostagent.Batch{Logon: hostagent.LogonNetwork, OnError: hostagent.Continue, Calls: calls},
		})
	}
	return p
}

// removals take the class name off the groups of machines of ours that are no members. A machine that is not ours keeps
// it: somebody gave it that name to keep it apart from our members.
func removals(p *Plan, className string, members []PlacedMember, seen *hyperv.Snapshot) []hostagent.Call {
	var calls []hostagent.Call
	for i, g := range groupsByName(seen) {
		wanted := slices.ContainsFunc(members, func(m PlacedMember) bool { return strings.EqualFold(m.VMID, g.VMID) })
		if wanted || g.VMID == "" || !slices.Contains(g.ClassNames, className) {
			continue
		}
		_, presence := seen.Machine(g.VMID)
		switch {
		case presence == hyperv.Unknown:
			p.wait(v1alpha1.ReasonObservationIncomplete, fmt.Sprintf("%s carries the class name and cannot be seen: not every host answers", g.Name))
		case ofMember(g.VMID, seen):
			calls = append(calls, cmdlet.RemoveClassName(fmt.Sprintf("remove%d", i), g.VMID, className))
		}
	}
	return calls
}

func groupsByName(seen *hyperv.Snapshot) []hyperv.Group {
	return slices.SortedFunc(slices.Values(seen.Groups), func(a, b hyperv.Group) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.VMID, b.VMID))
	})
}

// ofMember reports whether a machine is there and lies in a folder that a stamp calls a member's.
func ofMember(id string, seen *hyperv.Snapshot) bool {
	vm, presence := seen.Machine(id)
	return presence == hyperv.Known && slices.ContainsFunc(seen.Folders, func(f hyperv.Folder) bool {
		return f.Readable && f.Stamp.Kind == hyperv.KindGuestCluster && hyperv.Within(f.Path, vm.Location)
	})
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
	for _, host := range slices.Sorted(maps.Keys(byHost)) {
		if together := byHost[host]; len(together) > 1 {
			out = append(out, Violation{HostName: host, Members: together})
		}
	}
	return out
}
