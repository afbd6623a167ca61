package inside

import (
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
)

// sighting is one wanted disk as the members that stay see it.
type sighting struct {
	disk Disk
	// unknown: a member does not tell, or not every machine has the disk.
	unknown bool
	// uniqueID is what the disk calls itself; empty while not every member sees one and the same.
	uniqueID string
	// problem says why no single disk can be told.
	problem string
	// on are the members' views of it, by the machine's id.
	on map[string]guest.Disk
	// clustered is whether the cluster has the disk, though its GUID is not recorded: no member does anything about it.
	clustered bool
}

// look tells a wanted disk apart from the others: by its GPT GUID once that is recorded, until then by its place on the
// controller of shared disks, its size, and a unique id that all members see.
func look(want Clustering, d Disk, seen *guest.Snapshot) sighting {
	s := sighting{disk: d, on: map[string]guest.Disk{}, unknown: !d.Attached}
	var common []string
	for i, m := range want.staying() {
		g, ok := told(m, seen)
		if !ok {
			s.unknown = true
			return s
		}
		var here []string
		for _, c := range g.Disks {
			if couldBe(d, c, g) {
				here = append(here, c.UniqueID)
			}
		}
		if i > 0 && d.GUID == "" {
			here = slices.DeleteFunc(here, func(id string) bool { return !slices.Contains(common, id) })
		}
		if d.GUID != "" {
			// Another member may not have read its GUID yet.
			here = append(here, common...)
		}
		slices.Sort(here)
		common = here
	}
	s.choose(common, want, seen)
	return s
}

// couldBe: Windows numbers controllers in an order of its own, so that all that is known of the shared one is that Windows does
// not start from it.
func couldBe(d Disk, c guest.Disk, g guest.Member) bool {
	if c.Boot || c.UniqueID == "" {
		return false
	}
	if d.GUID != "" {
		return sameID(d.GUID, c.GUID)
	}
	boots := slices.ContainsFunc(g.Disks, func(b guest.Disk) bool { return b.Boot && b.Port == c.Port })
	return !boots && c.LUN == d.LUN && c.SizeBytes == d.SizeBytes
}

// choose takes the one candidate that every member sees.
func (s *sighting) choose(candidates []string, want Clustering, seen *guest.Snapshot) {
	distinct := slices.Compact(slices.Clone(candidates))
	if len(distinct) > 1 {
		s.problem = fmt.Sprintf("disk %s cannot be told from another one inside (unique ids %s); take off what is not in sharedDisks, or give it another size", s.disk.Name, strings.Join(distinct, ", "))
		return
	}
	if len(distinct) == 0 {
		return
	}
	for _, m := range want.staying() {
		g, _ := told(m, seen)
		var same []guest.Disk
		for _, c := range g.Disks {
			if c.UniqueID == distinct[0] {
				same = append(same, c)
			}
		}
		switch len(same) {
		case 0:
			return
		case 1:
			s.on[m.VMID] = same[0]
		default:
			s.problem = fmt.Sprintf("%s sees disk %s more than once (unique id %s); take off the copies", m.Name, s.disk.Name, distinct[0])
			return
		}
	}
	s.uniqueID = distinct[0]
}

// isKnown reports whether every member told, and sees one and the same disk.
func (s *sighting) isKnown() bool { return !s.unknown && s.problem == "" && s.uniqueID != "" }

// isMissing reports whether every member told, and none is known to be the disk.
func (s *sighting) isMissing() bool { return !s.unknown && s.problem == "" && s.uniqueID == "" }

// guid is the GPT GUID that the disk has, if all that read it agree; raw is whether no member sees anything on it.
func (s *sighting) guid() (guid string, raw, agree bool) {
	raw, agree = true, true
	for _, c := range s.on {
		raw = raw && c.Raw
		switch {
		case c.GUID == "":
		case guid == "" || sameID(guid, c.GUID):
			guid = c.GUID
		default:
			agree = false
		}
	}
	return guid, raw, agree
}

// disks looks at the wanted disks that are no cluster disks yet, and reports whether a cluster can take them as they are.
func (p *planner) disks() ([]sighting, bool) {
	if !p.want.Clustered {
		return nil, true
	}
	if p.seen.Cluster == nil && p.hasNode() || p.awaitTests() {
		// The cluster may have them, or Windows' own tests.
		return nil, false
	}
	var seen []sighting
	for _, d := range p.want.kept() {
		if _, clustered := p.resourceOf(d); clustered {
			continue
		}
		s := look(p.want, d, p.seen)
		guid, _, _ := s.guid()
		_, s.clustered = diskResource(p.seen.Cluster, guid)
		seen = append(seen, s)
	}
	p.tellTwins(seen)
	ready := true
	for i := range seen {
		ready = p.isSettled(&seen[i]) && ready
	}
	return seen, ready
}

// resourceOf finds a disk in the cluster inside.
func (p *planner) resourceOf(d Disk) (guest.Resource, bool) {
	return diskResource(p.seen.Cluster, d.GUID)
}

// diskResource finds the resource of a GPT disk GUID.
func diskResource(c *guest.Cluster, guid string) (guest.Resource, bool) {
	if c == nil {
		return guest.Resource{}, false
	}
	i := slices.IndexFunc(c.Resources, func(r guest.Resource) bool { return r.Type == guest.TypeDisk && sameID(r.DiskGUID, guid) })
	if i < 0 {
		return guest.Resource{}, false
	}
	return c.Resources[i], true
}

// tellTwins marks wanted disks that are one and the same inside.
func (p *planner) tellTwins(seen []sighting) {
	for i := range seen {
		for j := range seen[:i] {
			if seen[i].uniqueID != "" && seen[i].uniqueID == seen[j].uniqueID {
				problem := fmt.Sprintf("disks %s and %s are one and the same inside (unique id %s); each needs a file of its own", seen[j].disk.Name, seen[i].disk.Name, seen[i].uniqueID)
				seen[i].problem, seen[j].problem = problem, problem
			}
		}
	}
}

// isSettled says what a disk waits for, and reports whether a cluster can take it.
func (p *planner) isSettled(s *sighting) bool {
	name := s.disk.Name
	switch {
	case !s.disk.Attached:
		p.wait(v1alpha1.ReasonPreparingDisks, "disk %s is looked for inside once every member's machine has it", name)
	case s.unknown:
		// Who does not answer is told once.
	case s.problem != "":
		p.block(v1alpha1.ReasonDisksIndistinguishable, "%s", s.problem)
	case s.uniqueID == "" && s.disk.GUID != "" && p.knownAsRaw(s.disk):
		p.block(v1alpha1.ReasonDiskLost, "disk %s (GUID %s) is empty now; put the right file back, or restore it: it is not formatted again", name, s.disk.GUID)
	case s.uniqueID == "":
		p.wait(v1alpha1.ReasonPreparingDisks, "disk %s is not seen by every member as it should be (location %d, %d bytes)", name, s.disk.LUN, s.disk.SizeBytes)
	default:
		return p.isReady(s)
	}
	return false
}

// isReady does so for a disk that is known, by what is on it. What members have to do about it makes them not ready themselves.
func (p *planner) isReady(s *sighting) bool {
	guid, raw, agree := s.guid()
	name := s.disk.Name
	switch {
	case !agree:
		p.block(v1alpha1.ReasonDisksIndistinguishable, "members see different contents on disk %s; restart the member that is wrong", name)
	case guid != "" && s.disk.GUID == "":
		p.wait(v1alpha1.ReasonPreparingDisks, "recording the GUID of disk %s", name)
	case guid == "" && !raw:
		p.block(v1alpha1.ReasonDiskHasData, "disk %s has a partition table that is not GPT; it is never formatted: convert it, or use another disk", name)
	case guid == "" && !s.disk.Formattable:
		p.block(v1alpha1.ReasonDiskHasData, "disk %s was adopted and Windows knows no partition table on it; it is never formatted: initialise it as GPT by hand, or use a new disk", name)
	default:
		return guid != ""
	}
	return false
}

// knownAsRaw reports whether a disk that was recorded is seen in its place by all, with nothing on it.
func (p *planner) knownAsRaw(d Disk) bool {
	d.GUID = ""
	s := look(p.want, d, p.seen)
	_, raw, _ := s.guid()
	return s.uniqueID != "" && raw
}

// prepareDisks adds what a member has to do about the disks; the writer is the one that initialises.
func (p *planner) prepareDisks(w *work, seen []sighting, writer bool) {
	for i := range seen {
		before := len(w.calls)
		w.disk(&seen[i], writer)
		if len(w.calls) > before {
			p.prepared[seen[i].disk.Name] = true
		}
	}
}

// disk does something about a disk that all members see as one, or reads one again that grew meanwhile.
func (w *work) disk(s *sighting, writer bool) {
	switch {
	case s.isKnown() && !s.clustered:
		w.known(s, writer)
	case s.isMissing() && grewUnread(s.disk, w.seen):
		w.rescan()
	}
}

// known initialises a disk that is raw for all, else reads it again, or sets it offline.
func (w *work) known(s *sighting, writer bool) {
	guid, _, agree := s.guid()
	c := s.on[w.member.VMID]
	switch {
	case !agree:
	case s.isBlank():
		if writer {
			w.add(v1alpha1.ReasonPreparingDisks, "initialise disk "+s.disk.Name, cmdlet.InitializeDisk(w.id("initialise"), s.uniqueID, s.disk.Name))
		}
	case guid != "" && c.Raw:
		w.rescan()
	case guid != "" && !c.Offline:
		w.add(v1alpha1.ReasonPreparingDisks, "set disk "+s.disk.Name+" offline", cmdlet.SetDiskOffline(w.id("offline"), s.uniqueID))
	}
}

// rescan reads all disks again, once.
func (w *work) rescan() {
	const does = "look at its disks again"
	if !slices.Contains(w.does, does) {
		w.add(v1alpha1.ReasonPreparingDisks, does, cmdlet.Rescan(w.id("rescan")))
	}
}

// isBlank reports whether a disk is to be initialised: it was made empty for the guest cluster, and never had a GUID.
func (s *sighting) isBlank() bool {
	_, raw, _ := s.guid()
	return raw && s.disk.GUID == "" && s.disk.Formattable
}
