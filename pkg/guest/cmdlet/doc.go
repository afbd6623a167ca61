// Package cmdlet makes the calls that are made inside the members of a guest cluster, one constructor each. The name in
// parentheses is the Microsoft page, or the named function of guest.ps1, that a call's facts are from.
//
// What reads has no effect. What changes is refused, or does nothing, where what it would do is done already; the planner
// looks first all the same. Disks are named by their unique id or GPT GUID, adapters by their index as read in the same
// snapshot, objects of the cluster inside by their id or by the name that the specification gives them.
package cmdlet

import "guestclustering.io/operator/pkg/hostagent"

type p = hostagent.Parameters

func call(id, cmdlet string, parameters p, selected ...string) hostagent.Call {
	return hostagent.Call{ID: id, Cmdlet: cmdlet, Parameters: parameters, Select: selected}
}
