# Stands in for the module of the same name: each name of a machine is something that a cmdlet may do.

function Get-VM {
    [CmdletBinding()]
    param([string[]] $Name, [guid] $Id, $VM)
    if ($PSBoundParameters.ContainsKey('Id')) { return [pscustomobject]@{ Name = 'by id'; Id = $Id } }
    foreach ($n in $Name) {
        switch ($n) {
            'missing' { $PSCmdlet.WriteError([Management.Automation.ErrorRecord]::new([IO.FileNotFoundException]::new('no such machine'), 'NoMachine', 'ObjectNotFound', $n)) }
            'wrapped' {
                $inner = [Runtime.InteropServices.COMException]::new('in use', 0x80070020)
                $outer = [InvalidOperationException]::new('cannot be done', [InvalidOperationException]::new('between', $inner))
                $PSCmdlet.WriteError([Management.Automation.ErrorRecord]::new($outer, 'Wrapped', 'ResourceBusy', @{ a = 1 }))
            }
            'wmi' { $PSCmdlet.WriteError([Management.Automation.ErrorRecord]::new([Exception]::new('not found'), 'HRESULT 0x80070002', 'ObjectNotFound', $null)) }
            'details' {
                $record = [Management.Automation.ErrorRecord]::new([Exception]::new('in short'), 'Details', 'InvalidData', $n)
                $record.ErrorDetails = [Management.Automation.ErrorDetails]::new('at length')
                $PSCmdlet.WriteError($record)
            }
            'refused' { $PSCmdlet.ThrowTerminatingError([Management.Automation.ErrorRecord]::new([UnauthorizedAccessException]::new('denied'), 'Denied', 'PermissionDenied', $n)) }
            'thrown' { throw 'thrown' }
            'divided' { $null = 1 / 0; 'never reached' }
            'continue' { $PSCmdlet.ShouldContinue('Really?', 'Caption') }
            'line' { $Host.UI.ReadLine() }
            'password' { $Host.UI.ReadLineAsSecureString() }
            'choice' { $Host.UI.PromptForChoice('a', 'b', [Management.Automation.Host.ChoiceDescription[]] @('&x', '&y'), 0) }
            'credential' { $Host.UI.PromptForCredential('a', 'b', 'c', 'd') }
            'console' {
                if ($null -ne [Console]::ReadLine()) { throw 'the console gave a line' }
                [Console]::Write('noise'); [Console]::Out.WriteLine('noise')
            }
            'chatty' {
                for ($i = 0; $i -lt 1000; $i++) {
                    $PSCmdlet.WriteWarning('noise'); $PSCmdlet.WriteVerbose('noise'); $PSCmdlet.WriteDebug('noise'); $PSCmdlet.WriteInformation('noise', @())
                    $PSCmdlet.WriteProgress([Management.Automation.ProgressRecord]::new(1, 'noise', 'noise'))
                }
                $Host.UI.WriteLine('noise'); $Host.UI.WriteErrorLine('noise'); $Host.UI.WriteWarningLine('noise')
            }
            'unreadable' {
                $o = [pscustomobject]@{ Name = $n }
                $o.psobject.Properties.Add([Management.Automation.PSScriptProperty]::new('Bad', { throw 'cannot be read' }))
                $o
                continue
            }
            'large' { # does not compress, and is more than a frame holds
                $bytes = [byte[]]::new(50MB)
                [Random]::new(1).NextBytes($bytes)
                [pscustomobject]@{ Name = [Convert]::ToBase64String($bytes) }
                continue
            }
            'noise' { # more than a pipe holds
                $bytes = [byte[]]::new(4MB)
                [Random]::new(1).NextBytes($bytes)
                [pscustomobject]@{ Name = [Convert]::ToBase64String($bytes) }
                continue
            }
            default { [pscustomobject]@{ Name = $n; Id = [guid] '11111111-2222-3333-4444-555555555555' } }
        }
    }
}

# Everything that a property may be.
function Get-VMHost {
    [CmdletBinding()]
    param()
    [pscustomobject]@{
        Text = "it's `"quoted`"`r`n<a>&amp;]]></a> " + [char] 0x5e78 + [char] 0xd83d + [char] 0xde00 + [char] 0 + [char] 0x2028
        Blank = '   '; Null = $null; True = $true; Switch = [switch] $true
        Int = 7; Byte = [byte] 7; Long = [long]::MinValue; ULong = [ulong]::MaxValue; Double = 1.5; Whole = [double] 3; NaN = [double]::NaN; Decimal = 1.10d
        Char = [char] 'x'; Enum = [ConsoleColor]::Red; Guid = [guid] '11111111-2222-3333-4444-555555555555'; Version = [version] '10.0.17763'
        Span = [timespan] '1.02:03:04'; Date = [datetime]::new(2026, 1, 2, 3, 4, 5, [DateTimeKind]::Utc)
        Fraction = [datetime]::new(2026, 1, 2, 3, 4, 5, [DateTimeKind]::Utc).AddTicks(1200000)
        Local = [datetime]::new(2026, 1, 2, 3, 4, 5, [DateTimeKind]::Utc).ToLocalTime(); Offset = [datetimeoffset] '2026-01-02T03:04:05+02:00'
        One = @(1); None = @(); Nested = @(, @(1)); Strings = [Collections.Specialized.StringCollection]::new()
        Adapters = @([pscustomobject]@{ Name = 'a'; IP = @('1', '2') }, [pscustomobject]@{ Name = 'b'; IP = @() })
        Table = @{ 'a b' = @(1); '' = $null }; Tables = @(@{ Name = 'x'; Length = 1L }); Object = [pscustomobject]@{ x = 1 }; Shadows = @{ Keys = 1; Count = 2; Values = 3 }; Uri = [uri] 'http://a/b'
    }
}

# Says how its parameters were bound.
function Set-VM {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
    param([object[]] $VM, [switch] $Passthru, [bool] $Flag, [int] $ProcessorCount, [uint64] $Memory, [ConsoleColor] $Color, [guid] $Id, [version] $Version,
        [string] $Notes, [string[]] $Names, [securestring] $Password, [pscredential] $Credential,
        [int] $Keys, [int] $Values)
    if (-not $PSCmdlet.ShouldProcess('x')) { return }
    foreach ($given in $PSBoundParameters.GetEnumerator()) {
        $name, $value = $given.Key, $given.Value
        $text = if ($value -is [array]) { @(foreach ($v in $value) { if ($v -is [string]) { $v } else { $v.Name } }) -join ',' } else { "$value" }
        # A secret is told by its length alone.
        if ($value -is [securestring]) { $text = "$($value.Length)" }
        if ($value -is [pscredential]) { $text = "$($value.UserName) $($value.Password.Length)" }
        [pscustomobject]@{ Name = $name; Type = $value.GetType().Name; Text = $text }
    }
}

# Does something each time that can be counted.
function New-VM {
    [CmdletBinding()]
    param([string] $Path)
    [IO.File]::AppendAllText($Path, 'x')
}

# Blocks where no pipeline can be stopped: until the pipe has a writer, and again until it is closed.
function Stop-VM {
    [CmdletBinding()]
    param([string] $Path)
    $stream = [IO.FileStream]::new($Path, 'Open', 'Read')
    $null = $stream.ReadByte()
    $stream.Dispose()
}

# The same for a call that reads.
function Get-VHD {
    [CmdletBinding()]
    param([string] $Path)
    Stop-VM -Path $Path
}

# Says what a script finds around it.
function Get-VMSwitch {
    [CmdletBinding()]
    param()
    [pscustomobject]@{
        Confirm = "$ConfirmPreference"; Loading = "$PSModuleAutoLoadingPreference"; Errors = $global:Error.Count
        Modules = @(foreach ($m in Get-Module) { $m.Name }); Culture = [Threading.Thread]::CurrentThread.CurrentUICulture.Name; Process = $PID
    }
}

# What the PowerShell in a guest is started with. It takes what is to run, and stops it once it is asked for or left alone.
$script:Guest = {
    $in = [IO.StreamReader]::new([Console]::OpenStandardInput())
    $given = [Management.Automation.PSSerializer]::Deserialize($in.ReadLine())
    $left = $in.ReadLineAsync()
    $secrets = [Collections.ArrayList]::new()
    foreach ($secret in $given.Secrets) {
        $password = [Net.NetworkCredential]::new('', $secret.Password).SecurePassword
        $null = $secrets.Add($(if ($secret.User) { [pscredential]::new($secret.User, $password) } else { $password }))
    }
    $shell = [PowerShell]::Create([initialsessionstate]::CreateDefault2())
    $null = $shell.AddScript($given.Block).AddArgument($given.Body).AddArgument($secrets)
    $run = $shell.BeginInvoke()
    while (-not $run.AsyncWaitHandle.WaitOne(20)) { if ($left.IsCompleted) { $shell.Stop() } }
    $told = @{ Values = @(); Error = '' }
    try { $told.Values = @($shell.EndInvoke($run)) } catch { $told.Error = "$_" }
    foreach ($problem in $shell.Streams.Error) { $told.Error = "$problem" }
    [Console]::Out.Write([Management.Automation.PSSerializer]::Serialize($told))
}

# PowerShell Direct: runs the block's text in a PowerShell of its own. Text alone crosses, with what remoting encrypts.
function Invoke-Command {
    [CmdletBinding()]
    param([guid] $VMId, [pscredential] $Credential, [object[]] $ArgumentList, [scriptblock] $ScriptBlock)
    if ($Credential.GetNetworkCredential().Password -cne 'right') {
        $why = [Management.Automation.Remoting.PSDirectException]::new('The credential is invalid.')
    } elseif ($VMId -eq [guid]::Empty) { # one in which nothing listens
        $why = [Management.Automation.Remoting.PSRemotingDataStructureException]::new('A remote session might have ended.')
    } else { $why = $null }
    if ($why) { $PSCmdlet.ThrowTerminatingError([Management.Automation.ErrorRecord]::new($why, 'PSSessionStateBroken', 'OpenError', "$VMId")) }
    if ($ArgumentList.Count -ne 2 -or $ArgumentList[0] -isnot [string]) { throw 'this is no batch and its secrets' }
    $unpacked = [IO.Compression.GZipStream]::new([IO.MemoryStream]::new([Convert]::FromBase64String($ArgumentList[0])), [IO.Compression.CompressionMode]::Decompress)
    if ([IO.StreamReader]::new($unpacked).ReadToEnd() -match '\b(right|other|sesame)\b') { throw 'a secret is in the text' }
    $secrets = @(foreach ($secret in $ArgumentList[1]) {
        if ($secret -is [pscredential]) { @{ User = $secret.UserName; Password = $secret.GetNetworkCredential().Password } }
        elseif ($secret -is [securestring]) { @{ User = ''; Password = [Net.NetworkCredential]::new('', $secret).Password } }
        else { throw 'text is among the secrets' }
    })
    $given = [Management.Automation.PSSerializer]::Serialize(@{ Block = "$ScriptBlock"; Body = $ArgumentList[0]; Secrets = $secrets }, 8)
    $start = [Diagnostics.ProcessStartInfo]::new([Environment]::ProcessPath)
    foreach ($argument in '-NoLogo', '-NoProfile', '-NonInteractive', '-Command', "$Guest") { $start.ArgumentList.Add($argument) }
    $start.Environment['COMPUTERNAME'] = "$VMId"
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $start.RedirectStandardError = $true
    $process = [Diagnostics.Process]::Start($start)
    [IO.File]::WriteAllText("$env:TASKS/guest.pid", "$($process.Id)")
    try {
        $out, $problems = $process.StandardOutput.ReadToEndAsync(), $process.StandardError.ReadToEndAsync()
        $process.StandardInput.WriteLine($given.Replace("`r", '').Replace("`n", ''))
        $process.StandardInput.Flush()
        while (-not $out.Wait(20)) { }
        if (-not $out.Result) { throw "the guest ended without an answer: $($problems.Result)" }
        $told = [Management.Automation.PSSerializer]::Deserialize($out.Result)
        $told.Values
        if ($told.Error) { throw $told.Error }
    } finally {
        $process.StandardInput.Close()
        $process.WaitForExit()
    }
}
