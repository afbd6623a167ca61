package cmdlet

import "guestclustering.io/operator/pkg/hostagent"

// Example ids and paths: what the operator's calls look like.
const (
	exampleVM     = "8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42"
	exampleOther  = "1c9d7a10-2f64-4d5b-8e0a-6f3b5a4c2d11"
	examplePool   = `C:\ClusterStorage\Volume1\guests`
	exampleFolder = examplePool + `\prod.sql-1.0a1b2c3d`
	exampleStamp  = `{"clusterID":"7c1e","namespace":"prod","namespaceUID":"51b7","kind":"GuestCluster","name":"sql","uid":"0a1b2c3d","member":"sql-1"}`
)

// Examples are correct batches that together hold a call of every constructor of this package: what is held against
// Microsoft's surface, printed and parsed again.
func Examples() []hostagent.Batch {
	return []hostagent.Batch{
		exampleInventory(), exampleConfiguration(), exampleFolders(), exampleNewMachine(), exampleSettings(),
		exampleNetworks(), exampleDisks(), exampleRole(), exampleDeletion(),
	}
}

func exampleBatch(calls ...hostagent.Call) hostagent.Batch {
	return hostagent.Batch{OnError: hostagent.Stop, Calls: calls}
}

func exampleInventory() hostagent.Batch {
	b := exampleBatch(
		OperatingSystem("os"), Host("host"), Switches("switches"), Machines("machines"), Adapters("adapters"),
		Files("files", `C:\ClusterStorage\Volume1\images\ws2022.vhdx`), Disks("disks", exampleFolder+`\data.vhds`),
		Cluster("cluster"), Nodes("nodes"), Groups("groups"), MachineResources("resources"), SharedVolumes("volumes"),
		StampedFolders("folders", examplePool, `C:\ClusterStorage\Volume2`),
	)
	b.OnError = hostagent.Continue
	return b
}

func exampleConfiguration() hostagent.Batch {
	machines := []string{"one", "two"}
	return exampleBatch(
		MachineConfiguration("one", exampleVM), MachineConfiguration("two", exampleOther),
		Drives("drives", machines), Controllers("controllers", machines),
	)
}

func exampleFolders() hostagent.Batch {
	return exampleBatch(
		NewStampedFolder("folder", exampleFolder, exampleStamp),
		StartCopy("copy", "4f1d6c0be2a1", "99aa01", `C:\ClusterStorage\Volume1\images\ws2022.vhdx`, exampleFolder+`\os.vhdx`),
		RemoveStampedFolder("remove", exampleFolder, exampleStamp),
	)
}

func exampleNewMachine() hostagent.Batch {
	machine := NewMachine{
		Name: "prod.sql-1", Folder: exampleFolder, Version: "9.0", MemoryBytes: 8 << 30, OSDisk: exampleFolder + `\os.vhdx`,
	}
	return exampleBatch(
		SetAnswerFile("answer", machine.OSDisk, hostagent.NewSecret("<unattend/>")), NewVM("new", machine), VMByID("vm", exampleVM), RemoveNewAdapters("adapters", "new"),
		MakeNewClustered("clustered", "new", machine.Name), MachineResourceOf("resource", "new"),
		SetOfflineAction("offline", "resource", OfflineActionShutDown),
	)
}

func exampleSettings() hostagent.Batch {
	settings := MachineSettings{Processors: 4, MemoryBytes: 8 << 30, Checkpoints: "ProductionOnly", AutomaticCheckpointsOff: true}
	return exampleBatch(
		VMByID("vm", exampleVM), SetProcessorsAndMemory("size", "vm", settings), SetProtection("protect", "vm", settings),
		RenameVM("rename", "vm", "prod.sql-1"),
	)
}

func exampleNetworks() hostagent.Batch {
	return exampleBatch(
		VMByID("vm", exampleVM),
		AddAdapter("add", "vm", Adapter{Name: "client", SwitchName: "tenant", MACAddress: "02A101000001", ShowName: true}),
		SetVLAN("vlan", "vm", "client", 110), SetUntagged("untagged", "vm", "cluster"),
		AdapterByName("adapter", "vm", "client"), ConnectAdapter("connect", "adapter", "tenant"),
		SetStaticMAC("mac", "adapter", "02A101000001"),
	)
}

func exampleDisks() hostagent.Batch {
	return exampleBatch(
		NewVHD("dynamic", exampleFolder+`\quorum.vhds`, 1<<30, false), NewVHD("fixed", exampleFolder+`\data.vhds`, 100<<30, true),
		ResizeVHD("grow", exampleFolder+`\quorum.vhds`, 2<<30),
		VMByID("vm", exampleVM), AddController("controller", "vm"),
		AttachSharedDisk("attach", "vm", exampleFolder+`\data.vhds`, Slot{Controller: 1, Location: 0}),
		DriveAt("drive", "vm", Slot{Controller: 1, Location: 0}), DetachDrive("detach", "drive"),
	)
}

func exampleRole() hostagent.Batch {
	return exampleBatch(
		MakeClustered("clustered", exampleVM, "prod.sql-1"), MachineResource("resource", "Virtual Machine prod.sql-1"),
		AddClassName("apart", exampleVM, "gc-0a1b2c3d"), RemoveClassName("together", exampleVM, "gc-old"),
		RefreshConfiguration("refresh", exampleVM), StartGroup("start", "prod.sql-1"),
		LiveMigrate("move", exampleVM, "HOST2"),
	)
}

func exampleDeletion() hostagent.Batch {
	return exampleBatch(
		StopGroup("stop", "prod.sql-1"), RemoveMachineGroup("group", exampleVM),
		VMByID("vm", exampleVM), TurnOffVM("off", "vm"), RemoveVM("remove", "vm"),
	)
}
