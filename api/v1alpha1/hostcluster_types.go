package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SimulatedAgent says where the simulator listens.
type SimulatedAgent struct {
	// address is where the simulator takes batches, as host:port. Changes: online.
	// +kubebuilder:validation:XValidation:rule="self.matches('^([A-Za-z0-9.-]+|\\\\[[0-9A-Fa-f:.]+\\\\]):[0-9]{1,5}$')",message="an address is host:port, such as 127.0.0.1:7100"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=261
	// +required
	Address string `json:"address"`
}

// StoragePool is a folder on a Cluster Shared Volume in which the operator keeps machines and disks.
type StoragePool struct {
	// name is what guest clusters and shared disks call the pool: lower-case letters, digits and hyphens.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",message="a name here is lower-case letters, digits and hyphens, such as gold-2"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// path is the folder as every host sees it, such as C:\ClusterStorage\Gold: on a Cluster Shared Volume, because
	// only there may several machines open a disk. At most 128 characters. Changes: fixed.
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'(?i)^[a-z]:\\ClusterStorage(\\[^\\/:*?"<>|]+)+$') && !self.contains('..')`,message=`a storage pool is a folder on a Cluster Shared Volume, such as C:\ClusterStorage\Gold, without a backslash at its end`
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="a storage pool's path is fixed; add another pool for the other folder"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	Path string `json:"path"`
}

// GuestOS is a release of Windows Server that an image holds.
// +kubebuilder:validation:Enum=WindowsServer2012R2;WindowsServer2016;WindowsServer2019;WindowsServer2022;WindowsServer2025
type GuestOS string

// The releases that an image may hold.
const (
	WindowsServer2012R2 GuestOS = "WindowsServer2012R2"
	WindowsServer2016   GuestOS = "WindowsServer2016"
	WindowsServer2019   GuestOS = "WindowsServer2019"
	WindowsServer2022   GuestOS = "WindowsServer2022"
	WindowsServer2025   GuestOS = "WindowsServer2025"
)

// MachineImage is a disk from which members' OS disks are copied.
type MachineImage struct {
	// name is what guest clusters call the image: lower-case letters, digits and hyphens.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",message="a name here is lower-case letters, digits and hyphens, such as gold-2"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// path is the image's file as every host sees it, such as C:\ClusterStorage\Gold\Images\ws2022.vhdx: a
	// generalised Windows that boots as a machine of generation 2. At most 255 characters. Changes: online, for
	// members made from then on.
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'(?i)^[a-z]:(\\[^\\/:*?"<>|]+)*\\[^\\/:*?"<>|]+\.vhdx$') && !self.contains('..')`,message=`an image is the full path of a .vhdx file, such as C:\ClusterStorage\Gold\Images\ws2022.vhdx`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	Path string `json:"path"`

	// os is the release of Windows Server that the image holds. Changes: online.
	// +required
	OS GuestOS `json:"os"`
}

// HostNetwork is a network of the hosts that guest clusters may plug into.
type HostNetwork struct {
	// name is what guest clusters call the network: lower-case letters, digits and hyphens.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",message="a name here is lower-case letters, digits and hyphens, such as gold-2"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// switchName is the virtual switch; every host has one of this name, or members cannot move there.
	// Changes: online.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	SwitchName string `json:"switchName"`

	// vlan is the VLAN of the adapters. Left out: untagged. Changes: online.
	// +optional
	VLAN *HostNetworkVLAN `json:"vlan,omitempty"`
}

// HostNetworkVLAN is a VLAN in access mode.
type HostNetworkVLAN struct {
	// id is the VLAN's number, 1 to 4094. Changes: online.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4094
	// +required
	ID int32 `json:"id"`
}

// MACAddressRange is a range of addresses that are the operator's to give.
//
// +kubebuilder:validation:XValidation:rule="self.first <= self.last",message="last is below first; exchange the two"
// +kubebuilder:validation:XValidation:rule="self.first.size() < 2 || self.last.startsWith(self.first.substring(0, 2))",message="first and last must begin with the same two digits, or the range holds multicast addresses"
type MACAddressRange struct {
	// name is what messages call the range: lower-case letters, digits and hyphens.
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",message="a name here is lower-case letters, digits and hyphens, such as gold-2"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// first is the range's first address, in capitals with dashes, such as 02-A1-01-00-00-00. Changes: online,
	// for adapters made from then on.
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9A-F]{2}-){5}[0-9A-F]{2}$')",message="a MAC address is six pairs of hexadecimal digits in capitals with dashes, such as 02-A1-01-00-00-00"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[0-9A-F][13579BDF]')",message="an adapter cannot have a multicast address: the second digit must be even, such as in 02-A1-01-00-00-00"
	// +kubebuilder:validation:MaxLength=32
	// +required
	First string `json:"first"`

	// last is the range's last address, which belongs to it, written like first. Changes: online, for adapters
	// made from then on.
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9A-F]{2}-){5}[0-9A-F]{2}$')",message="a MAC address is six pairs of hexadecimal digits in capitals with dashes, such as 02-A1-01-00-00-00"
	// +kubebuilder:validation:MaxLength=32
	// +required
	Last string `json:"last"`
}

// NamespacesFrom says which namespaces are meant.
// +kubebuilder:validation:Enum=None;Selector;All
type NamespacesFrom string

const (
	// NamespacesFromNone means no namespace.
	NamespacesFromNone NamespacesFrom = "None"
	// NamespacesFromSelector means the namespaces whose labels match.
	NamespacesFromSelector NamespacesFrom = "Selector"
	// NamespacesFromAll means every namespace.
	NamespacesFromAll NamespacesFrom = "All"
)

// AllowedNamespaces says whose objects may use a host cluster.
//
// +kubebuilder:validation:XValidation:rule="(self.from == 'Selector') == has(self.selector)",message="give selector when from is Selector, and only then"
type AllowedNamespaces struct {
	// from is None, Selector (namespaces whose labels match selector) or All. Changes: online.
	// +kubebuilder:default=None
	// +optional
	From NamespacesFrom `json:"from,omitempty"`

	// selector chooses namespaces by their labels. At most 16 labels and 16 expressions. Changes: online.
	// +kubebuilder:validation:XValidation:rule="(!has(self.matchLabels) || self.matchLabels.size() <= 16) && (!has(self.matchExpressions) || self.matchExpressions.size() <= 16)",message="a selector has at most 16 labels and 16 expressions"
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// HostClusterSpec says how the hosts are reached and what of theirs may be used.
type HostClusterSpec struct {
	// management is Managed, or Paused: nothing is changed on these hosts, whatever object asks for it; status
	// is still kept. Changes: online.
	// +kubebuilder:default=Managed
	// +optional
	Management Management `json:"management,omitempty"`

	// agent says how the hosts are reached. Changes: online.
	// +required
	Agent HostAgent `json:"agent"`

	// storagePools are the folders that machines and disks may be put in. At most 16. Changes: online; what uses
	// a pool that is taken off the list stays where it is, and nothing new is put there.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +optional
	StoragePools []StoragePool `json:"storagePools,omitempty"`

	// images are the disks that members' OS disks may be copied from. At most 64. Changes: online, for members
	// made from then on.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Images []MachineImage `json:"images,omitempty"`

	// networks are what members may be plugged into. At most 64. Changes: online; an adapter on a network that is
	// taken off the list stays as it is.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Networks []HostNetwork `json:"networks,omitempty"`

	// macAddressRanges are where every adapter's static address comes from. They are the operator's alone: outside
	// every host's own dynamic pool (00-15-5D-…), other managers' pools and other operators' ranges. At most 16.
	// Changes: online, for adapters made from then on.
	// +kubebuilder:validation:XValidation:rule="self.all(a, self.all(b, a.name == b.name || a.last < b.first || b.last < a.first))",message="two ranges of MAC addresses overlap; make them disjoint"
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +optional
	MACAddressRanges []MACAddressRange `json:"macAddressRanges,omitempty"`

	// allowedNamespaces says whose objects may use this host cluster; nobody's, unless told. Changes: online; a
	// namespace that is no longer allowed keeps what it has and gets nothing new.
	// +kubebuilder:default={"from":"None"}
	// +optional
	AllowedNamespaces AllowedNamespaces `json:"allowedNamespaces,omitzero"`

	// pollInterval is how often the hosts are asked how they are: 1s to 1h. Changes: online.
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s))+$') && duration(self) >= duration('1s') && duration(self) <= duration('1h')",message="pollInterval is a duration from 1s to 1h, such as 30s"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:default="30s"
	// +optional
	PollInterval metav1.Duration `json:"pollInterval,omitzero"`
}

// HostClusterSummary is what the columns of kubectl get show.
type HostClusterSummary struct {
	// message is what is being done or who must act; empty when all is well.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Message string `json:"message,omitempty"`

	// hosts is how many hosts are up of how many there are, such as 4/4.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Hosts string `json:"hosts,omitempty"`

	// pools is how many storage pools can be used of how many are declared, such as 1/1.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Pools string `json:"pools,omitempty"`

	// guestClusters is how many GuestClusters name this host cluster.
	// +kubebuilder:validation:Minimum=0
	// +optional
	GuestClusters int32 `json:"guestClusters"`

	// os is the hosts' release of Windows Server, the oldest where they differ.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	OS string `json:"os,omitempty"`
}

// HostStatus is a host as last seen.
type HostStatus struct {
	// name is the host's name in its failover cluster.
	// +kubebuilder:validation:MaxLength=255
	// +required
	Name string `json:"name"`

	// state is Up, Paused, Draining, Down, Isolated, Quarantined, Joining or Unknown (cannot be seen now).
	// +kubebuilder:validation:MaxLength=64
	// +optional
	State string `json:"state,omitempty"`

	// build is the host's Windows build, such as 10.0.20348.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Build string `json:"build,omitempty"`
}

// StoragePoolStatus is a storage pool as last seen.
type StoragePoolStatus struct {
	// name is the pool's name in spec.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// path is the pool's folder.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Path string `json:"path,omitempty"`

	// capacity is the volume's size.
	// +optional
	Capacity *resource.Quantity `json:"capacity,omitempty"`

	// free is the volume's free space, rounded to two digits so that it does not change at every poll.
	// +optional
	Free *resource.Quantity `json:"free,omitempty"`

	// state says whether the pool can be used.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	State string `json:"state,omitempty"`
}

// ImageStatus is an image as last seen.
type ImageStatus struct {
	// name is the image's name in spec.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// path is the image's file.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Path string `json:"path,omitempty"`

	// state is Present, Missing or Unknown (cannot be seen now).
	// +kubebuilder:validation:MaxLength=64
	// +optional
	State string `json:"state,omitempty"`

	// missingOn are the hosts that do not see the file, sorted.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=255
	// +optional
	MissingOn []string `json:"missingOn,omitempty"`
}

// NetworkStatus is a network as last seen.
type NetworkStatus struct {
	// name is the network's name in spec.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// switchName is the network's virtual switch.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	SwitchName string `json:"switchName,omitempty"`

	// vlan is the network's VLAN. Absent: untagged.
	// +optional
	VLAN *int32 `json:"vlan,omitempty"`

	// state is Present, Missing or Unknown (cannot be seen now).
	// +kubebuilder:validation:MaxLength=64
	// +optional
	State string `json:"state,omitempty"`

	// missingOn are the hosts without the switch, sorted.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=255
	// +optional
	MissingOn []string `json:"missingOn,omitempty"`
}

// HostClusterStatus is the host cluster as last seen.
type HostClusterStatus struct {
	// observedGeneration is the metadata.generation that this status is about; -1 until the first one.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, Connected, Capable and StorageReady.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=32
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// summary is what the columns of kubectl get show.
	// +optional
	Summary HostClusterSummary `json:"summary,omitzero"`

	// windowsVersion is the hosts' release of Windows Server, the oldest where they differ, such as WindowsServer2022.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	WindowsVersion string `json:"windowsVersion,omitempty"`

	// build is the hosts' Windows build, the oldest where they differ, such as 10.0.20348.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Build string `json:"build,omitempty"`

	// clusterName is the name of the hosts' failover cluster.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	ClusterName string `json:"clusterName,omitempty"`

	// hosts are the nodes of the hosts' failover cluster.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Hosts []HostStatus `json:"hosts,omitempty"`

	// storagePools are the declared pools as last seen.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +optional
	StoragePools []StoragePoolStatus `json:"storagePools,omitempty"`

	// images are the declared images as last seen.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Images []ImageStatus `json:"images,omitempty"`

	// networks are the declared networks as last seen.
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	// +optional
	Networks []NetworkStatus `json:"networks,omitempty"`
}

// HostCluster is a failover cluster of Hyper-V hosts: how it is reached, and what of it may be used by whom.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=hcl,categories=guestclustering
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Hosts",type=string,JSONPath=`.status.summary.hosts`
// +kubebuilder:printcolumn:name="OS",type=string,JSONPath=`.status.summary.os`
// +kubebuilder:printcolumn:name="Pools",type=string,JSONPath=`.status.summary.pools`
// +kubebuilder:printcolumn:name="GuestClusters",type=integer,JSONPath=`.status.summary.guestClusters`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.summary.message`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type HostCluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says how the hosts are reached and what of theirs may be used.
	// +required
	Spec HostClusterSpec `json:"spec"`

	// status is the host cluster as last seen.
	// +kubebuilder:default={"observedGeneration":-1}
	// +optional
	Status HostClusterStatus `json:"status,omitzero"`
}

// HostClusterList is a list of HostClusters.
//
// +kubebuilder:object:root=true
type HostClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []HostCluster `json:"items"`
}
