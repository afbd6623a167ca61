package plan_test

import (
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
)

// onlyA is the deletion of a guest cluster that SQL-A alone is left of.
func onlyA(g *plan.GuestCluster) { g.Deletion, g.Members = plan.Remove, g.Members[:1] }

func neverRecordedA(g *plan.GuestCluster) { onlyA(g); g.Members[0].RecordedID = "" }

func copyingA(s *hyperv.Snapshot) {
	folderOf(s, folderA).Work = []hyperv.Work{copying(member("SQL-A", ""))}
}

func TestDeletion(t *testing.T) {
	vm := func(change func(*hyperv.Machine)) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) { change(vmOf(s, idA)) }
	}
	state := func(state string) func(*hyperv.Snapshot) { return vm(func(m *hyperv.Machine) { m.State = state }) }
	noGroup := func(s *hyperv.Snapshot) { dropGroup(s, idA) }
	noMachine := func(s *hyperv.Snapshot) { dropMachine(s, idA) }
	noFolder := func(s *hyperv.Snapshot) { dropFolder(s, folderA) }
	absent := func(snapshots int) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) { s.Memory.LastSeen[idA] = s.Memory.CompleteSnapshots - snapshots }
	}
	settlingFor := func(d time.Duration) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) { s.Memory.SettlingFor = map[string]time.Duration{idA: d} }
	}
	foreignStamp := func(s *hyperv.Snapshot) { folderOf(s, folderA).Stamp.UID = "somebody" }

	stop := []string{`stop/SQL-A: shut SQL-A down on hv01 (Deleting), on hv01`, `    Stop-ClusterGroup -Name payments.SQL-A -Wait 0`}
	turnOff := []string{`turn-off/SQL-A: turn SQL-A off on hv01 (Deleting), on hv01`, `    Get-VM -Id ` + idA, `    Stop-VM -Force true -TurnOff true -VM $vm`}
	shuttingDown := []string{`wait (Deleting): SQL-A is shutting down`}
	removeFolder := `    Remove-StampedFolder -Path ` + folderA + ` -Stamp ` + member("SQL-A", "").Stamp.Encode()
	removeGroup := `    Remove-ClusterGroup -Force true -RemoveResources true -VMId ` + idA
	remove := []string{
		`remove/SQL-A: remove SQL-A from hv01 with its files (Deleting), on hv01`,
		removeGroup,
		`    Get-VM -Id ` + idA,
		`    Get-VMHardDiskDrive -ControllerLocation 0 -ControllerNumber 1 -ControllerType SCSI -VM $vm`,
		`    Remove-VMHardDiskDrive -VMHardDiskDrive $drive1`,
		`    Get-VMHardDiskDrive -ControllerLocation 1 -ControllerNumber 1 -ControllerType SCSI -VM $vm`,
		`    Remove-VMHardDiskDrive -VMHardDiskDrive $drive2`,
		`    Remove-VM -Force true -VM $vm`,
		removeFolder,
	}
	files := []string{`files/SQL-A: remove the files of SQL-A (Deleting), on any host`, removeFolder}
	makingSure := []string{`wait (Deleting): making sure that SQL-A is gone`}
	cannotSee := []string{`wait (ObservationIncomplete): SQL-A cannot be seen: not every host answers`}
	leftAlone := []string{`block (NameTaken): folder ` + folderA + ` does not carry the stamp of SQL-A, so its machine is left alone; put the stamp back, remove the machine, or set spec.deletionPolicy to Orphan`}

	runGuestClusterCases(t, map[string]guestClusterCase{
		"left":    {reason: "Orphaned members stay as they are.", wanted: func(g *plan.GuestCluster) { g.Deletion = plan.Leave }},
		"running": {reason: "The guest is asked to shut down.", wanted: onlyA, want: stop},
		"running, both": {
			reason: "The application is given up: members need not go one after the other.",
			wanted: func(g *plan.GuestCluster) { g.Deletion = plan.Remove },
			want:   append(append([]string(nil), stop...), `stop/SQL-B: shut SQL-B down on hv02 (Deleting), on hv02`, `    Stop-ClusterGroup -Name payments.SQL-B -Wait 0`),
		},
		"running, saved by default": {
			reason: "It is kept from being saved in the same batch.",
			wanted: onlyA, seen: func(s *hyperv.Snapshot) { groupOf(s, idA).OfflineAction = 1 },
			want: []string{stop[0], `    Get-ClusterResource -Name Virtual Machine payments.SQL-A`, `    Set-ClusterParameter -InputObject $resource -Name OfflineAction -Value 2`, stop[1]},
		},
		"running without a role": {reason: "Without a role nobody passes the wish on.", wanted: onlyA, seen: noGroup, want: turnOff},
		"paused":                 {reason: "A machine that stands still cannot shut down.", wanted: onlyA, seen: state("Paused"), want: turnOff},
		"stopping":               {reason: "The guest gets its time.", wanted: onlyA, seen: all(state("Stopping"), settlingFor(9*time.Minute)), want: shuttingDown},
		"stuck in stopping":      {reason: "It had its time.", wanted: onlyA, seen: all(state("Stopping"), settlingFor(11*time.Minute)), want: turnOff},
		"its role pending": {
			reason: "The host cluster is at it, whatever the machine says.",
			wanted: onlyA, seen: func(s *hyperv.Snapshot) { groupOf(s, idA).State = "Pending" }, want: shuttingDown,
		},
		"its role pending for long": {
			reason: "A guest that does not hear the wish is turned off.",
			wanted: onlyA, seen: all(settlingFor(11*time.Minute), func(s *hyperv.Snapshot) { groupOf(s, idA).State = "Pending" }), want: turnOff,
		},
		"off": {reason: "Shared disks come off first, files go last.", wanted: onlyA, seen: off, want: remove},
		"off, without a role": {
			reason: "A batch that was interrupted goes on where it was.",
			wanted: onlyA, seen: all(off, noGroup), want: without(remove, 1),
		},
		"saved": {
			reason: "A saved machine is removed as it is: it cannot be changed.",
			wanted: onlyA, seen: all(off, state("Saved")), want: without(remove, 3, 4, 5, 6),
		},
		"off, drives of no kind of ours": {
			reason: "Only what can be named by its slot is taken off.",
			wanted: onlyA, seen: all(off, vm(func(m *hyperv.Machine) { m.Configuration.Drives[1].ControllerType = "IDE" })), want: without(remove, 3, 4),
		},
		"made and not recorded": {
			reason: "What lies in our folder is ours.",
			wanted: neverRecordedA, seen: off, want: remove,
		},
		"never made":                   {reason: "Nothing is left.", wanted: neverRecordedA, seen: all(noMachine, noGroup, noFolder)},
		"folder alone, never made":     {reason: "The folder was made first.", wanted: neverRecordedA, seen: all(noMachine, noGroup), want: files},
		"folder alone, host silent":    {reason: "The machine may be on the silent host.", wanted: neverRecordedA, seen: all(noMachine, noGroup, hv03Silent), want: cannotSee},
		"image still copied":           {reason: "The copy's task writes there.", wanted: neverRecordedA, seen: all(noMachine, noGroup, copyingA), want: []string{`wait (Deleting): the image is still being copied for SQL-A`}},
		"image copied no more":         {reason: "The copy's host was started since: nobody writes there.", wanted: neverRecordedA, seen: all(noMachine, noGroup, copyingA, bootedSince), want: files},
		"unregistered, seen once":      {reason: "A machine between two hosts is shown by none: its files stay.", wanted: onlyA, seen: all(noMachine, noGroup, absent(1)), want: makingSure},
		"unregistered":                 {reason: "Two complete snapshots are proof.", wanted: onlyA, seen: all(noMachine, noGroup, absent(2)), want: files},
		"unregistered, group online":   {reason: "The host cluster holds it for alive.", wanted: onlyA, seen: all(noMachine, absent(2)), want: makingSure},
		"unregistered, group failed":   {reason: "The role outlived the machine.", wanted: onlyA, seen: all(noMachine, absent(2), func(s *hyperv.Snapshot) { groupOf(s, idA).State = "Failed" }), want: []string{files[0], removeGroup, removeFolder}},
		"removed, seen once":           {reason: "That nothing is left is believed from two complete snapshots.", wanted: onlyA, seen: all(noMachine, noGroup, noFolder, absent(1)), want: makingSure},
		"removed":                      {reason: "Nothing is left.", wanted: onlyA, seen: all(noMachine, noGroup, noFolder, absent(2))},
		"removed, host silent":         {reason: "It may run on the silent host.", wanted: onlyA, seen: all(noMachine, noGroup, noFolder, absent(2), hv03Silent), want: cannotSee},
		"pool unread":                  {reason: "Whose it is cannot be told.", wanted: onlyA, seen: func(s *hyperv.Snapshot) { s.PoolsSeen, s.Folders = nil, nil }, want: []string{`wait (ObservationIncomplete): folder ` + folderA + ` cannot be read`}},
		"configuration unread":         {reason: "Which disks to take off is not known.", wanted: onlyA, seen: all(off, vm(func(m *hyperv.Machine) { m.Configuration = nil })), want: []string{`wait (ObservationIncomplete): the configuration of SQL-A has not been read yet`}},
		"groups unread":                {reason: "Whether it is a role is not known.", wanted: onlyA, seen: all(off, func(s *hyperv.Snapshot) { s.Cluster, s.Groups = nil, nil }), want: []string{`wait (ObservationIncomplete): the host cluster cannot be read, or has no quorum`}},
		"foreign folder, never made":   {reason: "Nothing of ours can be in it.", wanted: neverRecordedA, seen: foreignStamp},
		"foreign folder, recorded":     {reason: "What is not ours by stamp is not removed; letting it go is the user's choice.", wanted: onlyA, seen: foreignStamp, want: leftAlone},
		"stamp gone, recorded":         {reason: "What is not ours by stamp is not removed; letting it go is the user's choice.", wanted: onlyA, seen: noFolder, want: leftAlone},
		"stamp gone, never recorded":   {reason: "What lies in a folder without a stamp is not ours.", wanted: neverRecordedA, seen: noFolder},
		"foreign folder, machine gone": {reason: "Nothing of ours is left; the folder is somebody else's.", wanted: onlyA, seen: all(foreignStamp, noMachine, noGroup, absent(2))},
		"in another folder":            {reason: "Stamp and id count only together.", wanted: onlyA, seen: vm(func(m *hyperv.Machine) { m.Location = `D:\VMs\x` }), want: []string{`block (NameTaken): the machine of SQL-A lies in D:\VMs\x instead of ` + folderA + `; move its configuration back`}},
		"a copy in the folder":         {reason: "Removing the folder would take a stranger's files.", wanted: onlyA, seen: func(s *hyperv.Snapshot) { s.Hosts[2].Machines[0].Location = folderA + `\copy` }, want: []string{`block (CopyOfOurs): machine ` + idForeign + ` on hv03 lies in the folder of SQL-A but is another machine; move it to a folder of its own or remove it`}},
		"owned elsewhere":              {reason: "The machine that this host shows is a leftover of the one that moved.", wanted: onlyA, seen: func(s *hyperv.Snapshot) { groupOf(s, idA).OwnerNode = "hv03" }, want: shuttingDown},
	})
}
