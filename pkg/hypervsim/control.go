package hypervsim

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// The methods here and in controlmachine.go are what people do to a host cluster behind the operator's back. They take
// no time. Machines are named by id or name, groups by name or their machine. Every error has a class: what a cmdlet would
// refuse is refused as a *hostagent.CallError.

// change does something with the world locked, writes its effect into the journal and lets the world react.
func (w *World) change(do func() (effect string, err error)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	effect, err := do()
	if r, ok := errors.AsType[*refusal](err); ok {
		e := asCallError("", r)
		return &e
	}
	if err != nil {
		return err
	}
	w.happened("by hand: " + effect)
	w.react()
	return nil
}

// onMachine does something to one machine.
func (w *World) onMachine(ref string, do func(*machine) (string, error)) error {
	return w.change(func() (string, error) {
		m, err := w.machineMeant(ref)
		if err != nil {
			return "", err
		}
		return do(m)
	})
}

// machineMeant finds the one machine that an id or a name means.
func (w *World) machineMeant(ref string) (*machine, error) {
	if m := w.machineByID(ref); m != nil {
		return m, nil
	}
	var found []*machine
	for _, m := range w.machines {
		if strings.EqualFold(m.name, ref) {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("%w: no machine %q", hostagent.NotFound, ref)
	case 1:
		return found[0], nil
	default:
		return nil, fmt.Errorf("%w: %d machines are named %q: use an id", hostagent.Conflict, len(found), ref)
	}
}

// onGroup does something to one group.
func (w *World) onGroup(ref string, do func(*group) (string, error)) error {
	return w.change(func() (string, error) {
		if g := w.groupNamed(ref); g != nil {
			return do(g)
		}
		m, err := w.machineMeant(ref)
		if err != nil {
			return "", fmt.Errorf("%w: no group %q", hostagent.NotFound, ref)
		}
		g := m.role
		if g == nil {
			return "", fmt.Errorf("%w: machine %q is not clustered", hostagent.NotFound, ref)
		}
		return do(g)
	})
}

// SetClassNames replaces a group's AntiAffinityClassNames.
func (w *World) SetClassNames(ref string, names ...string) error {
	return w.onGroup(ref, func(g *group) (string, error) {
		g.classNames = slices.Clone(names)
		return fmt.Sprintf("class names of %s are %q", g.name, names), nil
	})
}

// RenameGroup gives a group another name.
func (w *World) RenameGroup(ref, name string) error {
	return w.onGroup(ref, func(g *group) (string, error) {
		if w.groupNamed(name) != nil {
			return "", fmt.Errorf("%w: the cluster has a group %q already", hostagent.Conflict, name)
		}
		old := g.name
		g.name = name
		return "renamed group " + old + " to " + name, nil
	})
}

// RemoveGroup removes a machine's group; the machine stays as it is.
func (w *World) RemoveGroup(ref string) error {
	return w.onGroup(ref, func(g *group) (string, error) {
		if g.vm == "" {
			return "", fmt.Errorf("%w: %s is a core group", hostagent.Invalid, g.name)
		}
		w.removeGroup(g)
		return "removed group " + g.name, nil
	})
}

// SetOfflineAction decides what becomes of a group's machine when its resource goes offline: 0 turn off, 1 save, 2 shut
// down, 3 shut down by force.
func (w *World) SetOfflineAction(ref string, action int) error {
	return w.onGroup(ref, func(g *group) (string, error) {
		if g.resource == nil || action < offlineTurnOff || action > offlineForceDown {
			return "", fmt.Errorf("%w: OfflineAction %d of %s", hostagent.Invalid, action, g.name)
		}
		g.resource.offlineAction = int64(action)
		return fmt.Sprintf("OfflineAction of %s is %d", g.name, action), nil
	})
}

// RemoveSwitch removes a virtual switch from a host; adapters on it are left unconnected.
func (w *World) RemoveSwitch(onHost, name string) error {
	return w.onHost(onHost, func(h *host) error {
		if h.switchNamed(name) == nil {
			return fmt.Errorf("%w: host %s has no switch %q", hostagent.NotFound, h.name, name)
		}
		h.switches = slices.DeleteFunc(h.switches, func(s vmSwitch) bool { return strings.EqualFold(s.name, name) })
		for _, m := range w.machinesOn(h, everyMachine) {
			for _, a := range m.adapters {
				if strings.EqualFold(a.switchName, name) {
					a.switchName = ""
				}
			}
		}
		w.happened("by hand: removed switch " + name + " from " + h.name)
		return nil
	})
}

// AddSwitch adds a virtual switch to a host.
func (w *World) AddSwitch(onHost, name string) error {
	return w.onHost(onHost, func(h *host) error {
		if h.switchNamed(name) != nil {
			return fmt.Errorf("%w: host %s has a switch %q already", hostagent.Conflict, h.name, name)
		}
		h.switches = append(h.switches, vmSwitch{id: w.newID(), name: name})
		w.happened("by hand: added switch " + name + " to " + h.name)
		return nil
	})
}

// AddFolder makes a folder on a volume. With a stamp, the stamp file is put into it.
func (w *World) AddFolder(path, stamp string) error {
	return w.change(func() (string, error) {
		if w.volumeOf(path) == nil {
			return "", offVolume(path)
		}
		w.makeFolder(nil, path)
		if stamp == "" {
			return "made folder " + path, nil
		}
		return "made folder " + path, w.writeText(nil, joinPath(clean(path), hyperv.StampFile), stamp)
	})
}

func offVolume(path string) error {
	return fmt.Errorf(`%w: %q is on no volume: name a path below C:\ClusterStorage`, hostagent.Invalid, path)
}

// AddFile makes a file of a length on a volume. One with the extension of a virtual hard disk is a disk of that size.
func (w *World) AddFile(path string, bytes int64) error {
	return w.change(func() (string, error) {
		if w.volumeOf(path) == nil {
			return "", offVolume(path)
		}
		dir, _ := splitPath(path)
		w.makeFolder(nil, dir)
		f, err := w.createFile(nil, path, bytes)
		if err != nil {
			return "", err
		}
		if format := diskFormat(path); format != "" {
			f.disk = &virtualDisk{format: format, kind: fixedDisk, size: bytes, identifier: strings.ToUpper(w.newID())}
		}
		return "made file " + f.path, nil
	})
}

// AddImage puts an image on a volume, as those of the model are.
func (w *World) AddImage(m ImageModel) error {
	return w.change(func() (string, error) { return "made image " + m.Path, w.addImage(m) })
}

// RemoveFile removes a file on a volume, also one that is in use.
func (w *World) RemoveFile(path string) error {
	return w.change(func() (string, error) {
		f := w.fileAt(nil, path)
		if f == nil {
			return "", fmt.Errorf("%w: no file %q", hostagent.NotFound, path)
		}
		w.deleteFile(f)
		return "removed file " + f.path, nil
	})
}

// RemoveFolder removes a folder on a volume with everything in it, unless something in it is in use.
func (w *World) RemoveFolder(path string) error {
	return w.change(func() (string, error) {
		f := w.folderAt(nil, path)
		if f == nil || f.parent == nil {
			return "", fmt.Errorf("%w: no folder %q that can be removed", hostagent.NotFound, path)
		}
		return "removed folder " + f.path, w.deleteFolder(f)
	})
}

// SetCSVFree sets the free space of the volume that a path lies on.
func (w *World) SetCSVFree(path string, bytes int64) error {
	return w.change(func() (string, error) {
		v := w.volumeOf(path)
		if v == nil {
			return "", offVolume(path)
		}
		if bytes < 0 || bytes > v.size {
			return "", fmt.Errorf("%w: %d bytes free on a volume of %d", hostagent.Invalid, bytes, v.size)
		}
		v.free = bytes
		return fmt.Sprintf("free space of %s is %d bytes", v.path, bytes), nil
	})
}

// SetCSVOwner lets another node coordinate the volume that a path lies on.
func (w *World) SetCSVOwner(path, host string) error {
	return w.change(func() (string, error) {
		v, h := w.volumeOf(path), w.hostNamed(host)
		if v == nil || h == nil {
			return "", fmt.Errorf("%w: volume of %q or host %q", hostagent.NotFound, path, host)
		}
		v.owner = h
		return h.name + " owns " + v.path, nil
	})
}
