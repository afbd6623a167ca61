package cmdlet

import "guestclustering.io/operator/pkg/hostagent"

// NewFileServer makes a file server role on a cluster disk that is in Available Storage ("Add-ClusterFileServerRole").
func NewFileServer(id, name, disk string, addresses ...string) hostagent.Call {
	parameters := p{"Name": hostagent.Text(name), "Storage": hostagent.Texts(disk), "Wait": hostagent.Int(0)}
	if len(addresses) > 0 {
		parameters["StaticAddress"] = hostagent.Texts(addresses...)
	}
	return call(id, "Add-ClusterFileServerRole", parameters)
}

// NewShare makes a continuously available share of a file server role, in a folder Shares\<name> of its disk. It runs on the
// node that owns the role. Without accounts administrators alone have access (New-ClusterShare).
func NewShare(id, role, diskGUID, name string, fullAccess ...string) hostagent.Call {
	parameters := p{"Role": hostagent.Text(role), "DiskGuid": hostagent.Text(diskGUID), "Name": hostagent.Text(name)}
	if len(fullAccess) > 0 {
		parameters["FullAccess"] = hostagent.Texts(fullAccess...)
	}
	return call(id, "New-ClusterShare", parameters)
}
