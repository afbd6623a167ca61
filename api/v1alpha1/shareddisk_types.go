package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// SharedDiskSpec says what disk is wanted.
type SharedDiskSpec struct {
	// hostClusterRef names the hosts that the disk lives on. Changes: fixed.
	// +required
	HostClusterRef HostClusterReference `json:"hostClusterRef"`

	// management is Managed, or Paused: no change on the hosts for this disk. Changes: online.
	// +kubebuilder:default=Managed
	// +optional
	Management Management `json:"management,omitempty"`

	SharedDiskTemplateSpec `json:",inline"`
}

// SharedDiskTemplateSpec is what a disk is, wherever it is declared.
type SharedDiskTemplateSpec struct {
	// format is VHDX or VHDSet.
	// +optional
	Format DiskFormat `json:"format,omitempty"`

	// provisioning is Dynamic or Fixed.
	// +kubebuilder:default=Dynamic
	// +optional
	Provisioning Provisioning `json:"provisioning,omitempty"`

	// size is what the guests see.
	// +required
	Size resource.Quantity `json:"size"`

	// storagePool is the pool of the host cluster that holds the file.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	StoragePool string `json:"storagePool"`

	// reclaimPolicy is what becomes of the file when the SharedDisk is deleted.
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

// SharedDisk is a virtual disk that all members of one guest cluster open.
//
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
