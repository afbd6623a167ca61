package winrm

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// newTLS makes the settings for one driver, or nil over HTTP. The server's name is added for each host.
func newTLS(c Config) (*tls.Config, error) {
	if c.Transport != HTTPS {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLS.ServerName}
	if len(c.TLS.Roots) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(c.TLS.Roots) {
			return nil, errors.New("the CA bundle holds no certificate; give it in PEM")
		}
	}
	pins, err := fingerprints(c.TLS.Fingerprints)
	if err != nil {
		return nil, err
	}
	if len(pins) > 0 {
		config.VerifyConnection = func(state tls.ConnectionState) error { return pins.check(state.PeerCertificates[0]) }
	}
	return config, withClientCertificate(config, c)
}

// withClientCertificate adds our own certificate. WinRM asks for it only once it has seen the request, by a
// renegotiation, which TLS 1.3 no longer has.
func withClientCertificate(config *tls.Config, c Config) error {
	if c.Authentication != Certificate {
		return nil
	}
	own, err := tls.X509KeyPair(c.ClientCertificate, []byte(c.ClientKey.Reveal()))
	if err != nil {
		return fmt.Errorf("the client certificate and its key: %w", err)
	}
	config.Certificates = []tls.Certificate{own}
	config.MaxVersion = tls.VersionTLS12
	config.Renegotiation = tls.RenegotiateOnceAsClient
	return nil
}

// serverTLS gives the settings for one host.
func serverTLS(config *tls.Config, host Host) *tls.Config {
	if config == nil || config.ServerName != "" {
		return config
	}
	own := config.Clone()
	own.ServerName, _, _ = net.SplitHostPort(host.Address)
	return own
}

// pins are SHA-256 digests of certificates.
type pins map[[sha256.Size]byte]bool

func fingerprints(texts []string) (pins, error) {
	p := make(pins, len(texts))
	for _, text := range texts {
		digest, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(text))
		if err != nil || len(digest) != sha256.Size {
			return nil, fmt.Errorf("the fingerprint %q is no SHA-256 digest: 64 hexadecimal digits", text)
		}
		p[[sha256.Size]byte(digest)] = true
	}
	return p, nil
}

type fingerprintError struct{ got [sha256.Size]byte }

func (e *fingerprintError) Error() string {
	return "the certificate's SHA-256 fingerprint is " + hex.EncodeToString(e.got[:])
}

func (p pins) check(certificate *x509.Certificate) error {
	if digest := sha256.Sum256(certificate.Raw); !p[digest] {
		return &fingerprintError{digest}
	}
	return nil
}

func issuer(c *x509.Certificate) string {
	if c == nil {
		return "unnamed"
	}
	return c.Issuer.String()
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
