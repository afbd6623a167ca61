# The named functions that run inside guests, in the form of those above. No host runs them.

# ---- Shared disks ---------------------------------------------------------------------------------------------------------

# Brings a raw disk to one NTFS volume with a drive letter and a label, sets it offline again and gives its GPT GUID in braces
# (Guid). It looks what is on the disk again once it is online, where another node's writing shows at last.
#
# A disk with anything on it is refused with category ResourceExists and left as it is. GPT without a partition of data is
# nothing, if the disk is online here: what a call left that died after Initialize-Disk is brought to its end. One that died
# after New-Partition left a partition, which is refused: nobody can tell it from one that holds data without a file system.
function Initialize-SharedDisk {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $UniqueId,
        [Parameter(Mandatory)] [string] $Label
    )
    $ErrorActionPreference = 'Stop'
    if ($Label.Length -gt 32) { Refuse $PSCmdlet 'InvalidArgument' $Label 'A label of NTFS has 32 characters at most.' }
    Update-HostStorageCache
    $found = @(Get-Disk | Where-Object { $_.UniqueId -ceq $UniqueId })
    if (-not $found.Count) { Refuse $PSCmdlet 'ObjectNotFound' $UniqueId "There is no disk with the unique id $UniqueId." }
    if ($found.Count -gt 1) { Refuse $PSCmdlet 'InvalidData' $UniqueId "There are $($found.Count) disks with the unique id $UniqueId." }
    $disk = $found[0]
    $number = $disk.Number
    $has = "Disk $UniqueId has something on it, and is never formatted."
    if (-not (IsBlank $disk)) { Refuse $PSCmdlet 'ResourceExists' $UniqueId $has }
    if ($disk.IsOffline) {
        Set-Disk -Number $number -IsOffline $false
        $disk = Get-Disk -Number $number
        if (-not (IsBlank $disk)) {
            Set-Disk -Number $number -IsOffline $true
            Refuse $PSCmdlet 'ResourceExists' $UniqueId $has
        }
    }
    if ($disk.IsReadOnly) { Set-Disk -Number $number -IsReadOnly $false }
    if ("$($disk.PartitionStyle)" -eq 'RAW') { Initialize-Disk -Number $number -PartitionStyle GPT }
    $partition = New-Partition -DiskNumber $number -UseMaximumSize -AssignDriveLetter
    $null = Format-Volume -Partition $partition -FileSystem NTFS -NewFileSystemLabel $Label -Confirm:$false
    $guid = (Get-Disk -Number $number).Guid
    Set-Disk -Number $number -IsOffline $true
    [pscustomobject]@{ Guid = $guid }
}

# Gives the volume of a disk all the room that the disk has, and tells the size of its partition in bytes (Size). It runs on
# the node that owns the disk. A disk that is offline here is refused with category ResourceUnavailable, one without exactly
# one partition of data with InvalidData. Less than a mebibyte is no room.
function Expand-SharedDisk {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Guid
    )
    $ErrorActionPreference = 'Stop'
    Update-HostStorageCache
    $place = @{ DiskNumber = (OnlineDisk $PSCmdlet $Guid).Number }
    $partitions = @(DataPartitions $place.DiskNumber)
    if ($partitions.Count -ne 1) {
        Refuse $PSCmdlet 'InvalidData' $Guid "Disk $Guid has $($partitions.Count) partitions of data, and grows by itself with one alone."
    }
    $place.PartitionNumber = $partitions[0].PartitionNumber
    $most = (Get-PartitionSupportedSize @place).SizeMax
    if ($most -lt $partitions[0].Size + 1MB) { return [pscustomobject]@{ Size = $partitions[0].Size } }
    Resize-Partition @place -Size $most
    [pscustomobject]@{ Size = (Get-Partition @place).Size }
}

# Makes a disk a cluster disk under a name; one that is a cluster disk gets the name. Another resource of the name is refused
# with category ResourceExists, a disk that the cluster cannot take with ObjectNotFound.
function Add-SharedDisk {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Guid,
        [Parameter(Mandatory)] [string] $Name
    )
    $ErrorActionPreference = 'Stop'
    $resources = @(Get-ClusterResource)
    $resource = $null
    foreach ($disk in $resources) {
        if ("$($disk.ResourceType.Name)" -ne 'Physical Disk') { continue }
        if (SameGuid (Get-ClusterParameter -InputObject $disk -Name DiskIdGuid).Value $Guid) { $resource = $disk }
    }
    if ($resource -and $resource.Name -ceq $Name) { return }
    if (@($resources | Where-Object { $_.Name -eq $Name -and -not ($resource -and $_.Name -eq $resource.Name) }).Count) {
        Refuse $PSCmdlet 'ResourceExists' $Name "The cluster has another resource with the name $Name."
    }
    if (-not $resource) {
        $available = @(Get-ClusterAvailableDisk | Where-Object { SameGuid $_.Id $Guid })
        if (-not $available.Count) {
            Refuse $PSCmdlet 'ObjectNotFound' $Guid "The cluster cannot take disk ${Guid}: every node has to see it, with a volume on it."
        }
        $resource = Add-ClusterDisk -InputObject $available[0]
    }
    $resource.Name = $Name
}

# Whether a disk has nothing on it. Partitions are read of disks that are online alone: of others Windows need not show them.
function IsBlank($disk) {
    if ($disk.IsBoot -or $disk.IsSystem -or $disk.IsClustered) { return $false }
    if ("$($disk.PartitionStyle)" -ne 'GPT') { return "$($disk.PartitionStyle)" -eq 'RAW' }
    if ($disk.IsOffline) { return $false }
    $partitions = @(Get-Partition -DiskNumber $disk.Number -ErrorAction Ignore)
    return $partitions.Count -eq $disk.NumberOfPartitions -and -not @($partitions | Where-Object { "$($_.Type)" -ne 'Reserved' }).Count
}

# Gives the disk with a GPT GUID, which must be online here.
function OnlineDisk($caller, [string] $guid) {
    $found = @(Get-Disk | Where-Object { SameGuid $_.Guid $guid })
    if (-not $found.Count) { Refuse $caller 'ObjectNotFound' $guid "There is no disk $guid." }
    if ($found[0].IsOffline) { Refuse $caller 'ResourceUnavailable' $guid "Disk $guid is offline on this node: another one owns it." }
    return $found[0]
}

function DataPartitions([long] $number) {
    return @(Get-Partition -DiskNumber $number -ErrorAction Ignore | Where-Object { "$($_.Type)" -eq 'Basic' })
}

# GUIDs are told with braces and without, in capitals and without.
function SameGuid($one, $other) { return "$one" -and "$one".Trim('{}') -eq "$other".Trim('{}') }

# ---- The cluster ----------------------------------------------------------------------------------------------------------

# Names a network of the cluster and says what it is for: 0 nothing, 1 the cluster alone, 3 the cluster and its clients.
function Set-ClusterNetworkRole {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Id,
        [Parameter(Mandatory)] [string] $Name,
        [Parameter(Mandatory)] [int] $Role
    )
    $ErrorActionPreference = 'Stop'
    $called = @{ 0 = 'None'; 1 = 'Cluster'; 3 = 'ClusterAndClient' }[$Role]
    if (-not $called) { Refuse $PSCmdlet 'InvalidArgument' "$Role" 'The role of a network is 0, 1 or 3.' }
    $found = @(Get-ClusterNetwork | Where-Object { SameGuid $_.Id $Id })
    if (-not $found.Count) { Refuse $PSCmdlet 'ObjectNotFound' $Id "The cluster has no network $Id." }
    if ($found[0].Name -cne $Name) { $found[0].Name = $Name }
    if ("$($found[0].Role)" -notin $called, "$Role") { $found[0].Role = $Role }
}

# Sets how many heartbeats may be missed, in one subnet and across subnets.
function Set-ClusterHeartbeat {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [int] $SameSubnetThreshold,
        [Parameter(Mandatory)] [int] $CrossSubnetThreshold
    )
    $ErrorActionPreference = 'Stop'
    $cluster = Get-Cluster
    if ($cluster.SameSubnetThreshold -ne $SameSubnetThreshold) { $cluster.SameSubnetThreshold = $SameSubnetThreshold }
    if ($cluster.CrossSubnetThreshold -ne $CrossSubnetThreshold) { $cluster.CrossSubnetThreshold = $CrossSubnetThreshold }
}

# Makes an Azure storage account the witness; the witness that was before goes. Endpoint is the service's, Azure's own if none
# is given.
function Set-CloudWitness {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $AccountName,
        [Parameter(Mandatory)] [securestring] $AccessKey,
        [string] $Endpoint
    )
    $ErrorActionPreference = 'Stop'
    $given = @{ AccountName = $AccountName }
    if ($Endpoint) { $given.Endpoint = $Endpoint }
    # Here the key becomes text, since the cmdlet takes no other, which module logging of FailoverClusters would tell.
    $given.AccessKey = [Net.NetworkCredential]::new('', $AccessKey).Password
    $null = Set-ClusterQuorum -CloudWitness @given
}

# Makes a continuously available share of a file server role, in the folder Shares\<Name> of the role's disk. It runs on the
# node that owns the role; a disk that is offline here is refused with category ResourceUnavailable. FullAccess are accounts;
# without any, administrators have access. Rights in the folder are those that the volume hands down. The same share is left
# as it is; another one of the name is refused with category ResourceExists.
function New-ClusterShare {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Role,
        [Parameter(Mandatory)] [string] $DiskGuid,
        [Parameter(Mandatory)] [string] $Name,
        [string[]] $FullAccess
    )
    $ErrorActionPreference = 'Stop'
    if ($Name -notmatch '\A[^\x00-\x1f"/\\\[\]:|<>+=;,*?]{1,80}\z' -or $Name -match '\A\.+\z') {
        Refuse $PSCmdlet 'InvalidArgument' $Name 'This is no name for a share.'
    }
    $disk = OnlineDisk $PSCmdlet $DiskGuid
    $letters = @(foreach ($partition in DataPartitions $disk.Number) { if (DriveLetter $partition) { DriveLetter $partition } })
    if ($letters.Count -ne 1) {
        Refuse $PSCmdlet 'InvalidData' $DiskGuid "Disk $DiskGuid has $($letters.Count) volumes with a drive letter; the share goes to the only one."
    }
    $path = "$($letters[0]):\Shares\$Name"
    foreach ($share in @(Get-SmbShare | Where-Object { $_.Name -eq $Name -and $_.ScopeName -eq $Role })) {
        if ($share.Path -eq $path -and $share.ContinuouslyAvailable) { return }
        Refuse $PSCmdlet 'ResourceExists' $Name "$Role has another share with the name $Name, of $($share.Path)."
    }
    if (-not (Test-Path -LiteralPath $path)) { $null = New-Item -Path $path -ItemType Directory -Force }
    # The group of administrators has another name in every language; BA is that group.
    $access = if ($FullAccess) { @{ FullAccess = $FullAccess } } else { @{ SecurityDescriptor = 'D:(A;;FA;;;BA)' } }
    $null = New-SmbShare -Name $Name -ScopeName $Role -Path $path -ContinuouslyAvailable $true @access
}

# ---- Validation -----------------------------------------------------------------------------------------------------------

# Starts validating nodes with Test-Cluster in a task of the credential's user, which outlives the session, and does not wait
# for it. With the user's password the task acts on other nodes; the Task Scheduler keeps it until the task is gone. What runs
# under the id is not started again, nor what ran to its end with a report; what failed is. Ignore are categories or tests to
# leave out. What other ids left is removed, unless they run.
function Start-ClusterValidation {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Id,
        [Parameter(Mandatory)] [string[]] $Node,
        [string[]] $Ignore,
        [Parameter(Mandatory)] [Management.Automation.PSCredential] $Credential
    )
    $ErrorActionPreference = 'Stop'
    $folder = ValidationFolder $PSCmdlet $Id
    foreach ($text in @($Node) + @($Ignore)) {
        if ("$text" -match '[\x00-\x1f]') { Refuse $PSCmdlet 'InvalidArgument' $text 'A node or a test has a line end in its name.' }
    }
    if ((Test-Path -LiteralPath "$folder\report.xml") -or (ValidationRuns $Id)) { return }
    SweepValidations
    $null = New-Item -Path $folder -ItemType Directory -Force
    WriteText "$folder\ignore.txt" (@($Ignore) -join "`n")
    WriteText "$folder\nodes.txt" (@($Node) -join "`n")
    $task = @{ TaskPath = '\GuestClustering\'; TaskName = "Validation.$Id" }
    RegisterTask $task (OwnArguments 'ValidateNodes' @('ReadText', 'WriteText')) $folder $Credential
    Start-ScheduledTask @task -ErrorAction Stop
}

# Tells how a validation goes: State is Running, Completed or Failed, Error says why it failed, Report is Test-Cluster's own, in
# XML. An id that was never started here, or whose report is gone, is an error of category ObjectNotFound. A report of more
# than 16 MiB is not read: the validation Failed.
function Get-ClusterValidation {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Id
    )
    $ErrorActionPreference = 'Stop'
    $folder = ValidationFolder $PSCmdlet $Id
    $told = [pscustomobject]@{ State = 'Failed'; Error = ''; Report = $null }
    if (-not (Test-Path -LiteralPath "$folder\nodes.txt")) { Refuse $PSCmdlet 'ObjectNotFound' $Id "No validation $Id was started on this node." }
    if (Test-Path -LiteralPath "$folder\report.xml") {
        $length = (Get-Item -LiteralPath "$folder\report.xml").Length
        if ($length -gt 16MB) { $told.Error = "The report has $length bytes, more than is read: see $folder\report.xml."; return $told }
        $told.State = 'Completed'
        $told.Report = Get-Content -LiteralPath "$folder\report.xml" -Raw # in the encoding that it says
    } elseif (Test-Path -LiteralPath "$folder\error.txt") {
        $told.Error = "$(ReadText "$folder\error.txt")"
    } elseif ((ValidationRuns $Id) -or (Get-Item -LiteralPath "$folder\nodes.txt").LastWriteTimeUtc -gt [DateTime]::UtcNow.AddMinutes(-1)) {
        $told.State = 'Running' # a task that was just started may not show yet
    } else {
        $told.Error = 'The validation was interrupted: its task does not run any more.'
    }
    return $told
}

function ValidationFolder($caller, [string] $id) {
    if ($id -notmatch '\A[0-9A-Za-z-]{1,64}\z') { Refuse $caller 'InvalidArgument' $id 'The id of a validation is letters, digits and dashes.' }
    return "$env:ProgramData\GuestClustering\validation.$id"
}

function ValidationRuns([string] $id) {
    $tasks = @(Get-ScheduledTask -TaskPath '\GuestClustering\' -TaskName "Validation.$id" -ErrorAction Ignore)
    return @($tasks | Where-Object { "$($_.State)" -in 'Running', 'Queued' }).Count -gt 0
}

# Removes what validations left that do not run: folders, and tasks with the passwords of their users.
function SweepValidations() {
    foreach ($task in @(Get-ScheduledTask -TaskPath '\GuestClustering\' -TaskName 'Validation.*' -ErrorAction Ignore)) {
        if ("$($task.State)" -in 'Running', 'Queued') { continue }
        Unregister-ScheduledTask -TaskPath '\GuestClustering\' -TaskName $task.TaskName -Confirm:$false -ErrorAction Ignore
    }
    $root = "$env:ProgramData\GuestClustering"
    if (-not (Test-Path -LiteralPath $root)) { return }
    foreach ($folder in @(Get-ChildItem -LiteralPath $root -Directory -Force | Where-Object { $_.Name -like 'validation.*' })) {
        if (-not (ValidationRuns $folder.Name.Substring('validation.'.Length))) { Remove-Item -LiteralPath $folder.FullName -Recurse -Force }
    }
}

# Runs in the task, in the folder of the validation, and ends with a report or an error there and the task gone. Test-Cluster
# returns a page for people; the XML beside it is in the cluster's own folder, the last one of its name.
function ValidateNodes() {
    $ErrorActionPreference = 'Stop'
    $here = (Get-Item -LiteralPath .).FullName
    $id = $here.Substring($here.LastIndexOf('validation.') + 'validation.'.Length)
    try {
        $since = [DateTime]::UtcNow
        $ignored = @{}
        $tests = @("$(ReadText "$here\ignore.txt")".Split([char] "`n") | Where-Object { $_ })
        if ($tests.Count) { $ignored.Ignore = $tests }
        $nodes = "$(ReadText "$here\nodes.txt")".Split([char] "`n")
        $null = Test-Cluster -Node $nodes @ignored -ReportName "$here\page" -Force -Confirm:$false -ErrorAction SilentlyContinue -ErrorVariable problems
        $reports = @(Get-ChildItem -LiteralPath "$env:SystemRoot\Cluster\Reports" -File -ErrorAction Ignore | Where-Object {
            $_.Name -like 'Validation Data For Node*.xml' -and $_.LastWriteTimeUtc -ge $since
        })
        $last = $null
        foreach ($report in $reports) { if (-not $last -or $report.LastWriteTimeUtc -gt $last.LastWriteTimeUtc) { $last = $report } }
        if (-not $last) { throw "Test-Cluster left no report. $(@($problems) -join ' ')" }
        Copy-Item -LiteralPath $last.FullName -Destination "$here\report.xml.new" -Force
        Move-Item -LiteralPath "$here\report.xml.new" -Destination "$here\report.xml" -Force
    } catch {
        $why = $_.Exception.Message
        WriteText "$here\error.txt" $why.Substring(0, [Math]::Min($why.Length, 4096))
    }
    Unregister-ScheduledTask -TaskPath '\GuestClustering\' -TaskName "Validation.$id" -Confirm:$false
}
