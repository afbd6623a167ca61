package hostpool

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hyperv"
)

// difference finds which objects and whether the hosts differ between two snapshots. owners are the stamps of what was
// seen before, by Key.
func difference(before, next *hyperv.Snapshot, owners map[string]hyperv.Stamp) Change {
	first := before == nil
	if first {
		before = &hyperv.Snapshot{}
	}
	var change Change
	// The first one tells everybody something, if only that nothing can be read.
	change.Hosts = first || before.Complete() != next.Complete() || !reflect.DeepEqual(aboutHosts(before), aboutHosts(next)) ||
		believes(next) != believes(before)
	change.Addresses = !reflect.DeepEqual(foreignAddresses(before), foreignAddresses(next))
	change.folders(byFolder(before), byFolder(next))
	for key := range next.Memory.LastSeen {
		if believedGone(next, key) != believedGone(before, key) {
			change.add(owners[key])
		}
	}
	return change
}

func (c *Change) folders(was, is map[string]folderView) {
	for path, view := range is {
		old, known := was[path]
		if reflect.DeepEqual(old, view) {
			continue
		}
		c.concerns(view.Folder)
		if known && old.Folder.Stamp != view.Folder.Stamp {
			c.concerns(old.Folder)
		}
	}
	for path, view := range was {
		if _, still := is[path]; !still {
			c.concerns(view.Folder)
		}
	}
}

// foreignAddresses are the adapters of the machines that are not asked for their configuration: those of somebody else.
func foreignAddresses(s *hyperv.Snapshot) map[string][]hyperv.Adapter {
	addresses := map[string][]hyperv.Adapter{}
	for _, h := range s.Hosts {
		for _, vm := range h.Machines {
			if vm.Configuration == nil {
				addresses[h.Name+"/"+vm.ID] = vm.Adapters
			}
		}
	}
	return addresses
}

// believes reports whether a snapshot proves losses, also of what this process never saw: only from the second complete
// snapshot on.
func believes(s *hyperv.Snapshot) bool { return s.Memory.CompleteSnapshots >= lossAfter }

func believedGone(s *hyperv.Snapshot, key string) bool {
	_, known := s.Memory.LastSeen[key]
	return known && s.Memory.AbsentFor(key) >= lossAfter
}

// lossAfter is from how many complete snapshots something must be absent before it is held for gone.
const lossAfter = 2

// concerns adds the object of a folder, if its stamp says whose it is.
func (c *Change) concerns(f hyperv.Folder) {
	if f.Readable {
		c.add(f.Stamp)
	}
}

func (c *Change) add(stamp hyperv.Stamp) {
	if stamp.Kind != "" && !slices.Contains(c.Objects, stamp) {
		c.Objects = append(c.Objects, stamp)
	}
}

// folderView is everything that a snapshot holds about what lies in one folder.
type folderView struct {
	Folder   hyperv.Folder
	Machines []hyperv.Machine
	Groups   []hyperv.Group
	Disks    []hyperv.VirtualDisk
	// AttachedTo are the ids of the machines that have a disk of the folder.
	AttachedTo []string
	// Settling is for how many minutes each machine has been in a state of transition: who waits for one looks again.
	Settling []int
	// Interrupted are the files whose making was interrupted: who waits for one sees to it.
	Interrupted []string
}

func byFolder(s *hyperv.Snapshot) map[string]folderView {
	folders := foldersByKey(s)
	views := make(map[string]folderView, len(folders))
	for key, f := range folders {
		views[key] = folderView{Folder: f, Interrupted: interrupted(s, f)}
	}
	in := func(path string, change func(*folderView)) {
		if key, ok := holding(folders, path); ok {
			view := views[key]
			change(&view)
			views[key] = view
		}
	}
	locations := make(map[string]string)
	for _, h := range s.Hosts {
		for _, vm := range h.Machines {
			locations[hyperv.Key(vm.ID)] = vm.Location
			in(vm.Location, func(v *folderView) {
				v.Machines = append(v.Machines, vm)
				v.Settling = append(v.Settling, int(s.Memory.SettlingFor[hyperv.Key(vm.ID)]/time.Minute))
			})
			for _, d := range drives(vm) {
				in(d.Path, func(v *folderView) { v.AttachedTo = append(v.AttachedTo, vm.ID) })
			}
		}
	}
	for _, g := range s.Groups {
		in(locationOf(g, locations, folders), func(v *folderView) { v.Groups = append(v.Groups, g) })
	}
	for _, d := range s.Disks {
		in(d.Path, func(v *folderView) { v.Disks = append(v.Disks, d) })
	}
	return views
}

func interrupted(s *hyperv.Snapshot, f hyperv.Folder) []string {
	var files []string
	for _, w := range f.Work {
		if s.Interrupted(w) {
			files = append(files, w.Destination)
		}
	}
	return files
}

func drives(vm hyperv.Machine) []hyperv.Drive {
	if vm.Configuration == nil {
		return nil
	}
	return vm.Configuration.Drives
}

// locationOf is where a group's machine lies. When no host shows the machine, the group's name says whose it is.
func locationOf(g hyperv.Group, locations map[string]string, folders map[string]hyperv.Folder) string {
	if location, ok := locations[hyperv.Key(g.VMID)]; ok {
		return location
	}
	for path, f := range folders {
		if f.Readable && f.Stamp.Member != "" && strings.EqualFold(g.Name, hyperv.MachineName(f.Stamp.Namespace, f.Stamp.Member)) {
			return path
		}
	}
	return ""
}

func foldersByKey(s *hyperv.Snapshot) map[string]hyperv.Folder {
	folders := make(map[string]hyperv.Folder, len(s.Folders))
	for _, f := range s.Folders {
		folders[hyperv.Key(f.Path)] = f
	}
	return folders
}

// holding finds the key of the folder that a path lies in, if it lies in one.
func holding(folders map[string]hyperv.Folder, path string) (string, bool) {
	for key := hyperv.Key(path); key != ""; key = hyperv.DirName(key) {
		if _, ok := folders[key]; ok {
			return key, true
		}
	}
	return "", false
}

// hostView is what concerns the host cluster itself, without what moves all the time.
type hostView struct {
	Cluster *hyperv.Cluster
	Pools   []string
	Volumes []volumeView
	Hosts   []hyperv.Host
}

type volumeView struct {
	Path, State, Owner string
	Size               int64
}

func aboutHosts(s *hyperv.Snapshot) hostView {
	v := hostView{Cluster: s.Cluster, Pools: s.PoolsSeen}
	for _, vol := range s.Volumes {
		v.Volumes = append(v.Volumes, volumeView{Path: vol.Path, State: vol.State, Owner: vol.OwnerNode, Size: vol.Size})
	}
	for _, h := range s.Hosts {
		// What a start interrupted concerns its folder; the time of the start moves with a clock that is set.
		h.Machines, h.FreeMemoryBytes, h.BootTime = nil, 0, time.Time{}
		v.Hosts = append(v.Hosts, h)
	}
	return v
}
