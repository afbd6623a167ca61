package inside

import (
	"net/netip"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// Clustering is what is wanted inside the members of one guest cluster, resolved, with what is recorded of it. Names of
// members, the cluster and roles are in capitals. GUIDs and ids are compared without case and without braces.
type Clustering struct {
	Namespace, Name string
	// Members in ordinal order, those that leave among them.
	Members []Member
	// Clustered is whether a failover cluster is wanted: without it members are only set up, named and given their networks.
	Clustered bool
	// Domain is nil in a workgroup.
	Domain *Domain
	// Administrator is the members' local account, the same on all: it forms a workgroup's cluster.
	Administrator hostagent.Credential

	ClusterName string
	// ClusterAddresses are the static ones; none is DHCP.
	ClusterAddresses []netip.Addr
	// ClusterID is recorded once the cluster was seen; ClusterObjectGUID is that of its computer object.
	ClusterID, ClusterObjectGUID string

	// Disks in the order of spec, those that leave last.
	Disks      []Disk
	Quorum     Quorum
	Validation Validation
	Roles      []Role
	// ScaleOut is whether a role is a Scale-Out File Server, for which heartbeats are left as Windows has them.
	ScaleOut bool

	// Deleting is whether the guest cluster is not wanted any more and its machines are to be removed.
	Deleting bool
}

// Member is one wanted node.
type Member struct {
	Name string
	// VMID is the machine's id; empty while it was never made.
	VMID string
	// Up is whether the machine runs with a good heartbeat, as its host says.
	Up bool
	// SetUp is recorded: whether its Windows was ever seen with its set-up over. Until then a refused credential is none: Windows
	// knows no password yet.
	SetUp bool
	// Overdue is whether Windows' set-up has been waited for longer than it may take, by the clock of who keeps time.
	Overdue  bool
	Networks []Network
	// ObjectGUID is recorded: that of its computer object.
	ObjectGUID string
	// Leaving is whether it is to leave the cluster before its machine is removed.
	Leaving bool
}

// Network is one wanted adapter inside.
type Network struct {
	// Name is the network's in spec; the adapter and the cluster's network take it.
	Name    string
	Purpose v1alpha1.NetworkPurpose
	MAC     hyperv.MAC
	// Addresses are the static ones; without any Windows asks DHCP, and gives itself a link-local one where nobody answers.
	Addresses []netip.Prefix
	// Gateways and DNSServers are those of a client network; without DNS servers those that DHCP gives are taken.
	Gateways, DNSServers []netip.Addr
}

// Domain is the Active Directory domain that the members join.
type Domain struct {
	// Name in DNS.
	Name string
	// OU is a distinguished name; empty is the domain's own container for computers.
	OU string
	// Join joins members, looks names up and removes computer objects; Forming forms the cluster. They are parameters of
	// calls and the logon of Explicit batches, nothing else.
	Join, Forming hostagent.Credential
	// AdministratorAccounts are the names, without their domain, of the accounts that administer the members: those of
	// guestAccess and of forming. They are put into the local group Administrators.
	AdministratorAccounts []string
}

// Use says what the cluster does with a disk.
type Use string

const (
	// UseData: a cluster disk for roles.
	UseData Use = "Data"
	// UseWitness: it votes.
	UseWitness Use = "Witness"
	// UseCSV: a cluster shared volume.
	UseCSV Use = "ClusterSharedVolume"
)

// Disk is one shared disk.
type Disk struct {
	// Name is the entry's in spec; the disk's resource and its volume's label take it.
	Name string
	// LUN is the location on the controller of shared disks.
	LUN int64
	// SizeBytes is that of its file, as the hosts have it.
	SizeBytes int64
	// GUID is recorded: the GPT disk GUID. Once it is, a disk without it is not this one.
	GUID string
	// Attached is whether every member's machine has the disk where it belongs.
	Attached bool
	// Formattable is whether it was made empty for this guest cluster, so that it may be initialised while it is raw; an adopted
	// one never is.
	Formattable bool
	Use         Use
	// Leaving is whether it is to leave the cluster before it is detached.
	Leaving bool
}

// Quorum says who votes beside the members.
type Quorum struct {
	Type v1alpha1.QuorumType
	// Disk is the name of a DiskWitness's disk.
	Disk string
	// SharePath is a FileShareWitness's.
	SharePath string
	// AccountName, Endpoint and Key are a CloudWitness's; an empty Endpoint is Azure's public one.
	AccountName, Endpoint string
	Key                   hostagent.Secret
}

// Validation says what Windows' own tests mean, and what they said.
type Validation struct {
	// Policy empty is Enforce.
	Policy v1alpha1.ValidationPolicy
	// Attempt is raised by who keeps time to have failed tests run again. It is part of what a run is named by.
	Attempt int
	// InputHash and Result are recorded: the run that was read last, and its verdict. Failed and Warned are its tests, for
	// messages; Untested are the wanted disks that the storage tests left out, which makes a verdict Failed.
	InputHash                string
	Result                   v1alpha1.ValidationResult
	Failed, Warned, Untested []string
}

// Role is a clustered role.
type Role struct {
	Name string
	Type v1alpha1.RoleType
	// Disk is the name of the disk that it has.
	Disk string
	// Addresses are the static ones; none is DHCP.
	Addresses []netip.Addr
	Shares    []Share
	// ObjectGUID is recorded: that of its computer object.
	ObjectGUID string
}

// Share is a folder of a file server that clients open, continuously available.
type Share struct {
	Name string
	// FullAccess are accounts with their domain.
	FullAccess []string
}
