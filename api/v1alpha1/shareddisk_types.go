package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// SharedDiskSpec says what disk is wanted.
type SharedDiskSpec struct {
	// hostClusterRef names the HostCluster whose hosts hold the disk. Changes: fixed.
	// +required
	HostClusterRef HostClusterReference `json:"hostClusterRef"`

	// management is Managed, or Paused: nothing is changed on the hosts for this disk, its status is still
	// kept, and a deletion waits. Changes: online.
	// +kubebuilder:default=Managed
	// +optional
	Management Management `json:"management,omitempty"`

	SharedDiskTemplateSpec `json:",inline"`
}

// SharedDiskTemplateSpec is what a disk is, whether a SharedDisk of its own or a template in a GuestCluster.
//
// +kubebuilder:validation:XValidation:rule="has(self.format) == has(oldSelf.format) && (!has(self.format) || self.format == oldSelf.format)",fieldPath=".format",message="format is fixed; create a new disk of the other format and move the data"
// +kubebuilder:validation:XValidation:rule="!has(self.format) || self.format != 'VHDX' || !isQuantity(string(self.size)) || !isQuantity(string(oldSelf.size)) || quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) <= 0",fieldPath=".size",message="a shared VHDX cannot grow; restore the size, or create a new disk of format VHDSet and move the data"
type SharedDiskTemplateSpec struct {
	// format is the file format: VHDX (Windows Server 2012 R2 hosts and later; no online growth, no host
	// backup) or VHDSet (2016 and later). Left out: VHDSet where the hosts can, else VHDX; status.format of
	// the SharedDisk says which. Changes: fixed, left out or not.
	// +optional
	Format DiskFormat `json:"format,omitempty"`

	// provisioning is Dynamic (the file grows as the guests write) or Fixed (the whole size is taken from the
	// pool at creation). Changes: fixed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="provisioning is fixed; create a new disk and move the data"
	// +kubebuilder:default=Dynamic
	// +optional
	Provisioning Provisioning `json:"provisioning,omitempty"`

	// size is what the guests see, as a quantity of bytes such as 500Gi: 512Mi to 64Ti, in whole sectors of 512 bytes
	// and without a fraction.
	// Changes: online, upwards, for a VHD Set, and the volume inside grows with it; a shared VHDX cannot grow, and no disk
	// shrinks.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('512Mi')) >= 0 && quantity(string(self)).compareTo(quantity('64Ti')) <= 0",message="a shared disk has 512Mi to 64Ti; write the size with a unit, such as 500Gi"
	// +kubebuilder:validation:XValidation:rule="!isQuantity(string(self)) || quantity(string(self)).compareTo(quantity('512Mi')) < 0 || quantity(string(self)).compareTo(quantity('64Ti')) > 0 || quantity(string(self)).isInteger() && quantity(string(self)).asInteger() % 512 == 0",message="a disk is a whole number of 512-byte sectors; write the size in Mi, Gi or Ti and without a fraction, such as 1536Mi"
	// +kubebuilder:validation:XValidation:rule="!isQuantity(string(self)) || !isQuantity(string(oldSelf)) || quantity(string(self)).compareTo(quantity(string(oldSelf))) >= 0",message="a shared disk cannot shrink; restore the size, or create a new disk and move the data"
	// +required
	Size resource.Quantity `json:"size"`

	// storagePool is the HostCluster's storage pool that holds the file, by name. Changes: fixed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="storagePool is fixed; create a new disk in the other pool and move the data"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	StoragePool string `json:"storagePool"`

	// reclaimPolicy is what becomes of the file when the SharedDisk is deleted: Retain keeps it, Delete
	// deletes it with all data. Changes: online.
	// +kubebuilder:default=Retain
	// +optional
	ReclaimPolicy ReclaimPolicy `json:"reclaimPolicy,omitempty"`
}

// SharedDiskSummary is what the columns of kubectl get show.
type SharedDiskSummary struct {
	// message is what is being done or who must act; empty when all is well.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Message string `json:"message,omitempty"`

	// attached is how many members have the disk.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Attached string `json:"attached,omitempty"`

	// usedBy is the GuestCluster that has claimed the disk.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	UsedBy string `json:"usedBy,omitempty"`
}

// DiskClaim is the one guest cluster that a disk belongs to.
type DiskClaim struct {
	// name is the GuestCluster's name, in the disk's namespace.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// uid is the GuestCluster's UID.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +required
	UID types.UID `json:"uid"`
}

// SharedDiskStatus is the disk as last seen.
type SharedDiskStatus struct {
	// observedGeneration is the metadata.generation that this status is about; -1 until the first one.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, Provisioned and Attached.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// summary is what the columns of kubectl get show.
	// +optional
	Summary SharedDiskSummary `json:"summary,omitzero"`

	// folder is the disk's own folder on the hosts.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Folder string `json:"folder,omitempty"`

	// path is the disk's file on the hosts.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Path string `json:"path,omitempty"`

	// format is the file's format: what spec asks for, or what the hosts made the operator choose.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Format string `json:"format,omitempty"`

	// diskIdentifier is the disk's identity as Windows knows it. Once recorded, a file without it is not this disk.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	DiskIdentifier string `json:"diskIdentifier,omitempty"`

	// size is the disk's size as the hosts have it.
	// +optional
	Size *resource.Quantity `json:"size,omitempty"`

	// claim is the one guest cluster that the disk belongs to.
	// +optional
	Claim *DiskClaim `json:"claim,omitempty"`

	// attachedTo are the members that have the disk, sorted.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=255
	// +optional
	AttachedTo []string `json:"attachedTo,omitempty"`
}

// SharedDisk is a virtual disk that all members of one guest cluster open: a VHDX or VHD Set on a Cluster
// Shared Volume of the hosts. It belongs to at most one guest cluster at a time.
//
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || self.metadata.name.size() <= 63",optionalOldSelf=true,fieldPath=".metadata",message="metadata.name becomes a folder on the hosts and has at most 63 characters: shorten it"
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=sdisk,categories=guestclustering
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Attached",type=string,JSONPath=`.status.summary.attached`
// +kubebuilder:printcolumn:name="UsedBy",type=string,JSONPath=`.status.summary.usedBy`
// +kubebuilder:printcolumn:name="Format",type=string,JSONPath=`.status.format`
// +kubebuilder:printcolumn:name="Size",type=string,JSONPath=`.status.size`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.summary.message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type SharedDisk struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what disk is wanted.
	// +required
	Spec SharedDiskSpec `json:"spec"`

	// status is the disk as last seen.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status SharedDiskStatus `json:"status,omitzero"`
}

// SharedDiskList is a list of SharedDisks.
//
// +kubebuilder:object:root=true
type SharedDiskList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []SharedDisk `json:"items"`
}
