package failover

// Votes are Microsoft's "Understanding cluster and pool quorum" and "Behavior of Dynamic Witness on Windows Server 2012 R2
// Failover Clustering": each node has the vote that it is configured to have, and the cluster takes votes away and gives them
// back so that their sum is odd and goes down with the nodes that are there. The sum changes only after a majority of the
// votes of before has agreed, so that votes that are lost at once count. With a witness it does not go below three.

// ballot is how the votes are spread. It is what the database says, on all nodes alike.
type ballot struct {
	nodes   map[*Node]bool
	witness bool
}

// total counts the votes there are.
func (b ballot) total() int {
	n := 0
	for _, votes := range b.nodes {
		if votes {
			n++
		}
	}
	if b.witness {
		n++
	}
	return n
}

// cast counts the votes of some nodes, and of the witness if it is theirs.
func (b ballot) cast(nodes []*Node, withWitness bool) int {
	n := 0
	for _, node := range nodes {
		if b.nodes[node] {
			n++
		}
	}
	if withWitness && b.witness {
		n++
	}
	return n
}

// isMajority is whether some nodes may run the cluster: more than half of the votes.
func (b ballot) isMajority(nodes []*Node, withWitness bool) bool {
	return 2*b.cast(nodes, withWitness) > b.total()
}

// leastWithWitness is the number of votes that a cluster with a witness does not go below.
const leastWithWitness = 3

// spread gives the votes anew among the nodes that are there, for a cluster with a witness or without, which works or not.
func (b ballot) spread(there []*Node, configured, works bool) ballot {
	next := ballot{nodes: map[*Node]bool{}}
	voters := 0
	for _, n := range there {
		if n.weight > 0 {
			next.nodes[n] = true
			voters++
		}
	}
	switch {
	case configured && works:
		next.witness = voters%2 == 0
	case voters%2 == 0:
		next.zeroOne(there)
	}
	if configured && next.total() < leastWithWitness && b.total() >= leastWithWitness {
		return b
	}
	return next
}

// zeroOne takes the vote of the node with the highest number.
func (b ballot) zeroOne(there []*Node) {
	var unlucky *Node
	for _, n := range there {
		if b.nodes[n] && (unlucky == nil || n.number > unlucky.number) {
			unlucky = n
		}
	}
	delete(b.nodes, unlucky)
}
