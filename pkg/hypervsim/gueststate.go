package hypervsim

import (
	"slices"

	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// GuestState is the Windows in a machine, as it was when it was looked at last from inside.
type GuestState struct {
	// Phase is what goes on: Booting, Specialising, Welcoming, Up, Ending, or empty while the machine does not run.
	Phase string        `json:"phase,omitempty"`
	Setup windows.Setup `json:"setup"`
	// Waits is why set-up waits for somebody.
	Waits        string `json:"waits,omitempty"`
	ComputerName string `json:"computerName"`
	// Domain is empty in a workgroup; a join that waits for a restart shows already.
	Domain string `json:"domain,omitempty"`
	// Administrator is the name of the built-in local administrator; Rotations counts the passwords that it was given since set-up.
	Administrator string              `json:"administrator"`
	Disabled      bool                `json:"administratorDisabled,omitempty"`
	Rotations     int                 `json:"rotations,omitempty"`
	Features      []string            `json:"features"`
	Adapters      []GuestAdapterState `json:"adapters"`
	Disks         []GuestDiskState    `json:"disks"`
}

// GuestAdapterState is a network adapter as a guest has set it up.
type GuestAdapterState struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac"`
	Addresses []string `json:"addresses"`
}

// GuestDiskState is a disk as a guest sees it.
type GuestDiskState struct {
	Number   int64  `json:"number"`
	UniqueID string `json:"uniqueID"`
	// GUID is empty while the disk is raw, or was when the guest looked last.
	GUID    string `json:"guid,omitempty"`
	Offline bool   `json:"offline,omitempty"`
}

// DomainState is the domain that guests may join.
type DomainState struct {
	Name    string `json:"name"`
	Stopped bool   `json:"stopped,omitempty"`
	// Policy is what it does to the local administrators of its members.
	Policy    windows.AdministratorPolicy `json:"administratorPolicy,omitempty"`
	Computers []string                    `json:"computers"`
	// Rights are the SIDs that may create computer objects, by the container's distinguished name in lower case.
	Rights map[string][]string `json:"rights"`
}

// guestPicture is what is seen of a machine's Windows; zero before its first start.
func (m *machine) guestPicture() GuestState {
	s := m.guest.system
	if s == nil {
		return GuestState{}
	}
	g := GuestState{
		Phase: string(m.guest.phase), Setup: s.Setup, Waits: s.Waits, ComputerName: s.Name(), Administrator: s.Administrator().Name,
		Disabled: !s.Administrator().Enabled, Rotations: s.Rotations(), Features: s.InstalledFeatures(),
	}
	if s.Membership() != nil {
		g.Domain = s.DomainName()
	}
	for _, a := range s.Adapters() {
		state := GuestAdapterState{Name: a.Name, MAC: a.MAC.String()}
		for _, o := range a.Addresses() {
			state.Addresses = append(state.Addresses, o.Prefix.String())
		}
		g.Adapters = append(g.Adapters, state)
	}
	for _, d := range s.Disks() {
		g.Disks = append(g.Disks, GuestDiskState{Number: d.Number, UniqueID: d.UniqueID, GUID: d.Seen.GUID, Offline: d.Offline})
	}
	return g
}

// domainPicture is what is seen of the domain; zero where there is none.
func (w *World) domainPicture() DomainState {
	d := w.domain
	if d == nil {
		return DomainState{}
	}
	state := DomainState{Name: d.Name, Stopped: d.Stopped, Policy: d.AdministratorPolicy, Rights: map[string][]string{}}
	for _, c := range d.Computers {
		state.Computers = append(state.Computers, c.Name)
	}
	for container, sids := range d.Rights {
		state.Rights[container] = slices.Clone(sids)
	}
	return state
}
