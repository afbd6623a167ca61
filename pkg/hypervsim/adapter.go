package hypervsim

import (
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hyperv"
)

// adapter is a network adapter of a machine.
type adapter struct {
	machine *machine
	id      string
	name    string
	mac     hyperv.MAC
	// dynamic is whether the address comes from the host's pool at the first start.
	dynamic    bool
	switchName string
	// vlan is 0 for untagged.
	vlan         int64
	deviceNaming bool
	removed      bool
}

var adapterClass = properties[*adapter]{
	"id":                       func(a *adapter) any { return "Microsoft:" + strings.ToUpper(a.machine.id+`\`+a.id) },
	"vmid":                     func(a *adapter) any { return a.machine.id },
	"vmname":                   func(a *adapter) any { return a.machine.name },
	"name":                     func(a *adapter) any { return a.name },
	"macaddress":               func(a *adapter) any { return a.mac.String() },
	"dynamicmacaddressenabled": func(a *adapter) any { return a.dynamic },
	"switchname":               func(a *adapter) any { return a.switchName },
	"connected":                func(a *adapter) any { return a.switchName != "" },
	"ismanagementos":           func(*adapter) any { return false },
	"vlansetting":              func(a *adapter) any { return vlanSetting(a.vlan) },
	"devicenaming":             func(a *adapter) any { return onOff(a.deviceNaming) },
}

func onOff(on bool) string {
	if on {
		return "On"
	}
	return "Off"
}

func vlanSetting(vlan int64) record {
	if vlan == 0 {
		return record{"operationmode": "Untagged", "accessvlanid": 0}
	}
	return record{"operationmode": "Access", "accessvlanid": vlan}
}

func adapterViews(adapters []*adapter) []any {
	out := make([]any, len(adapters))
	for i, a := range adapters {
		out[i] = view[*adapter]{a, adapterClass, a.name}
	}
	return out
}

// managementAdapter is the host's own adapter on a switch.
func (h *host) managementAdapter() record {
	r := record{
		"vmid": "00000000-0000-0000-0000-000000000000", "name": "Management", "macaddress": "",
		"switchname": "", "ismanagementos": true, "vlansetting": vlanSetting(0),
	}
	if len(h.switches) > 0 {
		r["name"], r["switchname"] = h.switches[0].name, h.switches[0].name
	}
	// The management system's addresses come from the network cards, not from the pool.
	r["macaddress"] = hyperv.MAC(0xA0369F000000 + uint64(h.nodeID)).String()
	return r
}

// getAdapter answers Get-VMNetworkAdapter.
func getAdapter(c *call) error {
	var machines []*machine
	switch {
	case c.flag("All"):
		machines = c.w.machinesOn(c.host, everyMachine)
		c.emit(c.host.managementAdapter())
	case c.flag("ManagementOS"):
		c.emit(c.host.managementAdapter())
	default:
		machines = c.machinesGiven()
	}
	for _, m := range machines {
		for _, a := range c.adaptersOf(m, "Name") {
			c.emit(view[*adapter]{a, adapterClass, a.name})
		}
	}
	return nil
}

// adaptersOf are a machine's adapters, those of one name when the parameter is given. A name that none has is reported.
func (c *call) adaptersOf(m *machine, parameter string) []*adapter {
	if !c.has(parameter) {
		return m.adapters
	}
	name := c.text(parameter)
	var out []*adapter
	for _, a := range m.adapters {
		if matchesName(name, a.name) {
			out = append(out, a)
		}
	}
	if len(out) == 0 && !strings.Contains(name, "*") {
		c.report(refuse("ObjectNotFound", hresultNone, "ObjectNotFound", name, "The virtual machine %q has no network adapter %q.", m.name, name))
	}
	return out
}

// adaptersGiven are the adapters that the parameter VMNetworkAdapter was given; what is gone is reported.
func (c *call) adaptersGiven() []*adapter {
	return slices.DeleteFunc(given[*adapter](c, "VMNetworkAdapter"), func(a *adapter) bool {
		gone := a.removed || a.machine.removed || a.machine.host != c.host
		if gone {
			c.report(refuse("ObjectNotFound", hresultNone, "ObjectNotFound", a.name, "The network adapter %q does not exist any more.", a.name))
		}
		return gone
	})
}

// addAdapter answers Add-VMNetworkAdapter.
func addAdapter(c *call) error {
	for _, m := range c.machinesGiven() {
		a, err := c.newAdapter(m)
		if err != nil {
			c.report(err)
			continue
		}
		m.adapters = append(m.adapters, a)
		c.did("added adapter " + a.name + " to VM " + m.name)
		if c.flag("Passthru") {
			c.emit(view[*adapter]{a, adapterClass, a.name})
		}
	}
	return nil
}

func (c *call) newAdapter(m *machine) (*adapter, error) {
	a := &adapter{
		machine: m, id: c.w.newID(), name: c.text("Name"), dynamic: true,
		switchName: c.text("SwitchName"), deviceNaming: strings.EqualFold(c.text("DeviceNaming"), "On"),
	}
	if a.name == "" {
		a.name = "Network Adapter"
	}
	switch {
	case !m.settled() || m.state == saved || m.state == running && m.generation == 1:
		return nil, wrongState(m, "Adding a network adapter")
	case len(m.adapters) >= maxAdapters(c.host.build):
		return nil, refuse("LimitsExceeded", hresultNone, "LimitsExceeded", m.name, "%q has its %d network adapters already.", m.name, len(m.adapters))
	case a.switchName != "" && c.host.switchNamed(a.switchName) == nil:
		return nil, noSwitch(a.switchName)
	case !c.has("StaticMacAddress"):
		return a, nil
	}
	mac, err := hyperv.ParseMAC(c.text("StaticMacAddress"))
	if err != nil {
		return nil, invalid(m.name, "%q is no MAC address.", c.text("StaticMacAddress"))
	}
	a.mac, a.dynamic = mac, false
	return a, nil
}

// maxAdapters is the number of synthetic adapters that a build gives a machine ("Plan for Hyper-V scalability").
func maxAdapters(build int) int {
	if build < hyperv.Build2019 {
		return 8
	}
	return 64
}

// removeAdapter answers Remove-VMNetworkAdapter.
func removeAdapter(c *call) error {
	adapters := c.adaptersGiven()
	if !c.has("VMNetworkAdapter") {
		for _, m := range c.machinesGiven() {
			adapters = append(adapters, c.adaptersOf(m, "Name")...)
		}
	}
	for _, a := range adapters {
		m := a.machine
		if !m.settled() || m.state == running && m.generation == 1 {
			c.report(wrongState(m, "Removing a network adapter"))
			continue
		}
		c.w.unplug(a)
		c.did("removed adapter " + a.name + " from VM " + m.name)
	}
	return nil
}

func (w *World) unplug(a *adapter) {
	a.removed = true
	// The slice may be the one that a caller walks through.
	a.machine.adapters = drop(slices.Clone(a.machine.adapters), a)
}

// connectAdapter answers Connect-VMNetworkAdapter.
func connectAdapter(c *call) error {
	if c.host.switchNamed(c.text("SwitchName")) == nil {
		return noSwitch(c.text("SwitchName"))
	}
	for _, a := range c.adaptersGiven() {
		a.switchName = c.text("SwitchName")
		c.did("connected adapter " + a.name + " of VM " + a.machine.name + " to " + a.switchName)
	}
	return nil
}

// setAdapter answers Set-VMNetworkAdapter: the address of a running machine's adapter stays.
func setAdapter(c *call) error {
	for _, a := range c.adaptersGiven() {
		if !c.has("StaticMacAddress") {
			continue
		}
		mac, err := hyperv.ParseMAC(c.text("StaticMacAddress"))
		switch {
		case err != nil:
			c.report(invalid(a.name, "%q is no MAC address.", c.text("StaticMacAddress")))
		case a.machine.state != off:
			c.report(wrongState(a.machine, "Setting the MAC address"))
		default:
			a.mac, a.dynamic = mac, false
			c.did("set the address of adapter " + a.name + " of VM " + a.machine.name)
		}
	}
	return nil
}

// setVLAN answers Set-VMNetworkAdapterVlan.
func setVLAN(c *call) error {
	vlan := c.integer("VlanId", 0)
	switch {
	case c.flag("Untagged"):
		vlan = 0
	case !c.flag("Access") || vlan < 1 || vlan > 4094:
		return invalid(c.text("VMNetworkAdapterName"), "VLAN %d is out of range: 1 to 4094.", vlan)
	}
	adapters := c.adaptersGiven()
	if !c.has("VMNetworkAdapter") {
		for _, m := range c.machinesGiven() {
			adapters = append(adapters, c.adaptersOf(m, "VMNetworkAdapterName")...)
		}
	}
	for _, a := range adapters {
		a.vlan = vlan
		c.did("set the VLAN of adapter " + a.name + " of VM " + a.machine.name)
	}
	return nil
}
