// Package remoting serves the hosts of a simulated world as their WinRM services do: a listener for each host, an account,
// certificates, and a PowerShell in every shell, which is the Go stand-in of the executor or a real engine.
package remoting

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"

	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// user is the account that may log on.
const user = `SIM\operator`

// Options say what is served. All addresses are on loopback.
type Options struct {
	// HTTPS and HTTP are where the first host listens, as host:port; the others take the ports after it, in the order of the
	// world's state. Port 0 takes free ports. Empty: not at all.
	HTTPS, HTTP string
	// Directory gets the files that clients need: see write.
	Directory string
	// Keytab is a file with the keys of the hosts' Kerberos services, HTTP/<host>; empty: no Kerberos.
	Keytab string
	// PowerShell is the program of a real engine, which runs what clients send; empty: a stand-in runs the executor's part.
	PowerShell string
	Log        *slog.Logger
}

// Service is the WinRM services of a world's hosts.
type Service struct {
	world *hypervsim.World
	log   *slog.Logger
	hosts []*host

	// program is what runs in shells; end ends what that needs.
	program wsman.Program
	end     func() error
	stop    context.CancelFunc
	wait    sync.WaitGroup
}

// host is one host's service.
type host struct {
	name        string
	server      *wsman.Server
	https, http int
}

// Start serves every host that the world has. Close ends it.
func Start(ctx context.Context, world *hypervsim.World, o Options) (*Service, error) {
	keys, err := newKeys(o.Keytab)
	if err != nil {
		return nil, err
	}
	s := &Service{world: world, log: o.Log}
	if s.program, s.end, err = newProgram(world, o); err != nil {
		return nil, err
	}
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	for i, h := range world.State().Hosts {
		if err := s.serve(ctx, following, h.Name, i, keys, o); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if err := keys.write(o.Directory, s.hosts); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// serve starts one host's service.
func (s *Service) serve(ctx, following context.Context, name string, at int, k *keys, o Options) error {
	certificate, expired, err := k.host(name)
	if err != nil {
		return err
	}
	h := &host{name: name, server: wsman.New(wsman.Config{
		Host: name, Program: s.program, Authentication: k.authentication(), Expired: expired,
	})}
	s.hosts = append(s.hosts, h)
	if h.https, err = listen(ctx, h.server, o.HTTPS, at, certificate); err != nil {
		return err
	}
	if h.http, err = listen(ctx, h.server, o.HTTP, at, nil); err != nil {
		return err
	}
	s.log.Info("Serving WinRM", "host", name, "https", h.https, "http", h.http)
	s.wait.Go(func() { s.follow(following, h) })
	return nil
}

// listen takes the port after as many others, and gives it; 0 when there is no address.
func listen(ctx context.Context, server *wsman.Server, address string, after int, certificate *tls.Certificate) (int, error) {
	if address == "" {
		return 0, nil
	}
	ip, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, fmt.Errorf("the address of the first host is %q: want host:port, such as 127.0.0.1:7986", address)
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		return 0, fmt.Errorf("the address of the first host is %q: the port is a number", address)
	}
	if first != 0 {
		first += after
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(ip, strconv.Itoa(first)))
	if err != nil {
		return 0, fmt.Errorf("listening for WinRM: %w", err)
	}
	server.Serve(l, certificate)
	return l.Addr().(*net.TCPAddr).Port, nil
}

// follow lets a service go with its host's power. A host that was off and on between two looks has restarted.
func (s *Service) follow(ctx context.Context, h *host) {
	last := s.world.Power(h.name)
	h.server.SetPower(last.On)
	for {
		select {
		case <-last.Changed:
		case <-ctx.Done():
			return
		}
		now := s.world.Power(h.name)
		if !last.On || !now.On || !last.Booted.Equal(now.Booted) {
			h.server.SetPower(false)
		}
		h.server.SetPower(now.On)
		last = now
	}
}

// Server gives the service of a host, or nil.
func (s *Service) Server(name string) *wsman.Server {
	for _, h := range s.hosts {
		if strings.EqualFold(h.name, name) {
			return h.server
		}
	}
	return nil
}

// Close ends every service and what runs in its shells.
func (s *Service) Close() error {
	s.stop()
	s.wait.Wait()
	var errs []error
	for _, h := range s.hosts {
		errs = append(errs, h.server.Close())
	}
	return errors.Join(append(errs, s.end())...)
}

// keys are what hosts and clients know each other by.
type keys struct {
	authority *wsman.Authority
	client    tls.Certificate
	password  string
	// kerberos are the keys of the hosts' services, or nil.
	kerberos *keytab.Keytab
}

func newKeys(file string) (*keys, error) {
	k := &keys{password: rand.Text()}
	var err error
	if file != "" {
		if k.kerberos, err = keytab.Load(file); err != nil {
			return nil, fmt.Errorf("reading the keytab %s: %w", file, err)
		}
	}
	if k.authority, err = wsman.NewAuthority(); err != nil {
		return nil, err
	}
	k.client, err = k.authority.Client("operator")
	return k, err
}

// host issues a host's certificate, and one that was good until yesterday.
func (k *keys) host(name string) (good, expired *tls.Certificate, err error) {
	names := []string{strings.ToLower(name)}
	issue := func(until time.Time) (*tls.Certificate, error) {
		c, err := k.authority.Host(until, names...)
		return &c, err
	}
	if good, err = issue(time.Time{}); err != nil {
		return nil, nil, err
	}
	expired, err = issue(time.Now().Add(-24 * time.Hour))
	return good, expired, err
}

func (k *keys) authentication() wsman.Authentication {
	return wsman.Authentication{
		// The bare name is that of a ticket, whose realm is any.
		Users: map[string]wsman.User{user: {Password: k.password}, "operator": {Password: k.password}}, Basic: true, NTLM: true, Kerberos: k.kerberos,
		Certificates: map[string]string{wsman.Fingerprint(k.client.Leaf): user},
	}
}
