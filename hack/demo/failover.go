package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hypervsim"
)

// role is the file server of the sample.
const role = "FILES-FS"

// service is who serves the role, and where.
type service struct{ member, host string }

// serving is who serves the role now, as the GuestCluster says.
func (p *parts) serving(ctx context.Context) (service, error) {
	gc, err := p.cluster(ctx, "files")
	if err != nil {
		return service{}, err
	}
	for _, r := range gc.Status.FailoverCluster.Roles {
		for _, m := range gc.Status.Members {
			if r.Name == role && m.Name == r.OwnerMember {
				return service{member: m.Name, host: m.HostName}, nil
			}
		}
	}
	return service{}, fmt.Errorf("nobody serves %s", role)
}

// failover waits until another member serves the role and the VM of the one that did is up again, and tells how long the
// service was interrupted beside how long it would have been without a cluster inside.
func (p *parts) failover(ctx context.Context, before service) error {
	begin, err := p.world.State(ctx)
	if err != nil {
		return fmt.Errorf("reading the world: %w", err)
	}
	err = poll(ctx, settleLimit, role+" did not move", func() (bool, error) {
		now, err := p.serving(ctx)
		return err == nil && now.member != before.member, p.manager.alive()
	})
	if err != nil {
		return err
	}
	now, err := p.serving(ctx)
	if err != nil {
		return err
	}
	say("%s is served by %s on %s.", role, now.member, now.host)
	var restarted time.Duration
	err = poll(ctx, settleLimit, before.member+" did not restart", func() (bool, error) {
		state, err := p.world.State(ctx)
		if err != nil {
			return false, err
		}
		restarted = state.Time.Sub(begin.Time)
		return isUp(state, before), p.manager.alive()
	})
	if err != nil {
		return err
	}
	state, err := p.world.State(ctx)
	if err != nil {
		return fmt.Errorf("reading the world: %w", err)
	}
	interrupted, err := interruption(state)
	if err != nil {
		return err
	}
	say("With the cluster inside the service was interrupted for %.0f s; without, for the %.0f s until the VM was up again.", interrupted, restarted.Seconds())
	if interrupted >= restarted.Seconds() {
		return fmt.Errorf("the role was away for as long as its VM")
	}
	return nil
}

// isUp reports whether the machine of a member runs again elsewhere with Windows up in it.
func isUp(state hypervsim.State, before service) bool {
	return slices.ContainsFunc(state.Machines, func(m hypervsim.VMState) bool {
		return strings.HasSuffix(m.Name, "."+before.member) && m.Host != before.host && m.State == "Running" && strings.HasPrefix(m.Heartbeat, "Ok")
	})
}

// interruption is how long the role was last away, in the world's seconds.
func interruption(state hypervsim.State) (float64, error) {
	for _, c := range state.GuestClusters {
		for _, g := range c.Roles {
			if strings.EqualFold(g.Name, role) {
				return g.LastInterruption, nil
			}
		}
	}
	return 0, fmt.Errorf("the simulator has no role %s", role)
}
