// Package forward lets a real PowerShell stand for the PowerShell of a simulated host: its modules are stubs that forward
// each cmdlet, bound by PowerShell itself, to the simulated world, which answers as pkg/hypervsim answers a batch. So the
// shipped executor, or anybody's script, runs against the world.
//
// Modules writes the stubs; a Server answers them over HTTP on loopback, to whoever has the token of a Shell; a Shell is
// one PowerShell process on one host, as the world sees it. Invoke-Command with -VMId runs the text of its block in another
// process, whose stubs speak to the guest of that machine: PowerShell Direct.
//
// The stubs run in PowerShell 7 and later. Where the real thing is richer: a call that changes cannot be stopped; properties
// that the world does not simulate are null; numbers, GUIDs and enumerations of live objects are Int64 and text; the file
// cmdlets know paths of Windows alone, and only what named functions ask of them.
package forward
