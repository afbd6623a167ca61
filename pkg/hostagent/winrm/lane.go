package winrm

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

const (
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 10 * time.Second
	// answerTimeout bounds one HTTP request with its answer: more than the host may take (startTimeout), so that an answer
	// is not given up while it is on its way.
	answerTimeout = 60 * time.Second
	// idleTimeoutHTTP is less than the two minutes after which Windows closes an idle connection, so that no request is
	// written to one that is just being closed.
	idleTimeoutHTTP = 90 * time.Second
	// maxAnswer bounds an answer. The host was told envelopeSize; what is eight times as large is no answer.
	maxAnswer = 8 * envelopeSize

	contentTypeSOAP = "application/soap+xml;charset=UTF-8"
)

// lane is one connection to a host, made again when it was lost, and one login on it. Requests on a lane go one after
// the other.
type lane struct {
	host   Host
	target hostagent.Target
	url    string
	auth   authentication
	http   *http.Transport
	tls    *tls.Config // nil over HTTP
	within time.Duration

	// turn holds one token for the request under way.
	turn chan struct{}
	// mayDial says whether the request under way may go over a connection that is not made yet.
	mayDial atomic.Bool

	mu     sync.Mutex
	conn   *connection
	closed bool
}

// authentication is one way to prove on a lane who we are. There is one per lane, because some belong to a connection.
type authentication interface {
	// exchange posts the body and gives the answer, unless that says 401, which is an error.
	exchange(ctx context.Context, l *lane, body []byte) (*reply, error)
}

func newLane(host Host, target hostagent.Target, config *tls.Config, auth authentication) *lane {
	scheme := "http"
	if config != nil {
		scheme = "https"
	}
	l := &lane{
		host: host, target: target, url: scheme + "://" + host.Address + "/wsman", auth: auth, tls: config,
		within: answerTimeout, turn: make(chan struct{}, 1),
	}
	l.http = &http.Transport{
		DialContext:            l.dial,
		DialTLSContext:         l.dial,
		MaxConnsPerHost:        1,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        idleTimeoutHTTP,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
	return l
}

// connection is a connection as its lane sees it.
type connection struct {
	net.Conn
	certificate *x509.Certificate // nil over HTTP
	// wrote says that something of the request under way may have left for the host.
	wrote  atomic.Bool
	closed atomic.Bool
}

func (c *connection) Write(b []byte) (int, error) {
	// net/http takes a while to see that a connection was closed.
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	c.wrote.Store(true)
	return c.Conn.Write(b)
}

func (c *connection) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

var (
	// errNoConnection is a request that may go only over the connection that the login was made on, which is lost.
	errNoConnection = errors.New("the connection that the login was made on is gone")
	errLaneClosed   = errors.New("the way to the host was closed")
)

// dialError is a connection that did not come about.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

func (l *lane) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	if !l.mayDial.Load() {
		return nil, errNoConnection
	}
	c := &connection{}
	var err error
	if c.Conn, err = (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, l.host.Endpoint()); err != nil {
		return nil, &dialError{err}
	}
	if l.tls != nil {
		if err := c.encrypt(ctx, l.tls); err != nil {
			c.Conn.Close()
			return nil, &dialError{err}
		}
	}
	if err := l.adopt(c); err != nil {
		c.Conn.Close()
		return nil, &dialError{err}
	}
	return c, nil
}

// handshakeError is a connection that came about without TLS on it.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

func (c *connection) encrypt(ctx context.Context, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	secure := tls.Client(c.Conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return &handshakeError{err}
	}
	c.Conn, c.certificate = secure, secure.ConnectionState().PeerCertificates[0]
	return nil
}

// adopt makes the connection the lane's own. net/http goes on dialing for a request that has been given up.
func (l *lane) adopt(c *connection) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errLaneClosed
	}
	l.conn = c
	return nil
}

// current is the connection that is there, or nil.
func (l *lane) current() *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil || l.conn.closed.Load() {
		return nil
	}
	return l.conn
}

// drop closes the connection, so that the next request makes one anew.
func (l *lane) drop() {
	if c := l.current(); c != nil {
		_ = c.Close() // it is given up, whatever it says
	}
}

// close ends the lane. What is under way on it fails.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.drop()
	l.http.CloseIdleConnections()
}

// reply is an answer of HTTP's.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// call sends one request of WS-Man's and gives the answer. Errors are *hostagent.Error, of a *fault where the host
// refused.
func (l *lane) call(ctx context.Context, op, message string) (*answer, error) {
	r, err := l.exchange(ctx, []byte(message))
	if err != nil {
		return nil, l.failure(ctx, op, err)
	}
	a, err := read(r)
	if err != nil {
		return nil, l.failure(ctx, op, err)
	}
	return a, nil
}

// exchange waits for its turn and posts the body. If nothing of it was written because the connection had just been
// closed, it is posted once more, over a new one.
func (l *lane) exchange(ctx context.Context, body []byte) (*reply, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, &unsentError{err: context.Cause(ctx)}
	}
	r, err := l.auth.exchange(ctx, l, body)
	if unsent, ok := errors.AsType[*unsentError](err); ok && unsent.stale && ctx.Err() == nil {
		l.drop()
		r, err = l.auth.exchange(ctx, l, body)
	}
	return r, err
}

// unsentError is a request of which nothing left for the host.
type unsentError struct {
	err error
	// stale says that only the connection from before was no longer good.
	stale bool
}

func (e *unsentError) Error() string { return e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }

var errNoAnswer = errors.New("no answer in time")

// A post is one HTTP request. dial says that it may go over a new connection.
type post struct {
	body   []byte
	header http.Header
	dial   bool
}

// post posts once and reads the whole answer, whatever its status.
func (l *lane) post(ctx context.Context, p post) (*reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, l.within, errNoAnswer)
	defer cancel()
	before := l.last()
	if before != nil {
		before.wrote.Store(false)
	}
	l.mayDial.Store(p.dial)
	r, err := l.roundTrip(ctx, p)
	if err == nil {
		return r, nil
	}
	if context.Cause(ctx) == errNoAnswer { //nolint:errorlint // A cause is not wrapped.
		err = fmt.Errorf("%w (%w)", errNoAnswer, err)
	}
	// A connection made for this request has written nothing but this request.
	if wrote(before) || wrote(l.last()) {
		return nil, err
	}
	_, dialing := errors.AsType[*dialError](err)
	return nil, &unsentError{err: err, stale: !dialing}
}

func wrote(c *connection) bool { return c != nil && c.wrote.Load() }

// last is the last connection, closed or not.
func (l *lane) last() *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn
}

func (l *lane) roundTrip(ctx context.Context, p post) (*reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url, bytes.NewReader(p.body))
	if err != nil {
		return nil, err
	}
	// Without GetBody net/http never sends the request a second time by itself.
	req.GetBody = nil
	req.Header = p.header
	if len(p.body) > 0 && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", contentTypeSOAP)
	}
	// A transport alone follows no redirect, which would lead the request to where nobody asked for.
	resp, err := l.http.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, garbled(fmt.Errorf("the answer has more than %d MiB, and the host was told to send at most %d KiB at once", maxAnswer>>20, envelopeSize>>10))
	}
	return &reply{status: resp.StatusCode, header: resp.Header, body: body}, nil
}
