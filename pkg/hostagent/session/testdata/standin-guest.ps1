# Stand-ins, beside those of standin.ps1, for the cmdlets that guest.ps1 calls: functions with Microsoft's parameters, made from
# the facts, whose body is Invoke-StandIn. What changes is noted with what was bound to it.
function global:Reset-Guest {
    $global:Noted = [Collections.Generic.List[string]]::new()
    $global:Raw = [Collections.Generic.List[object]]::new()
    $global:Made = [Collections.Generic.List[object]]::new()
    $global:Available = @()
    $global:Networks = @()
    $global:ClusterItself = [pscustomobject]@{ SameSubnetThreshold = [uint32] 10; CrossSubnetThreshold = [uint32] 20 }
    $global:SmbShares = @()
    $global:Times = [Collections.Generic.Dictionary[string, datetime]]::new([StringComparer]::OrdinalIgnoreCase)
    $global:Register = $null
    $env:ProgramData = 'C:\ProgramData'
    $env:SystemRoot = 'C:\Windows'
}

function global:Show-Value($value) {
    if ($value -is [pscredential]) { return "credential of $($value.UserName)" }
    if ($value -is [array] -or $value -is [Collections.Specialized.StringCollection]) { return '@(' + (@(foreach ($v in $value) { Show-Value $v }) -join ', ') + ')' }
    if ($value -is [psobject] -and $value.psobject.Properties['StandsFor']) { return "<$($value.StandsFor)>" }
    return "$value"
}

function global:Invoke-StandIn($caller, $bound) {
    $name = $caller.MyInvocation.MyCommand.Name
    if ($Fail[$name]) { throw $Fail[$name] }
    $names = [string[]] @($bound.Keys)
    [array]::Sort($names)
    $given = foreach ($p in $names) { if ($p -notin 'ErrorAction', 'ErrorVariable', 'Confirm') { " -$p $(Show-Value $bound[$p])" } }
    if ($name -notlike 'Get-*') { $Noted.Add("$name$($given -join '')") }
    & "Answer-$name" $bound $caller
}

# ---- Disks ----------------------------------------------------------------------------------------------------------------

function global:New-Disk([string] $id, [string] $style, $partitions) {
    $disk = [pscustomobject]@{
        Number = [uint32] (2 + $Raw.Count); UniqueId = $id; PartitionStyle = $style; Guid = $(if ($style -eq 'GPT') { '{aaaaaaaa-0000-0000-0000-000000000001}' })
        IsOffline = $true; IsReadOnly = $false; IsBoot = $false; IsSystem = $false; IsClustered = $false; NumberOfPartitions = 0
        Size = 100MB; Parts = [Collections.Generic.List[object]]::new(); WhenOnline = $null; StandsFor = 'disk'
    }
    foreach ($type in $partitions) { Add-Part $disk $type }
    $Raw.Add($disk)
    $disk
}
function global:Add-Part($disk, [string] $type) {
    $disk.Parts.Add([pscustomobject]@{
            DiskNumber = $disk.Number; PartitionNumber = [uint32] ($disk.Parts.Count + 1); Type = $type; Size = [uint64] 50MB
            DriveLetter = [char] $(if ($type -eq 'Basic') { 'E' } else { 0 }); StandsFor = "partition $($disk.Parts.Count + 1)"
        })
    $disk.NumberOfPartitions = $disk.Parts.Count
}
function global:Disk-Of($bound) {
    $number = foreach ($p in 'Number', 'DiskNumber') { if ($bound.ContainsKey($p)) { $bound[$p] } }
    foreach ($disk in $Raw) { if ($disk.Number -in @($number)) { $disk } }
}
function global:Answer-Get-Disk($bound) { if ($bound.ContainsKey('Number')) { Disk-Of $bound } else { $Raw } }
function global:Answer-Update-HostStorageCache { }
function global:Answer-Set-Disk($bound) {
    $disk = Disk-Of $bound
    if ($bound.ContainsKey('IsReadOnly')) { $disk.IsReadOnly = $bound.IsReadOnly }
    if (-not $bound.ContainsKey('IsOffline')) { return }
    $disk.IsOffline = $bound.IsOffline
    if (-not $disk.IsOffline -and $disk.WhenOnline) { & $disk.WhenOnline $disk }
}
function global:Answer-Initialize-Disk($bound) {
    $disk = Disk-Of $bound
    if ($disk.IsOffline -or $disk.IsReadOnly -or $disk.PartitionStyle -ne 'RAW') { throw 'The disk cannot be initialised.' }
    $disk.PartitionStyle = "$($bound.PartitionStyle)"
    $disk.Guid = '{aaaaaaaa-0000-0000-0000-00000000000f}'
    Add-Part $disk 'Reserved'
}
function global:Answer-New-Partition($bound) { $disk = Disk-Of $bound; Add-Part $disk 'Basic'; $disk.Parts[-1] }
function global:Answer-Get-Partition($bound, $caller) {
    $disk = Disk-Of $bound
    $found = @(foreach ($p in $disk.Parts) { if (-not $bound.ContainsKey('PartitionNumber') -or $p.PartitionNumber -in @($bound.PartitionNumber)) { $p } })
    if (-not $found.Count) { Write-NotFound $caller $disk.Number } else { $found }
}
function global:Answer-Format-Volume { [pscustomobject]@{ FileSystem = 'NTFS' } }
function global:Answer-Get-PartitionSupportedSize($bound) { [pscustomobject]@{ SizeMin = [uint64] 1MB; SizeMax = [uint64] (Disk-Of $bound).Size } }
function global:Answer-Resize-Partition($bound) { foreach ($p in (Disk-Of $bound).Parts) { if ($p.PartitionNumber -in @($bound.PartitionNumber)) { $p.Size = $bound.Size[0] } } }

# ---- The cluster ----------------------------------------------------------------------------------------------------------

function global:New-Resource([string] $name, [string] $type, [string] $guid) {
    $resource = [pscustomobject]@{ Name = $name; ResourceType = [pscustomobject]@{ Name = $type }; DiskGuid = $guid; StandsFor = 'resource' }
    $Made.Add($resource)
    $resource
}
function global:Answer-Get-ClusterResource { $Made }
function global:Answer-Get-ClusterParameter($bound) { [pscustomobject]@{ Name = "$($bound.Name)"; Value = $bound.InputObject.DiskGuid } }
function global:Answer-Get-ClusterAvailableDisk { $Available }
function global:Answer-Add-ClusterDisk($bound) { New-Resource 'Cluster Disk 7' 'Physical Disk' $bound.InputObject[0].Id }
function global:Answer-Get-ClusterNetwork { $Networks }
function global:Answer-Get-Cluster { $ClusterItself }
function global:Answer-Set-ClusterQuorum { [pscustomobject]@{ QuorumResource = 'Cloud Witness' } }
function global:Answer-Get-SmbShare { $SmbShares }
function global:Answer-New-SmbShare { [pscustomobject]@{ Name = 'share' } }

# ---- Tasks and files ------------------------------------------------------------------------------------------------------

function global:Get-Item { [CmdletBinding()] param([string] $LiteralPath)
    if ($LiteralPath -eq '.') { $LiteralPath = $global:Here }
    if (-not $World.ContainsKey($LiteralPath)) { Write-NotFound $PSCmdlet $LiteralPath; return }
    $length = if ($World[$LiteralPath] -is [int]) { $World[$LiteralPath] } else { "$($World[$LiteralPath])".Length }
    [pscustomobject]@{ FullName = $LiteralPath; Length = [long] $length; LastWriteTimeUtc = $(if ($Times.ContainsKey($LiteralPath)) { $Times[$LiteralPath] } else { [DateTime]::UtcNow }) }
}
function global:New-Item { [CmdletBinding()] param([string] $Path, [string] $ItemType, [switch] $Force)
    for ($folder = $Path; $folder.Contains('\'); $folder = $folder.Substring(0, $folder.LastIndexOf('\'))) { if (-not $World.ContainsKey($folder)) { $World[$folder] = $null } }
}
function global:Get-ChildItem { [CmdletBinding()] param([string] $LiteralPath, [switch] $Directory, [switch] $File, [switch] $Force)
    if (-not $World.ContainsKey($LiteralPath)) { Write-NotFound $PSCmdlet $LiteralPath; return }
    foreach ($path in @($World.Keys)) {
        $cut = $path.LastIndexOf('\')
        if ($path.Substring(0, [Math]::Max($cut, 0)) -ne $LiteralPath -or $Directory -and $null -ne $World[$path] -or $File -and $null -eq $World[$path]) { continue }
        [pscustomobject]@{ Name = $path.Substring($cut + 1); FullName = $path; LastWriteTimeUtc = $(if ($Times.ContainsKey($path)) { $Times[$path] } else { [DateTime]::UtcNow }) }
    }
}
function global:Register-ScheduledTask { [CmdletBinding()] param([string] $TaskPath, [string] $TaskName, $Action, [string] $User, [string] $Password, [string] $RunLevel, $Settings, [switch] $Force)
    if ($Fail['Register-ScheduledTask']) { throw $Fail['Register-ScheduledTask'] }
    $Noted.Add("Register-ScheduledTask $TaskPath$TaskName as $User with $($Password.Length) characters, $RunLevel, in $($Action.Folder)")
    $Tasks[$TaskName] = [pscustomobject]@{ TaskName = $TaskName; Action = $Action; State = 'Ready'; Starts = 0 }
}
function global:Get-ScheduledTask { [CmdletBinding()] param([string] $TaskPath, [string] $TaskName)
    foreach ($name in @($Tasks.Keys)) { if ($name -like $TaskName) { $Tasks[$name] } }
}

# What Test-Cluster does: a page where it was asked for one, and the XML in the cluster's folder.
function global:Answer-Test-Cluster($bound, $caller) {
    if ($Fail['a test']) { $caller.WriteError([Management.Automation.ErrorRecord]::new([Exception]::new($Fail['a test']), 'Test', 'NotSpecified', $null)) }
    if ($Fail['the report']) { return }
    $World["$($bound.ReportName).htm"] = 'page'
    $World['C:\Windows\Cluster\Reports'] = $null
    $World['C:\Windows\Cluster\Reports\Validation Data For Node Set 1.xml'] = '<Report/>'
}

# What the Task Scheduler does with a started task: another PowerShell, in which only the command's own functions are.
function global:Invoke-Validation([string] $id) {
    $action = $Tasks["Validation.$id"].Action
    $global:Here = $action.Folder
    $command = [Text.Encoding]::Unicode.GetString([Convert]::FromBase64String($action.Argument.Split([char] ' ')[-1]))
    $other = [PowerShell]::Create()
    $other.Runspace = [Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace([Management.Automation.Runspaces.InitialSessionState]::CreateDefault2())
    $other.Runspace.Open()
    foreach ($shared in 'World', 'Tasks', 'Fail', 'Here', 'Noted', 'Times') { $other.Runspace.SessionStateProxy.SetVariable($shared, $ExecutionContext.SessionState.PSVariable.GetValue($shared)) }
    foreach ($cmdlet in 'Write-NotFound', 'Test-Path', 'Get-Item', 'Get-ChildItem', 'Get-Content', 'Set-Content', 'Move-Item', 'Copy-Item', 'Unregister-ScheduledTask', 'Invoke-StandIn', 'Show-Value', 'Answer-Test-Cluster', 'Test-Cluster') {
        $null = $other.AddScript("function global:$cmdlet { $((Get-Command $cmdlet).Definition) }").Invoke()
        $other.Commands.Clear()
    }
    $null = $other.AddScript($command).Invoke()
    foreach ($problem in $other.Streams.Error) { "task: $problem" }
    $other.Runspace.Dispose()
}
