package wsman

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

func (s *Server) create(_ context.Context, who *logon, req *request) ([]byte, error) {
	idle, err := s.idle(req.Body.Shell.IdleTimeOut)
	if err != nil {
		return nil, err
	}
	id, err := chosenID(req.Body.Shell.ID)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.shells[id] != nil:
		return nil, errSchema
	case s.closed || s.off:
		return nil, errAborted
	case len(s.shellsOf(who.user)) >= s.config.Limits.ShellsPerUser:
		return nil, errShells(s.config.Limits.ShellsPerUser)
	}
	sh := &shell{
		id: id, user: who.user, environment: req.environment(), idleTimeout: idle, gone: make(chan struct{}),
		commands: map[string]*command{}, lastUse: s.config.Clock.Now(),
	}
	s.shells[sh.id] = sh
	body := `<x:ResourceCreated>` + element("a:Address", "http://"+s.config.Host+"/wsman") + `<a:ReferenceParameters>` + element("w:ResourceURI", cmdURI) +
		`<w:SelectorSet><w:Selector Name="ShellId">` + sh.id + `</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>`
	return answer(req, createURI+"Response", body+sh.describe()), nil
}

// describe is a shell as its creation and lists show it. The server is locked.
func (sh *shell) describe() string {
	return `<rsp:Shell>` + element("rsp:ShellId", sh.id) + element("rsp:ResourceUri", cmdURI) + element("rsp:Owner", sh.user) +
		element("rsp:IdleTimeOut", fmt.Sprintf("PT%.3fS", sh.idleTimeout.Seconds())) +
		`<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>`
}

// chosenID is the id that a client wants for its shell, or a new one.
func chosenID(wanted string) (string, error) {
	if wanted == "" {
		return newID(), nil
	}
	id, err := uuid.Parse(wanted)
	if err != nil {
		return "", errSchema
	}
	return strings.ToUpper(id.String()), nil
}

func newID() string { return strings.ToUpper(uuid.NewString()) }

// idle is how long a shell may be unused that asks for a time, or for none.
func (s *Server) idle(text string) (time.Duration, error) {
	if text == "" {
		return s.config.Limits.Idle, nil
	}
	asked, err := parseDuration(text)
	if err != nil {
		return 0, errSchema
	}
	return min(max(asked, s.config.Limits.MinIdle), s.config.Limits.MaxIdle), nil
}

// shellsOf are a user's shells. The server is locked.
func (s *Server) shellsOf(user string) []*shell {
	var out []*shell
	for _, sh := range s.shells {
		if sh.user == user {
			out = append(out, sh)
		}
	}
	return out
}

// operations counts what a user's shells have begun. The server is locked.
func (s *Server) operations(user string) int {
	n := 0
	for _, sh := range s.shellsOf(user) {
		n += sh.operations
	}
	return n
}

// use finds the shell of a user's request and notes its use. The server is locked.
func (s *Server) use(who *logon, req *request) (*shell, error) {
	sh, ok := s.shells[req.shellID()]
	switch {
	case !ok:
		return nil, errNoShell(req.shellID())
	case sh.user != who.user:
		return nil, errAccess
	}
	sh.lastUse = s.config.Clock.Now()
	return sh, nil
}

// maxLine is the longest command line of Windows, in characters.
const maxLine = 32767

func (s *Server) command(_ context.Context, who *logon, req *request) ([]byte, error) {
	line := req.commandLine()
	s.mu.Lock()
	defer s.mu.Unlock()
	sh, err := s.use(who, req)
	switch {
	case err != nil:
		return nil, err
	case s.operations(who.user) >= s.config.Limits.OperationsPerUser:
		return nil, errOperations(s.config.Limits.OperationsPerUser)
	case sh.processes() >= s.config.Limits.ProcessesPerShell:
		return nil, errProcesses
	case len(line) > maxLine:
		return nil, errLineTooLong
	}
	sh.operations++
	environment := maps.Clone(sh.environment)
	environment["COMPUTERNAME"] = s.config.Host
	program := s.config.Program
	if !req.option("WINRS_SKIP_CMD_SHELL") {
		program, line = throughShell(program), withoutShell(line)
	}
	id := newID()
	sh.commands[id] = start(program, Invocation{Host: s.config.Host, CommandLine: line, Environment: environment}, id, req.option("WINRS_CONSOLEMODE_STDIN"))
	return answer(req, shellURI+"/CommandResponse", `<rsp:CommandResponse>`+element("rsp:CommandId", id)+`</rsp:CommandResponse>`), nil
}

// processes counts what runs in a shell. The server is locked.
func (sh *shell) processes() int {
	n := 0
	for _, c := range sh.commands {
		if !c.hasEnded() {
			n++
		}
	}
	return n
}

// find gives a command of the request's shell.
func (s *Server) find(who *logon, req *request, id string) (*shell, *command, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh, err := s.use(who, req)
	if err != nil {
		return nil, nil, err
	}
	c, ok := sh.commands[id]
	if !ok {
		return nil, nil, errNoCommand
	}
	return sh, c, nil
}

func (s *Server) send(_ context.Context, who *logon, req *request) ([]byte, error) {
	for _, stream := range req.Body.Send.Stream {
		_, c, err := s.find(who, req, stream.CommandID)
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

// signal ends a command. After ctrl_c and ctrl_break it still can be asked for its output, after terminate it is gone. The
// user's count of operations stays ("[MS-WSMV]", note 118).
func (s *Server) signal(_ context.Context, who *logon, req *request) ([]byte, error) {
	sh, c, err := s.find(who, req, req.Body.Signal.CommandID)
	if err != nil {
		return nil, err
	}
	switch strings.TrimPrefix(req.Body.Signal.Code, shellURI+"/signal/") {
	case "ctrl_c", "ctrl_break":
		c.kill()
	case "terminate":
		c.kill()
		<-c.ended
		s.mu.Lock()
		delete(sh.commands, c.id)
		s.mu.Unlock()
	default:
		return nil, errSchema
	}
	return answer(req, shellURI+"/SignalResponse", `<rsp:SignalResponse/>`), nil
}

func (s *Server) delete(_ context.Context, who *logon, req *request) ([]byte, error) {
	s.mu.Lock()
	sh, err := s.use(who, req)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	running := s.remove(sh)
	s.mu.Unlock()
	end(running)
	return answer(req, deleteURI+"Response", ""), nil
}

// remove takes a shell away, so that no request finds it any more, and gives what is to be ended. The server is locked.
func (s *Server) remove(sh *shell) []*command {
	delete(s.shells, sh.id)
	close(sh.gone)
	return slices.Collect(maps.Values(sh.commands))
}

// end kills processes and waits for their end.
func end(commands []*command) {
	for _, c := range commands {
		c.kill()
	}
	for _, c := range commands {
		<-c.ended
	}
}

func (s *Server) endShells() {
	s.mu.Lock()
	var running []*command
	for _, sh := range s.shells {
		running = append(running, s.remove(sh)...)
	}
	s.mu.Unlock()
	end(running)
}

// reap ends the shells that were unused for too long.
func (s *Server) reap() {
	now := s.config.Clock.Now()
	s.mu.Lock()
	var running []*command
	for _, sh := range s.shells {
		if sh.receiving == 0 && now.Sub(sh.lastUse) >= sh.idleTimeout {
			running = append(running, s.remove(sh)...)
		}
	}
	s.mu.Unlock()
	end(running)
}

// Shells counts the shells that are open.
func (s *Server) Shells() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.shells)
}
