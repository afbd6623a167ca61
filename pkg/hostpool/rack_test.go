package hostpool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostpool"
	"guestclustering.io/operator/pkg/hyperv"
)

const (
	gold    = `C:\ClusterStorage\Gold`
	folderA = gold + `\payments.SQL-A.3f0c1111`
	folderB = gold + `\payments.SQL-B.3f0c1111`
	folderD = gold + `\payments.data.d1`
	data    = folderD + `\data.vhds`
	idA     = "aaaaaaaa-0000-0000-0000-000000000001"
	idB     = "bbbbbbbb-0000-0000-0000-000000000002"
)

// noon is when hv02 began to copy something for SQL-B.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

var (
	stampA = hyperv.Stamp{ClusterID: "k1", Namespace: "payments", Kind: hyperv.KindGuestCluster, Name: "sql", UID: "3f0c1111", Member: "SQL-A"}
	stampB = hyperv.Stamp{ClusterID: "k1", Namespace: "payments", Kind: hyperv.KindGuestCluster, Name: "sql", UID: "3f0c1111", Member: "SQL-B"}
	stampD = hyperv.Stamp{ClusterID: "k1", Namespace: "payments", Kind: hyperv.KindSharedDisk, Name: "data", UID: "d1"}
)

// rack is a driver for a small host cluster in memory: hv01 runs SQL-A, hv02 SQL-B, hv03 a foreign machine.
type rack struct {
	mu sync.Mutex
	// nodes are the states of the nodes, with their flags after a space.
	nodes   map[string]string
	hosts   map[string]*hyperv.Host
	groups  []hyperv.Group
	folders []hyperv.Folder
	disks   []hyperv.VirtualDisk

	// hold keeps the answer of a host back until it is closed. The answer is of when the batch came.
	hold map[string]chan struct{}
	// opening keeps a session with a host from being opened until it is closed.
	opening map[string]chan struct{}
	// fails is the transport error with which a host answers; effect is what a changing batch does.
	fails  map[string]error
	effect func(hostagent.Batch) error

	batches        map[string]int
	opened, closed int
	// changed is what the pool told.
	changed []hostpool.Change
}

func newRack() *rack {
	machine := func(id, name, host, folder string) hyperv.Machine {
		return hyperv.Machine{
			ID: id, Name: name, HostName: host, State: "Running", Heartbeat: "OkApplicationsUnknown", OperationalStatus: []string{"Ok"},
			Location: folder + `\` + name, Version: "10.0",
			Adapters:      []hyperv.Adapter{{Name: "client", MAC: 0x02A101000000 + hyperv.MAC(id[0]), SwitchName: "vSwitch"}},
			Configuration: &hyperv.Configuration{MemoryBytes: 1 << 30},
		}
	}
	host := func(name string, machines ...hyperv.Machine) *hyperv.Host {
		return &hyperv.Host{
			Name: name, Build: hyperv.Build2022, Processors: 32, MemoryBytes: 64 << 30, FreeMemoryBytes: 48 << 30, Switches: []string{"vSwitch"}, SupportedVersions: []string{"10.0"},
			MACPool: hyperv.MACRange{First: 0x00155D400000, Last: 0x00155D4000FF}, Machines: machines,
		}
	}
	group := func(id, name, host string) hyperv.Group {
		return hyperv.Group{Name: name, VMID: id, OwnerNode: host, State: "Online", Resource: "Virtual Machine " + name, OfflineAction: 2, ClassNames: []string{"apart"}}
	}
	folder := func(path string, stamp hyperv.Stamp, files ...string) hyperv.Folder {
		f := hyperv.Folder{Path: path, Stamp: stamp, StampText: stamp.Encode(), Readable: true}
		for _, name := range files {
			f.Files = append(f.Files, hyperv.File{Name: name})
		}
		return f
	}
	foreign := machine("ffffffff-0000-0000-0000-00000000000f", "legacy", "hv03", `D:\VMs`)
	foreign.Configuration = nil
	b := folder(folderB, stampB, "os.vhdx")
	b.Work = []hyperv.Work{{Destination: folderB + `\os.vhdx`, State: hyperv.WorkRunning, Node: "hv02", Started: noon}}
	return &rack{
		nodes: map[string]string{"hv01": "Up", "hv02": "Up", "hv03": "Up"},
		hosts: map[string]*hyperv.Host{
			"hv01": host("hv01", machine(idA, "payments.SQL-A", "hv01", folderA)),
			"hv02": host("hv02", machine(idB, "payments.SQL-B", "hv02", folderB)), "hv03": host("hv03", foreign),
		},
		groups:  []hyperv.Group{group(idA, "payments.SQL-A", "hv01"), group(idB, "payments.SQL-B", "hv02")},
		folders: []hyperv.Folder{folder(folderA, stampA, "os.vhdx"), b, folder(folderD, stampD, "data.vhds")},
		disks:   []hyperv.VirtualDisk{{Path: data, Identifier: "i1"}},
		hold:    map[string]chan struct{}{}, opening: map[string]chan struct{}{}, fails: map[string]error{}, batches: map[string]int{},
	}
}

// with changes the rack while nobody reads it.
func (r *rack) with(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *rack) vm(host string) *hyperv.Machine { return &r.hosts[host].Machines[0] }

// move puts the machine of one host on another.
func (r *rack) move(from, to string) {
	vm := r.hosts[from].Machines[0]
	vm.HostName = to
	r.hosts[from].Machines, r.hosts[to].Machines = r.hosts[from].Machines[1:], append(r.hosts[to].Machines, vm)
	for i := range r.groups {
		if r.groups[i].VMID == vm.ID {
			r.groups[i].OwnerNode = to
		}
	}
}

// told takes what the pool told so far.
func (r *rack) told() []hostpool.Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := r.changed
	r.changed = nil
	return changed
}

// asked takes how many batches each host got so far; those to any host are under the empty name.
func (r *rack) asked() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	batches := r.batches
	r.batches = map[string]int{}
	return batches
}

func (r *rack) notify(c hostpool.Change) { r.with(func() { r.changed = append(r.changed, c) }) }

// Open implements hostagent.Driver.
func (r *rack) Open(_ context.Context, target hostagent.Target) (hostagent.Agent, error) {
	var slow chan struct{}
	r.with(func() { r.opened++; slow = r.opening[target.Host] })
	if slow != nil {
		<-slow
	}
	return &agent{rack: r, target: target}, nil
}

type agent struct {
	rack   *rack
	target hostagent.Target
}

func (a *agent) Close() error {
	a.rack.with(func() { a.rack.closed++ })
	return nil
}

func (a *agent) Run(ctx context.Context, b hostagent.Batch) (hostagent.Results, error) {
	results, held, err := a.rack.answer(b)
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			class := hostagent.Timeout
			if b.Changes() {
				class = hostagent.OutcomeUnknown
			}
			return nil, &hostagent.Error{Class: class, Op: "run", Target: a.target, Err: ctx.Err()}
		}
	}
	if err == nil && ctx.Err() != nil {
		err = &hostagent.Error{Class: hostagent.Canceled, Op: "run", Target: a.target, Err: ctx.Err()}
	}
	return results, err
}

func (r *rack) answer(b hostagent.Batch) (hostagent.Results, chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := b.Target.Host
	r.batches[name]++
	if name == "" {
		name = r.any()
	}
	var lost error
	if b.Changes() && r.effect != nil {
		lost = r.effect(b)
	}
	results := make(hostagent.Results, len(b.Calls))
	for i, c := range b.Calls {
		results[i] = hostagent.Result{ID: c.ID, State: hostagent.Done, Values: r.values(r.hosts[name], c)}
	}
	return results, r.hold[name], errors.Join(r.fails[name], lost)
}

// any is the first host that answers, as a driver finds one.
func (r *rack) any() string {
	names := slices.Sorted(maps.Keys(r.hosts))
	for _, name := range names {
		if r.fails[name] == nil {
			return name
		}
	}
	return names[0]
}

// values are what a cmdlet returns, under the names that Windows has for it.
func (r *rack) values(h *hyperv.Host, c hostagent.Call) []hostagent.Object {
	class, _ := c.Parameters["ClassName"].(hostagent.Text)
	switch c.Cmdlet + string(class) {
	case "Get-Cluster":
		return objects([]string{"rack1"}, func(n string) hostagent.Object { return hostagent.Object{"Name": n, "ResiliencyDefaultPeriod": 240} })
	case "Get-ClusterNode":
		return objects(slices.Sorted(maps.Keys(r.nodes)), func(n string) hostagent.Object {
			state, flags, _ := strings.Cut(r.nodes[n], " ")
			return hostagent.Object{"Name": n, "State": state, "StatusInformation": flags}
		})
	case "Get-ClusterGroup":
		return objects(r.groups, func(g hyperv.Group) hostagent.Object {
			return hostagent.Object{"Name": g.Name, "GroupType": "VirtualMachine", "State": g.State, "OwnerNode.Name": g.OwnerNode, "AntiAffinityClassNames": list(g.ClassNames)}
		})
	case "Get-CimInstanceMSCluster_Resource":
		return objects(r.groups, func(g hyperv.Group) hostagent.Object {
			return hostagent.Object{"Name": g.Resource, "OwnerGroup": g.Name, "PrivateProperties.VmID": g.VMID, "PrivateProperties.OfflineAction": fmt.Sprint(g.OfflineAction)}
		})
	case "Get-ClusterSharedVolume":
		return []hostagent.Object{{"State": "Online", "OwnerNode.Name": "hv01", "SharedVolumeInfo.FriendlyVolumeName": gold, "SharedVolumeInfo.Partition.Size": 1000, "SharedVolumeInfo.Partition.FreeSpace": 500}}
	case "Get-StampedFolder":
		return objects(r.folders, func(f hyperv.Folder) hostagent.Object {
			files := []any{}
			for _, file := range f.Files {
				files = append(files, map[string]any{"Name": file.Name, "Length": int(file.Length)})
			}
			var work []any
			for _, w := range f.Work {
				text, _ := json.Marshal(w)
				work = append(work, string(text))
			}
			return hostagent.Object{"Path": f.Path, "Stamp": f.StampText, "Files": files, "Work": work}
		})
	case "Get-VHD":
		return objects(r.disks, func(d hyperv.VirtualDisk) hostagent.Object {
			return hostagent.Object{"Path": d.Path, "DiskIdentifier": d.Identifier}
		})
	default:
		return hostValues(h, c.Cmdlet+string(class), c)
	}
}

func hostValues(h *hyperv.Host, cmdlet string, c hostagent.Call) []hostagent.Object {
	switch cmdlet {
	case "Get-CimInstanceWin32_OperatingSystem":
		return []hostagent.Object{{"BuildNumber": fmt.Sprint(h.Build), "TotalVisibleMemorySize": int(h.MemoryBytes >> 10), "FreePhysicalMemory": int(h.FreeMemoryBytes >> 10), "LastBootUpTime": h.BootTime.Format(time.RFC3339Nano)}}
	case "Get-VMHost":
		return []hostagent.Object{{"LogicalProcessorCount": int(h.Processors), "MacAddressMinimum": h.MACPool.First.String(), "MacAddressMaximum": h.MACPool.Last.String(), "SupportedVmVersions": list(h.SupportedVersions)}}
	case "Get-VMSwitch":
		return objects(h.Switches, func(s string) hostagent.Object { return hostagent.Object{"Name": s} })
	case "Get-VM":
		id, one := c.Parameters["Id"].(hostagent.Text)
		return objects(h.Machines, func(vm hyperv.Machine) hostagent.Object {
			if one && !strings.EqualFold(vm.ID, string(id)) {
				return nil
			}
			o := hostagent.Object{
				"Id": vm.ID, "Name": vm.Name, "State": vm.State, "Heartbeat": vm.Heartbeat, "OperationalStatus": list(vm.OperationalStatus),
				"ConfigurationLocation": vm.Location, "Version": vm.Version,
			}
			if vm.Configuration != nil {
				o["ProcessorCount"], o["MemoryStartup"] = int(vm.Configuration.Processors), int(vm.Configuration.MemoryBytes)
			}
			return o
		})
	case "Get-VMNetworkAdapter":
		var out []hostagent.Object
		for _, vm := range h.Machines {
			for _, a := range vm.Adapters {
				out = append(out, hostagent.Object{"VMId": vm.ID, "Name": a.Name, "MacAddress": a.MAC.String(), "SwitchName": a.SwitchName})
			}
		}
		return out
	case "Get-VMHardDiskDrive":
		var out []hostagent.Object
		for _, vm := range h.Machines {
			for _, d := range drives(vm) {
				out = append(out, hostagent.Object{"VMId": vm.ID, "Path": d.Path, "ControllerType": "SCSI", "ControllerNumber": int(d.Controller), "ControllerLocation": int(d.Location)})
			}
		}
		return out
	default:
		return nil
	}
}

func drives(vm hyperv.Machine) []hyperv.Drive {
	if vm.Configuration == nil {
		return nil
	}
	return vm.Configuration.Drives
}

func objects[T any](in []T, object func(T) hostagent.Object) []hostagent.Object {
	var out []hostagent.Object
	for _, v := range in {
		if o := object(v); o != nil {
			out = append(out, o)
		}
	}
	return out
}

func list(texts []string) []any {
	out := make([]any, len(texts))
	for i, text := range texts {
		out[i] = text
	}
	return out
}
