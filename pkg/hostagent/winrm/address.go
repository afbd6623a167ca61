package winrm

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// directory knows where hosts are.
type directory struct {
	listed []Host
	// suffix and port are those of the first listed host whose address has a DNS name.
	suffix, port string
}

func newDirectory(hosts []Host) (directory, error) {
	if len(hosts) == 0 {
		return directory{}, errors.New("no hosts are listed; name at least one with its address")
	}
	d := directory{listed: hosts}
	for _, h := range hosts {
		name, port, err := net.SplitHostPort(h.Address)
		if err != nil || name == "" || port == "" || h.Name == "" {
			return directory{}, fmt.Errorf("the host %q has the address %q; give both, the address as name:port, such as hv01.example.com:5986", h.Name, h.Address)
		}
		if d.port == "" && net.ParseIP(name) == nil {
			_, d.suffix, _ = strings.Cut(name, ".")
			d.port = port
		}
	}
	return d, nil
}

// find gives the host of that computer name, which need not be listed.
func (d directory) find(name string) (Host, error) {
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
