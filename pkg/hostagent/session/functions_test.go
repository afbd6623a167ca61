package session_test

import (
	_ "embed"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/test/powershell"
)

//go:embed testdata/standin.ps1
var standIn string

// Each scenario runs against stand-ins of the cmdlets. What it outputs is compared line by line; an error that ends it is
// a last line with its category. Calls are made as the executor makes them, through Call.
const preamble = `
Set-StrictMode -Version 2.0
$ExecutorFile = ''
function global:Call([string] $name, $parameters) {
    $problems = $null
    & $name @parameters -ErrorAction SilentlyContinue -ErrorVariable problems
    foreach ($p in $problems) { "error $($p.CategoryInfo.Category) $($p.TargetObject)" }
}
function global:Folder([string] $path, $files) {
    $World[$path] = $null
    foreach ($name in $files.Keys) { $World["$path\$name"] = $files[$name] }
}
function global:Show { foreach ($path in $World.Keys) { if ($null -eq $World[$path]) { $path } else { "$path = $($World[$path])" } } }
function global:Without-Started($texts) { $texts -replace '"started":"[^"]+",', '' }
`

const copyCall = `$copy = @{ Id = 'id1'; InputHash = 'h1'; Source = 'P:\img.vhdx'; Destination = 'P:\a\os.vhdx' }; `

// interrupted is the moment after HOST1 was lost in the midst of a copy, on HOST2.
const interrupted = copyCall + `Folder 'P:' @{ 'img.vhdx' = 'image' }; Folder 'P:\a' @{}; Call Start-Work $copy; $record = 'P:\a\os.vhdx.work.json'
	$World['P:\a\os.vhdx.partial'] = 'ima'; $Tasks.Clear(); $env:COMPUTERNAME = 'HOST2'; `

// osDisk is a copy of an image in a member's folder, on a host whose name no other test on this machine has: processes know of each
// other by the name of a kernel object.
const osDisk = `$env:COMPUTERNAME = $OwnHost; Folder 'P:' @{}; Folder 'P:\a' @{ 'guestclustering.json' = 's1'; 'os.vhdx' = 'disk' }
	$Disks['P:\a\os.vhdx'] = @{ GptType = '{ebd0a0a2-b9e5-4433-87c0-68b6b72699c7}'; MbrType = $null; IsOffline = $false; Files = @{ 'Windows' = $null } }
	function Put { Call Set-AnswerFile @{ Path = 'P:\a\os.vhdx'; Content = [Net.NetworkCredential]::new('', '<unattend/>').SecurePassword } }
	function Inside { foreach ($name in $Disks['P:\a\os.vhdx'].Files.Keys) { if ($Disks['P:\a\os.vhdx'].Files[$name]) { "$($name.ToLower()) = $($Disks['P:\a\os.vhdx'].Files[$name])" } } }
	function Left { "mounts $($Mounts.Count), drives $(@($World.Keys | Where-Object { $_ -match '\A[E-Z]:' -and $_ -notmatch '\AP:' }).Count), marks $(@($World.Keys | Where-Object { $_ -like '*.mounted*' }).Count)" }
	`

// leftMounted is that disk mounted by a process that is no more, and another that an administrator has mounted.
const leftMounted = `Mount-VHD -Path 'P:\a\os.vhdx' > $null; $World['P:\a\os.vhdx.mounted'] = 'HOST1'
	$Disks['P:\b\os.vhdx'] = $Disks['P:\a\os.vhdx']; Mount-VHD -Path 'P:\b\os.vhdx' > $null
	`

// held is another thread that has the turn.
const held = `$env:COMPUTERNAME = $OwnHost; $other = [PowerShell]::Create(); $other.Runspace = [Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace([Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()); $other.Runspace.ThreadOptions = 'ReuseThread'; $other.Runspace.Open()
	$null = $other.AddScript("function TakeTurn { $((Get-Command TakeTurn).Definition) }; ` + "`" + `$turn = TakeTurn 0").Invoke()
	`

type scenario struct{ script, want string }

var scenarios = map[string]scenario{
	"stamped folders are listed": {
		script: `Folder 'P:' @{}; Folder 'P:\a' @{ 'guestclustering.json' = '{"uid":"1"}'; 'os.vhdx' = 'disk'; 'os.vhdx.work.json' = '{"id":"w"}' }
			Folder 'P:\other' @{ 'os.vhdx' = 'x' }
			foreach ($f in Call Get-StampedFolder @{ Pool = 'P:' }) { $f.Path; $f.Stamp; foreach ($x in $f.Files) { "$($x.Name) $($x.Length)" }; "work $($f.Work)" }`,
		want: "P:\\a\n{\"uid\":\"1\"}\nguestclustering.json 11\nos.vhdx 4\nos.vhdx.work.json 10\nwork {\"id\":\"w\"}",
	},
	"a missing pool is an error beside the values": {
		script: `Folder 'P:' @{}; Folder 'P:\a' @{ 'guestclustering.json' = 's' }
			foreach ($f in Call Get-StampedFolder @{ Pool = 'Q:', 'P:' }) { if ($f -is [string]) { $f } else { $f.Path } }`,
		want: "P:\\a\nerror ObjectNotFound Q:",
	},
	"a stamp that cannot be read is an error": {
		script: `Folder 'P:' @{}; Folder 'P:\a' @{ 'guestclustering.json' = 's' }; $Fail['Get-Content'] = 'P:\a\guestclustering.json'
			foreach ($f in Call Get-StampedFolder @{ Pool = 'P:' }) { if ($f -is [string]) { $f } else { "$($f.Path) [$($f.Stamp)]" } }`,
		want: "P:\\a []\nerror ObjectNotFound P:\\a\\guestclustering.json",
	},
	"a new folder has its stamp": {
		script: `Folder 'P:' @{}; Call New-StampedFolder @{ Path = 'P:\a'; Stamp = 's1' }; Show`,
		want:   "P:\nP:\\a\nP:\\a\\guestclustering.json = s1",
	},
	"the same stamp again changes nothing": {
		script: `Folder 'P:\a' @{ 'guestclustering.json' = 's1'; 'os.vhdx' = 'disk' }; Call New-StampedFolder @{ Path = 'P:\a'; Stamp = 's1' }; Show`,
		want:   "P:\\a\nP:\\a\\guestclustering.json = s1\nP:\\a\\os.vhdx = disk",
	},
	"another stamp is refused": {
		script: `Folder 'P:\a' @{ 'guestclustering.json' = 'S1' }; Call New-StampedFolder @{ Path = 'P:\a'; Stamp = 's1' }`,
		want:   "ended ResourceExists",
	},
	"a folder with content and no stamp is refused": {
		script: `Folder 'P:\a' @{ 'os.vhdx' = 'disk' }; Call New-StampedFolder @{ Path = 'P:\a'; Stamp = 's1' }`,
		want:   "ended ResourceExists",
	},
	"an empty folder, and one whose stamp was never finished, get the stamp": {
		script: `Folder 'P:\a' @{}; Folder 'P:\b' @{ 'guestclustering.json.new' = 's' }
			foreach ($p in 'P:\a', 'P:\b') { Call New-StampedFolder @{ Path = $p; Stamp = 's1' } }; Show`,
		want: "P:\\a\nP:\\a\\guestclustering.json = s1\nP:\\b\nP:\\b\\guestclustering.json = s1",
	},
	"a folder is removed by its stamp": {
		script: `Folder 'P:' @{}; Folder 'P:\a' @{ 'guestclustering.json' = 's1'; 'os.vhdx' = 'disk' }; Folder 'P:\a\vm' @{ 'x' = '1' }
			Call Remove-StampedFolder @{ Path = 'P:\a'; Stamp = 's1' }; Show`,
		want: "P:",
	},
	"a folder with another stamp stays": {
		script: `Folder 'P:\a' @{ 'guestclustering.json' = 's2'; 'os.vhdx' = 'disk' }; try { Call Remove-StampedFolder @{ Path = 'P:\a'; Stamp = 's1' } } catch { "ended $($_.CategoryInfo.Category)" }; Show`,
		want:   "ended ResourceExists\nP:\\a\nP:\\a\\guestclustering.json = s2\nP:\\a\\os.vhdx = disk",
	},
	"a folder without a stamp stays": {
		script: `Folder 'P:\a' @{ 'os.vhdx' = 'disk' }; Call Remove-StampedFolder @{ Path = 'P:\a'; Stamp = 's1' }`,
		want:   "ended ResourceExists",
	},
	"a folder that is gone needs no removal": {
		script: `Call Remove-StampedFolder @{ Path = 'P:\a'; Stamp = 's1' }; Show`,
	},
	"an interrupted removal keeps the stamp": {
		script: `Folder 'P:\a' @{ 'guestclustering.json' = 's1'; 'a.vhdx' = 'disk'; 'b.vhdx' = 'disk' }; $Fail['Remove-Item'] = 'P:\a\b.vhdx'
			try { Call Remove-StampedFolder @{ Path = 'P:\a'; Stamp = 's1' } } catch { 'ended' }; Show`,
		want: "ended\nP:\\a\nP:\\a\\b.vhdx = disk\nP:\\a\\guestclustering.json = s1",
	},
	"a copy runs in a task as SYSTEM and is recorded": {
		script: copyCall + `Folder 'P:' @{ 'img.vhdx' = 'image' }; Folder 'P:\a' @{}; Call Start-Work $copy
			"$($Tasks['id1'].Principal.UserId) $($Tasks['id1'].State)"; Without-Started $World['P:\a\os.vhdx.work.json']; Invoke-Task 'id1'; "tasks $($Tasks.Count)"; Without-Started (Show)`,
		want: `S-1-5-18 Running
{"id":"id1","inputHash":"h1","state":"Running","node":"HOST1","source":"P:\\img.vhdx","destination":"P:\\a\\os.vhdx","error":""}
tasks 0
P:
P:\a
P:\a\os.vhdx = image
P:\a\os.vhdx.work.json = {"id":"id1","inputHash":"h1","state":"Completed","node":"HOST1","source":"P:\\img.vhdx","destination":"P:\\a\\os.vhdx","error":""}
P:\img.vhdx = image`,
	},
	"what runs is not started again": {
		script: copyCall + `Folder 'P:' @{ 'img.vhdx' = 'image' }; Folder 'P:\a' @{}; Call Start-Work $copy; Call Start-Work $copy; $Tasks['id1'].Starts`,
		want:   "1",
	},
	"what is completed is not started again": {
		script: copyCall + `Folder 'P:' @{ 'img.vhdx' = 'image' }; Folder 'P:\a' @{}; Call Start-Work $copy; Invoke-Task 'id1'; Call Start-Work $copy; "tasks $($Tasks.Count)"`,
		want:   "tasks 0",
	},
	"a task that a restart of the host ended is started again": {
		script: copyCall + `Folder 'P:' @{ 'img.vhdx' = 'image' }; Folder 'P:\a' @{}; Call Start-Work $copy; $Tasks['id1'].State = 'Ready'; $World['P:\a\os.vhdx.partial'] = 'ima'
			Call Start-Work $copy; $Tasks['id1'].State; Invoke-Task 'id1'; $World['P:\a\os.vhdx']`,
		want: "Running\nimage",
	},
	"a copy that another node runs is left to it": {
		script: interrupted + `foreach ($state in 'Up', 'Paused', 'Joining', 'Unknown') { $Nodes['HOST1'] = $state; Call Start-Work $copy }; "tasks $($Tasks.Count)"; $World['P:\a\os.vhdx.partial']`,
		want:   "tasks 0\nima",
	},
	"a copy of a node that is down is taken over and begins from nothing": {
		script: interrupted + `$old = $World[$record]; $Nodes['HOST1'] = 'Down'; Call Start-Work $copy; Without-Started $World[$record]; ($World[$record] -cne $old); "starts $($Tasks['id1'].Starts)"
			Invoke-Task 'id1'; $World['P:\a\os.vhdx']; $World.ContainsKey('P:\a\os.vhdx.partial')`,
		want: `{"id":"id1","inputHash":"h1","state":"Running","node":"HOST2","source":"P:\\img.vhdx","destination":"P:\\a\\os.vhdx","error":""}
True
starts 1
image
False`,
	},
	"a copy of a node that is no node any more is taken over": {
		script: interrupted + `$Nodes.Remove('HOST1'); Call Start-Work $copy; Invoke-Task 'id1'; $World['P:\a\os.vhdx']`,
		want:   "image",
	},
	"the copies of a node are told by its whole name": {
		script: interrupted + `$Nodes['HOST1'] = 'Down'; $Nodes['HOST11'] = 'Up'; Call Start-Work $copy; "tasks $($Tasks.Count)"`,
		want:   "tasks 1",
	},
	"nothing is taken over while the host cluster does not tell": {
		script: interrupted + `$old = $World[$record]; $Nodes['HOST1'] = 'Down'; $Fail['Get-ClusterNode'] = 'no cluster service'; try { Call Start-Work $copy } catch { "ended $_" }; "tasks $($Tasks.Count)"; $World[$record] -ceq $old`,
		want:   "ended no cluster service\ntasks 0\nTrue",
	},
	"a copy that only lacks its end on record is not made again": {
		script: interrupted + `$Nodes['HOST1'] = 'Down'; $World['P:\a\os.vhdx'] = 'whole'; Call Start-Work $copy; Invoke-Task 'id1'; $World['P:\a\os.vhdx']; $World[$record].Contains('"state":"Completed"')`,
		want:   "whole\nTrue",
	},
	"other work of a node that is down does not stand in the way": {
		script: interrupted + `$copy.InputHash = 'h2'; try { Call Start-Work $copy } catch { "ended $($_.CategoryInfo.Category)" }; $Nodes['HOST1'] = 'Down'; Call Start-Work $copy; $World[$record].Contains('"inputHash":"h2","state":"Running"')`,
		want:   "ended ResourceBusy\nTrue",
	},
	"what stands at the destination of other work is never overwritten": {
		script: interrupted + `$copy.InputHash = 'h2'; $Nodes['HOST1'] = 'Down'; $World['P:\a\os.vhdx'] = 'data'; Call Start-Work $copy`,
		want:   "ended ResourceExists",
	},
	"the record says since when, in UTC": {
		script: copyCall + `Folder 'P:' @{ 'img.vhdx' = 'image' }; Folder 'P:\a' @{}; $before = [DateTime]::UtcNow; Call Start-Work $copy
			$text = [regex]::Match($World['P:\a\os.vhdx.work.json'], '"started":"([^"]*)"').Groups[1].Value; $text -match '\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z\z'
			$started = [DateTime]::Parse($text, [Globalization.CultureInfo]::InvariantCulture, 'RoundtripKind'); $before -le $started -and $started -le [DateTime]::UtcNow
			Invoke-Task 'id1'; $World['P:\a\os.vhdx.work.json'].Contains($text)`,
		want: "True\nTrue\nTrue",
	},
	"a copy that fails says why and may be started again": {
		script: copyCall + `Folder 'P:' @{ 'img.vhdx' = 'image' }; Folder 'P:\a' @{}; Call Start-Work $copy; $Fail['Copy-Item'] = 'disk "P:\" is full'; Invoke-Task 'id1'; Without-Started $World['P:\a\os.vhdx.work.json']
			$Fail.Clear(); Call Start-Work $copy; Invoke-Task 'id1'; $World['P:\a\os.vhdx']`,
		want: `{"id":"id1","inputHash":"h1","state":"Failed","node":"HOST1","source":"P:\\img.vhdx","destination":"P:\\a\\os.vhdx","error":"disk \"P:\\\" is full"}
image`,
	},
	"a task that cannot be registered is a failure on record": {
		script: copyCall + `Folder 'P:' @{ 'img.vhdx' = 'image' }; Folder 'P:\a' @{}; $Fail['Register-ScheduledTask'] = 'no'
			try { Call Start-Work $copy } catch { "ended $_" }; $World['P:\a\os.vhdx.work.json'].Contains('"state":"Failed"')`,
		want: "ended no\nTrue",
	},
	"what stands at the destination is never overwritten": {
		script: copyCall + `Folder 'P:' @{ 'img.vhdx' = 'image' }; Folder 'P:\a' @{ 'os.vhdx' = 'data' }; Call Start-Work $copy`,
		want:   "ended ResourceExists",
	},
	"one copy at a time in a folder": {
		script: copyCall + `Folder 'P:' @{ 'img.vhdx' = 'image' }; Folder 'P:\a' @{}; Call Start-Work $copy
			Call Start-Work @{ Id = 'id2'; InputHash = 'h'; Source = 'P:\img.vhdx'; Destination = 'P:\a\two.vhdx' }`,
		want: "ended ResourceBusy",
	},
	"other work under the same name waits": {
		script: copyCall + `Folder 'P:' @{ 'img.vhdx' = 'image' }; Folder 'P:\a' @{}; Call Start-Work $copy; $copy.InputHash = 'h2'; Call Start-Work $copy`,
		want:   "ended ResourceBusy",
	},
	"an id that would need quoting is refused": {
		script: copyCall + `Folder 'P:\a' @{}; $copy.Id = "a' ; b"; Call Start-Work $copy`,
		want:   "ended InvalidArgument",
	},
	"a path that the Task Scheduler would expand is refused": {
		script: copyCall + `Folder 'P:\a' @{}; $copy.Destination = 'P:\%TEMP%\a.vhdx'; Call Start-Work $copy`,
		want:   "ended InvalidArgument",
	},
	"a source that looks like code is only a name": {
		script: copyCall + `Folder 'P:' @{}; Folder 'P:\a' @{}; $copy.Source = 'P:\$x; ''Remove-Item'' [a].vhdx'; $World[$copy.Source] = 'odd'; Call Start-Work $copy; Invoke-Task 'id1'; $World['P:\a\os.vhdx']`,
		want:   "odd",
	},
	"a class name is added beside the others": {
		script: `$id = [guid]::NewGuid(); $names = [Collections.Specialized.StringCollection]::new(); $null = $names.Add('foreign'); $Groups[$id] = [pscustomobject]@{ AntiAffinityClassNames = $names }
			Call Add-AntiAffinityClassName @{ VMId = "$id"; ClassName = 'ours' }; Call Add-AntiAffinityClassName @{ VMId = $id; ClassName = 'ours' }
			$Groups[$id].AntiAffinityClassNames.GetType().Name; "$($Groups[$id].AntiAffinityClassNames)"`,
		want: "StringCollection\nforeign ours",
	},
	"the first class name": {
		script: `$id = [guid]::NewGuid(); $Groups[$id] = [pscustomobject]@{ AntiAffinityClassNames = $null }; Call Add-AntiAffinityClassName @{ VMId = $id; ClassName = 'ours' }
			$Groups[$id].AntiAffinityClassNames.GetType().Name; "$($Groups[$id].AntiAffinityClassNames)"`,
		want: "StringCollection\nours",
	},
	"a class name is removed and the others stay": {
		script: `$id = [guid]::NewGuid(); $names = [Collections.Specialized.StringCollection]::new(); $names.AddRange([string[]] ('ours', 'foreign')); $Groups[$id] = [pscustomobject]@{ AntiAffinityClassNames = $names }
			Call Remove-AntiAffinityClassName @{ VMId = $id; ClassName = 'ours' }; "$($Groups[$id].AntiAffinityClassNames)"
			Call Remove-AntiAffinityClassName @{ VMId = $id; ClassName = 'foreign' }; $Groups[$id].AntiAffinityClassNames.GetType().Name; $Groups[$id].AntiAffinityClassNames.Count`,
		want: "foreign\nStringCollection\n0",
	},
	"an answer file is put into a disk": {
		script: osDisk + `Put; Inside; Left`,
		want:   "windows\\panther\\unattend\\unattend.xml = <unattend/>\nmounts 0, drives 0, marks 0",
	},
	"an answer file takes the place of another": {
		script: osDisk + `$Disks['P:\a\os.vhdx'].Files['Windows\Panther\Unattend\Unattend.xml'] = 'old'; Put; Inside; Left`,
		want:   "windows\\panther\\unattend\\unattend.xml = <unattend/>\nmounts 0, drives 0, marks 0",
	},
	"a disk that the host sets offline, and one with an MBR": {
		script: osDisk + `$Disks['P:\a\os.vhdx'].IsOffline = $true; Put; Inside; $disk = $Disks['P:\a\os.vhdx']; $disk.GptType = $null; $disk.MbrType = 7; $disk.Files.Remove('Windows\Panther\Unattend\Unattend.xml'); Put; Inside`,
		want:   "windows\\panther\\unattend\\unattend.xml = <unattend/>\nwindows\\panther\\unattend\\unattend.xml = <unattend/>",
	},
	"a disk in a folder without a stamp": {
		script: osDisk + `$null = $World.Remove('P:\a\guestclustering.json'); try { Put } catch { "ended $($_.CategoryInfo.Category)" }; Left`,
		want:   "ended PermissionDenied\nmounts 0, drives 0, marks 0",
	},
	"a disk without a Windows": {
		script: osDisk + `$Disks['P:\a\os.vhdx'].Files.Remove('Windows'); try { Put } catch { "ended $($_.CategoryInfo.Category): $_" }; Left`,
		want:   "ended InvalidData: P:\\a\\os.vhdx holds no Windows: make the image from a disk with a Windows that Sysprep has generalised.\nmounts 0, drives 0, marks 0",
	},
	"a disk with recovery tools alone": {
		script: osDisk + `$Disks['P:\a\os.vhdx'].GptType = '{de94bba4-06d1-4d40-a16a-bfd50179d6ac}'; try { Put } catch { "ended $($_.CategoryInfo.Category)" }; Left`,
		want:   "ended InvalidData\nmounts 0, drives 0, marks 0",
	},
	"a disk that somebody else has open": {
		script: osDisk + `Mount-VHD -Path 'P:\a\os.vhdx' > $null; $Fail['Mount-VHD'] = 'x'; try { Put } catch { "ended $($_.CategoryInfo.Category)" }; Left; Sweep; Left`,
		want:   "ended ResourceBusy\nmounts 1, drives 0, marks 0\nmounts 1, drives 0, marks 0",
	},
	"no drive letter is free": {
		script: osDisk + `$Fail['AddAccessPath'] = 40002; try { Put } catch { "ended $_" }; Left`,
		want:   "ended Windows gives partition 2 no drive letter (error 40002): is one free?\nmounts 0, drives 0, marks 0",
	},
	"an answer file that cannot be written": {
		script: osDisk + `$Fail['Set-Content'] = 'E:\Windows\Panther\Unattend\Unattend.xml'; try { Put } catch { "ended $_" }; Left`,
		want:   "ended The media is write protected.\nmounts 0, drives 0, marks 0",
	},
	"what a dead process left mounted is dismounted before": {
		script: osDisk + leftMounted + `Put; Inside; Left`,
		want:   "windows\\panther\\unattend\\unattend.xml = <unattend/>\nmounts 1, drives 0, marks 0",
	},
	"what a dead process left mounted is dismounted at the next start": {
		script: osDisk + leftMounted + `Sweep; Left; $Mounts[0].Path`,
		want:   "mounts 1, drives 0, marks 0\nP:\\b\\os.vhdx",
	},
	"what cannot be dismounted stays marked": {
		script: osDisk + leftMounted + `$Fail['Dismount-VHD'] = 'x'; try { Put } catch { "ended $_" }; Sweep; Left`,
		want:   "ended The disk cannot be dismounted.\nmounts 2, drives 0, marks 1",
	},
	"one disk at a time": {
		script: osDisk + leftMounted + held + `"turn $($null -ne (TakeTurn 0))"; Sweep; Left
			function TakeTurn { }; try { Put } catch { "ended $($_.CategoryInfo.Category)" }; Left; $other.Runspace.Dispose()`,
		want: "turn False\nmounts 2, drives 0, marks 1\nended ResourceBusy\nmounts 2, drives 0, marks 1",
	},
	"whose owner dies gives the turn to the next": {
		script: held + `$other.Runspace.Dispose(); $turn = TakeTurn 120; "turn $($null -ne $turn)"; EndTurn $turn; $turn = TakeTurn 0; "turn $($null -ne $turn)"; EndTurn $turn`,
		want:   "turn True\nturn True",
	},
	"a machine that is in no group": {
		script: `Call Add-AntiAffinityClassName @{ VMId = [guid]::Empty; ClassName = 'ours' }`,
		want:   "ended ObjectNotFound",
	},
}

func TestFunctions(t *testing.T) {
	runScenarios(t, standIn+preamble+session.Functions, "Reset-World", scenarios)
}

// runScenarios runs scenarios one after the other in one PowerShell, each after a reset.
func runScenarios(t *testing.T, text, reset string, scenarios map[string]scenario) {
	t.Helper()
	var script strings.Builder
	script.WriteString(text)
	for name, s := range scenarios {
		script.WriteString("\n'== " + name + "'\n" + reset + "\ntry { & {\n" + s.script + "\n} } catch { \"ended $($_.CategoryInfo.Category)\" }\n")
	}
	file := filepath.Join(t.TempDir(), "scenarios.ps1")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, part := range strings.Split("\n"+powershell.Run(t, file), "\n== ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		out[strings.TrimSpace(name)] = strings.TrimSpace(text)
	}
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(s.want, out[name]); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// What functions.ps1 may run, with the parameters that each must be given.
var allowedCommands = map[string]string{
	"Where-Object": "", "Get-Command": "", "Get-ClusterGroup": "VMId", "Get-ClusterNode": "",
	"Test-Path": "LiteralPath", "Get-ChildItem": "LiteralPath", "Get-Content": "LiteralPath", "Set-Content": "LiteralPath",
	"Move-Item": "LiteralPath", "Copy-Item": "LiteralPath", "Remove-Item": "LiteralPath",
	"New-Item":                "Path", // has no LiteralPath, and takes Path as it stands
	"New-ScheduledTaskAction": "Execute", "New-ScheduledTaskPrincipal": "UserId", "New-ScheduledTaskSettingsSet": "ExecutionTimeLimit",
	"Mount-VHD": "Path", "Dismount-VHD": "DiskNumber", "Get-CimInstance": "Filter", "Invoke-CimMethod": "InputObject", "Get-PSDrive": "PSProvider",
	"Register-ScheduledTask": "Action", "Start-ScheduledTask": "", "Get-ScheduledTask": "TaskPath", "Unregister-ScheduledTask": "",
	// Inside guests.
	"Get-Item": "LiteralPath", "Get-Disk": "", "Set-Disk": "Number", "Initialize-Disk": "Number", "Update-HostStorageCache": "",
	"New-Partition": "DiskNumber", "Get-Partition": "", "Resize-Partition": "Size", "Get-PartitionSupportedSize": "", "Format-Volume": "Partition",
	"Get-Cluster": "", "Get-ClusterNetwork": "", "Get-ClusterResource": "", "Get-ClusterParameter": "InputObject", "Get-ClusterAvailableDisk": "",
	"Add-ClusterDisk": "InputObject", "Set-ClusterQuorum": "CloudWitness", "Get-SmbShare": "", "New-SmbShare": "ScopeName", "Test-Cluster": "Node",
}

// What of the executor's core the functions call that run a batch in a task, and the types beside those of the core: of pipes,
// not of files.
var (
	coreFunctions = []string{"Pack", "PackResults", "MakeJson", "ErrorFacts", "IsHeld"}
	pipeTypes     = []string{"IO.Pipes.NamedPipeServerStream", "IO.Pipes.NamedPipeClientStream", "IO.Pipes.PipeSecurity", "IO.Pipes.PipeAccessRule", "IO.StreamReader", "IO.StreamWriter", "IO.MemoryStream"}
)

func TestFunctionsKeepToWindowsPowerShell51(t *testing.T) {
	seen := powershell.Inspect(t, session.Functions)
	for _, problem := range seen.Problems {
		t.Error(problem)
	}
	for _, command := range seen.Commands {
		name, parameters, _ := strings.Cut(command, " ")
		needs, ok := allowedCommands[name]
		if !ok && !slices.Contains(seen.Functions, name) && !slices.Contains(coreFunctions, name) {
			t.Errorf("%s: a stand-in could not answer it, or Windows PowerShell would have to load a module for it", name)
		}
		if needs != "" && !slices.Contains(strings.Fields(parameters), needs) {
			t.Errorf("%s is run without -%s: %s", name, needs, parameters)
		}
	}
	for _, name := range seen.Types {
		if strings.Contains(name, "IO.") && !slices.Contains(pipeTypes, name) {
			t.Errorf("[%s]: files are reached by cmdlets alone", name)
		}
	}
}
