package forward

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	guestcmdlet "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim"
)

var administrator = hostagent.Credential{User: "Administrator", Password: hostagent.NewSecret("Local-administrator-1")}

const setUp = `<unattend xmlns="urn:schemas-microsoft-com:unattend">
 <settings pass="specialize"><component name="Microsoft-Windows-Shell-Setup"><ComputerName>SQL-1</ComputerName></component></settings>
 <settings pass="oobeSystem">
  <component name="Microsoft-Windows-International-Core"><InputLocale>en-US</InputLocale><SystemLocale>en-US</SystemLocale>
   <UILanguage>en-US</UILanguage><UserLocale>en-US</UserLocale></component>
  <component name="Microsoft-Windows-Shell-Setup"><OOBE><HideEULAPage>true</HideEULAPage></OOBE><TimeZone>UTC</TimeZone>
   <UserAccounts><AdministratorPassword><Value>Local-administrator-1</Value><PlainText>true</PlainText></AdministratorPassword></UserAccounts></component>
 </settings></unattend>`

// member makes a machine with a shared disk, whose Windows is set up, and gives its id.
func (f fixture) member(host string) string {
	f.Helper()
	f.run(host, cmdlet.NewStampedFolder("folder", folder, stamp), copyTo(disk, "h1"))
	f.until(func() bool { return f.work().State == "Completed" })
	made := f.run(host,
		cmdlet.SetAnswerFile("answer", disk, hostagent.NewSecret(setUp)), cmdlet.NewVHD("vhd", folder+`\data.vhds`, hypervsim.GiB, false),
		cmdlet.NewVM("new", cmdlet.NewMachine{Name: "m", Folder: folder, Version: "9.0", MemoryBytes: hypervsim.GiB, OSDisk: disk}),
		cmdlet.AddController("controller", "new"), cmdlet.AttachSharedDisk("attach", "new", folder+`\data.vhds`, cmdlet.Slot{Controller: 1}),
		cmdlet.MakeNewClustered("role", "new", "m"), cmdlet.StartGroup("start", "m"),
	)
	id := made.ByID("new").Values[0].Text("Id")
	own := f.agent(f.Driver(), host)
	f.until(func() bool {
		results, err := f.inside(own, id, administrator, guestcmdlet.SetupState("state"))
		return err == nil && results.Err() == nil && results[0].Values[0].Text("ImageState") == "IMAGE_STATE_COMPLETE"
	})
	return id
}

// agent is a session with a host until the test ends.
func (f fixture) agent(driver hostagent.Driver, host string) hostagent.Agent {
	f.Helper()
	agent, err := driver.Open(f.Context(), hostagent.Target{Host: host})
	f.ok(err)
	f.Cleanup(func() { f.ok(agent.Close()) })
	return agent
}

// inside runs calls in a guest through its host.
func (f fixture) inside(agent hostagent.Agent, id string, as hostagent.Credential, calls ...hostagent.Call) (hostagent.Results, error) {
	f.Helper()
	outer, err := agent.Run(f.Context(), hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{
		ID: "guest", Cmdlet: "Invoke-GuestBatch", Select: []string{"Results"}, Parameters: hostagent.Parameters{
			"VMId": hostagent.Text(id), "Credential": as, "Batch": hostagent.Nested{Batch: hostagent.Batch{OnError: hostagent.Continue, Calls: calls}},
		},
	}}})
	f.ok(err)
	if err := outer.Err(); err != nil {
		return nil, err
	}
	var results hostagent.Results
	decoder := json.NewDecoder(strings.NewReader(outer[0].Values[0].Text("Results")))
	decoder.UseNumber()
	f.ok(decoder.Decode(&results))
	return results, nil
}

// The shipped executor runs in a simulated guest, through the shipped executor on its host, and answers as the world's own does.
func TestExecutorRunsInGuests(t *testing.T) {
	f := newFixture(t, ownNames)
	host := f.hosts()[1]
	id := f.member(host)
	own, shipped := f.agent(f.Driver(), host), f.agent(sessions{f, session.Options{}}, host)
	t.Run("what is read", func(t *testing.T) {
		for _, calls := range [][]hostagent.Call{
			{guestcmdlet.SetupState("state"), guestcmdlet.Computer("computer"), guestcmdlet.ClusterService("service")},
			{guestcmdlet.Disks("disks"), guestcmdlet.DiskPlaces("places"), guestcmdlet.Adapters("adapters"), guestcmdlet.Addresses("addresses"), guestcmdlet.Interfaces("interfaces")},
			{guestcmdlet.Features("features", "Failover-Clustering", "FS-FileServer"), guestcmdlet.Administrators("administrators"), guestcmdlet.PendingJoin("join")},
		} {
			want, err := f.inside(own, id, administrator, calls...)
			f.ok(err)
			got, err := f.inside(shipped, id, administrator, calls...)
			f.ok(err)
			if diff := cmp.Diff(plainly(want), plainly(got)); diff != "" {
				t.Errorf("(-world's own +executor)\n%s", diff)
			}
		}
	})
	t.Run("a disk is initialised, and never again", func(t *testing.T) {
		unique := f.sharedDisk(own, id).Text("UniqueId")
		results, err := f.inside(shipped, id, administrator, guestcmdlet.InitializeDisk("init", unique, "data"), guestcmdlet.InitializeDisk("again", unique, "data"))
		f.ok(err)
		after := f.sharedDisk(own, id)
		if guid := after.Text("Guid"); guid == "" || results[0].State != hostagent.Done || results[0].Values[0].Text("Guid") != guid || !after.Bool("IsOffline") {
			t.Errorf("the disk is %v, and the answer was %+v", after, results[0])
		}
		if len(results[1].Errors) != 1 || results[1].Errors[0].Category != "ResourceExists" {
			t.Errorf("again: %+v", results[1])
		}
	})
	t.Run("who is not let in", func(t *testing.T) {
		wrong := hostagent.Credential{User: "Administrator", Password: hostagent.NewSecret("wrong")}
		for name, test := range map[string]struct {
			id string
			as hostagent.Credential
		}{"a wrong password": {id, wrong}, "no machine of this host": {"00000000-0000-0000-0000-000000000001", administrator}} {
			_, want := f.inside(own, test.id, test.as, guestcmdlet.SetupState("state"))
			_, got := f.inside(shipped, test.id, test.as, guestcmdlet.SetupState("state"))
			if hostagent.ClassOf(want) != hostagent.ClassOf(got) || got == nil {
				t.Errorf("%s: %v, want the class of %v", name, got, want)
			}
		}
	})
	t.Run("a connection with the guest that is lost", func(t *testing.T) {
		lose := func(agent hostagent.Agent) string {
			_, err := f.AddFault(hypervsim.Fault{VM: "m", Cmdlet: "Get-Disk", Count: 1, Kind: hypervsim.DropAfter})
			f.ok(err)
			_, err = f.inside(agent, id, administrator, guestcmdlet.Disks("disks"))
			failure, _ := errors.AsType[*hostagent.CallError](err)
			if failure == nil {
				t.Fatalf("got %v, want an error of the call", err)
			}
			return failure.FullyQualifiedErrorID + " " + failure.Category
		}
		if want, got := lose(own), lose(shipped); want != got {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	for _, e := range f.Journal(0) {
		if raw, err := json.Marshal(e); err != nil || strings.Contains(string(raw), administrator.Password.Reveal()) {
			t.Errorf("in the journal: %s, %v", raw, err)
		}
	}
}

// plainly is what results say, without the words of errors.
func plainly(results hostagent.Results) []string {
	var out []string
	for _, r := range results {
		for _, v := range r.Values {
			out = append(out, fmt.Sprint(r.ID, " ", v))
		}
		for _, e := range r.Errors {
			out = append(out, r.ID+" "+e.Category)
		}
	}
	return out
}

// sharedDisk is the disk that Windows is not on.
func (f fixture) sharedDisk(agent hostagent.Agent, id string) hostagent.Object {
	f.Helper()
	results, err := f.inside(agent, id, administrator, guestcmdlet.Disks("disks"))
	f.ok(err)
	for _, d := range results[0].Values {
		if !d.Bool("IsBoot") {
			return d
		}
	}
	f.Fatal("there is no shared disk")
	return nil
}
