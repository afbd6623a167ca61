package wsman_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hypervsim/wsman"
	"guestclustering.io/operator/test/powershell"
)

type ran struct {
	Out, Problems string
	Code          int
}

type driven struct {
	Hello   ran
	Large   int
	Refused bool
}

// python is Debian's, which has Debian's pywinrm.
const python = "/usr/bin/python3"

// legacy lets OpenSSL 3 compute MD4, which NTLM is made of.
const legacy = `openssl_conf = init
[init]
providers = providers
[providers]
default = on
legacy = on
[on]
activate = 1
`

// pywinrm runs testdata/drive.py. It skips where Debian's python3-winrm is not there.
func pywinrm(t *testing.T, e endpoint, url, transport, user string, environment ...string) driven {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := exec.CommandContext(ctx, python, "-c", "import winrm").Run(); err != nil {
		t.Skip("pywinrm is not there; install Debian's python3-winrm to run this test")
	}
	dir := t.TempDir()
	for name, text := range map[string][]byte{"ca.pem": e.ca, "openssl.cnf": []byte(legacy)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(ctx, python, "testdata/drive.py", url, transport, user)
	cmd.Env = append([]string{"PATH=/usr/bin", "PASSWORD=" + password, "AUTHORITY=" + dir + "/ca.pem", "OPENSSL_CONF=" + dir + "/openssl.cnf"}, environment...)
	cmd.WaitDelay = 5 * time.Second
	raw, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("%v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var d driven
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return d
}

func (e endpoint) url(secure bool) string {
	if secure {
		return fmt.Sprintf("https://localhost:%d/wsman", e.https)
	}
	return fmt.Sprintf("http://localhost:%d/wsman", e.http)
}

func TestPywinrmWorks(t *testing.T) {
	for name, mode := range map[string]struct {
		secure    bool
		transport string
	}{
		"Basic over TLS":        {true, "basic"},
		"NTLM over TLS":         {true, "ntlm"},
		"sealed NTLM over HTTP": {false, "ntlm"},
		"certificate":           {true, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			e, client := withClient(t)
			got := pywinrm(t, e, e.url(mode.secure), mode.transport, user, client...)
			want := driven{Hello: ran{Out: "hello a b c on HV01\n", Problems: "warning"}, Large: len("large on HV01\n") + 1_000_000}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if n := e.Shells(); n != 0 {
				t.Errorf("%d shells are left", n)
			}
		})
	}
}

// withClient is an endpoint that knows a client's certificate, and the environment that names its files.
func withClient(t *testing.T) (endpoint, []string) {
	t.Helper()
	authority, err := wsman.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	client, err := authority.Client("operator")
	if err != nil {
		t.Fatal(err)
	}
	certificate, key, err := wsman.EncodePEM(client)
	if err != nil {
		t.Fatal(err)
	}
	config := settings()
	config.Authentication.Certificates = map[string]string{wsman.Fingerprint(client.Leaf): user}
	dir := t.TempDir()
	for name, text := range map[string][]byte{"client.crt": certificate, "client.key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return serve(t, config), []string{"CERTIFICATE=" + dir + "/client.crt", "KEY=" + dir + "/client.key"}
}

func TestPywinrmIsRefused(t *testing.T) {
	for name, mode := range map[string]struct {
		secure    bool
		transport string
	}{
		"Basic over TLS":        {true, "basic"},
		"sealed NTLM over HTTP": {false, "ntlm"},
	} {
		t.Run(name, func(t *testing.T) {
			config := settings()
			config.Authentication.Users[user] = wsman.User{Password: "another"}
			e := serve(t, config)
			if got := pywinrm(t, e, e.url(mode.secure), mode.transport, user); !got.Refused {
				t.Errorf("it was let in: %+v", got)
			}
			if e.Attempts(user) == 0 {
				t.Error("the attempt was not counted")
			}
		})
	}
}

func TestPywinrmRunsARealPowerShell(t *testing.T) {
	config := settings()
	config.Program = wsman.PowerShell(powershell.Path(t), func(string) []string { return nil })
	e := serve(t, config)
	got := pywinrm(t, e, e.url(true), "ntlm", user, `POWERSHELL=[Console]::Out.WriteLine("$env:COMPUTERNAME $(1 + 1)"); exit 4`)
	if diff := cmp.Diff(ran{Out: "HV01 2\n", Code: 4}, got.Hello); diff != "" {
		t.Error(diff)
	}
}
