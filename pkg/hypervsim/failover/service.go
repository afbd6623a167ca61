package failover

import "time"

// Service says how long a group has served its clients: it is online, and its node runs. What a node that has lost power still
// seems to own is not served.
type Service struct {
	// Since is when it was served first; zero before.
	Since time.Time
	// Interruptions counts them, Interrupted is their length together, Last that of the one that ended last.
	Interruptions int
	Interrupted   time.Duration
	Last          time.Duration

	// down is since when it is not served; zero while it is.
	down time.Time
}

// Down is how long the group is not served by now; zero while it is, and before it was first.
func (s Service) Down(now time.Time) time.Duration {
	if s.down.IsZero() {
		return 0
	}
	return now.Sub(s.down)
}

// Total is the length of all interruptions, with the one that lasts.
func (s Service) Total(now time.Time) time.Duration { return s.Interrupted + s.Down(now) }

func (s *Service) observe(now time.Time, served bool) {
	switch {
	case served && s.Since.IsZero():
		s.Since = now
	case s.Since.IsZero():
	case served && !s.down.IsZero():
		s.Last = now.Sub(s.down)
		s.Interrupted += s.Last
		s.down = time.Time{}
	case !served && s.down.IsZero():
		s.down = now
		s.Interruptions++
	}
}

// Served is whether clients reach what the group offers: all of it is online, whatever becomes of the witness, and its node
// runs and has the networks of its addresses.
func (g *Group) Served() bool {
	needed := 0
	for _, r := range g.Resources {
		switch {
		case r.isWitness():
		case r.State != ResourceOnline, r.Type == IPAddress && r.problem(g.Owner) != "":
			return false
		default:
			needed++
		}
	}
	return needed > 0 && g.pending == nil && g.Owner.member && !silent(g.Owner)
}

// measure looks at every group's service.
func (c *Cluster) measure() {
	now := c.clock.Now()
	for _, g := range c.Groups {
		g.Service.observe(now, g.Served())
	}
}
