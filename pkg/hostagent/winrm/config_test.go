package winrm

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

func hosts() []Host { return []Host{{Name: "hv01", Address: "hv01.example.com:5986"}} }

func TestNewRefusesWhatIsMissingOrForbidden(t *testing.T) {
	secret := hostagent.NewSecret("pa55word")
	own, key := pemOf(t, newAuthority(t).issue("operator", x509.ExtKeyUsageClientAuth, time.Now()))
	_, other := pemOf(t, newAuthority(t).issue("operator", x509.ExtKeyUsageClientAuth, time.Now()))
	tests := map[string]struct {
		config Config
		text   string
	}{
		"Basic over HTTP":        {Config{Transport: HTTP, Authentication: Basic, User: "u", Password: secret}, "Basic over HTTP would send messages that anyone can read"},
		"Kerberos over HTTP":     {Config{Transport: HTTP, Authentication: Kerberos, User: "u", Password: secret}, "Kerberos over HTTP"},
		"a certificate, HTTP":    {Config{Transport: HTTP, Authentication: Certificate}, "Certificate over HTTP"},
		"TLS settings over HTTP": {Config{Transport: HTTP, Authentication: NTLM, User: "u", Password: secret, TLS: TLS{ServerName: "x"}}, "the transport is HTTP"},
		"no transport":           {Config{Authentication: NTLM}, "use HTTPS or HTTP"},
		"no authentication":      {Config{Transport: HTTPS}, "use Kerberos, NTLM, Certificate or Basic"},
		"no password":            {Config{Transport: HTTPS, Authentication: Basic, User: "u"}, "needs a user and a password"},
		"no user":                {Config{Transport: HTTPS, Authentication: NTLM, Password: secret}, "needs a user and a password"},
		"no key":                 {Config{Transport: HTTPS, Authentication: Certificate, ClientCertificate: own}, "needs a client certificate and its key"},
		"another's key": {Config{Transport: HTTPS, Authentication: Certificate, ClientCertificate: own, ClientKey: hostagent.NewSecret(string(other))},
			"private key does not match public key"},
		"a key that is none": {Config{Transport: HTTPS, Authentication: Certificate, ClientCertificate: own, ClientKey: hostagent.NewSecret("pa55word")}, "the client certificate and its key"},
		"two proofs":         {Config{Transport: HTTPS, Authentication: Kerberos, User: "u@R", Password: secret, Keytab: secret}, "either a password or a keytab"},
		"a broken keytab":    {Config{Transport: HTTPS, Authentication: Kerberos, User: "u@R", Keytab: secret}, "the keytab"},
		"no realm":           {Config{Transport: HTTPS, Authentication: Kerberos, User: "u", Password: secret}, "no Kerberos realm is given"},
		"no hosts":           {Config{Hosts: []Host{}, Transport: HTTPS, Authentication: Basic, User: "u", Password: secret}, "no hosts are listed"},
		"no port":            {Config{Hosts: []Host{{Name: "hv01", Address: "hv01"}}, Transport: HTTPS, Authentication: Basic, User: "u", Password: secret}, "give both, the address as name:port"},
		"no name":            {Config{Hosts: []Host{{Address: "hv01:5986"}}, Transport: HTTPS, Authentication: Basic, User: "u", Password: secret}, "give both"},
		"no CA in the CA bundle": {Config{Transport: HTTPS, Authentication: Basic, User: "u", Password: secret, TLS: TLS{Roots: []byte("x")}},
			"the CA bundle holds no certificate"},
		"a short fingerprint": {Config{Transport: HTTPS, Authentication: Basic, User: "u", Password: secret, TLS: TLS{Fingerprints: []string{"AB:CD"}}}, "64 hexadecimal digits"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.config.Hosts == nil {
				test.config.Hosts = hosts()
			}
			_, err := New(test.config)
			if hostagent.ClassOf(err) != hostagent.Invalid || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want Invalid with %q", err, test.text)
			}
			if err != nil && strings.Contains(err.Error(), secret.Reveal()) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
	config := Config{Hosts: hosts(), Transport: HTTPS, Authentication: Certificate, ClientCertificate: own, ClientKey: hostagent.NewSecret(string(key)), Password: secret, Keytab: secret}
	if text := fmt.Sprintf("%v %+v %#v", config, config, config); strings.Contains(text, "pa55word") || strings.Contains(text, "PRIVATE KEY") {
		t.Error("a printed config tells its secrets")
	}
}
