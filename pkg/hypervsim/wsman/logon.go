package wsman

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/keytab"
)

// Authentication says who may log on, and how.
type Authentication struct {
	// Users by name: bare, or as DOMAIN\name. Case does not count.
	Users map[string]User
	// Basic takes a password with every request, over TLS only unless AllowUnencrypted.
	Basic, NTLM bool
	// AllowUnencrypted lets messages go unsealed over plain HTTP.
	AllowUnencrypted bool
	// Kerberos is the keytab of the host's principal; nil turns Kerberos off.
	Kerberos *keytab.Keytab
	// Certificates maps the SHA-256 fingerprints of client certificates, in lower-case hexadecimal, to users.
	Certificates map[string]string
	// LockoutThreshold is how many wrong passwords in a row lock an account; 0 locks none.
	LockoutThreshold int
}

// User is an account.
type User struct {
	Password string
	// Limited is an account that is no administrator: it logs on and may do nothing.
	Limited bool
}

// Fingerprint is the name of a certificate in Authentication.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// logons checks who is who.
type logons struct {
	host   string
	config Authentication

	mu    sync.Mutex
	users map[string]User
	// wrong counts wrong passwords in a row, attempts all logons that were decided and refused those that were refused, by user.
	wrong, attempts, refused map[string]int
}

func newLogons(host string, config Authentication) *logons {
	l := &logons{host: host, config: config, users: map[string]User{}, wrong: map[string]int{}, attempts: map[string]int{}, refused: map[string]int{}}
	for name, user := range config.Users {
		l.users[strings.ToLower(name)] = user
	}
	return l
}

// logon is who sent a request and how its connection is sealed.
type logon struct {
	user, mode    string
	administrator bool
	// seal is nil where messages travel as they are.
	seal *seal
}

func (l *logon) sealed() bool { return l.seal != nil }

// open gives a request's message as it was before sealing.
func (l *logon) open(r *http.Request, body []byte) ([]byte, error) {
	if l.seal == nil {
		return body, nil
	}
	return l.seal.open(r.Header.Get("Content-Type"), body)
}

const certificateScheme = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"

// authenticate finds out who sent a request. When it is not known yet, it has answered.
func (l *logons) authenticate(w http.ResponseWriter, r *http.Request) (*logon, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	var who *logon
	switch strings.ToLower(scheme) {
	case "":
		who = l.connected(r)
	case "basic":
		who = l.basic(r)
	case "negotiate", "ntlm", "kerberos":
		raw, err := base64.StdEncoding.DecodeString(token)
		if err != nil {
			break
		}
		var answered bool
		if who, answered = l.negotiate(w, r, scheme, raw); answered {
			return nil, false
		}
	case certificateScheme:
		who = l.byCertificate(r)
	}
	if who == nil {
		challenge(w, l.offers(r))
		return nil, false
	}
	return who, true
}

// connected is the logon of a connection that NTLM has authenticated. Unsealed messages on one that must be sealed are not
// let in.
func (l *logons) connected(r *http.Request) *logon {
	c := connectionOf(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.logon == nil {
		return nil
	}
	if l.mustSeal(r) && !sealedMessage(r) {
		return nil
	}
	return l.forMessage(r, c.logon)
}

func sealedMessage(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/encrypted")
}

func (l *logons) mustSeal(r *http.Request) bool { return r.TLS == nil && !l.config.AllowUnencrypted }

// forMessage is a connection's logon for one message: without its seal for a message that has none, and nil where there
// must be one. The last leg of a logon may carry nothing.
func (l *logons) forMessage(r *http.Request, who *logon) *logon {
	switch {
	case sealedMessage(r) && who.seal != nil:
		return who
	case sealedMessage(r), l.mustSeal(r) && r.ContentLength != 0:
		return nil
	}
	return &logon{user: who.user, mode: who.mode, administrator: who.administrator}
}

func (l *logons) basic(r *http.Request) *logon {
	name, password, ok := r.BasicAuth()
	if !ok || !l.config.Basic || l.mustSeal(r) {
		return nil
	}
	user, key, known := l.user(name, "")
	right := known && subtle.ConstantTimeCompare([]byte(user.Password), []byte(password)) == 1
	return l.decide(key, user, right, "Basic")
}

func (l *logons) byCertificate(r *http.Request) *logon {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	shown := r.TLS.PeerCertificates[0]
	name, ok := l.config.Certificates[Fingerprint(shown)]
	if now := time.Now(); !ok || now.Before(shown.NotBefore) || now.After(shown.NotAfter) {
		return nil
	}
	user, key, known := l.user(name, "")
	return l.decide(key, user, known, "Certificate")
}

// user finds an account by its name in any of its forms, and the name by which it is counted.
func (l *logons) user(name, domain string) (User, string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bare := name
	if d, n, ok := strings.Cut(name, `\`); ok {
		domain, bare = d, n
	} else if n, d, ok := strings.Cut(name, "@"); ok {
		domain, bare = d, n
	}
	for _, form := range []string{domain + `\` + bare, name, bare} {
		form = strings.ToLower(form)
		if u, ok := l.users[form]; ok {
			return u, form, true
		}
	}
	return User{}, strings.ToLower(name), false
}

// decide counts an attempt and gives the logon if it was right and the account is not locked.
func (l *logons) decide(key string, user User, right bool, mode string) *logon {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts[key]++
	locked := l.config.LockoutThreshold > 0 && l.wrong[key] >= l.config.LockoutThreshold
	if !right {
		l.wrong[key]++
	}
	if !right || locked {
		l.refused[key]++
		return nil
	}
	l.wrong[key] = 0
	return &logon{user: key, mode: mode, administrator: !user.Limited}
}

// Attempts counts a user's logons that were decided, right or wrong.
func (s *Server) Attempts(user string) int {
	s.logons.mu.Lock()
	defer s.logons.mu.Unlock()
	return s.logons.attempts[strings.ToLower(user)]
}

// Refusals counts a user's logons that were refused: for a wrong password, or because the account is locked.
func (s *Server) Refusals(user string) int {
	s.logons.mu.Lock()
	defer s.logons.mu.Unlock()
	return s.logons.refused[strings.ToLower(user)]
}

// SetPassword gives a user another password, and unlocks the account. What is logged on stays so.
func (s *Server) SetPassword(user, password string) {
	s.logons.mu.Lock()
	defer s.logons.mu.Unlock()
	key := strings.ToLower(user)
	account := s.logons.users[key]
	account.Password = password
	s.logons.users[key], s.logons.wrong[key] = account, 0
}

// offers are the ways to log on that a 401 names.
func (l *logons) offers(r *http.Request) []string {
	var out []string
	kerberos := l.config.Kerberos != nil && !l.mustSeal(r)
	if l.config.NTLM || kerberos {
		out = append(out, "Negotiate")
	}
	if kerberos {
		out = append(out, "Kerberos")
	}
	if l.config.Basic && !l.mustSeal(r) {
		out = append(out, `Basic realm="WSMAN"`)
	}
	return out
}

func challenge(w http.ResponseWriter, offers []string) {
	for _, o := range offers {
		w.Header().Add("WWW-Authenticate", o)
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusUnauthorized)
}

// quiet is for what net/http says of clients that go away in the middle.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
