package cmdlet

import "guestclustering.io/operator/pkg/hostagent"

// The calls below are named functions of the executor (functions.ps1): each does on the host, in one go, what no
// single cmdlet does.

// StampedFolders lists the folders with a stamp directly below the pools: the stamp's text, the files (name, length
// in bytes), the texts of their work files, and the names of the folders in it.
func StampedFolders(id string, pools ...string) hostagent.Call {
	return call(id, "Get-StampedFolder", p{"Pool": hostagent.Texts(pools...)}, "Path", "Stamp", "Files", "Work", "Folders")
}

// NewStampedFolder makes a folder and writes the stamp into it first. A folder that carries the same stamp is left as
// it is; one with another stamp or with other content is refused (ResourceExists).
func NewStampedFolder(id, path, stamp string) hostagent.Call {
	return call(id, "New-StampedFolder", p{"Path": hostagent.Text(path), "Stamp": hostagent.Text(stamp)})
}

// RemoveStampedFolder removes a folder with everything in it, if it carries exactly this stamp.
func RemoveStampedFolder(id, path, stamp string) hostagent.Call {
	return call(id, "Remove-StampedFolder", p{"Path": hostagent.Text(path), "Stamp": hostagent.Text(stamp)})
}

// StartCopy starts copying a file into destination.partial in a task that outlives the session; the task renames it to
// the destination when it is complete. Id, input hash, state, node, start and error stand in destination.work.json. An
// id that is there already, running or completed, is not started again, unless the host that ran it went down: the host
// itself begins anew, and another one while that node is down.
func StartCopy(id, workID, inputHash, source, destination string) hostagent.Call {
	return call(id, "Start-Work", p{
		"Id":          hostagent.Text(workID),
		"InputHash":   hostagent.Text(inputHash),
		"Source":      hostagent.Text(source),
		"Destination": hostagent.Text(destination),
	})
}

// SetAnswerFile puts an answer file into the Windows on an OS disk that nobody has open, where set-up finds it before any
// other ("Windows Setup Automation Overview"). A disk that lies in no folder with a stamp is refused (PermissionDenied), one
// without a Windows too (InvalidData). While the host is at another disk, the call waits for two minutes (ResourceBusy).
func SetAnswerFile(id, disk string, content hostagent.Secret) hostagent.Call {
	return call(id, "Set-AnswerFile", p{"Path": hostagent.Text(disk), "Content": content})
}

// AddClassName adds one name to a machine's group's AntiAffinityClassNames and leaves the others alone.
func AddClassName(id, vmID, className string) hostagent.Call {
	return call(id, "Add-AntiAffinityClassName", p{"VMId": hostagent.Text(vmID), "ClassName": hostagent.Text(className)})
}

// RemoveClassName removes one name from a machine's group's AntiAffinityClassNames and leaves the others alone.
func RemoveClassName(id, vmID, className string) hostagent.Call {
	return call(id, "Remove-AntiAffinityClassName", p{"VMId": hostagent.Text(vmID), "ClassName": hostagent.Text(className)})
}
