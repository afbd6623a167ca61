package v1alpha1

// GuestAccessType says how the Windows in a member is asked.
// +kubebuilder:validation:Enum=PowerShellDirect
type GuestAccessType string

// GuestAccessPowerShellDirect asks members through their hosts, without a network.
const GuestAccessPowerShellDirect GuestAccessType = "PowerShellDirect"

// GuestAccess says how the Windows in a member is asked, and as whom.
type GuestAccess struct {
	// type is PowerShellDirect: through the host that runs the member, without a network, which hosts and members of Windows
	// Server 2016 and later can. Changes: online.
	// +kubebuilder:default=PowerShellDirect
	// +optional
	Type GuestAccessType `json:"type,omitempty"`

	// credentialsSecretRef is the Secret in this namespace with the domain account that administers the members, used from
	// the join on: username and password. The account is made an administrator of each member as it joins. Left out: the
	// domain's credentialsSecretRef. Changes: online; a changed Secret is used from then on.
	// +optional
	CredentialsSecretRef *SecretReference `json:"credentialsSecretRef,omitempty"`
}
