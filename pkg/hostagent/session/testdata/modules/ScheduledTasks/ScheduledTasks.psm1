# Stands in for the module of the same name, over the directory TASKS: a file for each task, and "recorded" with every value
# that reached a cmdlet. A file "fail" there lets Register-ScheduledTask fail with the code in it, a file "stuck" keeps tasks
# from starting.

function Write-Recorded($Caller, $Bound) {
    $text = foreach ($name in $Bound.Keys) { "$name=$($Bound[$name])" }
    [IO.File]::AppendAllText("$env:TASKS/recorded", "$($Caller.MyInvocation.MyCommand) $text`n")
}

function New-ScheduledTaskAction {
    [CmdletBinding()]
    param([string] $Execute, [string] $Argument, [string] $WorkingDirectory)
    Write-Recorded $PSCmdlet $PSBoundParameters
    [pscustomobject]@{ Argument = $Argument }
}

function New-ScheduledTaskPrincipal {
    [CmdletBinding()]
    param([string] $UserId, [string] $LogonType)
    Write-Recorded $PSCmdlet $PSBoundParameters
    [pscustomobject]@{ UserId = $UserId }
}

function New-ScheduledTaskSettingsSet {
    [CmdletBinding()]
    param([string] $MultipleInstances, [timespan] $ExecutionTimeLimit, [switch] $AllowStartIfOnBatteries, [switch] $DontStopIfGoingOnBatteries)
    Write-Recorded $PSCmdlet $PSBoundParameters
    'settings'
}

function Register-ScheduledTask {
    [CmdletBinding()]
    param([string] $TaskPath, [string] $TaskName, $Action, $Principal, $Settings, [string] $User, [string] $Password, [string] $RunLevel, [switch] $Force)
    Write-Recorded $PSCmdlet $PSBoundParameters
    if ([IO.File]::Exists("$env:TASKS/fail")) {
        $code = [IO.File]::ReadAllText("$env:TASKS/fail")
        $PSCmdlet.WriteError([Management.Automation.ErrorRecord]::new([Exception]::new('Logon failure'), "HRESULT $code", 'NotSpecified', $TaskName))
        return
    }
    [IO.File]::WriteAllText("$env:TASKS/$TaskName", $Action.Argument)
    [pscustomobject]@{ TaskName = $TaskName }
}

function Start-ScheduledTask {
    [CmdletBinding()]
    param([string] $TaskPath, [string] $TaskName)
    Write-Recorded $PSCmdlet $PSBoundParameters
    if ([IO.File]::Exists("$env:TASKS/stuck")) { return }
    $start = [Diagnostics.ProcessStartInfo]::new([Environment]::ProcessPath, [IO.File]::ReadAllText("$env:TASKS/$TaskName"))
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $start.RedirectStandardError = $true
    $process = [Diagnostics.Process]::Start($start)
    [IO.File]::WriteAllText("$env:TASKS/$TaskName.pid", "$($process.Id)")
}

function Get-ScheduledTask {
    [CmdletBinding()]
    param([string] $TaskPath, [string] $TaskName)
    foreach ($file in [IO.Directory]::GetFiles($env:TASKS)) {
        $name = [IO.Path]::GetFileName($file)
        if ($name -notlike $TaskName -or $name -like '*.pid') { continue }
        # One that has ended and that nobody waited for has no command line.
        $running = try { [IO.File]::ReadAllText("/proc/$([IO.File]::ReadAllText("$file.pid"))/cmdline") } catch { '' }
        [pscustomobject]@{ TaskName = $name; State = $(if ($running) { 'Running' } else { 'Ready' }) }
    }
}

function Unregister-ScheduledTask {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
    param([string] $TaskPath, [string] $TaskName)
    if (-not $PSCmdlet.ShouldProcess($TaskName)) { return }
    [IO.File]::Delete("$env:TASKS/$TaskName")
    [IO.File]::Delete("$env:TASKS/$TaskName.pid")
}

Export-ModuleMember -Function *-ScheduledTask*
