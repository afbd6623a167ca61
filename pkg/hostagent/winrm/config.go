package winrm

import (
	"errors"
	"fmt"
	"log/slog"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
)

// Transport says what carries the messages.
type Transport string

const (
	// HTTPS is TLS, port 5986 by Windows' default.
	HTTPS Transport = "HTTPS"
	// HTTP is port 5985 by Windows' default. Messages are sealed by NTLM.
	HTTP Transport = "HTTP"
)

// Authentication says how the driver proves to a host who it is.
type Authentication string

const (
	// Kerberos takes a ticket of the domain's. HTTPS only.
	Kerberos Authentication = "Kerberos"
	// NTLM proves a password without telling it. Over HTTP every message is sealed.
	NTLM Authentication = "NTLM"
	// Certificate is a client certificate that the hosts map to an account. HTTPS only.
	Certificate Authentication = "Certificate"
	// Basic tells the password. HTTPS only.
	Basic Authentication = "Basic"
)

// Host is one host and where its listener is. Its certificate and its Kerberos name are those of the address.
type Host = rack.Host

// TLS says whom to believe. The certificate chain and the name in it are verified always.
type TLS struct {
	// Roots are the certificates of authorities, in PEM. Empty means the system's.
	Roots []byte
	// ServerName is the name that every host's certificate has, where it is not that of the address.
	ServerName string
	// Fingerprints are SHA-256 digests of host certificates, in hexadecimal with or without colons. If there are any, a
	// host's certificate must be one of these, beside being verified.
	Fingerprints []string
}

// Config says how the hosts are reached and what their PowerShell is started with. It is one version of the credentials:
// new ones need a new driver.
type Config struct {
	// Hosts are tried in turn when a target names none. A host that is not among them is reached by its name with the DNS
	// suffix and the port of the first.
	Hosts          []Host
	Transport      Transport
	Authentication Authentication

	// User is `DOMAIN\user`, `user@domain` or a local account's name. For Kerberos `user@REALM`, or a name alone beside
	// Realm.
	User     string
	Password hostagent.Secret
	// ClientCertificate and ClientKey are PEM, for Certificate.
	ClientCertificate []byte
	ClientKey         hostagent.Secret
	// Keytab is a keytab file's bytes, for Kerberos instead of a password.
	Keytab hostagent.Secret
	// Realm is the Kerberos realm; by default that of User.
	Realm string
	// KerberosConfig is a krb5.conf's text. Empty means that the realm's KDCs are found by DNS.
	KerberosConfig string

	TLS TLS

	// Installed runs the executor that is installed on the hosts instead of sending it.
	Installed bool
	// OneShot starts a PowerShell for each batch, where a policy forbids one that stays.
	OneShot bool
	// Log takes what is noticed beside answers. nil means nowhere.
	Log *slog.Logger
}

// New makes a driver. Nothing is sent before Open. What is missing or forbidden in the config is Invalid.
func New(config Config) (hostagent.Driver, error) {
	d, err := newDriver(config)
	if err != nil {
		return nil, &hostagent.Error{Class: hostagent.Invalid, Op: "configure WinRM", Err: err}
	}
	return d, nil
}

func (c Config) validate() error {
	switch c.Transport {
	case HTTPS:
	case HTTP:
		if c.Authentication != NTLM {
			return fmt.Errorf("%s over HTTP would send messages that anyone can read; use HTTPS, or NTLM, which seals them", c.Authentication)
		}
		if len(c.TLS.Roots) > 0 || c.TLS.ServerName != "" || len(c.TLS.Fingerprints) > 0 {
			return errors.New("there are TLS settings, but the transport is HTTP; use HTTPS, or leave them out")
		}
	default:
		return fmt.Errorf("the transport %q is none; use HTTPS or HTTP", c.Transport)
	}
	return c.validateCredentials()
}

func (c Config) validateCredentials() error {
	password := c.Password.Reveal() != ""
	switch c.Authentication {
	case Basic, NTLM:
		if c.User == "" || !password {
			return fmt.Errorf("%s needs a user and a password", c.Authentication)
		}
	case Certificate:
		if len(c.ClientCertificate) == 0 || c.ClientKey.Reveal() == "" {
			return fmt.Errorf("%s needs a client certificate and its key, both in PEM", c.Authentication)
		}
	case Kerberos:
		keytab := c.Keytab.Reveal() != ""
		if c.User == "" || password == keytab {
			return fmt.Errorf("%s needs a user, and either a password or a keytab", c.Authentication)
		}
	default:
		return fmt.Errorf("the authentication %q is none; use Kerberos, NTLM, Certificate or Basic", c.Authentication)
	}
	return nil
}
