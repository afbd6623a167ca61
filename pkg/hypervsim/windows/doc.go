// Package windows models Windows Server inside a simulated virtual machine, and the Active Directory domain that it may
// join: what set-up has done, accounts, features, adapters and disks. It knows no cmdlets, no clock and no hosts: whoever
// owns a System says when it boots, which adapters and disks it finds, and whether the domain can be reached.
//
// Nothing here is safe for use from several goroutines at once.
package windows
