package guestcluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
)

const (
	gold = `C:\ClusterStorage\Gold`
	logs = gold + `\payments.logs.d1\logs.vhds`
)

// heldBy is a host cluster on which one machine has the disk logs; its folder carries the stamp.
func heldBy(stamp hyperv.Stamp) *hyperv.Snapshot {
	return &hyperv.Snapshot{
		Hosts: []hyperv.Host{{Name: "hv01", Machines: []hyperv.Machine{{
			ID: "a", Name: "somebody", HostName: "hv01", Location: gold + `\m\x`,
			Configuration: &hyperv.Configuration{Drives: []hyperv.Drive{{Path: logs}}},
		}}}},
		Folders: []hyperv.Folder{{Path: gold + `\m`, Readable: stamp.Kind != "", Stamp: stamp}},
	}
}

func TestDiskBlocks(t *testing.T) {
	member := func(namespace, name, uid string) hyperv.Stamp {
		return hyperv.Stamp{Namespace: namespace, Kind: hyperv.KindGuestCluster, Name: name, UID: uid, Member: "FILES-1"}
	}
	held := func(by string) []plan.Block {
		return []plan.Block{{Reason: v1alpha1.ReasonDiskInUse, Message: "logs is attached to " + by + " on hv01; take it off there first"}}
	}
	for name, tc := range map[string]struct {
		reason string
		seen   *hyperv.Snapshot
		claim  *v1alpha1.DiskClaim
		path   string
		want   []plan.Block
	}{
		"left with its machines":  {"Whoever orphaned them still has the disk.", heldBy(member("payments", "old", "u-old")), nil, logs, held("FILES-1 of guest cluster payments/old")},
		"of another namespace":    {"Its names are not for this one.", heldBy(member("web", "old", "u-old")), nil, logs, held("a machine of another namespace")},
		"of nobody":               {"It is to be found by its name.", heldBy(hyperv.Stamp{}), nil, logs, held("machine somebody")},
		"of ours":                 {"The claim comes with the disk's next status.", heldBy(member("payments", "sql", "u-sql")), nil, logs, nil},
		"not made yet":            {"There is nothing that anybody could have.", heldBy(member("payments", "old", "u-old")), nil, "", nil},
		"not read yet":            {"Nobody is blamed unseen.", nil, nil, logs, nil},
		"claimed by this one":     {"The disk itself tells of the other.", heldBy(member("payments", "old", "u-old")), &v1alpha1.DiskClaim{Name: "sql", UID: "u-sql"}, logs, nil},
		"claimed by an other one": {"It is told by name.", heldBy(hyperv.Stamp{}), &v1alpha1.DiskClaim{Name: "old", UID: "u-old"}, logs, []plan.Block{{Reason: v1alpha1.ReasonDiskInUse, Message: "logs belongs to guest cluster payments/old; detach it there first"}}},
	} {
		t.Run(name, func(t *testing.T) {
			disk := &v1alpha1.SharedDisk{Status: v1alpha1.SharedDiskStatus{Path: tc.path, Claim: tc.claim}}
			g := gathered{
				gc:    &v1alpha1.GuestCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "sql", UID: "u-sql"}},
				stamp: hyperv.Stamp{UID: "u-sql"}, hosts: hostref.Hosts{Seen: tc.seen}, disks: []wantedDisk{{name: "logs", objectName: "logs", object: disk}},
			}
			if diff := cmp.Diff(tc.want, g.diskBlocks()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
