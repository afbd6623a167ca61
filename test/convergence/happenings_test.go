package convergence_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
)

// site is a world, the record of what is wanted in it, and the operator's process of the moment.
type site struct {
	world    *hypervsim.World
	record   *record
	operator *operator
	restart  func()
	dice     *rand.Rand
}

// happening is something that befalls a site. What a world refuses, because it cannot be as things stand, did not happen.
type happening struct {
	name string
	do   func(*site)
}

func (h happening) String() string { return h.name }

func pick[T any](s *site, from ...T) T { return from[s.dice.IntN(len(from))] }

// member is the id of a member that was made, or a text that no world knows.
func (s *site) member() string {
	if ids := s.record.ids(); len(ids) > 0 {
		return pick(s, ids...)
	}
	return "nobody"
}

func (s *site) host() string    { return pick(s, "hv01", "hv02", "hv03", "hv04") }
func (s *site) network() string { return pick(s, "client", "cluster") }
func (s *site) disk() string    { return pick(s, s.record.disks...).Path }

// happenings are what people and accidents do to a host cluster that can be mended without losing anything.
var happenings = []happening{
	{"renamed", func(s *site) { _ = s.world.RenameVM(s.member(), "x") }},
	{"adapter removed", func(s *site) { _ = s.world.RemoveAdapter(s.member(), s.network()) }},
	{"adapter added", func(s *site) { _ = s.world.AddAdapter(s.member(), "backup", "vSwitch-Client", "") }},
	{"address changed", func(s *site) {
		_ = s.world.SetMAC(s.member(), s.network(), fmt.Sprintf("02A1020000%02X", s.dice.IntN(256)))
	}},
	{"plugged elsewhere", func(s *site) {
		_ = s.world.SetSwitch(s.member(), s.network(), pick(s, "vSwitch-Client", "vSwitch-Cluster"))
	}},
	{"VLAN changed", func(s *site) { _ = s.world.SetVLAN(s.member(), s.network(), pick(s, 0, 5)) }},
	{"disk detached", func(s *site) { _ = s.world.DetachDisk(s.member(), s.disk()) }},
	{"disk moved to another slot", func(s *site) {
		id, path := s.member(), s.disk()
		if s.world.DetachDisk(id, path) == nil {
			_ = s.world.AttachDisk(id, hypervsim.DriveState{Path: path, Controller: "SCSI", Number: 1, Location: int64(9 + s.dice.IntN(9)), Shared: true})
		}
	}},
	{"turned off", func(s *site) { _ = s.world.TurnOffVM(s.member()) }},
	{"shut down", func(s *site) { _ = s.world.ShutDownVM(s.member()) }},
	{"moved", func(s *site) { _ = s.world.MoveVM(s.member(), s.host()) }},
	{"class names changed", func(s *site) { _ = s.world.SetClassNames(s.member(), pick(s, "other", "payments.sql.3f0c1111")) }},
	{"role removed", func(s *site) { _ = s.world.RemoveGroup(s.member()) }},
	{"role renamed", func(s *site) { _ = s.world.RenameGroup(s.member(), "renamed") }},
	{"saved when offline", func(s *site) { _ = s.world.SetOfflineAction(s.member(), 1) }},
	{"host failed", func(s *site) { s.fail() }},
	{"host returned", func(s *site) { _ = s.world.ReturnHost(s.host()) }},
	{"host drained", func(s *site) { _ = s.world.Drain(s.host()) }},
	{"host resumed", func(s *site) { _ = s.world.Resume(s.host()) }},
	{"volume moved", func(s *site) { _ = s.world.SetCSVOwner(gold, s.host()) }},
	{"answer lost", func(s *site) { s.fault(hypervsim.DropAfter) }},
	{"request lost", func(s *site) { s.fault(hypervsim.DropBefore) }},
	{"call failed", func(s *site) { s.fault(hypervsim.Error) }},
	{"call hangs", func(s *site) { s.fault(hypervsim.Hang) }},
	{"operator killed", func(s *site) { s.restart() }},
	{"foreign machine", func(s *site) {
		_, _ = s.world.AddForeignVM(s.host(), "legacy", gold+`\legacy`+fmt.Sprint(s.dice.IntN(1000)), "")
	}},
}

// fail takes the power of a host, but of one at a time, so that the host cluster keeps its quorum.
func (s *site) fail() {
	for _, h := range s.world.State().Hosts {
		if !h.Powered {
			return
		}
	}
	_ = s.world.FailHost(s.host())
}

// fault lets one of the next calls that change something go wrong.
func (s *site) fault(kind hypervsim.FaultKind) {
	_, _ = s.world.AddFault(hypervsim.Fault{
		Cmdlet: pick(s, "New-StampedFolder", "Start-Work", "New-VM", "Add-VMHardDiskDrive", "Add-ClusterVirtualMachineRole", "Set-ClusterParameter",
			"Start-ClusterGroup", "New-VHD", "Add-AntiAffinityClassName", "Move-ClusterVirtualMachineRole", "Get-VM", "Get-ClusterGroup"),
		Skip: s.dice.IntN(3), Count: 1, Kind: kind, Error: hostagent.CallError{Category: "ResourceBusy", Message: "not now"},
	})
}

// heal ends every accident; what was changed stays changed.
func (s *site) heal() {
	for _, f := range s.world.Faults() {
		_ = s.world.RemoveFault(f.ID)
	}
	for _, h := range s.world.State().Hosts {
		_ = s.world.ReturnHost(h.Name)
	}
	_ = s.world.Advance(time.Minute)
	for _, h := range s.world.State().Hosts {
		_ = s.world.Resume(h.Name)
	}
}
