package ssh

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
)

func wantRefusal(t *testing.T, err error, class hostagent.Class, says string) {
	t.Helper()
	if !errors.Is(err, class) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want %s with %q", err, class, says)
	}
}

func TestLoginsThatARealServerRefuses(t *testing.T) {
	stranger := newKey(t)
	unknown := string(ssh.MarshalAuthorizedKey(stranger.signer.PublicKey()))
	tests := map[string]struct {
		change func(*servers)
		class  hostagent.Class
		says   string
	}{
		"an unknown key": {
			func(s *servers) { s.config.PrivateKey = hostagent.NewSecret(stranger.pem) },
			hostagent.Unauthenticated, "put this line into %ProgramData%\\ssh\\administrators_authorized_keys there, which only Administrators and SYSTEM may write, and check the name: " + strings.TrimSpace(unknown),
		},
		"no method of ours": {
			func(s *servers) {
				s.config.PrivateKey = hostagent.Secret{}
				s.config.Password = hostagent.NewSecret("pa55word")
			},
			hostagent.Unauthenticated, "does not offer the method password but publickey",
		},
		"an unknown host": {
			func(s *servers) { s.config.KnownHosts = "elsewhere " + unknown },
			hostagent.Forbidden, "is not in knownHosts; it shows ecdsa-sha2-nistp256 SHA256:",
		},
		"a host whose key is another": {
			func(s *servers) {
				s.config.KnownHosts = knownhosts.Line([]string{s.config.Hosts[0].Address}, stranger.signer.PublicKey())
			},
			hostagent.Forbidden, "is another one than in knownHosts (ssh-ed25519 " + ssh.FingerprintSHA256(stranger.signer.PublicKey()) + "): it shows ssh-ed25519 SHA256:",
		},
		"a revoked key": {
			func(s *servers) {
				s.config.KnownHosts += "@revoked * " + strings.Join(strings.Fields(s.config.KnownHosts)[1:3], " ") + "\n"
			},
			hostagent.Forbidden, "which knownHosts calls revoked",
		},
		"no key of the known type": {
			func(s *servers) {
				s.config.KnownHosts = knownhosts.Line([]string{s.config.Hosts[0].Address}, newRSAKey(t).signer.PublicKey())
			},
			hostagent.Protocol, "does knownHosts have one of the keys that it has now",
		},
		"no shell": {
			func(s *servers) { s.configure("exit 3") },
			hostagent.Unreachable, "(exit code 3)",
		},
		"what it says is told": {
			func(s *servers) { s.configure("echo oh no >&2; exit 1") },
			hostagent.Unreachable, "oh no (exit code 1)",
		},
		"killed": {
			func(s *servers) { s.configure("kill -9 $$") },
			hostagent.Unreachable, "signal KILL",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, _ := newRack(t)
			test.change(s)
			_, err := s.driver().Open(t.Context(), hostagent.Target{Host: "hv01"})
			wantRefusal(t, err, test.class, test.says)
		})
	}
}

func TestWhatIsNoServer(t *testing.T) {
	known := line("[127.0.0.1]:*,127.0.0.1", newKey(t))
	listen := func(t *testing.T, answer func(net.Conn)) string {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		ok(t, err)
		var group sync.WaitGroup
		group.Go(func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				answer(conn)
			}
		})
		t.Cleanup(func() {
			l.Close()
			group.Wait()
		})
		return l.Addr().String()
	}
	closed := listen(t, func(c net.Conn) { c.Close() })
	tests := map[string]struct {
		address string
		class   hostagent.Class
		says    string
	}{
		"hangs up": {closed, hostagent.Unreachable, "the connection was lost"},
		"talks of else": {listen(t, func(c net.Conn) {
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n" + strings.Repeat("x", 300)))
			c.Close()
		}), hostagent.Protocol, "is this an SSH server?"},
		"nobody listens": {unused(t), hostagent.Unreachable, "nothing listens there"},
		"no such name":   {"host.invalid:22", hostagent.Unreachable, "the name cannot be resolved"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, err := New(Config{Hosts: []rack.Host{{Name: "hv01", Address: test.address}}, User: "u", Password: hostagent.NewSecret("p"), KnownHosts: known})
			ok(t, err)
			_, err = d.Open(t.Context(), hostagent.Target{Host: "hv01"})
			wantRefusal(t, err, test.class, test.says)
		})
	}
	t.Run("says nothing", func(t *testing.T) {
		held := make(chan net.Conn, 1)
		ctx, cancel := context.WithCancel(t.Context())
		address := listen(t, func(c net.Conn) {
			held <- c
			cancel()
		})
		d, err := New(Config{Hosts: []rack.Host{{Name: "hv01", Address: address}}, User: "u", Password: hostagent.NewSecret("p"), KnownHosts: known})
		ok(t, err)
		_, err = d.Open(ctx, hostagent.Target{Host: "hv01"})
		wantRefusal(t, err, hostagent.Canceled, "")
		(<-held).Close()
	})
}

// unused is an address on which nobody listens.
func unused(t *testing.T) string {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	ok(t, err)
	defer l.Close()
	return l.Addr().String()
}

// passwords is an SSH server that knows one password and counts the tries. Nothing runs there. It exists because a real one
// asks the machine's own accounts.
type passwords struct {
	address string
	host    key
	right   string
	tries   atomic.Int32
	// hangUp ends a connection instead of saying what became of a password.
	hangUp atomic.Bool
	group  sync.WaitGroup
}

func newPasswords(t *testing.T, right string) *passwords {
	s := &passwords{host: newKey(t), right: right}
	var conns sync.Map // by the address of their other end
	config := &ssh.ServerConfig{PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		s.tries.Add(1)
		if conn, found := conns.Load(c.RemoteAddr().String()); found && s.hangUp.Load() {
			conn.(net.Conn).Close()
		}
		if string(password) != s.right {
			return nil, errors.New("wrong")
		}
		return nil, nil
	}}
	config.AddHostKey(s.host.signer)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	ok(t, err)
	s.address = l.Addr().String()
	s.group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Store(conn.RemoteAddr().String(), conn)
			s.group.Go(func() { s.serve(conn, config) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.group.Wait()
	})
	return s
}

// config is that of a driver with the password.
func (s *passwords) config(password string) Config {
	return Config{
		Hosts: []rack.Host{{Name: "hv01", Address: s.address}}, User: "operator", Password: hostagent.NewSecret(password),
		KnownHosts: knownhosts.Line([]string{s.address}, s.host.signer.PublicKey()),
	}
}

func (s *passwords) serve(conn net.Conn, config *ssh.ServerConfig) {
	defer conn.Close()
	c, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	go ssh.DiscardRequests(requests)
	for ch := range channels {
		_ = ch.Reject(ssh.Prohibited, "nothing runs here")
	}
}

// However many hosts are opened at once, a wrong password is tried once.
func TestAWrongPasswordIsTriedOnce(t *testing.T) {
	var hosts []rack.Host
	var all []*passwords
	known := ""
	for _, name := range []string{"hv01", "hv02", "hv03"} {
		s := newPasswords(t, "right")
		all = append(all, s)
		hosts = append(hosts, rack.Host{Name: name, Address: s.address})
		known += knownhosts.Line([]string{s.address}, s.host.signer.PublicKey()) + "\n"
	}
	d, err := New(Config{Hosts: hosts, User: "operator", Password: hostagent.NewSecret("wr0ng"), KnownHosts: known})
	ok(t, err)
	var group sync.WaitGroup
	for _, h := range append(hosts, hosts...) {
		group.Go(func() {
			_, err := d.Open(t.Context(), hostagent.Target{Host: h.Name})
			wantRefusal(t, err, hostagent.Unauthenticated, "refused")
			if strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("the password is in %v", err)
			}
		})
	}
	group.Wait()
	tries := int32(0)
	for _, s := range all {
		tries += s.tries.Load()
	}
	if tries != 1 {
		t.Errorf("the password was tried %d times", tries)
	}
	_, err = d.Open(t.Context(), hostagent.Target{})
	wantRefusal(t, err, hostagent.Unauthenticated, "not tried again, on any host")
}

// A connection that is lost after the password was told says nothing about it: it is tried again.
func TestALostLoginIsNoRefusal(t *testing.T) {
	s := newPasswords(t, "right")
	s.hangUp.Store(true)
	d, err := New(s.config("right"))
	ok(t, err)
	_, err = d.Open(t.Context(), hostagent.Target{Host: "hv01"})
	wantRefusal(t, err, hostagent.Unreachable, "the connection was lost")
	s.hangUp.Store(false)
	_, err = d.Open(t.Context(), hostagent.Target{Host: "hv01"})
	wantRefusal(t, err, hostagent.Forbidden, "runs no command for this account")
}

func TestARightPasswordLetsIn(t *testing.T) {
	s := newPasswords(t, "right")
	d, err := New(s.config("right"))
	ok(t, err)
	for range 2 {
		_, err = d.Open(t.Context(), hostagent.Target{Host: "hv01"})
		wantRefusal(t, err, hostagent.Forbidden, "runs no command for this account")
	}
	if s.tries.Load() != 2 {
		t.Errorf("%d tries", s.tries.Load())
	}
}
