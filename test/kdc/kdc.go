// Package kdc runs MIT's key distribution centre on loopback for tests. Where Debian's krb5-kdc and krb5-admin-server are not
// there, a test that needs one skips and says so.
package kdc

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
)

// Realm is the realm of every centre.
const Realm = "GUESTS.TEST"

// KDC is a key distribution centre. It ends with its test.
type KDC struct {
	// Config is a client's krb5.conf, and Path a file with it.
	Config, Path string

	t   testing.TB
	env []string
	dir string

	mu  sync.Mutex
	log []string
}

// Start starts one without any principal of a user's or a host's.
func Start(t testing.TB) *KDC {
	t.Helper()
	program := Program(t, "krb5kdc")
	k := &KDC{t: t, dir: t.TempDir()}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	k.Config = fmt.Sprintf("[libdefaults]\ndefault_realm = %s\ndns_lookup_kdc = false\ndns_lookup_realm = false\ndns_canonicalize_hostname = false\nrdns = false\nudp_preference_limit = 1\n"+
		"[realms]\n%s = {\n kdc = %s\n}\n[logging]\nkdc = STDERR\n", Realm, Realm, address)
	k.Path = k.write("krb5.conf", k.Config)
	profile := k.write("kdc.conf", fmt.Sprintf("[kdcdefaults]\nkdc_listen = %q\nkdc_tcp_listen = %s\n[realms]\n%s = {\n database_name = %s/db\n key_stash_file = %s/stash\n}\n",
		"", address, Realm, k.dir, k.dir))
	k.env = append(os.Environ(), "KRB5_CONFIG="+k.Path, "KRB5_KDC_PROFILE="+profile)
	k.run("kdb5_util", "create", "-s", "-r", Realm, "-P", "master")
	k.serve(program)
	return k
}

// Program finds a program of MIT Kerberos, or skips the test.
func Program(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append([]string{"/usr/sbin", "/usr/local/sbin"}, filepath.SplitList(os.Getenv("PATH"))...) {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	t.Skipf("%s is not there; install Debian's krb5-kdc, krb5-admin-server and krb5-user to run this test", name)
	return ""
}

func (k *KDC) write(name, text string) string {
	k.t.Helper()
	path := filepath.Join(k.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
	return path
}

func (k *KDC) run(name string, arguments ...string) {
	k.t.Helper()
	cmd := exec.CommandContext(k.t.Context(), Program(k.t, name), arguments...)
	cmd.Env = k.env
	if out, err := cmd.CombinedOutput(); err != nil {
		k.t.Fatalf("%s: %v: %s", name, err, out)
	}
}

// Admin runs a command of kadmin's.
func (k *KDC) Admin(command string) {
	k.t.Helper()
	k.run("kadmin.local", "-r", Realm, "-q", command)
}

func (k *KDC) serve(program string) {
	k.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-n", "-r", Realm)
	cmd.Env = k.env
	cmd.WaitDelay = 5 * time.Second
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		stop()
		k.t.Fatal(err)
	}
	up, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		k.listen(bufio.NewScanner(stderr), up)
	}()
	k.t.Cleanup(func() {
		stop()
		<-done
		_ = cmd.Wait() // It was killed.
	})
	select {
	case <-up:
	case <-done:
		k.t.Fatalf("krb5kdc ended: %q", k.log)
	}
}

func (k *KDC) listen(lines *bufio.Scanner, up chan struct{}) {
	for lines.Scan() {
		k.mu.Lock()
		k.log = append(k.log, lines.Text())
		k.mu.Unlock()
		if strings.Contains(lines.Text(), "commencing operation") {
			close(up)
		}
	}
}

// Count counts the lines of the log that hold all the texts.
func (k *KDC) Count(texts ...string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for _, line := range k.log {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			n++
		}
	}
	return n
}

// Keytab gives the keys of a principal, as a file's bytes and read.
func (k *KDC) Keytab(principal string) ([]byte, *keytab.Keytab) {
	k.t.Helper()
	path := filepath.Join(k.dir, strings.ReplaceAll(principal, "/", "_")+".keytab")
	k.Admin("ktadd -norandkey -k " + path + " " + principal)
	raw, err := os.ReadFile(path)
	if err != nil {
		k.t.Fatal(err)
	}
	keys := keytab.New()
	if err := keys.Unmarshal(raw); err != nil {
		k.t.Fatal(err)
	}
	return raw, keys
}

// Login gives the path of a cache with a user's ticket, as kinit makes it.
func (k *KDC) Login(user, password string) string {
	k.t.Helper()
	cache := filepath.Join(k.dir, user+".cache")
	cmd := exec.CommandContext(k.t.Context(), Program(k.t, "kinit"), "-c", cache, user)
	cmd.Env, cmd.Stdin = k.env, strings.NewReader(password+"\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		k.t.Fatalf("kinit: %v: %s", err, out)
	}
	return cache
}
