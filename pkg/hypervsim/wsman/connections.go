package wsman

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
)

// listener hands the server the connections with which nothing goes wrong from the first.
type listener struct {
	net.Listener
	server *Server
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.server.isOff() {
			reset(conn)
			continue
		}
		switch l.server.faults.take(toConnection, "").kind() {
		case Refuse:
			reset(conn)
		case Mute:
			l.server.keep(conn)
		default:
			return conn, nil
		}
	}
}

// SetPower takes the host's power away or gives it back: without it every shell is gone and nothing is answered.
func (s *Server) SetPower(on bool) {
	s.mu.Lock()
	s.off = !on
	s.mu.Unlock()
	if !on {
		s.Restart()
	}
}

func (s *Server) isOff() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.off
}

// reset closes a connection so that the client sees what it sees of a port where nobody listens.
func reset(conn net.Conn) {
	if c, ok := conn.(interface{ SetLinger(seconds int) error }); ok {
		_ = c.SetLinger(0) // Then it is closed in the ordinary way.
	}
	_ = conn.Close()
}

// keep holds a connection until all are cut.
func (s *Server) keep(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.off {
		_ = conn.Close()
		return
	}
	s.connections[conn] = struct{}{}
}

// cut closes every connection.
func (s *Server) cut() {
	s.mu.Lock()
	connections := slices.Collect(maps.Keys(s.connections))
	clear(s.connections)
	s.mu.Unlock()
	for _, conn := range connections {
		_ = conn.Close() // It is cut either way.
	}
}

// shown is the certificate that a listener over TLS shows: its own, or an expired one on demand.
func (s *Server) shown(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	fault := s.faults.take(toHandshake, "").kind()
	s.mu.Lock()
	defer s.mu.Unlock()
	certificate := s.certificate
	if fault == ExpiredCertificate && s.config.Expired != nil {
		certificate = s.config.Expired
	}
	s.certificates[hello.Conn] = certificate
	return certificate, nil
}

// SetCertificate changes the certificate of connections made from now on.
func (s *Server) SetCertificate(c tls.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.certificate = &c
}

// connection is what the server knows of one TCP connection: NTLM logs on a connection, not a request.
type connection struct {
	server *Server
	// below is the connection that TLS is on, or the connection.
	below net.Conn

	mu        sync.Mutex
	challenge *challengeState
	logon     *logon
}

// shownCertificate is the certificate that the client has seen, or nil.
func (c *connection) shownCertificate() *tls.Certificate {
	if c.server == nil {
		return nil
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.server.certificates[c.below]
}

func below(conn net.Conn) net.Conn {
	if secure, ok := conn.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return conn
}

// forget ends the logon of a connection.
func (c *connection) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logon, c.challenge = nil, nil
}

type connectionKey struct{}

// connect takes up a new connection.
func (s *Server) connect(ctx context.Context, conn net.Conn) context.Context {
	s.keep(conn)
	return context.WithValue(ctx, connectionKey{}, &connection{server: s, below: below(conn)})
}

func (s *Server) disconnect(conn net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.connections, conn)
		delete(s.certificates, below(conn))
	}
}

func connectionOf(r *http.Request) *connection {
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		return c
	}
	return &connection{}
}
