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
