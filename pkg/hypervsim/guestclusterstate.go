package hypervsim

import "guestclustering.io/operator/pkg/hypervsim/failover"

// GuestClusterState is one failover cluster inside guests.
type GuestClusterState struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	// Quorate is whether it runs at all.
	Quorate bool            `json:"quorate"`
	Nodes   []InnerNode     `json:"nodes"`
	Roles   []RoleState     `json:"roles"`
	Disks   []InnerResource `json:"disks,omitempty"`
	Witness *InnerResource  `json:"witness,omitempty"`
	// WitnessVote is 1 while the witness has a vote.
	WitnessVote int `json:"witnessVote"`
}

// InnerNode is a node of a cluster inside. VM is its machine's name, Service whether its cluster service runs, Vote the vote that
// it has now.
type InnerNode struct {
	Name    string `json:"name"`
	VM      string `json:"vm"`
	State   string `json:"state"`
	Status  string `json:"status"`
	Service bool   `json:"service"`
	Vote    int    `json:"vote"`
}

// RoleState is a group of a cluster inside. The interruptions are times in which it was not served though it had been before: it
// is not online, or its node has no power; in seconds of the world's clock.
type RoleState struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	State string `json:"state"`
	Owner string `json:"owner"`
	// Served is whether clients reach it.
	Served        bool `json:"served"`
	Interruptions int  `json:"interruptions"`
	// Interrupted is all of them together, with the one that lasts; LastInterruption is that of the one that ended last.
	Interrupted      float64  `json:"interrupted"`
	LastInterruption float64  `json:"lastInterruption"`
	Shares           []string `json:"shares,omitempty"`
}

// InnerResource is a resource of a cluster inside.
type InnerResource struct {
	Name         string `json:"name"`
	Type         string `json:"type"`
	State        string `json:"state"`
	Owner        string `json:"owner"`
	SharedVolume bool   `json:"sharedVolume,omitempty"`
}

// pictures are the clusters inside as they are now.
func (s *clusterServices) pictures() []GuestClusterState {
	var out []GuestClusterState
	for _, c := range s.clusters {
		state := GuestClusterState{Name: c.Name, ID: c.ID, Quorate: c.Running(), WitnessVote: c.WitnessDynamicWeight()}
		for _, n := range c.Nodes {
			state.Nodes = append(state.Nodes, InnerNode{
				Name: n.Name(), VM: machineOf(n).name, State: string(n.State()), Status: innerNodeStatus(n), Service: n.ServiceRuns(), Vote: n.DynamicWeight(),
			})
		}
		for _, g := range c.Groups {
			if g.Type != failover.SharedVolume {
				state.Roles = append(state.Roles, s.rolePicture(g))
			}
		}
		for _, r := range c.Resources() {
			if r.Type == failover.PhysicalDisk {
				state.Disks = append(state.Disks, resourcePicture(r))
			}
		}
		if w := c.Witness(); w != nil {
			picture := resourcePicture(w)
			state.Witness = &picture
		}
		out = append(out, state)
	}
	return out
}

func (s *clusterServices) rolePicture(g *failover.Group) RoleState {
	now := s.world.clock.Now()
	r := RoleState{
		Name: g.Name, Type: string(g.Type), State: string(g.State()), Owner: g.Owner.Name(), Served: g.Served(),
		Interruptions: g.Service.Interruptions, Interrupted: g.Service.Total(now).Seconds(), LastInterruption: g.Service.Last.Seconds(),
	}
	for _, share := range g.Shares {
		r.Shares = append(r.Shares, share.Name)
	}
	return r
}

func resourcePicture(r *failover.Resource) InnerResource {
	return InnerResource{Name: r.Name, Type: string(r.Type), State: string(r.State), Owner: r.Group.Owner.Name(), SharedVolume: r.Group.Type == failover.SharedVolume}
}
