package cmdlet

import "guestclustering.io/operator/pkg/hostagent"

// Slot is a place on a machine's SCSI controllers: controller 0 to 3, location 0 to 63
// ("Plan for Hyper-V scalability in Windows Server").
type Slot struct {
	Controller int32
	Location   int32
}

// NewVHD creates a virtual hard disk; the file's extension decides the format. With Fixed it takes long, and Windows
// itself goes on with it when the session ends ("New-VHD").
func NewVHD(id, path string, sizeBytes int64, fixed bool) hostagent.Call {
	kind := "Dynamic"
	if fixed {
		kind = "Fixed"
	}
	parameters := p{"Path": hostagent.Text(path), "SizeBytes": hostagent.Int(sizeBytes), kind: hostagent.Bool(true)}
	if fixed {
		parameters["AsJob"] = hostagent.Bool(true)
	}
	return call(id, "New-VHD", parameters)
}

// ResizeVHD makes a virtual hard disk larger, a VHD Set also while machines that share it run ("Resize-VHD", "Create Hyper-V VHD
// Set files").
func ResizeVHD(id, path string, sizeBytes int64) hostagent.Call {
	return call(id, "Resize-VHD", p{"Path": hostagent.Texts(path), "SizeBytes": hostagent.Int(sizeBytes)})
}

// AddController adds a SCSI controller; the machine must be off ("Add-VMScsiController").
func AddController(id, vmCall string) hostagent.Call {
	return call(id, "Add-VMScsiController", p{"VM": ref(vmCall)})
}

// AttachSharedDisk attaches a disk with the persistent-reservation flag, which belongs to the attachment and cannot
// be given later to a running machine ("Deploy a Guest Cluster Using a Shared Virtual Hard Disk").
func AttachSharedDisk(id, vmCall, path string, slot Slot) hostagent.Call {
	return call(id, "Add-VMHardDiskDrive", p{
		"VM":                            ref(vmCall),
		"ControllerType":                hostagent.Text("SCSI"),
		"ControllerNumber":              hostagent.Int(slot.Controller),
		"ControllerLocation":            hostagent.Int(slot.Location),
		"Path":                          hostagent.Text(path),
		"SupportPersistentReservations": hostagent.Bool(true),
	})
}

// DriveAt gets the drive at a slot as a live object, with its path, for the calls after it ("Get-VMHardDiskDrive").
func DriveAt(id, vmCall string, slot Slot) hostagent.Call {
	return call(id, "Get-VMHardDiskDrive", p{
		"VM":                 ref(vmCall),
		"ControllerType":     hostagent.Text("SCSI"),
		"ControllerNumber":   hostagent.Int(slot.Controller),
		"ControllerLocation": hostagent.Int(slot.Location),
	}, "Path")
}

// DetachDrive takes a drive off its machine; the file stays ("Remove-VMHardDiskDrive").
func DetachDrive(id, driveCall string) hostagent.Call {
	return call(id, "Remove-VMHardDiskDrive", p{"VMHardDiskDrive": ref(driveCall)})
}
