// Package failover is a model of the Windows Server cluster service among a set of computers: membership, votes, a witness,
// networks, groups with their resources that fail over, disks, and the validation of a configuration.
//
// It knows no cmdlets, has no locks and starts no goroutines: whoever runs it gives it a Clock and Computers, calls it from
// one goroutine at a time, and tells it by Changed when something outside has changed. What it does by itself it does when
// its clock says so.
//
// Where the real thing is richer: one database that every node has the newest of; nodes talk or do not, there are no lossy
// networks; a partition that may run is found at once once a node is missed; resources are brought online together after one
// time; no preferred owners, no failback, no sites, no forced quorum. The numbers are Microsoft's defaults ("Tuning failover
// cluster network thresholds", "Virtual Machine Compute Resiliency in Windows Server 2016").
package failover
