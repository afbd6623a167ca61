// Package ssh is the driver for hosts reached over SSH: Windows' own OpenSSH server.
//
// A host has one connection with one command on it, the PowerShell of pkg/hostagent/session, without a terminal. The
// command line reaches the program as it stands if the server's shell is cmd.exe, which it is unless somebody has set
// DefaultShell in the registry: the session's command lines hold nothing that cmd.exe takes for its own.
//
// The host's key is verified always, against Config.KnownHosts, and the host is asked for a key that is known: a host has
// several, and shows the one that the client likes best.
//
// # How a process ends
//
// Over SSH without a terminal nothing ends a process but itself: Windows' server knows no signals, and leaves a process
// alone whose connection is gone (github.com/PowerShell/Win32-OpenSSH, issue 1751). The executor ends when its input does.
// That is what Kill waits for, and why Leave need not wait.
//
// # Credentials
//
// A driver lives as long as one version of its credentials. The first login with a password is tried alone, whatever the
// host, and a refused password is not tried again on any host, so that no account is locked out. No account is locked out
// by a key, and what is mended on a host makes the same key good there, so each login may try a key.
package ssh
