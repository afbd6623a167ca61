package inside_test

import (
	"testing"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/plan/inside"
)

func computer(name string) guest.ComputerAccount {
	return guest.ComputerAccount{Name: name, GUID: "f0000000-0000-0000-0000-000000000000", DistinguishedName: "CN=" + name + "," + unit}
}

func TestJoin(t *testing.T) {
	checkMoments(t, readyToJoin, map[string]moment{
		"all is free": {plan: []string{
			"set-up/FILES-1: FILES-1: add its administrators, join corp.example, restart it (JoiningDomain)",
			"set-up/FILES-2: FILES-2: add its administrators, join corp.example, restart it (JoiningDomain)",
		}, differs: func(*stage) {}},
		"the domain was not asked": {plan: []string{
			"wait (JoiningDomain): looking up names in corp.example: it was not asked yet, or does not answer",
		}, differs: func(s *stage) { s.seen.Directory = nil }},
		"a member's name is taken": {plan: []string{
			"wait (JoiningDomain): FILES-1 joins corp.example once its names and accounts are settled there",
			"wait (JoiningDomain): FILES-2 joins corp.example once its names and accounts are settled there",
			"block (NameTaken): computer account FILES-1 exists and is not ours; rename the member or remove the account",
		}, differs: func(s *stage) { s.seen.Directory.Computers = append(s.seen.Directory.Computers, computer("files-1")) }},
		"the cluster's name is taken": {plan: []string{
			"wait (JoiningDomain): FILES-1 joins corp.example once its names and accounts are settled there",
			"wait (JoiningDomain): FILES-2 joins corp.example once its names and accounts are settled there",
			"block (NameTaken): computer account FILES-CL exists and is not ours; create the guest cluster with another name for its cluster or remove the account",
		}, differs: func(s *stage) { s.seen.Directory.Computers = append(s.seen.Directory.Computers, computer("FILES-CL")) }},
		"a role's name is taken": {plan: []string{
			"wait (JoiningDomain): FILES-1 joins corp.example once its names and accounts are settled there",
			"wait (JoiningDomain): FILES-2 joins corp.example once its names and accounts are settled there",
			"block (NameTaken): computer account FILES-FS exists and is not ours; rename the role or remove the account",
		}, differs: func(s *stage) { s.seen.Directory.Computers = append(s.seen.Directory.Computers, computer("FILES-FS")) }},
		"a name may be that of one that restarts": {plan: []string{
			"wait (JoiningDomain): FILES-1 joins corp.example once its names and accounts are settled there",
			"wait (WaitingForGuest): the Windows in FILES-2 does not answer: no route",
		}, differs: func(s *stage) {
			s.seen.Directory.Computers = append(s.seen.Directory.Computers, computer("FILES-2"))
			s.silence(2)
		}},
		"a join waits for its restart": {plan: []string{
			"restart/FILES-2: FILES-2: restart it (JoiningDomain)",
			"wait (JoiningDomain): FILES-1 joins corp.example once its names and accounts are settled there",
		}, differs: func(s *stage) {
			s.seen.Directory.Computers = append(s.seen.Directory.Computers, computer("FILES-2"))
			s.member(2, func(m *guest.Member) { m.RestartPending = true })
		}},
		"its own account is there again": {plan: []string{
			"set-up/FILES-1: FILES-1: add its administrators, join corp.example, restart it (JoiningDomain)",
			"set-up/FILES-2: FILES-2: add its administrators, join corp.example, restart it (JoiningDomain)",
		}, differs: func(s *stage) {
			s.seen.Directory.Computers = append(s.seen.Directory.Computers, computer("FILES-2"))
			s.want.Members[1].ObjectGUID = "F0000000-0000-0000-0000-000000000000"
		}},
		"its account is another one": {plan: []string{
			"wait (JoiningDomain): FILES-1 joins corp.example once its names and accounts are settled there",
			"wait (JoiningDomain): FILES-2 joins corp.example once its names and accounts are settled there",
			"block (NameTaken): computer account FILES-2 exists and is not ours; rename the member or remove the account",
		}, differs: func(s *stage) {
			s.seen.Directory.Computers = append(s.seen.Directory.Computers, computer("FILES-2"))
			s.want.Members[1].ObjectGUID = "e0000000-0000-0000-0000-000000000000"
		}},
		"the cluster's account is another one": {plan: []string{
			"wait (JoiningDomain): FILES-1 joins corp.example once its names and accounts are settled there",
			"wait (JoiningDomain): FILES-2 joins corp.example once its names and accounts are settled there",
			"block (NameTaken): computer account FILES-CL exists and is not ours; create the guest cluster with another name for its cluster or remove the account",
			"block (ClusterLost): cluster FILES-CL (id c1) is gone from its members; restore them, or delete this guest cluster: it is never formed anew by itself",
		}, differs: func(s *stage) {
			s.want.ClusterID, s.want.ClusterObjectGUID = "c1", "e0000000-0000-0000-0000-000000000000"
			s.seen.Directory.Computers = append(s.seen.Directory.Computers, computer("FILES-CL"))
		}},
		"an account is not known": {plan: []string{
			"wait (JoiningDomain): FILES-1 joins corp.example once its names and accounts are settled there",
			"wait (JoiningDomain): FILES-2 joins corp.example once its names and accounts are settled there",
			"block (InvalidSpec): domain corp.example knows no account ops; correct the username in its Secret",
		}, differs: func(s *stage) { delete(s.seen.Directory.SIDs, "ops") }},
		"nobody may join": {plan: []string{
			"block (SecretMissing): the account that joins corp.example is needed; give its Secret a username and a password",
		}, differs: func(s *stage) { s.want.Domain.Join = hostagent.Credential{} }},
		"it is in another domain": {plan: []string{
			"set-up/FILES-1: FILES-1: add its administrators, join corp.example, restart it (JoiningDomain)",
			"block (GuestRefused): FILES-2 is in domain other.example instead of corp.example; take it out (Remove-Computer) and restart it",
		}, differs: func(s *stage) { s.member(2, func(m *guest.Member) { m.Domain = "other.example" }) }},
		"its administrators are set": {plan: []string{
			"set-up/FILES-1: FILES-1: add its administrators, join corp.example, restart it (JoiningDomain)",
			"set-up/FILES-2: FILES-2: join corp.example, restart it (JoiningDomain)",
		}, differs: func(s *stage) { s.member(2, func(m *guest.Member) { m.Administrators = []string{sidOps, sidForm} }) }},
	})
}

// readyToJoin is when members are set up and have joined nothing.
func readyToJoin(t *testing.T) *stage {
	t.Helper()
	want := files()
	s := begin(want)
	for range 2 {
		p, _ := s.look(true)
		for _, step := range p.Steps {
			if err := s.run(step.Batch, len(step.Batch.Calls)); err != nil {
				t.Fatal(err)
			}
		}
		s.w.pass()
	}
	if err := s.run(hostagent.Batch{Target: hostagent.Target{VM: vmID(2)}, Calls: []hostagent.Call{{ID: "rescan", Cmdlet: "Update-HostStorageCache"}}}, 1); err != nil {
		t.Fatal(err)
	}
	seen := s.w.snapshot()
	want = inside.Record(s.want, seen)
	return &stage{want: want, seen: seen, hosts: rack(want)}
}

func TestAdministratorsAreKept(t *testing.T) {
	checkMoments(t, func(t *testing.T) *stage { return before(t, files(), "") }, map[string]moment{
		"one is missing": {plan: []string{"set-up/FILES-2: FILES-2: add its administrators (Repairing)"}, differs: func(s *stage) { s.member(2, func(m *guest.Member) { m.Administrators = []string{sidOps} }) }},
		"nobody knows, since nobody asked": {plan: nil, differs: func(s *stage) {
			s.seen.Directory = nil
			s.member(2, func(m *guest.Member) { m.Administrators = m.Administrators[:1] })
		}},
		"it cannot tell them": {plan: nil, differs: func(s *stage) { s.member(2, func(m *guest.Member) { m.Administrators = nil }) }},
	})
}
