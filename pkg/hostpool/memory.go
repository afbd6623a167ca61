package hostpool

import (
	"time"

	"guestclustering.io/operator/pkg/hyperv"
)

// memory is what several snapshots tell together.
type memory struct {
	complete int
	lastSeen map[string]int
	// owners are the stamps of the folders in which machines and disks were last seen, by the same keys.
	owners map[string]hyperv.Stamp
	// moving is since when a machine, or its group, has been in a state of transition.
	moving map[string]time.Time
}

// forgetAfter bounds the memory: what was absent from more complete snapshots than this counts as never seen, which means
// the same to everybody who asks.
const forgetAfter = 10

func newMemory() memory {
	return memory{lastSeen: map[string]int{}, owners: map[string]hyperv.Stamp{}, moving: map[string]time.Time{}}
}

// remember takes in a snapshot, which counts when it is of a full reading, and writes into it what it means together with
// those before.
func (m *memory) remember(s *hyperv.Snapshot, counts bool, now time.Time) {
	if counts && s.Complete() {
		m.complete++
	}
	m.see(s)
	m.moving = m.settling(s, now)
	s.Memory = hyperv.Memory{CompleteSnapshots: m.complete, LastSeen: map[string]int{}, SettlingFor: map[string]time.Duration{}}
	for key, n := range m.lastSeen {
		if m.complete-n > forgetAfter {
			delete(m.lastSeen, key)
			delete(m.owners, key)
			continue
		}
		s.Memory.LastSeen[key] = n
	}
	for key, since := range m.moving {
		s.Memory.SettlingFor[key] = now.Sub(since)
	}
}

// see notes everything that a snapshot shows, and every disk of which it does not prove that it is gone.
func (m *memory) see(s *hyperv.Snapshot) {
	folders := foldersByKey(s)
	for _, h := range s.Hosts {
		for _, vm := range h.Machines {
			m.note(hyperv.Key(vm.ID), vm.Location, folders)
		}
	}
	for _, d := range s.Disks {
		m.note(hyperv.Key(d.Path), d.Path, folders)
	}
	for key := range m.lastSeen {
		if hyperv.DirName(key) == "" {
			continue
		}
		if _, presence := s.Disk(key); presence != hyperv.Absent {
			m.lastSeen[key] = m.complete
		}
	}
}

func (m *memory) note(key, path string, folders map[string]hyperv.Folder) {
	m.lastSeen[key] = m.complete
	if at, ok := holding(folders, path); ok && folders[at].Readable {
		m.owners[key] = folders[at].Stamp
	}
}

// settling is since when which machines are in a state of transition.
func (m *memory) settling(s *hyperv.Snapshot, now time.Time) map[string]time.Time {
	settling := map[string]time.Time{}
	for _, h := range s.Hosts {
		for _, vm := range h.Machines {
			key := hyperv.Key(vm.ID)
			group, presence := s.GroupOf(vm.ID)
			if vm.Settled() && (presence != hyperv.Known || !group.Moving()) {
				continue
			}
			settling[key] = now
			if since, known := m.moving[key]; known {
				settling[key] = since
			}
		}
	}
	return settling
}
