package wsman

import (
	"bytes"
	"encoding/base64"
	"net/http"
)

// negotiate takes one token of NTLM or Kerberos. It has answered when another one must follow.
func (l *logons) negotiate(w http.ResponseWriter, r *http.Request, scheme string, token []byte) (who *logon, answered bool) {
	if !bytes.HasPrefix(token, []byte(ntlmSignature)) {
		return l.kerberos(w, r, scheme, token), false
	}
	if !l.config.NTLM {
		return nil, false
	}
	c := connectionOf(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch messageType(token) {
	case negotiateMessage:
		c.logon = nil
		c.challenge = newChallenge(token, l.host)
		w.Header().Set("WWW-Authenticate", scheme+" "+base64.StdEncoding.EncodeToString(c.challenge.message))
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusUnauthorized)
		return nil, true
	case authenticateMessage:
		if c.challenge == nil {
			return nil, false
		}
		c.logon = l.ntlm(c.challenge, token, c.shownCertificate())
		c.challenge = nil
		if c.logon == nil {
			return nil, false
		}
		return l.forMessage(r, c.logon), false
	default:
		return nil, false
	}
}
