// Package inventory reads a host cluster: the batches that ask, and what their answers mean.
//
// A poll is at most two batches a host, and two more for the one host that is asked about the host cluster, whatever
// the number of machines and objects. State comes at every poll; what Windows fetches lazily, machine by machine, is
// asked for machines in stamped folders only.
package inventory

import (
	"fmt"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
)

func read(host string, calls ...hostagent.Call) hostagent.Batch {
	return hostagent.Batch{Target: hostagent.Target{Host: host}, OnError: hostagent.Continue, Calls: calls}
}

// failed gives the first error of the calls that must have ended well for the answer to be worth anything.
func failed(results hostagent.Results, ids ...string) error {
	for _, id := range ids {
		r := results.ByID(id)
		if r.State == hostagent.Done {
			continue
		}
		if err := (hostagent.Results{r}).Err(); err != nil {
			return err
		}
		return fmt.Errorf("call %s was not run: %w", id, hostagent.Protocol)
	}
	return nil
}

// flags splits the text of a Windows flags enumeration. One without a flag set is its member for none, or 0.
func flags(text string) []string {
	var out []string
	for f := range strings.SplitSeq(text, ",") {
		if f = strings.TrimSpace(f); f != "" && f != "0" && f != "None" && f != "Normal" {
			out = append(out, f)
		}
	}
	return out
}
