package forward

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/guest"
	guestcmdlet "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/guest/inventory"
	"guestclustering.io/operator/pkg/guest/validation"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
)

var forming = hostagent.Credential{User: `CORP\forming`, Password: hostagent.NewSecret("Form-the-cluster-1")}

// inDomain brings a member into the domain, with the features of a file server and an account that may form a cluster.
func (f fixture) inDomain(own hostagent.Agent, id string) {
	f.Helper()
	f.ok(f.AddAdapter(id, "client", "vSwitch-Client", "02-A1-01-00-00-01"))
	f.ok(f.SetVLAN(id, "client", 110))
	join := hostagent.Credential{User: "join@corp.example", Password: hostagent.NewSecret("Join-the-domain-1")}
	told := f.insideAs(own, id, "",
		guestcmdlet.InstallFeatures("features", "Failover-Clustering", "FS-FileServer", "RSAT-AD-PowerShell"),
		guestcmdlet.AccountSIDs("sids", "corp.example", join, "forming"),
		guestcmdlet.Join("join", "corp.example", "OU=Clusters,DC=corp,DC=example", join))
	f.ok(told.Err())
	f.ok(f.insideAs(own, id, "",
		guestcmdlet.AddAdministrators("administrators", told.ByID("sids").Values[0].Text("objectSid")), guestcmdlet.Restart("restart")).Err())
	f.until(func() bool {
		results, err := f.inside(own, id, forming, guestcmdlet.Computer("computer"))
		return err == nil && results.Err() == nil
	})
}

// insideAs runs a batch in a guest through its host.
func (f fixture) insideAs(agent hostagent.Agent, id string, logon hostagent.Logon, calls ...hostagent.Call) hostagent.Results {
	f.Helper()
	batch := hostagent.Batch{Logon: logon, OnError: hostagent.Continue, Calls: calls}
	if logon == hostagent.LogonExplicit {
		batch.Credential = &forming
	}
	outer, err := agent.Run(f.Context(), hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{
		ID: "guest", Cmdlet: "Invoke-GuestBatch", Select: []string{"Results"}, Parameters: hostagent.Parameters{
			"VMId": hostagent.Text(id), "Credential": administrator, "Batch": hostagent.Nested{Batch: batch},
		},
	}}})
	f.ok(err)
	f.ok(outer.Err())
	var results hostagent.Results
	decoder := json.NewDecoder(strings.NewReader(outer[0].Values[0].Text("Results")))
	decoder.UseNumber()
	f.ok(decoder.Decode(&results))
	return results
}

// The shipped executor validates a guest for a cluster, gives the cluster a disk and a witness, and reads it as the world's own
// batches do.
func TestExecutorAndTheClusterInGuests(t *testing.T) {
	f := newFixture(t, ownNames)
	host := f.hosts()[1]
	id := f.member(host)
	own, engine := f.agent(f.Driver(), host), f.agent(sessions{f, session.Options{}}, host)
	f.inDomain(own, id)
	well := func(calls ...hostagent.Call) hostagent.Results {
		t.Helper()
		results := f.insideAs(engine, id, "", calls...)
		f.ok(results.Err())
		return results
	}
	guid := well(guestcmdlet.InitializeDisk("disk", f.sharedDisk(own, id).Text("UniqueId"), "data"))[0].Values[0].Text("Guid")

	well(guestcmdlet.StartValidation("start", "run", []string{"SQL-1"}, []string{"Inventory"}, forming))
	var verdict hostagent.Results
	f.until(func() bool {
		verdict = well(guestcmdlet.Validation("validation", "run"))
		return verdict[0].Values[0].Text("State") != "Running"
	})
	if v, err := inventory.DecodeValidation("run", verdict, validation.Parse); err != nil || v.Report == nil || len(v.Report.Failed) > 0 {
		t.Errorf("verdict %+v, %v", v, err)
	}

	if results := f.insideAs(engine, id, "", guestcmdlet.NewCluster("new", "CL", []string{"SQL-1"}, nil, true)); hostagent.ClassOf(results.Err()) != hostagent.Forbidden {
		t.Errorf("without a password for the other nodes: %v", results.Err())
	}
	f.ok(f.insideAs(engine, id, hostagent.LogonExplicit, guestcmdlet.NewCluster("new", "CL", []string{"SQL-1"}, nil, true)).Err())
	network := well(guestcmdlet.Networks("networks"))[0].Values[0].Text("Id")
	key := hostagent.NewSecret("c2VjcmV0LWtleQ==")
	well(
		guestcmdlet.AddDisk("add", guid, "data"), guestcmdlet.AddDisk("again", guid, "data"), guestcmdlet.SetNetwork("network", network, "client", 3),
		guestcmdlet.SetHeartbeat("heartbeat", 20, 40), guestcmdlet.CloudWitness("witness", "witnesses", "", key))
	well(guestcmdlet.NewFileServer("role", "FS", "data"))
	f.until(func() bool {
		g, ok := cluster(f, own, id).Group("FS")
		return ok && g.State == "Online"
	})
	well(guestcmdlet.NewShare("share", "FS", guid, "docs", `CORP\ops`), guestcmdlet.NewShare("again", "FS", guid, "docs", `CORP\ops`))
	reads := append(inventory.ClusterState(id).Calls, guestcmdlet.Shares("shares"))
	want, got := f.insideAs(own, id, "", reads...), f.insideAs(engine, id, "", reads...)
	if diff := cmp.Diff(plainly(want), plainly(got)); diff != "" {
		t.Errorf("(-world's own +executor)\n%s", diff)
	}
	c := cluster(f, engine, id)
	if r, ok := c.DiskResource(guid); !ok || r.Name != "data" || c.SameSubnetThreshold != 20 || c.Networks[0].Name != "client" || c.WitnessResource != "Cloud Witness" {
		t.Errorf("the cluster inside: %+v", c)
	}
	if shares := got.ByID("shares").Values; len(shares) != 1 || shares[0].Text("Name") != "docs" || shares[0].Text("ScopeName") != "FS" {
		t.Errorf("shares %v", shares)
	}
	raw, err := json.Marshal(f.Journal(0))
	f.ok(err)
	for _, secret := range []hostagent.Secret{key, administrator.Password, forming.Password} {
		if strings.Contains(string(raw), secret.Reveal()) {
			t.Errorf("the journal has the secret %s", secret)
		}
	}
}

// cluster reads the cluster inside.
func cluster(f fixture, agent hostagent.Agent, id string) *guest.Cluster {
	f.Helper()
	c, err := inventory.DecodeCluster(id, f.insideAs(agent, id, "", inventory.ClusterState(id).Calls...))
	f.ok(err)
	return c
}
