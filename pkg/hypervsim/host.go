package hypervsim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hyperv"
)

// hostReserve is the memory that a host keeps for itself.
const hostReserve = 4 * GiB

// host is one node of the host cluster.
type host struct {
	world      *World
	name       string
	nodeID     int
	build      int
	memory     int64
	processors int
	macs       hyperv.MACRange
	nextMAC    hyperv.MAC
	switches   []vmSwitch
	// disk is the host's own disk; volumes are shared.
	disk *folder

	// powered is whether the host runs and answers at all.
	powered bool
	// powerChange is closed and made anew when that changes.
	powerChange chan struct{}
	// booted is when it got its power last.
	booted time.Time
	// failures counts how often it lost its power: a call that began before does not go on after.
	failures int
	membership

	sessions []*session
	// orphans are batches that nobody waits for any more and that have not ended.
	orphans   []*run
	jobs      map[*work]bool
	scheduler *scheduler
	// mounts are the virtual disks that it has as its own.
	mounts []*mount
}

// Power is whether a host runs.
type Power struct {
	On bool
	// Booted is when it got its power last.
	Booted time.Time
	// Changed is closed when On or Booted differs.
	Changed <-chan struct{}
}

// Power tells whether a host runs. A host that does not exist is off and stays so.
func (w *World) Power(name string) Power {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hostNamed(name)
	if h == nil {
		return Power{}
	}
	return Power{On: h.powered, Booted: h.booted, Changed: h.powerChange}
}

func (h *host) powerChanges() {
	close(h.powerChange)
	h.powerChange = make(chan struct{})
}

type vmSwitch struct{ id, name string }

func (w *World) addHost(m HostModel) error {
	macs, err := hyperv.ParseMACRange(m.MACFirst, m.MACLast)
	if err != nil {
		return fmt.Errorf("host %s: its own MAC pool: %w", m.Name, err)
	}
	if m.Name == "" || w.hostNamed(m.Name) != nil {
		return fmt.Errorf("host %q: each host needs a name of its own", m.Name)
	}
	h := &host{
		world: w, name: m.Name, nodeID: len(w.hosts) + 1, build: m.Build, memory: m.MemoryBytes, processors: m.Processors,
		macs: macs, nextMAC: macs.First, disk: newFolder("", nil), powered: true, powerChange: make(chan struct{}), booted: w.clock.Now(), jobs: map[*work]bool{},
		membership: membership{member: true, drain: drainNotInitiated},
	}
	h.scheduler = newScheduler(h, nil)
	for _, name := range m.Switches {
		h.switches = append(h.switches, vmSwitch{id: w.newID(), name: name})
	}
	w.hosts = append(w.hosts, h)
	return nil
}

// versions are the configuration versions that a build can run, the default one last ("Supported virtual machine
// configuration versions"). Prerelease and experimental versions are listed by Windows too.
func (h *host) versions() []string {
	switch {
	case h.build >= hyperv.Build2025:
		return []string{"8.0", "8.1", "8.2", "8.3", "9.0", "9.1", "9.2", "9.3", "10.0", "11.0", "12.0"}
	case h.build >= hyperv.Build2022:
		return []string{"8.0", "8.1", "8.2", "8.3", "9.0", "9.1", "9.2", "9.3", "10.0"}
	case h.build >= hyperv.Build2019:
		return []string{"5.0", "6.2", "7.0", "7.1", "8.0", "8.1", "8.2", "8.3", "9.0"}
	case h.build >= hyperv.Build2016:
		return []string{"5.0", "6.2", "7.0", "7.1", "8.0"}
	default:
		return []string{"5.0"}
	}
}

func (h *host) supports(version string) bool { return slices.Contains(h.versions(), version) }

// assigned is the memory that machines on the host have, and that those on their way to it will have.
func (h *host) assigned() int64 {
	var sum int64
	for _, m := range h.world.machines {
		if m.host == h && m.active() {
			sum += m.memory
		}
	}
	for _, mg := range h.world.migrations {
		if mg.to == h && mg.underWay {
			sum += mg.machine.memory
		}
	}
	return sum
}

func (h *host) freeMemory() int64 { return max(h.memory-hostReserve-h.assigned(), 0) }

// switchNamed finds a switch, or nil.
func (h *host) switchNamed(name string) *vmSwitch {
	for i := range h.switches {
		if strings.EqualFold(h.switches[i].name, name) {
			return &h.switches[i]
		}
	}
	return nil
}

var switchClass = properties[vmSwitch]{
	"id":         func(s vmSwitch) any { return s.id },
	"name":       func(s vmSwitch) any { return s.name },
	"switchtype": func(vmSwitch) any { return "External" },
}

// getVMSwitch answers Get-VMSwitch.
func getVMSwitch(c *call) error {
	found := false
	for _, s := range c.host.switches {
		if !c.has("Name") || matchesName(c.text("Name"), s.name) {
			found = true
			c.emit(view[vmSwitch]{s, switchClass, s.name})
		}
	}
	if c.has("Name") && !found {
		return noSwitch(c.text("Name"))
	}
	return nil
}

func noSwitch(name string) *refusal {
	return refuse("ObjectNotFound", hresultNone, "ObjectNotFound", name, "Hyper-V was unable to find a virtual switch with name %q.", name)
}

var hostClass = properties[*host]{
	"name":                            func(h *host) any { return h.name },
	"computername":                    func(h *host) any { return h.name },
	"logicalprocessorcount":           func(h *host) any { return h.processors },
	"memorycapacity":                  func(h *host) any { return h.memory },
	"macaddressminimum":               func(h *host) any { return h.macs.First.String() },
	"macaddressmaximum":               func(h *host) any { return h.macs.Last.String() },
	"maximumvirtualmachinemigrations": func(h *host) any { return h.world.durations.MaxMigrations },
	"supportedvmversions": func(h *host) any {
		if h.build < hyperv.Build2016 {
			return nil
		}
		return append(list(h.versions()), "254.0", "255.0")
	},
}

// getVMHost answers Get-VMHost.
func getVMHost(c *call) error {
	c.emit(view[*host]{c.host, hostClass, c.host.name})
	return nil
}

// getCIMInstance answers Get-CimInstance for the classes that are asked for.
func getCIMInstance(c *call) error {
	class := c.text("ClassName")
	switch strings.ToLower(c.text("Namespace") + ":" + class) {
	case "root/cimv2:win32_operatingsystem", ":win32_operatingsystem":
		c.emit(c.chosen(c.host.operatingSystem()))
		return nil
	case "root/mscluster:mscluster_resource":
		if err := c.clusterService(); err != nil {
			return err
		}
		return c.cimResources()
	case "root/microsoft/windows/storage:msft_disk":
		return c.storageManagement(c.host.disks())
	case "root/microsoft/windows/storage:msft_partition":
		return c.storageManagement(c.host.partitions())
	default:
		return refuse("MetadataError", "0x80041010", "HRESULT 0x80041010", class, "Invalid class %q.", class)
	}
}

func (h *host) operatingSystem() record {
	return record{
		"buildnumber":            strconv.Itoa(h.build),
		"csname":                 h.name,
		"totalvisiblememorysize": h.memory / KiB,
		"freephysicalmemory":     h.freeMemory() / KiB,
		"lastbootuptime":         h.booted,
	}
}

// chosen leaves the properties that -Property names; the others of a CIM instance are null then.
func (c *call) chosen(r record) cimInstance {
	if !c.has("Property") {
		return cimInstance{r}
	}
	out := record{}
	for _, name := range c.texts("Property") {
		name = strings.ToLower(name)
		out[name] = r[name]
	}
	return cimInstance{out}
}
