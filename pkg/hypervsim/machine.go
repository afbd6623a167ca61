package hypervsim

import (
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hyperv"
)

// machine is a virtual machine. It is registered on exactly one host.
type machine struct {
	world      *World
	id, name   string
	host       *host
	state      string
	generation int64
	version    string
	created    time.Time
	notes      string
	// location is the folder of the machine's files, configuration the file in it.
	location      string
	configuration *file

	processors    int64
	memory        int64
	dynamicMemory bool

	startAction, stopAction string
	checkpointType          string
	automaticCheckpoints    bool

	controllers []*controller
	drives      []*drive
	adapters    []*adapter

	guest guest
	// role is its group in the host cluster, or nil.
	role *group
	// transition is the end of the change of state that is under way.
	transition *event
	// interrupted is whether it ran when its host went down.
	interrupted bool
	removed     bool
}

// The states of a machine ("VMState").
const (
	running  = "Running"
	off      = "Off"
	saved    = "Saved"
	starting = "Starting"
	stopping = "Stopping"
	saving   = "Saving"
)

// active is whether the machine has memory and its disks open.
func (m *machine) active() bool { return m.state != off && m.state != saved }

// settled is whether nothing is going on with the machine.
func (m *machine) settled() bool {
	return (m.state == running || m.state == off || m.state == saved) && m.migration() == nil
}

// activity names what the machine does, for messages.
func (m *machine) activity() string {
	if mg := m.migration(); mg != nil && mg.underWay {
		return "migrating"
	}
	return strings.ToLower(m.state)
}

func (m *machine) migration() *migration {
	for _, mg := range m.world.migrations {
		if mg.machine == m {
			return mg
		}
	}
	return nil
}

func (m *machine) heartbeat() any {
	switch {
	case m.state != running:
		return nil
	case m.guest.hasHeartbeat():
		return "OkApplicationsUnknown"
	default:
		return "NoContact"
	}
}

func (m *machine) operationalStatus() []any {
	if mg := m.migration(); mg != nil && mg.underWay {
		return []any{"InService", "MigratingVirtualMachine"}
	}
	return []any{"Ok"}
}

func (m *machine) memoryAssigned() int64 {
	if m.active() {
		return m.memory
	}
	return 0
}

// since2016 and since2019 give a property that older builds do not have.
func since2016(read func(*machine) any) func(*machine) any {
	return sinceBuild(hyperv.Build2016, read)
}

func since2019(read func(*machine) any) func(*machine) any {
	return sinceBuild(hyperv.Build2019, read)
}

func sinceBuild(build int, read func(*machine) any) func(*machine) any {
	return func(m *machine) any {
		if m.host.build < build {
			return nil
		}
		return read(m)
	}
}

var machineClass properties[*machine]

func init() {
	// The table leads to machines by way of their adapters and drives, which a variable's own initialiser must not.
	machineClass = properties[*machine]{
		"id":                          func(m *machine) any { return m.id },
		"vmid":                        func(m *machine) any { return m.id },
		"name":                        func(m *machine) any { return m.name },
		"vmname":                      func(m *machine) any { return m.name },
		"computername":                func(m *machine) any { return m.host.name },
		"state":                       func(m *machine) any { return m.state },
		"heartbeat":                   func(m *machine) any { return m.heartbeat() },
		"operationalstatus":           func(m *machine) any { return m.operationalStatus() },
		"configurationlocation":       func(m *machine) any { return m.location },
		"path":                        func(m *machine) any { return m.location },
		"generation":                  func(m *machine) any { return m.generation },
		"version":                     func(m *machine) any { return m.version },
		"notes":                       func(m *machine) any { return m.notes },
		"isclustered":                 func(m *machine) any { return m.role != nil },
		"processorcount":              func(m *machine) any { return m.processors },
		"memorystartup":               func(m *machine) any { return m.memory },
		"memoryassigned":              func(m *machine) any { return m.memoryAssigned() },
		"dynamicmemoryenabled":        func(m *machine) any { return m.dynamicMemory },
		"automaticstartaction":        func(m *machine) any { return m.startAction },
		"automaticstopaction":         func(m *machine) any { return m.stopAction },
		"checkpointtype":              since2016(func(m *machine) any { return m.checkpointType }),
		"automaticcheckpointsenabled": since2019(func(m *machine) any { return m.automaticCheckpoints }),
		"harddrives":                  func(m *machine) any { return driveViews(m.drives) },
		"networkadapters":             func(m *machine) any { return adapterViews(m.adapters) },
	}
}

func machineView(m *machine) object { return view[*machine]{m, machineClass, m.name} }

func everyMachine(*machine) bool { return true }

// machinesOn lists the machines of a host for which something holds.
func (w *World) machinesOn(h *host, holds func(*machine) bool) []*machine {
	var out []*machine
	for _, m := range w.machines {
		if m.host == h && holds(m) {
			out = append(out, m)
		}
	}
	return out
}

// machineByID finds a machine wherever it is, or nil.
func (w *World) machineByID(id string) *machine {
	return w.byID[strings.ToLower(strings.Trim(id, "{}"))]
}

// getVM answers Get-VM: the machines of this host alone.
func getVM(c *call) error {
	switch {
	case c.has("Id"):
		for _, id := range c.texts("Id") {
			m := c.w.machineByID(id)
			if m == nil || m.host != c.host {
				c.report(c.noMachine(id))
				continue
			}
			c.emit(machineView(m))
		}
	case c.has("Name"):
		for _, m := range c.machinesNamed(c.texts("Name")) {
			c.emit(machineView(m))
		}
	default:
		for _, m := range c.w.machinesOn(c.host, everyMachine) {
			c.emit(machineView(m))
		}
	}
	return nil
}

// renameVM answers Rename-VM. The machine's folder keeps its name.
func renameVM(c *call) error {
	for _, m := range c.machinesGiven() {
		c.did("renamed VM " + m.name + " to " + c.text("NewName"))
		m.name = c.text("NewName")
	}
	return nil
}

// stopVM answers Stop-VM.
func stopVM(c *call) error {
	for _, m := range c.machinesGiven() {
		if c.alive() {
			c.report(c.stopMachine(m))
		}
	}
	return nil
}

func (c *call) stopMachine(m *machine) error {
	switch {
	case m.state == off:
		return nil
	case c.flag("TurnOff"):
		c.did("turned off VM " + m.name)
		c.w.turnOff(m)
		return nil
	case m.state != running || m.migration() != nil:
		return wrongState(m, "Stopping")
	case c.flag("Save"):
		c.did("saving VM " + m.name)
		c.w.save(m)
	default:
		c.did("shutting down VM " + m.name)
		c.w.shutDown(m)
	}
	c.waitFor(m)
	return nil
}

// waitFor lets the call last until a machine's change of state is over.
func (c *call) waitFor(m *machine) {
	for m.transition != nil && c.alive() {
		c.w.sleep(time.Second)
	}
}

// removeVM answers Remove-VM: the machine and its configuration go, its disks stay.
func removeVM(c *call) error {
	for _, m := range c.machinesGiven() {
		if !m.settled() || m.state == running {
			c.report(wrongState(m, "Removing"))
			continue
		}
		c.did("removed VM " + m.name + " from " + c.host.name)
		c.w.unregister(m)
	}
	return nil
}

func (w *World) unregister(m *machine) {
	w.forget(m.transition)
	w.stopGuest(m)
	m.removed = true
	m.state = off
	w.machines = drop(w.machines, m)
	delete(w.byID, m.id)
	if m.configuration != nil {
		w.deleteFile(m.configuration)
	}
}
