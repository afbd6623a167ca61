package inside

import (
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
)

// remove plans what is removed inside before the machines are: the cluster, then the computer objects that are recorded. Both
// are done as far as members answer and credentials are there; how long that is tried is for who keeps time.
func (p *planner) remove() {
	if p.want.Clustered && p.destroy() {
		return
	}
	if p.want.Domain == nil || p.want.Domain.Join.User == "" {
		return
	}
	if _, ok := p.asker(); ok && p.seen.Directory == nil {
		p.wait(v1alpha1.ReasonDeleting, "looking up the computer accounts in %s", p.want.Domain.Name)
		return
	}
	p.removeAllAccounts()
}

// destroy plans the end of the cluster, and reports whether that is still to come.
func (p *planner) destroy() bool {
	c := p.seen.Cluster
	switch {
	case p.want.forming().User == "":
		return false
	case c == nil:
		return p.awaitEnd()
	case !sameID(c.ID, p.want.ClusterID) && (p.want.ClusterID != "" || !strings.EqualFold(c.Name, p.want.ClusterName)):
		// It is not ours.
		return false
	}
	teller, ok := p.teller(c)
	if !ok {
		p.wait(v1alpha1.ReasonDeleting, "cluster %s cannot be asked now", c.Name)
		return true
	}
	p.asFormer("destroy", v1alpha1.ReasonDeleting, "destroy cluster "+c.Name, teller.VMID, cmdlet.RemoveCluster("destroy"))
	return true
}

// awaitEnd waits for members that may be nodes, while they run.
func (p *planner) awaitEnd() bool {
	for _, m := range p.want.Members {
		g, ok := told(m, p.seen)
		if m.Up && (ok && isNode(g) || !ok && m.SetUp) {
			p.wait(v1alpha1.ReasonDeleting, "cluster %s cannot be asked now", p.want.ClusterName)
			return true
		}
	}
	return false
}

// removeAllAccounts removes what is recorded alone: another object of the same name is somebody else's.
func (p *planner) removeAllAccounts() {
	var calls []hostagent.Call
	var names []string
	add := func(name, guid string) {
		if p.isThere(name, guid) {
			calls = append(calls, p.removeAccount(name, guid))
			names = append(names, name)
		}
	}
	for _, r := range p.want.Roles {
		add(r.Name, r.ObjectGUID)
	}
	add(p.want.ClusterName, p.want.ClusterObjectGUID)
	// Whoever asks is removed last.
	asker, _ := p.asker()
	last := slices.Clone(p.want.Members)
	slices.SortStableFunc(last, func(a, b Member) int {
		switch {
		case a.Name == asker.Name:
			return 1
		case b.Name == asker.Name:
			return -1
		default:
			return 0
		}
	})
	for _, m := range last {
		add(m.Name, m.ObjectGUID)
	}
	p.removeAccounts(v1alpha1.ReasonDeleting, calls, names)
}
