package inside_test

import (
	"net/netip"
	"testing"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/plan/inside"
)

// serving is when everything of files is made.
func serving(t *testing.T) *stage { return before(t, files(), "") }

func withoutResource(s *stage, name string) {
	var left []guest.Resource
	for _, r := range s.seen.Cluster.Resources {
		if r.Name != name {
			left = append(left, r)
		}
	}
	s.seen.Cluster.Resources = left
}

func resource(s *stage, name string, change func(*guest.Resource)) {
	for i := range s.seen.Cluster.Resources {
		if s.seen.Cluster.Resources[i].Name == name {
			change(&s.seen.Cluster.Resources[i])
		}
	}
}

func TestConfigure(t *testing.T) {
	checkCalls(t, serving, map[string]moment{
		"heartbeats are Windows'": {plan: []string{
			"configure: Set-ClusterHeartbeat -CrossSubnetThreshold 20 -SameSubnetThreshold 20",
		}, differs: func(s *stage) { s.seen.Cluster.SameSubnetThreshold = 10 }},
		"heartbeats are patient": {plan: []string{
			"configure: Set-ClusterHeartbeat -CrossSubnetThreshold 20 -SameSubnetThreshold 40",
		}, differs: func(s *stage) { s.seen.Cluster.SameSubnetThreshold, s.seen.Cluster.CrossSubnetThreshold = 40, 10 }},
		"a scale-out file server":  {plan: nil, differs: func(s *stage) { s.seen.Cluster.SameSubnetThreshold = 10; s.want.ScaleOut = true }},
		"a network was renamed":    {plan: []string{"configure: Set-ClusterNetworkRole -Id net-1 -Name client -Role 3"}, differs: func(s *stage) { s.seen.Cluster.Networks[0].Name = "lan" }},
		"a network serves clients": {plan: []string{"configure: Set-ClusterNetworkRole -Id net-2 -Name cluster -Role 1"}, differs: func(s *stage) { s.seen.Cluster.Networks[1].Role = 3 }},
		"networks have each other's names": {
			plan: []string{
				"configure: Set-ClusterNetworkRole -Id net-2 -Name client (net-2) -Role 1",
				"configure: Set-ClusterNetworkRole -Id net-1 -Name client -Role 3",
				"configure: Set-ClusterNetworkRole -Id net-2 -Name cluster -Role 1",
			},
			differs: func(s *stage) { s.seen.Cluster.Networks[0].Name, s.seen.Cluster.Networks[1].Name = "cluster", "client" },
		},
		"a network is nobody's": {plan: nil, differs: func(s *stage) {
			s.seen.Cluster.Networks = append(s.seen.Cluster.Networks, guest.Network{Name: "backup", ID: "net-3", Role: 3, Subnet: netip.MustParsePrefix("10.9.0.0/16")})
		}},
		"two networks have no addresses": {plan: nil, differs: func(s *stage) {
			s.seen.Cluster.Networks[1].Name = "Cluster Network 2"
			for i := range s.want.Members {
				s.want.Members[i].Networks[0].Addresses = nil
				s.member(i+1, func(m *guest.Member) { m.Adapters[0].Addresses, m.Adapters[0].DHCP = nil, true })
			}
		}},
		"a network is in two subnets": {plan: []string{
			"configure: Set-ClusterNetworkRole -Id net-3 -Name Cluster Network 3 -Role 3",
		}, differs: func(s *stage) {
			s.want.Members[1].Networks[0].Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.2.12/24")}
			s.member(2, func(m *guest.Member) { m.Adapters[0].Addresses = s.want.Members[1].Networks[0].Addresses })
			s.seen.Cluster.Networks[0].Name = "Cluster Network 1"
			s.seen.Cluster.Networks = append(s.seen.Cluster.Networks, guest.Network{Name: "Cluster Network 3", ID: "net-3", Role: 1, Subnet: netip.MustParsePrefix("10.0.2.0/24")})
		}},
		"a disk was renamed": {plan: nil, differs: func(s *stage) { resource(s, "data", func(r *guest.Resource) { r.Name = "Cluster Disk 1" }) }},
		"a disk is told without braces": {plan: nil, differs: func(s *stage) {
			resource(s, "data", func(r *guest.Resource) { r.DiskGUID = "d15c0000-0000-0000-0000-000000000001" })
		}},
		"a disk is to be a volume": {plan: []string{"configure: Add-ClusterSharedVolume -Name data"}, differs: func(s *stage) {
			s.want.Roles = nil
			s.want.Disks[1].Use = inside.UseCSV
		}},
		"a new disk": {plan: []string{"configure: Add-SharedDisk -Guid {01} -Name logs"}, differs: func(s *stage) { newDisk(s); s.seen.Cluster.AvailableDisks = []guest.AvailableDisk{{ID: "{01}"}} }},
		"a new disk that is online on a node": {
			plan: []string{"set-up/FILES-2: Set-Disk -IsOffline true -UniqueId naa.logs"},
			differs: func(s *stage) {
				newDisk(s)
				s.seen.Cluster.AvailableDisks = []guest.AvailableDisk{{ID: "{01}"}}
				shared(s, 2, 3, func(d *guest.Disk) { d.Offline = false })
			},
		},
		"a new disk that a node does not see": {plan: []string{
			"wait (ConfiguringCluster): disk logs is not yet one that cluster FILES-CL could take: every node has to see it, offline",
		}, differs: newDisk},
	})
}

// newDisk adds a disk that is initialised and in no cluster.
func newDisk(s *stage) {
	s.want.Disks = append(s.want.Disks, inside.Disk{Name: "logs", LUN: 2, SizeBytes: gib, GUID: "{01}", Attached: true, Formattable: true, Use: inside.UseData})
	for n := range 2 {
		s.member(n+1, func(m *guest.Member) {
			m.Disks = append(m.Disks, guest.Disk{Number: 9, Port: 5, LUN: 2, SizeBytes: gib, UniqueID: "naa.logs", GUID: "{01}", Offline: true})
		})
	}
}

func TestQuorum(t *testing.T) {
	checkCalls(t, serving, map[string]moment{
		"there is no witness": {plan: []string{"configure: Set-ClusterQuorum -DiskWitness witness"}, differs: func(s *stage) { s.seen.Cluster.WitnessResource = "" }},
		"another disk votes":  {plan: []string{"configure: Set-ClusterQuorum -DiskWitness witness"}, differs: func(s *stage) { s.seen.Cluster.WitnessResource = "data" }},
		"a share is to vote": {plan: []string{`configure: Set-ClusterQuorum -FileShareWitness \\fs01\w`}, differs: func(s *stage) {
			s.want.Quorum = inside.Quorum{Type: v1alpha1.QuorumFileShareWitness, SharePath: `\\fs01\w`}
		}},
		"an account is to vote": {plan: []string{
			"configure: Set-CloudWitness -AccessKey [secret] -AccountName corpwitness -Endpoint core.chinacloudapi.cn",
		}, differs: func(s *stage) {
			s.want.Quorum = inside.Quorum{Type: v1alpha1.QuorumCloudWitness, AccountName: "corpwitness", Endpoint: "core.chinacloudapi.cn", Key: hostagent.NewSecret(password)}
		}},
		"nodes alone are to vote": {plan: []string{
			"block (NoWitness): two members need a witness: when one is lost, the other has no majority. Set clustering.failover.quorum to a disk, a file share or a cloud witness",
		}, differs: func(s *stage) { s.want.Quorum = inside.Quorum{Type: v1alpha1.QuorumNodeMajority} }},
		"nodes alone of three": {plan: []string{
			"configure: Set-ClusterQuorum -NoWitness true",
			"wait (SettingUp): Windows is being set up in FILES-3",
		}, differs: func(s *stage) {
			s.want.Members = append(s.want.Members, member(3))
			s.want.Quorum = inside.Quorum{Type: v1alpha1.QuorumNodeMajority}
		}},
		"the share votes already": {plan: nil, differs: func(s *stage) {
			s.want.Quorum = inside.Quorum{Type: v1alpha1.QuorumFileShareWitness, SharePath: `\\FS01\w`}
			s.seen.Cluster.WitnessResource = "fsw"
			s.seen.Cluster.Resources = append(s.seen.Cluster.Resources, guest.Resource{Name: "FSW", Type: guest.TypeFileShareWitness, SharePath: `\\fs01\W`})
		}},
		"the witness is no cluster disk": {plan: []string{
			"wait (ConfiguringCluster): disk witness is not yet one that cluster FILES-CL could take: every node has to see it, offline",
		}, differs: func(s *stage) { withoutResource(s, "witness"); s.seen.Cluster.WitnessResource = "" }},
		"the witness comes with its disk": {plan: []string{
			"configure: Add-SharedDisk -Guid {D15C0000-0000-0000-0000-000000000000} -Name witness",
			"configure: Set-ClusterQuorum -DiskWitness witness",
		}, differs: func(s *stage) {
			withoutResource(s, "witness")
			s.seen.Cluster.WitnessResource = ""
			s.seen.Cluster.AvailableDisks = []guest.AvailableDisk{{ID: s.want.Disks[0].GUID}}
		}},
	})
}

func TestRoles(t *testing.T) {
	noRole := func(s *stage) {
		c := s.seen.Cluster
		c.Groups = c.Groups[:2]
		withoutResource(s, "FILES-FS")
		resource(s, "data", func(r *guest.Resource) { r.Group = c.Groups[1].Name })
		s.want.Roles[0].ObjectGUID = ""
		for i, a := range s.seen.Directory.Computers {
			if a.Name == "FILES-FS" {
				s.seen.Directory.Computers = append(s.seen.Directory.Computers[:i:i], s.seen.Directory.Computers[i+1:]...)
			}
		}
	}
	state := func(state string) func(*stage) {
		return func(s *stage) { s.seen.Cluster.Groups[2].State = state }
	}
	elsewhere := func(s *stage) {
		noRole(s)
		s.seen.Directory.Rights = "D:(A;;GR;;;AU)"
		for i := range s.seen.Directory.Computers {
			s.seen.Directory.Computers[i].DistinguishedName = "CN=" + s.seen.Directory.Computers[i].Name + ",CN=Computers,DC=corp,DC=example"
		}
	}
	checkCalls(t, serving, map[string]moment{
		"it is to be made": {plan: []string{
			"role/FILES-FS: Add-ClusterFileServerRole -Name FILES-FS -StaticAddress 10.0.1.21 -Storage data -Wait 0",
		}, differs: noRole},
		"it is to be made by DHCP": {plan: []string{
			"role/FILES-FS: Add-ClusterFileServerRole -Name FILES-FS -Storage data -Wait 0",
		}, differs: func(s *stage) { noRole(s); s.want.Roles[0].Addresses = nil }},
		"its disk is not there": {plan: []string{
			"wait (ConfiguringCluster): disk data is not yet one that cluster FILES-CL could take: every node has to see it, offline",
			"wait (ConfiguringCluster): role FILES-FS is made once cluster FILES-CL has disk data",
		}, differs: func(s *stage) { noRole(s); withoutResource(s, "data") }},
		"its disk is another role's": {plan: []string{
			"block (DiskInUseByRole): role FILES-FS cannot have disk data, which is part of role SQL; name another disk for the role",
		}, differs: func(s *stage) { noRole(s); resource(s, "data", func(r *guest.Resource) { r.Group = "SQL" }) }},
		"its disk is a volume": {plan: []string{
			"block (DiskInUseByRole): role FILES-FS cannot have disk data, which is a cluster shared volume; name another disk for the role",
		}, differs: func(s *stage) { noRole(s); s.seen.Cluster.SharedVolumes = []string{"data"} }},
		"its name is taken": {plan: []string{
			"block (NameTaken): computer account FILES-FS exists and is not ours; rename the role or remove the account",
		}, differs: func(s *stage) {
			noRole(s)
			s.seen.Directory.Computers = append(s.seen.Directory.Computers, computer("FILES-FS"))
		}},
		"rights were not looked up": {plan: []string{
			"wait (ConfiguringCluster): looking up in corp.example whether FILES-CL may create a computer object for role FILES-FS",
		}, differs: func(s *stage) { noRole(s); s.seen.Directory.Rights = "" }},
		"the domain does not answer": {plan: []string{"wait (ConfiguringCluster): looking up in corp.example whether FILES-CL may create a computer object for role FILES-FS"}, differs: func(s *stage) { noRole(s); s.seen.Directory = nil }},
		"the cluster has no rights": {plan: []string{
			"block (ClusterNameLacksRights): computer account FILES-CL$ may not create computer objects in OU=Clusters,DC=corp,DC=example, where role FILES-FS needs one; grant it Create Computer objects there",
		}, differs: func(s *stage) { noRole(s); s.seen.Directory.Rights = "D:(A;;GR;;;AU)" }},
		"it is where all have some": {plan: []string{
			"role/FILES-FS: Add-ClusterFileServerRole -Name FILES-FS -StaticAddress 10.0.1.21 -Storage data -Wait 0",
		}, differs: elsewhere},
		"a feature is missing": {plan: []string{
			"set-up/FILES-2: Install-WindowsFeature -IncludeManagementTools true -Name FS-FileServer,RSAT-AD-PowerShell",
			"wait (InstallingFeatures): role FILES-FS is made once every member has FS-FileServer",
		}, differs: func(s *stage) { noRole(s); s.member(2, func(m *guest.Member) { m.Features = m.Features[:1] }) }},
		"its name is another group's": {plan: []string{
			"block (NameTaken): cluster FILES-CL has a group FILES-FS that is no file server of ours; rename the role, or the group",
		}, differs: func(s *stage) { s.seen.Cluster.Groups[2].Type = "GenericService" }},
		"it is changing state": {plan: []string{"wait (FailingOver): role FILES-FS is changing state"}, differs: state("Pending")},
		"it failed":            {plan: []string{"start/FILES-FS: Start-ClusterGroup -Name FILES-FS -Wait 0"}, differs: state("Failed")},
		"a part of it failed":  {plan: []string{"start/FILES-FS: Start-ClusterGroup -Name FILES-FS -Wait 0"}, differs: state("PartialOnline")},
		"somebody took it offline": {plan: []string{
			"block (RoleOffline): role FILES-FS was taken offline in cluster FILES-CL; start it when it suits you (Start-ClusterGroup)",
		}, differs: state("Offline")},
		"it was never online": {plan: []string{"start/FILES-FS: Start-ClusterGroup -Name FILES-FS -Wait 0"}, differs: func(s *stage) {
			state("Offline")(s)
			resource(s, "FILES-FS", func(r *guest.Resource) { r.ObjectGUID = "" })
		}},
		"a share is missing": {plan: []string{
			`shares/FILES-FS: New-ClusterShare -DiskGuid {D15C0000-0000-0000-0000-000000000001} -FullAccess CORP\invoicing -Name invoices -Role FILES-FS`,
		}, differs: func(s *stage) { s.member(2, func(m *guest.Member) { m.Shares = m.Shares[1:] }) }},
		"a share is another server's": {plan: []string{
			"shares/FILES-FS: New-ClusterShare -DiskGuid {D15C0000-0000-0000-0000-000000000001} -Name archive -Role FILES-FS",
		}, differs: func(s *stage) { s.member(2, func(m *guest.Member) { m.Shares[1].ScopeName = "FILES-2" }) }},
		"the owner is silent": {plan: []string{
			"wait (WaitingForGuest): the Windows in FILES-2 does not answer: no route",
			"wait (ObservationIncomplete): the shares of role FILES-FS cannot be seen on FILES-2 now",
		}, differs: func(s *stage) { s.silence(2) }},
		"the owner is none of ours": {plan: []string{
			"wait (ObservationIncomplete): the shares of role FILES-FS cannot be seen on OTHER now",
		}, differs: func(s *stage) { s.seen.Cluster.Groups[2].OwnerNode = "OTHER" }},
	})
}
