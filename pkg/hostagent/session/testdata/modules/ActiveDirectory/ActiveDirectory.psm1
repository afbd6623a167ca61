# Stands in for the module of the same name, which guests alone have.

function Get-ADObject {
    [CmdletBinding()]
    param([string] $LDAPFilter)
    if ($LDAPFilter -eq 'missing') {
        $PSCmdlet.WriteError([Management.Automation.ErrorRecord]::new([Exception]::new('no such object'), 'NoObject', 'ObjectNotFound', $LDAPFilter))
    }
    [pscustomobject]@{ Name = $LDAPFilter }
}

# Says how its parameters were bound. A secret is told by its length alone.
function Get-ADComputer {
    [CmdletBinding()]
    param([string] $LDAPFilter, [securestring] $Password, [pscredential] $Credential)
    foreach ($given in $PSBoundParameters.GetEnumerator()) {
        $value = $given.Value
        $text = if ($value -is [securestring]) { $value.Length } elseif ($value -is [pscredential]) { "$($value.UserName) $($value.Password.Length)" } else { $value }
        [pscustomobject]@{ Name = $given.Key; Type = $value.GetType().Name; Text = "$text" }
    }
}
