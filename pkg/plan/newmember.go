package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

// forNewMember plans a member that was never made: its folder and the copy of the image first, then the machine.
func forNewMember(p *Plan, want GuestCluster, m Member, seen *hyperv.Snapshot, places *placement) {
	if !want.NewAllowed {
		p.block(v1alpha1.ReasonNamespaceNotAllowed, fmt.Sprintf("namespace %s may not use this host cluster: ask the platform team to allow it in HostCluster spec.allowedNamespaces", want.Namespace))
		return
	}
	if why := oversized(want.Machine, seen); why != "" {
		p.blockOnce(v1alpha1.ReasonNotEnoughHosts, why)
		return
	}
	folder, presence := seen.Folder(m.Folder)
	if presence == hyperv.Unknown {
		p.wait(v1alpha1.ReasonObservationIncomplete, fmt.Sprintf("storage pool %s cannot be read", want.Machine.Pool))
		return
	}
	if groupNameTaken(p, m, "", seen) {
		return
	}
	var work hyperv.Work
	if presence == hyperv.Known {
		work, _ = folder.WorkFor(m.OSDisk())
	}
	switch {
	case work.State == hyperv.WorkRunning && !seen.Interrupted(work):
		// In the words of the step that started it, so that it is told once.
		p.wait(v1alpha1.ReasonCreating, copying(m))
	case work.State == hyperv.WorkCompleted && folder.HasFile(hyperv.BaseName(m.OSDisk())):
		if m.Incomplete {
			return
		}
		createMachine(p, want, m, seen, places)
	default:
		copyImage(p, want, m, work, seen, places)
	}
}

// copyImage makes the folder and starts the copy. One that was interrupted is started again in the same words.
func copyImage(p *Plan, want GuestCluster, m Member, before hyperv.Work, seen *hyperv.Snapshot, places *placement) {
	volume, ok := seen.Volume(want.Machine.Pool)
	if !ok {
		p.block(v1alpha1.ReasonPoolMissing, fmt.Sprintf("storage pool %s is on no cluster shared volume of the host cluster", want.Machine.Pool))
		return
	}
	if !places.takeRoom(m, volume) {
		// A copy that fills the volume up stops the machines whose disks grow on it.
		p.block(v1alpha1.ReasonPoolFull, fmt.Sprintf("storage pool %s has too little free space for a copy of the image for %s: ask the platform team for room", want.Machine.Pool, m.Name))
		return
	}
	if before.State == hyperv.WorkFailed {
		p.block(v1alpha1.ReasonHostFailed, fmt.Sprintf("copying the image for %s failed and is tried again: %s", m.Name, strings.Join(strings.Fields(before.Error), " ")))
	}
	id := WorkID(m.Stamp, "os")
	p.step(Step{
		Key: "copy/" + m.Name, Reason: v1alpha1.ReasonCreating, Describe: copying(m),
		Batch: change(copier(before, volume, seen),
			cmdlet.NewStampedFolder("folder", m.Folder, m.Stamp.Encode()),
			cmdlet.StartCopy("copy", id, hash(want.Machine.Image, m.OSDisk()), want.Machine.Image, m.OSDisk()),
		),
	})
}

// copier is the volume's maker, where a copy needs no network. The record of a copy that was interrupted is its
// own host's, if that takes part again: others leave such a copy alone while it does ("Start-Work").
func copier(before hyperv.Work, volume *hyperv.Volume, seen *hyperv.Snapshot) string {
	if h, ok := seen.Host(before.Node); ok && before.State == hyperv.WorkRunning && h.TakesPart() {
		return h.Name
	}
	return maker(volume, seen)
}

// maker is the node that makes files on a volume: the one that owns it, or another that answers when that one is silent. One
// that may still be at what it was told is waited for.
func maker(volume *hyperv.Volume, seen *hyperv.Snapshot) string {
	owner, known := seen.Host(volume.OwnerNode)
	if !known || owner.Answered || owner.Unheard {
		return volume.OwnerNode
	}
	for _, h := range hostsByName(seen) {
		if h.State == hyperv.HostUp && h.Answered {
			return h.Name
		}
	}
	return volume.OwnerNode
}

func copying(m Member) string { return fmt.Sprintf("copy the image for %s to %s", m.Name, m.OSDisk()) }

// WorkID names a long operation: the same for the same step of the same object, whoever asks.
func WorkID(stamp hyperv.Stamp, step string) string { return hash(stamp.UID, stamp.Member, step) }

func hash(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func change(host string, calls ...hostagent.Call) hostagent.Batch {
	return hostagent.Batch{Target: hostagent.Target{Host: host}, Logon: hostagent.LogonNetwork, OnError: hostagent.Stop, Calls: calls}
}

// createMachine makes the machine with everything it has before its first start. Its answer file comes first: a machine that
// is there has it.
func createMachine(p *Plan, want GuestCluster, m Member, seen *hyperv.Snapshot, places *placement) {
	host, reason := places.choose(m)
	if host == nil {
		p.wait(v1alpha1.ReasonWaitingForHost, fmt.Sprintf("no host can take %s: %s", m.Name, reason))
		return
	}
	var calls []hostagent.Call
	if m.AnswerFile.Reveal() != "" {
		calls = append(calls, cmdlet.SetAnswerFile("answer", m.OSDisk(), m.AnswerFile))
	}
	calls = append(calls,
		cmdlet.NewVM("vm", cmdlet.NewMachine{
			Name: m.VMName(), Folder: m.Folder, Version: commonVersion(seen), MemoryBytes: want.Machine.MemoryBytes, OSDisk: m.OSDisk(),
		}),
		cmdlet.SetProcessorsAndMemory("size", "vm", settings(want, host)),
		cmdlet.SetProtection("protection", "vm", settings(want, host)),
		cmdlet.RemoveNewAdapters("adapters", "vm"),
	)
	for i, n := range m.Networks {
		calls = append(calls, addAdapter(i, n, host)...)
	}
	calls = append(calls, cmdlet.AddController("controller", "vm"))
	for i, d := range want.Disks {
		if d.Ready {
			calls = append(calls, cmdlet.AttachSharedDisk(fmt.Sprintf("disk%d", i), "vm", d.Path, d.Slot))
		}
	}
	calls = append(calls,
		cmdlet.MakeNewClustered("group", "vm", m.VMName()),
		cmdlet.MachineResourceOf("resource", "vm"),
		cmdlet.SetOfflineAction("offline", "resource", cmdlet.OfflineActionShutDown),
	)
	p.step(Step{
		Key: "create/" + m.Name, Reason: v1alpha1.ReasonCreating, Describe: fmt.Sprintf("create machine %s on %s", m.Name, host.Name),
		Batch: change(host.Name, calls...),
	})
}

func addAdapter(i int, n Network, host *hyperv.Host) []hostagent.Call {
	calls := []hostagent.Call{cmdlet.AddAdapter(fmt.Sprintf("adapter%d", i), "vm", adapter(n, host))}
	if n.VLAN != 0 {
		calls = append(calls, cmdlet.SetVLAN(fmt.Sprintf("vlan%d", i), "vm", n.Name, n.VLAN))
	}
	return calls
}

// adapter is what the host's build lets be said: names shown to the guest came with 2016 ("Add-VMNetworkAdapter").
func adapter(n Network, host *hyperv.Host) cmdlet.Adapter {
	return cmdlet.Adapter{Name: n.Name, SwitchName: n.SwitchName, MACAddress: n.MAC.String(), ShowName: host.Build >= hyperv.Build2016}
}

// settings are what the host's build lets be said: CheckpointType came with 2016, automatic checkpoints with 2019
// ("Set-VM").
func settings(want GuestCluster, host *hyperv.Host) cmdlet.MachineSettings {
	s := cmdlet.MachineSettings{Processors: want.Machine.Processors, MemoryBytes: want.Machine.MemoryBytes}
	if host.Build >= hyperv.Build2016 {
		s.Checkpoints = "ProductionOnly"
	}
	s.AutomaticCheckpointsOff = host.Build >= hyperv.Build2019
	return s
}

// commonVersion is the highest configuration version that every host supports, so that a member can run on any of
// them; empty when there is none or hosts before 2016 do not tell.
func commonVersion(seen *hyperv.Snapshot) string {
	counts := map[string]int{}
	told := 0
	for _, h := range seen.Hosts {
		if h.Build == 0 {
			continue
		}
		told++
		if h.Build < hyperv.Build2016 {
			return ""
		}
		for _, v := range h.SupportedVersions {
			counts[v]++
		}
	}
	best := ""
	for v, n := range counts {
		// 254.0 and 255.0 are Windows' own names for prerelease and experimental versions ("Get-VMHostSupportedVersion").
		if n == told && hyperv.CompareVersions(v, "254.0") < 0 && hyperv.CompareVersions(v, best) > 0 {
			best = v
		}
	}
	return best
}
