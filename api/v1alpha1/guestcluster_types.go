package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// DeletionPolicy says what becomes of the machines when their GuestCluster is deleted.
// +kubebuilder:validation:Enum=Delete;Orphan
type DeletionPolicy string

const (
	// DeletionPolicyDelete removes the machines. Disks follow their own reclaim policy.
	DeletionPolicyDelete DeletionPolicy = "Delete"
	// DeletionPolicyOrphan leaves machines and disks on the hosts as they are.
	DeletionPolicyOrphan DeletionPolicy = "Orphan"
)

// MembersType says how members get their names.
// +kubebuilder:validation:Enum=Count;Named
type MembersType string

const (
	// MembersCount numbers the members.
	MembersCount MembersType = "Count"
	// MembersNamed names each member.
	MembersNamed MembersType = "Named"
)

// GuestClusterMembers says which members there are.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'Count') == has(self.count)",message="give count when type is Count, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Named') == has(self.named)",message="give named when type is Named, and only then"
// +kubebuilder:validation:XValidation:rule="(!has(self.count) || self.count >= 2) && (!has(self.named) || self.named.size() >= 2)",message="a guest cluster needs at least 2 members; for a single VM clustering adds nothing"
// +kubebuilder:validation:XValidation:rule="(!has(self.count) || self.count <= 64) && (!has(self.named) || self.named.size() <= 64)",message="a guest cluster has at most 64 members: a failover cluster takes no more nodes"
// +kubebuilder:validation:XValidation:rule="oldSelf.type != 'Named' || self.type == 'Named'",fieldPath=".type",message="named members keep their names; leave type Named"
type GuestClusterMembers struct {
	// type is Count (members are named <NAME>-1 to <NAME>-<count>, where <NAME> is metadata.name in capitals) or
	// Named. Changes: online, from Count to Named where every existing member is named, and not back.
	// +kubebuilder:default=Count
	// +optional
	Type MembersType `json:"type,omitempty"`

	// count is how many members there are: 2 to 64. Changes: online; a lower count removes the members with the highest
	// numbers, one at a time: its roles move to the others and the cluster inside lets it go before its machine is removed.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Count *int32 `json:"count,omitempty"`

	// named are the members, 2 to 64. Changes: online; members whose entries are taken out are removed, one at a time: its
	// roles move to the others and the cluster inside lets it go before its machine is removed.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	// +optional
	Named []NamedMember `json:"named,omitempty"`
}

// NamedMember is a member with a name of its own.
type NamedMember struct {
	// name is the member's computer name: capitals, digits and hyphens, at most 15 characters, not only digits.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Z0-9]([A-Z0-9-]{0,13}[A-Z0-9])?$') && !self.matches('^[0-9]+$')",message="a member's name is a computer name: capitals, digits and hyphens, at most 15 characters, not only digits, such as SQL-A"
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// networks are the member's static addresses, by network. A network that is not listed has none: DHCP on one with purpose
	// Client, link-local addresses on one with purpose Cluster. Changes: online.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	// +optional
	Networks []NamedMemberNetwork `json:"networks,omitempty"`
}

// NamedMemberNetwork is a member's static addresses on a network.
type NamedMemberNetwork struct {
	// name is an entry of machine.networks, by name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// addresses are the member's addresses on the network, each with its prefix length, such as 10.0.1.11/24. At most 4.
	// Changes: online.
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:MaxLength=49
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="an address is an IP address with its prefix length, such as 10.0.1.11/24"
	// +required
	Addresses []string `json:"addresses"`
}

// MachineMemory is the memory of a member.
type MachineMemory struct {
	// startup is the memory that a member has, as a quantity of bytes such as 4Gi: 512Mi to 12Ti, in steps of 2Mi
	// and without a fraction.
	// Changes: needs the VM off.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('512Mi')) >= 0 && quantity(string(self)).compareTo(quantity('12Ti')) <= 0",message="a member has 512Mi to 12Ti of memory; write it with a unit, such as 4Gi"
	// +kubebuilder:validation:XValidation:rule="!isQuantity(string(self)) || quantity(string(self)).compareTo(quantity('512Mi')) < 0 || quantity(string(self)).compareTo(quantity('12Ti')) > 0 || quantity(string(self)).isInteger() && quantity(string(self)).asInteger() % 2097152 == 0",message="Hyper-V gives memory in steps of 2Mi; write it in Mi or Gi and without a fraction, such as 1536Mi"
	// +kubebuilder:default="4Gi"
	// +optional
	Startup resource.Quantity `json:"startup,omitzero"`
}

// NetworkPurpose says what a network is for.
// +kubebuilder:validation:Enum=Client;Cluster
type NetworkPurpose string

const (
	// NetworkPurposeClient carries the clients' traffic.
	NetworkPurposeClient NetworkPurpose = "Client"
	// NetworkPurposeCluster carries heartbeats and traffic between members.
	NetworkPurposeCluster NetworkPurpose = "Cluster"
)

// MachineNetwork is an adapter that every member has.
//
// +kubebuilder:validation:XValidation:rule="self.purpose == 'Client' || !has(self.gateways) && !has(self.dnsServers)",message="gateways and dnsServers are for a network with purpose Client: the cluster's own network leads nowhere else and registers in no DNS; leave them out here"
type MachineNetwork struct {
	// name is the adapter's name, on the hosts and in the guest: lower-case letters, digits and hyphens.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",message="a name here is lower-case letters, digits and hyphens, such as gold-2"
	// +required
	Name string `json:"name"`

	// purpose is Client (the clients' traffic) or Cluster (heartbeats and what members tell each other).
	// Changes: online.
	// +required
	Purpose NetworkPurpose `json:"purpose"`

	// hostNetwork is the HostCluster's network that the adapter is plugged into, by name. Changes: online.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	HostNetwork string `json:"hostNetwork"`

	// gateways are the network's default gateways, for members with static addresses: one IPv4 address, one IPv6 address, or
	// one of each. Changes: online.
	// +kubebuilder:validation:XValidation:rule="self.size() < 2 || !self.all(g, isIP(g)) || ip(self[0]).family() != ip(self[1]).family()",message="a network has one default gateway of each address family; leave one"
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2
	// +kubebuilder:validation:items:MaxLength=45
	// +kubebuilder:validation:items:XValidation:rule="isIP(self)",message="a gateway is an IP address without a prefix length, such as 10.0.1.1"
	// +optional
	Gateways []string `json:"gateways,omitempty"`

	// dnsServers are the DNS servers that members ask, in this order; where a domain is to be joined, those of the domain.
	// Left out: by DHCP. At most 8. Changes: online.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=45
	// +kubebuilder:validation:items:XValidation:rule="isIP(self)",message="a DNS server is given by its IP address, such as 10.0.1.2"
	// +optional
	DNSServers []string `json:"dnsServers,omitempty"`
}

// MachineSetup is what Windows is told at a member's first start.
type MachineSetup struct {
	// administratorSecretRef is the Secret in this namespace with the password of the members' local account Administrator,
	// under the key password. Left out: one is made and kept in Secret <metadata.name>-administrator. Changes: online, for
	// members made from then on; members that are asked by this account are asked with the new password at once.
	// +optional
	AdministratorSecretRef *SecretReference `json:"administratorSecretRef,omitempty"`

	// timeZone is the members' time zone as Windows names it, such as W. Europe Standard Time.
	// Changes: online, for members made from then on.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9+._() -]*$')",message="a time zone is named as Windows names it, such as W. Europe Standard Time; tzutil /l lists them"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:default=UTC
	// +optional
	TimeZone string `json:"timeZone,omitempty"`

	// locale is the language and region of the members' keyboards, formats and texts, such as de-DE. Its texts have to be in
	// the image. Changes: online, for members made from then on.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]{2,3}(-[A-Z][a-z]{3})?-([A-Z]{2}|[0-9]{3})$')",message="a locale is a language and a region, such as en-US"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:default=en-US
	// +optional
	Locale string `json:"locale,omitempty"`

	// productKeySecretRef is the Secret in this namespace, and the key in it, that holds the product key. Left out: the
	// image's own. Changes: online, for members made from then on.
	// +optional
	ProductKeySecretRef *SecretKeyReference `json:"productKeySecretRef,omitempty"`
}

// GuestClusterMachine is what every member is made like.
type GuestClusterMachine struct {
	// image is the HostCluster's image that OS disks are copied from, by name. Changes: fixed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the image of existing members is fixed; create another guest cluster from the other image"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Image string `json:"image"`

	// storagePool is the HostCluster's storage pool that holds the members' files, by name. Changes: fixed.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the storage pool of existing members is fixed; create another guest cluster in the other pool"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	StoragePool string `json:"storagePool"`

	// cpus is the number of virtual processors of a member: 1 to 240. Changes: needs the VM off.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=240
	// +kubebuilder:default=2
	// +optional
	CPUs int32 `json:"cpus,omitempty"`

	// memory is the memory of a member. Changes: needs the VM off.
	// +kubebuilder:default={}
	// +optional
	Memory MachineMemory `json:"memory,omitzero"`

	// setup is what Windows is told at a member's first start. Changes: as its fields.
	// +kubebuilder:default={}
	// +optional
	Setup MachineSetup `json:"setup,omitzero"`

	// networks are the adapters of a member, each with a static MAC address: at most 8, one of them with purpose
	// Cluster. Changes: fixed, as a list of names.
	// +kubebuilder:validation:XValidation:rule="self.exists(n, n.purpose == 'Cluster')",message="add a network with purpose Cluster: heartbeats must not share the clients' network"
	// +kubebuilder:validation:XValidation:rule="self.size() == oldSelf.size() && self.all(n, oldSelf.exists(o, o.name == n.name))",message="the networks of existing members are fixed, as a list of names; restore it, or create another guest cluster"
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	// +required
	Networks []MachineNetwork `json:"networks"`
}

// SharedDiskSource says where a shared disk comes from.
// +kubebuilder:validation:Enum=Template;Reference
type SharedDiskSource string

const (
	// SharedDiskFromTemplate makes the SharedDisk.
	SharedDiskFromTemplate SharedDiskSource = "Template"
	// SharedDiskFromReference uses a SharedDisk that exists.
	SharedDiskFromReference SharedDiskSource = "Reference"
)

// SharedDiskTemplate is what a SharedDisk is made from.
type SharedDiskTemplate struct {
	// spec is the SharedDisk's spec, apart from hostClusterRef and management, which are the GuestCluster's.
	// +required
	Spec SharedDiskTemplateSpec `json:"spec"`
}

// SharedDiskReference names a SharedDisk in the same namespace.
type SharedDiskReference struct {
	// name is the SharedDisk's metadata.name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
}

// GuestClusterSharedDisk is a disk that every member has.
//
// +kubebuilder:validation:XValidation:rule="(self.type == 'Template') == has(self.template)",message="give template when type is Template, and only then"
// +kubebuilder:validation:XValidation:rule="(self.type == 'Reference') == has(self.sharedDiskRef)",message="give sharedDiskRef when type is Reference, and only then"
type GuestClusterSharedDisk struct {
	// name is what this guest cluster calls the disk: lower-case letters, digits and hyphens.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",message="a name here is lower-case letters, digits and hyphens, such as gold-2"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// type is Template (SharedDisk <metadata.name>-<name> is made, once) or Reference (a SharedDisk of this
	// namespace that is declared on its own). Changes: online, as long as the entry stands for the same SharedDisk.
	// +kubebuilder:default=Template
	// +optional
	Type SharedDiskSource `json:"type,omitempty"`

	// template is what the SharedDisk is made from. Changes: as the SharedDisk's own fields.
	// +optional
	Template *SharedDiskTemplate `json:"template,omitempty"`

	// sharedDiskRef names a SharedDisk of this namespace. Changes: fixed; another disk is another entry.
	// +optional
	SharedDiskRef *SharedDiskReference `json:"sharedDiskRef,omitempty"`
}

// GuestClusterAntiAffinity says how members are kept apart.
type GuestClusterAntiAffinity struct {
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

// GuestClusterSpec says what members, disks, placement and clustering are wanted.
//
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.clustering) || has(self.clustering)",fieldPath=".clustering",message="the type of clustering is fixed; restore clustering, or create another guest cluster without it"
// +kubebuilder:validation:XValidation:rule="!has(self.members.named) || self.members.named.all(m, !has(m.networks) || m.networks.all(n, self.machine.networks.exists(x, x.name == n.name)))",fieldPath=".members.named",message="a member's networks are entries of machine.networks; add the network there, or correct the name"
// +kubebuilder:validation:XValidation:rule="!has(self.clustering) || !has(self.clustering.failover) || !has(self.clustering.failover.quorum.diskWitness) || has(self.sharedDisks) && self.sharedDisks.exists(d, d.name == self.clustering.failover.quorum.diskWitness.disk)",fieldPath=".clustering.failover.quorum.diskWitness.disk",message="the witness is not in sharedDisks; add the disk there, or name one that is"
// +kubebuilder:validation:XValidation:rule="!has(self.clustering) || !has(self.clustering.failover) || !has(self.clustering.failover.clusterSharedVolumes) || self.clustering.failover.clusterSharedVolumes.all(v, has(self.sharedDisks) && self.sharedDisks.exists(d, d.name == v.disk))",fieldPath=".clustering.failover.clusterSharedVolumes",message="a cluster shared volume is not in sharedDisks; add the disk there, or name one that is"
// +kubebuilder:validation:XValidation:rule="!has(self.clustering) || !has(self.clustering.failover) || !has(self.clustering.failover.roles) || self.clustering.failover.roles.all(r, !has(r.fileServer) || has(self.sharedDisks) && self.sharedDisks.exists(d, d.name == r.fileServer.disk))",fieldPath=".clustering.failover.roles",message="a role's disk is not in sharedDisks; add the disk there, or name one that is"
// +kubebuilder:validation:XValidation:rule="!has(self.guestAccess.credentialsSecretRef) || has(self.clustering) && has(self.clustering.failover) && has(self.clustering.failover.domain)",fieldPath=".guestAccess.credentialsSecretRef",message="credentialsSecretRef is an account of the domain that members join; give clustering.failover.domain, or leave it out: members of a workgroup are asked as their local administrator"
// +kubebuilder:validation:XValidation:rule="!has(self.clustering) || !has(self.clustering.failover) || !has(self.clustering.failover.name) || !has(self.clustering.failover.roles) || self.clustering.failover.roles.all(r, r.name != self.clustering.failover.name)",fieldPath=".clustering.failover.roles",message="a role has the cluster's name: each computer object needs its own",messageExpression=`self.clustering.failover.name + " is already the cluster's name: each computer object needs its own"`
// +kubebuilder:validation:XValidation:rule="!has(self.clustering) || !has(self.clustering.failover) || !has(self.members.named) || self.members.named.all(m, (!has(self.clustering.failover.name) || self.clustering.failover.name != m.name) && (!has(self.clustering.failover.roles) || self.clustering.failover.roles.all(r, r.name != m.name)))",fieldPath=".clustering.failover",message="the cluster or a role has a member's name: each computer object needs its own"
type GuestClusterSpec struct {
	// hostClusterRef names the HostCluster whose hosts run the members. Changes: fixed.
	// +required
	HostClusterRef HostClusterReference `json:"hostClusterRef"`

	// management is Managed, or Paused: nothing is changed on the hosts for this guest cluster, its status is
	// still kept, and a deletion waits. Changes: online.
	// +kubebuilder:default=Managed
	// +optional
	Management Management `json:"management,omitempty"`

	// deletionPolicy is what becomes of the machines when the GuestCluster is deleted: Delete removes them, and
	// shared disks follow their own reclaimPolicy; Orphan leaves machines on the hosts with their disks attached, and
	// keeps every disk. Changes: online.
	// +kubebuilder:default=Delete
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// members says which members there are. Changes: online.
	// +required
	Members GuestClusterMembers `json:"members"`

	// machine is what every member is made like. Changes: as its fields.
	// +required
	Machine GuestClusterMachine `json:"machine"`

	// guestAccess says how the Windows in a member is asked, and as whom. Changes: online.
	// +kubebuilder:default={type: PowerShellDirect}
	// +optional
	GuestAccess GuestAccess `json:"guestAccess,omitzero"`

	// sharedDisks are the disks that every member has, at the same place in each. At most 15. Changes: online; removing an
	// entry takes the disk out of the cluster inside, detaches it and releases it, and its data stays with the SharedDisk. It
	// waits while the cluster inside has the disk in use as its witness, as a shared volume or for a role.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=15
	// +optional
	SharedDisks []GuestClusterSharedDisk `json:"sharedDisks,omitempty"`

	// antiAffinity says how members are kept on different hosts. Changes: online.
	// +kubebuilder:default={}
	// +optional
	AntiAffinity GuestClusterAntiAffinity `json:"antiAffinity,omitzero"`

	// clustering is the cluster that the members form inside. Left out: none, as type None. Changes: online once, from left
	// out; given: as its fields.
	// +optional
	Clustering *GuestClusterClustering `json:"clustering,omitempty"`
}

// GuestClusterSummary is what the columns of kubectl get show.
type GuestClusterSummary struct {
	// message is what is being done or who must act; empty when all is well.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Message string `json:"message,omitempty"`

	// members is how many members run of how many there are to be, such as 2/2.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Members string `json:"members,omitempty"`

	// tolerates is how many host failures the cluster inside survives now, such as 1; empty when that is not known.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Tolerates string `json:"tolerates,omitempty"`

	// placement is the members' hosts in the members' order, such as hv01,hv02.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Placement string `json:"placement,omitempty"`

	// storage is how many shared disks every member has of how many there are to be, such as 2/2.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Storage string `json:"storage,omitempty"`
}

// MemberNetworkStatus is an adapter of a member as last seen.
type MemberNetworkStatus struct {
	// name is the adapter's name.
	// +kubebuilder:validation:MaxLength=255
	// +required
	Name string `json:"name"`

	// macAddress is the adapter's static address, in capitals with dashes.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	MACAddress string `json:"macAddress,omitempty"`

	// switchName is the virtual switch that the adapter is connected to.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	SwitchName string `json:"switchName,omitempty"`

	// vlanID is the adapter's VLAN. Absent: untagged.
	// +optional
	VLANID *int32 `json:"vlanID,omitempty"`

	// addresses are the adapter's addresses as the member's Windows has them, each with its prefix length.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=49
	// +optional
	Addresses []string `json:"addresses,omitempty"`
}

// MemberStatus is a member as last seen.
type MemberStatus struct {
	// name is the member's computer name.
	// +kubebuilder:validation:MaxLength=64
	// +required
	Name string `json:"name"`

	// vmID is the VM's id. Once recorded, a VM without it is not this member.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	VMID string `json:"vmID,omitempty"`

	// vmName is the VM's name on the hosts: <namespace>.<member>.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	VMName string `json:"vmName,omitempty"`

	// folder is the member's own folder on the hosts.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Folder string `json:"folder,omitempty"`

	// hostName is the host that owns the member; empty while it cannot be seen.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	HostName string `json:"hostName,omitempty"`

	// state is Creating, SettingUp (runs, and its Windows goes through its first start), Starting, Running, Off or what else
	// Hyper-V calls it; Unknown (cannot be seen now), Lost (was recorded, and is gone from the hosts) or Deleting (is gone
	// because the guest cluster is being deleted).
	// +kubebuilder:validation:MaxLength=64
	// +optional
	State string `json:"state,omitempty"`

	// setUp is Complete once the member's Windows was seen with its first start over. Absent: not seen yet.
	// +optional
	SetUp SetUpState `json:"setUp,omitempty"`

	// nodeState is how the member is in the cluster inside: Up, Down, Paused, Isolated, Quarantined, Joining or Unknown (cannot
	// be seen now). Absent: no cluster inside has it.
	// +optional
	NodeState NodeState `json:"nodeState,omitempty"`

	// computerObjectGUID is the member's computer account in the domain. Once recorded, an account without it is not this
	// member's.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ComputerObjectGUID string `json:"computerObjectGUID,omitempty"`

	// osDisk is the file of the member's OS disk.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	OSDisk string `json:"osDisk,omitempty"`

	// configurationVersion is the VM's configuration version, such as 10.0.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	ConfigurationVersion string `json:"configurationVersion,omitempty"`

	// networks are the member's adapters.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Networks []MemberNetworkStatus `json:"networks,omitempty"`
}

// AttachedDiskStatus is a shared disk as the members have it.
type AttachedDiskStatus struct {
	// name is what the guest cluster calls the disk.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// sharedDiskName is the SharedDisk's metadata.name.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	SharedDiskName string `json:"sharedDiskName,omitempty"`

	// sharedDiskUID is the SharedDisk's UID.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +optional
	SharedDiskUID types.UID `json:"sharedDiskUID,omitempty"`

	// path is the disk's file on the hosts.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Path string `json:"path,omitempty"`

	// controllerNumber is the SCSI controller that the disk is on, the same in every member.
	// +kubebuilder:validation:Minimum=0
	// +optional
	ControllerNumber int32 `json:"controllerNumber"`

	// controllerLocation is the disk's place on its controller, the same in every member.
	// +kubebuilder:validation:Minimum=0
	// +optional
	ControllerLocation int32 `json:"controllerLocation"`

	// attachedTo are the members that have the disk, sorted.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=255
	// +optional
	AttachedTo []string `json:"attachedTo,omitempty"`

	// diskGUID is the id in the disk's partition table, from when it was initialised on. Once recorded, a disk without it is
	// not this one.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	DiskGUID string `json:"diskGUID,omitempty"`

	// clusterState is Online, Offline, Failed or what else Windows calls the disk's resource in the cluster inside. Absent:
	// the cluster does not have the disk.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	ClusterState string `json:"clusterState,omitempty"`

	// ownerMember is the member that has the disk in the cluster inside.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	OwnerMember string `json:"ownerMember,omitempty"`
}

// GuestClusterStatus is the guest cluster as last seen.
type GuestClusterStatus struct {
	// observedGeneration is the metadata.generation that this status is about; -1 until the first one.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, MachinesReady, StorageReady, NetworksReady, Available and
	// PlacementSatisfied; with a failover cluster inside also Formed, QuorumHealthy, Serving, Validated and SurvivesHostLoss.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// summary is what the columns of kubectl get show.
	// +optional
	Summary GuestClusterSummary `json:"summary,omitzero"`

	// members are the members, those that are to be made too.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=128
	// +optional
	Members []MemberStatus `json:"members,omitempty"`

	// sharedDisks are the shared disks, those that are to be detached too.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +optional
	SharedDisks []AttachedDiskStatus `json:"sharedDisks,omitempty"`

	// antiAffinityGroupName is the AntiAffinityGroup that keeps the members apart.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	AntiAffinityGroupName string `json:"antiAffinityGroupName,omitempty"`

	// effectiveImage is the file that members' OS disks are copied from.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	EffectiveImage string `json:"effectiveImage,omitempty"`

	// storagePoolPath is the folder that holds the members' folders.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	StoragePoolPath string `json:"storagePoolPath,omitempty"`

	// failoverCluster is the failover cluster inside.
	// +optional
	FailoverCluster *FailoverClusterStatus `json:"failoverCluster,omitempty"`

	// toleratedHostFailures is how many hosts may fail now, whichever they are, without the cluster inside losing quorum.
	// Absent: not known.
	// +kubebuilder:validation:Minimum=0
	// +optional
	ToleratedHostFailures *int32 `json:"toleratedHostFailures,omitempty"`

	// accessPoints are where clients reach the roles.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +optional
	AccessPoints []AccessPoint `json:"accessPoints,omitempty"`
}

// GuestCluster is a failover cluster whose nodes are VMs on a cluster of Hyper-V hosts: its members, their
// shared disks, their placement, and the cluster that they form inside.
//
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() || self.metadata.name.size() <= 63",optionalOldSelf=true,fieldPath=".metadata",message="metadata.name becomes a label and has at most 63 characters: shorten it"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.members.count) || oldSelf.hasValue() && has(oldSelf.value().spec.members.count) && oldSelf.value().spec.members.count == self.spec.members.count || self.metadata.name.size() + 1 + string(self.spec.members.count).size() <= 15",optionalOldSelf=true,fieldPath=".spec.members",message="member names are <name>-<n> and must fit NetBIOS's 15 characters: shorten the name, or name the members in spec.members.named"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.members.count) || oldSelf.hasValue() && has(oldSelf.value().spec.members.count) && oldSelf.value().spec.members.count == self.spec.members.count || !self.metadata.name.contains('.')",optionalOldSelf=true,fieldPath=".spec.members",message="member names are <name>-<n> and a computer name has no dots: take the dots out of the name, or name the members in spec.members.named"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.spec.members.count) || !has(self.spec.members.named) || self.spec.members.named.filter(m, m.name.startsWith(self.metadata.name.upperAscii() + '-') && m.name.substring(self.metadata.name.size() + 1).matches('^[1-9][0-9]{0,3}$') && int(m.name.substring(self.metadata.name.size() + 1)) <= oldSelf.spec.members.count).size() == oldSelf.spec.members.count",fieldPath=".spec.members.named",message="name every existing member, <NAME>-1 and on, in spec.members.named; members are removed by a change of its own"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.sharedDisks) || oldSelf.hasValue() && has(oldSelf.value().spec.sharedDisks) && oldSelf.value().spec.sharedDisks == self.spec.sharedDisks || self.spec.sharedDisks.all(d, !has(d.template) || self.metadata.name.size() + 1 + d.name.size() <= 63)",optionalOldSelf=true,fieldPath=".spec.sharedDisks",message="the SharedDisk of a template is named <name>-<disk> and has at most 63 characters: shorten the disk's name"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.sharedDisks) || oldSelf.hasValue() && has(oldSelf.value().spec.sharedDisks) && oldSelf.value().spec.sharedDisks == self.spec.sharedDisks || self.spec.sharedDisks.all(d, self.spec.sharedDisks.exists_one(e, (has(d.sharedDiskRef) ? d.sharedDiskRef.name : self.metadata.name + '-' + d.name) == (has(e.sharedDiskRef) ? e.sharedDiskRef.name : self.metadata.name + '-' + e.name)))",optionalOldSelf=true,fieldPath=".spec.sharedDisks",message="two entries stand for the same SharedDisk; remove one"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.spec.sharedDisks) || !has(self.spec.sharedDisks) || oldSelf.spec.sharedDisks == self.spec.sharedDisks || self.spec.sharedDisks.all(d, oldSelf.spec.sharedDisks.all(o, o.name != d.name || (has(d.sharedDiskRef) ? d.sharedDiskRef.name : self.metadata.name + '-' + d.name) == (has(o.sharedDiskRef) ? o.sharedDiskRef.name : self.metadata.name + '-' + o.name)))",fieldPath=".spec.sharedDisks",message="an entry stands for the same SharedDisk always; for another disk, remove the entry and add one with another name"
// +kubebuilder:validation:XValidation:rule="oldSelf.hasValue() && has(oldSelf.value().spec.clustering) || !has(self.spec.clustering) || !has(self.spec.clustering.failover) || has(self.spec.clustering.failover.name) || self.metadata.name.size() <= 12 && !self.metadata.name.contains('.')",optionalOldSelf=true,fieldPath=".spec.clustering.failover.name",message="the cluster's name is <NAME>-CL and must be a computer name of at most 15 characters, without dots: shorten metadata.name, or name the cluster in spec.clustering.failover.name"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.clustering) || !has(self.spec.clustering.failover) || oldSelf.hasValue() && has(oldSelf.value().spec.clustering) && oldSelf.value().spec.clustering == self.spec.clustering && oldSelf.value().spec.members == self.spec.members || has(self.spec.clustering.failover.name) || (!has(self.spec.members.named) || self.spec.members.named.all(m, m.name != self.metadata.name.upperAscii() + '-CL')) && (!has(self.spec.clustering.failover.roles) || self.spec.clustering.failover.roles.all(r, r.name != self.metadata.name.upperAscii() + '-CL'))",optionalOldSelf=true,fieldPath=".spec.clustering.failover",message="<NAME>-CL is already the cluster's name: each computer object needs its own; rename the member or the role, or name the cluster in spec.clustering.failover.name"
// +kubebuilder:validation:XValidation:rule="!has(self.spec.clustering) || !has(self.spec.clustering.failover) || !has(self.spec.members.count) || oldSelf.hasValue() && has(oldSelf.value().spec.clustering) && oldSelf.value().spec.clustering == self.spec.clustering && has(oldSelf.value().spec.members.count) || (!has(self.spec.clustering.failover.name) || !self.spec.clustering.failover.name.startsWith(self.metadata.name.upperAscii() + '-') || !self.spec.clustering.failover.name.substring(self.metadata.name.size() + 1).matches('^[0-9]+$')) && (!has(self.spec.clustering.failover.roles) || self.spec.clustering.failover.roles.all(r, !r.name.startsWith(self.metadata.name.upperAscii() + '-') || !r.name.substring(self.metadata.name.size() + 1).matches('^[0-9]+$')))",optionalOldSelf=true,fieldPath=".spec.clustering.failover",message="<NAME>-<n> are the members' names, now or later: each computer object needs its own; give the cluster and the roles other names"
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=gcl,categories=guestclustering
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Available",type=string,JSONPath=`.status.conditions[?(@.type=="Available")].status`
// +kubebuilder:printcolumn:name="Members",type=string,JSONPath=`.status.summary.members`
// +kubebuilder:printcolumn:name="Tolerates",type=string,JSONPath=`.status.summary.tolerates`
// +kubebuilder:printcolumn:name="Placement",type=string,JSONPath=`.status.summary.placement`
// +kubebuilder:printcolumn:name="Storage",type=string,JSONPath=`.status.summary.storage`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.summary.message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type GuestCluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says what members, disks and placement are wanted.
	// +required
	Spec GuestClusterSpec `json:"spec"`

	// status is the guest cluster as last seen.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status GuestClusterStatus `json:"status,omitzero"`
}

// GuestClusterList is a list of GuestClusters.
//
// +kubebuilder:object:root=true
type GuestClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []GuestCluster `json:"items"`
}
