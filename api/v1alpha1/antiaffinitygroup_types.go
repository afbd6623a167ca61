package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GuestClusterReference names a GuestCluster in the same namespace.
type GuestClusterReference struct {
	// name is the GuestCluster's metadata.name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
}

// AntiAffinityGroupSpec says whose members stay apart.
type AntiAffinityGroupSpec struct {
	// hostClusterRef names the HostCluster whose hosts run the members. Changes: fixed.
	// +required
	HostClusterRef HostClusterReference `json:"hostClusterRef"`

	// management is Managed, or Paused: nothing is changed on the hosts for this group, its status is still
	// kept, and a deletion waits. Changes: online.
	// +kubebuilder:default=Managed
	// +optional
	Management Management `json:"management,omitempty"`

	// guestClusters are the GuestClusters of this namespace that stay apart: no two members of any of them
	// share a host. One to 16; one that does not exist yet counts once it does. Changes: online.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +required
	GuestClusters []GuestClusterReference `json:"guestClusters"`

	// enforcement is Preferred: where hosts are short, a member starts beside another rather than not at all.
	// Changes: online.
	// +kubebuilder:default=Preferred
	// +optional
	Enforcement AntiAffinityEnforcement `json:"enforcement,omitempty"`

	// remediation is what is done about members that share a host: Migrate (one is moved by live migration, as
	// soon as there is a free host) or Report (it is told in status only). Changes: online.
	// +kubebuilder:default=Migrate
	// +optional
	Remediation Remediation `json:"remediation,omitempty"`
}

// AntiAffinityGroupSummary is what the columns of kubectl get show.
type AntiAffinityGroupSummary struct {
	// message is what is being done or who must act; empty when all is well.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Message string `json:"message,omitempty"`

	// members is how many members carry the group's class name of how many there are to be, such as 3/3.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Members string `json:"members,omitempty"`

	// violations is how many hosts run more than one member.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Violations string `json:"violations,omitempty"`
}

// PlacedMember is a member and the host it is on.
type PlacedMember struct {
	// guestCluster is the member's GuestCluster.
	// +kubebuilder:validation:MaxLength=253
	// +required
	GuestCluster string `json:"guestCluster"`

	// name is the member's name.
	// +kubebuilder:validation:MaxLength=64
	// +required
	Name string `json:"name"`

	// hostName is the host that owns the member; empty while it cannot be seen.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	HostName string `json:"hostName,omitempty"`
}

// PlacementViolation is a host with more than one member of the group.
type PlacementViolation struct {
	// hostName is the host.
	// +kubebuilder:validation:MaxLength=255
	// +required
	HostName string `json:"hostName"`

	// members are the members on it, sorted.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=255
	// +required
	Members []string `json:"members"`
}

// AntiAffinityGroupStatus is the group as last seen.
type AntiAffinityGroupStatus struct {
	// observedGeneration is the metadata.generation that this status is about; -1 until the first one.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, RuleApplied and Satisfied.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// summary is what the columns of kubectl get show.
	// +optional
	Summary AntiAffinityGroupSummary `json:"summary,omitzero"`

	// className is the group's name in AntiAffinityClassNames of the members' cluster groups on the hosts.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	ClassName string `json:"className,omitempty"`

	// members are the members that exist, with their hosts.
	// +listType=map
	// +listMapKey=guestCluster
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=1024
	// +optional
	Members []PlacedMember `json:"members,omitempty"`

	// violations are the hosts with more than one member.
	// +listType=map
	// +listMapKey=hostName
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Violations []PlacementViolation `json:"violations,omitempty"`
}

// AntiAffinityGroup keeps the members of guest clusters on different hosts.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=aag,categories=guestclustering
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Satisfied",type=string,JSONPath=`.status.conditions[?(@.type=="Satisfied")].status`
// +kubebuilder:printcolumn:name="Members",type=string,JSONPath=`.status.summary.members`
// +kubebuilder:printcolumn:name="Violations",type=string,JSONPath=`.status.summary.violations`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.summary.message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type AntiAffinityGroup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says whose members stay apart.
	// +required
	Spec AntiAffinityGroupSpec `json:"spec"`

	// status is the group as last seen.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status AntiAffinityGroupStatus `json:"status,omitzero"`
}

// AntiAffinityGroupList is a list of AntiAffinityGroups.
//
// +kubebuilder:object:root=true
type AntiAffinityGroupList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AntiAffinityGroup `json:"items"`
}
