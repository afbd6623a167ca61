package winrm

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/executor"
	"guestclustering.io/operator/pkg/hypervsim/forward"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

const password = "pa55word-of-the-operator"

// mode is one way to reach the hosts: what they take and what we are configured with.
type mode struct {
	transport Transport
	accepts   wsman.Authentication
	config    Config
	// keys gives a host's keytab, for Kerberos.
	keys func(host string) *keytab.Keytab
	// engine is a real PowerShell, which then runs what is sent; empty: the stand-in answers.
	engine string
}

func accounts() map[string]wsman.User {
	return map[string]wsman.User{"operator": {Password: password}, `guests\operator`: {Password: password}, "limited": {Password: password, Limited: true}}
}

// modes makes each way to reach the hosts, by name.
func modes(a *authority) map[string]func(t testing.TB) mode {
	secret := hostagent.NewSecret(password)
	return map[string]func(t testing.TB) mode{
		"Basic": func(testing.TB) mode {
			return mode{
				transport: HTTPS, accepts: wsman.Authentication{Users: accounts(), Basic: true},
				config: Config{Authentication: Basic, User: "operator", Password: secret},
			}
		},
		"NTLM": func(testing.TB) mode {
			return mode{
				transport: HTTPS, accepts: wsman.Authentication{Users: accounts(), NTLM: true},
				config: Config{Authentication: NTLM, User: `GUESTS\operator`, Password: secret},
			}
		},
		"NTLM sealed": func(testing.TB) mode {
			return mode{
				transport: HTTP, accepts: wsman.Authentication{Users: accounts(), NTLM: true},
				config: Config{Authentication: NTLM, User: "operator", Password: secret},
			}
		},
		"certificate": func(t testing.TB) mode {
			own := a.issue("operator", x509.ExtKeyUsageClientAuth, time.Now())
			certificate, key := pemOf(t, own)
			return mode{
				transport: HTTPS, accepts: wsman.Authentication{Users: accounts(), Certificates: map[string]string{fingerprint(own): "operator"}},
				config: Config{Authentication: Certificate, ClientCertificate: certificate, ClientKey: hostagent.NewSecret(string(key))},
			}
		},
		"Kerberos": func(t testing.TB) mode {
			k := newKDC(t)
			k.Admin("change_password -pw " + password + " operator")
			return mode{
				transport: HTTPS, accepts: wsman.Authentication{Users: accounts()},
				config: Config{Authentication: Kerberos, User: "operator@" + realm, Password: secret, KerberosConfig: k.Config},
				keys:   k.service,
			}
		},
	}
}

// cluster is a simulated host cluster whose hosts are reached over WS-Man.
type cluster struct {
	world   *hypervsim.World
	names   []string
	hosts   map[string]*wsman.Server
	config  Config
	traffic *traffic
	// changes counts the changing batches that ran.
	changes atomic.Int32
}

// counted is the world's driver, for the stand-in of the executor.
type counted struct {
	hostagent.Driver
	changes *atomic.Int32
}

func (c counted) Open(ctx context.Context, target hostagent.Target) (hostagent.Agent, error) {
	agent, err := c.Driver.Open(ctx, target)
	return countedAgent{agent, c.changes}, err
}

type countedAgent struct {
	hostagent.Agent
	changes *atomic.Int32
}

func (c countedAgent) Run(ctx context.Context, batch hostagent.Batch) (hostagent.Results, error) {
	if batch.Changes() {
		c.changes.Add(1)
	}
	return c.Agent.Run(ctx, batch)
}

var hostNames = []string{"hv01", "hv02", "hv03", "hv04"}

func newCluster(t testing.TB, a *authority, m mode, limits wsman.Limits) *cluster {
	t.Helper()
	names := hostNames
	if m.engine != "" {
		names = ownNames()
	}
	r := &cluster{world: quick(t, names), names: names, hosts: map[string]*wsman.Server{}, config: m.config, traffic: &traffic{}}
	r.config.Transport = m.transport
	program := r.standIn()
	if m.engine != "" {
		program = r.powerShell(t, m.engine)
	}
	for _, name := range names {
		if m.keys != nil {
			m.accepts.Kerberos = m.keys(name)
		}
		s := wsman.New(wsman.Config{
			Host: name, Authentication: m.accepts, Limits: limits, Observe: r.traffic.observe, Program: program,
		})
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var certificate *tls.Certificate
		if m.transport == HTTPS {
			own := a.server()
			certificate = &own
			r.config.TLS.Roots = a.pem()
		}
		s.Serve(&counting{Listener: listener, traffic: r.traffic}, certificate)
		t.Cleanup(func() { _ = s.Close() })
		r.hosts[name] = s
		r.config.Hosts = append(r.config.Hosts, Host{Name: name, Address: listener.Addr().String()})
	}
	return r
}

// standIn is the program that answers as the executor does.
func (r *cluster) standIn() wsman.Program {
	run := executor.New(counted{r.world.Driver(), &r.changes})
	return func(ctx context.Context, p wsman.Invocation) int {
		return run.Run(ctx, executor.Process{Host: p.Host, Installed: strings.Contains(p.CommandLine, "-File")}, p.Stdin, p.Stdout)
	}
}

// powerShell is the program that runs the shipped executor, whose cmdlets are the world's.
func (r *cluster) powerShell(t testing.TB, engine string) wsman.Program {
	t.Helper()
	server, err := forward.Serve(r.world, t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	server.RunTasks(engine, slog.New(slog.DiscardHandler))
	return server.Program(engine)
}

// ownNames are names that the hosts of no other test on this machine have: executors of one host know of each other by the
// name of a kernel object.
func ownNames() []string {
	names := make([]string, len(hostNames))
	for i, name := range hostNames {
		names[i] = fmt.Sprintf("%s-%d", name, os.Getpid())
	}
	return names
}

// quick is a host cluster on which nothing takes time, on a clock that runs: what a test slows, it slows in real time.
func quick(t testing.TB, names []string) *hypervsim.World {
	t.Helper()
	model := hypervsim.DefaultModel()
	model.Durations = hypervsim.Durations{MaxMigrations: 2}
	for i := range model.Hosts {
		model.Hosts[i].MemoryBytes = 1 << 40
		model.Hosts[i].Name = names[i]
	}
	model.Volumes[0].Owner = names[0]
	w, err := hypervsim.New(model, hypervsim.NewRealClock(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func (r *cluster) driver(t testing.TB) *driver {
	t.Helper()
	d, err := newDriver(r.config)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (r *cluster) open(t testing.TB, d *driver, host string) hostagent.Agent {
	t.Helper()
	agent, err := d.Open(t.Context(), hostagent.Target{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Close() })
	return agent
}

func (r *cluster) shells() int {
	n := 0
	for _, s := range r.hosts {
		n += s.Shells()
	}
	return n
}

// traffic is what went over the wire to all hosts.
type traffic struct {
	mu        sync.Mutex
	exchanges []wsman.Exchange
	bytes     int64
	// posts counts the requests that can be read on the wire, those of logins among them: over HTTP alone.
	posts int
}

func (w *traffic) observe(e wsman.Exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exchanges = append(w.exchanges, e)
}

// since gives how many requests and bytes went by since the last call.
func (w *traffic) since() (requests int, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	requests, bytes = max(len(w.exchanges), w.posts), w.bytes
	w.exchanges, w.bytes, w.posts = nil, 0, 0
	return requests, bytes
}

// counting counts the bytes of its connections.
type counting struct {
	net.Listener
	traffic *traffic
}

func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: c, traffic: l.traffic}, nil
}

type countedConn struct {
	net.Conn
	traffic *traffic
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.traffic.add(n, bytes.Count(b[:n], []byte("POST /wsman HTTP/1.1\r\n")))
	return n, err
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.traffic.add(n, 0)
	return n, err
}

func (w *traffic) add(n, posts int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes += int64(n)
	w.posts += posts
}
