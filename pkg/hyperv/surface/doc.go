// Package surface knows the cmdlets that the operator calls as Microsoft publishes them: parameters, parameter sets,
// types, accepted values, and the Windows builds that have them.
//
// Bind holds a call against them. Its law is one-way: what it accepts, PowerShell's own binder accepts with the same
// parameter set and the same values. It refuses more: abbreviated and alias names, prefixes of enum values, texts
// for numbers, and the common parameters, which belong to whoever runs the call.
//
// The facts have three sources. facts.json is a copy, made by hack/cmdletfacts, of what Microsoft's pages say.
// corrections.json mends what they leave out or have wrong, with a reason for each entry. The facts of the named
// functions are the param blocks of the executor in pkg/hostagent/session.
package surface
