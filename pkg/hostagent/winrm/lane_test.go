package winrm

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
)

func dropsConnection(w http.ResponseWriter, _ string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

func cutOff(w http.ResponseWriter, _ string) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, soapHead)
}

func tooLarge(w http.ResponseWriter, _ string) {
	block := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func refusesBasic(w http.ResponseWriter, _ string) {
	w.Header().Set("WWW-Authenticate", `Basic realm="WSMAN"`)
	w.WriteHeader(http.StatusUnauthorized)
}

func TestWhatGoesWrongWithARequest(t *testing.T) {
	tests := map[string]struct {
		answer  func(w http.ResponseWriter, action string)
		class   hostagent.Class
		text    string
		notSent bool
	}{
		"the connection is cut":    {dropsConnection, hostagent.Unreachable, "the connection was lost with a request under way; was the host or its WinRM service restarted", false},
		"the answer is cut off":    {cutOff, hostagent.Unreachable, "the host's event log Microsoft-Windows-WinRM/Operational says more", false},
		"the answer is garbage":    {says(200, "<html>"), hostagent.Protocol, "no WS-Man message", false},
		"garbage, and what to do":  {says(200, "<html>"), hostagent.Protocol, "does a proxy or an antivirus change what it says? the host's event log", false},
		"the answer is empty":      {says(200, ""), hostagent.Protocol, "no WS-Man message", false},
		"the answer is white":      {says(200, " \r\n"), hostagent.Protocol, "no WS-Man message", false},
		"the answer is huge":       {tooLarge, hostagent.Protocol, "the host was told to send at most 500 KiB", false},
		"500 without a body":       {says(500, ""), hostagent.Protocol, "500 Internal Server Error without a WS-Man fault", false},
		"the path is another":      {says(404, "nothing"), hostagent.Protocol, "this is no WinRM listener", false},
		"a redirect":               {says(307, ""), hostagent.Protocol, "307", false},
		"the address is filtered":  {says(403, ""), hostagent.Forbidden, "IPv4Filter", true},
		"the service is stopped":   {says(503, "<html>"), hostagent.Unreachable, "the host's WinRM service is stopped", true},
		"the session is forgotten": {says(400, ""), hostagent.Unreachable, "no longer knows the session", true},
		"access is denied":         {says(500, faultBody(5, "AccessDenied", "Zugriff verweigert")), hostagent.Forbidden, "LocalAccountTokenFilterPolicy", false},
		"access is denied, as HRESULT": {says(500, faultBody(2147942405, "AccessDenied", "x")), hostagent.Forbidden,
			"member of the host's Administrators", false},
		"too many shells":     {says(500, faultBody(2150859173, "QuotaLimit", "x")), hostagent.Throttled, "raise MaxShellsPerUser", false},
		"too many operations": {says(500, faultBody(2150859174, "QuotaLimit", "x")), hostagent.Throttled, "raise MaxConcurrentOperationsPerUser", false},
		"another quota":       {says(500, faultBody(2150859239, "QuotaLimit", "x")), hostagent.Throttled, "a quota of the host's WinRM service", false},
		"the shell is gone":   {says(500, faultBody(2150858843, "InvalidSelectors", "x")), hostagent.Unreachable, "the shell is gone", true},
		"a fault with 200":    {says(200, faultBody(2150858843, "InvalidSelectors", "x")), hostagent.Unreachable, "the shell is gone", true},
		"an unknown fault":    {says(500, faultBody(4711, "Whatever", "the host's words")), hostagent.Internal, "WS-Man fault 4711 Whatever: the host's words", false},
		"a wrong password":    {refusesBasic, hostagent.Unauthenticated, "refused the credentials", true},
	}
	a := newAuthority(t)
	certificate := a.server()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStub(t, certificate, asksFirst(test.answer))
			l := s.basicLane(t, a, rack.NewGate())
			_, err := l.call(t.Context(), "send", l.writerOf().send("S", "C", []byte("x")))
			if got := hostagent.ClassOf(err); got != test.class {
				t.Errorf("class %s, want %s (%v)", got, test.class, err)
			}
			if err == nil || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "pa55word") {
				t.Errorf("error %v, want one that says %q", err, test.text)
			}
			// A fault is the host's own word.
			if _, said := errors.AsType[*fault](err); !said && !strings.Contains(err.Error(), l.host.Address) {
				t.Errorf("%v does not say where", err)
			}
			if got := notTaken(err); got != test.notSent {
				t.Errorf("not sent: %t, want %t (%v)", got, test.notSent, err)
			}
			if diff := cmp.Diff([]string{"", "Send"}, s.seen()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func (l *lane) writerOf() writer { return newWriter(l.url) }

func TestCertificatesThatAreNotBelieved(t *testing.T) {
	a, stranger := newAuthority(t), newAuthority(t)
	good := a.server()
	tests := map[string]struct {
		certificate tls.Certificate
		tls         TLS
		text        string
	}{
		"good":                       {good, TLS{Roots: a.pem()}, ""},
		"good, and the one expected": {good, TLS{Roots: a.pem(), Fingerprints: []string{fingerprint(stranger.server()), colons(fingerprint(good))}}, ""},
		"by another name":            {a.issue("hv01.example.com", x509.ExtKeyUsageServerAuth, time.Now()), TLS{Roots: a.pem(), ServerName: "hv01.example.com"}, ""},
		"expired":                    {a.issue("127.0.0.1", x509.ExtKeyUsageServerAuth, time.Now().Add(-24*time.Hour)), TLS{Roots: a.pem()}, "is not valid now"},
		"not yet valid":              {a.issue("127.0.0.1", x509.ExtKeyUsageServerAuth, time.Now().Add(24*time.Hour)), TLS{Roots: a.pem()}, "is not valid now"},
		"of an unknown authority":    {stranger.server(), TLS{Roots: a.pem()}, "give the CA in caBundle"},
		"for another name":           {a.issue("hv02.example.com", x509.ExtKeyUsageServerAuth, time.Now()), TLS{Roots: a.pem()}, "for other names than 127.0.0.1"},
		"not a server's":             {a.issue("127.0.0.1", x509.ExtKeyUsageClientAuth, time.Now()), TLS{Roots: a.pem()}, "cannot be verified"},
		"not the one expected":       {good, TLS{Roots: a.pem(), Fingerprints: []string{fingerprint(stranger.server())}}, "none of the fingerprints"},
		"expected but not verified":  {good, TLS{Roots: stranger.pem(), Fingerprints: []string{fingerprint(good)}}, "a fingerprint does not stand in for that"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStub(t, test.certificate, asksFirst(says(200, envelope(""))))
			config, err := newTLS(Config{Transport: HTTPS, Authentication: Basic, TLS: test.tls})
			if err != nil {
				t.Fatal(err)
			}
			l := newLane(s.host(), hostagent.Target{Host: "hv01"}, serverTLS(config, s.host()), &basic{user: "u", password: hostagent.NewSecret("p"), gate: rack.NewGate()})
			t.Cleanup(l.close)
			_, err = l.call(t.Context(), "open", l.writerOf().create("S"))
			if test.text == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if hostagent.ClassOf(err) != hostagent.Forbidden || !strings.Contains(err.Error(), test.text) || !notTaken(err) {
				t.Errorf("got %v, want Forbidden with %q", err, test.text)
			}
			// A condition has these words, and is not written again while nothing changes.
			if strings.Contains(err.Error(), "current time") {
				t.Errorf("%v: it is another text at each try", err)
			}
			if s.tries() != 0 {
				t.Error("the password was told to a host that is not believed")
			}
		})
	}
}

func TestNoWayToTheHost(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	listener.Close()
	plain := newStub(t, tls.Certificate{}, says(200, ""))
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	cuts, mute := listens(t, func(c net.Conn) { c.Close() }), listens(t, func(net.Conn) {})
	tests := map[string]struct {
		address string
		class   hostagent.Class
		text    string
	}{
		"it cuts":            {cuts, hostagent.Unreachable, "has the host's listener on this port a certificate"},
		"it says nothing":    {mute, hostagent.Unreachable, "no answer; is the host well?"},
		"nothing listens":    {closed, hostagent.Unreachable, "nothing listens there"},
		"no such name":       {"hv01.invalid:5986", hostagent.Unreachable, "the name cannot be resolved"},
		"it does not do TLS": {plain.host().Address, hostagent.Protocol, "does not speak TLS"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			host := Host{Name: "hv01", Address: test.address}
			l := newLane(host, hostagent.Target{Host: "hv01"}, serverTLS(config, host), &basic{user: "u", password: hostagent.NewSecret("p"), gate: rack.NewGate()})
			t.Cleanup(l.close)
			if test.address == mute {
				l.within = 50 * time.Millisecond
			}
			_, err := l.call(t.Context(), "open", l.writerOf().create("S"))
			if hostagent.ClassOf(err) != test.class || !strings.Contains(err.Error(), test.text) || !notTaken(err) {
				t.Errorf("got %v, want %s with %q", err, test.class, test.text)
			}
		})
	}
}

// listens takes connections and does with them what it is told.
func listens(t *testing.T, with func(net.Conn)) (address string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			with(c)
		}
	}()
	return listener.Addr().String()
}

func TestAHostThatNeverAnswers(t *testing.T) {
	a := newAuthority(t)
	arrived, hang := make(chan struct{}, 8), make(chan struct{})
	s := newStub(t, a.server(), asksFirst(func(http.ResponseWriter, string) {
		arrived <- struct{}{}
		<-hang
	}))
	t.Cleanup(func() { close(hang) })
	tests := map[string]struct {
		within time.Duration
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		class  hostagent.Class
		text   string
	}{
		"our patience ends": {10 * time.Millisecond, context.WithCancel, hostagent.Unreachable, "no answer; is the host well?"},
		"the caller gives up": {time.Hour, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			go func() {
				<-arrived
				cancel()
			}()
			return ctx, cancel
		}, hostagent.Canceled, "canceled"},
		"the caller has no more time": {time.Hour, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 50*time.Millisecond)
		}, hostagent.Timeout, "did not answer in time"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := rack.NewGate()
			try, err := g.Enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			try.Accepted()
			l := s.basicLane(t, a, g)
			l.within = test.within
			ctx, cancel := test.ctx(t.Context())
			defer cancel()
			_, err = l.call(ctx, "open", l.writerOf().create("S"))
			if hostagent.ClassOf(err) != test.class || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %s with %q", err, test.class, test.text)
			}
		})
	}
}

// A host closes connections that are idle; the next request makes one anew and arrives once.
func TestAConnectionThatWasClosedMeanwhile(t *testing.T) {
	a := newAuthority(t)
	s := newStub(t, a.server(), asksFirst(says(200, envelope(""))))
	l := s.basicLane(t, a, rack.NewGate())
	for range 20 {
		if _, err := l.call(t.Context(), "send", l.writerOf().send("S", "C", nil)); err != nil {
			t.Fatal(err)
		}
		s.CloseClientConnections()
		// Ours sees the end of the connection, or the request would be lost on it, which is another case.
		l.drop()
	}
	if n := s.tries(); n != 20 {
		t.Errorf("%d requests arrived, want 20", n)
	}
}

func TestOneRequestAtATime(t *testing.T) {
	a := newAuthority(t)
	var mu sync.Mutex
	under, most := 0, 0
	s := newStub(t, a.server(), asksFirst(func(w http.ResponseWriter, action string) {
		mu.Lock()
		under++
		most = max(most, under)
		mu.Unlock()
		says(200, envelope(""))(w, action)
		mu.Lock()
		under--
		mu.Unlock()
	}))
	l := s.basicLane(t, a, rack.NewGate())
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := l.call(t.Context(), "send", l.writerOf().send("S", "C", nil)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if most != 1 {
		t.Errorf("%d requests at once on one lane", most)
	}
}

// Where a connection is reset depends on which side is quicker. What is told does not.
func TestResetsAreToldAlike(t *testing.T) {
	l := &lane{host: Host{Address: "hv01:5986"}, tls: &tls.Config{MinVersion: tls.VersionTLS12}}
	reset := func(call string) error {
		return &net.OpError{Op: call, Net: "tcp", Err: os.NewSyscallError(call, syscall.ECONNRESET)}
	}
	const want = "hv01:5986: no TLS connection; has the host's listener on this port a certificate, and does it do TLS 1.2?: connection reset by peer"
	for _, err := range []error{reset("connect"), &handshakeError{reset("write")}, &handshakeError{reset("read")}} {
		if _, got := l.judge(t.Context(), &unsentError{err: &dialError{err}}); got.Error() != want || !notTaken(got) {
			t.Errorf("%v: got %v, want %s", err, got, want)
		}
	}
}
