package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"guestclustering.io/operator/pkg/hostagent/rack"
)

// reach bounds one attempt to connect: a host that is off would else use up the time of those that are tried after it.
const reach = 10 * time.Second

// connect makes a connection with a login. What it comes to is for judge.
func (d *driver) connect(ctx context.Context, host rack.Host) (*ssh.Client, error) {
	conn, err := (&net.Dialer{Timeout: reach}).DialContext(ctx, "tcp", host.Endpoint())
	if err != nil {
		return nil, &dialError{err}
	}
	release := context.AfterFunc(ctx, func() { conn.Close() })
	l := &login{driver: d, host: host}
	c, channels, requests, err := ssh.NewClientConn(conn, host.Address, l.config(ctx))
	if err != nil {
		release()
		conn.Close()
		return nil, l.failure(ctx, err)
	}
	client := ssh.NewClient(c, channels, requests)
	l.accepted()
	if !release() {
		_ = client.Close()
		return nil, context.Cause(ctx)
	}
	return client, nil
}

// dialError is a failure before the host said anything.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// login is one attempt to log in.
type login struct {
	driver *driver
	host   rack.Host
	// method is the one that was tried; try is there while a password is.
	method string
	try    *rack.Try
}

func (l *login) config(ctx context.Context) *ssh.ClientConfig {
	return &ssh.ClientConfig{
		User:              l.driver.config.User,
		AuthCallback:      func(offer *ssh.ClientAuthContext) (ssh.AuthMethod, error) { return l.next(ctx, offer) },
		HostKeyCallback:   l.driver.known.check,
		HostKeyAlgorithms: l.driver.known.algorithms(l.host.Address),
	}
}

// next gives our one method, once, to a host that takes it.
func (l *login) next(ctx context.Context, offer *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	method := "password"
	if l.driver.signer != nil {
		method = "publickey"
	}
	switch {
	case l.method != "":
		// What ended it, a refusal or the connection, is the library's to return.
		return nil, nil
	case !slices.Contains(offer.AllowedMethods, method):
		return nil, &notOfferedError{method, offer.AllowedMethods}
	case l.driver.signer != nil:
		l.method = method
		return ssh.PublicKeys(l.driver.signer), nil
	}
	try, err := l.driver.gate.Enter(ctx)
	if err != nil {
		return nil, err
	}
	l.method, l.try = method, try
	return ssh.Password(l.driver.config.Password.Reveal()), nil
}

func (l *login) accepted() {
	if l.try != nil {
		l.try.Accepted()
	}
}

var errNotAccepted = errors.New("not accepted")

// failure says what a login came to that did not come about. A host that ends the conversation in SSH's own words once it
// has a password or a key has refused it; one whose connection is lost has not.
func (l *login) failure(ctx context.Context, err error) error {
	refused := l.method != "" && ctx.Err() == nil && !isConnection(err)
	switch {
	case l.try != nil && refused:
		return l.try.RefusedBy(l.host.Address, errNotAccepted)
	case l.try != nil:
		l.try.Unknown()
	case refused:
		return &keyRefusedError{host: l.host.Address, user: l.driver.config.User, key: l.driver.signer.PublicKey()}
	}
	return err
}

// isConnection reports whether the connection failed, and not what was said over it.
func isConnection(err error) bool {
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

type notOfferedError struct {
	method  string
	offered []string
}

func (e *notOfferedError) Error() string {
	return fmt.Sprintf("the host does not offer the method %s but %s; allow it in its sshd_config, or give the credentials that it asks for",
		e.method, strings.Join(e.offered, ", "))
}

type keyRefusedError struct {
	host, user string
	key        ssh.PublicKey
}

func (e *keyRefusedError) Error() string {
	return fmt.Sprintf(`%s refused the key of %s; put this line into %%ProgramData%%\ssh\administrators_authorized_keys there, which only Administrators and SYSTEM may write, and check the name: %s`,
		e.host, e.user, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(e.key))))
}
