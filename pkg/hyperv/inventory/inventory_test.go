package inventory_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/inventory"
)

const (
	gold    = `C:\ClusterStorage\Gold`
	silver  = `C:\ClusterStorage\Silver`
	folderA = gold + `\payments.SQL-A.3f0c1111`
	idA     = "aaaaaaaa-0000-0000-0000-000000000001"
)

// recorded reads an answer as a driver does.
func recorded(t *testing.T, name string) hostagent.Results {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var results hostagent.Results
	if err := decoder.Decode(&results); err != nil {
		t.Fatal(err)
	}
	return results
}

func TestClusterState(t *testing.T) {
	pools := []string{gold, silver}
	got, err := inventory.DecodeClusterState(pools, recorded(t, "cluster"))
	if err != nil {
		t.Fatal(err)
	}
	stamp := hyperv.Stamp{ClusterID: "k1", Namespace: "payments", NamespaceUID: "n1", Kind: hyperv.KindGuestCluster, Name: "sql", UID: "3f0c1111", Member: "SQL-A"}
	disk := hyperv.Stamp{ClusterID: "k1", Namespace: "payments", NamespaceUID: "n1", Kind: hyperv.KindSharedDisk, Name: "data", UID: "d1"}
	want := inventory.Cluster{
		// Of eight nodes only three are up: too few to conclude anything from what is missing.
		Cluster: hyperv.Cluster{Name: "rack1", ResiliencyPeriod: 4 * time.Minute, Quorate: false},
		Nodes: []inventory.Node{
			{Name: "hv01", State: hyperv.HostUp}, {Name: "hv02", State: hyperv.HostDraining}, {Name: "hv03", State: hyperv.HostPaused},
			{Name: "hv04", State: hyperv.HostDown}, {Name: "hv05", State: hyperv.HostIsolated}, {Name: "hv06", State: hyperv.HostQuarantined},
			{Name: "hv07", State: hyperv.HostJoining}, {Name: "hv08", State: hyperv.HostUnknown},
		},
		Groups: []hyperv.Group{
			{
				Name: "payments.SQL-A", State: "Online", Status: []string{"Unmonitored", "Queued"}, OwnerNode: "hv01", ClassNames: []string{"payments.sql.u1", "other"},
				VMID: idA, Resource: "Virtual Machine payments.SQL-A", OfflineAction: 2,
			},
			{Name: "legacy", State: "Offline", OwnerNode: "hv02", ClassNames: []string{"lone"}, VMID: "ffffffff-0000-0000-0000-00000000000f", Resource: "Virtual Machine legacy", OfflineAction: 1},
			{Name: "half-made", State: "Failed", OwnerNode: "hv02"},
		},
		Volumes: []hyperv.Volume{
			{Path: gold, State: "Online", OwnerNode: "hv01", Size: 4_000_000_000_000, Free: 1_000_000_000_000},
			{Path: silver, State: "Online", OwnerNode: "hv02", Size: 2_000_000_000_000, Free: 5},
			{State: "Offline", OwnerNode: "hv02"},
		},
		Folders: []hyperv.Folder{
			{
				Path: folderA, Stamp: stamp, StampText: stamp.Encode(), Readable: true,
				Files: []hyperv.File{{Name: "guestclustering.json", Length: 140}, {Name: "os.vhdx", Length: 20 << 30}},
				// Half a record is read at the next poll.
				Work: []hyperv.Work{{ID: "w1", InputHash: "h1", Destination: folderA + `\os.vhdx`, State: hyperv.WorkCompleted}},
			},
			{
				Path: gold + `\payments.data.d1`, Stamp: disk, StampText: disk.Encode(), Readable: true,
				Files: []hyperv.File{{Name: "data.VHDS", Length: 260096}, {Name: "data_1.avhdx", Length: 4 << 20}, {Name: "old.vhdx", Length: 4 << 20}},
			},
			{Path: gold + `\junk`, StampText: "hello", Files: []hyperv.File{{Name: "x.vhdx", Length: 1}}},
		},
		// The pool that is not there hides none of the others.
		PoolsSeen: []string{gold},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("host cluster (-want +got):\n%s", diff)
	}
	files := []string{gold + `\payments.data.d1\data.VHDS`, gold + `\payments.data.d1\old.vhdx`}
	if diff := cmp.Diff(files, inventory.SharedDiskFiles(got.Folders)); diff != "" {
		t.Errorf("files of shared disks, not the one with a VHD Set's data (-want +got):\n%s", diff)
	}
}

func TestQuorate(t *testing.T) {
	nodes := func(states ...string) hostagent.Results {
		results := recorded(t, "cluster")
		i := slices.IndexFunc(results, func(r hostagent.Result) bool { return r.ID == "nodes" })
		results[i].Values = nil
		for n, state := range states {
			results[i].Values = append(results[i].Values, hostagent.Object{"Name": fmt.Sprint("hv", n), "State": state, "StatusInformation": "Normal"})
		}
		return results
	}
	cases := map[string]struct {
		reason string
		states []string
		want   bool
	}{
		"all up":       {"Nothing is missing.", []string{"Up", "Up"}, true},
		"half":         {"A witness gives the second half its majority.", []string{"Up", "Down"}, true},
		"paused count": {"A paused node votes.", []string{"Paused", "Up", "Down", "Down"}, true},
		"fewer":        {"The rest may go on elsewhere.", []string{"Up", "Down", "Down"}, false},
		"none":         {"Nobody is there to have quorum.", []string{"Down"}, false},
		"no nodes":     {"A host cluster has nodes.", nil, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := inventory.DecodeClusterState(nil, nodes(tc.states...))
			if err != nil || got.Cluster.Quorate != tc.want {
				t.Errorf("%s\ngot %v, %v; want %v", tc.reason, got.Cluster.Quorate, err, tc.want)
			}
		})
	}
}

func TestHostState(t *testing.T) {
	h, err := inventory.DecodeHostState("hv01", recorded(t, "host"))
	if err != nil {
		t.Fatal(err)
	}
	if err := inventory.AddConfigurations(&h, recorded(t, "configurations")); err != nil {
		t.Fatal(err)
	}
	want := hyperv.Host{
		Name: "hv01", Answered: true, Build: hyperv.Build2022, Processors: 32, MemoryBytes: 64 << 30, FreeMemoryBytes: 48 << 30,
		BootTime: time.Date(2026, 1, 1, 7, 0, 0, 0, time.UTC),
		MACPool:  hyperv.MACRange{First: 0x00155D400000, Last: 0x00155D4000FF}, SupportedVersions: []string{"9.0", "10.0", "254.0"},
		Switches: []string{"vSwitch-Client", "vSwitch-Cluster"}, Files: []hyperv.File{{Name: gold + `\Images\ws2022.vhdx`, Length: 20 << 30}},
		Machines: []hyperv.Machine{
			{
				ID: idA, Name: "payments.SQL-A", HostName: "hv01", State: "Running", Heartbeat: "OkApplicationsUnknown",
				OperationalStatus: []string{"Ok", "MigratingVirtualMachine"}, Location: folderA + `\payments.SQL-A`, Generation: 2, Version: "10.0", Clustered: true,
				Adapters: []hyperv.Adapter{
					{Name: "client", MAC: 0x02A101000010, SwitchName: "vSwitch-Client", VLAN: 110},
					// A trunk has no VLAN of its own.
					{Name: "cluster", MAC: 0x02A101000011, SwitchName: "vSwitch-Cluster"},
				},
				Configuration: &hyperv.Configuration{
					Processors: 4, MemoryBytes: 8 << 30, StartAction: "Nothing", StopAction: "ShutDown", CheckpointType: "ProductionOnly", AutomaticCheckpoint: true,
					Controllers: []int32{0, 1},
					Drives: []hyperv.Drive{
						{Path: folderA + `\os.vhdx`, ControllerType: "SCSI"},
						{Path: gold + `\payments.data.d1\data.vhds`, ControllerType: "SCSI", Controller: 1, Location: 3, PersistentReservations: true},
					},
				},
			},
			{
				ID: "ffffffff-0000-0000-0000-00000000000f", Name: "legacy", HostName: "hv01", State: "Off", OperationalStatus: []string{"Ok"}, Location: `D:\VMs\legacy`, Generation: 1, Version: "5.0",
				Adapters: []hyperv.Adapter{{Name: "Network Adapter", Dynamic: true}},
			},
		},
		ForeignAdapters: []hyperv.Adapter{{Name: "Management", MAC: 0x00155D400001, Dynamic: true, SwitchName: "vSwitch-Client"}},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("host (-want +got):\n%s", diff)
	}
}

func TestDisks(t *testing.T) {
	// The other file that was asked could not be opened.
	want := []hyperv.VirtualDisk{{Path: gold + `\payments.data.d1\data.vhds`, Format: "VHDSet", Type: "Dynamic", Size: 500 << 30, Identifier: "6B1F0C5E-1111", Attached: true}}
	if diff := cmp.Diff(want, inventory.DecodeDisks(recorded(t, "disks"))); diff != "" {
		t.Errorf("disks (-want +got):\n%s", diff)
	}
	if got := inventory.DecodeDisks(nil); got != nil {
		t.Errorf("of no answer there are disks: %v", got)
	}
}

// with replaces the result of one call; a nil one is left out.
func with(results hostagent.Results, id string, r *hostagent.Result) hostagent.Results {
	out := slices.DeleteFunc(slices.Clone(results), func(r hostagent.Result) bool { return r.ID == id })
	if r != nil {
		r.ID = id
		out = append(out, *r)
	}
	return out
}

// An answer in which a call did not end well is none: half of it would look like absence.
func TestHalfAnswersAreRefused(t *testing.T) {
	cluster := func(r hostagent.Results) error { _, err := inventory.DecodeClusterState(nil, r); return err }
	host := func(r hostagent.Results) error { _, err := inventory.DecodeHostState("hv01", r); return err }
	configurations := func(r hostagent.Results) error { return inventory.AddConfigurations(&hyperv.Host{Name: "hv01"}, r) }
	decoders := []struct {
		name   string
		decode func(hostagent.Results) error
		calls  []string
	}{
		{"cluster", cluster, []string{"cluster", "nodes", "groups", "resources", "volumes"}},
		{"host", host, []string{"os", "host", "switches", "machines", "adapters"}},
		{"configurations", configurations, []string{"drives", "controllers"}},
	}
	busy := hostagent.CallError{Category: "ResourceBusy", Message: "not now"}
	bad := map[string]struct {
		result *hostagent.Result
		class  hostagent.Class
	}{
		"failed":   {&hostagent.Result{State: hostagent.Failed, Errors: []hostagent.CallError{busy}}, hostagent.Busy},
		"not run":  {&hostagent.Result{State: hostagent.NotRun}, hostagent.Protocol},
		"unknown":  {&hostagent.Result{State: hostagent.Unknown}, hostagent.OutcomeUnknown},
		"left out": {nil, hostagent.OutcomeUnknown},
	}
	for _, d := range decoders {
		whole := recorded(t, d.name)
		if err := d.decode(whole); err != nil {
			t.Errorf("%s: the whole answer is refused: %v", d.name, err)
		}
		for _, call := range d.calls {
			for name, b := range bad {
				if err := d.decode(with(whole, call, b.result)); !errors.Is(err, b.class) {
					t.Errorf("%s: with %s %s the error is %v, want class %s", d.name, call, name, err, b.class)
				}
			}
		}
	}
}

func TestUnreadableHost(t *testing.T) {
	results := with(recorded(t, "host"), "host", &hostagent.Result{State: hostagent.Done, Values: []hostagent.Object{{"MacAddressMinimum": "x", "MacAddressMaximum": "00155D4000FF"}}})
	if _, err := inventory.DecodeHostState("hv01", results); !errors.Is(err, hostagent.Protocol) {
		t.Errorf("a pool that is none gives %v, want class Protocol", err)
	}
}

// Every machine of ours may leave between the two batches of a poll: that is no fault of the host.
func TestAllMachinesLeftMeanwhile(t *testing.T) {
	notFound := hostagent.CallError{Category: "ObjectNotFound"}
	results := hostagent.Results{
		{ID: "vm0", State: hostagent.Failed, Errors: []hostagent.CallError{notFound}},
		{ID: "drives", State: hostagent.Failed, Errors: []hostagent.CallError{{Category: "InvalidData", Message: "Cannot bind argument to parameter 'VM' because it is an empty array."}}},
		{ID: "controllers", State: hostagent.Failed, Errors: []hostagent.CallError{{Category: "InvalidData"}}},
	}
	h := hyperv.Host{Name: "hv01", Machines: []hyperv.Machine{{ID: idA}}}
	if err := inventory.AddConfigurations(&h, results); err != nil || h.Machines[0].Configuration != nil {
		t.Errorf("got %v and configuration %v, want neither", err, h.Machines[0].Configuration)
	}
}

// A poll only reads, goes on after a failed call, and may be sent as it is.
func TestBatches(t *testing.T) {
	batches := map[string]hostagent.Batch{
		"cluster":        inventory.ClusterState("hv01", []string{gold, silver}),
		"disks":          inventory.Disks("hv01", []string{"a.vhds", "b.vhdx"}),
		"host":           inventory.HostState("hv01", []string{"a.vhdx"}),
		"configurations": inventory.Configurations("hv01", []string{idA, "other"}),
	}
	for name, b := range batches {
		if err := b.Validate(); err != nil || b.Changes() || b.OnError != hostagent.Continue || b.Target.Host != "hv01" {
			t.Errorf("%s: %v, changes: %v, on error %s, target %s", name, err, b.Changes(), b.OnError, b.Target)
		}
	}
	if n := len(inventory.ClusterState("", []string{gold, silver}).Calls); n != 7 {
		t.Errorf("two pools make %d calls, want one a pool beside five", n)
	}
	if calls := inventory.HostState("hv01", nil).Calls; slices.ContainsFunc(calls, func(c hostagent.Call) bool { return c.Cmdlet == "Get-Item" }) {
		t.Error("without files to look for, files are looked for")
	}
}
