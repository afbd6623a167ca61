package cmdlet

import "guestclustering.io/operator/pkg/hostagent"

// AnswerFile is where Windows' set-up looks for the answer file first, inside the guest: before the folder above, in which
// an image may have kept the one that it was made with ("Windows Setup Automation Overview", implicit answer file search
// order).
const AnswerFile = `C:\Windows\Panther\Unattend\Unattend.xml`

// The registry keys that say how far Windows' set-up is, and whether a join waits for a restart.
const (
	keySetup      = `HKLM:\SYSTEM\Setup`
	keySetupState = `HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State`
	keyJoin       = `HKLM:\SYSTEM\CurrentControlSet\Services\Netlogon\JoinDomain`
)

// SetupProgress reads SystemSetupInProgress: 0 once set-up is over ("Get-ItemProperty").
func SetupProgress(id string) hostagent.Call {
	return call(id, "Get-ItemProperty", p{"LiteralPath": hostagent.Texts(keySetup)}, "SystemSetupInProgress")
}

// SetupState reads ImageState: IMAGE_STATE_COMPLETE once set-up is over ("Windows Setup States").
func SetupState(id string) hostagent.Call {
	return call(id, "Get-ItemProperty", p{"LiteralPath": hostagent.Texts(keySetupState)}, "ImageState")
}

// PendingJoin reads the key that is there between a join and the restart that completes it; without it the call fails with
// category ObjectNotFound ("Get-Item").
func PendingJoin(id string) hostagent.Call {
	return call(id, "Get-Item", p{"LiteralPath": hostagent.Texts(keyJoin)}, "Name")
}

// FindAnswerFile reads whether the answer file is still there; without it the call fails with category ObjectNotFound
// ("Get-Item").
func FindAnswerFile(id string) hostagent.Call {
	return call(id, "Get-Item", p{"LiteralPath": hostagent.Texts(AnswerFile)}, "FullName")
}

// RemoveAnswerFile removes the answer file with its password ("Remove-Item").
func RemoveAnswerFile(id string) hostagent.Call {
	return call(id, "Remove-Item", p{"LiteralPath": hostagent.Texts(AnswerFile), "Force": hostagent.Bool(true)})
}

// OperatingSystem reads Windows' build and when it was started ("Win32_OperatingSystem class").
func OperatingSystem(id string) hostagent.Call {
	return cim(id, "Win32_OperatingSystem", "", "BuildNumber", "LastBootUpTime")
}

// Computer reads the computer's name and the domain or workgroup that it is in ("Win32_ComputerSystem class").
func Computer(id string) hostagent.Call {
	return cim(id, "Win32_ComputerSystem", "", "Name", "Domain", "PartOfDomain")
}

// ClusterService reads the state of the cluster service; no value where the feature is not installed ("Win32_Service
// class").
func ClusterService(id string) hostagent.Call {
	return cim(id, "Win32_Service", "Name='ClusSvc'", "State", "StartMode")
}

// DiskPlaces reads where each disk is: Index is its number, SCSIPort its controller as Windows numbers them, SCSILogicalUnit
// the location on it ("Win32_DiskDrive class").
func DiskPlaces(id string) hostagent.Call {
	return cim(id, "Win32_DiskDrive", "", "Index", "SCSIPort", "SCSILogicalUnit")
}

func cim(id, class, filter string, properties ...string) hostagent.Call {
	parameters := p{
		"Namespace": hostagent.Text("root/cimv2"),
		"ClassName": hostagent.Text(class),
		"Property":  hostagent.Texts(properties...),
	}
	if filter != "" {
		parameters["Filter"] = hostagent.Text(filter)
	}
	return call(id, "Get-CimInstance", parameters, properties...)
}

// Features reads the state of features: Installed, Available, InstallPending and others ("Get-WindowsFeature").
func Features(id string, names ...string) hostagent.Call {
	return call(id, "Get-WindowsFeature", p{"Name": hostagent.Texts(names...)}, "Name", "InstallState")
}

// InstallFeatures installs features with their management tools. RestartNeeded is No, Yes or Maybe; what is installed
// already is no error ("Install-WindowsFeature").
func InstallFeatures(id string, names ...string) hostagent.Call {
	return call(id, "Install-WindowsFeature", p{"Name": hostagent.Texts(names...), "IncludeManagementTools": hostagent.Bool(true)},
		"Success", "RestartNeeded", "ExitCode")
}

// Restart restarts the guest, which answers no more in a moment ("Restart-Computer").
func Restart(id string) hostagent.Call {
	return call(id, "Restart-Computer", p{"Force": hostagent.Bool(true)})
}

// Administrators reads the members of the local group Administrators ("Get-LocalGroupMember").
func Administrators(id string) hostagent.Call {
	return call(id, "Get-LocalGroupMember", p{"SID": hostagent.Text(administratorsSID)}, "SID")
}

// AddAdministrators adds accounts by their SIDs to the local group Administrators ("Add-LocalGroupMember").
func AddAdministrators(id string, sids ...string) hostagent.Call {
	return call(id, "Add-LocalGroupMember", p{"SID": hostagent.Text(administratorsSID), "Member": hostagent.Texts(sids...)})
}

// administratorsSID is the local group Administrators in every language ("Well-known SIDs").
const administratorsSID = "S-1-5-32-544"
