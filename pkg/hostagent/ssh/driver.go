package ssh

import (
	"context"
	"sync"

	"golang.org/x/crypto/ssh"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
	"guestclustering.io/operator/pkg/hostagent/session"
)

type driver struct {
	config Config
	hosts  *rack.Directory
	known  knownHosts
	// signer is nil where a password is used.
	signer ssh.Signer
	gate   *rack.Gate
	// memories are what sessions remember of a host, by its address.
	memories sync.Map
}

// Open starts a PowerShell on the host, and returns once what an earlier one changes there has ended. A target without a
// host is tried on the listed ones in turn.
func (d *driver) Open(ctx context.Context, target hostagent.Target) (hostagent.Agent, error) {
	return d.hosts.Open(ctx, target, func(ctx context.Context, host rack.Host) (hostagent.Agent, error) {
		memory, _ := d.memories.LoadOrStore(host.Address, &session.Memory{})
		return session.Open(ctx, d.starter(host, target), session.Options{
			Target: target, Installed: d.config.Installed, OneShot: d.config.OneShot,
			Memory: memory.(*session.Memory), Log: d.config.Log, Clock: d.config.Clock,
		})
	})
}

// starter gives what starts a PowerShell on the host.
func (d *driver) starter(host rack.Host, target hostagent.Target) session.Start {
	return func(ctx context.Context, program, arguments string) (session.Process, error) {
		fail := func(op string, err error) error {
			class, why := judge(ctx, host, err)
			return &hostagent.Error{Class: class, Op: op, Target: target, Err: why}
		}
		client, err := d.connect(ctx, host)
		if err != nil {
			return nil, fail("connect", err)
		}
		p, err := start(ctx, client, program+" "+arguments)
		if err != nil {
			_ = client.Close()
			return nil, fail("start PowerShell", err)
		}
		p.lost = func(err error) error {
			return &hostagent.Error{Class: hostagent.Unreachable, Op: "talk to PowerShell", Target: target, Err: err}
		}
		p.background.Go(func() { p.keepAlive(d.config.Clock) })
		return p, nil
	}
}
