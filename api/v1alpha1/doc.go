// Package v1alpha1 is the API of the operator: host clusters, guest clusters, the disks that guest
// clusters share and the groups that keep their members on different hosts.
//
// Everything that an object can be refused for without asking a host is said here, as schema and CEL, so
// that the API server refuses it and no webhook is needed. What depends on the hosts is told in the
// conditions, with the reasons of conditions.go.
//
// Constants are schema defaults. What depends on the hosts (paths, formats, addresses, host-side names) is
// effective state in status and is never written back to spec, so that Git and the cluster never differ.
//
// The package imports nothing else of this module.
//
// +kubebuilder:object:generate=true
// +groupName=guestclustering.io
package v1alpha1
