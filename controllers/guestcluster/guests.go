package guestcluster

import (
	"context"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guestpool"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostpool"
	"guestclustering.io/operator/pkg/hyperv"
)

// setUpLimit is how long Windows may take for its first start, and for an answer after that: updates are applied meanwhile, on
// slow disks too.
const setUpLimit = 45 * time.Minute

// validationDelay is when a validation that failed is tried anew: what was wrong may be mended without a word to us.
const validationDelay = 15 * time.Minute

// farewellLimit is how long a deletion tries to undo what was done inside and in the domain: that is best effort.
const farewellLimit = 5 * time.Minute

// runner runs steps where they belong: on a host, or inside a guest.
type runner struct {
	hosts  *hostpool.Cluster
	guests *guestpool.Pool
	key    string
}

func (r runner) Run(ctx context.Context, b hostagent.Batch) (hostagent.Results, error) {
	if b.Target.VM != "" {
		return r.guests.Run(ctx, r.key, b)
	}
	return r.hosts.Run(ctx, b)
}

// waits remember since when something has been waited for, which is nobody's to tell in a status. A restart begins anew.
type waits struct {
	mu    sync.Mutex
	since map[string]time.Time
}

// longer reports whether something has been waited for longer than the limit, and begins to wait for it. What is not waited for
// any more is forgotten.
func (w *waits) longer(key string, waiting bool, limit time.Duration, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !waiting {
		delete(w.since, key)
		return false
	}
	if w.since == nil {
		w.since = map[string]time.Time{}
	}
	began, known := w.since[key]
	if !known {
		w.since[key] = now
		return false
	}
	return now.Sub(began) > limit
}

// overdue are the machines, by Key, that run with a good heartbeat and whose guests did not answer within the limit.
func (r *Reconciler) overdue(g *gathered) map[string]bool {
	out := map[string]bool{}
	for _, m := range g.gc.Status.Members {
		vm, presence := g.hosts.Seen.Machine(m.VMID)
		up := presence == hyperv.Known && vm.Running() && vm.Healthy()
		told, _ := g.guests.Member(m.VMID)
		silent := up && (!told.Answered || told.SettingUp)
		if r.waits.longer(m.VMID, silent, setUpLimit, r.Now()) {
			out[hyperv.Key(m.VMID)] = true
		}
	}
	return out
}

// gatherInside reads what the inside is planned from.
func (r *Reconciler) gatherInside(ctx context.Context, g *gathered) error {
	key := client.ObjectKeyFromObject(g.gc).String()
	g.look = func(g *gathered) {
		g.guests = r.Guests.Latest(key)
		g.overdue = r.overdue(g)
		g.revalidate = r.revalidate(key, g.gc)
		g.hurry = r.waits.longer("farewell/"+key, !g.gc.DeletionTimestamp.IsZero(), farewellLimit, r.Now())
	}
	deleting := !g.gc.DeletionTimestamp.IsZero()
	if !deleting {
		if err := r.ensureAdministrator(ctx, g.gc); err != nil {
			return err
		}
	}
	keys, err := r.readKeys(ctx, g.gc)
	if err != nil {
		return err
	}
	g.keys = keys
	if !deleting {
		// Deleting needs no Secret: what cannot be done inside is left out.
		g.blocks = append(g.blocks, keys.missing...)
	}
	return nil
}

// revalidate reports whether a validation failed long enough ago to be tried anew.
func (r *Reconciler) revalidate(key string, gc *v1alpha1.GuestCluster) bool {
	f := gc.Status.FailoverCluster
	if f == nil || f.Validation == nil {
		return false
	}
	failed := f.Validation.Result == v1alpha1.ValidationFailed && f.ID == ""
	return r.waits.longer("validation/"+key+"/"+f.Validation.InputHash, failed, validationDelay, r.Now())
}

// ask takes up asking the members, as they are planned for now.
func (r *Reconciler) ask(key string, g *gathered) {
	if g.hosts.Cluster != nil && g.hosts.Object != nil && len(g.inside.Members) > 0 {
		r.Guests.Set(key, g.subject())
	}
}
