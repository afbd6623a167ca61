package wsman

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Limits are the service's quotas, as "winrm get winrm/config" shows them. What is 0 is as DefaultLimits has it.
type Limits struct {
	ShellsPerUser, ProcessesPerShell, OperationsPerUser int
	// EnvelopeBytes bounds a request and an answer.
	EnvelopeBytes int
	// Idle is how long a shell lives unused that asks for no other time; what it asks for is kept between MinIdle and MaxIdle.
	Idle, MinIdle, MaxIdle time.Duration
	// Timeout bounds how long an answer may take.
	Timeout time.Duration
}

// DefaultLimits are those of Windows Server 2016 and later.
func DefaultLimits() Limits {
	return Limits{
		ShellsPerUser: 30, ProcessesPerShell: 25, OperationsPerUser: 1500, EnvelopeBytes: 500 << 10,
		Idle: 2 * time.Hour, MinIdle: time.Minute, MaxIdle: math.MaxInt32 * time.Millisecond, Timeout: time.Minute,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	return Limits{
		ShellsPerUser: cmp.Or(l.ShellsPerUser, d.ShellsPerUser), ProcessesPerShell: cmp.Or(l.ProcessesPerShell, d.ProcessesPerShell),
		OperationsPerUser: cmp.Or(l.OperationsPerUser, d.OperationsPerUser), EnvelopeBytes: cmp.Or(l.EnvelopeBytes, d.EnvelopeBytes),
		Idle: cmp.Or(l.Idle, d.Idle), MinIdle: cmp.Or(l.MinIdle, d.MinIdle), MaxIdle: cmp.Or(l.MaxIdle, d.MaxIdle), Timeout: cmp.Or(l.Timeout, d.Timeout),
	}
}

// Config says what a server is.
type Config struct {
	// Host is the computer's name.
	Host           string
	Program        Program
	Authentication Authentication
	// Limits are DefaultLimits when left out.
	Limits Limits
	// Clock is the real one when left out.
	Clock clock.WithTicker
	// Expired is shown while there is a fault ExpiredCertificate.
	Expired *tls.Certificate
	// Observe is told every exchange before it is answered. It must not block, and the bodies are its own.
	Observe func(Exchange)
}

// Exchange is one message that was let in, and its answer, both as they are without sealing.
type Exchange struct {
	// Action is empty where the message could not be read.
	Action            Action
	Shell, User, Mode string
	Sealed            bool
	// Status is that of HTTP; 0 says that there was no answer, because of a fault.
	Status            int
	Request, Response []byte
}

// Server is the WS-Management service of one host.
type Server struct {
	config Config
	logons *logons
	faults *faultList

	mu          sync.Mutex
	shells      map[string]*shell
	listeners   []*http.Server
	connections map[net.Conn]struct{}
	// certificate is that of listeners over TLS.
	certificate *tls.Certificate
	// certificates are what the connections over TLS were shown.
	certificates map[net.Conn]*tls.Certificate
	closed       bool
	// off is whether the host has no power.
	off      bool
	requests int

	stop context.CancelFunc
	// background is what ends with Close.
	background sync.WaitGroup
}

// New makes a server that listens nowhere yet. Close ends it.
func New(config Config) *Server {
	config.Limits = config.Limits.withDefaults()
	if config.Clock == nil {
		config.Clock = clock.RealClock{}
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		config: config, shells: map[string]*shell{}, connections: map[net.Conn]struct{}{}, certificates: map[net.Conn]*tls.Certificate{},
		stop: stop, logons: newLogons(config.Host, config.Authentication), faults: newFaultList(),
	}
	ticker := config.Clock.NewTicker(time.Second)
	s.background.Go(func() {
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C():
				s.reap()
			}
		}
	})
	return s
}

// Serve answers on a listener until Close, in plain HTTP, or over TLS when there is a certificate. It returns at once.
func (s *Server) Serve(l net.Listener, certificate *tls.Certificate) {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ConnContext:       s.connect,
		ConnState:         s.disconnect,
		// A second protocol would have no connection of its own for NTLM.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ErrorLog:     quiet(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l = &listener{Listener: l, server: s}
	if certificate != nil {
		s.certificate = certificate
		l = tls.NewListener(l, &tls.Config{
			GetCertificate: s.shown,
			ClientAuth:     tls.RequestClientCert, // who it is for is asked later
			MinVersion:     tls.VersionTLS12,
		})
	}
	s.listeners = append(s.listeners, server)
	s.background.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			_ = l.Close()
		}
	})
}

// Close ends every shell and listener and waits until nothing of them runs.
func (s *Server) Close() error {
	s.mu.Lock()
	listeners := s.listeners
	s.closed = true
	s.mu.Unlock()
	s.stop()
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	s.cut()
	s.endShells()
	s.background.Wait()
	return errors.Join(errs...)
}

// Restart ends every shell with its processes and cuts every connection, as the host's restart does.
func (s *Server) Restart() {
	s.cut()
	s.endShells()
}

// Requests counts the HTTP requests that came, those of logons and refused ones included.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	s.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && r.Header.Get("WSMANIDENTIFY") == "unauthenticated":
		identify(w)
		return
	case r.Method != http.MethodPost || r.URL.Path != "/wsman":
		http.NotFound(w, r)
		return
	}
	body, err := s.read(w, r)
	if err != nil {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(errEnvelopeSize.httpStatus())
		_, _ = w.Write(errEnvelopeSize.envelope("")) // The client has gone when this fails.
		return
	}
	who, ok := s.logons.authenticate(w, r)
	if !ok {
		return
	}
	if len(body) == 0 {
		// The last leg of a logon carries no message.
		w.WriteHeader(http.StatusOK)
		return
	}
	if body, err = who.open(r, body); err != nil {
		// The two sides no longer count alike, so nothing more will be understood.
		connectionOf(r).forget()
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.exchange(w, r, who, body)
}

// sealing is what sealing may add to a message.
const sealing = 1 << 10

// maxUpload bounds how long a request may take to come, in real time: the network is real.
const maxUpload = time.Minute

func (s *Server) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(maxUpload)) // A recorder of tests has no connection.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.config.Limits.EnvelopeBytes)+sealing))
	_ = c.SetReadDeadline(time.Time{})
	return body, err
}

// exchange answers a message.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, who *logon, body []byte) {
	e := Exchange{User: who.user, Mode: who.mode, Sealed: who.sealed(), Request: body}
	req, err := parse(body)
	var trouble *Fault
	if err != nil {
		e.Response, e.Status = errSchema.envelope(""), errSchema.httpStatus()
	} else {
		e.Action, e.Shell = actions[req.Header.Action], req.shellID()
		trouble = s.faults.take(toRequest, e.Action)
		if trouble.before(s, w, r) {
			s.observe(e)
			return
		}
		e.Response, e.Status = s.reply(r.Context(), who, req, trouble)
	}
	s.observe(e)
	trouble.send(w, e.Status, who.seal.wrap(w.Header(), e.Response))
}

func (s *Server) observe(e Exchange) {
	if s.config.Observe != nil {
		s.config.Observe(e)
	}
}

// reply performs a request and gives the answer's envelope with its HTTP status.
func (s *Server) reply(ctx context.Context, who *logon, req *request, trouble *Fault) ([]byte, int) {
	if f := trouble.refusal(s.config.Limits); f != nil {
		return f.envelope(req.Header.MessageID), f.httpStatus()
	}
	reply, err := s.perform(ctx, who, req)
	if err == nil && trouble.kind() == LateTimeout {
		err = errTimedOut
	}
	if err == nil {
		return reply, http.StatusOK
	}
	f, ok := errors.AsType[*fault](err)
	if !ok {
		f = &fault{subcode: "w:InternalError", text: err.Error()}
	}
	return f.envelope(req.Header.MessageID), f.httpStatus()
}

// operation performs a request, on the resource that it is for.
type operation struct {
	resource string
	perform  func(s *Server, ctx context.Context, who *logon, req *request) ([]byte, error)
}

var operations = map[Action]operation{
	Create:    {cmdURI, (*Server).create},
	Command:   {cmdURI, (*Server).command},
	Send:      {cmdURI, (*Server).send},
	Receive:   {cmdURI, (*Server).receive},
	Signal:    {cmdURI, (*Server).signal},
	Delete:    {cmdURI, (*Server).delete},
	Enumerate: {shellURI, (*Server).enumerate},
	Pull:      {shellURI, (*Server).pull},
}

func (s *Server) perform(ctx context.Context, who *logon, req *request) ([]byte, error) {
	op, known := operations[actions[req.Header.Action]]
	switch {
	case !who.administrator:
		return nil, errAccess
	case !known:
		return nil, errNoAction
	case !strings.EqualFold(req.Header.ResourceURI, op.resource):
		return nil, errNoResource
	}
	return op.perform(s, ctx, who, req)
}
