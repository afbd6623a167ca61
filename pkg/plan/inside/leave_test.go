package inside_test

import (
	"testing"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan/inside"
)

// leaving is a guest cluster of three whose last member is to leave.
func leaving(t *testing.T) *stage {
	s := before(t, volumes(), "")
	s.want.Members[2].Leaving = true
	// The role is on another one.
	s.seen.Cluster.Groups[2].OwnerNode = "FILES-1"
	s.member(1, func(m *guest.Member) { m.Shares = s.seen.Members[vmID(3)].Shares })
	return s
}

func node(n int, state guest.NodeState) func(*stage) {
	return func(s *stage) { s.seen.Cluster.Nodes[n-1].State = state }
}

func TestAMemberLeaves(t *testing.T) {
	paused := node(3, guest.NodePaused)
	gone := func(s *stage) {
		s.seen.Cluster.Nodes = s.seen.Cluster.Nodes[:2]
		s.member(3, func(m *guest.Member) { m.ClusterService = guest.ServiceDisabled })
	}
	checkCalls(t, leaving, map[string]moment{
		"it is up": {plan: []string{
			"drain/FILES-3: Suspend-ClusterNode -Drain true -Name FILES-3",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: func(*stage) {}},
		"it is draining": {plan: []string{
			"wait (Draining): the roles of FILES-3 are moving away",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: func(s *stage) { paused(s); s.seen.Cluster.Nodes[2].Draining = true }},
		"it was drained": {plan: []string{
			"evict/FILES-3: Remove-ClusterNode -Force true -Name FILES-3",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: paused},
		"what it has is offline": {plan: []string{
			"evict/FILES-3: Remove-ClusterNode -Force true -Name FILES-3",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: func(s *stage) {
			paused(s)
			s.seen.Cluster.Groups[1].OwnerNode, s.seen.Cluster.Groups[1].State = "FILES-3", "Offline"
		}},
		"it has roles still": {plan: []string{
			"drain/FILES-3: Suspend-ClusterNode -Drain true -Name FILES-3",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: func(s *stage) {
			paused(s)
			s.seen.Cluster.Groups[2].OwnerNode = "FILES-3"
			s.member(3, func(m *guest.Member) { m.Shares = s.seen.Members[vmID(1)].Shares })
		}},
		"it is down": {plan: []string{
			"evict/FILES-3: Remove-ClusterNode -Force true -Name FILES-3",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: func(s *stage) { s.silence(3) }},
		"it is isolated": {plan: []string{
			"wait (Evicting): FILES-3 leaves cluster FILES-CL once it is up or down for sure",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: node(3, guest.NodeIsolated)},
		"another node is down": {plan: []string{
			"wait (Evicting): FILES-3 leaves cluster FILES-CL once all nodes that stay are up",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: node(2, guest.NodeDown)},
		"another node is not known": {plan: []string{
			"wait (Evicting): FILES-3 leaves cluster FILES-CL once all nodes that stay are up",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: node(2, guest.NodeUnknown)},
		"it tells of the cluster": {plan: []string{
			"drain/FILES-3: Suspend-ClusterNode -Drain true -Name FILES-3",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: func(s *stage) { s.seen.Cluster.Teller = vmID(3) }},
		"the cluster does not tell": {plan: []string{
			"wait (ObservationIncomplete): cluster FILES-CL has not been asked yet",
			"wait (ObservationIncomplete): cluster FILES-CL cannot be asked now; nothing is taken from it meanwhile",
		}, differs: func(s *stage) { s.seen.Cluster = nil }},
		"something else is to be done": {plan: []string{
			"configure: Set-ClusterHeartbeat -CrossSubnetThreshold 20 -SameSubnetThreshold 20",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: func(s *stage) { s.seen.Cluster.SameSubnetThreshold = 10 }},
		"two would have no witness": {plan: []string{
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
			"block (NoWitness): two members need a witness: when one is lost, the other has no majority. Set clustering.failover.quorum to a disk, a file share or a cloud witness",
		}, differs: func(s *stage) {
			s.want.Quorum = inside.Quorum{Type: v1alpha1.QuorumNodeMajority}
			s.seen.Cluster.WitnessResource = ""
		}},
		"a validation runs": {plan: []string{
			"wait (Validating): Windows' own tests of the members are running",
			"wait (Evicting): FILES-3 leaves cluster FILES-CL once the validation has ended",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: func(s *stage) { s.seen.Validation = &guest.Validation{ID: "x", State: hyperv.WorkRunning} }},
		"nobody may evict": {plan: []string{
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
			"block (SecretMissing): to take FILES-3 out of cluster FILES-CL, the account that forms the cluster is needed; give its Secret a username and a password",
		}, differs: func(s *stage) { paused(s); s.want.Domain.Forming = hostagent.Credential{} }},
		"two are to leave, one is down": {plan: []string{
			"evict/FILES-2: Remove-ClusterNode -Force true -Name FILES-2",
			"wait (Evicting): FILES-2 is removed once cluster FILES-CL has let it go",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: func(s *stage) { s.want.Members[1].Leaving = true; s.silence(2) }},
		"two are to leave, one is paused": {plan: []string{
			"evict/FILES-2: Remove-ClusterNode -Force true -Name FILES-2",
			"wait (Evicting): FILES-2 is removed once cluster FILES-CL has let it go",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: func(s *stage) { s.want.Members[1].Leaving = true; node(2, guest.NodePaused)(s) }},
		"two are to leave": {plan: []string{
			"drain/FILES-3: Suspend-ClusterNode -Drain true -Name FILES-3",
			"wait (Evicting): FILES-2 is removed once cluster FILES-CL has let it go",
			"wait (Evicting): FILES-3 is removed once cluster FILES-CL has let it go",
		}, differs: func(s *stage) { s.want.Members[1].Leaving = true }},
		"it left": {plan: []string{
			`accounts: Remove-ADComputer -Credential CORP\join -Identity c0ffee00-0000-0000-0000-000000000003 -Server corp.example`,
			"wait (Evicting): FILES-3 is removed once its computer account is",
		}, differs: gone},
		"it left, and nobody may remove its account": {plan: []string{
			"wait (Evicting): FILES-3 is removed once its computer account is",
			"block (SecretMissing): the account that joins corp.example is needed, to remove the computer accounts of FILES-3; give its Secret a username and a password",
		}, differs: func(s *stage) { gone(s); s.want.Domain.Join = hostagent.Credential{} }},
		"it left, and the domain does not answer": {plan: []string{
			"wait (ObservationIncomplete): corp.example cannot be asked now for the computer account of FILES-3",
		}, differs: func(s *stage) { gone(s); s.seen.Directory = nil }},
		"it left, and the account is another one": {plan: nil, differs: func(s *stage) { gone(s); s.seen.Directory.Computers[2].GUID = computer("").GUID }},
	})
}

func TestEvicted(t *testing.T) {
	out := func(s *stage) {
		s.seen.Cluster.Nodes = s.seen.Cluster.Nodes[:2]
		s.seen.Directory.Computers = s.seen.Directory.Computers[:2]
		s.member(3, func(m *guest.Member) { m.ClusterService = guest.ServiceDisabled })
	}
	unformed := func(s *stage) {
		s.seen.Cluster, s.want.ClusterID = nil, ""
		for n := range 3 {
			s.member(n+1, func(m *guest.Member) { m.ClusterService = guest.ServiceDisabled })
		}
		s.want.Domain = nil
	}
	tests := map[string]struct {
		differs func(*stage)
		evicted bool
	}{
		"it is a node":                  {differs: func(*stage) {}},
		"it is out":                     {differs: out, evicted: true},
		"it is out and does not answer": {differs: func(s *stage) { out(s); s.silence(3) }, evicted: true},
		"the cluster does not tell":     {differs: func(s *stage) { out(s); s.seen.Cluster = nil }},
		"another cluster tells":         {differs: func(s *stage) { out(s); s.seen.Cluster.ID = "other" }},
		"the domain does not answer":    {differs: func(s *stage) { out(s); s.seen.Directory = nil }},
		"its account is there":          {differs: func(s *stage) { s.seen.Cluster.Nodes = s.seen.Cluster.Nodes[:2] }},
		"its account is not recorded":   {differs: func(s *stage) { s.seen.Cluster.Nodes = s.seen.Cluster.Nodes[:2]; s.want.Members[2].ObjectGUID = "" }},
		"another one has its account's name": {differs: func(s *stage) {
			out(s)
			s.seen.Directory.Computers = append(s.seen.Directory.Computers, computer("FILES-3"))
		}, evicted: true},
		"nothing was told":                   {differs: func(s *stage) { s.seen = nil }},
		"it was never made":                  {differs: func(s *stage) { s.seen, s.want.Members[2].VMID = nil, "" }, evicted: true},
		"no cluster was formed":              {differs: unformed, evicted: true},
		"none was formed, and it is silent":  {differs: func(s *stage) { unformed(s); s.silence(3) }, evicted: true},
		"none was formed, another is silent": {differs: func(s *stage) { unformed(s); s.silence(2) }},
		"it is a node of what is not recorded": {differs: func(s *stage) {
			unformed(s)
			s.member(3, func(m *guest.Member) { m.ClusterService = guest.ServiceRunning })
		}},
		"no cluster is wanted": {differs: func(s *stage) { s.want.Clustered, s.want.Domain, s.seen.Cluster = false, nil, nil }, evicted: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := leaving(t)
			tt.differs(s)
			if got := inside.Evicted(s.want, s.seen, "FILES-3"); got != tt.evicted {
				t.Errorf("evicted: %v", got)
			}
		})
	}
	if s := leaving(t); inside.Evicted(s.want, s.seen, "FILES-4") {
		t.Error("somebody unknown is evicted")
	}
}

func TestADiskLeaves(t *testing.T) {
	data := func(s *stage) { s.want.Disks[1].Leaving = true }
	free := func(s *stage) {
		data(s)
		resource(s, "data", func(r *guest.Resource) { r.Group = s.seen.Cluster.Groups[1].Name })
		s.seen.Cluster.Groups = s.seen.Cluster.Groups[:2]
		s.want.Roles = nil
	}
	checkCalls(t, serving, map[string]moment{
		"nothing uses it": {plan: []string{
			"configure: Remove-ClusterResource -Force true -Name data",
			"wait (ConfiguringCluster): disk data is detached once it has left cluster FILES-CL",
		}, differs: free},
		"a role has it": {plan: []string{
			"wait (ConfiguringCluster): disk data is detached once it has left cluster FILES-CL",
			"block (DiskInUseByRole): disk data is not detached while it is part of role FILES-FS in cluster FILES-CL; take it out there first, or put it back into sharedDisks",
		}, differs: data},
		"it is the witness": {plan: []string{
			"wait (ConfiguringCluster): disk witness is detached once it has left cluster FILES-CL",
			"block (DiskInUseByRole): disk witness is not detached while it is the witness in cluster FILES-CL; take it out there first, or put it back into sharedDisks",
		}, differs: func(s *stage) { s.want.Disks[0].Leaving = true }},
		"it is the witness no more": {plan: []string{
			`configure: Set-ClusterQuorum -FileShareWitness \\fs01\w`,
			"wait (ConfiguringCluster): disk witness leaves cluster FILES-CL once another witness votes",
			"wait (ConfiguringCluster): disk witness is detached once it has left cluster FILES-CL",
		}, differs: func(s *stage) {
			s.want.Disks[0].Leaving = true
			s.want.Quorum = inside.Quorum{Type: v1alpha1.QuorumFileShareWitness, SharePath: `\\fs01\w`}
		}},
		"it is a volume": {plan: []string{
			"wait (ConfiguringCluster): disk data is detached once it has left cluster FILES-CL",
			"block (DiskInUseByRole): disk data is not detached while it is a cluster shared volume in cluster FILES-CL; take it out there first, or put it back into sharedDisks",
		}, differs: func(s *stage) { free(s); s.seen.Cluster.SharedVolumes = []string{"data"} }},
		"it left": {plan: nil, differs: func(s *stage) { free(s); withoutResource(s, "data") }},
		"the cluster does not tell": {plan: []string{
			"wait (ObservationIncomplete): cluster FILES-CL has not been asked yet",
			"wait (ObservationIncomplete): cluster FILES-CL cannot be asked now; nothing is taken from it meanwhile",
		}, differs: func(s *stage) { free(s); s.seen.Cluster = nil }},
	})
}

func TestReleased(t *testing.T) {
	out := func(s *stage) { withoutResource(s, "data") }
	tests := map[string]struct {
		differs  func(*stage)
		released bool
	}{
		"the cluster has it":        {differs: func(*stage) {}},
		"it is out":                 {differs: out, released: true},
		"the cluster does not tell": {differs: func(s *stage) { out(s); s.seen.Cluster = nil }},
		"another cluster tells":     {differs: func(s *stage) { out(s); s.seen.Cluster.ID = "other" }},
		"nothing was told":          {differs: func(s *stage) { s.seen = nil }},
		"it was never initialised":  {differs: func(s *stage) { s.want.Disks[1].GUID = "" }, released: true},
		"no cluster was formed": {differs: func(s *stage) {
			s.seen.Cluster, s.want.ClusterID = nil, ""
			for n := range 2 {
				s.member(n+1, func(m *guest.Member) { m.ClusterService = guest.ServiceDisabled })
			}
		}, released: true},
		"one may have been formed": {differs: func(s *stage) { s.seen.Cluster, s.want.ClusterID = nil, "" }},
		"no cluster is wanted":     {differs: func(s *stage) { s.want.Clustered = false }, released: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := serving(t)
			s.want.Disks[1].Leaving = true
			tt.differs(s)
			if got := inside.Released(s.want, s.seen, "data"); got != tt.released {
				t.Errorf("released: %v", got)
			}
		})
	}
	if s := serving(t); inside.Released(s.want, s.seen, "other") {
		t.Error("a disk that nobody knows is released")
	}
}

func TestDeletion(t *testing.T) {
	deleting := func(t *testing.T) *stage {
		s := serving(t)
		s.want.Deleting = true
		return s
	}
	destroyed := func(s *stage) {
		s.seen.Cluster = nil
		for n := range 2 {
			s.member(n+1, func(m *guest.Member) { m.ClusterService = guest.ServiceDisabled })
		}
	}
	checkCalls(t, deleting, map[string]moment{
		"the cluster is there":      {plan: []string{"destroy: Remove-Cluster -CleanupAD true -Force true"}, differs: func(*stage) {}},
		"its id was never recorded": {plan: []string{"destroy: Remove-Cluster -CleanupAD true -Force true"}, differs: func(s *stage) { s.want.ClusterID = "" }},
		"it is not ours": {plan: []string{
			`accounts: Remove-ADComputer -Credential CORP\join -Identity c0ffee00-0000-0000-0000-000000000004 -Server corp.example`,
			`accounts: Remove-ADComputer -Credential CORP\join -Identity c0ffee00-0000-0000-0000-000000000003 -Server corp.example`,
			`accounts: Remove-ADComputer -Credential CORP\join -Identity c0ffee00-0000-0000-0000-000000000002 -Server corp.example`,
			`accounts: Remove-ADComputer -Credential CORP\join -Identity c0ffee00-0000-0000-0000-000000000001 -Server corp.example`,
		}, differs: func(s *stage) { s.seen.Cluster.ID = "other" }},
		"it does not tell":     {plan: []string{"wait (Deleting): cluster FILES-CL cannot be asked now"}, differs: func(s *stage) { s.seen.Cluster = nil }},
		"its teller is moving": {plan: []string{"wait (Deleting): cluster FILES-CL cannot be asked now"}, differs: func(s *stage) { s.hosts.Hosts[0].Machines[0].OperationalStatus = []string{"MigratingVirtualMachine"} }},
		"it is destroyed": {plan: []string{
			`accounts: Remove-ADComputer -Credential CORP\join -Identity c0ffee00-0000-0000-0000-000000000004 -Server corp.example`,
			`accounts: Remove-ADComputer -Credential CORP\join -Identity c0ffee00-0000-0000-0000-000000000003 -Server corp.example`,
			`accounts: Remove-ADComputer -Credential CORP\join -Identity c0ffee00-0000-0000-0000-000000000002 -Server corp.example`,
			`accounts: Remove-ADComputer -Credential CORP\join -Identity c0ffee00-0000-0000-0000-000000000001 -Server corp.example`,
		}, differs: destroyed},
		"the accounts are others'": {plan: nil, differs: func(s *stage) {
			destroyed(s)
			for i := range s.seen.Directory.Computers {
				s.seen.Directory.Computers[i].GUID = computer("").GUID
			}
		}},
		"the domain does not answer": {plan: []string{"wait (Deleting): looking up the computer accounts in corp.example"}, differs: func(s *stage) { destroyed(s); s.seen.Directory = nil }},
		"the credentials are gone": {plan: nil, differs: func(s *stage) {
			s.want.Domain.Join, s.want.Domain.Forming = hostagent.Credential{}, hostagent.Credential{}
		}},
		"nobody runs": {plan: nil, differs: func(s *stage) {
			s.seen.Cluster = nil
			for n := range 2 {
				s.silence(n + 1)
				s.want.Members[n].Up = false
			}
		}},
		"nobody answers": {plan: []string{"wait (Deleting): cluster FILES-CL cannot be asked now"}, differs: func(s *stage) { s.seen.Cluster = nil; s.silence(1); s.silence(2) }},
		"nothing was ever set up": {plan: nil, differs: func(s *stage) {
			s.seen.Cluster = nil
			for n := range 2 {
				s.silence(n + 1)
				s.want.Members[n].SetUp = false
			}
		}},
	})
}
