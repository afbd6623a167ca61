package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// Rule says which machines are members of one guest cluster: at most one of them is disrupted at a time.
type Rule struct {
	// GuestCluster as <namespace>/<name>.
	GuestCluster string
	VMIDs        []string
}

// Proposal asks for one of these machines to be moved away from its host, in the order of preference.
type Proposal struct {
	// Key names who asks; proposals are weighed in the order of their keys.
	Key   string
	VMIDs []string
}

// Admission is what Admit lets happen: one live migration.
type Admission struct {
	Key, VMID, From, To string
	Step                Step
}

// Admit lets at most one disruptive step happen on a host cluster, and is the only place that chooses where a machine
// moves to. It answers why not when nothing is admitted although something is proposed.
//
// What is migrating, pending or out of sight counts as admitted, so that a restart of the manager forgets nothing.
// A machine moves only while it shares its host against some anti-affinity, while all other members of its guest cluster
// run with a good heartbeat, and only to a host where it breaks no anti-affinity at all, whoever made that rule: two rules
// cannot play ping-pong with it.
func Admit(seen *hyperv.Snapshot, rules []Rule, proposals []Proposal) (*Admission, string) {
	if len(proposals) == 0 {
		return nil, ""
	}
	if seen == nil || !seen.Complete() {
		return nil, "not every host can be seen"
	}
	if busy := underWay(seen, rules); busy != "" {
		return nil, busy
	}
	proposals = slices.Clone(proposals)
	slices.SortFunc(proposals, func(a, b Proposal) int { return cmp.Compare(a.Key, b.Key) })
	reason := ""
	for _, p := range proposals {
		for _, id := range p.VMIDs {
			to, why := target(seen, rules, id)
			if to != "" {
				return admission(seen, p.Key, id, to), ""
			}
			reason = cmp.Or(reason, why)
		}
	}
	return nil, reason
}

// underWay names what is already moving of ours, or nothing.
func underWay(seen *hyperv.Snapshot, rules []Rule) string {
	var ids []string
	for _, r := range rules {
		ids = append(ids, r.VMIDs...)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if vm, presence := seen.Machine(id); presence == hyperv.Known && vm.Migrating() {
			return vm.Name + " is migrating"
		}
		if g, presence := seen.GroupOf(id); presence == hyperv.Known && g.Moving() {
			return g.Name + " is changing state"
		}
	}
	return ""
}

// target chooses the host for a machine, or says why it may not move now.
func target(seen *hyperv.Snapshot, rules []Rule, id string) (host, why string) {
	vm, presence := seen.Machine(id)
	group, groupPresence := seen.GroupOf(id)
	if presence != hyperv.Known || groupPresence != hyperv.Known || vm.Configuration == nil {
		return "", "the machine cannot be seen"
	}
	need := needs(vm, group)
	switch {
	case !isMember(rules, id) || !ofMember(id, seen):
		return "", vm.Name + " is no member of a guest cluster"
	case !vm.Healthy() || onTheMove(vm, group):
		return "", vm.Name + " has no good heartbeat"
	case conflicts(vm.HostName, need, seen) == 0:
		return "", vm.Name + " shares its host with nothing that it should not"
	}
	if why := unwellSibling(seen, rules, id); why != "" {
		return "", why
	}
	return bestTarget(seen, vm, need)
}

// needs are what a machine needs of a host as it is now.
func needs(vm *hyperv.Machine, group *hyperv.Group) requirement {
	need := requirement{memoryBytes: vm.Configuration.MemoryBytes, version: vm.Version, classNames: group.ClassNames, id: vm.ID}
	for _, a := range vm.Adapters {
		if a.SwitchName != "" {
			need.switches = append(need.switches, a.SwitchName)
		}
	}
	return need
}

func isMember(rules []Rule, id string) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool { return containsFold(r.VMIDs, id) })
}

func unwellSibling(seen *hyperv.Snapshot, rules []Rule, id string) string {
	for _, r := range rules {
		if !containsFold(r.VMIDs, id) {
			continue
		}
		for _, other := range r.VMIDs {
			if strings.EqualFold(other, id) {
				continue
			}
			vm, presence := seen.Machine(other)
			if presence != hyperv.Known || !vm.Healthy() {
				return "another member of " + r.GuestCluster + " has no good heartbeat"
			}
		}
	}
	return ""
}

func bestTarget(seen *hyperv.Snapshot, vm *hyperv.Machine, need requirement) (host, why string) {
	why = "no other host is free of its anti-affinity classes"
	var fit []*hyperv.Host
	for i := range seen.Hosts {
		h := &seen.Hosts[i]
		if strings.EqualFold(h.Name, vm.HostName) || unfit(h, need) != "" || conflicts(h.Name, need, seen) > 0 {
			continue
		}
		fit = append(fit, h)
	}
	if len(fit) == 0 {
		return "", why
	}
	best := slices.MinFunc(fit, func(a, b *hyperv.Host) int {
		return cmp.Or(cmp.Compare(len(a.Machines), len(b.Machines)), cmp.Compare(b.FreeMemoryBytes, a.FreeMemoryBytes), cmp.Compare(a.Name, b.Name))
	})
	return best.Name, ""
}

func admission(seen *hyperv.Snapshot, key, id, to string) *Admission {
	vm, _ := seen.Machine(id)
	return &Admission{
		Key: key, VMID: id, From: vm.HostName, To: to,
		Step: Step{
			Key: "move/" + id, Reason: v1alpha1.ReasonMigrating, Describe: fmt.Sprintf("live-migrate %s from %s to %s", vm.Name, vm.HostName, to),
			Batch: change(vm.HostName, cmdlet.LiveMigrate("move", id, to)),
		},
	}
}
