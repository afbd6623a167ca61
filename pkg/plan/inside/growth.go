package inside

import (
	"slices"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
)

// leastRoom is what has to be free on a disk before its volume is grown: partitions begin and end on whole mebibytes, so that a
// little is always left.
const leastRoom = 16 << 20

// growVolumes gives the volumes of disks that became larger all their room, on the nodes that have them.
func (p *planner) growVolumes(c *guest.Cluster) {
	for _, d := range p.want.kept() {
		r, clustered := diskResource(c, d.GUID)
		owner, ours := p.want.memberOf(r.OwnerNode)
		g, ok := told(owner, p.seen)
		if !clustered || r.State != "Online" || !ours || !ok || !owner.Up || p.moves(owner) {
			continue
		}
		if slices.ContainsFunc(g.Disks, func(has guest.Disk) bool { return hasGrown(d, has) }) {
			p.step("grow/"+d.Name, v1alpha1.ReasonGrowing, "grow the volume of disk "+d.Name+" on "+owner.Name, inGuest(owner.VMID, cmdlet.GrowVolume("grow", d.GUID)))
		}
	}
}

// hasGrown reports whether a disk has room that its volume does not, or is larger than Windows knows yet.
func hasGrown(d Disk, has guest.Disk) bool {
	return sameID(d.GUID, has.GUID) && !has.Offline && (has.FreeBytes >= leastRoom || has.SizeBytes < d.SizeBytes)
}

// grewUnread reports whether a member knows a disk that was never initialised by a smaller size than it has by now.
func grewUnread(d Disk, g guest.Member) bool {
	return d.GUID == "" && slices.ContainsFunc(g.Disks, func(c guest.Disk) bool {
		as := d
		as.SizeBytes = c.SizeBytes
		return c.SizeBytes < d.SizeBytes && couldBe(as, c, g)
	})
}
