package guestpool_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/guest/inventory"
	"guestclustering.io/operator/pkg/guestpool"
	"guestclustering.io/operator/pkg/hostagent"
)

// step is a batch that changes something inside a guest.
func step(vm string) hostagent.Batch {
	return hostagent.Batch{
		Target: hostagent.Target{VM: vm}, OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "do", Cmdlet: "Set-Disk"}},
	}
}

// refusing are hosts whose agents fail.
type refusing struct {
	*house
	class hostagent.Class
}

func (r *refusing) Run(context.Context, hostagent.Batch) (hostagent.Results, error) {
	return nil, &hostagent.Error{Class: r.class, Op: "open"}
}

func TestRunReadsWhatItChanged(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.batches()
		b.with(func() { b.guests["a"].does = func() { b.form("a", "b") } })
		results, err := b.pool.Run(t.Context(), "sql", step("a"))
		if err != nil || !results.Answer(step("a").Calls) {
			t.Fatalf("got %+v, %v", results, err)
		}
		s := b.pool.Latest("sql")
		if m, _ := s.Member("a"); s.Cluster == nil || s.Cluster.Teller != "a" || m.ClusterService != "Running" {
			t.Errorf("when Run returns the cluster is %+v and the member %+v", s.Cluster, m)
		}
		b.expect("batches", []string{"hv01: SQL-A(Set-Disk) SQL-A(itself cluster)"}, b.batches())

		read := step("b")
		read.Calls[0].Cmdlet = "Get-Disk"
		if _, err := b.pool.Run(t.Context(), "sql", read); err != nil {
			t.Fatal(err)
		}
		b.expect("batches of one that only reads", []string{"hv02: SQL-B()"}, b.batches())
	})
}

func TestRunOnAMemberThatIsNoNode(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.up("c", "SQL-C", "hv01")
		b.form("a", "b")
		b.set("sql", false, "a", "b", "c")
		b.batches()
		if _, err := b.pool.Run(t.Context(), "sql", step("c")); err != nil {
			t.Fatal(err)
		}
		b.expect("batches", []string{"hv01: SQL-A(cluster) SQL-C(Set-Disk) SQL-C(itself)"}, b.batches())
		if _, err := b.pool.Run(t.Context(), "sql", step("b")); err != nil {
			t.Fatal(err)
		}
		b.expect("batches on a node", []string{"hv02: SQL-B(Set-Disk) SQL-B(itself cluster)"}, b.batches())
	})
}

func TestAGuestThatRestartsIsReadApart(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.batches()
		restart := step("a")
		restart.Calls[0].Cmdlet = "Restart-Computer"
		b.with(func() {
			w := b.guests["a"]
			w.does = func() { w.hangs = true }
		})
		results, err := b.pool.Run(t.Context(), "sql", restart)
		if err != nil || results.Err() != nil {
			t.Errorf("got %+v, %v: what hangs after it says nothing of a step that was answered", results, err)
		}
		b.expect("batches", []string{"hv01: SQL-A(Restart-Computer)", "hv01: SQL-A(itself cluster)"}, b.batches())
		b.expect("SQL-A", "Timeout", states(b.pool.Latest("sql"))["a"])
	})
}

func TestTheDomainIsAskedAfterWhatTakesANameThere(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.guests["b"].features = []string{"RSAT-AD-PowerShell"}
		b.set("sql", true, "a", "b")
		b.change("sql", func(s *guestpool.Subject) {
			s.Questions.Features = []string{"RSAT-AD-PowerShell"}
		})
		b.change("sql", func(s *guestpool.Subject) {
			s.Questions.Directory = &inventory.DirectoryQuestions{Domain: "corp.example"}
		})
		if b.pool.Latest("sql").Directory == nil {
			t.Fatal("the domain was not asked")
		}
		b.batches()
		for cmdlet, asked := range map[string]bool{"Set-Disk": false, "New-Cluster": true, "Add-Computer": true} {
			s := step("a")
			s.Calls[0].Cmdlet = cmdlet
			if _, err := b.pool.Run(t.Context(), "sql", s); err != nil {
				t.Fatal(err)
			}
			want := []string{"hv01: SQL-A(" + cmdlet + ") SQL-A(itself cluster)"}
			if asked {
				want = append(want, "hv02: SQL-B(domain)")
			}
			b.expect(cmdlet, want, b.batches())
		}
	})
}

func TestARefusalOfAStepCounts(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.with(func() { b.guests["a"].passwords[local], b.guests["a"].tries = "another", 0 })
		for range 2 {
			if _, err := b.pool.Run(t.Context(), "sql", step("a")); !errors.Is(err, hostagent.Unauthenticated) {
				t.Errorf("got %v, want Unauthenticated", err)
			}
		}
		b.poll()
		b.with(func() { b.expect("sessions", 1, b.guests["a"].tries) })
		b.expect("SQL-A", "refused Local", states(b.pool.Latest("sql"))["a"])
	})
}

func TestRunFollowsAMachine(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.batches()
		b.with(func() { b.guests["a"].host, b.elsewhere["a"] = "hv02", "hv01" })
		if _, err := b.pool.Run(t.Context(), "sql", step("a")); err != nil {
			t.Fatal(err)
		}
		b.expect("batches", []string{"hv01: SQL-A(Set-Disk)", "hv02: SQL-A(Set-Disk) SQL-A(itself cluster)"}, b.batches())
		b.with(func() { b.expect("it ran", []string{"Set-Disk"}, b.guests["a"].ran) })

		b.with(func() { b.guests["a"].host, b.refreshed = "nowhere", 0 })
		b.with(func() { b.elsewhere["a"] = "hv01" })
		if _, err := b.pool.Run(t.Context(), "sql", step("a")); !errors.Is(err, hostagent.NotFound) {
			t.Errorf("a machine that nobody has gives %v, want NotFound", err)
		}
		b.with(func() {
			b.expect("it ran", []string{"Set-Disk"}, b.guests["a"].ran)
			if b.refreshed == 0 {
				t.Error("nobody looked where it is")
			}
		})
	})
}

func TestAPollFollowsAMachine(t *testing.T) {
	bubble(t, func(_ *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.changes()
		b.with(func() { b.guests["a"].host, b.elsewhere["a"] = "hv02", "hv01" })
		b.poll()
		b.expect("members", map[string]string{"a": "SQL-A, Disabled as Local", "b": "SQL-B, Disabled as Local"}, states(b.pool.Latest("sql")))
		b.expect("a machine that moved is no difference", []string(nil), b.changes())
	})
}

func TestAnUnknownOutcomeIsReadAndNotRepeated(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.batches()
		lost := &losing{house: b.house}
		b.change("sql", func(s *guestpool.Subject) { s.Hosts = lost })
		b.batches()
		_, err := b.pool.Run(t.Context(), "sql", step("a"))
		if !errors.Is(err, hostagent.OutcomeUnknown) {
			t.Errorf("got %v, want OutcomeUnknown", err)
		}
		b.expect("batches", []string{"hv01: SQL-A(Set-Disk) SQL-A(itself cluster)", "hv01: SQL-A(itself cluster)"}, b.batches())
	})
}

// losing are hosts that lose the answer to each change.
type losing struct{ *house }

func (l *losing) Run(ctx context.Context, b hostagent.Batch) (hostagent.Results, error) {
	results, err := l.house.Run(ctx, b)
	if b.Changes() {
		return nil, &hostagent.Error{Class: hostagent.OutcomeUnknown, Op: "run", Target: b.Target}
	}
	return results, err
}

func TestWhatTheCallersEndLeavesUnreadIsReadAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.batches()
		b.with(func() { b.guests["a"].does = func() { b.guests["a"].restartPending = true } })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2) // the step takes a second
		defer cancel()
		if _, err := b.pool.Run(ctx, "sql", step("a")); !errors.Is(err, hostagent.Canceled) {
			t.Errorf("got %v, want Canceled", err)
		}
		if m, _ := b.pool.Latest("sql").Member("a"); !m.Answered || m.RestartPending {
			t.Errorf("the member is %+v, want it as it was: nobody waited for its answer", m)
		}
		pass(5 * time.Second)
		if m, _ := b.pool.Latest("sql").Member("a"); !m.Answered || !m.RestartPending {
			t.Errorf("the member is %+v, want it as it is now", m)
		}
	})
}

func TestRunRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a")
		for name, test := range map[string]struct {
			key   string
			batch hostagent.Batch
		}{
			"a guest cluster that is not asked": {"other", step("a")},
			"a machine that is no member":       {"sql", step("b")},
			"no machine":                        {"sql", step("")},
			"an invalid batch":                  {"sql", hostagent.Batch{Target: hostagent.Target{VM: "a"}}},
		} {
			b.batches()
			if _, err := b.pool.Run(t.Context(), test.key, test.batch); !errors.Is(err, hostagent.Internal) {
				t.Errorf("%s: got %v, want Internal", name, err)
			}
			b.expect(name+": batches", []string(nil), b.batches())
		}
	})
}
