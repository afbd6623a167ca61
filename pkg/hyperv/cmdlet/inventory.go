package cmdlet

import "guestclustering.io/operator/pkg/hostagent"

// The namespaces of the CIM classes that we read.
const (
	namespaceCIM     = "root/cimv2"
	namespaceCluster = "root/MSCluster"
)

// OperatingSystem reads the host's Windows build, its memory in KiB and when it was started, by its own clock
// ("Win32_OperatingSystem class").
func OperatingSystem(id string) hostagent.Call {
	return call(id, "Get-CimInstance", p{
		"Namespace": hostagent.Text(namespaceCIM),
		"ClassName": hostagent.Text("Win32_OperatingSystem"),
		"Property":  hostagent.Texts("BuildNumber", "TotalVisibleMemorySize", "FreePhysicalMemory", "LastBootUpTime"),
	}, "BuildNumber", "TotalVisibleMemorySize", "FreePhysicalMemory", "LastBootUpTime")
}

// Host reads the host's logical processors, its own MAC address pool and the configuration versions it can run
// ("Get-VMHost").
func Host(id string) hostagent.Call {
	return call(id, "Get-VMHost", nil, "Name", "LogicalProcessorCount", "MacAddressMinimum", "MacAddressMaximum", "SupportedVmVersions")
}

// Switches lists the host's virtual switches ("Get-VMSwitch").
func Switches(id string) hostagent.Call {
	return call(id, "Get-VMSwitch", nil, "Name")
}

// Machines lists every virtual machine of the host, ours and others', with its state ("Get-VM").
func Machines(id string) hostagent.Call {
	return call(id, "Get-VM", nil,
		"Id", "Name", "State", "Heartbeat", "OperationalStatus", "ConfigurationLocation", "Generation", "Version", "MemoryAssigned", "IsClustered")
}

// Adapters lists every network adapter on the host, the management system's and foreign machines' too
// ("Get-VMNetworkAdapter").
func Adapters(id string) hostagent.Call {
	return call(id, "Get-VMNetworkAdapter", p{"All": hostagent.Bool(true)},
		"VMId", "Name", "MacAddress", "DynamicMacAddressEnabled", "SwitchName", "IsManagementOs",
		"VlanSetting.OperationMode", "VlanSetting.AccessVlanId")
}

// Files reads which of the files exist; a missing one is an error of category ObjectNotFound ("Get-Item").
func Files(id string, paths ...string) hostagent.Call {
	return call(id, "Get-Item", p{"LiteralPath": hostagent.Texts(paths...)}, "FullName", "Length")
}

// MachineConfiguration reads what Windows fetches lazily for one machine; later calls refer to it ("Get-VM").
func MachineConfiguration(id, vmID string) hostagent.Call {
	return call(id, "Get-VM", p{"Id": hostagent.Text(vmID)},
		"Id", "ProcessorCount", "MemoryStartup", "DynamicMemoryEnabled", "AutomaticStartAction", "AutomaticStopAction",
		"CheckpointType", "AutomaticCheckpointsEnabled")
}

// Drives lists the hard disk drives of the machines that earlier calls returned ("Get-VMHardDiskDrive").
func Drives(id string, machineCalls []string) hostagent.Call {
	return call(id, "Get-VMHardDiskDrive", p{"VM": refs(machineCalls)},
		"VMId", "Path", "ControllerType", "ControllerNumber", "ControllerLocation", "SupportPersistentReservations")
}

// Controllers lists the SCSI controllers of the machines that earlier calls returned ("Get-VMScsiController").
func Controllers(id string, machineCalls []string) hostagent.Call {
	return call(id, "Get-VMScsiController", p{"VM": refs(machineCalls)}, "VMId", "ControllerNumber")
}

// Disks reads virtual hard disks by path; one that is missing or still being made is an error ("Get-VHD").
func Disks(id string, paths ...string) hostagent.Call {
	return call(id, "Get-VHD", p{"Path": hostagent.Texts(paths...)},
		"Path", "VhdFormat", "VhdType", "Size", "DiskIdentifier", "Attached")
}

// Cluster reads the host cluster's properties; periods are in seconds ("Get-Cluster").
func Cluster(id string) hostagent.Call {
	return call(id, "Get-Cluster", nil, "Name", "Id", "ClusterFunctionalLevel", "ResiliencyDefaultPeriod", "ClusterEnforcedAntiAffinity")
}

// Nodes lists the host cluster's nodes ("Get-ClusterNode").
func Nodes(id string) hostagent.Call {
	return call(id, "Get-ClusterNode", nil, "Name", "State", "StatusInformation", "DrainStatus")
}

// Groups lists the host cluster's groups with owners and class names ("Get-ClusterGroup").
func Groups(id string) hostagent.Call {
	return call(id, "Get-ClusterGroup", nil, "Name", "GroupType", "State", "StatusInformation", "OwnerNode.Name", "AntiAffinityClassNames")
}

// MachineResources lists the cluster resources of all virtual machines with the machine's id and what becomes of it
// when the resource goes offline: one CIM query in place of a call a resource ("MSCluster_Resource class",
// "Virtual Machine Private Properties").
func MachineResources(id string) hostagent.Call {
	return call(id, "Get-CimInstance", p{
		"Namespace": hostagent.Text(namespaceCluster),
		"ClassName": hostagent.Text("MSCluster_Resource"),
		"Filter":    hostagent.Text("Type='Virtual Machine'"),
	}, "Name", "OwnerGroup", "State", "PrivateProperties.VmID", "PrivateProperties.OfflineAction")
}

// SharedVolumes lists the cluster shared volumes; sizes are in bytes ("Get-ClusterSharedVolume").
func SharedVolumes(id string) hostagent.Call {
	return call(id, "Get-ClusterSharedVolume", nil,
		"Name", "State", "OwnerNode.Name", "SharedVolumeInfo.FriendlyVolumeName", "SharedVolumeInfo.Partition.Size", "SharedVolumeInfo.Partition.FreeSpace")
}
