// Package hypervsim is a simulated Hyper-V host cluster: a stateful world of hosts, volumes, virtual machines, disks
// and groups that answers batches of calls as the real cmdlets would.
//
// A World answers through Driver, in process. What people and accidents do to a host cluster are its exported methods:
// failing a host, draining it, changing things behind the operator's back, injecting faults, reading the journal.
//
// Every effect happens at one instant of the world's clock, with the world locked; a call takes its duration first and
// has its effect at the end of it. Long operations that Windows itself runs on are events of the world.
package hypervsim
