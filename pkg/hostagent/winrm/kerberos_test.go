package winrm

import (
	"errors"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/jcmturner/gokrb5/v8/service"
	"github.com/jcmturner/gokrb5/v8/spnego"

	"guestclustering.io/operator/pkg/hostagent"
)

// kerberosHost is a stub that asks for a ticket.
func kerberosHost(t testing.TB, k *center, a *authority) *stub {
	t.Helper()
	_, keys := k.Keytab("HTTP/hv01")
	s := newStub(t, a.server(), says(200, envelope("")))
	// The decoder of the library does not read MIT's privilege certificates.
	s.Config.Handler = spnego.SPNEGOKRB5Authenticate(s.Config.Handler, keys, service.DecodePAC(false), service.Logger(log.New(io.Discard, "", 0)))
	return s
}

func kerberosDriver(t testing.TB, k *center, a *authority, s *stub, change func(*Config)) *driver {
	t.Helper()
	c := Config{
		Hosts: []Host{s.host()}, Transport: HTTPS, Authentication: Kerberos, User: "operator@" + strings.ToLower(realm),
		Password: hostagent.NewSecret("pa55word"), KerberosConfig: k.Config, TLS: TLS{Roots: a.pem()},
	}
	if change != nil {
		change(&c)
	}
	d, err := newDriver(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *driver) kerberosLane(t testing.TB, s *stub) (*lane, error) {
	t.Helper()
	target := hostagent.Target{Host: "hv01"}
	held, err := d.hold(t.Context(), s.host(), target)
	if err != nil {
		return nil, err
	}
	l := newLane(s.host(), target, serverTLS(d.tls, s.host()), held.lane(s.host()))
	t.Cleanup(func() {
		l.close()
		held.release()
	})
	return l, nil
}

// However many requests, lanes and sessions: one login, one ticket for each host, and no goroutine afterwards.
func TestKerberosAsksForOneTicket(t *testing.T) {
	k, a := newKDC(t), newAuthority(t)
	raw, _ := k.Keytab("operator")
	for name, change := range map[string]func(*Config){
		"password": nil,
		"keytab": func(c *Config) {
			c.Password, c.Keytab = hostagent.Secret{}, hostagent.NewSecret(string(raw))
		},
		"realm apart": func(c *Config) { c.User, c.Realm = "operator", realm },
	} {
		t.Run(name, func(t *testing.T) {
			s := kerberosHost(t, k, a)
			d := kerberosDriver(t, k, a, s, change)
			logins, tickets := k.Count("AS_REQ", "ISSUE"), k.Count("TGS_REQ", "ISSUE")
			var group sync.WaitGroup
			for range 3 {
				l, err := d.kerberosLane(t, s)
				if err != nil {
					t.Fatal(err)
				}
				group.Go(func() {
					for range 5 {
						if _, err := l.call(t.Context(), "send", l.writerOf().send("S", "C", nil)); err != nil {
							t.Error(err)
						}
					}
				})
			}
			group.Wait()
			if n := k.Count("AS_REQ", "ISSUE") - logins; n != 1 {
				t.Errorf("%d logins, want 1", n)
			}
			// Lanes that begin at once may each ask for the same one.
			if n := k.Count("TGS_REQ", "ISSUE") - tickets; n < 1 || n > 3 {
				t.Errorf("%d tickets, want 1", n)
			}
		})
	}
}

func TestKerberosRefusals(t *testing.T) {
	k, a := newKDC(t), newAuthority(t)
	k.Admin("addprinc -randkey HTTP/hv02")
	tests := map[string]struct {
		change   func(*Config)
		class    hostagent.Class
		text     string
		remember bool
	}{
		"a wrong password": {func(c *Config) { c.Password = hostagent.NewSecret("wrong") }, hostagent.Unauthenticated, "the domain GUESTS.TEST refused the credentials", true},
		"no such account":  {func(c *Config) { c.User = "nobody@" + realm }, hostagent.Unauthenticated, "the domain GUESTS.TEST refused the credentials", true},
		"no such host":     {func(c *Config) { c.Hosts[0].Name = "hv99" }, hostagent.Unauthenticated, "the domain gives no ticket for HTTP/hv99", false},
		"another's ticket": {func(c *Config) { c.Hosts[0].Name = "hv02" }, hostagent.Unauthenticated, "refused the domain's ticket for HTTP/hv02", false},
		"no domain controller": {func(c *Config) {
			c.KerberosConfig = "[libdefaults]\ndefault_realm = " + realm + "\nudp_preference_limit = 1\n[realms]\n" + realm + " = {\n kdc = 127.0.0.1:1\n}\n"
		}, hostagent.Unreachable, "no domain controller of GUESTS.TEST answers", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := kerberosHost(t, k, a)
			d := kerberosDriver(t, k, a, s, test.change)
			host := d.config.Hosts[0]
			attempt := func() error {
				held, err := d.hold(t.Context(), host, hostagent.Target{Host: host.Name})
				if err != nil {
					return err
				}
				defer held.release()
				l := newLane(host, hostagent.Target{Host: host.Name}, serverTLS(d.tls, host), held.lane(host))
				defer l.close()
				_, err = l.call(t.Context(), "open", l.writerOf().create("S"))
				return err
			}
			err := attempt()
			if hostagent.ClassOf(err) != test.class || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "pa55word") {
				t.Errorf("got %v, want %s with %q", err, test.class, test.text)
			}
			before := k.Count("AS_REQ")
			again := attempt()
			if got := k.Count("AS_REQ") == before; got != (test.remember || test.class == hostagent.Unreachable) {
				t.Errorf("no second login: %t, want %t", got, test.remember)
			}
			if got := strings.Contains(again.Error(), "not tried again, on any host"); got != test.remember {
				t.Errorf("the second time: %v", again)
			}
		})
	}
}

// Without Negotiate a ticket is of no use, and the host says so.
func TestKerberosIsNotOffered(t *testing.T) {
	k, a := newKDC(t), newAuthority(t)
	s := newStub(t, a.server(), func(w http.ResponseWriter, _ string) {
		w.Header().Set("WWW-Authenticate", "Basic")
		w.WriteHeader(http.StatusUnauthorized)
	})
	l, err := kerberosDriver(t, k, a, s, nil).kerberosLane(t, s)
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.call(t.Context(), "open", l.writerOf().create("S"))
	if !errors.Is(err, hostagent.Unauthenticated) || !strings.Contains(err.Error(), "does not offer Negotiate but Basic") {
		t.Errorf("got %v", err)
	}
}

// Sessions that begin later get a new ticket, and those from before keep theirs until they end.
func TestKerberosRenewsItsLogin(t *testing.T) {
	k, a := newKDC(t), newAuthority(t)
	s := kerberosHost(t, k, a)
	d := kerberosDriver(t, k, a, s, nil)
	before, err := d.kerberosLane(t, s)
	if err != nil {
		t.Fatal(err)
	}
	old := d.credentials.(*kerberos).current
	old.made = old.made.Add(-2 * clientAge)
	after, err := d.kerberosLane(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if n := k.Count("AS_REQ", "ISSUE"); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
	for name, l := range map[string]*lane{"before": before, "after": after} {
		if _, err := l.call(t.Context(), "send", l.writerOf().send("S", "C", nil)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if old.join() {
		t.Error("the old login takes new users")
	}
}
