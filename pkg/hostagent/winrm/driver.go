package winrm

import (
	"context"
	"crypto/tls"
	"slices"
	"sync"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
	"guestclustering.io/operator/pkg/hostagent/session"
)

type driver struct {
	config      Config
	hosts       *rack.Directory
	tls         *tls.Config
	credentials credentials
	leftovers   leftovers
	memories    memories
}

func newDriver(c Config) (*driver, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	d := &driver{config: c}
	var err error
	if d.hosts, err = rack.NewDirectory(c.Hosts); err != nil {
		return nil, err
	}
	if d.tls, err = newTLS(c); err != nil {
		return nil, err
	}
	d.credentials, err = newCredentials(c)
	return d, err
}

// Open starts a PowerShell on the host, and returns once what an earlier one changes there has ended. A target without a
// host is tried on the listed ones in turn.
func (d *driver) Open(ctx context.Context, target hostagent.Target) (hostagent.Agent, error) {
	return d.hosts.Open(ctx, target, func(ctx context.Context, host Host) (hostagent.Agent, error) {
		return d.open(ctx, host, target)
	})
}

func (d *driver) open(ctx context.Context, host Host, target hostagent.Target) (hostagent.Agent, error) {
	logins, err := d.hold(ctx, host, target)
	if err != nil {
		return nil, err
	}
	left := d.leftovers.take(host)
	a, err := session.Open(ctx, d.starter(host, target), session.Options{
		Target: target, Installed: d.config.Installed, OneShot: d.config.OneShot, Memory: d.memories.of(host), Log: d.config.Log,
	})
	if err != nil {
		d.leftovers.add(host, left...)
		logins.release()
		return nil, err
	}
	d.sweep(ctx, host, target, logins, left)
	return &agent{Agent: a, release: sync.OnceFunc(logins.release)}, nil
}

// agent holds the login while the session is open, so that the processes of one session share it.
type agent struct {
	hostagent.Agent
	release func()
}

func (a *agent) Close() error {
	defer a.release()
	return a.Agent.Close()
}

func (d *driver) hold(ctx context.Context, host Host, target hostagent.Target) (logins, error) {
	held, err := d.credentials.hold(ctx)
	if err != nil {
		return logins{}, (&lane{host: host, target: target}).failure(ctx, "log in", err)
	}
	return held, nil
}

// starter gives what starts a PowerShell on the host.
func (d *driver) starter(host Host, target hostagent.Target) session.Start {
	return func(ctx context.Context, program, arguments string) (session.Process, error) {
		logins, err := d.hold(ctx, host, target)
		if err != nil {
			return nil, err
		}
		p := d.newProcess(host, target, logins)
		if err := p.start(ctx, program, arguments); err != nil {
			p.end(errEnded)
			p.release()
			return nil, err
		}
		return p, nil
	}
}

func (d *driver) newProcess(host Host, target hostagent.Target, logins logins) *process {
	config := serverTLS(d.tls, host)
	p := &process{
		tx:    newLane(host, target, config, logins.lane(host)),
		rx:    newLane(host, target, config, logins.lane(host)),
		leave: func(shell string) { d.leftovers.add(host, shell) },
		pause: busyPause,
	}
	p.writer = newWriter(p.tx.url)
	p.life, p.end = context.WithCancelCause(context.Background())
	p.release = sync.OnceFunc(func() {
		p.tx.close()
		p.rx.close()
		logins.release()
	})
	return p
}

// sweep deletes the shells that earlier processes left on the host: it has just said that nothing of ours is under way
// in them. What cannot be deleted now is deleted later, or by the host once it is idle.
func (d *driver) sweep(ctx context.Context, host Host, target hostagent.Target, logins logins, shells []string) {
	if len(shells) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, afterwards)
	defer cancel()
	l := newLane(host, target, serverTLS(d.tls, host), logins.lane(host))
	defer l.close()
	w := newWriter(l.url)
	for _, shell := range shells {
		if err := deleteShell(ctx, l, w, shell); err != nil {
			d.leftovers.add(host, shell)
		}
	}
}

// maxLeftovers bounds what is remembered of one host: as many shells as an account may have there by Windows' default. The
// host itself removes older ones.
const maxLeftovers = 30

// leftovers are shells by the address of their host.
type leftovers struct {
	mu     sync.Mutex
	shells map[string][]string
}

func (l *leftovers) add(host Host, shells ...string) {
	if len(shells) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shells == nil {
		l.shells = map[string][]string{}
	}
	all := append(l.shells[host.Address], shells...)
	l.shells[host.Address] = slices.Clone(all[max(len(all)-maxLeftovers, 0):])
}

// take gives those of one host, and forgets them.
func (l *leftovers) take(host Host) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	shells := l.shells[host.Address]
	delete(l.shells, host.Address)
	return shells
}

// memories are what sessions remember of a host, by its address.
type memories struct{ sync.Map }

func (m *memories) of(host Host) *session.Memory {
	memory, _ := m.LoadOrStore(host.Address, &session.Memory{})
	return memory.(*session.Memory)
}
