package hypervsim

import (
	"slices"
	"strings"
)

// configurationLength is about what a machine's own files take.
const configurationLength = 4*MiB + 64*KiB

// newVM answers New-VM.
func newVM(c *call) error {
	m := &machine{
		world: c.w, name: c.text("Name"), host: c.host, state: off,
		generation: c.integer("Generation", 1), version: c.text("Version"),
		processors: 1, memory: c.integer("MemoryStartupBytes", GiB),
		startAction: "StartIfRunning", stopAction: "Save", checkpointType: "Production",
	}
	if m.name == "" {
		m.name = "New Virtual Machine"
	}
	if m.version == "" {
		m.version = c.host.versions()[len(c.host.versions())-1]
	}
	if err := c.acceptableMachine(m); err != nil {
		return err
	}
	disk := clean(c.text("VHDPath"))
	if disk != "" {
		if err := c.acceptableOSDisk(m, disk); err != nil {
			return err
		}
	}
	folder := clean(c.text("Path"))
	if folder == "" {
		folder = `C:\ProgramData\Microsoft\Windows\Hyper-V`
	}
	if err := c.w.register(m, joinPath(folder, m.name)); err != nil {
		return err
	}
	c.w.furnish(m, disk, c.text("SwitchName"))
	c.did("created VM " + m.name + " on " + c.host.name)
	c.emit(machineView(m))
	return nil
}

func (c *call) acceptableMachine(m *machine) error {
	switch {
	case m.generation != 1 && m.generation != 2:
		return invalid(m.name, "Generation %d does not exist.", m.generation)
	case !c.host.supports(m.version):
		return invalid(m.name, "Configuration version %q is not supported on %s.", m.version, c.host.name)
	case c.has("SwitchName") && c.host.switchNamed(c.text("SwitchName")) == nil:
		return noSwitch(c.text("SwitchName"))
	}
	return acceptableMemory(m.name, m.memory)
}

func acceptableMemory(name string, bytes int64) error {
	if bytes < 32*MiB || bytes > 12*TiB || bytes%(2*MiB) != 0 {
		return invalid(name, "The amount of memory %d is not valid: it must be a multiple of 2 MB between 32 MB and 12 TB.", bytes)
	}
	return nil
}

func (c *call) acceptableOSDisk(m *machine, path string) error {
	f, err := c.closedDisk(path)
	switch {
	case err != nil:
		return err
	case m.generation == 2 && f.disk.format == formatVHD:
		return invalid(path, "A generation 2 machine cannot boot from %q: it takes a .vhdx file.", path)
	}
	return nil
}

// register gives a machine an id and its configuration file, and makes it one of its host's.
func (w *World) register(m *machine, location string) error {
	folder := joinPath(location, "Virtual Machines")
	if v := w.volumeOf(folder); v != nil && v.free < configurationLength {
		return diskFull(folder)
	}
	m.id = w.newID()
	m.location = location
	m.created = w.clock.Now()
	w.makeFolder(m.host, folder)
	f, err := w.createFile(m.host, joinPath(folder, strings.ToUpper(m.id)+".vmcx"), configurationLength)
	if err != nil {
		return err
	}
	f.holder = "vmms"
	m.configuration = f
	w.machines = append(w.machines, m)
	w.byID[m.id] = m
	return nil
}

// furnish gives a new machine what New-VM gives it: a SCSI controller, its OS disk and an adapter.
func (w *World) furnish(m *machine, disk, switchName string) {
	m.addController()
	if disk != "" {
		kind := typeSCSI
		if m.generation == 1 {
			kind = typeIDE
		}
		m.drives = append(m.drives, &drive{machine: m, path: disk, key: pathKey(disk), controllerType: kind})
	}
	m.adapters = append(m.adapters, &adapter{machine: m, id: w.newID(), name: "Network Adapter", dynamic: true, switchName: switchName})
}

// setVM answers Set-VM.
func setVM(c *call) error {
	for _, m := range c.machinesGiven() {
		c.report(c.changeMachine(m))
	}
	return nil
}

func (c *call) changeMachine(m *machine) error {
	if err := c.acceptableSettings(m); err != nil {
		return err
	}
	m.processors = c.integer("ProcessorCount", m.processors)
	m.memory = c.integer("MemoryStartupBytes", m.memory)
	m.dynamicMemory = m.dynamicMemory && !c.flag("StaticMemory") || c.flag("DynamicMemory")
	for name, setting := range map[string]*string{
		"AutomaticStartAction": &m.startAction, "AutomaticStopAction": &m.stopAction, "CheckpointType": &m.checkpointType,
		"Notes": &m.notes, "NewVMName": &m.name,
	} {
		if c.has(name) {
			*setting = c.enumerated(name)
		}
	}
	if c.has("AutomaticCheckpointsEnabled") {
		m.automaticCheckpoints = c.flag("AutomaticCheckpointsEnabled")
	}
	c.did("changed settings of VM " + m.name)
	return nil
}

// acceptableSettings refuses what cannot be set at all, and what cannot be set now.
func (c *call) acceptableSettings(m *machine) error {
	needsOff := slices.ContainsFunc([]string{"ProcessorCount", "MemoryStartupBytes", "StaticMemory", "DynamicMemory"}, c.has)
	if needsOff && m.state != off || !m.settled() {
		return wrongState(m, "Changing settings")
	}
	processors := c.integer("ProcessorCount", m.processors)
	if processors < 1 || processors > int64(c.host.processors) {
		return invalid(m.name, "%d processors are out of range: %s has %d.", processors, c.host.name, c.host.processors)
	}
	return acceptableMemory(m.name, c.integer("MemoryStartupBytes", m.memory))
}

// enumerations gives the values of enumerations as Windows spells them.
var enumerations = map[string][]string{
	"AutomaticStartAction": {"Nothing", "StartIfRunning", "Start"},
	"AutomaticStopAction":  {"TurnOff", "Save", "ShutDown"},
	"CheckpointType":       {"Disabled", "Production", "ProductionOnly", "Standard"},
}

// enumerated gives a parameter in Windows' own spelling.
func (c *call) enumerated(name string) string {
	text := c.text(name)
	for _, value := range enumerations[name] {
		if strings.EqualFold(value, text) {
			return value
		}
	}
	return text
}
