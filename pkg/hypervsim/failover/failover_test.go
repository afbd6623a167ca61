package failover

import (
	"strings"
	"testing"
	"time"
)

func TestRoleMovesWhenItsNodeIsLost(t *testing.T) {
	t.Parallel()
	l := newLab(2, 1)
	c := l.form(t, "share")
	g := l.role(t, c, "{D1}")
	first := g.Owner
	l.advance(time.Minute)

	l.fail(c, first.Name())
	if g.Served() || g.State() != GroupOnline {
		t.Errorf("just after the loss: served %v, state %s; want not served, and nobody knows", g.Served(), g.State())
	}
	l.advance(9 * time.Second)
	if g.Owner != first {
		t.Error("the role moved before its node was missed")
	}
	l.advance(4 * time.Second)
	if g.Owner == first || g.State() != GroupOnline || !g.Served() {
		t.Fatalf("owner %s, state %s, served %v", g.Owner.Name(), g.State(), g.Served())
	}
	// Ten heartbeats and the time to come online.
	if want := 13 * time.Second; g.Service.Last != want || g.Service.Total(l.Now()) != want || g.Service.Interruptions != 1 {
		t.Errorf("interruption is %+v, want one of %s", g.Service, want)
	}
	if first.State() != Down || !first.Isolated() {
		t.Errorf("the lost node is %s, isolated %v", first.State(), first.Isolated())
	}
	l.advance(isolation)
	if first.Isolated() {
		t.Error("the lost node is isolated for ever")
	}

	l.boot(c, first.Name())
	l.advance(time.Minute)
	if first.State() != Up || g.Owner == first || g.Service.Interruptions != 1 {
		t.Errorf("node %s, owner %s, %d interruptions; want Up, no failback", first.State(), g.Owner.Name(), g.Service.Interruptions)
	}
}

func TestRoleMovesAtOnceWhenItsNodeLeavesInOrder(t *testing.T) {
	t.Parallel()
	l := newLab(2, 1)
	c := l.form(t, "share")
	g := l.role(t, c, "{D1}")
	c.Stop(g.Owner)
	l.advance(3 * time.Second)
	if !g.Served() || g.Service.Last != 3*time.Second {
		t.Errorf("served %v, interruption %s, want 3s", g.Served(), g.Service.Last)
	}
}

// TestBlackout: a node that stands still for less than the threshold is not missed.
func TestBlackout(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		lasts  time.Duration
		missed bool
	}{{2 * time.Second, false}, {9 * time.Second, false}, {11 * time.Second, true}} {
		l := newLab(2, 1)
		c := l.form(t, "share")
		g := l.role(t, c, "{D1}")
		owner := g.Owner
		l.computer(owner.Name()).condition = Frozen
		c.Changed()
		l.advance(row.lasts)
		l.computer(owner.Name()).condition = Running
		c.Changed()
		l.advance(time.Second)
		if missed := g.Owner != owner; missed != row.missed {
			t.Errorf("%s: missed is %v", row.lasts, missed)
		}
		if !row.missed && g.Service.Last != row.lasts {
			t.Errorf("%s: interruption is %s", row.lasts, g.Service.Last)
		}
	}
}

// TestTunedThreshold: the threshold is the cluster's own.
func TestTunedThreshold(t *testing.T) {
	t.Parallel()
	l := newLab(2, 1)
	c := l.form(t, "share")
	g := l.role(t, c, "{D1}")
	refusedFor(t, c.SetThresholds(2, 20), Invalid)
	must(t, c.SetThresholds(20, 20))
	l.fail(c, g.Owner.Name())
	l.advance(time.Minute)
	if g.Service.Last != 23*time.Second {
		t.Errorf("interruption is %s, want 23s", g.Service.Last)
	}
}

// TestBackBeforeItWasMissed: a node that restarts faster than it is missed was away all the same.
func TestBackBeforeItWasMissed(t *testing.T) {
	t.Parallel()
	l := newLab(2, 1)
	c := l.form(t, "share")
	g := l.role(t, c, "{D1}")
	owner := g.Owner
	must(t, c.SetThresholds(60, 60))
	l.fail(c, owner.Name())
	l.advance(20 * time.Second)
	l.boot(c, owner.Name())
	if g.Owner == owner || owner.State() == Up {
		t.Errorf("owner %s, state of the node that restarted %s", g.Owner.Name(), owner.State())
	}
	l.advance(10 * time.Second)
	if owner.State() != Up || !g.Served() {
		t.Errorf("state %s, served %v", owner.State(), g.Served())
	}
}

func TestRenamedComputerIsNoNode(t *testing.T) {
	t.Parallel()
	l := newLab(2, 0)
	c := l.form(t, "share")
	c.Stop(c.Node("B"))
	l.computers[1].name = "C"
	c.Start(c.Node("B"))
	l.advance(time.Minute)
	if c.Node("C") != nil || c.Node("B").State() != Down {
		t.Errorf("the node of a renamed computer is %s", c.Node("B").State())
	}
	l.computers[1].name = "b"
	c.Start(c.Node("B"))
	l.advance(time.Minute)
	if c.Node("B").State() != Up {
		t.Errorf("with its old name it is %s", c.Node("B").State())
	}
}

func TestPartition(t *testing.T) {
	t.Parallel()
	l := newLab(3, 1)
	c := l.form(t, "")
	g := l.role(t, c, "{D1}")
	cut := l.computer(g.Owner.Name())
	cut.clusterCut = true
	c.Changed()
	l.advance(settled)
	if len(c.members()) != 3 {
		t.Fatal("one network is enough to be heard")
	}
	cut.clientCut = true
	c.Changed()
	if g.Served() || g.Owner.Name() != cut.name {
		t.Error("the others know of the cut before they miss the node")
	}
	l.advance(settled)
	if g.Service.Last != 13*time.Second {
		t.Errorf("interruption is %s, want 13s", g.Service.Last)
	}
	if c.Node(cut.name).State() != Down || !g.Served() || g.Owner.Name() == cut.name {
		t.Errorf("cut node %s, served %v on %s", c.Node(cut.name).State(), g.Served(), g.Owner.Name())
	}
	cut.clusterCut, cut.clientCut = false, false
	c.Changed()
	l.advance(2 * time.Minute)
	if c.Node(cut.name).State() != Up {
		t.Errorf("the node is %s when it is heard again", c.Node(cut.name).State())
	}
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	l := newLab(3, 0)
	c := l.form(t, "share")
	n := c.Node("C")
	for range 3 {
		l.fail(c, "C")
		l.advance(settled)
		l.boot(c, "C")
		l.advance(settled)
	}
	if !n.Quarantined() || n.State() != Down {
		t.Fatalf("quarantined %v, state %s", n.Quarantined(), n.State())
	}
	l.advance(quarantineDuration)
	if n.Quarantined() || n.State() != Up {
		t.Errorf("after two hours: quarantined %v, state %s", n.Quarantined(), n.State())
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	l := newLab(2, 1)
	c := l.form(t, "share")
	g := l.role(t, c, "{D1}")
	n := g.Owner
	must(t, c.Suspend(n, true))
	if n.State() != Paused || n.Drained() != DrainInProgress {
		t.Errorf("state %s, drain %s", n.State(), n.Drained())
	}
	l.advance(10 * time.Second)
	if g.Owner == n || n.Drained() != DrainCompleted || c.groupsOn(n) != 0 {
		t.Errorf("owner %s, drain %s, %d groups left", g.Owner.Name(), n.Drained(), c.groupsOn(n))
	}
	refusedFor(t, c.MoveGroup(g, n), NotOnline)
	must(t, c.Resume(n))
	if n.State() != Up || g.Owner == n {
		t.Errorf("state %s, owner %s", n.State(), g.Owner.Name())
	}
	must(t, c.MoveGroup(g, n))

	l.fail(c, without(c.Nodes, n)[0].Name())
	l.advance(settled)
	must(t, c.Suspend(n, true))
	if n.Drained() != DrainFailed {
		t.Errorf("drain %s with nobody to go to", n.Drained())
	}
}

func TestGroupNeedsItsDiskAndNetwork(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		take  func(*lab, *computer)
		cause string
	}{
		"no disk":         {func(l *lab, c *computer) { l.disks[0].on[c] = false }, "has no disk"},
		"no network":      {func(_ *lab, c *computer) { c.clientCut = true }, "has no adapter"},
		"no reservations": {func(l *lab, _ *computer) { l.disks[0].Reservations = false }, "persistent reservations"},
	} {
		l := newLab(3, 1)
		c := l.form(t, "")
		g := l.role(t, c, "{D1}")
		for _, computer := range l.computers {
			if computer.name != g.Owner.Name() {
				row.take(l, computer)
			}
		}
		if name != "no reservations" {
			c.Changed()
			if !g.Served() {
				t.Errorf("%s: what other nodes lack has ended the role", name)
			}
		}
		l.fail(c, g.Owner.Name())
		l.advance(time.Minute)
		if g.State() != GroupFailed || !l.heard(row.cause) || !l.heard("1205") {
			t.Errorf("%s: state %s: %v", name, g.State(), l.told)
		}
		// The node that has all comes back, and what failed is tried again.
		l.disks[0].Reservations = true
		for _, computer := range l.computers {
			l.disks[0].on[computer], computer.clientCut = true, false
		}
		l.boot(c, l.computer(g.Service.sinceNode(l)).name)
		l.advance(time.Minute)
		if !g.Served() {
			t.Errorf("%s: state %s once all is there again", name, g.State())
		}
	}
}

// sinceNode is the computer without power.
func (Service) sinceNode(l *lab) string {
	for _, c := range l.computers {
		if c.condition == Off {
			return c.name
		}
	}
	return l.computers[0].name
}

func TestDiskGoesUnderARole(t *testing.T) {
	t.Parallel()
	l := newLab(2, 1)
	c := l.form(t, "share")
	g := l.role(t, c, "{D1}")
	owner := g.Owner
	l.disks[0].on[l.computer(owner.Name())] = false
	c.Changed()
	l.advance(3 * time.Second)
	if g.Owner == owner || !g.Served() {
		t.Errorf("owner %s, served %v", g.Owner.Name(), g.Served())
	}
}

func TestNameNeedsItsComputerObject(t *testing.T) {
	t.Parallel()
	l := newLab(2, 1)
	c := l.form(t, "share")
	r, err := c.AddDisk("{D1}")
	must(t, err)
	l.refuses = true
	g, err := c.AddFileServer("FS1", []string{r.Name}, []string{address2})
	must(t, err)
	l.advance(time.Minute)
	if g.State() != GroupFailed || !l.heard("1194") {
		t.Fatalf("state %s: %v", g.State(), l.told)
	}
	l.refuses = false
	c.StartGroup(g)
	l.advance(3 * time.Second)
	if name := c.Resource("FS1"); g.State() != GroupOnline || name.Properties["ObjectGUID"] != "guid-of-FS1" {
		t.Errorf("state %s, object %q", g.State(), name.Properties["ObjectGUID"])
	}
}

func TestDisks(t *testing.T) {
	t.Parallel()
	l := newLab(2, 4)
	c := l.form(t, "share")
	l.disks[1].on[l.computer("B")] = false
	l.disks[2].Reservations = false
	l.disks[3].GUID = ""
	available := c.AvailableDisks()
	if len(available) != 1 || available[0].GUID != "{D1}" {
		t.Fatalf("available: %v, want only the one that both see, can reserve and that has a GUID", available)
	}
	_, err := c.AddDisk("{D2}")
	refusedFor(t, err, NotFound)
	r, err := c.AddDisk("{d1}")
	must(t, err)
	_, err = c.AddDisk("{D1}")
	refusedFor(t, err, Exists)
	if r.Name != "Cluster Disk 1" || r.State != ResourceOnline || !c.Holds(r.Group.Owner, "{D1}") {
		t.Errorf("%s is %s", r.Name, r.State)
	}
	must(t, c.Rename(r, "data"))
	must(t, c.AddSharedVolume(r))
	if r.Group.Type != SharedVolume || len(c.SharedVolumes()) != 1 {
		t.Errorf("%s is in a group of type %s", r.Name, r.Group.Type)
	}
	refusedFor(t, c.AddSharedVolume(r), Exists)
	refusedFor(t, c.SetDiskWitness(r), InUse)
	must(t, c.RemoveResource(r))
	if len(c.AvailableDisks()) != 1 {
		t.Error("a disk that was taken out is available again")
	}
}

func TestRolesAreRefused(t *testing.T) {
	t.Parallel()
	l := newLab(2, 1)
	c := l.form(t, "share")
	r, err := c.AddDisk("{D1}")
	must(t, err)
	for name, row := range map[string]struct {
		role, disk, address string
		reason              Reason
	}{
		"no disk":            {"FS1", "nothing", address2, NotFound},
		"no address":         {"FS1", r.Name, "", Invalid},
		"foreign address":    {"FS1", r.Name, "192.168.0.1", Invalid},
		"cluster's network":  {"FS1", r.Name, "10.0.2.77", Invalid},
		"a node's address":   {"FS1", r.Name, "10.0.1.10", Exists},
		"the cluster's":      {"FS1", r.Name, address1, Exists},
		"somebody else's":    {"FS1", r.Name, "10.0.1.254", Exists},
		"the cluster's name": {"sql1", r.Name, address2, Exists},
	} {
		var addresses []string
		if row.address != "" {
			addresses = []string{row.address}
		}
		_, err := c.AddFileServer(row.role, []string{row.disk}, addresses)
		t.Log(name)
		refusedFor(t, err, row.reason)
	}
	g, err := c.AddFileServer("FS1", []string{r.Name}, []string{address2})
	must(t, err)
	refusedFor(t, c.AddShare(g, Share{Name: "data"}), NotOnline)
	l.advance(3 * time.Second)
	must(t, c.AddShare(g, Share{Name: "data"}))
	refusedFor(t, c.AddShare(g, Share{Name: "DATA"}), Exists)
	refusedFor(t, c.RemoveResource(r), InUse)
}

func TestNodesComeAndGo(t *testing.T) {
	t.Parallel()
	l := newLab(3, 1)
	third := l.computers[2]
	l.computers = l.computers[:2]
	c := l.form(t, "share")
	l.computers = append(l.computers, third)
	g := l.role(t, c, "{D1}")

	third.clientCut, third.clusterCut = true, true
	_, err := c.Join(third)
	refusedFor(t, err, NotOnline)
	third.clientCut, third.clusterCut = false, false
	n, err := c.Join(third)
	must(t, err)
	if n.State() != Up || n.Number() != 4 && n.Number() != 3 {
		t.Errorf("state %s, id %d", n.State(), n.Number())
	}
	_, err = c.Join(third)
	refusedFor(t, err, Exists)

	must(t, c.MoveGroup(g, n))
	l.advance(3 * time.Second)
	must(t, c.Evict(n))
	l.advance(3 * time.Second)
	if c.Node("C") != nil || g.Owner == n || !g.Served() {
		t.Errorf("owner %s, served %v", g.Owner.Name(), g.Served())
	}
	l.fail(c, "B")
	l.advance(settled)
	must(t, c.Evict(c.Node("B")))
	refusedFor(t, c.Evict(c.Node("A")), InUse)
	if c.WitnessDynamicWeight() != 0 || !c.Running() {
		t.Errorf("witness's vote %d, running %v with one node", c.WitnessDynamicWeight(), c.Running())
	}
	c.Destroy()
	l.advance(time.Hour)
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	l := newLab(2, 0)
	c := l.form(t, "")
	if len(c.Networks) != 2 || c.Networks[0].Name != "Cluster Network 1" || c.Networks[0].Role != RoleClusterAndClient || c.Networks[1].Role != RoleCluster {
		t.Fatalf("networks %+v", c.Networks)
	}
	client, cluster := c.Networks[0], c.Networks[1]
	refusedFor(t, c.SetNetwork(client, "client", RoleCluster), InUse)
	refusedFor(t, c.SetNetwork(cluster, client.Name, RoleCluster), Exists)
	refusedFor(t, c.SetNetwork(cluster, "cluster", 2), Invalid)
	must(t, c.SetNetwork(cluster, "cluster", RoleNone))
	l.computer("B").clientCut = true
	c.Changed()
	l.advance(settled)
	if len(c.members()) != 1 {
		t.Error("nodes hear each other on a network that the cluster does not use")
	}
	if s := c.NetworkState(client); s != "Up" {
		t.Errorf("the client network is %s", s)
	}
}

func TestFormIsRefused(t *testing.T) {
	t.Parallel()
	l := newLab(2, 0)
	s := l.setup()
	s.Addresses = nil
	computers := []Computer{l.computers[0], l.computers[1]}
	_, err := Form(s, computers)
	refusedFor(t, err, Invalid)
	if !strings.Contains(err.Error(), "static address") {
		t.Errorf("%v does not say what is missing", err)
	}
	l.computers[1].clientCut, l.computers[1].clusterCut = true, true
	_, err = Form(l.setup(), computers)
	refusedFor(t, err, NotOnline)
	_, err = Form(l.setup(), []Computer{l.computers[0], l.computers[0]})
	refusedFor(t, err, Invalid)
}
