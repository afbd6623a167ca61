package hostcluster

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/status"
)

// view is everything that a HostCluster's status is made of.
type view struct {
	users users
	seen  *hyperv.Snapshot
	// readErr is why the host cluster could not be read the last time, hostErrs why its hosts could not, by name.
	readErr  error
	hostErrs map[string]error
	// block is what is in the way of a connection.
	block *plan.Block
}

// pending reports whether the hosts have not been read yet since this process began.
func (v view) pending() bool { return v.seen == nil && v.block == nil }

// The states of pools, images and networks in status.
const (
	present = "Present"
	missing = "Missing"
	unknown = "Unknown"
)

func (v view) status(hc *v1alpha1.HostCluster, now time.Time) v1alpha1.HostClusterStatus {
	s := v1alpha1.HostClusterStatus{ObservedGeneration: hc.Generation}
	if v.seen != nil && v.seen.Cluster != nil {
		v.hosts(&s)
		v.pools(&s, hc)
		v.images(&s, hc)
		v.networks(&s, hc)
	}
	f := v.findings(hc, s)
	s.Conditions = f.Conditions(hc.Status.Conditions, hc.Generation, now)
	s.Summary = v1alpha1.HostClusterSummary{
		Message: status.Summary(s.Conditions), Hosts: v.upHosts(), Pools: fmt.Sprintf("%d/%d", count(s.StoragePools), len(hc.Spec.StoragePools)),
		GuestClusters: v.users.guestClusters, OS: s.WindowsVersion,
	}
	return s
}

func (v view) upHosts() string {
	if v.seen == nil || len(v.seen.Hosts) == 0 {
		return ""
	}
	up := 0
	for _, h := range v.seen.Hosts {
		if h.State == hyperv.HostUp && h.Answered {
			up++
		}
	}
	return fmt.Sprintf("%d/%d", up, len(v.seen.Hosts))
}

func count(pools []v1alpha1.StoragePoolStatus) int {
	n := 0
	for _, p := range pools {
		if p.State == present {
			n++
		}
	}
	return n
}

func (v view) hosts(s *v1alpha1.HostClusterStatus) {
	s.ClusterName = v.seen.Cluster.Name
	for _, h := range v.seen.Hosts {
		hs := v1alpha1.HostStatus{Name: h.Name, State: string(h.State)}
		if h.Answered {
			hs.Build = strconv.Itoa(h.Build)
		}
		s.Hosts = append(s.Hosts, hs)
	}
	// In a rolling upgrade the oldest host decides what the host cluster can do.
	if oldest := plan.OldestBuild(v.seen); oldest != 0 {
		s.Build, s.WindowsVersion = strconv.Itoa(oldest), hyperv.WindowsName(oldest)
	}
}

func (v view) pools(s *v1alpha1.HostClusterStatus, hc *v1alpha1.HostCluster) {
	for _, p := range hc.Spec.StoragePools {
		ps := v1alpha1.StoragePoolStatus{Name: p.Name, Path: p.Path, State: missing}
		if volume, ok := v.seen.Volume(p.Path); ok && volume.State == "Online" {
			ps.Capacity = resource.NewQuantity(volume.Size, resource.BinarySI)
			ps.Free = roundedFree(volume)
			if slices.ContainsFunc(v.seen.PoolsSeen, func(seen string) bool { return hyperv.SamePath(seen, p.Path) }) {
				ps.State = present
			}
		}
		s.StoragePools = append(s.StoragePools, ps)
	}
}

// roundedFree rounds down to twentieths of the volume: status shall not move with every written block.
func roundedFree(v *hyperv.Volume) *resource.Quantity {
	step := max(v.Size/20, 1)
	return resource.NewQuantity(v.Free/step*step, resource.BinarySI)
}

func (v view) images(s *v1alpha1.HostClusterStatus, hc *v1alpha1.HostCluster) {
	for _, i := range hc.Spec.Images {
		state, on := v.onEveryHost(func(h hyperv.Host) bool {
			_, there := h.File(i.Path)
			return there
		})
		s.Images = append(s.Images, v1alpha1.ImageStatus{Name: i.Name, Path: i.Path, State: state, MissingOn: on})
	}
}

func (v view) networks(s *v1alpha1.HostClusterStatus, hc *v1alpha1.HostCluster) {
	for _, n := range hc.Spec.Networks {
		state, on := v.onEveryHost(func(h hyperv.Host) bool {
			return slices.ContainsFunc(h.Switches, func(name string) bool { return strings.EqualFold(name, n.SwitchName) })
		})
		ns := v1alpha1.NetworkStatus{Name: n.Name, SwitchName: n.SwitchName, State: state, MissingOn: on}
		if n.VLAN != nil {
			ns.VLAN = &n.VLAN.ID
		}
		s.Networks = append(s.Networks, ns)
	}
}

// onEveryHost tells whether every host that answered has something, and which lack it.
func (v view) onEveryHost(has func(hyperv.Host) bool) (state string, missingOn []string) {
	answered := 0
	for _, h := range v.seen.Hosts {
		if !h.Answered {
			continue
		}
		answered++
		if !has(h) {
			missingOn = append(missingOn, h.Name)
		}
	}
	switch {
	case answered == 0:
		return unknown, nil
	case len(missingOn) > 0:
		return missing, missingOn
	default:
		return present, nil
	}
}

func (v view) findings(hc *v1alpha1.HostCluster, s v1alpha1.HostClusterStatus) status.Findings {
	f := status.Findings{
		Declared: v1alpha1.HostClusterConditions,
		Parts:    map[v1alpha1.ConditionType]status.Fact{v1alpha1.ConditionConnected: v.connected()},
		Paused:   hc.Spec.Management == v1alpha1.ManagementPaused,
	}
	if v.block != nil {
		f.Blocks = append(f.Blocks, *v.block)
	}
	if refused := v.refused(); refused != nil {
		f.Blocks = append(f.Blocks, *refused)
	}
	if v.seen != nil && v.seen.Cluster != nil {
		f.Parts[v1alpha1.ConditionCapable] = v.capable(hc, s)
		f.Parts[v1alpha1.ConditionStorageReady] = v.storage(s)
	}
	if !hc.DeletionTimestamp.IsZero() {
		f.Blocks = append(f.Blocks, plan.Block{Reason: v1alpha1.ReasonInUse, Message: "still used by " + firstFew(v.users.names) + "; delete them first"})
	}
	for _, t := range []v1alpha1.ConditionType{v1alpha1.ConditionCapable, v1alpha1.ConditionStorageReady} {
		if fact, ok := f.Parts[t]; ok && fact.Status == "False" {
			f.Blocks = append(f.Blocks, plan.Block{Reason: fact.Reason, Message: fact.Message})
		}
	}
	return f
}

func firstFew(names []string) string {
	const few = 5
	if len(names) > few {
		return strings.Join(names[:few], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}

// capable compares what the hosts have with what their declaration offers; the first thing that is wrong is told.
func (v view) capable(hc *v1alpha1.HostCluster, s v1alpha1.HostClusterStatus) status.Fact {
	if v.readErr == nil && s.Build != "" && s.WindowsVersion == "" {
		return status.False(v1alpha1.ReasonHostTooOld, "the hosts run a Windows build "+s.Build+"; guest clusters with shared disks need Windows Server 2012 R2 or newer")
	}
	for _, i := range s.Images {
		if i.State == missing {
			return status.False(v1alpha1.ReasonImageMissing, fmt.Sprintf("image %s: %s is not there on %s; copy the file there or correct spec.images", i.Name, i.Path, strings.Join(i.MissingOn, ", ")))
		}
	}
	for _, n := range s.Networks {
		if n.State == missing {
			return status.False(v1alpha1.ReasonNetworkMissing, fmt.Sprintf("network %s: there is no virtual switch %s on %s; create it under the same name on every host", n.Name, n.SwitchName, strings.Join(n.MissingOn, ", ")))
		}
	}
	if overlap := v.macOverlap(hc); overlap != "" {
		return status.False(v1alpha1.ReasonMacRangeOverlaps, overlap)
	}
	return status.True(v1alpha1.ReasonSucceeded, "")
}

// macOverlap finds a range that is not the operator's alone: inside a host's own pool, or with an address that an adapter
// of somebody else has.
func (v view) macOverlap(hc *v1alpha1.HostCluster) string {
	for _, r := range hc.Spec.MACAddressRanges {
		rng, err := hyperv.ParseMACRange(r.First, r.Last)
		if err != nil {
			return fmt.Sprintf("range %s: %v", r.Name, err)
		}
		for _, h := range v.seen.Hosts {
			if h.Answered && h.MACPool != (hyperv.MACRange{}) && rng.Overlaps(h.MACPool) {
				return fmt.Sprintf("range %s overlaps %s's dynamic pool %s to %s; choose a range of your own", r.Name, h.Name, h.MACPool.First.Dashed(), h.MACPool.Last.Dashed())
			}
		}
		if who, mac := v.foreignAdapter(rng); who != "" {
			return fmt.Sprintf("range %s: %s has address %s; choose a range that nobody else uses", r.Name, who, mac.Dashed())
		}
	}
	return ""
}

func (v view) foreignAdapter(r hyperv.MACRange) (who string, mac hyperv.MAC) {
	for _, h := range v.seen.Hosts {
		for _, a := range h.ForeignAdapters {
			if r.Contains(a.MAC) {
				return "host " + h.Name, a.MAC
			}
		}
		for _, vm := range h.Machines {
			// One that is being deleted may have lost its folder already; as long as its host is not read again, it still
			// has the configuration that only ours are asked for.
			if vm.Configuration != nil || v.inStampedFolder(vm) {
				continue
			}
			i := slices.IndexFunc(vm.Adapters, func(a hyperv.Adapter) bool { return r.Contains(a.MAC) })
			if i >= 0 {
				return cmp.Or(vm.Name, vm.ID) + " on " + h.Name, vm.Adapters[i].MAC
			}
		}
	}
	return "", 0
}

func (v view) inStampedFolder(vm hyperv.Machine) bool {
	return slices.ContainsFunc(v.seen.Folders, func(f hyperv.Folder) bool { return hyperv.Within(f.Path, vm.Location) })
}

func (v view) storage(s v1alpha1.HostClusterStatus) status.Fact {
	for _, p := range s.StoragePools {
		if p.State != present {
			return status.False(v1alpha1.ReasonPoolMissing, fmt.Sprintf("storage pool %s: %s is no folder on an online cluster shared volume; create it or correct spec.storagePools", p.Name, p.Path))
		}
	}
	return status.True(v1alpha1.ReasonSucceeded, "")
}
