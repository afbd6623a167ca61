package winrm

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"runtime"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// A batch costs one Send and one Receive, whoever logs in how, and a session logs in once on each lane.
func TestRoundTripsOfABatch(t *testing.T) {
	a := newAuthority(t)
	for name, make := range modes(a) {
		t.Run(name, func(t *testing.T) {
			r := newCluster(t, a, make(t), wsman.Limits{})
			agent := r.open(t, r.driver(t), "hv01")
			logins := r.hosts["hv01"].Attempts("operator") + r.hosts["hv01"].Attempts(`guests\operator`)
			r.traffic.since()
			const batches = 20
			for range batches {
				if _, err := agent.Run(t.Context(), reading()); err != nil {
					t.Fatal(err)
				}
			}
			if requests, _ := r.traffic.since(); requests > 2*batches+1 {
				t.Errorf("%d requests for %d batches", requests, batches)
			}
			if connected := name == "NTLM" || name == "NTLM sealed"; connected && logins != 2 {
				t.Errorf("%d logins, want one on each lane", logins)
			}
		})
	}
}

// BenchmarkRun is one small batch after the other. The requests and bytes are those of HTTP, both ways.
func BenchmarkRun(b *testing.B) {
	a := newAuthority(b)
	for _, name := range []string{"Basic", "NTLM", "NTLM sealed", "certificate", "Kerberos"} {
		b.Run(name, func(b *testing.B) { benchmark(b, a, name, nil, reading()) })
	}
	b.Run("one-shot, NTLM sealed", func(b *testing.B) {
		benchmark(b, a, "NTLM sealed", func(c *Config) { c.OneShot = true }, reading())
	})
}

// BenchmarkCallers is 8 callers at once.
func BenchmarkCallers(b *testing.B) {
	a := newAuthority(b)
	for _, name := range []string{"NTLM", "NTLM sealed"} {
		b.Run(name, func(b *testing.B) {
			r := newCluster(b, a, modes(a)[name](b), wsman.Limits{})
			agent := r.open(b, r.driver(b), "hv01")
			r.traffic.since()
			b.SetParallelism((8 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
			b.ResetTimer()
			b.RunParallel(func(next *testing.PB) {
				for next.Next() {
					if _, err := agent.Run(b.Context(), reading()); err != nil {
						b.Error(err)
					}
				}
			})
			r.report(b)
		})
	}
}

// BenchmarkLargeAnswer is an answer of 4 MB that compresses badly.
func BenchmarkLargeAnswer(b *testing.B) {
	a := newAuthority(b)
	random := make([]byte, 2<<20)
	_, _ = rand.Read(random) // never fails
	text := hex.EncodeToString(random)
	list := hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{
		ID: "list", Cmdlet: "Get-StampedFolder", Parameters: hostagent.Parameters{"Pool": hostagent.Texts(`C:\ClusterStorage\Gold`)}, Select: []string{"Path", "Stamp"},
	}}}
	for _, name := range []string{"NTLM", "NTLM sealed"} {
		b.Run(name, func(b *testing.B) {
			benchmark(b, a, name, func(*Config) {}, list, func(w *hypervsim.World) error { return w.AddFolder(`C:\ClusterStorage\Gold\large`, text) })
		})
	}
}

// BenchmarkInventory reads 150 machines in one batch.
func BenchmarkInventory(b *testing.B) {
	a := newAuthority(b)
	list := hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{
		ID: "vms", Cmdlet: "Get-VM", Select: []string{"Id", "Name", "State", "Status", "Uptime", "ConfigurationLocation", "Generation", "Version", "Heartbeat"},
	}}}
	fill := func(w *hypervsim.World) error {
		for i := range 150 {
			if _, err := w.AddForeignVM("hv01", fmt.Sprintf("vm%03d", i), `C:\ClusterStorage\Gold`, ""); err != nil {
				return err
			}
		}
		return nil
	}
	b.Run("NTLM", func(b *testing.B) { benchmark(b, a, "NTLM", nil, list, fill) })
	b.Run("one-shot, NTLM sealed", func(b *testing.B) {
		benchmark(b, a, "NTLM sealed", func(c *Config) { c.OneShot = true }, list, fill)
	})
}

func benchmark(b *testing.B, a *authority, name string, change func(*Config), batch hostagent.Batch, fill ...func(*hypervsim.World) error) {
	b.Helper()
	m := modes(a)[name](b)
	if change != nil {
		change(&m.config)
	}
	r := newCluster(b, a, m, wsman.Limits{})
	for _, f := range fill {
		if err := f(r.world); err != nil {
			b.Fatal(err)
		}
	}
	agent := r.open(b, r.driver(b), "hv01")
	r.traffic.since()
	for b.Loop() {
		results, err := agent.Run(b.Context(), batch)
		if err != nil || results[0].State != hostagent.Done {
			b.Fatal(err, results)
		}
	}
	r.report(b)
}

func (r *cluster) report(b *testing.B) {
	b.Helper()
	requests, bytes := r.traffic.since()
	b.ReportMetric(float64(requests)/float64(b.N), "requests/op")
	b.ReportMetric(float64(bytes)/float64(b.N), "bytes/op")
}
