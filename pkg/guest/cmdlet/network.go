package cmdlet

import (
	"net/netip"

	"guestclustering.io/operator/pkg/hostagent"
)

// Adapters reads the guest's adapters; MacAddress is in capitals with dashes ("Get-NetAdapter").
func Adapters(id string) hostagent.Call {
	return call(id, "Get-NetAdapter", nil, "InterfaceIndex", "Name", "MacAddress", "Status")
}

// Addresses reads the IPv4 addresses; SuffixOrigin is Manual, Dhcp, Link and others ("Get-NetIPAddress").
func Addresses(id string) hostagent.Call {
	return call(id, "Get-NetIPAddress", p{"AddressFamily": hostagent.Texts("IPv4")}, "InterfaceIndex", "IPAddress", "PrefixLength", "SuffixOrigin")
}

// Interfaces reads whether the adapters ask for addresses: Dhcp is Enabled or Disabled ("Get-NetIPInterface").
func Interfaces(id string) hostagent.Call {
	return call(id, "Get-NetIPInterface", p{"AddressFamily": hostagent.Texts("IPv4")}, "InterfaceIndex", "Dhcp")
}

// DefaultRoutes reads the default gateways ("Get-NetRoute").
func DefaultRoutes(id string) hostagent.Call {
	return call(id, "Get-NetRoute", p{"AddressFamily": hostagent.Texts("IPv4"), "DestinationPrefix": hostagent.Texts(defaultRoute)}, "InterfaceIndex", "NextHop")
}

const defaultRoute = "0.0.0.0/0"

// DNSServers reads the DNS servers of each adapter ("Get-DnsClientServerAddress").
func DNSServers(id string) hostagent.Call {
	return call(id, "Get-DnsClientServerAddress", p{"AddressFamily": hostagent.Texts("IPv4")}, "InterfaceIndex", "ServerAddresses")
}

// Registrations reads whether the adapters' addresses are registered in DNS ("Get-DnsClient").
func Registrations(id string) hostagent.Call {
	return call(id, "Get-DnsClient", nil, "InterfaceIndex", "RegisterThisConnectionsAddress")
}

// RenameAdapter gives an adapter the name of its network ("Rename-NetAdapter").
func RenameAdapter(id, name, newName string) hostagent.Call {
	return call(id, "Rename-NetAdapter", p{"Name": hostagent.Texts(name), "NewName": hostagent.Text(newName)})
}

// AskForAddress turns DHCP on or off for an adapter ("Set-NetIPInterface").
func AskForAddress(id string, index int64, ask bool) hostagent.Call {
	dhcp := "Disabled"
	if ask {
		dhcp = "Enabled"
	}
	return call(id, "Set-NetIPInterface", p{
		"InterfaceIndex": hostagent.List{hostagent.Int(index)}, "AddressFamily": hostagent.Texts("IPv4"), "Dhcp": hostagent.Text(dhcp),
	})
}

// AddAddress gives an adapter a static address ("New-NetIPAddress").
func AddAddress(id string, index int64, address netip.Prefix) hostagent.Call {
	return call(id, "New-NetIPAddress", p{
		"InterfaceIndex": hostagent.Int(index), "IPAddress": hostagent.Text(address.Addr().String()), "PrefixLength": hostagent.Int(address.Bits()),
	})
}

// RemoveAddress takes an address from an adapter ("Remove-NetIPAddress").
func RemoveAddress(id string, index int64, address netip.Addr) hostagent.Call {
	return call(id, "Remove-NetIPAddress", p{"InterfaceIndex": hostagent.List{hostagent.Int(index)}, "IPAddress": hostagent.Texts(address.String())})
}

// AddGateway gives an adapter a default gateway ("New-NetRoute").
func AddGateway(id string, index int64, gateway netip.Addr) hostagent.Call {
	return call(id, "New-NetRoute", p{
		"InterfaceIndex": hostagent.Int(index), "DestinationPrefix": hostagent.Text(defaultRoute), "NextHop": hostagent.Text(gateway.String()),
	})
}

// RemoveGateway takes a default gateway from an adapter ("Remove-NetRoute").
func RemoveGateway(id string, index int64, gateway netip.Addr) hostagent.Call {
	return call(id, "Remove-NetRoute", p{
		"InterfaceIndex": hostagent.List{hostagent.Int(index)}, "DestinationPrefix": hostagent.Texts(defaultRoute), "NextHop": hostagent.Texts(gateway.String()),
	})
}

// SetDNSServers sets an adapter's DNS servers; none resets them to what DHCP gives ("Set-DnsClientServerAddress").
func SetDNSServers(id string, index int64, servers ...netip.Addr) hostagent.Call {
	parameters := p{"InterfaceIndex": hostagent.List{hostagent.Int(index)}}
	if len(servers) == 0 {
		parameters["ResetServerAddresses"] = hostagent.Bool(true)
		return call(id, "Set-DnsClientServerAddress", parameters)
	}
	var texts []string
	for _, s := range servers {
		texts = append(texts, s.String())
	}
	parameters["ServerAddresses"] = hostagent.Texts(texts...)
	return call(id, "Set-DnsClientServerAddress", parameters)
}

// SetRegistration says whether an adapter's addresses are registered in DNS ("Set-DnsClient").
func SetRegistration(id string, index int64, register bool) hostagent.Call {
	return call(id, "Set-DnsClient", p{"InterfaceIndex": hostagent.List{hostagent.Int(index)}, "RegisterThisConnectionsAddress": hostagent.Bool(register)})
}
