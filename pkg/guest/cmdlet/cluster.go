package cmdlet

import "guestclustering.io/operator/pkg/hostagent"

// Cluster reads the cluster that the member is a node of ("Get-Cluster").
func Cluster(id string) hostagent.Call {
	return call(id, "Get-Cluster", nil, "Name", "Id", "SameSubnetThreshold", "CrossSubnetThreshold", "WitnessDynamicWeight")
}

// Nodes lists its nodes ("Get-ClusterNode").
func Nodes(id string) hostagent.Call {
	return call(id, "Get-ClusterNode", nil, "Name", "Id", "State", "StatusInformation", "DrainStatus", "NodeWeight", "DynamicWeight")
}

// Groups lists its groups ("Get-ClusterGroup").
func Groups(id string) hostagent.Call {
	return call(id, "Get-ClusterGroup", nil, "Name", "Id", "GroupType", "State", "OwnerNode.Name")
}

// Resources lists its resources ("Get-ClusterResource").
func Resources(id string) hostagent.Call {
	return call(id, "Get-ClusterResource", nil, "Name", "Id", "ResourceType.Name", "OwnerGroup.Name", "OwnerNode.Name", "State")
}

// ResourceProperties reads the private properties of all resources in one CIM query: those of disks, network names,
// addresses and witnesses ("MSCluster_Resource class", "Physical Disk Private Properties", "Network Name Private Properties").
func ResourceProperties(id string) hostagent.Call {
	return call(id, "Get-CimInstance", p{"Namespace": hostagent.Text("root/MSCluster"), "ClassName": hostagent.Text("MSCluster_Resource")},
		"Name", "PrivateProperties.DiskIdGuid", "PrivateProperties.DnsName", "PrivateProperties.ObjectGUID", "PrivateProperties.Address",
		"PrivateProperties.SharePath", "PrivateProperties.AccountName")
}

// Networks lists its networks ("Get-ClusterNetwork").
func Networks(id string) hostagent.Call {
	return call(id, "Get-ClusterNetwork", nil, "Name", "Id", "Role", "State", "Address", "AddressMask")
}

// Quorum reads the witness ("Get-ClusterQuorum").
func Quorum(id string) hostagent.Call {
	return call(id, "Get-ClusterQuorum", nil, "QuorumResource.Name", "QuorumType")
}

// SharedVolumes lists its cluster shared volumes ("Get-ClusterSharedVolume").
func SharedVolumes(id string) hostagent.Call {
	return call(id, "Get-ClusterSharedVolume", nil, "Name", "State", "OwnerNode.Name")
}

// AvailableDisks lists the disks that could become cluster disks; Id is the GPT GUID in braces ("Get-ClusterAvailableDisk").
func AvailableDisks(id string) hostagent.Call {
	return call(id, "Get-ClusterAvailableDisk", nil, "Id", "Number")
}

// Shares lists the SMB shares that the member serves, Windows' own left out ("Get-SmbShare").
func Shares(id string) hostagent.Call {
	return call(id, "Get-SmbShare", p{"Special": hostagent.List{hostagent.Bool(false)}}, "Name", "ScopeName", "Path", "ContinuouslyAvailable")
}

// StartValidation starts validating nodes in a task of a user that outlives the session, and does not wait. Run names the
// report; ignore are categories or tests to leave out, as Test-Cluster names them. The task needs the user's password, to act
// on the other nodes after the call; with it the call itself may come with any logon (Start-ClusterValidation).
func StartValidation(id, run string, nodes, ignore []string, as hostagent.Credential) hostagent.Call {
	parameters := p{"Id": hostagent.Text(run), "Node": hostagent.Texts(nodes...), "Credential": as}
	if len(ignore) > 0 {
		parameters["Ignore"] = hostagent.Texts(ignore...)
	}
	return call(id, "Start-ClusterValidation", parameters)
}

// Validation reads how a validation goes, and its report once there is one (Get-ClusterValidation).
func Validation(id, run string) hostagent.Call {
	return call(id, "Get-ClusterValidation", p{"Id": hostagent.Text(run)}, "State", "Error", "Report")
}

// NewCluster forms the cluster without any disk. Addresses are those of networks without DHCP ("New-Cluster").
func NewCluster(id, name string, nodes, addresses []string, inDomain bool) hostagent.Call {
	parameters := p{
		"Name": hostagent.Text(name), "Node": hostagent.Texts(nodes...), "NoStorage": hostagent.Bool(true), "Force": hostagent.Bool(true),
	}
	if len(addresses) > 0 {
		parameters["StaticAddress"] = hostagent.Texts(addresses...)
	}
	if !inDomain {
		parameters["AdministrativeAccessPoint"] = hostagent.Text("Dns")
	}
	return call(id, "New-Cluster", parameters, "Name", "Id")
}

// AddNode makes another member a node, without its disks ("Add-ClusterNode").
func AddNode(id, name string) hostagent.Call {
	return call(id, "Add-ClusterNode", p{"Name": hostagent.Texts(name), "NoStorage": hostagent.Bool(true)})
}

// DrainNode pauses a node and moves its roles away ("Suspend-ClusterNode").
func DrainNode(id, name string) hostagent.Call {
	return call(id, "Suspend-ClusterNode", p{"Name": hostagent.Texts(name), "Drain": hostagent.Bool(true)})
}

// ResumeNode lets a node own roles again, and moves none back ("Resume-ClusterNode").
func ResumeNode(id, name string) hostagent.Call {
	return call(id, "Resume-ClusterNode", p{"Name": hostagent.Texts(name), "Failback": hostagent.Text("NoFailback")})
}

// EvictNode makes a member a node no more ("Remove-ClusterNode").
func EvictNode(id, name string) hostagent.Call {
	return call(id, "Remove-ClusterNode", p{"Name": hostagent.Texts(name), "Force": hostagent.Bool(true)})
}

// RemoveCluster destroys the cluster; its disks keep their data ("Remove-Cluster").
func RemoveCluster(id string) hostagent.Call {
	return call(id, "Remove-Cluster", p{"Force": hostagent.Bool(true), "CleanupAD": hostagent.Bool(true)})
}

// AddDisk makes a disk a cluster disk under a name of ours. It runs on a node (Add-SharedDisk).
func AddDisk(id, guid, name string) hostagent.Call {
	return call(id, "Add-SharedDisk", p{"Guid": hostagent.Text(guid), "Name": hostagent.Text(name)})
}

// RemoveResource takes a resource out of the cluster; a disk keeps its data ("Remove-ClusterResource").
func RemoveResource(id, name string) hostagent.Call {
	return call(id, "Remove-ClusterResource", p{"Name": hostagent.Texts(name), "Force": hostagent.Bool(true)})
}

// MakeSharedVolume makes a cluster disk a cluster shared volume ("Add-ClusterSharedVolume").
func MakeSharedVolume(id, name string) hostagent.Call {
	return call(id, "Add-ClusterSharedVolume", p{"Name": hostagent.Texts(name)})
}

// SetNetwork names a network and says what it is for: 0 nothing, 1 the cluster alone, 3 the cluster and its clients
// (Set-ClusterNetworkRole).
func SetNetwork(id, networkID, name string, role int64) hostagent.Call {
	return call(id, "Set-ClusterNetworkRole", p{"Id": hostagent.Text(networkID), "Name": hostagent.Text(name), "Role": hostagent.Int(role)})
}

// SetHeartbeat sets how many heartbeats may be missed, in one subnet and across subnets (Set-ClusterHeartbeat).
func SetHeartbeat(id string, sameSubnet, crossSubnet int64) hostagent.Call {
	return call(id, "Set-ClusterHeartbeat", p{"SameSubnetThreshold": hostagent.Int(sameSubnet), "CrossSubnetThreshold": hostagent.Int(crossSubnet)})
}

// StartGroup brings a role online ("Start-ClusterGroup").
func StartGroup(id, name string) hostagent.Call {
	return call(id, "Start-ClusterGroup", p{"Name": hostagent.Text(name), "Wait": hostagent.Int(0)})
}

// MoveGroup moves a role to another node ("Move-ClusterGroup").
func MoveGroup(id, name, node string) hostagent.Call {
	return call(id, "Move-ClusterGroup", p{"Name": hostagent.Text(name), "Node": hostagent.Text(node), "Wait": hostagent.Int(0)})
}
