package v1alpha1

// Management says how far the operator goes with an object.
// +kubebuilder:validation:Enum=Managed;Paused
type Management string

const (
	// ManagementManaged lets the operator make the hosts as the object says.
	ManagementManaged Management = "Managed"
	// ManagementPaused stops every change on the hosts; what is seen is still reported. A deletion waits.
	ManagementPaused Management = "Paused"
)

// HostClusterReference names a HostCluster.
//
// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="hostClusterRef is fixed; create a new object for the other host cluster"
type HostClusterReference struct {
	// name is the HostCluster's metadata.name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
}

// SecretReference names a Secret in the namespace of the object that names it.
type SecretReference struct {
	// name is the Secret's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
}

// SecretKeyReference names one value of a Secret in the namespace of the object that names it.
type SecretKeyReference struct {
	// name is the Secret's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// key is the key in its data. Changes: online.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Key string `json:"key"`
}

// DiskFormat is the file format of a shared disk.
// +kubebuilder:validation:Enum=VHDX;VHDSet
type DiskFormat string

const (
	// DiskFormatVHDX is a shared VHDX: Windows Server 2012 R2 and later.
	DiskFormatVHDX DiskFormat = "VHDX"
	// DiskFormatVHDSet is a VHD Set: Windows Server 2016 and later.
	DiskFormatVHDSet DiskFormat = "VHDSet"
)

// Provisioning says when a disk takes its space on the pool.
// +kubebuilder:validation:Enum=Dynamic;Fixed
type Provisioning string

const (
	// ProvisioningDynamic takes space as the guests write.
	ProvisioningDynamic Provisioning = "Dynamic"
	// ProvisioningFixed takes the whole size at creation.
	ProvisioningFixed Provisioning = "Fixed"
)

// ReclaimPolicy says what becomes of a disk's file when its object is deleted.
// +kubebuilder:validation:Enum=Retain;Delete
type ReclaimPolicy string

const (
	// ReclaimRetain keeps the file.
	ReclaimRetain ReclaimPolicy = "Retain"
	// ReclaimDelete deletes the file.
	ReclaimDelete ReclaimPolicy = "Delete"
)

// AntiAffinityEnforcement says what happens when there are not enough hosts to keep members apart.
// +kubebuilder:validation:Enum=Preferred
type AntiAffinityEnforcement string

// EnforcementPreferred starts a member on another member's host rather than not at all.
const EnforcementPreferred AntiAffinityEnforcement = "Preferred"

// Remediation says what is done about members that share a host.
// +kubebuilder:validation:Enum=Migrate;Report
type Remediation string

const (
	// RemediationMigrate moves a member to a free host by live migration.
	RemediationMigrate Remediation = "Migrate"
	// RemediationReport only tells.
	RemediationReport Remediation = "Report"
)
