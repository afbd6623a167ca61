package hypervsim

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	guestcmdlet "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

const unit = "OU=Clusters,DC=corp,DC=example"

// joined makes a machine that is in the domain, with ops as one of its administrators.
func (f fixture) joined(host, name, computer string, disks ...string) string {
	f.Helper()
	id := f.windows(host, name, computer, disks...)
	f.mustInside(id, local, guestcmdlet.Join("j", "corp.example", unit, join), guestcmdlet.AddAdministrators("a", f.domain.Account("ops").SID),
		guestcmdlet.Restart("r"))
	f.advance(2 * time.Minute)
	return id
}

// A member joins in the local administrator's session and is reached as a domain account once it has restarted.
func TestJoiningADomain(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	f.mustInside(id, local, guestcmdlet.InstallFeatures("f", windows.ADPowerShell))
	found := f.mustInside(id, local, guestcmdlet.ComputerAccounts("c", "corp.example", join, "one-1", "two-1"),
		guestcmdlet.AccountSIDs("s", "corp.example", join, "ops", "nobody"), guestcmdlet.ContainerRights("r", "corp.example", join, unit))
	if len(found[0].Values) != 0 || len(found[1].Values) != 1 {
		t.Fatalf("before the join: %+v", found)
	}
	sid := found[1].Values[0].Text("objectSid")
	if rights := found[2].Values[0].Text("nTSecurityDescriptor.Sddl"); !strings.Contains(rights, f.domain.Account("join").SID) {
		t.Errorf("the unit's rights: %s", rights)
	}
	f.mustInside(id, local, guestcmdlet.Join("j", "corp.example", unit, join), guestcmdlet.PendingJoin("p"), guestcmdlet.AddAdministrators("a", sid))
	if _, err := f.inside(id, ops, guestcmdlet.Computer("c")); refusalOf(err) != refusedNow {
		t.Errorf("a domain account before the restart: %v", err)
	}
	f.mustInside(id, local, guestcmdlet.Restart("r"))
	f.advance(time.Second)
	if _, err := f.inside(id, local, guestcmdlet.Computer("c")); refusalOf(err) != notOpened {
		t.Errorf("while it restarts: %v", err)
	}
	f.advance(2 * time.Minute)
	results, err := f.insideAs(id, ops, hostagent.Batch{OnError: hostagent.Continue, Calls: []hostagent.Call{
		guestcmdlet.Computer("c"), guestcmdlet.Administrators("a"), guestcmdlet.ComputerAccounts("o", "corp.example", join, "one-1"), guestcmdlet.PendingJoin("p"),
	}})
	f.ok(err)
	if got := results[0].Values[0]; got.Text("Name") != "ONE-1" || got.Text("Domain") != "corp.example" || !got.Bool("PartOfDomain") {
		t.Errorf("the computer: %+v", got)
	}
	var administrators []string
	for _, v := range results[1].Values {
		administrators = append(administrators, v.Text("SID"))
	}
	if !strings.Contains(strings.Join(administrators, " "), sid) {
		t.Errorf("administrators: %v", administrators)
	}
	account := results[2].Values[0]
	if account.Text("DistinguishedName") != "CN=ONE-1,"+unit || !account.Bool("Enabled") || hostagent.ClassOf(results[3].Err()) != hostagent.NotFound {
		t.Errorf("the account: %+v; the pending join: %v", account, results[3].Err())
	}
	guid := account.Text("ObjectGUID")
	groups := f.mustInside(id, ops, guestcmdlet.AccountGroups("g", "corp.example", join, guid))[0].Values[0]
	if groups.Text("objectSid") == "" || len(groups.Texts("tokenGroups")) == 0 {
		t.Errorf("the account's groups: %+v", groups)
	}
	f.mustInside(id, ops, guestcmdlet.RemoveComputerAccount("r", "corp.example", join, guid))
	results, err = f.inside(id, ops, guestcmdlet.RemoveComputerAccount("r", "corp.example", join, guid))
	f.ok(err)
	if got := hostagent.ClassOf(results.Err()); got != hostagent.NotFound {
		t.Errorf("removed again: %s", got)
	}
}

func TestRefusedInTheDomain(t *testing.T) {
	f := newFixture(t)
	id := f.windows("hv01", "one", "one-1")
	f.mustInside(id, local, guestcmdlet.InstallFeatures("f", windows.ADPowerShell))
	two := f.windows("hv02", "two", "two-1") // without the feature, and with an account of its name in the domain
	f.mu.Lock()
	_, err := f.domain.CreateComputer(f.domain.Account("join").SID, unit, "TWO-1")
	f.mu.Unlock()
	f.ok(err)
	wrong := hostagent.Credential{User: `CORP\join`, Password: hostagent.NewSecret("other")}
	const cannotJoin = "FailToJoinDomainFromWorkgroup,Microsoft.PowerShell.Commands.AddComputerCommand"
	tests := map[string]struct {
		vm      string
		call    hostagent.Call
		before  func()
		id      string
		message string
	}{
		"a wrong password":     {vm: id, call: guestcmdlet.Join("x", "corp.example", unit, wrong), id: cannotJoin, message: "password is incorrect"},
		"an unknown unit":      {vm: id, call: guestcmdlet.Join("x", "corp.example", "OU=No,DC=corp,DC=example", join), id: cannotJoin, message: "cannot find the file"},
		"no right to the unit": {vm: id, call: guestcmdlet.Join("x", "corp.example", unit, ops), id: cannotJoin, message: "Access is denied"},
		"another domain":       {vm: id, call: guestcmdlet.Join("x", "other.example", "", join), id: cannotJoin, message: "could not be contacted"},
		"a name that is there": {vm: two, call: guestcmdlet.Join("x", "corp.example", unit, join), id: cannotJoin, message: "blocked by security policy"},
		"no module":            {vm: two, call: guestcmdlet.ComputerAccounts("x", "corp.example", join, "a"), id: "CommandNotFoundException", message: "not recognized"},
		"asked with a bad password": {vm: id, call: guestcmdlet.ComputerAccounts("x", "corp.example", wrong, "a"), message: "rejected the client credentials",
			id: "ActiveDirectoryCmdlet:System.Security.Authentication.AuthenticationException,Microsoft.ActiveDirectory.Management.Commands.GetADComputer"},
		"an unknown container": {vm: id, call: guestcmdlet.ContainerRights("x", "corp.example", join, "OU=No,DC=corp,DC=example"), message: "Cannot find an object",
			id: "ActiveDirectoryCmdlet:Microsoft.ActiveDirectory.Management.ADIdentityNotFoundException,Microsoft.ActiveDirectory.Management.Commands.GetADObject"},
		"removed by a stranger": {vm: id, call: guestcmdlet.RemoveComputerAccount("x", "corp.example", ops, f.domain.Computer("TWO-1").GUID), message: "Insufficient access",
			id: "ActiveDirectoryServer:8344,Microsoft.ActiveDirectory.Management.Commands.RemoveADComputer"},
		"a member already": {vm: id, call: guestcmdlet.AddAdministrators("x", f.machineByID(id).guest.system.Administrators[0]), message: "already a member",
			id: "MemberExists,Microsoft.PowerShell.Commands.AddLocalGroupMemberCommand"},
		"an unknown feature": {vm: id, call: guestcmdlet.InstallFeatures("x", "Failover"), message: "not valid",
			id: "NameDoesNotExist,Microsoft.Windows.ServerManager.Commands.InstallWindowsFeatureCommand"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			results, err := f.inside(test.vm, local, test.call)
			f.ok(err)
			if len(results[0].Errors) != 1 || results[0].Errors[0].FullyQualifiedErrorID != test.id || !strings.Contains(results[0].Errors[0].Message, test.message) {
				t.Errorf("got %+v, want %s with %q", results[0], test.id, test.message)
			}
		})
	}
}

// Without a DNS server of the domain's, or its controller, nobody can ask it; domain accounts are not let in meanwhile.
func TestTheDomainIsAway(t *testing.T) {
	f := newFixture(t)
	id := f.joined("hv01", "one", "one-1")
	asks := func() string {
		t.Helper()
		_, err := f.inside(id, ops, guestcmdlet.Computer("c"))
		return refusalOf(err)
	}
	if got := asks(); got != opened {
		t.Fatal(got)
	}
	f.ok(f.StopDomainController())
	if got := asks(); got != refusedNow {
		t.Errorf("without a controller: %s", got)
	}
	results, err := f.inside(id, local, guestcmdlet.Administrators("a"))
	f.ok(err)
	if results.Err() == nil {
		t.Error("members are told although nobody knows who they are")
	}
	f.ok(f.StartDomainController())
	index := f.mustInside(id, ops, guestcmdlet.Adapters("a"))[0].Values[0].Int("InterfaceIndex")
	f.mustInside(id, local, guestcmdlet.SetDNSServers("d", index, netip.MustParseAddr("10.9.9.9")))
	if got := asks(); got != refusedNow {
		t.Errorf("with another DNS server: %s", got)
	}
	f.mustInside(id, local, guestcmdlet.SetDNSServers("d", index))
	if got := asks(); got != opened {
		t.Errorf("with its own again: %s", got)
	}
}

// What policies do to the local administrator, they do right after the restart that completes the join.
func TestTheLocalAdministratorIsNotOurs(t *testing.T) {
	for policy, want := range map[windows.AdministratorPolicy]string{
		windows.KeepAdministrator: opened, windows.RotateAdministrator: refusedNow, windows.RenameAdministrator: refusedNow, windows.DisableAdministrator: refusedNow,
	} {
		f := newFixture(t)
		f.ok(f.SetAdministratorPolicy(policy))
		id := f.joined("hv01", "one", "one-1")
		_, err := f.inside(id, local, guestcmdlet.Computer("c"))
		if got := refusalOf(err); got != want {
			t.Errorf("%q: local %s, want %s", policy, got, want)
		}
		f.mustInside(id, ops, guestcmdlet.Computer("c"))
	}
}

// A computer that cannot ask its domain when it restarts gets its policies once it can.
func TestPoliciesWaitForTheDomain(t *testing.T) {
	f := newFixture(t)
	f.ok(f.SetAdministratorPolicy(windows.DisableAdministrator))
	id := f.windows("hv01", "one", "one-1")
	f.mustInside(id, local, guestcmdlet.Join("j", "corp.example", unit, join), guestcmdlet.Restart("r"))
	f.ok(f.StopDomainController())
	f.advance(2 * time.Minute)
	f.mustInside(id, local, guestcmdlet.Computer("c"))
	f.ok(f.StartDomainController())
	if _, err := f.inside(id, local, guestcmdlet.Computer("c")); refusalOf(err) != refusedNow {
		t.Errorf("got %v, want %s", err, refusedNow)
	}
}

func TestNetworksInside(t *testing.T) {
	f := newFixture(t)
	id := f.member("hv01", "one")
	f.must("hv01", cmdlet.VMByID("vm", id), cmdlet.AddAdapter("cluster", "vm", cmdlet.Adapter{Name: "cluster", SwitchName: "vSwitch-Cluster", MACAddress: "02A101000002"}))
	f.answered(id, answerFile("one-1", localPassword))
	f.must("hv01", cmdlet.StartGroup("start", "one"))
	f.advance(4 * time.Minute)
	type adapter struct {
		Name, MAC, DHCP, Address, Origin, Gateway, DNS string
		Registers                                      bool
	}
	read := func() map[string]adapter {
		t.Helper()
		results, err := f.insideAs(id, local, hostagent.Batch{OnError: hostagent.Continue, Calls: []hostagent.Call{
			guestcmdlet.Adapters("a"), guestcmdlet.Addresses("i"), guestcmdlet.Interfaces("f"), guestcmdlet.DefaultRoutes("r"), guestcmdlet.DNSServers("d"),
			guestcmdlet.Registrations("g"),
		}})
		f.ok(err)
		byIndex := map[int64]adapter{}
		for _, v := range results.ByID("a").Values {
			byIndex[v.Int("InterfaceIndex")] = adapter{Name: v.Text("Name"), MAC: v.Text("MacAddress")}
		}
		each := func(call string, set func(*adapter, hostagent.Object)) {
			for _, v := range results.ByID(call).Values {
				index := v.Int("InterfaceIndex")
				if a, ok := byIndex[index]; ok {
					set(&a, v)
					byIndex[index] = a
				}
			}
		}
		each("i", func(a *adapter, v hostagent.Object) {
			a.Address, a.Origin = v.Text("IPAddress")+"/"+v.Text("PrefixLength"), v.Text("SuffixOrigin")
		})
		each("f", func(a *adapter, v hostagent.Object) { a.DHCP = v.Text("Dhcp") })
		each("r", func(a *adapter, v hostagent.Object) { a.Gateway = v.Text("NextHop") })
		each("d", func(a *adapter, v hostagent.Object) { a.DNS = strings.Join(v.Texts("ServerAddresses"), " ") })
		each("g", func(a *adapter, v hostagent.Object) { a.Registers = v.Bool("RegisterThisConnectionsAddress") })
		out := map[string]adapter{}
		for _, a := range byIndex {
			out[a.MAC] = a
		}
		return out
	}
	first := read()
	linkLocal := first["02-A1-01-00-00-02"].Address
	want := map[string]adapter{
		"02-A1-01-00-00-01": {"Ethernet", "02-A1-01-00-00-01", "Enabled", "10.0.1.100/24", "Dhcp", "10.0.1.1", "10.0.1.2", true},
		"02-A1-01-00-00-02": {"Ethernet 2", "02-A1-01-00-00-02", "Enabled", linkLocal, "Link", "", "", true},
	}
	if diff := cmp.Diff(want, first); diff != "" || !strings.HasPrefix(linkLocal, "169.254.") {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	index := map[string]int64{}
	for _, v := range f.mustInside(id, local, guestcmdlet.Adapters("a"))[0].Values {
		index[v.Text("MacAddress")] = v.Int("InterfaceIndex")
	}
	client, cluster := index["02-A1-01-00-00-01"], index["02-A1-01-00-00-02"]
	f.mustInside(id, local,
		guestcmdlet.RenameAdapter("1", "Ethernet", "client"), guestcmdlet.AddAddress("2", client, netip.MustParsePrefix("10.0.1.21/24")),
		guestcmdlet.AddGateway("3", client, netip.MustParseAddr("10.0.1.1")), guestcmdlet.SetDNSServers("4", client, netip.MustParseAddr("10.0.1.2")),
		guestcmdlet.RenameAdapter("5", "Ethernet 2", "cluster"), guestcmdlet.AskForAddress("6", cluster, false),
		guestcmdlet.AddAddress("7", cluster, netip.MustParsePrefix("10.0.2.21/24")), guestcmdlet.SetRegistration("8", cluster, false))
	want = map[string]adapter{
		"02-A1-01-00-00-01": {"client", "02-A1-01-00-00-01", "Disabled", "10.0.1.21/24", "Manual", "10.0.1.1", "10.0.1.2", true},
		"02-A1-01-00-00-02": {"cluster", "02-A1-01-00-00-02", "Disabled", "10.0.2.21/24", "Manual", "", "", false},
	}
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("set up (-want +got):\n%s", diff)
	}
	for name, test := range map[string]struct {
		call hostagent.Call
		id   string
	}{
		"an address twice":    {guestcmdlet.AddAddress("x", client, netip.MustParsePrefix("10.0.1.21/24")), "Windows System Error 5010,New-NetIPAddress"},
		"no such address":     {guestcmdlet.RemoveAddress("x", client, netip.MustParseAddr("10.0.1.22")), "CmdletizationQuery_NotFound_IPAddress,Remove-NetIPAddress"},
		"no such adapter":     {guestcmdlet.AskForAddress("x", 77, true), "CmdletizationQuery_NotFound_InterfaceIndex,Set-NetIPInterface"},
		"no such name":        {guestcmdlet.RenameAdapter("x", "Ethernet", "other"), "CmdletizationQuery_NotFound_Name,Rename-NetAdapter"},
		"a name that is used": {guestcmdlet.RenameAdapter("x", "client", "CLUSTER"), "Windows System Error 183,Rename-NetAdapter"},
		"a gateway twice":     {guestcmdlet.AddGateway("x", client, netip.MustParseAddr("10.0.1.1")), "Windows System Error 87,New-NetRoute"},
		"no such gateway":     {guestcmdlet.RemoveGateway("x", cluster, netip.MustParseAddr("10.0.1.1")), "CmdletizationQuery_NotFound_NextHop,Remove-NetRoute"},
	} {
		results, err := f.inside(id, local, test.call)
		f.ok(err)
		if got := refusalOf(results.Err()); got != test.id {
			t.Errorf("%s: %s, want %s", name, got, test.id)
		}
	}
	f.mustInside(id, local, guestcmdlet.RemoveGateway("1", client, netip.MustParseAddr("10.0.1.1")), guestcmdlet.RemoveAddress("2", client, netip.MustParseAddr("10.0.1.21")))
	results, err := f.inside(id, local, guestcmdlet.DefaultRoutes("r"))
	f.ok(err)
	if got := refusalOf(results.Err()); got != "CmdletizationQuery_NotFound_DestinationPrefix,Get-NetRoute" {
		t.Errorf("without any gateway: %s", got)
	}
}
