package v1alpha1

// ClusteringType says what the members are clustered by.
// +kubebuilder:validation:Enum=Failover;None
type ClusteringType string

const (
	// ClusteringFailover forms a Windows failover cluster of the members.
	ClusteringFailover ClusteringType = "Failover"
	// ClusteringNone leaves what runs inside the members to others, such as Exchange, which makes its own cluster.
	ClusteringNone ClusteringType = "None"
)

// GuestClusterClustering is the cluster that the members form inside.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'Failover') == has(self.failover)",message="give failover when type is Failover, and only then"
type GuestClusterClustering struct {
	// type is Failover (a Windows failover cluster of the members) or None (members are set up, and what runs inside them is
	// yours). Changes: fixed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the type of clustering is fixed; create another guest cluster of the other type"
	// +required
	Type ClusteringType `json:"type"`

	// failover is the failover cluster of type Failover. Changes: as its fields.
	// +optional
	Failover *FailoverClustering `json:"failover,omitempty"`
}

// Failover is the failover cluster that the spec asks for inside; nil when it asks for none.
func (s *GuestClusterSpec) Failover() *FailoverClustering {
	if s.Clustering == nil {
		return nil
	}
	return s.Clustering.Failover
}

// ConditionTypes are the condition types of the GuestCluster, in the order in which they stand in status.
func (gc *GuestCluster) ConditionTypes() []ConditionType {
	if gc.Spec.Failover() == nil {
		return GuestClusterConditions
	}
	return FailoverClusterConditions
}

// ValidationPolicy says what a failed validation means.
// +kubebuilder:validation:Enum=Enforce;Report;Skip
type ValidationPolicy string

const (
	// ValidationEnforce forms no cluster of members that failed a test.
	ValidationEnforce ValidationPolicy = "Enforce"
	// ValidationReport only tells.
	ValidationReport ValidationPolicy = "Report"
	// ValidationSkip runs no tests.
	ValidationSkip ValidationPolicy = "Skip"
)

// FailoverClustering says what failover cluster is wanted inside.
//
// +kubebuilder:validation:XValidation:rule="has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)",fieldPath=".name",message="the cluster's name is fixed, left out or not; restore it, or create another guest cluster"
// +kubebuilder:validation:XValidation:rule="has(self.addresses) == has(oldSelf.addresses) && (!has(self.addresses) || self.addresses == oldSelf.addresses)",fieldPath=".addresses",message="the cluster's addresses are fixed, left out or not; restore them, or create another guest cluster"
// +kubebuilder:validation:XValidation:rule="has(self.domain) == has(oldSelf.domain)",fieldPath=".domain",message="a cluster stays in its domain or in its workgroup; restore domain as it was, or create another guest cluster"
// +kubebuilder:validation:XValidation:rule="!has(self.quorum.diskWitness) || !has(self.clusterSharedVolumes) || self.clusterSharedVolumes.all(v, v.disk != self.quorum.diskWitness.disk)",message="a witness disk cannot be a cluster shared volume; name another disk"
// +kubebuilder:validation:XValidation:rule="!has(self.quorum.diskWitness) || !has(self.roles) || self.roles.all(r, !has(r.fileServer) || r.fileServer.disk != self.quorum.diskWitness.disk)",message="a witness disk holds nothing else; name another disk for the role"
// +kubebuilder:validation:XValidation:rule="!has(self.clusterSharedVolumes) || !has(self.roles) || self.roles.all(r, !has(r.fileServer) || self.clusterSharedVolumes.all(v, v.disk != r.fileServer.disk))",message="a file server's disk cannot be a cluster shared volume; name another disk for the role"
// +kubebuilder:validation:XValidation:rule="has(self.domain) || !has(self.roles) || self.roles.all(r, r.type != 'FileServer')",message="file server roles need a domain: Windows supports none in a workgroup cluster; give domain, or take the roles out"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.clusterSharedVolumes) || oldSelf.clusterSharedVolumes.all(o, has(self.clusterSharedVolumes) && self.clusterSharedVolumes.exists(n, n.disk == o.disk))",fieldPath=".clusterSharedVolumes",message="a cluster shared volume cannot become another kind of disk yet; put the entries back that are missing"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.roles) || oldSelf.roles.all(o, has(self.roles) && self.roles.exists(n, n.name == o.name))",fieldPath=".roles",message="roles cannot be removed yet; put the entries back that are missing"
type FailoverClustering struct {
	// name is the cluster's computer name: capitals, digits and hyphens, at most 15 characters, not only digits. Left out:
	// <NAME>-CL, where <NAME> is metadata.name in capitals. Changes: fixed.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z0-9]([A-Z0-9-]{0,13}[A-Z0-9])?$') && !self.matches('^[0-9]+$')",message="the cluster's name is a computer name: capitals, digits and hyphens, at most 15 characters, not only digits, such as SQLCLU"
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Name string `json:"name,omitempty"`

	// addresses are the static addresses of the cluster's name, at most one on each client network. Left out: by DHCP.
	// Changes: fixed.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=45
	// +kubebuilder:validation:items:XValidation:rule="isIP(self)",message="an address is an IP address without a prefix length, such as 10.0.1.20"
	// +optional
	Addresses []string `json:"addresses,omitempty"`

	// domain is the Active Directory domain that the members join. Left out: they form a workgroup cluster (Windows Server
	// 2016 and later), which has no file servers. Changes: as its fields; given or left out: fixed.
	// +optional
	Domain *FailoverDomain `json:"domain,omitempty"`

	// quorum is who votes when members lose sight of each other. Changes: online.
	// +required
	Quorum FailoverQuorum `json:"quorum"`

	// clusterSharedVolumes are the shared disks that every member opens at once, below C:\ClusterStorage. The hosts cannot
	// back them up. At most 15. Changes: online, volumes may be added; they cannot be removed yet.
	// +listType=map
	// +listMapKey=disk
	// +kubebuilder:validation:MaxItems=15
	// +optional
	ClusterSharedVolumes []ClusterSharedVolume `json:"clusterSharedVolumes,omitempty"`

	// validation is what becomes of Windows's own tests of the members (Test-Cluster), which run before the cluster is
	// formed: Enforce (a failed test stops it, a warning is told), Report (both are told) or Skip (no test is run, and
	// Microsoft supports no such cluster). Changes: online.
	// +kubebuilder:default=Enforce
	// +optional
	Validation ValidationPolicy `json:"validation,omitempty"`

	// roles are what the cluster keeps running on one of its members. At most 15. Changes: online, roles may be added; they
	// cannot be removed yet.
	// +kubebuilder:validation:XValidation:rule="self.all(r, !has(r.fileServer) || self.exists_one(o, has(o.fileServer) && o.fileServer.disk == r.fileServer.disk))",message="two roles name the same disk; give each role a disk of its own"
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=15
	// +optional
	Roles []FailoverRole `json:"roles,omitempty"`
}

// FailoverDomain is the Active Directory domain of the members.
type FailoverDomain struct {
	// name is the domain's name in DNS. Changes: fixed.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$')",message="a domain is named by its name in DNS, such as corp.example"
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the domain is fixed; create another guest cluster in the other domain"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// organizationalUnit is where the computer accounts of the members, of the cluster and of its roles are made, as a
	// distinguished name. Left out: where the domain puts new computers. Changes: online, for accounts made from then on.
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^(?i)(OU|CN)=([^=,\\]|\\.)+(,(OU|CN)=([^=,\\]|\\.)+)*(,DC=[^=,\\]+)+$')`,message="an organizational unit is given by its distinguished name, such as OU=Clusters,DC=corp,DC=example"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	OrganizationalUnit string `json:"organizationalUnit,omitempty"`

	// credentialsSecretRef is the Secret in this namespace with the account that joins the members to the domain: username
	// (such as join@corp.example or CORP\join) and password. Changes: online; a changed Secret is used from then on.
	// +required
	CredentialsSecretRef SecretReference `json:"credentialsSecretRef"`

	// formingCredentialsSecretRef is the Secret in this namespace with the account that forms the cluster: username and
	// password. It may create computer objects in organizationalUnit, and is made an administrator of the members. Left out:
	// credentialsSecretRef. Changes: online; a changed Secret is used from then on.
	// +optional
	FormingCredentialsSecretRef *SecretReference `json:"formingCredentialsSecretRef,omitempty"`
}

// QuorumType says who votes beside the members.
// +kubebuilder:validation:Enum=DiskWitness;FileShareWitness;CloudWitness;NodeMajority
type QuorumType string

const (
	// QuorumDiskWitness gives a vote to a shared disk.
	QuorumDiskWitness QuorumType = "DiskWitness"
	// QuorumFileShareWitness gives a vote to a file share outside the cluster.
	QuorumFileShareWitness QuorumType = "FileShareWitness"
	// QuorumCloudWitness gives a vote to a storage account in Azure.
	QuorumCloudWitness QuorumType = "CloudWitness"
	// QuorumNodeMajority gives a vote to members alone.
	QuorumNodeMajority QuorumType = "NodeMajority"
)

// FailoverQuorum says who votes beside the members.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'DiskWitness') == has(self.diskWitness)",message="give diskWitness when type is DiskWitness, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'FileShareWitness') == has(self.fileShareWitness)",message="give fileShareWitness when type is FileShareWitness, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'CloudWitness') == has(self.cloudWitness)",message="give cloudWitness when type is CloudWitness, and only then"
type FailoverQuorum struct {
	// type is DiskWitness (a shared disk votes), FileShareWitness (a file share outside the cluster), CloudWitness (a storage
	// account in Azure) or NodeMajority (members alone; two members need a witness). Changes: online.
	// +required
	Type QuorumType `json:"type"`

	// diskWitness is the disk of type DiskWitness. Changes: online.
	// +optional
	DiskWitness *DiskWitness `json:"diskWitness,omitempty"`

	// fileShareWitness is the share of type FileShareWitness. Changes: online.
	// +optional
	FileShareWitness *FileShareWitness `json:"fileShareWitness,omitempty"`

	// cloudWitness is the storage account of type CloudWitness. Changes: online.
	// +optional
	CloudWitness *CloudWitness `json:"cloudWitness,omitempty"`
}

// DiskWitness is a shared disk that votes.
type DiskWitness struct {
	// disk is an entry of sharedDisks, by name. 1Gi is enough; it holds nothing else. Changes: online.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Disk string `json:"disk"`
}

// FileShareWitness is a file share that votes.
type FileShareWitness struct {
	// path is the share, such as \\fs01\witness-sql: one for each cluster, outside it, without DFS. The cluster's computer
	// account needs full control of it. Changes: online.
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[\\]{2}[^\\/:*?"<>|]+([\\][^\\/:*?"<>|]+)+$')`,message="a file share is given as \\\\server\\share"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +required
	Path string `json:"path"`
}

// CloudWitness is a storage account in Azure that votes.
type CloudWitness struct {
	// accountName is the storage account's name. Changes: online.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]{3,24}$')",message="a storage account's name is 3 to 24 lower-case letters and digits"
	// +kubebuilder:validation:MaxLength=63
	// +required
	AccountName string `json:"accountName"`

	// endpoint is the end of the storage service's names, where it is not Azure's public one. Left out: core.windows.net.
	// Changes: online.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$')",message="an endpoint is the end of the storage service's names, such as core.windows.net, without https:// and without the account"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// keySecretRef is the Secret in this namespace, and the key in it, that holds an access key of the storage account.
	// Changes: online; a changed Secret is used from then on.
	// +required
	KeySecretRef SecretKeyReference `json:"keySecretRef"`
}

// ClusterSharedVolume is a shared disk that every member opens at once.
type ClusterSharedVolume struct {
	// disk is an entry of sharedDisks, by name. Changes: as the list.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Disk string `json:"disk"`
}

// RoleType says what a role is.
// +kubebuilder:validation:Enum=FileServer
type RoleType string

// RoleFileServer is a file server for general use.
const RoleFileServer RoleType = "FileServer"

// FailoverRole is what the cluster keeps running on one of its members.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'FileServer') == has(self.fileServer)",message="give fileServer when type is FileServer, and only then"
// +kubebuilder:validation:XValidation:rule="has(self.addresses) == has(oldSelf.addresses) && (!has(self.addresses) || self.addresses == oldSelf.addresses)",fieldPath=".addresses",message="a role's addresses are fixed, left out or not; restore them, or add another role"
type FailoverRole struct {
	// name is the role's computer name, by which its clients find it: capitals, digits and hyphens, at most 15 characters, not
	// only digits.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z0-9]([A-Z0-9-]{0,13}[A-Z0-9])?$') && !self.matches('^[0-9]+$')",message="a role's name is a computer name: capitals, digits and hyphens, at most 15 characters, not only digits, such as FILES-FS"
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// type is FileServer: a file server for general use, on one member at a time. Changes: fixed.
	// +required
	Type RoleType `json:"type"`

	// addresses are the role's static addresses, at most one on each client network. Left out: by DHCP. Changes: fixed;
	// another address is another role.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=45
	// +kubebuilder:validation:items:XValidation:rule="isIP(self)",message="an address is an IP address without a prefix length, such as 10.0.1.20"
	// +optional
	Addresses []string `json:"addresses,omitempty"`

	// fileServer is the file server of type FileServer. Changes: as its fields.
	// +optional
	FileServer *FileServerRole `json:"fileServer,omitempty"`
}

// FileServerRole is a file server for general use.
//
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.shares) || oldSelf.shares.all(o, has(self.shares) && self.shares.exists(n, n.name == o.name))",fieldPath=".shares",message="shares cannot be removed yet; put the entries back that are missing"
type FileServerRole struct {
	// disk is an entry of sharedDisks, by name, that holds the shares. Changes: fixed; another disk is another role.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the disk of a file server is fixed; restore it, or add a role on the other disk"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Disk string `json:"disk"`

	// shares are the folders that clients open, each continuously available: what clients have open stays open when the role
	// moves to another member. At most 32. Changes: online, shares may be added; they cannot be removed yet.
	// +kubebuilder:validation:XValidation:rule="self.all(s, self.exists_one(o, o.name.lowerAscii() == s.name.lowerAscii()))",message="Windows does not tell capitals in shares' names; give each share a name of its own"
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	// +optional
	Shares []FileShare `json:"shares,omitempty"`
}

// FileShare is a folder that clients open.
//
// +kubebuilder:validation:XValidation:rule="has(self.fullAccess) == has(oldSelf.fullAccess) && (!has(self.fullAccess) || self.fullAccess == oldSelf.fullAccess)",fieldPath=".fullAccess",message="the accounts of a share cannot be changed yet, left out or not; restore them here, and change them on the share itself (Grant-SmbShareAccess)"
type FileShare struct {
	// name is the share's name, and its folder's on the disk: letters, digits, spaces, dots, hyphens and underscores, with $ at
	// the end of one that is not listed to clients.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_]([A-Za-z0-9 ._-]*[A-Za-z0-9_-])?[$]?$') && !self.matches('(?i)^([a-z][$]|(admin|ipc|print|fax)[$]|(con|prn|aux|nul|com[0-9]|lpt[0-9])([.].*)?[$]?)$')",message="a share's name is letters, digits, spaces, dots, hyphens and underscores, and none that Windows keeps for itself, such as C$ or NUL"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	// +required
	Name string `json:"name"`

	// fullAccess are the accounts that may do everything on the share, such as CORP\invoicing. At most 16. Left out: the
	// members' administrators alone. Changes: fixed.
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:items:XValidation:rule=`self.matches(r'^[^\\@/]+[\\][^\\@/]+$|^[^\\@/]+@[^\\@/]+$')`,message="an account is given with its domain, such as CORP\\invoicing or invoicing@corp.example"
	// +optional
	FullAccess []string `json:"fullAccess,omitempty"`
}
