package hostpool

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
)

// Withdraw takes back what somebody proposed.
func (c *Cluster) Withdraw(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.proposals, key)
}

// Propose asks for a disruptive step and weighs it, together with everybody else's proposals, on a fresh read. At most one
// step is admitted and run. It answers what was admitted, whoever proposed it, or why nothing was, in words for the
// proposal's own namespace.
func (c *Cluster) Propose(ctx context.Context, proposal plan.Proposal, rules []plan.Rule) (*plan.Admission, string, error) {
	c.mu.Lock()
	c.proposals[proposal.Key] = proposal
	c.mu.Unlock()

	select {
	case c.arbiter <- struct{}{}:
		defer func() { <-c.arbiter }()
	case <-ctx.Done():
		return nil, "", fmt.Errorf("waiting for the arbiter: %w: %w", hostagent.Canceled, context.Cause(ctx))
	}
	reading := c.readAll(ctx)
	c.mu.Lock()
	seen, proposals, fresh := c.latest, slices.Collect(maps.Values(c.proposals)), c.facts.whole(reading)
	c.mu.Unlock()
	if !fresh {
		return nil, "not every host has answered yet", nil
	}
	admitted, why := plan.Admit(seen, rules, proposals, proposal.Key)
	if admitted == nil {
		return nil, why, nil
	}
	c.mu.Lock()
	c.movingTo[hyperv.Key(admitted.VMID)] = admitted.To
	c.mu.Unlock()
	results, err := c.Run(ctx, admitted.Step.Batch)
	if err == nil {
		err = results.Err()
	}
	return admitted, "", err
}

// MovingTo is where this process last let a machine move to, for messages: whether it is moving, the snapshot tells.
func (c *Cluster) MovingTo(vmID string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to, known := c.movingTo[hyperv.Key(vmID)]
	return to, known
}
