package winrm

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/bodgit/ntlmssp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
)

// ntlm logs in once for each connection. Over HTTP it then seals every message.
type ntlm struct {
	user, domain string
	password     hostagent.Secret
	gate         *rack.Gate
	sealed       bool

	// conn is the connection that is logged in, and session what its messages are sealed with.
	conn    *connection
	session *ntlmssp.SecuritySession
}

func newNTLM(c Config, g *rack.Gate) *ntlm {
	n := &ntlm{user: c.User, password: c.Password, gate: g, sealed: c.Transport == HTTP}
	// user@domain stays whole: the domain then is empty.
	if domain, user, ok := strings.Cut(c.User, `\`); ok {
		n.domain, n.user = domain, user
	}
	return n
}

// exchange logs in where needed and posts. A 401 to a request says that the host no longer knows the connection's login
// and did not take the request, so that goes out again after a new login, once.
func (n *ntlm) exchange(ctx context.Context, l *lane, body []byte) (*reply, error) {
	for range 2 {
		if err := n.login(ctx, l); err != nil {
			l.drop()
			return nil, err
		}
		r, err := n.post(ctx, l, body)
		if err != nil {
			l.drop()
			return nil, err
		}
		if r.status != http.StatusUnauthorized {
			return r, nil
		}
		l.drop()
	}
	return nil, loginFailed("%s logs us in and then does not take the request", l.host.Address)
}

// login makes a connection and logs in on it, unless that is done.
func (n *ntlm) login(ctx context.Context, l *lane) error {
	if n.conn != nil && n.conn == l.current() {
		return nil
	}
	if _, err := n.gate.Known(); err != nil {
		return err
	}
	l.drop()
	client, err := ntlmssp.NewClient(ntlmssp.SetUserInfo(n.user, n.password.Reveal()), ntlmssp.SetDomain(n.domain))
	if err != nil {
		return &loginError{hostagent.Internal, err}
	}
	negotiate, err := client.Authenticate(nil, nil)
	if err != nil {
		return &loginError{hostagent.Internal, err}
	}
	r, err := l.post(ctx, post{header: negotiation(negotiate), dial: true})
	if err != nil {
		return err
	}
	challenge, err := n.challenge(l, r)
	if err != nil {
		return err
	}
	conn := l.current()
	proof, err := answerChallenge(client, challenge, conn)
	if err != nil {
		return &loginError{hostagent.Protocol, fmt.Errorf("%s sent an NTLM challenge that cannot be answered: %w", l.host.Address, err)}
	}
	if err := n.prove(ctx, l, proof); err != nil {
		return err
	}
	n.conn, n.session = conn, client.SecuritySession()
	return nil
}

// challenge takes the host's challenge out of its answer.
func (n *ntlm) challenge(l *lane, r *reply) ([]byte, error) {
	if r.status != http.StatusUnauthorized {
		return nil, statusError(r.status)
	}
	for _, value := range r.header.Values("WWW-Authenticate") {
		token, ok := strings.CutPrefix(strings.TrimSpace(value), "Negotiate ")
		if !ok {
			continue
		}
		challenge, err := base64.StdEncoding.DecodeString(token)
		if err != nil {
			return nil, &loginError{hostagent.Protocol, fmt.Errorf("%s: the NTLM challenge: %w", l.host.Address, err)}
		}
		return challenge, n.checkFlags(l, challenge)
	}
	if offers(r, "Negotiate") {
		return nil, loginFailed("%s offers Negotiate but not NTLM; does a policy of the domain restrict it?", l.host.Address)
	}
	return nil, notOffered(l, r, "Negotiate", adviceNegotiate)
}

const (
	flagsOffset = 20
	// strong are the flags of a session whose sealing deserves the name: seal, sign, extended session security, key exchange,
	// 128 bits.
	strong = 0x00000020 | 0x00000010 | 0x00080000 | 0x40000000 | 0x20000000
)

// checkFlags refuses a challenge that leaves sealing out or weakens it: the library would do as it is told.
func (n *ntlm) checkFlags(l *lane, challenge []byte) error {
	if len(challenge) < flagsOffset+4 {
		return &loginError{hostagent.Protocol, fmt.Errorf("%s: the NTLM challenge is cut off", l.host.Address)}
	}
	if flags := binary.LittleEndian.Uint32(challenge[flagsOffset:]); n.sealed && flags&strong != strong {
		return loginFailed("%s does not agree to seal messages with 128 bits (flags %#x), and over HTTP none is sent unsealed; use HTTPS", l.host.Address, flags)
	}
	return nil
}

// answerChallenge makes the proof, bound to the host's certificate. The library panics on some malformed challenges.
func answerChallenge(client *ntlmssp.Client, challenge []byte, conn *connection) (proof []byte, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = errors.New("it is malformed")
		}
	}()
	return client.Authenticate(challenge, bindings(conn))
}

// prove sends the proof over the very connection that the challenge came from.
func (n *ntlm) prove(ctx context.Context, l *lane, proof []byte) error {
	t, err := enter(ctx, n.gate)
	if err != nil {
		return err
	}
	r, err := l.post(ctx, post{header: negotiation(proof)})
	switch {
	case err != nil:
		t.Unknown()
		if _, unsent := errors.AsType[*unsentError](err); unsent {
			return err
		}
		// The request itself has not been sent, whatever became of the login. That is not tried again: it may count.
		return &unsentError{err: err}
	case r.status == http.StatusUnauthorized:
		return t.RefusedBy(l.host.Address, errUnauthorized)
	case r.status == http.StatusForbidden, r.status == http.StatusServiceUnavailable:
		t.Unknown()
		return statusError(r.status)
	default:
		t.Accepted()
		return nil
	}
}

func (n *ntlm) post(ctx context.Context, l *lane, body []byte) (*reply, error) {
	if !n.sealed {
		return l.post(ctx, post{body: body, header: http.Header{}})
	}
	message, err := seal(n.session, body)
	if err != nil {
		return nil, &loginError{hostagent.Internal, err}
	}
	h := http.Header{}
	h.Set("Content-Type", contentTypeSealed)
	r, err := l.post(ctx, post{body: message, header: h})
	if err != nil || r.status == http.StatusUnauthorized {
		return r, err
	}
	return unsealed(n.session, r)
}

func negotiation(token []byte) http.Header {
	h := http.Header{}
	h.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(token))
	return h
}

// bindings tie a login to the TLS connection (RFC 5929, tls-server-end-point), so that nobody in between can use it.
// Hosts with CbtHardeningLevel Strict ask for them.
func bindings(conn *connection) *ntlmssp.ChannelBindings {
	if conn == nil || conn.certificate == nil {
		return nil
	}
	digest := endPointHash(conn.certificate.SignatureAlgorithm).New()
	digest.Write(conn.certificate.Raw)
	return &ntlmssp.ChannelBindings{ApplicationData: digest.Sum([]byte(ntlmssp.TLSServerEndPoint + ":"))}
}

// endPointHash is the signature's hash, or SHA-256 where that is weaker or none.
func endPointHash(algorithm x509.SignatureAlgorithm) crypto.Hash {
	switch algorithm {
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		return crypto.SHA512
	default:
		return crypto.SHA256
	}
}
