package hostpool

import (
	"fmt"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// macReservations are the addresses given out by this process, by who has them: a status that says so may not be
// readable yet when the next one asks.
type macReservations map[string][]hyperv.MAC

// ReserveMACs gives an owner n addresses from the ranges, in order, that neither an adapter on the hosts nor anybody in
// used nor another reservation has. Asked again, it gives the same ones. Without enough of them the error's class is Capacity.
func (c *Cluster) ReserveMACs(owner string, n int, ranges []hyperv.MACRange, used map[hyperv.MAC]bool) ([]hyperv.MAC, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	have := c.macs[owner]
	taken := c.takenMACs(used)
	for _, r := range ranges {
		for mac := r.First; mac <= r.Last && len(have) < n; mac++ {
			if !taken[mac] {
				have = append(have, mac)
				taken[mac] = true
			}
		}
	}
	c.macs[owner] = have
	if len(have) < n {
		return nil, fmt.Errorf("%w: no free address is left in the MAC address ranges", hostagent.Capacity)
	}
	return have[:n], nil
}

func (c *Cluster) takenMACs(used map[hyperv.MAC]bool) map[hyperv.MAC]bool {
	taken := map[hyperv.MAC]bool{}
	for mac := range used {
		taken[mac] = true
	}
	for _, macs := range c.macs {
		for _, mac := range macs {
			taken[mac] = true
		}
	}
	if c.latest == nil {
		return taken
	}
	for _, h := range c.latest.Hosts {
		for _, a := range h.ForeignAdapters {
			taken[a.MAC] = true
		}
		for _, vm := range h.Machines {
			for _, a := range vm.Adapters {
				taken[a.MAC] = true
			}
		}
	}
	return taken
}

// ReleaseMACs forgets an owner's reservation: its status holds the addresses now, or it is gone.
func (c *Cluster) ReleaseMACs(owner string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.macs, owner)
}
