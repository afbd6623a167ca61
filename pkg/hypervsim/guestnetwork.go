package hypervsim

import (
	"net/netip"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// guestNetwork is what guests find on the hosts' switches.
type guestNetwork struct {
	dhcp         []DHCPModel
	domainSwitch string
	domainDNS    netip.Addr
	// leases are the addresses that the DHCP servers gave, in their order, to the adapters that asked.
	leases []map[hyperv.MAC]netip.Addr
}

func (w *World) addDomain(m Model) {
	w.network = guestNetwork{dhcp: m.DHCP, domainSwitch: m.DomainSwitch, domainDNS: m.DomainDNS}
	for range m.DHCP {
		w.network.leases = append(w.network.leases, map[hyperv.MAC]netip.Addr{})
	}
	if m.Domain.Name != "" {
		w.domain = windows.NewDomain(m.Domain, w.newID)
	}
}

// plug tells the Windows in a machine which adapters and disks the machine has now.
func (w *World) plug(m *machine) {
	if m.guest.system == nil {
		return
	}
	var nics []windows.NIC
	for _, a := range m.adapters {
		if a.mac != 0 {
			nics = append(nics, windows.NIC{MAC: a.mac, Connected: a.switchName != "", Lease: w.network.lease(a)})
		}
	}
	m.guest.system.Plug(nics)
	m.guest.system.Attach(w.devices(m))
}

// lease is what a DHCP server gives an adapter, or nil where none hears it.
func (n *guestNetwork) lease(a *adapter) *windows.Lease {
	for i, d := range n.dhcp {
		if !strings.EqualFold(d.Switch, a.switchName) || d.VLAN != a.vlan {
			continue
		}
		address, ok := n.leases[i][a.mac]
		if !ok {
			address = d.First
			for range len(n.leases[i]) {
				address = address.Next()
			}
			n.leases[i][a.mac] = address
		}
		return &windows.Lease{Address: netip.PrefixFrom(address, d.Subnet.Bits()), Gateway: d.Gateway, DNS: []netip.Addr{d.DNS}}
	}
	return nil
}

// reachesDomain is whether a guest can ask the domain's controller: an adapter on its switch with an address asks its DNS
// server.
func (w *World) reachesDomain(m *machine) bool {
	if w.domain == nil || w.domain.Stopped || m.guest.system == nil || w.services.isolated[m] {
		return false
	}
	w.plug(m)
	for _, a := range m.guest.system.Adapters() {
		if a.Up && slices.Contains(a.DNSServers(), w.network.domainDNS) && isRouted(a) && strings.EqualFold(m.switchOf(a.MAC), w.network.domainSwitch) {
			return true
		}
	}
	return false
}

// isRouted is whether an adapter has an address that others can answer to.
func isRouted(a *windows.Adapter) bool {
	return slices.ContainsFunc(a.Addresses(), func(o windows.Address) bool { return o.Origin != windows.OriginLink })
}

// switchOf is the switch that the adapter with an address is plugged into.
func (m *machine) switchOf(mac hyperv.MAC) string {
	for _, a := range m.adapters {
		if a.mac == mac {
			return a.switchName
		}
	}
	return ""
}

func init() {
	inGuests(map[string]command{
		"Get-NetAdapter":             {reading, needsHost, getNetAdapter},
		"Get-NetIPAddress":           {reading, needsHost, getNetIPAddress},
		"Get-NetIPInterface":         {reading, needsHost, getNetIPInterface},
		"Get-NetRoute":               {reading, needsHost, getNetRoute},
		"Get-DnsClientServerAddress": {reading, needsHost, getDNSServers},
		"Get-DnsClient":              {reading, needsHost, getDNSClient},
		"Rename-NetAdapter":          {changing, needsHost, renameNetAdapter},
		"Set-NetIPInterface":         {changing, needsHost, setNetIPInterface},
		"New-NetIPAddress":           {changing, needsHost, newNetIPAddress},
		"Remove-NetIPAddress":        {changing, needsHost, removeNetIPAddress},
		"New-NetRoute":               {changing, needsHost, newNetRoute},
		"Remove-NetRoute":            {changing, needsHost, removeNetRoute},
		"Set-DnsClientServerAddress": {changing, needsHost, setDNSServers},
		"Set-DnsClient":              {changing, needsHost, setDNSClient},
	})
}

// loopback is the index of the interface that every Windows has.
const loopback = 1

func getNetAdapter(c *call) error {
	for _, a := range c.system().Adapters() {
		if c.has("Name") && !slices.ContainsFunc(c.texts("Name"), func(name string) bool { return matchesName(name, a.Name) }) {
			continue
		}
		status := "Disconnected"
		if a.Up {
			status = "Up"
		}
		c.emit(cimInstance{record{"interfaceindex": a.Index, "ifindex": a.Index, "name": a.Name, "macaddress": a.MAC.Dashed(), "status": status}})
	}
	return nil
}

// asksFor is whether a call with the optional parameters InterfaceIndex and AddressFamily is about an interface's IPv4.
func (c *call) asksFor(index int64) bool {
	families := c.texts("AddressFamily")
	if len(families) > 0 && !slices.ContainsFunc(families, func(f string) bool { return strings.EqualFold(f, "IPv4") }) {
		return false
	}
	return !c.has("InterfaceIndex") || slices.Contains(c.numbers("InterfaceIndex"), index)
}

// numbers gives a parameter as a list of numbers.
func (c *call) numbers(name string) []int64 {
	var out []int64
	for _, v := range c.all(name) {
		if n, ok := v.(int64); ok {
			out = append(out, n)
		}
	}
	return out
}

// noInstance is how the cmdlets that are made of CIM classes say that nothing matches ("about_CDXML").
func noInstance(class, property, value string) *refusal {
	return refuse("ObjectNotFound", hresultNone, "CmdletizationQuery_NotFound_"+property, value,
		"No %s objects found with property '%s' equal to '%s'.", class, property, value)
}

// anyFound says that nothing matched what a call asked for by an interface's index or a route's destination.
func (c *call) anyFound(class string) error {
	if len(c.values) > 0 {
		return nil
	}
	for _, parameter := range []string{"DestinationPrefix", "InterfaceIndex"} {
		if c.has(parameter) {
			return noInstance(class, parameter, c.texts(parameter)[0])
		}
	}
	return nil
}

func getNetIPAddress(c *call) error {
	for _, a := range c.system().Adapters() {
		for _, o := range a.Addresses() {
			if c.asksFor(a.Index) {
				c.emit(cimInstance{record{
					"interfaceindex": a.Index, "ipaddress": o.Prefix.Addr().String(), "prefixlength": int64(o.Prefix.Bits()),
					"suffixorigin": o.Origin, "prefixorigin": strings.Replace(o.Origin, windows.OriginLink, "WellKnown", 1), "addressfamily": "IPv4",
				}})
			}
		}
	}
	if c.asksFor(loopback) {
		c.emit(cimInstance{record{
			"interfaceindex": int64(loopback), "ipaddress": "127.0.0.1", "prefixlength": int64(8), "suffixorigin": "WellKnown",
			"prefixorigin": "WellKnown", "addressfamily": "IPv4",
		}})
	}
	return c.anyFound("MSFT_NetIPAddress")
}

func getNetIPInterface(c *call) error {
	for _, a := range c.system().Adapters() {
		if c.asksFor(a.Index) {
			c.emit(cimInstance{record{"interfaceindex": a.Index, "interfacealias": a.Name, "dhcp": enabled(a.DHCP), "addressfamily": "IPv4"}})
		}
	}
	if c.asksFor(loopback) {
		c.emit(cimInstance{record{"interfaceindex": int64(loopback), "interfacealias": "Loopback Pseudo-Interface 1", "dhcp": enabled(false), "addressfamily": "IPv4"}})
	}
	return c.anyFound("MSFT_NetIPInterface")
}

func enabled(on bool) string {
	if on {
		return "Enabled"
	}
	return "Disabled"
}

// defaultRoute is the destination of a gateway.
const defaultRoute = "0.0.0.0/0"

// getNetRoute answers Get-NetRoute for default routes, the only ones that are here. Without a match it fails.
func getNetRoute(c *call) error {
	if c.has("DestinationPrefix") && !slices.Contains(c.texts("DestinationPrefix"), defaultRoute) {
		return c.anyFound("MSFT_NetRoute")
	}
	for _, a := range c.system().Adapters() {
		for _, gateway := range a.DefaultGateways() {
			if c.asksFor(a.Index) {
				c.emit(cimInstance{record{"interfaceindex": a.Index, "destinationprefix": defaultRoute, "nexthop": gateway.String(), "addressfamily": "IPv4"}})
			}
		}
	}
	return c.anyFound("MSFT_NetRoute")
}

func getDNSServers(c *call) error {
	for _, a := range c.system().Adapters() {
		var servers []any
		for _, s := range a.DNSServers() {
			servers = append(servers, s.String())
		}
		if c.asksFor(a.Index) {
			c.emit(cimInstance{record{"interfaceindex": a.Index, "interfacealias": a.Name, "serveraddresses": append([]any{}, servers...)}})
		}
	}
	if c.asksFor(loopback) {
		c.emit(cimInstance{record{"interfaceindex": int64(loopback), "interfacealias": "Loopback Pseudo-Interface 1", "serveraddresses": []any{}}})
	}
	return nil
}

func getDNSClient(c *call) error {
	for _, a := range c.system().Adapters() {
		if c.asksFor(a.Index) {
			c.emit(cimInstance{record{"interfaceindex": a.Index, "interfacealias": a.Name, "registerthisconnectionsaddress": a.Registers}})
		}
	}
	if c.asksFor(loopback) {
		c.emit(cimInstance{record{"interfaceindex": int64(loopback), "interfacealias": "Loopback Pseudo-Interface 1", "registerthisconnectionsaddress": true}})
	}
	return c.anyFound("MSFT_DNSClient")
}

func renameNetAdapter(c *call) error {
	name := c.text("Name")
	adapters := c.system().Adapters()
	i := slices.IndexFunc(adapters, func(a *windows.Adapter) bool { return strings.EqualFold(a.Name, name) })
	if i < 0 {
		return noInstance("MSFT_NetAdapter", "Name", name)
	}
	newName := c.text("NewName")
	if slices.ContainsFunc(adapters, func(a *windows.Adapter) bool { return a != adapters[i] && strings.EqualFold(a.Name, newName) }) {
		return refuse("ResourceExists", hresultNone, "Windows System Error 183", newName, "Cannot create a file when that file already exists.")
	}
	adapters[i].Name = newName
	c.did("renamed network adapter " + name + " to " + newName + " in VM " + c.guest.machine.name)
	return nil
}

// adapterMeant is the adapter that InterfaceIndex names.
func (c *call) adapterMeant(class string) (*windows.Adapter, error) {
	index := int64(-1)
	if numbers := c.numbers("InterfaceIndex"); len(numbers) == 1 {
		index = numbers[0]
	}
	for _, a := range c.system().Adapters() {
		if a.Index == index {
			return a, nil
		}
	}
	return nil, noInstance(class, "InterfaceIndex", strings.Join(c.texts("InterfaceIndex"), ", "))
}

// changeAdapter does something to the adapter that InterfaceIndex names.
func (c *call) changeAdapter(class string, change func(*windows.Adapter) (string, error)) error {
	a, err := c.adapterMeant(class)
	if err != nil {
		return err
	}
	did, err := change(a)
	if err == nil {
		c.did(did + " of network adapter " + a.Name + " in VM " + c.guest.machine.name)
	}
	return err
}

func setNetIPInterface(c *call) error {
	return c.changeAdapter("MSFT_NetIPInterface", func(a *windows.Adapter) (string, error) {
		if c.has("Dhcp") {
			a.AskForAddress(strings.EqualFold(c.text("Dhcp"), "Enabled"))
		}
		return "set DHCP", nil
	})
}

// address reads a parameter as an IPv4 address.
func (c *call) address(name string) (netip.Addr, error) {
	text := c.text(name)
	address, err := netip.ParseAddr(text)
	if err != nil || !address.Is4() {
		return address, refuse("InvalidArgument", hresultParameter, "Windows System Error 87", text, "The parameter is incorrect: %s is no IPv4 address.", text)
	}
	return address, nil
}

// newNetIPAddress answers New-NetIPAddress. It turns DHCP off, which an adapter that is not connected does not take.
func newNetIPAddress(c *call) error {
	return c.changeAdapter("MSFT_NetIPInterface", func(a *windows.Adapter) (string, error) {
		address, err := c.address("IPAddress")
		if err != nil {
			return "", err
		}
		if a.DHCP && !a.Up {
			return "", refuse("InvalidArgument", hresultParameter, "Windows System Error 87", a.Name, "Inconsistent parameters PolicyStore PersistentStore and Dhcp Enabled")
		}
		prefix := netip.PrefixFrom(address, int(c.integer("PrefixLength", 32)))
		if !a.AddAddress(prefix) {
			return "", refuse("InvalidArgument", hresultNone, "Windows System Error 5010", address.String(), "Instance MSFT_NetIPAddress already exists")
		}
		return "added address " + prefix.String(), nil
	})
}

func removeNetIPAddress(c *call) error {
	return c.changeAdapter("MSFT_NetIPAddress", func(a *windows.Adapter) (string, error) {
		address, err := c.address("IPAddress")
		if err != nil {
			return "", err
		}
		if !a.RemoveAddress(address) {
			return "", noInstance("MSFT_NetIPAddress", "IPAddress", address.String())
		}
		return "removed address " + address.String(), nil
	})
}

// gateway is the next hop of the default route that a call is about.
func (c *call) gateway() (netip.Addr, error) {
	if c.text("DestinationPrefix") != defaultRoute {
		return netip.Addr{}, refuse("NotImplemented", hresultUnsupported, "NotImplemented", c.text("DestinationPrefix"), "Routes other than %s are not simulated.", defaultRoute)
	}
	return c.address("NextHop")
}

func newNetRoute(c *call) error {
	return c.changeAdapter("MSFT_NetIPInterface", func(a *windows.Adapter) (string, error) {
		gateway, err := c.gateway()
		if err != nil {
			return "", err
		}
		if slices.Contains(a.Gateways, gateway) {
			return "", refuse("InvalidArgument", hresultParameter, "Windows System Error 87", gateway.String(), "Instance MSFT_NetRoute already exists")
		}
		a.Gateways = append(a.Gateways, gateway)
		return "added gateway " + gateway.String(), nil
	})
}

func removeNetRoute(c *call) error {
	return c.changeAdapter("MSFT_NetRoute", func(a *windows.Adapter) (string, error) {
		gateway, err := c.gateway()
		if err != nil {
			return "", err
		}
		i := slices.Index(a.Gateways, gateway)
		if i < 0 {
			return "", noInstance("MSFT_NetRoute", "NextHop", gateway.String())
		}
		a.Gateways = slices.Delete(a.Gateways, i, i+1)
		return "removed gateway " + gateway.String(), nil
	})
}

func setDNSServers(c *call) error {
	return c.changeAdapter("MSFT_DNSClientServerAddress", func(a *windows.Adapter) (string, error) {
		var servers []netip.Addr
		for _, text := range c.texts("ServerAddresses") {
			server, err := netip.ParseAddr(text)
			if err != nil {
				return "", refuse("InvalidArgument", hresultParameter, "Windows System Error 87", text, "The parameter is incorrect: %s is no address.", text)
			}
			servers = append(servers, server)
		}
		a.DNS = servers
		return "set the DNS servers", nil
	})
}

func setDNSClient(c *call) error {
	return c.changeAdapter("MSFT_DNSClient", func(a *windows.Adapter) (string, error) {
		if c.has("RegisterThisConnectionsAddress") {
			a.Registers = c.flag("RegisterThisConnectionsAddress")
		}
		return "set the registration in DNS", nil
	})
}
