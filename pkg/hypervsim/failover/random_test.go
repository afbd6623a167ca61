package failover

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestAnyHistory lets anything happen in any order, and holds after each event what must always be true.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 7))
		nodes := 2 + random.IntN(4)
		l := newLab(nodes, 3)
		c := l.form(t, []string{"", "disk", "share", "cloud"}[random.IntN(4)])
		l.role(t, c, "{D1}")
		_, err := c.AddDisk("{D2}")
		must(t, err)
		var last string
		for range 150 {
			last = l.shake(c, random)
			l.hold(t, c, fmt.Sprintf("seed %d, after %s", seed, last))
			l.advance(time.Duration(random.IntN(15_000)) * time.Millisecond)
			l.hold(t, c, fmt.Sprintf("seed %d, a while after %s", seed, last))
		}
		l.mend(c)
		if !c.Running() || len(c.members()) != len(c.Nodes) {
			t.Errorf("seed %d: once all is well, %d of %d nodes are members (%v)", seed, len(c.members()), len(c.Nodes), last)
		}
		for _, g := range c.Groups {
			if len(g.Resources) > 0 && !g.Served() {
				t.Errorf("seed %d: once all is well, group %s is %s", seed, g.Name, g.State())
			}
		}
	}
}

// shake lets one thing happen.
func (l *lab) shake(c *Cluster, random *rand.Rand) string {
	n := c.Nodes[random.IntN(len(c.Nodes))]
	computer := n.Computer.(*computer)
	flip := random.IntN(2) == 0
	what := random.IntN(9)
	switch what {
	case 0:
		l.fail(c, computer.name)
	case 1, 2:
		l.boot(c, computer.name)
	case 3:
		if computer.condition == Running {
			c.Stop(n)
		}
	case 4:
		computer.clusterCut = flip
	case 5:
		computer.clientCut = flip
	case 6:
		l.disks[random.IntN(len(l.disks))].on[computer] = flip
	case 7:
		if computer.condition != Off {
			computer.condition = Frozen
			if flip {
				computer.condition = Running
			}
		}
	case 8:
		_ = c.MoveGroup(c.Groups[random.IntN(len(c.Groups))], n)
	}
	c.Changed()
	return fmt.Sprintf("%d on %s", what, computer.name)
}

// mend makes everything well again, and waits.
func (l *lab) mend(c *Cluster) {
	for _, computer := range l.computers {
		computer.clientCut, computer.clusterCut, computer.condition = false, false, Running
		for _, d := range l.disks {
			d.on[computer] = true
		}
	}
	c.Changed()
	for _, n := range c.Nodes {
		c.Start(n)
	}
	l.advance(2*quarantineDuration + retryPeriod)
}

// hold checks what must be true at any time.
func (l *lab) hold(t *testing.T, c *Cluster, when string) {
	t.Helper()
	members := c.members()
	held := map[string]int{}
	for _, g := range c.Groups {
		if g.State() == GroupOnline && !g.Owner.member {
			t.Fatalf("%s: group %s is online on %s, which is no member", when, g.Name, g.Owner.Name())
		}
		if len(members) == 0 && (g.State() == GroupOnline || g.State() == GroupPending) {
			t.Fatalf("%s: group %s is %s without quorum", when, g.Name, g.State())
		}
	}
	for _, d := range l.disks {
		for _, n := range c.Nodes {
			if c.Holds(n, d.GUID) {
				held[d.GUID]++
			}
		}
		if held[d.GUID] > 1 {
			t.Fatalf("%s: disk %s is online on %d nodes", when, d.GUID, held[d.GUID])
		}
	}
	// Who is a member and heard has a majority, or waits to be told that it has none any more.
	if len(members) > 0 && c.regroup == nil && !c.ballot.isMajority(members, c.witnessWorks()) {
		t.Fatalf("%s: %d members with %d of %d votes run the cluster", when, len(members), c.ballot.cast(members, c.witnessWorks()), c.ballot.total())
	}
	for _, n := range c.Nodes {
		if n.member && n.service != serviceUp {
			t.Fatalf("%s: %s is a member without a service", when, n.Name())
		}
	}
}

// TestNoTwoMajorities: however votes are spread, two sets of nodes that have no node in common are never both a majority, also
// when both reach the witness, which only one of them gets.
func TestNoTwoMajorities(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 6; n++ {
		for _, withWitness := range []bool{false, true} {
			var nodes []*Node
			for i := range n {
				nodes = append(nodes, &Node{number: i + 1, weight: 1})
			}
			b := ballot{nodes: map[*Node]bool{}}.spread(nodes, withWitness, withWitness)
			if withWitness == (n > 1) && b.total()%2 == 0 {
				t.Errorf("%d nodes, witness %v: %d votes", n, withWitness, b.total())
			}
			for set := range 1 << n {
				var one, other []*Node
				for i, node := range nodes {
					if set>>i&1 == 1 {
						one = append(one, node)
					} else {
						other = append(other, node)
					}
				}
				if b.isMajority(one, true) && b.isMajority(other, false) {
					t.Errorf("%d nodes, witness %v: %d and %d nodes are both a majority", n, withWitness, len(one), len(other))
				}
			}
		}
	}
}
