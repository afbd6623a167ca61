package guestpool_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"k8s.io/utils/clock"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/inventory"
	"guestclustering.io/operator/pkg/guestpool"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const interval = 30 * time.Second

// bench is a pool that asks the guests of a house. Its time is the bubble's: it passes when everybody waits.
type bench struct {
	*house
	t    *testing.T
	pool *guestpool.Pool
	want map[string]guestpool.Subject
}

// bubble runs a test beside a pool. Afterwards the pool is closed: what still runs then fails the test.
func bubble(t *testing.T, test func(*testing.T, *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse()
		b := &bench{house: h, t: t, want: map[string]guestpool.Subject{}}
		b.pool = guestpool.New(t.Context(), clock.RealClock{}, parseReport, func(key string) {
			h.notify(key)
			for id, m := range b.pool.Latest(key).Members {
				if !m.Answered && (m.Class == "" || m.Why == "") {
					t.Errorf("machine %s did not answer, and nothing says why: %+v", id, m)
				}
			}
		})
		test(t, b)
		b.pool.Close()
	})
}

// pass lets time pass, and what is due then happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// poll lets one poll come and be answered, and gives its batches.
func (b *bench) poll() []string {
	pass(interval)
	return b.batches()
}

// set asks a guest cluster whose members are these machines, and waits for the first answers.
func (b *bench) set(key string, forming bool, ids ...string) {
	s := guestpool.Subject{Hosts: b.house, Forming: forming, PollInterval: interval}
	for _, id := range ids {
		s.Members = append(s.Members, guestpool.Member{
			VMID: id, Name: b.guests[id].name,
			Credentials: map[guest.Account]hostagent.Credential{guest.LocalAccount: credential(local, "local-1")},
		})
	}
	b.reset(key, s)
}

func (b *bench) reset(key string, s guestpool.Subject) {
	b.want[key] = s
	b.pool.Set(key, s)
	pass(5 * time.Second)
}

// change sets a guest cluster anew, changed.
func (b *bench) change(key string, how func(*guestpool.Subject)) {
	s := b.want[key]
	s.Members = slices.Clone(s.Members)
	how(&s)
	b.reset(key, s)
}

func credential(user, password string) hostagent.Credential {
	return hostagent.Credential{User: user, Password: hostagent.NewSecret(password)}
}

func (b *bench) expect(what string, want, got any) {
	b.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// sql is a house with the guest cluster "sql": SQL-A on hv01 and SQL-B on hv02.
func (b *bench) sql() {
	b.up("a", "SQL-A", "hv01")
	b.up("b", "SQL-B", "hv02")
}

func TestWhileFormingEveryMemberIsAsked(t *testing.T) {
	bubble(t, func(_ *testing.T, b *bench) {
		b.sql()
		b.up("c", "SQL-C", "hv01")
		b.set("sql", true, "a", "b", "c")
		all := []string{"hv01: SQL-A(itself) SQL-C(itself)", "hv02: SQL-B(itself)"}
		b.expect("the first question", all, b.batches())
		b.expect("each poll", all, b.poll())
		b.expect("each poll", all, b.poll())
		want := map[string]string{"a": "SQL-A, Disabled as Local", "b": "SQL-B, Disabled as Local", "c": "SQL-C, Disabled as Local"}
		b.expect("members", want, states(b.pool.Latest("sql")))
	})
}

func TestOnceFormedOneNodeTells(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.form("a", "b")
		b.set("sql", false, "a", "b")
		b.expect("the first question", []string{"hv01: SQL-A(itself cluster)", "hv02: SQL-B(itself)"}, b.batches())
		var got [][]string
		for range 5 {
			got = append(got, b.poll())
		}
		want := [][]string{
			{"hv01: SQL-A(itself cluster)"}, {"hv01: SQL-A(cluster)"}, {"hv01: SQL-A(cluster)"}, {"hv01: SQL-A(cluster)"},
			{"hv01: SQL-A(cluster)", "hv02: SQL-B(itself)"},
		}
		b.expect("five polls: each member is asked about itself once", want, got)
		c := b.pool.Latest("sql").Cluster
		if c == nil || c.Teller != "a" || len(c.Nodes) != 2 {
			t.Errorf("the cluster is %+v", c)
		}
	})
}

func TestWhomTheClusterDoesNotCallUpIsAsked(t *testing.T) {
	bubble(t, func(_ *testing.T, b *bench) {
		b.sql()
		b.form("a", "b")
		b.set("sql", false, "a", "b")
		b.poll()
		b.with(func() {
			b.guests["a"].nodes = map[string]guest.NodeState{"SQL-A": guest.NodeUp, "SQL-B": guest.NodeDown}
			b.guests["b"].service = "Stopped"
		})
		b.poll()
		b.expect("batches", []string{"hv01: SQL-A(cluster)", "hv02: SQL-B(itself)"}, b.poll())
		b.expect("members", map[string]string{"a": "SQL-A, Running as Local", "b": "SQL-B, Stopped as Local"}, states(b.pool.Latest("sql")))
	})
}

func TestAnotherNodeTellsWhereTheTellerCannot(t *testing.T) {
	for name, breaks := range map[string]func(*bench){
		"its service is down":     func(b *bench) { b.guests["a"].service = "Stopped" },
		"its machine is off":      func(b *bench) { b.guests["a"].state = "Off" },
		"its host is silent":      func(b *bench) { b.fails["hv01"] = &hostagent.Error{Class: hostagent.Unreachable, Op: "run"} },
		"its heartbeat is away":   func(b *bench) { b.guests["a"].heartbeat = "LostCommunication" },
		"its password is another": func(b *bench) { b.guests["a"].passwords[local] = "another" },
		"it hangs":                func(b *bench) { b.guests["a"].hangs = true },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bench) {
				b.sql()
				b.form("a", "b")
				b.set("sql", false, "a", "b")
				b.with(func() { breaks(b) })
				b.poll()
				pass(29 * time.Second) // one that hangs has its time
				if c := b.pool.Latest("sql").Cluster; c == nil || c.Teller != "b" {
					t.Errorf("the cluster is %+v, want it as SQL-B tells", c)
				}
			})
		})
	}
}

func TestNobodyTells(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.form("a", "b")
		b.set("sql", false, "a", "b")
		b.with(func() { b.guests["a"].service, b.guests["b"].service = "Stopped", "Stopped" })
		b.poll()
		if c := b.pool.Latest("sql").Cluster; c != nil {
			t.Errorf("the cluster is %+v while no node tells", c)
		}
		b.with(func() { b.form("a", "b") })
		b.poll()
		if b.pool.Latest("sql").Cluster == nil {
			t.Error("the cluster is not known again")
		}
	})
}

func TestAClusterThatWasFormedBeforeIsSeenAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.form("a", "b")
		b.set("sql", true, "a", "b")
		if c := b.pool.Latest("sql").Cluster; c == nil || c.Name != "SQL" {
			t.Errorf("while it is thought to be forming the cluster is %+v", c)
		}
	})
}

func TestBudget(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		for i := range 20 {
			host, key := fmt.Sprintf("hv0%d", i%2+1), fmt.Sprint(i)
			other := fmt.Sprintf("hv0%d", (i+1)%2+1)
			b.up("a"+key, "A"+key, host)
			b.up("b"+key, "B"+key, other)
			b.form("a"+key, "b"+key)
			b.set(key, false, "a"+key, "b"+key)
		}
		pass(interval)
		b.batches()
		b.changes()
		for range 10 {
			if got := b.poll(); len(got) != 2 {
				t.Errorf("a poll of 20 guest clusters on two hosts is %d batches:\n%s", len(got), strings.Join(got, "\n"))
			}
		}
		if told := b.changes(); len(told) > 0 {
			t.Errorf("nothing differs, and %v were told", told)
		}
	})
}

func TestBudgetWithoutAClusterInside(t *testing.T) {
	for name, service := range map[string]string{"none is wanted": "Disabled", "its services are down": "Stopped"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(_ *testing.T, b *bench) {
				b.sql()
				b.guests["a"].service, b.guests["b"].service = service, service
				b.set("sql", false, "a", "b")
				b.poll()
				b.expect("a poll", []string{"hv01: SQL-A(itself)", "hv02: SQL-B(itself)"}, b.poll())
			})
		})
	}
}

func TestAHostThatGoesSilentIsNotAskedForEachGuest(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		ids := []string{"a", "b", "c", "d", "e", "f"}
		for _, id := range ids {
			b.up(id, "SQL-"+strings.ToUpper(id), "hv01")
		}
		b.set("sql", true, ids...)
		b.with(func() {
			for _, id := range ids {
				b.guests[id].hangs = true
			}
		})
		b.poll()
		b.batches()
		pass(50 * time.Second) // the common batch has 45 seconds
		b.with(func() { b.fails["hv01"] = &hostagent.Error{Class: hostagent.Unreachable, Op: "run"} })
		pass(10 * time.Minute)
		if got := b.batches(); len(got) > 4 {
			t.Errorf("a host that went silent got %d batches: %q", len(got), got)
		}
		b.expect("SQL-F", "Unreachable", states(b.pool.Latest("sql"))["f"])
	})
}

func TestAHangingGuestHoldsUpNobody(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		for _, id := range []string{"a", "b", "c"} {
			b.up(id, "SQL-"+strings.ToUpper(id), "hv01")
		}
		b.set("sql", true, "a", "b", "c")
		b.with(func() { b.guests["b"].hangs = true })
		b.batches()
		pass(interval + time.Minute) // the common batch and the guest alone have their time; polls meanwhile are left out for the host
		b.expect("members", map[string]string{"a": "SQL-A, Disabled as Local", "b": "Timeout", "c": "SQL-C, Disabled as Local"}, states(b.pool.Latest("sql")))
		together := b.batches()
		for _, want := range []string{"hv01: SQL-A(itself) SQL-B(itself) SQL-C(itself)", "hv01: SQL-A(itself)", "hv01: SQL-B(itself)", "hv01: SQL-C(itself)"} {
			if !slices.Contains(together, want) {
				t.Errorf("want %s among %q", want, together)
			}
		}
		for range 3 {
			if got := b.poll(); !slices.Contains(got, "hv01: SQL-A(itself) SQL-C(itself)") {
				t.Errorf("a poll is %q, want the others in one batch", got)
			}
		}
		b.with(func() { b.guests["b"].hangs = false })
		for range 5 {
			b.poll()
		}
		b.expect("it is asked with the others again", []string{"hv01: SQL-A(itself) SQL-B(itself) SQL-C(itself)"}, b.poll())
	})
}

// TestAHostAtItsQuestionsIsLeftOut: the common batch of four guests has 35 seconds, and a poll comes meanwhile.
func TestAHostAtItsQuestionsIsLeftOut(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		for _, id := range []string{"a", "b", "c", "d"} {
			b.up(id, "SQL-"+strings.ToUpper(id), "hv01")
		}
		b.up("e", "SQL-E", "hv02")
		b.form("a", "b", "c", "d")
		b.set("sql", false, "a", "b", "c", "d", "e")
		pass(10 * time.Second) // so that a poll comes soon after the question
		b.batches()
		b.with(func() { b.guests["a"].hangs = true })
		b.change("sql", func(s *guestpool.Subject) { s.Questions.Features = []string{"FS-FileServer"} })
		b.expect("batches", []string{
			"hv01: SQL-A(itself cluster) SQL-B(itself) SQL-C(itself) SQL-D(itself)", "hv02: SQL-E(itself)",
		}, b.batches())
		b.expect("the poll while the common batch is under way", []string{"hv02: SQL-E(itself)"}, b.poll())
		if b.pool.Latest("sql").Cluster == nil {
			t.Error("the cluster is not known while its teller's host is at its questions")
		}
	})
}

func TestASlowHostHoldsUpNoOther(t *testing.T) {
	bubble(t, func(_ *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.with(func() { b.guests["a"].hangs = true })
		b.batches()
		pass(interval)
		b.with(func() { b.guests["b"].service = "Stopped" })
		pass(interval)
		b.expect("SQL-B", "SQL-B, Stopped as Local", states(b.pool.Latest("sql"))["b"])
	})
}

func TestARefusedPasswordIsTriedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		rotate := func(password string) {
			b.with(func() { b.guests["a"].passwords[local], b.guests["a"].tries = password, 0 })
		}
		tries := func(what string, want int) {
			t.Helper()
			b.with(func() { b.expect(what, want, b.guests["a"].tries) })
		}
		rotate("local-2")
		for range 4 {
			b.poll()
		}
		tries("sessions with a password that is refused", 1)
		b.expect("members", map[string]string{"a": "refused Local", "b": "SQL-B, Disabled as Local"}, states(b.pool.Latest("sql")))
		if err := b.pool.Refresh(t.Context(), "sql"); err != nil {
			t.Fatal(err)
		}
		_, err := b.pool.Run(t.Context(), "sql", step("a"))
		if !errors.Is(err, hostagent.Unauthenticated) || !strings.Contains(err.Error(), "refused the account Local") {
			t.Errorf("a step gives %v, want Unauthenticated", err)
		}
		tries("sessions with a password that is refused", 1)

		b.change("sql", func(s *guestpool.Subject) {
			s.Members[0].Credentials = map[guest.Account]hostagent.Credential{guest.LocalAccount: credential(local, "local-3")}
		})
		b.poll()
		tries("sessions after another wrong password", 2)
		b.change("sql", func(s *guestpool.Subject) {
			s.Members[0].Credentials = map[guest.Account]hostagent.Credential{guest.LocalAccount: credential(local, "local-2")}
		})
		b.expect("SQL-A", "SQL-A, Disabled as Local", states(b.pool.Latest("sql"))["a"])
		if text, err := json.Marshal(b.pool.Latest("sql")); err != nil || strings.Contains(string(text), "local-") {
			t.Errorf("the snapshot holds a password: %s, %v", text, err)
		}
	})
}

func TestARefusedPasswordIsTriedAgainAfterARestart(t *testing.T) {
	for name, restart := range map[string]func(*windows){
		"of the machine":         func(w *windows) { w.state = "Off" },
		"from within":            func(w *windows) { w.heartbeat = "NoContact" },
		"that the host lost see": func(w *windows) { w.heartbeat = "LostCommunication" },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(_ *testing.T, b *bench) {
				b.sql()
				b.set("sql", true, "a", "b")
				b.with(func() { b.guests["a"].passwords[local] = "another" })
				b.poll()
				b.with(func() { restart(b.guests["a"]) })
				b.poll()
				b.with(func() {
					w := b.guests["a"]
					w.state, w.heartbeat, w.passwords[local] = "Running", "OkApplicationsHealthy", "local-1"
				})
				b.poll()
				b.expect("SQL-A", "SQL-A, Disabled as Local", states(b.pool.Latest("sql"))["a"])
			})
		})
	}
}

func TestWhileSettingUpNothingIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		w := b.up("a", "SQL-A", "hv01")
		w.passwords, w.settingUp = nil, true
		b.set("sql", true, "a")
		for range 20 {
			b.poll()
			if m, _ := b.pool.Latest("sql").Member("a"); m.Refused || m.Class != hostagent.Unauthenticated {
				t.Fatalf("a guest that is being set up is %+v", m)
			}
		}
		b.with(func() {
			if w.tries < 4 || w.tries > 8 {
				t.Errorf("it was tried %d times in 20 polls, want it left alone in between, and not for long", w.tries)
			}
			w.passwords = map[string]string{local: "local-1"}
		})
		for range 5 {
			b.poll()
		}
		b.expect("once it lets us in", "setting up", states(b.pool.Latest("sql"))["a"])
		b.with(func() { w.settingUp = false })
		b.poll()
		b.expect("once it is set up", "SQL-A, Disabled as Local", states(b.pool.Latest("sql"))["a"])
	})
}

// domain gives the members of "sql" the domain's account too.
func (b *bench) domain(s *guestpool.Subject) {
	for i := range s.Members {
		s.Members[i].Credentials = map[guest.Account]hostagent.Credential{
			guest.LocalAccount: credential(local, "local-1"), guest.DomainAccount: credential(operator, "ops-1"),
		}
	}
}

func TestFromTheJoinOnTheDomainsAccountAsks(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		joins  func(*windows)
		want   string
	}{
		"both accounts are let in": {
			reason: "It tells of its domain as the local account, and is asked as the other from then on.",
			joins:  func(*windows) {}, want: "SQL-A, Disabled as Domain",
		},
		"policy took the local account": {
			reason: "It never told of its domain, since the local account was gone with the restart.",
			joins:  func(w *windows) { delete(w.passwords, local) }, want: "SQL-A, Disabled as Domain",
		},
		"the domain's account is not let in": {
			reason: "The local account is not asked as again: policy owns its password.",
			joins:  func(w *windows) { w.passwords[operator] = "another" }, want: "refused Domain",
		},
		"the restart is still to come": {
			reason: "No account of the domain is let in before it.",
			joins:  func(w *windows) { w.restartPending, w.passwords[operator] = true, "not yet" }, want: "SQL-A, Disabled as Local",
		},
		"another restart is to come": {
			reason: "It was asked as the domain's account before, and the local one is the policy's.",
			joins: func(w *windows) {
				w.restartPending = true
				delete(w.passwords, local)
			}, want: "SQL-A, Disabled as Domain",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(_ *testing.T, b *bench) {
				b.sql()
				b.set("sql", true, "a", "b")
				b.change("sql", b.domain)
				b.expect("before", "SQL-A, Disabled as Local", states(b.pool.Latest("sql"))["a"])
				b.with(func() {
					w := b.guests["a"]
					w.domain, w.passwords[operator] = "corp.example", "ops-1"
					test.joins(w)
				})
				for range 3 {
					b.poll()
				}
				b.expect(test.reason, test.want, states(b.pool.Latest("sql"))["a"])
			})
		})
	}
}

// TestWithoutItsDomain: a guest that cannot ask its domain refuses the domain's account as it refuses a wrong password.
func TestWithoutItsDomain(t *testing.T) {
	const right = "right"
	both := []string{"a", "b"}
	for name, test := range map[string]struct {
		as   guest.Account
		user string
		// cut are the guests that let in another password for an hour, or from the first on.
		cut   []string
		first bool
		// tries is how often they are asked at most in that hour, within is when all answer again after it; 0 is not by themselves.
		tries  int
		within time.Duration
	}{
		"one guest is cut off":      {as: guest.DomainAccount, user: operator, cut: []string{"a"}, tries: 30, within: 5 * interval},
		"no controller answers":     {as: guest.DomainAccount, user: operator, cut: both, tries: 6, within: 15*time.Minute + 5*interval},
		"a password that was never": {as: guest.DomainAccount, user: operator, cut: both, first: true, tries: 2},
		"an account of one machine": {as: guest.LocalAccount, user: local, cut: []string{"a"}, tries: 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bench) {
				b.sql()
				lets := func(password string, ids ...string) {
					b.with(func() {
						for _, id := range ids {
							b.guests[id].passwords, b.guests[id].tries = map[string]string{test.user: password}, 0
						}
					})
				}
				lets(right, both...)
				if test.first {
					lets("another", test.cut...)
				}
				s := guestpool.Subject{Hosts: b.house, Forming: true, PollInterval: interval}
				for _, id := range both {
					credentials := map[guest.Account]hostagent.Credential{test.as: credential(test.user, right)}
					s.Members = append(s.Members, guestpool.Member{VMID: id, Name: b.guests[id].name, Account: test.as, Credentials: credentials})
				}
				b.reset("sql", s)
				if !test.first {
					lets("another", test.cut...)
				}
				pass(time.Hour)
				tries := 0
				for _, id := range test.cut {
					b.with(func() { tries += b.guests[id].tries })
					if m, _ := b.pool.Latest("sql").Member(id); !m.Refused {
						t.Errorf("machine %s is %+v, want it refused", id, m)
					}
				}
				if tries < 1 || tries > test.tries {
					t.Errorf("they were tried %d times, want at most %d", tries, test.tries)
				}
				lets(right, test.cut...)
				pass(test.within)
				want := map[string]string{"a": "SQL-A, Disabled as Domain", "b": "SQL-B, Disabled as Domain"}
				if test.within == 0 {
					pass(time.Hour)
					want = states(b.pool.Latest("sql"))
					for _, id := range test.cut {
						want[id] = "refused " + string(test.as)
					}
				}
				b.expect("members", want, states(b.pool.Latest("sql")))
			})
		})
	}
}

// TestAfterARestartOfOurs: this process knows nothing of members that joined long ago.
func TestAfterARestartOfOurs(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		for _, w := range b.guests {
			w.domain, w.passwords = "corp.example", map[string]string{local: "of the policy", operator: "ops-1"}
		}
		b.form("a", "b")
		s := guestpool.Subject{Hosts: b.house, PollInterval: interval}
		for _, id := range []string{"a", "b"} {
			s.Members = append(s.Members, guestpool.Member{VMID: id, Name: b.guests[id].name})
		}
		b.domain(&s)
		b.reset("sql", s)
		want := map[string]string{"a": "SQL-A, Running as Domain", "b": "SQL-B, Running as Domain"}
		b.expect("members after the first question", want, states(b.pool.Latest("sql")))
		if c := b.pool.Latest("sql").Cluster; c == nil || c.Teller != "a" {
			t.Errorf("the cluster is %+v", c)
		}
		b.poll()
		b.with(func() { b.expect("sessions", 3, b.guests["a"].tries) })
	})
}

func TestTheCallerMaySayAsWhom(t *testing.T) {
	bubble(t, func(_ *testing.T, b *bench) {
		b.sql()
		b.guests["a"].passwords = nil
		b.set("sql", true, "a", "b")
		b.change("sql", func(s *guestpool.Subject) {
			b.domain(s)
			s.Members[0].Account = guest.DomainAccount
		})
		for range 3 {
			b.poll()
		}
		// A member that has joined is set up, also when this process never saw it.
		b.expect("SQL-A", "refused Domain", states(b.pool.Latest("sql"))["a"])
		b.with(func() { b.expect("sessions", 2, b.guests["a"].tries) })
	})
}

func TestAHostThatRefusesUsIsNoGuestThatDoes(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.with(func() { b.guests["a"].heartbeat = "" })
		for _, class := range []hostagent.Class{hostagent.Unauthenticated, hostagent.Forbidden, hostagent.Unreachable, hostagent.Protocol} {
			if err := b.pool.Refresh(t.Context(), "sql"); err != nil {
				t.Fatal(err)
			}
			refuses := &refusing{house: b.house, class: class}
			b.change("sql", func(s *guestpool.Subject) { s.Hosts = refuses })
			m, _ := b.pool.Latest("sql").Member("a")
			want := class
			if class == hostagent.Unauthenticated || class == hostagent.Forbidden {
				want = hostagent.Unreachable
			}
			if m.Answered || m.Refused || m.Class != want {
				t.Errorf("a host that fails with %s: the member is %+v, want %s", class, m, want)
			}
			b.change("sql", func(s *guestpool.Subject) { s.Hosts = b.house })
			b.expect("then", "SQL-A, Disabled as Local", states(b.pool.Latest("sql"))["a"])
		}
	})
}

func TestWhyNobodyAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		breaks func(*bench)
		class  hostagent.Class
		says   string
	}{
		"off":            {func(b *bench) { b.guests["a"].state = "Off" }, hostagent.Busy, "its state is Off"},
		"no heartbeat":   {func(b *bench) { b.guests["a"].heartbeat = "NoContact" }, hostagent.Unreachable, "the heartbeat is NoContact"},
		"no host has it": {func(b *bench) { b.guests["a"].host = "nowhere" }, hostagent.NotFound, "no host has the machine"},
		"a silent host": {
			func(b *bench) { b.fails["hv01"] = &hostagent.Error{Class: hostagent.Unreachable, Op: "run"} },
			hostagent.Unreachable, "not known which host",
		},
		"no account": {
			func(b *bench) { b.want["sql"].Members[0].Credentials = nil }, hostagent.Unauthenticated, "no account",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *bench) {
				b.sql()
				b.set("sql", true, "a", "b")
				if name == "no account" {
					b.change("sql", func(s *guestpool.Subject) { s.Members[0].Credentials = nil })
				} else {
					b.with(func() { test.breaks(b) })
				}
				b.poll()
				m, _ := b.pool.Latest("sql").Member("a")
				if m.Answered || m.Refused || m.Class != test.class || !strings.Contains(m.Why, test.says) {
					t.Errorf("the member is %+v, want %s with %q", m, test.class, test.says)
				}
				if _, err := b.pool.Run(t.Context(), "sql", step("a")); hostagent.ClassOf(err) != test.class || !strings.Contains(err.Error(), test.says) {
					t.Errorf("a step gives %v, want %s with %q", err, test.class, test.says)
				}
				b.with(func() { b.expect("ran", 0, len(b.guests["a"].ran)) })
			})
		})
	}
}

func TestOnlyADifferenceIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.changes()
		b.poll()
		b.expect("nothing differs", []string(nil), b.changes())
		before := b.pool.Latest("sql")
		b.with(func() { b.guests["a"].restartPending = true })
		b.poll()
		b.expect("a member differs", []string{"sql"}, b.changes())
		if m, _ := before.Member("a"); m.RestartPending {
			t.Error("a snapshot was changed after it was taken")
		}
	})
}

func TestSetAsksAtOnceWhatIsNew(t *testing.T) {
	bubble(t, func(_ *testing.T, b *bench) {
		b.sql()
		b.guests["b"].state = "Off"
		b.set("sql", true, "a", "b")
		b.expect("the first question", []string{"hv01: SQL-A(itself)"}, b.batches())
		b.change("sql", func(*guestpool.Subject) {})
		b.expect("the same again", []string(nil), b.batches())
		b.change("sql", func(s *guestpool.Subject) { s.Forming, s.PollInterval = false, time.Hour })
		b.expect("less than before", []string(nil), b.batches())
		b.change("sql", func(s *guestpool.Subject) { s.Forming = true })
		b.expect("more than before", []string{"hv01: SQL-A(itself)"}, b.batches())
		b.change("sql", func(s *guestpool.Subject) { s.Questions.Features = []string{"Failover-Clustering"} })
		b.expect("another question", []string{"hv01: SQL-A(itself)"}, b.batches())
		b.with(func() { b.guests["b"].state = "Running" })
		b.change("sql", func(*guestpool.Subject) {})
		b.expect("a machine that runs now", []string{"hv01: SQL-A(itself)", "hv02: SQL-B(itself)"}, b.batches())
	})
}

func TestForgetTellsNothingMore(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.batches()
		pass(interval - 5*time.Second) // its questions are under way
		b.changes()
		b.with(func() { b.guests["a"].restartPending = true })
		b.pool.Forget("sql")
		pass(5 * time.Second)
		if got := b.batches(); len(got) != 2 {
			t.Errorf("under way were %q, want two batches", got)
		}
		pass(2 * interval)
		b.expect("told", []string(nil), b.changes())
		if b.pool.Latest("sql") != nil {
			t.Error("its snapshot is still there")
		}
		if got := b.poll(); len(got) > 0 {
			t.Errorf("it is still asked: %q", got)
		}
	})
}

// blind are hosts that were never read.
type blind struct{ *house }

func (blind) Snapshot() (*hyperv.Snapshot, error) { return nil, errors.New("no host answers") }

func TestGuestClustersOfSeveralHostClusters(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("one", true, "a")
		b.set("two", true, "b")
		b.set("blind", true, "a")
		b.change("blind", func(s *guestpool.Subject) { s.Hosts = blind{b.house} })
		b.expect("where no host was read yet", map[string]string{"a": "Unreachable"}, states(b.pool.Latest("blind")))
		b.pool.Forget("blind")
		other := &refusing{house: b.house, class: hostagent.Unreachable}
		b.change("two", func(s *guestpool.Subject) { s.Hosts = other })
		b.expect("on hosts that do not answer", map[string]string{"b": "Unreachable"}, states(b.pool.Latest("two")))
		b.batches()
		b.expect("a poll of the others", []string{"hv01: SQL-A(itself)"}, b.poll())
		b.pool.Forget("one")
		b.expect("without the others", []string(nil), b.poll())
		if err := b.pool.Refresh(t.Context(), "one"); !errors.Is(err, hostagent.Internal) {
			t.Errorf("refreshing what is forgotten gives %v, want Internal", err)
		}
	})
}

func TestAMemberThatIsNotMadeYetIsLeftOut(t *testing.T) {
	bubble(t, func(_ *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.change("sql", func(s *guestpool.Subject) { s.Members[1].VMID = "" })
		b.poll()
		b.expect("members", map[string]string{"a": "SQL-A, Disabled as Local"}, states(b.pool.Latest("sql")))
	})
}

func TestAfterItsEndThePoolAsksNobody(t *testing.T) {
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.pool.Close()
		b.batches()
		b.change("sql", func(s *guestpool.Subject) { s.Questions.Features = []string{"FS-FileServer"} })
		if err := b.pool.Refresh(t.Context(), "sql"); err != nil {
			t.Error(err)
		}
		b.expect("batches", []string(nil), b.poll())
	})
}

func TestTheDomainIsAskedByAMemberThatCan(t *testing.T) {
	question := func(password string) *inventory.DirectoryQuestions {
		return &inventory.DirectoryQuestions{Domain: "corp.example", As: credential(`CORP\join`, password), Computers: []string{"SQL-A"}}
	}
	bubble(t, func(t *testing.T, b *bench) {
		b.sql()
		b.set("sql", true, "a", "b")
		b.change("sql", func(s *guestpool.Subject) {
			s.Questions.Features, s.Questions.Directory = []string{"RSAT-AD-PowerShell"}, question("join-1")
		})
		if b.batches(); b.pool.Latest("sql").Directory != nil {
			t.Error("the domain told, and nobody can ask it")
		}
		b.with(func() { b.guests["b"].features, b.guests["b"].domainRefuses = []string{"RSAT-AD-PowerShell"}, true })
		b.poll()
		b.expect("the domain is asked apart", []string{"hv01: SQL-A(itself)", "hv02: SQL-B(domain)", "hv02: SQL-B(itself)"}, b.poll())
		if b.pool.Latest("sql").Directory != nil {
			t.Error("the domain refused, and told")
		}
		for range 6 {
			b.expect("a refused account is not tried again", []string{"hv01: SQL-A(itself)", "hv02: SQL-B(itself)"}, b.poll())
		}
		b.with(func() { b.guests["b"].domainRefuses = false })
		b.change("sql", func(s *guestpool.Subject) { s.Questions.Directory = question("join-2") })
		if b.pool.Latest("sql").Directory == nil {
			t.Error("the domain was not asked with another password")
		}
		b.batches()
		asked := 0
		for range 5 {
			if slices.Contains(b.poll(), "hv02: SQL-B(domain)") {
				asked++
			}
		}
		b.expect("times in five polls", 1, asked)
	})
}

func TestTheValidatorIsAskedUntilItHasEnded(t *testing.T) {
	bubble(t, func(_ *testing.T, b *bench) {
		b.sql()
		b.guests["a"].validation = "Running"
		b.set("sql", true, "a", "b")
		b.change("sql", func(s *guestpool.Subject) {
			s.Questions.Validation = &guestpool.ValidationQuestion{Run: "r1", VMID: "a"}
		})
		b.expect("while it runs", &guest.Validation{ID: "r1", State: "Running"}, b.pool.Latest("sql").Validation)
		b.batches()
		b.with(func() { b.guests["a"].validation = "Completed" })
		b.expect("batches", []string{"hv01: SQL-A(itself validation)", "hv02: SQL-B(itself)"}, b.poll())
		b.expect("then", &guest.Validation{ID: "r1", State: "Completed", Report: &guest.Report{Ran: 7}}, b.pool.Latest("sql").Validation)
		b.expect("batches after", []string{"hv01: SQL-A(itself)", "hv02: SQL-B(itself)"}, b.poll())
		b.change("sql", func(s *guestpool.Subject) {
			s.Questions.Validation = &guestpool.ValidationQuestion{Run: "r2", VMID: "a"}
			b.guests["a"].report = "no report"
		})
		b.expect("with a report that cannot be read", &guest.Validation{
			ID: "r2", State: "Failed", Error: "reading the validation: no report",
		}, b.pool.Latest("sql").Validation)
		b.change("sql", func(s *guestpool.Subject) { s.Questions.Validation = nil })
		b.expect("without the question", (*guest.Validation)(nil), b.pool.Latest("sql").Validation)
	})
}
