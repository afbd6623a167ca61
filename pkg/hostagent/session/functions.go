package session

import _ "embed" // the named functions are embedded as text

//go:embed functions.ps1
var hostFunctions string

//go:embed guest.ps1
var guestFunctions string

// Functions is the PowerShell text of the named functions, those for hosts and then those for guests: what no single cmdlet
// does, called like a cmdlet. It needs Windows PowerShell 5.1. The param blocks in it are the facts that calls of these
// functions are held against.
var Functions = hostFunctions + "\n" + guestFunctions
