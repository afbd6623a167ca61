package cmdlet

import "guestclustering.io/operator/pkg/hostagent"

// Adapter describes a network adapter of a machine.
type Adapter struct {
	Name       string
	SwitchName string
	// MACAddress as twelve hexadecimal digits without separators, as Windows prints it.
	MACAddress string
	// ShowName says to show the adapter's name to the guest: the parameter exists from 2016 on.
	ShowName bool
}

// RemoveNewAdapters removes the adapter that New-VM makes unasked ("Remove-VMNetworkAdapter").
func RemoveNewAdapters(id, vmCall string) hostagent.Call {
	return call(id, "Remove-VMNetworkAdapter", p{"VM": ref(vmCall)})
}

// AddAdapter adds an adapter with a static address ("Add-VMNetworkAdapter").
func AddAdapter(id, vmCall string, a Adapter) hostagent.Call {
	parameters := p{
		"VM":               ref(vmCall),
		"Name":             hostagent.Text(a.Name),
		"SwitchName":       hostagent.Text(a.SwitchName),
		"StaticMacAddress": hostagent.Text(a.MACAddress),
	}
	if a.ShowName {
		parameters["DeviceNaming"] = hostagent.Text("On")
	}
	return call(id, "Add-VMNetworkAdapter", parameters)
}

// AdapterByName gets one adapter as a live object for the calls after it ("Get-VMNetworkAdapter").
func AdapterByName(id, vmCall, name string) hostagent.Call {
	return call(id, "Get-VMNetworkAdapter", p{"VM": ref(vmCall), "Name": hostagent.Text(name)})
}

// ConnectAdapter plugs an adapter into a switch; the machine may run ("Connect-VMNetworkAdapter").
func ConnectAdapter(id, adapterCall, switchName string) hostagent.Call {
	return call(id, "Connect-VMNetworkAdapter", p{"VMNetworkAdapter": ref(adapterCall), "SwitchName": hostagent.Text(switchName)})
}

// SetVLAN puts an adapter into a VLAN; the machine may run ("Set-VMNetworkAdapterVlan").
func SetVLAN(id, vmCall, adapter string, vlan int32) hostagent.Call {
	return call(id, "Set-VMNetworkAdapterVlan", p{
		"VM":                   ref(vmCall),
		"VMNetworkAdapterName": hostagent.Text(adapter),
		"Access":               hostagent.Bool(true),
		"VlanId":               hostagent.Int(vlan),
	})
}

// SetUntagged takes an adapter out of any VLAN ("Set-VMNetworkAdapterVlan").
func SetUntagged(id, vmCall, adapter string) hostagent.Call {
	return call(id, "Set-VMNetworkAdapterVlan", p{
		"VM":                   ref(vmCall),
		"VMNetworkAdapterName": hostagent.Text(adapter),
		"Untagged":             hostagent.Bool(true),
	})
}

// SetStaticMAC gives an adapter its address; the machine must be off ("Set-VMNetworkAdapter").
func SetStaticMAC(id, adapterCall, mac string) hostagent.Call {
	return call(id, "Set-VMNetworkAdapter", p{"VMNetworkAdapter": ref(adapterCall), "StaticMacAddress": hostagent.Text(mac)})
}
