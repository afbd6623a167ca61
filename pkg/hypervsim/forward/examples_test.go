package forward

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim"
)

// Where the examples of pkg/hyperv/cmdlet take place, and the machine that they are about.
const (
	examplePool   = `C:\ClusterStorage\Volume1`
	exampleFolder = examplePool + `\guests\prod.sql-1.0a1b2c3d`
	exampleImage  = examplePool + `\images\ws2022.vhdx`
	exampleVM     = "8f0f2e4c-5b1a-4c0e-9a53-0d2f1c7e6b42"
)

// exampleWorld is what the examples need to be there.
func exampleWorld(m *hypervsim.Model) {
	ownNames(m)
	m.Volumes[0].Path = examplePool
	// What goes on after its call is still under way at the next one.
	m.Durations = hypervsim.Durations{MaxMigrations: 2, FixedPerGiB: time.Hour, StartVM: time.Hour, CopyPerGiB: time.Hour}
	m.Images = []hypervsim.ImageModel{
		{Path: exampleImage, FileBytes: hypervsim.GiB, SizeBytes: 127 * hypervsim.GiB},
		{Path: examplePool + `\images\first.vhdx`, FileBytes: hypervsim.GiB, SizeBytes: 127 * hypervsim.GiB},
	}
	for i := range m.Hosts {
		m.Hosts[i].Switches = append(m.Hosts[i].Switches, "tenant")
	}
}

// examples are the operator's own calls, each batch to its end whatever fails in it.
func (f fixture) examples(host string) []hostagent.Batch {
	f.Helper()
	machine := cmdlet.NewMachine{
		Name: "prod.sql-1", Folder: exampleFolder, Version: "9.0", MemoryBytes: hypervsim.GiB, OSDisk: examplePool + `\images\first.vhdx`,
	}
	results := f.run(host, cmdlet.NewStampedFolder("folder", exampleFolder, "s"), cmdlet.NewVM("new", machine))
	id := results.ByID("new").Values[0].Text("Id")
	var out []hostagent.Batch
	for _, b := range cmdlet.Examples() {
		raw, err := hostagent.EncodeBatch(b)
		f.ok(err)
		f.ok(json.Unmarshal([]byte(strings.ReplaceAll(string(raw), exampleVM, id)), &b))
		b.OnError = hostagent.Continue
		out = append(out, b)
	}
	return out
}

// What the operator asks of a host, the shipped executor answers in a real PowerShell as the world itself answers it.
func TestExecutorAnswersAsTheWorldDoes(t *testing.T) {
	want, got := newFixture(t, exampleWorld), newFixture(t, exampleWorld)
	host := want.hosts()[1]
	inWorld := want.answers(want.Driver(), host, want.examples(host))
	inPowerShell := got.answers(sessions{got, session.Options{}}, host, got.examples(host))
	for i, answer := range inWorld {
		if diff := cmp.Diff(answer, inPowerShell[i]); diff != "" {
			t.Errorf("batch %d (-the world itself +a real PowerShell):\n%s", i, diff)
		}
	}
}

// guids are replaced by the order in which they first appear.
var guids = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// instants are different in two worlds.
var instants = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)

// answers are the results of each batch, a line for each value and error, without what differs from world to world. What a
// host says to people is left out: named functions have other words here and there.
func (f fixture) answers(d hostagent.Driver, host string, batches []hostagent.Batch) [][]string {
	f.Helper()
	agent, err := d.Open(f.Context(), hostagent.Target{Host: host})
	f.ok(err)
	defer func() { f.ok(agent.Close()) }()
	seen := map[string]string{}
	var out [][]string
	for _, b := range batches {
		results, err := agent.Run(f.Context(), b)
		f.ok(err)
		var lines []string
		for i, r := range results {
			lines = append(lines, fmt.Sprintf("%s %s: %s", b.Calls[i].Cmdlet, r.ID, r.State))
			for _, e := range r.Errors {
				e.Message = ""
				lines = append(lines, fmt.Sprintf("  error %+v", e))
			}
			for _, v := range r.Values {
				raw, err := json.Marshal(v)
				f.ok(err)
				lines = append(lines, "  "+string(raw))
			}
		}
		for i, line := range lines {
			line = guids.ReplaceAllStringFunc(line, func(id string) string {
				id = strings.ToLower(id)
				if seen[id] == "" {
					seen[id] = fmt.Sprintf("guid-%d", len(seen)+1)
				}
				return seen[id]
			})
			lines[i] = instants.ReplaceAllString(line, "instant")
		}
		out = append(out, lines)
	}
	return out
}
