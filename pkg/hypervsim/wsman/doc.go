// Package wsman serves the WS-Management endpoint of a simulated host, as the WinRM service does on Windows: shells with
// commands over SOAP, authentication, quotas, and trouble on demand.
//
// What a shell's command runs is a Program. The protocol is that of "[MS-WSMV]: Web Services Management Protocol
// Extensions for Windows Vista"; NTLM is that of "[MS-NLMP]".
package wsman
