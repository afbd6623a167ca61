package cmdlet

import (
	"guestclustering.io/operator/pkg/hostagent"
)

// VMByID gets one machine as a live object for the calls after it ("Get-VM").
func VMByID(id, vmID string) hostagent.Call {
	return call(id, "Get-VM", p{"Id": hostagent.Text(vmID)})
}

// NewMachine describes a generation 2 machine to create.
type NewMachine struct {
	Name string
	// Folder holds the machine's files; Windows makes a folder of the machine's name in it.
	Folder string
	// Version is the configuration version, one that every host supports; empty leaves it to the host.
	Version     string
	MemoryBytes int64
	OSDisk      string
}

// NewVM creates a machine around its OS disk ("New-VM").
func NewVM(id string, m NewMachine) hostagent.Call {
	parameters := p{
		"Name":               hostagent.Text(m.Name),
		"Path":               hostagent.Text(m.Folder),
		"Generation":         hostagent.Int(2),
		"MemoryStartupBytes": hostagent.Int(m.MemoryBytes),
		"VHDPath":            hostagent.Text(m.OSDisk),
	}
	if m.Version != "" {
		parameters["Version"] = hostagent.Text(m.Version)
	}
	return call(id, "New-VM", parameters, "Id")
}

// MachineSettings are the settings of a machine that do not depend on its disks and networks.
type MachineSettings struct {
	Processors  int64
	MemoryBytes int64
	// Checkpoints is the CheckpointType to set; empty where the host has no such parameter (before 2016).
	Checkpoints string
	// AutomaticCheckpointsOff says to turn automatic checkpoints off: the parameter exists from 2019 on.
	AutomaticCheckpointsOff bool
}

// SetProcessorsAndMemory sets static memory and the processor count; the machine must be off ("Set-VM").
func SetProcessorsAndMemory(id, vmCall string, s MachineSettings) hostagent.Call {
	return call(id, "Set-VM", p{
		"VM":                 ref(vmCall),
		"ProcessorCount":     hostagent.Int(s.Processors),
		"StaticMemory":       hostagent.Bool(true),
		"MemoryStartupBytes": hostagent.Int(s.MemoryBytes),
	})
}

// SetProtection makes Windows neither start, save nor checkpoint a member on its own: the host cluster starts it, and
// a member that comes back from a saved state is a danger to the cluster inside ("Set-VM").
func SetProtection(id, vmCall string, s MachineSettings) hostagent.Call {
	parameters := p{
		"VM":                   ref(vmCall),
		"AutomaticStartAction": hostagent.Text("Nothing"),
		"AutomaticStopAction":  hostagent.Text("ShutDown"),
	}
	if s.Checkpoints != "" {
		parameters["CheckpointType"] = hostagent.Text(s.Checkpoints)
	}
	if s.AutomaticCheckpointsOff {
		parameters["AutomaticCheckpointsEnabled"] = hostagent.Bool(false)
	}
	return call(id, "Set-VM", parameters)
}

// RenameVM gives a machine its name back ("Rename-VM").
func RenameVM(id, vmCall, name string) hostagent.Call {
	return call(id, "Rename-VM", p{"VM": ref(vmCall), "NewName": hostagent.Text(name)})
}

// TurnOffVM ends a machine without asking its guest; only for one that is being deleted ("Stop-VM").
func TurnOffVM(id, vmCall string) hostagent.Call {
	return call(id, "Stop-VM", p{"VM": ref(vmCall), "TurnOff": hostagent.Bool(true), "Force": hostagent.Bool(true)})
}

// RemoveVM unregisters a machine and removes its configuration; disk files stay ("Remove-VM").
func RemoveVM(id, vmCall string) hostagent.Call {
	return call(id, "Remove-VM", p{"VM": ref(vmCall), "Force": hostagent.Bool(true)})
}
