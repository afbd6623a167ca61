package session

import (
	"crypto/sha256"
	_ "embed" // executor.ps1 is embedded as text
	"encoding/hex"
)

// PowerShell is the program that runs the executor: Windows PowerShell 5.1, where every Windows has it.
const PowerShell = `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`

const switches = `-NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -InputFormat None `

// StreamedArguments let PowerShell read the executor from the first line of its standard input, as base64 of gzip, and run
// it with the reader of the lines that follow. It is the one text of the operator that becomes a script on a host.
const StreamedArguments = switches + `-Command "$r=[IO.StreamReader]::new([Console]::OpenStandardInput(),[Text.Encoding]::ASCII,$false,65536);` +
	`$z=[IO.Compression.GZipStream]::new([IO.MemoryStream]::new([Convert]::FromBase64String($r.ReadLine())),[IO.Compression.CompressionMode]::Decompress);` +
	`. ([ScriptBlock]::Create([IO.StreamReader]::new($z,[Text.Encoding]::ASCII).ReadToEnd())) $r"`

// InstalledArguments let PowerShell run the executor that an administrator has put on the host as a file.
const InstalledArguments = switches + `-File C:\ProgramData\GuestClustering\executor.ps1`

//go:embed executor.ps1
var executorCore string

var (
	// Executor is the text that runs on a host: the named functions, and what calls them. It needs Windows PowerShell 5.1.
	Executor = Functions + "\n" + executorCore
	// ExecutorHash is the SHA-256 of Executor in hexadecimal digits, which a host's hello repeats.
	ExecutorHash = hashOf(Executor)
)

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
