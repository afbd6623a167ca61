package session_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	inguest "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/test/powershell"
)

// facts reads the facts about the cmdlets that the operator calls.
func facts(t *testing.T) surface.Facts {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "hyperv", "surface", "facts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f surface.Facts
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

var surfaceEntry = regexp.MustCompile(`'([A-Za-z0-9.-]+)'( =)?`)

// tableOf reads a table of what the executor may run: cmdlets by module.
func tableOf(t *testing.T, name string) map[string][]string {
	t.Helper()
	table := regexp.MustCompile(`(?s)\$` + name + ` = \[ordered\] @\{\n(.*?)\n\}`).FindStringSubmatch(session.Executor)
	if table == nil {
		t.Fatalf("the executor has no table %s", name)
	}
	got := map[string][]string{}
	module := ""
	for _, entry := range surfaceEntry.FindAllStringSubmatch(table[1], -1) {
		if entry[2] != "" {
			module = entry[1]
			got[module] = nil
			continue
		}
		got[module] = append(got[module], entry[1])
	}
	return got
}

// The tables of what may be run are the operator's calls, by the facts' modules, and no more.
func TestExecutorRunsTheCmdletsOfTheFacts(t *testing.T) {
	cmdlets := facts(t).Cmdlets
	byModule := func(kinds map[string]cmdlet.Kind) map[string][]string {
		out := map[string][]string{}
		for _, name := range slices.Sorted(maps.Keys(kinds)) {
			if c, ok := cmdlets[name]; ok { // else a named function
				out[c.Module] = append(out[c.Module], name)
			}
		}
		return out
	}
	host, guest := byModule(cmdlet.Kinds), byModule(inguest.Kinds)
	for _, name := range cmdlet.Inside {
		host[cmdlets[name].Module] = append(host[cmdlets[name].Module], []string{}...)
	}
	// Modules of Windows that are made from CDXML, as ScheduledTasks is, call its New-Object in Windows PowerShell.
	host["Microsoft.PowerShell.Utility"] = nil
	if diff := cmp.Diff(host, tableOf(t, "Surface")); diff != "" {
		t.Errorf("on hosts (-calls +executor):\n%s", diff)
	}
	if diff := cmp.Diff(guest, tableOf(t, "GuestSurface")); diff != "" {
		t.Errorf("inside guests (-calls +executor):\n%s", diff)
	}
}

var guestFunctions = regexp.MustCompile(`(?s)\$GuestFunctions = (.*?)\n\n`)

func TestExecutorKnowsTheFunctionsOfGuests(t *testing.T) {
	table := guestFunctions.FindStringSubmatch(session.Executor)
	if table == nil {
		t.Fatal("the executor has no list of functions for guests")
	}
	var got, want []string
	for _, entry := range surfaceEntry.FindAllStringSubmatch(table[1], -1) {
		got = append(got, entry[1])
	}
	for name := range inguest.Kinds {
		if _, isCmdlet := facts(t).Cmdlets[name]; !isCmdlet {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-calls +executor)\n%s", diff)
	}
}

// The executor's own plumbing keeps to the language: a cmdlet in it would have to be loaded, logged and stood in for.
func TestExecutorKeepsToWindowsPowerShell51(t *testing.T) {
	core, found := strings.CutPrefix(session.Executor, session.Functions)
	if !found {
		t.Fatal("the executor does not begin with the named functions")
	}
	seen := powershell.Inspect(t, core)
	for _, problem := range seen.Problems {
		t.Error(problem)
	}
	// What the table allows is run by a variable: it has no name here, and parameters at most.
	own := append(seen.Functions, "Get-Command", "Set-StrictMode", "Invoke-Command", "RunInTask", "SweepTasks", "SetApart", "InPlain", "JoinPipe", "CopyWork", "",
		"ErrorAction")
	for _, command := range seen.Commands {
		if name, _, _ := strings.Cut(command, " "); !slices.Contains(own, name) {
			t.Errorf("the executor runs %s", name)
		}
	}
	for _, name := range seen.Functions {
		if strings.Contains(name, "-") && name != "Invoke-GuestBatch" {
			t.Errorf("%s looks like a named function, which belong into functions.ps1", name)
		}
	}
}

// guestBlock makes the one block that runs inside a guest: of the executor's own text.
const guestBlock = `$block = [ScriptBlock]::Create($ExecutorText)`

// taskBlock is in the command line of a task, which runs a batch: the executor's own text comes first over its pipe.
const taskBlock = `'. ([ScriptBlock]::Create([IO.StreamReader]::new($z,[Text.Encoding]::ASCII).ReadToEnd())) $r $p'`

// makesCode finds whatever makes code of a text. The executor's own functions reach the pool by their definitions.
var makesCode = regexp.MustCompile(`(?i)Invoke-Expression|\$input\b|\[scriptblock\]::|NewScriptBlock|AddScript|InvokeScript|ExpandString|Add-Type`)

func TestExecutorIsPlain(t *testing.T) {
	for i, line := range strings.Split(session.Executor, "\n") {
		if strings.ContainsFunc(line, func(r rune) bool { return r > '~' || r < ' ' }) {
			t.Errorf("line %d is not plain ASCII: %q", i+1, line)
		}
		if word := makesCode.FindString(line); word != "" && !slices.Contains([]string{guestBlock, taskBlock}, strings.TrimSpace(line)) {
			t.Errorf("line %d: %s", i+1, word)
		}
	}
	if n := strings.Count(session.StreamedArguments, "ScriptBlock"); n != 1 {
		t.Errorf("the bootstrap makes %d blocks, want the executor's", n)
	}
	script := arguments("")[len(arguments(""))-1]
	if strings.ContainsAny(script, "\"%\r\n") || strings.Contains(script, "$input") || len(session.PowerShell)+len(session.StreamedArguments) > 1000 {
		t.Errorf("the bootstrap is not safe on a command line: %s", script)
	}
	if seen := powershell.Inspect(t, script); len(seen.Problems) > 0 || len(seen.Commands) != 1 {
		t.Errorf("the bootstrap: %+v", seen)
	}
}

// recording are stand-ins for every cmdlet of the facts that note every value that reaches them.
func recording(t *testing.T) (modules string, recorded func() string) {
	t.Helper()
	modules = t.TempDir()
	file := filepath.Join(modules, "recorded")
	body := `$text = foreach ($name in $PSBoundParameters.Keys) {
        foreach ($v in $PSBoundParameters[$name]) { if ($v -isnot [securestring] -and $v -isnot [pscredential]) { "$name=$v $($v.psobject.BaseObject)" } else { "$name is a $($v.GetType().Name)" } }
    }
    [Threading.Monitor]::Enter([AppDomain]::CurrentDomain)
    try { [IO.File]::AppendAllText('` + file + `', "$($MyInvocation.MyCommand) $text ") } finally { [Threading.Monitor]::Exit([AppDomain]::CurrentDomain) }`
	stubs, err := surface.StubsByModule(hyperv.Build2025, body, "Windows")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stubs {
		dir := filepath.Join(modules, s.Module)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		// Every type of a parameter here that only Windows has takes what it is given.
		text := windowsTypes.ReplaceAllString(s.Text, "object")
		if err := os.WriteFile(filepath.Join(dir, s.Module+".psm1"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return modules, func() string {
		text, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return string(text)
	}
}

var windowsTypes = regexp.MustCompile(`Windows\.\w+`)

// No cmdlet is given a secret as text, whatever parameter a request names, and nothing that comes back holds one.
func TestExecutorKeepsSecrets(t *testing.T) {
	const secret = "correct horse battery staple"
	modules, recorded := recording(t)
	e := startEngine(t, engineOptions{modules: modules}).ready()
	values := map[string]hostagent.Value{
		"secret":  hostagent.NewSecret(secret),
		"account": hostagent.Credential{User: "u", Password: hostagent.NewSecret(secret)},
		"list":    hostagent.List{hostagent.Text("a"), hostagent.NewSecret(secret)},
	}
	cmdlets := facts(t).Cmdlets
	for _, name := range slices.Sorted(maps.Keys(cmdlets)) {
		var calls []hostagent.Call
		for parameter := range cmdlets[name].Parameters {
			for kind, v := range values {
				calls = append(calls, call(parameter+" "+kind, name, p{parameter: v}, "x"))
			}
		}
		answer, err := json.Marshal(e.run(calls...))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(answer), secret) {
			t.Errorf("%s: the secret came back: %s", name, answer)
		}
	}
	if r := e.run(call("a", "Get-VM", p{"Name": hostagent.Text("noted")}))[0]; r.State != hostagent.Done {
		t.Fatalf("the stand-ins do not work: %+v", r)
	}
	e.write("bye")
	e.end()
	text := recorded()
	if !strings.Contains(text, "noted") || strings.Contains(text, secret) || strings.Contains(text, "=System.Security") || strings.Contains(e.stderr.String(), secret) {
		t.Errorf("what reached the cmdlets:\n%s", text)
	}
}
