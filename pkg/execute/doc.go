// Package execute runs the steps of a plan and remembers which failed, so that a failing step is tried again with a
// back-off of its own while everything else goes on.
//
// A failure on a host is an outcome, not an error of the reconciler: returned to the work queue it would be tried ten
// times within seconds.
package execute

import (
	"cmp"
	"context"
	"fmt"
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

// Failure is a step that did not end well.
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

// Executor remembers failed steps by object. It may be used from many goroutines.
type Executor struct {
	clock   clock.PassiveClock
	limiter workqueue.TypedRateLimiter[string]

	mu     sync.Mutex
	failed map[string]map[string]memory
}

type memory struct {
	failure    Failure
	generation int64
	until      time.Time
}

// New makes an executor.
func New(c clock.PassiveClock) *Executor {
	return &Executor{
		clock: c, failed: map[string]map[string]memory{},
		limiter: workqueue.NewTypedItemExponentialFailureRateLimiter[string](backoffBase, backoffCap),
	}
}

// Run runs the plan's steps side by side and waits for all of them. A step that failed before is left out until its
// back-off has passed or the object's generation differs; its failure is reported again meanwhile.
func (e *Executor) Run(ctx context.Context, object string, generation int64, on Runner, p plan.Plan) Outcome {
	due, out := e.due(object, generation, p)
	slots := make(chan struct{}, parallel)
	var wait sync.WaitGroup
	var mu sync.Mutex
	for _, step := range due {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			err := runStep(ctx, on, step)
			mu.Lock()
			defer mu.Unlock()
			out.Ran = append(out.Ran, step)
			if err != nil {
				out.Failures = append(out.Failures, Failure{Step: step, Class: hostagent.ClassOf(err), Err: err})
			}
		})
	}
	wait.Wait()
	e.remember(object, generation, due, &out)
	byKey := func(a, b Failure) int { return cmp.Compare(a.Step.Key, b.Step.Key) }
	slices.SortFunc(out.Failures, byKey)
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
	var due []plan.Step
	var out Outcome
	for _, step := range p.Steps {
		m, ok := e.failed[object][step.Key]
		if left := m.until.Sub(e.clock.Now()); ok && m.generation == generation && left > 0 {
			out.Failures = append(out.Failures, m.failure)
			out.retryIn(left)
			continue
		}
		due = append(due, step)
	}
	e.forgetOthers(object, p)
	return due, out
}

// forgetOthers drops the memory of steps that are not planned any more: they were not needed in the end.
func (e *Executor) forgetOthers(object string, p plan.Plan) {
	for key := range e.failed[object] {
		if !slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Key == key }) {
			delete(e.failed[object], key)
			e.limiter.Forget(object + "/" + key)
		}
	}
}

func (e *Executor) remember(object string, generation int64, ran []plan.Step, out *Outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, step := range ran {
		i := slices.IndexFunc(out.Failures, func(f Failure) bool { return f.Step.Key == step.Key })
		if i < 0 {
			delete(e.failed[object], step.Key)
			e.limiter.Forget(object + "/" + step.Key)
			continue
		}
		delay := e.limiter.When(object + "/" + step.Key)
		if e.failed[object] == nil {
			e.failed[object] = map[string]memory{}
		}
		e.failed[object][step.Key] = memory{failure: out.Failures[i], generation: generation, until: e.clock.Now().Add(delay)}
		out.retryIn(delay)
	}
}

func (o *Outcome) retryIn(d time.Duration) {
	if o.RetryAfter == 0 || d < o.RetryAfter {
		o.RetryAfter = d
	}
}

// Forget drops what is remembered of an object that is gone.
func (e *Executor) Forget(object string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key := range e.failed[object] {
		e.limiter.Forget(object + "/" + key)
	}
	delete(e.failed, object)
}

// Verdicts turns the failures into waits and blocks: what passes by itself, and what somebody must mend.
func (o Outcome) Verdicts() (waits []plan.Wait, blocks []plan.Block) {
	for _, f := range o.Failures {
		v := verdicts[f.Class]
		if v.reason == "" {
			v = verdict{reason: v1alpha1.ReasonHostFailed}
		}
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
	hostagent.Conflict:        {reason: v1alpha1.ReasonVerifyingOutcome},
	hostagent.Capacity:        {reason: v1alpha1.ReasonPoolFull, blocks: true},
	hostagent.Unsupported:     {reason: v1alpha1.ReasonHostTooOld, blocks: true},
	hostagent.Invalid:         {reason: v1alpha1.ReasonInvalidSpec, blocks: true},
	hostagent.Protocol:        {reason: v1alpha1.ReasonHostFailed},
	hostagent.Internal:        {reason: v1alpha1.ReasonHostFailed},
}

// hint is the verdict's own text, else the host's words on one line.
func hint(v verdict, f Failure) string {
	if v.says != "" {
		return v.says
	}
	text := f.Err.Error()
	if _, cause, ok := strings.Cut(text, f.Step.Describe+": "); ok {
		text = cause
	}
	return strings.Join(strings.Fields(text), " ")
}
