package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/conformance"
	"guestclustering.io/operator/pkg/hypervsim"
)

// defective is a driver with one defect: open and run stand before those of the driver below, which they are given.
type defective struct {
	hostagent.Driver
	open func(context.Context, hostagent.Target, hostagent.Driver) (hostagent.Agent, error)
	run  func(context.Context, hostagent.Batch, hostagent.Agent) (hostagent.Results, error)
}

func (d *defective) Open(ctx context.Context, target hostagent.Target) (hostagent.Agent, error) {
	open := d.open
	if open == nil {
		open = func(ctx context.Context, t hostagent.Target, below hostagent.Driver) (hostagent.Agent, error) {
			return below.Open(ctx, t)
		}
	}
	agent, err := open(ctx, target, d.Driver)
	if err != nil || d.run == nil {
		return agent, err
	}
	return defectiveAgent{agent, d}, nil
}

type defectiveAgent struct {
	hostagent.Agent
	driver *defective
}

func (a defectiveAgent) Run(ctx context.Context, b hostagent.Batch) (hostagent.Results, error) {
	return a.driver.run(ctx, b, a.Agent)
}

// defects by the case of the suite that must find each.
var defects = map[string]func() *defective{
	"text":                 inValues(func(v any) any { return ifText(v, strings.TrimSpace) }),
	"numbers and Booleans": inValues(roundNumber),
	"lists":                inParameters(firstOnly),
	"large answers":        inValues(func(v any) any { return ifText(v, func(s string) string { return s[:min(len(s), 1<<20)] }) }),
	"live objects":         sending(skipSettingThroughRefs),
	"properties":           inParameters(anotherProperty),
	"lists of refs":        inParameters(firstOnly),
	"selection":            inResults(func(r *hostagent.Result) { dropNulls(r.Values) }),
	"lists stay lists":     inValues(unwrapLone),
	"values beside errors": inResults(func(r *hostagent.Result) {
		if r.State == hostagent.Failed {
			r.Values = nil
		}
	}),
	"stop":                   sending(func(b *hostagent.Batch) { b.OnError = hostagent.Continue }),
	"continue":               sending(func(b *hostagent.Batch) { b.OnError = hostagent.Stop }),
	"unknown cmdlets":        inResults(func(r *hostagent.Result) { r.Errors = nil }),
	"absent hosts":           func() *defective { return &defective{open: reclassified(hostagent.NotFound)} },
	"any host":               func() *defective { return &defective{open: needsHost} },
	"batches that are wrong": sending(func(b *hostagent.Batch) { b.OnError, b.Calls = hostagent.Stop, b.Calls[:1] }),
	"secrets":                func() *defective { return &defective{run: echoing} },
	"guests": inResults(func(r *hostagent.Result) {
		for i := range r.Errors {
			r.Errors[i].FullyQualifiedErrorID = ""
		}
	}),
	"calls side by side":    func() *defective { return &defective{run: answeringAsBefore()} },
	"reading given up":      func() *defective { return &defective{run: failing(hostagent.OutcomeUnknown)} },
	"changing given up":     func() *defective { return &defective{run: failing(hostagent.Timeout)} },
	"given up beforehand":   func() *defective { return &defective{run: deaf} },
	"opening waits":         func() *defective { return &defective{open: openedInAdvance()} },
	"sessions side by side": func() *defective { return &defective{open: sharingOne()} },
}

const defectVariable = "CONFORMANCE_DEFECT"

// TestTheSuiteFindsEveryDefect runs each case of the suite on a driver with a defect that this case must find, in a
// process of its own, for the case must fail there.
func TestTheSuiteFindsEveryDefect(t *testing.T) {
	for name := range defects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pattern := "^TestDefectiveDriver$/^" + strings.ReplaceAll(name, " ", "_") + "$"
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", pattern, "-test.v")
			cmd.Env = append(os.Environ(), defectVariable+"="+name)
			out, err := cmd.CombinedOutput()
			var failed *exec.ExitError
			if !errors.As(err, &failed) || !strings.Contains(string(out), "--- FAIL: TestDefectiveDriver/") {
				t.Errorf("the defect was not found: %v\n%s", err, out)
			}
		})
	}
}

func TestDefectiveDriver(t *testing.T) {
	defect, ok := defects[os.Getenv(defectVariable)]
	if !ok {
		t.Skip("runs within TestTheSuiteFindsEveryDefect")
	}
	conformance.Run(t, func(t *testing.T) conformance.Subject {
		model := hypervsim.DefaultModel()
		model.Durations = hypervsim.Durations{MaxMigrations: 2}
		w, err := hypervsim.New(model, hypervsim.NewRealClock(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Close)
		d := defect()
		d.Driver = w.Driver()
		return conformance.Subject{
			Driver: d, Host: "hv02", Absent: "hv99", Pool: `C:\ClusterStorage\Gold`,
			Slow: func(t *testing.T, cmdlet string, by time.Duration) {
				if _, err := w.AddFault(hypervsim.Fault{Cmdlet: cmdlet, Count: 1, Kind: hypervsim.Delay, Delay: by}); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

// sending changes batches on their way.
func sending(change func(*hostagent.Batch)) func() *defective {
	return func() *defective {
		return &defective{run: func(ctx context.Context, b hostagent.Batch, below hostagent.Agent) (hostagent.Results, error) {
			change(&b)
			return below.Run(ctx, b)
		}}
	}
}

// inParameters changes every parameter on its way.
func inParameters(change func(hostagent.Value) hostagent.Value) func() *defective {
	return sending(func(b *hostagent.Batch) {
		b.Calls = slices.Clone(b.Calls)
		for i, c := range b.Calls {
			changed := hostagent.Parameters{}
			for name, v := range c.Parameters {
				changed[name] = change(v)
			}
			b.Calls[i].Parameters = changed
		}
	})
}

// inResults changes every result on its way.
func inResults(change func(*hostagent.Result)) func() *defective {
	return func() *defective {
		return &defective{run: func(ctx context.Context, b hostagent.Batch, below hostagent.Agent) (hostagent.Results, error) {
			results, err := below.Run(ctx, b)
			for i := range results {
				change(&results[i])
			}
			return results, err
		}}
	}
}

// inValues changes every property of every value on its way.
func inValues(change func(any) any) func() *defective {
	return inResults(func(r *hostagent.Result) {
		for _, v := range r.Values {
			for name, p := range v {
				v[name] = change(p)
			}
		}
	})
}

func ifText(v any, change func(string) string) any {
	if s, ok := v.(string); ok {
		return change(s)
	}
	return v
}

func roundNumber(v any) any {
	if n, ok := v.(json.Number); ok {
		f, _ := n.Float64()
		return f
	}
	return v
}

func unwrapLone(v any) any {
	if l, ok := v.([]any); ok && len(l) == 1 {
		return l[0]
	}
	return v
}

func dropNulls(values []hostagent.Object) {
	for _, v := range values {
		for name, p := range v {
			if p == nil {
				delete(v, name)
			}
		}
	}
}

func firstOnly(v hostagent.Value) hostagent.Value {
	if l, ok := v.(hostagent.List); ok {
		return l[:1]
	}
	return v
}

func anotherProperty(v hostagent.Value) hostagent.Value {
	if r, ok := v.(hostagent.Ref); ok && r.Property != "" {
		r.Property = "Name"
		return r
	}
	return v
}

func skipSettingThroughRefs(b *hostagent.Batch) {
	for i, c := range b.Calls {
		if c.Cmdlet == "Set-VM" {
			b.Calls[i] = hostagent.Call{ID: c.ID, Cmdlet: "Get-VMHost"}
		}
	}
}

func reclassified(class hostagent.Class) func(context.Context, hostagent.Target, hostagent.Driver) (hostagent.Agent, error) {
	return func(ctx context.Context, t hostagent.Target, below hostagent.Driver) (hostagent.Agent, error) {
		agent, err := below.Open(ctx, t)
		if err != nil {
			return nil, &hostagent.Error{Class: class, Op: "open", Target: t, Err: err}
		}
		return agent, nil
	}
}

func needsHost(ctx context.Context, t hostagent.Target, below hostagent.Driver) (hostagent.Agent, error) {
	if t.Host == "" {
		return nil, &hostagent.Error{Class: hostagent.Invalid, Op: "open", Target: t}
	}
	return below.Open(ctx, t)
}

// echoing puts the batch as it was sent into the errors of its calls.
func echoing(ctx context.Context, b hostagent.Batch, below hostagent.Agent) (hostagent.Results, error) {
	results, err := below.Run(ctx, b)
	sent, _ := hostagent.EncodeBatch(b)
	for i := range results {
		for j := range results[i].Errors {
			results[i].Errors[j].Message += string(sent)
		}
	}
	return results, err
}

// answeringAsBefore gives every second batch the answer of the first.
func answeringAsBefore() func(context.Context, hostagent.Batch, hostagent.Agent) (hostagent.Results, error) {
	var mu sync.Mutex
	var first hostagent.Results
	return func(ctx context.Context, b hostagent.Batch, below hostagent.Agent) (hostagent.Results, error) {
		results, err := below.Run(ctx, b)
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = results
		}
		return first, err
	}
}

func failing(class hostagent.Class) func(context.Context, hostagent.Batch, hostagent.Agent) (hostagent.Results, error) {
	return func(ctx context.Context, b hostagent.Batch, below hostagent.Agent) (hostagent.Results, error) {
		results, err := below.Run(ctx, b)
		if err != nil {
			return nil, &hostagent.Error{Class: class, Op: "run", Err: err}
		}
		return results, nil
	}
}

// deaf does not hear that nobody waits.
func deaf(ctx context.Context, b hostagent.Batch, below hostagent.Agent) (hostagent.Results, error) {
	_, err := below.Run(context.WithoutCancel(ctx), b)
	if err == nil && ctx.Err() != nil {
		return nil, &hostagent.Error{Class: hostagent.Canceled, Op: "run"}
	}
	return below.Run(ctx, b)
}

// openedInAdvance hands out sessions that it opened before they were asked for.
func openedInAdvance() func(context.Context, hostagent.Target, hostagent.Driver) (hostagent.Agent, error) {
	var ready []hostagent.Agent
	return func(ctx context.Context, t hostagent.Target, below hostagent.Driver) (hostagent.Agent, error) {
		for len(ready) < 3 {
			agent, err := below.Open(ctx, t)
			if err != nil {
				return nil, err
			}
			ready = append(ready, agent)
		}
		agent := ready[0]
		ready = append(ready[1:], agent)
		return agent, nil
	}
}

// sharingOne gives everybody the same session.
func sharingOne() func(context.Context, hostagent.Target, hostagent.Driver) (hostagent.Agent, error) {
	var one hostagent.Agent
	return func(ctx context.Context, t hostagent.Target, below hostagent.Driver) (hostagent.Agent, error) {
		var err error
		if one == nil {
			one, err = below.Open(ctx, t)
		}
		return one, err
	}
}
