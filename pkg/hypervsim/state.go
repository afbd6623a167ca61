package hypervsim

import (
	"maps"
	"slices"
	"time"
)

// State is the world as a picture: what is where, now.
type State struct {
	Time     time.Time     `json:"time"`
	Cluster  string        `json:"cluster"`
	Quorate  bool          `json:"quorate"`
	Hosts    []HostState   `json:"hosts"`
	Volumes  []VolumeState `json:"volumes"`
	Machines []VMState     `json:"machines"`
	Groups   []GroupState  `json:"groups"`
	// Files are the paths of all files on the volumes.
	Files []FileState `json:"files"`
	// Domain is the one that guests may join; zero without one.
	Domain DomainState `json:"domain,omitzero"`
	// GuestClusters are the failover clusters that machines form inside.
	GuestClusters []GuestClusterState `json:"guestClusters,omitempty"`
	// LostServers are those outside that answer nobody.
	LostServers []string `json:"lostServers,omitempty"`
}

// HostState is one host.
type HostState struct {
	Name        string   `json:"name"`
	Build       int      `json:"build"`
	Powered     bool     `json:"powered"`
	State       string   `json:"state"`
	Status      string   `json:"status"`
	Drain       string   `json:"drain"`
	MemoryBytes int64    `json:"memoryBytes"`
	FreeBytes   int64    `json:"freeBytes"`
	Switches    []string `json:"switches"`
}

// VolumeState is one cluster shared volume.
type VolumeState struct {
	Path      string `json:"path"`
	Owner     string `json:"owner"`
	SizeBytes int64  `json:"sizeBytes"`
	FreeBytes int64  `json:"freeBytes"`
}

// VMState is one virtual machine.
type VMState struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Host      string         `json:"host"`
	State     string         `json:"state"`
	Heartbeat string         `json:"heartbeat,omitempty"`
	Location  string         `json:"location"`
	Activity  string         `json:"activity"`
	Adapters  []AdapterState `json:"adapters"`
	Drives    []DriveState   `json:"drives"`
	// Guest is the Windows in it; zero before its first start, and where there is none.
	Guest GuestState `json:"guest,omitzero"`
	// Isolated is whether it is cut off from all networks behind its switches.
	Isolated bool `json:"isolated,omitempty"`
	// MigratingTo is the host that it is on its way to.
	MigratingTo string `json:"migratingTo,omitempty"`
}

// AdapterState is one network adapter; VLAN 0 is untagged.
type AdapterState struct {
	Name   string `json:"name"`
	MAC    string `json:"mac"`
	Switch string `json:"switch"`
	VLAN   int64  `json:"vlan,omitempty"`
}

// DriveState is one hard disk drive.
type DriveState struct {
	Path       string `json:"path"`
	Controller string `json:"controller"`
	Number     int64  `json:"number"`
	Location   int64  `json:"location"`
	Shared     bool   `json:"shared,omitempty"`
}

// GroupState is one clustered role.
type GroupState struct {
	Name          string   `json:"name"`
	Owner         string   `json:"owner"`
	State         string   `json:"state"`
	Status        string   `json:"status"`
	VM            string   `json:"vm,omitempty"`
	OfflineAction int64    `json:"offlineAction,omitempty"`
	ClassNames    []string `json:"classNames,omitempty"`
}

// FileState is one file.
type FileState struct {
	Path   string `json:"path"`
	Length int64  `json:"length"`
}

// State gives the world as it is now.
func (w *World) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := State{Time: w.clock.Now(), Cluster: w.name, Quorate: w.quorate(), Domain: w.domainPicture(), GuestClusters: w.services.pictures(), LostServers: slices.Sorted(maps.Keys(w.services.lost))}
	for _, h := range w.hosts {
		hs := HostState{
			Name: h.name, Build: h.build, Powered: h.powered, State: h.nodeState(), Status: h.nodeStatus(), Drain: h.drain,
			MemoryBytes: h.memory, FreeBytes: h.freeMemory(),
		}
		for _, sw := range h.switches {
			hs.Switches = append(hs.Switches, sw.name)
		}
		s.Hosts = append(s.Hosts, hs)
	}
	for _, v := range w.volumes {
		s.Volumes = append(s.Volumes, VolumeState{Path: v.path, Owner: v.owner.name, SizeBytes: v.size, FreeBytes: v.free})
		s.Files = append(s.Files, filesBelow(v.root)...)
	}
	for _, m := range w.machines {
		s.Machines = append(s.Machines, m.picture())
	}
	for _, g := range w.groups {
		gs := GroupState{Name: g.name, Owner: g.owner.name, State: g.state(), Status: g.status(), VM: g.vm, ClassNames: append([]string(nil), g.classNames...)}
		if g.resource != nil {
			gs.OfflineAction = g.resource.offlineAction
		}
		s.Groups = append(s.Groups, gs)
	}
	return s
}

func filesBelow(f *folder) []FileState {
	var out []FileState
	for _, file := range f.allFiles() {
		out = append(out, FileState{Path: file.path, Length: file.length})
	}
	for _, sub := range f.allFolders() {
		out = append(out, filesBelow(sub)...)
	}
	return out
}

func (m *machine) picture() VMState {
	vm := VMState{ID: m.id, Name: m.name, Host: m.host.name, State: m.state, Location: m.location, Activity: m.activity(), Guest: m.guestPicture()}
	if heartbeat, ok := m.heartbeat().(string); ok {
		vm.Heartbeat = heartbeat
	}
	vm.Isolated = m.world.services.isolated[m]
	if mg := m.migration(); mg != nil {
		vm.MigratingTo = mg.to.name
	}
	for _, a := range m.adapters {
		vm.Adapters = append(vm.Adapters, AdapterState{Name: a.name, MAC: a.mac.String(), Switch: a.switchName, VLAN: a.vlan})
	}
	for _, d := range m.drives {
		vm.Drives = append(vm.Drives, DriveState{Path: d.path, Controller: d.controllerType, Number: d.number, Location: d.location, Shared: d.shared})
	}
	return vm
}
