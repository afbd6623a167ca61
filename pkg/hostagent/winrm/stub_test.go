package winrm

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
)

// stub is a listener that answers as a test says. It keeps what came.
type stub struct {
	*httptest.Server
	mu    sync.Mutex
	heads []http.Header
	// actions are the last parts of what was asked, "" for an empty request.
	actions []string
}

func newStub(t testing.TB, certificate tls.Certificate, answer func(w http.ResponseWriter, action string)) *stub {
	t.Helper()
	s := &stub{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		action := actionOf(string(body))
		s.mu.Lock()
		s.heads = append(s.heads, r.Header)
		s.actions = append(s.actions, action)
		s.mu.Unlock()
		answer(w, action)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if certificate.Certificate == nil {
		s.Start()
	} else {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	return s
}

// actionOf gives the last part of a message's action.
func actionOf(message string) string {
	_, rest, ok := strings.Cut(message, "Action")
	if !ok {
		return ""
	}
	_, rest, _ = strings.Cut(rest, ">")
	uri, _, _ := strings.Cut(rest, "<")
	return uri[strings.LastIndex(uri, "/")+1:]
}

func (s *stub) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.actions...)
}

// tries counts the requests that carried a proof.
func (s *stub) tries() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, h := range s.heads {
		if h.Get("Authorization") != "" {
			n++
		}
	}
	return n
}

func (s *stub) host() Host {
	return Host{Name: "hv01", Address: s.Listener.Addr().String()}
}

// basicLane is a lane to the stub with Basic over TLS.
func (s *stub) basicLane(t testing.TB, a *authority, g *rack.Gate) *lane {
	t.Helper()
	config, err := newTLS(Config{Transport: HTTPS, Authentication: Basic, TLS: TLS{Roots: a.pem()}})
	if err != nil {
		t.Fatal(err)
	}
	l := newLane(s.host(), hostagent.Target{Host: "hv01"}, serverTLS(config, s.host()), &basic{user: "operator", password: hostagent.NewSecret("pa55word"), gate: g})
	t.Cleanup(l.close)
	return l
}

// asksFirst answers requests without a proof as a listener with Basic does.
func asksFirst(answer func(w http.ResponseWriter, action string)) func(w http.ResponseWriter, action string) {
	return func(w http.ResponseWriter, action string) {
		if action == "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="WSMAN"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer(w, action)
	}
}

const soapHead = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Body>`

func says(status int, body string) func(w http.ResponseWriter, action string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", contentTypeSOAP)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func envelope(body string) string { return soapHead + body + `</s:Body></s:Envelope>` }

func faultBody(code uint32, subcode, message string) string {
	return envelope(fmt.Sprintf(`<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:%s</s:Value></s:Subcode></s:Code>`+
		`<s:Reason><s:Text xml:lang="en-US">reason</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="%d" Machine="hv01">`+
		`<f:Message><f:ProviderFault>%s</f:ProviderFault></f:Message></f:WSManFault></s:Detail></s:Fault>`, subcode, code, message))
}
