package forward

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim"
)

const (
	// maxBody bounds what one call of a cmdlet may send: no more than the wire of the executor takes.
	maxBody = 64 << 20
	// headerTimeout bounds how long a client may take for the head of a request: it is on the same machine.
	headerTimeout = 10 * time.Second
	// lostTimeout bounds how long a lost call stays without an answer: whoever runs the PowerShell ends it before that.
	lostTimeout = 30 * time.Second
)

// Server answers the stubs of PowerShell processes on this machine.
type Server struct {
	world *hypervsim.World
	http  *http.Server
	base  string
	ended chan struct{}
	// dir has the modules of each Windows build in a directory of its own.
	dir string

	mu      sync.Mutex
	shells  map[string]*Shell
	written map[int]bool
}

// Serve starts a server on a free port of loopback, which writes the modules of hosts into a directory. Close ends it; the
// directory stays.
func Serve(world *hypervsim.World, dir string, log *slog.Logger) (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("serving the cmdlets of simulated hosts: %w", err)
	}
	s := &Server{
		world: world, base: "http://" + listener.Addr().String(), ended: make(chan struct{}), dir: dir,
		shells: map[string]*Shell{}, written: map[int]bool{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{token}/invoke", s.shellOnly((*Shell).invoke))
	mux.HandleFunc("POST /{token}/look", s.shellOnly((*Shell).look))
	mux.HandleFunc("POST /{token}/set", s.shellOnly((*Shell).set))
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	go func() {
		defer close(s.ended)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("serving the cmdlets of simulated hosts", "error", err)
		}
	}()
	return s, nil
}

// Close ends the server and every shell of it.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, shell := range s.shells {
		err = errors.Join(err, shell.prompt.Close())
	}
	clear(s.shells)
	return err
}

// Open opens a shell on a host: what one PowerShell process there is told by. Close it when the process has ended.
func (s *Server) Open(host string) (*Shell, error) {
	return s.open(host, `C:\Windows\system32`, hostagent.LogonNetwork)
}

func (s *Server) open(host, directory string, logon hostagent.Logon) (*Shell, error) {
	prompt, err := s.world.Prompt(host, directory, logon)
	if err != nil {
		return nil, err
	}
	host, build := prompt.Host()
	shell := &Shell{server: s, prompt: prompt, host: host, token: rand.Text(), modules: filepath.Join(s.dir, strconv.Itoa(build))}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.written[build] {
		if err := Modules(shell.modules, build); err != nil {
			return nil, errors.Join(err, prompt.Close())
		}
		s.written[build] = true
	}
	s.shells[shell.token] = shell
	return shell, nil
}

// Shell is one PowerShell process on a simulated host.
type Shell struct {
	server      *Server
	prompt      *hypervsim.Prompt
	host, token string
	// modules is the directory for PSModulePath.
	modules string
}

// Lost is closed when nothing more of the process reaches anybody: its host has failed, or a fault has cut the connection.
// Whoever runs the process ends it then.
func (s *Shell) Lost() <-chan struct{} { return s.prompt.Lost() }

// Close ends the shell. A call that is under way completes in the world.
func (s *Shell) Close() error {
	s.server.mu.Lock()
	delete(s.server.shells, s.token)
	s.server.mu.Unlock()
	return s.prompt.Close()
}

// shellOnly lets in who knows the token of a shell.
func (s *Server) shellOnly(answer func(*Shell, http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		shell := s.shells[r.PathValue("token")]
		s.mu.Unlock()
		if shell == nil {
			http.Error(w, "no shell has this token", http.StatusNotFound)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		answer(shell, w, r)
	}
}
