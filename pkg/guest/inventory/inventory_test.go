package inventory_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/inventory"
	"guestclustering.io/operator/pkg/hostagent"
)

// answer is what an executor sends: each call's values as JSON, or an error of a category. What is not in it was done and gave
// nothing.
func answer(t *testing.T, b hostagent.Batch, values map[string]string, failures map[string]string) hostagent.Results {
	t.Helper()
	var out hostagent.Results
	for _, c := range b.Calls {
		r := hostagent.Result{ID: c.ID, State: hostagent.Done}
		if text, ok := values[c.ID]; ok {
			decoder := json.NewDecoder(strings.NewReader(text))
			decoder.UseNumber()
			if err := decoder.Decode(&r.Values); err != nil {
				t.Fatalf("%s: %v", c.ID, err)
			}
		}
		if category, ok := failures[c.ID]; ok {
			r.State, r.Errors = hostagent.Failed, []hostagent.CallError{{Category: category, Message: "no"}}
		}
		out = append(out, r)
	}
	return out
}

// files1 is a member that has joined and is up.
func files1() map[string]string {
	return map[string]string{
		"setup":    `[{"SystemSetupInProgress": 0}]`,
		"state":    `[{"ImageState": "IMAGE_STATE_COMPLETE"}]`,
		"os":       `[{"BuildNumber": "20348", "LastBootUpTime": "2026-03-01T12:00:00+01:00"}]`,
		"computer": `[{"Name": "FILES-1", "Domain": "corp.example", "PartOfDomain": true}]`,
		"service":  `[{"State": "Stopped", "StartMode": "Disabled"}]`,
		"adapters": `[{"InterfaceIndex": 7, "Name": "Ethernet", "MacAddress": "02-A1-01-00-00-00"},
			{"InterfaceIndex": 9, "Name": "Ethernet 2", "MacAddress": "02-A1-01-00-00-01"}, {"InterfaceIndex": 12, "Name": "Tunnel", "MacAddress": ""}]`,
		"addresses": `[{"InterfaceIndex": 7, "IPAddress": "10.0.1.11", "PrefixLength": 24, "SuffixOrigin": "Manual"},
			{"InterfaceIndex": 9, "IPAddress": "169.254.3.4", "PrefixLength": 16, "SuffixOrigin": "Link"},
			{"InterfaceIndex": 1, "IPAddress": "127.0.0.1", "PrefixLength": 8, "SuffixOrigin": "WellKnown"}]`,
		"interfaces":     `[{"InterfaceIndex": 7, "Dhcp": "Disabled"}, {"InterfaceIndex": 9, "Dhcp": "Enabled"}]`,
		"routes":         `[{"InterfaceIndex": 7, "NextHop": "10.0.1.1"}, {"InterfaceIndex": 9, "NextHop": "0.0.0.0"}]`,
		"servers":        `[{"InterfaceIndex": 7, "ServerAddresses": ["10.0.1.2"]}, {"InterfaceIndex": 9, "ServerAddresses": []}]`,
		"registrations":  `[{"InterfaceIndex": 7, "RegisterThisConnectionsAddress": true}, {"InterfaceIndex": 9, "RegisterThisConnectionsAddress": false}]`,
		"administrators": `[{"SID": "S-1-5-21-1-2-3-500"}]`,
		"disks": `[{"Number": 0, "UniqueId": "os", "Size": 136365211648, "PartitionStyle": "GPT", "Guid": "{aa}", "IsBoot": true, "IsOffline": false},
			{"Number": 2, "UniqueId": "600a", "Size": 1073741824, "PartitionStyle": "RAW", "Guid": null, "IsBoot": false, "IsOffline": true},
			{"Number": 3, "UniqueId": "600b", "Size": 1, "PartitionStyle": "RAW", "IsBoot": false, "IsOffline": true}]`,
		"places":   `[{"Index": 0, "SCSIPort": 1, "SCSILogicalUnit": 0}, {"Index": 2, "SCSIPort": 0, "SCSILogicalUnit": 4}]`,
		"shares":   `[{"Name": "invoices", "ScopeName": "FILES-FS", "Path": "E:\\Shares\\invoices", "ContinuouslyAvailable": true}]`,
		"features": `[{"Name": "Failover-Clustering", "InstallState": "Installed"}, {"Name": "FS-FileServer", "InstallState": "Available"}]`,
	}
}

var features = []string{"Failover-Clustering", "FS-FileServer"}

// nothing are the calls that fail where there is nothing.
func nothing() map[string]string {
	return map[string]string{"join": "ObjectNotFound", "answer": "ObjectNotFound"}
}

func TestDecodeMember(t *testing.T) {
	batch := inventory.MemberState("vm", features)
	got, err := inventory.DecodeMember(features, answer(t, batch, files1(), nothing()))
	if err != nil {
		t.Fatal(err)
	}
	want := guest.Member{
		Answered: true, Build: 20348, BootTime: time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC), ComputerName: "FILES-1", Domain: "corp.example",
		ClusterService: guest.ServiceDisabled, Features: []string{"Failover-Clustering"}, Administrators: []string{"S-1-5-21-1-2-3-500"},
		Adapters: []guest.Adapter{
			{Index: 7, Name: "Ethernet", MAC: 0x02A101000000, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.11/24")},
				Gateways: []netip.Addr{netip.MustParseAddr("10.0.1.1")}, DNSServers: []netip.Addr{netip.MustParseAddr("10.0.1.2")}, Registers: true},
			{Index: 9, Name: "Ethernet 2", MAC: 0x02A101000001, DHCP: true},
		},
		Disks: []guest.Disk{
			{Number: 0, Port: 1, UniqueID: "os", SizeBytes: 136365211648, GUID: "{AA}", Boot: true},
			{Number: 2, Port: 0, LUN: 4, UniqueID: "600a", SizeBytes: 1 << 30, Raw: true, Offline: true},
		},
		Shares: []guest.Share{{Name: "invoices", ScopeName: "FILES-FS", Path: `E:\Shares\invoices`, ContinuouslyAvailable: true}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("member (-want +got):\n%s", diff)
	}
}

// Each of these changes one thing that files1 tells, or that is not there.
func TestMemberMarks(t *testing.T) {
	for name, tc := range map[string]struct {
		call, value string
		holds       func(guest.Member) bool
	}{
		"Windows is being set up":       {"setup", `[{"SystemSetupInProgress": 1}]`, func(m guest.Member) bool { return m.SettingUp && m.ComputerName == "FILES-1" && m.Disks == nil }},
		"the image is not complete":     {"state", `[{"ImageState": "IMAGE_STATE_SPECIALIZE_RESEAL_TO_OOBE"}]`, func(m guest.Member) bool { return m.SettingUp }},
		"the key says nothing yet":      {"setup", `[{"SystemSetupInProgress": null}]`, func(m guest.Member) bool { return m.SettingUp }},
		"a join waits for a restart":    {"join", `[{"Name": "JoinDomain"}]`, func(m guest.Member) bool { return m.RestartPending }},
		"a feature waits for a restart": {"features", `[{"Name": "Failover-Clustering", "InstallState": "InstallPending"}]`, func(m guest.Member) bool { return m.RestartPending && m.Features == nil }},
		"the answer file is there":      {"answer", `[{"FullName": "C:\\Windows\\Panther\\unattend.xml"}]`, func(m guest.Member) bool { return m.AnswerFile && !m.RestartPending }},
		"a workgroup":                   {"computer", `[{"Name": "FILES-1", "Domain": "WORKGROUP", "PartOfDomain": false}]`, func(m guest.Member) bool { return m.Domain == "" }},
		"no cluster service":            {"service", `[]`, func(m guest.Member) bool { return m.ClusterService == guest.ServiceAbsent }},
		"a node":                        {"service", `[{"State": "Running", "StartMode": "Auto"}]`, func(m guest.Member) bool { return m.ClusterService == guest.ServiceRunning }},
		"a node whose service ended":    {"service", `[{"State": "Stopped", "StartMode": "Auto"}]`, func(m guest.Member) bool { return m.ClusterService == guest.ServiceStopped }},
	} {
		t.Run(name, func(t *testing.T) {
			values, failures := files1(), nothing()
			values[tc.call] = tc.value
			delete(failures, tc.call)
			got, err := inventory.DecodeMember(features, answer(t, inventory.MemberState("vm", features), values, failures))
			if err != nil || !tc.holds(got) {
				t.Errorf("it is read as %+v, %v", got, err)
			}
		})
	}
}

// What cannot be read is not taken for absent.
func TestMemberUnread(t *testing.T) {
	batch := inventory.MemberState("vm", features)
	for call, class := range map[string]struct {
		category string
		want     hostagent.Class
	}{
		"join": {"PermissionDenied", hostagent.Forbidden}, "disks": {"ResourceUnavailable", hostagent.Busy}, "os": {"ObjectNotFound", hostagent.NotFound},
		"features": {"NotSpecified", hostagent.Internal},
	} {
		failures := nothing()
		failures[call] = class.category
		_, err := inventory.DecodeMember(features, answer(t, batch, files1(), failures))
		if err == nil {
			t.Errorf("%s fails and the member is read all the same", call)
		}
		if got := hostagent.ClassOf(err); call != "disks" && got != class.want {
			t.Errorf("%s: class %s, want %s", call, got, class.want)
		}
	}
	failures := nothing()
	failures["administrators"] = "NotSpecified"
	values := files1()
	delete(values, "administrators")
	if m, err := inventory.DecodeMember(features, answer(t, batch, values, failures)); err != nil || !m.Answered || m.Administrators != nil {
		t.Errorf("a member whose domain does not answer is %+v, %v", m, err)
	}
	values = files1()
	values["addresses"] = `[{"InterfaceIndex": 7, "IPAddress": "ten", "PrefixLength": 24}]`
	if _, err := inventory.DecodeMember(features, answer(t, batch, values, nothing())); !errors.Is(err, hostagent.Protocol) {
		t.Errorf("an address that is none: %v", err)
	}
}

func TestDecodeCluster(t *testing.T) {
	values := map[string]string{
		"cluster":    `[{"Name": "FILES-CL", "Id": "c1", "SameSubnetThreshold": 20, "CrossSubnetThreshold": 20, "WitnessDynamicWeight": 1}]`,
		"nodes":      `[{"Name": "FILES-1", "Id": "1", "State": "Up", "StatusInformation": "Normal", "NodeWeight": 1, "DynamicWeight": 1}, {"Name": "FILES-2", "Id": "2", "State": "Down", "StatusInformation": "Quarantined", "DrainStatus": "InProgress"}]`,
		"groups":     `[{"Name": "FILES-FS", "Id": "g", "GroupType": "FileServer", "State": "Online", "OwnerNode.Name": "FILES-1"}]`,
		"resources":  `[{"Name": "data", "Id": "r", "ResourceType.Name": "Physical Disk", "OwnerGroup.Name": "FILES-FS", "OwnerNode.Name": "FILES-1", "State": "Online"}]`,
		"properties": `[{"Name": "DATA", "PrivateProperties.DiskIdGuid": "{ab}", "PrivateProperties.ObjectGUID": null}, {"Name": "vol", "PrivateProperties.DiskIdGuid": "{ef}"}, {"Name": "old"}]`,
		"volumes":    `[{"Name": "VOL", "State": "Online", "OwnerNode.Name": "FILES-2"}]`,
		"networks":   `[{"Name": "client", "Id": "n", "Role": "ClusterAndClient", "State": "Up", "Address": "10.0.1.0", "AddressMask": "255.255.255.0"}, {"Name": "v6", "Role": 0, "Address": "", "AddressMask": ""}]`,
		"quorum":     `[{"QuorumResource.Name": "witness", "QuorumType": "Majority"}]`,
		"available":  `[{"Id": "{cd}", "Number": 4}]`,
	}
	got, err := inventory.DecodeCluster("vm", answer(t, inventory.ClusterState("vm"), values, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := &guest.Cluster{
		Name: "FILES-CL", ID: "c1", Teller: "vm", SameSubnetThreshold: 20, CrossSubnetThreshold: 20, WitnessDynamicWeight: 1, WitnessResource: "witness",
		Nodes:  []guest.Node{{Name: "FILES-1", ID: "1", State: guest.NodeUp, Weight: 1, DynamicWeight: 1}, {Name: "FILES-2", ID: "2", State: guest.NodeQuarantined, Draining: true}},
		Groups: []guest.Group{{Name: "FILES-FS", ID: "g", Type: guest.GroupTypeFileServer, State: "Online", OwnerNode: "FILES-1"}},
		Resources: []guest.Resource{
			{Name: "data", ID: "r", Type: guest.TypeDisk, State: "Online", Group: "FILES-FS", OwnerNode: "FILES-1", DiskGUID: "{AB}"},
			{Name: "VOL", Type: guest.TypeDisk, State: "Online", OwnerNode: "FILES-2", DiskGUID: "{EF}"},
		},
		SharedVolumes:  []string{"VOL"},
		Networks:       []guest.Network{{Name: "client", ID: "n", Role: 3, State: "Up", Subnet: netip.MustParsePrefix("10.0.1.0/24")}, {Name: "v6"}},
		AvailableDisks: []guest.AvailableDisk{{ID: "{CD}", Number: 4}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("cluster (-want +got):\n%s", diff)
	}
}

// The object of a network name is told in more than one form; they mean the same.
func TestObjectGUID(t *testing.T) {
	const want = "1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809"
	for _, told := range []string{"4d3c2b1a6f5e817092a3b4c5d6e7f809", "{1A2B3C4D-5E6F-7081-92A3-B4C5D6E7F809}", want} {
		values := map[string]string{
			"resources":  `[{"Name": "FS"}]`,
			"properties": `[{"Name": "FS", "PrivateProperties.ObjectGUID": "` + told + `"}]`,
		}
		got, err := inventory.DecodeCluster("vm", answer(t, inventory.ClusterState("vm"), values, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got.Resources[0].ObjectGUID != want {
			t.Errorf("%s is read as %s", told, got.Resources[0].ObjectGUID)
		}
	}
}

func TestDecodeDirectory(t *testing.T) {
	q := inventory.DirectoryQuestions{
		Domain: "corp.example", Computers: []string{"FILES-1"}, Accounts: []string{"ops"}, Container: "OU=Clusters,DC=corp,DC=example", ClusterGUID: "cc",
	}
	values := map[string]string{
		"computers": `[{"Name": "FILES-1", "ObjectGUID": "0A", "DistinguishedName": "CN=FILES-1", "Enabled": true}]`,
		"accounts":  `[{"sAMAccountName": "OPS", "objectSid": "S-1-5-21-9-1104"}]`,
		"rights":    `[{"nTSecurityDescriptor.Sddl": "D:(A;;CC;;;S-1)"}]`,
		"tokens":    `[{"objectSid": "S-2", "tokenGroups": ["S-3"]}]`,
	}
	got, err := inventory.DecodeDirectory(q, answer(t, inventory.DirectoryState("vm", q), values, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := &guest.Directory{
		Computers: []guest.ComputerAccount{{Name: "FILES-1", GUID: "0a", DistinguishedName: "CN=FILES-1", Enabled: true}},
		SIDs:      map[string]string{"ops": "S-1-5-21-9-1104"}, Rights: "D:(A;;CC;;;S-1)", ClusterSIDs: []string{"S-2", "S-3"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("directory (-want +got):\n%s", diff)
	}
}

func TestDecodeValidation(t *testing.T) {
	parse := func(text string) (*guest.Report, error) { return &guest.Report{Ran: len(text)}, nil }
	for name, tc := range map[string]struct {
		value string
		want  *guest.Validation
	}{
		"never started": {`[]`, nil},
		"under way":     {`[{"State": "Running", "Error": "", "Report": null}]`, &guest.Validation{ID: "v", State: "Running"}},
		"failed":        {`[{"State": "Failed", "Error": "no", "Report": null}]`, &guest.Validation{ID: "v", State: "Failed", Error: "no"}},
		"complete":      {`[{"State": "Completed", "Report": "abc"}]`, &guest.Validation{ID: "v", State: "Completed", Report: &guest.Report{Ran: 3}}},
	} {
		got, err := inventory.DecodeValidation("v", answer(t, inventory.ValidationState("vm", "v"), map[string]string{"validation": tc.value}, nil), parse)
		if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// Every question reads, and is right in form.
func TestQuestionsOnlyRead(t *testing.T) {
	q := inventory.DirectoryQuestions{Domain: "d", Computers: []string{"A"}, Accounts: []string{"a"}, Container: "OU=x", ClusterGUID: "g"}
	for _, b := range []hostagent.Batch{
		inventory.MemberState("vm", features), inventory.ClusterState("vm"), inventory.DirectoryState("vm", q), inventory.ValidationState("vm", "v"),
	} {
		if err := b.Validate(); err != nil || b.Changes() || b.Target.VM != "vm" || b.OnError != hostagent.Continue {
			t.Errorf("%+v: %v", b, err)
		}
	}
}
