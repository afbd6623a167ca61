package wsman_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bodgit/ntlmssp"

	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// ntlmStatus logs on over TLS with what bodgit/ntlmssp makes, and gives the last status.
func ntlmStatus(t *testing.T, e endpoint, name, domain string, bindings *ntlmssp.ChannelBindings) int {
	t.Helper()
	client, err := ntlmssp.NewClient(ntlmssp.SetUserInfo(name, password), ntlmssp.SetDomain(domain))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(e.ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	post := func(token []byte) (int, []byte) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url(true), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(token))
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		answer, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(resp.Header.Get("WWW-Authenticate"), "Negotiate "))
		return resp.StatusCode, answer
	}
	first, err := client.Authenticate(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, challenge := post(first)
	proof, err := client.Authenticate(challenge, bindings)
	if err != nil {
		t.Fatal(err)
	}
	status, _ := post(proof)
	return status
}

func boundTo(certificate tls.Certificate) *ntlmssp.ChannelBindings {
	digest := sha256.Sum256(certificate.Certificate[0])
	return &ntlmssp.ChannelBindings{ApplicationData: append([]byte(ntlmssp.TLSServerEndPoint+":"), digest[:]...)}
}

func TestNTLM(t *testing.T) {
	config := settings()
	config.Authentication.Users["local"] = wsman.User{Password: password}
	config.Authentication.Users["upn@guests.test"] = wsman.User{Password: password}
	e := serve(t, config)
	authority, err := wsman.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	own, err := authority.Host(time.Time{}, "hv01")
	if err != nil {
		t.Fatal(err)
	}
	other, err := authority.Host(time.Time{}, "hv01")
	if err != nil {
		t.Fatal(err)
	}
	e.SetCertificate(own)
	e.ca = authority.PEM()
	for name, test := range map[string]struct {
		user, domain string
		bindings     *ntlmssp.ChannelBindings
		want         int
	}{
		"a domain's account":              {"operator", "SIM", nil, http.StatusOK},
		"in other cases":                  {"Operator", "sim", nil, http.StatusOK},
		"another domain's":                {"operator", "OTHER", nil, http.StatusUnauthorized},
		"a local account":                 {"local", "", nil, http.StatusOK},
		"a local account with the host's": {"local", "HV01", nil, http.StatusOK},
		"a principal's name":              {"upn@guests.test", "", nil, http.StatusOK},
		"nobody":                          {"nobody", "", nil, http.StatusUnauthorized},
		"bound to the certificate":        {"operator", "SIM", boundTo(own), http.StatusOK},
		"bound to another certificate":    {"operator", "SIM", boundTo(other), http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ntlmStatus(t, e, test.user, test.domain, test.bindings); got != test.want {
				t.Errorf("status %d, want %d", got, test.want)
			}
		})
	}
}
