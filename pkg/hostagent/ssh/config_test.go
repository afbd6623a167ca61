package ssh

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
)

func newRSAKey(t testing.TB) key {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	ok(t, err)
	return keyOf(t, private)
}

func TestConfigsThatAreWrong(t *testing.T) {
	k := newRSAKey(t)
	private, err := ssh.ParseRawPrivateKey([]byte(k.pem))
	ok(t, err)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("open sesame"))
	ok(t, err)
	encrypted := string(pem.EncodeToMemory(block))
	tests := map[string]struct {
		change func(*Config)
		says   string
	}{
		"no user":           {func(c *Config) { c.User = "" }, "needs a user"},
		"no credentials":    {func(c *Config) { c.PrivateKey = hostagent.Secret{} }, "either a private key or a password"},
		"both":              {func(c *Config) { c.Password = hostagent.NewSecret("p") }, "either a private key or a password"},
		"no hosts":          {func(c *Config) { c.Hosts = nil }, "no hosts are listed"},
		"a host, no port":   {func(c *Config) { c.Hosts[0].Address = "hv01" }, "as name:port"},
		"no known hosts":    {func(c *Config) { c.KnownHosts = "" }, "host keys are verified always"},
		"an encrypted key":  {func(c *Config) { c.PrivateKey = hostagent.NewSecret(encrypted) }, "encrypted with a passphrase"},
		"not a key":         {func(c *Config) { c.PrivateKey = hostagent.NewSecret("s3cret") }, "cannot be read"},
		"a key of PuTTY's":  {func(c *Config) { c.PrivateKey = hostagent.NewSecret("PuTTY-User-Key-File-3: ssh-ed25519") }, "as ssh-keygen writes it"},
		"half a known host": {func(c *Config) { c.KnownHosts = "hv01 ssh-ed25519" }, "knownHosts, line 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := Config{Hosts: []rack.Host{{Name: "hv01", Address: "hv01.example.com:22"}}, User: "operator", PrivateKey: hostagent.NewSecret(k.pem), KnownHosts: line("hv01.example.com", k)}
			if _, err := New(c); err != nil {
				t.Fatalf("as it should be: %v", err)
			}
			test.change(&c)
			_, err := New(c)
			wantRefusal(t, err, hostagent.Invalid, test.says)
			for _, secret := range []string{"s3cret", "BEGIN OPENSSH", "PuTTY-User"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("the secret is in %v", err)
				}
			}
		})
	}
}
