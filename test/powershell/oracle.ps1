# Binds calls with PowerShell's own binder. Request: a JSON file with the stub modules by Windows build, the text that has the
# named functions, and cases: a batch, or the PowerShell text of one. Answer: what each cmdlet received, or the error.
param([string] $Request, [string] $Answer)
Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

function ConvertTo-Value($e) {
    switch ($e.GetAttribute('type')) {
        'boolean' { return $e.InnerText -eq 'true' }
        'number' { return [long]::Parse($e.InnerText, [Globalization.CultureInfo]::InvariantCulture) }
        'object' { $h = @{}; foreach ($c in $e.ChildNodes) { $n = if ($c.HasAttribute('item')) { $c.GetAttribute('item') } else { $c.LocalName }; $h[$n] = ConvertTo-Value $c }; return $h }
        'array' { return , @(foreach ($c in $e.ChildNodes) { , (ConvertTo-Value $c) }) }
        default { return $e.InnerText }
    }
}

function Write-Json($w, [string] $name, $v) {
    $w.WriteStartElement($name)
    if ($v -is [psobject]) { $v = $v.psobject.BaseObject }
    if ($v -is [Collections.IDictionary]) { $w.WriteAttributeString('type', 'object'); foreach ($k in $v.Keys) { Write-Json $w ([string] $k) $v[$k] } }
    elseif ($v -is [Collections.IEnumerable] -and $v -isnot [string]) { $w.WriteAttributeString('type', 'array'); foreach ($x in $v) { Write-Json $w 'item' $x } }
    else { $w.WriteString([string] $v) }
    $w.WriteEndElement()
}

function ConvertTo-Secure([string] $text) { $s = [securestring]::new(); foreach ($c in $text.ToCharArray()) { $s.AppendChar($c) }; return $s }

function Select-Path($o, [string[]] $path) { foreach ($n in $path) { $o = $o.$n }; return , $o }

# A parameter's value as the executor makes it: plain, or an object with one key that begins with $.
function ConvertTo-Argument($v, $live) {
    if ($v -is [Collections.IDictionary]) {
        if ($v.Contains('$ref')) {
            $o = $live[$v['$ref']]
            if ($v.Contains('property')) { $o = @(foreach ($x in $o) { Select-Path $x $v['property'].Split([char] '.') }) }
            if (@($o).Count -eq 1) { return @($o)[0] }
            return , @($o)
        }
        if ($v.Contains('$secret')) { return ConvertTo-Secure $v['$secret'] }
        if ($v.Contains('$credential')) { return [pscredential]::new($v['$credential'].user, (ConvertTo-Secure $v['$credential'].password)) }
        if ($v.Contains('$batch')) { return $v['$batch'] }
        throw 'unknown tag'
    }
    if ($v -is [array]) { return , @(foreach ($x in $v) { , (ConvertTo-Argument $x $live) }) }
    return $v
}

function global:Get-Text($v) {
    if ($v -is [guid]) { return $v.ToString('D') }
    if ($v -is [pscredential]) { return $v.UserName }
    if ($v -is [securestring]) { return 'secret' }
    $from = $v.psobject.Properties['FromCall']
    if ($from) { return "call $($from.Value)" }
    return [Convert]::ToString($v, [Globalization.CultureInfo]::InvariantCulture)
}

# The body of every stub: notes what was bound and returns one object of the cmdlet's class.
function global:Write-Bound($cmdlet, $bound, $command) {
    $values = @{}
    foreach ($name in $bound.Keys) {
        $v = $bound[$name]
        $isList = $v -is [Collections.IList]
        $values[$name] = @{ type = $command.Parameters[$name].ParameterType.Name; texts = @(if ($isList) { foreach ($x in $v) { Get-Text $x } } else { Get-Text $v }) }
    }
    $global:Recorded.Add(@{ cmdlet = $command.Name; set = $cmdlet.ParameterSetName; values = $values })
    if (-not $command.OutputType.Count -or -not $command.OutputType[0].Type) { return }
    $o = $command.OutputType[0].Type::new()
    foreach ($property in $o.psobject.Properties) {
        if ($property.TypeNameOfValue -eq 'System.String') { $property.Value = $property.Name }
        if ($property.TypeNameOfValue -eq 'System.Guid') { $property.Value = [guid] '11111111-2222-3333-4444-555555555555' }
    }
    $o.psobject.Properties.Add([psnoteproperty]::new('FromCall', $global:Recorded.Count - 1))
    $o
}

function global:Read-Host { [CmdletBinding()] param([Parameter(Position = 0)] [object] $Prompt, [switch] $AsSecureString) $s = [securestring]::new(); $s.AppendChar('x'); $s }
function global:Get-Credential { [CmdletBinding()] param([Parameter(Mandatory, Position = 0)] [string] $UserName) $s = [securestring]::new(); $s.AppendChar('x'); [pscredential]::new($UserName, $s) }

# PowerShell Direct: the block's calls are noted after it.
function global:Invoke-Command {
    [CmdletBinding()]
    param([Parameter(ParameterSetName = 'VMId', Mandatory)] [guid] $VMId, [Parameter(ParameterSetName = 'VMId', Mandatory)] [pscredential] $Credential,
        [Parameter(ParameterSetName = 'VMId', Mandatory)] [scriptblock] $ScriptBlock)
    $null = $PSBoundParameters.Remove('ScriptBlock')
    Write-Bound $PSCmdlet $PSBoundParameters $MyInvocation.MyCommand
    & $ScriptBlock
}

function Invoke-Case($case) {
    $global:Recorded = [Collections.Generic.List[object]]::new()
    $live = @{}
    foreach ($c in $case.batch.calls) {
        $known = $global:Recorded.Count
        try {
            $p = @{}
            if ($c.Contains('parameters')) { foreach ($k in $c.parameters.Keys) { $p[$k] = ConvertTo-Argument $c.parameters[$k] $live } }
            $live[$c.id] = @(& $c.cmdlet @p)
        } catch {
            if ($global:Recorded.Count -eq $known) { $global:Recorded.Add(@{ cmdlet = $c.cmdlet; error = $_.FullyQualifiedErrorId.Split([char] ',')[0]; message = $_.Exception.Message }) }
        }
    }
    return @{ calls = $global:Recorded.ToArray() }
}

$allowed = 'ScriptBlockAst', 'NamedBlockAst', 'PipelineAst', 'CommandAst', 'CommandParameterAst', 'StringConstantExpressionAst', 'ConstantExpressionAst',
'VariableExpressionAst', 'ScriptBlockExpressionAst', 'ArrayExpressionAst', 'ArrayLiteralAst', 'StatementBlockAst', 'ParenExpressionAst', 'MemberExpressionAst', 'AssignmentStatementAst', 'CommandExpressionAst'

function Invoke-Text([string] $text, $names) {
    $tokens = $null
    $errors = $null
    $ast = [Management.Automation.Language.Parser]::ParseInput($text, [ref] $tokens, [ref] $errors)
    if ($errors.Count) { return @{ problem = $errors[0].Message } }
    foreach ($node in $ast.FindAll({ $true }, $true)) {
        if ($allowed -notcontains $node.GetType().Name) { return @{ problem = "$($node.GetType().Name): $($node.Extent.Text)" } }
        if ($node -is [Management.Automation.Language.CommandAst] -and $names -notcontains $node.GetCommandName()) { return @{ problem = "runs $($node.GetCommandName())" } }
    }
    $global:Recorded = [Collections.Generic.List[object]]::new()
    try { $null = & ([scriptblock]::Create($text)) } catch { return @{ calls = $global:Recorded.ToArray(); problem = $_.FullyQualifiedErrorId + ': ' + $_.Exception.Message } }
    return @{ calls = $global:Recorded.ToArray() }
}

# The functions' own param blocks, with the stubs' body.
function Get-FunctionStub([string] $text) {
    $ast = [Management.Automation.Language.Parser]::ParseInput($text, [ref] $null, [ref] $null)
    foreach ($function in $ast.EndBlock.Statements) {
        if ($function -isnot [Management.Automation.Language.FunctionDefinitionAst] -or $function.Name -notlike '*-*') { continue }
        "function global:$($function.Name) { [CmdletBinding()] $($function.Body.ParamBlock.Extent.Text) Write-Bound `$PSCmdlet `$PSBoundParameters `$MyInvocation.MyCommand }"
    }
}

$reader = [Runtime.Serialization.Json.JsonReaderWriterFactory]::CreateJsonReader([IO.File]::ReadAllBytes($Request), [Xml.XmlDictionaryReaderQuotas]::Max)
$document = [Xml.XmlDocument]::new()
$document.Load($reader)
$in = ConvertTo-Value $document.DocumentElement
foreach ($text in @(Get-FunctionStub $in.functions)) { . ([scriptblock]::Create($text)) }
$answers = @{}
foreach ($build in $in.modules.Keys) {
    $module = Import-Module $in.modules[$build] -PassThru -DisableNameChecking
    $names = @($module.ExportedFunctions.Keys) + @(Get-Command -CommandType Function -Name '*-*' | ForEach-Object { $_.Name })
    for ($i = 0; $i -lt $in.cases.Count; $i++) {
        $case = $in.cases[$i]
        if ("$($case.build)" -ne $build) { continue }
        $answers[$i] = if ($case.Contains('text')) { Invoke-Text $case.text $names } else { Invoke-Case $case }
    }
    Remove-Module $module
}
$out = [IO.MemoryStream]::new()
$writer = [Runtime.Serialization.Json.JsonReaderWriterFactory]::CreateJsonWriter($out, [Text.UTF8Encoding]::new($false), $false)
Write-Json $writer 'root' @(for ($i = 0; $i -lt $in.cases.Count; $i++) { $answers[$i] })
$writer.Close()
[IO.File]::WriteAllBytes($Answer, $out.ToArray())
