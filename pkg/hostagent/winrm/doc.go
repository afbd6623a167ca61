// Package winrm is the driver for hosts reached over Windows Remote Management: WS-Man shells over HTTPS, or over HTTP
// with every message sealed by NTLM.
//
// A host has one shell with one command, the PowerShell of pkg/hostagent/session, and two lanes to it: one sends
// (Create, Command, Send, Signal, Delete), the other receives. Each lane is one connection with a login of its own,
// because NTLM belongs to a connection and sealing to its sequence of messages, and because a Receive waits at the host
// while requests go out.
//
// masterzen/winrm builds the requests. Answers are parsed here, because its parsers drop faults and broken Base64, and
// carried here, because its command engine and its transports lose errors, connections and goroutines.
//
// # What is never repeated
//
// A request is sent a second time only when nothing of it was written to a connection, when the host said 401 to it on a
// connection it had known, or when the host said that it is busy (fault 170). All others whose answer is lost are lost:
// Process.Write says session.ErrNotSent only when nothing left for the host, or the host certainly took nothing of it.
//
// # Credentials
//
// A driver lives as long as one version of its credentials. The first login is tried alone, whatever the host, and a
// refused password is not tried again on any host, so that no account is locked out.
package winrm
