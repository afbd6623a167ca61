package cmdlet

// Kind says what a call does to its target and how long it may take.
type Kind string

const (
	// Read changes nothing.
	Read Kind = "Read"
	// Change is done when the call returns.
	Change Kind = "Change"
	// Long is started by the call and goes on after it; the next snapshots show how far it is.
	Long Kind = "Long"
)

// Kinds lists every cmdlet and named function that the operator calls.
var Kinds = map[string]Kind{
	"Add-AntiAffinityClassName":      Change,
	"Add-ClusterVirtualMachineRole":  Change,
	"Add-VMHardDiskDrive":            Change,
	"Add-VMNetworkAdapter":           Change,
	"Add-VMScsiController":           Change,
	"Connect-VMNetworkAdapter":       Change,
	"Get-CimInstance":                Read,
	"Get-Cluster":                    Read,
	"Get-ClusterGroup":               Read,
	"Get-ClusterNode":                Read,
	"Get-ClusterResource":            Read,
	"Get-ClusterSharedVolume":        Read,
	"Get-Item":                       Read,
	"Get-StampedFolder":              Read,
	"Get-VHD":                        Read,
	"Get-VM":                         Read,
	"Get-VMHardDiskDrive":            Read,
	"Get-VMHost":                     Read,
	"Get-VMNetworkAdapter":           Read,
	"Get-VMScsiController":           Read,
	"Get-VMSwitch":                   Read,
	"Move-ClusterVirtualMachineRole": Long,
	"New-StampedFolder":              Change,
	"New-VHD":                        Long,
	"New-VM":                         Change,
	"Remove-AntiAffinityClassName":   Change,
	"Remove-ClusterGroup":            Change,
	"Remove-StampedFolder":           Change,
	"Remove-VM":                      Change,
	"Remove-VMHardDiskDrive":         Change,
	"Remove-VMNetworkAdapter":        Change,
	"Rename-VM":                      Change,
	"Resize-VHD":                     Change,
	"Set-AnswerFile":                 Change,
	"Set-ClusterParameter":           Change,
	"Set-VM":                         Change,
	"Set-VMNetworkAdapter":           Change,
	"Set-VMNetworkAdapterVlan":       Change,
	"Start-ClusterGroup":             Long,
	"Start-Work":                     Long,
	"Stop-ClusterGroup":              Long,
	"Stop-VM":                        Change,
	"Update-ClusterVirtualMachineConfiguration": Change,
}

// Inside lists the cmdlets that scripts of ours run and no batch does: they are called by named functions alone, of
// functions.ps1.
var Inside = []string{
	"Copy-Item", "Dismount-VHD", "Get-ChildItem", "Get-Content", "Get-PSDrive", "Get-ScheduledTask", "Invoke-CimMethod",
	"Mount-VHD", "Move-Item", "New-Item", "New-ScheduledTaskAction", "New-ScheduledTaskPrincipal",
	"New-ScheduledTaskSettingsSet", "Register-ScheduledTask", "Remove-Item", "Set-Content", "Start-ScheduledTask",
	"Test-Path", "Unregister-ScheduledTask",
}
