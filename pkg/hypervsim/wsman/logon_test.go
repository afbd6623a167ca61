package wsman

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"testing"
	"time"
)

func TestByCertificate(t *testing.T) {
	now := time.Now()
	certificate := func(name string, from, until time.Time) *x509.Certificate {
		return &x509.Certificate{Raw: []byte(name), NotBefore: from, NotAfter: until}
	}
	good := certificate("good", now.Add(-time.Hour), now.Add(time.Hour))
	expired := certificate("expired", now.Add(-2*time.Hour), now.Add(-time.Hour))
	early := certificate("early", now.Add(time.Hour), now.Add(2*time.Hour))
	stale := certificate("stale", now.Add(-time.Hour), now.Add(time.Hour))
	l := newLogons("hv01", Authentication{
		Users:        map[string]User{"operator": {}},
		Certificates: map[string]string{Fingerprint(good): "Operator", Fingerprint(expired): "operator", Fingerprint(early): "operator", Fingerprint(stale): "removed"},
	})
	for name, test := range map[string]struct {
		state *tls.ConnectionState
		want  bool
	}{
		"known":               {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{good}}, true},
		"expired":             {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{expired}}, false},
		"not yet":             {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{early}}, false},
		"of nobody":           {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{stale}}, false},
		"unknown":             {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate("x", good.NotBefore, good.NotAfter)}}, false},
		"none":                {&tls.ConnectionState{}, false},
		"over plain HTTP":     {nil, false},
		"second in the chain": {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{early, good}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if who := l.byCertificate(&http.Request{TLS: test.state}); (who != nil) != test.want || who != nil && who.user != "operator" {
				t.Errorf("got %+v, want %t", who, test.want)
			}
		})
	}
}
