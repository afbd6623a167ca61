package winrm

import (
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent/conformance"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
	"guestclustering.io/operator/test/powershell"
)

func TestConformance(t *testing.T) {
	a := newAuthority(t)
	for name, make := range modes(a) {
		t.Run(name, func(t *testing.T) {
			m := make(t)
			conformance.Run(t, func(t *testing.T) conformance.Subject { return subject(t, a, m) })
		})
	}
	for name, change := range map[string]func(*Config){
		"installed": func(c *Config) { c.Installed = true },
		"one-shot":  func(c *Config) { c.OneShot = true },
	} {
		t.Run(name, func(t *testing.T) {
			m := modes(a)["NTLM sealed"](t)
			change(&m.config)
			conformance.Run(t, func(t *testing.T) conformance.Subject { return subject(t, a, m) })
		})
	}
}

// The shipped executor in a real PowerShell, behind WS-Man.
func TestConformanceOfARealPowerShell(t *testing.T) {
	a := newAuthority(t)
	m := modes(a)["NTLM sealed"](t)
	m.engine = powershell.Path(t)
	conformance.Run(t, func(t *testing.T) conformance.Subject { return subject(t, a, m) })
}

// effects names, for a named function, the cmdlet in a real PowerShell that has its effect.
var effects = map[string]string{"New-StampedFolder": "New-Item"}

func subject(t *testing.T, a *authority, m mode) conformance.Subject {
	t.Helper()
	r := newCluster(t, a, m, wsman.Limits{})
	var start time.Duration
	if m.config.OneShot {
		start = 500 * time.Millisecond
	}
	return conformance.Subject{
		Start:  start,
		Driver: r.driver(t), Host: r.names[1], Absent: "hv99", Pool: `C:\ClusterStorage\Gold`,
		Slow: func(t *testing.T, cmdlet string, by time.Duration) {
			t.Helper()
			if inside, ok := effects[cmdlet]; ok && m.engine != "" {
				cmdlet = inside
			}
			if _, err := r.world.AddFault(hypervsim.Fault{Cmdlet: cmdlet, Count: 1, Kind: hypervsim.Delay, Delay: by}); err != nil {
				t.Fatal(err)
			}
		},
	}
}
