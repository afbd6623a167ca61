# What every stub does: it sends its call to the simulated world and gives back what the world answers. Live objects stay in
# the world; here they are a handle and their properties as they were, read again once another call has been made.
Set-StrictMode -Version 2.0

$script:Calls = 0
$script:None = [Text.Json.JsonElement]::new()
$script:Text = [Text.Json.JsonValueKind]::String
$script:Array = [Text.Json.JsonValueKind]::Array
$script:Common = @([Management.Automation.Cmdlet]::CommonParameters) + @([Management.Automation.Cmdlet]::OptionalCommonParameters)

# One process has one connection and one set of types, whatever number of runspaces is in it.
$script:Domain = [AppDomain]::CurrentDomain
[Threading.Monitor]::Enter($Domain)
try {
    if (-not $Domain.GetData('Simulated.Client')) {
        . $PSScriptRoot/types.ps1
        $handler = [Net.Http.SocketsHttpHandler]::new()
        $handler.UseProxy = $false
        $client = [Net.Http.HttpClient]::new($handler)
        $client.Timeout = [Threading.Timeout]::InfiniteTimeSpan
        $Domain.SetData('Simulated.Client', $client)
    }
} finally { [Threading.Monitor]::Exit($Domain) }
$script:Client = $Domain.GetData('Simulated.Client')

# The body of every stub. A cmdlet heeds its caller's preferences; a module's function has to ask for them.
function Invoke-Simulated($Caller, $Bound) {
    $ErrorActionPreference = $Caller.GetVariableValue('ErrorActionPreference')
    if ($Bound.ContainsKey('WhatIf') -and $Bound['WhatIf']) { return }
    $name = $Caller.MyInvocation.MyCommand.Name
    $answer = Send-Simulated 'invoke' $name {
        param($json)
        $json.WriteString('cmdlet', $name)
        $json.WriteStartObject('parameters')
        foreach ($parameter in $Bound.Keys) {
            if ($Common -contains $parameter -or $parameter -eq 'Confirm') { continue }
            $json.WritePropertyName($parameter)
            Write-SimulatedValue $json $Bound[$parameter]
        }
        $json.WriteEndObject()
    }
    $script:Calls++
    foreach ($value in $answer.GetProperty('values').EnumerateArray()) { ConvertFrom-Simulated $value }
    foreach ($failure in $answer.GetProperty('errors').EnumerateArray()) { $Caller.WriteError((New-SimulatedError $failure)) }
}

# The value of a live object's property, as it is now. Most are text, and most of the time goes by here.
function Get-SimulatedProperty($Object, $Name) {
    if ($Object.SimulatedSeen -ne $Calls) { Update-Simulated $Object }
    $value = $None
    if (-not $Object.SimulatedProperties.TryGetProperty($Name, [ref] $value)) { return $null }
    $kind = $value.ValueKind
    if ($kind -eq $Text) { return $value.GetString() }
    $converted = ConvertFrom-Simulated $value
    if ($kind -eq $Array) { return , @($converted) }
    return $converted
}

function Update-Simulated($Object) {
    $answer = Send-Simulated 'look' 'Get-Property' { param($json) $json.WriteString('handle', $Object.SimulatedHandle) }
    $Object.SimulatedProperties = $answer.GetProperty('properties')
    $Object.SimulatedSeen = $Calls
}

function Set-SimulatedProperty($Object, [string] $Name, $Value) {
    $answer = Send-Simulated 'set' 'Set-Property' {
        param($json)
        $json.WriteString('handle', $Object.SimulatedHandle)
        $json.WriteString('property', $Name)
        $json.WritePropertyName('value')
        Write-SimulatedValue $json @(foreach ($v in $Value) { "$v" })
    }
    $script:Calls++
    foreach ($failure in $answer.GetProperty('errors').EnumerateArray()) { throw (New-SimulatedError $failure) }
}

# PowerShell Direct: runs a block's text in a PowerShell of the guest's own, whose stubs speak to the guest. Text crosses, and
# secrets.
function Invoke-SimulatedGuest($Caller, $Bound) {
    $ErrorActionPreference = $Caller.GetVariableValue('ErrorActionPreference')
    $answer = Send-Simulated 'enter' 'Get-Guest' {
        param($json)
        $json.WriteString('vmId', "$($Bound['VMId'])")
        $json.WritePropertyName('credential')
        Write-SimulatedValue $json $Bound['Credential']
    }
    foreach ($failure in $answer.GetProperty('errors').EnumerateArray()) {
        $record = New-SimulatedError $failure
        if ($record.CategoryInfo.Category -eq 'AuthenticationError') { # which Windows tells by the exception's type alone
            $why = [Management.Automation.Remoting.PSDirectException]::new("$record")
            $record = [Management.Automation.ErrorRecord]::new($why, 'PSSessionStateBroken', 'OpenError', $Bound['VMId'])
        }
        $Caller.WriteError($record)
        return
    }
    $start = [Diagnostics.ProcessStartInfo]::new([Environment]::ProcessPath)
    foreach ($argument in '-NoLogo', '-NoProfile', '-NonInteractive', '-Command', 'Import-Module Simulator; Receive-SimulatedBlock') { $start.ArgumentList.Add($argument) }
    $start.Environment.Clear()
    foreach ($variable in $answer.GetProperty('environment').EnumerateObject()) { $start.Environment[$variable.Name] = $variable.Value.GetString() }
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $start.RedirectStandardError = $true
    $guest = $start.Environment['HYPERVSIM_FORWARD']
    $process = [Diagnostics.Process]::Start($start)
    try {
        $lost = $Client.PostAsync("$guest/lost", [Net.Http.ByteArrayContent]::new([byte[]] @()))
        $out = $process.StandardOutput.ReadToEndAsync()
        $problems = $process.StandardError.ReadToEndAsync()
        Send-SimulatedBlock $process.StandardInput.BaseStream $Bound
        while ([Threading.Tasks.Task]::WaitAny([Threading.Tasks.Task[]] @($out, $lost), 50) -lt 0) { }
        if (-not $out.IsCompleted) {
            $gone = [Exception]::new('The remote session with the virtual machine has ended.')
            $record = [Management.Automation.ErrorRecord]::new($gone, '2100', 'OpenError', $Bound['VMId'])
            Set-WholeId $record '2100,PSSessionStateBroken'
            $Caller.WriteError($record)
            return
        }
        if (-not $out.Result) { throw "the PowerShell of the guest ended without an answer: $($problems.Result)" }
        $told = [Text.Json.JsonDocument]::Parse($out.Result).RootElement
        foreach ($value in $told.GetProperty('values').EnumerateArray()) { $value.GetString() }
        foreach ($failure in $told.GetProperty('errors').EnumerateArray()) { $Caller.WriteError((New-SimulatedError $failure)) }
    } finally {
        if (-not $process.HasExited) { $process.Kill() }
        $process.Dispose()
        $null = $Client.PostAsync("$guest/leave", [Net.Http.ByteArrayContent]::new([byte[]] @())).GetAwaiter().GetResult()
    }
}

function Send-SimulatedBlock($Stream, $Bound) {
    $json = [Text.Json.Utf8JsonWriter]::new($Stream)
    $json.WriteStartObject()
    $json.WriteString('block', "$($Bound['ScriptBlock'])")
    $json.WritePropertyName('arguments')
    Write-SimulatedValue $json @($Bound['ArgumentList'])
    $json.WriteEndObject()
    $json.Flush()
    $Stream.Close()
}

# What the PowerShell of a guest does: it runs the block that comes over its standard input, and tells what it gave as text.
function Receive-SimulatedBlock {
    $request = [Text.Json.JsonDocument]::Parse([Console]::OpenStandardInput()).RootElement
    $inner = [PowerShell]::Create([initialsessionstate]::CreateDefault2())
    $null = $inner.AddScript($request.GetProperty('block').GetString())
    foreach ($argument in $request.GetProperty('arguments').EnumerateArray()) { $null = $inner.AddArgument((Read-SimulatedArgument $argument)) }
    $values, $failures = @(), @()
    try {
        $values = @($inner.Invoke())
        $failures = @($inner.Streams.Error)
    } catch {
        $failures = @(if ($_.Exception.InnerException -is [Management.Automation.RuntimeException]) { $_.Exception.InnerException.ErrorRecord } else { $_ })
    }
    $out = [Console]::OpenStandardOutput()
    $json = [Text.Json.Utf8JsonWriter]::new($out)
    $json.WriteStartObject()
    $json.WriteStartArray('values')
    foreach ($value in $values) { $json.WriteStringValue("$value") }
    $json.WriteEndArray()
    $json.WriteStartArray('errors')
    foreach ($failure in $failures) {
        $json.WriteStartObject()
        $json.WriteString('id', $failure.FullyQualifiedErrorId)
        $json.WriteString('category', "$($failure.CategoryInfo.Category)")
        $json.WriteString('hresult', ('0x{0:X8}' -f $failure.Exception.HResult))
        $json.WriteString('target', "$($failure.TargetObject)")
        $json.WriteString('message', "$failure")
        $json.WriteEndObject()
    }
    $json.WriteEndArray()
    $json.WriteEndObject()
    $json.Flush()
}

function Read-SimulatedArgument($Value) {
    if ($Value.ValueKind -eq 'String') { return $Value.GetString() }
    if ($Value.ValueKind -eq 'Array') { return , @(foreach ($element in $Value.EnumerateArray()) { , (Read-SimulatedArgument $element) }) }
    $tag = [Text.Json.JsonElement]::new()
    if ($Value.TryGetProperty('$secret', [ref] $tag)) { return [Net.NetworkCredential]::new('', $tag.GetString()).SecurePassword }
    $credential = $Value.GetProperty('$credential')
    $password = [Net.NetworkCredential]::new('', $credential.GetProperty('password').GetString()).SecurePassword
    return [pscredential]::new($credential.GetProperty('user').GetString(), $password)
}

# Sends one request and gives the root of the answer. A call that reads can be stopped; one that changes goes on to its end.
function Send-Simulated([string] $Kind, [string] $Cmdlet, $Body) {
    $stream = [IO.MemoryStream]::new()
    $json = [Text.Json.Utf8JsonWriter]::new($stream)
    $json.WriteStartObject()
    & $Body $json
    $json.WriteEndObject()
    $json.Flush()
    $content = [Net.Http.ByteArrayContent]::new($stream.ToArray())
    $stop = [Threading.CancellationTokenSource]::new()
    try {
        $task = $Client.PostAsync("$env:HYPERVSIM_FORWARD/$Kind", $content, $stop.Token)
        if ($Cmdlet -like 'Get-*' -or $Cmdlet -like 'Test-*') { while (-not $task.Wait(50)) { } }
        $response = $task.GetAwaiter().GetResult()
        $text = $response.Content.ReadAsStringAsync().GetAwaiter().GetResult()
        if (-not $response.IsSuccessStatusCode) { throw "the simulated host answers $([int] $response.StatusCode): $text" }
        return [Text.Json.JsonDocument]::Parse($text).RootElement
    } finally { $stop.Cancel() }
}

function Write-SimulatedValue($Json, $Value) {
    if ($Value -is [psobject]) { $Value = $Value.psobject.BaseObject }
    if ($null -eq $Value) { $Json.WriteNullValue() }
    elseif ($Value -is [Simulated.LiveObject]) { Write-SimulatedTag $Json '$handle' $Value.SimulatedHandle }
    elseif ($Value -is [securestring]) { Write-SimulatedTag $Json '$secret' ([Net.NetworkCredential]::new('', $Value).Password) }
    elseif ($Value -is [pscredential]) { Write-SimulatedCredential $Json $Value }
    elseif ($Value -is [bool] -or $Value -is [switch]) { $Json.WriteBooleanValue([bool] $Value) }
    elseif ($Value -is [datetime]) { $Json.WriteStringValue($Value.ToUniversalTime().ToString('o')) }
    elseif ($Value -is [string] -or $Value -is [enum] -or $Value -is [guid] -or $Value -is [timespan]) { $Json.WriteStringValue("$Value") }
    elseif ($Value -is [ValueType]) { $Json.WriteNumberValue([long] $Value) }
    elseif ($Value -is [Collections.IDictionary]) { Write-SimulatedTable $Json $Value }
    elseif ($Value -is [Collections.IEnumerable]) {
        $Json.WriteStartArray()
        foreach ($element in $Value) { Write-SimulatedValue $Json $element }
        $Json.WriteEndArray()
    }
    else { $Json.WriteStringValue("$Value") }
}

function Write-SimulatedTag($Json, [string] $Tag, $Value) {
    $Json.WriteStartObject()
    $Json.WritePropertyName($Tag)
    Write-SimulatedValue $Json $Value
    $Json.WriteEndObject()
}

function Write-SimulatedTable($Json, $Value) {
    $Json.WriteStartObject()
    $Json.WriteStartObject('$table')
    foreach ($entry in $Value.GetEnumerator()) {
        $Json.WritePropertyName($entry.Key)
        Write-SimulatedValue $Json $entry.Value
    }
    $Json.WriteEndObject()
    $Json.WriteEndObject()
}

# The world keeps of a secret what tells it from others, and no more.
function Write-SimulatedCredential($Json, $Value) {
    $Json.WriteStartObject()
    $Json.WriteStartObject('$credential')
    $Json.WriteString('user', $Value.UserName)
    $Json.WriteString('password', [Net.NetworkCredential]::new('', $Value.Password).Password)
    $Json.WriteEndObject()
    $Json.WriteEndObject()
}

function ConvertFrom-Simulated($Value) {
    switch ($Value.ValueKind) {
        'String' { return $Value.GetString() }
        'Number' { return $Value.GetInt64() }
        'True' { return $true }
        'False' { return $false }
        'Array' { foreach ($element in $Value.EnumerateArray()) { ConvertFrom-Simulated $element }; return }
        'Object' { return ConvertFrom-SimulatedObject $Value }
    }
}

function ConvertFrom-SimulatedObject($Value) {
    $tag = [Text.Json.JsonElement]::new()
    if ($Value.TryGetProperty('$date', [ref] $tag)) { return $tag.GetDateTime() }
    if ($Value.TryGetProperty('$table', [ref] $tag)) {
        $table = @{}
        foreach ($entry in $tag.EnumerateObject()) { $table[$entry.Name] = ConvertFrom-Simulated $entry.Value }
        return $table
    }
    $class = $Value.GetProperty('class').GetString()
    $properties = $Value.GetProperty('properties')
    $type = if ($class) { "Simulated.$class" -as [type] }
    if (-not $type) { return Add-SimulatedProperties ([pscustomobject] @{ }) $properties }
    $object = $type::new()
    $object.SimulatedHandle = $Value.GetProperty('$handle').GetString()
    $object.SimulatedText = $Value.GetProperty('text').GetString()
    if ($class -eq 'CimInstance') { return Add-SimulatedProperties $object $properties }
    $object.SimulatedProperties = $properties
    # What is deep in another object is read when it is asked for.
    $object.SimulatedSeen = if ($properties.ValueKind -eq 'Object') { $Calls } else { -1 }
    return $object
}

function Add-SimulatedProperties($Object, $Properties) {
    foreach ($property in $Properties.EnumerateObject()) {
        $converted = ConvertFrom-Simulated $property.Value
        if ($property.Value.ValueKind -eq 'Array') { $converted = @($converted) }
        $Object.psobject.Properties.Add([psnoteproperty]::new($property.Name, $converted))
    }
    return $Object
}

# An error record as the real cmdlet would write it. PowerShell puts the function's name into the id; the real one has the name
# of a class there, which only a record that has come from elsewhere can have.
function New-SimulatedError($Failure) {
    $exception = [Exception]::new($Failure.GetProperty('message').GetString())
    $exception.HResult = [Convert]::ToInt32($Failure.GetProperty('hresult').GetString(), 16)
    $id = $Failure.GetProperty('id').GetString()
    $target = $Failure.GetProperty('target').GetString()
    $record = [Management.Automation.ErrorRecord]::new($exception, $id.Split([char] ',')[0], $Failure.GetProperty('category').GetString(), $target)
    Set-WholeId $record $id
    return $record
}

function Set-WholeId($Record, [string] $Id) {
    $whole = [Management.Automation.ErrorRecord].GetField('_serializedFullyQualifiedErrorId', [Reflection.BindingFlags] 'NonPublic, Instance')
    if ($whole) { $whole.SetValue($Record, $Id) }
}

Export-ModuleMember -Function *-Simulated*
