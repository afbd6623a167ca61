package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
)

// guestClusterCase begins with sql as it is wanted on rack and changes either.
type guestClusterCase struct {
	reason string
	wanted func(*plan.GuestCluster)
	seen   func(*hyperv.Snapshot)
	want   []string
}

func runGuestClusterCases(t *testing.T, cases map[string]guestClusterCase) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want, seen := sql(), rack()
			if tc.wanted != nil {
				tc.wanted(&want)
			}
			if tc.seen != nil {
				tc.seen(seen)
			}
			if diff := cmp.Diff(tc.want, show(plan.ForGuestCluster(want, seen))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// neverMade is SQL-B before anything of it was made.
func neverMade(g *plan.GuestCluster) { g.Members[1].RecordedID = "" }

func withoutB(s *hyperv.Snapshot) {
	dropMachine(s, idB)
	dropGroup(s, idB)
	dropFolder(s, folderB)
}

// copied is the moment after the copy of SQL-B's image.
func copied(s *hyperv.Snapshot) {
	dropMachine(s, idB)
	dropGroup(s, idB)
	folderOf(s, folderB).Folders = nil
}

// copyingB is while hv03 copies SQL-B's image.
func copyingB(s *hyperv.Snapshot) {
	copied(s)
	folderOf(s, folderB).Work = []hyperv.Work{copying(member("SQL-B", ""))}
}

func bootedSince(s *hyperv.Snapshot) { s.Hosts[2].BootTime = noon.Add(time.Second) }

var stillCopying = []string{`wait (Creating): copy the image for SQL-B to ` + folderB + `\os.vhdx`}

func all(changes ...func(*hyperv.Snapshot)) func(*hyperv.Snapshot) {
	return func(s *hyperv.Snapshot) {
		for _, change := range changes {
			change(s)
		}
	}
}

// hv03Silent is a host that has not answered yet; hv03Hangs one that did, and may be at nothing that it was told.
func hv03Silent(s *hyperv.Snapshot) {
	s.Hosts[2] = hyperv.Host{Name: "hv03", State: hyperv.HostUp, Unheard: true}
}

func hv03Hangs(s *hyperv.Snapshot) {
	h := s.Hosts[2]
	s.Hosts[2] = hyperv.Host{Name: "hv03", State: hyperv.HostUp, Build: h.Build, SupportedVersions: h.SupportedVersions}
}

// The id and the hash of the input of a copy stand on hosts: they may not change.
var (
	copyB = []string{
		`copy/SQL-B: copy the image for SQL-B to ` + folderB + `\os.vhdx (Creating), on hv02`,
		`    New-StampedFolder -Path ` + folderB + ` -Stamp ` + member("SQL-B", "").Stamp.Encode(),
		`    Start-Work -Destination ` + folderB + `\os.vhdx -Id 0df64dcb8513ed544d1f2e49 -InputHash 00a7c29df9472f22a987a631 -Source ` + image,
	}
	createB = []string{
		`create/SQL-B: create machine SQL-B on hv02 (Creating), on hv02`,
		`    New-VM -Generation 2 -MemoryStartupBytes 8589934592 -Name payments.SQL-B -Path ` + folderB + ` -VHDPath ` + folderB + `\os.vhdx -Version 10.0`,
		`    Set-VM -MemoryStartupBytes 8589934592 -ProcessorCount 4 -StaticMemory true -VM $vm`,
		`    Set-VM -AutomaticCheckpointsEnabled false -AutomaticStartAction Nothing -AutomaticStopAction ShutDown -CheckpointType ProductionOnly -VM $vm`,
		`    Remove-VMNetworkAdapter -VM $vm`,
		`    Add-VMNetworkAdapter -DeviceNaming On -Name client -StaticMacAddress 02A101000020 -SwitchName vSwitch-Client -VM $vm`,
		`    Set-VMNetworkAdapterVlan -Access true -VM $vm -VMNetworkAdapterName client -VlanId 110`,
		`    Add-VMNetworkAdapter -DeviceNaming On -Name cluster -StaticMacAddress 02A101000021 -SwitchName vSwitch-Cluster -VM $vm`,
		`    Add-VMScsiController -VM $vm`,
		`    Add-VMHardDiskDrive -ControllerLocation 0 -ControllerNumber 1 -ControllerType SCSI -Path ` + data + ` -SupportPersistentReservations true -VM $vm`,
		`    Add-VMHardDiskDrive -ControllerLocation 1 -ControllerNumber 1 -ControllerType SCSI -Path ` + witness + ` -SupportPersistentReservations true -VM $vm`,
		`    Add-ClusterVirtualMachineRole -Name payments.SQL-B -VMId $vm.Id`,
		`    Get-ClusterResource -VMId $vm.Id`,
		`    Set-ClusterParameter -InputObject $resource -Name OfflineAction -Value 2`,
	}
)

const (
	tooMuchMemory     = `block (NotEnoughHosts): no host has as much memory as spec.machine.memory.startup asks for: ask for less, or ask the platform team for a larger host`
	tooManyProcessors = `block (NotEnoughHosts): no host has as many processors as spec.machine.cpus asks for: ask for less, or ask the platform team for a larger host`
)

// imageOf20 is what hv01 told of the image: 20 GiB.
func imageOf20(s *hyperv.Snapshot) { s.Hosts[0].Files = []hyperv.File{{Name: image, Length: 20 * gib}} }

var poolFull = []string{`block (PoolFull): storage pool ` + gold + ` has too little free space for a copy of the image for SQL-B: ask the platform team for room`}

func replace(lines []string, i int, line string) []string {
	return with(lines, map[int]string{i: line})
}

func with(lines []string, other map[int]string) []string {
	out := append([]string(nil), lines...)
	for i, line := range other {
		out[i] = line
	}
	return out
}

func without(lines []string, drop ...int) []string {
	var out []string
	for i, line := range lines {
		keep := true
		for _, d := range drop {
			keep = keep && i != d
		}
		if keep {
			out = append(out, line)
		}
	}
	return out
}

func TestNewMembers(t *testing.T) {
	taken := `block (NameTaken): the host cluster has a role payments.SQL-B that is not ours; rename it or choose another name`
	runGuestClusterCases(t, map[string]guestClusterCase{
		"nothing made": {
			reason: "The folder with its stamp comes first, then the copy, on the node that owns the volume.",
			wanted: neverMade, seen: withoutB, want: copyB,
		},
		"folder made, copy not started": {
			reason: "A manager that died between the two asks for both again: the folder with the same stamp is left as it is.",
			wanted: neverMade, seen: all(copied, func(s *hyperv.Snapshot) { folderOf(s, folderB).Work = nil }), want: copyB,
		},
		"copying": {
			reason: "The copy goes on by itself.",
			wanted: neverMade, seen: copyingB, want: stillCopying,
		},
		"copying, its host gone": {
			reason: "Nobody is at it any more; the node that owns the volume takes it over.",
			wanted: neverMade, seen: all(copyingB, func(s *hyperv.Snapshot) { s.Hosts[2] = hyperv.Host{Name: "hv03", State: hyperv.HostDown, Gone: true} }), want: copyB,
		},
		"copying, its host silent": {
			reason: "It may be at it still.",
			wanted: neverMade, seen: all(copyingB, func(s *hyperv.Snapshot) { s.Hosts[2] = hyperv.Host{Name: "hv03", State: hyperv.HostUp} }),
			want: []string{`wait (Creating): copy the image for SQL-B to ` + folderB + `\os.vhdx`},
		},
		"copying, its host started since": {
			reason: "The record is its own: no other node takes over while it takes part.",
			wanted: neverMade, seen: all(copyingB, bootedSince), want: replace(copyB, 0, strings.Replace(copyB[0], "hv02", "hv03", 1)),
		},
		"copying, its host started since and paused": {
			reason: "A paused node reaches the volumes.",
			wanted: neverMade, seen: all(copyingB, bootedSince, func(s *hyperv.Snapshot) { s.Hosts[2].State = hyperv.HostPaused }),
			want: replace(copyB, 0, strings.Replace(copyB[0], "hv02", "hv03", 1)),
		},
		"copying, its host started since without the host cluster": {
			reason: "A node that is down does not reach the volumes, though it answers: another one takes over.",
			wanted: neverMade, seen: all(copyingB, bootedSince, func(s *hyperv.Snapshot) { s.Hosts[2].State = hyperv.HostDown }), want: copyB,
		},
		"copying, its host started just then": {
			reason: "Only a later start ended what it did.",
			wanted: neverMade, seen: all(copyingB, func(s *hyperv.Snapshot) { s.Hosts[2].BootTime = noon }), want: stillCopying,
		},
		"copying, its host started at no known time": {
			reason: "Nothing says that the copy was interrupted.",
			wanted: neverMade, seen: all(copyingB, func(s *hyperv.Snapshot) { s.Hosts[2].BootTime = time.Time{} }), want: stillCopying,
		},
		"copying, another host started since": {
			reason: "That one has nothing to do with the copy.",
			wanted: neverMade, seen: all(copyingB, func(s *hyperv.Snapshot) { s.Hosts[1].BootTime = noon.Add(time.Hour) }), want: stillCopying,
		},
		"copying, its host evicted": {
			reason: "What is no node any more reaches no volume.",
			wanted: neverMade, seen: all(copyingB, func(s *hyperv.Snapshot) { folderOf(s, folderB).Work[0].Node = "hv09" }), want: copyB,
		},
		"copy failed": {
			reason: "The host's words say what to mend; meanwhile it is tried again.",
			wanted: neverMade, seen: all(copied, func(s *hyperv.Snapshot) {
				folderOf(s, folderB).Work[0].State, folderOf(s, folderB).Work[0].Error = hyperv.WorkFailed, "There is not enough\r\nspace on the disk."
			}),
			want: append(append([]string(nil), copyB...), `block (HostFailed): copying the image for SQL-B failed and is tried again: There is not enough space on the disk.`),
		},
		"copy failed, the volume is full": {
			reason: "Trying again would fill it up once more, and stop the machines whose disks grow on it.",
			wanted: neverMade, seen: all(copied, imageOf20, func(s *hyperv.Snapshot) {
				folderOf(s, folderB).Work[0].State, folderOf(s, folderB).Work[0].Error = hyperv.WorkFailed, "Es steht nicht genug Speicherplatz zur Verfügung."
				s.Volumes[0].Free = gib
			}),
			want: poolFull,
		},
		"no room for a copy": {
			reason: "It is not begun, and nothing is made before.",
			wanted: neverMade, seen: all(withoutB, imageOf20, func(s *hyperv.Snapshot) { s.Volumes[0].Free = 20*gib - 1 }), want: poolFull,
		},
		"room for a copy to the byte": {
			reason: "What fits is made.",
			wanted: neverMade, seen: all(withoutB, imageOf20, func(s *hyperv.Snapshot) { s.Volumes[0].Free = 20 * gib }), want: copyB,
		},
		"room for the rest of a copy": {
			reason: "What an interrupted copy left is written over.",
			wanted: neverMade, seen: all(copyingB, bootedSince, imageOf20, func(s *hyperv.Snapshot) {
				folderOf(s, folderB).Files = []hyperv.File{{Name: "os.vhdx.partial", Length: 15 * gib}}
				s.Volumes[0].Free = 5 * gib
			}),
			want: replace(copyB, 0, strings.Replace(copyB[0], "hv02", "hv03", 1)),
		},
		"room for the copies under way alone": {
			reason: "What SQL-A's copy will take is not free.",
			wanted: func(g *plan.GuestCluster) { neverMade(g); g.Members[0].RecordedID = "" },
			seen: all(withoutB, imageOf20, func(s *hyperv.Snapshot) {
				dropMachine(s, idA)
				dropGroup(s, idA)
				a := folderOf(s, folderA)
				a.Folders, a.Files = nil, []hyperv.File{{Name: "os.vhdx.partial", Length: 5 * gib}}
				a.Work = []hyperv.Work{copying(member("SQL-A", ""))}
				s.Volumes[0].Free = 34 * gib
			}),
			want: []string{`wait (Creating): copy the image for SQL-A to ` + folderA + `\os.vhdx`, poolFull[0]},
		},
		"copy gone": {
			reason: "A completed copy that is not there any more is made again.",
			wanted: neverMade, seen: all(copied, func(s *hyperv.Snapshot) { folderOf(s, folderB).Files = nil }), want: copyB,
		},
		"copied": {
			reason: "The machine gets everything before its first start, on the host with the fewest members.",
			wanted: neverMade, seen: copied, want: createB,
		},
		"copied, with an answer file": {
			reason: "A machine that is there has its answer file: it is written before, while nobody has the disk open.",
			wanted: func(g *plan.GuestCluster) { neverMade(g); g.Members[1].AnswerFile = hostagent.NewSecret("pa55") }, seen: copied,
			want: slices.Insert(slices.Clone(createB), 1, `    Set-AnswerFile -Content [secret] -Path `+folderB+`\os.vhdx`),
		},
		"an answer file, and an image that is not copied": {
			reason: "There is no disk yet to put it into.",
			wanted: func(g *plan.GuestCluster) { neverMade(g); g.Members[1].AnswerFile = hostagent.NewSecret("pa55") }, seen: withoutB, want: copyB,
		},
		"an answer file, and the machine was made": {
			reason: "It is not written into the disk of a machine.",
			wanted: func(g *plan.GuestCluster) { g.Members[1].AnswerFile = hostagent.NewSecret("pa55") },
		},
		"disk not ready": {
			reason: "The machine is made meanwhile; the disk is attached before the first start.",
			wanted: func(g *plan.GuestCluster) { neverMade(g); g.Disks[1].Ready = false }, seen: copied, want: without(createB, 10),
		},
		"untagged network": {
			reason: "Without a VLAN there is none to set.",
			wanted: func(g *plan.GuestCluster) { neverMade(g); g.Members[1].Networks[0].VLAN = 0 }, seen: copied, want: without(createB, 6),
		},
		"host of 2016": {
			reason: "Automatic checkpoints came with 2019; before, the parameter does not exist.",
			wanted: neverMade, seen: all(copied, func(s *hyperv.Snapshot) { s.Hosts[1].Build = hyperv.Build2016 }),
			want: replace(createB, 3, `    Set-VM -AutomaticStartAction Nothing -AutomaticStopAction ShutDown -CheckpointType ProductionOnly -VM $vm`),
		},
		"hosts of 2012 R2": {
			reason: "Neither checkpoint types nor versions to choose from, nor adapter names for the guest.",
			wanted: neverMade, seen: all(copied, func(s *hyperv.Snapshot) {
				for i := range s.Hosts {
					s.Hosts[i].Build, s.Hosts[i].SupportedVersions = hyperv.Build2012R2, nil
				}
			}),
			want: with(createB, map[int]string{
				1: `    New-VM -Generation 2 -MemoryStartupBytes 8589934592 -Name payments.SQL-B -Path ` + folderB + ` -VHDPath ` + folderB + `\os.vhdx`,
				3: `    Set-VM -AutomaticStartAction Nothing -AutomaticStopAction ShutDown -VM $vm`,
				5: `    Add-VMNetworkAdapter -Name client -StaticMacAddress 02A101000020 -SwitchName vSwitch-Client -VM $vm`,
				7: `    Add-VMNetworkAdapter -Name cluster -StaticMacAddress 02A101000021 -SwitchName vSwitch-Cluster -VM $vm`,
			}),
		},
		"an older host": {
			reason: "The version must be one that every host supports, or a member could not run there.",
			wanted: neverMade, seen: all(copied, func(s *hyperv.Snapshot) { s.Hosts[0].SupportedVersions = []string{"8.0", "9.0"} }),
			want: replace(createB, 1, `    New-VM -Generation 2 -MemoryStartupBytes 8589934592 -Name payments.SQL-B -Path `+folderB+` -VHDPath `+folderB+`\os.vhdx -Version 9.0`),
		},
		"no host fits": {
			reason: "It says why; more hosts or memory may come by themselves.",
			wanted: neverMade, seen: all(copied, func(s *hyperv.Snapshot) {
				s.Hosts[0].FreeMemoryBytes, s.Hosts[1].State, s.Hosts[2].Switches = gib, hyperv.HostPaused, []string{"vSwitch-Client"}
			}),
			want: []string{`wait (WaitingForHost): no host can take SQL-B: hv03: it has no switch vSwitch-Cluster`},
		},
		"namespace not allowed": {
			reason: "A namespace that is not allowed gets nothing new.",
			wanted: func(g *plan.GuestCluster) { neverMade(g); g.NewAllowed = false }, seen: withoutB,
			want: []string{`block (NamespaceNotAllowed): namespace payments may not use this host cluster: ask the platform team to allow it in HostCluster spec.allowedNamespaces`},
		},
		"namespace not allowed any more": {
			reason: "What it has, it keeps.",
			wanted: func(g *plan.GuestCluster) { g.NewAllowed = false },
		},
		"pool on no shared volume": {
			reason: "Members could not fail over.",
			wanted: neverMade, seen: all(withoutB, func(s *hyperv.Snapshot) { s.Volumes = nil }),
			want: []string{`block (PoolMissing): storage pool ` + gold + ` is on no cluster shared volume of the host cluster`},
		},
		"more memory than any host has": {
			reason: "No folder is made for what can run nowhere.",
			wanted: func(g *plan.GuestCluster) { neverMade(g); g.Machine.MemoryBytes = 64*gib + 1 }, seen: withoutB, want: []string{tooMuchMemory},
		},
		"as much memory as a host has": {
			reason: "It may be free one day.",
			wanted: func(g *plan.GuestCluster) { neverMade(g); g.Members, g.Machine.MemoryBytes = g.Members[1:], 64*gib }, seen: withoutB, want: copyB,
		},
		"more processors than any host has": {
			reason: "It is told once, though two members would need it.",
			wanted: func(g *plan.GuestCluster) { neverMade(g); g.Members[0].RecordedID = ""; g.Machine.Processors = 33 },
			seen:   all(withoutB, func(s *hyperv.Snapshot) { dropMachine(s, idA); dropGroup(s, idA); dropFolder(s, folderA) }), want: []string{tooManyProcessors},
		},
		"memory here, processors there": {
			reason: "One host must have both.",
			wanted: func(g *plan.GuestCluster) {
				neverMade(g)
				g.Members, g.Machine.MemoryBytes, g.Machine.Processors = g.Members[1:], 128*gib, 32
			},
			seen: all(withoutB, func(s *hyperv.Snapshot) { s.Hosts[0].MemoryBytes, s.Hosts[0].Processors = 256*gib, 16 }),
			want: []string{`block (NotEnoughHosts): no host has both the memory and the processors that spec.machine asks for: ask for less, or ask the platform team for a larger host`},
		},
		"a host that never told its size": {
			reason: "It may have room for it.",
			wanted: func(g *plan.GuestCluster) { neverMade(g); g.Members, g.Machine.MemoryBytes = g.Members[1:], 128*gib },
			seen:   all(withoutB, func(s *hyperv.Snapshot) { s.Hosts[2].MemoryBytes, s.Hosts[2].Processors = 0, 0 }), want: copyB,
		},
		"more memory than any host has, copied": {
			reason: "Also when the hosts shrank meanwhile.",
			wanted: func(g *plan.GuestCluster) { neverMade(g); g.Members, g.Machine.MemoryBytes = g.Members[1:], 65*gib }, seen: copied, want: []string{tooMuchMemory},
		},
		"more memory than any host has, made": {
			reason: "A member that runs is not asked to be shut down for what cannot be.",
			wanted: func(g *plan.GuestCluster) { g.Machine.MemoryBytes = 65 * gib }, want: []string{tooMuchMemory},
		},
		"as it is, on hosts that shrank": {
			reason: "It is as it was asked for.",
			seen: func(s *hyperv.Snapshot) {
				for i := range s.Hosts {
					s.Hosts[i].MemoryBytes = 4 * gib
				}
			},
		},
		"pool unread": {
			reason: "The folder may be there.",
			wanted: neverMade, seen: all(withoutB, func(s *hyperv.Snapshot) { s.PoolsSeen = nil }),
			want: []string{
				`wait (ObservationIncomplete): storage pool ` + gold + ` cannot be read`,
			},
		},
		"a host silent": {
			reason: "The silent host may run a member that was made and not recorded.",
			wanted: neverMade, seen: all(withoutB, hv03Silent),
			want: []string{`wait (ObservationIncomplete): SQL-B cannot be seen: not every host answers`},
		},
		"made in part": {
			reason: "A batch that was cut short leaves the adapter that every new machine has.",
			seen: func(s *hyperv.Snapshot) {
				vm := vmOf(s, idB)
				vm.State, vm.Adapters = "Off", []hyperv.Adapter{{Name: "Network Adapter", Dynamic: true}}
				dropGroup(s, idB)
			},
			want: []string{
				`machine/SQL-B: SQL-B on hv02: remove the adapter that it was made with, add adapter client, put adapter client into its VLAN, add adapter cluster, make it a clustered role, start it (Starting), on hv02`,
				`    Get-VM -Id ` + idB,
				`    Remove-VMNetworkAdapter -VM $vm`,
				`    Add-VMNetworkAdapter -DeviceNaming On -Name client -StaticMacAddress 02A101000020 -SwitchName vSwitch-Client -VM $vm`,
				`    Set-VMNetworkAdapterVlan -Access true -VM $vm -VMNetworkAdapterName client -VlanId 110`,
				`    Add-VMNetworkAdapter -DeviceNaming On -Name cluster -StaticMacAddress 02A101000021 -SwitchName vSwitch-Cluster -VM $vm`,
				`    Add-ClusterVirtualMachineRole -Name payments.SQL-B -VMId ` + idB,
				`    Get-ClusterResource -VMId $vm.Id`,
				`    Set-ClusterParameter -InputObject $resource -Name OfflineAction -Value 2`,
				`    Start-ClusterGroup -Name payments.SQL-B -Wait 0`,
			},
		},
		"a host hangs": {
			reason: "Without a folder there is nothing that it could run.",
			wanted: neverMade, seen: all(withoutB, hv03Hangs), want: copyB,
		},
		"a host hangs, a folder holds one": {
			reason: "New-VM makes a folder of the machine's name: it may have been made there.",
			wanted: neverMade, seen: all(copied, hv03Hangs, func(s *hyperv.Snapshot) { folderOf(s, folderB).Folders = []string{"payments.SQL-B"} }),
			want: []string{`wait (ObservationIncomplete): SQL-B cannot be seen: not every host answers`},
		},
		"a host is gone, a folder holds one": {
			reason: "A machine that never became a role comes back with its host.",
			wanted: neverMade, seen: all(copied, func(s *hyperv.Snapshot) {
				s.Hosts[2] = hyperv.Host{Name: "hv03", State: hyperv.HostDown, Gone: true}
				folderOf(s, folderB).Folders = []string{"payments.SQL-B"}
			}),
			want: []string{`wait (ObservationIncomplete): SQL-B cannot be seen: not every host answers`},
		},
		"the volume's owner hangs": {
			reason: "Another node makes the files.",
			wanted: neverMade, seen: all(withoutB, hv03Hangs, func(s *hyperv.Snapshot) { s.Volumes[0].OwnerNode = "hv03" }),
			want: append([]string{strings.Replace(copyB[0], "on hv02", "on hv01", 1)}, copyB[1:]...),
		},
		"made and not recorded": {
			reason: "The manager died between making and recording: what lies in the folder is ours, and recording it comes next.",
			wanted: neverMade, want: []string{`wait (Creating): recording the id of SQL-B`},
		},
		"two machines in the folder, none recorded": {
			reason: "Which of them is ours cannot be told.",
			wanted: neverMade, seen: func(s *hyperv.Snapshot) {
				s.Hosts[2].Machines = append(s.Hosts[2].Machines, hyperv.Machine{ID: idForeign + "1", HostName: "hv03", Location: folderB})
			},
			want: []string{`block (CopyOfOurs): machine ` + idForeign + `1 on hv03 lies in the folder of SQL-B but is another machine; move it to a folder of its own or remove it`},
		},
		"a machine in our place, without a stamp": {
			reason: "What lies in a folder without a stamp is not ours.",
			wanted: neverMade, seen: func(s *hyperv.Snapshot) { dropFolder(s, folderB) },
			want: []string{`block (NameTaken): folder ` + folderB + ` holds a machine and no stamp of ours; put guestclustering.json back into it, or move the machine away`},
		},
		"a foreign folder in our place": {
			reason: "It is never written to.",
			wanted: neverMade, seen: all(copied, func(s *hyperv.Snapshot) { folderOf(s, folderB).Stamp.UID = "somebody" }),
			want: []string{`block (NameTaken): folder ` + folderB + ` carries the stamp of something else; move it away or choose another name`},
		},
		"an unreadable stamp in our place": {
			reason: "Whose it is cannot be told.",
			wanted: neverMade, seen: all(copied, func(s *hyperv.Snapshot) { folderOf(s, folderB).Readable = false }),
			want: []string{`block (NameTaken): folder ` + folderB + ` carries the stamp of something else; move it away or choose another name`},
		},
		"left by an earlier object": {
			reason: "Nothing new is made beside what an object of the same name left.",
			wanted: neverMade, seen: all(withoutB, func(s *hyperv.Snapshot) {
				left := member("SQL-B", "").Stamp
				left.UID = "00000000-old"
				s.Folders = append(s.Folders, hyperv.Folder{Path: gold + `\payments.SQL-B.00000000`, Stamp: left, Readable: true})
			}),
			want: []string{`block (OwnedByPrevious): ` + gold + `\payments.SQL-B.00000000 holds payments/sql of UID 00000000-old; choose another name`},
		},
		"left by an earlier object, beside ours": {
			reason: "A member that was made goes on.",
			seen: func(s *hyperv.Snapshot) {
				left := member("SQL-B", "").Stamp
				left.UID = "00000000-old"
				s.Folders = append(s.Folders, hyperv.Folder{Path: gold + `\payments.SQL-B.00000000`, Stamp: left, Readable: true})
			},
		},
		"a role of our name": {
			reason: "Group names are unique; better told before anything is made.",
			wanted: neverMade, seen: all(withoutB, func(s *hyperv.Snapshot) { s.Groups[1].Name = "PAYMENTS.SQL-B" }), want: []string{taken},
		},
		"a member of that name in the same namespace": {
			reason: "Its people know the other guest cluster, and cannot know the role.",
			wanted: neverMade, seen: all(withoutB, func(s *hyperv.Snapshot) {
				other := member("SQL-B", "").Stamp
				other.Name, other.UID = "reports", "9e0c2222-reports"
				folder := gold + `\payments.SQL-B.9e0c2222`
				s.Folders = append(s.Folders, hyperv.Folder{Path: folder, Stamp: other, Readable: true})
				vm := vmOf(s, idForeign)
				vm.Name, vm.Location = "payments.SQL-B", folder+`\payments.SQL-B`
				groupOf(s, idForeign).Name = "payments.SQL-B"
			}),
			want: []string{`block (NameTaken): guest cluster payments/reports has a member SQL-B already; choose another name`},
		},
	})
}

func TestNewMembersAreSpread(t *testing.T) {
	want, seen := sql(), rack()
	want.Members[0].RecordedID, want.Members[1].RecordedID = "", ""
	for _, id := range []string{idA, idB} {
		dropMachine(seen, id)
		dropGroup(seen, id)
	}
	third := member("SQL-C", "")
	want.Members = append(want.Members, third)
	seen.Folders = append(seen.Folders, asFolder(third))
	hosts := map[string]bool{}
	for _, s := range plan.ForGuestCluster(want, seen).Steps {
		hosts[s.Batch.Target.Host] = true
	}
	if diff := cmp.Diff(map[string]bool{"hv01": true, "hv02": true, "hv03": true}, hosts); diff != "" {
		t.Errorf("hosts of three new members (-want +got):\n%s", diff)
	}
	// A host's memory is given out once.
	for i := range seen.Hosts {
		seen.Hosts[i].FreeMemoryBytes = []int64{16 * gib, 8 * gib, 0}[i]
	}
	counts := map[string]int{}
	for _, s := range plan.ForGuestCluster(want, seen).Steps {
		counts[s.Batch.Target.Host]++
	}
	if diff := cmp.Diff(map[string]int{"hv01": 2, "hv02": 1}, counts); diff != "" {
		t.Errorf("members by host with little memory (-want +got):\n%s", diff)
	}
}

// The room of a pool is given out once.
func TestCopiesThatFit(t *testing.T) {
	want, seen := sql(), rack()
	want.Members[0].RecordedID, want.Members[1].RecordedID = "", ""
	for _, m := range want.Members {
		dropFolder(seen, m.Folder)
	}
	for i := range seen.Hosts {
		seen.Hosts[i].Machines = nil
	}
	seen.Groups = nil
	imageOf20(seen)
	seen.Volumes[0].Free = 39 * gib
	p := plan.ForGuestCluster(want, seen)
	if diff := cmp.Diff([]string{"copy/SQL-A", poolFull[0]}, []string{p.Steps[0].Key, show(plan.Plan{Blocks: p.Blocks})[0]}); diff != "" || len(p.Steps) != 1 {
		t.Errorf("two copies of 20 GiB where 39 are free (-want +got):\n%s", diff)
	}
}

func TestNewMemberAvoidsItsClass(t *testing.T) {
	want, seen := sql(), rack()
	neverMade(&want)
	copied(seen)
	// A member of another guest cluster shares a class with this one and is on hv02; hv03 has more machines.
	seen.Groups = append(seen.Groups, hyperv.Group{Name: "payments.DTC-1", VMID: "dtc", OwnerNode: "hv02", ClassNames: []string{"other", className}})
	if got := plan.ForGuestCluster(want, seen).Steps[0].Batch.Target.Host; got != "hv03" {
		t.Errorf("the new member goes to %s, want hv03", got)
	}
}

// Two guest clusters that a rule keeps apart, asked for together and planned on the same snapshot, choose four hosts.
func TestNeighboursMadeTogether(t *testing.T) {
	for _, uids := range [][2]string{{"u-1", "u-2"}, {"u-2", "u-1"}, {"x", "y"}, {"same", "same-2"}} {
		seen := rack()
		seen.Groups, seen.Folders = nil, nil
		seen.Hosts = []hyperv.Host{host("hv01"), host("hv02"), host("hv03"), host("hv04")}
		wants := []plan.GuestCluster{sql(), sql()}
		for i := range wants {
			w := &wants[i]
			w.Name = []string{"dtc", "sql"}[i]
			w.Neighbours = []plan.Neighbour{{Name: []string{"sql", "dtc"}[i], UID: uids[1-i], Unmade: 2}}
			for j := range w.Members {
				m := &w.Members[j]
				m.Name, m.RecordedID = w.Name+m.Name, ""
				m.Stamp.UID, m.Stamp.Member = uids[i], m.Name
				m.Folder = hyperv.FolderPath(gold, m.Stamp)
				f := asFolder(*m)
				f.Folders = nil
				seen.Folders = append(seen.Folders, f)
			}
		}
		chosen := map[string]int{}
		for _, w := range wants {
			for _, s := range plan.ForGuestCluster(w, seen).Steps {
				chosen[s.Batch.Target.Host]++
			}
		}
		if diff := cmp.Diff(map[string]int{"hv01": 1, "hv02": 1, "hv03": 1, "hv04": 1}, chosen); diff != "" {
			t.Errorf("hosts of two guest clusters with UIDs %v (-want +got):\n%s", uids, diff)
		}
	}
}

// What is there already counts before any rule gave it a class name.
func TestNewMemberAvoidsItsNeighbours(t *testing.T) {
	want, seen := sql(), rack()
	neverMade(&want)
	copied(seen)
	want.Neighbours = []plan.Neighbour{{Name: "dtc", UID: "u-dtc"}}
	folder := gold + `\payments.DTC-1.u-dtc`
	seen.Folders = append(seen.Folders, hyperv.Folder{Path: folder, Readable: true, Stamp: hyperv.Stamp{Namespace: "payments", Kind: hyperv.KindGuestCluster, Name: "dtc", UID: "u-dtc", Member: "DTC-1"}})
	seen.Hosts[1].Machines = append(seen.Hosts[1].Machines, hyperv.Machine{ID: "dtc", HostName: "hv02", Location: folder})
	seen.Hosts[2].Machines = append(seen.Hosts[2].Machines, hyperv.Machine{ID: "x"}, hyperv.Machine{ID: "y"})
	if got := plan.ForGuestCluster(want, seen).Steps[0].Batch.Target.Host; got != "hv03" {
		t.Errorf("the new member goes to %s, want hv03", got)
	}
}

func TestNotReadYet(t *testing.T) {
	want := []string{`wait (HostUnreachable): the host cluster has not been read yet`}
	if diff := cmp.Diff(want, show(plan.ForGuestCluster(sql(), nil))); diff != "" {
		t.Errorf("without a snapshot nothing is known (-want +got):\n%s", diff)
	}
}

// off is SQL-A switched off.
func off(s *hyperv.Snapshot) {
	vmOf(s, idA).State, vmOf(s, idA).Heartbeat = "Off", "Unknown"
	groupOf(s, idA).State = "Offline"
}

// machineA is the step that mends SQL-A on hv01, which runs.
func machineA(does string, calls ...string) []string {
	lines := []string{"machine/SQL-A: SQL-A on hv01: " + does + " (Repairing), on hv01", "    Get-VM -Id " + idA}
	for _, c := range calls {
		lines = append(lines, "    "+c)
	}
	return append(lines, "    Update-ClusterVirtualMachineConfiguration -VMId "+idA)
}

// startA is the step that mends and starts SQL-A on hv01, which is off.
func startA(does string, calls ...string) []string {
	lines := []string{"machine/SQL-A: SQL-A on hv01: " + does + " (Starting), on hv01", "    Get-VM -Id " + idA}
	for _, c := range append(calls, "Start-ClusterGroup -Name payments.SQL-A -Wait 0") {
		lines = append(lines, "    "+c)
	}
	return lines
}

func needsOff(what string) string {
	return "wait (WaitingForPowerOff): " + what + " of SQL-A will be mended when it is off: shut it down when it suits you"
}

func TestDrift(t *testing.T) {
	a := func(change func(*hyperv.Machine)) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) { change(vmOf(s, idA)) }
	}
	conf := func(change func(*hyperv.Configuration)) func(*hyperv.Snapshot) {
		return a(func(vm *hyperv.Machine) { change(vm.Configuration) })
	}
	group := func(change func(*hyperv.Group)) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) { change(groupOf(s, idA)) }
	}
	protection := `Set-VM -AutomaticCheckpointsEnabled false -AutomaticStartAction Nothing -AutomaticStopAction ShutDown -CheckpointType ProductionOnly -VM $vm`
	protect := machineA("set start, stop and checkpoint actions", protection)
	size := `Set-VM -MemoryStartupBytes 8589934592 -ProcessorCount 4 -StaticMemory true -VM $vm`
	runGuestClusterCases(t, map[string]guestClusterCase{
		"nothing": {reason: "What is as wanted is left alone."},
		"name": {
			reason: "Somebody renamed it.",
			seen:   a(func(vm *hyperv.Machine) { vm.Name = "SQL-A" }),
			want:   machineA("rename it back", `Rename-VM -NewName payments.SQL-A -VM $vm`),
		},
		"adapter missing": {
			reason: "An adapter may be added to a running machine.",
			seen:   a(func(vm *hyperv.Machine) { vm.Adapters = vm.Adapters[1:] }),
			want: machineA("add adapter client, put adapter client into its VLAN",
				`Add-VMNetworkAdapter -DeviceNaming On -Name client -StaticMacAddress 02A101000010 -SwitchName vSwitch-Client -VM $vm`,
				`Set-VMNetworkAdapterVlan -Access true -VM $vm -VMNetworkAdapterName client -VlanId 110`),
		},
		"untagged adapter missing": {
			reason: "Without a VLAN there is none to set.",
			seen:   a(func(vm *hyperv.Machine) { vm.Adapters = vm.Adapters[:1] }),
			want: machineA("add adapter cluster",
				`Add-VMNetworkAdapter -DeviceNaming On -Name cluster -StaticMacAddress 02A101000011 -SwitchName vSwitch-Cluster -VM $vm`),
		},
		"adapter on another switch": {
			reason: "It is plugged back.",
			seen:   a(func(vm *hyperv.Machine) { vm.Adapters[1].SwitchName = "vSwitch-Client" }),
			want: machineA("connect adapter cluster", `Get-VMNetworkAdapter -Name cluster -VM $vm`,
				`Connect-VMNetworkAdapter -SwitchName vSwitch-Cluster -VMNetworkAdapter $adapter0`),
		},
		"adapter unplugged": {
			reason: "It is plugged back.",
			seen:   a(func(vm *hyperv.Machine) { vm.Adapters[1].SwitchName = "" }),
			want: machineA("connect adapter cluster", `Get-VMNetworkAdapter -Name cluster -VM $vm`,
				`Connect-VMNetworkAdapter -SwitchName vSwitch-Cluster -VMNetworkAdapter $adapter0`),
		},
		"VLAN": {
			reason: "It is put back into its VLAN.",
			seen:   a(func(vm *hyperv.Machine) { vm.Adapters[0].VLAN = 5 }),
			want:   machineA("put adapter client into its VLAN", `Set-VMNetworkAdapterVlan -Access true -VM $vm -VMNetworkAdapterName client -VlanId 110`),
		},
		"VLAN on an untagged adapter": {
			reason: "It is taken out of it.",
			seen:   a(func(vm *hyperv.Machine) { vm.Adapters[1].VLAN = 5 }),
			want:   machineA("take adapter cluster out of its VLAN", `Set-VMNetworkAdapterVlan -Untagged true -VM $vm -VMNetworkAdapterName cluster`),
		},
		"MAC address, running": {
			reason: "A running machine's address cannot be changed; when it goes off is the user's choice.",
			seen:   a(func(vm *hyperv.Machine) { vm.Adapters[0].MAC = 1 }),
			want:   []string{needsOff("the MAC address of adapter client")},
		},
		"MAC address, off": {
			reason: "Off, it is mended and then started.",
			seen:   all(off, a(func(vm *hyperv.Machine) { vm.Adapters[0].MAC = 1 })),
			want: startA("set the address of adapter client, start it", `Get-VMNetworkAdapter -Name client -VM $vm`,
				`Set-VMNetworkAdapter -StaticMacAddress 02A101000010 -VMNetworkAdapter $adapter0`),
		},
		"dynamic MAC address": {
			reason: "The same address by chance is not static.",
			seen:   a(func(vm *hyperv.Machine) { vm.Adapters[0].Dynamic = true }),
			want:   []string{needsOff("the MAC address of adapter client")},
		},
		"an adapter more": {
			reason: "What somebody added is not ours.",
			seen:   a(func(vm *hyperv.Machine) { vm.Adapters = append(vm.Adapters, hyperv.Adapter{Name: "backup"}) }),
		},
		"start action":         {reason: "The host cluster starts members.", seen: conf(func(c *hyperv.Configuration) { c.StartAction = "Start" }), want: protect},
		"stop action":          {reason: "A member is never saved.", seen: conf(func(c *hyperv.Configuration) { c.StopAction = "Save" }), want: protect},
		"checkpoint type":      {reason: "A member is never set back.", seen: conf(func(c *hyperv.Configuration) { c.CheckpointType = "Standard" }), want: protect},
		"automatic checkpoint": {reason: "A member is never set back.", seen: conf(func(c *hyperv.Configuration) { c.AutomaticCheckpoint = true }), want: protect},
		"what an old host cannot": {
			reason: "On 2012 R2 there are no checkpoint types to put right.",
			seen: all(conf(func(c *hyperv.Configuration) { c.CheckpointType, c.AutomaticCheckpoint = "", true }),
				func(s *hyperv.Snapshot) { s.Hosts[0].Build = hyperv.Build2012R2 }),
		},
		"processors, running": {
			reason: "They wait until the machine is off.",
			seen:   conf(func(c *hyperv.Configuration) { c.Processors = 2 }), want: []string{needsOff("processors and memory")},
		},
		"memory, off": {
			reason: "Off, it is mended and then started.",
			seen:   all(off, conf(func(c *hyperv.Configuration) { c.MemoryBytes = gib })), want: startA("set processors and memory, start it", size),
		},
		"dynamic memory, off": {
			reason: "Memory is static.",
			seen:   all(off, conf(func(c *hyperv.Configuration) { c.DynamicMemory = true })), want: startA("set processors and memory, start it", size),
		},
		"offline action": {
			reason: "By default a machine is saved when its resource goes offline.",
			seen:   group(func(g *hyperv.Group) { g.OfflineAction = 1 }),
			want: machineA("shut it down instead of saving it when its resource goes offline",
				`Get-ClusterResource -Name Virtual Machine payments.SQL-A`, `Set-ClusterParameter -InputObject $resource -Name OfflineAction -Value 2`),
		},
		"no role": {
			reason: "A member must be able to fail over.",
			seen:   func(s *hyperv.Snapshot) { dropGroup(s, idA) },
			want: without(machineA("make it a clustered role", `Add-ClusterVirtualMachineRole -Name payments.SQL-A -VMId `+idA,
				`Get-ClusterResource -VMId $vm.Id`, `Set-ClusterParameter -InputObject $resource -Name OfflineAction -Value 2`), 5),
		},
		"no role, off": {
			reason: "It is started through its role.",
			seen:   all(off, func(s *hyperv.Snapshot) { dropGroup(s, idA) }),
			want: startA("make it a clustered role, start it", `Add-ClusterVirtualMachineRole -Name payments.SQL-A -VMId `+idA,
				`Get-ClusterResource -VMId $vm.Id`, `Set-ClusterParameter -InputObject $resource -Name OfflineAction -Value 2`),
		},
		"no role, and another has its name": {
			reason: "Somebody else's role is neither changed nor started.",
			seen:   all(off, func(s *hyperv.Snapshot) { groupOf(s, idA).VMID = idForeign + "1" }),
			want: []string{
				`wait (Attaching): SQL-A is started once its shared disks can be attached`,
				`block (NameTaken): the host cluster has a role payments.SQL-A that is not ours; rename it or choose another name`,
			},
		},
		"role under another name": {
			reason: "A role's name is for people; it is started by the name that it has.",
			seen:   all(off, group(func(g *hyperv.Group) { g.Name = "SQL" })),
			want:   replace(startA("start it"), 2, `    Start-ClusterGroup -Name SQL -Wait 0`),
		},
		"off":       {reason: "A member runs.", seen: off, want: startA("start it")},
		"no answer": {reason: "The guest needs its time.", seen: a(func(vm *hyperv.Machine) { vm.Heartbeat = "NoContact" }), want: []string{`wait (WaitingForGuest): SQL-A on hv01: waiting for its heartbeat`}},
		"saved": {
			reason: "A cluster node that comes back from long ago is a danger; what becomes of it is a person's choice.",
			seen:   a(func(vm *hyperv.Machine) { vm.State = "Saved" }),
			want:   []string{`block (HostFailed): SQL-A is saved on hv01; discard its saved state (Remove-VMSavedState) or turn it off: it is then started`},
		},
		"several things": {
			reason: "One machine is mended in one batch.",
			seen:   a(func(vm *hyperv.Machine) { vm.Name = "x"; vm.Adapters[0].VLAN = 0; vm.Configuration.StopAction = "Save" }),
			want: machineA("rename it back, put adapter client into its VLAN, set start, stop and checkpoint actions", `Rename-VM -NewName payments.SQL-A -VM $vm`,
				`Set-VMNetworkAdapterVlan -Access true -VM $vm -VMNetworkAdapterName client -VlanId 110`, protection),
		},
	})
}

func TestSharedDisksOfMembers(t *testing.T) {
	drives := func(change func([]hyperv.Drive) []hyperv.Drive) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) {
			c := vmOf(s, idA).Configuration
			c.Drives = change(c.Drives)
		}
	}
	controllers := func(numbers ...int32) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) { vmOf(s, idA).Configuration.Controllers = numbers }
	}
	attachData := `Add-VMHardDiskDrive -ControllerLocation 0 -ControllerNumber 1 -ControllerType SCSI -Path ` + data + ` -SupportPersistentReservations true -VM $vm`
	attachWitness := `Add-VMHardDiskDrive -ControllerLocation 1 -ControllerNumber 1 -ControllerType SCSI -Path ` + witness + ` -SupportPersistentReservations true -VM $vm`
	noFlag := drives(func(d []hyperv.Drive) []hyperv.Drive { d[1].PersistentReservations = false; return d })
	moved := drives(func(d []hyperv.Drive) []hyperv.Drive { d[1].Location = 7; return d })
	swapped := drives(func(d []hyperv.Drive) []hyperv.Drive { d[1].Path, d[2].Path = d[2].Path, d[1].Path; return d })
	foreign := drives(func(d []hyperv.Drive) []hyperv.Drive { d[1].Path = `D:\other.vhdx`; return d })
	noWitness := drives(func(d []hyperv.Drive) []hyperv.Drive { return d[:2] })
	ide := drives(func(d []hyperv.Drive) []hyperv.Drive { d[1].ControllerType = "IDE"; return d })
	waitsForDisks := `wait (Attaching): SQL-A is started once its shared disks can be attached`
	inTheWay := `block (NameTaken): SQL-A has D:\other.vhdx in the place of disk data (controller 1, location 0); take it off`
	runGuestClusterCases(t, map[string]guestClusterCase{
		"missing": {reason: "A shared disk may be attached to a running machine.", seen: noWitness, want: machineA("attach disk witness", attachWitness)},
		"missing and not ready": {
			reason: "What another guest cluster has, or is not made yet, is not attached.",
			wanted: func(g *plan.GuestCluster) { g.Disks[1].Ready = false }, seen: noWitness,
		},
		"missing and not ready, off": {
			reason: "The first start waits for every disk.",
			wanted: func(g *plan.GuestCluster) { g.Disks[1].Ready = false }, seen: all(noWitness, off), want: []string{waitsForDisks},
		},
		"missing, off": {reason: "It is attached before the start.", seen: all(noWitness, off), want: startA("attach disk witness, start it", attachWitness)},
		"without the flag, running": {
			reason: "The flag belongs to the attachment, and taking it off would take the disk from a running cluster.",
			seen:   noFlag, want: []string{needsOff("the attachment of disk data")},
		},
		"without the flag, off": {
			reason: "It is taken off and attached with the flag.",
			seen:   all(noFlag, off), want: startA("detach disk data from the wrong place, attach disk data, start it",
				`Get-VMHardDiskDrive -ControllerLocation 0 -ControllerNumber 1 -ControllerType SCSI -VM $vm`, `Remove-VMHardDiskDrive -VMHardDiskDrive $drive0`, attachData),
		},
		"in the wrong slot, running": {
			reason: "All members must agree on slots; a running one keeps the disk meanwhile.",
			seen:   moved, want: []string{needsOff("the attachment of disk data")},
		},
		"in the wrong slot, off": {
			reason: "It is moved to its slot.",
			seen:   all(moved, off), want: startA("detach disk data from the wrong place, attach disk data, start it",
				`Get-VMHardDiskDrive -ControllerLocation 7 -ControllerNumber 1 -ControllerType SCSI -VM $vm`, `Remove-VMHardDiskDrive -VMHardDiskDrive $drive0`, attachData),
		},
		"in the wrong slot and not ready, off": {
			reason: "A disk that is not the guest cluster's to use is not touched.",
			wanted: func(g *plan.GuestCluster) { g.Disks[0].Ready = false }, seen: all(moved, off), want: []string{waitsForDisks},
		},
		"two disks swapped, running": {
			reason: "Both wait; neither is in the way of the other by a stranger's doing.",
			seen:   swapped, want: []string{needsOff("the attachment of disk data"), needsOff("the attachment of disk witness")},
		},
		"two disks swapped, off": {
			reason: "Both are taken off before either is attached.",
			seen:   all(swapped, off), want: startA("detach disk data from the wrong place, detach disk witness from the wrong place, attach disk data, attach disk witness, start it",
				`Get-VMHardDiskDrive -ControllerLocation 1 -ControllerNumber 1 -ControllerType SCSI -VM $vm`, `Remove-VMHardDiskDrive -VMHardDiskDrive $drive0`,
				`Get-VMHardDiskDrive -ControllerLocation 0 -ControllerNumber 1 -ControllerType SCSI -VM $vm`, `Remove-VMHardDiskDrive -VMHardDiskDrive $drive2`,
				attachData, attachWitness),
		},
		"a stranger in its slot": {reason: "What somebody put there is not ours to take off.", seen: foreign, want: []string{inTheWay}},
		"a stranger in its slot, off": {
			reason: "Nor is the member started without its disk.",
			seen:   all(foreign, off), want: []string{waitsForDisks, inTheWay},
		},
		"a stranger in another slot": {
			reason: "What somebody added is left alone.",
			seen: drives(func(d []hyperv.Drive) []hyperv.Drive {
				return append(d, hyperv.Drive{Path: `D:\other.vhdx`, ControllerType: "SCSI", Controller: 1, Location: 5})
			}),
		},
		"on an IDE controller, off": {
			reason: "Its numbers are those of a SCSI drive too: taking off by number could take the wrong one.",
			seen:   all(ide, off), want: []string{waitsForDisks, `block (NameTaken): SQL-A has ` + data + ` on a controller of type IDE; take it off`},
		},
		"no controller, running": {
			reason: "A controller cannot be added to a running machine, nor then the disk.",
			seen:   all(noWitness, controllers(0)), want: []string{needsOff("the controller for shared disks")},
		},
		"no controller, off": {
			reason: "The controller comes before the disk, the start last.",
			seen:   all(noWitness, controllers(0), off), want: startA("add the controller for shared disks, attach disk witness, start it", `Add-VMScsiController -VM $vm`, attachWitness),
		},
		"released": {
			reason: "Removing an entry detaches the disk.",
			wanted: func(g *plan.GuestCluster) { g.Disks, g.Released = g.Disks[:1], []string{witness} },
			seen:   func(s *hyperv.Snapshot) { vmOf(s, idB).Configuration.Drives = vmOf(s, idB).Configuration.Drives[:2] },
			want: machineA("detach sql-witness.vhds", `Get-VMHardDiskDrive -ControllerLocation 1 -ControllerNumber 1 -ControllerType SCSI -VM $vm`,
				`Remove-VMHardDiskDrive -VMHardDiskDrive $drive0`),
		},
		"released under one name, wanted under another": {
			reason: "An entry that became a reference to the same disk keeps it.",
			wanted: func(g *plan.GuestCluster) { g.Released = []string{witness} },
		},
		"no path yet": {
			reason: "A disk that has no path yet is on no machine, whatever drives have no path.",
			wanted: func(g *plan.GuestCluster) { g.Disks[1].Path, g.Disks[1].Ready = "", false },
			seen: drives(func(d []hyperv.Drive) []hyperv.Drive {
				return append(d[:2], hyperv.Drive{ControllerType: "SCSI", Controller: 1, Location: 1, PersistentReservations: true})
			}),
		},
	})
}

func TestMembersOnTheMove(t *testing.T) {
	change := func(state string, status ...string) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) {
			vmOf(s, idA).State, vmOf(s, idA).OperationalStatus = state, status
			// Drift, which has to wait.
			vmOf(s, idA).Name = "x"
		}
	}
	group := func(state, owner string, status ...string) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) {
			groupOf(s, idA).State, groupOf(s, idA).Status, groupOf(s, idA).OwnerNode = state, status, owner
			vmOf(s, idA).Name = "x"
		}
	}
	runGuestClusterCases(t, map[string]guestClusterCase{
		"migrating":   {reason: "Nothing is changed on a machine that moves.", seen: change("Running", "MigratingVirtualMachine"), want: []string{`wait (Migrating): SQL-A is migrating on hv01`}},
		"starting":    {reason: "It is on its way.", seen: change("Starting"), want: []string{`wait (WaitingForGuest): SQL-A on hv01: waiting for its heartbeat`}},
		"backing up":  {reason: "Disks may not be changed meanwhile.", seen: change("Running", "BackingUpVirtualMachine"), want: []string{`wait (Starting): SQL-A is busy on hv01`}},
		"pending":     {reason: "The host cluster is at it.", seen: group("Pending", "hv01"), want: []string{`wait (Starting): SQL-A is changing state on hv01`}},
		"unmonitored": {reason: "Its host is out of the host cluster's sight and may come back.", seen: group("Online", "hv01", "Unmonitored"), want: []string{`wait (Restarting): SQL-A is changing state on hv01`}},
		"owned elsewhere": {
			reason: "A host that came back may show a machine that runs elsewhere now.",
			seen:   group("Online", "hv03"), want: []string{`wait (Starting): SQL-A is busy on hv01`},
		},
	})
}

func TestMembersOutOfSight(t *testing.T) {
	gone := func(s *hyperv.Snapshot) { dropMachine(s, idA); dropGroup(s, idA) }
	absent := func(snapshots int) func(*hyperv.Snapshot) {
		return func(s *hyperv.Snapshot) { s.Memory.LastSeen[idA] = s.Memory.CompleteSnapshots - snapshots }
	}
	noQuorum := `wait (ObservationIncomplete): the host cluster cannot be read, or has no quorum`
	notSeen := []string{`wait (ObservationIncomplete): SQL-A was not seen; looking again`}
	lost := []string{`block (MemberLost): the machine of SQL-A (id ` + idA + `) is gone from the host cluster; register it again from ` + folderA + `, or delete this guest cluster`}
	cannot := []string{`wait (ObservationIncomplete): SQL-A cannot be seen: not every host answers`}
	runGuestClusterCases(t, map[string]guestClusterCase{
		"host silent":          {reason: "It may run there.", seen: all(gone, hv03Silent, absent(5)), want: cannot},
		"no quorum":            {reason: "It may run in the other part.", seen: all(gone, absent(5), func(s *hyperv.Snapshot) { s.Cluster.Quorate = false }), want: append(cannot[:1:1], noQuorum)},
		"absent once":          {reason: "A machine between two hosts is shown by none.", seen: all(gone, absent(1)), want: notSeen},
		"absent twice":         {reason: "A loss is told, and nothing is made in its place.", seen: all(gone, absent(2)), want: lost},
		"absent, group online": {reason: "The host cluster holds it for alive: it is between two hosts.", seen: all(func(s *hyperv.Snapshot) { dropMachine(s, idA) }, absent(5)), want: notSeen},
		"absent, group failed": {reason: "The role outlives a machine that was removed.", seen: all(func(s *hyperv.Snapshot) { dropMachine(s, idA); groupOf(s, idA).State = "Failed" }, absent(2)), want: lost},
		"configuration unread": {reason: "What is not known is not changed.", seen: func(s *hyperv.Snapshot) { vmOf(s, idA).Configuration, vmOf(s, idA).Name = nil, "x" }, want: []string{`wait (ObservationIncomplete): the configuration of SQL-A has not been read yet`}},
		"groups unread":        {reason: "What is not known is not changed.", seen: func(s *hyperv.Snapshot) { s.Cluster, vmOf(s, idA).Name = nil, "x"; s.Groups = s.Groups[1:] }, want: []string{noQuorum, noQuorum}},
		"pool unread":          {reason: "Whether the stamp is still ours is not known.", seen: func(s *hyperv.Snapshot) { s.PoolsSeen, s.Folders = nil, s.Folders[1:] }, want: []string{`wait (ObservationIncomplete): folder ` + folderA + ` cannot be read`}},
		"stamp gone":           {reason: "An id without its stamp is not ours.", seen: func(s *hyperv.Snapshot) { dropFolder(s, folderA); vmOf(s, idA).Name = "x" }, want: []string{`block (NameTaken): folder ` + folderA + ` holds a machine and no stamp of ours; put guestclustering.json back into it, or move the machine away`}},
		"stamp of another":     {reason: "An id in a folder of somebody else is not ours.", seen: func(s *hyperv.Snapshot) { folderOf(s, folderA).Stamp.ClusterID = "k2"; vmOf(s, idA).Name = "x" }, want: []string{`block (NameTaken): folder ` + folderA + ` carries the stamp of something else; move it away or choose another name`}},
		"in another folder":    {reason: "Stamp and id count only together.", seen: func(s *hyperv.Snapshot) { vmOf(s, idA).Location = `D:\VMs\x`; vmOf(s, idA).Name = "x" }, want: []string{`block (NameTaken): the machine of SQL-A lies in D:\VMs\x instead of ` + folderA + `; move its configuration back`}},
		"a copy beside it":     {reason: "A restored or cloned machine is not ours, though it lies in our folder.", seen: func(s *hyperv.Snapshot) { s.Hosts[2].Machines[0].Location = folderA + `\copy` }, want: []string{`block (CopyOfOurs): machine ` + idForeign + ` on hv03 lies in the folder of SQL-A but is another machine; move it to a folder of its own or remove it`}},
		"a copy in its place":  {reason: "The copy does not become ours when ours is lost.", seen: all(gone, absent(5), func(s *hyperv.Snapshot) { s.Hosts[2].Machines[0].Location = folderA + `\copy` }), want: []string{`block (CopyOfOurs): machine ` + idForeign + ` on hv03 lies in the folder of SQL-A but is another machine; move it to a folder of its own or remove it`}},
		"a copy with its folder": {reason: "A folder that was copied carries our stamp and is not ours; the member goes on.", seen: func(s *hyperv.Snapshot) {
			copied := asFolder(member("SQL-A", ""))
			copied.Path = gold + `\restored`
			s.Folders = append(s.Folders, copied)
			s.Hosts[2].Machines[0].Location = gold + `\restored\x`
			vmOf(s, idA).Name = "x"
		}, want: append(machineA("rename it back", `Rename-VM -NewName payments.SQL-A -VM $vm`),
			`block (CopyOfOurs): machine `+idForeign+` on hv03 carries the stamp of SQL-A but is another machine; remove guestclustering.json from `+gold+`\restored, or the machine`)},
		"a copied folder alone": {reason: "Files without a machine harm nobody.", seen: func(s *hyperv.Snapshot) {
			copied := asFolder(member("SQL-A", ""))
			copied.Path = gold + `\restored`
			s.Folders = append(s.Folders, copied)
		}},
		"shown by two hosts": {reason: "A host that came back still shows what runs elsewhere.", seen: func(s *hyperv.Snapshot) {
			old := *vmOf(s, idA)
			old.HostName, old.State = "hv03", "Off"
			s.Hosts[2].Machines = append(s.Hosts[2].Machines, old)
		}},
		"its host not in sight": {reason: "A machine on a host that nobody lists is not to be changed.", seen: func(s *hyperv.Snapshot) {
			vmOf(s, idA).HostName = "hv09"
			groupOf(s, idA).OwnerNode = "hv09"
			vmOf(s, idA).Name = "x"
		}, want: []string{`wait (ObservationIncomplete): the configuration of SQL-A has not been read yet`}},
	})
}
