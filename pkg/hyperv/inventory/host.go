package inventory

import (
	"fmt"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// HostState asks a host about itself and, cheaply, about everything that runs on it. files are checked to exist.
func HostState(host string, files []string) hostagent.Batch {
	calls := []hostagent.Call{
		cmdlet.OperatingSystem("os"), cmdlet.Host("host"), cmdlet.Switches("switches"), cmdlet.Machines("machines"), cmdlet.Adapters("adapters"),
	}
	if len(files) > 0 {
		calls = append(calls, cmdlet.Files("files", files...))
	}
	return read(host, calls...)
}

// DecodeHostState reads the answer to HostState. The host's State stays empty: only the host cluster knows it.
func DecodeHostState(name string, results hostagent.Results) (hyperv.Host, error) {
	if err := results.Need("os", "host", "switches", "machines", "adapters"); err != nil {
		return hyperv.Host{}, fmt.Errorf("reading host %s: %w", name, err)
	}
	h := hyperv.Host{Name: name, Answered: true}
	for _, o := range results.ByID("os").Values {
		h.Build = int(parseInt(o.Text("BuildNumber")))
		h.MemoryBytes = o.Int("TotalVisibleMemorySize") << 10
		h.FreeMemoryBytes = o.Int("FreePhysicalMemory") << 10
		booted, err := o.Time("LastBootUpTime")
		if err != nil {
			return hyperv.Host{}, fmt.Errorf("reading host %s: %w", name, err)
		}
		h.BootTime = booted
	}
	for _, o := range results.ByID("host").Values {
		pool, err := hyperv.ParseMACRange(o.Text("MacAddressMinimum"), o.Text("MacAddressMaximum"))
		if err != nil {
			return hyperv.Host{}, fmt.Errorf("reading host %s: %w: %w", name, hostagent.Protocol, err)
		}
		h.MACPool = pool
		h.Processors = o.Int("LogicalProcessorCount")
		h.SupportedVersions = o.Texts("SupportedVmVersions")
	}
	for _, o := range results.ByID("switches").Values {
		h.Switches = append(h.Switches, o.Text("Name"))
	}
	for _, o := range results.ByID("files").Values {
		h.Files = append(h.Files, hyperv.File{Name: o.Text("FullName"), Length: o.Int("Length")})
	}
	addMachines(&h, results)
	return h, nil
}

func addMachines(h *hyperv.Host, results hostagent.Results) {
	position := map[string]int{}
	for _, o := range results.ByID("machines").Values {
		position[hyperv.Key(o.Text("Id"))] = len(h.Machines)
		h.Machines = append(h.Machines, hyperv.Machine{
			ID: strings.ToLower(o.Text("Id")), Name: o.Text("Name"), HostName: h.Name, State: o.Text("State"), Heartbeat: o.Text("Heartbeat"),
			OperationalStatus: o.Texts("OperationalStatus"), Location: o.Text("ConfigurationLocation"),
			Generation: o.Int("Generation"), Version: o.Text("Version"), Clustered: o.Bool("IsClustered"),
		})
	}
	for _, o := range results.ByID("adapters").Values {
		a := adapter(o)
		if i, ok := position[hyperv.Key(o.Text("VMId"))]; ok && !o.Bool("IsManagementOs") {
			h.Machines[i].Adapters = append(h.Machines[i].Adapters, a)
			continue
		}
		h.ForeignAdapters = append(h.ForeignAdapters, a)
	}
}

func adapter(o hostagent.Object) hyperv.Adapter {
	// An adapter without an address yet is all zeros, which no range holds.
	mac, _ := hyperv.ParseMAC(o.Text("MacAddress"))
	a := hyperv.Adapter{Name: o.Text("Name"), MAC: mac, Dynamic: o.Bool("DynamicMacAddressEnabled"), SwitchName: o.Text("SwitchName")}
	if o.Text("VlanSetting.OperationMode") == "Access" {
		a.VLAN = int32(o.Int("VlanSetting.AccessVlanId"))
	}
	return a
}

// Configurations asks for what Windows fetches lazily, of the machines with these ids on a host.
func Configurations(host string, ids []string) hostagent.Batch {
	var calls []hostagent.Call
	var names []string
	for i, id := range ids {
		name := fmt.Sprintf("vm%d", i)
		names = append(names, name)
		calls = append(calls, cmdlet.MachineConfiguration(name, id))
	}
	calls = append(calls, cmdlet.Drives("drives", names), cmdlet.Controllers("controllers", names))
	return read(host, calls...)
}

// AddConfigurations puts the answer to Configurations into the host's machines. A machine that has left the host
// meanwhile stays without.
func AddConfigurations(h *hyperv.Host, results hostagent.Results) error {
	found := configurations(results)
	if len(found) == 0 {
		// When all have left, there was nobody to ask for drives.
		return nil
	}
	if err := results.Need("drives", "controllers"); err != nil {
		return fmt.Errorf("reading configurations on host %s: %w", h.Name, err)
	}
	for _, o := range results.ByID("drives").Values {
		if c := found[hyperv.Key(o.Text("VMId"))]; c != nil {
			c.Drives = append(c.Drives, hyperv.Drive{
				Path: o.Text("Path"), ControllerType: o.Text("ControllerType"), Controller: int32(o.Int("ControllerNumber")),
				Location: int32(o.Int("ControllerLocation")), PersistentReservations: o.Bool("SupportPersistentReservations"),
			})
		}
	}
	for _, o := range results.ByID("controllers").Values {
		if c := found[hyperv.Key(o.Text("VMId"))]; c != nil {
			c.Controllers = append(c.Controllers, int32(o.Int("ControllerNumber")))
		}
	}
	for i := range h.Machines {
		h.Machines[i].Configuration = found[hyperv.Key(h.Machines[i].ID)]
	}
	return nil
}

func configurations(results hostagent.Results) map[string]*hyperv.Configuration {
	found := map[string]*hyperv.Configuration{}
	for _, r := range results {
		if r.ID == "drives" || r.ID == "controllers" {
			continue
		}
		for _, o := range r.Values {
			found[hyperv.Key(o.Text("Id"))] = &hyperv.Configuration{
				Processors: o.Int("ProcessorCount"), MemoryBytes: o.Int("MemoryStartup"), DynamicMemory: o.Bool("DynamicMemoryEnabled"),
				StartAction: o.Text("AutomaticStartAction"), StopAction: o.Text("AutomaticStopAction"),
				CheckpointType: o.Text("CheckpointType"), AutomaticCheckpoint: o.Bool("AutomaticCheckpointsEnabled"),
			}
		}
	}
	return found
}
