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
