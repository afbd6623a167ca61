package plan

import (
	"cmp"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hyperv"
)

// requirement is what a machine needs of a host.
type requirement struct {
	memoryBytes int64
	switches    []string
	version     string
	classNames  []string
	id          string
}

// unfit says why a host cannot take a machine at all, or nothing.
func unfit(h *hyperv.Host, need requirement) string {
	switch {
	case h.State != hyperv.HostUp:
		return "it is " + strings.ToLower(string(h.State))
	case !h.Answered:
		return "it does not answer"
	case h.FreeMemoryBytes < need.memoryBytes:
		return "it has too little free memory"
	}
	for _, s := range need.switches {
		if !containsFold(h.Switches, s) {
			return "it has no switch " + s
		}
	}
	if need.version != "" && len(h.SupportedVersions) > 0 && !slices.Contains(h.SupportedVersions, need.version) {
		return "it does not support configuration version " + need.version
	}
	return ""
}

// oversized says what of a machine no host has, whatever runs there, or nothing. A host that has not told its size yet may
// have it.
func oversized(m Machine, seen *hyperv.Snapshot) string {
	var memory, processors int64
	for _, h := range seen.Hosts {
		unknown := h.MemoryBytes == 0 || h.Processors == 0
		if unknown || m.MemoryBytes <= h.MemoryBytes && m.Processors <= h.Processors {
			return ""
		}
		memory, processors = max(memory, h.MemoryBytes), max(processors, h.Processors)
	}
	const wayOut = " asks for: ask for less, or ask the platform team for a larger host"
	switch {
	case len(seen.Hosts) == 0:
		return ""
	case m.MemoryBytes > memory:
		return "no host has as much memory as spec.machine.memory.startup" + wayOut
	case m.Processors > processors:
		return "no host has as many processors as spec.machine.cpus" + wayOut
	default:
		return "no host has both the memory and the processors that spec.machine" + wayOut
	}
}

func hostsByName(seen *hyperv.Snapshot) []*hyperv.Host {
	hosts := make([]*hyperv.Host, len(seen.Hosts))
	for i := range seen.Hosts {
		hosts[i] = &seen.Hosts[i]
	}
	slices.SortFunc(hosts, func(a, b *hyperv.Host) int { return cmp.Compare(a.Name, b.Name) })
	return hosts
}

// conflicts counts the other machines on a host whose groups share a class name with the machine, whoever gave them
// that name.
func conflicts(host string, need requirement, seen *hyperv.Snapshot) int {
	n := 0
	for i := range seen.Groups {
		g := &seen.Groups[i]
		if strings.EqualFold(g.OwnerNode, host) && !strings.EqualFold(g.VMID, need.id) && shareName(g.ClassNames, need.classNames) {
			n++
		}
	}
	return n
}

func shareName(a, b []string) bool {
	return slices.ContainsFunc(a, func(name string) bool { return slices.Contains(b, name) })
}

func containsFold(list []string, text string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, text) })
}

// placement spreads the new members of one guest cluster over the hosts.
type placement struct {
	want GuestCluster
	seen *hyperv.Snapshot
	// taken counts the members of the guest cluster on a host, those planned in this pass included.
	taken map[string]int
	// near counts the neighbours' members on a host: those that are there, and those that are expected.
	near map[string]int
	// expected is whether near has those that are expected.
	expected bool
	// promised is the memory that this pass has given out already.
	promised map[string]int64
	// copying is what copies of the image will take of the pool's volume yet: those under way and those planned in this pass.
	copying int64
}

func newPlacement(want GuestCluster, seen *hyperv.Snapshot) *placement {
	p := &placement{want: want, seen: seen, taken: map[string]int{}, near: map[string]int{}, promised: map[string]int64{}}
	for _, m := range want.Members {
		if vm, presence := findMember(m, seen); presence == hyperv.Known {
			p.taken[vm.HostName]++
		}
		if folder, presence := seen.Folder(m.Folder); presence == hyperv.Known {
			if work, _ := folder.WorkFor(m.OSDisk()); work.State == hyperv.WorkRunning && !seen.Interrupted(work) {
				p.copying += p.remaining(m)
			}
		}
	}
	return p
}

// expect counts the neighbours' members that are there. Of two guest clusters that were asked for together, the later by name
// also leaves room for what the other is about to make: both see the same, and shall not choose the same hosts.
func (p *placement) expect(fit []*hyperv.Host, need requirement) {
	if p.expected {
		return
	}
	p.expected = true
	neighbours := slices.SortedFunc(slices.Values(p.want.Neighbours), func(a, b Neighbour) int { return cmp.Compare(a.Name, b.Name) })
	for i := range p.seen.Hosts {
		for j := range p.seen.Hosts[i].Machines {
			stamp, stamped := p.seen.StampOf(&p.seen.Hosts[i].Machines[j])
			if stamped && slices.ContainsFunc(neighbours, func(n Neighbour) bool { return n.UID == stamp.UID }) {
				p.near[p.seen.Hosts[i].Name]++
			}
		}
	}
	for _, n := range neighbours {
		for range n.Unmade {
			if n.Name < p.want.Name {
				p.near[p.best(fit, need, n.UID).Name]++
			}
		}
	}
}

// takeRoom takes room for a copy of the image, if the volume has it. While no host has told the image's length, it has.
func (p *placement) takeRoom(m Member, volume *hyperv.Volume) bool {
	takes := p.remaining(m)
	if volume.Free-p.copying < takes {
		return false
	}
	p.copying += takes
	return true
}

// remaining is what a copy of the image takes yet: the part that is there is written over.
func (p *placement) remaining(m Member) int64 {
	left := int64(0)
	for i := range p.seen.Hosts {
		if image, there := p.seen.Hosts[i].File(p.want.Machine.Image); there {
			left = max(left, image.Length)
		}
	}
	if folder, presence := p.seen.Folder(m.Folder); presence == hyperv.Known {
		for _, f := range folder.Files {
			if strings.EqualFold(f.Name, hyperv.BaseName(m.OSDisk())+".partial") {
				left -= f.Length
			}
		}
	}
	return max(left, 0)
}

// choose finds the host for a new member, the best of those that can take it. Without one it says why of the last by name.
func (p *placement) choose(m Member) (*hyperv.Host, string) {
	need := requirement{memoryBytes: p.want.Machine.MemoryBytes, version: commonVersion(p.seen), classNames: []string{p.want.ClassName}}
	for _, n := range m.Networks {
		need.switches = append(need.switches, n.SwitchName)
	}
	var fit []*hyperv.Host
	reason := "it has no hosts"
	for _, h := range hostsByName(p.seen) {
		promised := need
		promised.memoryBytes += p.promised[h.Name]
		if why := unfit(h, promised); why != "" {
			reason = h.Name + ": " + why
			continue
		}
		fit = append(fit, h)
	}
	if len(fit) == 0 {
		return nil, reason
	}
	p.expect(fit, need)
	best := p.best(fit, need, m.Stamp.UID)
	p.taken[best.Name]++
	p.promised[best.Name] += p.want.Machine.MemoryBytes
	return best, ""
}

// best is the host with the fewest members of the guest cluster, then the fewest of its neighbours, then the fewest machines
// of its anti-affinity classes, then the fewest machines; equal hosts in an order of the guest cluster's own, so that many
// of them do not all begin at the same host.
func (p *placement) best(fit []*hyperv.Host, need requirement, uid string) *hyperv.Host {
	return slices.MinFunc(fit, func(a, b *hyperv.Host) int {
		return cmp.Or(
			cmp.Compare(p.taken[a.Name], p.taken[b.Name]),
			cmp.Compare(p.near[a.Name], p.near[b.Name]),
			cmp.Compare(conflicts(a.Name, need, p.seen), conflicts(b.Name, need, p.seen)),
			cmp.Compare(len(a.Machines), len(b.Machines)),
			cmp.Compare(hash(uid, a.Name), hash(uid, b.Name)),
		)
	})
}
