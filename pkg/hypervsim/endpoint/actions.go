package endpoint

import (
	"fmt"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/control"
)

// action is a control method of the world, the fields that it needs and those that it may have.
type action struct {
	does     string
	fields   []string
	optional []string
	do       func(*hypervsim.World, control.Action) error
	// makes is set instead of do where a machine is made: it gives the machine's id.
	makes func(*hypervsim.World, control.Action) (string, error)
}

// actions are all there are, by name: that of the world's method.
var actions = map[string]action{
	"FailHost":   onHost("takes a host's power away", (*hypervsim.World).FailHost),
	"ReturnHost": onHost("gives a failed host its power back", (*hypervsim.World).ReturnHost),
	"Drain":      onHost("pauses a node and moves its machines away", (*hypervsim.World).Drain),
	"Resume":     onHost("lets a paused node take machines again", (*hypervsim.World).Resume),
	"AddSwitch": {
		does: "adds a virtual switch to a host", fields: []string{"host", "switch"},
		do: func(w *hypervsim.World, a control.Action) error { return w.AddSwitch(a.Host, a.Switch) },
	},
	"RemoveSwitch": {
		does: "removes a virtual switch from a host", fields: []string{"host", "switch"},
		do: func(w *hypervsim.World, a control.Action) error { return w.RemoveSwitch(a.Host, a.Switch) },
	},

	"StartVM":    onVM("starts a machine where it is", (*hypervsim.World).StartVM),
	"ShutDownVM": onVM("shuts a machine down from inside", (*hypervsim.World).ShutDownVM),
	"TurnOffVM":  onVM("turns a machine off", (*hypervsim.World).TurnOffVM),
	"SaveVM":     onVM("saves a machine", (*hypervsim.World).SaveVM),
	"MoveVM": {
		does: "live-migrates a machine", fields: []string{"vm", "host"},
		do: func(w *hypervsim.World, a control.Action) error { return w.MoveVM(a.VM, a.Host) },
	},
	"RenameVM": {
		does: "gives a machine another name", fields: []string{"vm", "name"},
		do: func(w *hypervsim.World, a control.Action) error { return w.RenameVM(a.VM, a.Name) },
	},
	"RemoveVM": {
		does: "removes a machine with its group; files is Keep or Remove", fields: []string{"vm", "files"},
		do: removeVM,
	},
	"AddForeignVM": {
		does: "adds a running machine that is not the operator's", fields: []string{"host", "name", "folder"}, optional: []string{"mac"},
		makes: func(w *hypervsim.World, a control.Action) (string, error) {
			return w.AddForeignVM(a.Host, a.Name, a.Folder, a.MAC)
		},
	},
	"CopyVM": {
		does: "registers a copy of a machine under another id, as a restore does", fields: []string{"vm"}, optional: []string{"folder"},
		makes: func(w *hypervsim.World, a control.Action) (string, error) { return w.CopyVM(a.VM, a.Folder) },
	},

	"AttachDisk": {
		does: "attaches a disk to a machine", fields: []string{"vm", "path", "number", "location"}, optional: []string{"shared"},
		do: func(w *hypervsim.World, a control.Action) error {
			return w.AttachDisk(a.VM, hypervsim.DriveState{Path: a.Path, Number: *a.Number, Location: *a.Location, Shared: a.Shared})
		},
	},
	"DetachDisk": {
		does: "detaches a disk from a machine; the file stays", fields: []string{"vm", "path"},
		do: func(w *hypervsim.World, a control.Action) error { return w.DetachDisk(a.VM, a.Path) },
	},

	"AddAdapter": {
		does: "adds a network adapter; without mac its address is dynamic", fields: []string{"vm", "adapter", "switch"}, optional: []string{"mac"},
		do: func(w *hypervsim.World, a control.Action) error {
			return w.AddAdapter(a.VM, a.Adapter, a.Switch, a.MAC)
		},
	},
	"RemoveAdapter": {
		does: "removes a network adapter", fields: []string{"vm", "adapter"},
		do: func(w *hypervsim.World, a control.Action) error { return w.RemoveAdapter(a.VM, a.Adapter) },
	},
	"SetMAC": {
		does: "gives an adapter another static address", fields: []string{"vm", "adapter", "mac"},
		do: func(w *hypervsim.World, a control.Action) error { return w.SetMAC(a.VM, a.Adapter, a.MAC) },
	},
	"SetSwitch": {
		does: "plugs an adapter into another switch; without switch it is unplugged", fields: []string{"vm", "adapter"}, optional: []string{"switch"},
		do: func(w *hypervsim.World, a control.Action) error { return w.SetSwitch(a.VM, a.Adapter, a.Switch) },
	},
	"SetVLAN": {
		does: "puts an adapter into a VLAN; 0 is untagged", fields: []string{"vm", "adapter", "vlan"},
		do: func(w *hypervsim.World, a control.Action) error { return w.SetVLAN(a.VM, a.Adapter, *a.VLAN) },
	},

	"RestartGuest":             onVM("restarts Windows in a machine", (*hypervsim.World).RestartGuest),
	"RotateLocalAdministrator": onVM("gives a guest's local administrator a password that nobody knows", (*hypervsim.World).RotateLocalAdministrator),
	"RenameComputer": {
		does: "gives a guest another computer name and restarts it", fields: []string{"vm", "name"},
		do: func(w *hypervsim.World, a control.Action) error { return w.RenameComputer(a.VM, a.Name) },
	},
	"RemoveFeature": {
		does: "takes a Windows feature away from a guest", fields: []string{"vm", "feature"},
		do: func(w *hypervsim.World, a control.Action) error { return w.RemoveFeature(a.VM, a.Feature) },
	},
	"TakeDiskOffline": {
		does: "sets the disk of a file offline inside a guest", fields: []string{"vm", "path"},
		do: func(w *hypervsim.World, a control.Action) error { return w.TakeDiskOffline(a.VM, a.Path) },
	},

	"IsolateVM":           onVM("cuts a machine off from all networks, unnoticed by its guest and its host", (*hypervsim.World).IsolateVM),
	"ReconnectVM":         onVM("ends the isolation of a machine", (*hypervsim.World).ReconnectVM),
	"StopClusterService":  onVM("stops the cluster service in a machine", (*hypervsim.World).StopClusterService),
	"StartClusterService": onVM("starts the cluster service in a machine", (*hypervsim.World).StartClusterService),
	"LoseServer":          onServer("lets a server with a witness answer nobody", (*hypervsim.World).LoseServer),
	"ReturnServer":        onServer("lets a lost server answer again", (*hypervsim.World).ReturnServer),

	"StopDomainController":  onDomain("stops the domain's controller", (*hypervsim.World).StopDomainController),
	"StartDomainController": onDomain("starts the domain's controller again", (*hypervsim.World).StartDomainController),
	"SetAdministratorPolicy": {
		does:     "says what the domain does to local administrators after a join: Rotate, Rename or Disable; without policy nothing",
		optional: []string{"policy"},
		do:       func(w *hypervsim.World, a control.Action) error { return w.SetAdministratorPolicy(a.Policy) },
	},
	"GrantCreateComputers": {
		does: "lets an account of the domain create computer objects in a container", fields: []string{"container", "account"},
		do: func(w *hypervsim.World, a control.Action) error {
			return w.GrantCreateComputers(a.Container, a.Account)
		},
	},
	"AddComputerAccount": {
		does: "makes a computer object in the domain", fields: []string{"account"},
		do: func(w *hypervsim.World, a control.Action) error { return w.AddComputerAccount(a.Account) },
	},
	"RemoveComputerAccount": {
		does: "removes a computer object from the domain", fields: []string{"account"},
		do: func(w *hypervsim.World, a control.Action) error { return w.RemoveComputerAccount(a.Account) },
	},

	"SetClassNames": {
		does: "replaces a group's AntiAffinityClassNames", fields: []string{"group", "classNames"},
		do: func(w *hypervsim.World, a control.Action) error { return w.SetClassNames(a.Group, a.ClassNames...) },
	},
	"SetOfflineAction": {
		does: "sets OfflineAction: 0 turn off, 1 save, 2 shut down, 3 shut down by force", fields: []string{"group", "offlineAction"},
		do: func(w *hypervsim.World, a control.Action) error { return w.SetOfflineAction(a.Group, *a.OfflineAction) },
	},
	"RenameGroup": {
		does: "gives a group another name", fields: []string{"group", "name"},
		do: func(w *hypervsim.World, a control.Action) error { return w.RenameGroup(a.Group, a.Name) },
	},
	"RemoveGroup": {
		does: "removes a machine's group; the machine stays", fields: []string{"group"},
		do: func(w *hypervsim.World, a control.Action) error { return w.RemoveGroup(a.Group) },
	},

	"AddFolder": {
		does: "makes a folder on a volume, with a stamp file if there is a stamp", fields: []string{"path"}, optional: []string{"stamp"},
		do: func(w *hypervsim.World, a control.Action) error { return w.AddFolder(a.Path, a.Stamp) },
	},
	"RemoveFolder": {
		does: "removes a folder on a volume with all that is in it", fields: []string{"path"},
		do: func(w *hypervsim.World, a control.Action) error { return w.RemoveFolder(a.Path) },
	},
	"AddFile": {
		does: "makes a file on a volume; one named as a disk is one", fields: []string{"path", "bytes"},
		do: func(w *hypervsim.World, a control.Action) error { return w.AddFile(a.Path, *a.Bytes) },
	},
	"RemoveFile": {
		does: "removes a file, also one in use", fields: []string{"path"},
		do: func(w *hypervsim.World, a control.Action) error { return w.RemoveFile(a.Path) },
	},
	"SetCSVFree": {
		does: "sets the free space of the volume with a path", fields: []string{"path", "bytes"},
		do: func(w *hypervsim.World, a control.Action) error { return w.SetCSVFree(a.Path, *a.Bytes) },
	},
	"SetCSVOwner": {
		does: "lets another node coordinate the volume with a path", fields: []string{"path", "host"},
		do: func(w *hypervsim.World, a control.Action) error { return w.SetCSVOwner(a.Path, a.Host) },
	},
}

func onHost(does string, do func(*hypervsim.World, string) error) action {
	return action{does: does, fields: []string{"host"}, do: func(w *hypervsim.World, a control.Action) error { return do(w, a.Host) }}
}

func onVM(does string, do func(*hypervsim.World, string) error) action {
	return action{does: does, fields: []string{"vm"}, do: func(w *hypervsim.World, a control.Action) error { return do(w, a.VM) }}
}

func onServer(does string, do func(*hypervsim.World, string) error) action {
	return action{does: does, fields: []string{"server"}, do: func(w *hypervsim.World, a control.Action) error { return do(w, a.Server) }}
}

func onDomain(does string, do func(*hypervsim.World) error) action {
	return action{does: does, do: func(w *hypervsim.World, _ control.Action) error { return do(w) }}
}

func removeVM(w *hypervsim.World, a control.Action) error {
	if a.Files != hypervsim.KeepFiles && a.Files != hypervsim.RemoveFiles {
		return fmt.Errorf("%w: files is %q: want Keep or Remove", hostagent.Invalid, a.Files)
	}
	return w.RemoveVM(a.VM, a.Files)
}
