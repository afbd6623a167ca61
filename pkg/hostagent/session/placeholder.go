package session

import (
	"crypto/sha256"
	"encoding/hex"
)

// To be replaced by executor.go.
const (
	// PowerShell is the program that runs the executor.
	PowerShell = `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`
	// StreamedArguments let it read the executor from its standard input.
	StreamedArguments = `-NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -InputFormat None -Command "exit 1"`
	// InstalledArguments let it run the executor that is installed on the host.
	InstalledArguments = `-NoLogo -NoProfile -NonInteractive -ExecutionPolicy Bypass -InputFormat None -File C:\ProgramData\GuestClustering\executor.ps1`
)

// Executor is the text that runs on a host; ExecutorHash is its SHA-256.
var (
	Executor     = Functions
	ExecutorHash = func() string { sum := sha256.Sum256([]byte(Executor)); return hex.EncodeToString(sum[:]) }()
)
