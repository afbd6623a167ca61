package guest

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// Snapshot is what the members of one guest cluster told at one moment. It is never changed after it was taken.
type Snapshot struct {
	// Members by the id of their machine, lower case; one that was never asked is not in it.
	Members map[string]Member
	// Cluster is the cluster inside as a member told it; nil while none could tell.
	Cluster *Cluster
	// Directory is what the domain told; nil where it was not asked or did not answer.
	Directory *Directory
	// Validation is the report of the validation that was asked for last; nil without one.
	Validation *Validation
}

// Member finds what a member told by its machine's id.
func (s *Snapshot) Member(vmID string) (Member, bool) {
	if s == nil {
		return Member{}, false
	}
	m, ok := s.Members[hyperv.Key(vmID)]
	return m, ok
}

// WithoutQuorum reports whether all of some members, by their machines' ids, certainly are nodes of a cluster that has no quorum:
// each answered, and its cluster service does not run or cannot tell.
func (s *Snapshot) WithoutQuorum(vmIDs ...string) bool {
	for _, id := range vmIDs {
		m, asked := s.Member(id)
		stopped, mute := m.ClusterService == ServiceStopped, m.ClusterService == ServiceRunning && m.ClusterSilent
		if !asked || !m.Answered || m.SettingUp || !stopped && !mute {
			return false
		}
	}
	return len(vmIDs) > 0 && s.Cluster == nil
}

// Member is Windows in one machine.
type Member struct {
	// Answered is whether the guest answered for this snapshot. Without it, only Refused, Class and Why mean anything.
	Answered bool
	// Refused is whether the guest refused the account it was asked with, Account says which.
	Refused bool
	Account Account
	// Class and Why say why it did not answer; Why holds no secret.
	Class hostagent.Class
	Why   string

	// SettingUp is whether Windows' own set-up is not over ("SystemSetupInProgress", "ImageState").
	SettingUp bool
	Build     int
	BootTime  time.Time
	// ComputerName is the name that is in force; Domain is empty in a workgroup.
	ComputerName, Domain string
	// RestartPending is whether a join, a name or a feature waits for a restart.
	RestartPending bool
	// AnswerFile is whether the answer file is still there.
	AnswerFile bool
	Adapters   []Adapter
	// Features are those of the asked features that are installed.
	Features []string
	// Administrators are the SIDs in the local group Administrators; none while Windows cannot tell.
	Administrators []string
	Disks          []Disk
	// ClusterService is the state of the cluster service on this member.
	ClusterService ClusterService
	// ClusterSilent is whether its cluster service, asked about the cluster last, could not tell: it has no quorum, or joins.
	ClusterSilent bool
	// Shares are the SMB shares that this member serves now.
	Shares []Share
}

// Account says as whom a guest is asked.
type Account string

const (
	// LocalAccount is the local administrator: until a member has joined its domain, and for workgroup clusters always.
	LocalAccount Account = "Local"
	// DomainAccount is the account of guestAccess: from the join on.
	DomainAccount Account = "Domain"
)

// ClusterService says what the cluster service of a member is. Windows disables it until the member is a node
// ("Get-CimInstance Win32_Service").
type ClusterService string

const (
	// ServiceAbsent: the feature is not installed.
	ServiceAbsent ClusterService = "Absent"
	// ServiceDisabled: the member is a node of no cluster.
	ServiceDisabled ClusterService = "Disabled"
	// ServiceStopped: the member is a node, and its service does not run.
	ServiceStopped ClusterService = "Stopped"
	// ServiceRunning: the member is a node, and its service runs.
	ServiceRunning ClusterService = "Running"
)

// Adapter is a network adapter as the guest sees it.
type Adapter struct {
	// Index is the interface's; it may differ after a restart.
	Index int64
	Name  string
	MAC   hyperv.MAC
	// Addresses are the IPv4 addresses with their prefix, apart from link-local ones.
	Addresses  []netip.Prefix
	DHCP       bool
	Gateways   []netip.Addr
	DNSServers []netip.Addr
	// Registers is whether its addresses are registered in DNS.
	Registers bool
}

// Disk is a disk as the guest sees it.
type Disk struct {
	// Number is the guest's own and differs from member to member.
	Number int64
	// Port and LUN are where it is: Windows numbers the SCSI controllers as ports, LUN is the location on one.
	Port, LUN int64
	SizeBytes int64
	// FreeBytes is the largest extent that no partition has ("MSFT_Disk class", LargestFreeExtent).
	FreeBytes int64
	// UniqueID is what the disk calls itself, equal on all members ("Get-Disk").
	UniqueID string
	// GUID is the GPT disk's; empty before it is initialised.
	GUID string
	// Raw is whether it has no partition style.
	Raw     bool
	Offline bool
	// Boot is whether Windows runs from it.
	Boot bool
}

// Share is an SMB share.
type Share struct {
	// Name, and the network name that it is scoped to.
	Name, ScopeName       string
	Path                  string
	ContinuouslyAvailable bool
}

// Cluster is the failover cluster inside, as one of its nodes tells.
type Cluster struct {
	Name, ID string
	// Teller is the machine's id of the node that told.
	Teller    string
	Nodes     []Node
	Groups    []Group
	Resources []Resource
	Networks  []Network
	// AvailableDisks are the ids of disks that could become cluster disks.
	AvailableDisks []AvailableDisk
	// SharedVolumes are the names of the disk resources that are cluster shared volumes.
	SharedVolumes []string
	// WitnessResource is the name of the witness's resource; empty without one.
	WitnessResource string
	// WitnessDynamicWeight is 1 while the witness has a vote.
	WitnessDynamicWeight int64
	SameSubnetThreshold  int64
	CrossSubnetThreshold int64
}

// NodeState is a node's state in the cluster inside. Isolated and Quarantined are Windows' status flags.
type NodeState string

// The states of a node ("ClusterNodeState", "VM compute resiliency").
const (
	NodeUp          NodeState = "Up"
	NodeDown        NodeState = "Down"
	NodePaused      NodeState = "Paused"
	NodeJoining     NodeState = "Joining"
	NodeIsolated    NodeState = "Isolated"
	NodeQuarantined NodeState = "Quarantined"
	NodeUnknown     NodeState = "Unknown"
)

// Node is a node of the cluster inside, by its computer name.
type Node struct {
	Name, ID string
	State    NodeState
	// Weight is its configured vote, DynamicWeight the one that it has now.
	Weight, DynamicWeight int64
	// Draining is whether a drain is under way.
	Draining bool
}

// Group is a clustered role of the cluster inside; the groups "Cluster Group" and "Available Storage" are Windows' own.
type Group struct {
	Name, ID string
	// Type is Windows' ClusterGroupType, such as FileServer, Cluster or AvailableStorage.
	Type, State string
	OwnerNode   string
}

// Resource is a cluster resource with the private properties that we ask for.
type Resource struct {
	Name, ID string
	// Type is such as Physical Disk, Network Name, IP Address, File Share Witness, Cloud Witness, File Server.
	Type, State      string
	Group, OwnerNode string
	// DiskGUID is a physical disk's GPT disk GUID, upper case in braces as Windows prints it.
	DiskGUID string
	// DNSName and ObjectGUID are a network name's; Address an IP address's.
	DNSName, ObjectGUID, Address string
	// SharePath is a file share witness's, AccountName a cloud witness's.
	SharePath, AccountName string
}

// Network is a network of the cluster inside: one a subnet.
type Network struct {
	Name, ID string
	// Role is 0 (none), 1 (cluster only) or 3 (cluster and client).
	Role  int64
	State string
	// Subnet is the network's IPv4 subnet; invalid when it has none.
	Subnet netip.Prefix
}

// AvailableDisk is a disk that could become a cluster disk ("Get-ClusterAvailableDisk").
type AvailableDisk struct {
	// ID is the GPT disk GUID, in braces.
	ID     string
	Number int64
}

// Directory is what Active Directory told about the names that the guest cluster takes.
type Directory struct {
	// Computers are the accounts that exist under the asked names.
	Computers []ComputerAccount
	// SIDs are those of the asked accounts, by name in lower case. An account that is not found is not in it.
	SIDs map[string]string
	// Rights are what the container of the cluster's computer object says, as SDDL; empty when it was not asked.
	Rights string
	// ClusterSIDs are the cluster name object's own SID and those of its groups.
	ClusterSIDs []string
}

// ComputerAccount is a computer object.
type ComputerAccount struct {
	Name, GUID, DistinguishedName string
	Enabled                       bool
}

// Validation is a run of Test-Cluster.
type Validation struct {
	// ID names the run: the hash of what was asked for.
	ID string
	// State is hyperv.WorkRunning, WorkCompleted or WorkFailed.
	State string
	// Error is why it failed to run.
	Error  string
	Report *Report
}

// Report is a validation report's verdict.
type Report struct {
	// Failed, Warned and Canceled are the names of the tests with that result, in the report's order; Ran counts all that ran.
	Failed, Warned, Canceled []string
	Ran                      int
	// Disks are the GPT disk GUIDs, or else the unique ids, of the disks that the storage tests were run on.
	Disks []string
}

// Node finds a node by its computer name.
func (c *Cluster) Node(name string) (Node, bool) {
	i := slices.IndexFunc(c.Nodes, func(n Node) bool { return strings.EqualFold(n.Name, name) })
	if i < 0 {
		return Node{}, false
	}
	return c.Nodes[i], true
}

// Group finds a role by name.
func (c *Cluster) Group(name string) (Group, bool) {
	i := slices.IndexFunc(c.Groups, func(g Group) bool { return strings.EqualFold(g.Name, name) })
	if i < 0 {
		return Group{}, false
	}
	return c.Groups[i], true
}

// ResourcesOf lists a group's resources.
func (c *Cluster) ResourcesOf(group string) []Resource {
	var out []Resource
	for _, r := range c.Resources {
		if strings.EqualFold(r.Group, group) {
			out = append(out, r)
		}
	}
	return out
}

// DiskResource finds the physical disk resource of a GPT disk GUID.
func (c *Cluster) DiskResource(guid string) (Resource, bool) {
	i := slices.IndexFunc(c.Resources, func(r Resource) bool { return r.Type == TypeDisk && guid != "" && strings.EqualFold(r.DiskGUID, guid) })
	if i < 0 {
		return Resource{}, false
	}
	return c.Resources[i], true
}

// The types of resources that we know ("Resource Types").
const (
	TypeDisk             = "Physical Disk"
	TypeNetworkName      = "Network Name"
	TypeIPAddress        = "IP Address"
	TypeFileServer       = "File Server"
	TypeFileShareWitness = "File Share Witness"
	TypeCloudWitness     = "Cloud Witness"
)

// The types of the groups that every cluster has; their names are in the language of whoever formed it ("ClusterGroupType").
const (
	GroupTypeCore             = "Cluster"
	GroupTypeAvailableStorage = "AvailableStorage"
	GroupTypeFileServer       = "FileServer"
)
