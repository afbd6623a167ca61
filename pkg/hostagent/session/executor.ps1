# The executor: what the guest clustering operator runs on a Hyper-V host, and all that it runs there.
#
# What it does. It reads requests from its standard input and answers on its standard output. A request is data: a list of
# calls, each the name of a cmdlet, its parameters and the properties wanted of what it returns. Nothing that arrives is ever
# run as a script: a name is looked up in the table below, values reach the cmdlet through PowerShell's own parameter binder.
#
# What it may run. The cmdlets of a table, and the named functions: those of this text that have a [CmdletBinding()]. On a
# host the table is $Surface; inside guests, where this same text runs too, it is $GuestSurface, and the named functions are
# those of $GuestFunctions, which no host runs. Everything else is answered with CommandNotFoundException and is not run.
#
# With whose rights. The session's own, inside a guest those of the account that it was entered with; a batch that asks for the
# machine's or for a user's runs in a scheduled task for as long as it takes, in a process with this same text (RunInTask).
#
# What it leaves behind. Nothing: no file, no service, no listener. A task goes with its process when its session is lost; one
# whose process was killed, or a mounted disk, goes at the next start, in a guest before its next task. It ends with its standard
# input. Secrets arrive in a request and become a SecureString or a PSCredential as it is read; no answer holds them.
#
# The wire. Lines of ASCII. In: the hello, then "req <id> <body>", "can <id>", "ping <id>", "bye". Out:
# "@HV1 <nonce> <kind> <id> <body>" with the kinds hello, ready, res and pong. A body is base64 of gzip of JSON.
#
# The language is that of Windows PowerShell 5.1, with cmdlets of Microsoft.PowerShell.Core and types of .NET Framework
# 4.6.2 alone. Functions declared with parentheses are for this file alone.

# ---- What may be run ------------------------------------------------------------------------------------------------------

# The modules that are loaded, in this order and as far as the host has them, and the cmdlets of each that a call may name.
# Modules without any are for the named functions, and for modules of Windows that are written in PowerShell: nothing else is
# loaded by itself.
$Surface = [ordered] @{
    'Microsoft.PowerShell.Utility' = @()
    'Microsoft.PowerShell.Management' = 'Get-Item'
    'CimCmdlets' = 'Get-CimInstance'
    'ScheduledTasks' = @()
    'Hyper-V' = 'Add-VMHardDiskDrive', 'Add-VMNetworkAdapter', 'Add-VMScsiController', 'Connect-VMNetworkAdapter', 'Get-VHD',
    'Get-VM', 'Get-VMHardDiskDrive', 'Get-VMHost', 'Get-VMNetworkAdapter', 'Get-VMScsiController', 'Get-VMSwitch', 'New-VHD',
    'New-VM', 'Remove-VM', 'Remove-VMHardDiskDrive', 'Remove-VMNetworkAdapter', 'Rename-VM', 'Resize-VHD', 'Set-VM',
    'Set-VMNetworkAdapter', 'Set-VMNetworkAdapterVlan', 'Stop-VM'
    'FailoverClusters' = 'Add-ClusterVirtualMachineRole', 'Get-Cluster', 'Get-ClusterGroup', 'Get-ClusterNode',
    'Get-ClusterResource', 'Get-ClusterSharedVolume', 'Move-ClusterVirtualMachineRole', 'Remove-ClusterGroup',
    'Set-ClusterParameter', 'Start-ClusterGroup', 'Stop-ClusterGroup', 'Update-ClusterVirtualMachineConfiguration'
}

# The same inside guests, where modules load by themselves.
$GuestSurface = [ordered] @{
    'Microsoft.PowerShell.Management' = 'Add-Computer', 'Get-Item', 'Get-ItemProperty', 'Remove-Item', 'Restart-Computer'
    'Microsoft.PowerShell.LocalAccounts' = 'Add-LocalGroupMember', 'Get-LocalGroupMember'
    'CimCmdlets' = 'Get-CimInstance'
    'ServerManager' = 'Get-WindowsFeature', 'Install-WindowsFeature'
    'NetAdapter' = 'Get-NetAdapter', 'Rename-NetAdapter'
    'NetTCPIP' = 'Get-NetIPAddress', 'Get-NetIPInterface', 'Get-NetRoute', 'New-NetIPAddress', 'New-NetRoute',
    'Remove-NetIPAddress', 'Remove-NetRoute', 'Set-NetIPInterface'
    'DnsClient' = 'Get-DnsClient', 'Get-DnsClientServerAddress', 'Set-DnsClient', 'Set-DnsClientServerAddress'
    'ActiveDirectory' = 'Get-ADComputer', 'Get-ADObject', 'Remove-ADComputer'
    'Storage' = 'Get-Disk', 'Set-Disk', 'Update-HostStorageCache'
    'SmbShare' = 'Get-SmbShare'
    'FailoverClusters' = 'Add-ClusterFileServerRole', 'Add-ClusterNode', 'Add-ClusterSharedVolume', 'Get-Cluster',
    'Get-ClusterAvailableDisk', 'Get-ClusterGroup', 'Get-ClusterNetwork', 'Get-ClusterNode', 'Get-ClusterQuorum',
    'Get-ClusterResource', 'Get-ClusterSharedVolume', 'Move-ClusterGroup', 'New-Cluster', 'Remove-Cluster', 'Remove-ClusterNode',
    'Remove-ClusterResource', 'Resume-ClusterNode', 'Set-ClusterQuorum', 'Start-ClusterGroup', 'Suspend-ClusterNode'
}
$GuestFunctions = 'Add-SharedDisk', 'Expand-SharedDisk', 'Get-ClusterValidation', 'Initialize-SharedDisk', 'New-ClusterShare',
'Set-CloudWitness', 'Set-ClusterHeartbeat', 'Set-ClusterNetworkRole', 'Start-ClusterValidation'

# Gives what may be run here: by the name in a call, the name that it is run by.
function Allowed([bool] $isGuest) {
    $commands = [hashtable]::new([StringComparer]::OrdinalIgnoreCase)
    $table = if ($isGuest) { $GuestSurface } else { $Surface }
    foreach ($module in $table.Keys) { foreach ($cmdlet in $table[$module]) { $commands[$cmdlet] = "$module\$cmdlet" } }
    foreach ($function in $Functions) {
        if (-not (Get-Command -Name $function.Name -CommandType Function).CmdletBinding -or ($GuestFunctions -contains $function.Name) -ne $isGuest) { continue }
        $commands[$function.Name] = $function.Name
    }
    return $commands
}

# ---- JSON -----------------------------------------------------------------------------------------------------------------

# Reads a body. What is marked as a secret is one from here on: no function or cmdlet is ever given it as text. Secrets that
# came apart from the body are in a list.
function ReadBody([string] $body, $secrets) {
    $packed = [IO.MemoryStream]::new([Convert]::FromBase64String($body))
    $plain = [IO.Compression.GZipStream]::new($packed, [IO.Compression.CompressionMode]::Decompress)
    $reader = [Runtime.Serialization.Json.JsonReaderWriterFactory]::CreateJsonReader($plain, [Xml.XmlDictionaryReaderQuotas]::Max)
    $document = [Xml.XmlDocument]::new()
    $document.PreserveWhitespace = $true
    $document.Load($reader)
    return FromJson $document.DocumentElement $secrets
}

# .NET shows JSON as XML: the type is an attribute, and a key that is no XML name is the attribute "item".
function FromJson($node, $secrets) {
    switch ($node.GetAttribute('type')) {
        'null' { return $null }
        'boolean' { return $node.InnerText -eq 'true' }
        'number' {
            $whole = 0L
            if ([long]::TryParse($node.InnerText, 'AllowLeadingSign', [Globalization.CultureInfo]::InvariantCulture, [ref] $whole)) { return $whole }
            return [double]::Parse($node.InnerText, [Globalization.CultureInfo]::InvariantCulture)
        }
        'array' { return , @(foreach ($element in $node.ChildNodes) { , (FromJson $element $secrets) }) }
        'object' {
            $object = @{}
            foreach ($member in $node.ChildNodes) {
                $name = if ($member.HasAttribute('item')) { $member.GetAttribute('item') } else { $member.LocalName }
                if ($name -ceq '$apart') { return $secrets[[int] $member.InnerText] }
                if ($name -ceq '$secret') { return [Net.NetworkCredential]::new('', $member.InnerText).SecurePassword }
                if ($name -ceq '$credential') {
                    $password = [Net.NetworkCredential]::new('', $member['password'].InnerText).SecurePassword
                    return [Management.Automation.PSCredential]::new($member['user'].InnerText, $password)
                }
                $object[$name] = FromJson $member $secrets
            }
            return $object
        }
        default { return $node.InnerText }
    }
}

# Writes a value as JSON into an element that is open: enumerations, GUIDs, versions and objects as text, dates in UTC as
# ISO 8601, lists always as lists, nothing as this computer's language has it.
function ToJson($writer, $value, [int] $depth) {
    if ($value -is [psobject]) { $value = $value.psobject.BaseObject }
    if ($null -eq $value) { $writer.WriteAttributeString('type', 'null'); return }
    if ($value -is [string]) { $writer.WriteString($value); return }
    if ($value -is [datetimeoffset]) { $value = $value.UtcDateTime }
    $invariant = [Globalization.CultureInfo]::InvariantCulture
    if ($value -is [bool] -or $value -is [Management.Automation.SwitchParameter]) {
        $writer.WriteAttributeString('type', 'boolean')
        $writer.WriteString($(if ($value) { 'true' } else { 'false' }))
    } elseif ($value -is [datetime]) {
        $writer.WriteString($value.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", $invariant))
    } elseif ($value -is [double] -or $value -is [single]) {
        if (-not [double]::IsNaN($value) -and -not [double]::IsInfinity($value)) { $writer.WriteAttributeString('type', 'number') }
        $writer.WriteString($value.ToString('R', $invariant))
    } elseif ($value -isnot [enum] -and $value -isnot [char] -and $value.GetType().IsPrimitive -or $value -is [decimal]) {
        $writer.WriteAttributeString('type', 'number')
        $writer.WriteString([Convert]::ToString($value, $invariant))
    } elseif ($depth -lt 32 -and $value -is [Collections.IDictionary]) {
        $writer.WriteAttributeString('type', 'object')
        foreach ($entry in $value.GetEnumerator()) { # .Keys would be the entry of that name, if there is one
            $writer.WriteStartElement('a', 'item', 'item')
            $writer.WriteAttributeString('item', [string] $entry.Key)
            ToJson $writer $entry.Value ($depth + 1)
            $writer.WriteEndElement()
        }
    } elseif ($depth -lt 32 -and $value -is [Collections.IEnumerable]) {
        $writer.WriteAttributeString('type', 'array')
        foreach ($element in $value) {
            $writer.WriteStartElement('item')
            ToJson $writer $element ($depth + 1)
            $writer.WriteEndElement()
        }
    } else {
        $writer.WriteString($value.ToString())
    }
}

# Gives a value's JSON as a stream.
function MakeJson($value) {
    $stream = [IO.MemoryStream]::new()
    $writer = [Runtime.Serialization.Json.JsonReaderWriterFactory]::CreateJsonWriter($stream, [Text.UTF8Encoding]::new($false), $false)
    $writer.WriteStartElement('root')
    ToJson $writer $value 0
    $writer.WriteEndElement()
    $writer.Flush()
    return $stream
}

# Gives what a stream holds as a body; nothing when it is more than the other end takes, or more than a share of that.
function Pack($plain, [int] $share = 1) {
    $packed = [IO.MemoryStream]::new()
    $zip = [IO.Compression.GZipStream]::new($packed, [IO.Compression.CompressionLevel]::Fastest, $true)
    $plain.WriteTo($zip)
    $zip.Close()
    if ($plain.Length -gt 256MB / $share -or $packed.Length -gt 47MB / $share) { return } # as base64 less than 64 MiB
    return [Convert]::ToBase64String($packed.GetBuffer(), 0, [int] $packed.Length)
}

# One write, so that frames of several threads never mix.
function SendFrame($shared, [string] $kind, [string] $id, $value) {
    $body = if ($value -is [string]) { $value } else { Pack (MakeJson $value) }
    $frame = [Text.Encoding]::ASCII.GetBytes("`n@HV1 $($shared.Nonce) $kind $id $body`n")
    $shared.Out.Write($frame, 0, $frame.Length)
    $shared.Out.Flush()
}

# ---- One batch ------------------------------------------------------------------------------------------------------------

# Gives a parameter's value for PowerShell's binder, which converts it as on a command line. What a Ref stands for are the
# live objects that an earlier call of the batch returned, or a property of each.
function Argument([string] $name, $value, $live) {
    if ($value -is [Collections.IDictionary] -and $value.Contains('$batch')) { return $value['$batch'] }
    if ($value -isnot [Collections.IDictionary] -and $value -isnot [array]) { return $value }
    $list = @(foreach ($element in @($value)) { if ($element -is [Collections.IDictionary]) { Referred $element $live } else { , $element } })
    if (-not $list.Count) { # what a cmdlet does then differs from cmdlet to cmdlet
        $why = [ArgumentException]::new("Cannot bind argument to parameter '$name' because it is an empty array.")
        throw [Management.Automation.ErrorRecord]::new($why, 'ParameterArgumentValidationErrorEmptyArrayNotAllowed', 'InvalidData', $name)
    }
    if ($list.Count -eq 1 -and $value -isnot [array]) { return $list[0] }
    return , $list
}

function Referred($ref, $live) {
    if (-not $ref.Contains('$ref')) { throw [ArgumentException]::new('This parameter has a value of an unknown form.') }
    foreach ($object in $live[$ref['$ref']]) {
        if ($ref.Contains('property')) { , (ReadPath $object $ref['property'].Split([char] '.')) } else { , $object }
    }
}

# PowerShell would give a secret to a text parameter as the name of its .NET type. Only a parameter that is made for a secret
# gets one.
function KeepSecret([string] $command, [string] $name, $value) {
    foreach ($element in $value) {
        if ($element -isnot [securestring] -and $element -isnot [Management.Automation.PSCredential]) { continue }
        $parameter = (Get-Command -Name $command).Parameters[$name]
        if ($parameter -and ($parameter.ParameterType.IsInstanceOfType($element) -or $parameter.ParameterType -eq [securestring[]])) { continue }
        $why = [ArgumentException]::new("Parameter '$name' of $command is not made for a secret.")
        throw [Management.Automation.ErrorRecord]::new($why, 'CannotConvertArgumentNoMessage', 'InvalidArgument', $name)
    }
}

# Reads a dotted path. Lists on the way stay lists; what is not there is null.
function ReadPath($object, [string[]] $path) {
    for ($i = 0; $i -lt $path.Count; $i++) {
        if ($null -eq $object) { return $null }
        $plain = $object.psobject.BaseObject
        if ($plain -is [Collections.IDictionary]) { $object = $plain[$path[$i]]; continue }
        if ($plain -is [Collections.IEnumerable] -and $plain -isnot [string]) {
            $rest = $path[$i..($path.Count - 1)]
            return , @(foreach ($element in $plain) { , (ReadPath $element $rest) })
        }
        $property = $object.psobject.Properties[$path[$i]]
        if (-not $property) { return $null }
        $object = $property.get_Value() # unlike .Value it tells when a property cannot be read
    }
    return , $object
}

# What of an error record does not depend on this computer's language, and its message for people.
function ErrorFacts($record) {
    $id = $record.FullyQualifiedErrorId
    # Errors of WMI have their HRESULT in the id alone.
    $code = if ($id -match '\AHRESULT 0x([0-9a-fA-F]{8})\b') { $Matches[1].ToUpperInvariant() } else { '{0:X8}' -f $record.Exception.GetBaseException().HResult }
    return @{
        id = ShortText $id; category = "$($record.CategoryInfo.Category)"; hresult = "0x$code"; target = ShortText $record.TargetObject
        message = ShortText $record
    }
}

function ShortText($value) {
    $text = try { "$value" } catch { '' }
    return $text.Substring(0, [Math]::Min($text.Length, 4096))
}

# Runs one call and gives its result. Errors that do not end the call stand beside what it returned.
function InvokeCall($shared, $call, $live) {
    $values = [Collections.Generic.List[object]]::new()
    $errors = [Collections.Generic.List[object]]::new()
    $live[$call.id] = $values
    try {
        $command = $shared.Commands[$call.cmdlet]
        if (-not $command) {
            $why = [Management.Automation.CommandNotFoundException]::new("The executor runs no cmdlet or function named '$($call.cmdlet)'.")
            throw [Management.Automation.ErrorRecord]::new($why, 'CommandNotFoundException', 'ObjectNotFound', $call.cmdlet)
        }
        $parameters = @{}
        if ($call.Contains('parameters')) {
            foreach ($given in $call.parameters.GetEnumerator()) {
                $parameters[$given.Key] = Argument $given.Key $given.Value $live
                KeepSecret $command $given.Key $parameters[$given.Key]
            }
        }
        # The error stream joins the output; warnings, verbose, debug and information messages go nowhere.
        & $command @parameters -ErrorAction Continue 2>&1 3>$null 4>$null 5>$null 6>$null | & { process {
            if ($_ -is [Management.Automation.ErrorRecord]) { $errors.Add((ErrorFacts $_)) } else { $values.Add($_) }
        } }
    } catch {
        $errors.Add((ErrorFacts $_))
    }
    $result = @{ id = $call.id }
    if ($call.Contains('select') -and $values.Count) {
        $result.values = @(foreach ($value in $values) { ProjectValue $value $call.select $errors })
    }
    $result.state = if ($errors.Count) { 'Failed' } else { 'Done' }
    if ($errors.Count) { $result.errors = $errors }
    return $result
}

# Gives exactly the properties that are selected. One that cannot be read is null, and an error.
function ProjectValue($value, $select, $errors) {
    $object = [Collections.Specialized.OrderedDictionary]::new()
    foreach ($path in $select) {
        $object[$path] = $null
        try { $object[$path] = ReadPath $value $path.Split([char] '.') } catch { $errors.Add((ErrorFacts $_)) }
    }
    return $object
}

# Runs the calls of a batch in their order. After one with an error the others do not run, unless the batch says Continue.
function InvokeBatch($shared, $batch, $job) {
    $live = @{}
    $ended = $false
    foreach ($call in $batch.calls) {
        if ($ended -or $job.Cancelled) { @{ id = $call.id; state = 'NotRun' }; continue }
        $result = InvokeCall $shared $call $live
        $result
        $ended = $result.state -eq 'Failed' -and $batch.onError -ne 'Continue'
    }
}

# Gives the body of an answer. One that is too large to send has an error in the place of each call's values.
function PackResults($shared, $results) {
    $body = PackAnswer $shared $results
    if ($body) { return $body }
    $why = @{ id = 'AnswerTooLarge'; category = 'LimitsExceeded'; message = 'The call ran. What it returned is more than one answer holds: ask for less at a time.' }
    return PackAnswer $shared @(foreach ($result in $results) {
        if ($result.Contains('values')) { @{ id = $result.id; state = 'Failed'; errors = @(, $why) } } else { $result }
    })
}

# A guest's results are text, as they stand later in its host's answer, where other guests' have to find room, too.
function PackAnswer($shared, $results) {
    if (-not $shared.IsGuest) { return Pack (MakeJson @{ results = $results }) }
    return Pack (MakeJson @{ results = [Text.Encoding]::UTF8.GetString((MakeJson $results).ToArray()) }) 4
}

# Runs in the pool: the batch of one request, and its answer if nobody else has answered meanwhile.
function InvokeRequest($shared, $job) {
    Set-StrictMode -Version 2.0
    $job.Begun = $true
    if ($shared.Closing -or $job.Cancelled) { return }
    $body = if ($job.Logon) { RunInTask $shared $job } else { PackResults $shared @(InvokeBatch $shared $job.Batch $job) }
    $global:Error.Clear() # which would keep what the batch worked on
    $job.Ended = $true
    if (-not $shared.Closing -and $job.Answer.Wait(0)) { SendFrame $shared 'res' $job.Id $body }
}

# ---- Inside a virtual machine ---------------------------------------------------------------------------------------------

# Runs a batch inside a virtual machine of this host, over PowerShell Direct with an account of the guest, and gives its
# results as JSON text: remoting would flatten objects. What runs there is this text, with the batch as a body; secrets travel
# beside it as SecureString and PSCredential, which PowerShell encrypts. The answer comes back as a body.
function Invoke-GuestBatch {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [guid] $VMId,
        [Parameter(Mandatory)] [Management.Automation.PSCredential] $Credential,
        [Parameter(Mandatory)] [hashtable] $Batch
    )
    $ErrorActionPreference = 'Stop'
    $secrets = [Collections.Generic.List[object]]::new()
    $body = Pack (MakeJson (SetApart $Batch $secrets))
    $block = [ScriptBlock]::Create($ExecutorText)
    # Unqualified, so that a module of this host may stand in for it.
    try {
        $answer = Invoke-Command -VMId $VMId -Credential $Credential -ScriptBlock $block -ArgumentList $body, $secrets.ToArray()
    } catch {
        # A refused account differs from any other session that cannot be opened by the exception's type alone.
        if ($_.CategoryInfo.Reason -ne 'PSDirectException') { throw }
        throw [Management.Automation.ErrorRecord]::new($_.Exception, 'InvalidCredential', 'AuthenticationError', $VMId)
    }
    [pscustomobject]@{ Results = [string] (ReadBody $answer @()).results }
}

# What the same text does in the guest. A task there is told all that came, over its pipe.
function RunInGuest($shared, [string] $body, $secrets) {
    $global:ConfirmPreference = 'None' # modules have no other scope in common with this function
    $global:ProgressPreference = 'SilentlyContinue'
    $batch = ReadBody $body $secrets
    $job = @{ Batch = $batch; Changes = $true; Logon = OtherLogon $batch; Body = $null; Cancelled = $false }
    if (-not $job.Logon) { return PackResults $shared @(InvokeBatch $shared $batch $job) }
    $job.Body = Pack (MakeJson @{ changes = $true; batch = $body; secrets = @(foreach ($secret in $secrets) { InPlain $secret }) })
    try { SweepTasks } catch { $null = $_ }
    return RunInTask $shared $job
}

# ---- Requests -------------------------------------------------------------------------------------------------------------

# The first line after this text: the nonce of the session's frames, and how many batches may run side by side.
function SayHello($shared, [string] $text) {
    $sum = [Security.Cryptography.SHA256CryptoServiceProvider]::new().ComputeHash([Text.Encoding]::UTF8.GetBytes($text))
    $up = [TimeSpan]::FromSeconds([Diagnostics.Stopwatch]::GetTimestamp() / [Diagnostics.Stopwatch]::Frequency)
    SendFrame $shared 'hello' '0' @{
            pid = $PID; host = $shared.Computer; boot = [DateTime]::UtcNow - $up; powershell = "$($PSVersionTable.PSVersion)"
            build = [Environment]::OSVersion.Version.Build; languageMode = "$($ExecutionContext.SessionState.LanguageMode)"
            hash = [BitConverter]::ToString($sum).Replace('-', '').ToLowerInvariant()
        }
}

# The runspaces that batches run in: with the modules of the table and the functions of this text, without a user to ask, so
# that what asks for confirmation or input fails. A runspace is made when the others are busy.
function OpenPool([int] $parallel, [string[]] $modules, [string[]] $functions, $variables) {
    $state = [Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()
    $state.ImportPSModule($modules)
    foreach ($name in $functions) {
        $definition = (Get-Command -Name $name -CommandType Function).Definition
        $state.Commands.Add([Management.Automation.Runspaces.SessionStateFunctionEntry]::new($name, $definition))
    }
    $variables.ConfirmPreference = 'None'
    foreach ($stream in 'Debug', 'Information', 'Progress', 'Verbose', 'Warning') { $variables["${stream}Preference"] = 'SilentlyContinue' }
    foreach ($name in $variables.Keys) {
        $state.Variables.Add([Management.Automation.Runspaces.SessionStateVariableEntry]::new($name, $variables[$name], ''))
    }
    $pool = [Management.Automation.Runspaces.RunspaceFactory]::CreateRunspacePool($state)
    $null = $pool.SetMaxRunspaces($parallel)
    $pool.Open()
    return $pool
}

# Takes a request. Its batch runs in the pool; one that changes something is announced to other processes of ours before.
function Accept($shared, [string] $id, [string] $body) {
    try {
        $request = ReadBody $body @()
        $batch = if ($shared.IsGuest) { ReadBody $request.batch $request.secrets } else { $request.batch }
        foreach ($call in $batch.calls) { if (-not $call.id -or -not $call.cmdlet) { throw 'A call has no id or no cmdlet.' } }
        $logon = if (-not $shared.InTask) { OtherLogon $batch }
        if ($request.changes -and -not $shared.Announced) { $shared.Announced = [Threading.Mutex]::new($false, $shared.Announcement) }
    } catch {
        SendFrame $shared 'res' $id @{ unreadable = ShortText $_.Exception.GetBaseException().Message }
        return
    }
    # Who takes the one place of Answer is the one who answers.
    $job = [hashtable]::Synchronized(@{
            Id = $id; Batch = $batch; Changes = $request.changes; Logon = $logon; Body = $(if ($logon) { $body })
            Begun = $false; Cancelled = $false; Ended = $false; Answer = [Threading.SemaphoreSlim]::new(1)
        })
    $job.Shell = [Management.Automation.PowerShell]::Create()
    $job.Shell.RunspacePool = $shared.Pool
    $null = $job.Shell.AddCommand('InvokeRequest').AddArgument($shared).AddArgument($job)
    $job.Run = $job.Shell.BeginInvoke()
    $shared.Jobs[$id] = $job
}

# Gives a batch's logon if it is not the session's own: it runs in a task.
function OtherLogon($batch) {
    if (-not $batch.Contains('logon') -or $batch.logon -in '', 'Network') { return }
    if ($batch.logon -notin 'System', 'Explicit') { throw "There is no logon $($batch.logon)." }
    if ($batch.logon -eq 'Explicit' -and $batch.credential -isnot [Management.Automation.PSCredential]) { throw 'The logon Explicit needs a credential.' }
    return $batch.logon
}

# Answers for a batch at once, also while its cmdlet blocks and cannot be stopped yet. No later call of it begins.
function Cancel($shared, [string] $id) {
    $job = $shared.Jobs[$id]
    if (-not $job -or -not $job.Answer.Wait(0)) { return }
    $job.Cancelled = $true
    SendFrame $shared 'res' $id @{ cancelled = $true }
    if (-not $job.Logon) { $null = $job.Shell.BeginStop($null, $null) } # a task is told, and waited for
}

# The batches under way that may still change something: an answer that nobody reads changes nothing more.
function Changing($shared) {
    foreach ($job in @($shared.Jobs.Values)) { if ($job.Changes -and -not $job.Ended -and -not $job.Run.IsCompleted) { $job } }
}

# Lets go of the batches that have ended, and of the announcement once none of those under way changes anything.
function Tidy($shared) {
    foreach ($job in @($shared.Jobs.Values)) {
        if (-not $job.Run.IsCompleted) { continue }
        if ($job.Answer.Wait(0)) { # it broke down before its answer: nobody saw its end
            SendFrame $shared 'res' $job.Id (PackResults $shared @(foreach ($call in $job.Batch.calls) { @{ id = $call.id; state = 'Unknown' } }))
        }
        $job.Shell.Dispose()
        $shared.Jobs.Remove($job.Id)
    }
    if ($shared.Announced -and -not @(Changing $shared).Count) {
        $shared.Announced.Dispose()
        $shared.Announced = $null
    }
}

# Whether another process on this computer holds a mutex of this name open. Windows closes it with the process, so nothing can
# stay behind.
function IsHeld([string] $name) {
    $found = $null
    try { $exists = [Threading.Mutex]::TryOpenExisting($name, [ref] $found) } catch [UnauthorizedAccessException] { return $true }
    if ($found) { $found.Dispose() }
    return $exists
}

# Reads requests until bye or the end of the input, and looks after batches under way in between.
function Serve($shared, $reader) {
    $seen = [Collections.Generic.HashSet[string]]::new()
    $isReady = $shared.InTask
    $sinceTidy = [Diagnostics.Stopwatch]::StartNew()
    $next = $reader.ReadLineAsync()
    while ($true) {
        if (-not $isReady -and -not (IsHeld $shared.Announcement)) { # as long as no other process of ours changes anything
            SendFrame $shared 'ready' '0' @{}
            $isReady = $true
        }
        $pause = if ($isReady -and -not $shared.Jobs.Count) { -1 } else { 100 }
        $hasLine = $next.Wait($pause)
        if (-not $hasLine -or $sinceTidy.ElapsedMilliseconds -gt 100) {
            Tidy $shared
            $sinceTidy.Restart()
        }
        if (-not $hasLine) { continue }
        $line = $next.Result
        if ($null -eq $line -or $line.Trim() -eq 'bye') { return }
        $next = $reader.ReadLineAsync()
        $kind, $id, $body = $line.Trim().Split([char] ' ')
        if ("$id" -notmatch '\A[0-9]{1,20}\z') { continue }
        if ($kind -ceq 'can') { Cancel $shared $id }
        if ($kind -ceq 'ping') {
            Tidy $shared
            SendFrame $shared 'pong' $id @{ workingSet = [Environment]::WorkingSet; running = $shared.Jobs.Count }
        }
        if ($kind -ceq 'req' -and $seen.Add($id)) { Accept $shared $id "$body" } # one that is sent again is not run again
    }
}

# ---- Start and end --------------------------------------------------------------------------------------------------------

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'
# Windows PowerShell does not load the library of .NET's JSON by itself.
$null = [Reflection.Assembly]::Load('System.Runtime.Serialization, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089')
$Self = $MyInvocation.MyCommand.ScriptBlock.Ast
$Functions = $Self.FindAll({ param($node) $node -is [Management.Automation.Language.FunctionDefinitionAst] }, $false)
$ExecutorFile = $PSCommandPath # empty unless this text was started as a file
$ExecutorText = $Self.Extent.StartScriptPosition.GetFullScript().Replace("`r`n", "`n")
$signature = $ExecutorText.IndexOf("`n# SIG # Begin signature block") # which a host's administrator may have added to the file
if ($signature -ge 0) { $ExecutorText = $ExecutorText.Substring(0, $signature) }
$Computer = if ($env:COMPUTERNAME) { $env:COMPUTERNAME } else { [Environment]::MachineName }
$Announcement = "Global\GuestClustering.$Computer"

# A guest is given a batch and its secrets; a bootstrap gives the reader that this text came through, and in a task the pipe. A
# file is given nothing, or in a task the name of the pipe, or of the function that runs there.
if ($args.Count -eq 2 -and $args[0] -is [string]) {
    return RunInGuest @{ Commands = Allowed $true; Announcement = $Announcement; Closing = $false; IsGuest = $true } $args[0] $args[1]
}
$Reader, $Pipe = $args
if ($Reader -is [string]) {
    if ($Reader -cin 'CopyWork', 'ValidateNodes') { return & $Reader }
    $Pipe = JoinPipe $Reader
}
$InTask = $null -ne $Pipe
if ($Reader -isnot [IO.StreamReader]) {
    $Reader = [IO.StreamReader]::new($(if ($InTask) { $Pipe } else { [Console]::OpenStandardInput() }), [Text.Encoding]::ASCII, $false, 65536)
}

# Frames alone go to the standard output, and nobody else reads the standard input.
$PSModuleAutoLoadingPreference = 'None'
$Out = [IO.Stream]::Synchronized($(if ($InTask) { $Pipe } else { [Console]::OpenStandardOutput() }))
[Console]::SetOut([IO.TextWriter]::Null)
[Console]::SetIn([IO.TextReader]::Null)
# Messages are the same on hosts of every language, as far as .NET has them.
[Threading.Thread]::CurrentThread.CurrentCulture = [Globalization.CultureInfo]::InvariantCulture
[Threading.Thread]::CurrentThread.CurrentUICulture = [Globalization.CultureInfo]::InvariantCulture

$Hello = ReadBody $Reader.ReadLine() @()
$IsGuest = $InTask -and $Hello.guest
$Shared = [hashtable]::Synchronized(@{
        Nonce = $Hello.nonce; Out = $Out; Computer = $Computer; Commands = Allowed $IsGuest; Jobs = @{}; Closing = $false
        Announcement = $Announcement; Announced = $null; Pool = $null; InTask = $InTask; IsGuest = $IsGuest
    })
# In a task what changes something is announced from here to the end: before whoever sends it can be gone.
$Announced = if ($InTask -and $Hello.changes) { [Threading.Mutex]::new($false, $Shared.Announcement) }
SayHello $Shared $ExecutorText
$variables = @{ ExecutorText = $ExecutorText; ExecutorFile = $ExecutorFile; PSModuleAutoLoadingPreference = $(if ($IsGuest) { 'All' } else { 'None' }) }
$modules = @(if (-not $IsGuest) { $Surface.Keys })
$Shared.Pool = OpenPool $Hello.parallel $modules @(foreach ($function in $Functions) { $function.Name }) $variables
$Aside = [Management.Automation.PowerShell]::Create()
$Aside.RunspacePool = $Shared.Pool
if (-not $InTask) { $null = $Aside.AddCommand('Sweep').BeginInvoke() }
try { Serve $Shared $Reader } catch { [Console]::Error.WriteLine($_.Exception.Message) }
# What changes something and has begun is finished, in a task its call under way; what has not begun never begins; nobody
# waits for what reads, and nobody reads what would be answered.
$Shared.Closing = $true
foreach ($job in $Shared.Jobs.Values) { if ($InTask) { $job.Cancelled = $true } }
while (@(foreach ($job in Changing $Shared) { if ($job.Begun) { $job } }).Count) { [Threading.Thread]::Sleep(50) }
if ($InTask) { # which it removes itself if whoever waited for it is gone; what reads may hold the pool
    try { SendFrame $Shared 'pong' '0' @{} } catch {
        $null = $Aside.AddCommand('RemoveTask').AddArgument("Batch.$($Hello.nonce)").BeginInvoke().AsyncWaitHandle.WaitOne(10000)
    }
}
[Environment]::Exit(0)
