package hypervsim

import "guestclustering.io/operator/pkg/hypervsim/windows"

// classOf is the short name of an object's .NET class; empty for a script's own object.
func classOf(o object) string {
	switch o := o.(type) {
	case view[*machine]:
		return "VirtualMachine"
	case view[*adapter]:
		return "VMNetworkAdapter"
	case view[*drive]:
		return "HardDiskDrive"
	case view[*controller]:
		return "VMScsiController"
	case view[openDisk]:
		return "VirtualHardDisk"
	case view[vmSwitch]:
		return "VMSwitch"
	case view[*host]:
		if _, isNode := o.class["nodename"]; isNode {
			return "ClusterNode"
		}
		return "VMHost"
	default:
		return classOfOther(o)
	}
}

func classOfOther(o object) string {
	switch o.(type) {
	case view[*World]:
		return "Cluster"
	case view[*volume]:
		return "ClusterSharedVolume"
	case view[*group]:
		return "ClusterGroup"
	case view[*resource]:
		return "ClusterResource"
	case view[*file]:
		return "FileInfo"
	case view[*folder]:
		return "DirectoryInfo"
	case cimInstance, storageObject, *taskPart, *scheduledTask, view[*windows.Disk], view[partitionRef]:
		return "CimInstance"
	default:
		return ""
	}
}

// Classes lists the classes of live objects with their properties' lower-case names.
func Classes() map[string][]string {
	out := map[string][]string{}
	for _, o := range []kept{
		view[*machine]{class: machineClass}, view[*adapter]{class: adapterClass}, view[*drive]{class: driveClass},
		view[*controller]{class: controllerClass}, view[openDisk]{class: vhdClass}, view[vmSwitch]{class: switchClass},
		view[*host]{class: hostClass}, view[*host]{class: nodeClass}, view[*World]{class: clusterClass},
		view[*volume]{class: volumeClass}, view[*group]{class: groupClass}, view[*resource]{class: resourceClass},
		view[*file]{class: fileClass}, view[*folder]{class: folderClass},
	} {
		out[classOf(o)] = o.names()
	}
	return out
}
