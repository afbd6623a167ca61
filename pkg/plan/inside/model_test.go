package inside_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan/inside"
)

// world is as much of the members' inside as the planner's calls change, with nothing of its time or its failures: calls are
// done at once, and what Windows does by itself is done by pass.
type world struct {
	machines map[string]*machine
	disks    []*disk
	cluster  *guest.Cluster
	// network names' shares, by role.
	shares     map[string][]guest.Share
	computers  []guest.ComputerAccount
	validation *guest.Validation
	inDomain   bool

	// featuresRestart is whether a feature wants a restart.
	featuresRestart bool
	// done counts the calls that changed something, by cmdlet; formatted counts by disk.
	done      map[string]int
	formatted map[string]int
	objects   int
}

// machine is a member's Windows.
type machine struct {
	guest.Member
	silent, away bool
	joining      string
	installing   []string
	// read are the disks whose contents it has read.
	read map[string]bool
	// online are the disks that are online here.
	online map[string]bool
}

// disk is a shared disk's contents.
type disk struct {
	uniqueID  string
	lun, size int64
	guid      string
}

// fresh is the world of members that were just started from an image.
func fresh(want inside.Clustering) *world {
	w := &world{
		machines: map[string]*machine{}, shares: map[string][]guest.Share{}, inDomain: want.Domain != nil,
		done: map[string]int{}, formatted: map[string]int{},
	}
	for i, m := range want.Members {
		w.machines[m.VMID] = newMachine(m, i)
	}
	for _, d := range want.Disks {
		w.disks = append(w.disks, &disk{uniqueID: "naa." + d.Name, lun: d.LUN, size: d.SizeBytes})
	}
	return w
}

func newMachine(m inside.Member, i int) *machine {
	vm := &machine{read: map[string]bool{}, online: map[string]bool{}, Member: guest.Member{
		Answered: true, Account: guest.LocalAccount, SettingUp: true, Build: 20348, ComputerName: m.Name, AnswerFile: true, ClusterService: guest.ServiceAbsent,
		Administrators: []string{"S-1-5-21-9-9-9-500"},
	}}
	for j, n := range m.Networks {
		// Windows numbers and names adapters as it likes.
		a := guest.Adapter{Index: int64(10 - j + i), Name: fmt.Sprintf("Ethernet %d", j+1), MAC: n.MAC, DHCP: true, Registers: true}
		vm.Adapters = append(vm.Adapters, a)
	}
	return vm
}

// snapshot is what the members tell now.
func (w *world) snapshot() *guest.Snapshot {
	s := &guest.Snapshot{Members: map[string]guest.Member{}, Validation: w.validation}
	for id, m := range w.machines {
		s.Members[id] = w.tells(m, int64(len(m.ComputerName))+int64(id[0]-'0'))
	}
	for _, id := range slices.Sorted(maps.Keys(w.machines)) {
		m := w.machines[id]
		if s.Members[id].ClusterService == guest.ServiceRunning && m.answers() && s.Cluster == nil {
			s.Cluster = w.clusterAsTold(id)
		}
		if w.inDomain && m.answers() && slices.Contains(m.Features, "RSAT-AD-PowerShell") && s.Directory == nil {
			s.Directory = w.directory()
		}
	}
	return s
}

func (m *machine) answers() bool { return !m.silent && !m.away && !m.SettingUp }

func (w *world) tells(m *machine, port int64) guest.Member {
	if m.silent || m.away {
		return guest.Member{Account: m.Account, Class: hostagent.Unreachable, Why: "no answer"}
	}
	if m.SettingUp {
		return guest.Member{Answered: true, SettingUp: true}
	}
	out := m.Member
	out.RestartPending = m.joining != "" || len(m.installing) > 0
	out.ClusterService = w.service(m)
	out.Adapters, out.Features, out.Administrators = slices.Clone(m.Adapters), slices.Clone(m.Features), slices.Clone(m.Administrators)
	for i, a := range out.Adapters {
		// DHCP answers on the clients' network alone.
		if a.DHCP && a.MAC%2 == 0 {
			out.Adapters[i].Addresses = []netip.Prefix{address(fmt.Sprintf("10.0.1.%d", 100+port), 24)}
		}
	}
	out.Disks = []guest.Disk{{Number: 0, Port: 0, SizeBytes: 40 * gib, UniqueID: "naa.os." + m.ComputerName, GUID: "{05}", Boot: true}}
	for i, d := range w.disks {
		seen := guest.Disk{
			Number: port + int64(i), Port: port, LUN: d.lun, SizeBytes: d.size, UniqueID: d.uniqueID, Raw: true, Offline: !m.online[d.uniqueID],
		}
		if m.read[d.uniqueID] && d.guid != "" {
			seen.Raw, seen.GUID = false, d.guid
		}
		out.Disks = append(out.Disks, seen)
	}
	for role, shares := range w.shares {
		if g, ok := w.cluster.Group(role); ok && strings.EqualFold(g.OwnerNode, m.ComputerName) {
			out.Shares = append(out.Shares, shares...)
		}
	}
	return out
}

func (w *world) service(m *machine) guest.ClusterService {
	if !slices.Contains(m.Features, "Failover-Clustering") {
		return guest.ServiceAbsent
	}
	if w.cluster != nil {
		if _, isNode := w.cluster.Node(m.ComputerName); isNode {
			return guest.ServiceRunning
		}
	}
	return guest.ServiceDisabled
}

func (w *world) clusterAsTold(teller string) *guest.Cluster {
	c := *w.cluster
	c.Teller = teller
	c.Nodes, c.Groups, c.Resources, c.Networks = slices.Clone(c.Nodes), slices.Clone(c.Groups), slices.Clone(c.Resources), slices.Clone(c.Networks)
	c.SharedVolumes = slices.Clone(c.SharedVolumes)
	for i, n := range c.Nodes {
		if m := w.called(n.Name); m.silent || m.away {
			c.Nodes[i].State = guest.NodeDown
		}
	}
	for i, d := range w.disks {
		if _, clustered := c.DiskResource(d.guid); d.guid != "" && !clustered {
			c.AvailableDisks = append(c.AvailableDisks, guest.AvailableDisk{ID: d.guid, Number: int64(i)})
		}
	}
	return &c
}

func (w *world) directory() *guest.Directory {
	return &guest.Directory{
		Computers: slices.Clone(w.computers), SIDs: map[string]string{"ops": sidOps, "forming": sidForm},
		Rights:      "O:DAG:DAD:AI(OA;CI;CC;bf967a86-0de6-11d0-a285-00aa003049e2;;" + sidCNO + ")(A;;GR;;;AU)",
		ClusterSIDs: []string{sidCNO, "S-1-5-21-1-2-3-515"},
	}
}

// pass is what Windows does by itself between two looks.
func (w *world) pass() {
	for _, m := range w.machines {
		switch {
		case m.away:
			w.boot(m)
		case m.SettingUp:
			m.SettingUp = false
		}
	}
	if v := w.validation; v != nil && v.State == hyperv.WorkRunning {
		done := *v
		done.State, done.Report = hyperv.WorkCompleted, &guest.Report{Ran: 30, Warned: []string{"Validate Network Communication"}}
		for _, d := range w.disks {
			done.Report.Disks = append(done.Report.Disks, d.guid)
		}
		w.validation = &done
	}
	if w.cluster != nil {
		w.settle()
	}
}

func (w *world) boot(m *machine) {
	m.away = false
	if m.joining != "" {
		m.Domain, m.joining, m.Account = m.joining, "", guest.DomainAccount
	}
	m.Features = append(m.Features, m.installing...)
	m.installing = nil
	for _, d := range w.disks {
		m.read[d.uniqueID] = d.guid != ""
	}
}

// settle brings groups online and ends drains.
func (w *world) settle() {
	for i, n := range w.cluster.Nodes {
		if n.Draining {
			w.cluster.Nodes[i].Draining = false
			w.moveFrom(n.Name)
		}
	}
	for i, g := range w.cluster.Groups {
		if g.State == "Pending" {
			w.cluster.Groups[i].State = "Online"
			w.nameRole(g.Name)
		}
	}
}

func (w *world) moveFrom(node string) {
	for i, g := range w.cluster.Groups {
		if strings.EqualFold(g.OwnerNode, node) {
			for _, n := range w.cluster.Nodes {
				if n.State == guest.NodeUp {
					w.cluster.Groups[i].OwnerNode = n.Name
				}
			}
		}
	}
}

func (w *world) nameRole(group string) {
	for i, r := range w.cluster.Resources {
		if r.Group == group && r.Type == guest.TypeNetworkName && r.ObjectGUID == "" && w.inDomain {
			w.cluster.Resources[i].ObjectGUID = w.newComputer(r.DNSName)
		}
	}
}

func (w *world) newComputer(name string) string {
	w.objects++
	guid := fmt.Sprintf("c0ffee00-0000-0000-0000-%012d", w.objects)
	w.computers = append(w.computers, guest.ComputerAccount{Name: name, GUID: guid, DistinguishedName: "CN=" + name + "," + unit, Enabled: true})
	return guid
}

func (w *world) called(computer string) *machine {
	for _, m := range w.machines {
		if strings.EqualFold(m.ComputerName, computer) {
			return m
		}
	}
	panic("nobody is called " + computer)
}

// do runs a call on a member and says what is wrong with it.
func (w *world) do(vmID string, logon hostagent.Logon, c hostagent.Call) error {
	m := w.machines[vmID]
	if m == nil || !m.answers() {
		return fmt.Errorf("%s does not answer", vmID)
	}
	f, ok := effects[c.Cmdlet]
	if !ok {
		return fmt.Errorf("nobody knows %s", c.Cmdlet)
	}
	if slices.Contains(secondHop, c.Cmdlet) != (logon == hostagent.LogonExplicit) {
		return fmt.Errorf("%s under logon %s", c.Cmdlet, logon)
	}
	w.done[c.Cmdlet]++
	return f(w, m, args{c.Parameters})
}

var secondHop = []string{"New-Cluster", "Add-ClusterNode", "Remove-ClusterNode", "Remove-Cluster"}

// args are a call's parameters.
type args struct{ p hostagent.Parameters }

func (a args) text(name string) string {
	switch v := a.p[name].(type) {
	case hostagent.Text:
		return string(v)
	case hostagent.List:
		if len(v) > 0 {
			s, _ := v[0].(hostagent.Text)
			return string(s)
		}
	}
	return ""
}

func (a args) texts(name string) []string {
	var out []string
	list, _ := a.p[name].(hostagent.List)
	for _, v := range list {
		if s, ok := v.(hostagent.Text); ok {
			out = append(out, string(s))
		}
	}
	return out
}

func (a args) number(name string) int64 {
	switch v := a.p[name].(type) {
	case hostagent.Int:
		return int64(v)
	case hostagent.List:
		n, _ := v[0].(hostagent.Int)
		return int64(n)
	}
	return -1
}

func (a args) yes(name string) bool {
	b, _ := a.p[name].(hostagent.Bool)
	return bool(b)
}

func (m *machine) adapter(a args) (*guest.Adapter, error) {
	for i := range m.Adapters {
		if m.Adapters[i].Index == a.number("InterfaceIndex") {
			return &m.Adapters[i], nil
		}
	}
	return nil, fmt.Errorf("%s has no adapter %d", m.ComputerName, a.number("InterfaceIndex"))
}

// onAdapter makes an effect of one on an adapter.
func onAdapter(f func(*guest.Adapter, args) error) func(*world, *machine, args) error {
	return func(_ *world, m *machine, a args) error {
		adapter, err := m.adapter(a)
		if err != nil {
			return err
		}
		return f(adapter, a)
	}
}

// onCluster makes an effect of one on the cluster.
func onCluster(f func(*world, *guest.Cluster, args) error) func(*world, *machine, args) error {
	return func(w *world, m *machine, a args) error {
		if w.service(m) != guest.ServiceRunning {
			return fmt.Errorf("%s is no node", m.ComputerName)
		}
		return f(w, w.cluster, a)
	}
}

func address(text string, bits int64) netip.Prefix {
	return netip.PrefixFrom(netip.MustParseAddr(text), int(bits))
}
