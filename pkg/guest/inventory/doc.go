// Package inventory reads the members of a guest cluster: the batches that ask, and what their answers mean.
//
// A member is asked about its own Windows, one node about the cluster inside, and one member that can reach the domain about
// the names that the guest cluster takes there. Each is one batch.
package inventory

import "guestclustering.io/operator/pkg/hostagent"

func read(vmID string, calls ...hostagent.Call) hostagent.Batch {
	return hostagent.Batch{Target: hostagent.Target{VM: vmID}, OnError: hostagent.Continue, Calls: calls}
}
