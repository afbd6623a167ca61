package winrm

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
)

// loginError is a login that did not come about though the host, or its domain, answered.
type loginError struct {
	class hostagent.Class
	err   error
}

func (e *loginError) Error() string { return e.err.Error() }
func (e *loginError) Unwrap() error { return e.err }

func loginFailed(format string, args ...any) *loginError {
	return &loginError{class: hostagent.Unauthenticated, err: fmt.Errorf(format, args...)}
}

// enter passes the gate. Until then nothing has left for the host.
func enter(ctx context.Context, g *rack.Gate) (*rack.Try, error) {
	t, err := g.Enter(ctx)
	if err != nil {
		return nil, &unsentError{err: err}
	}
	return t, nil
}

// credentials are what a driver proves itself with, on every host.
type credentials interface {
	// hold keeps what logins need beyond the settings until release is called.
	hold(ctx context.Context) (logins, error)
}

// logins makes the authentication of lanes.
type logins struct {
	lane    func(Host) authentication
	release func()
}

// settings are credentials that need nothing to be held.
type settings func(Host) authentication

func (s settings) hold(context.Context) (logins, error) {
	return logins{lane: s, release: func() {}}, nil
}

func newCredentials(c Config) (credentials, error) {
	g := rack.NewGate()
	switch c.Authentication {
	case Basic:
		return settings(func(Host) authentication { return &basic{user: c.User, password: c.Password, gate: g} }), nil
	case NTLM:
		return settings(func(Host) authentication { return newNTLM(c, g) }), nil
	case Certificate:
		return settings(func(Host) authentication { return certificate{} }), nil
	default:
		return newKerberos(c, g)
	}
}

// offers reports whether a 401 asks for the scheme.
func offers(r *reply, scheme string) bool {
	for _, value := range r.header.Values("WWW-Authenticate") {
		name, _, _ := strings.Cut(strings.TrimSpace(value), " ")
		if strings.EqualFold(name, scheme) {
			return true
		}
	}
	return false
}

func notOffered(l *lane, r *reply, scheme, advice string) error {
	offered := strings.Join(r.header.Values("WWW-Authenticate"), ", ")
	if offered == "" {
		offered = "nothing"
	}
	// What a host offers may carry a token, which says nothing to people.
	if len(offered) > 100 {
		offered = offered[:100]
	}
	return loginFailed("%s does not offer %s but %s; %s", l.host.Address, scheme, offered, advice)
}

// basic tells the password with every request.
type basic struct {
	user     string
	password hostagent.Secret
	gate     *rack.Gate
}

const (
	adviceBasic     = `allow it there (WinRM's Service\Auth\Basic), or use another authentication`
	adviceNegotiate = `allow it there (WinRM's Service\Auth\Negotiate), or use another authentication`
)

// exchange tells nobody the password who does not ask for it: until a host has accepted it, an empty request goes first.
func (b *basic) exchange(ctx context.Context, l *lane, body []byte) (*reply, error) {
	if err := b.ask(ctx, l); err != nil {
		return nil, err
	}
	t, err := enter(ctx, b.gate)
	if err != nil {
		return nil, err
	}
	r, err := l.post(ctx, post{body: body, header: b.header(), dial: true})
	switch {
	case err != nil:
		t.Unknown()
		return nil, err
	case r.status != http.StatusUnauthorized:
		t.Accepted()
		return r, nil
	case !offers(r, "Basic"):
		t.Unknown()
		return nil, notOffered(l, r, "Basic", adviceBasic)
	default:
		return nil, t.RefusedBy(l.host.Address, errUnauthorized)
	}
}

// ask finds out whether the host asks for Basic.
func (b *basic) ask(ctx context.Context, l *lane) error {
	if accepted, err := b.gate.Known(); accepted || err != nil {
		return err
	}
	r, err := l.post(ctx, post{header: http.Header{}, dial: true})
	if err != nil {
		if _, ok := errors.AsType[*unsentError](err); ok {
			return err
		}
		return &unsentError{err: err}
	}
	if r.status == http.StatusUnauthorized && !offers(r, "Basic") {
		return notOffered(l, r, "Basic", adviceBasic)
	}
	return nil
}

var errUnauthorized = errors.New("401 Unauthorized")

func (b *basic) header() http.Header {
	h := http.Header{}
	h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(b.user+":"+b.password.Reveal())))
	return h
}

// certificate proves itself in the TLS handshake. There is no account to lock out, and what is mended on the host makes
// the same certificate good.
type certificate struct{}

// mutual is how WS-Man is asked to look at the client certificate.
const mutual = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"

func (certificate) exchange(ctx context.Context, l *lane, body []byte) (*reply, error) {
	h := http.Header{}
	h.Set("Authorization", mutual)
	r, err := l.post(ctx, post{body: body, header: h, dial: true})
	if err == nil && r.status == http.StatusUnauthorized {
		return nil, loginFailed("%s refused the client certificate; map it to an account there (WSMan:\\localhost\\ClientCertificate), "+
			"have its CA among the trusted ones and allow Service\\Auth\\Certificate", l.host.Address)
	}
	return r, err
}
