// Package guestpool asks the members of guest clusters how they are, and keeps the latest guest.Snapshot of each.
//
// A guest is asked over PowerShell Direct, through the host that runs its machine now. The questions for all guests of one
// host travel in one batch a poll, whatever their number, since the host is what is slow. While a guest cluster is being
// formed every member is asked; afterwards one node tells the cluster, those members that it does not call Up are asked
// themselves, and the others in turns.
//
// A guest that hangs would hold up the answers of the others in its batch: after a batch that ended without an answer its
// guests are asked alone until they answer.
//
// A password that a guest refused is not tried again: the account would be locked. It counts as another one when the Secret's
// changes, or when the guest was started again. Two refusals say nothing of the password: that of a guest which is being set
// up, and, for an account of a domain that was let in before, that of a guest without its domain.
package guestpool
