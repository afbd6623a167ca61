package endpoint

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	guestcmdlet "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/direct"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim"
)

const image = `C:\ClusterStorage\Gold\Images\ws2022.vhdx`

// local is the administrator of the machines that addClustered makes.
var local = hostagent.Credential{User: "Administrator", Password: hostagent.NewSecret("Local-1")}

const answerFile = `<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="oobeSystem">
<component name="Microsoft-Windows-International-Core"><InputLocale>en-US</InputLocale><SystemLocale>en-US</SystemLocale><UILanguage>en-US</UILanguage>
<UserLocale>en-US</UserLocale></component><component name="Microsoft-Windows-Shell-Setup"><OOBE><HideEULAPage>true</HideEULAPage></OOBE><UserAccounts>
<AdministratorPassword><Value>Local-1</Value><PlainText>true</PlainText></AdministratorPassword></UserAccounts></component></settings></unattend>`

// addClustered adds a machine that runs and is clustered, in a folder, with a data disk data.vhdx beside its own. Windows is up in
// it, has the disk online, and is the only node of a failover cluster.
func addClustered(t *testing.T, w *hypervsim.World, host, name, folder string) {
	t.Helper()
	disk, data := folder+`\os.vhdx`, folder+`\data.vhdx`
	well(t, runOn(t, w, host, cmdlet.NewStampedFolder("folder", folder, "{}"), cmdlet.StartCopy("copy", "work", "hash", image, disk)))
	advance(t, w, 5*time.Minute)
	id := well(t, runOn(t, w, host,
		cmdlet.SetAnswerFile("answers", disk, hostagent.NewSecret(answerFile)),
		hostagent.Call{ID: "vm", Cmdlet: "New-VM", Select: []string{"Id"}, Parameters: hostagent.Parameters{
			"Name": hostagent.Text(name), "Path": hostagent.Text(folder), "Generation": hostagent.Int(2), "MemoryStartupBytes": hostagent.Int(2 * hypervsim.GiB),
			"VHDPath": hostagent.Text(disk), "SwitchName": hostagent.Text("vSwitch-Client"),
		}},
		cmdlet.NewVHD("data", data, hypervsim.GiB, false),
		cmdlet.AttachSharedDisk("attach", "vm", data, cmdlet.Slot{Location: 1}),
		cmdlet.MakeNewClustered("role", "vm", name), cmdlet.StartGroup("start", name),
	)).ByID("vm").Values[0].Text("Id")
	advance(t, w, 10*time.Minute)
	told := inside(t, w, host, id, hostagent.LogonNetwork,
		guestcmdlet.InstallFeatures("features", "Failover-Clustering"), online(0), online(1), guestcmdlet.Computer("computer"))
	computer := told.ByID("computer").Values[0].Text("Name")
	inside(t, w, host, id, hostagent.LogonExplicit, guestcmdlet.NewCluster("cluster", "CL-"+computer[len(computer)-4:], []string{computer}, nil, false))
	advance(t, w, time.Minute)
}

// online sets one of a guest's disks online.
func online(number int64) hostagent.Call {
	return hostagent.Call{ID: fmt.Sprint("online", number), Cmdlet: "Set-Disk", Parameters: hostagent.Parameters{
		"Number": hostagent.Int(number), "IsOffline": hostagent.Bool(false),
	}}
}

// inside runs calls in a guest that all end well.
func inside(t *testing.T, w *hypervsim.World, host, vm string, logon hostagent.Logon, calls ...hostagent.Call) hostagent.Results {
	t.Helper()
	batch := hostagent.Batch{Logon: logon, OnError: hostagent.Stop, Calls: calls}
	if logon == hostagent.LogonExplicit {
		batch.Credential = &local
	}
	call, err := direct.Wrap("guest", local, withTarget(batch, vm))
	if err != nil {
		t.Fatal(err)
	}
	results, err := direct.Unwrap(batch, well(t, runOn(t, w, host, call))[0])
	if err != nil {
		t.Fatal(err)
	}
	return well(t, results)
}

func withTarget(batch hostagent.Batch, vm string) hostagent.Batch {
	batch.Target.VM = vm
	return batch
}

// well gives back results that are all well.
func well(t *testing.T, results hostagent.Results) hostagent.Results {
	t.Helper()
	if err := results.Err(); err != nil {
		t.Fatal(err)
	}
	return results
}

func advance(t *testing.T, w *hypervsim.World, d time.Duration) {
	t.Helper()
	if err := w.Advance(d); err != nil {
		t.Fatal(err)
	}
}

// Calls inside a guest are batches of their own in the printed journal, below where they ran, before the call that carried them.
func TestTheJournalOfAGuestAsPowerShell(t *testing.T) {
	w := furnished(t)
	for range 2 {
		inside(t, w, "hv01", w.State().Machines[0].ID, hostagent.LogonNetwork, guestcmdlet.SetupState("a"), guestcmdlet.Rescan("b"))
	}
	entries := w.Journal(0)
	since := entries[len(entries)-6].Seq - 1
	status, got := request(t, http.MethodGet, fmt.Sprintf("http://%s/v1/control/journal?format=powershell&since=%d", serve(t, w), since), "")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, got)
	}
	var heads []string
	for line := range strings.Lines(got) {
		if head, isHead := strings.CutPrefix(line, "# "); isHead {
			_, head, _ = strings.Cut(head, ", ")
			_, head, _ = strings.Cut(head, ", ")
			heads = append(heads, strings.TrimSpace(head))
		}
	}
	in, on := `in VM app on hv01: "a" Done, "b" Done`, `on hv01: "guest" Done`
	if diff := cmp.Diff([]string{in, on, in, on}, heads); diff != "" {
		t.Errorf("heads (-want +got):\n%s\n%s", diff, got)
	}
	if strings.Contains(got, local.Password.Reveal()) {
		t.Error("the password is in it")
	}
}
