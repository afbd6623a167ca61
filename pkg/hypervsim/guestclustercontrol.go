package hypervsim

import (
	"fmt"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
)

// The methods here are what people and accidents do to the clusters inside guests.

// LoseServer lets a server outside answer nobody any more: one with the share of a witness, or an Azure storage account, by its
// name in the share's path or the account's.
func (w *World) LoseServer(name string) error {
	return w.setServer(name, true)
}

// ReturnServer lets a server that was lost answer again.
func (w *World) ReturnServer(name string) error {
	return w.setServer(name, false)
}

func (w *World) setServer(name string, lost bool) error {
	return w.change(func() (string, error) {
		key := strings.ToLower(name)
		switch {
		case name == "":
			return "", fmt.Errorf("%w: a server needs a name", hostagent.Invalid)
		case w.services.lost[key] == lost:
			return "", fmt.Errorf("%w: server %s is lost: %v", hostagent.Conflict, name, lost)
		case lost:
			w.services.lost[key] = true
			return "server " + name + " is lost", nil
		}
		delete(w.services.lost, key)
		return "server " + name + " is back", nil
	})
}

// IsolateVM cuts a machine off from all networks, behind its switches, so that its guest and its host notice nothing.
func (w *World) IsolateVM(vm string) error {
	return w.setIsolated(vm, true)
}

// ReconnectVM ends the isolation of a machine.
func (w *World) ReconnectVM(vm string) error {
	return w.setIsolated(vm, false)
}

func (w *World) setIsolated(vm string, isolated bool) error {
	return w.onMachine(vm, func(m *machine) (string, error) {
		if w.services.isolated[m] == isolated {
			return "", fmt.Errorf("%w: VM %s is isolated: %v", hostagent.Conflict, m.name, isolated)
		}
		if isolated {
			w.services.isolated[m] = true
			return "isolated VM " + m.name, nil
		}
		delete(w.services.isolated, m)
		return "reconnected VM " + m.name, nil
	})
}

// StopClusterService stops the cluster service in a machine, in order, as an administrator does.
func (w *World) StopClusterService(vm string) error {
	return w.onInnerNode(vm, func(m *machine) (string, error) {
		w.services.shuttingDown(m)
		return "stopped the cluster service in VM " + m.name, nil
	})
}

// StartClusterService starts the cluster service in a machine.
func (w *World) StartClusterService(vm string) error {
	return w.onInnerNode(vm, func(m *machine) (string, error) {
		w.services.booted(m)
		return "started the cluster service in VM " + m.name, nil
	})
}

func (w *World) onInnerNode(vm string, do func(*machine) (string, error)) error {
	return w.onWindows(vm, func(m *machine) (string, error) {
		if w.services.node(m) == nil {
			return "", fmt.Errorf("%w: VM %s is the node of no cluster inside", hostagent.Conflict, m.name)
		}
		return do(m)
	})
}
