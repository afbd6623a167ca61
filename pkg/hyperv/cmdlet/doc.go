// Package cmdlet makes the calls that the operator asks of a host cluster: one function a call, one file an area.
//
// A call says what an administrator would type; pkg/hyperv/surface holds every one of them against Microsoft's
// published surface. Virtual machines are addressed by a live object (a Ref to VMByID), never by name: names may be
// changed by anybody, and two namespaces may use the same.
package cmdlet

import "guestclustering.io/operator/pkg/hostagent"

// p saves repeating the parameter type in every constructor.
type p = hostagent.Parameters

func call(id, name string, parameters p, selected ...string) hostagent.Call {
	return hostagent.Call{ID: id, Cmdlet: name, Parameters: parameters, Select: selected}
}

func ref(id string) hostagent.Ref { return hostagent.Ref{Call: id} }

func refs(ids []string) hostagent.List {
	l := make(hostagent.List, len(ids))
	for i, id := range ids {
		l[i] = ref(id)
	}
	return l
}
