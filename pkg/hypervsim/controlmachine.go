package hypervsim

import (
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// AttachDisk adds a hard disk drive to a machine, as an administrator would in Hyper-V Manager.
func (w *World) AttachDisk(vm string, d DriveState) error {
	return w.onMachine(vm, func(m *machine) (string, error) {
		added := &drive{machine: m, path: clean(d.Path), key: pathKey(d.Path), controllerType: strings.ToUpper(d.Controller), number: d.Number, location: d.Location, shared: d.Shared}
		if added.controllerType == "" {
			added.controllerType = typeSCSI
		}
		if err := w.attachable(added); err != nil {
			return "", err
		}
		w.attach(added)
		return "attached " + added.path + " to VM " + m.name, nil
	})
}

// DetachDisk removes the drive with a file from a machine; the file stays.
func (w *World) DetachDisk(vm, path string) error {
	return w.onMachine(vm, func(m *machine) (string, error) {
		for _, d := range m.drives {
			if hyperv.SamePath(d.path, path) {
				w.detach(d)
				return "detached " + d.path + " from VM " + m.name, nil
			}
		}
		return "", fmt.Errorf("%w: VM %s has no drive with %q", hostagent.NotFound, m.name, path)
	})
}

// onAdapter does something to the adapter of a name.
func (w *World) onAdapter(vm, name string, do func(*adapter) (string, error)) error {
	return w.onMachine(vm, func(m *machine) (string, error) {
		for _, a := range m.adapters {
			if strings.EqualFold(a.name, name) {
				return do(a)
			}
		}
		return "", fmt.Errorf("%w: VM %s has no adapter %q", hostagent.NotFound, m.name, name)
	})
}

// RemoveAdapter removes a network adapter.
func (w *World) RemoveAdapter(vm, name string) error {
	return w.onAdapter(vm, name, func(a *adapter) (string, error) {
		w.unplug(a)
		return "removed adapter " + a.name + " of VM " + a.machine.name, nil
	})
}

// AddAdapter adds a network adapter with a static address, or with a dynamic one when mac is empty.
func (w *World) AddAdapter(vm, name, switchName, mac string) error {
	return w.onMachine(vm, func(m *machine) (string, error) {
		a := &adapter{machine: m, id: w.newID(), name: name, dynamic: mac == "", switchName: switchName}
		if mac != "" {
			parsed, err := hyperv.ParseMAC(mac)
			if err != nil {
				return "", fmt.Errorf("%w: %w", hostagent.Invalid, err)
			}
			a.mac = parsed
		}
		m.adapters = append(m.adapters, a)
		return "added adapter " + name + " to VM " + m.name, nil
	})
}

// SetMAC gives an adapter another static address, also while the machine runs.
func (w *World) SetMAC(vm, name, mac string) error {
	return w.onAdapter(vm, name, func(a *adapter) (string, error) {
		parsed, err := hyperv.ParseMAC(mac)
		if err != nil {
			return "", fmt.Errorf("%w: %w", hostagent.Invalid, err)
		}
		a.mac, a.dynamic = parsed, false
		return "adapter " + a.name + " of VM " + a.machine.name + " has address " + parsed.Dashed(), nil
	})
}

// SetSwitch plugs an adapter into another switch; an empty name unplugs it.
func (w *World) SetSwitch(vm, name, switchName string) error {
	return w.onAdapter(vm, name, func(a *adapter) (string, error) {
		if switchName != "" && a.machine.host.switchNamed(switchName) == nil {
			return "", fmt.Errorf("%w: host %s has no switch %q", hostagent.NotFound, a.machine.host.name, switchName)
		}
		a.switchName = switchName
		return "adapter " + a.name + " of VM " + a.machine.name + " is on switch " + switchName, nil
	})
}

// SetVLAN puts an adapter into a VLAN; 0 is untagged.
func (w *World) SetVLAN(vm, name string, vlan int) error {
	return w.onAdapter(vm, name, func(a *adapter) (string, error) {
		if vlan < 0 || vlan > 4094 {
			return "", fmt.Errorf("%w: VLAN %d", hostagent.Invalid, vlan)
		}
		a.vlan = int64(vlan)
		return fmt.Sprintf("adapter %s of VM %s is in VLAN %d", a.name, a.machine.name, vlan), nil
	})
}

// RenameVM gives a machine another name.
func (w *World) RenameVM(vm, name string) error {
	return w.onMachine(vm, func(m *machine) (string, error) {
		old := m.name
		m.name = name
		return "renamed VM " + old + " to " + name, nil
	})
}

// Files says what becomes of a removed machine's files.
type Files string

const (
	// KeepFiles leaves the disks; RemoveFiles removes the folder that the machine's folder lies in, with all that is in it.
	KeepFiles   Files = "Keep"
	RemoveFiles Files = "Remove"
)

// RemoveVM removes a machine, running or not, with its group.
func (w *World) RemoveVM(vm string, files Files) error {
	return w.onMachine(vm, func(m *machine) (string, error) {
		w.cancelMigration(m)
		if m.role != nil {
			w.removeGroup(m.role)
		}
		w.unregister(m)
		dir, _ := splitPath(m.location)
		if f := w.folderAt(m.host, dir); files == RemoveFiles && f != nil && f.parent != nil {
			if err := w.deleteFolder(f); err != nil {
				return "", err
			}
		}
		return "removed VM " + m.name, nil
	})
}

// TurnOffVM ends a machine at once.
func (w *World) TurnOffVM(vm string) error {
	return w.onMachine(vm, func(m *machine) (string, error) {
		w.turnOff(m)
		return "turned off VM " + m.name, nil
	})
}

// ShutDownVM shuts a running machine down from inside, as its user does.
func (w *World) ShutDownVM(vm string) error {
	return w.onRunning(vm, func(m *machine) (string, error) {
		w.shutDown(m)
		return "shutting down VM " + m.name, nil
	})
}

// SaveVM saves a running machine, which is what must never happen to a member of a guest cluster.
func (w *World) SaveVM(vm string) error {
	return w.onRunning(vm, func(m *machine) (string, error) {
		w.save(m)
		return "saving VM " + m.name, nil
	})
}

func (w *World) onRunning(vm string, do func(*machine) (string, error)) error {
	return w.onMachine(vm, func(m *machine) (string, error) {
		if m.state != running || m.migration() != nil {
			return "", wrongState(m, "This")
		}
		return do(m)
	})
}

// StartVM starts a machine where it is.
func (w *World) StartVM(vm string) error {
	return w.onMachine(vm, func(m *machine) (string, error) {
		return "starting VM " + m.name, w.start(m)
	})
}

// MoveVM live-migrates a machine.
func (w *World) MoveVM(vm, host string) error {
	return w.onMachine(vm, func(m *machine) (string, error) {
		to := w.hostNamed(host)
		if to == nil {
			return "", fmt.Errorf("%w: no host %q", hostagent.NotFound, host)
		}
		if err := w.migratable(m, to); err != nil {
			return "", err
		}
		w.migrate(m, to)
		return "live-migrating VM " + m.name + " to " + to.name, nil
	})
}

// AddForeignVM adds a running machine that is nobody's of ours, not clustered, with one adapter on the host's first
// switch and no disk, and gives its id. Its own folder is made in folder, on a volume or on the host. An empty mac is a
// dynamic one.
func (w *World) AddForeignVM(host, name, folder, mac string) (string, error) {
	id := ""
	err := w.change(func() (string, error) {
		h := w.hostNamed(host)
		if h == nil {
			return "", fmt.Errorf("%w: no host %q", hostagent.NotFound, host)
		}
		m := &machine{
			world: w, name: name, host: h, state: off, generation: 2, version: h.versions()[len(h.versions())-1],
			processors: 2, memory: 2 * GiB, startAction: "StartIfRunning", stopAction: "Save", checkpointType: "Production",
		}
		parsed, err := hyperv.ParseMAC(mac)
		if err != nil && mac != "" {
			return "", fmt.Errorf("%w: %w", hostagent.Invalid, err)
		}
		if err := w.register(m, joinPath(clean(folder), name)); err != nil {
			return "", err
		}
		switchName := ""
		if len(h.switches) > 0 {
			switchName = h.switches[0].name
		}
		w.furnish(m, "", switchName)
		m.adapters[0].mac, m.adapters[0].dynamic = parsed, mac == ""
		id = m.id
		return "added VM " + name + " on " + h.name, w.start(m)
	})
	return id, err
}

// CopyVM registers a copy of a machine under another id, as a restore or an import does, off and not clustered on the
// same host, and gives its id. An empty folder means the machine's own: the copy then uses the same disks. Another
// folder, on a volume, gets copies of the files that lie beside the machine's own folder, the stamp among them.
func (w *World) CopyVM(vm, folder string) (string, error) {
	id := ""
	err := w.onMachine(vm, func(m *machine) (string, error) {
		own, name := splitPath(m.location)
		clone := *m
		clone.state, clone.guest, clone.transition, clone.interrupted, clone.role = off, guest{}, nil, false, nil
		to := own
		if folder != "" {
			to = clean(folder)
		}
		if err := w.copyFiles(m, own, to); err != nil {
			return "", err
		}
		if err := w.register(&clone, joinPath(to, name)); err != nil {
			return "", err
		}
		w.cloneDevices(&clone, own, to)
		w.cloneGuest(&clone, m)
		id = clone.id
		return "copied VM " + m.name, nil
	})
	return id, err
}

// copyFiles copies the files that lie directly in a folder, unless it is the same one.
func (w *World) copyFiles(m *machine, from, to string) error {
	source := w.folderAt(m.host, from)
	if hyperv.SamePath(from, to) || source == nil {
		return nil
	}
	w.makeFolder(m.host, to)
	for _, f := range source.allFiles() {
		_, name := splitPath(f.path)
		c, err := w.createFile(m.host, joinPath(to, name), f.length)
		if err != nil {
			return err
		}
		c.text = f.text
		if f.disk != nil {
			c.disk = f.disk.copied()
		}
	}
	return nil
}

// cloneDevices gives a copied machine devices of its own. Drives with files in the one folder refer to the other.
func (w *World) cloneDevices(m *machine, from, to string) {
	m.controllers, m.drives, m.adapters = slices.Clone(m.controllers), slices.Clone(m.drives), slices.Clone(m.adapters)
	for i, c := range m.controllers {
		m.controllers[i] = &controller{machine: m, number: c.number}
	}
	for i, d := range m.drives {
		c := *d
		c.machine = m
		if hyperv.Within(from, c.path) {
			c.path = to + c.path[len(from):]
			c.key = pathKey(c.path)
		}
		m.drives[i] = &c
	}
	for i, a := range m.adapters {
		c := *a
		c.machine, c.id = m, w.newID()
		m.adapters[i] = &c
	}
}
