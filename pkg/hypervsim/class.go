package hypervsim

import (
	"slices"

	"guestclustering.io/operator/pkg/hypervsim/failover"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

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
		return classOfInner(o)
	}
}

// classOfInner is the class of an object of a cluster inside guests.
func classOfInner(o object) string {
	switch o.(type) {
	case view[*failover.Cluster]:
		return "Cluster"
	case view[*failover.Node]:
		return "ClusterNode"
	case view[*failover.Group]:
		return "ClusterGroup"
	case view[*failover.Resource]:
		return "ClusterResource"
	case view[innerNetwork]:
		return "ClusterNetwork"
	case view[availableDisk]:
		return "ClusterDiskInfo"
	default:
		return ""
	}
}

// Classes lists the classes of live objects with their properties' lower-case names. Host clusters and those inside guests have
// some in common, of which different properties are known.
func Classes() map[string][]string {
	out := map[string][]string{}
	for _, o := range []kept{
		view[*machine]{class: machineClass}, view[*adapter]{class: adapterClass}, view[*drive]{class: driveClass},
		view[*controller]{class: controllerClass}, view[openDisk]{class: vhdClass}, view[vmSwitch]{class: switchClass},
		view[*host]{class: hostClass}, view[*host]{class: nodeClass}, view[*World]{class: clusterClass},
		view[*volume]{class: volumeClass}, view[*group]{class: groupClass}, view[*resource]{class: resourceClass},
		view[*file]{class: fileClass}, view[*folder]{class: folderClass},
		view[*failover.Cluster]{class: innerClusterClass}, view[*failover.Node]{class: innerNodeClass}, view[*failover.Group]{class: innerGroupClass},
		view[*failover.Resource]{class: innerResourceClass}, view[innerNetwork]{class: innerNetworkClass}, view[availableDisk]{class: availableDiskClass},
	} {
		names := append(out[classOf(o)], o.names()...)
		slices.Sort(names)
		out[classOf(o)] = slices.Compact(names)
	}
	return out
}
