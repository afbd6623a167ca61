package conformance

import "guestclustering.io/operator/pkg/hostagent"

// p saves repeating the parameter type.
type p = hostagent.Parameters

func call(id, cmdlet string, parameters p, selected ...string) hostagent.Call {
	return hostagent.Call{ID: id, Cmdlet: cmdlet, Parameters: parameters, Select: selected}
}

func newFolder(id, path, text string) hostagent.Call {
	return call(id, "New-StampedFolder", p{"Path": hostagent.Text(path), "Stamp": hostagent.Text(text)})
}

func removeFolder(id, path, text string) hostagent.Call {
	return call(id, "Remove-StampedFolder", p{"Path": hostagent.Text(path), "Stamp": hostagent.Text(text)})
}

func folders(id, pool string) hostagent.Call {
	return call(id, "Get-StampedFolder", p{"Pool": hostagent.Texts(pool)}, "Path", "Stamp")
}

func items(id string, paths ...string) hostagent.Call {
	return call(id, "Get-Item", p{"LiteralPath": hostagent.Texts(paths...)}, "FullName")
}

func newDisk(id, path string, bytes int64) hostagent.Call {
	return call(id, "New-VHD", p{"Path": hostagent.Text(path), "SizeBytes": hostagent.Int(bytes), "Dynamic": hostagent.Bool(true)})
}

func removeVM(id, vmCall string) hostagent.Call {
	return call(id, "Remove-VM", p{"VM": hostagent.Ref{Call: vmCall}, "Force": hostagent.Bool(true)})
}
