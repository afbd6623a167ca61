package ssh

import (
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/crypto/ssh"
	"k8s.io/utils/clock"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
)

// Config says how the hosts are reached and what their PowerShell is started with. It is one version of the credentials:
// new ones need a new driver.
type Config struct {
	// Hosts are tried in turn when a target names none. A host that is not among them is reached by its name with the DNS
	// suffix and the port of the first that has a DNS name.
	Hosts []rack.Host
	// User is a local account's name, `domain\user` or `user@domain`.
	User string
	// PrivateKey is in PEM, as ssh-keygen writes it, without a passphrase. It or Password is given.
	PrivateKey hostagent.Secret
	Password   hostagent.Secret
	// KnownHosts are the hosts' keys, in the form of OpenSSH's known_hosts file: also hashed names, @cert-authority and
	// @revoked.
	KnownHosts string

	// Installed runs the executor that is installed on the hosts instead of sending it.
	Installed bool
	// OneShot starts a PowerShell for each batch, where a policy forbids one that stays.
	OneShot bool
	// Log takes what is noticed beside answers; nil means nowhere. Clock is nil for the real one.
	Log   *slog.Logger
	Clock clock.WithTicker
}

// New makes a driver. Nothing is sent before Open. What is missing or wrong in the config is Invalid.
func New(config Config) (hostagent.Driver, error) {
	d, err := newDriver(config)
	if err != nil {
		return nil, &hostagent.Error{Class: hostagent.Invalid, Op: "configure SSH", Err: err}
	}
	return d, nil
}

func newDriver(c Config) (*driver, error) {
	if c.User == "" {
		return nil, errors.New("SSH needs a user")
	}
	if (c.PrivateKey.Reveal() == "") == (c.Password.Reveal() == "") {
		return nil, errors.New("SSH needs either a private key or a password")
	}
	if c.Clock == nil {
		c.Clock = clock.RealClock{}
	}
	d := &driver{config: c, gate: rack.NewGate()}
	var err error
	if d.hosts, err = rack.NewDirectory(c.Hosts); err != nil {
		return nil, err
	}
	if d.known, err = parseKnownHosts(c.KnownHosts); err != nil {
		return nil, err
	}
	if c.PrivateKey.Reveal() != "" {
		d.signer, err = parseKey(c.PrivateKey)
	}
	return d, err
}

func parseKey(key hostagent.Secret) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey([]byte(key.Reveal()))
	if _, encrypted := errors.AsType[*ssh.PassphraseMissingError](err); encrypted {
		return nil, errors.New("the private key is encrypted with a passphrase; give one without: `ssh-keygen -p -N '' -f FILE` removes it")
	}
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be read; give one as ssh-keygen writes it, beginning with -----BEGIN: %w", err)
	}
	return signer, nil
}
