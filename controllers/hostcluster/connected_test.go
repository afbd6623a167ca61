package hostcluster

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
)

func TestExplainStaysTheSame(t *testing.T) {
	dial := func(from int) error {
		return &net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: from}, Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5986}, Err: errors.New("connection reset by peer")}
	}
	on := func(host string, err error) error {
		return &hostagent.Error{Class: hostagent.Unreachable, Op: "open", Target: hostagent.Target{Host: host}, Err: fmt.Errorf("%s: the connection was lost: %w", host, err)}
	}
	tests := map[string]struct {
		err  error
		want string
	}{
		"one host": {on("hv01", dial(40001)), "hv01: the connection was lost: connection reset by peer"},
		"several, from the first": {
			&hostagent.Error{Op: "open", Err: errors.Join(on("hv01", dial(40001)), on("hv02", dial(40002)))},
			"hv01: the connection was lost: connection reset by peer",
		},
		"several, from the second": {
			&hostagent.Error{Op: "open", Err: errors.Join(on("hv02", dial(40003)), on("hv01", dial(40004)))},
			"hv01: the connection was lost: connection reset by peer",
		},
		"no cause": {&hostagent.Error{Class: hostagent.Timeout, Op: "run"}, "run on any host: Timeout"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := explain(test.err); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
