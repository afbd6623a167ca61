// Package inventory reads a host cluster: the batches that ask, and what their answers mean.
//
// A poll is at most two batches a host, one more for the host that is asked about the host cluster and one for another that is
// asked about virtual disks, whatever the number of machines and objects. State comes at every poll; what Windows fetches
// lazily, machine by machine, is asked for machines in stamped folders only.
package inventory

import "guestclustering.io/operator/pkg/hostagent"

func read(host string, calls ...hostagent.Call) hostagent.Batch {
	return hostagent.Batch{Target: hostagent.Target{Host: host}, OnError: hostagent.Continue, Calls: calls}
}
