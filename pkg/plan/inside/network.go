package inside

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
)

// adapters gives each adapter, found by its MAC address, its network's name, addresses, gateways and DNS servers. An adapter that
// Windows does not see yet comes with the machine's.
func (p *planner) adapters(w *work) {
	names := map[int64]string{}
	for _, a := range w.seen.Adapters {
		names[a.Index] = a.Name
	}
	for _, n := range w.member.Networks {
		a, ok := adapterOf(n, w.seen)
		if !ok {
			p.wait(v1alpha1.ReasonWaitingForGuest, "the Windows in %s does not see adapter %s yet", w.member.Name, n.Name)
			continue
		}
		w.rename(n, a, names)
		if a.DHCP && len(ipv4Prefixes(n.Addresses)) > 0 {
			w.add(v1alpha1.ReasonSettingUp, w.network("set the addresses of adapter", n), cmdlet.AskForAddress(w.id("dhcp"), a.Index, false))
			// What DHCP gave goes with it.
			a.DHCP, a.Addresses, a.Gateways, a.DNSServers = false, nil, nil, nil
		}
		p.addresses(w, n, a)
		w.gateways(n, a)
		w.servers(n, a)
	}
}

func adapterOf(n Network, g guest.Member) (guest.Adapter, bool) {
	i := slices.IndexFunc(g.Adapters, func(a guest.Adapter) bool { return a.MAC == n.MAC })
	if i < 0 {
		return guest.Adapter{}, false
	}
	a := g.Adapters[i]
	// Windows tells them in no order.
	a.Addresses = slices.SortedFunc(slices.Values(a.Addresses), netip.Prefix.Compare)
	a.Gateways = slices.SortedFunc(slices.Values(a.Gateways), netip.Addr.Compare)
	return a, true
}

func (w *work) network(does string, n Network) string { return does + " " + n.Name }

// rename names an adapter after its network. One that has the name already steps aside: two adapters may have each other's.
func (w *work) rename(n Network, a guest.Adapter, names map[int64]string) {
	if names[a.Index] == n.Name {
		return
	}
	does := w.network("name adapter", n)
	for _, other := range w.seen.Adapters {
		if other.Index != a.Index && strings.EqualFold(names[other.Index], n.Name) {
			aside := fmt.Sprintf("%s (%s)", names[other.Index], other.MAC)
			w.add(v1alpha1.ReasonSettingUp, does, cmdlet.RenameAdapter(w.id("aside"), names[other.Index], aside))
			names[other.Index] = aside
		}
	}
	w.add(v1alpha1.ReasonSettingUp, does, cmdlet.RenameAdapter(w.id("name"), names[a.Index], n.Name))
	names[a.Index] = n.Name
}

func (w *work) id(name string) string { return fmt.Sprintf("%s%d", name, len(w.calls)) }

// addresses sets the addresses of an adapter that does not ask DHCP, or lets it ask.
func (p *planner) addresses(w *work, n Network, a guest.Adapter) {
	static := ipv4Prefixes(n.Addresses)
	set := func(c hostagent.Call) {
		w.add(v1alpha1.ReasonSettingUp, w.network("set the addresses of adapter", n), c)
	}
	if a.DHCP {
		return
	}
	for _, want := range static {
		if slices.Contains(a.Addresses, want) {
			continue
		}
		if hasAddress(a.Addresses, want.Addr()) {
			set(cmdlet.RemoveAddress(w.id("address"), a.Index, want.Addr()))
		}
		set(cmdlet.AddAddress(w.id("address"), a.Index, want))
	}
	// Last, since the member may be reached by what goes.
	for _, has := range a.Addresses {
		if !hasAddress(static, has.Addr()) && p.isNobodys(w.seen, has.Addr()) {
			set(cmdlet.RemoveAddress(w.id("address"), a.Index, has.Addr()))
		}
	}
	if len(static) == 0 {
		set(cmdlet.AskForAddress(w.id("dhcp"), a.Index, true))
	}
}

// hasAddress finds an address whatever its prefix.
func hasAddress(in []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(in, func(p netip.Prefix) bool { return p.Addr() == address })
}

// ipv4Prefixes and ipv4 leave out what members do not tell of: they are asked for IPv4 alone.
func ipv4Prefixes(in []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(in), func(a netip.Prefix) bool { return !a.Addr().Is4() })
}

func ipv4(in []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(in), func(a netip.Addr) bool { return !a.Is4() })
}

// isNobodys reports whether an address on a member is certainly none that the cluster inside put there.
func (p *planner) isNobodys(g guest.Member, address netip.Addr) bool {
	if !isNode(g) {
		return true
	}
	return p.seen.Cluster != nil && !slices.ContainsFunc(p.seen.Cluster.Resources, func(r guest.Resource) bool {
		return r.Type == guest.TypeIPAddress && r.Address == address.String()
	})
}

// gateways sets the default gateways of an adapter with static ones; those that DHCP gives come and go with it.
func (w *work) gateways(n Network, a guest.Adapter) {
	does := w.network("set the gateways of adapter", n)
	for _, want := range ipv4(n.Gateways) {
		if !slices.Contains(a.Gateways, want) {
			w.add(v1alpha1.ReasonSettingUp, does, cmdlet.AddGateway(w.id("gateway"), a.Index, want))
		}
	}
	if a.DHCP {
		return
	}
	for _, has := range a.Gateways {
		if !slices.Contains(n.Gateways, has) {
			w.add(v1alpha1.ReasonSettingUp, does, cmdlet.RemoveGateway(w.id("gateway"), a.Index, has))
		}
	}
}

// servers sets the DNS servers, and whether the adapter's addresses are registered there: the members' own network is no place
// to be found at.
func (w *work) servers(n Network, a guest.Adapter) {
	does := w.network("set DNS of adapter", n)
	client := n.Purpose == v1alpha1.NetworkPurposeClient
	servers := ipv4(n.DNSServers)
	switch {
	case len(servers) > 0 && !slices.Equal(servers, a.DNSServers):
		w.add(v1alpha1.ReasonSettingUp, does, cmdlet.SetDNSServers(w.id("dns"), a.Index, servers...))
	case !client && !a.DHCP && len(a.DNSServers) > 0:
		w.add(v1alpha1.ReasonSettingUp, does, cmdlet.SetDNSServers(w.id("dns"), a.Index))
	}
	if a.Registers != client {
		w.add(v1alpha1.ReasonSettingUp, does, cmdlet.SetRegistration(w.id("registration"), a.Index, client))
	}
}
