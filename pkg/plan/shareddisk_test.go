package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
)

var (
	diskStamp  = hyperv.Stamp{ClusterID: "k1", Namespace: "payments", NamespaceUID: "n1", Kind: hyperv.KindSharedDisk, Name: "logs", UID: "77aa1111-logs"}
	diskFolder = gold + `\payments.logs.77aa1111`
	logs       = diskFolder + `\logs.vhds`
)

// logsDisk is what is wanted of a disk that was made.
func logsDisk() plan.SharedDisk {
	return plan.SharedDisk{
		Stamp: diskStamp, Pool: gold, Folder: diskFolder, Path: logs, Format: v1alpha1.DiskFormatVHDSet, SizeBytes: 200 * gib,
		RecordedIdentifier: "i9", NewAllowed: true, HostCluster: "rack1",
	}
}

// withLogs is rack with the disk, which no machine has.
func withLogs() *hyperv.Snapshot {
	s := rack()
	s.Folders = append(s.Folders, hyperv.Folder{
		Path: diskFolder, Stamp: diskStamp, Readable: true, Files: []hyperv.File{{Name: hyperv.StampFile}, {Name: "logs.vhds"}},
	})
	s.Disks = append(s.Disks, hyperv.VirtualDisk{Path: logs, Format: "VHDSet", Size: 200 * gib, Identifier: "i9"})
	s.Memory.LastSeen[hyperv.Key(logs)] = s.Memory.CompleteSnapshots
	return s
}

func TestForSharedDisk(t *testing.T) {
	type wanted = func(*plan.SharedDisk)
	type seen = func(*hyperv.Snapshot)
	newDisk := func(d *plan.SharedDisk) { d.RecordedIdentifier = "" }
	deleted := func(d *plan.SharedDisk) { d.Deletion = plan.Remove }
	noFolder := func(s *hyperv.Snapshot) { dropFolder(s, diskFolder); s.Disks = nil }
	noFile := func(s *hyperv.Snapshot) {
		folderOf(s, diskFolder).Files = folderOf(s, diskFolder).Files[:1]
		s.Disks = nil
	}
	cannotOpen := func(s *hyperv.Snapshot) { s.Disks = nil }
	otherStamp := func(s *hyperv.Snapshot) { folderOf(s, diskFolder).Stamp.UID = "somebody" }
	poolUnread := func(s *hyperv.Snapshot) { s.PoolsSeen, s.Folders, s.Disks = nil, nil, nil }
	another := func(s *hyperv.Snapshot) { s.Disks[2].Identifier = "i1" }
	hasIt := func(s *hyperv.Snapshot) {
		c := vmOf(s, idB).Configuration
		c.Drives = append(c.Drives, hyperv.Drive{Path: logs, ControllerType: "SCSI", Controller: 1, Location: 9})
	}
	absent := func(snapshots int) seen {
		return func(s *hyperv.Snapshot) {
			s.Memory.LastSeen[hyperv.Key(logs)] = s.Memory.CompleteSnapshots - snapshots
		}
	}
	builds := func(build int) seen {
		return func(s *hyperv.Snapshot) { s.Hosts[1].Build = build }
	}
	free := func(bytes int64) seen { return func(s *hyperv.Snapshot) { s.Volumes[0].Free = bytes } }
	both := func(changes ...wanted) wanted {
		return func(d *plan.SharedDisk) {
			for _, change := range changes {
				change(d)
			}
		}
	}
	fixed := func(d *plan.SharedDisk) { d.Fixed = true }
	larger := func(d *plan.SharedDisk) { d.SizeBytes = 300 * gib }
	vhdx := func(d *plan.SharedDisk) { d.Format, d.Path = v1alpha1.DiskFormatVHDX, diskFolder+`\logs.vhdx` }
	leave := func(d *plan.SharedDisk) { d.Deletion = plan.Leave }

	create := []string{
		`disk: create ` + logs + ` (Creating), on hv02`,
		`    New-StampedFolder -Path ` + diskFolder + ` -Stamp ` + diskStamp.Encode(),
		`    New-VHD -Dynamic true -Path ` + logs + ` -SizeBytes 214748364800`,
	}
	remove := []string{`disk: remove ` + diskFolder + ` (Deleting), on any host`, `    Remove-StampedFolder -Path ` + diskFolder + ` -Stamp ` + diskStamp.Encode()}
	poolCannot := []string{`wait (ObservationIncomplete): storage pool ` + gold + ` cannot be read`}
	cases := map[string]struct {
		reason string
		wanted wanted
		seen   seen
		want   []string
	}{
		"there":             {reason: "Nothing differs."},
		"new":               {"The folder with its stamp comes first, on the node that owns the volume.", newDisk, noFolder, create},
		"new, folder there": {"What was begun goes on.", newDisk, noFile, without(create, 1)},
		"new, file there":   {"What lies in our folder is ours; its identifier is recorded next.", newDisk, nil, nil},
		"new, fixed": {
			"Windows goes on with it by itself.", both(newDisk, fixed), noFolder,
			replace(create, 2, `    New-VHD -AsJob true -Fixed true -Path `+logs+` -SizeBytes 214748364800`),
		},
		"new, being made":         {"Opened can only be what is complete.", newDisk, cannotOpen, []string{`wait (Creating): logs.vhds is being made, or cannot be opened now`}},
		"there, cannot be opened": {"It was made before; nothing is concluded.", nil, cannotOpen, []string{`wait (ObservationIncomplete): logs.vhds cannot be opened now`}},
		"hosts of 2012 R2": {
			"VHD Sets came with 2016.", newDisk, all(noFolder, builds(hyperv.Build2012R2)),
			[]string{`block (HostTooOld): rack1 runs Windows Server 2012 R2; VHD Sets need 2016. Use format VHDX (no online growth, no host backup) or upgrade the hosts`},
		},
		"VHDX on hosts of 2012 R2": {
			"That they can.", both(newDisk, vhdx), all(noFolder, builds(hyperv.Build2012R2)),
			[]string{`disk: create ` + diskFolder + `\logs.vhdx (Creating), on hv02`, create[1], `    New-VHD -Dynamic true -Path ` + diskFolder + `\logs.vhdx -SizeBytes 214748364800`},
		},
		"no host answered": {
			"A build that is not known is not an old one.", newDisk,
			all(noFolder, func(s *hyperv.Snapshot) {
				for i := range s.Hosts {
					s.Hosts[i] = hyperv.Host{Name: s.Hosts[i].Name}
				}
			}),
			[]string{`wait (ObservationIncomplete): no host has told its Windows build yet`},
		},
		"pool full": {
			"A fixed disk takes its space at once.", both(newDisk, fixed), all(noFolder, free(100*gib)),
			[]string{`block (PoolFull): storage pool ` + gold + ` has too little free space for a fixed disk of this size: ask the platform team for room, or use provisioning Dynamic`},
		},
		"dynamic disk larger than the pool": {"It takes space as the guests write.", newDisk, all(noFolder, free(100*gib)), create},
		"pool on no shared volume": {
			"Shared disks live on cluster shared volumes.", newDisk, all(noFolder, func(s *hyperv.Snapshot) { s.Volumes = nil }),
			[]string{`block (PoolMissing): storage pool ` + gold + ` is on no cluster shared volume of the host cluster`},
		},
		"to grow": {
			"A VHD Set grows while it is used.", larger, nil,
			[]string{`grow: make ` + logs + ` larger (Growing), on hv02`, `    Resize-VHD -Path ` + logs + ` -SizeBytes 322122547200`},
		},
		"to grow, not recorded yet": {"Whose it is comes first.", both(newDisk, larger), nil, nil},
		"larger than asked for":     {"A disk never shrinks.", func(d *plan.SharedDisk) { d.SizeBytes = 100 * gib }, nil, nil},
		"to grow, fixed, pool full": {
			"The rest of it takes its space at once.", both(fixed, larger), free(99 * gib),
			[]string{`block (PoolFull): storage pool ` + gold + ` has too little free space to make this fixed disk larger: ask the platform team for room`},
		},
		"to grow, fixed": {
			"Only what is added needs room.", both(fixed, larger), free(100 * gib),
			[]string{`grow: make ` + logs + ` larger (Growing), on hv02`, `    Resize-VHD -Path ` + logs + ` -SizeBytes 322122547200`},
		},
		"to grow, VHDX": {
			"Nobody else says so but the guests, later.", larger, func(s *hyperv.Snapshot) { s.Disks[2].Format = "VHDX" },
			[]string{`block (InvalidSpec): logs.vhds is a shared VHDX, which cannot grow; restore the size, or create a new disk of format VHDSet and move the data`},
		},
		"pool unread": {"The disk may be there.", newDisk, poolUnread, poolCannot},
		"namespace not allowed": {
			"A namespace that is not allowed gets nothing new.", both(newDisk, func(d *plan.SharedDisk) { d.NewAllowed = false }), noFolder,
			[]string{`block (NamespaceNotAllowed): namespace payments may not use this host cluster: ask the platform team to allow it in HostCluster spec.allowedNamespaces`},
		},
		"namespace not allowed any more": {"What it has, it keeps.", func(d *plan.SharedDisk) { d.NewAllowed = false }, nil, nil},
		"left by an earlier object": {
			"Never an empty disk beside one with data.", newDisk,
			all(noFolder, func(s *hyperv.Snapshot) {
				for _, uid := range []string{"99999999-older", "00000000-old"} {
					left := diskStamp
					left.UID = uid
					s.Folders = append(s.Folders, hyperv.Folder{Path: hyperv.FolderPath(gold, left), Stamp: left, Readable: true})
				}
			}),
			[]string{`block (OwnedByPrevious): ` + gold + `\payments.logs.00000000 holds payments/logs of UID 00000000-old; choose another name`},
		},
		"foreign folder": {
			"It is never written to.", newDisk, otherStamp,
			[]string{`block (NameTaken): folder ` + diskFolder + ` carries the stamp of something else; move it away or choose another name`},
		},
		"unreadable stamp": {
			"Whose it is cannot be told.", newDisk, func(s *hyperv.Snapshot) { folderOf(s, diskFolder).Readable = false },
			[]string{`block (NameTaken): folder ` + diskFolder + ` carries the stamp of something else; move it away or choose another name`},
		},
		"another disk in its place": {
			"A copy is not the disk that was made.", nil, another,
			[]string{`block (CopyOfOurs): ` + logs + ` is not the disk that was made there (identifier i1, not i9); put the right file back`},
		},
		"gone, seen once": {"A look may miss it.", nil, all(noFile, absent(1)), []string{`wait (ObservationIncomplete): ` + logs + ` was not seen; looking again`}},
		"gone":            {"An empty disk is never made in the place of one with data.", nil, all(noFile, absent(2)), []string{`block (DiskLost): ` + logs + ` is gone; restore the file, or delete this SharedDisk and create a new one`}},
		"gone with its folder": {
			"An empty disk is never made in the place of one with data.", nil, all(noFolder, absent(2)),
			[]string{`block (DiskLost): ` + logs + ` is gone; restore the file, or delete this SharedDisk and create a new one`},
		},
		"deleted": {"The folder goes with the file.", deleted, nil, remove},
		"deleted, claimed": {
			"A guest cluster uses it.", both(deleted, func(d *plan.SharedDisk) { d.Claimed = true }), nil,
			[]string{`block (InUse): a guest cluster still uses the disk; remove it there first`},
		},
		"let go, claimed": {
			"A guest cluster uses it.", both(leave, func(d *plan.SharedDisk) { d.Claimed = true }), nil,
			[]string{`block (InUse): a guest cluster still uses the disk; remove it there first`},
		},
		"deleted, attached":       {"Never while a machine has it.", deleted, hasIt, []string{`wait (InUse): the disk is still attached to SQL-B`}},
		"deleted, a host silent":  {"A machine that cannot be seen may have it.", deleted, hv03Silent, []string{`wait (ObservationIncomplete): not every machine can be seen; the file is removed once it is sure that none has it`}},
		"deleted, drives unread":  {"A machine that was not asked may have it.", deleted, func(s *hyperv.Snapshot) { vmOf(s, idB).Configuration = nil }, []string{`wait (ObservationIncomplete): not every machine can be seen; the file is removed once it is sure that none has it`}},
		"deleted, never made":     {"There is nothing to remove.", both(newDisk, deleted), noFolder, nil},
		"deleted, file gone":      {"The folder is ours.", deleted, noFile, remove},
		"deleted, being made":     {"What is not recorded yet is ours by its folder.", both(newDisk, deleted), cannotOpen, remove},
		"deleted, cannot be told": {"Whether it is the recorded disk is not known.", deleted, cannotOpen, []string{`wait (ObservationIncomplete): logs.vhds cannot be opened now`}},
		"deleted, another disk in its place": {
			"Stamp and identifier count only together.", deleted, another,
			[]string{`block (CopyOfOurs): ` + logs + ` is not the disk that was made there (identifier i1, not i9); put the right file back, or set spec.reclaimPolicy to Retain`},
		},
		"deleted, pool unread":                {"It may be there.", deleted, poolUnread, poolCannot},
		"let go, pool unread":                 {"It is left as it is, wherever.", leave, poolUnread, nil},
		"let go":                              {"The file stays.", leave, nil, nil},
		"let go, foreign folder":              {"It is not ours to keep either.", leave, otherStamp, nil},
		"deleted, foreign folder, never made": {"Nothing of ours can be in it.", both(newDisk, deleted), otherStamp, nil},
		"deleted, foreign folder": {
			"What is not ours by stamp is not removed; letting it go is the user's choice.", deleted, otherStamp,
			[]string{`block (NameTaken): folder ` + diskFolder + ` does not carry the stamp of the disk, so its file is left alone; put the stamp back, or set spec.reclaimPolicy to Retain`},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want, s := logsDisk(), withLogs()
			if tc.wanted != nil {
				tc.wanted(&want)
			}
			if tc.seen != nil {
				tc.seen(s)
			}
			if diff := cmp.Diff(tc.want, show(plan.ForSharedDisk(want, s))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	if diff := cmp.Diff([]string{`wait (HostUnreachable): the host cluster has not been read yet`}, show(plan.ForSharedDisk(logsDisk(), nil))); diff != "" {
		t.Errorf("without a snapshot nothing is known (-want +got):\n%s", diff)
	}
}

func TestOldestBuild(t *testing.T) {
	s := rack()
	s.Hosts[1].Build, s.Hosts[2].Build, s.Hosts[2].Answered = hyperv.Build2019, hyperv.Build2012R2, false
	if got := plan.OldestBuild(s); got != hyperv.Build2012R2 {
		t.Errorf("the oldest build is %d, want that of the host that told it before it fell silent", got)
	}
	s.Hosts[2].Build = 0
	if got := plan.OldestBuild(s); got != hyperv.Build2019 {
		t.Errorf("the oldest build among the hosts that told theirs is %d, want 2019's", got)
	}
	if got := plan.OldestBuild(&hyperv.Snapshot{}); got != 0 {
		t.Errorf("without hosts the oldest build is %d, want 0", got)
	}
}
