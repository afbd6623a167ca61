package inside

import (
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/guest"
)

// Record is want with the ids that seen tells for the first time, and the verdict of the validation that matters. What is
// recorded already stays as it is.
func Record(want Clustering, seen *guest.Snapshot) Clustering {
	if seen == nil {
		return want
	}
	want.Members, want.Disks, want.Roles = slices.Clone(want.Members), slices.Clone(want.Disks), slices.Clone(want.Roles)
	for i := range want.Members {
		recordMember(&want.Members[i], want, seen)
	}
	if !want.Clustered {
		return want
	}
	before := want
	for i := range want.Disks {
		recordDisk(&want.Disks[i], before, seen)
	}
	// The verdict is on the members as they were before the cluster was formed.
	want.Validation = judge(want, seen)
	recordCluster(&want, seen)
	return want
}

func recordMember(m *Member, want Clustering, seen *guest.Snapshot) {
	g, ok := told(*m, seen)
	if !ok {
		return
	}
	m.SetUp = true
	a, found := account(seen.Directory, m.Name)
	// Recorded, it means that the domain's accounts are let in. Before the restart that completes the join only a deletion needs it.
	found = found && (!g.RestartPending || want.Deleting)
	if m.ObjectGUID == "" && found && want.Domain != nil && strings.EqualFold(g.ComputerName, m.Name) && strings.EqualFold(g.Domain, want.Domain.Name) {
		m.ObjectGUID = a.GUID
	}
}

// recordDisk takes the GUID of a disk that all members see as one and the same. A disk that was made for the guest cluster is
// its own whatever is on it: the manager may have died between initialising and recording.
func recordDisk(d *Disk, want Clustering, seen *guest.Snapshot) {
	if d.GUID != "" || d.Leaving {
		return
	}
	s := look(want, *d, seen)
	if guid, _, agree := s.guid(); s.isKnown() && agree && !isTwin(s, want, seen) {
		d.GUID = guid
	}
}

// isTwin reports whether another wanted disk is the same one inside.
func isTwin(s sighting, want Clustering, seen *guest.Snapshot) bool {
	return slices.ContainsFunc(want.kept(), func(d Disk) bool {
		return d.Name != s.disk.Name && look(want, d, seen).uniqueID == s.uniqueID
	})
}

// recordCluster takes the id of the cluster that the members are nodes of, if it has our name.
func recordCluster(want *Clustering, seen *guest.Snapshot) {
	c := seen.Cluster
	if c == nil {
		return
	}
	if want.ClusterID == "" && strings.EqualFold(c.Name, want.ClusterName) {
		want.ClusterID = c.ID
	}
	if !sameID(want.ClusterID, c.ID) {
		return
	}
	if want.ClusterObjectGUID == "" {
		want.ClusterObjectGUID = networkName(c, coreGroup(c)).ObjectGUID
	}
	for i, r := range want.Roles {
		if g, ok := c.Group(r.Name); ok && r.ObjectGUID == "" && g.Type == guest.GroupTypeFileServer {
			want.Roles[i].ObjectGUID = networkName(c, r.Name).ObjectGUID
		}
	}
}

// coreGroup is the name of the group that holds the cluster's own name, which is in the language of whoever formed it.
func coreGroup(c *guest.Cluster) string {
	for _, g := range c.Groups {
		if g.Type == guest.GroupTypeCore {
			return g.Name
		}
	}
	return ""
}
