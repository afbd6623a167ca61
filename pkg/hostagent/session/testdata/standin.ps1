# Stand-ins for the cmdlets that functions.ps1 calls, over a world of texts by path; a folder is $null. Names are compared
# as Windows does.
function global:Reset-World {
    $global:World = [Collections.Generic.SortedDictionary[string, object]]::new([StringComparer]::OrdinalIgnoreCase)
    $global:Tasks = @{}
    $global:Groups = @{}
    $global:Nodes = @{ HOST1 = 'Up'; HOST2 = 'Up' }
    $global:Fail = @{}
    $env:COMPUTERNAME = 'HOST1'
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
function global:Set-Content { [CmdletBinding()] param([string] $LiteralPath, [object] $Value, [string] $Encoding, [switch] $NoNewline)
    if (-not $NoNewline -or $Encoding -ne 'UTF8') { throw 'the text would be changed' }
    $World[$LiteralPath] = [string] $Value
}
function global:New-Item { [CmdletBinding()] param([string] $Path, [string] $ItemType) $World[$Path] = $null }
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
