# Stands in for the module of the same name, which guests alone have.

function Get-ADObject {
    [CmdletBinding()]
    param([string] $LDAPFilter)
    if ($LDAPFilter -eq 'missing') {
        $PSCmdlet.WriteError([Management.Automation.ErrorRecord]::new([Exception]::new('no such object'), 'NoObject', 'ObjectNotFound', $LDAPFilter))
    }
    if ($LDAPFilter -eq 'large') { # does not compress, and is more than a guest may answer
        $bytes = [byte[]]::new(12MB)
        [Random]::new(1).NextBytes($bytes)
        $LDAPFilter = [Convert]::ToBase64String($bytes)
    }
    [pscustomobject]@{ Name = $LDAPFilter; Number = [ulong]::MaxValue; List = @(, @(1)); Confirm = "$ConfirmPreference"; Process = $PID }
}

# Blocks where no pipeline can be stopped, until the pipe has a writer and is closed again; with Count a file gets a letter.
function Remove-ADComputer {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
    param([string] $Identity, [switch] $Count)
    if (-not $PSCmdlet.ShouldProcess($Identity)) { return }
    if ($Count) { [IO.File]::AppendAllText($Identity, 'x'); return }
    $stream = [IO.FileStream]::new($Identity, 'Open', 'Read')
    $null = $stream.ReadByte()
    $stream.Dispose()
}

# Says how its parameters were bound. A secret is told by its length alone.
function Get-ADComputer {
    [CmdletBinding()]
    param([string] $LDAPFilter, [securestring] $Password, [pscredential] $Credential)
    $names = [string[]] $PSBoundParameters.Keys
    [Array]::Sort($names)
    foreach ($name in $names) {
        $value = $PSBoundParameters[$name]
        $text = if ($value -is [securestring]) { $value.Length } elseif ($value -is [pscredential]) { "$($value.UserName) $($value.Password.Length)" } else { $value }
        [pscustomobject]@{ Name = $name; Type = $value.GetType().Name; Text = "$text" }
    }
}
