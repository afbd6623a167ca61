package hypervsim

import (
	"net/netip"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// guestNetwork is what guests find on the hosts' switches.
type guestNetwork struct {
	dhcp         []DHCPModel
	domainSwitch string
	domainDNS    netip.Addr
}

func (w *World) addDomain(m Model) {
	w.network = guestNetwork{dhcp: m.DHCP, domainSwitch: m.DomainSwitch, domainDNS: m.DomainDNS}
	if m.Domain.Name != "" {
		w.domain = windows.NewDomain(m.Domain, w.newID)
	}
}

// reachesDomain is whether a guest can ask the domain's controller.
func (w *World) reachesDomain(m *machine) bool {
	return w.domain != nil && !w.domain.Stopped && slices.ContainsFunc(m.adapters, func(a *adapter) bool {
		return a.switchName != "" && strings.EqualFold(a.switchName, w.network.domainSwitch)
	})
}
