package guestpool

import (
	"context"
	"time"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/inventory"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// Hosts is a host cluster: hostpool.Cluster is one. It is an interface so that tests can count what is asked. Guest clusters
// with the same Hosts are asked together, so it must be comparable.
type Hosts interface {
	// Snapshot tells which host runs which machine.
	Snapshot() (*hyperv.Snapshot, error)
	// Refresh reads the hosts again.
	Refresh(ctx context.Context, hosts ...string)
	// Run runs a batch on the host that its target names.
	Run(ctx context.Context, b hostagent.Batch) (hostagent.Results, error)
}

// Subject is a guest cluster and what is wanted to be known of it. It is given whole each time, and is not changed after.
type Subject struct {
	Hosts   Hosts
	Members []Member
	// Forming is whether what is inside is still being made: every member is asked at every poll, and none is asked about a
	// cluster that nothing makes it a node of.
	Forming   bool
	Questions Questions
	// PollInterval is how often it is asked; of the guest clusters on one host cluster the shortest counts. 0 leaves it to the
	// others; without any it is ten minutes.
	PollInterval time.Duration
}

// Member is a machine whose guest is asked.
type Member struct {
	VMID string
	// Name is the computer name that it is to have.
	Name string
	// Account says as whom to ask. Empty means: as the local administrator until the member tells that it is in a domain, or
	// refuses that account while there is one of the domain; then as that one.
	Account     guest.Account
	Credentials map[guest.Account]hostagent.Credential
}

// Questions are what is asked beside every member's own state and the cluster inside.
type Questions struct {
	// Features are the Windows features whose presence matters.
	Features []string
	// Directory is nil while the domain is not to be asked.
	Directory *inventory.DirectoryQuestions
	// Validation is nil while no validation is waited for.
	Validation *ValidationQuestion
}

// ValidationQuestion names a run of the validation by its id, and the machine of the member that runs it.
type ValidationQuestion struct{ Run, VMID string }
