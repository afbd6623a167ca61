package execute_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/execute"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/plan"
)

// hosts answers every batch with what is set for its first call's id, and keeps count.
type hosts struct {
	mu    sync.Mutex
	fails map[string]error
	ran   []string
}

func (h *hosts) Run(_ context.Context, b hostagent.Batch) (hostagent.Results, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := b.Calls[0].ID
	h.ran = append(h.ran, id)
	err := h.fails[id]
	if call := (*hostagent.CallError)(nil); errors.As(err, &call) {
		return hostagent.Results{{ID: id, State: hostagent.Failed, Errors: []hostagent.CallError{*call}}}, nil
	}
	if err != nil {
		return nil, err
	}
	return hostagent.Results{{ID: id, State: hostagent.Done}}, nil
}

func (h *hosts) taken() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	ran := slices.Sorted(slices.Values(h.ran))
	h.ran = nil
	return ran
}

func step(key string) plan.Step {
	return plan.Step{Key: key, Describe: "do " + key, Batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: key, Cmdlet: "Set-X"}}}}
}

func steps(keys ...string) plan.Plan {
	var p plan.Plan
	for _, key := range keys {
		p.Steps = append(p.Steps, step(key))
	}
	return p
}

// withSecret is a step with a secret, a password and both inside a guest.
func withSecret(text string) plan.Plan {
	p := steps("a")
	secret := hostagent.NewSecret(text)
	account := hostagent.Credential{User: "u", Password: secret}
	inside := hostagent.Batch{Credential: &account, Calls: []hostagent.Call{{ID: "c", Cmdlet: "Set-X", Parameters: hostagent.Parameters{"Content": secret}}}}
	p.Steps[0].Batch.Credential = &account
	p.Steps[0].Batch.Calls[0].Parameters = hostagent.Parameters{"Content": secret, "Credential": account, "Batch": hostagent.Nested{Batch: inside}}
	return p
}

// bench is an executor with its clock and hosts.
type bench struct {
	*execute.Executor
	clock *clocktesting.FakeClock
	hosts *hosts
}

func newBench() *bench {
	c := clocktesting.NewFakeClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return &bench{Executor: execute.New(c), clock: c, hosts: &hosts{fails: map[string]error{}}}
}

// run runs a plan and tells which steps went to the hosts, which failures are reported and when to come back.
func (b *bench) run(generation int64, p plan.Plan) (ran, failed []string, retry time.Duration) {
	out := b.Run(context.Background(), "payments/sql", generation, b.hosts, p)
	for _, f := range out.Failures {
		failed = append(failed, f.Step.Key)
	}
	return b.hosts.taken(), failed, out.RetryAfter
}

type turn struct {
	// after is how long after the turn before.
	after      time.Duration
	generation int64
	plan       plan.Plan
	// fails are the steps that fail from now on; ends those that do not any more.
	fails, ends []string

	wantRan, wantFailed []string
	wantRetry           time.Duration
}

func TestBackoff(t *testing.T) {
	other := steps("a")
	other.Steps[0].Batch.Calls[0].Cmdlet = "Set-Y"
	cases := map[string]struct {
		reason string
		turns  []turn
	}{
		"all well": {
			reason: "Steps run side by side, and nobody has to come back.",
			turns:  []turn{{plan: steps("a", "b"), wantRan: []string{"a", "b"}}, {plan: plan.Plan{}}},
		},
		"a failing step": {
			reason: "It is tried again after 5, 10, 20 s, and its failure is reported meanwhile; the others go on.",
			turns: []turn{
				{plan: steps("a", "b"), fails: []string{"a"}, wantRan: []string{"a", "b"}, wantFailed: []string{"a"}, wantRetry: 5 * time.Second},
				{after: 4 * time.Second, plan: steps("a", "c"), wantRan: []string{"c"}, wantFailed: []string{"a"}, wantRetry: time.Second},
				{after: time.Second, plan: steps("a"), wantRan: []string{"a"}, wantFailed: []string{"a"}, wantRetry: 10 * time.Second},
				{after: 10 * time.Second, plan: steps("a"), wantRan: []string{"a"}, wantFailed: []string{"a"}, wantRetry: 20 * time.Second},
				{after: 20 * time.Second, plan: steps("a"), ends: []string{"a"}, wantRan: []string{"a"}},
			},
		},
		"two failing steps": {
			reason: "Each has its own back-off; the shorter one says when to come back.",
			turns: []turn{
				{plan: steps("a"), fails: []string{"a", "b"}, wantRan: []string{"a"}, wantFailed: []string{"a"}, wantRetry: 5 * time.Second},
				{after: 5 * time.Second, plan: steps("b", "a"), wantRan: []string{"a", "b"}, wantFailed: []string{"a", "b"}, wantRetry: 5 * time.Second},
				{after: 5 * time.Second, plan: steps("b", "a"), wantRan: []string{"b"}, wantFailed: []string{"a", "b"}, wantRetry: 5 * time.Second},
			},
		},
		"another generation": {
			reason: "Who changes the spec has perhaps mended it: it is tried at once, as if for the first time.",
			turns: []turn{
				{generation: 1, plan: steps("a"), fails: []string{"a"}, wantRan: []string{"a"}, wantFailed: []string{"a"}, wantRetry: 5 * time.Second},
				{after: 5 * time.Second, generation: 1, plan: steps("a"), wantRan: []string{"a"}, wantFailed: []string{"a"}, wantRetry: 10 * time.Second},
				{generation: 2, plan: steps("a"), wantRan: []string{"a"}, wantFailed: []string{"a"}, wantRetry: 5 * time.Second},
			},
		},
		"not planned any more": {
			reason: "A failure that nobody plans any more was not needed: it is forgotten.",
			turns: []turn{
				{plan: steps("a"), fails: []string{"a"}, wantRan: []string{"a"}, wantFailed: []string{"a"}, wantRetry: 5 * time.Second},
				{plan: steps("b"), wantRan: []string{"b"}},
				{plan: steps("a"), wantRan: []string{"a"}, wantFailed: []string{"a"}, wantRetry: 5 * time.Second},
			},
		},
		"ran well and planned again": {
			reason: "What did not help is not sent again at once, and each time later.",
			turns: []turn{
				{plan: steps("a"), wantRan: []string{"a"}},
				{after: time.Second, plan: steps("a"), wantRetry: 4 * time.Second},
				{after: 4 * time.Second, plan: steps("a"), wantRan: []string{"a"}},
				{after: time.Second, plan: steps("a"), wantRetry: 9 * time.Second},
				{plan: plan.Plan{}},
				{after: 9 * time.Second, plan: steps("a"), wantRan: []string{"a"}},
				{plan: steps("a"), wantRetry: 20 * time.Second},
			},
		},
		"ran well and planned otherwise": {
			reason: "The same step with other calls is not the same.",
			turns: []turn{
				{plan: steps("a"), wantRan: []string{"a"}},
				{plan: other, wantRan: []string{"a"}},
				{after: 5 * time.Second, plan: other, wantRan: []string{"a"}},
			},
		},
		"ran well and planned with another secret": {
			reason: "A machine that was made is not made once more because its password is another one now.",
			turns: []turn{
				{plan: withSecret("one"), wantRan: []string{"a"}},
				{after: time.Second, plan: withSecret("two"), wantRetry: 4 * time.Second},
				{after: 4 * time.Second, plan: withSecret("two"), wantRan: []string{"a"}},
				{after: time.Second, plan: withSecret("three"), wantRetry: 9 * time.Second},
			},
		},
		"ran well long ago": {
			reason: "What was undone once in a while is put back at once.",
			turns: []turn{
				{plan: steps("a"), wantRan: []string{"a"}},
				{after: 5 * time.Second, plan: steps("a"), wantRan: []string{"a"}},
				{after: 11 * time.Minute, plan: plan.Plan{}},
				{plan: steps("a"), wantRan: []string{"a"}},
				{plan: steps("a"), wantRetry: 5 * time.Second},
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			for i, turn := range tc.turns {
				b.clock.Step(turn.after)
				for _, key := range turn.fails {
					b.hosts.fails[key] = hostagent.Busy
				}
				for _, key := range turn.ends {
					delete(b.hosts.fails, key)
				}
				ran, failed, retry := b.run(turn.generation, turn.plan)
				if diff := cmp.Diff(turn.wantRan, ran); diff != "" {
					t.Errorf("%s\nturn %d: ran (-want +got):\n%s", tc.reason, i, diff)
				}
				if diff := cmp.Diff(turn.wantFailed, failed); diff != "" {
					t.Errorf("%s\nturn %d: failures (-want +got):\n%s", tc.reason, i, diff)
				}
				if retry != turn.wantRetry {
					t.Errorf("%s\nturn %d: come back after %s, want %s", tc.reason, i, retry, turn.wantRetry)
				}
			}
		})
	}
}

func TestBackoffIsBounded(t *testing.T) {
	b := newBench()
	b.hosts.fails["a"] = hostagent.Busy
	var last time.Duration
	for range 20 {
		_, _, last = b.run(1, steps("a"))
		b.clock.Step(last)
	}
	if last != 10*time.Minute {
		t.Errorf("after twenty failures it comes back after %s, want 10 minutes", last)
	}
}

func TestForget(t *testing.T) {
	b := newBench()
	b.hosts.fails["a"] = hostagent.Busy
	b.run(1, steps("a"))
	b.clock.Step(5 * time.Second)
	b.run(1, steps("a"))
	b.Forget("payments/sql")
	if ran, _, retry := b.run(1, steps("a")); len(ran) != 1 || retry != 5*time.Second {
		t.Errorf("an object of the same name inherits: ran %v, retry after %s", ran, retry)
	}
	// What another object does has nothing to do with it.
	out := b.Run(context.Background(), "payments/other", 1, b.hosts, steps("a"))
	if len(out.Ran) != 1 || out.RetryAfter != 5*time.Second {
		t.Errorf("another object waits: %+v", out)
	}
}

func TestRanInTheOrderOfThePlan(t *testing.T) {
	b := newBench()
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprintf("s%02d", i))
	}
	slices.Reverse(want)
	out := b.Run(context.Background(), "o", 1, b.hosts, steps(want...))
	var got []string
	for _, s := range out.Ran {
		got = append(got, s.Key)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps that ran (-want +got):\n%s", diff)
	}
}

// crowd counts how many batches run at once.
type crowd struct {
	mu             sync.Mutex
	now, most      int
	arrived, leave chan struct{}
}

func (c *crowd) Run(ctx context.Context, _ hostagent.Batch) (hostagent.Results, error) {
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	c.mu.Unlock()
	c.arrived <- struct{}{}
	select {
	case <-c.leave:
	case <-ctx.Done():
	}
	c.mu.Lock()
	c.now--
	c.mu.Unlock()
	return nil, nil
}

func TestStepsOfOnePlanRunSideBySideWithinBounds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c := &crowd{arrived: make(chan struct{}, 20), leave: make(chan struct{})}
	done := make(chan execute.Outcome)
	go func() {
		done <- newBench().Run(ctx, "o", 1, c, steps("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"))
	}()
	for range 8 {
		<-c.arrived
	}
	close(c.leave)
	if out := <-done; len(out.Ran) != 10 || c.most != 8 {
		t.Errorf("%d steps ran, at most %d at once; want 10, 8 at once", len(out.Ran), c.most)
	}
}

func TestDone(t *testing.T) {
	mends, makes, fails := step("a"), step("b"), step("c")
	mends.Reason, makes.Reason, fails.Reason = v1alpha1.ReasonRepairing, v1alpha1.ReasonCreating, v1alpha1.ReasonRepairing
	out := execute.Outcome{Ran: []plan.Step{mends, makes, fails}, Failures: []execute.Failure{{Step: fails, Err: errors.New("boom")}}}
	if diff := cmp.Diff([]plan.Step{mends}, out.Done(v1alpha1.ReasonRepairing, v1alpha1.ReasonStarting)); diff != "" {
		t.Errorf("repairs that ran well (-want +got):\n%s", diff)
	}
}

// Inside a guest the same failures are the guest's, and for its people to mend.
func TestVerdictsInside(t *testing.T) {
	for name, tc := range map[string]struct {
		err    error
		blocks bool
		reason v1alpha1.Reason
		says   string
	}{
		"unreachable":     {hostagent.Unreachable, false, v1alpha1.ReasonGuestUnreachable, "the guest does not answer; trying again"},
		"outcome unknown": {hostagent.OutcomeUnknown, false, v1alpha1.ReasonVerifyingOutcome, "the answer was lost; looking before anything is done again"},
		"credentials":     {hostagent.Unauthenticated, true, v1alpha1.ReasonGuestCredentialsRefused, "the guest refused the account; it is not tried again until its Secret changes"},
		"its own words":   {&hostagent.CallError{Category: "ResourceExists", Message: "The account already exists."}, true, v1alpha1.ReasonGuestRefused, "The account already exists."},
	} {
		t.Run(name, func(t *testing.T) {
			step := plan.Step{Key: "a", Describe: "do a", Batch: hostagent.Batch{Target: hostagent.Target{VM: "vm"}}}
			waits, blocks := execute.Outcome{Failures: []execute.Failure{{Step: step, Class: hostagent.ClassOf(tc.err), Err: tc.err}}}.Verdicts()
			message := "do a: " + tc.says
			want := plan.Plan{Waits: []plan.Wait{{Reason: tc.reason, Message: message}}}
			if tc.blocks {
				want = plan.Plan{Blocks: []plan.Block{{Reason: tc.reason, Message: message}}}
			}
			if diff := cmp.Diff(want, plan.Plan{Waits: waits, Blocks: blocks}); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVerdicts(t *testing.T) {
	host := func(category, message string) error {
		return &hostagent.CallError{Category: category, Message: message}
	}
	transport := func(class hostagent.Class) error {
		return &hostagent.Error{Class: class, Op: "run", Target: hostagent.Target{Host: "hv01"}, Err: errors.New("dial tcp 10.0.0.1:5986: i/o timeout")}
	}
	wait := func(reason v1alpha1.Reason, message string) plan.Plan {
		return plan.Plan{Waits: []plan.Wait{{Reason: reason, Message: "do a: " + message}}}
	}
	block := func(reason v1alpha1.Reason, message string) plan.Plan {
		return plan.Plan{Blocks: []plan.Block{{Reason: reason, Message: "do a: " + message}}}
	}
	cases := map[string]struct {
		reason string
		err    error
		want   plan.Plan
	}{
		"unreachable":     {"The pool goes on trying.", transport(hostagent.Unreachable), wait(v1alpha1.ReasonHostUnreachable, "the host does not answer; trying again")},
		"timeout":         {"It may answer the next time.", transport(hostagent.Timeout), wait(v1alpha1.ReasonHostUnreachable, "the host did not answer in time; trying again")},
		"outcome unknown": {"Never sent again unseen.", transport(hostagent.OutcomeUnknown), wait(v1alpha1.ReasonVerifyingOutcome, "the answer was lost; looking before anything is done again")},
		"cancelled":       {"It may have been done.", transport(hostagent.Canceled), wait(v1alpha1.ReasonVerifyingOutcome, "interrupted; looking before anything is done again")},
		"credentials":     {"Somebody must give the right ones.", transport(hostagent.Unauthenticated), block(v1alpha1.ReasonAccessDenied, "the host refused the credentials; check the host cluster's Secret")},
		"no right":        {"The host's words say to what.", host("PermissionDenied", "You do not have\r\n  the required permission."), block(v1alpha1.ReasonAccessDenied, "You do not have the required permission.")},
		"busy":            {"It passes.", host("ResourceBusy", "The file is in use."), wait(v1alpha1.ReasonWaitingForHost, "The file is in use.")},
		"wrong state":     {"Hyper-V says so of a machine in transition.", host("InvalidOperation", "The operation cannot be performed."), wait(v1alpha1.ReasonWaitingForHost, "The operation cannot be performed.")},
		"throttled":       {"It passes.", transport(hostagent.Throttled), wait(v1alpha1.ReasonWaitingForHost, "run on hv01: dial tcp 10.0.0.1:5986: i/o timeout")},
		"not found":       {"The picture was old; the next one shows why.", host("ObjectNotFound", "No such machine."), wait(v1alpha1.ReasonVerifyingOutcome, "No such machine.")},
		"exists":          {"It is not ours, or the picture would have shown it.", host("ResourceExists", "It exists."), block(v1alpha1.ReasonNameTaken, "It exists.")},
		"no room":         {"The platform team makes room.", &hostagent.CallError{HResult: "0x80070070", Message: "There is not enough space."}, block(v1alpha1.ReasonPoolFull, "There is not enough space.")},
		"too old":         {"The release cannot do it.", host("NotImplemented", "Not supported."), block(v1alpha1.ReasonHostTooOld, "Not supported.")},
		"refused value":   {"The spec asks for what cannot be.", host("InvalidArgument", "Memory is out of range."), block(v1alpha1.ReasonInvalidSpec, "Memory is out of range.")},
		"unreadable":      {"A defect of ours or of the host's.", transport(hostagent.Protocol), wait(v1alpha1.ReasonHostFailed, "run on hv01: dial tcp 10.0.0.1:5986: i/o timeout")},
		"anything else":   {"What has no class is transient.", errors.New("boom"), wait(v1alpha1.ReasonHostFailed, "boom")},
		"a class to come": {"What is not in the table is transient.", hostagent.Class("Brand new"), wait(v1alpha1.ReasonHostFailed, "Brand new")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.hosts.fails["a"] = tc.err
			out := b.Run(t.Context(), "o", 1, b.hosts, steps("a"))
			var got plan.Plan
			got.Waits, got.Blocks = out.Verdicts()
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// Every class has a verdict of its own, whose reason is of the closed set, and who is blocked has somebody to turn to.
func TestEveryClassHasAVerdict(t *testing.T) {
	classes := map[hostagent.Class]bool{
		hostagent.Unreachable: false, hostagent.Timeout: false, hostagent.OutcomeUnknown: false, hostagent.Canceled: false,
		hostagent.Unauthenticated: true, hostagent.Forbidden: true, hostagent.NotFound: false, hostagent.Conflict: true, hostagent.Busy: false,
		hostagent.Capacity: true, hostagent.Throttled: false, hostagent.Unsupported: true, hostagent.Invalid: true, hostagent.Protocol: false,
		hostagent.Internal: false,
	}
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		out := execute.Outcome{Failures: []execute.Failure{{Step: step("a"), Class: class, Err: class}}}
		waits, blocks := out.Verdicts()
		switch {
		case classes[class] && (len(blocks) != 1 || blocks[0].Reason.Actor() != v1alpha1.ActorUser && blocks[0].Reason.Actor() != v1alpha1.ActorPlatformTeam):
			t.Errorf("%s blocks with %v", class, blocks)
		case !classes[class] && (len(waits) != 1 || waits[0].Reason.Actor() == ""):
			t.Errorf("%s waits with %v", class, waits)
		}
	}
}
