package guest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Survival says what the loss of hosts means to the cluster inside, by its votes as they are now ("Understanding cluster and
// pool quorum").
type Survival struct {
	// HostFailures is how many hosts may fail at once, whichever they are, before quorum is lost or no node is left.
	HostFailures int
	// Fatal is the host whose loss alone the cluster does not survive, and Members the nodes on it, by name; empty when there is
	// none.
	Fatal   string
	Members []string
}

// Survives computes what the cluster survives; hosts are the nodes' hosts by the node's name in lower case. It is false when
// that cannot be told: a node takes part whose host is not known.
func (c *Cluster) Survives(hosts map[string]string) (Survival, bool) {
	byHost := map[string]*load{}
	total, present, nodes := c.WitnessDynamicWeight, c.witnessVotes(), 0
	for _, n := range c.Nodes {
		total += n.DynamicWeight
		if !n.TakesPart() {
			continue
		}
		host := hosts[strings.ToLower(n.Name)]
		if host == "" {
			return Survival{}, false
		}
		if byHost[host] == nil {
			byHost[host] = &load{host: host}
		}
		byHost[host].add(n)
		present += n.DynamicWeight
		nodes++
	}
	loads := slices.SortedFunc(maps.Values(byHost), worstFirst)
	var s Survival
	for i, l := range loads {
		present -= l.votes
		nodes -= len(l.nodes)
		if nodes == 0 || 2*present <= total {
			if i == 0 {
				s.Fatal, s.Members = l.host, l.nodes
			}
			break
		}
		s.HostFailures++
	}
	return s, true
}

// witnessVotes is the vote of the witness that is there: one that failed does not give it, though Windows may count it still.
func (c *Cluster) witnessVotes() int64 {
	for _, r := range c.Resources {
		if c.WitnessResource != "" && strings.EqualFold(r.Name, c.WitnessResource) && r.State != "Online" && r.State != "OnlinePending" {
			return 0
		}
	}
	return c.WitnessDynamicWeight
}

// load is what one host has of the cluster.
type load struct {
	host  string
	votes int64
	nodes []string
}

func (l *load) add(n Node) {
	l.votes += n.DynamicWeight
	l.nodes = append(l.nodes, n.Name)
}

// worstFirst orders hosts by what their loss costs.
func worstFirst(a, b *load) int {
	return cmp.Or(cmp.Compare(b.votes, a.votes), cmp.Compare(len(b.nodes), len(a.nodes)), cmp.Compare(a.host, b.host))
}

// TakesPart reports whether the node is a member of the cluster now, with its vote.
func (n Node) TakesPart() bool { return n.State == NodeUp || n.State == NodePaused }
