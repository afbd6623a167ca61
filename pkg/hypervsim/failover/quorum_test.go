package failover

import (
	"fmt"
	"testing"
	"time"
)

const settled = 20 * time.Second

// TestSurvival is the table of "Understanding cluster and pool quorum". Where the page says 50/50, which node fails decides: the
// one whose vote was taken away, which has the highest number, may.
func TestSurvival(t *testing.T) {
	t.Parallel()
	type answer struct{ highest, lowest bool }
	yes, no, half := answer{true, true}, answer{false, false}, answer{true, false}
	for _, row := range []struct {
		nodes           int
		witness         bool
		one, two, atOne answer
	}{
		{2, false, half, no, no},
		{2, true, yes, no, no},
		{3, false, yes, half, no},
		{3, true, yes, yes, no},
		{4, false, yes, yes, half},
		{4, true, yes, yes, yes},
		{5, false, yes, yes, yes},
		{5, true, yes, yes, yes},
	} {
		for _, witness := range witnessesOf(row.witness) {
			name := fmt.Sprintf("%d nodes, witness %q", row.nodes, witness)
			order := func(highest bool) []string {
				var names []string
				for i := range row.nodes {
					names = append(names, string(rune('A'+i)))
				}
				if highest {
					for i, j := 0, len(names)-1; i < j; i, j = i+1, j-1 {
						names[i], names[j] = names[j], names[i]
					}
				}
				return names
			}
			check := func(what string, want answer, fail func(l *lab, c *Cluster, order []string)) {
				for _, highest := range []bool{true, false} {
					l := newLab(row.nodes, 0)
					c := l.form(t, witness)
					fail(l, c, order(highest))
					wanted := want.lowest
					if highest {
						wanted = want.highest
					}
					if c.Running() != wanted {
						t.Errorf("%s: %s, highest number first %v: running is %v, want %v (%v)", name, what, highest, c.Running(), wanted, l.told)
					}
				}
			}
			check("one fails", row.one, func(l *lab, c *Cluster, order []string) {
				l.fail(c, order[0])
				l.advance(settled)
			})
			check("one fails, then another", row.two, func(l *lab, c *Cluster, order []string) {
				l.fail(c, order[0])
				l.advance(settled)
				l.fail(c, order[1])
				l.advance(settled)
			})
			check("two fail at once", row.atOne, func(l *lab, c *Cluster, order []string) {
				l.fail(c, order[:2]...)
				l.advance(settled)
			})
		}
	}
}

func witnessesOf(has bool) []string {
	if has {
		return []string{"disk", "share", "cloud"}
	}
	return []string{""}
}

// TestWeights are the votes there are while nodes go one by one ("Understanding cluster and pool quorum", "Behavior of Dynamic
// Witness on Windows Server 2012 R2 Failover Clustering").
func TestWeights(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		nodes   int
		witness string
		// votes are the sums of the nodes' and of the witness's votes, with all nodes and after each loss.
		votes [][2]int
	}{
		{2, "", [][2]int{{1, 0}, {1, 0}}},
		{3, "", [][2]int{{3, 0}, {1, 0}, {1, 0}}},
		{4, "", [][2]int{{3, 0}, {3, 0}, {1, 0}, {1, 0}}},
		{5, "", [][2]int{{5, 0}, {3, 0}, {3, 0}, {1, 0}, {1, 0}}},
		// With a witness the votes do not go below three: the node that is gone keeps its own.
		{2, "disk", [][2]int{{2, 1}, {2, 1}}},
		{3, "share", [][2]int{{3, 0}, {2, 1}, {2, 1}}},
		{4, "cloud", [][2]int{{4, 1}, {3, 0}, {2, 1}, {2, 1}}},
		{5, "disk", [][2]int{{5, 0}, {4, 1}, {3, 0}, {2, 1}, {2, 1}}},
	} {
		l := newLab(row.nodes, 0)
		c := l.form(t, row.witness)
		for i, want := range row.votes {
			if i > 0 {
				l.fail(c, string(rune('A'+row.nodes-i)))
				l.advance(settled)
			}
			got := [2]int{0, c.WitnessDynamicWeight()}
			for _, n := range c.Nodes {
				got[0] += n.DynamicWeight()
			}
			if got != want || !c.Running() {
				t.Errorf("%d nodes, witness %q, %d gone: votes %v, want %v, running %v", row.nodes, row.witness, i, got, want, c.Running())
			}
		}
	}
}

func TestWhoLeavesInOrderGivesItsVoteBack(t *testing.T) {
	t.Parallel()
	l := newLab(2, 0)
	c := l.form(t, "")
	voter := c.Node("A")
	if voter.DynamicWeight() != 1 {
		t.Fatal("A has no vote")
	}
	c.Stop(voter)
	if !c.Running() || c.Node("B").DynamicWeight() != 1 {
		t.Errorf("running is %v, B's vote %d", c.Running(), c.Node("B").DynamicWeight())
	}
}

func TestLastManStandingFormsAlone(t *testing.T) {
	t.Parallel()
	l := newLab(3, 0)
	c := l.form(t, "")
	for _, name := range []string{"C", "B", "A"} {
		c.Stop(c.Node(name))
	}
	for _, name := range []string{"B", "C"} {
		c.Start(c.Node(name))
	}
	l.advance(time.Minute)
	if c.Running() {
		t.Fatal("two nodes that have no newest database formed the cluster")
	}
	c.Start(c.Node("A"))
	l.advance(time.Minute)
	if len(c.members()) != 3 {
		t.Errorf("%d members, want 3", len(c.members()))
	}
}

// TestShareWitnessHasNoDatabase: who was not there at the end may form the cluster only with a disk witness, which has a copy.
func TestShareWitnessHasNoDatabase(t *testing.T) {
	t.Parallel()
	for witness, wanted := range map[string]bool{"share": false, "disk": true} {
		l := newLab(2, 0)
		c := l.form(t, witness)
		l.fail(c, "B")
		l.advance(settled)
		l.fail(c, "A")
		l.advance(settled)
		l.boot(c, "B")
		l.advance(settled)
		if c.Running() != wanted {
			t.Errorf("witness %s: running is %v, want %v", witness, c.Running(), wanted)
		}
	}
}

func TestWitnessIsLost(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		nodes int
		votes int
	}{{2, 2}, {3, 3}, {4, 3}, {5, 5}} {
		l := newLab(row.nodes, 0)
		c := l.form(t, "share")
		for _, computer := range l.computers {
			computer.blind = true
		}
		c.Changed()
		votes := 0
		for _, n := range c.Nodes {
			votes += n.DynamicWeight()
		}
		if !c.Running() || c.Witness().State != ResourceFailed || votes != row.votes || !l.heard("1564") {
			t.Errorf("%d nodes: running %v, witness %s, votes %d", row.nodes, c.Running(), c.Witness().State, votes)
		}
		for _, computer := range l.computers {
			computer.blind = false
		}
		c.Changed()
		if c.Witness().State != ResourceOnline {
			t.Errorf("%d nodes: the witness is %s again", row.nodes, c.Witness().State)
		}
	}
}

// TestLastNodeNeedsItsWitness is the end of "Behavior of Dynamic Witness on Windows Server 2012 R2 Failover Clustering".
func TestLastNodeNeedsItsWitness(t *testing.T) {
	t.Parallel()
	l := newLab(2, 0)
	c := l.form(t, "share")
	l.fail(c, "B")
	l.advance(settled)
	l.computer("A").blind = true
	c.Changed()
	if c.Running() || !l.heard("1177") {
		t.Errorf("running is %v: %v", c.Running(), l.told)
	}
	l.computer("A").blind = false
	l.advance(2 * time.Minute)
	c.Changed()
	if !c.Running() {
		t.Error("A does not form the cluster again with its witness")
	}
}

func TestSetQuorum(t *testing.T) {
	t.Parallel()
	l := newLab(2, 1)
	c := l.form(t, "disk")
	disk := c.Witness()
	if disk.Group != c.coreGroup() {
		t.Errorf("the witness is in %s", disk.Group.Name)
	}
	refusedFor(t, c.RemoveResource(disk), InUse)
	must(t, c.SetShareWitness(`\\files\witness`))
	if disk.Group != c.availableStorage() || c.Witness().Type != FileShareWitness {
		t.Errorf("the disk is in %s, the witness a %s", disk.Group.Name, c.Witness().Type)
	}
	l.computer("A").blind = true
	refusedFor(t, c.SetCloudWitness("account", ""), NotOnline)
	c.SetNoWitness()
	if c.Witness() != nil || c.Node("A").DynamicWeight()+c.Node("B").DynamicWeight() != 1 {
		t.Error("without a witness one vote is taken away")
	}
	l.disks[0].SizeBytes = 100 << 20
	r, err := c.AddDisk("{D1}")
	must(t, err)
	refusedFor(t, c.SetDiskWitness(r), Invalid)
}
