package v1alpha1

// AgentType says how the hosts are reached.
// +kubebuilder:validation:Enum=WinRM;SSH;Simulated
type AgentType string

// The ways to reach hosts.
const (
	// AgentWinRM reaches the hosts by Windows Remote Management.
	AgentWinRM AgentType = "WinRM"
	// AgentSSH reaches the hosts by OpenSSH.
	AgentSSH AgentType = "SSH"
	// AgentSimulated reaches a simulated host cluster by its batch endpoint.
	AgentSimulated AgentType = "Simulated"
)

// HostAgent says how the hosts are reached. docs/host-preparation.md says what they need for it.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'WinRM') == has(self.winRM)",message="give winRM when type is WinRM, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'SSH') == has(self.ssh)",message="give ssh when type is SSH, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Simulated') == has(self.simulated)",message="give simulated when type is Simulated, and only then"
type HostAgent struct {
	// type is how the hosts are reached: WinRM, SSH, or Simulated (a simulated host cluster, for trying things out).
	// Changes: online.
	// +required
	Type AgentType `json:"type"`

	// winRM are the settings of type WinRM. Changes: online.
	// +optional
	WinRM *WinRMAgent `json:"winRM,omitempty"`

	// ssh are the settings of type SSH. Changes: online.
	// +optional
	SSH *SSHAgent `json:"ssh,omitempty"`

	// simulated are the settings of type Simulated. Changes: online.
	// +optional
	Simulated *SimulatedAgent `json:"simulated,omitempty"`
}

// AgentHost is one host and where it is reached.
type AgentHost struct {
	// name is the host's name: its full name in the domain, such as hv01.corp.example, or its computer name. The host's
	// certificate, its Kerberos name and its host key are asked for by this name.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$')",message="a host is named by its name in DNS or its computer name, such as hv01.corp.example; an IP address goes into address"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// address is where to connect, as an IP address or a name, when the host's name does not resolve to it. Changes: online.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9.-]+$|^[0-9A-Fa-f:.]+$')",message="an address is an IP address or a name in DNS, without a port; the port goes into port"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Address string `json:"address,omitempty"`

	// port is this host's port when it is not the agent's. Changes: online.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`
}

// CredentialsSecretReference names a Secret in the operator's own namespace.
type CredentialsSecretReference struct {
	// name is the Secret's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
}

// AgentProcess says how long the PowerShell on a host lives.
// +kubebuilder:validation:Enum=Resident;OneShot
type AgentProcess string

// The lives of a PowerShell on a host.
const (
	ProcessResident AgentProcess = "Resident"
	ProcessOneShot  AgentProcess = "OneShot"
)

// AgentExecutor says how the executor comes to a host.
// +kubebuilder:validation:Enum=Streamed;Installed
type AgentExecutor string

// The ways of the executor to a host.
const (
	ExecutorStreamed  AgentExecutor = "Streamed"
	ExecutorInstalled AgentExecutor = "Installed"
)

// WinRMTransport says what carries the messages of WinRM.
// +kubebuilder:validation:Enum=HTTPS;HTTP
type WinRMTransport string

// The transports of WinRM.
const (
	TransportHTTPS WinRMTransport = "HTTPS"
	TransportHTTP  WinRMTransport = "HTTP"
)

// WinRMAuthentication says how the operator logs on.
// +kubebuilder:validation:Enum=Kerberos;NTLM;Certificate;Basic
type WinRMAuthentication string

// The ways to log on over WinRM.
const (
	AuthenticationKerberos    WinRMAuthentication = "Kerberos"
	AuthenticationNTLM        WinRMAuthentication = "NTLM"
	AuthenticationCertificate WinRMAuthentication = "Certificate"
	AuthenticationBasic       WinRMAuthentication = "Basic"
)

// WinRMAgent says how hosts are reached by Windows Remote Management.
//
// +kubebuilder:validation:XValidation:rule="self.transport == 'HTTPS' || self.authentication == 'NTLM'",message="over HTTP only NTLM is possible, which seals every message; use transport HTTPS"
// +kubebuilder:validation:XValidation:rule="self.transport == 'HTTPS' || !has(self.caBundle) && !has(self.serverName) && !has(self.certificateFingerprints)",message="caBundle, serverName and certificateFingerprints are for transport HTTPS; over HTTP leave them out"
type WinRMAgent struct {
	// hosts are nodes of the host cluster, any that answer: the others are learnt from the host cluster itself, and are
	// reached by their computer names with the DNS suffix of the first. At most 64. Changes: online.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +required
	Hosts []AgentHost `json:"hosts"`

	// port is the hosts' port; 5986 over HTTPS and 5985 over HTTP when left out. Changes: online.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`

	// transport is HTTPS, or HTTP, over which NTLM seals every message. Changes: online.
	// +kubebuilder:default=HTTPS
	// +optional
	Transport WinRMTransport `json:"transport,omitempty"`

	// authentication is Kerberos, NTLM, Certificate (a client certificate that the hosts map to a local account) or Basic
	// (local accounts). Changes: online.
	// +required
	Authentication WinRMAuthentication `json:"authentication"`

	// credentialsSecretRef is the Secret with the account: username and password; for Certificate tls.crt and tls.key; for
	// Kerberos username and password or keytab, and krb5.conf where the realm's servers are not found by DNS.
	// Changes: online; a changed Secret is used from the next poll on.
	// +required
	CredentialsSecretRef CredentialsSecretReference `json:"credentialsSecretRef"`

	// caBundle is where the certificates of the authorities are, in PEM, by which the hosts' certificates are verified. Left
	// out: those of the operator's own system. Changes: online.
	// +optional
	CABundle *CABundle `json:"caBundle,omitempty"`

	// serverName is the name in every host's certificate, where that is not the host's name. Changes: online.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ServerName string `json:"serverName,omitempty"`

	// certificateFingerprints are the SHA-256 digests, in hexadecimal, of the hosts' certificates that are accepted, beside
	// being verified. At most 64. Changes: online.
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=95
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$')",message="a fingerprint is a SHA-256 digest: 64 hexadecimal digits, with or without colons"
	// +optional
	CertificateFingerprints []string `json:"certificateFingerprints,omitempty"`

	// process is Resident, or OneShot: a PowerShell for each request, where a policy forbids one that stays; much slower.
	// Changes: online.
	// +kubebuilder:default=Resident
	// +optional
	Process AgentProcess `json:"process,omitempty"`

	// executor is Streamed, or Installed: the hosts have the executor as a file, where antivirus software refuses one that
	// arrives over the connection. Changes: online.
	// +kubebuilder:default=Streamed
	// +optional
	Executor AgentExecutor `json:"executor,omitempty"`
}

// CABundle names a key of a ConfigMap or a Secret: in the operator's own namespace for hosts, in the GuestCluster's for
// its members.
//
// +kubebuilder:validation:XValidation:rule="has(self.configMapRef) != has(self.secretRef)",message="give either configMapRef or secretRef"
type CABundle struct {
	// configMapRef is a key of a ConfigMap. Changes: online.
	// +optional
	ConfigMapRef *KeyReference `json:"configMapRef,omitempty"`

	// secretRef is a key of a Secret. Changes: online.
	// +optional
	SecretRef *KeyReference `json:"secretRef,omitempty"`
}

// KeyReference names a key of an object, in the namespace that the field around it says.
type KeyReference struct {
	// name is the object's name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// key is the key in its data. Changes: online.
	// +kubebuilder:default=ca.crt
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Key string `json:"key,omitempty"`
}

// SSHAgent says how hosts are reached by OpenSSH.
type SSHAgent struct {
	// hosts are nodes of the host cluster, any that answer: the others are learnt from the host cluster itself, and are
	// reached by their computer names with the DNS suffix of the first. At most 64. Changes: online.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +required
	Hosts []AgentHost `json:"hosts"`

	// port is the hosts' port. Changes: online.
	// +kubebuilder:default=22
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	Port int32 `json:"port,omitempty"`

	// credentialsSecretRef is the Secret with the account: username, and ssh-privatekey or password.
	// Changes: online; a changed Secret is used from the next poll on.
	// +required
	CredentialsSecretRef CredentialsSecretReference `json:"credentialsSecretRef"`

	// knownHosts are the hosts' keys, in the form of OpenSSH's file known_hosts; no other key is accepted.
	// Changes: online.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	// +required
	KnownHosts string `json:"knownHosts"`

	// process is Resident, or OneShot: a PowerShell for each request, where a policy forbids one that stays; much slower.
	// Changes: online.
	// +kubebuilder:default=Resident
	// +optional
	Process AgentProcess `json:"process,omitempty"`

	// executor is Streamed, or Installed: the hosts have the executor as a file, where antivirus software refuses one that
	// arrives over the connection. Changes: online.
	// +kubebuilder:default=Streamed
	// +optional
	Executor AgentExecutor `json:"executor,omitempty"`
}
