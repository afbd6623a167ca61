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
	// Key names who asks, as <namespace>/<name>; proposals are weighed in the order of their keys.
	Key   string
	VMIDs []string
}

// Admission is what Admit lets happen: one live migration.
type Admission struct {
	Key, VMID, From, To string
	Step                Step
}

// Admit lets at most one disruptive step happen on a host cluster, and is the only place that chooses where a machine
// moves to. It answers why not when nothing is admitted although something is proposed: to the one whose key is asker, in
// words for its namespace.
//
// What is migrating, pending or out of sight counts as admitted, so that a restart of the manager forgets nothing.
// A machine moves only while it shares its host against some anti-affinity, while all other members of its guest cluster
// run with a good heartbeat, and only to a host where it breaks no anti-affinity at all, whoever made that rule: two rules
// cannot play ping-pong with it.
func Admit(seen *hyperv.Snapshot, rules []Rule, proposals []Proposal, asker string) (*Admission, string) {
	if len(proposals) == 0 {
		return nil, ""
	}
	if seen == nil || !seen.Complete() {
		return nil, "not every host can be seen"
	}
	w := weighing{seen: seen, rules: rules}
	w.namespace, _, _ = strings.Cut(asker, "/")
	if busy := w.underWay(); busy != "" {
		return nil, busy
	}
	proposals = slices.Clone(proposals)
	slices.SortFunc(proposals, func(a, b Proposal) int { return cmp.Or(cmp.Compare(a.Key, b.Key), slices.Compare(a.VMIDs, b.VMIDs)) })
	own, others := "", ""
	for _, p := range proposals {
		for _, id := range p.VMIDs {
			to, why := w.target(id)
			switch {
			case to != "":
				return admission(seen, p.Key, id, to), ""
			case p.Key == asker:
				own = cmp.Or(own, why)
			default:
				others = cmp.Or(others, why)
			}
		}
	}
	return nil, cmp.Or(own, others)
}

// weighing is what proposals are weighed on, and the namespace of who is told.
type weighing struct {
	seen      *hyperv.Snapshot
	rules     []Rule
	namespace string
}

// underWay names what is already moving of ours, or nothing.
func (w weighing) underWay() string {
	var ids []string
	for _, r := range w.rules {
		ids = append(ids, r.VMIDs...)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if vm, presence := w.seen.Machine(id); presence == hyperv.Known && vm.Migrating() {
			return w.seen.NameFor(w.namespace, vm) + " is migrating"
		}
		if g, presence := w.seen.GroupOf(id); presence == hyperv.Known && g.Moving() {
			return w.nameOf(g) + " is changing state"
		}
	}
	return ""
}

// nameOf is a group's name for who is told: its machine may be out of sight.
func (w weighing) nameOf(g *hyperv.Group) string {
	if member, own := strings.CutPrefix(g.Name, hyperv.MachineName(w.namespace, "")); own {
		return member
	}
	return hyperv.OfAnotherNamespace
}

// target chooses the host for a machine, or says why it may not move now.
func (w weighing) target(id string) (host, why string) {
	vm, presence := w.seen.Machine(id)
	group, groupPresence := w.seen.GroupOf(id)
	if presence != hyperv.Known || groupPresence != hyperv.Known || vm.Configuration == nil {
		return "", "the machine cannot be seen"
	}
	need, name := needs(vm, group), w.seen.NameFor(w.namespace, vm)
	switch {
	case !isMember(w.rules, id) || !ofMember(id, w.seen):
		return "", name + " is no member of a guest cluster"
	case !vm.Healthy() || onTheMove(vm, group):
		return "", name + " has no good heartbeat"
	case conflicts(vm.HostName, need, w.seen) == 0:
		return "", name + " shares its host with nothing that it should not"
	}
	if why := w.unwellSibling(id); why != "" {
		return "", why
	}
	return bestTarget(w.seen, vm, need)
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

func (w weighing) unwellSibling(id string) string {
	for _, r := range w.rules {
		if !containsFold(r.VMIDs, id) {
			continue
		}
		for _, other := range r.VMIDs {
			if strings.EqualFold(other, id) {
				continue
			}
			vm, presence := w.seen.Machine(other)
			if presence == hyperv.Known && vm.Healthy() {
				continue
			}
			if !strings.HasPrefix(r.GuestCluster, w.namespace+"/") {
				return hyperv.OfAnotherNamespace + " has no good heartbeat"
			}
			return "another member of " + r.GuestCluster + " has no good heartbeat"
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
