package inside_test

import (
	"testing"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan/inside"
)

func ready(t *testing.T) *stage { return before(t, files(), "form") }

func TestForm(t *testing.T) {
	checkMoments(t, ready, map[string]moment{
		"all is ready": {plan: []string{"form: form cluster FILES-CL of FILES-1, FILES-2 (Forming)"}, differs: func(*stage) {}},
		"nobody may form": {plan: []string{
			"block (SecretMissing): to form cluster FILES-CL of FILES-1, FILES-2, the account that forms the cluster is needed; give its Secret a username and a password",
		}, differs: func(s *stage) { s.want.Domain.Forming = hostagent.Credential{} }},
		"the domain does not answer": {plan: []string{
			"wait (Forming): looking up names in corp.example: it was not asked yet, or does not answer",
		}, differs: func(s *stage) { s.seen.Directory = nil }},
		"somebody took the cluster's name": {plan: []string{
			"wait (Forming): the cluster is formed once its names are settled in corp.example",
			"block (NameTaken): computer account FILES-CL exists and is not ours; create the guest cluster with another name for its cluster or remove the account",
		}, differs: func(s *stage) { s.seen.Directory.Computers = append(s.seen.Directory.Computers, computer("FILES-CL")) }},
		"its name was recorded before": {plan: []string{
			"wait (Forming): the cluster is formed once its names are settled in corp.example",
		}, differs: func(s *stage) {
			s.seen.Directory.Computers = append(s.seen.Directory.Computers, computer("FILES-CL"))
			s.want.ClusterObjectGUID = computer("").GUID
		}},
		"a member does not answer": {plan: []string{
			"wait (WaitingForGuest): the Windows in FILES-2 does not answer: no route",
		}, differs: func(s *stage) { s.silence(2) }},
		"a member is a node": {plan: []string{
			"wait (Forming): a member is a node of a cluster that does not answer; no cluster is formed meanwhile",
		}, differs: func(s *stage) { s.member(2, func(m *guest.Member) { m.ClusterService = guest.ServiceRunning }) }},
		"a stopped service counts": {plan: []string{
			"wait (Forming): a member is a node of a cluster that does not answer; no cluster is formed meanwhile",
		}, differs: func(s *stage) { s.member(2, func(m *guest.Member) { m.ClusterService = guest.ServiceStopped }) }},
		"one that leaves is silent": {plan: []string{
			"wait (Forming): cluster FILES-CL is formed once every member answers, those that leave too",
		}, differs: func(s *stage) {
			m := member(3)
			m.Leaving = true
			s.want.Members = append(s.want.Members, m)
		}},
		"the cluster was formed and not recorded": {plan: []string{"wait (Forming): recording the id of cluster files-cl"}, differs: func(s *stage) { s.seen.Cluster = &guest.Cluster{Name: "files-cl", ID: "c1", Teller: vmID(1)} }},
		"they are another cluster's": {plan: []string{
			"block (NameTaken): the members are nodes of a cluster OTHER that is not ours; destroy it (Remove-Cluster) if nobody needs it",
		}, differs: func(s *stage) { s.seen.Cluster = &guest.Cluster{Name: "OTHER", ID: "c1", Teller: vmID(1)} }},
		"two members and no witness": {plan: []string{
			"block (NoWitness): two members need a witness: when one is lost, the other has no majority. Set clustering.failover.quorum to a disk, a file share or a cloud witness",
		}, differs: func(s *stage) { s.want.Quorum = inside.Quorum{Type: v1alpha1.QuorumNodeMajority} }},
	})
	checkMoments(t, func(t *testing.T) *stage { return before(t, workgroup(), "form") }, map[string]moment{
		"in a workgroup nobody looks names up": {plan: []string{"form: form cluster FILES-CL of FILES-1, FILES-2 (Forming)"}, differs: func(*stage) {}},
		"a workgroup before 2016": {plan: []string{
			"block (InvalidSpec): a cluster in a workgroup needs Windows Server 2016 or later in FILES-2; take a later image, or give clustering.failover.domain",
		}, differs: func(s *stage) { s.member(2, func(m *guest.Member) { m.Build = 9600 }) }},
	})
}

func TestFormCalls(t *testing.T) {
	checkCalls(t, ready, map[string]moment{"in a domain": {plan: []string{
		"form: New-Cluster -Force true -Name FILES-CL -NoStorage true -Node FILES-1,FILES-2 -StaticAddress 10.0.1.20",
	}, differs: func(*stage) {}}})
	checkCalls(t, func(t *testing.T) *stage { return before(t, workgroup(), "form") }, map[string]moment{"in a workgroup": {plan: []string{
		"form: New-Cluster -AdministrativeAccessPoint Dns -Force true -Name FILES-CL -NoStorage true -Node FILES-1,FILES-2",
	}, differs: func(*stage) {}}})
}

func TestValidation(t *testing.T) {
	run := func(s *stage, state string, report *guest.Report) {
		s.seen.Validation = &guest.Validation{ID: inside.ValidationRun(s.want), State: state, Error: "The RPC server\r\n is unavailable.", Report: report}
	}
	verdict := func(s *stage, report guest.Report) {
		run(s, hyperv.WorkCompleted, &report)
		s.want = inside.Record(s.want, s.seen)
	}
	tested := func(s *stage) []string { return []string{s.want.Disks[0].GUID, "naa.data"} }
	checkMoments(t, settled, map[string]moment{
		"it was not run":   {plan: []string{"validate: validate FILES-1, FILES-2 (Validating)"}, differs: func(*stage) {}},
		"it is not wanted": {plan: []string{"form: form cluster FILES-CL of FILES-1, FILES-2 (Forming)"}, differs: func(s *stage) { s.want.Validation.Policy = v1alpha1.ValidationSkip }},
		"it runs":          {plan: []string{"wait (Validating): Windows' own tests of the members are running"}, differs: func(s *stage) { run(s, hyperv.WorkRunning, nil) }},
		"another one runs": {plan: []string{"wait (Validating): Windows' own tests of the members are running"}, differs: func(s *stage) { s.seen.Validation = &guest.Validation{ID: "other", State: hyperv.WorkRunning} }},
		"it could not run": {plan: []string{
			"validate: validate FILES-1, FILES-2 (Validating)",
			"block (ValidationFailed): Windows' own tests of the members could not be run and are run again: The RPC server is unavailable.",
		}, differs: func(s *stage) { run(s, hyperv.WorkFailed, nil) }},
		"it is not recorded": {plan: []string{"wait (Validating): recording the verdict of the validation"}, differs: func(s *stage) { run(s, hyperv.WorkCompleted, &guest.Report{Disks: tested(s)}) }},
		"it passed":          {plan: []string{"form: form cluster FILES-CL of FILES-1, FILES-2 (Forming)"}, differs: func(s *stage) { verdict(s, guest.Report{Disks: tested(s)}) }},
		"it warned":          {plan: []string{"form: form cluster FILES-CL of FILES-1, FILES-2 (Forming)"}, differs: func(s *stage) { verdict(s, guest.Report{Warned: []string{"A"}, Disks: tested(s)}) }},
		"it failed": {plan: []string{
			"block (ValidationFailed): the members did not pass Windows' own tests (failed: A, B); mend that and they are run again, or set clustering.failover.validation to Report",
		}, differs: func(s *stage) { verdict(s, guest.Report{Failed: []string{"A", "B"}, Disks: tested(s)}) }},
		"it was cancelled": {plan: []string{
			"block (ValidationFailed): the members did not pass Windows' own tests (failed: A); mend that and they are run again, or set clustering.failover.validation to Report",
		}, differs: func(s *stage) { verdict(s, guest.Report{Canceled: []string{"A"}, Disks: tested(s)}) }},
		"a disk was not tested": {plan: []string{
			"block (ValidationFailed): the members did not pass Windows' own tests (disks not tested: data); mend that and they are run again, or set clustering.failover.validation to Report",
		}, differs: func(s *stage) { verdict(s, guest.Report{Disks: tested(s)[:1]}) }},
		"it failed and is told": {plan: []string{"form: form cluster FILES-CL of FILES-1, FILES-2 (Forming)"}, differs: func(s *stage) {
			s.want.Validation.Policy = v1alpha1.ValidationReport
			verdict(s, guest.Report{Failed: []string{"A"}})
		}},
		"it is run again": {plan: []string{"validate: validate FILES-1, FILES-2 (Validating)"}, differs: func(s *stage) { verdict(s, guest.Report{Failed: []string{"A"}}); s.want.Validation.Attempt++ }},
		"members differ since": {plan: []string{"validate: validate FILES-1, FILES-7 (Validating)"}, differs: func(s *stage) {
			verdict(s, guest.Report{Disks: tested(s)})
			s.want.Members[1].VMID, s.want.Members[1].Name = vmID(2), "FILES-7"
			s.member(2, func(m *guest.Member) { m.ComputerName = "FILES-7" })
			s.seen.Directory.Computers[1].Name = "FILES-7"
		}},
		"nobody may validate": {plan: []string{
			"block (SecretMissing): to validate FILES-1, FILES-2, the account that forms the cluster is needed; give its Secret a username and a password",
		}, differs: func(s *stage) { s.want.Domain.Forming = hostagent.Credential{} }},
	})
}

func TestTheClusterThatWasFormed(t *testing.T) {
	checkMoments(t, func(t *testing.T) *stage { return before(t, files(), "") }, map[string]moment{
		"nothing is different": {plan: nil, differs: func(*stage) {}},
		"a member is silent": {plan: []string{
			"wait (WaitingForGuest): the Windows in FILES-2 does not answer: no route",
			"wait (ObservationIncomplete): the shares of role FILES-FS cannot be seen on FILES-2 now",
		}, differs: func(s *stage) { s.silence(2) }},
		"nobody was asked about it": {plan: []string{
			"wait (ObservationIncomplete): cluster FILES-CL has not been asked yet",
		}, differs: func(s *stage) { s.seen.Cluster = nil }},
		"nobody can tell of it": {plan: []string{
			"wait (QuorumLost): cluster FILES-CL does not answer on its members, as without quorum; it comes back with them",
		}, differs: func(s *stage) {
			s.seen.Cluster = nil
			s.member(1, func(m *guest.Member) { m.ClusterSilent = true })
			s.member(2, func(m *guest.Member) { m.ClusterService = guest.ServiceStopped })
		}},
		"nobody answers": {plan: []string{
			"wait (WaitingForGuest): the Windows in FILES-1 does not answer: no route",
			"wait (WaitingForGuest): the Windows in FILES-2 does not answer: no route",
			"wait (ObservationIncomplete): cluster FILES-CL cannot be asked: not every member answers",
		}, differs: func(s *stage) { s.silence(1); s.silence(2); s.seen.Cluster = nil }},
		"it is gone": {plan: []string{
			"block (ClusterLost): cluster FILES-CL (id 5e1f0000-0000-0000-0000-000000000001) is gone from its members; restore them, or delete this guest cluster: it is never formed anew by itself",
		}, differs: func(s *stage) {
			s.seen.Cluster = nil
			for n := range 2 {
				s.member(n+1, func(m *guest.Member) { m.ClusterService = guest.ServiceDisabled })
			}
		}},
		"another one is in its place": {plan: []string{
			"block (ClusterLost): the members are nodes of cluster FILES-CL (id other) instead of the one that was formed (id 5e1f0000-0000-0000-0000-000000000001); it is left alone",
		}, differs: func(s *stage) { s.seen.Cluster.ID = "other" }},
		"its id is told in braces": {plan: nil, differs: func(s *stage) { s.seen.Cluster.ID = "{" + s.seen.Cluster.ID + "}" }},
		"its teller is moving": {plan: []string{
			"wait (Migrating): FILES-1 is moving to another host",
			"wait (ObservationIncomplete): the member that tells of cluster FILES-CL cannot be asked now",
		}, differs: func(s *stage) { s.hosts.Hosts[0].Machines[0].OperationalStatus = []string{"MigratingVirtualMachine"} }},
		"a node was evicted": {plan: []string{
			"block (NodeDown): FILES-2 takes itself for a node of a cluster, and cluster FILES-CL does not know it; clean it up (Clear-ClusterNode -Force on it)",
		}, differs: func(s *stage) { s.seen.Cluster.Nodes = s.seen.Cluster.Nodes[:1] }},
	})
}

// grown is a guest cluster of two to which a third member came, set up and joined.
func grown(t *testing.T) *stage {
	want := files()
	want.Members = append(want.Members, member(3))
	want.Validation.Policy = v1alpha1.ValidationSkip
	s := before(t, want, "")
	s.seen.Cluster.Nodes = s.seen.Cluster.Nodes[:2]
	s.member(3, func(m *guest.Member) { m.ClusterService = guest.ServiceDisabled })
	s.want.Validation.Policy = v1alpha1.ValidationEnforce
	return s
}

func TestAnotherMember(t *testing.T) {
	skip := func(s *stage) { s.want.Validation.Policy = v1alpha1.ValidationSkip }
	checkCalls(t, grown, map[string]moment{
		"it is validated first": {plan: []string{
			`validate: Start-ClusterValidation -Credential CORP\forming -Id 9ab93b51a32582b5e9b70b31 -Ignore Storage -Node FILES-1,FILES-2,FILES-3`,
		}, differs: func(*stage) {}},
		"it was validated": {plan: []string{"add-node/FILES-3: Add-ClusterNode -Name FILES-3 -NoStorage true"}, differs: func(s *stage) {
			s.want.Validation.InputHash, s.want.Validation.Result = inside.ValidationRun(s.want), v1alpha1.ValidationWarned
		}},
		"it needs no validation": {plan: []string{"add-node/FILES-3: Add-ClusterNode -Name FILES-3 -NoStorage true"}, differs: skip},
		"another node is down": {plan: []string{
			"wait (Joining): FILES-3 joins cluster FILES-CL once all its nodes are up",
		}, differs: func(s *stage) { skip(s); s.seen.Cluster.Nodes[1].State = guest.NodeDown }},
		"another is silent": {plan: []string{
			"wait (WaitingForGuest): the Windows in FILES-2 does not answer: no route",
			"wait (Joining): FILES-3 joins cluster FILES-CL once every member is set up and answers",
		}, differs: func(s *stage) { skip(s); s.silence(2) }},
		"something else is to be done": {plan: []string{
			"configure: Set-ClusterHeartbeat -CrossSubnetThreshold 20 -SameSubnetThreshold 20",
		}, differs: func(s *stage) { skip(s); s.seen.Cluster.SameSubnetThreshold = 10 }},
		"its Windows forgot that it is a node": {
			plan: []string{"evict/FILES-3: Remove-ClusterNode -Force true -Name FILES-3"},
			differs: func(s *stage) {
				skip(s)
				s.seen.Cluster.Nodes = append(s.seen.Cluster.Nodes, guest.Node{Name: "FILES-3", ID: "3", State: guest.NodeDown})
			},
		},
		"its Windows forgot, and another is down": {
			plan: []string{"wait (Repairing): FILES-3 becomes a node of cluster FILES-CL anew once all other nodes are up"},
			differs: func(s *stage) {
				skip(s)
				s.seen.Cluster.Nodes[1].State = guest.NodeDown
				s.seen.Cluster.Nodes = append(s.seen.Cluster.Nodes, guest.Node{Name: "FILES-3", ID: "3", State: guest.NodeDown})
			},
		},
		"its Windows forgot, and it is joining": {
			plan: nil,
			differs: func(s *stage) {
				skip(s)
				s.seen.Cluster.Nodes = append(s.seen.Cluster.Nodes, guest.Node{Name: "FILES-3", ID: "3", State: guest.NodeJoining})
			},
		},
		"it is a node of nothing": {plan: []string{
			"block (NodeDown): FILES-3 takes itself for a node of a cluster, and cluster FILES-CL does not know it; clean it up (Clear-ClusterNode -Force on it)",
		}, differs: func(s *stage) {
			skip(s)
			s.member(3, func(m *guest.Member) { m.ClusterService = guest.ServiceStopped })
		}},
	})
}
