package v1alpha1

// GuestAccessType says how the Windows in a member is asked.
// +kubebuilder:validation:Enum=PowerShellDirect;WinRM
type GuestAccessType string

const (
	// GuestAccessPowerShellDirect asks members through their hosts, without a network.
	GuestAccessPowerShellDirect GuestAccessType = "PowerShellDirect"
	// GuestAccessWinRM asks members at their addresses.
	GuestAccessWinRM GuestAccessType = "WinRM"
)

// GuestAccess says how the Windows in a member is asked, and as whom.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'WinRM') == has(self.winRM)",message="give winRM when type is WinRM, and only then"
type GuestAccess struct {
	// type is PowerShellDirect (through the host that runs the member, without a network; hosts and members of Windows Server
	// 2016 and later) or WinRM (at the member's address; members of 2012 R2 need it). Changes: online.
	// +kubebuilder:default=PowerShellDirect
	// +optional
	Type GuestAccessType `json:"type,omitempty"`

	// winRM are the settings of type WinRM. Changes: online.
	// +optional
	WinRM *GuestWinRM `json:"winRM,omitempty"`

	// credentialsSecretRef is the Secret in this namespace with the domain account that administers the members, used from
	// the join on: username and password. The account is made an administrator of each member as it joins. Left out: the
	// domain's credentialsSecretRef. Changes: online; a changed Secret is used from then on.
	// +optional
	CredentialsSecretRef *SecretReference `json:"credentialsSecretRef,omitempty"`
}

// GuestAuthentication says how the operator logs on to a member.
// +kubebuilder:validation:Enum=NTLM;Kerberos
type GuestAuthentication string

// The ways to log on to a member over WinRM.
const (
	GuestAuthenticationNTLM     GuestAuthentication = "NTLM"
	GuestAuthenticationKerberos GuestAuthentication = "Kerberos"
)

// GuestWinRM says how members are reached by Windows Remote Management.
//
// +kubebuilder:validation:XValidation:rule="self.transport == 'HTTPS' || self.authentication == 'NTLM'",message="over HTTP only NTLM is possible, which seals every message; use transport HTTPS"
// +kubebuilder:validation:XValidation:rule="self.transport == 'HTTPS' || !has(self.caBundle)",message="caBundle is for transport HTTPS; over HTTP leave it out"
type GuestWinRM struct {
	// port is the members' port; 5986 over HTTPS and 5985 over HTTP when left out. Changes: online.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`

	// transport is HTTPS, or HTTP, over which NTLM seals every message. Changes: online.
	// +kubebuilder:default=HTTPS
	// +optional
	Transport WinRMTransport `json:"transport,omitempty"`

	// authentication is NTLM, or Kerberos for members of a domain: until a member has joined, its local administrator logs on
	// by NTLM. Changes: online.
	// +kubebuilder:default=NTLM
	// +optional
	Authentication GuestAuthentication `json:"authentication,omitempty"`

	// caBundle is where the certificates of the authorities are, in PEM, by which the members' certificates are verified: a
	// key of a ConfigMap or a Secret in this namespace. Left out: those of the operator's own system. Changes: online.
	// +optional
	CABundle *CABundle `json:"caBundle,omitempty"`
}
