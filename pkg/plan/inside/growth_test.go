package inside_test

import (
	"testing"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/plan/inside"
)

// owned is when everything is made, with disk data online on FILES-2.
func owned(t *testing.T) *stage {
	s := serving(t)
	resource(s, "data", func(r *guest.Resource) { r.OwnerNode = "FILES-2" })
	shared(s, 2, 2, func(d *guest.Disk) { d.Offline = false })
	return s
}

func TestVolumesGrow(t *testing.T) {
	free := func(bytes int64) func(*stage) {
		return func(s *stage) { shared(s, 2, 2, func(d *guest.Disk) { d.FreeBytes = bytes }) }
	}
	grows := []string{"grow/data: Expand-SharedDisk -Guid {D15C0000-0000-0000-0000-000000000001}"}
	checkCalls(t, owned, map[string]moment{
		"nothing is free":              {differs: func(*stage) {}},
		"a little is always free":      {differs: free(2 << 20)},
		"the disk has room":            {plan: grows, differs: free(10 * gib)},
		"Windows does not know it yet": {plan: grows, differs: func(s *stage) { s.want.Disks[1].SizeBytes *= 2 }},
		"the hosts are behind":         {differs: func(s *stage) { s.want.Disks[1].SizeBytes /= 2 }},
		"it is offline there": {differs: func(s *stage) {
			free(10 * gib)(s)
			shared(s, 2, 2, func(d *guest.Disk) { d.Offline = true })
		}},
		"its resource failed": {differs: func(s *stage) {
			free(10 * gib)(s)
			resource(s, "data", func(r *guest.Resource) { r.State = "Failed" })
		}},
		"its owner is moving": {plan: []string{
			"wait (Migrating): FILES-2 is moving to another host",
			"wait (ObservationIncomplete): the shares of role FILES-FS cannot be seen on FILES-2 now",
		}, differs: func(s *stage) {
			free(10 * gib)(s)
			s.hosts.Hosts[0].Machines[1].OperationalStatus = []string{"MigratingVirtualMachine"}
		}},
		"it leaves": {plan: []string{"wait (ConfiguringCluster): disk data is detached once it has left cluster FILES-CL",
			"block (DiskInUseByRole): disk data is not detached while it is part of role FILES-FS in cluster FILES-CL; take it out there first, or put it back into sharedDisks",
		}, differs: func(s *stage) {
			free(10 * gib)(s)
			s.want.Disks[1].Leaving = true
		}},
		"something else is to be done": {plan: []string{"configure: Set-ClusterHeartbeat -CrossSubnetThreshold 20 -SameSubnetThreshold 20"}, differs: func(s *stage) {
			free(10 * gib)(s)
			s.seen.Cluster.SameSubnetThreshold = 10
		}},
	})
}

// A volume that all members open is grown like any other.
func TestSharedVolumesGrow(t *testing.T) {
	s := owned(t)
	s.want.Roles, s.want.Disks[1].Use = nil, inside.UseCSV
	s.seen.Cluster.SharedVolumes = []string{"data"}
	shared(s, 2, 2, func(d *guest.Disk) { d.FreeBytes = gib })
	if p := inside.Plan(s.want, s.seen, s.hosts); len(p.Steps) != 1 || p.Steps[0].Key != "grow/data" || p.Steps[0].Batch.Target.VM != vmID(2) {
		t.Errorf("plan: %q", show(p))
	}
}
