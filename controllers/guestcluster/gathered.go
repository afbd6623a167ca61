package guestcluster

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/pkg/execute"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/answerfile"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/plan/inside"
)

// gathered is what one reconcile knows of a guest cluster.
type gathered struct {
	gc       *v1alpha1.GuestCluster
	hosts    hostref.Hosts
	stamp    hyperv.Stamp
	disks    []wantedDisk
	group    *v1alpha1.AntiAffinityGroup
	usedMACs map[hyperv.MAC]bool
	// neighbours are read while a member is not made yet.
	neighbours []plan.Neighbour

	// waits and blocks come from Kubernetes objects; plan has those that come from the hosts.
	waits  []plan.Wait
	blocks []plan.Block

	want plan.GuestCluster
	plan plan.Plan

	keys keys
	// look sets guests and overdue from what is known now.
	look func(*gathered)
	// guests is what the members told last; nil before.
	guests *guest.Snapshot
	// overdue are the machines, by Key, whose guests have been waited for long enough; revalidate is whether a validation that
	// failed is due to be tried anew.
	overdue    map[string]bool
	revalidate bool
	// hurry is whether the deletion waits no more for what is to be undone inside.
	hurry bool
	// inside is what is wanted inside, with what the members told of it for the first time.
	inside     inside.Clustering
	insidePlan plan.Plan
}

// wantedDisk is an entry of spec.sharedDisks with its object, nil while there is none to use.
type wantedDisk struct {
	name, objectName string
	object           *v1alpha1.SharedDisk
}

// binds reports whether an existing disk of a template's name is this guest cluster's: made by it, or left unclaimed by an
// earlier one of its name with the same host cluster and pool.
func (g *gathered) binds(disk *v1alpha1.SharedDisk, t *v1alpha1.SharedDiskTemplate) bool {
	same := disk.Labels[v1alpha1.LabelGuestCluster] == g.gc.Name && disk.Spec.HostClusterRef == g.gc.Spec.HostClusterRef &&
		disk.Spec.StoragePool == t.Spec.StoragePool
	other := metav1.GetControllerOf(disk)
	return same && (other == nil || other.UID == g.gc.UID) && (disk.Status.Claim == nil || disk.Status.Claim.UID == g.gc.UID || disk.Status.Claim.Name == g.gc.Name)
}

// again plans on the latest snapshot.
func (g *gathered) again() {
	if g.hosts.Cluster != nil {
		g.hosts.Seen, g.hosts.ReadErr = g.hosts.Cluster.Snapshot()
	}
	if g.plan = g.hosts.Unresolved(g.gc.Spec.HostClusterRef.Name); !g.plan.Empty() {
		return
	}
	want, block := g.resolve()
	if block != nil {
		g.plan = plan.Plan{Blocks: []plan.Block{*block}}
		return
	}
	g.want = want
	g.planInside()
	g.release()
	if !g.farewell() {
		g.plan = plan.ForGuestCluster(g.want, g.hosts.Seen)
	}
	g.plan.Steps = append(g.plan.Steps, g.insidePlan.Steps...)
	g.plan.Waits = append(g.plan.Waits, g.insidePlan.Waits...)
	g.plan.Blocks = append(g.plan.Blocks, g.insidePlan.Blocks...)
}

// farewell reports whether a guest cluster that is being deleted still undoes what it did inside and in its domain, for as long
// as that may take: then its machines are left running. What cannot be undone is left.
func (g *gathered) farewell() bool {
	if g.deletion() == plan.NotDeleting {
		return false
	}
	undoing := plan.Plan{Steps: g.insidePlan.Steps}
	for _, w := range g.insidePlan.Waits {
		if w.Reason == v1alpha1.ReasonDeleting {
			undoing.Waits = append(undoing.Waits, w)
		}
	}
	if g.deletion() != plan.Remove || g.hurry {
		undoing = plan.Plan{}
	}
	g.insidePlan = undoing
	return !undoing.Empty()
}

// planInside plans what is to be done inside the members.
func (g *gathered) planInside() {
	g.look(g)
	g.inside = inside.Record(g.clustering(), g.guests)
	g.insidePlan = inside.Plan(g.inside, g.guests, g.hosts.Seen)
	if g.verdictIsNew() {
		// Once the cluster is formed nobody asks again how its members were validated: the verdict is written down before.
		g.insidePlan.Steps = slices.DeleteFunc(g.insidePlan.Steps, func(s plan.Step) bool { return s.Reason == v1alpha1.ReasonForming })
	}
	leaving := slices.ContainsFunc(g.inside.Members, func(m inside.Member) bool { return m.Leaving }) ||
		slices.ContainsFunc(g.inside.Disks, func(d inside.Disk) bool { return d.Leaving })
	if _, beginning := g.stage(); !beginning && !leaving && len(g.insidePlan.Steps) == 0 {
		// That a member cannot be asked for a while is no work where nothing is known to be wrong.
		g.insidePlan.Waits = slices.DeleteFunc(g.insidePlan.Waits, func(w plan.Wait) bool { return slices.Contains(passing, w.Reason) })
	}
}

// verdictIsNew reports whether a validation's verdict was told and does not stand in status yet.
func (g *gathered) verdictIsNew() bool {
	told := g.inside.Validation.InputHash
	recorded := g.gc.Status.FailoverCluster
	return told != "" && (recorded == nil || recorded.Validation == nil || recorded.Validation.InputHash != told)
}

// passing are the reasons of what merely cannot be seen for a while.
var passing = []v1alpha1.Reason{v1alpha1.ReasonWaitingForGuest, v1alpha1.ReasonMigrating, v1alpha1.ReasonObservationIncomplete}

// release lets go of what leaves once nothing inside needs it any more: members one at a time, the last first.
func (g *gathered) release() {
	if last := len(g.want.Members) - 1; last >= 0 && g.want.Members[last].Leaving {
		g.want.Members[last].Released = inside.Evicted(g.inside, g.guests, g.want.Members[last].Name)
	}
	if !g.inside.Clustered || g.inside.Deleting {
		return
	}
	g.want.Released = slices.DeleteFunc(g.want.Released, func(path string) bool {
		return slices.ContainsFunc(g.gc.Status.SharedDisks, func(s v1alpha1.AttachedDiskStatus) bool {
			return s.Path == path && !inside.Released(g.inside, g.guests, s.Name)
		})
	})
}

// resolve turns the spec's names into paths, switches and addresses. What was decided before stands in status and stays.
func (g *gathered) resolve() (plan.GuestCluster, *plan.Block) {
	gc := g.gc
	want := plan.GuestCluster{
		Namespace: gc.Namespace, Name: gc.Name, Deletion: g.deletion(), NewAllowed: g.hosts.Allowed,
		Machine: plan.Machine{Image: gc.Status.EffectiveImage, Pool: gc.Status.StoragePoolPath, Processors: int64(gc.Spec.Machine.CPUs), MemoryBytes: gc.Spec.Machine.Memory.Startup.Value()},
	}
	want.Neighbours = g.neighbours
	if g.group != nil {
		want.ClassName = g.group.Status.ClassName
	}
	var block *plan.Block
	if want.Machine.Image, block = g.path(want.Machine.Image, g.hosts.Image, "image", gc.Spec.Machine.Image, v1alpha1.ReasonImageMissing); block != nil {
		return want, block
	}
	if want.Machine.Pool, block = g.path(want.Machine.Pool, g.hosts.Pool, "storage pool", gc.Spec.Machine.StoragePool, v1alpha1.ReasonPoolMissing); block != nil {
		return want, block
	}
	for _, name := range g.memberNames() {
		m, block := g.member(name, want.Machine.Pool)
		if block != nil {
			return want, block
		}
		want.Members = append(want.Members, m)
	}
	g.markLeaving(&want)
	want.Disks, want.Released = g.attachments()
	return want, nil
}

// markLeaving marks the members that status knows and the spec names no more.
func (g *gathered) markLeaving(want *plan.GuestCluster) {
	if want.Deletion != plan.NotDeleting {
		return
	}
	named := v1alpha1.MemberNames(g.gc)
	for i, m := range want.Members {
		want.Members[i].Leaving = !slices.Contains(named, m.Name)
	}
}

// path takes the recorded path, else looks the name up in the host cluster.
func (g *gathered) path(recorded string, lookUp func(string) (string, bool), what, name string, missing v1alpha1.Reason) (string, *plan.Block) {
	if recorded != "" || !g.gc.DeletionTimestamp.IsZero() {
		return recorded, nil
	}
	path, ok := lookUp(name)
	if !ok {
		return "", &plan.Block{Reason: missing, Message: fmt.Sprintf("HostCluster %s has no %s %s; ask the platform team which there are", g.gc.Spec.HostClusterRef.Name, what, name)}
	}
	return path, nil
}

func (g *gathered) deletion() plan.Deletion {
	switch {
	case g.gc.DeletionTimestamp.IsZero():
		return plan.NotDeleting
	case g.gc.Spec.DeletionPolicy == v1alpha1.DeletionPolicyOrphan:
		return plan.Leave
	default:
		return plan.Remove
	}
}

// memberNames are the members of the spec; on deletion also those that only status knows.
func (g *gathered) memberNames() []string {
	names := v1alpha1.MemberNames(g.gc)
	for _, m := range g.gc.Status.Members {
		if !slices.Contains(names, m.Name) {
			names = append(names, m.Name)
		}
	}
	return names
}

func (g *gathered) recorded(member string) v1alpha1.MemberStatus {
	for _, m := range g.gc.Status.Members {
		if m.Name == member {
			return m
		}
	}
	return v1alpha1.MemberStatus{Name: member}
}

func (g *gathered) member(name, pool string) (plan.Member, *plan.Block) {
	recorded := g.recorded(name)
	m := plan.Member{Name: name, Stamp: g.stamp, Folder: recorded.Folder, RecordedID: recorded.VMID}
	m.Stamp.Member = name
	if m.Folder == "" {
		m.Folder = hyperv.FolderPath(pool, m.Stamp)
	}
	if !g.gc.DeletionTimestamp.IsZero() {
		return m, nil
	}
	if m.RecordedID == "" {
		if block := g.firstStart(&m); block != nil {
			return m, block
		}
	}
	for _, n := range g.gc.Spec.Machine.Networks {
		network, block := g.network(m, recorded, n)
		if block != nil {
			return m, block
		}
		m.Networks = append(m.Networks, network)
	}
	return m, nil
}

// firstStart gives a member that was never made what takes its Windows through the first start.
func (g *gathered) firstStart(m *plan.Member) *plan.Block {
	setup := g.gc.Spec.Machine.Setup
	lacksKey := setup.ProductKeySecretRef != nil && g.keys.productKey.Reveal() == ""
	if g.keys.administrator.Reveal() == "" || lacksKey {
		// What is missing was told as the Secrets were read.
		m.Incomplete = true
		return nil
	}
	file, err := answerfile.Encode(answerfile.Settings{
		ComputerName: m.Name, Password: g.keys.administrator, TimeZone: cmp.Or(setup.TimeZone, "UTC"), Locale: cmp.Or(setup.Locale, "en-US"), ProductKey: g.keys.productKey,
	})
	if err != nil {
		return &plan.Block{Reason: v1alpha1.ReasonInvalidSpec, Message: err.Error()}
	}
	m.AnswerFile = file
	return nil
}

// network resolves an adapter: an entry of the host cluster that is gone stops new use only.
func (g *gathered) network(m plan.Member, recorded v1alpha1.MemberStatus, n v1alpha1.MachineNetwork) (plan.Network, *plan.Block) {
	out := plan.Network{Name: n.Name}
	i := slices.IndexFunc(recorded.Networks, func(s v1alpha1.MemberNetworkStatus) bool { return s.Name == n.Name })
	hostNetwork, ok := g.hosts.Network(n.HostNetwork)
	switch {
	case ok:
		out.SwitchName = hostNetwork.SwitchName
		if hostNetwork.VLAN != nil {
			out.VLAN = hostNetwork.VLAN.ID
		}
	case i >= 0:
		out.SwitchName = recorded.Networks[i].SwitchName
		if vlan := recorded.Networks[i].VLANID; vlan != nil {
			out.VLAN = *vlan
		}
	default:
		return out, &plan.Block{Reason: v1alpha1.ReasonNetworkMissing, Message: fmt.Sprintf("HostCluster %s has no network %s; ask the platform team which there are", g.gc.Spec.HostClusterRef.Name, n.HostNetwork)}
	}
	if i >= 0 {
		if mac, err := hyperv.ParseMAC(recorded.Networks[i].MACAddress); err == nil {
			out.MAC = mac
			return out, nil
		}
	}
	return g.address(m, out)
}

// address takes the address of an adapter that the member has already, else a free one of the ranges.
func (g *gathered) address(m plan.Member, n plan.Network) (plan.Network, *plan.Block) {
	var ranges []hyperv.MACRange
	for _, r := range g.hosts.Object.Spec.MACAddressRanges {
		if parsed, err := hyperv.ParseMACRange(r.First, r.Last); err == nil {
			ranges = append(ranges, parsed)
		}
	}
	if found, _ := g.hosts.Seen.MachinesIn(m.Folder); len(found) == 1 {
		if a := found[0].Adapter(n.Name); a != nil && !a.Dynamic && slices.ContainsFunc(ranges, func(r hyperv.MACRange) bool { return r.Contains(a.MAC) }) {
			n.MAC = a.MAC
			return n, nil
		}
	}
	mac, err := g.hosts.Cluster.ReserveMAC(string(g.gc.UID)+"/"+m.Name+"/"+n.Name, ranges, g.usedMACs)
	if err != nil {
		return n, &plan.Block{Reason: v1alpha1.ReasonMacRangeExhausted, Message: fmt.Sprintf("HostCluster %s has no free MAC address; ask the platform team for a range in spec.macAddressRanges", g.gc.Spec.HostClusterRef.Name)}
	}
	n.MAC = mac
	return n, nil
}

// usedMACs are the addresses that statuses record.
func usedMACs(clusters []v1alpha1.GuestCluster) map[hyperv.MAC]bool {
	used := map[hyperv.MAC]bool{}
	for _, gc := range clusters {
		for _, m := range gc.Status.Members {
			for _, n := range m.Networks {
				if mac, err := hyperv.ParseMAC(n.MACAddress); err == nil {
					used[mac] = true
				}
			}
		}
	}
	return used
}

// attachments are the disks that every member shall have, each in the slot that it got first, and the paths of those that
// the guest cluster had and names no more.
func (g *gathered) attachments() (wanted []plan.AttachedDisk, released []string) {
	slots := map[cmdlet.Slot]bool{}
	for _, s := range g.gc.Status.SharedDisks {
		slots[cmdlet.Slot{Controller: s.ControllerNumber, Location: s.ControllerLocation}] = true
		if !slices.ContainsFunc(g.disks, func(d wantedDisk) bool { return d.name == s.Name }) && s.Path != "" {
			released = append(released, s.Path)
		}
	}
	for _, d := range g.disks {
		a := plan.AttachedDisk{Name: d.name}
		i := slices.IndexFunc(g.gc.Status.SharedDisks, func(s v1alpha1.AttachedDiskStatus) bool { return s.Name == d.name })
		if i >= 0 {
			s := g.gc.Status.SharedDisks[i]
			a.Path, a.Slot = s.Path, cmdlet.Slot{Controller: s.ControllerNumber, Location: s.ControllerLocation}
		} else {
			a.Slot = freeSlot(slots)
			slots[a.Slot] = true
		}
		if d.object != nil {
			if d.object.Status.Path != "" {
				a.Path = d.object.Status.Path
			}
			a.Ready = g.usable(d.object)
		}
		wanted = append(wanted, a)
	}
	return wanted, released
}

func freeSlot(taken map[cmdlet.Slot]bool) cmdlet.Slot {
	s := cmdlet.Slot{Controller: plan.SharedController}
	for taken[s] {
		s.Location++
	}
	return s
}

// usable reports whether a disk exists and is this guest cluster's to attach.
func (g *gathered) usable(d *v1alpha1.SharedDisk) bool {
	return d.Status.Path != "" && d.Status.DiskIdentifier != "" && d.Status.Claim != nil && d.Status.Claim.UID == g.gc.UID
}

// lacksAddresses reports whether an adapter has no address in status yet.
func (g *gathered) lacksAddresses() bool {
	for _, name := range v1alpha1.MemberNames(g.gc) {
		recorded := g.recorded(name).Networks
		for _, n := range g.gc.Spec.Machine.Networks {
			has := slices.ContainsFunc(recorded, func(s v1alpha1.MemberNetworkStatus) bool { return s.Name == n.Name && s.MACAddress != "" })
			if !has {
				return true
			}
		}
	}
	return false
}

// unmade is how many members of a guest cluster were not made yet. One that is being deleted makes none.
func unmade(gc *v1alpha1.GuestCluster) int {
	if !gc.DeletionTimestamp.IsZero() {
		return 0
	}
	n := 0
	for _, name := range v1alpha1.MemberNames(gc) {
		if !slices.ContainsFunc(gc.Status.Members, func(m v1alpha1.MemberStatus) bool { return m.Name == name && m.VMID != "" }) {
			n++
		}
	}
	return n
}

// neighbours are the guest clusters that rules keep apart from one, by name.
func neighbours(gc *v1alpha1.GuestCluster, rules []v1alpha1.AntiAffinityGroup, all []v1alpha1.GuestCluster) []plan.Neighbour {
	apart := map[string]bool{}
	for _, rule := range rules {
		names := func(name string) bool {
			return slices.ContainsFunc(rule.Spec.GuestClusters, func(ref v1alpha1.GuestClusterReference) bool { return ref.Name == name })
		}
		if !rule.DeletionTimestamp.IsZero() || rule.Spec.HostClusterRef != gc.Spec.HostClusterRef || !names(gc.Name) {
			continue
		}
		for _, ref := range rule.Spec.GuestClusters {
			apart[ref.Name] = ref.Name != gc.Name
		}
	}
	var out []plan.Neighbour
	for i := range all {
		if other := &all[i]; other.Namespace == gc.Namespace && apart[other.Name] && other.Spec.HostClusterRef == gc.Spec.HostClusterRef {
			out = append(out, plan.Neighbour{Name: other.Name, UID: string(other.UID), Unmade: unmade(other)})
		}
	}
	return out
}

// runs reports whether the plan's steps may be run.
func (g *gathered) runs() bool {
	return len(g.plan.Steps) > 0 && g.decided() && !g.hosts.Paused(g.gc.Spec.Management)
}

// next is when to come back: at once after names were decided, or a verdict was told, which were only written now, when a failed step is due, or
// to look for room. Everything else wakes the guest cluster by itself.
func (g *gathered) next(out execute.Outcome) time.Duration {
	if len(g.want.Members) > 0 && (!g.decided() || g.verdictIsNew()) {
		return time.Millisecond
	}
	if out.RetryAfter == 0 && g.plan.AwaitsRoom() {
		return hostref.RoomDelay
	}
	return out.RetryAfter
}

// decided reports whether every name, path and address on the hosts stands in status: only then is anything made there.
func (g *gathered) decided() bool {
	return !slices.ContainsFunc(g.memberNames(), func(name string) bool { return g.recorded(name).Folder == "" })
}

// finished reports whether a guest cluster that is being deleted may go.
func (g *gathered) finished() bool {
	if g.gc.DeletionTimestamp.IsZero() || g.hosts.Paused(g.gc.Spec.Management) {
		return false
	}
	return g.hosts.Object == nil || g.deletion() == plan.Leave || len(g.gc.Status.Members) == 0 || g.plan.Empty()
}
