package session_test

import (
	_ "embed"
	"slices"
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/surface"
)

//go:embed testdata/standin-guest.ps1
var guestStandIn string

const (
	gpt       = `'{aaaaaaaa-0000-0000-0000-000000000001}'`
	initial   = "; foreach ($r in Call Initialize-SharedDisk @{ UniqueId = 'u1'; Label = 'data' }) { if ($r -is [string]) { $r } else { \"gives $($r.Guid)\" } }; $Noted; \"offline $($disk.IsOffline)\""
	validate  = `$run = @{ Id = 'r1'; Node = 'SQL-1', 'SQL-2'; Credential = [pscredential]::new('CORP\forming', [Net.NetworkCredential]::new('', 'secret').SecurePassword) }; `
	told      = `; foreach ($v in Call Get-ClusterValidation @{ Id = 'r1' }) { if ($v -is [string]) { $v } else { "$($v.State) [$($v.Error)] [$($v.Report)]" } }`
	folder    = `C:\ProgramData\GuestClustering\validation.r1`
	later     = `; $Times['` + folder + `\nodes.txt'] = [DateTime]::UtcNow.AddMinutes(-2)`
	share     = `$share = @{ Role = 'FILES'; DiskGuid = ` + gpt + `; Name = 'data' }; $disk = New-Disk 'u1' 'GPT' @('Reserved', 'Basic'); $disk.IsOffline = $false; `
	prepared  = "Update-HostStorageCache\nSet-Disk -IsOffline False -Number 2\nInitialize-Disk -Number @(2) -PartitionStyle GPT\nNew-Partition -AssignDriveLetter True -DiskNumber @(2) -UseMaximumSize True\nFormat-Volume -FileSystem NTFS -NewFileSystemLabel data -Partition <partition 2>\nSet-Disk -IsOffline True -Number 2\noffline True"
	untouched = "ended ResourceExists"
)

// Each scenario has the world of standin.ps1 and that of standin-guest.ps1.
var guestScenarios = map[string]scenario{
	"a raw disk becomes a volume and is offline again": {
		script: `$disk = New-Disk 'u1' 'RAW'` + initial,
		want:   "gives {aaaaaaaa-0000-0000-0000-00000000000f}\n" + prepared,
	},
	"a disk that is read-only is made writable": {
		script: `$disk = New-Disk 'u1' 'RAW'; $disk.IsReadOnly = $true; $disk.IsOffline = $false` + initial,
		want: "gives {aaaaaaaa-0000-0000-0000-00000000000f}\n" +
			strings.Replace(prepared, "Set-Disk -IsOffline False -Number 2", "Set-Disk -IsReadOnly False -Number 2", 1),
	},
	"a disk with a partition is left as it is":  {script: `$disk = New-Disk 'u1' 'GPT' @('Reserved', 'Basic')` + initial, want: untouched},
	"a disk with MBR is left as it is":          {script: `$disk = New-Disk 'u1' 'MBR'` + initial, want: untouched},
	"a disk of a cluster is left as it is":      {script: `$disk = New-Disk 'u1' 'RAW'; $disk.IsClustered = $true` + initial, want: untouched},
	"the disk that Windows is on, too":          {script: `$disk = New-Disk 'u1' 'RAW'; $disk.IsBoot = $true` + initial, want: untouched},
	"a partition on a disk that is online, too": {script: `$disk = New-Disk 'u1' 'GPT' @('Reserved', 'Basic'); $disk.IsOffline = $false` + initial, want: untouched},
	"nothing is changed on a disk that is refused": {
		script: `$disk = New-Disk 'u1' 'GPT' @('Reserved', 'Basic'); try { Call Initialize-SharedDisk @{ UniqueId = 'u1'; Label = 'data' } } catch { "$_" }; $Noted`,
		want:   "Disk u1 has something on it, and is never formatted.\nUpdate-HostStorageCache",
	},
	"what another node has written shows once the disk is online": {
		script: `$disk = New-Disk 'u1' 'RAW'; $disk.WhenOnline = { param($d) $d.PartitionStyle = 'GPT'; Add-Part $d 'Reserved'; Add-Part $d 'Basic' }
			try { Call Initialize-SharedDisk @{ UniqueId = 'u1'; Label = 'data' } } catch { "ended $($_.CategoryInfo.Category)" }; $Noted; "offline $($disk.IsOffline)"`,
		want: untouched + "\nUpdate-HostStorageCache\nSet-Disk -IsOffline False -Number 2\nSet-Disk -IsOffline True -Number 2\noffline True",
	},
	"what a dead call left without a partition is brought to its end": {
		script: `$disk = New-Disk 'u1' 'GPT' @('Reserved'); $disk.IsOffline = $false` + initial,
		want: "gives {aaaaaaaa-0000-0000-0000-000000000001}\n" + strings.Replace(prepared,
			"Set-Disk -IsOffline False -Number 2\nInitialize-Disk -Number @(2) -PartitionStyle GPT\n", "", 1),
	},
	"of a disk that is offline nobody knows the partitions": {script: `$disk = New-Disk 'u1' 'GPT' @('Reserved')` + initial, want: untouched},
	"partitions that cannot be read are not taken for none": {script: `$disk = New-Disk 'u1' 'GPT'; $disk.NumberOfPartitions = 1; $disk.IsOffline = $false` + initial, want: untouched},
	"an id that two disks have":                             {script: `$disk = New-Disk 'u1' 'RAW'; $null = New-Disk 'u1' 'RAW'` + initial, want: "ended InvalidData"},
	"an id that no disk has, though one in other case":      {script: `$disk = New-Disk 'U1' 'RAW'` + initial, want: "ended ObjectNotFound"},
	"a label that NTFS has no room for":                     {script: `$disk = New-Disk 'u1' 'RAW'; Call Initialize-SharedDisk @{ UniqueId = 'u1'; Label = 'x' * 33 }`, want: "ended InvalidArgument"},
	"a failure leaves the disk online, for another call":    {script: `$disk = New-Disk 'u1' 'RAW'; $Fail['New-Partition'] = 'no'; try { Call Initialize-SharedDisk @{ UniqueId = 'u1'; Label = 'data' } } catch { "$_" }; $Fail.Clear()` + initial, want: "no\ngives {aaaaaaaa-0000-0000-0000-00000000000f}\nUpdate-HostStorageCache\nSet-Disk -IsOffline False -Number 2\nInitialize-Disk -Number @(2) -PartitionStyle GPT\nUpdate-HostStorageCache\nNew-Partition -AssignDriveLetter True -DiskNumber @(2) -UseMaximumSize True\nFormat-Volume -FileSystem NTFS -NewFileSystemLabel data -Partition <partition 2>\nSet-Disk -IsOffline True -Number 2\noffline True"},

	"a volume gets all the room": {
		script: `$disk = New-Disk 'u1' 'GPT' @('Reserved', 'Basic'); $disk.IsOffline = $false; (Call Expand-SharedDisk @{ Guid = '{AAAAAAAA-0000-0000-0000-000000000001}' }).Size; $Noted`,
		want:   "104857600\nUpdate-HostStorageCache\nResize-Partition -DiskNumber @(2) -PartitionNumber @(2) -Size 104857600",
	},
	"a volume that has all the room stays": {
		script: `$disk = New-Disk 'u1' 'GPT' @('Basic'); $disk.IsOffline = $false; $disk.Size = 50MB + 1023KB; (Call Expand-SharedDisk @{ Guid = ` + gpt + ` }).Size; $Noted`,
		want:   "52428800\nUpdate-HostStorageCache",
	},
	"a disk that another node owns": {script: `$null = New-Disk 'u1' 'GPT' @('Basic'); Call Expand-SharedDisk @{ Guid = ` + gpt + ` }`, want: "ended ResourceUnavailable"},
	"a disk that is gone":           {script: `$null = New-Disk 'u1' 'RAW'; Call Expand-SharedDisk @{ Guid = ` + gpt + ` }`, want: "ended ObjectNotFound"},
	"a disk with two partitions":    {script: `$disk = New-Disk 'u1' 'GPT' @('Basic', 'Basic'); $disk.IsOffline = $false; Call Expand-SharedDisk @{ Guid = ` + gpt + ` }`, want: "ended InvalidData"},

	"a disk becomes a cluster disk under its name": {
		script: `$global:Available = @([pscustomobject]@{ Id = '{AAAAAAAA-0000-0000-0000-000000000001}'; StandsFor = 'available' })
			$null = New-Resource 'Cluster Name' 'Network Name' ''; Call Add-SharedDisk @{ Guid = ` + gpt + `; Name = 'data' }; $Noted; $Made[1].Name
			Call Add-SharedDisk @{ Guid = ` + gpt + `; Name = 'data' }; "again $($Noted.Count)"`,
		want: "Add-ClusterDisk -InputObject @(<available>)\ndata\nagain 1",
	},
	"a cluster disk without its name gets it": {
		script: `$disk = New-Resource 'Cluster Disk 1' 'Physical Disk' ` + gpt + `; Call Add-SharedDisk @{ Guid = ` + gpt + `; Name = 'data' }; $disk.Name; $Noted`,
		want:   "data",
	},
	"another resource keeps its name": {
		script: `$disk = New-Resource 'Cluster Disk 1' 'Physical Disk' ` + gpt + `; $null = New-Resource 'DATA' 'Physical Disk' ''; Call Add-SharedDisk @{ Guid = ` + gpt + `; Name = 'data' }`,
		want:   "ended ResourceExists",
	},
	"a disk that the cluster cannot take": {script: `Call Add-SharedDisk @{ Guid = ` + gpt + `; Name = 'data' }`, want: "ended ObjectNotFound"},

	"a network gets its name and role": {
		script: `$global:Networks = @([pscustomobject]@{ Id = 'n1'; Name = 'Cluster Network 1'; Role = 'ClusterAndClient' }, [pscustomobject]@{ Id = 'n2'; Name = 'two'; Role = 'None' })
			Call Set-ClusterNetworkRole @{ Id = 'n1'; Name = 'heartbeat'; Role = 1 }; foreach ($n in $Networks) { "$($n.Name) $($n.Role)" }`,
		want: "heartbeat 1\ntwo None",
	},
	"a network that is as it should be is not set": {
		script: `$n = [pscustomobject]@{ Id = 'N1' }; $null = $n.psobject.Properties.Add([psscriptproperty]::new('Name', { 'client' }, { throw 'set' })); $null = $n.psobject.Properties.Add([psscriptproperty]::new('Role', { 'ClusterAndClient' }, { throw 'set' }))
			$global:Networks = @($n); Call Set-ClusterNetworkRole @{ Id = 'n1'; Name = 'client'; Role = 3 }; 'left'`,
		want: "left",
	},
	"a role that is none":       {script: `Call Set-ClusterNetworkRole @{ Id = 'n1'; Name = 'a'; Role = 2 }`, want: "ended InvalidArgument"},
	"a network that is none":    {script: `Call Set-ClusterNetworkRole @{ Id = 'n1'; Name = 'a'; Role = 1 }`, want: "ended ObjectNotFound"},
	"heartbeats are set":        {script: `Call Set-ClusterHeartbeat @{ SameSubnetThreshold = 20; CrossSubnetThreshold = 40 }; "$($ClusterItself.SameSubnetThreshold) $($ClusterItself.CrossSubnetThreshold)"`, want: "20 40"},
	"a cluster that is no more": {script: `$Fail['Get-Cluster'] = 'The cluster service is not running.'; Call Set-ClusterHeartbeat @{ SameSubnetThreshold = 20; CrossSubnetThreshold = 40 }`, want: "ended OperationStopped"},

	"a cloud witness gets its key as text": {
		script: `$key = [Net.NetworkCredential]::new('', 'the key').SecurePassword; Call Set-CloudWitness @{ AccountName = 'acc'; AccessKey = $key }
			Call Set-CloudWitness @{ AccountName = 'acc'; AccessKey = $key; Endpoint = 'core.chinacloudapi.cn' }; $Noted`,
		want: "Set-ClusterQuorum -AccessKey the key -AccountName acc -CloudWitness True\nSet-ClusterQuorum -AccessKey the key -AccountName acc -CloudWitness True -Endpoint core.chinacloudapi.cn",
	},

	"a share for accounts": {
		script: share + `$share.FullAccess = 'CORP\ops', 'CORP\sql$'; Call New-ClusterShare $share; $Noted; $World.ContainsKey('E:\Shares\data')`,
		want:   "New-SmbShare -ContinuouslyAvailable True -FullAccess @(CORP\\ops, CORP\\sql$) -Name data -Path E:\\Shares\\data -ScopeName FILES\nTrue",
	},
	"a share for administrators alone": {
		script: share + `Call New-ClusterShare $share; $Noted`,
		want:   "New-SmbShare -ContinuouslyAvailable True -Name data -Path E:\\Shares\\data -ScopeName FILES -SecurityDescriptor D:(A;;FA;;;BA)",
	},
	"the same share is left, and so is that of another role": {
		script: share + `$global:SmbShares = @([pscustomobject]@{ Name = 'data'; ScopeName = 'OTHER'; Path = 'F:\x'; ContinuouslyAvailable = $true }, [pscustomobject]@{ Name = 'DATA'; ScopeName = 'files'; Path = 'e:\shares\DATA'; ContinuouslyAvailable = $true })
			Call New-ClusterShare $share; "noted $($Noted.Count)"`,
		want: "noted 0",
	},
	"another share of the name": {
		script: share + `$global:SmbShares = @([pscustomobject]@{ Name = 'data'; ScopeName = 'FILES'; Path = 'E:\elsewhere'; ContinuouslyAvailable = $true }); Call New-ClusterShare $share`,
		want:   "ended ResourceExists",
	},
	"a share that is not continuously available": {
		script: share + `$global:SmbShares = @([pscustomobject]@{ Name = 'data'; ScopeName = 'FILES'; Path = 'E:\Shares\data'; ContinuouslyAvailable = $false }); Call New-ClusterShare $share`,
		want:   "ended ResourceExists",
	},
	"a role whose disk another node owns": {script: share + `$disk.IsOffline = $true; Call New-ClusterShare $share`, want: "ended ResourceUnavailable"},
	"a disk without a drive letter":       {script: share + `$disk.Parts[1].DriveLetter = [char] 0; Call New-ClusterShare $share`, want: "ended InvalidData"},
	"names that leave the folder": {
		script: share + `foreach ($name in '..', '.', 'a\b', 'a/b', 'a:b', '[a]', 'a*', "a` + "`n" + `b") { $share.Name = $name; try { Call New-ClusterShare $share } catch { $_.CategoryInfo.Category } }; "noted $($Noted.Count)"`,
		want:   strings.Repeat("InvalidArgument\n", 8) + "noted 0",
	},

	"a validation runs in a task of its user and leaves a report": {
		script: validate + `$run.Ignore = 'Storage', 'List Disks'; Call Start-ClusterValidation $run; $Tasks['Validation.r1'].State; Invoke-Validation 'r1'; $Noted` + told + `; "tasks $($Tasks.Count)"`,
		want: `Running
Register-ScheduledTask \GuestClustering\Validation.r1 as CORP\forming with 6 characters, Highest, in ` + folder + `
Test-Cluster -Force True -Ignore @(Storage, List Disks) -Node @(SQL-1, SQL-2) -ReportName ` + folder + `\page
Completed [] [<Report/>]
tasks 0`,
	},
	"no test is left out without a word": {
		script: validate + `Call Start-ClusterValidation $run; Invoke-Validation 'r1'; $Noted[1]`,
		want:   `Test-Cluster -Force True -Node @(SQL-1, SQL-2) -ReportName ` + folder + `\page`,
	},
	"what runs, or has a report, is not started again": {
		script: validate + `Call Start-ClusterValidation $run; Call Start-ClusterValidation $run; $Tasks['Validation.r1'].Starts; Invoke-Validation 'r1'; Call Start-ClusterValidation $run; "tasks $($Tasks.Count)"` + told,
		want:   "1\ntasks 0\nCompleted [] [<Report/>]",
	},
	"tests with errors have a report all the same": {
		script: validate + `Call Start-ClusterValidation $run; $Fail['a test'] = 'no'; Invoke-Validation 'r1'` + told,
		want:   "Completed [] [<Report/>]",
	},
	"a run without a report says why, and may be started again": {
		script: validate + `Call Start-ClusterValidation $run; $Fail['the report'] = 'yes'; $Fail['a test'] = 'SQL-2 does not answer'; Invoke-Validation 'r1'` + told + `; $Fail.Clear(); Call Start-ClusterValidation $run` + told + `; Invoke-Validation 'r1'` + told,
		want:   "Failed [Test-Cluster left no report. SQL-2 does not answer] []\nRunning [] []\nCompleted [] [<Report/>]",
	},
	"a report of another run is not taken": {
		script: validate + `$old = 'C:\Windows\Cluster\Reports\Validation Data For Node Set 0.xml'; $World['C:\Windows\Cluster\Reports'] = $null; $World[$old] = '<Old/>'; $Times[$old] = [DateTime]::UtcNow.AddHours(-1); Call Start-ClusterValidation $run; $Fail['the report'] = 'yes'; Invoke-Validation 'r1'` + told,
		want:   "Failed [Test-Cluster left no report. ] []",
	},
	"Test-Cluster that cannot run says why": {
		script: validate + `Call Start-ClusterValidation $run; $Fail['Test-Cluster'] = 'no such node'; Invoke-Validation 'r1'` + told,
		want:   "Failed [no such node] []",
	},
	"a run that a restart of the guest ended": {
		script: validate + `Call Start-ClusterValidation $run; $Tasks['Validation.r1'].State = 'Ready'` + told + later + told + `; Call Start-ClusterValidation $run; $Tasks['Validation.r1'].State; $Tasks['Validation.r1'].Starts`,
		want:   "Running [] []\nFailed [The validation was interrupted: its task does not run any more.] []\nRunning\n1",
	},
	"a run that takes its time": {
		script: validate + `Call Start-ClusterValidation $run` + later + told, want: "Running [] []",
	},
	"what other validations left goes, unless they run": {
		script: validate + `foreach ($id in 'old', 'busy') { $World["C:\ProgramData\GuestClustering\validation.$id"] = $null; $World["C:\ProgramData\GuestClustering\validation.$id\nodes.txt"] = 'a'; $Tasks["Validation.$id"] = [pscustomobject]@{ TaskName = "Validation.$id"; State = $(if ($id -eq 'busy') { 'Running' } else { 'Ready' }) } }
			$World['C:\ProgramData\GuestClustering'] = $null; $World['C:\ProgramData\GuestClustering\executor.ps1'] = 'x'; Call Start-ClusterValidation $run; $names = [string[]] @($Tasks.Keys); [array]::Sort($names); $names; foreach ($p in $World.Keys) { if ($p -like '*\GuestClustering\*' -and $p -notlike '*.r1*') { $p } }`,
		want: "Validation.busy\nValidation.r1\nC:\\ProgramData\\GuestClustering\\executor.ps1\nC:\\ProgramData\\GuestClustering\\validation.busy\nC:\\ProgramData\\GuestClustering\\validation.busy\\nodes.txt",
	},
	"a report that is too large is not read": {
		script: validate + `Call Start-ClusterValidation $run; $World['` + folder + `\report.xml'] = 16MB + 1` + told,
		want:   "Failed [The report has 16777217 bytes, more than is read: see " + folder + "\\report.xml.] []",
	},
	"a validation that was never started": {script: told[2:], want: "ended ObjectNotFound"},
	"an id that is a path":                {script: validate + `$run.Id = '..\r1'; Call Start-ClusterValidation $run`, want: "ended InvalidArgument"},
	"a node with a line end":              {script: validate + `$run.Node = "a` + "`n" + `b"; Call Start-ClusterValidation $run`, want: "ended InvalidArgument"},
	"a user that the task is refused": {
		script: validate + `$Fail['Register-ScheduledTask'] = 'Logon failure'; Call Start-ClusterValidation $run`, want: "ended OperationStopped",
	},
}

// The functions run against stand-ins with Microsoft's own parameters, and against those of files and tasks.
func TestGuestFunctions(t *testing.T) {
	stubs, err := surface.StubsByModule(hyperv.Build2016, "Invoke-StandIn $PSCmdlet $PSBoundParameters", "Windows")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, s := range stubs {
		if slices.Contains([]string{"Storage", "FailoverClusters", "SmbShare"}, s.Module) {
			script.WriteString(windowsTypes.ReplaceAllString(s.Text, "object"))
		}
	}
	script.WriteString(standIn + guestStandIn + preamble + session.Functions)
	runScenarios(t, script.String(), "Reset-World\nReset-Guest", guestScenarios)
}
