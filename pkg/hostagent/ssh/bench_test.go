package ssh

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh/knownhosts"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
)

const pool = `C:\ClusterStorage\Gold`

// BenchmarkRun is one small batch after the other, over a process that stays, and with a process and a login for each.
func BenchmarkRun(b *testing.B) {
	b.Run(stays, func(b *testing.B) { benchmark(b, false, reading) })
	b.Run("one-shot", func(b *testing.B) { benchmark(b, true, reading) })
}

// stays names the benchmarks of a process that stays.
const stays = "a process that stays"

// BenchmarkCallers is 8 callers at once.
func BenchmarkCallers(b *testing.B) { b.Run(stays, benchmarkCallers) }

func benchmarkCallers(b *testing.B) {
	s, _ := newRack(b)
	bytes := s.count()
	agent := s.open(b)
	bytes.Store(0)
	b.SetParallelism((8 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(next *testing.PB) {
		for next.Next() {
			if _, err := agent.Run(b.Context(), reading); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(bytes.Load())/float64(b.N), "bytes/op")
}

// BenchmarkLargeAnswer is an answer of 4 MB that compresses badly.
func BenchmarkLargeAnswer(b *testing.B) {
	random := make([]byte, 2<<20)
	_, _ = rand.Read(random) // never fails
	list := batch("Get-StampedFolder", hostagent.Parameters{"Pool": hostagent.Texts(pool)})
	list.Calls[0].Select = []string{"Path", "Stamp"}
	b.Run(stays, func(b *testing.B) {
		benchmark(b, false, list, func(w *hypervsim.World) error { return w.AddFolder(pool+`\large`, hex.EncodeToString(random)) })
	})
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
	b.Run(stays, func(b *testing.B) { benchmark(b, false, list, fill) })
	b.Run("one-shot", func(b *testing.B) { benchmark(b, true, list, fill) })
}

func benchmark(b *testing.B, oneShot bool, list hostagent.Batch, fill ...func(*hypervsim.World) error) {
	b.Helper()
	s, w := newRack(b)
	s.config.OneShot = oneShot
	for _, f := range fill {
		ok(b, f(w))
	}
	bytes := s.count()
	agent := s.open(b)
	bytes.Store(0)
	for b.Loop() {
		results, err := agent.Run(b.Context(), list)
		if err != nil || results[0].State != hostagent.Done {
			b.Fatal(err, results)
		}
	}
	b.ReportMetric(float64(bytes.Load())/float64(b.N), "bytes/op")
}

// count lets connections go through something that counts the bytes of both directions.
func (s *servers) count() *atomic.Int64 {
	s.t.Helper()
	var bytes atomic.Int64
	for i, host := range s.config.Hosts {
		listener, err := (&net.ListenConfig{}).Listen(s.t.Context(), "tcp", "127.0.0.1:0")
		ok(s.t, err)
		s.listeners = append(s.listeners, listener)
		s.config.Hosts[i].Address = listener.Addr().String()
		s.config.KnownHosts = strings.ReplaceAll(s.config.KnownHosts, knownhosts.Normalize(host.Address), knownhosts.Normalize(listener.Addr().String()))
		s.group.Go(func() {
			for {
				client, err := listener.Accept()
				if err != nil {
					return
				}
				s.group.Go(func() { s.relay(client, host.Address, &bytes) })
			}
		})
	}
	return &bytes
}

func (s *servers) relay(client net.Conn, address string, bytes *atomic.Int64) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	s.group.Go(func() {
		_, _ = io.Copy(counter{server, bytes}, client)
		server.Close()
	})
	_, _ = io.Copy(counter{client, bytes}, server)
}

type counter struct {
	to    io.Writer
	bytes *atomic.Int64
}

func (c counter) Write(b []byte) (int, error) {
	c.bytes.Add(int64(len(b)))
	return c.to.Write(b)
}

func (s *servers) open(b *testing.B) hostagent.Agent {
	b.Helper()
	agent, err := s.driver().Open(b.Context(), hostagent.Target{Host: "hv01"})
	ok(b, err)
	b.Cleanup(func() { _ = agent.Close() })
	return agent
}
