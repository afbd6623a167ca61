Get-CimInstance -ClassName 'Win32_OperatingSystem' -Namespace 'root/cimv2' -Property @('BuildNumber', 'TotalVisibleMemorySize', 'FreePhysicalMemory', 'LastBootUpTime')
Get-VMHost
Get-VMSwitch
Get-VM
Get-VMNetworkAdapter -All
Get-Item -LiteralPath @('C:\ClusterStorage\Volume1\images\ws2022.vhdx')
Get-VHD -Path @('C:\ClusterStorage\Volume1\guests\prod.sql-1.0a1b2c3d\data.vhds')
Get-Cluster
Get-ClusterNode
Get-ClusterGroup
Get-CimInstance -ClassName 'MSCluster_Resource' -Namespace 'root/MSCluster' -Filter 'Type=''Virtual Machine'''
Get-ClusterSharedVolume
Get-StampedFolder -Pool @('C:\ClusterStorage\Volume1\guests', 'C:\ClusterStorage\Volume2')

$one = Get-VM -Id '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42'
$two = Get-VM -Id '1c9d7a10-2f64-4d5b-8e0a-6f3b5a4c2d11'
Get-VMHardDiskDrive -VM @($one, $two)
Get-VMScsiController -VM @($one, $two)

New-StampedFolder -Path 'C:\ClusterStorage\Volume1\guests\prod.sql-1.0a1b2c3d' -Stamp '{"clusterID":"7c1e","namespace":"prod","namespaceUID":"51b7","kind":"GuestCluster","name":"sql","uid":"0a1b2c3d","member":"sql-1"}'
Start-Work -Id '4f1d6c0be2a1' -InputHash '99aa01' -Source 'C:\ClusterStorage\Volume1\images\ws2022.vhdx' -Destination 'C:\ClusterStorage\Volume1\guests\prod.sql-1.0a1b2c3d\os.vhdx'
Remove-StampedFolder -Path 'C:\ClusterStorage\Volume1\guests\prod.sql-1.0a1b2c3d' -Stamp '{"clusterID":"7c1e","namespace":"prod","namespaceUID":"51b7","kind":"GuestCluster","name":"sql","uid":"0a1b2c3d","member":"sql-1"}'

Set-AnswerFile -Path 'C:\ClusterStorage\Volume1\guests\prod.sql-1.0a1b2c3d\os.vhdx' -Content (Read-Host -AsSecureString -Prompt 'Content')
$new = New-VM -Name 'prod.sql-1' -MemoryStartupBytes 8589934592 -VHDPath 'C:\ClusterStorage\Volume1\guests\prod.sql-1.0a1b2c3d\os.vhdx' -Path 'C:\ClusterStorage\Volume1\guests\prod.sql-1.0a1b2c3d' -Version '9.0' -Generation 2
Get-VM -Id '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42'
Remove-VMNetworkAdapter -VM $new
Add-ClusterVirtualMachineRole -Name 'prod.sql-1' -VMId $new.Id
$resource = Get-ClusterResource -VMId $new.Id
Set-ClusterParameter -InputObject $resource -Name 'OfflineAction' -Value '2'

$vm = Get-VM -Id '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42'
Set-VM -VM $vm -ProcessorCount 4 -StaticMemory -MemoryStartupBytes 8589934592
Set-VM -VM $vm -AutomaticStartAction 'Nothing' -AutomaticStopAction 'ShutDown' -AutomaticCheckpointsEnabled $false -CheckpointType 'ProductionOnly'
Rename-VM -VM $vm -NewName 'prod.sql-1'

$vm = Get-VM -Id '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42'
Add-VMNetworkAdapter -SwitchName 'tenant' -Name 'client' -StaticMacAddress '02A101000001' -VM $vm -DeviceNaming 'On'
Set-VMNetworkAdapterVlan -VMNetworkAdapterName 'client' -VM $vm -Access -VlanId 110
Set-VMNetworkAdapterVlan -VMNetworkAdapterName 'cluster' -VM $vm -Untagged
$adapter = Get-VMNetworkAdapter -VM $vm -Name 'client'
Connect-VMNetworkAdapter -VMNetworkAdapter $adapter -SwitchName 'tenant'
Set-VMNetworkAdapter -VMNetworkAdapter $adapter -StaticMacAddress '02A101000001'

New-VHD -Path 'C:\ClusterStorage\Volume1\guests\prod.sql-1.0a1b2c3d\quorum.vhds' -SizeBytes 1073741824 -Dynamic
New-VHD -Path 'C:\ClusterStorage\Volume1\guests\prod.sql-1.0a1b2c3d\data.vhds' -SizeBytes 107374182400 -Fixed -AsJob
Resize-VHD -Path @('C:\ClusterStorage\Volume1\guests\prod.sql-1.0a1b2c3d\quorum.vhds') -SizeBytes 2147483648
$vm = Get-VM -Id '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42'
Add-VMScsiController -VM $vm
Add-VMHardDiskDrive -VM $vm -ControllerType 'SCSI' -ControllerNumber 1 -ControllerLocation 0 -Path 'C:\ClusterStorage\Volume1\guests\prod.sql-1.0a1b2c3d\data.vhds' -SupportPersistentReservations
$drive = Get-VMHardDiskDrive -VM $vm -ControllerLocation 0 -ControllerNumber 1 -ControllerType 'SCSI'
Remove-VMHardDiskDrive -VMHardDiskDrive $drive

Add-ClusterVirtualMachineRole -Name 'prod.sql-1' -VMId '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42'
Get-ClusterResource -Name @('Virtual Machine prod.sql-1')
Add-AntiAffinityClassName -VMId '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42' -ClassName 'gc-0a1b2c3d'
Remove-AntiAffinityClassName -VMId '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42' -ClassName 'gc-old'
Update-ClusterVirtualMachineConfiguration -VMId '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42'
Start-ClusterGroup -Name 'prod.sql-1' -Wait 0
Move-ClusterVirtualMachineRole -Node 'HOST2' -MigrationType 'Live' -VMId '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42' -Wait 0

Stop-ClusterGroup -Name 'prod.sql-1' -Wait 0
Remove-ClusterGroup -VMId '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42' -Force -RemoveResources
$vm = Get-VM -Id '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42'
Stop-VM -VM $vm -TurnOff -Force
Remove-VM -VM $vm -Force

Get-ItemProperty -LiteralPath @('HKLM:\SYSTEM\Setup')
Get-ItemProperty -LiteralPath @('HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State')
Get-Item -LiteralPath @('HKLM:\SYSTEM\CurrentControlSet\Services\Netlogon\JoinDomain')
Get-Item -LiteralPath @('C:\Windows\Panther\Unattend\Unattend.xml')
Get-CimInstance -ClassName 'Win32_OperatingSystem' -Namespace 'root/cimv2' -Property @('BuildNumber', 'LastBootUpTime')
Get-CimInstance -ClassName 'Win32_ComputerSystem' -Namespace 'root/cimv2' -Property @('Name', 'Domain', 'PartOfDomain')
Get-CimInstance -ClassName 'Win32_Service' -Namespace 'root/cimv2' -Filter 'Name=''ClusSvc''' -Property @('State', 'StartMode')
Get-CimInstance -ClassName 'Win32_DiskDrive' -Namespace 'root/cimv2' -Property @('Index', 'SCSIPort', 'SCSILogicalUnit')
Get-Disk
Get-WindowsFeature -Name @('Failover-Clustering', 'FS-FileServer')
Get-LocalGroupMember -SID 'S-1-5-32-544'
Get-NetAdapter
Get-NetIPAddress -AddressFamily @('IPv4')
Get-NetIPInterface -AddressFamily @('IPv4')
Get-NetRoute -DestinationPrefix @('0.0.0.0/0') -AddressFamily @('IPv4')
Get-DnsClientServerAddress -AddressFamily @('IPv4')
Get-DnsClient
Get-SmbShare -Special @($false)

Get-Cluster
Get-ClusterNode
Get-ClusterGroup
Get-ClusterResource
Get-CimInstance -ClassName 'MSCluster_Resource' -Namespace 'root/MSCluster'
Get-ClusterNetwork
Get-ClusterQuorum
Get-ClusterSharedVolume
Get-ClusterAvailableDisk

Get-ADComputer -Credential (Get-Credential 'CORP\join') -LDAPFilter '(|(cn=SQL-1)(cn=SQL-2)(cn=SQL))' -Server 'corp.example'
Get-ADObject -Credential (Get-Credential 'CORP\join') -LDAPFilter '(|(sAMAccountName=ops)(sAMAccountName=forming))' -Properties @('sAMAccountName', 'objectSid') -Server 'corp.example'
Get-ADObject -Credential (Get-Credential 'CORP\join') -Identity 'OU=Clusters,DC=corp,DC=example' -Properties @('nTSecurityDescriptor') -Server 'corp.example'
Get-ADObject -Credential (Get-Credential 'CORP\join') -Identity '5d0f3c1a-9b7e-4f52-8c6d-2e1a7b904f33' -Properties @('objectSid', 'tokenGroups') -Server 'corp.example'

Remove-Item -LiteralPath @('C:\Windows\Panther\Unattend\Unattend.xml') -Force
Install-WindowsFeature -Name @('Failover-Clustering', 'FS-FileServer') -IncludeManagementTools
Restart-Computer -Force

Rename-NetAdapter -Name @('Ethernet') -NewName 'client'
Set-NetIPInterface -InterfaceIndex @(4) -AddressFamily @('IPv4') -Dhcp 'Disabled'
Set-NetIPInterface -InterfaceIndex @(7) -AddressFamily @('IPv4') -Dhcp 'Enabled'
New-NetIPAddress -IPAddress '10.0.1.21' -PrefixLength 24 -InterfaceIndex 4
Remove-NetIPAddress -IPAddress @('10.0.1.20') -InterfaceIndex @(4)
New-NetRoute -DestinationPrefix '0.0.0.0/0' -NextHop '10.0.1.1' -InterfaceIndex 4
Remove-NetRoute -DestinationPrefix @('0.0.0.0/0') -InterfaceIndex @(4) -NextHop @('10.0.1.254')
Set-DnsClientServerAddress -InterfaceIndex @(4) -ServerAddresses @('10.0.1.2', '10.0.1.3')
Set-DnsClientServerAddress -InterfaceIndex @(7) -ResetServerAddresses
Set-DnsClient -InterfaceIndex @(7) -RegisterThisConnectionsAddress $false

Add-Computer -Credential (Get-Credential 'CORP\join') -DomainName 'corp.example' -OUPath 'OU=Clusters,DC=corp,DC=example' -Force
Add-Computer -Credential (Get-Credential 'CORP\join') -DomainName 'corp.example' -Force
Add-LocalGroupMember -Member @('S-1-5-21-1004336348-1177238915-682003330-1106') -SID 'S-1-5-32-544'

Update-HostStorageCache
Initialize-SharedDisk -UniqueId '60022480A1B2C3D4E5F60718293A4B5C' -Label 'data'
Set-Disk -UniqueId '60022480A1B2C3D4E5F60718293A4B5C' -IsOffline $true
Expand-SharedDisk -Guid '{3F2504E0-4F89-41D3-9A0C-0305E82C3301}'

Start-ClusterValidation -Id '4f1d6c0be2a1' -Node @('SQL-1', 'SQL-2') -Ignore @('Storage') -Credential (Get-Credential 'CORP\join')
Get-ClusterValidation -Id '4f1d6c0be2a1'

New-Cluster -Name 'SQL' -Node @('SQL-1') -StaticAddress @('10.0.1.30') -NoStorage -Force
New-Cluster -Name 'SQL' -Node @('SQL-1') -NoStorage -AdministrativeAccessPoint 'Dns' -Force
Add-ClusterNode -Name @('SQL-2') -NoStorage
Set-ClusterNetworkRole -Id '9a1c7e52-0b4d-4c7a-b3f8-61d2e0a45c90' -Name 'client' -Role 3
Set-ClusterHeartbeat -SameSubnetThreshold 20 -CrossSubnetThreshold 40
Add-SharedDisk -Guid '{3F2504E0-4F89-41D3-9A0C-0305E82C3301}' -Name 'data'
Add-ClusterSharedVolume -Name @('data')

Add-ClusterFileServerRole -Storage @('data') -StaticAddress @('10.0.1.31') -Name 'FILES' -Wait 0
New-ClusterShare -Role 'FILES' -DiskGuid '{3F2504E0-4F89-41D3-9A0C-0305E82C3301}' -Name 'profiles' -FullAccess @('CORP\ops')
New-ClusterShare -Role 'FILES' -DiskGuid '{3F2504E0-4F89-41D3-9A0C-0305E82C3301}' -Name 'backup'
Start-ClusterGroup -Name 'FILES' -Wait 0
Move-ClusterGroup -Name 'FILES' -Node 'SQL-2' -Wait 0

Set-ClusterQuorum -DiskWitness 'witness'
Set-ClusterQuorum -FileShareWitness '\\files.corp.example\witness'
Set-ClusterQuorum -NoWitness
Set-CloudWitness -AccountName 'account' -AccessKey (Read-Host -AsSecureString -Prompt 'AccessKey')
Set-CloudWitness -AccountName 'account' -AccessKey (Read-Host -AsSecureString -Prompt 'AccessKey') -Endpoint 'core.chinacloudapi.cn'

Suspend-ClusterNode -Name @('SQL-2') -Drain
Resume-ClusterNode -Name @('SQL-2') -Failback 'NoFailback'
Remove-ClusterNode -Name @('SQL-2') -Force

Remove-ClusterResource -Name @('data') -Force
Remove-Cluster -CleanupAD -Force
Remove-ADComputer -Credential (Get-Credential 'CORP\join') -Identity '5d0f3c1a-9b7e-4f52-8c6d-2e1a7b904f33' -Server 'corp.example'

Invoke-Command -VMId '8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42' -Credential (Get-Credential 'Administrator') -ScriptBlock {
    Add-Computer -Credential (Get-Credential 'CORP\join') -DomainName 'corp.example' -Force
    Set-CloudWitness -AccountName 'account' -AccessKey (Read-Host -AsSecureString -Prompt 'AccessKey')
    Restart-Computer -Force
}
