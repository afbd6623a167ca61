package session

import _ "embed" // functions.ps1 is embedded as text

// Functions is the PowerShell text of the named functions: what no single cmdlet does, called like a cmdlet. It needs
// Windows PowerShell 5.1. The param blocks in it are the facts that calls of these functions are held against.
//
//go:embed functions.ps1
var Functions string
