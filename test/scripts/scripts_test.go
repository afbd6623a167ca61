// Package scripts holds every script that the operator runs on hosts to the rules that its readers were promised. The
// engine's own parser reads them; where there is no PowerShell, the tests skip.
package scripts

import (
	_ "embed" // the list of types
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hyperv/surface"
	"guestclustering.io/operator/test/powershell"
)

// The lines that may break a rule. They make code of the operator's own text and of nothing else, or load what is Windows' own.
const (
	// The executor arrives over the standard input, and its hello tells its hash.
	bootstrap = `. ([ScriptBlock]::Create([IO.StreamReader]::new($z,[Text.Encoding]::ASCII).ReadToEnd())) $r`
	// The executor's own text runs inside a guest.
	guestBlock = `$block = [ScriptBlock]::Create($ExecutorText)`
	// The executor's functions are those of the pool's runspaces.
	poolFunction = `$state.Commands.Add([Management.Automation.Runspaces.SessionStateFunctionEntry]::new($name, $definition))`
	// A library of .NET Framework's, by its strong name.
	jsonLibrary = `$null = [Reflection.Assembly]::Load('System.Runtime.Serialization, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089')`
	// Tasks run what the operator's own functions say: those that copy, and the executor itself, which comes over a pipe.
	ownTask  = `$action = New-ScheduledTaskAction -Execute "$PSHOME\powershell.exe" -Argument $arguments -WorkingDirectory $folder`
	copyTask = `return "-NoProfile -NonInteractive -EncodedCommand $encoded"`
	pipeTask = `RegisterTask $task (TaskArguments $task.TaskName) $PSHOME $credential`
	pipeText = `'. ([ScriptBlock]::Create([IO.StreamReader]::new($z,[Text.Encoding]::ASCII).ReadToEnd())) $r $p'`
)

// coreLines is how much code the executor's core may have: an administrator who has to approve it reads all of it.
const coreLines = 460

func shipped(t *testing.T) []script {
	t.Helper()
	core, found := strings.CutPrefix(session.Executor, session.Functions+"\n")
	if !found {
		t.Fatal("the executor does not begin with the named functions")
	}
	_, quoted, _ := strings.Cut(session.StreamedArguments, `-Command "`)
	// A line a statement, so that a line can be told.
	command := strings.ReplaceAll(strings.TrimSuffix(quoted, `"`), ";", "\n")
	return []script{
		{name: "functions.ps1 and guest.ps1", text: session.Functions, exempt: []string{ownTask, copyTask}},
		{name: "executor.ps1", text: core, exempt: []string{guestBlock, poolFunction, jsonLibrary}, longest: coreLines},
		{name: "the bootstrap", text: command, exempt: []string{bootstrap}},
	}
}

func TestShippedScriptsKeepToTheRules(t *testing.T) {
	k := readKnown(t)
	named := map[string]bool{}
	// The files are one text, whose functions call each other.
	functions := powershell.Inspect(t, session.Executor).Functions
	for _, s := range shipped(t) {
		seen := powershell.Inspect(t, s.text)
		seen.Functions = functions
		for _, u := range seen.Uses {
			named[strings.ToLower(listedName(u))] = true
		}
		t.Run(s.name, func(t *testing.T) {
			for _, why := range check(seen, s, k) {
				t.Error(why)
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(k.names)) {
		if !named[name] {
			t.Errorf("%s is in types.txt and in no script", name)
		}
	}
}

// listedName is the name that types.txt has for a use, or "".
func listedName(u powershell.Use) string {
	switch {
	case u.Kind == "type":
		return strings.TrimSuffix(u.Text, "[]")
	case (u.Kind == "call" || u.Kind == "static") && strings.Contains(u.Text, "::"):
		return strings.Replace(strings.TrimPrefix(u.Text, "["), "]::", "::", 1)
	default:
		return ""
	}
}

// Everything that makes code makes it of these: what is compared here is the whole way from the text to the code.
func TestCodeIsMadeOfTheExecutorAlone(t *testing.T) {
	for text, times := range map[string]int{
		bootstrap: 2 /* in pipeText, too */, guestBlock: 1, poolFunction: 1, ownTask: 1, copyTask: 1, pipeTask: 1, pipeText: 1, "RegisterTask ": 3,
		`RegisterTask $task (OwnArguments 'CopyWork' @('ReadText', 'WriteText', 'ReadWork', 'WriteWork')) $folder $null`: 1,
		`RegisterTask $task (OwnArguments 'ValidateNodes' @('ReadText', 'WriteText')) $folder $Credential`:               1,
		`if ($Reader -cin 'CopyWork', 'ValidateNodes') { return & $Reader }`:                                             1, `return FileArguments `: 2,
		`$definition = (Get-Command -Name $name -CommandType Function).Definition`:                                                          1,
		`$encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes(($script -join "` + "`n" + `") + "` + "`n" + `$function"))`: 1,
	} {
		if got := strings.Count(session.Executor+session.StreamedArguments, text); got != times {
			t.Errorf("%d times, want %d: %s", got, times, text)
		}
	}
}

//go:embed types.txt
var typesText string

// A line is a name as scripts write it, since when it is there, and the document that says so.
var typeLine = regexp.MustCompile(`^(\S+) +(\.NET Framework|Windows PowerShell) (\d+(?:\.\d+)*) +(\S.*)$`)

func readKnown(t *testing.T) known {
	t.Helper()
	k := known{cmdlets: map[string][]string{}, names: map[string]bool{}}
	for i, line := range strings.Split(strings.TrimSpace(typesText), "\n") {
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		match := typeLine.FindStringSubmatch(line)
		if match == nil {
			t.Errorf("types.txt, line %d: %q is not `name .NET Framework version source`", i+1, line)
			continue
		}
		if newer(match[3], map[string]string{".NET Framework": "4.6.2", "Windows PowerShell": "5.1"}[match[2]]) {
			t.Errorf("types.txt, line %d: %s came with %s %s, which not every host has", i+1, match[1], match[2], match[3])
		}
		if !tells(match[4], match[1], match[2], match[3]) {
			t.Errorf("types.txt, line %d: %s does not tell since when %s has %s", i+1, match[4], match[2], match[1])
		}
		k.names[strings.ToLower(match[1])] = true
	}
	raw, err := os.ReadFile(filepath.Join("..", "..", "pkg", "hyperv", "surface", "facts.json"))
	if err != nil {
		t.Fatal(err)
	}
	var facts surface.Facts
	if err := json.Unmarshal(raw, &facts); err != nil {
		t.Fatal(err)
	}
	for name, cmdlet := range facts.Cmdlets {
		parameters := []string{}
		for p := range cmdlet.Parameters {
			parameters = append(parameters, strings.ToLower(p))
		}
		k.cmdlets[strings.ToLower(name)] = parameters
	}
	// Of Microsoft.PowerShell.Core, which every PowerShell has, these and no more.
	maps.Copy(k.cmdlets, ofTheEngine)
	return k
}

var ofTheEngine = map[string][]string{
	"foreach-object": {}, "where-object": {}, "set-strictmode": {"version"}, "get-command": {"name", "commandtype"},
	"invoke-command": {"vmid", "credential", "scriptblock", "argumentlist"},
}

var aboutPage = regexp.MustCompile(`^about_\w+$`)

// tells says whether source can be the document for a name: the page of its type, or a list of the version's.
func tells(source, name, product, version string) bool {
	if product == "Windows PowerShell" {
		return aboutPage.MatchString(source) || source == "src/3/System.Management.Automation-lib.cs" && version == "3.0"
	}
	ofType, _, _ := strings.Cut("System."+name, "::")
	if base, arguments, generic := strings.Cut(ofType, "["); generic {
		ofType = fmt.Sprintf("%s`%d", base, strings.Count(arguments, ",")+1)
	}
	dot := strings.LastIndex(ofType, ".")
	page := "xml/" + ofType[:dot] + "/" + ofType[dot+1:] + ".xml"
	return source == "netframework-"+version+".xml" || strings.EqualFold(source, page)
}

func TestSourcesTell(t *testing.T) {
	for line, want := range map[string]bool{
		"Guid::NewGuid .NET Framework 1.1 netframework-1.1.xml":                                           true,
		"Guid::NewGuid .NET Framework 2.0 netframework-1.1.xml":                                           false,
		"IO.Pipes.PipeSecurity::new .NET Framework 3.5 xml/System.IO.Pipes/PipeSecurity.xml":              true,
		"IO.Pipes.PipeSecurity::new .NET Framework 3.5 xml/System.IO.Pipes/PipeAccessRule.xml":            false,
		"Collections.Generic.Queue[string] .NET Framework 2.0 xml/System.Collections.Generic/Queue`1.xml": true,
		"Collections.Generic.Queue[string] .NET Framework 2.0 xml/System.Collections/Queue.xml":           false,
		"datetimeoffset .NET Framework 3.5 xml/System/DateTimeOffset.xml":                                 true,
		"Guid .NET Framework 1.1 about_Type_Accelerators":                                                 false,
		"guid Windows PowerShell 5.1 about_Type_Accelerators":                                             true,
		"guid Windows PowerShell 5.1 netframework-5.1.xml":                                                false,
		"ScriptBlock::Create Windows PowerShell 3.0 src/3/System.Management.Automation-lib.cs":            true,
		"ScriptBlock::Create Windows PowerShell 2.0 src/3/System.Management.Automation-lib.cs":            false,
		"ScriptBlock::Create Windows PowerShell 3.0 not found":                                            false,
	} {
		match := typeLine.FindStringSubmatch(line)
		if match == nil {
			t.Fatalf("%q is no line", line)
		}
		if got := tells(match[4], match[1], match[2], match[3]); got != want {
			t.Errorf("%q: got %v, want %v", line, got, want)
		}
	}
}

func newer(version, than string) bool {
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	for i := range a {
		if i >= len(b) {
			return true
		}
		x, _ := strconv.Atoi(a[i])
		y, _ := strconv.Atoi(b[i])
		if x != y {
			return x > y
		}
	}
	return false
}

// A rule is worth something only if it refuses.
func TestRulesRefuse(t *testing.T) {
	tests := map[string]struct{ text, why string }{
		"Invoke-Expression":        {`Invoke-Expression 'Get-VM'`, "makes code of text"},
		"its alias":                {`iex 'Get-VM'`, "makes code of text"},
		"a block of text":          {`& ([ScriptBlock]::Create($a))`, "can make code of data"},
		"by its whole name":        {`[System.Management.Automation.ScriptBlock]::Create($a)`, "is not in types.txt"},
		"a cast to a block":        {`$b = [scriptblock] $a`, "a cast to scriptblock"},
		"a block run by method":    {`$b.Invoke()`, "can make code of data"},
		"code of bytes":            {`[Reflection.Assembly]::Load($bytes)`, "can make code of data"},
		"a shell's script":         {`$ps.AddScript($a)`, "can make code of data"},
		"the engine's own way":     {`$ExecutionContext.InvokeCommand.NewScriptBlock($a)`, "can make code of data"},
		"expansion":                {`$ExecutionContext.InvokeCommand.ExpandString($a)`, "can make code of data"},
		"a function of text":       {`${function:f} = $a`, "makes code of text"},
		"a function entry":         {`[Management.Automation.Runspaces.SessionStateFunctionEntry]::new($a, $b)`, "can make code of data"},
		"dot sourcing":             {`. $a`, "in its own scope"},
		"a command from a call":    {`& $a.Command`, "runs $a.Command"},
		"$input":                   {`foreach ($line in $input) { }`, "takes the standard input"},
		"Write-Host":               {`Write-Host a`, "writes where nobody reads"},
		"Add-Type":                 {`Add-Type -TypeDefinition $a`, "compiles code"},
		"New-Object":               {`New-Object Text.StringBuilder`, "use [Type]::new()"},
		"a cmdlet not on the list": {`Stop-Computer`, "is not among the commands"},
		"Utility":                  {`$a | Select-Object -First 1`, "is not among the commands"},
		"an alias":                 {`gci -LiteralPath a`, "is not among the commands"},
		"a sign as alias":          {`$a | % { $_ }`, "is not among the commands"},
		"a program":                {`ipconfig`, "is not among the commands"},
		"a program by its path":    {`& 'C:\Windows\System32\cmd.exe'`, "names a program"},
		"an unknown parameter":     {`Get-VM -Label a`, "has no parameter -Label"},
		"a shortened parameter":    {`Get-VM -ComputerN a`, "has no parameter -ComputerN"},
		"a path with wildcards":    {`Remove-Item -Path $a`, "takes -LiteralPath"},
		"a path by its place":      {`Get-ChildItem $a`, "takes -LiteralPath"},
		"a type not on the list":   {`[IO.File]::ReadAllText($a)`, "IO.File is not in types.txt"},
		"a member of .NET's":       {`[Convert]::ToHexString($a)`, "Convert::ToHexString is not in types.txt"},
		"a parameter's type":       {`function f([IO.FileInfo] $a) { }`, "IO.FileInfo is not in types.txt"},
		"syntax newer than 5.1":    {`$a = $b ?? 1`, "is newer than 5.1"},
		"letters beyond ASCII":     {"# \u00e4", "no printable ASCII"},
		"a tab":                    {"\t$a = 1", "no printable ASCII"},
	}
	// One script has them all, a line each: PowerShell takes its time to start.
	names := slices.Sorted(maps.Keys(tests))
	var text strings.Builder
	for _, name := range names {
		text.WriteString(tests[name].text + "\n")
	}
	k := readKnown(t)
	broken := check(powershell.Inspect(t, text.String()), script{text: text.String()}, k)
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			line := fmt.Sprintf("line %d: ", i+1)
			if !slices.ContainsFunc(broken, func(b string) bool { return strings.HasPrefix(b, line) && strings.Contains(b, tests[name].why) }) {
				t.Errorf("%q is not refused with %q", tests[name].text, tests[name].why)
			}
		})
	}
	t.Run("what is well", func(t *testing.T) {
		text := "function f($a) { Get-ChildItem -LiteralPath $a | Where-Object { $_.Name } }\nf 'x'\n& $name -ErrorAction Ignore"
		if broken := check(powershell.Inspect(t, text), script{text: text}, k); len(broken) > 0 {
			t.Error(strings.Join(broken, "\n"))
		}
	})
}

func TestExemptionsAndLengthAreHeld(t *testing.T) {
	tests := map[string]struct {
		script script
		why    string
	}{
		"an exemption that is not there": {script{text: "$a = 1", exempt: []string{guestBlock}}, "is not there once"},
		"one that breaks nothing":        {script{text: "$a = 1", exempt: []string{"$a = 1"}}, "is not there once"},
		"more code than promised":        {script{text: "$a = 1\n\n# b\n$b = 1\n$c = 1", longest: 2}, "it has 3 lines of code, more than the 2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if broken := strings.Join(check(powershell.Inspection{}, test.script, known{}), "\n"); !strings.Contains(broken, test.why) {
				t.Errorf("got %q, want %q", broken, test.why)
			}
		})
	}
}
