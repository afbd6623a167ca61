package inside_test

import (
	"net/netip"
	"testing"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/plan/inside"
)

func plain(t *testing.T) *stage { return before(t, unclustered(), "") }

func TestWhatCannotBeAsked(t *testing.T) {
	checkMoments(t, plain, map[string]moment{
		"it was never made": {plan: []string{"wait (Creating): FILES-2 has no machine yet"}, differs: func(s *stage) { s.want.Members[1].VMID = "" }},
		"its machine does not run": {plan: []string{
			"wait (WaitingForGuest): the machine of FILES-2 does not run yet, or gives no heartbeat",
		}, differs: func(s *stage) { s.want.Members[1].Up = false }},
		"its machine is moving": {plan: []string{"wait (Migrating): FILES-2 is moving to another host"}, differs: func(s *stage) { s.hosts.Hosts[0].Machines[1].OperationalStatus = []string{"MigratingVirtualMachine"} }},
		"it was not asked":      {plan: []string{"wait (WaitingForGuest): the Windows in FILES-2 does not answer: it has not been asked yet"}, differs: func(s *stage) { delete(s.seen.Members, vmID(2)) }},
		"it does not answer": {plan: []string{
			"wait (WaitingForGuest): the Windows in FILES-2 does not answer: no route",
		}, differs: func(s *stage) { s.silence(2) }},
		"it does not answer for long": {plan: []string{
			"block (GuestUnreachable): the Windows in FILES-2 answers no more (no route); look at its console, and at its way in as guestAccess gives it",
		}, differs: func(s *stage) { s.silence(2); s.want.Members[1].Overdue = true }},
		"it does not answer at first": {plan: []string{"wait (SettingUp): Windows is being set up in FILES-2"}, differs: func(s *stage) { s.silence(2); s.want.Members[1].SetUp = false }},
		"it is being set up": {plan: []string{"wait (SettingUp): Windows is being set up in FILES-2"}, differs: func(s *stage) {
			s.member(2, func(m *guest.Member) { *m = guest.Member{Answered: true, SettingUp: true} })
		}},
		"it is being set up for long": {plan: []string{
			`block (SetUpStalled): the set-up of Windows in FILES-2 is not over in time; look at its console, and at C:\Windows\Panther\setupact.log in it: the image must be generalised (sysprep /generalize /oobe), and a product key must be for its edition`,
		}, differs: func(s *stage) {
			s.member(2, func(m *guest.Member) { *m = guest.Member{Answered: true, SettingUp: true} })
			s.want.Members[1].Overdue = true
		}},
		"it refuses before its set-up": {plan: []string{"wait (SettingUp): Windows is being set up in FILES-2"}, differs: func(s *stage) { refuse(s, guest.LocalAccount); s.want.Members[1].SetUp = false }},
		"it refuses its administrator": {plan: []string{
			"block (GuestCredentialsRefused): the Windows in FILES-2 refuses its local account Administrator; correct the Secret with its password, or the password inside",
		}, differs: func(s *stage) { refuse(s, guest.LocalAccount) }},
		"it refuses the domain's": {plan: []string{
			"block (GuestCredentialsRefused): the Windows in FILES-2 refuses the account of guestAccess; correct its Secret or the account, or let the member reach a domain controller",
		}, differs: func(s *stage) { refuse(s, guest.DomainAccount) }},
		"it refuses for long": {plan: []string{
			"block (GuestCredentialsRefused): the Windows in FILES-2 refuses its local account Administrator; correct the Secret with its password, or the password inside",
		}, differs: func(s *stage) {
			refuse(s, guest.LocalAccount)
			s.want.Members[1].SetUp = false
			s.want.Members[1].Overdue = true
		}},
	})
}

func refuse(s *stage, as guest.Account) {
	s.member(2, func(m *guest.Member) { *m = guest.Member{Refused: true, Account: as} })
}

func TestSetUp(t *testing.T) {
	address := func(texts ...string) []netip.Prefix {
		var out []netip.Prefix
		for _, text := range texts {
			out = append(out, netip.MustParsePrefix(text))
		}
		return out
	}
	checkCalls(t, plain, map[string]moment{
		"nothing differs": {plan: nil, differs: func(*stage) {}},
		"the answer file is there": {plan: []string{
			`set-up/FILES-1: Remove-Item -Force true -LiteralPath C:\Windows\Panther\Unattend\Unattend.xml`,
		}, differs: func(s *stage) { s.member(1, func(m *guest.Member) { m.AnswerFile = true }) }},
		"it has another name": {plan: []string{
			"block (GuestRefused): the Windows in FILES-1 calls itself WIN-1; rename it back (Rename-Computer) and restart it",
		}, differs: func(s *stage) { s.member(1, func(m *guest.Member) { m.ComputerName = "WIN-1" }) }},
		"it waits for a restart": {plan: []string{"restart/FILES-1: Restart-Computer -Force true"}, differs: func(s *stage) { s.member(1, func(m *guest.Member) { m.RestartPending = true }) }},
		"an adapter is not there": {plan: []string{
			"wait (WaitingForGuest): the Windows in FILES-1 does not see adapter cluster yet",
		}, differs: func(s *stage) { s.member(1, func(m *guest.Member) { m.Adapters = m.Adapters[:1] }) }},
		"an adapter was renamed": {plan: []string{"set-up/FILES-1: Rename-NetAdapter -Name lan -NewName client"}, differs: func(s *stage) { s.member(1, func(m *guest.Member) { m.Adapters[0].Name = "lan" }) }},
		"adapters have swapped": {plan: []string{
			"set-up/FILES-1: Rename-NetAdapter -Name client -NewName client (02A101000011)",
			"set-up/FILES-1: Rename-NetAdapter -Name cluster -NewName client",
			"set-up/FILES-1: Rename-NetAdapter -Name client (02A101000011) -NewName cluster",
		}, differs: func(s *stage) {
			s.member(1, func(m *guest.Member) { m.Adapters[0].Name, m.Adapters[1].Name = m.Adapters[1].Name, m.Adapters[0].Name })
		}},
		"an address was added": {plan: []string{
			"set-up/FILES-1: Remove-NetIPAddress -IPAddress 10.0.1.99 -InterfaceIndex 10",
		}, differs: func(s *stage) {
			s.member(1, func(m *guest.Member) { m.Adapters[0].Addresses = address("10.0.1.99/24", "10.0.1.11/24") })
		}},
		"an address has other bits": {plan: []string{
			"set-up/FILES-1: Remove-NetIPAddress -IPAddress 10.0.1.11 -InterfaceIndex 10",
			"set-up/FILES-1: New-NetIPAddress -IPAddress 10.0.1.11 -InterfaceIndex 10 -PrefixLength 24",
		}, differs: func(s *stage) {
			s.member(1, func(m *guest.Member) { m.Adapters[0].Addresses = address("10.0.1.11/16") })
		}},
		"it asks DHCP": {plan: []string{
			"set-up/FILES-1: Set-NetIPInterface -AddressFamily IPv4 -Dhcp Disabled -InterfaceIndex 10",
			"set-up/FILES-1: New-NetIPAddress -IPAddress 10.0.1.11 -InterfaceIndex 10 -PrefixLength 24",
			"set-up/FILES-1: New-NetRoute -DestinationPrefix 0.0.0.0/0 -InterfaceIndex 10 -NextHop 10.0.1.1",
			"set-up/FILES-1: Set-DnsClientServerAddress -InterfaceIndex 10 -ServerAddresses 10.0.1.2",
		}, differs: func(s *stage) { s.member(1, func(m *guest.Member) { m.Adapters[0].DHCP = true }) }},
		"it is to ask DHCP": {plan: []string{
			"set-up/FILES-1: Remove-NetIPAddress -IPAddress 10.0.1.11 -InterfaceIndex 10",
			"set-up/FILES-1: Set-NetIPInterface -AddressFamily IPv4 -Dhcp Enabled -InterfaceIndex 10",
		}, differs: func(s *stage) { s.want.Members[0].Networks[0].Addresses = nil }},
		"IPv6 is not told": {plan: nil, differs: func(s *stage) {
			s.want.Members[0].Networks[0].Addresses = append(s.want.Members[0].Networks[0].Addresses, netip.MustParsePrefix("fd00::1/64"))
		}},
		"it has another gateway": {plan: []string{
			"set-up/FILES-1: New-NetRoute -DestinationPrefix 0.0.0.0/0 -InterfaceIndex 10 -NextHop 10.0.1.1",
			"set-up/FILES-1: Remove-NetRoute -DestinationPrefix 0.0.0.0/0 -InterfaceIndex 10 -NextHop 10.0.1.254",
		}, differs: func(s *stage) {
			s.member(1, func(m *guest.Member) { m.Adapters[0].Gateways = []netip.Addr{netip.MustParseAddr("10.0.1.254")} })
		}},
		"it has other DNS servers": {plan: []string{
			"set-up/FILES-1: Set-DnsClientServerAddress -InterfaceIndex 10 -ServerAddresses 10.0.1.2",
		}, differs: func(s *stage) { s.member(1, func(m *guest.Member) { m.Adapters[0].DNSServers = nil }) }},
		"the cluster's network leads out": {plan: []string{
			"set-up/FILES-1: Remove-NetRoute -DestinationPrefix 0.0.0.0/0 -InterfaceIndex 7 -NextHop 192.168.10.1",
			"set-up/FILES-1: Set-DnsClientServerAddress -InterfaceIndex 7 -ResetServerAddresses true",
			"set-up/FILES-1: Set-DnsClient -InterfaceIndex 7 -RegisterThisConnectionsAddress false",
		}, differs: func(s *stage) {
			s.want.Members[0].Networks[1].Addresses = address("192.168.10.11/24")
			s.member(1, func(m *guest.Member) {
				m.Adapters[1] = guest.Adapter{Index: 7, Name: "cluster", MAC: m.Adapters[1].MAC, Registers: true, Addresses: address("192.168.10.11/24"),
					Gateways: []netip.Addr{netip.MustParseAddr("192.168.10.1")}, DNSServers: []netip.Addr{netip.MustParseAddr("8.8.8.8")}}
			})
		}},
	})
}

func TestANodeIsNotRestarted(t *testing.T) {
	checkMoments(t, func(t *testing.T) *stage { return before(t, workgroup(), "") }, map[string]moment{
		"a node waits for a restart": {plan: []string{
			"wait (WaitingForPowerOff): FILES-2 waits for a restart of its Windows: restart it when it suits you",
		}, differs: func(s *stage) { s.member(2, func(m *guest.Member) { m.RestartPending = true }) }},
		"one without the feature": {plan: []string{"restart/FILES-2: FILES-2: restart it (InstallingFeatures)"}, differs: func(s *stage) {
			s.member(2, func(m *guest.Member) { m.RestartPending, m.Features, m.ClusterService = true, nil, guest.ServiceAbsent })
		}},
		"a feature was removed": {plan: []string{
			"set-up/FILES-2: FILES-2: install Failover-Clustering (InstallingFeatures)",
		}, differs: func(s *stage) { s.member(2, func(m *guest.Member) { m.Features = nil }) }},
		"an address of the cluster's is on a node": {plan: nil, differs: func(s *stage) {
			s.seen.Cluster.Resources = append(s.seen.Cluster.Resources, guest.Resource{Name: "IP", Type: guest.TypeIPAddress, Address: clusterIP})
			s.member(1, func(m *guest.Member) {
				m.Adapters[0].Addresses = append(m.Adapters[0].Addresses, netip.MustParsePrefix(clusterIP+"/24"))
			})
		}},
		"an address is on a node of a cluster that is not told": {plan: []string{
			"wait (ObservationIncomplete): cluster FILES-CL has not been asked yet",
		}, differs: func(s *stage) {
			s.seen.Cluster = nil
			s.member(1, func(m *guest.Member) {
				m.Adapters[0].Addresses = append(m.Adapters[0].Addresses, netip.MustParsePrefix(clusterIP+"/24"))
			})
		}},
		"an address is nobody's": {plan: []string{
			"set-up/FILES-1: FILES-1: set the addresses of adapter client (Repairing)",
		}, differs: func(s *stage) {
			s.member(1, func(m *guest.Member) {
				m.Adapters[0].Addresses = append(m.Adapters[0].Addresses, netip.MustParsePrefix(clusterIP+"/24"))
			})
		}},
		"it is in a domain": {plan: []string{
			"block (GuestRefused): FILES-1 is in domain other.example, and a workgroup is wanted; take it out (Remove-Computer) and restart it",
		}, differs: func(s *stage) { s.member(1, func(m *guest.Member) { m.Domain = "other.example" }) }},
	})
}

func TestANodeOutOfItsDomain(t *testing.T) {
	checkMoments(t, serving, map[string]moment{
		"it left": {
			plan:    []string{"block (GuestRefused): FILES-1 is a node and has left domain corp.example; put it back (Add-Computer) and restart it when that suits you"},
			differs: func(s *stage) { s.member(1, func(m *guest.Member) { m.Domain = "" }) },
		},
	})
}

func TestFeatures(t *testing.T) {
	for want, n := range map[string]int{"files": 3, "workgroup": 1, "unclustered": 0} {
		if got := inside.Features(wanted[want]()); len(got) != n {
			t.Errorf("%s needs %v", want, got)
		}
	}
}
