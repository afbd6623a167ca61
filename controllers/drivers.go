package controllers

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostcluster"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
	"guestclustering.io/operator/pkg/hostagent/simulated"
	"guestclustering.io/operator/pkg/hostagent/ssh"
	"guestclustering.io/operator/pkg/hostagent/winrm"
)

// Drivers makes the driver that an agent's type names; it logs what drivers notice beside their answers.
func Drivers(log *slog.Logger) hostcluster.Drivers {
	return func(agent v1alpha1.HostAgent, keys hostcluster.Keys) (hostagent.Driver, string, error) {
		var d hostagent.Driver
		var err error
		switch {
		case agent.WinRM != nil:
			d, err = winRM(agent, keys, log)
		case agent.SSH != nil:
			d, err = overSSH(agent, keys, log)
		case agent.Simulated != nil:
			d = simulated.New(agent.Simulated.Address)
		default:
			err = fmt.Errorf("agent type %q is not known to this version; use WinRM, SSH or Simulated", agent.Type)
		}
		if err != nil {
			return nil, "", err
		}
		key, err := driverKey(agent, keys)
		return d, key, err
	}
}

// driverKey tells drivers apart, and nothing of what they know.
func driverKey(agent v1alpha1.HostAgent, keys hostcluster.Keys) (string, error) {
	spec, err := json.Marshal(agent)
	if err != nil {
		return "", fmt.Errorf("telling agents apart: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(spec, " %s", keys.Version))
	return hex.EncodeToString(sum[:]), nil
}

func winRM(agent v1alpha1.HostAgent, keys hostcluster.Keys, log *slog.Logger) (hostagent.Driver, error) {
	a := agent.WinRM
	c := winrm.Config{
		Transport: winrm.Transport(a.Transport), Authentication: winrm.Authentication(a.Authentication),
		TLS:       winrm.TLS{Roots: keys.CABundle, ServerName: a.ServerName, Fingerprints: a.CertificateFingerprints},
		Installed: a.Executor == v1alpha1.ExecutorInstalled, OneShot: a.Process == v1alpha1.ProcessOneShot, Log: log,
	}
	port := int32(5986)
	if a.Transport == v1alpha1.TransportHTTP {
		port = 5985
	}
	c.Hosts = hosts(a.Hosts, cmp.Or(a.Port, port))
	s := secret{agent, keys.Credentials}
	var err error
	if a.Authentication == v1alpha1.AuthenticationCertificate {
		if c.ClientCertificate, err = s.need("tls.crt", "the client certificate"); err == nil {
			c.ClientKey, err = s.hidden("tls.key", "its key")
		}
	} else {
		err = s.account(a.Authentication, &c)
	}
	if err != nil {
		return nil, err
	}
	return winrm.New(c)
}

// account reads who logs on with a password or a keytab.
func (s secret) account(way v1alpha1.WinRMAuthentication, c *winrm.Config) error {
	user, err := s.need("username", "the account's name")
	if err != nil {
		return err
	}
	c.User = string(user)
	if way == v1alpha1.AuthenticationKerberos {
		c.KerberosConfig = string(s.data["krb5.conf"])
		if len(s.data["keytab"]) > 0 {
			c.Keytab, err = s.hidden("keytab", "")
			return err
		}
	}
	c.Password, err = s.hidden("password", "the account's password")
	return err
}

func overSSH(agent v1alpha1.HostAgent, keys hostcluster.Keys, log *slog.Logger) (hostagent.Driver, error) {
	a := agent.SSH
	c := ssh.Config{
		Hosts: hosts(a.Hosts, cmp.Or(a.Port, 22)), KnownHosts: a.KnownHosts,
		Installed: a.Executor == v1alpha1.ExecutorInstalled, OneShot: a.Process == v1alpha1.ProcessOneShot, Log: log,
	}
	s := secret{agent, keys.Credentials}
	user, err := s.need("username", "the account's name")
	if err != nil {
		return nil, err
	}
	c.User = string(user)
	if len(s.data["password"]) > 0 && len(s.data["ssh-privatekey"]) == 0 {
		c.Password, err = s.hidden("password", "")
	} else {
		c.PrivateKey, err = s.hidden("ssh-privatekey", "the account's private key, or its password into password,")
	}
	if err != nil {
		return nil, err
	}
	return ssh.New(c)
}

// secret is the credentials Secret's data.
type secret struct {
	agent v1alpha1.HostAgent
	data  map[string][]byte
}

func (s secret) need(key, what string) ([]byte, error) {
	if len(s.data[key]) == 0 {
		return nil, hostcluster.Missing(s.agent, key, what)
	}
	return s.data[key], nil
}

func (s secret) hidden(key, what string) (hostagent.Secret, error) {
	text, err := s.need(key, what)
	return hostagent.NewSecret(string(text)), err
}

// hosts are the listed hosts as drivers know them: by their computer names, reached by their full ones.
func hosts(listed []v1alpha1.AgentHost, port int32) []rack.Host {
	out := make([]rack.Host, len(listed))
	for i, h := range listed {
		computer, _, _ := strings.Cut(h.Name, ".")
		p := strconv.Itoa(int(cmp.Or(h.Port, port)))
		out[i] = rack.Host{Name: computer, Address: net.JoinHostPort(h.Name, p)}
		if h.Address != "" {
			out[i].Connect = net.JoinHostPort(h.Address, p)
		}
	}
	return out
}
