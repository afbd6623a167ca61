package v1alpha1

import (
	"strconv"
	"strings"
)

// LabelGuestCluster is the label with which a SharedDisk or AntiAffinityGroup that a GuestCluster made says
// whose it is; its value is the GuestCluster's metadata.name.
const LabelGuestCluster = GroupName + "/guest-cluster"

// LabelGuestClusterUID is the label of a Secret that a GuestCluster made for itself; its value is the GuestCluster's UID, so that
// one of the same name never takes it for its own.
const LabelGuestClusterUID = GroupName + "/guest-cluster-uid"

// The finalizers, one per kind.
const (
	// FinalizerInUse holds a HostCluster while anything names it.
	FinalizerInUse = GroupName + "/in-use"
	// FinalizerGuestCluster holds a GuestCluster until its machines are removed or let go.
	FinalizerGuestCluster = GroupName + "/guestcluster"
	// FinalizerSharedDisk holds a SharedDisk until its file is removed or let go.
	FinalizerSharedDisk = GroupName + "/shareddisk"
	// FinalizerAntiAffinityGroup holds an AntiAffinityGroup until its class name is taken off the members.
	FinalizerAntiAffinityGroup = GroupName + "/antiaffinitygroup"
)

// MemberNames are the computer names of the members that the spec asks for, in order: with type Count
// <NAME>-1 to <NAME>-<count>, where <NAME> is metadata.name in capitals; with type Named as written.
func MemberNames(gc *GuestCluster) []string {
	if gc.Spec.Members.Type == MembersNamed {
		return namedMembers(gc.Spec.Members.Named)
	}
	if gc.Spec.Members.Count == nil {
		return nil
	}
	names := make([]string, 0, *gc.Spec.Members.Count)
	for n := range *gc.Spec.Members.Count {
		names = append(names, strings.ToUpper(gc.Name)+"-"+strconv.Itoa(int(n)+1))
	}
	return names
}

func namedMembers(named []NamedMember) []string {
	names := make([]string, 0, len(named))
	for _, member := range named {
		names = append(names, member.Name)
	}
	return names
}

// ClusterName is the computer name of the cluster inside of a GuestCluster with the given metadata.name, where its
// spec gives none.
func ClusterName(guestCluster string) string {
	return strings.ToUpper(guestCluster) + "-CL"
}

// AdministratorSecretName is the metadata.name of the Secret, in the namespace of a GuestCluster, that holds the
// password of its members' local administrator, where its spec names none.
func AdministratorSecretName(guestCluster string) string {
	return guestCluster + "-administrator"
}

// SharedDiskName is the metadata.name of the SharedDisk that a template of a GuestCluster makes.
func SharedDiskName(guestCluster, disk string) string {
	return guestCluster + "-" + disk
}

// AntiAffinityGroupName is the metadata.name of the AntiAffinityGroup that a GuestCluster makes for its own
// members.
func AntiAffinityGroupName(guestCluster string) string {
	return guestCluster
}

// ObjectName is the metadata.name of the SharedDisk that the entry stands for in the given GuestCluster.
func (d *GuestClusterSharedDisk) ObjectName(guestCluster string) string {
	if d.SharedDiskRef != nil {
		return d.SharedDiskRef.Name
	}
	return SharedDiskName(guestCluster, d.Name)
}
