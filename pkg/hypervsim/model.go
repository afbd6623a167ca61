package hypervsim

import (
	"fmt"
	"net/netip"
	"time"

	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// Sizes in bytes.
const (
	KiB int64 = 1 << 10
	MiB int64 = 1 << 20
	GiB int64 = 1 << 30
	TiB int64 = 1 << 40
)

// Model is a host cluster as it is when its world begins.
type Model struct {
	ClusterName string
	Hosts       []HostModel
	Volumes     []VolumeModel
	// Images are virtual hard disks that are there already, on a volume.
	Images []ImageModel
	// Domain is the one that guests may join; without a name there is none. Guests reach it from the switch DomainSwitch, by
	// the DNS server DomainDNS.
	Domain       windows.DomainModel
	DomainSwitch string
	DomainDNS    netip.Addr
	// DHCP are the networks that give addresses to guests.
	DHCP      []DHCPModel
	Durations Durations
}

// DHCPModel is a DHCP server on a VLAN of a switch. It gives the addresses of Subnet from First on.
type DHCPModel struct {
	Switch  string
	VLAN    int64
	Subnet  netip.Prefix
	First   netip.Addr
	Gateway netip.Addr
	DNS     netip.Addr
}

// HostModel is one host.
type HostModel struct {
	Name string
	// Build of Windows: 20348 is Windows Server 2022.
	Build       int
	MemoryBytes int64
	Processors  int
	// MACFirst and MACLast are the host's own pool of dynamic addresses, as twelve hexadecimal digits.
	MACFirst, MACLast string
	Switches          []string
}

// VolumeModel is a cluster shared volume.
type VolumeModel struct {
	Name string
	// Path below C:\ClusterStorage.
	Path      string
	SizeBytes int64
	// FreeBytes is the free space once the images are there; 0 means all the rest.
	FreeBytes int64
	// Owner is the name of the host that coordinates the volume.
	Owner string
}

// ImageModel is a generalised disk, ready to be copied.
type ImageModel struct {
	Path string
	// FileBytes is the length of the file, SizeBytes the size of the disk in it.
	FileBytes, SizeBytes int64
	// Windows is the build of the generalised Windows on it; 0: there is none.
	Windows int
	// RestartFor are the features whose installation asks for a restart in this image.
	RestartFor []string
}

// Durations are how long things take on the world's clock.
type Durations struct {
	// Latency of one batch, whatever is in it.
	Latency time.Duration
	// Read and Change are a call that reads and one that changes a setting.
	Read, Change time.Duration
	CreateVM     time.Duration
	RemoveVM     time.Duration
	CreateDisk   time.Duration
	AddRole      time.Duration
	// StartVM is from the start to Running; Boot from there to the guest's first heartbeat.
	StartVM, Boot time.Duration
	ShutDown      time.Duration
	Save          time.Duration
	// MigrateBase and MigratePerGiB, of memory, are one live migration; MaxMigrations may run on one host side by side.
	MigrateBase, MigratePerGiB time.Duration
	MaxMigrations              int
	// CopyPerGiB is the copy of an image, FixedPerGiB the writing of a fixed disk.
	CopyPerGiB, FixedPerGiB time.Duration
	// Detection is from a host's failure to its loss of membership, Resiliency from there to the restart of its machines
	// elsewhere ("Virtual Machine Compute Resiliency in Windows Server 2016").
	Detection, Resiliency time.Duration
	// Join is from a host's return to its membership.
	Join time.Duration
	// Specialise is Windows' set-up in a guest apart from its two starts; the first two thirds are before the administrator has
	// a password.
	Specialise time.Duration
	// FormCluster, AddNode (and the removal of one, and of a cluster) and Validate are calls inside guests about a cluster.
	FormCluster, AddNode, Validate time.Duration
	// NodeDetection is how long a node of a cluster inside may be silent for at Windows' own threshold of ten heartbeats, Failover
	// how long a role takes to come online, Blackout how long a machine stands still at the end of a live migration.
	NodeDetection, Failover, Blackout time.Duration
	// InstallFeature, JoinDomain and FormatDisk are single calls inside guests.
	InstallFeature, JoinDomain, FormatDisk time.Duration
}

// DefaultDurations are those of an ordinary host cluster.
func DefaultDurations() Durations {
	return Durations{
		Latency: 20 * time.Millisecond, Read: 30 * time.Millisecond, Change: 200 * time.Millisecond,
		CreateVM: 2 * time.Second, RemoveVM: time.Second, CreateDisk: 500 * time.Millisecond, AddRole: time.Second,
		StartVM: 3 * time.Second, Boot: 45 * time.Second, ShutDown: 20 * time.Second, Save: 10 * time.Second,
		MigrateBase: 5 * time.Second, MigratePerGiB: time.Second, MaxMigrations: 2,
		CopyPerGiB: 5 * time.Second, FixedPerGiB: 2 * time.Second,
		Detection: 10 * time.Second, Resiliency: 240 * time.Second, Join: 30 * time.Second,
		FormCluster: 20 * time.Second, AddNode: 10 * time.Second, Validate: time.Minute,
		NodeDetection: 10 * time.Second, Failover: 3 * time.Second, Blackout: 2 * time.Second,
		Specialise: 90 * time.Second, InstallFeature: 60 * time.Second, JoinDomain: 5 * time.Second, FormatDisk: 3 * time.Second,
	}
}

// defaultDomain is corp.example: join may create computer objects, forming and cluster those of clusters, ops and sql-ops are
// accounts of those who run the members. Clusters may create the objects of their roles beside their own.
func defaultDomain() windows.DomainModel {
	const unit, computers = "OU=Clusters,DC=corp,DC=example", "CN=Computers,DC=corp,DC=example"
	return windows.DomainModel{
		Name: "corp.example", NetBIOS: "CORP", Units: []string{unit}, ComputersMayCreateIn: []string{unit}, MachineAccountQuota: 10,
		Accounts: []windows.AccountModel{
			{Name: "join", Password: "Join-the-domain-1", MayCreateIn: []string{unit, computers}},
			{Name: "ops", Password: "Run-the-members-1"},
			{Name: "forming", Password: "Form-the-cluster-1", MayCreateIn: []string{unit}},
			{Name: "cluster", Password: "Form-the-cluster-1", MayCreateIn: []string{unit}},
			{Name: "sql-ops", Password: "Run-the-members-1"},
		},
	}
}

// DefaultModel is host cluster rack1: hosts hv01 to hv04 with Windows Server 2022, one volume, two generalised images, two
// switches, and the domain corp.example.
func DefaultModel() Model {
	m := Model{
		ClusterName: "rack1",
		Volumes: []VolumeModel{{
			Name: "Cluster Disk 1", Path: `C:\ClusterStorage\Gold`, SizeBytes: 20 * TiB, Owner: "hv01",
		}},
		Images: []ImageModel{
			{Path: `C:\ClusterStorage\Gold\Images\ws2022.vhdx`, FileBytes: 12 * GiB, SizeBytes: 127 * GiB, Windows: hyperv.Build2022},
			{Path: `C:\ClusterStorage\Gold\Images\ws2019.vhdx`, FileBytes: 11 * GiB, SizeBytes: 127 * GiB, Windows: hyperv.Build2019},
		},
		Domain: defaultDomain(), DomainSwitch: "vSwitch-Client", DomainDNS: netip.MustParseAddr("10.0.1.2"),
		DHCP: []DHCPModel{{
			Switch: "vSwitch-Client", VLAN: 110, Subnet: netip.MustParsePrefix("10.0.1.0/24"), First: netip.MustParseAddr("10.0.1.100"),
			Gateway: netip.MustParseAddr("10.0.1.1"), DNS: netip.MustParseAddr("10.0.1.2"),
		}},
		Durations: DefaultDurations(),
	}
	for i := 1; i <= 4; i++ {
		m.Hosts = append(m.Hosts, HostModel{
			Name: fmt.Sprintf("hv%02d", i), Build: 20348, MemoryBytes: 256 * GiB, Processors: 64,
			MACFirst: fmt.Sprintf("00155D%02X0000", 0x40+i), MACLast: fmt.Sprintf("00155D%02X00FF", 0x40+i),
			Switches: []string{"vSwitch-Client", "vSwitch-Cluster"},
		})
	}
	return m
}
