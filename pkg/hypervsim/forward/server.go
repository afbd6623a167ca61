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
	mux.HandleFunc("POST /{token}/enter", s.shellOnly((*Shell).enter))
	mux.HandleFunc("POST /{token}/lost", s.shellOnly((*Shell).lost))
	mux.HandleFunc("POST /{token}/leave", s.shellOnly((*Shell).leave))
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
	prompt, err := s.world.Prompt(host, `C:\Windows\system32`, hostagent.LogonNetwork)
	if err != nil {
		return nil, err
	}
	return s.shell(prompt, nil)
}

// shell keeps a shell on the computer of a prompt; outer is the one on the host, for a shell in a guest.
func (s *Server) shell(prompt *hypervsim.Prompt, outer *Shell) (*Shell, error) {
	computer, build := prompt.Host()
	shell := &Shell{server: s, prompt: prompt, outer: outer, computer: computer, token: rand.Text(), modules: filepath.Join(s.dir, strconv.Itoa(build))}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.written[build] {
		if err := Modules(shell.modules, build); err != nil {
			return nil, errors.Join(err, prompt.Close())
		}
		s.written[build] = true
	}
	if outer != nil && s.shells[outer.token] == nil {
		return nil, errors.Join(errEnded, prompt.Close())
	}
	s.shells[shell.token] = shell
	return shell, nil
}

// errEnded is why no guest is entered from a shell that has ended.
var errEnded = errors.New("the shell on the host has ended")

// Shell is one PowerShell process on a simulated host, or in a guest of one.
type Shell struct {
	server *Server
	prompt *hypervsim.Prompt
	// outer is the shell on the host from which the guest was entered; nil on the host itself.
	outer           *Shell
	computer, token string
	// modules is the directory for PSModulePath.
	modules string
}

// Lost is closed when nothing more of the process reaches anybody: its host has failed, or a fault has cut the connection.
// Whoever runs the process ends it then.
func (s *Shell) Lost() <-chan struct{} { return s.prompt.Lost() }

// Close ends the shell, and those in guests that were entered from it. A call that is under way completes in the world.
func (s *Shell) Close() error {
	s.server.mu.Lock()
	ended := []*Shell{s}
	for _, other := range s.server.shells {
		if other.outer == s {
			ended = append(ended, other)
		}
	}
	for _, shell := range ended {
		delete(s.server.shells, shell.token)
	}
	s.server.mu.Unlock()
	var err error
	for _, shell := range ended {
		err = errors.Join(err, shell.prompt.Close())
	}
	return err
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
