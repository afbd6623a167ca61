package hostpool

import (
	"reflect"
	"strings"

	"guestclustering.io/operator/pkg/hyperv"
)

// difference finds which objects and whether the hosts differ between two snapshots.
func difference(before, next *hyperv.Snapshot) Change {
	if before == nil {
		before = &hyperv.Snapshot{}
	}
	var change Change
	change.Hosts = before.Complete() != next.Complete() || !reflect.DeepEqual(aboutHosts(before), aboutHosts(next))
	was, is := byFolder(before), byFolder(next)
	for path, view := range is {
		if !reflect.DeepEqual(was[path], view) {
			change.Objects = append(change.Objects, view.Folder.Stamp)
		}
	}
	for path, view := range was {
		if _, still := is[path]; !still {
			change.Objects = append(change.Objects, view.Folder.Stamp)
		}
	}
	return change
}

// folderView is everything that a snapshot holds about what lies in one folder.
type folderView struct {
	Folder   hyperv.Folder
	Machines []hyperv.Machine
	Groups   []hyperv.Group
	Disks    []hyperv.VirtualDisk
}

func byFolder(s *hyperv.Snapshot) map[string]folderView {
	views := make(map[string]folderView, len(s.Folders))
	for _, f := range s.Folders {
		views[hyperv.Key(f.Path)] = folderView{Folder: f}
	}
	groups := make(map[string]hyperv.Group, len(s.Groups))
	for _, g := range s.Groups {
		groups[hyperv.Key(g.VMID)] = g
	}
	for _, h := range s.Hosts {
		for _, vm := range h.Machines {
			in(views, vm.Location, func(v *folderView) {
				v.Machines = append(v.Machines, vm)
				if g, ok := groups[hyperv.Key(vm.ID)]; ok {
					v.Groups = append(v.Groups, g)
				}
			})
		}
	}
	for _, d := range s.Disks {
		in(views, d.Path, func(v *folderView) { v.Disks = append(v.Disks, d) })
	}
	return views
}

// in changes the view of the folder that a path lies in, if it lies in one.
func in(views map[string]folderView, path string, change func(*folderView)) {
	for key := hyperv.Key(path); key != ""; key = key[:max(strings.LastIndex(key, `\`), 0)] {
		if view, ok := views[key]; ok {
			change(&view)
			views[key] = view
			return
		}
	}
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
		h.Machines, h.FreeMemoryBytes = nil, 0
		v.Hosts = append(v.Hosts, h)
	}
	return v
}
