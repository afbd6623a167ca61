package windows

import (
	"fmt"
	"net/netip"
	"slices"

	"guestclustering.io/operator/pkg/hyperv"
)

// NIC is a network adapter that the machine has now.
type NIC struct {
	MAC       hyperv.MAC
	Connected bool
	// Lease is what a DHCP server would give it; nil where none answers.
	Lease *Lease
}

// Lease is what a DHCP server gives.
type Lease struct {
	Address netip.Prefix
	Gateway netip.Addr
	DNS     []netip.Addr
}

// Adapter is a network adapter as Windows has set it up. It is known again by its address.
type Adapter struct {
	// Index is the interface's; it is another one after a restart.
	Index int64
	Name  string
	MAC   hyperv.MAC
	// Up is whether it is connected.
	Up bool
	// DHCP is whether it asks for an address; Static are those that it was given, Gateways and DNS likewise.
	DHCP     bool
	Static   []netip.Prefix
	Gateways []netip.Addr
	DNS      []netip.Addr
	// Registers is whether its addresses are registered in DNS.
	Registers bool

	lease   *Lease
	present bool
}

// Where an address is from ("Get-NetIPAddress", SuffixOrigin).
const (
	OriginManual = "Manual"
	OriginDHCP   = "Dhcp"
	OriginLink   = "Link"
)

// Address is an IPv4 address of an adapter.
type Address struct {
	Prefix netip.Prefix
	Origin string
}

// Addresses are those that the adapter has now: one that asks and hears nothing takes a link-local one.
func (a *Adapter) Addresses() []Address {
	var out []Address
	for _, p := range a.Static {
		out = append(out, Address{Prefix: p, Origin: OriginManual})
	}
	switch {
	case !a.DHCP || !a.Up:
	case a.lease != nil:
		out = append(out, Address{Prefix: a.lease.Address, Origin: OriginDHCP})
	default:
		h := sum("link-local", a.MAC.String())
		// 169.254.1.0 to 169.254.254.255 ("RFC 3927").
		out = append(out, Address{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{169, 254, 1 + h[0]%254, h[1]}), 16), Origin: OriginLink})
	}
	return out
}

// leased is whether what DHCP gave is in force.
func (a *Adapter) leased() bool { return a.DHCP && a.Up && a.lease != nil }

// DefaultGateways are those that the adapter has now.
func (a *Adapter) DefaultGateways() []netip.Addr {
	if a.leased() && a.lease.Gateway.IsValid() {
		return append(slices.Clone(a.Gateways), a.lease.Gateway)
	}
	return a.Gateways
}

// DNSServers are those that the adapter asks now.
func (a *Adapter) DNSServers() []netip.Addr {
	if len(a.DNS) == 0 && a.leased() {
		return a.lease.DNS
	}
	return a.DNS
}

// AskForAddress turns DHCP on or off. Turning it on takes the static addresses away; gateways stay.
func (a *Adapter) AskForAddress(ask bool) {
	a.DHCP = ask
	if ask {
		a.Static = nil
	}
}

// AddAddress gives the adapter a static address, which turns DHCP off. It says whether it was new.
func (a *Adapter) AddAddress(p netip.Prefix) bool {
	if a.has(p.Addr()) {
		return false
	}
	a.DHCP = false
	a.Static = append(a.Static, p)
	return true
}

func (a *Adapter) has(address netip.Addr) bool {
	return slices.ContainsFunc(a.Static, func(p netip.Prefix) bool { return p.Addr() == address })
}

// RemoveAddress takes a static address away. It says whether it was there.
func (a *Adapter) RemoveAddress(address netip.Addr) bool {
	was := a.has(address)
	a.Static = slices.DeleteFunc(a.Static, func(p netip.Prefix) bool { return p.Addr() == address })
	return was
}

// Plug tells Windows which adapters the machine has now. One that it has never seen asks for an address and is named Ethernet.
func (s *System) Plug(nics []NIC) {
	for _, a := range s.adapters {
		a.present = false
	}
	for _, n := range nics {
		a := s.adapterOf(n.MAC)
		if a == nil {
			a = &Adapter{Name: s.freeName("Ethernet"), MAC: n.MAC, DHCP: true, Registers: true}
			s.adapters = append(s.adapters, a)
		}
		if a.Index == 0 {
			a.Index = s.freeIndex()
		}
		a.present, a.Up, a.lease = true, n.Connected, n.Lease
	}
}

// freeIndex is an index that no adapter has since the last start, from another number on after each.
func (s *System) freeIndex() int64 {
	index := int64(3 + s.boots%5*2)
	for slices.ContainsFunc(s.adapters, func(a *Adapter) bool { return a.Index == index }) {
		index++
	}
	return index
}

func (s *System) freeName(base string) string {
	name := base
	for i := 2; slices.ContainsFunc(s.adapters, func(a *Adapter) bool { return a.Name == name }); i++ {
		name = fmt.Sprintf("%s %d", base, i)
	}
	return name
}

func (s *System) adapterOf(mac hyperv.MAC) *Adapter {
	i := slices.IndexFunc(s.adapters, func(a *Adapter) bool { return a.MAC == mac })
	if i < 0 {
		return nil
	}
	return s.adapters[i]
}

// Adapters are those that the machine has now.
func (s *System) Adapters() []*Adapter {
	return slices.DeleteFunc(slices.Clone(s.adapters), func(a *Adapter) bool { return !a.present })
}
