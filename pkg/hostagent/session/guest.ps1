# The named functions that run inside guests, in the form of those above. All of them are refused on a host.

# Brings a raw disk to one NTFS volume with a drive letter and a label, sets it offline again and gives its GPT GUID in braces
# (Guid). A disk that is not raw is refused with category ResourceExists and left as it is.
function Initialize-SharedDisk {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $UniqueId,
        [Parameter(Mandatory)] [string] $Label
    )
    Refuse $PSCmdlet 'NotImplemented' $UniqueId 'Initialize-SharedDisk is not there yet.'
}

# Gives the volume of a disk all the room that the disk has, and tells its size in bytes (Size). It runs on the node that owns
# the disk.
function Expand-SharedDisk {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Guid
    )
    Refuse $PSCmdlet 'NotImplemented' $Guid 'Expand-SharedDisk is not there yet.'
}

# Makes a disk a cluster disk under a name.
function Add-SharedDisk {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Guid,
        [Parameter(Mandatory)] [string] $Name
    )
    Refuse $PSCmdlet 'NotImplemented' $Guid 'Add-SharedDisk is not there yet.'
}

# Names a network of the cluster and says what it is for: 0 nothing, 1 the cluster alone, 3 the cluster and its clients.
function Set-ClusterNetworkRole {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Id,
        [Parameter(Mandatory)] [string] $Name,
        [Parameter(Mandatory)] [int] $Role
    )
    Refuse $PSCmdlet 'NotImplemented' $Id 'Set-ClusterNetworkRole is not there yet.'
}

# Sets how many heartbeats may be missed, in one subnet and across subnets.
function Set-ClusterHeartbeat {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [int] $SameSubnetThreshold,
        [Parameter(Mandatory)] [int] $CrossSubnetThreshold
    )
    Refuse $PSCmdlet 'NotImplemented' '' 'Set-ClusterHeartbeat is not there yet.'
}

# Makes an Azure storage account the witness.
function Set-CloudWitness {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $AccountName,
        [Parameter(Mandatory)] [securestring] $AccessKey,
        [string] $Endpoint
    )
    Refuse $PSCmdlet 'NotImplemented' $AccountName 'Set-CloudWitness is not there yet.'
}

# Makes a continuously available share of a file server role, in a folder Shares\<Name> of the role's disk. It runs on the node
# that owns the role.
function New-ClusterShare {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Role,
        [Parameter(Mandatory)] [string] $DiskGuid,
        [Parameter(Mandatory)] [string] $Name,
        [string[]] $FullAccess
    )
    Refuse $PSCmdlet 'NotImplemented' $Role 'New-ClusterShare is not there yet.'
}

# Starts validating nodes in a task of the credential's user, which outlives the session, and does not wait for it.
function Start-ClusterValidation {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Id,
        [Parameter(Mandatory)] [string[]] $Node,
        [string[]] $Ignore,
        [Parameter(Mandatory)] [Management.Automation.PSCredential] $Credential
    )
    Refuse $PSCmdlet 'NotImplemented' $Id 'Start-ClusterValidation is not there yet.'
}

# Tells how a validation goes: State (Running, Completed, Failed), Error, and once there is one the Report, Test-Cluster's XML.
function Get-ClusterValidation {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory)] [string] $Id
    )
    Refuse $PSCmdlet 'NotImplemented' $Id 'Get-ClusterValidation is not there yet.'
}
