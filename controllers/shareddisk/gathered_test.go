package shareddisk

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/pkg/execute"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/status"
)

// A path is decided once and written; a disk that is blocked before its path was written waits to be woken.
func TestNext(t *testing.T) {
	blocked := plan.Plan{Blocks: []plan.Block{{Reason: v1alpha1.ReasonOwnedByPrevious}}}
	full := plan.Plan{Blocks: []plan.Block{{Reason: v1alpha1.ReasonPoolFull}}}
	for name, tc := range map[string]struct {
		recorded string
		plan     plan.Plan
		want     time.Duration
	}{
		"the path was decided now":      {want: time.Millisecond},
		"the path stands in status":     {recorded: `C:\a\b.vhds`, want: 0},
		"blocked before it was written": {plan: blocked, want: 0},
		"there is no room":              {plan: full, want: hostref.RoomDelay},
	} {
		t.Run(name, func(t *testing.T) {
			g := gathered{disk: &v1alpha1.SharedDisk{}, want: plan.SharedDisk{Path: `C:\a\b.vhds`}, plan: tc.plan}
			g.disk.Status.Path = tc.recorded
			if got := g.next(execute.Outcome{}); got != tc.want {
				t.Errorf("comes back after %s, want %s", got, tc.want)
			}
		})
	}
}

const (
	gold   = `C:\ClusterStorage\Gold`
	folder = gold + `\payments.logs.d1`
	logs   = folder + `\logs.vhds`
)

// What is told of the file, from what the plan made of the same snapshot.
func TestProvisioned(t *testing.T) {
	stamp := hyperv.Stamp{ClusterID: "k1", Namespace: "payments", Kind: hyperv.KindSharedDisk, Name: "logs", UID: "d1"}
	made := func(d *v1alpha1.SharedDisk) { d.Status.DiskIdentifier = "i1" }
	deleted := func(d *v1alpha1.SharedDisk) {
		d.DeletionTimestamp, d.Spec.ReclaimPolicy = &metav1.Time{Time: time.Unix(1, 0)}, v1alpha1.ReclaimDelete
	}
	absent := func(snapshots int) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) {
			s.Folders[0].Files, s.Disks = nil, nil
			s.Memory = hyperv.Memory{CompleteSnapshots: 9, LastSeen: map[string]int{hyperv.Key(logs): 9 - snapshots}}
		}
	}
	lost := logs + " is gone; restore the file, or delete this SharedDisk and create a new one"
	for name, tc := range map[string]struct {
		reason string
		disk   func(*v1alpha1.SharedDisk)
		seen   func(*hyperv.Snapshot)
		want   status.Fact
	}{
		"made":                 {"It is as asked.", made, func(*hyperv.Snapshot) {}, status.True(v1alpha1.ReasonSucceeded, "")},
		"being made":           {"A fixed disk cannot be opened for as long as it takes.", func(*v1alpha1.SharedDisk) {}, cannotOpen, status.False(v1alpha1.ReasonCreating, "logs.vhds is being made, or cannot be opened now")},
		"cannot be opened":     {"One that was made is made no more.", made, cannotOpen, status.Unknown(v1alpha1.ReasonObservationIncomplete, "logs.vhds cannot be opened now")},
		"the pool is not read": {"What is there is not known.", made, func(s *hyperv.Snapshot) { s.PoolsSeen, s.Folders, s.Disks = nil, nil, nil }, status.Unknown(v1alpha1.ReasonObservationIncomplete, "storage pool "+gold+" cannot be read")},
		"not made":             {"It comes.", func(*v1alpha1.SharedDisk) {}, absent(9), status.False(v1alpha1.ReasonCreating, "the file is not there yet")},
		"not seen once":        {"It may be a slip.", made, absent(1), status.Unknown(v1alpha1.ReasonObservationIncomplete, logs+" was not seen; looking again")},
		"lost":                 {"It is never made again by itself.", made, absent(2), status.False(v1alpha1.ReasonDiskLost, lost)},
		"being deleted, gone":  {"Nobody makes it any more.", func(d *v1alpha1.SharedDisk) { made(d); deleted(d) }, absent(2), status.False(v1alpha1.ReasonDeleting, "being deleted")},
	} {
		t.Run(name, func(t *testing.T) {
			disk := &v1alpha1.SharedDisk{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "logs"}}
			disk.Status.Folder, disk.Status.Path, disk.Status.Format = folder, logs, "VHDSet"
			tc.disk(disk)
			seen := &hyperv.Snapshot{
				Cluster: &hyperv.Cluster{Quorate: true}, Hosts: []hyperv.Host{{Name: "hv01", State: hyperv.HostUp, Answered: true, Build: hyperv.Build2022}},
				Folders:   []hyperv.Folder{{Path: folder, Stamp: stamp, Readable: true, Files: []hyperv.File{{Name: "logs.vhds"}}}},
				PoolsSeen: []string{gold}, Disks: []hyperv.VirtualDisk{{Path: logs, Identifier: "i1"}}, DisksSeen: true,
				Volumes: []hyperv.Volume{{Path: gold, OwnerNode: "hv01"}},
			}
			tc.seen(seen)
			g := gathered{disk: disk, stamp: stamp, hosts: hostref.Hosts{Object: &v1alpha1.HostCluster{}, Seen: seen, Allowed: true}}
			g.again()
			var s v1alpha1.SharedDiskStatus
			if diff := cmp.Diff(tc.want, g.observe(&s)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func cannotOpen(s *hyperv.Snapshot) { s.Disks = nil }

// A namespace knows its members by their own names.
func TestAttachedTo(t *testing.T) {
	vm := func(name string) hyperv.Machine {
		return hyperv.Machine{
			ID: name, Name: name, HostName: "hv01", Location: gold + `\` + name + `\x`,
			Configuration: &hyperv.Configuration{Drives: []hyperv.Drive{{Path: logs}}},
		}
	}
	member := func(namespace, name string) hyperv.Folder {
		return hyperv.Folder{
			Path: gold + `\` + namespace + "." + name, Readable: true, Stamp: hyperv.Stamp{Namespace: namespace, Kind: hyperv.KindGuestCluster, Name: "x", Member: name},
		}
	}
	seen := &hyperv.Snapshot{
		Cluster: &hyperv.Cluster{Quorate: true},
		Hosts:   []hyperv.Host{{Name: "hv01", Answered: true, Machines: []hyperv.Machine{vm("payments.SQL-B"), vm("payments.SQL-A"), vm("web.SHOP"), vm("legacy")}}},
		Folders: []hyperv.Folder{member("payments", "SQL-A"), member("payments", "SQL-B"), member("web", "SHOP")},
	}
	disk := &v1alpha1.SharedDisk{ObjectMeta: metav1.ObjectMeta{Namespace: "payments", Name: "logs"}}
	g := gathered{disk: disk, hosts: hostref.Hosts{Seen: seen}, want: plan.SharedDisk{Path: logs}}
	var s v1alpha1.SharedDiskStatus
	g.observe(&s)
	if diff := cmp.Diff([]string{"SQL-A", "SQL-B", "a machine of another namespace", "machine legacy"}, s.AttachedTo); diff != "" {
		t.Errorf("the disk is attached to (-want +got):\n%s", diff)
	}
}
