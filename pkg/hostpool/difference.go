package hostpool

import (
	"reflect"

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
	views := map[string]folderView{}
	for _, f := range s.Folders {
		view := folderView{Folder: f}
		found, _ := s.MachinesIn(f.Path)
		for _, vm := range found {
			view.Machines = append(view.Machines, *vm)
			if g, presence := s.GroupOf(vm.ID); presence == hyperv.Known {
				view.Groups = append(view.Groups, *g)
			}
		}
		for _, d := range s.Disks {
			if hyperv.Within(f.Path, d.Path) {
				view.Disks = append(view.Disks, d)
			}
		}
		views[hyperv.Key(f.Path)] = view
	}
	return views
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
