# Stands in for the module of the same name.

function Get-Item {
    [CmdletBinding()]
    param([string[]] $LiteralPath)
    foreach ($path in $LiteralPath) { [pscustomobject]@{ FullName = $path } }
}

function Test-Path {
    [CmdletBinding()]
    param([string] $LiteralPath, [string] $PathType)
    $false
}
