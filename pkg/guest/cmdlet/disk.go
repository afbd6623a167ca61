package cmdlet

import "guestclustering.io/operator/pkg/hostagent"

// Disks reads the guest's disks; Size and LargestFreeExtent are in bytes, PartitionStyle is RAW, MBR or GPT, Guid is the GPT
// disk's in braces ("Get-Disk").
func Disks(id string) hostagent.Call {
	return call(id, "Get-Disk", nil, "Number", "UniqueId", "Size", "PartitionStyle", "Guid", "IsOffline", "IsReadOnly", "IsBoot", "LargestFreeExtent")
}

// Rescan reads disks and volumes again ("Update-HostStorageCache").
func Rescan(id string) hostagent.Call { return call(id, "Update-HostStorageCache", nil) }

// InitializeDisk brings a raw disk to one NTFS volume with a drive letter and sets it offline again, and gives its GPT GUID. A
// disk that is not raw is refused with category ResourceExists and left as it is (Initialize-SharedDisk).
func InitializeDisk(id, uniqueID, label string) hostagent.Call {
	return call(id, "Initialize-SharedDisk", p{"UniqueId": hostagent.Text(uniqueID), "Label": hostagent.Text(label)}, "Guid")
}

// SetDiskOffline sets a disk offline, which no cluster owns yet ("Set-Disk").
func SetDiskOffline(id, uniqueID string) hostagent.Call {
	return call(id, "Set-Disk", p{"UniqueId": hostagent.Text(uniqueID), "IsOffline": hostagent.Bool(true)})
}

// GrowVolume gives the volume of a disk all the room that the disk has. It runs on the node that owns the disk
// (Expand-SharedDisk).
func GrowVolume(id, guid string) hostagent.Call {
	return call(id, "Expand-SharedDisk", p{"Guid": hostagent.Text(guid)}, "Size")
}
