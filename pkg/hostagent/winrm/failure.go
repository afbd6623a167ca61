package winrm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
)

// adviceLog is where Windows says why it ended a connection or a shell.
const adviceLog = "the host's event log Microsoft-Windows-WinRM/Operational says more"

// unreadableError is an answer that is none of WS-Man's.
type unreadableError struct{ err error }

func (e *unreadableError) Error() string { return e.err.Error() }
func (e *unreadableError) Unwrap() error { return e.err }

// garbled is an answer of a host that was reached: what is wrong is there, or on the way.
func garbled(err error) error {
	return &unreadableError{fmt.Errorf("%w; does WinRM answer on this port, and does a proxy or an antivirus change what it says? %s", err, adviceLog)}
}

// refusedError is what the host, or what stands before it, said without a WS-Man fault.
type refusedError struct {
	class hostagent.Class
	text  string
}

func (e *refusedError) Error() string { return e.text }

// read gives the WS-Man message in an answer of HTTP's. A fault is a fault whatever the status.
func read(r *reply) (*answer, error) {
	a, err := parse(r.body)
	switch {
	case err == nil && a.Body.Fault != nil:
		return nil, a.Body.Fault
	case r.status == http.StatusOK && err != nil:
		return nil, garbled(err)
	case r.status == http.StatusOK:
		return a, nil
	default:
		return nil, statusError(r.status)
	}
}

func statusError(status int) error {
	said := fmt.Sprintf("%d %s", status, http.StatusText(status))
	switch status {
	case http.StatusForbidden:
		return &refusedError{hostagent.Forbidden, said + ": the listener does not let this account or address in; check the host's IPv4Filter and IPv6Filter, and the account's rights"}
	case http.StatusServiceUnavailable:
		return &refusedError{hostagent.Unreachable, said + ": the host's WinRM service is stopped or overloaded; start it; " + adviceLog}
	case http.StatusBadRequest:
		return &refusedError{hostagent.Unreachable, said + ": the host no longer knows the session; was its WinRM service restarted? " + adviceLog}
	case http.StatusNotFound:
		return &unreadableError{errors.New(said + ": this is no WinRM listener; check the address and the port")}
	default:
		return garbled(errors.New(said + " without a WS-Man fault"))
	}
}

// failure makes a *hostagent.Error of what went wrong with a request.
func (l *lane) failure(ctx context.Context, op string, err error) error {
	class, why := l.judge(ctx, err)
	return &hostagent.Error{Class: class, Op: op, Target: l.target, Err: why}
}

// notTaken reports whether the host certainly did not take the request.
func notTaken(err error) bool {
	if isGone(err) {
		return true
	}
	_, unsent := errors.AsType[*unsentError](err)
	_, refused := errors.AsType[*refusedError](err)
	_, said := errors.AsType[*loginError](err)
	_, credentials := errors.AsType[*rack.RefusedError](err)
	return unsent || refused || said || credentials
}

func (l *lane) judge(ctx context.Context, err error) (hostagent.Class, error) {
	if f, ok := errors.AsType[*fault](err); ok {
		return f.meaning().class, err
	}
	if r, ok := errors.AsType[*refusedError](err); ok {
		return r.class, fmt.Errorf("%s: %w", l.host.Address, err)
	}
	if _, ok := errors.AsType[*rack.RefusedError](err); ok {
		return hostagent.Unauthenticated, err
	}
	if login, ok := errors.AsType[*loginError](err); ok {
		return login.class, err
	}
	if _, ok := errors.AsType[*unreadableError](err); ok {
		return hostagent.Protocol, fmt.Errorf("%s: %w", l.host.Address, err)
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return hostagent.Timeout, fmt.Errorf("%s did not answer in time: %w", l.host.Address, err)
	case ctx.Err() != nil:
		why := fmt.Errorf("waiting for %s: %w", l.host.Address, context.Cause(ctx))
		if _, ok := errors.AsType[*unsentError](err); ok {
			return hostagent.Canceled, &unsentError{err: why}
		}
		return hostagent.Canceled, why
	}
	return l.judgeConnection(err)
}

// judgeConnection sorts what happened below HTTP.
func (l *lane) judgeConnection(err error) (hostagent.Class, error) {
	if text := certificateProblem(err); text != "" {
		if _, pin := errors.AsType[*fingerprintError](err); !pin && l.tls.VerifyConnection != nil {
			text += "; a fingerprint does not stand in for that"
		}
		return hostagent.Forbidden, l.explained(text, err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return hostagent.Protocol, fmt.Errorf("%s does not speak TLS; use the HTTPS port, 5986 by default, or the transport HTTP: %w", l.host.Address, err)
	}
	// So crypto/tls names what the other side's alert ends.
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return l.judgeAlert(), fmt.Errorf("%s ended the TLS handshake; does it take this client certificate, and TLS 1.2? %w", l.host.Address, err)
	}
	return hostagent.Unreachable, l.explained(connectionAdvice(err), err)
}

// explainedError is an error in words that stay the same from try to try.
type explainedError struct {
	text string
	err  error
}

func (e *explainedError) Error() string { return e.text }
func (e *explainedError) Unwrap() error { return e.err }

// explained puts the advice before the library's own words, but for those that differ each time: the time of day, and where
// in a handshake the connection was cut.
func (l *lane) explained(advice string, err error) error {
	invalid, broken := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case broken && invalid.Reason == x509.Expired:
		return &explainedError{l.host.Address + ": " + advice, err}
	case errors.Is(err, syscall.ECONNRESET):
		return &explainedError{fmt.Sprintf("%s: %s: %v", l.host.Address, advice, syscall.ECONNRESET), err}
	default:
		return fmt.Errorf("%s: %s: %w", l.host.Address, advice, err)
	}
}

func connectionAdvice(err error) string {
	_, dialing := errors.AsType[*dialError](err)
	_, shaking := errors.AsType[*handshakeError](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	switch {
	case unknown:
		return "the name cannot be resolved; check the host's address and the DNS"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there; is the host up, and has its WinRM service a listener on this port?"
	case errors.Is(err, errNoAnswer):
		return "no answer; is the host well? Restart its WinRM service if this stays so"
	case shaking && errors.Is(err, context.DeadlineExceeded):
		return "it takes the connection and says nothing; is the host well? Restart its WinRM service if this stays so"
	case shaking, dialing && errors.Is(err, syscall.ECONNRESET):
		return "no TLS connection; has the host's listener on this port a certificate, and does it do TLS 1.2?"
	case dialing:
		return "no connection; is the host up, and is the port open in its firewall?"
	default:
		return "the connection was lost with a request under way; was the host or its WinRM service restarted, is a quota of its shells full " +
			"(MaxMemoryPerShellMB), or does something in between cut connections? " + adviceLog
	}
}

// certificateProblem tells what is wrong with the host's certificate, or "".
func certificateProblem(err error) string {
	authority, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	invalid, broken := errors.AsType[x509.CertificateInvalidError](err)
	name, other := errors.AsType[x509.HostnameError](err)
	_, pin := errors.AsType[*fingerprintError](err)
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case pin:
		return "the host's certificate is none of the fingerprints given; check which one the host has now"
	case unknown:
		return fmt.Sprintf("the host's certificate is from an authority that is not known (%s); give the CA in caBundle", issuer(authority.Cert))
	case other:
		return fmt.Sprintf("the host's certificate is for other names than %s; give it that name, or say in serverName which one it has", name.Host)
	case broken && invalid.Reason == x509.Expired:
		return fmt.Sprintf("the host's certificate is not valid now (valid from %s to %s); renew it on the host", day(invalid.Cert.NotBefore), day(invalid.Cert.NotAfter))
	case broken, verification:
		return "the host's certificate cannot be verified"
	default:
		return ""
	}
}

func (l *lane) judgeAlert() hostagent.Class {
	if len(l.tls.Certificates) > 0 {
		return hostagent.Unauthenticated
	}
	return hostagent.Protocol
}
