package cmdlet

import (
	"strconv"

	"guestclustering.io/operator/pkg/hostagent"
)

// OfflineActionShutDown is the value of a virtual machine resource's OfflineAction that shuts the guest down; the
// default, 1, saves it ("Virtual Machines: OfflineAction").
const OfflineActionShutDown = 2

// MakeClustered makes a machine a role of the host cluster; it runs on the host that has the machine
// ("Add-ClusterVirtualMachineRole").
func MakeClustered(id, vmID, group string) hostagent.Call {
	return call(id, "Add-ClusterVirtualMachineRole", p{"VMId": hostagent.Text(vmID), "Name": hostagent.Text(group)})
}

// MakeNewClustered is MakeClustered for a machine that an earlier call of the batch returned.
func MakeNewClustered(id, vmCall, group string) hostagent.Call {
	return call(id, "Add-ClusterVirtualMachineRole", p{
		"VMId": hostagent.Ref{Call: vmCall, Property: "Id"}, "Name": hostagent.Text(group),
	})
}

// MachineResource gets a machine's cluster resource as a live object ("Get-ClusterResource").
func MachineResource(id, resource string) hostagent.Call {
	return call(id, "Get-ClusterResource", p{"Name": hostagent.Texts(resource)})
}

// MachineResourceOf gets the cluster resource of a machine that an earlier call of the batch returned
// ("Get-ClusterResource").
func MachineResourceOf(id, vmCall string) hostagent.Call {
	return call(id, "Get-ClusterResource", p{"VMId": hostagent.Ref{Call: vmCall, Property: "Id"}})
}

// SetOfflineAction decides what becomes of a machine when its resource goes offline ("Set-ClusterParameter").
func SetOfflineAction(id, resourceCall string, action int) hostagent.Call {
	return call(id, "Set-ClusterParameter", p{
		"InputObject": ref(resourceCall),
		"Name":        hostagent.Text("OfflineAction"),
		"Value":       hostagent.Text(strconv.Itoa(action)),
	})
}

// RefreshConfiguration makes the host cluster read a machine's configuration again after a change through Hyper-V's
// cmdlets ("Update-ClusterVirtualMachineConfiguration").
func RefreshConfiguration(id, vmID string) hostagent.Call {
	return call(id, "Update-ClusterVirtualMachineConfiguration", p{"VMId": hostagent.Text(vmID)})
}

// StartGroup starts a group without waiting for it ("Start-ClusterGroup").
func StartGroup(id, group string) hostagent.Call {
	return call(id, "Start-ClusterGroup", p{"Name": hostagent.Text(group), "Wait": hostagent.Int(0)})
}

// StopGroup takes a group offline without waiting for it; a machine in it does what its OfflineAction says
// ("Stop-ClusterGroup").
func StopGroup(id, group string) hostagent.Call {
	return call(id, "Stop-ClusterGroup", p{"Name": hostagent.Text(group), "Wait": hostagent.Int(0)})
}

// LiveMigrate moves a running machine to a node without waiting for it ("Move-ClusterVirtualMachineRole").
func LiveMigrate(id, vmID, node string) hostagent.Call {
	return call(id, "Move-ClusterVirtualMachineRole", p{
		"VMId":          hostagent.Text(vmID),
		"Node":          hostagent.Text(node),
		"MigrationType": hostagent.Text("Live"),
		"Wait":          hostagent.Int(0),
	})
}

// RemoveMachineGroup removes a machine's group and its resources from the host cluster; the machine stays
// ("Remove-ClusterGroup").
func RemoveMachineGroup(id, vmID string) hostagent.Call {
	return call(id, "Remove-ClusterGroup", p{
		"VMId": hostagent.Text(vmID), "RemoveResources": hostagent.Bool(true), "Force": hostagent.Bool(true),
	})
}
