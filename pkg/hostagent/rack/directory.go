// Package rack holds what drivers of real hosts share beside the session: where hosts are, which one stands for any, and
// how credentials are tried on them.
package rack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
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

	mu sync.Mutex
	// failed has why each listed host did not open for a target that names none, since one did last.
	failed map[string]error
}

// NewDirectory checks the list of hosts.
func NewDirectory(hosts []Host) (*Directory, error) {
	if len(hosts) == 0 {
		return nil, errors.New("no hosts are listed; name at least one with its address")
	}
	d := &Directory{listed: hosts, failed: map[string]error{}}
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
// once, until one answers or refuses the credentials. What is told of several that fail is the same from try to try, wherever
// it begins and however far it comes.
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
	for i := range n {
		at := (first + i) % n
		agent, err := open(ctx, d.listed[at])
		if err == nil {
			d.next.Store(at)
			d.forget()
			return agent, nil
		}
		// One that took all the time is not the first next time.
		d.next.Store((at + 1) % n)
		if errors.Is(err, hostagent.Canceled) {
			return nil, &hostagent.Error{Class: hostagent.Canceled, Op: "open", Target: target, Err: err}
		}
		d.remember(d.listed[at].Name, named(d.listed[at].Name, err))
		if ctx.Err() != nil || errors.Is(err, hostagent.Unauthenticated) {
			break
		}
	}
	class, said := d.mostTelling()
	return nil, &hostagent.Error{Class: class, Op: "open", Target: target, Err: said}
}

// named says which host it was, where the target names none.
func named(host string, err error) error {
	e, ok := errors.AsType[*hostagent.Error](err)
	if !ok || e.Target.Host != "" {
		return err
	}
	return &hostagent.Error{Class: e.Class, Op: e.Op, Target: hostagent.Target{Host: host}, Err: e.Err}
}

func (d *Directory) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.failed)
}

func (d *Directory) remember(host string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if refused, ok := errors.AsType[*RefusedError](err); ok && refused.before && d.knowsRefusal() {
		return // The host was not asked: whose refusal it was stays what is told.
	}
	d.failed[host] = err
}

func (d *Directory) knowsRefusal() bool {
	for _, err := range d.failed {
		if errors.Is(err, hostagent.Unauthenticated) {
			return true
		}
	}
	return false
}

// telling are the classes that say who must do what, before those that may pass by themselves.
var telling = []hostagent.Class{
	hostagent.Unauthenticated, hostagent.Forbidden, hostagent.Unsupported, hostagent.Invalid, hostagent.Protocol,
	hostagent.Capacity, hostagent.Throttled, hostagent.Busy, hostagent.Timeout, hostagent.Unreachable,
}

func rank(class hostagent.Class) int {
	if i := slices.Index(telling, class); i >= 0 {
		return i
	}
	return len(telling)
}

// mostTelling gives what the hosts said whose failures tell most, in the order of their names.
func (d *Directory) mostTelling() (hostagent.Class, failures) {
	d.mu.Lock()
	defer d.mu.Unlock()
	class := hostagent.Internal
	for _, err := range d.failed {
		if c := hostagent.ClassOf(err); rank(c) < rank(class) {
			class = c
		}
	}
	var said failures
	for _, host := range slices.Sorted(maps.Keys(d.failed)) {
		if err := d.failed[host]; rank(hostagent.ClassOf(err)) == rank(class) {
			said = append(said, err)
		}
	}
	return class, said
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
