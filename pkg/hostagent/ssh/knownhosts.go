package ssh

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the form of known_hosts; hides names, protects nothing
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// hostKeyError is a host whose key cannot be trusted. Its text says what to do.
type hostKeyError struct{ text string }

func (e *hostKeyError) Error() string { return e.text }

// knownHosts are the lines of a known_hosts file. golang.org/x/crypto/ssh/knownhosts reads files alone, and where the
// operator runs there is nowhere to write one; what this makes of a text is held against it in a test.
type knownHosts struct {
	lines   []knownLine
	revoked []ssh.PublicKey
}

type knownLine struct {
	authority bool
	names     []name
	key       ssh.PublicKey
}

// name is one of a line's names, in one of two forms.
type name struct {
	pattern      *regexp.Regexp
	port         string
	negated      bool
	salt, digest []byte
}

func parseKnownHosts(text string) (knownHosts, error) {
	var k knownHosts
	number := 0
	for line := range strings.Lines(text) {
		number++
		if err := k.add(line); err != nil {
			return knownHosts{}, fmt.Errorf("knownHosts, line %d: %w", number, err)
		}
	}
	if len(k.lines) == 0 {
		return knownHosts{}, errors.New("knownHosts names no host; give the hosts' keys in the form of OpenSSH's known_hosts, " +
			"such as: hv01.example.com ssh-ed25519 AAAA... (host keys are verified always)")
	}
	return k, nil
}

func (k *knownHosts) add(line string) error {
	if word := strings.TrimSpace(line); word == "" || word[0] == '#' {
		return nil
	}
	marker, patterns, key, _, _, err := ssh.ParseKnownHosts([]byte(line))
	if errors.Is(err, io.EOF) {
		err = errors.New("it has no key; a line is names, the key's type and the key")
	}
	if err != nil {
		return err
	}
	switch marker {
	case "revoked":
		k.revoked = append(k.revoked, key)
		return nil
	case "", "cert-authority":
	default:
		return fmt.Errorf("the marker @%s is none", marker)
	}
	l := knownLine{authority: marker != "", key: key}
	for _, p := range patterns {
		n, err := parseName(p)
		if err != nil {
			return err
		}
		l.names = append(l.names, n)
	}
	k.lines = append(k.lines, l)
	return nil
}

func parseName(text string) (name, error) {
	if strings.HasPrefix(text, "|") {
		return parseHashed(text)
	}
	pattern, negated := strings.CutPrefix(text, "!")
	host, port, err := net.SplitHostPort(pattern)
	switch {
	case err == nil:
	case strings.HasPrefix(pattern, "["):
		return name{}, fmt.Errorf("the name %q: %w", text, err)
	default:
		host, port = pattern, "22"
	}
	if host == "" {
		return name{}, fmt.Errorf("the name %q is empty", text)
	}
	expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(strings.ToLower(host)))
	compiled, err := regexp.Compile("^(?:" + expression + ")$")
	return name{pattern: compiled, port: port, negated: negated}, err
}

// parseHashed reads |1|salt|HMAC-SHA-1 of the name|.
func parseHashed(text string) (name, error) {
	parts := strings.Split(text, "|")
	if len(parts) != 4 || parts[1] != "1" {
		return name{}, errors.New("a hashed name is to be |1|salt|hash")
	}
	salt, saltErr := base64.StdEncoding.DecodeString(parts[2])
	digest, err := base64.StdEncoding.DecodeString(parts[3])
	return name{salt: salt, digest: digest}, errors.Join(saltErr, err)
}

func (n name) matches(host, port string) bool {
	if n.digest != nil {
		mac := hmac.New(sha1.New, n.salt)
		mac.Write([]byte(knownhosts.Normalize(net.JoinHostPort(host, port))))
		return hmac.Equal(mac.Sum(nil), n.digest)
	}
	return n.port == port && n.pattern.MatchString(host)
}

// isFor reports whether the line is about the host. A negated name that matches excludes it.
func (l knownLine) isFor(host, port string) bool {
	found := false
	for _, n := range l.names {
		if !n.matches(host, port) {
			continue
		}
		if n.negated {
			return false
		}
		found = true
	}
	return found
}

// about gives the lines about an address.
func (k knownHosts) about(address string) []knownLine {
	host, port, err := net.SplitHostPort(strings.ToLower(address))
	if err != nil {
		return nil
	}
	var found []knownLine
	for _, l := range k.lines {
		if l.isFor(host, port) {
			found = append(found, l)
		}
	}
	return found
}

// algorithms are what the host may prove itself with so that what is known can verify it. nil is the library's own list: of
// a host of which nothing is known, the key is seen and refused.
func (k knownHosts) algorithms(address string) []string {
	var certificates, keys []string
	for _, l := range k.about(address) {
		if l.authority {
			certificates = certificateAlgorithms
			continue
		}
		for _, a := range keyAlgorithms(l.key.Type()) {
			if !slices.Contains(keys, a) {
				keys = append(keys, a)
			}
		}
	}
	return append(slices.Clip(certificates), keys...)
}

var certificateAlgorithms = []string{
	ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
	ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
}

func keyAlgorithms(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// check is an ssh.HostKeyCallback. Errors are *hostKeyError.
func (k knownHosts) check(address string, remote net.Addr, key ssh.PublicKey) error {
	checker := ssh.CertChecker{
		IsHostAuthority: func(authority ssh.PublicKey, address string) bool {
			return slices.ContainsFunc(k.about(address), func(l knownLine) bool { return l.authority && same(l.key, authority) })
		},
		IsRevoked:       func(c *ssh.Certificate) bool { return k.isRevoked(c.Key) || k.isRevoked(c.SignatureKey) },
		HostKeyFallback: func(address string, _ net.Addr, key ssh.PublicKey) error { return k.checkKey(address, key) },
	}
	err := checker.CheckHostKey(address, remote, key)
	if _, told := errors.AsType[*hostKeyError](err); err == nil || told {
		return err
	}
	return &hostKeyError{fmt.Sprintf("the host certificate of %s is not to be trusted: %v; renew it on the host, or add its authority to knownHosts in a line that begins with @cert-authority", address, err)}
}

func (k knownHosts) checkKey(address string, key ssh.PublicKey) error {
	seen := key.Type() + " " + ssh.FingerprintSHA256(key)
	if k.isRevoked(key) {
		return &hostKeyError{fmt.Sprintf("%s shows the key %s, which knownHosts calls revoked; make a new key on the host and add it to knownHosts", address, seen)}
	}
	var want []string
	for _, l := range k.about(address) {
		if l.authority {
			continue
		}
		if same(l.key, key) {
			return nil
		}
		want = append(want, l.key.Type()+" "+ssh.FingerprintSHA256(l.key))
	}
	advice := fmt.Sprintf(`compare with what the host itself says (ssh-keygen -lf, on the files %%ProgramData%%\ssh\ssh_host_*_key.pub there), and if it is the same put this line into knownHosts: %s`,
		knownhosts.Line([]string{address}, key))
	if len(want) == 0 {
		return &hostKeyError{fmt.Sprintf("the key of %s is not in knownHosts; it shows %s; %s", address, seen, advice)}
	}
	return &hostKeyError{fmt.Sprintf("the key of %s is another one than in knownHosts (%s): it shows %s, so the host was installed anew or somebody stands in between; %s, in place of the old one",
		address, strings.Join(want, ", "), seen, advice)}
}

func (k knownHosts) isRevoked(key ssh.PublicKey) bool {
	return slices.ContainsFunc(k.revoked, func(r ssh.PublicKey) bool { return same(r, key) })
}

func same(a, b ssh.PublicKey) bool { return string(a.Marshal()) == string(b.Marshal()) }
