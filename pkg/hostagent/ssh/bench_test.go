package ssh

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"runtime"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
)

const pool = `C:\ClusterStorage\Gold`

// BenchmarkRun is one small batch after the other, over a process that stays, and with a process and a login for each.
func BenchmarkRun(b *testing.B) {
	b.Run("a process that stays", func(b *testing.B) { benchmark(b, false, reading) })
	b.Run("one-shot", func(b *testing.B) { benchmark(b, true, reading) })
}

// BenchmarkCallers is 8 callers at once.
func BenchmarkCallers(b *testing.B) {
	s, _ := newRack(b)
	agent := s.open(b)
	b.SetParallelism((8 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(next *testing.PB) {
		for next.Next() {
			if _, err := agent.Run(b.Context(), reading); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkLargeAnswer is an answer of 4 MB that compresses badly.
func BenchmarkLargeAnswer(b *testing.B) {
	random := make([]byte, 2<<20)
	_, _ = rand.Read(random) // never fails
	list := batch("Get-StampedFolder", hostagent.Parameters{"Pool": hostagent.Texts(pool)})
	list.Calls[0].Select = []string{"Path", "Stamp"}
	benchmark(b, false, list, func(w *hypervsim.World) error { return w.AddFolder(pool+`\large`, hex.EncodeToString(random)) })
}

// BenchmarkInventory reads 150 machines in one batch.
func BenchmarkInventory(b *testing.B) {
	list := batch("Get-VM", nil)
	list.Calls[0].Select = []string{"Id", "Name", "State", "Status", "Uptime", "ConfigurationLocation", "Generation", "Version", "Heartbeat"}
	fill := func(w *hypervsim.World) error {
		for i := range 150 {
			if _, err := w.AddForeignVM("hv01", fmt.Sprintf("vm%03d", i), pool, ""); err != nil {
				return err
			}
		}
		return nil
	}
	b.Run("a process that stays", func(b *testing.B) { benchmark(b, false, list, fill) })
	b.Run("one-shot", func(b *testing.B) { benchmark(b, true, list, fill) })
}

func benchmark(b *testing.B, oneShot bool, list hostagent.Batch, fill ...func(*hypervsim.World) error) {
	b.Helper()
	s, w := newRack(b)
	s.config.OneShot = oneShot
	for _, f := range fill {
		ok(b, f(w))
	}
	agent := s.open(b)
	for b.Loop() {
		results, err := agent.Run(b.Context(), list)
		if err != nil || results[0].State != hostagent.Done {
			b.Fatal(err, results)
		}
	}
}

func (s *servers) open(b *testing.B) hostagent.Agent {
	b.Helper()
	agent, err := s.driver().Open(b.Context(), hostagent.Target{Host: "hv01"})
	ok(b, err)
	b.Cleanup(func() { _ = agent.Close() })
	return agent
}
