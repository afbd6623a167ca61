// Package hyperv is what a Hyper-V host cluster is, as plain data: hosts, machines, groups, folders, disks, the stamps
// that say whose they are, and the snapshot that holds them at one moment.
//
// A snapshot tells apart what is absent and what could not be seen: each look-up gives a Presence with its value.
package hyperv
