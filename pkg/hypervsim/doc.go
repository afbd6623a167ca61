// Package hypervsim is a simulated Hyper-V host cluster: a stateful world of hosts, volumes, virtual machines, disks
// and groups that answers batches of calls as the real cmdlets would.
//
// A World answers through Driver, in process; through Prompt it answers the single cmdlets of a real PowerShell that stands
// for a host's own (pkg/hypervsim/forward). What people and accidents do to a host cluster are its exported methods:
// failing a host, draining it, changing things behind the operator's back, injecting faults, reading the journal.
//
// Every effect happens at one instant of the world's clock, with the world locked; a call takes its duration first and
// has its effect at the end of it. Long operations that Windows itself runs on (a start, a shutdown, a live migration, a
// fixed disk, a copy) are events of the world. On a manual clock the same history gives the same world, ids included.
//
// Every call is held against pkg/hyperv/surface before anything else, so that what a host's build lacks is refused as
// PowerShell refuses it. The named functions do what pkg/hostagent/session/functions.ps1 does.
//
// Inside machines that start from a disk with Windows there is a guest: pkg/hypervsim/windows models it and the one domain that
// it may join, pkg/hypervsim/failover the cluster service in it. A machine's first start specialises its Windows with the answer
// file on its disk, and waits for ever without one. Batches run in guests through Invoke-GuestBatch on the host that the machine
// runs on now, with a table of commands of their own; a prompt may be in a guest, too. What Windows holds lives as long as the
// machine; what is on a disk is with its file, for all who have it attached.
//
// Where the real thing is richer: the host cluster has no witness and no load balancer, anti-affinity is never enforced
// and there are no affinity rules; dynamic disks stay small; a drain live-migrates what runs and fails where that cannot
// be; files on a host's own disks exist, but only as far as machines and Get-Item need them. A guest has the registry keys,
// files, CIM classes and features that calls ask for and no others; its networks know addresses, gateways and DNS servers, but
// no packets; set-up that was interrupted begins again, which the real one often cannot; PowerShell Direct lets administrators in
// alone, and does not go along when a machine migrates.
package hypervsim
