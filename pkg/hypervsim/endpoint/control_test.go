package endpoint

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/control"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// The machine that every action is tried on: it runs on hv01, is clustered, has a data disk that is online in its Windows, and the
// feature for failover clusters.
const (
	app     = "app"
	folder  = `C:\ClusterStorage\Gold\app`
	data    = folder + `\data.vhdx`
	another = folder + `\another.vhdx`
)

// furnished is a world with that machine, in which time passes only while it is made.
func furnished(t *testing.T) *hypervsim.World {
	t.Helper()
	w := still(t)
	addClustered(t, w, "hv01", app, folder)
	if err := w.AddFile(another, hypervsim.GiB); err != nil {
		t.Fatal(err)
	}
	return w
}

// still is a host cluster on a clock that stands still but for what is waited for.
func still(t *testing.T) *hypervsim.World {
	t.Helper()
	w, err := hypervsim.New(hypervsim.DefaultModel(), hypervsim.NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// examples is one action of each kind, with what must have been done to the world before it.
var examples = map[string]struct {
	before func(*hypervsim.World) error
	action control.Action
}{
	"FailHost":                 {action: control.Action{Host: "hv03"}},
	"ReturnHost":               {before: func(w *hypervsim.World) error { return w.FailHost("hv03") }, action: control.Action{Host: "hv03"}},
	"Drain":                    {action: control.Action{Host: "hv03"}},
	"Resume":                   {before: func(w *hypervsim.World) error { return w.Drain("hv03") }, action: control.Action{Host: "hv03"}},
	"AddSwitch":                {action: control.Action{Host: "hv03", Switch: "vSwitch-Backup"}},
	"RemoveSwitch":             {action: control.Action{Host: "hv03", Switch: "vSwitch-Client"}},
	"StartVM":                  {before: func(w *hypervsim.World) error { return w.TurnOffVM(app) }, action: control.Action{VM: app}},
	"ShutDownVM":               {action: control.Action{VM: app}},
	"TurnOffVM":                {action: control.Action{VM: app}},
	"SaveVM":                   {action: control.Action{VM: app}},
	"MoveVM":                   {action: control.Action{VM: app, Host: "hv02"}},
	"RenameVM":                 {action: control.Action{VM: app, Name: "app2"}},
	"RemoveVM":                 {action: control.Action{VM: app, Files: hypervsim.KeepFiles}},
	"AddForeignVM":             {action: control.Action{Host: "hv03", Name: "foreign", Folder: `C:\ClusterStorage\Gold\foreign`}},
	"CopyVM":                   {action: control.Action{VM: app, Folder: `C:\ClusterStorage\Gold\copy`}},
	"AttachDisk":               {action: control.Action{VM: app, Path: another, Number: new(int64(0)), Location: new(int64(2))}},
	"DetachDisk":               {action: control.Action{VM: app, Path: data}},
	"AddAdapter":               {action: control.Action{VM: app, Adapter: "second", Switch: "vSwitch-Client"}},
	"RemoveAdapter":            {action: control.Action{VM: app, Adapter: "Network Adapter"}},
	"SetMAC":                   {action: control.Action{VM: app, Adapter: "Network Adapter", MAC: "02-A1-01-00-00-02"}},
	"SetSwitch":                {action: control.Action{VM: app, Adapter: "Network Adapter"}},
	"SetVLAN":                  {action: control.Action{VM: app, Adapter: "Network Adapter", VLAN: new(7)}},
	"RestartGuest":             {action: control.Action{VM: app}},
	"RotateLocalAdministrator": {action: control.Action{VM: app}},
	"RenameComputer":           {action: control.Action{VM: app, Name: "other"}},
	"RemoveFeature":            {action: control.Action{VM: app, Feature: "Failover-Clustering"}},
	"TakeDiskOffline":          {action: control.Action{VM: app, Path: data}},
	"IsolateVM":                {action: control.Action{VM: app}},
	"ReconnectVM":              {before: func(w *hypervsim.World) error { return w.IsolateVM(app) }, action: control.Action{VM: app}},
	"StopClusterService":       {action: control.Action{VM: app}},
	"StartClusterService":      {before: func(w *hypervsim.World) error { return w.StopClusterService(app) }, action: control.Action{VM: app}},
	"LoseServer":               {action: control.Action{Server: "files"}},
	"ReturnServer":             {before: func(w *hypervsim.World) error { return w.LoseServer("files") }, action: control.Action{Server: "files"}},
	"StopDomainController":     {action: control.Action{}},
	"StartDomainController":    {before: (*hypervsim.World).StopDomainController, action: control.Action{}},
	"SetAdministratorPolicy":   {action: control.Action{Policy: windows.RotateAdministrator}},
	"GrantCreateComputers":     {action: control.Action{Container: "OU=Clusters,DC=corp,DC=example", Account: "ops"}},
	"AddComputerAccount":       {action: control.Action{Account: "SQL-1"}},
	"RemoveComputerAccount": {
		before: func(w *hypervsim.World) error { return w.AddComputerAccount("SQL-1") }, action: control.Action{Account: "SQL-1"},
	},
	"SetClassNames":    {action: control.Action{Group: app, ClassNames: []string{"apart"}}},
	"SetOfflineAction": {action: control.Action{Group: app, OfflineAction: new(0)}},
	"RenameGroup":      {action: control.Action{Group: app, Name: "app2"}},
	"RemoveGroup":      {action: control.Action{Group: app}},
	"AddFolder":        {action: control.Action{Path: `C:\ClusterStorage\Gold\made`, Stamp: "{}"}},
	"RemoveFolder":     {before: func(w *hypervsim.World) error { return w.RemoveVM(app, hypervsim.KeepFiles) }, action: control.Action{Path: folder}},
	"AddFile":          {action: control.Action{Path: folder + `\more.vhdx`, Bytes: new(hypervsim.GiB)}},
	"RemoveFile":       {action: control.Action{Path: another}},
	"SetCSVFree":       {action: control.Action{Path: folder, Bytes: new(int64(0))}},
	"SetCSVOwner":      {action: control.Action{Path: folder, Host: "hv03"}},
}

// notActions are the world's methods that other requests reach, or that only who holds the world may call.
var notActions = []string{"AddFault", "AddImage", "Advance", "Close", "Driver", "Faults", "GuestPrompt", "Journal", "Now", "Power", "Prompt", "RemoveFault", "RunTasks", "State", "TaskPrompt"}

func TestEveryControlMethodIsAnAction(t *testing.T) {
	var methods []string
	for m := range reflect.TypeFor[*hypervsim.World]().Methods() {
		if !slices.Contains(notActions, m.Name) {
			methods = append(methods, m.Name)
		}
	}
	if diff := cmp.Diff(methods, slices.Sorted(maps.Keys(actions))); diff != "" {
		t.Errorf("methods without an action, or actions without a method (-methods +actions):\n%s", diff)
	}
}

func TestEveryActionChangesTheWorld(t *testing.T) {
	if diff := cmp.Diff(slices.Sorted(maps.Keys(actions)), slices.Sorted(maps.Keys(examples))); diff != "" {
		t.Fatalf("actions without an example, or examples without an action (-actions +examples):\n%s", diff)
	}
	for name, example := range examples {
		t.Run(name, func(t *testing.T) {
			w := furnished(t)
			if example.before != nil {
				if err := example.before(w); err != nil {
					t.Fatal(err)
				}
			}
			client := control.New(serve(t, w))
			before, err := client.State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			a := example.action
			a.Action = name
			done, err := client.Do(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			after, err := client.State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if cmp.Equal(before, after, cmpopts.IgnoreFields(hypervsim.State{}, "Time")) {
				t.Error("the world is as it was")
			}
			if made := actions[name].makes != nil; made != (done.ID != "") {
				t.Errorf("the answer has the id %q", done.ID)
			}
		})
	}
}

func TestRefusedRequests(t *testing.T) {
	tests := map[string]struct {
		method, path, body string
		status             int
		text               string
	}{
		"an unknown action":          {"POST", "actions", `{"action":"Explode"}`, 400, `no action \"Explode\": want one of AddAdapter`},
		"no JSON":                    {"POST", "actions", `action=Drain`, 400, "reading the action"},
		"a field that is missing":    {"POST", "actions", `{"action":"MoveVM","vm":"app"}`, 400, "MoveVM needs vm, host"},
		"a field that is not its":    {"POST", "actions", `{"action":"Drain","host":"hv01","vm":"app"}`, 400, `Drain has no field \"vm\": it takes host`},
		"a field that is null":       {"POST", "actions", `{"action":"SetVLAN","vm":"app","adapter":"a","vlan":null}`, 400, "vlan is null; leave it out"},
		"a field of another case":    {"POST", "actions", `{"action":"Drain","HOST":"hv01"}`, 400, "Drain needs host"},
		"files without a word":       {"POST", "actions", `{"action":"RemoveVM","vm":"app","files":"Shred"}`, 400, "want Keep or Remove"},
		"a host that is not there":   {"POST", "actions", `{"action":"Drain","host":"hv99"}`, 404, `no host \"hv99\"`},
		"a host that has not failed": {"POST", "actions", `{"action":"ReturnHost","host":"hv01"}`, 409, "has not failed"},
		"as a cmdlet would":          {"POST", "actions", `{"action":"RemoveFile","path":"C:\\ClusterStorage\\Gold\\absent"}`, 404, "no file"},
		"a fault of no kind":         {"POST", "faults", `{"kind":"Explode"}`, 400, "want DropBefore, DropAfter, Error, Delay or Hang"},
		"a misspelt condition":       {"POST", "faults", `{"kind":"Hang","cmdlets":"Get-VM"}`, 400, `unknown field \"cmdlets\"`},
		"a delay without a unit":     {"POST", "faults", `{"kind":"Delay","delay":"5"}`, 400, "write it as 1.5s or 4m"},
		"a fault that is not there":  {"DELETE", "faults/fault-9", "", 404, `no fault \"fault-9\"`},
		"a since that is none":       {"GET", "journal?since=yesterday", "", 400, "want the number of the last entry"},
		"a format that is none":      {"GET", "journal?format=xml", "", 400, "want json or powershell"},
		"a path that is none":        {"GET", "nonsense", "", 404, "not found"},
	}
	address := serve(t, furnished(t))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			status, body := request(t, test.method, "http://"+address+"/v1/control/"+test.path, test.body)
			if status != test.status || !strings.Contains(body, test.text) {
				t.Errorf("got %d %s, want %d with %q", status, body, test.status, test.text)
			}
		})
	}
}

func request(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func TestFaultsGoAndComeBack(t *testing.T) {
	client := control.New(serve(t, quick(t)))
	want := hypervsim.Fault{
		Host: "hv01", Cmdlet: "New-VM", Object: "sql", Skip: 1, Count: 2, Kind: hypervsim.Delay, Delay: 1500 * time.Millisecond,
		Error: hostagent.CallError{Category: "ResourceBusy"},
	}
	id, err := client.AddFault(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.Faults(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]hypervsim.FaultStatistics{{ID: id, Fault: want}}, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if err := client.RemoveFault(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Faults(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("after the removal: %v, %v", got, err)
	}
}

// runOn runs calls on a host.
func runOn(t *testing.T, w *hypervsim.World, host string, calls ...hostagent.Call) hostagent.Results {
	t.Helper()
	agent, err := w.Driver().Open(t.Context(), hostagent.Target{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	results, err := agent.Run(t.Context(), hostagent.Batch{OnError: hostagent.Continue, Calls: calls})
	if err := errors.Join(err, agent.Close()); err != nil {
		t.Fatal(err)
	}
	return results
}

func TestTheClientReadsTheWholeJournal(t *testing.T) {
	w := quick(t)
	calls := make([]hostagent.Call, control.MaxEntries+1)
	for i := range calls {
		calls[i] = hostagent.Call{ID: string(rune('a'+i%26)) + strings.Repeat("x", i/26), Cmdlet: "Get-VMHost"}
	}
	runOn(t, w, "hv01", calls...)
	client := control.New(serve(t, w))
	got, err := client.Journal(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.Journal(0), got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("journal (-world +client):\n%s", diff)
	}
	last, err := client.Journal(t.Context(), got[len(got)-2].Seq)
	if err != nil || len(last) != 1 || last[0].Seq != got[len(got)-1].Seq {
		t.Errorf("since the last but one: %v, %v", last, err)
	}
}

func TestTheJournalAsPowerShell(t *testing.T) {
	w := still(t)
	runOn(t, w, "hv01",
		hostagent.Call{ID: "vm", Cmdlet: "Get-VM", Parameters: hostagent.Parameters{"Name": hostagent.Texts("it's")}},
		hostagent.Call{ID: "host\nname", Cmdlet: "Get-VMHost"},
	)
	if err := w.AddSwitch("hv02", "one\ntwo"); err != nil {
		t.Fatal(err)
	}
	runOn(t, w, "hv01", hostagent.Call{ID: "a", Cmdlet: "Get-Nonsense"})

	status, got := request(t, http.MethodGet, "http://"+serve(t, w)+"/v1/control/journal?format=powershell", "")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, got)
	}
	want := `# 1, 03:04:05.050, on hv01: "vm" Failed, "host\nname" Done
Get-VM -Name @('it''s')
Get-VMHost

# 3, 03:04:05.080: by hand: added switch one two to hv02

# 4, 03:04:05.100, on hv01: "a" Failed
# not printable: printing: call a: Get-Nonsense: the operator calls no such cmdlet

`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

func TestTheClientsErrors(t *testing.T) {
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(elsewhere.Close)
	tests := map[string]struct {
		address string
		class   hostagent.Class
		text    string
	}{
		"the simulator refuses": {serve(t, still(t)), hostagent.Conflict, "the simulator: Conflict: host hv01 has not failed"},
		"nobody listens":        {"127.0.0.1:1", hostagent.Unreachable, "asking the simulator: Unreachable: "},
		"another server":        {strings.TrimPrefix(elsewhere.URL, "http://"), hostagent.Protocol, "is this address the simulator's?"},
		"no address":            {"a b", hostagent.Invalid, `the simulator's address is "a b"; write it as 127.0.0.1:7100`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := control.New(test.address).Do(t.Context(), control.Action{Action: "ReturnHost", Host: "hv01"})
			if hostagent.ClassOf(err) != test.class || !errors.Is(err, test.class) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %s with %q", err, test.class, test.text)
			}
		})
	}
}
