package ssh

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/executor"
)

const sshd = "/usr/sbin/sshd"

// servers are the hosts of a test: each a listener whose connections get a real sshd of their own, as inetd starts them.
type servers struct {
	t      testing.TB
	dir    string
	config Config
	// serve answers a command; become, if it is there, says what program it becomes.
	serve  func(g greeting, stdin io.Reader, stdout io.Writer)
	become func(g greeting) (o orders, ended func())

	listeners []net.Listener
	group     sync.WaitGroup

	mu    sync.Mutex
	conns []*net.TCPConn
	pids  []int
	// groups are sshd's process groups.
	groups []int
}

var hostNames = []string{"hv01", "hv02"}

// newServers makes hosts that a key of the test's opens.
func newServers(t testing.TB) *servers {
	t.Helper()
	needSSHD(t)
	who, err := user.Current()
	if err != nil {
		t.Skipf("no SSH server: it lets in accounts of this machine, and this test runs as none: %v", err)
	}
	client := newKey(t)
	s := &servers{t: t, dir: t.TempDir()}
	ok(t, os.Chmod(s.dir, 0o711))
	s.config = Config{User: who.Username, PrivateKey: hostagent.NewSecret(client.pem)}
	s.write("authorized_keys", string(ssh.MarshalAuthorizedKey(client.signer.PublicKey())))
	// A host has several keys, as Windows' has, and we know one: not the one that sshd and we would like best.
	for _, name := range hostNames {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		ok(t, err)
		known, other := newECDSAKey(t), newKey(t)
		s.write(name+"_ecdsa", known.pem)
		s.write(name+"_ed25519", other.pem)
		address := listener.Addr().String()
		s.config.Hosts = append(s.config.Hosts, rack.Host{Name: name, Address: address})
		s.config.KnownHosts += knownhosts.Line([]string{address}, known.signer.PublicKey()) + "\n"
		s.listeners = append(s.listeners, listener)
		s.group.Go(func() { s.accept(name, listener.(*net.TCPListener)) })
	}
	s.configure("")
	commands, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", s.socket())
	ok(t, err)
	s.group.Go(func() { s.answer(commands) })
	t.Cleanup(func() {
		commands.Close()
		s.stop()
		s.cut()
		s.group.Wait()
	})
	return s
}

// needSSHD skips where there is no sshd that can be run.
func needSSHD(t testing.TB) {
	t.Helper()
	if _, err := os.Stat(sshd); err != nil {
		t.Skip("no SSH server: there is no " + sshd + " (Debian's openssh-server)")
	}
	if os.Geteuid() != 0 {
		return
	}
	// Run by root, it wants its service's empty directory.
	if err := os.Mkdir("/run/sshd", 0o755); err != nil && !os.IsExist(err) {
		t.Skipf("no SSH server: run by root it needs /run/sshd, which cannot be made: %v", err)
	}
}

func (s *servers) socket() string { return filepath.Join(s.dir, "s") }

func (s *servers) write(name, text string) string {
	path := filepath.Join(s.dir, name)
	ok(s.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (s *servers) accept(host string, listener *net.TCPListener) {
	for {
		conn, err := listener.AcceptTCP()
		if err != nil {
			return
		}
		s.group.Go(func() { s.sshd(host, conn) })
	}
}

// configure says what sshd does on every host: for every login it runs the command; "" is this program.
func (s *servers) configure(command string) {
	s.t.Helper()
	if command == "" {
		program, err := os.Executable()
		ok(s.t, err)
		command = program
	}
	for _, host := range hostNames {
		s.write(host+".config", strings.Join([]string{
			"HostKey " + filepath.Join(s.dir, host+"_ed25519"), "HostKey " + filepath.Join(s.dir, host+"_ecdsa"),
			"AuthorizedKeysFile " + filepath.Join(s.dir, "authorized_keys"), "StrictModes no", "UsePAM no", "PermitRootLogin yes",
			"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PidFile none",
			"SetEnv " + socketVariable + "=" + s.socket() + " GUESTCLUSTERING_TEST_HOST=" + host,
			"ForceCommand " + command,
		}, "\n")+"\n")
	}
}

// sshd runs one for a connection, which stays open here too so that it can be cut.
func (s *servers) sshd(host string, conn *net.TCPConn) {
	defer func() { _ = conn.Close() }()
	file, err := conn.File()
	if err != nil {
		s.t.Error(err)
		return
	}
	cmd := exec.Command(sshd, "-i", "-e", "-f", filepath.Join(s.dir, host+".config"))
	cmd.Stdin, cmd.Stdout = file, file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := errors.Join(cmd.Start(), file.Close()); err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	s.conns = append(s.conns, conn)
	s.groups = append(s.groups, cmd.Process.Pid)
	s.mu.Unlock()
	_ = cmd.Wait()
}

// answer speaks with the commands that sshd runs.
func (s *servers) answer(commands net.Listener) {
	for {
		conn, err := commands.Accept()
		if err != nil {
			return
		}
		s.group.Go(func() {
			defer conn.Close()
			s.speak(conn)
		})
	}
}

func (s *servers) speak(conn net.Conn) {
	var g greeting
	in := bufio.NewReader(conn)
	line, err := in.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &g) != nil {
		return
	}
	s.mu.Lock()
	s.pids = append(s.pids, g.PID)
	s.mu.Unlock()
	var o orders
	ended := func() {}
	if s.become != nil {
		o, ended = s.become(g)
	}
	defer ended()
	if json.NewEncoder(conn).Encode(o) != nil {
		return
	}
	if s.become != nil {
		_, _ = io.Copy(io.Discard, in)
		return
	}
	s.serve(g, in, conn)
}

// stop lets nobody in any more.
func (s *servers) stop() {
	for _, l := range s.listeners {
		l.Close()
	}
}

// cut ends every connection in both directions, as a network does.
func (s *servers) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.CloseRead()
		_ = c.CloseWrite()
	}
	s.conns = nil
}

// kill ends the commands that run.
func (s *servers) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pid := range s.pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	s.pids = nil
}

// signal sends every sshd a signal.
func (s *servers) signal(signal syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, group := range s.groups {
		_ = syscall.Kill(-group, signal)
	}
}

func (s *servers) driver() *driver {
	s.t.Helper()
	d, err := newDriver(s.config)
	ok(s.t, err)
	return d
}

// serveWorld lets the stand-in of the executor answer on every host.
func (s *servers) serveWorld(world *hypervsim.World) {
	run := executor.New(world.Driver())
	s.serve = func(g greeting, stdin io.Reader, stdout io.Writer) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		run.Run(ctx, executor.Process{Host: g.Host, Installed: strings.HasSuffix(g.CommandLine, session.InstalledArguments)}, stdin, stdout)
	}
}

// quick is a host cluster on which nothing takes time, on a clock that runs: what a test slows, it slows in real time.
func quick(t testing.TB, change ...func(*hypervsim.Model)) *hypervsim.World {
	t.Helper()
	model := hypervsim.DefaultModel()
	model.Durations = hypervsim.Durations{MaxMigrations: 2}
	model.Hosts[0].MemoryBytes = hypervsim.TiB // room for an inventory
	for _, c := range change {
		c(&model)
	}
	w, err := hypervsim.New(model, hypervsim.NewRealClock(1))
	ok(t, err)
	return w
}

// newRack is a simulated host cluster behind real SSH servers.
func newRack(t testing.TB) (*servers, *hypervsim.World) {
	t.Helper()
	s := newServers(t)
	w := quick(t)
	// Its end lets what was left on a host end.
	t.Cleanup(w.Close)
	s.serveWorld(w)
	return s, w
}

type key struct {
	signer ssh.Signer
	pem    string
}

func newKey(t testing.TB) key {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	ok(t, err)
	return keyOf(t, private)
}

func newECDSAKey(t testing.TB) key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	return keyOf(t, private)
}

func keyOf(t testing.TB, private crypto.PrivateKey) key {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(private, "")
	ok(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	ok(t, err)
	return key{signer: signer, pem: string(pem.EncodeToMemory(block))}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
