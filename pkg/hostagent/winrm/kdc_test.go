package winrm

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

const realm = "GUESTS.TEST"

// kdc is MIT's key distribution centre on loopback.
type kdc struct {
	t    testing.TB
	env  []string
	dir  string
	conf string

	mu  sync.Mutex
	log []string
	// services are the keys given so far.
	services map[string]*keytab.Keytab
}

// newKDC starts one with the account operator, whose password is pa55word, and the service HTTP/hv01.
func newKDC(t testing.TB) *kdc {
	t.Helper()
	program := debianProgram(t, "krb5kdc")
	k := &kdc{t: t, dir: t.TempDir(), services: map[string]*keytab.Keytab{}}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	k.conf = fmt.Sprintf("[libdefaults]\ndefault_realm = %s\ndns_lookup_kdc = false\ndns_lookup_realm = false\nudp_preference_limit = 1\n"+
		"[realms]\n%s = {\n kdc = %s\n}\n[logging]\nkdc = STDERR\n", realm, realm, address)
	k.write("krb5.conf", k.conf)
	k.write("kdc.conf", fmt.Sprintf("[kdcdefaults]\nkdc_listen = %q\nkdc_tcp_listen = %s\n[realms]\n%s = {\n database_name = %s/db\n key_stash_file = %s/stash\n}\n",
		"", address, realm, k.dir, k.dir))
	k.env = append(os.Environ(), "KRB5_CONFIG="+k.dir+"/krb5.conf", "KRB5_KDC_PROFILE="+k.dir+"/kdc.conf")
	k.run("kdb5_util", "create", "-s", "-r", realm, "-P", "master")
	k.admin("addprinc +requires_preauth -pw pa55word operator")
	k.admin("addprinc -randkey HTTP/hv01")
	k.serve(program)
	return k
}

// debianProgram finds a program of Debian's krb5-kdc package.
func debianProgram(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append([]string{"/usr/sbin", "/usr/local/sbin"}, filepath.SplitList(os.Getenv("PATH"))...) {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	t.Skipf("%s is not there; install Debian's krb5-kdc and krb5-admin-server to run this test", name)
	return ""
}

func (k *kdc) write(name, text string) {
	k.t.Helper()
	if err := os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kdc) run(name string, arguments ...string) {
	k.t.Helper()
	cmd := exec.CommandContext(k.t.Context(), debianProgram(k.t, name), arguments...)
	cmd.Env = k.env
	if out, err := cmd.CombinedOutput(); err != nil {
		k.t.Fatalf("%s: %v: %s", name, err, out)
	}
}

func (k *kdc) admin(command string) {
	k.t.Helper()
	k.run("kadmin.local", "-r", realm, "-q", command)
}

func (k *kdc) serve(program string) {
	k.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-n", "-r", realm)
	cmd.Env = k.env
	cmd.WaitDelay = 5 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
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
		_ = cmd.Wait()
	})
	select {
	case <-up:
	case <-done:
		k.t.Fatalf("krb5kdc ended: %q", k.log)
	}
}

func (k *kdc) listen(lines *bufio.Scanner, up chan struct{}) {
	for lines.Scan() {
		k.mu.Lock()
		k.log = append(k.log, lines.Text())
		k.mu.Unlock()
		if strings.Contains(lines.Text(), "commencing operation") {
			close(up)
		}
	}
}

// count counts the lines of the log that hold all the texts.
func (k *kdc) count(texts ...string) int {
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

// keytab gives the keys of a principal, as a file's bytes and read.
func (k *kdc) keytab(principal string) ([]byte, *keytab.Keytab) {
	k.t.Helper()
	path := filepath.Join(k.dir, strings.ReplaceAll(principal, "/", "_")+".keytab")
	k.admin("ktadd -norandkey -k " + path + " " + principal)
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

// service makes a host's principal, once, and gives its keys.
func (k *kdc) service(host string) *keytab.Keytab {
	if keys := k.services[host]; keys != nil {
		return keys
	}
	if host != "hv01" {
		k.admin("addprinc -randkey HTTP/" + host)
	}
	_, k.services[host] = k.keytab("HTTP/" + host)
	return k.services[host]
}
