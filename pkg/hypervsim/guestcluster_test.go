package hypervsim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	inside "guestclustering.io/operator/pkg/guest"
	guestcmdlet "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/guest/inventory"
	"guestclustering.io/operator/pkg/guest/validation"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
)

var forming = hostagent.Credential{User: `CORP\forming`, Password: hostagent.NewSecret("Form-the-cluster-1")}

const (
	clusterUnit = "OU=Clusters,DC=corp,DC=example"
	dataDisk    = gold + `\shared\data.vhds`
	quorumDisk  = gold + `\shared\quorum.vhds`
)

// inner is a guest cluster in a world: two members in the domain with the features, both shared disks initialised.
type inner struct {
	fixture
	ids  []string
	data string
	// witness is the GPT GUID of the small disk, data that of the large one.
	witness string
}

// newInner makes two members that are ready to form a cluster.
func newInner(t *testing.T) *inner {
	t.Helper()
	f := &inner{fixture: newFixture(t)}
	f.ok(f.AddFolder(gold+`\shared`, ""))
	f.must("hv01", cmdlet.NewVHD("data", dataDisk, 100*GiB, false), cmdlet.NewVHD("quorum", quorumDisk, GiB, false))
	f.advance(time.Minute)
	for i, name := range []string{"one", "two"} {
		f.ids = append(f.ids, f.prepared(fmt.Sprintf("hv%02d", i+1), name, i+1))
	}
	f.witness = f.initialise(0, GiB, "witness")
	f.data = f.initialise(0, 100*GiB, "data")
	f.mustInside(f.ids[1], ops, guestcmdlet.Rescan("rescan"))
	return f
}

// prepared makes a member that has joined the domain and has the features.
func (f *inner) prepared(host, name string, number int) string {
	f.Helper()
	id := f.member(host, name, dataDisk, quorumDisk)
	f.answered(id, answerFile(name+"-1", localPassword))
	f.ok(f.SetMAC(id, "client", fmt.Sprintf("02A10100010%d", number)))
	f.ok(f.AddAdapter(id, "cluster", "vSwitch-Cluster", fmt.Sprintf("02A10100020%d", number)))
	f.must(host, cmdlet.StartGroup("start", name))
	f.advance(4 * time.Minute)
	sid := func(name string) string { return f.domain.Account(name).SID }
	f.mustInside(id, local,
		guestcmdlet.InstallFeatures("features", "Failover-Clustering", "FS-FileServer"),
		guestcmdlet.Join("join", "corp.example", clusterUnit, join),
		guestcmdlet.AddAdministrators("administrators", sid("ops"), sid("forming")),
		guestcmdlet.Restart("restart"))
	f.advance(3 * time.Minute)
	return id
}

// initialise brings the raw disk of a size to a volume, and gives its GUID.
func (f *inner) initialise(member int, size int64, label string) string {
	f.Helper()
	for _, d := range f.mustInside(f.ids[member], ops, guestcmdlet.Disks("disks"))[0].Values {
		if d.Int("Size") == size && d.Text("PartitionStyle") == "RAW" {
			return f.mustInside(f.ids[member], ops, guestcmdlet.InitializeDisk("init", d.Text("UniqueId"), label))[0].Values[0].Text("Guid")
		}
	}
	f.Fatalf("no raw disk of %d bytes", size)
	return ""
}

// explicit runs calls in a member as the forming account with its password.
func (f *inner) explicit(member int, calls ...hostagent.Call) error {
	f.Helper()
	results, err := f.insideAs(f.ids[member], ops, hostagent.Batch{Logon: hostagent.LogonExplicit, Credential: &forming, OnError: hostagent.Stop, Calls: calls})
	if err != nil {
		return err
	}
	return results.Err()
}

// formed forms cluster FILES of both members.
func (f *inner) formed() {
	f.Helper()
	f.ok(f.explicit(0, guestcmdlet.NewCluster("new", "FILES", []string{"one-1", "two-1"}, nil, true)))
	f.advance(10 * time.Second)
}

// served brings the cluster to a file server FS1 on the data disk with a share, and the witness disk to be the witness.
func (f *inner) served() {
	f.Helper()
	f.formed()
	f.domain.Grant(f.domain.Computer("FILES").SID, clusterUnit)
	f.mustInside(f.ids[0], ops,
		guestcmdlet.AddDisk("disk", f.data, "data"), guestcmdlet.AddDisk("small", f.witness, "witness"),
		guestcmdlet.DiskWitness("quorum", "witness"), guestcmdlet.NewFileServer("role", "FS1", "data"))
	f.advance(10 * time.Second)
	f.mustInside(f.owner("FS1"), ops, guestcmdlet.NewShare("share", "FS1", f.data, "docs", `CORP\ops`))
}

// ask gives the values of a call in the first member that answers.
func (f *inner) ask(call hostagent.Call) []hostagent.Object {
	f.Helper()
	var err error
	for _, id := range f.ids {
		var results hostagent.Results
		if results, err = f.inside(id, ops, call); err == nil && results.Err() == nil {
			return results[0].Values
		}
	}
	f.Fatalf("no member answers %s: %v", call.Cmdlet, err)
	return nil
}

// value gives a property of the object of a name.
func (f *inner) value(call hostagent.Call, name, property string) string {
	f.Helper()
	for _, o := range f.ask(call) {
		if o.Text("Name") == name {
			return o.Text(property)
		}
	}
	return "absent"
}

// owner is the id of the member that owns a group.
func (f *inner) owner(group string) string {
	f.Helper()
	name := f.value(guestcmdlet.Groups("g"), group, "OwnerNode.Name")
	for _, id := range f.ids {
		if strings.EqualFold(f.vm(id).Name+"-1", name) {
			return id
		}
	}
	f.Fatalf("group %s is on %q", group, name)
	return ""
}

func TestInnerClusterServes(t *testing.T) {
	f := newInner(t)
	f.served()
	for _, row := range []struct {
		call                 hostagent.Call
		name, property, want string
	}{
		{guestcmdlet.Nodes("x"), "ONE-1", "State", "Up"},
		{guestcmdlet.Nodes("x"), "TWO-1", "State", "Up"},
		{guestcmdlet.Groups("x"), "FS1", "State", "Online"},
		{guestcmdlet.Groups("x"), "FS1", "GroupType", "FileServer"},
		{guestcmdlet.Resources("x"), "data", "State", "Online"},
		{guestcmdlet.Resources("x"), "data", "ResourceType.Name", "Physical Disk"},
		{guestcmdlet.Resources("x"), "witness", "OwnerGroup.Name", "Cluster Group"},
		{guestcmdlet.ResourceProperties("x"), "data", "PrivateProperties.DiskIdGuid", f.data},
		{guestcmdlet.ResourceProperties("x"), "FS1", "PrivateProperties.DnsName", "FS1"},
		{guestcmdlet.Networks("x"), "Cluster Network 1", "Role", "ClusterAndClient"},
		{guestcmdlet.Networks("x"), "Cluster Network 1", "Address", "10.0.1.0"},
		{guestcmdlet.Networks("x"), "Cluster Network 2", "Address", "169.254.0.0"},
		{guestcmdlet.Networks("x"), "Cluster Network 2", "Role", "Cluster"},
	} {
		if got := f.value(row.call, row.name, row.property); got != row.want {
			t.Errorf("%s %s %s: %q, want %q", row.call.Cmdlet, row.name, row.property, got, row.want)
		}
	}
	if got := f.ask(guestcmdlet.Quorum("q"))[0].Text("QuorumResource.Name"); got != "witness" {
		t.Errorf("witness is %q", got)
	}
	if got := f.ask(guestcmdlet.Cluster("c"))[0]; got.Text("Name") != "FILES" || got.Int("WitnessDynamicWeight") != 1 || got.Int("SameSubnetThreshold") != 10 {
		t.Errorf("cluster %v", got)
	}
	shares := f.mustInside(f.owner("FS1"), ops, guestcmdlet.Shares("s"))[0].Values
	if len(shares) != 1 || shares[0].Text("Name") != "docs" || shares[0].Text("ScopeName") != "FS1" || !shares[0].Bool("ContinuouslyAvailable") {
		t.Errorf("shares %v", shares)
	}
	// The cluster's objects are those of the directory.
	own := f.domain.Computer("FS1")
	if got := f.value(guestcmdlet.ResourceProperties("x"), "FS1", "PrivateProperties.ObjectGUID"); own == nil || got != octets(own.GUID) || len(got) != 32 {
		t.Errorf("object %q of %+v", got, own)
	}
	if made := f.domain.Computer("FILES"); made == nil || !strings.HasSuffix(made.DistinguishedName, clusterUnit) {
		t.Errorf("cluster's object %+v", made)
	}
}

// refusedInside runs a call in a member and tells how it was refused.
func (f *inner) refusedInside(member int, logon hostagent.Logon, call hostagent.Call) string {
	f.Helper()
	batch := hostagent.Batch{Logon: logon, OnError: hostagent.Stop, Calls: []hostagent.Call{call}}
	if logon == hostagent.LogonExplicit {
		batch.Credential = &forming
	}
	results, err := f.insideAs(f.ids[member], ops, batch)
	f.ok(err)
	if len(results[0].Errors) == 0 {
		return ""
	}
	return results[0].Errors[0].Category + " " + results[0].Errors[0].HResult
}

func TestFormingIsRefused(t *testing.T) {
	const secondHop, exists, unreachable = "PermissionDenied 0x80070005", "ResourceExists 0x800700B7", "ConnectionError 0x800706BA"
	both := guestcmdlet.NewCluster("new", "FILES", []string{"one-1", "two-1"}, nil, true)
	for name, row := range map[string]struct {
		change func(*inner)
		logon  hostagent.Logon
		call   hostagent.Call
		want   string
	}{
		"a second hop":       {func(*inner) {}, hostagent.LogonNetwork, both, secondHop},
		"as SYSTEM":          {func(*inner) {}, hostagent.LogonSystem, both, secondHop},
		"an unknown node":    {func(*inner) {}, hostagent.LogonExplicit, guestcmdlet.NewCluster("new", "FILES", []string{"one-1", "three-1"}, nil, true), unreachable},
		"the name of a node": {func(*inner) {}, hostagent.LogonExplicit, guestcmdlet.NewCluster("new", "two-1", []string{"one-1", "two-1"}, nil, true), exists},
		"a name that is taken": {func(f *inner) {
			_, err := f.domain.CreateComputer(f.domain.Account("join").SID, clusterUnit, "files")
			f.ok(err)
		}, hostagent.LogonExplicit, both, exists},
		"no right in the unit": {func(f *inner) {
			f.domain.Rights[strings.ToLower(clusterUnit)] = nil
		}, hostagent.LogonExplicit, both, secondHop},
		"no administrator there": {func(f *inner) {
			f.machineByID(f.ids[1]).guest.system.Administrators = nil
		}, hostagent.LogonExplicit, both, secondHop},
		"a node without the feature": {func(f *inner) {
			f.machineByID(f.ids[1]).guest.system.RemoveFeature("Failover-Clustering")
		}, hostagent.LogonExplicit, both, "NotInstalled " + hresultNone},
		"no tools": {func(f *inner) {
			f.machineByID(f.ids[0]).guest.system.RemoveFeature("RSAT-Clustering-PowerShell")
		}, hostagent.LogonExplicit, both, "ObjectNotFound " + hresultItemNotFound},
		"a node that is off": {func(f *inner) { f.ok(f.TurnOffVM(f.ids[1])) }, hostagent.LogonExplicit, both, unreachable},
		"a node that is cut off": {func(f *inner) {
			f.ok(f.SetSwitch(f.ids[1], "client", ""))
			f.ok(f.SetSwitch(f.ids[1], "cluster", ""))
		}, hostagent.LogonExplicit, both, unreachable},
		"a foreign address":   {func(*inner) {}, hostagent.LogonExplicit, guestcmdlet.NewCluster("new", "FILES", []string{"one-1", "two-1"}, []string{"192.168.7.1"}, true), "InvalidArgument " + hresultParameter},
		"a node of a cluster": {func(f *inner) { f.formed() }, hostagent.LogonExplicit, guestcmdlet.NewCluster("new", "OTHER", []string{"one-1", "two-1"}, nil, true), "ResourceExists " + hresultClusterExists},
		"nothing asked of no cluster": {
			func(*inner) {}, hostagent.LogonNetwork, guestcmdlet.Cluster("c"), "ConnectionError " + hresultNoEndpoint,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newInner(t)
			row.change(f)
			before := len(f.domain.Computers)
			if got := f.refusedInside(0, row.logon, row.call); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
			if got := len(f.domain.Computers); got != before {
				t.Errorf("the refusal left %d computer objects, want %d", got, before)
			}
			service := f.mustInside(f.ids[0], ops, guestcmdlet.ClusterService("s"))[0].Values[0].Text("StartMode")
			if wanted := map[bool]string{true: "Auto", false: "Disabled"}[name == "a node of a cluster"]; service != wanted {
				t.Errorf("the cluster service is %s, want %s", service, wanted)
			}
		})
	}
}

// TestRoleMovesWhenAHostFails is what guest clustering is for: the role is online elsewhere while its machine restarts.
func TestRoleMovesWhenAHostFails(t *testing.T) {
	f := newInner(t)
	f.served()
	f.advance(time.Minute)
	lost := f.owner("FS1")
	f.ok(f.FailHost(f.vm(lost).Host))
	f.advance(12 * time.Second)
	role := f.role("FS1")
	if role.State != "Pending" && role.State != "Online" || role.Owner == f.vm(lost).Name+"-1" {
		t.Errorf("12 s after: %+v", role)
	}
	f.advance(3 * time.Second)
	role = f.role("FS1")
	if want := (13 * time.Second).Seconds(); !role.Served || role.LastInterruption != want || role.Interruptions != 1 {
		t.Errorf("after the fail-over: %+v, want one interruption of %g s", role, want)
	}
	if f.vm(lost).State != off {
		t.Error("the machine has restarted already: the number says nothing")
	}
	// The host cluster restarts the machine after the resiliency period, and it joins again.
	f.advance(8 * time.Minute)
	if got := f.value(guestcmdlet.Nodes("n"), strings.ToUpper(f.vm(lost).Name)+"-1", "State"); got != "Up" || f.role("FS1").Interruptions != 1 {
		t.Errorf("the node is %s, %+v", got, f.role("FS1"))
	}
}

// role is a role's picture.
func (f *inner) role(name string) RoleState {
	f.Helper()
	for _, c := range f.State().GuestClusters {
		for _, r := range c.Roles {
			if r.Name == name {
				return r
			}
		}
	}
	f.Fatalf("no role %s", name)
	return RoleState{}
}

// TestLiveMigrationIsABlackout: the nodes do not miss one that migrates.
func TestLiveMigrationIsABlackout(t *testing.T) {
	f := newInner(t)
	f.served()
	f.advance(time.Minute)
	id := f.owner("FS1")
	f.ok(f.MoveVM(id, "hv03"))
	f.advance(time.Minute)
	role := f.role("FS1")
	if f.owner("FS1") != id || role.Interruptions != 1 || role.LastInterruption != 2 {
		t.Errorf("on %s: %+v, want it where it was, and 2 s of silence", f.vm(f.owner("FS1")).Name, role)
	}
	f.durations.Blackout = 11 * time.Second
	f.durations.MigratePerGiB = 5 * time.Second
	f.ok(f.MoveVM(id, "hv04"))
	f.advance(30 * time.Second)
	if f.owner("FS1") == id {
		t.Error("a machine that stands still for longer than the threshold keeps its roles")
	}
}

func TestDisksFollowTheirRole(t *testing.T) {
	f := newInner(t)
	f.served()
	offline := func(id string) map[string]bool {
		out := map[string]bool{}
		for _, d := range f.mustInside(id, ops, guestcmdlet.Disks("d"))[0].Values {
			out[d.Text("Guid")] = d.Bool("IsOffline")
		}
		return out
	}
	owner := f.owner("FS1")
	other := f.ids[0]
	if other == owner {
		other = f.ids[1]
	}
	if offline(owner)[f.data] || !offline(other)[f.data] {
		t.Errorf("owner %v, other %v", offline(owner), offline(other))
	}
	f.mustInside(owner, ops, guestcmdlet.MoveGroup("move", "FS1", f.vm(other).Name+"-1"))
	f.advance(5 * time.Second)
	if !offline(owner)[f.data] || offline(other)[f.data] {
		t.Errorf("after the move: old owner %v, new %v", offline(owner), offline(other))
	}
}

func TestNameWithoutRights(t *testing.T) {
	f := newInner(t)
	f.formed()
	f.domain.Rights[strings.ToLower(clusterUnit)] = nil
	f.mustInside(f.ids[0], ops, guestcmdlet.AddDisk("disk", f.data, "data"), guestcmdlet.NewFileServer("role", "FS1", "data"))
	f.advance(30 * time.Second)
	if got := f.value(guestcmdlet.Groups("g"), "FS1", "State"); got != "Failed" || !strings.Contains(f.effects(0), "1194") {
		t.Fatalf("group is %s", got)
	}
	f.domain.Grant(f.domain.Computer("FILES").SID, clusterUnit)
	f.mustInside(f.ids[0], ops, guestcmdlet.StartGroup("start", "FS1"))
	f.advance(5 * time.Second)
	if got := f.value(guestcmdlet.Groups("g"), "FS1", "State"); got != "Online" {
		t.Errorf("group is %s with the right", got)
	}
}

// Two clusters on one network do not get one address.
func TestAddressesAreNotGivenTwice(t *testing.T) {
	f := newInner(t)
	for i, name := range []string{"FIRST", "SECOND"} {
		f.ok(f.explicit(i, guestcmdlet.NewCluster("new", name, []string{[]string{"one-1", "two-1"}[i]}, nil, true)))
	}
	f.advance(10 * time.Second)
	addresses := map[string]bool{}
	for _, id := range f.ids {
		for _, o := range f.mustInside(id, ops, guestcmdlet.ResourceProperties("p"))[0].Values {
			if o.Text("Name") == "Cluster IP Address" {
				addresses[o.Text("PrivateProperties.Address")] = true
			}
		}
	}
	if len(addresses) != 2 {
		t.Errorf("two clusters have the addresses %v", addresses)
	}
}

func TestSharedVolumesAreListedApart(t *testing.T) {
	f := newInner(t)
	f.formed()
	f.mustInside(f.ids[0], ops, guestcmdlet.AddDisk("disk", f.data, "data"), guestcmdlet.MakeSharedVolume("volume", "data"))
	if got := f.value(guestcmdlet.Resources("r"), "data", "State"); got != "absent" {
		t.Errorf("Get-ClusterResource lists the volume as %s", got)
	}
	if got := f.value(guestcmdlet.SharedVolumes("v"), "data", "State"); got != "Online" {
		t.Errorf("the volume is %s", got)
	}
	if got := f.value(guestcmdlet.ResourceProperties("p"), "data", "PrivateProperties.DiskIdGuid"); got != f.data {
		t.Errorf("the volume's disk is %s, want %s", got, f.data)
	}
}

// TestSafeToRepeat: what is done already is refused or does nothing.
func TestSafeToRepeat(t *testing.T) {
	f := newInner(t)
	f.served()
	owner := 0
	if f.owner("FS1") == f.ids[1] {
		owner = 1
	}
	for name, row := range map[string]struct {
		logon hostagent.Logon
		call  hostagent.Call
		want  string
	}{
		"the disk":     {hostagent.LogonNetwork, guestcmdlet.AddDisk("x", f.data, "data"), ""},
		"the witness":  {hostagent.LogonNetwork, guestcmdlet.DiskWitness("x", "witness"), ""},
		"the share":    {hostagent.LogonNetwork, guestcmdlet.NewShare("x", "FS1", f.data, "docs"), ""},
		"the role":     {hostagent.LogonNetwork, guestcmdlet.NewFileServer("x", "FS1", "data"), "ResourceExists " + hresultClusterExists},
		"the node":     {hostagent.LogonExplicit, guestcmdlet.AddNode("x", "two-1"), "ResourceExists " + hresultClusterExists},
		"the cluster":  {hostagent.LogonExplicit, guestcmdlet.NewCluster("x", "FILES", []string{"one-1", "two-1"}, nil, true), "ResourceExists " + hresultClusterExists},
		"a start":      {hostagent.LogonNetwork, guestcmdlet.StartGroup("x", "FS1"), ""},
		"an eviction":  {hostagent.LogonNetwork, guestcmdlet.EvictNode("x", "two-1"), "PermissionDenied 0x80070005"},
		"the end":      {hostagent.LogonNetwork, guestcmdlet.RemoveCluster("x"), "PermissionDenied 0x80070005"},
		"a disk inuse": {hostagent.LogonNetwork, guestcmdlet.RemoveResource("x", "data"), "InvalidOperation " + hresultInnerDependent},
		"no resource":  {hostagent.LogonNetwork, guestcmdlet.RemoveResource("x", "nothing"), "ObjectNotFound " + hresultNoResource},
	} {
		if got := f.refusedInside(owner, row.logon, row.call); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}

func TestNodeLeavesAndClusterEnds(t *testing.T) {
	f := newInner(t)
	f.served()
	f.mustInside(f.ids[0], ops, guestcmdlet.DrainNode("drain", "two-1"))
	f.advance(10 * time.Second)
	if got := f.value(guestcmdlet.Nodes("n"), "TWO-1", "State") + " " + f.value(guestcmdlet.Nodes("n"), "TWO-1", "DrainStatus"); got != "Paused Completed" {
		t.Errorf("drained node is %s", got)
	}
	f.ok(f.explicit(0, guestcmdlet.EvictNode("evict", "two-1")))
	if got := f.mustInside(f.ids[1], ops, guestcmdlet.ClusterService("s"))[0].Values[0]; got.Text("StartMode") != "Disabled" || got.Text("State") != "Stopped" {
		t.Errorf("the evicted node's service is %v", got)
	}
	f.ok(f.explicit(0, guestcmdlet.AddNode("add", "two-1")))
	f.advance(10 * time.Second)
	if got := f.value(guestcmdlet.Nodes("n"), "TWO-1", "State"); got != "Up" {
		t.Errorf("the node that was added is %s", got)
	}
	f.ok(f.explicit(0, guestcmdlet.RemoveCluster("remove")))
	for _, name := range []string{"FILES", "FS1"} {
		if f.domain.Computer(name) != nil {
			t.Errorf("computer object %s is left", name)
		}
	}
	for _, id := range f.ids {
		if got := f.mustInside(id, ops, guestcmdlet.ClusterService("s"))[0].Values[0].Text("StartMode"); got != "Disabled" {
			t.Errorf("a member's service is %s", got)
		}
	}
}

func TestAccidentsInside(t *testing.T) {
	f := newInner(t)
	f.served()
	f.advance(time.Minute)
	first := f.owner("FS1")
	other := f.ids[0]
	if other == first {
		other = f.ids[1]
	}
	name := strings.ToUpper(f.vm(first).Name) + "-1"

	// A node that is cut off keeps a disk that it holds: with a disk witness it may be the one that goes on.
	f.mustInside(first, ops, guestcmdlet.FileShareWitness("w", `\\files.corp.example\witness`))
	f.ok(f.IsolateVM(first))
	f.advance(20 * time.Second)
	if f.role("FS1").Owner == name || !f.role("FS1").Served {
		t.Errorf("after the isolation: %+v", f.role("FS1"))
	}
	if got, err := f.inside(first, ops, guestcmdlet.Cluster("c")); err == nil && got.Err() == nil {
		t.Error("an isolated node still tells of the cluster")
	}
	f.ok(f.ReconnectVM(first))
	f.advance(3 * time.Minute)
	if got := f.value(guestcmdlet.Nodes("n"), name, "State"); got != "Up" {
		t.Errorf("after it was reconnected the node is %s", got)
	}

	f.ok(f.StopClusterService(other))
	f.advance(4 * time.Second)
	if f.role("FS1").Owner != name || !f.role("FS1").Served {
		t.Errorf("after the service was stopped: %+v", f.role("FS1"))
	}
	service := func() string {
		return f.mustInside(other, ops, guestcmdlet.ClusterService("s"))[0].Values[0].Text("State")
	}
	stopped := service()
	f.ok(f.StartClusterService(other))
	f.advance(time.Minute)
	if got := stopped + " " + service(); got != "Stopped Running" {
		t.Errorf("the service was %s", got)
	}

	f.ok(f.LoseServer("files.corp.example"))
	if got := f.State().GuestClusters[0].Witness.State; got != "Failed" {
		t.Errorf("the witness is %s", got)
	}
	f.ok(f.FailHost(f.vm(first).Host))
	f.advance(20 * time.Second)
	if f.State().GuestClusters[0].Quorate {
		t.Error("one of two nodes runs on without its witness")
	}
	f.ok(f.ReturnServer("FILES.corp.example"))
	f.advance(2 * time.Minute)
	if !f.State().GuestClusters[0].Quorate || !f.role("FS1").Served {
		t.Errorf("with its witness again: %+v", f.State().GuestClusters[0])
	}
}

// validated runs a validation in the first member and gives its verdict.
func (f *inner) validated(run string, nodes []string, as hostagent.Credential) *inside.Validation {
	f.Helper()
	f.mustInside(f.ids[0], ops, guestcmdlet.StartValidation("start", run, nodes, nil, as))
	f.advance(2 * time.Minute)
	results, err := f.insideAs(f.ids[0], ops, inventory.ValidationState(f.ids[0], run))
	f.ok(err)
	v, err := inventory.DecodeValidation(run, results, validation.Parse)
	f.ok(err)
	return v
}

func TestValidationInside(t *testing.T) {
	both := []string{"one-1", "two-1"}
	for name, row := range map[string]struct {
		change  func(*inner)
		nodes   []string
		as      hostagent.Credential
		state   string
		failed  []string
		untests []string
	}{
		"all is well":     {func(*inner) {}, both, forming, "Completed", nil, nil},
		"an unknown node": {func(*inner) {}, []string{"one-1", "three-1"}, forming, "Failed", nil, nil},
		"a node is off":   {func(f *inner) { f.ok(f.TurnOffVM(f.ids[1])) }, both, forming, "Failed", nil, nil},
		"a stranger": {func(f *inner) {
			f.machineByID(f.ids[1]).guest.system.Administrators = nil
		}, both, forming, "Failed", nil, nil},
		"interrupted": {func(f *inner) {
			f.mustInside(f.ids[0], ops, guestcmdlet.StartValidation("start", "run", both, nil, forming))
			f.ok(f.RestartGuest(f.ids[0]))
			f.advance(3 * time.Minute)
			results, err := f.insideAs(f.ids[0], ops, inventory.ValidationState(f.ids[0], "run"))
			f.ok(err)
			if v, err := inventory.DecodeValidation("run", results, validation.Parse); err != nil || v.State != "Failed" {
				t.Errorf("interrupted: %+v, %v", v, err)
			}
		}, both, forming, "Completed", nil, nil},
		"no reservations": {func(f *inner) {
			for _, id := range f.ids {
				for _, d := range f.machineByID(id).drives {
					d.shared = false
				}
			}
		}, both, forming, "Completed", []string{"Validate Disk Arbitration", "Validate SCSI-3 Persistent Reservation"}, nil},
		"a disk of one member": {func(f *inner) { f.ok(f.DetachDisk(f.ids[1], dataDisk)) }, both, forming, "Completed", nil, []string{"data"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newInner(t)
			row.change(f)
			v := f.validated("run", row.nodes, row.as)
			if v == nil || v.State != row.state {
				t.Fatalf("got %+v, want %s", v, row.state)
			}
			if row.state == "Failed" {
				if v.Error == "" || v.Report != nil {
					t.Errorf("got %+v, want a reason and no report", v)
				}
				return
			}
			if diff := cmp.Diff(row.failed, v.Report.Failed); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
			for label, guid := range map[string]string{"data": f.data, "witness": f.witness} {
				if tested := slices.Contains(v.Report.Disks, guid); tested == slices.Contains(row.untests, label) {
					t.Errorf("disk %s was tested: %v", label, tested)
				}
			}
		})
	}
	f := newInner(t)
	wrong := hostagent.Credential{User: `CORP\forming`, Password: hostagent.NewSecret("wrong")}
	if got := f.refusedInside(0, hostagent.LogonNetwork, guestcmdlet.StartValidation("start", "run", both, nil, wrong)); got != "NotSpecified "+hresultLogonFailure {
		t.Errorf("a wrong password: %s", got)
	}
	if got := f.refusedInside(0, hostagent.LogonNetwork, guestcmdlet.Validation("v", "other")); !strings.HasPrefix(got, "ObjectNotFound") {
		t.Errorf("a run that never was: %s", got)
	}
}

// TestReadInside reads the cluster as the operator does.
func TestReadInside(t *testing.T) {
	f := newInner(t)
	f.served()
	results, err := f.insideAs(f.ids[1], ops, inventory.ClusterState(f.ids[1]))
	f.ok(err)
	got, err := inventory.DecodeCluster(f.ids[1], results)
	f.ok(err)
	name, _ := got.Group("FS1")
	disk, _ := got.DiskResource(f.data)
	var object string
	for _, r := range got.ResourcesOf("FS1") {
		if r.Type == inside.TypeNetworkName {
			object = r.ObjectGUID
		}
	}
	type picture struct {
		Cluster, Group, Disk, Witness, Object string
		Nodes                                 int
		Roles                                 []int64
	}
	var roles []int64
	for _, n := range got.Networks {
		roles = append(roles, n.Role)
	}
	want := picture{"FILES", "FileServer Online", "data Online", "witness", f.domain.Computer("FS1").GUID, 2, []int64{3, 1}}
	have := picture{got.Name, name.Type + " " + name.State, disk.Name + " " + disk.State, got.WitnessResource, object, len(got.Nodes), roles}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWorkgroupCluster needs no domain: the same local administrator on all nodes, and an access point in DNS alone ("Create a
// workgroup cluster").
func TestWorkgroupCluster(t *testing.T) {
	f := &inner{fixture: newFixture(t)}
	f.ok(f.AddFolder(gold+`\shared`, ""))
	f.must("hv01", cmdlet.NewVHD("data", dataDisk, 100*GiB, false), cmdlet.NewVHD("quorum", quorumDisk, GiB, false))
	for i, name := range []string{"one", "two"} {
		host := fmt.Sprintf("hv%02d", i+1)
		id := f.windows(host, name, name+"-1", dataDisk, quorumDisk)
		f.ok(f.SetMAC(id, "client", fmt.Sprintf("02A10100010%d", i+1)))
		f.mustInside(id, local, guestcmdlet.InstallFeatures("features", "Failover-Clustering", "FS-FileServer"))
		f.ids = append(f.ids, id)
	}
	form := func(inDomain bool) error {
		results, err := f.insideAs(f.ids[0], local, hostagent.Batch{Logon: hostagent.LogonExplicit, Credential: &local, OnError: hostagent.Stop, Calls: []hostagent.Call{
			guestcmdlet.NewCluster("new", "FILES", []string{"one-1", "two-1"}, nil, inDomain),
		}})
		f.ok(err)
		return results.Err()
	}
	if err := form(true); hostagent.ClassOf(err) != hostagent.Invalid {
		t.Errorf("with an object in a domain that is not there: %v", err)
	}
	f.ok(form(false))
	f.advance(10 * time.Second)
	results := f.mustInside(f.ids[0], local, guestcmdlet.Cluster("c"))
	if got := results[0].Values[0].Text("Name"); got != "FILES" {
		t.Errorf("cluster is %q", got)
	}
	results, err := f.inside(f.ids[0], local, guestcmdlet.NewFileServer("role", "FS1", "data"))
	f.ok(err)
	if got := hostagent.ClassOf(results.Err()); got != hostagent.Unsupported {
		t.Errorf("a file server in a workgroup: %v", results.Err())
	}
}

// within opens a PowerShell in a member.
func (f *inner) within(member int, as hostagent.Credential, logon hostagent.Logon) prompt {
	f.Helper()
	p, err := f.GuestPrompt(f.vm(f.ids[member]).Host, f.ids[member], as, logon)
	f.ok(err)
	f.Cleanup(func() { f.ok(p.Close()) })
	return prompt{f.fixture, p}
}

// TestNamedFunctionsInside does step by step what the named functions do in a guest whose PowerShell is a real one.
func TestNamedFunctionsInside(t *testing.T) {
	f := newInner(t)
	f.formed()
	p := f.within(0, ops, hostagent.LogonNetwork)

	// Add-SharedDisk
	available := p.one("Get-ClusterAvailableDisk", params{"Disk": p.disk(f.data)})
	if available.Class != "ClusterDiskInfo" || available.Properties["id"] != f.data {
		t.Errorf("available disk %+v", available)
	}
	resource := p.one("Add-ClusterDisk", params{"InputObject": []any{available.Handle}})
	f.ok(p.Set(resource.Handle, "Name", []string{"data"}))
	parameter := p.one("Get-ClusterParameter", params{"InputObject": []any{resource.Handle}, "Name": []any{"DiskIdGuid"}})
	if got := f.value(guestcmdlet.Resources("r"), "data", "State"); got != "Online" || parameter.Properties["value"] != f.data {
		t.Errorf("the disk is %s, %v", got, parameter)
	}
	if err := p.Set(resource.Handle, "Name", []string{"Cluster Name"}); hostagent.ClassOf(err) != hostagent.Conflict {
		t.Errorf("a name that is taken: %v", err)
	}

	// Set-ClusterNetworkRole and Set-ClusterHeartbeat
	network := p.one("Get-ClusterNetwork", params{"Name": []any{"Cluster Network 2"}})
	f.ok(p.Set(network.Handle, "Name", []string{"cluster"}))
	f.ok(p.Set(network.Handle, "Role", []string{"0"}))
	cluster := p.one("Get-Cluster", nil)
	f.ok(p.Set(cluster.Handle, "SameSubnetThreshold", []string{"40"}))
	if got := f.value(guestcmdlet.Networks("n"), "cluster", "Role"); got != "None" || f.ask(guestcmdlet.Cluster("c"))[0].Int("SameSubnetThreshold") != 40 {
		t.Errorf("the network is %s, the cluster %v", got, f.ask(guestcmdlet.Cluster("c"))[0])
	}
	for property, value := range map[string]string{"SameSubnetThreshold": "2", "Name": "OTHER"} {
		if err := p.Set(cluster.Handle, property, []string{value}); err == nil {
			t.Errorf("%s of the cluster is %s", property, value)
		}
	}

	// Set-CloudWitness, whose key is text on its way.
	const key = "c2VjcmV0LWtleQ=="
	p.call("Set-ClusterQuorum", params{"CloudWitness": true, "AccountName": "witnesses", "AccessKey": key})
	if got := f.value(guestcmdlet.ResourceProperties("p"), "Cloud Witness", "PrivateProperties.AccountName"); got != "witnesses" {
		t.Errorf("the witness is on %q", got)
	}
	text, err := json.Marshal(f.Journal(0))
	f.ok(err)
	if strings.Contains(string(text), key) {
		t.Error("the journal has the key of the witness")
	}

	// New-ClusterShare
	f.mustInside(f.ids[0], ops, guestcmdlet.NewFileServer("role", "FS1", "data"))
	f.advance(10 * time.Second)
	f.mustInside(f.ids[0], ops, guestcmdlet.MoveGroup("move", "FS1", "one-1"))
	f.advance(10 * time.Second)
	letter := f.letter(0, f.data)
	path := letter + `:\Shares\docs`
	steps := []string{
		fmt.Sprint(p.call("Test-Path", params{"LiteralPath": []any{path}})),
		fmt.Sprint(len(p.call("New-Item", params{"Path": []any{path}, "ItemType": "Directory", "Force": true}))),
		fmt.Sprint(p.call("Test-Path", params{"LiteralPath": []any{path}})),
		fmt.Sprint(p.call("New-Item", params{"Path": []any{`Q:\Shares`}, "ItemType": "Directory", "Force": true})),
		fmt.Sprint(p.call("New-SmbShare", params{"Name": "docs", "ScopeName": "NOWHERE", "Path": path, "ContinuouslyAvailable": true})),
		fmt.Sprint(len(p.call("New-SmbShare", params{"Name": "docs", "ScopeName": "FS1", "Path": path, "ContinuouslyAvailable": true}))),
	}
	if diff := cmp.Diff([]string{"[false]", "1", "[true]", "[error ObjectNotFound]", "[error ObjectNotFound]", "1"}, steps); diff != "" {
		t.Errorf("making a share (-want +got):\n%s", diff)
	}
	if got := f.role("FS1").Shares; !slices.Equal(got, []string{"docs"}) {
		t.Errorf("shares %v", got)
	}
}

// TestClusterTesterInside does what the task of Start-ClusterValidation does.
func TestClusterTesterInside(t *testing.T) {
	f := newInner(t)
	nodes := []any{"one-1", "two-1"}
	if got := f.within(0, ops, hostagent.LogonNetwork).call("Test-Cluster", params{"Node": nodes}); fmt.Sprint(got) != "[error PermissionDenied]" {
		t.Errorf("without a password for the other node: %v", got)
	}
	p := f.within(0, forming, hostagent.LogonExplicit)
	const folder = `C:\ProgramData\GuestClustering\validation.run`
	p.call("New-Item", params{"Path": []any{folder}, "ItemType": "Directory", "Force": true})
	p.call("Set-Content", params{"LiteralPath": []any{folder + `\nodes.txt.new`}, "Value": []any{"one-1\ntwo-1"}, "NoNewline": true})
	p.call("Move-Item", params{"LiteralPath": []any{folder + `\nodes.txt.new`}, "Destination": folder + `\nodes.txt`, "Force": true})
	if got := p.call("Get-Content", params{"LiteralPath": []any{folder + `\nodes.txt`}, "Raw": true}); fmt.Sprint(got) != "[one-1\ntwo-1]" {
		t.Errorf("nodes %q", got)
	}
	since := f.Now()
	page := p.one("Test-Cluster", params{"Node": nodes, "ReportName": folder + `\report`})
	if !strings.HasSuffix(fmt.Sprint(page.Properties["fullname"]), `report.htm`) {
		t.Errorf("page %+v", page)
	}
	report := p.one("Get-ChildItem", params{"LiteralPath": []any{`C:\Windows\Cluster\Reports`}, "File": true})
	written, _ := report.Properties["lastwritetimeutc"].(time.Time)
	if name := fmt.Sprint(report.Properties["name"]); !strings.HasPrefix(name, "validation data for node") || written.Before(since) {
		t.Errorf("report %+v", report)
	}
	p.call("Copy-Item", params{"LiteralPath": []any{report.Properties["fullname"]}, "Destination": folder + `\report.xml`, "Force": true})
	text := p.call("Get-Content", params{"LiteralPath": []any{folder + `\report.xml`}, "Raw": true})
	verdict, err := validation.Parse(text[0])
	f.ok(err)
	if len(verdict.Failed) != 0 || len(verdict.Disks) != 2 {
		t.Errorf("verdict %+v", verdict)
	}
	p.call("Remove-Item", params{"LiteralPath": []any{folder}, "Recurse": true})
	if got := p.call("Test-Path", params{"LiteralPath": []any{folder}}); fmt.Sprint(got) != "[false]" {
		t.Errorf("the folder is left: %v", got)
	}
}

// disk is a handle on the disk of a GUID, in a list as a parameter takes it.
func (p prompt) disk(guid string) any {
	p.Helper()
	values, _, err := p.Invoke(p.Context(), "Get-Disk", nil)
	p.ok(err)
	for _, v := range values {
		if live := v.(Live); live.Properties["guid"] == guid {
			return live.Handle
		}
	}
	p.Fatalf("no disk %s", guid)
	return nil
}

// letter is the drive letter of a disk's volume in a member.
func (f *inner) letter(member int, guid string) string {
	f.Helper()
	for _, p := range f.machineByID(f.ids[member]).guest.system.Disk(guid).Content.Partitions {
		if p.Letter != "" {
			return p.Letter
		}
	}
	f.Fatalf("disk %s has no letter", guid)
	return ""
}

// TestTasksInGuests: a task in a guest has its user's rights there, goes with it to another host, and ends with it.
func TestTasksInGuests(t *testing.T) {
	f := newInner(t)
	tasks := newTasks(f.fixture)
	p := f.within(0, ops, hostagent.LogonNetwork)
	action := p.one("New-ScheduledTaskAction", params{"Execute": "powershell.exe", "Argument": "-NoProfile", "WorkingDirectory": `C:\ProgramData`})
	register := func(user, password string) []string {
		return p.call("Register-ScheduledTask", params{
			"TaskPath": workFolder, "TaskName": "id", "Action": []any{action.Handle}, "User": user, "Password": password, "Force": true,
		})
	}
	for name, row := range map[string][2]string{
		"a wrong password": {`CORP\forming`, "wrong"}, "no administrator": {`CORP\join`, "Join-the-domain-1"},
	} {
		if got := fmt.Sprint(register(row[0], row[1])); got != "[error NotSpecified]" {
			t.Errorf("%s: %s", name, got)
		}
	}
	register(`CORP\forming`, "Form-the-cluster-1")
	start := func() Task {
		t.Helper()
		p.call("Start-ScheduledTask", params{"TaskPath": workFolder, "TaskName": "id"})
		task := <-tasks.began
		if task.VM != f.ids[0] || task.Logon != hostagent.LogonExplicit {
			t.Errorf("the task %+v", task)
		}
		return task
	}
	inTask, err := f.TaskPrompt(start())
	f.ok(err)
	f.ok(f.MoveVM(f.ids[0], "hv03"))
	f.advance(time.Minute)
	if got := (prompt{f.fixture, inTask}).call("New-Cluster", params{"Name": "FILES", "Node": []any{"one-1", "two-1"}, "NoStorage": true}); fmt.Sprint(got) != "[FILES]" {
		t.Errorf("the task's second hop: %v", got)
	}
	f.ok(f.TurnOffVM(f.ids[0]))
	<-tasks.ended
	if _, _, err := inTask.Invoke(f.Context(), "Get-Cluster", nil); err == nil {
		t.Error("the task goes on in a machine that is off")
	}
	f.ok(inTask.Close())
	f.ok(f.StartVM(f.ids[0]))
	f.advance(2 * time.Minute)
	p = f.within(0, ops, hostagent.LogonNetwork)
	if got := p.taskState(); got != "Ready" {
		t.Errorf("after a restart the task is %s", got)
	}
	late := start()
	f.ok(f.RestartGuest(f.ids[0]))
	<-tasks.ended
	if p, err := f.TaskPrompt(late); err == nil {
		if _, _, err := p.Invoke(f.Context(), "Get-Disk", nil); err == nil {
			t.Error("a task that has ended begins in its guest")
		}
		f.ok(p.Close())
	}
}

// TestItServesAgain lets a cluster inside go through accidents: whatever happens, the role is served at the end, and a second
// cluster was never needed.
func TestItServesAgain(t *testing.T) {
	for name, row := range map[string]struct {
		accident func(*inner)
		// down is whether the first member is no node that is up afterwards.
		down bool
	}{
		"a member restarts": {func(f *inner) { f.ok(f.RestartGuest(f.ids[0])) }, false},
		"both members at once": {func(f *inner) {
			f.ok(f.RestartGuest(f.ids[0]))
			f.ok(f.RestartGuest(f.ids[1]))
		}, false},
		"both hosts at once": {func(f *inner) {
			f.ok(f.FailHost("hv01"))
			f.ok(f.FailHost("hv02"))
			f.ok(f.ReturnHost("hv01"))
			f.ok(f.ReturnHost("hv02"))
		}, false},
		"a member is saved and comes back": {func(f *inner) {
			f.ok(f.SaveVM(f.ids[0]))
			f.advance(5 * time.Minute)
			f.ok(f.StartVM(f.ids[0]))
		}, false},
		"a host is drained": {func(f *inner) { f.ok(f.Drain("hv01")) }, false},
		"a disk is taken offline": {func(f *inner) {
			f.ok(f.TakeDiskOffline(f.ids[0], dataDisk))
			f.ok(f.TakeDiskOffline(f.ids[1], dataDisk))
		}, false},
		"the disk is detached where the role is": {func(f *inner) {
			f.ok(f.DetachDisk(f.owner("FS1"), dataDisk))
		}, false},
		"the domain controller stops": {func(f *inner) {
			f.ok(f.StopDomainController())
			f.ok(f.RestartGuest(f.ids[0]))
			f.advance(5 * time.Minute)
			f.ok(f.StartDomainController())
		}, false},
		"the computer is renamed": {func(f *inner) { f.ok(f.RenameComputer(f.ids[0], "other")) }, true},
		"the feature is removed":  {func(f *inner) { f.ok(f.RemoveFeature(f.ids[0], "Failover-Clustering")) }, true},
		"the role's node is cut off for a while": {func(f *inner) {
			id := f.owner("FS1")
			f.ok(f.IsolateVM(id))
			f.advance(5 * time.Minute)
			f.ok(f.ReconnectVM(id))
		}, false},
		"the witness's disk goes": {func(f *inner) {
			f.ok(f.DetachDisk(f.ids[0], quorumDisk))
			f.ok(f.DetachDisk(f.ids[1], quorumDisk))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newInner(t)
			f.served()
			f.advance(time.Minute)
			row.accident(f)
			f.advance(10 * time.Minute)
			state := f.State().GuestClusters
			if len(state) != 1 || !state[0].Quorate || !f.role("FS1").Served {
				t.Fatalf("afterwards: %+v", state)
			}
			up := map[string]string{}
			for _, n := range state[0].Nodes {
				up[n.VM] = n.State
			}
			want := map[string]string{"one": "Up", "two": "Up"}
			if row.down {
				want["one"] = "Down"
			}
			if diff := cmp.Diff(want, up); diff != "" {
				t.Errorf("nodes (-want +got):\n%s", diff)
			}
		})
	}
}
