# Stand-ins for the cmdlets that functions.ps1 calls, over a world of texts by path; a folder is $null. Names are compared
# as Windows does.
function global:Reset-World {
    $global:World = [Collections.Generic.SortedDictionary[string, object]]::new([StringComparer]::OrdinalIgnoreCase)
    $global:Tasks = @{}
    $global:Groups = @{}
    $global:Nodes = @{ HOST1 = 'Up'; HOST2 = 'Up' }
    $global:Fail = @{}
    $global:Disks = @{}
    $global:LastDisk = 0
    $global:Mounts = [Collections.Generic.List[object]]::new()
    $env:COMPUTERNAME = 'HOST1'
    # A mutex is the machine's own: each scenario's has a name of its own, so that none is found that another one abandoned.
    $global:OwnHost = "HOST1-$([guid]::NewGuid().ToString('N'))"
}

function global:Write-NotFound($cmdlet, $path) {
    $cmdlet.WriteError([Management.Automation.ErrorRecord]::new([Management.Automation.ItemNotFoundException]::new("Cannot find path '$path'."), 'PathNotFound', 'ObjectNotFound', $path))
}
function global:Test-Path { [CmdletBinding()] param([string] $LiteralPath, [string] $PathType)
    $World.ContainsKey($LiteralPath) -and ($PathType -ne 'Container' -or $null -eq $World[$LiteralPath])
}
function global:Get-ChildItem { [CmdletBinding()] param([string] $LiteralPath, [switch] $Directory, [switch] $File, [switch] $Force)
    if ($LiteralPath -eq '.') { $LiteralPath = $global:Here }
    if (-not $World.ContainsKey($LiteralPath)) { Write-NotFound $PSCmdlet $LiteralPath; return }
    foreach ($path in @($World.Keys)) {
        $cut = $path.LastIndexOf('\')
        if ($path.Substring(0, [Math]::Max($cut, 0)) -ne $LiteralPath) { continue }
        $isFolder = $null -eq $World[$path]
        if ($Directory -and -not $isFolder -or $File -and $isFolder) { continue }
        [pscustomobject]@{ Name = $path.Substring($cut + 1); FullName = $path; Length = [long] "$($World[$path])".Length }
    }
}
function global:Get-Content { [CmdletBinding()] param([string] $LiteralPath, [switch] $Raw, [string] $Encoding)
    if ($Fail['Get-Content'] -eq $LiteralPath -or -not $World.ContainsKey($LiteralPath)) { Write-NotFound $PSCmdlet $LiteralPath; return }
    $World[$LiteralPath]
}
function global:Set-Content { [CmdletBinding()] param([string] $LiteralPath, [object] $Value, [string] $Encoding, [switch] $NoNewline, [switch] $Force)
    if ($Fail['Set-Content'] -eq $LiteralPath) { throw 'The media is write protected.' }
    if (-not $NoNewline -or $Encoding -ne 'UTF8') { throw 'the text would be changed' }
    $World[$LiteralPath] = [string] $Value
}
function global:New-Item { [CmdletBinding()] param([string] $Path, [string] $ItemType, [switch] $Force) $World[$Path] = $null }
function global:Move-Item { [CmdletBinding()] param([string] $LiteralPath, [string] $Destination, [switch] $Force)
    if ($World.ContainsKey($Destination) -and -not $Force) { throw 'Cannot create a file when that file already exists.' }
    $World[$Destination] = $World[$LiteralPath]
    $null = $World.Remove($LiteralPath)
}
function global:Copy-Item { [CmdletBinding()] param([string] $LiteralPath, [string] $Destination, [switch] $Force)
    if ($Fail['Copy-Item']) { throw $Fail['Copy-Item'] }
    if (-not $World.ContainsKey($LiteralPath)) { Write-NotFound $PSCmdlet $LiteralPath; return }
    $World[$Destination] = $World[$LiteralPath]
}
function global:Remove-Item { [CmdletBinding()] param([string] $LiteralPath, [switch] $Recurse, [switch] $Force)
    if ($Fail['Remove-Item'] -eq $LiteralPath) { throw 'The process cannot access the file.' }
    foreach ($path in @($World.Keys)) { if ($path -eq $LiteralPath -or $path.StartsWith("$LiteralPath\", 'OrdinalIgnoreCase')) { $null = $World.Remove($path) } }
}
function global:New-ScheduledTaskAction { [CmdletBinding()] param([string] $Execute, [string] $Argument, [string] $WorkingDirectory) @{ Execute = $Execute; Argument = $Argument; Folder = $WorkingDirectory } }
function global:New-ScheduledTaskPrincipal { [CmdletBinding()] param([string] $UserId, [string] $LogonType) @{ UserId = $UserId } }
function global:New-ScheduledTaskSettingsSet { [CmdletBinding()] param([string] $MultipleInstances, [timespan] $ExecutionTimeLimit, [switch] $AllowStartIfOnBatteries, [switch] $DontStopIfGoingOnBatteries) @{ } }
function global:Register-ScheduledTask { [CmdletBinding()] param([string] $TaskPath, [string] $TaskName, $Action, $Principal, $Settings, [switch] $Force)
    if ($Fail['Register-ScheduledTask']) { throw $Fail['Register-ScheduledTask'] }
    $Tasks[$TaskName] = [pscustomobject]@{ Action = $Action; Principal = $Principal; State = 'Ready'; Starts = 0 }
    $Tasks[$TaskName]
}
function global:Start-ScheduledTask { [CmdletBinding()] param([string] $TaskPath, [string] $TaskName) $Tasks[$TaskName].State = 'Running'; $Tasks[$TaskName].Starts++ }
function global:Get-ScheduledTask { [CmdletBinding()] param([string] $TaskPath, [string] $TaskName)
    if ($Tasks.ContainsKey($TaskName)) { $Tasks[$TaskName] } else { Write-NotFound $PSCmdlet $TaskName }
}
function global:Unregister-ScheduledTask { [CmdletBinding(SupportsShouldProcess)] param([string] $TaskPath, [string] $TaskName) $Tasks.Remove($TaskName) }
function global:Get-ClusterGroup { [CmdletBinding()] param([guid] $VMId)
    if ($Groups.ContainsKey($VMId)) { $Groups[$VMId] } else { Write-NotFound $PSCmdlet $VMId }
}
function global:Get-ClusterNode { [CmdletBinding()] param()
    if ($Fail['Get-ClusterNode']) { throw $Fail['Get-ClusterNode'] }
    foreach ($name in $Nodes.Keys) { [pscustomobject]@{ Name = $name; State = $Nodes[$name] } }
}

# Disks holds what is in virtual disks: GptType, MbrType, IsOffline and Files, by path below the drive. What is mounted and has a
# drive letter has its files in World.
function global:Mount-VHD { [CmdletBinding()] param([string] $Path, [switch] $NoDriveLetter, [switch] $Passthru)
    if ($Fail['Mount-VHD']) { throw [Management.Automation.ErrorRecord]::new([IO.IOException]::new('in use'), 'Mount', 'ResourceBusy', $Path) }
    $global:LastDisk++
    $mount = [pscustomobject]@{ DiskNumber = $LastDisk; Path = $Path; Letter = '' }
    $Mounts.Add($mount)
    $mount
}
function global:Dismount-VHD { [CmdletBinding()] param([long] $DiskNumber)
    if ($Fail['Dismount-VHD']) { throw 'The disk cannot be dismounted.' }
    $mount = @($Mounts | Where-Object { $_.DiskNumber -eq $DiskNumber })[0]
    $null = $Mounts.Remove($mount)
    foreach ($name in @($World.Keys)) {
        if (-not $mount.Letter -or -not $name.StartsWith("$($mount.Letter):\")) { continue }
        $Disks[$mount.Path].Files[$name.Substring(3)] = $World[$name]
        $null = $World.Remove($name)
    }
}
function global:Get-CimInstance { [CmdletBinding()] param([string] $Namespace, [string] $ClassName, [string] $Filter)
    if ($Namespace -ne 'root/Microsoft/Windows/Storage') { throw "Invalid namespace $Namespace." }
    foreach ($mount in @($Mounts)) {
        $disk = $Disks[$mount.Path]
        if ($Filter -eq 'BusType = 15' -or $Filter -eq "Number = $($mount.DiskNumber)") {
            [pscustomobject]@{ Class = $ClassName; Mount = $mount; Number = $mount.DiskNumber; Location = $mount.Path; IsOffline = $disk.IsOffline }
        }
        if ($Filter -eq "DiskNumber = $($mount.DiskNumber)" -and -not $disk.IsOffline) {
            [pscustomobject]@{ Class = $ClassName; Mount = $mount; PartitionNumber = 1; GptType = '{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}'; MbrType = $null; DriveLetter = [char] 0 }
            [pscustomobject]@{ Class = $ClassName; Mount = $mount; PartitionNumber = 2; GptType = $disk.GptType; MbrType = $disk.MbrType; DriveLetter = [char] $(if ($mount.Letter) { $mount.Letter } else { 0 }) }
        }
    }
}
function global:Invoke-CimMethod { [CmdletBinding()] param($InputObject, [string] $MethodName, $Arguments)
    $mount = $InputObject.Mount
    $isLetter = $InputObject.Class -eq 'MSFT_Partition' -and $MethodName -eq 'AddAccessPath' -and $Arguments.AssignDriveLetter -and $InputObject.PartitionNumber -eq 2
    if ($isLetter -and -not $Fail['AddAccessPath']) {
        $mount.Letter = [string] [char] (68 + $mount.DiskNumber)
        foreach ($name in $Disks[$mount.Path].Files.Keys) { $World["$($mount.Letter):\$name"] = $Disks[$mount.Path].Files[$name] }
    }
    if ($InputObject.Class -eq 'MSFT_Disk' -and $MethodName -eq 'Online') { $Disks[$mount.Path].IsOffline = $false }
    [pscustomobject]@{ ReturnValue = [int] "$($Fail['AddAccessPath'])" }
}
function global:Get-PSDrive { [CmdletBinding()] param([string] $PSProvider) }

# What the Task Scheduler does with a started task: another PowerShell, in which only the command's own functions are.
function global:Invoke-Task([string] $name) {
    $action = $Tasks[$name].Action
    $global:Here = $action.Folder
    $command = [Text.Encoding]::Unicode.GetString([Convert]::FromBase64String($action.Argument.Split([char] ' ')[-1]))
    $other = [PowerShell]::Create()
    $other.Runspace = [Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace([Management.Automation.Runspaces.InitialSessionState]::CreateDefault2())
    $other.Runspace.Open()
    foreach ($shared in 'World', 'Tasks', 'Fail', 'Here') { $other.Runspace.SessionStateProxy.SetVariable($shared, $ExecutionContext.SessionState.PSVariable.GetValue($shared)) }
    foreach ($cmdlet in 'Write-NotFound', 'Test-Path', 'Get-ChildItem', 'Get-Content', 'Set-Content', 'Move-Item', 'Copy-Item', 'Unregister-ScheduledTask') {
        $null = $other.AddScript("function global:$cmdlet { $((Get-Command $cmdlet).Definition) }").Invoke()
        $other.Commands.Clear()
    }
    $null = $other.AddScript($command).Invoke()
    foreach ($problem in $other.Streams.Error) { "task: $problem" }
    $other.Runspace.Dispose()
}
