package remoting

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	upstream "github.com/masterzen/winrm"
	"go.uber.org/goleak"
	"sigs.k8s.io/yaml"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/conformance"
	"guestclustering.io/operator/pkg/hostagent/rack"
	"guestclustering.io/operator/pkg/hostagent/winrm"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/test/kdc"
	"guestclustering.io/operator/test/powershell"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Another client's library keeps a connection for a while.
		goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"), goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"),
		// The service's side of Kerberos remembers tickets for as long as the process lives.
		goleak.IgnoreAnyFunction("github.com/jcmturner/gokrb5/v8/service.GetReplayCache.func1.1"),
		goleak.IgnoreAnyFunction("github.com/jcmturner/gokrb5/v8/service.VerifyAPREQ.GetReplayCache.func1.1"),
	)
}

// site is a world whose hosts serve WinRM.
type site struct {
	*Service
	world *hypervsim.World
	dir   string
}

func serve(t *testing.T, engine string) site {
	t.Helper()
	return serveWith(t, Options{PowerShell: engine})
}

func serveWith(t *testing.T, o Options) site {
	t.Helper()
	model := hypervsim.DefaultModel()
	model.Durations = hypervsim.Durations{MaxMigrations: 2}
	w, err := hypervsim.New(model, hypervsim.NewRealClock(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	dir := t.TempDir()
	o.HTTPS, o.HTTP, o.Directory, o.Log = "127.0.0.1:0", "127.0.0.1:0", dir, slog.New(slog.DiscardHandler)
	s, err := Start(t.Context(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return site{s, w, dir}
}

func (s site) file(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// driver is the operator's own, made of nothing but the files that the service writes.
func (s site) driver(t *testing.T) hostagent.Driver {
	t.Helper()
	return s.driverWith(t, func(*winrm.Config) {})
}

func (s site) driverWith(t *testing.T, change func(*winrm.Config)) hostagent.Driver {
	t.Helper()
	var hosts []listed
	if err := yaml.Unmarshal(s.file(t, "hosts.yaml"), &hosts); err != nil {
		t.Fatal(err)
	}
	config := winrm.Config{
		Transport: winrm.HTTPS, Authentication: winrm.NTLM, User: string(s.file(t, "username")), Password: hostagent.NewSecret(string(s.file(t, "password"))),
		TLS: winrm.TLS{Roots: s.file(t, "ca.crt")},
	}
	for _, h := range hosts {
		port := strconv.Itoa(h.Port)
		config.Hosts = append(config.Hosts, rack.Host{Name: h.Name, Address: h.Name + ":" + port, Connect: h.Address + ":" + port})
	}
	change(&config)
	d, err := winrm.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheOperatorReachesHosts(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Subject {
		s := serve(t, "")
		return conformance.Subject{
			Driver: s.driver(t), Host: "hv02", Absent: "hv99", Pool: `C:\ClusterStorage\Gold`,
			Slow: func(t *testing.T, cmdlet string, by time.Duration) {
				if _, err := s.world.AddFault(hypervsim.Fault{Cmdlet: cmdlet, Count: 1, Kind: hypervsim.Delay, Delay: by}); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func TestHostsTakeTickets(t *testing.T) {
	center := kdc.Start(t)
	center.Admin("addprinc +requires_preauth -pw pa55word operator")
	center.Admin("addprinc -randkey HTTP/hv01")
	raw, _ := center.Keytab("HTTP/hv01")
	file := filepath.Join(t.TempDir(), "hosts.keytab")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	d := serveWith(t, Options{Keytab: file}).driverWith(t, func(c *winrm.Config) {
		c.Authentication, c.User, c.Password, c.KerberosConfig = winrm.Kerberos, "operator@"+kdc.Realm, hostagent.NewSecret("pa55word"), center.Config
	})
	agent, err := d.Open(t.Context(), hostagent.Target{Host: "hv01"})
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Close(); err != nil {
		t.Error(err)
	}
}

func TestAHostWithoutPowerIsNotReached(t *testing.T) {
	s := serve(t, "")
	d := s.driver(t)
	open := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		agent, err := d.Open(ctx, hostagent.Target{Host: "hv02"})
		if err == nil {
			err = agent.Close()
		}
		return err
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	if err := s.world.FailHost("hv02"); err != nil {
		t.Fatal(err)
	}
	// The service follows the power in a moment.
	for start := time.Now(); ; {
		if err := open(); errors.Is(err, hostagent.Unreachable) {
			break
		}
		if time.Since(start) > time.Minute {
			t.Fatal("a host without power is still reached")
		}
	}
	if n := s.Server("HV02").Shells(); n != 0 {
		t.Errorf("%d shells are left on a host without power", n)
	}
	if err := s.world.ReturnHost("hv02"); err != nil {
		t.Fatal(err)
	}
	for start := time.Now(); ; {
		if open() == nil {
			return
		}
		if time.Since(start) > time.Minute {
			t.Fatal("a host that is back is not reached")
		}
	}
}

// run runs a script on hv01 as other tools do.
func (s site) run(t *testing.T, script string) (out, problems string, code int) {
	t.Helper()
	var hosts []listed
	if err := yaml.Unmarshal(s.file(t, "hosts.yaml"), &hosts); err != nil {
		t.Fatal(err)
	}
	at := upstream.NewEndpoint(hosts[0].Address, hosts[0].Port, true, false, s.file(t, "ca.crt"), nil, nil, time.Minute)
	c, err := upstream.NewClient(at, string(s.file(t, "username")), string(s.file(t, "password")))
	if err != nil {
		t.Fatal(err)
	}
	out, problems, code, err = c.RunPSWithContext(t.Context(), script)
	if err != nil {
		t.Fatal(err)
	}
	return out, problems, code
}

func TestOtherScriptsNeedAPowerShell(t *testing.T) {
	out, problems, code := serve(t, "").run(t, "Get-VM")
	if out != "" || code != 1 || !strings.Contains(problems, "start hypervsim with --powershell") {
		t.Errorf("got %q, %q, %d", out, problems, code)
	}
}

func TestOtherScriptsRun(t *testing.T) {
	s := serve(t, powershell.Path(t))
	if _, err := s.world.AddForeignVM("hv01", "payroll", `C:\ClusterStorage\Gold\payroll`, ""); err != nil {
		t.Fatal(err)
	}
	out, problems, code := s.run(t, "Get-VM | ForEach-Object { $_.Name }")
	if strings.TrimSpace(out) != "payroll" || code != 0 {
		t.Errorf("got %q, %q, %d", out, problems, code)
	}
}
