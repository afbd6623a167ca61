package wsman_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/masterzen/winrm"
	"github.com/masterzen/winrm/soap"
	"go.uber.org/goleak"

	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The Kerberos library's cache of tickets seen, one for the whole process. Inlined, it has another name.
		goleak.IgnoreAnyFunction("github.com/jcmturner/gokrb5/v8/service.GetReplayCache.func1.1"),
		goleak.IgnoreAnyFunction("github.com/jcmturner/gokrb5/v8/service.VerifyAPREQ.GetReplayCache.func1.1"))
}

// echo writes its command line, then what it reads, and fails with the code 3 if it reads "fail".
func echo(ctx context.Context, p wsman.Invocation) int {
	fmt.Fprintf(p.Stdout, "%s on %s\n", p.CommandLine, p.Environment["COMPUTERNAME"])
	fmt.Fprint(p.Stderr, "warning")
	if strings.Contains(p.CommandLine, "large") {
		_, _ = p.Stdout.Write(bytes.Repeat([]byte("0123456789"), 100_000))
		return 0
	}
	if !strings.Contains(p.CommandLine, "read") {
		return 0
	}
	var read bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.MultiWriter(&read, p.Stdout), p.Stdin)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		<-done
	}
	if read.String() == "fail" {
		return 3
	}
	return 0
}

const user, password = `SIM\operator`, "p4ss&<word>"

func settings() wsman.Config {
	return wsman.Config{Host: "HV01", Program: echo, Authentication: wsman.Authentication{Basic: true, NTLM: true, Users: map[string]wsman.User{user: {Password: password}, "guest": {Password: "guest", Limited: true}}}}
}

// endpoint is a server on loopback, over plain HTTP and over TLS.
type endpoint struct {
	*wsman.Server
	http, https int
	ca          []byte
}

func serve(t *testing.T, config wsman.Config) endpoint {
	t.Helper()
	s := wsman.New(config)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	authority, err := wsman.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Host(time.Time{}, "hv01")
	if err != nil {
		t.Fatal(err)
	}
	plain, secure := listen(t), listen(t)
	s.Serve(plain, nil)
	s.Serve(secure, &certificate)
	return endpoint{s, plain.Addr().(*net.TCPAddr).Port, secure.Addr().(*net.TCPAddr).Port, authority.PEM()}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (e endpoint) client(t *testing.T, secure bool, transport func() winrm.Transporter, user, password string) *winrm.Client {
	t.Helper()
	at := winrm.NewEndpoint("127.0.0.1", e.http, false, false, nil, nil, nil, 30*time.Second)
	if secure {
		at = winrm.NewEndpoint("127.0.0.1", e.https, true, false, e.ca, nil, nil, 30*time.Second)
	}
	parameters := *winrm.DefaultParameters
	parameters.Timeout = "PT5S"
	if transport != nil {
		parameters.TransportDecorator = transport
	}
	c, err := winrm.NewClientWithParameters(at, user, password, &parameters)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// unsealed is NTLM without seals. Another client's NTLM mixes up its connections when it posts side by side, so it is kept
// from that.
func unsealed() winrm.Transporter { return &inTurn{Transporter: &winrm.ClientNTLM{}} }

// inTurn posts one message after the other.
type inTurn struct {
	winrm.Transporter
	mu sync.Mutex
}

func (t *inTurn) Post(c *winrm.Client, m *soap.SoapMessage) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Transporter.Post(c, m)
}

func sealed() winrm.Transporter {
	e, err := winrm.NewEncryption("ntlm")
	if err != nil {
		panic(err)
	}
	return e
}

func TestAnotherClientWorks(t *testing.T) {
	for name, mode := range map[string]struct {
		secure    bool
		transport func() winrm.Transporter
		config    wsman.Config
	}{
		"Basic over TLS":            {true, nil, settings()},
		"NTLM over TLS":             {true, unsealed, settings()},
		"Basic where it is allowed": {false, nil, plain()},
		"NTLM where it is allowed":  {false, unsealed, plain()},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, mode.config)
			c := e.client(t, mode.secure, mode.transport, user, password)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, problems, code, err := c.RunWithContextWithString(ctx, "hello", "")
			if err != nil || code != 0 || out != "hello on HV01\n" || problems != "warning" {
				t.Fatalf("hello: %q %q %d %v", out, problems, code, err)
			}
			out, _, _, err = c.RunWithContextWithString(ctx, "large", "")
			if err != nil || len(out) != len("large on HV01\n")+1_000_000 {
				t.Fatalf("large: %d bytes, %v", len(out), err)
			}
			if n := e.Shells(); n != 0 {
				t.Errorf("%d shells are left", n)
			}
		})
	}
}

// Another library's sealed transport is good for one message after the other only, so its parts are used here one by one.
func TestAnotherClientSeals(t *testing.T) {
	var seen []wsman.Exchange
	config := settings()
	config.Observe = func(e wsman.Exchange) { seen = append(seen, e) }
	e := serve(t, config)
	transport := sealed()
	c := e.client(t, false, func() winrm.Transporter { return transport }, user, password)
	post := func(m *soap.SoapMessage) string {
		t.Helper()
		answer, err := transport.Post(c, m)
		if err != nil {
			t.Fatalf("%v: %s", err, answer)
		}
		return answer
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/wsman", e.http)
	shell, err := winrm.ParseOpenShellResponse(post(winrm.NewOpenShellRequest(url, winrm.DefaultParameters)))
	if err != nil {
		t.Fatal(err)
	}
	command, err := winrm.ParseExecuteCommandResponse(post(winrm.NewExecuteCommandRequest(url, shell, "large", nil, winrm.DefaultParameters)))
	if err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	for done := false; !done; {
		answer := post(winrm.NewGetOutputRequest(url, shell, command, "stdout stderr", winrm.DefaultParameters))
		if done, _, err = winrm.ParseSlurpOutputErrResponse(answer, &out, &problems); err != nil {
			t.Fatal(err)
		}
	}
	if out.Len() != len("large on HV01\n")+1_000_000 {
		t.Errorf("%d bytes came", out.Len())
	}
	post(winrm.NewDeleteShellRequest(url, shell, winrm.DefaultParameters))
	if n := e.Shells(); n != 0 {
		t.Errorf("%d shells are left", n)
	}
	for _, x := range seen {
		if !x.Sealed || x.Mode != "NTLM" || x.User != strings.ToLower(user) || x.Status != http.StatusOK ||
			!bytes.Contains(x.Request, []byte("Envelope>")) || !bytes.Contains(x.Response, []byte("Envelope>")) {
			t.Errorf("observed %+v", x)
		}
	}
	if len(seen) < 6 || seen[0].Action != wsman.Create || seen[1].Action != wsman.Command || seen[len(seen)-1].Action != wsman.Delete {
		t.Errorf("observed %d exchanges", len(seen))
	}
}

// Over plain HTTP nothing is let in that is not sealed.
func TestUnsealedIsRefused(t *testing.T) {
	e := serve(t, settings())
	for name, transport := range map[string]func() winrm.Transporter{"Basic": nil, "NTLM": unsealed} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, _, _, err := e.client(t, false, transport, user, password).RunWithContextWithString(ctx, "hello", "")
		if err == nil || !strings.Contains(err.Error(), "401") || e.Shells() != 0 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
