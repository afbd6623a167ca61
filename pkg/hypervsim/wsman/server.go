package wsman

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"k8s.io/utils/clock"
)

// Limits are the service's quotas, as "winrm get winrm/config" shows them.
type Limits struct {
	ShellsPerUser, ProcessesPerShell, OperationsPerUser int
	// EnvelopeBytes bounds a request and an answer.
	EnvelopeBytes int
	// Idle is how long a shell lives unused that asks for no other time.
	Idle time.Duration
	// Timeout bounds how long an answer may take.
	Timeout time.Duration
}

// DefaultLimits are those of Windows Server 2016 and later.
func DefaultLimits() Limits {
	return Limits{ShellsPerUser: 30, ProcessesPerShell: 25, OperationsPerUser: 1500, EnvelopeBytes: 500 << 10, Idle: 2 * time.Hour, Timeout: time.Minute}
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
	// Observe is told every exchange once its answer is known. It must not block.
	Observe func(Exchange)
}

// Exchange is one request that was let in, and its answer, both as they are without sealing.
type Exchange struct {
	Action            Action
	Shell, User, Mode string
	Sealed            bool
	Status            int
	Request, Response []byte
}

// Server is the WS-Management service of one host.
type Server struct {
	config Config
	logons *logons
	faults faultList

	mu     sync.Mutex
	shells map[string]*shell
	// operations counts a user's commands: the count of a text shell's commands falls only with the shell.
	operations  map[string]int
	listeners   []*http.Server
	connections map[net.Conn]struct{}
	// certificate is that of listeners over TLS.
	certificate *tls.Certificate
	closed      bool

	stop context.CancelFunc
	// background is what ends with Close.
	background sync.WaitGroup
}

// New makes a server that listens nowhere yet. Close ends it.
func New(config Config) *Server {
	if config.Limits == (Limits{}) {
		config.Limits = DefaultLimits()
	}
	if config.Clock == nil {
		config.Clock = clock.RealClock{}
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		config: config, shells: map[string]*shell{}, operations: map[string]int{}, connections: map[net.Conn]struct{}{},
		stop: stop, logons: newLogons(config.Authentication),
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
	if certificate != nil {
		s.certificate = certificate
		l = tls.NewListener(l, &tls.Config{
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.current(), nil },
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

func (s *Server) current() *tls.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.certificate
}

// SetCertificate changes the certificate of connections made from now on.
func (s *Server) SetCertificate(c tls.Certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.certificate = &c
}

// Close ends every shell and listener and waits until nothing of them runs.
func (s *Server) Close() error {
	s.mu.Lock()
	listeners := s.listeners
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.faults.release()
	var errs []error
	for _, l := range listeners {
		errs = append(errs, l.Close())
	}
	s.endShells()
	s.background.Wait()
	return errors.Join(errs...)
}

// Restart ends every shell with its processes and cuts every connection, as the host's restart does.
func (s *Server) Restart() {
	s.mu.Lock()
	for conn := range s.connections {
		_ = conn.Close() // It is cut either way.
	}
	s.mu.Unlock()
	s.endShells()
}

func (s *Server) endShells() {
	s.mu.Lock()
	gone := make([]*shell, 0, len(s.shells))
	for _, sh := range s.shells {
		gone = append(gone, sh)
	}
	clear(s.shells)
	clear(s.operations)
	s.mu.Unlock()
	for _, sh := range gone {
		sh.end()
	}
}

// end kills a shell's processes and waits for their end.
func (sh *shell) end() {
	for _, c := range sh.commands {
		c.kill()
		<-c.ended
	}
}

// Shells counts the shells that are open.
func (s *Server) Shells() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.shells)
}

// reap ends the shells that were unused for too long.
func (s *Server) reap() {
	now := s.config.Clock.Now()
	s.mu.Lock()
	var gone []*shell
	for id, sh := range s.shells {
		if sh.receiving == 0 && now.Sub(sh.lastUse) >= sh.idleTimeout {
			gone = append(gone, sh)
			delete(s.shells, id)
		}
	}
	s.mu.Unlock()
	for _, sh := range gone {
		sh.end()
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/wsman" {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.config.Limits.EnvelopeBytes)+(64<<10)))
	if err != nil {
		writeFault(w, nil, errEnvelopeSize)
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
		challenge(w, s.logons.offers(r))
		return
	}
	s.exchange(w, r, who, body)
}

// exchange answers a message.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, who *logon, body []byte) {
	e := Exchange{User: who.user, Mode: who.mode, Sealed: who.sealed(), Request: body}
	req, err := parse(body)
	var reply []byte
	switch {
	case err != nil:
		reply, e.Status = errSchema.envelope(""), http.StatusInternalServerError
	default:
		e.Action, e.Shell = actions[req.Header.Action], req.shellID()
		trouble := s.faults.take(e.Action)
		if trouble.before(w, r) {
			return
		}
		reply, e.Status = s.reply(r.Context(), who, req, trouble)
		if trouble.after(w, r, reply) {
			return
		}
	}
	e.Response = reply
	if s.config.Observe != nil {
		s.config.Observe(e)
	}
	who.write(w, e.Status, reply)
}

// reply performs a request and gives the answer's envelope with its HTTP status.
func (s *Server) reply(ctx context.Context, who *logon, req *request, trouble *Fault) ([]byte, int) {
	reply, err := s.perform(ctx, who, req)
	if err == nil {
		err = trouble.refusal()
	}
	if err == nil {
		return reply, http.StatusOK
	}
	f, ok := errors.AsType[*fault](err)
	if !ok {
		f = &fault{subcode: "w:InternalError", text: err.Error()}
	}
	status := f.status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	return f.envelope(req.Header.MessageID), status
}

func (s *Server) perform(ctx context.Context, who *logon, req *request) ([]byte, error) {
	if !who.administrator {
		return nil, errAccess
	}
	if !strings.EqualFold(req.Header.ResourceURI, cmdURI) {
		return nil, errNoResource
	}
	switch actions[req.Header.Action] {
	case Create:
		return s.create(who, req)
	case Command:
		return s.command(req)
	case Send:
		return s.send(req)
	case Receive:
		return s.receive(ctx, req)
	case Signal:
		return s.signal(req)
	case Delete:
		return s.delete(req)
	default:
		return nil, errNoAction
	}
}

func (s *Server) create(who *logon, req *request) ([]byte, error) {
	idle := s.config.Limits.Idle
	if text := req.Body.Shell.IdleTimeOut; text != "" {
		asked, err := parseDuration(text)
		if err != nil {
			return nil, errSchema
		}
		idle = asked
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	of := 0
	for _, sh := range s.shells {
		if sh.user == who.user {
			of++
		}
	}
	switch {
	case s.closed:
		return nil, errNoShell
	case of >= s.config.Limits.ShellsPerUser:
		return nil, errShells
	}
	sh := &shell{id: strings.ToUpper(uuid.NewString()), user: who.user, environment: req.environment(), idleTimeout: idle, commands: map[string]*command{}, lastUse: s.config.Clock.Now()}
	s.shells[sh.id] = sh
	body := `<x:ResourceCreated>` + element("a:Address", "http://"+s.config.Host+"/wsman") + `<a:ReferenceParameters>` + element("w:ResourceURI", cmdURI) +
		`<w:SelectorSet><w:Selector Name="ShellId">` + sh.id + `</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>` +
		`<rsp:Shell>` + element("rsp:ShellId", sh.id) + element("rsp:ResourceUri", cmdURI) + element("rsp:Owner", who.user) +
		element("rsp:IdleTimeOut", fmt.Sprintf("PT%.3fS", idle.Seconds())) + `<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>`
	return answer(req, createURI+"Response", body), nil
}

// use finds a request's shell and notes its use. The server is locked.
func (s *Server) use(req *request) (*shell, error) {
	sh, ok := s.shells[req.shellID()]
	if !ok {
		return nil, errNoShell
	}
	sh.lastUse = s.config.Clock.Now()
	return sh, nil
}

func (s *Server) command(req *request) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh, err := s.use(req)
	switch {
	case err != nil:
		return nil, err
	case len(sh.commands) >= s.config.Limits.ProcessesPerShell:
		return nil, errProcesses
	case s.operations[sh.user] >= s.config.Limits.OperationsPerUser:
		return nil, errOperations
	}
	s.operations[sh.user]++
	environment := maps.Clone(sh.environment)
	environment["COMPUTERNAME"] = s.config.Host
	line := req.commandLine()
	if !req.option("WINRS_SKIP_CMD_SHELL") {
		line = withoutShell(line)
	}
	id := strings.ToUpper(uuid.NewString())
	sh.commands[id] = start(s.config.Program, Invocation{Host: s.config.Host, CommandLine: line, Environment: environment}, id, req.option("WINRS_CONSOLEMODE_STDIN"))
	return answer(req, shellURI+"/CommandResponse", `<rsp:CommandResponse>`+element("rsp:CommandId", id)+`</rsp:CommandResponse>`), nil
}

// find gives a command of the request's shell.
func (s *Server) find(req *request, id string) (*shell, *command, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh, err := s.use(req)
	if err != nil {
		return nil, nil, err
	}
	c, ok := sh.commands[id]
	if !ok {
		return nil, nil, errNoShell
	}
	return sh, c, nil
}

func (s *Server) send(req *request) ([]byte, error) {
	for _, stream := range req.Body.Send.Stream {
		_, c, err := s.find(req, stream.CommandID)
		if err != nil {
			return nil, err
		}
		data, err := stream.bytes()
		if err != nil {
			return nil, errSchema
		}
		if err := c.stdin.send(data); err != nil {
			return nil, errBusy
		}
		if stream.End && !c.console {
			c.stdin.close()
		}
	}
	return answer(req, shellURI+"/SendResponse", `<rsp:SendResponse/>`), nil
}

func (s *Server) signal(req *request) ([]byte, error) {
	sh, c, err := s.find(req, req.Body.Signal.CommandID)
	if err != nil {
		return nil, err
	}
	c.kill()
	if strings.HasSuffix(req.Body.Signal.Code, "/terminate") {
		s.mu.Lock()
		delete(sh.commands, c.id)
		s.mu.Unlock()
		<-c.ended
	}
	return answer(req, shellURI+"/SignalResponse", `<rsp:SignalResponse/>`), nil
}

func (s *Server) delete(req *request) ([]byte, error) {
	s.mu.Lock()
	sh, err := s.use(req)
	if err == nil {
		delete(s.shells, sh.id)
		if s.operations[sh.user] = 0; !s.hasShell(sh.user) {
			delete(s.operations, sh.user)
		}
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	sh.end()
	return answer(req, deleteURI+"Response", ""), nil
}

func (s *Server) hasShell(user string) bool {
	for _, sh := range s.shells {
		if sh.user == user {
			return true
		}
	}
	return false
}
