package rack

import (
	"context"
	"errors"
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
)

func TestWhereHostsAre(t *testing.T) {
	tests := map[string]struct {
		hosts      []Host
		name, want string
		text       string
	}{
		"listed":                     {hosts: []Host{{Name: "hv01", Address: "hv01.example.com:5986"}}, name: "HV01", want: "hv01.example.com:5986"},
		"not listed":                 {hosts: []Host{{Name: "hv01", Address: "hv01.example.com:5986"}}, name: "hv07", want: "hv07.example.com:5986"},
		"not listed, a full name":    {hosts: []Host{{Name: "hv01", Address: "hv01.example.com:5986"}}, name: "hv07.other.net", want: "hv07.other.net:5986"},
		"not listed, short names":    {hosts: []Host{{Name: "hv01", Address: "hv01:5985"}}, name: "hv07", want: "hv07:5985"},
		"not listed, after an IP":    {hosts: []Host{{Name: "hv01", Address: "10.0.0.1:5986"}, {Name: "hv02", Address: "hv02.a.b:7"}}, name: "hv07", want: "hv07.a.b:7"},
		"not listed, only addresses": {hosts: []Host{{Name: "hv01", Address: "[fe80::1]:5986"}}, name: "hv07", text: "the listed ones have IP addresses"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := NewDirectory(test.hosts)
			if err != nil {
				t.Fatal(err)
			}
			host, err := d.Find(test.name)
			if host.Address != test.want || (err == nil) != (test.text == "") || (err != nil && !strings.Contains(err.Error(), test.text)) {
				t.Errorf("got %q, %v; want %q, %q", host.Address, err, test.want, test.text)
			}
		})
	}
}

// What is told of hosts that are all silent names each, on the one line that a condition has.
func TestNoHostAnswers(t *testing.T) {
	d, err := NewDirectory([]Host{{Name: "hv01", Address: "hv01:1"}, {Name: "hv02", Address: "hv02:1"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Open(t.Context(), hostagent.Target{}, func(_ context.Context, h Host) (hostagent.Agent, error) {
		return nil, &hostagent.Error{Class: hostagent.Unreachable, Op: "open", Target: hostagent.Target{Host: h.Name}, Err: errors.New("silent")}
	})
	if want := "open on any host: open on hv01: silent; open on hv02: silent"; !errors.Is(err, hostagent.Unreachable) || err.Error() != want {
		t.Errorf("got %v, want Unreachable: %s", err, want)
	}
}

// What is told of hosts that fail in several ways does not depend on where a try began, nor on how far it came.
func TestWhatIsToldOfSeveralFailures(t *testing.T) {
	hosts := []Host{{Name: "hv03", Address: "hv03:1"}, {Name: "hv01", Address: "hv01:1"}, {Name: "hv04", Address: "hv04:1"}, {Name: "hv02", Address: "hv02:1"}}
	type classes = map[string]hostagent.Class
	tests := map[string]struct {
		classes classes
		// oneEach ends each try with its first host, as one that takes all the time does.
		oneEach bool
		want    string
	}{
		"a certificate and hosts that are down": {
			classes: classes{"hv01": hostagent.Unreachable, "hv02": hostagent.Timeout, "hv03": hostagent.Forbidden, "hv04": hostagent.Forbidden},
			want:    "open on any host: open on hv03: Forbidden; open on hv04: Forbidden",
		},
		"each takes all the time": {
			classes: classes{"hv01": hostagent.Timeout, "hv02": hostagent.Protocol, "hv03": hostagent.Timeout, "hv04": hostagent.Unreachable},
			oneEach: true, want: "open on any host: open on hv02: Protocol",
		},
		"one class that nobody knows": {
			classes: classes{"hv01": hostagent.Internal, "hv02": hostagent.Internal, "hv03": hostagent.Internal, "hv04": hostagent.Internal},
			want:    "open on any host: open on hv01: Internal; open on hv02: Internal; open on hv03: Internal; open on hv04: Internal",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := NewDirectory(hosts)
			if err != nil {
				t.Fatal(err)
			}
			for try := range 3 * len(hosts) {
				ctx, cancel := context.WithCancel(t.Context())
				_, err := d.Open(ctx, hostagent.Target{}, func(_ context.Context, h Host) (hostagent.Agent, error) {
					if test.oneEach {
						cancel()
					}
					return nil, failedOpen(h, test.classes[h.Name], nil)
				})
				cancel()
				if heard := !test.oneEach || try >= len(hosts)-1; heard && err.Error() != test.want {
					t.Errorf("try %d: %v, want %s", try, err, test.want)
				}
			}
			// What was told is over once a host answers.
			open := func(context.Context, Host) (hostagent.Agent, error) { return nil, nil }
			if _, err := d.Open(t.Context(), hostagent.Target{}, open); err != nil {
				t.Fatal(err)
			}
			_, err = d.Open(t.Context(), hostagent.Target{}, func(_ context.Context, h Host) (hostagent.Agent, error) {
				return nil, failedOpen(h, hostagent.Unreachable, nil)
			})
			if !errors.Is(err, hostagent.Unreachable) {
				t.Errorf("afterwards: %v, want Unreachable", err)
			}
		})
	}
}

func failedOpen(h Host, class hostagent.Class, why error) error {
	return &hostagent.Error{Class: class, Op: "open", Target: hostagent.Target{Host: h.Name}, Err: why}
}

// Credentials that a host refused are told as that host's refusal, whichever host comes next.
func TestWhatIsToldOfARefusal(t *testing.T) {
	d, err := NewDirectory([]Host{{Name: "hv01", Address: "hv01:1"}, {Name: "hv02", Address: "hv02:1"}, {Name: "hv03", Address: "hv03:1"}})
	if err != nil {
		t.Fatal(err)
	}
	g := NewGate()
	const want = "open on any host: open on hv02: hv02 refused the credentials; " +
		"check user and password in the Secret and whether the account is locked or expired: 401"
	for range 4 {
		_, err := d.Open(t.Context(), hostagent.Target{}, func(ctx context.Context, h Host) (hostagent.Agent, error) {
			try, err := g.Enter(ctx)
			switch {
			case err != nil:
				return nil, failedOpen(h, hostagent.Unauthenticated, err)
			case h.Name == "hv01":
				try.Unknown()
				return nil, failedOpen(h, hostagent.Forbidden, nil)
			default:
				return nil, failedOpen(h, hostagent.Unauthenticated, try.RefusedBy(h.Name, errors.New("401")))
			}
		})
		if !errors.Is(err, hostagent.Unauthenticated) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Who gives up hears that, and no host is blamed for it.
func TestOpenGivenUp(t *testing.T) {
	d, err := NewDirectory([]Host{{Name: "hv01", Address: "hv01:1"}, {Name: "hv02", Address: "hv02:1"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []hostagent.Class{hostagent.Canceled, hostagent.Unreachable} {
		_, err := d.Open(t.Context(), hostagent.Target{}, func(_ context.Context, h Host) (hostagent.Agent, error) {
			return nil, failedOpen(h, class, nil)
		})
		if !errors.Is(err, class) || strings.Contains(err.Error(), "Canceled") != (class == hostagent.Canceled) {
			t.Errorf("got %v, want %s", err, class)
		}
	}
}

// A target for any host does not keep a failure from naming the host that it was.
func TestAFailureOnAnyHostNamesTheHost(t *testing.T) {
	d, err := NewDirectory([]Host{{Name: "hv01", Address: "hv01:1"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Open(t.Context(), hostagent.Target{}, func(context.Context, Host) (hostagent.Agent, error) {
		return nil, failedOpen(Host{}, hostagent.Unreachable, errors.New("silent"))
	})
	if want := "open on any host: open on hv01: silent"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
