package hostpool

import (
	"cmp"
	"slices"
	"time"

	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/inventory"
)

// facts are the latest answers of the hosts, from which snapshots are put together. Each answer carries the number of
// the reading it came from, so that a slow one never replaces a newer one.
type facts struct {
	cluster   *inventory.Cluster
	clusterNo int
	clusterOK bool
	disks     []hyperv.VirtualDisk
	disksOK   bool
	hosts     map[string]hostFacts
	downSince map[string]time.Time
	memory    memory
	// counted is the last reading of everything that the memory counts.
	counted int
}

type hostFacts struct {
	host hyperv.Host
	no   int
	ok   bool
	// err is why it is not ok.
	err error
	// heard is whether the host has answered, and since the last change whose answer was lost.
	heard bool
}

func newFacts() *facts {
	return &facts{hosts: map[string]hostFacts{}, downSince: map[string]time.Time{}, memory: newMemory()}
}

// setHost keeps a host's answer, or why there is none, unless a newer one is there.
func (f *facts) setHost(name string, h hyperv.Host, no int, err error) {
	before := f.hosts[name]
	if no <= before.no {
		return
	}
	ok := err == nil
	if !ok {
		h = before.host
	}
	f.hosts[name] = hostFacts{host: h, no: no, ok: ok, err: err, heard: ok || before.heard}
}

// unhear remembers that the answer to a change was lost on a host.
func (f *facts) unhear(name string) {
	if h, known := f.hosts[name]; known {
		h.heard = false
		f.hosts[name] = h
	}
}

func (f *facts) setCluster(c *inventory.Cluster, disks []hyperv.VirtualDisk, disksOK bool, no int, now time.Time) {
	if no <= f.clusterNo {
		return
	}
	f.cluster, f.clusterNo, f.clusterOK = c, no, c != nil
	f.disks, f.disksOK = disks, disksOK
	if c == nil {
		return
	}
	for _, n := range c.Nodes {
		if !isOut(n.State) {
			delete(f.downSince, n.Name)
		} else if _, known := f.downSince[n.Name]; !known {
			f.downSince[n.Name] = now
		}
	}
}

// isOut reports whether a node has lost its membership, and with it, after the resiliency period, what it ran.
func isOut(s hyperv.HostState) bool {
	return s == hyperv.HostDown || s == hyperv.HostIsolated || s == hyperv.HostQuarantined
}

// counts reports whether a reading of everything may be counted, once.
func (f *facts) counts(reading int) bool {
	if reading == partial || reading <= f.counted || !f.whole(reading) {
		return false
	}
	f.counted = reading
	return true
}

// whole reports whether all that a reading of everything asked has answered it, or a later one.
func (f *facts) whole(reading int) bool {
	if f.clusterNo < reading {
		return false
	}
	for name, h := range f.hosts {
		if h.ok && h.no < reading && f.isNode(name) {
			return false
		}
	}
	return true
}

func (f *facts) isNode(name string) bool {
	return f.cluster != nil && slices.ContainsFunc(f.cluster.Nodes, func(n inventory.Node) bool { return n.Name == name && n.State != hyperv.HostDown })
}

// snapshot puts the latest answers together.
func (f *facts) snapshot(now time.Time) *hyperv.Snapshot {
	s := &hyperv.Snapshot{}
	if f.clusterOK {
		s.Cluster = &f.cluster.Cluster
		s.Groups, s.Folders, s.PoolsSeen, s.Volumes = f.cluster.Groups, f.cluster.Folders, f.cluster.PoolsSeen, f.cluster.Volumes
		s.Disks, s.DisksSeen = f.disks, f.disksOK
	}
	if f.cluster != nil {
		for _, n := range f.cluster.Nodes {
			s.Hosts = append(s.Hosts, f.host(n, now))
		}
	}
	slices.SortFunc(s.Hosts, func(a, b hyperv.Host) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Groups, func(a, b hyperv.Group) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Folders, func(a, b hyperv.Folder) int { return cmp.Compare(a.Path, b.Path) })
	return s
}

func (f *facts) host(n inventory.Node, now time.Time) hyperv.Host {
	known := f.hosts[n.Name]
	h := known.host
	if !known.ok {
		// What the host is like does not change while it is silent.
		h = hyperv.Host{Name: n.Name, Build: h.Build, Processors: h.Processors, MemoryBytes: h.MemoryBytes, SupportedVersions: h.SupportedVersions}
	}
	h.State = n.State
	if !f.clusterOK {
		h.State = hyperv.HostUnknown
	}
	since, down := f.downSince[n.Name]
	// One that still answers is not gone, whatever the host cluster thinks of it.
	h.Gone = f.clusterOK && n.State != hyperv.HostIsolated && down && !known.ok && now.Sub(since) > f.cluster.Cluster.ResiliencyPeriod
	h.Unheard = !known.heard && !h.Gone
	return h
}
