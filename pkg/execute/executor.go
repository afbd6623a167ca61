// Package execute runs the steps of a plan and remembers which failed, so that a failing step is tried again with a
// back-off of its own while everything else goes on. A step that ran well and is planned again as it was, because it did
// not help or because somebody undoes it, has the same back-off.
//
// A failure on a host is an outcome, not an error of the reconciler: returned to the work queue it would be tried ten
// times within seconds.
package execute

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/plan"
)

const (
	backoffBase = 5 * time.Second
	backoffCap  = 10 * time.Minute
	// parallel bounds the steps of one plan that run side by side.
	parallel = 8
)

// Runner runs a batch on a host cluster and reads again what it changed.
type Runner interface {
	Run(ctx context.Context, b hostagent.Batch) (hostagent.Results, error)
}

// Failure is a step that did not end well. Steps of one plan may fail each in its own way.
type Failure struct {
	Step  plan.Step
	Class hostagent.Class
	Err   error
}

// Outcome is what became of a plan's steps.
type Outcome struct {
	Ran      []plan.Step
	Failures []Failure
	// RetryAfter is when to come back for a failed step; 0 without one.
	RetryAfter time.Duration
}

// Executor remembers steps by object. It may be used from many goroutines.
type Executor struct {
	clock   clock.PassiveClock
	limiter workqueue.TypedRateLimiter[string]

	mu    sync.Mutex
	steps map[string]map[string]memory
}

// memory is what became of a step the last time.
type memory struct {
	// outcome has no error when the step ran well.
	outcome    Failure
	generation int64
	ran, until time.Time
}

// New makes an executor.
func New(c clock.PassiveClock) *Executor {
	return &Executor{
		clock: c, steps: map[string]map[string]memory{},
		limiter: workqueue.NewTypedItemExponentialFailureRateLimiter[string](backoffBase, backoffCap),
	}
}

// Run runs the plan's steps side by side and waits for all of them. A step is left out while its back-off has not passed
// and the object's generation is the same; if it failed, its failure is reported again meanwhile.
func (e *Executor) Run(ctx context.Context, object string, generation int64, on Runner, p plan.Plan) Outcome {
	due, out := e.due(object, generation, p)
	outcomes := make([]Failure, len(due))
	slots := make(chan struct{}, parallel)
	var wait sync.WaitGroup
	for i, step := range due {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			err := runStep(ctx, on, step)
			outcomes[i] = Failure{Step: step, Class: hostagent.ClassOf(err), Err: err}
		})
	}
	wait.Wait()
	e.remember(object, generation, outcomes, &out)
	slices.SortFunc(out.Failures, func(a, b Failure) int { return cmp.Compare(a.Step.Key, b.Step.Key) })
	return out
}

func runStep(ctx context.Context, on Runner, step plan.Step) error {
	results, err := on.Run(ctx, step.Batch)
	if err == nil {
		err = results.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", step.Describe, err)
	}
	return nil
}

// due sorts out the steps that are in back-off.
func (e *Executor) due(object string, generation int64, p plan.Plan) ([]plan.Step, Outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.forgetPast(object, generation, p)
	var due []plan.Step
	var out Outcome
	for _, step := range p.Steps {
		m, ok := e.steps[object][step.Key]
		left := m.until.Sub(e.clock.Now())
		if !ok || left <= 0 || m.outcome.Err == nil && !same(m.outcome.Step.Batch, step.Batch) {
			due = append(due, step)
			continue
		}
		out.retryIn(left)
		if m.outcome.Err != nil {
			out.Failures = append(out.Failures, m.outcome)
		}
	}
	return due, out
}

// forgetPast drops the memory of what was asked for by an earlier generation, and of steps that are not planned any more:
// those that failed at once, since they were not needed in the end, those that ran well after a while.
func (e *Executor) forgetPast(object string, generation int64, p plan.Plan) {
	for key, m := range e.steps[object] {
		planned := slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Key == key })
		old := m.outcome.Err != nil || e.clock.Since(m.ran) > backoffCap
		if m.generation != generation || !planned && old {
			e.forget(object, key)
		}
	}
}

func (e *Executor) forget(object, key string) {
	delete(e.steps[object], key)
	e.limiter.Forget(object + "/" + key)
}

func (e *Executor) remember(object string, generation int64, outcomes []Failure, out *Outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.steps[object] == nil {
		e.steps[object] = map[string]memory{}
	}
	for _, o := range outcomes {
		out.Ran = append(out.Ran, o.Step)
		before, again := e.steps[object][o.Step.Key]
		if o.Err == nil && again && (before.outcome.Err != nil || !same(before.outcome.Step.Batch, o.Step.Batch)) {
			e.limiter.Forget(object + "/" + o.Step.Key)
		}
		delay := e.limiter.When(object + "/" + o.Step.Key)
		now := e.clock.Now()
		e.steps[object][o.Step.Key] = memory{outcome: o, generation: generation, ran: now, until: now.Add(delay)}
		if o.Err != nil {
			out.Failures = append(out.Failures, o)
			out.retryIn(delay)
		}
	}
}

// same reports whether two batches are the same but for their secrets: what ran well is not sent again at once because a
// password is another one now.
func same(a, b hostagent.Batch) bool { return reflect.DeepEqual(withoutSecrets(a), withoutSecrets(b)) }

func withoutSecrets(b hostagent.Batch) hostagent.Parameters {
	return hostagent.Parameters{"batch": hostagent.Nested{Batch: b}}.ReplaceSecrets(func(hostagent.Secret) hostagent.Secret { return hostagent.Secret{} })
}

func (o *Outcome) retryIn(d time.Duration) {
	if o.RetryAfter == 0 || d < o.RetryAfter {
		o.RetryAfter = d
	}
}

// Done are the steps that ran well, of these reasons.
func (o Outcome) Done(reasons ...v1alpha1.Reason) []plan.Step {
	var done []plan.Step
	for _, step := range o.Ran {
		failed := slices.ContainsFunc(o.Failures, func(f Failure) bool { return f.Step.Key == step.Key })
		if !failed && slices.Contains(reasons, step.Reason) {
			done = append(done, step)
		}
	}
	return done
}

// Forget drops what is remembered of an object that is gone.
func (e *Executor) Forget(object string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key := range e.steps[object] {
		e.limiter.Forget(object + "/" + key)
	}
	delete(e.steps, object)
}

// Verdicts turns the failures into waits and blocks: what passes by itself, and what somebody must mend.
func (o Outcome) Verdicts() (waits []plan.Wait, blocks []plan.Block) {
	for _, f := range o.Failures {
		v := verdictOn(f)
		message := f.Step.Describe + ": " + hint(v, f)
		if v.blocks {
			blocks = append(blocks, plan.Block{Reason: v.reason, Message: message})
			continue
		}
		waits = append(waits, plan.Wait{Reason: v.reason, Message: message})
	}
	return waits, blocks
}

type verdict struct {
	reason v1alpha1.Reason
	blocks bool
	says   string
}

// What a failure of a class means to the object, and what to say where the host's own words would not help.
var verdicts = map[hostagent.Class]verdict{
	hostagent.Unreachable:     {reason: v1alpha1.ReasonHostUnreachable, says: "the host does not answer; trying again"},
	hostagent.Timeout:         {reason: v1alpha1.ReasonHostUnreachable, says: "the host did not answer in time; trying again"},
	hostagent.OutcomeUnknown:  {reason: v1alpha1.ReasonVerifyingOutcome, says: "the answer was lost; looking before anything is done again"},
	hostagent.Canceled:        {reason: v1alpha1.ReasonVerifyingOutcome, says: "interrupted; looking before anything is done again"},
	hostagent.Unauthenticated: {reason: v1alpha1.ReasonAccessDenied, blocks: true, says: "the host refused the credentials; check the host cluster's Secret"},
	hostagent.Forbidden:       {reason: v1alpha1.ReasonAccessDenied, blocks: true},
	hostagent.Busy:            {reason: v1alpha1.ReasonWaitingForHost},
	hostagent.Throttled:       {reason: v1alpha1.ReasonWaitingForHost},
	hostagent.NotFound:        {reason: v1alpha1.ReasonVerifyingOutcome},
	hostagent.Conflict:        {reason: v1alpha1.ReasonNameTaken, blocks: true},
	hostagent.Capacity:        {reason: v1alpha1.ReasonPoolFull, blocks: true},
	hostagent.Unsupported:     {reason: v1alpha1.ReasonHostTooOld, blocks: true},
	hostagent.Invalid:         {reason: v1alpha1.ReasonInvalidSpec, blocks: true},
	hostagent.Protocol:        {reason: v1alpha1.ReasonHostFailed},
	hostagent.Internal:        {reason: v1alpha1.ReasonHostFailed},
}

// insideVerdicts is what a failure means where the step was taken inside a guest and not on a host; what is not here, the
// guest says in its own words.
var insideVerdicts = map[hostagent.Class]verdict{
	hostagent.Unreachable:     {reason: v1alpha1.ReasonGuestUnreachable, says: "the guest does not answer; trying again"},
	hostagent.Timeout:         {reason: v1alpha1.ReasonGuestUnreachable, says: "the guest did not answer in time; trying again"},
	hostagent.OutcomeUnknown:  verdicts[hostagent.OutcomeUnknown],
	hostagent.Canceled:        verdicts[hostagent.Canceled],
	hostagent.Unauthenticated: {reason: v1alpha1.ReasonGuestCredentialsRefused, blocks: true, says: "the guest refused the account; it is not tried again until its Secret changes"},
	hostagent.Busy:            {reason: v1alpha1.ReasonWaitingForGuest},
	hostagent.Throttled:       {reason: v1alpha1.ReasonWaitingForGuest},
}

func verdictOn(f Failure) verdict {
	known, otherwise := verdicts, verdict{reason: v1alpha1.ReasonHostFailed}
	if f.Step.Batch.Target.VM != "" {
		known, otherwise = insideVerdicts, verdict{reason: v1alpha1.ReasonGuestRefused, blocks: true}
	}
	if v, ok := known[f.Class]; ok {
		return v
	}
	return otherwise
}

// hint is the verdict's own text, else the host's words on one line.
func hint(v verdict, f Failure) string {
	if v.says != "" {
		return v.says
	}
	text := strings.TrimPrefix(f.Err.Error(), f.Step.Describe+": ")
	if call := (*hostagent.CallError)(nil); errors.As(f.Err, &call) {
		text = call.Error()
	}
	return strings.Join(strings.Fields(text), " ")
}
