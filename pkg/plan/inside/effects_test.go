package inside_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

var errTwice = errors.New("it was done already")

// effects are what calls do to the world, by cmdlet. What a real cmdlet refuses is refused.
var effects = map[string]func(*world, *machine, args) error{
	"Remove-Item": func(_ *world, m *machine, _ args) error {
		if !m.AnswerFile {
			return errTwice
		}
		m.AnswerFile = false
		return nil
	},
	"Rename-NetAdapter": func(_ *world, m *machine, a args) error {
		if slices.ContainsFunc(m.Adapters, func(o guest.Adapter) bool { return strings.EqualFold(o.Name, a.text("NewName")) }) {
			return fmt.Errorf("%s has an adapter %s already", m.ComputerName, a.text("NewName"))
		}
		for i, o := range m.Adapters {
			if o.Name == a.text("Name") {
				m.Adapters[i].Name = a.text("NewName")
				return nil
			}
		}
		return fmt.Errorf("%s has no adapter %s", m.ComputerName, a.text("Name"))
	},
	"Set-NetIPInterface": onAdapter(func(o *guest.Adapter, a args) error {
		o.DHCP = a.text("Dhcp") == "Enabled"
		o.Addresses = nil
		return nil
	}),
	"New-NetIPAddress": onAdapter(func(o *guest.Adapter, a args) error {
		x := address(a.text("IPAddress"), a.number("PrefixLength"))
		if o.DHCP || slices.ContainsFunc(o.Addresses, func(p netip.Prefix) bool { return p.Addr() == x.Addr() }) {
			return fmt.Errorf("%s cannot have %s", o.Name, x)
		}
		o.Addresses = append(o.Addresses, x)
		return nil
	}),
	"Remove-NetIPAddress": onAdapter(func(o *guest.Adapter, a args) error {
		before := len(o.Addresses)
		o.Addresses = slices.DeleteFunc(o.Addresses, func(p netip.Prefix) bool { return p.Addr().String() == a.text("IPAddress") })
		if len(o.Addresses) == before {
			return errTwice
		}
		return nil
	}),
	"New-NetRoute": onAdapter(func(o *guest.Adapter, a args) error {
		o.Gateways = append(o.Gateways, netip.MustParseAddr(a.text("NextHop")))
		return nil
	}),
	"Remove-NetRoute": onAdapter(func(o *guest.Adapter, a args) error {
		o.Gateways = slices.DeleteFunc(o.Gateways, func(g netip.Addr) bool { return g.String() == a.text("NextHop") })
		return nil
	}),
	"Set-DnsClientServerAddress": onAdapter(func(o *guest.Adapter, a args) error {
		o.DNSServers = nil
		for _, s := range a.texts("ServerAddresses") {
			o.DNSServers = append(o.DNSServers, netip.MustParseAddr(s))
		}
		return nil
	}),
	"Set-DnsClient": onAdapter(func(o *guest.Adapter, a args) error {
		o.Registers = a.yes("RegisterThisConnectionsAddress")
		return nil
	}),
	"Install-WindowsFeature": func(w *world, m *machine, a args) error {
		if w.featuresRestart {
			m.installing = append(m.installing, a.texts("Name")...)
			return nil
		}
		m.Features = append(m.Features, a.texts("Name")...)
		return nil
	},
	"Add-LocalGroupMember": func(_ *world, m *machine, a args) error {
		for _, sid := range a.texts("Member") {
			if slices.Contains(m.Administrators, sid) {
				return errTwice
			}
			m.Administrators = append(m.Administrators, sid)
		}
		return nil
	},
	"Add-Computer": func(w *world, m *machine, a args) error {
		switch {
		case m.Domain != "" || m.joining != "":
			return errTwice
		case slices.ContainsFunc(w.computers, func(o guest.ComputerAccount) bool { return strings.EqualFold(o.Name, m.ComputerName) }):
			return errors.New("the account exists")
		}
		m.joining = a.text("DomainName")
		w.newComputer(m.ComputerName)
		return nil
	},
	"Restart-Computer": func(w *world, m *machine, _ args) error {
		if w.service(m) == guest.ServiceRunning {
			return fmt.Errorf("%s is a node", m.ComputerName)
		}
		if m.joining != "" && !slices.Contains(m.Administrators, sidOps) {
			return fmt.Errorf("nobody could ask %s after its restart", m.ComputerName)
		}
		m.away = true
		return nil
	},
	"Initialize-SharedDisk": func(w *world, m *machine, a args) error {
		d := w.disk(func(d *disk) bool { return d.uniqueID == a.text("UniqueId") })
		if d == nil || d.guid != "" {
			return fmt.Errorf("disk %s is not raw", a.text("UniqueId"))
		}
		w.formatted[d.uniqueID]++
		d.guid = fmt.Sprintf("{D15C0000-0000-0000-0000-%012d}", d.lun)
		m.read[d.uniqueID] = true
		return nil
	},
	"Update-HostStorageCache": func(w *world, m *machine, _ args) error {
		for _, d := range w.disks {
			m.read[d.uniqueID] = d.guid != ""
		}
		return nil
	},
	"Set-Disk": func(_ *world, m *machine, a args) error {
		m.online[a.text("UniqueId")] = !a.yes("IsOffline")
		return nil
	},
	"Start-ClusterValidation": func(w *world, _ *machine, a args) error {
		if w.validation != nil && w.validation.ID == a.text("Id") {
			return errTwice
		}
		w.validation = &guest.Validation{ID: a.text("Id"), State: hyperv.WorkRunning}
		return nil
	},
	"New-Cluster":     newCluster,
	"Add-ClusterNode": onCluster(addNode),
	"Suspend-ClusterNode": onCluster(func(_ *world, c *guest.Cluster, a args) error {
		for i, n := range c.Nodes {
			if strings.EqualFold(n.Name, a.text("Name")) {
				c.Nodes[i].State, c.Nodes[i].Draining = guest.NodePaused, true
			}
		}
		return nil
	}),
	"Remove-ClusterNode": onCluster(func(w *world, c *guest.Cluster, a args) error {
		n, ok := c.Node(a.text("Name"))
		if !ok || n.State == guest.NodeUp && w.called(n.Name).answers() {
			return fmt.Errorf("%s cannot be evicted", a.text("Name"))
		}
		c.Nodes = slices.DeleteFunc(c.Nodes, func(o guest.Node) bool { return o.Name == n.Name })
		return nil
	}),
	"Add-SharedDisk":          onCluster(addDisk),
	"Add-ClusterSharedVolume": onCluster(addVolume),
	"Remove-ClusterResource": onCluster(func(_ *world, c *guest.Cluster, a args) error {
		c.Resources = slices.DeleteFunc(c.Resources, func(r guest.Resource) bool { return r.Name == a.text("Name") })
		return nil
	}),
	"Set-ClusterNetworkRole": onCluster(func(_ *world, c *guest.Cluster, a args) error {
		for i, n := range c.Networks {
			if n.ID == a.text("Id") {
				c.Networks[i].Name, c.Networks[i].Role = a.text("Name"), a.number("Role")
			}
		}
		return nil
	}),
	"Set-ClusterHeartbeat": onCluster(func(_ *world, c *guest.Cluster, a args) error {
		c.SameSubnetThreshold, c.CrossSubnetThreshold = a.number("SameSubnetThreshold"), a.number("CrossSubnetThreshold")
		return nil
	}),
	"Set-ClusterQuorum": onCluster(setQuorum),
	"Set-CloudWitness": onCluster(func(_ *world, c *guest.Cluster, a args) error {
		c.Resources = append(c.Resources, guest.Resource{Name: "Cloud Witness", Type: guest.TypeCloudWitness, Group: "Cluster Group", AccountName: a.text("AccountName")})
		c.WitnessResource = "Cloud Witness"
		return nil
	}),
	"Add-ClusterFileServerRole": onCluster(addRole),
	"New-ClusterShare":          newShare,
	"Start-ClusterGroup": onCluster(func(_ *world, c *guest.Cluster, a args) error {
		for i, g := range c.Groups {
			if g.Name == a.text("Name") {
				c.Groups[i].State = "Pending"
			}
		}
		return nil
	}),
	"Remove-ADComputer": func(w *world, _ *machine, a args) error {
		before := len(w.computers)
		w.computers = slices.DeleteFunc(w.computers, func(o guest.ComputerAccount) bool { return o.GUID == a.text("Identity") })
		if len(w.computers) == before {
			return errTwice
		}
		return nil
	},
	"Remove-Cluster": onCluster(func(w *world, _ *guest.Cluster, _ args) error {
		w.cluster = nil
		clear(w.shares)
		return nil
	}),
}

func (w *world) disk(match func(*disk) bool) *disk {
	i := slices.IndexFunc(w.disks, match)
	if i < 0 {
		return nil
	}
	return w.disks[i]
}

func newCluster(w *world, m *machine, a args) error {
	if w.cluster != nil {
		return errors.New("there is a cluster")
	}
	c := &guest.Cluster{
		Name: a.text("Name"), ID: fmt.Sprintf("5e1f0000-0000-0000-0000-%012d", w.done["New-Cluster"]), SameSubnetThreshold: 10, CrossSubnetThreshold: 20,
		Groups: []guest.Group{
			{Name: "Clustergruppe", Type: guest.GroupTypeCore, State: "Online", OwnerNode: m.ComputerName},
			{Name: "Verfügbarer Speicher", Type: guest.GroupTypeAvailableStorage, State: "Offline", OwnerNode: m.ComputerName},
		},
		Resources: []guest.Resource{{Name: "Clustername", Type: guest.TypeNetworkName, Group: "Clustergruppe", State: "Online", DNSName: a.text("Name")}},
		Networks: []guest.Network{
			{Name: "Clusternetzwerk 1", ID: "net-1", Role: 3, State: "Up", Subnet: netip.MustParsePrefix("10.0.1.0/24")},
			{Name: "Clusternetzwerk 2", ID: "net-2", Role: 3, State: "Up", Subnet: netip.MustParsePrefix("169.254.0.0/16")},
		},
	}
	if w.inDomain {
		if slices.ContainsFunc(w.computers, func(o guest.ComputerAccount) bool { return strings.EqualFold(o.Name, c.Name) }) {
			return errors.New("the account exists")
		}
		c.Resources[0].ObjectGUID = w.newComputer(c.Name)
	}
	w.cluster = c
	for _, name := range a.texts("Node") {
		if err := addNode(w, c, args{hostagent.Parameters{"Name": hostagent.Text(name)}}); err != nil {
			return err
		}
	}
	return nil
}

func addNode(w *world, c *guest.Cluster, a args) error {
	name := a.text("Name")
	m := w.called(name)
	if w.service(m) != guest.ServiceDisabled || !m.answers() || w.inDomain && m.Domain == "" {
		return fmt.Errorf("%s cannot become a node", name)
	}
	c.Nodes = append(c.Nodes, guest.Node{Name: name, ID: fmt.Sprint(len(c.Nodes) + 1), State: guest.NodeUp, Weight: 1, DynamicWeight: 1})
	return nil
}

func addDisk(w *world, c *guest.Cluster, a args) error {
	d := w.disk(func(d *disk) bool { return strings.EqualFold(d.guid, a.text("Guid")) })
	if _, clustered := c.DiskResource(a.text("Guid")); clustered || d == nil {
		return fmt.Errorf("disk %s is not available", a.text("Guid"))
	}
	c.Resources = append(c.Resources, guest.Resource{Name: a.text("Name"), Type: guest.TypeDisk, State: "Online", Group: "Verfügbarer Speicher", DiskGUID: d.guid})
	return nil
}

// available finds a disk resource that nothing uses.
func available(c *guest.Cluster, name string) (*guest.Resource, error) {
	for i, r := range c.Resources {
		if r.Name == name && r.Type == guest.TypeDisk && r.Group == "Verfügbarer Speicher" {
			return &c.Resources[i], nil
		}
	}
	return nil, fmt.Errorf("disk %s is not available storage", name)
}

func addVolume(_ *world, c *guest.Cluster, a args) error {
	r, err := available(c, a.text("Name"))
	if err != nil {
		return err
	}
	r.Group = ""
	c.SharedVolumes = append(c.SharedVolumes, r.Name)
	return nil
}

func setQuorum(_ *world, c *guest.Cluster, a args) error {
	for i, r := range c.Resources {
		if r.Name == c.WitnessResource && r.Type == guest.TypeDisk {
			c.Resources[i].Group = "Verfügbarer Speicher"
		}
	}
	c.WitnessResource = ""
	switch {
	case a.text("DiskWitness") != "":
		r, err := available(c, a.text("DiskWitness"))
		if err != nil {
			return err
		}
		r.Group, c.WitnessResource = "Clustergruppe", r.Name
	case a.text("FileShareWitness") != "":
		c.WitnessResource = "Dateifreigabenzeuge"
		c.Resources = append(c.Resources, guest.Resource{Name: c.WitnessResource, Type: guest.TypeFileShareWitness, Group: "Clustergruppe", SharePath: a.text("FileShareWitness")})
	}
	return nil
}

func addRole(w *world, c *guest.Cluster, a args) error {
	r, err := available(c, a.text("Storage"))
	if err != nil {
		return err
	}
	name := a.text("Name")
	for _, n := range c.Nodes {
		if !slices.Contains(w.called(n.Name).Features, "FS-FileServer") {
			return fmt.Errorf("%s is no file server", n.Name)
		}
	}
	r.Group = name
	c.Groups = append(c.Groups, guest.Group{Name: name, Type: guest.GroupTypeFileServer, State: "Pending", OwnerNode: c.Nodes[len(c.Nodes)-1].Name})
	c.Resources = append(c.Resources, guest.Resource{Name: name, Type: guest.TypeNetworkName, Group: name, DNSName: name})
	return nil
}

func newShare(w *world, m *machine, a args) error {
	g, ok := w.cluster.Group(a.text("Role"))
	switch {
	case !ok || g.State != "Online" || !strings.EqualFold(g.OwnerNode, m.ComputerName):
		return fmt.Errorf("%s does not own role %s", m.ComputerName, a.text("Role"))
	case slices.ContainsFunc(w.shares[g.Name], func(s guest.Share) bool { return s.Name == a.text("Name") }):
		return errTwice
	}
	w.shares[g.Name] = append(w.shares[g.Name], guest.Share{Name: a.text("Name"), ScopeName: g.Name, ContinuouslyAvailable: true})
	return nil
}
