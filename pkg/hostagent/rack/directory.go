// Package rack holds what drivers of real hosts share beside the session: where hosts are, which one stands for any, and
// how credentials are tried on them.
package rack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"guestclustering.io/operator/pkg/hostagent"
)

// Host is one host and where it is reached.
type Host struct {
	// Name is the computer name.
	Name string
	// Address is host:port; what proves itself is asked to be this host.
	Address string
	// Connect is where to connect instead, as host:port, when the address does not lead there; empty: to the address.
	Connect string
}

// Endpoint is where to connect, as host:port.
func (h Host) Endpoint() string { return cmp.Or(h.Connect, h.Address) }

// Directory knows where hosts are.
type Directory struct {
	listed []Host
	// suffix and port are those of the first listed host whose address has a DNS name.
	suffix, port string
	// next is where a target that names no host is tried first: the listed host that answered last.
	next atomic.Int64
}

// NewDirectory checks the list of hosts.
func NewDirectory(hosts []Host) (*Directory, error) {
	if len(hosts) == 0 {
		return nil, errors.New("no hosts are listed; name at least one with its address")
	}
	d := &Directory{listed: hosts}
	for _, h := range hosts {
		name, port, err := net.SplitHostPort(h.Address)
		if err != nil || name == "" || port == "" || h.Name == "" {
			return nil, fmt.Errorf("the host %q has the address %q; give both, the address as name:port, such as hv01.example.com:22", h.Name, h.Address)
		}
		if d.port == "" && net.ParseIP(name) == nil {
			_, d.suffix, _ = strings.Cut(name, ".")
			d.port = port
		}
	}
	return d, nil
}

// Find gives the host of that computer name. One that is not listed is reached by its name with the DNS suffix and the port
// of the first listed one that has a DNS name.
func (d *Directory) Find(name string) (Host, error) {
	for _, h := range d.listed {
		if strings.EqualFold(h.Name, name) {
			return h, nil
		}
	}
	if d.port == "" {
		return Host{}, fmt.Errorf("the host %s is not listed, and the listed ones have IP addresses, which do not tell where it is; list it too", name)
	}
	full := name
	if d.suffix != "" && !strings.Contains(name, ".") {
		full = name + "." + d.suffix
	}
	return Host{Name: name, Address: net.JoinHostPort(full, d.port)}, nil
}

// Open opens a session with the target's host, as Driver.Open promises. A target without a host is tried on each listed one
// once, until one answers or refuses the credentials.
func (d *Directory) Open(ctx context.Context, target hostagent.Target, open func(context.Context, Host) (hostagent.Agent, error)) (hostagent.Agent, error) {
	if target.VM != "" {
		return nil, &hostagent.Error{
			Class: hostagent.Unsupported, Op: "open", Target: target,
			Err: errors.New("this driver reaches hosts; a guest is reached through its host"),
		}
	}
	if target.Host == "" {
		return d.openAny(ctx, target, open)
	}
	host, err := d.Find(target.Host)
	if err != nil {
		return nil, &hostagent.Error{Class: hostagent.Unreachable, Op: "open", Target: target, Err: err}
	}
	return open(ctx, host)
}

func (d *Directory) openAny(ctx context.Context, target hostagent.Target, open func(context.Context, Host) (hostagent.Agent, error)) (hostagent.Agent, error) {
	n := int64(len(d.listed))
	first := d.next.Load()
	var said failures
	for i := range n {
		at := (first + i) % n
		agent, err := open(ctx, d.listed[at])
		if err == nil {
			d.next.Store(at)
			return agent, nil
		}
		// One that took all the time is not the first next time.
		d.next.Store((at + 1) % n)
		said = append(said, err)
		if ctx.Err() != nil || errors.Is(err, hostagent.Unauthenticated) {
			break
		}
	}
	last := said[len(said)-1]
	return nil, &hostagent.Error{Class: hostagent.ClassOf(last), Op: "open", Target: target, Err: said}
}

// failures are what each host said, on one line.
type failures []error

func (f failures) Error() string {
	texts := make([]string, len(f))
	for i, err := range f {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (f failures) Unwrap() []error { return f }
