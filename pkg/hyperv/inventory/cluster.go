package inventory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// ClusterState asks any host about the host cluster as a whole and about the folders in the pools.
func ClusterState(host string, pools []string) hostagent.Batch {
	calls := []hostagent.Call{
		cmdlet.Cluster("cluster"), cmdlet.Nodes("nodes"), cmdlet.Groups("groups"), cmdlet.MachineResources("resources"), cmdlet.SharedVolumes("volumes"),
	}
	for i, pool := range pools {
		// One call a pool, so that one that is missing does not hide the others.
		calls = append(calls, cmdlet.StampedFolders(poolCall(i), pool))
	}
	return read(host, calls...)
}

func poolCall(i int) string { return fmt.Sprintf("pool%d", i) }

// Cluster is the answer to ClusterState: the parts of a snapshot that are the same whichever host tells them.
type Cluster struct {
	Cluster   hyperv.Cluster
	Nodes     []Node
	Groups    []hyperv.Group
	Volumes   []hyperv.Volume
	Folders   []hyperv.Folder
	PoolsSeen []string
}

// Node is a host as the host cluster sees it.
type Node struct {
	Name  string
	State hyperv.HostState
}

// DecodeClusterState reads the answer to ClusterState for the same pools.
func DecodeClusterState(pools []string, results hostagent.Results) (Cluster, error) {
	if err := results.Need("cluster", "nodes", "groups", "resources", "volumes"); err != nil {
		return Cluster{}, fmt.Errorf("reading host cluster: %w", err)
	}
	var c Cluster
	for _, o := range results.ByID("cluster").Values {
		c.Cluster = hyperv.Cluster{Name: o.Text("Name"), ResiliencyPeriod: time.Duration(o.Int("ResiliencyDefaultPeriod")) * time.Second}
	}
	for _, o := range results.ByID("nodes").Values {
		c.Nodes = append(c.Nodes, Node{Name: o.Text("Name"), State: nodeState(o)})
	}
	c.Cluster.Quorate = quorate(c.Nodes)
	c.Groups = groups(results)
	for _, o := range results.ByID("volumes").Values {
		c.Volumes = append(c.Volumes, volume(o))
	}
	for i, pool := range pools {
		r := results.ByID(poolCall(i))
		if r.State != hostagent.Done {
			continue
		}
		c.PoolsSeen = append(c.PoolsSeen, pool)
		for _, o := range r.Values {
			c.Folders = append(c.Folders, folder(o))
		}
	}
	return c, nil
}

func nodeState(o hostagent.Object) hyperv.HostState {
	status := o.Flags("StatusInformation")
	switch {
	case slices.Contains(status, "Quarantined"):
		return hyperv.HostQuarantined
	case slices.Contains(status, "Isolated"):
		return hyperv.HostIsolated
	}
	switch o.Text("State") {
	case "Up":
		return hyperv.HostUp
	case "Paused":
		if o.Text("DrainStatus") == "InProgress" {
			return hyperv.HostDraining
		}
		return hyperv.HostPaused
	case "Down":
		return hyperv.HostDown
	case "Joining":
		return hyperv.HostJoining
	default:
		return hyperv.HostUnknown
	}
}

// quorate: an answer from the cluster service means that it runs with quorum; half of the nodes must be up too, since a
// service may answer from a partition for a moment. A witness or dynamic quorum lets fewer go on; then nothing is concluded
// from what is missing.
func quorate(nodes []Node) bool {
	up := 0
	for _, n := range nodes {
		if n.State == hyperv.HostUp || n.State == hyperv.HostPaused || n.State == hyperv.HostDraining {
			up++
		}
	}
	return up > 0 && 2*up >= len(nodes)
}

func groups(results hostagent.Results) []hyperv.Group {
	resources := map[string]hostagent.Object{}
	for _, o := range results.ByID("resources").Values {
		resources[o.Text("OwnerGroup")] = o
	}
	var out []hyperv.Group
	for _, o := range results.ByID("groups").Values {
		if o.Text("GroupType") != "VirtualMachine" {
			continue
		}
		g := hyperv.Group{
			Name: o.Text("Name"), State: o.Text("State"), Status: o.Flags("StatusInformation"), OwnerNode: o.Text("OwnerNode.Name"),
			ClassNames: o.Texts("AntiAffinityClassNames"),
		}
		if r, ok := resources[g.Name]; ok {
			g.VMID = strings.ToLower(strings.Trim(r.Text("PrivateProperties.VmID"), "{}"))
			g.Resource = r.Text("Name")
			g.OfflineAction = int(parseInt(r.Text("PrivateProperties.OfflineAction")))
		}
		out = append(out, g)
	}
	return out
}

func volume(o hostagent.Object) hyperv.Volume {
	v := hyperv.Volume{State: o.Text("State"), OwnerNode: o.Text("OwnerNode.Name")}
	if paths := o.Texts("SharedVolumeInfo.FriendlyVolumeName"); len(paths) > 0 {
		v.Path = paths[0]
	}
	v.Size = firstInt(o, "SharedVolumeInfo.Partition.Size")
	v.Free = firstInt(o, "SharedVolumeInfo.Partition.FreeSpace")
	return v
}

// firstInt reads a property below SharedVolumeInfo, which is a list with one entry a partition.
func firstInt(o hostagent.Object, path string) int64 {
	if list, ok := o[path].([]any); ok {
		if len(list) == 0 {
			return 0
		}
		return hostagent.Object{path: list[0]}.Int(path)
	}
	return o.Int(path)
}

func folder(o hostagent.Object) hyperv.Folder {
	f := hyperv.Folder{Path: o.Text("Path"), StampText: o.Text("Stamp")}
	if stamp, err := hyperv.ParseStamp(f.StampText); err == nil {
		f.Stamp, f.Readable = stamp, true
	}
	for _, file := range o.Objects("Files") {
		f.Files = append(f.Files, hyperv.File{Name: file.Text("Name"), Length: file.Int("Length")})
	}
	f.Folders = o.Texts("Folders")
	for _, text := range o.Texts("Work") {
		var w hyperv.Work
		// A work file that is just being written is read at the next poll.
		if json.Unmarshal([]byte(text), &w) == nil {
			f.Work = append(f.Work, w)
		}
	}
	return f
}

// SharedDiskFiles lists the virtual disks in folders of shared disks.
func SharedDiskFiles(folders []hyperv.Folder) []string {
	var paths []string
	for _, f := range folders {
		if f.Stamp.Kind != hyperv.KindSharedDisk {
			continue
		}
		for _, file := range f.Files {
			name := strings.ToLower(file.Name)
			if strings.HasSuffix(name, ".vhds") || strings.HasSuffix(name, ".vhdx") {
				paths = append(paths, hyperv.JoinPath(f.Path, file.Name))
			}
		}
	}
	return paths
}

// Disks asks a host about virtual disks.
func Disks(host string, paths []string) hostagent.Batch {
	return read(host, cmdlet.Disks("disks", paths...))
}

// DecodeDisks reads the answer to Disks. A file that could not be opened is left out.
func DecodeDisks(results hostagent.Results) []hyperv.VirtualDisk {
	var out []hyperv.VirtualDisk
	for _, o := range results.ByID("disks").Values {
		out = append(out, hyperv.VirtualDisk{
			Path: o.Text("Path"), Format: o.Text("VhdFormat"), Type: o.Text("VhdType"), Size: o.Int("Size"),
			Identifier: o.Text("DiskIdentifier"), Attached: o.Bool("Attached"),
		})
	}
	return out
}

func parseInt(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
