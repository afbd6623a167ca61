// Package guestpool asks the members of guest clusters how they are, and keeps the latest guest.Snapshot of each.
//
// A guest is asked over PowerShell Direct, through the host that runs its machine now. The questions for all guests of one
// host travel in one batch a poll, whatever their number, since the host is what is slow. While a guest cluster is being
// formed every member is asked; afterwards one node tells the cluster, those members that it does not call Up are asked
// themselves, and the others in turns.
//
// A guest that hangs would hold up the answers of the others in its batch: after a batch that ended without an answer its
// guests are asked alone until they answer.
package guestpool
