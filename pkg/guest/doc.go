// Package guest says what is inside the members of a guest cluster: Windows in each virtual machine, and the failover
// cluster that they form. It holds what was seen; pkg/guest/cmdlet makes the calls and pkg/guest/inventory reads.
package guest
