package hyperv

import (
	"slices"
	"strings"
	"time"
)

// Presence is how sure a look-up is.
type Presence int

const (
	// Unknown: what would have to be asked could not be asked.
	Unknown Presence = iota
	// Known: it was seen.
	Known
	// Absent: everything that could have it was asked, and it was not there.
	Absent
)

// Snapshot is a host cluster at one moment. It is never changed after it was taken.
type Snapshot struct {
	// Cluster is nil when no host could tell about the host cluster.
	Cluster *Cluster
	// Hosts by name: every node of the host cluster.
	Hosts []Host
	// Groups of virtual machines, by name.
	Groups []Group
	// Folders of ours and of other operators: those with a stamp.
	Folders []Folder
	// PoolsSeen are the paths of the pools whose folders could be listed.
	PoolsSeen []string
	// Disks are the virtual disks of shared disks' folders; DisksSeen says whether they could be asked.
	Disks     []VirtualDisk
	DisksSeen bool
	// Volumes are the cluster shared volumes.
	Volumes []Volume
	// Memory is what one moment cannot tell; kept by who takes the snapshots.
	Memory Memory
}

// Memory are facts that need more than one snapshot.
type Memory struct {
	// CompleteSnapshots counts the complete snapshots since the first, without a gap of an incomplete one in between
	// being counted.
	CompleteSnapshots int
	// LastSeen is the number of the complete snapshot in which a machine or file was last seen, by Key.
	LastSeen map[string]int
	// SettlingFor is how long a machine, or its group, has been in a state of transition, by the machine's Key.
	SettlingFor map[string]time.Duration
}

// Cluster are the host cluster's own properties.
type Cluster struct {
	Name             string
	ResiliencyPeriod time.Duration
	// Quorate is whether a majority of the nodes is up.
	Quorate bool
}

// HostState is a node's state in the host cluster. Isolated and Quarantined are Windows' status flags, Draining a pause
// whose drain is under way.
type HostState string

// The states of a host ("ClusterNodeState", "VM compute resiliency").
const (
	HostUp          HostState = "Up"
	HostPaused      HostState = "Paused"
	HostDraining    HostState = "Draining"
	HostDown        HostState = "Down"
	HostIsolated    HostState = "Isolated"
	HostQuarantined HostState = "Quarantined"
	HostJoining     HostState = "Joining"
	HostUnknown     HostState = "Unknown"
)

// Host is one node with everything it told about itself.
type Host struct {
	Name  string
	State HostState
	// Answered is whether the host answered for this snapshot; without it only Name, State, Unheard, Build, Processors,
	// MemoryBytes and SupportedVersions mean anything, those from Build on as the host told them before, or not at all.
	Answered bool
	// Unheard is whether the host may still be at something that it was told: it never answered, or not since the answer to
	// a change was lost.
	Unheard bool
	// Gone is whether the host has been down for longer than the resiliency period: what it ran is not there any more.
	Gone  bool
	Build int
	// Processors are the logical ones: a machine has at most as many.
	Processors      int64
	MemoryBytes     int64
	FreeMemoryBytes int64
	MACPool         MACRange
	// BootTime is when the host was started, by its own clock; zero when it does not say.
	BootTime          time.Time
	SupportedVersions []string
	Switches          []string
	// Files are those of the asked files that exist, each by its path.
	Files    []File
	Machines []Machine
	// ForeignAdapters belong to no machine of the host: they are the host's own.
	ForeignAdapters []Adapter
}

// Machine is a virtual machine as its host sees it.
type Machine struct {
	ID       string
	Name     string
	HostName string
	State    string
	// Heartbeat is Windows' VMHeartbeatStatus; it begins with Ok once the guest answers.
	Heartbeat         string
	OperationalStatus []string
	Location          string
	Generation        int64
	Version           string
	Clustered         bool
	Adapters          []Adapter
	// Configuration is nil for machines that are not in a stamped folder: they are not asked.
	Configuration *Configuration
}

// Configuration is what Windows fetches lazily, machine by machine.
type Configuration struct {
	Processors          int64
	MemoryBytes         int64
	DynamicMemory       bool
	StartAction         string
	StopAction          string
	CheckpointType      string
	AutomaticCheckpoint bool
	Controllers         []int32
	Drives              []Drive
}

// Adapter is a network adapter.
type Adapter struct {
	Name       string
	MAC        MAC
	Dynamic    bool
	SwitchName string
	// VLAN is 0 for untagged.
	VLAN int32
}

// Drive is a hard disk drive: a file in a slot.
type Drive struct {
	Path                   string
	ControllerType         string
	Controller, Location   int32
	PersistentReservations bool
}

// Group is a virtual machine's role in the host cluster, joined with its resource.
type Group struct {
	Name      string
	State     string
	Status    []string
	OwnerNode string
	// ClassNames are the AntiAffinityClassNames.
	ClassNames []string
	// VMID is empty when the group's machine is not known.
	VMID          string
	Resource      string
	OfflineAction int
}

// Folder is a folder with a stamp. Readable is false when the stamp's text could not be understood.
type Folder struct {
	Path      string
	Stamp     Stamp
	StampText string
	Readable  bool
	Files     []File
	Work      []Work
	// Folders are the names of the folders in it.
	Folders []string
}

// File is a file with its length in bytes. Its name is bare in a folder, and a path elsewhere.
type File struct {
	Name   string
	Length int64
}

// Work is a long operation's own record beside what it makes. It says Running until the operation itself says otherwise,
// even when the host that was at it is gone: see Interrupted.
type Work struct {
	ID          string `json:"id"`
	InputHash   string `json:"inputHash"`
	Destination string `json:"destination"`
	State       string `json:"state"`
	// Node is the host that is at it; Started is when it began, by that host's clock.
	Node    string    `json:"node"`
	Started time.Time `json:"started"`
	Error   string    `json:"error,omitempty"`
}

// The states of Work.
const (
	WorkRunning   = "Running"
	WorkCompleted = "Completed"
	WorkFailed    = "Failed"
)

// VirtualDisk is a virtual hard disk file that could be opened.
type VirtualDisk struct {
	Path       string
	Format     string
	Type       string
	Size       int64
	Identifier string
	Attached   bool
}

// Volume is a cluster shared volume.
type Volume struct {
	Path      string
	State     string
	OwnerNode string
	Size      int64
	Free      int64
}

// Complete reports whether the absence of a machine may be believed: the host cluster is quorate and its groups were
// read, every node that may run machines answered, and every other node is gone for good. Folders and files have their own
// record: PoolsSeen and DisksSeen.
func (s *Snapshot) Complete() bool {
	if s.Cluster == nil || !s.Cluster.Quorate || len(s.Hosts) == 0 {
		return false
	}
	return !slices.ContainsFunc(s.Hosts, func(h Host) bool { return !h.Answered && !h.Gone })
}

// AbsentFor is the number of complete snapshots, up to now, in which a machine or file was not seen.
func (m Memory) AbsentFor(key string) int { return m.CompleteSnapshots - m.LastSeen[Key(key)] }

// Key is the form in which ids and paths are remembered.
func Key(idOrPath string) string { return strings.ToLower(idOrPath) }

// Host finds a node by name.
func (s *Snapshot) Host(name string) (*Host, bool) {
	for i := range s.Hosts {
		if strings.EqualFold(s.Hosts[i].Name, name) {
			return &s.Hosts[i], true
		}
	}
	return nil, false
}

// Machine finds a machine by its id.
func (s *Snapshot) Machine(id string) (*Machine, Presence) {
	found := s.machines(func(m *Machine) bool { return strings.EqualFold(m.ID, id) })
	if len(found) == 0 {
		return nil, s.absence()
	}
	return found[0], Known
}

// MachinesIn lists the machines whose configuration lies in a folder, by id.
func (s *Snapshot) MachinesIn(folder string) ([]*Machine, Presence) {
	found := s.machines(func(m *Machine) bool { return Within(folder, m.Location) })
	if len(found) == 0 {
		return nil, s.absence()
	}
	return found, Known
}

// HeldNoMachine reports whether certainly no machine was ever registered in a folder of a pool, also when not every host can
// be seen: the folder is not there, or holds no folder as "New-VM" makes one for a machine, and no host may still be at what
// it was told.
func (s *Snapshot) HeldNoMachine(folder string) bool {
	if s.Cluster == nil || !s.Cluster.Quorate || slices.ContainsFunc(s.Hosts, func(h Host) bool { return h.Unheard }) {
		return false
	}
	f, presence := s.Folder(folder)
	return presence == Absent || presence == Known && len(f.Folders) == 0
}

// machines lists machines by id, each once: while a machine moves, or after its host came back, two hosts may show it.
func (s *Snapshot) machines(match func(*Machine) bool) []*Machine {
	var found []*Machine
	for i := range s.Hosts {
		for j := range s.Hosts[i].Machines {
			m := &s.Hosts[i].Machines[j]
			if !match(m) {
				continue
			}
			k := slices.IndexFunc(found, func(other *Machine) bool { return strings.EqualFold(other.ID, m.ID) })
			switch {
			case k < 0:
				found = append(found, m)
			case s.rather(m, found[k]):
				found[k] = m
			}
		}
	}
	slices.SortFunc(found, func(a, b *Machine) int { return strings.Compare(Key(a.ID), Key(b.ID)) })
	return found
}

// rather prefers the machine on the host that owns its group, else the one on the host that comes first by name.
func (s *Snapshot) rather(m, other *Machine) bool {
	if g, presence := s.GroupOf(m.ID); presence == Known {
		if owns, otherOwns := strings.EqualFold(g.OwnerNode, m.HostName), strings.EqualFold(g.OwnerNode, other.HostName); owns != otherOwns {
			return owns
		}
	}
	return Key(m.HostName) < Key(other.HostName)
}

func (s *Snapshot) absence() Presence {
	if s.Complete() {
		return Absent
	}
	return Unknown
}

// GroupOf finds the group of a machine by the machine's id; of two that claim it, the first by name. Without quorum groups
// are not to be trusted.
func (s *Snapshot) GroupOf(vmID string) (*Group, Presence) {
	if s.Cluster == nil || !s.Cluster.Quorate {
		return nil, Unknown
	}
	var found *Group
	for i := range s.Groups {
		g := &s.Groups[i]
		if vmID != "" && strings.EqualFold(g.VMID, vmID) && (found == nil || g.Name < found.Name) {
			found = g
		}
	}
	if found == nil {
		return nil, Absent
	}
	return found, Known
}

// Folder finds a stamped folder by its path.
func (s *Snapshot) Folder(path string) (*Folder, Presence) {
	for i := range s.Folders {
		if SamePath(s.Folders[i].Path, path) {
			return &s.Folders[i], Known
		}
	}
	seen := slices.ContainsFunc(s.PoolsSeen, func(pool string) bool { return Within(pool, path) })
	if !seen {
		return nil, Unknown
	}
	return nil, Absent
}

// Disk finds a shared disk's file by its path. A file that exists but cannot be opened, as while it is being made, is
// Unknown.
func (s *Snapshot) Disk(path string) (*VirtualDisk, Presence) {
	for i := range s.Disks {
		if SamePath(s.Disks[i].Path, path) {
			return &s.Disks[i], Known
		}
	}
	folder, presence := s.Folder(DirName(path))
	if presence != Known {
		return nil, presence
	}
	if folder.HasFile(BaseName(path)) || !s.DisksSeen {
		return nil, Unknown
	}
	return nil, Absent
}

// Volume finds the cluster shared volume that a path lies on.
func (s *Snapshot) Volume(path string) (*Volume, bool) {
	for i := range s.Volumes {
		if Within(s.Volumes[i].Path, path) {
			return &s.Volumes[i], true
		}
	}
	return nil, false
}

// AttachedTo lists the machines that are known to have the file on a drive, by machine id.
func (s *Snapshot) AttachedTo(path string) []*Machine {
	return s.machines(func(m *Machine) bool { return m.DriveWith(path) != nil })
}

// StampOf is the stamp of the folder that a machine lies in, if it lies in one.
func (s *Snapshot) StampOf(m *Machine) (Stamp, bool) {
	i := slices.IndexFunc(s.Folders, func(f Folder) bool { return f.Readable && Within(f.Path, m.Location) })
	if i < 0 {
		return Stamp{}, false
	}
	return s.Folders[i].Stamp, true
}

// NameFor is what a machine is called before the people of a namespace: a member's name for one of theirs, no name at all
// for another namespace's.
func (s *Snapshot) NameFor(namespace string, m *Machine) string {
	stamp, stamped := s.StampOf(m)
	switch {
	case !stamped:
		return "machine " + m.Name
	case stamp.Namespace != namespace:
		return OfAnotherNamespace
	case stamp.Member == "":
		return m.Name
	default:
		return stamp.Member
	}
}

// OfAnotherNamespace is what a machine is called whose name is not for everybody.
const OfAnotherNamespace = "a machine of another namespace"

// DrivesSeen reports whether every machine that lies in a stamped folder could be seen with its drives: only then is what
// AttachedTo does not list not attached.
func (s *Snapshot) DrivesSeen() bool {
	unread := s.machines(func(m *Machine) bool {
		return m.Configuration == nil && slices.ContainsFunc(s.Folders, func(f Folder) bool { return Within(f.Path, m.Location) })
	})
	return s.Complete() && len(unread) == 0
}

// HasFile reports whether the folder directly holds a file of that name.
func (f *Folder) HasFile(name string) bool {
	return slices.ContainsFunc(f.Files, func(file File) bool { return strings.EqualFold(file.Name, name) })
}

// WorkFor finds the record of the work that makes a file.
func (f *Folder) WorkFor(destination string) (Work, bool) {
	for _, w := range f.Work {
		if SamePath(w.Destination, destination) {
			return w, true
		}
	}
	return Work{}, false
}

// Interrupted reports whether work whose record says Running cannot be under way any more: its host is gone, is no node of
// the host cluster, or was started again since. One that only does not answer may be at it still.
func (s *Snapshot) Interrupted(w Work) bool {
	if w.State != WorkRunning || s.Cluster == nil {
		return false
	}
	h, isNode := s.Host(w.Node)
	return !isNode || h.Gone || h.Answered && h.BootTime.After(w.Started)
}

// DriveWith finds the machine's drive with a file, or nil.
func (m *Machine) DriveWith(path string) *Drive {
	if m.Configuration == nil || path == "" {
		return nil
	}
	for i := range m.Configuration.Drives {
		if SamePath(m.Configuration.Drives[i].Path, path) {
			return &m.Configuration.Drives[i]
		}
	}
	return nil
}

// DriveIn finds the machine's drive in a SCSI slot, or nil.
func (m *Machine) DriveIn(controller, location int32) *Drive {
	if m.Configuration == nil {
		return nil
	}
	for i := range m.Configuration.Drives {
		d := &m.Configuration.Drives[i]
		if d.ControllerType == "SCSI" && d.Controller == controller && d.Location == location {
			return d
		}
	}
	return nil
}

// Adapter finds the machine's adapter of that name, or nil.
func (m *Machine) Adapter(name string) *Adapter {
	for i := range m.Adapters {
		if strings.EqualFold(m.Adapters[i].Name, name) {
			return &m.Adapters[i]
		}
	}
	return nil
}

// File finds one of the asked files by its path.
func (h *Host) File(path string) (File, bool) {
	i := slices.IndexFunc(h.Files, func(f File) bool { return SamePath(f.Name, path) })
	if i < 0 {
		return File{}, false
	}
	return h.Files[i], true
}

// TakesPart reports whether the host is part of the host cluster now, and so reaches its volumes.
func (h *Host) TakesPart() bool {
	return h.State == HostUp || h.State == HostPaused || h.State == HostDraining
}

// Off reports whether the machine is off.
func (m *Machine) Off() bool { return m.State == "Off" }

// Running reports whether the machine runs.
func (m *Machine) Running() bool { return m.State == "Running" }

// Healthy reports whether the machine runs and its guest answers the heartbeat.
func (m *Machine) Healthy() bool { return m.Running() && strings.HasPrefix(m.Heartbeat, "Ok") }

// Settled reports whether nothing is going on with the machine: disks and settings may be changed. A state or a status
// that is not known counts as something going on.
func (m *Machine) Settled() bool {
	switch m.State {
	case "Running", "Off", "Saved", "Paused":
	default:
		return false
	}
	return !slices.ContainsFunc(m.OperationalStatus, func(s string) bool { return !restful[s] })
}

// The operational statuses during which a machine may be changed ("VMOperationalStatus").
var restful = map[string]bool{"Ok": true, "Degraded": true, "PredictiveFailure": true, "Dormant": true, "InService": true, "ApplicationCritical": true}

// Migrating reports whether the machine is being moved to another host.
func (m *Machine) Migrating() bool {
	return slices.Contains(m.OperationalStatus, "MigratingVirtualMachine")
}

// Moving reports whether the group is between states or hosts, or out of sight of the host cluster.
func (g *Group) Moving() bool {
	return g.State == "Pending" || slices.Contains(g.Status, "Unmonitored") || slices.Contains(g.Status, "Queued") || slices.Contains(g.Status, "WaitingToStart")
}
