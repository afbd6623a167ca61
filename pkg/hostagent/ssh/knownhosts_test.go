package ssh

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func line(names string, k key) string {
	return names + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.signer.PublicKey()))) + "\n"
}

// certificate is a host's key signed by an authority.
func certificate(t *testing.T, host, authority key, principal string, kind uint32, until time.Time) ssh.PublicKey {
	t.Helper()
	c := &ssh.Certificate{
		Key: host.signer.PublicKey(), CertType: kind, ValidPrincipals: []string{principal},
		ValidAfter: uint64(time.Now().Add(-time.Hour).Unix()), ValidBefore: uint64(until.Unix()), //nolint:gosec // times of today
	}
	ok(t, c.SignCert(rand.Reader, authority.signer))
	return c
}

// What is made of a text is what golang.org/x/crypto/ssh/knownhosts makes of a file with it, but for one thing: an authority's
// own key is no host's key to us, nor to OpenSSH.
func TestKnownHostsAreThoseOfTheLibrary(t *testing.T) {
	a, b, authority := newKey(t), newECDSAKey(t), newKey(t)
	later := time.Now().Add(time.Hour)
	hashed := knownhosts.HashHostname("hv01.example.com")
	hashedPort := knownhosts.HashHostname("[hv01.example.com]:2222")
	texts := map[string]string{
		"a name":              line("hv01.example.com", a),
		"several names":       line("other,hv01.example.com,10.0.0.1", a),
		"a port":              line("[hv01.example.com]:2222", a),
		"a pattern":           line("*.example.com", a),
		"a pattern of a port": line("[hv0?.example.com]:2222", a),
		"all but one":         line("!hv01.example.com,*.example.com", a),
		"one but not all":     line("*.example.com,!hv02.*", a),
		"a hashed name":       line(hashed, a),
		"a hashed port":       line(hashedPort, a),
		"an address":          line("10.0.0.1", a),
		"an IPv6 address":     line("[fe80::1]:22,[fe80::1]:2222", a),
		"two keys":            line("hv01.example.com", a) + line("hv01.example.com", b),
		"the other key":       line("hv01.example.com", b),
		"revoked":             line("hv01.example.com", a) + "@revoked " + line("*", a),
		"an authority":        "@cert-authority " + line("*.example.com", authority),
		"another authority":   "@cert-authority " + line("*.example.com", b),
		"elsewhere's":         "@cert-authority " + line("*.example.org", authority),
		"revoked authority":   "@cert-authority " + line("*.example.com", authority) + "@revoked " + line("*", authority),
		"a key as authority":  "@cert-authority " + line("*.example.com", a) + line("hv09", a),
		"comments":            "# hosts\n\n  " + line("hv01.example.com", a),
		"a dot is a dot":      line("hv01xexample.com", a),
		"CR LF":               strings.ReplaceAll(line("hv01.example.com", a), "\n", "\r\n"),
	}
	addresses := []string{"hv01.example.com:22", "hv01.example.com:2222", "hv02.example.com:22", "10.0.0.1:22", "[fe80::1]:22", "[fe80::1]:2222"}
	shown := map[string]ssh.PublicKey{
		"a": a.signer.PublicKey(), "b": b.signer.PublicKey(),
		"certificate":         certificate(t, a, authority, "hv01.example.com", ssh.HostCert, later),
		"for another host":    certificate(t, a, authority, "hv09.example.com", ssh.HostCert, later),
		"a user's":            certificate(t, a, authority, "hv01.example.com", ssh.UserCert, later),
		"expired certificate": certificate(t, a, authority, "hv01.example.com", ssh.HostCert, time.Now().Add(-time.Minute)),
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "known_hosts")
			ok(t, os.WriteFile(path, []byte(text), 0o600))
			library, err := knownhosts.New(path)
			ok(t, err)
			ours, err := parseKnownHosts(text)
			ok(t, err)
			accepted := 0
			for _, address := range addresses {
				for what, key := range shown {
					want, got := library(address, none{}, key), ours.check(address, none{}, key)
					_, signed := key.(*ssh.Certificate)
					if got != nil && !signed && strings.Contains(text, "@cert-authority") {
						continue
					}
					if (want == nil) != (got == nil) {
						t.Errorf("%s shows %s: the library says %v, we say %v", address, what, want, got)
					}
					if got == nil {
						accepted++
					}
				}
			}
			t.Logf("%d accepted", accepted)
		})
	}
}

type none struct{}

func (none) Network() string { return "tcp" }
func (none) String() string  { return "192.0.2.1:22" }

func TestKnownHostsThatCannotBeRead(t *testing.T) {
	a := newKey(t)
	tests := map[string]struct{ text, says string }{
		"nothing":          {"", "names no host"},
		"comments alone":   {"# nothing\n", "names no host"},
		"no key":           {"hv01.example.com\n", "line 1: it has no key"},
		"half a key":       {"\nhv01 ssh-ed25519\n", "line 2: ssh: invalid entry"},
		"not a key":        {"hv01 ssh-ed25519 AAAA\n", "line 1: "},
		"another type":     {strings.Replace(line("hv01", a), "ssh-ed25519", "ssh-rsa", 1), "type mismatch"},
		"an odd marker":    {"@trusted " + line("hv01", a), "the marker @trusted is none"},
		"an odd hash":      {line("|2|AAAA|AAAA", a), "a hashed name is to be"},
		"an odd name":      {line("[hv01", a), `the name "[hv01"`},
		"an empty name":    {line("hv01,!", a), "is empty"},
		"only revocations": {"@revoked " + line("*", a), "names no host"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := parseKnownHosts(test.text); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

// A host is asked for the keys that are known, strongest signatures first.
func TestAlgorithmsAreThoseOfTheKnownKeys(t *testing.T) {
	a, b := newKey(t), newECDSAKey(t)
	rsa := newRSAKey(t)
	tests := map[string]struct {
		text string
		want []string
	}{
		"another host":         {line("hv02", a), nil},
		"one key":              {line("hv01", a), []string{ssh.KeyAlgoED25519}},
		"two":                  {line("hv01", b) + line("hv0*", a) + line("hv01", a), []string{ssh.KeyAlgoECDSA256, ssh.KeyAlgoED25519}},
		"RSA without SHA-1":    {line("hv01", rsa), []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}},
		"certificates first":   {line("hv01", a) + "@cert-authority " + line("*", b), append(append([]string{}, certificateAlgorithms...), ssh.KeyAlgoED25519)},
		"certificates alone":   {"@cert-authority " + line("*", b), certificateAlgorithms},
		"names in small print": {line("HV01", a), []string{ssh.KeyAlgoED25519}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			k, err := parseKnownHosts(test.text)
			ok(t, err)
			if diff := cmp.Diff(test.want, k.algorithms("hv01:22")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Following the advice makes the key known.
func TestTheAdviceHelps(t *testing.T) {
	a, b := newKey(t), newKey(t)
	k, err := parseKnownHosts(line("[hv01]:2222", a))
	ok(t, err)
	for _, address := range []string{"hv01:2222", "hv02:22", "hv02:2222"} {
		refusal := k.check(address, none{}, b.signer.PublicKey())
		var told *hostKeyError
		if !errors.As(refusal, &told) {
			t.Fatalf("%s: %v", address, refusal)
		}
		if !strings.Contains(told.text, ssh.FingerprintSHA256(b.signer.PublicKey())) {
			t.Errorf("the fingerprint seen is not in %q", told.text)
		}
		_, advice, _ := strings.Cut(told.text, "put this line into knownHosts: ")
		advice, _, _ = strings.Cut(advice, ", in place")
		after, err := parseKnownHosts(advice)
		ok(t, err)
		ok(t, after.check(address, none{}, b.signer.PublicKey()))
	}
}
