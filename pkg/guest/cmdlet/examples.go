package cmdlet

import (
	"net/netip"

	"guestclustering.io/operator/pkg/hostagent"
)

// Example names, addresses and ids: what the operator's calls inside guests look like.
const (
	exampleDomain    = "corp.example"
	exampleContainer = "OU=Clusters,DC=corp,DC=example"
	exampleObject    = "5d0f3c1a-9b7e-4f52-8c6d-2e1a7b904f33"
	exampleDisk      = "60022480A1B2C3D4E5F60718293A4B5C"
	exampleGPT       = "{3F2504E0-4F89-41D3-9A0C-0305E82C3301}"
	exampleNetwork   = "9a1c7e52-0b4d-4c7a-b3f8-61d2e0a45c90"
	exampleSID       = "S-1-5-21-1004336348-1177238915-682003330-1106"
	exampleRun       = "4f1d6c0be2a1"
)

var exampleCredential = hostagent.Credential{User: `CORP\join`, Password: hostagent.NewSecret("example")}

// Examples are correct batches that together hold a call of every constructor of this package: what is held against
// Microsoft's surface, printed and parsed again.
func Examples() []hostagent.Batch {
	return []hostagent.Batch{
		exampleMember(), exampleCluster(), exampleDirectory(), exampleSetup(), exampleNetworks(), exampleJoin(), exampleDisks(),
		exampleValidation(), exampleForming(), exampleServing(), exampleQuorum(), exampleNodes(), exampleDeletion(),
	}
}

func exampleBatch(calls ...hostagent.Call) hostagent.Batch {
	return hostagent.Batch{OnError: hostagent.Stop, Calls: calls}
}

func exampleMember() hostagent.Batch {
	b := exampleBatch(
		SetupProgress("progress"), SetupState("state"), PendingJoin("join"), FindAnswerFile("answer"), OperatingSystem("os"),
		Computer("computer"), ClusterService("service"), DiskPlaces("places"), Disks("disks"), Features("features", "Failover-Clustering", "FS-FileServer"),
		Administrators("administrators"), Adapters("adapters"), Addresses("addresses"), Interfaces("interfaces"), DefaultRoutes("routes"),
		DNSServers("dns"), Registrations("registrations"), Shares("shares"),
	)
	b.OnError = hostagent.Continue
	return b
}

func exampleCluster() hostagent.Batch {
	b := exampleBatch(
		Cluster("cluster"), Nodes("nodes"), Groups("groups"), Resources("resources"), ResourceProperties("properties"),
		Networks("networks"), Quorum("quorum"), SharedVolumes("volumes"), AvailableDisks("available"),
	)
	b.OnError = hostagent.Continue
	return b
}

func exampleDirectory() hostagent.Batch {
	return exampleBatch(
		ComputerAccounts("computers", exampleDomain, exampleCredential, "SQL-1", "SQL-2", "SQL"),
		AccountSIDs("accounts", exampleDomain, exampleCredential, "ops", "forming"),
		ContainerRights("rights", exampleDomain, exampleCredential, exampleContainer),
		AccountGroups("groups", exampleDomain, exampleCredential, exampleObject),
	)
}

func exampleSetup() hostagent.Batch {
	return exampleBatch(
		RemoveAnswerFile("answer"), InstallFeatures("features", "Failover-Clustering", "FS-FileServer"), Restart("restart"),
	)
}

func exampleNetworks() hostagent.Batch {
	return exampleBatch(
		RenameAdapter("rename", "Ethernet", "client"), AskForAddress("static", 4, false), AskForAddress("dhcp", 7, true),
		AddAddress("add", 4, netip.MustParsePrefix("10.0.1.21/24")), RemoveAddress("remove", 4, netip.MustParseAddr("10.0.1.20")),
		AddGateway("gateway", 4, netip.MustParseAddr("10.0.1.1")), RemoveGateway("other", 4, netip.MustParseAddr("10.0.1.254")),
		SetDNSServers("dns", 4, netip.MustParseAddr("10.0.1.2"), netip.MustParseAddr("10.0.1.3")), SetDNSServers("reset", 7),
		SetRegistration("register", 7, false),
	)
}

func exampleJoin() hostagent.Batch {
	return exampleBatch(
		Join("join", exampleDomain, exampleContainer, exampleCredential), Join("default", exampleDomain, "", exampleCredential),
		AddAdministrators("administrators", exampleSID),
	)
}

func exampleDisks() hostagent.Batch {
	return exampleBatch(
		Rescan("rescan"), InitializeDisk("initialize", exampleDisk, "data"), SetDiskOffline("offline", exampleDisk),
		GrowVolume("grow", exampleGPT),
	)
}

func exampleValidation() hostagent.Batch {
	return exampleBatch(
		StartValidation("start", exampleRun, []string{"SQL-1", "SQL-2"}, []string{"Storage"}, exampleCredential),
		Validation("validation", exampleRun),
	)
}

func exampleForming() hostagent.Batch {
	return exampleBatch(
		NewCluster("new", "SQL", []string{"SQL-1"}, []string{"10.0.1.30"}, true), NewCluster("workgroup", "SQL", []string{"SQL-1"}, nil, false),
		AddNode("node", "SQL-2"), SetNetwork("network", exampleNetwork, "client", 3), SetHeartbeat("heartbeat", 20, 40),
		AddDisk("disk", exampleGPT, "data"), MakeSharedVolume("volume", "data"),
	)
}

func exampleServing() hostagent.Batch {
	return exampleBatch(
		NewFileServer("role", "FILES", "data", "10.0.1.31"), NewShare("share", "FILES", exampleGPT, "profiles", `CORP\ops`),
		NewShare("private", "FILES", exampleGPT, "backup"), StartGroup("online", "FILES"), MoveGroup("move", "FILES", "SQL-2"),
	)
}

func exampleQuorum() hostagent.Batch {
	return exampleBatch(
		DiskWitness("disk", "witness"), FileShareWitness("share", `\\files.corp.example\witness`), NoWitness("none"),
		CloudWitness("cloud", "account", "", hostagent.NewSecret("example")),
		CloudWitness("elsewhere", "account", "core.chinacloudapi.cn", hostagent.NewSecret("example")),
	)
}

func exampleNodes() hostagent.Batch {
	return exampleBatch(DrainNode("drain", "SQL-2"), ResumeNode("resume", "SQL-2"), EvictNode("evict", "SQL-2"))
}

func exampleDeletion() hostagent.Batch {
	return exampleBatch(
		RemoveResource("resource", "data"), RemoveCluster("cluster"),
		RemoveComputerAccount("account", exampleDomain, exampleCredential, exampleObject),
	)
}
