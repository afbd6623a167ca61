package hypervsim

import "guestclustering.io/operator/pkg/hypervsim/windows"

// GuestState is the Windows in a machine, as it was when it was looked at last from inside.
type GuestState struct {
	// Phase is what goes on: Booting, Specialising, Welcoming, Up, Ending, or empty while the machine does not run.
	Phase string        `json:"phase,omitempty"`
	Setup windows.Setup `json:"setup"`
	// Waits is why set-up waits for somebody.
	Waits        string              `json:"waits,omitempty"`
	ComputerName string              `json:"computerName"`
	Domain       string              `json:"domain,omitempty"`
	Adapters     []GuestAdapterState `json:"adapters"`
}

// GuestAdapterState is a network adapter as a guest has set it up.
type GuestAdapterState struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac"`
	Addresses []string `json:"addresses"`
}

// guestPicture is what is seen of a machine's Windows; zero before its first start.
func (m *machine) guestPicture() GuestState {
	s := m.guest.system
	if s == nil {
		return GuestState{}
	}
	g := GuestState{Phase: string(m.guest.phase), Setup: s.Setup, Waits: s.Waits, ComputerName: s.Name()}
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
	return g
}
