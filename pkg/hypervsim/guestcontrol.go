package hypervsim

import (
	"fmt"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// The methods here are what people do inside guests, and to their domain, behind the operator's back. Machines are named by id
// or name. Windows must be up.

// onWindows does something to the Windows in a machine that is up.
func (w *World) onWindows(vm string, do func(*machine) (string, error)) error {
	return w.onRunning(vm, func(m *machine) (string, error) {
		if m.guest.phase != guestUp {
			return "", fmt.Errorf("%w: Windows is not up in VM %s", hostagent.Conflict, m.name)
		}
		w.plug(m)
		return do(m)
	})
}

// RestartGuest restarts Windows in a machine, as its user does.
func (w *World) RestartGuest(vm string) error {
	return w.onWindows(vm, func(m *machine) (string, error) {
		w.restartGuest(m)
		return "restarting Windows in VM " + m.name, nil
	})
}

// RotateLocalAdministrator gives a guest's local administrator a password that nobody knows, as Windows LAPS does.
func (w *World) RotateLocalAdministrator(vm string) error {
	return w.onWindows(vm, func(m *machine) (string, error) {
		s := m.guest.system
		s.RotateAdministrator()
		return "rotated the local administrator's password in VM " + m.name, nil
	})
}

// RenameComputer gives a guest another computer name and restarts it.
func (w *World) RenameComputer(vm, name string) error {
	return w.onWindows(vm, func(m *machine) (string, error) {
		s := m.guest.system
		if name == "" {
			return "", fmt.Errorf("%w: a computer needs a name", hostagent.Invalid)
		}
		old := s.Name()
		s.Rename(name)
		w.restartGuest(m)
		return "renaming the computer " + old + " in VM " + m.name + " to " + name, nil
	})
}

// RemoveFeature takes a Windows feature away from a guest, such as Failover-Clustering.
func (w *World) RemoveFeature(vm, feature string) error {
	return w.onWindows(vm, func(m *machine) (string, error) {
		s := m.guest.system
		known, ok := windows.FeatureNamed(feature)
		if !ok || s.Feature(known) == windows.Available {
			return "", fmt.Errorf("%w: VM %s has no feature %q", hostagent.NotFound, m.name, feature)
		}
		s.RemoveFeature(known)
		return "removed feature " + known + " from VM " + m.name, nil
	})
}

// TakeDiskOffline sets the disk of a file offline inside a guest.
func (w *World) TakeDiskOffline(vm, path string) error {
	return w.onWindows(vm, func(m *machine) (string, error) {
		s := m.guest.system
		for _, d := range m.drives {
			f := w.fileAt(m.host, d.path)
			if !hyperv.SamePath(d.path, path) || f == nil || f.disk == nil {
				continue
			}
			if disk := s.Disk(windows.UniqueID(f.disk.identifier)); disk != nil && !disk.System {
				disk.SetOffline(true)
				return "took the disk of " + d.path + " offline in VM " + m.name, nil
			}
		}
		return "", fmt.Errorf("%w: VM %s has no data disk %q", hostagent.NotFound, m.name, path)
	})
}

// onDomain does something to the domain, if there is one.
func (w *World) onDomain(do func(*windows.Domain) (string, error)) error {
	return w.change(func() (string, error) {
		if w.domain == nil {
			return "", fmt.Errorf("%w: there is no domain in this world", hostagent.NotFound)
		}
		return do(w.domain)
	})
}

// StopDomainController stops the domain's controller: nobody can ask the domain, and none of its accounts log on.
func (w *World) StopDomainController() error {
	return w.onDomain(func(d *windows.Domain) (string, error) {
		if d.Stopped {
			return "", fmt.Errorf("%w: the domain controller is stopped already", hostagent.Conflict)
		}
		d.Stopped = true
		return "stopped the controller of " + d.Name, nil
	})
}

// StartDomainController starts it again. Computers that have waited for its policies get them.
func (w *World) StartDomainController() error {
	return w.onDomain(func(d *windows.Domain) (string, error) {
		if !d.Stopped {
			return "", fmt.Errorf("%w: the domain controller runs", hostagent.Conflict)
		}
		d.Stopped = false
		for _, m := range w.machines {
			w.applyPolicy(m)
		}
		return "started the controller of " + d.Name, nil
	})
}

// SetAdministratorPolicy says what the domain does to the local administrator of each computer right after the restart that
// completes its join.
func (w *World) SetAdministratorPolicy(policy windows.AdministratorPolicy) error {
	return w.onDomain(func(d *windows.Domain) (string, error) {
		switch policy {
		case windows.KeepAdministrator, windows.RotateAdministrator, windows.RenameAdministrator, windows.DisableAdministrator:
			d.AdministratorPolicy = policy
			return fmt.Sprintf("%s does %q to local administrators", d.Name, policy), nil
		default:
			return "", fmt.Errorf("%w: policy %q: want Rotate, Rename, Disable or nothing", hostagent.Invalid, policy)
		}
	})
}

// GrantCreateComputers gives an account, or a computer by its name, the right to create computer objects in a container, by its
// distinguished name.
func (w *World) GrantCreateComputers(container, account string) error {
	return w.onDomain(func(d *windows.Domain) (string, error) {
		sid := ""
		if a := d.Account(account); a != nil {
			sid = a.SID
		} else if c := d.Computer(strings.TrimSuffix(account, "$")); c != nil {
			sid = c.SID
		}
		if sid == "" || !d.HasContainer(container) {
			return "", fmt.Errorf("%w: account %q or container %q", hostagent.NotFound, account, container)
		}
		d.Grant(sid, container)
		return account + " may create computer objects in " + container, nil
	})
}

// AddComputerAccount makes a computer object in the domain's own container, as its administrators do.
func (w *World) AddComputerAccount(name string) error {
	return w.onDomain(func(d *windows.Domain) (string, error) {
		if name == "" {
			return "", fmt.Errorf("%w: a computer account needs a name", hostagent.Invalid)
		}
		if d.Computer(name) != nil {
			return "", fmt.Errorf("%w: %s has a computer %s already", hostagent.Conflict, d.Name, name)
		}
		return "made computer account " + d.AddComputer(d.Administrator(), d.ComputersContainer(), name).Name, nil
	})
}

// RemoveComputerAccount removes a computer object by its name.
func (w *World) RemoveComputerAccount(name string) error {
	return w.onDomain(func(d *windows.Domain) (string, error) {
		c := d.Computer(name)
		if c == nil {
			return "", fmt.Errorf("%w: %s has no computer %q", hostagent.NotFound, d.Name, name)
		}
		d.RemoveComputer(c)
		return "removed computer account " + c.Name, nil
	})
}
