package executor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim/executor"
)

// answering is a world whose host answers every batch with the same.
type answering struct{ results hostagent.Results }

func (a answering) Open(context.Context, hostagent.Target) (hostagent.Agent, error) { return a, nil }
func (a answering) Run(context.Context, hostagent.Batch) (hostagent.Results, error) {
	return a.results, nil
}
func (answering) Close() error { return nil }

func answer(values ...hostagent.Object) hostagent.Results {
	return hostagent.Results{{ID: "a", State: hostagent.Done, Values: values}}
}

func batchOf(cmdlet string) hostagent.Batch {
	return hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a", Cmdlet: cmdlet, Select: []string{"Name"}}}}
}

func benchmark(b *testing.B, results hostagent.Results, callers int) {
	b.Helper()
	r := &rack{executor: executor.New(answering{results})}
	agent, err := r.Open(b.Context(), hostagent.Target{Host: "hv02"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 && errs[i] == nil {
				_, errs[i] = agent.Run(b.Context(), batchOf("Get-VM"))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	if err := errors.Join(errors.Join(errs...), agent.Close()); err != nil {
		b.Fatal(err)
	}
	r.running.Wait()
}

func BenchmarkSessionCall(b *testing.B) { benchmark(b, answer(hostagent.Object{"Name": "vm1"}), 1) }

func BenchmarkSession8Callers(b *testing.B) { benchmark(b, answer(hostagent.Object{"Name": "vm1"}), 8) }

// BenchmarkSession4MB reads an answer of 4 MB of JSON.
func BenchmarkSession4MB(b *testing.B) {
	var values []hostagent.Object
	for i := range 4 << 10 {
		values = append(values, hostagent.Object{"Name": fmt.Sprint(i), "Path": strings.Repeat(fmt.Sprint(i*7919%1000), 1000/len(fmt.Sprint(i*7919%1000)))})
	}
	benchmark(b, answer(values...), 1)
}
