package hostpool

import (
	"fmt"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// macReservations are the addresses given out by this process, by whose they are: a status that says so may not be
// readable yet when the next one asks.
type macReservations map[string]hyperv.MAC

// ReserveMAC gives an adapter the first address of the ranges that nobody has: no adapter on the hosts, nobody in used, no
// other reservation, and no host's own pool. Asked again for the same adapter, it gives the same one. When none is left the
// error's class is Capacity.
func (c *Cluster) ReserveMAC(adapter string, ranges []hyperv.MACRange, used map[hyperv.MAC]bool) (hyperv.MAC, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if mac, ok := c.macs[adapter]; ok {
		return mac, nil
	}
	taken := c.takenMACs()
	for _, r := range ranges {
		for mac := r.First; mac <= r.Last; mac++ {
			if pool, in := c.hostPool(mac); in {
				mac = pool.Last
				continue
			}
			if !taken[mac] && !used[mac] {
				c.macs[adapter] = mac
				return mac, nil
			}
		}
	}
	return 0, fmt.Errorf("%w: no free address is left in the MAC address ranges", hostagent.Capacity)
}

func (c *Cluster) takenMACs() map[hyperv.MAC]bool {
	taken := map[hyperv.MAC]bool{}
	for _, mac := range c.macs {
		taken[mac] = true
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

// hostPool finds the pool of its own from which a host gives out an address.
func (c *Cluster) hostPool(mac hyperv.MAC) (hyperv.MACRange, bool) {
	if c.latest == nil {
		return hyperv.MACRange{}, false
	}
	for _, h := range c.latest.Hosts {
		if h.Answered && h.MACPool.Contains(mac) {
			return h.MACPool, true
		}
	}
	return hyperv.MACRange{}, false
}

// ReleaseMACs forgets the reservations of all adapters whose names begin with the prefix: their object is gone.
func (c *Cluster) ReleaseMACs(prefix string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for adapter := range c.macs {
		if strings.HasPrefix(adapter, prefix) {
			delete(c.macs, adapter)
		}
	}
}
