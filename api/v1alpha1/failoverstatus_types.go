package v1alpha1

// SetUpState is how far the Windows in a member is.
// +kubebuilder:validation:MaxLength=32
type SetUpState string

// SetUpComplete means that Windows was seen with its first start over.
const SetUpComplete SetUpState = "Complete"

// NodeState is how a member is in the cluster inside.
// +kubebuilder:validation:MaxLength=32
type NodeState string

// The states of a member in the cluster inside: those of Get-ClusterNode, Isolated and Quarantined from its status
// information.
const (
	NodeUp          NodeState = "Up"
	NodeDown        NodeState = "Down"
	NodePaused      NodeState = "Paused"
	NodeIsolated    NodeState = "Isolated"
	NodeQuarantined NodeState = "Quarantined"
	NodeJoining     NodeState = "Joining"
	// NodeUnknown means that the member's state cannot be seen now. It is never guessed to be Down.
	NodeUnknown NodeState = "Unknown"
)

// ValidationResult is the verdict of a validation.
// +kubebuilder:validation:MaxLength=32
type ValidationResult string

// The verdicts of a validation, the worst of its tests'.
const (
	ValidationPassed ValidationResult = "Passed"
	ValidationWarned ValidationResult = "Warned"
	ValidationFailed ValidationResult = "Failed"
)

// ValidationStatus is the last validation of the members by Windows's own tests.
type ValidationStatus struct {
	// result is Passed, Warned (some tests warn, none failed) or Failed.
	// +optional
	Result ValidationResult `json:"result,omitempty"`

	// inputHash is the digest of what was validated: another one means that it has to be validated anew.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	InputHash string `json:"inputHash,omitempty"`

	// failed are the names of the tests that failed, as Windows reports them.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=128
	// +optional
	Failed []string `json:"failed,omitempty"`

	// warned are the names of the tests that warn, as Windows reports them.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=128
	// +optional
	Warned []string `json:"warned,omitempty"`

	// reportName is the name of Windows's report, in the members' folder C:\Windows\Cluster\Reports.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	ReportName string `json:"reportName,omitempty"`
}

// WitnessStatus is the witness as last seen.
type WitnessStatus struct {
	// type is what the cluster has: DiskWitness, FileShareWitness, CloudWitness or NodeMajority (no witness).
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Type string `json:"type,omitempty"`

	// state is Online, Offline, Failed or what else Windows calls the witness's resource.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	State string `json:"state,omitempty"`

	// resource is the name of the witness's resource in the cluster.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Resource string `json:"resource,omitempty"`
}

// ClusterNetworkStatus is a network of the cluster inside as last seen.
type ClusterNetworkStatus struct {
	// name is the network's name in the cluster.
	// +kubebuilder:validation:MaxLength=255
	// +required
	Name string `json:"name"`

	// role is None, Cluster or ClusterAndClient.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Role string `json:"role,omitempty"`

	// state is Up, Partitioned, Down or Unavailable.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	State string `json:"state,omitempty"`
}

// RoleStatus is a role as last seen.
type RoleStatus struct {
	// name is the role's name.
	// +kubebuilder:validation:MaxLength=64
	// +required
	Name string `json:"name"`

	// type is the role's type.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Type string `json:"type,omitempty"`

	// state is Online, PartialOnline, Pending, Offline, Failed or Unknown (cannot be seen now).
	// +kubebuilder:validation:MaxLength=64
	// +optional
	State string `json:"state,omitempty"`

	// ownerMember is the member that runs the role.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	OwnerMember string `json:"ownerMember,omitempty"`

	// objectGUID is the role's computer account in the domain. Once recorded, an account without it is not this role's.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ObjectGUID string `json:"objectGUID,omitempty"`
}

// FailoverClusterStatus is the failover cluster inside as last seen.
type FailoverClusterStatus struct {
	// name is the cluster's name: the one in spec, or <NAME>-CL.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Name string `json:"name,omitempty"`

	// id is the cluster's own id. Once recorded, a cluster without it is not this one, and no other is formed.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ID string `json:"id,omitempty"`

	// addresses are the addresses of the cluster's name.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=45
	// +optional
	Addresses []string `json:"addresses,omitempty"`

	// objectGUID is the cluster's computer account in the domain. Once recorded, an account without it is not this cluster's.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ObjectGUID string `json:"objectGUID,omitempty"`

	// validation is the last validation.
	// +optional
	Validation *ValidationStatus `json:"validation,omitempty"`

	// witness is the witness.
	// +optional
	Witness *WitnessStatus `json:"witness,omitempty"`

	// networks are the cluster's networks.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	// +optional
	Networks []ClusterNetworkStatus `json:"networks,omitempty"`

	// roles are the roles of spec, those that are to be made or removed too.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Roles []RoleStatus `json:"roles,omitempty"`
}

// AccessPoint is where clients reach a role.
type AccessPoint struct {
	// name is the role's name.
	// +kubebuilder:validation:MaxLength=64
	// +required
	Name string `json:"name"`

	// dnsName is the role's full name in DNS.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	DNSName string `json:"dnsName,omitempty"`

	// addresses are the role's addresses.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=45
	// +optional
	Addresses []string `json:"addresses,omitempty"`
}
