package wsman

import (
	"bytes"
	"encoding/base64"
	"net/http"

	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/service"
	"github.com/jcmturner/gokrb5/v8/spnego"
)

// negotiate takes one token of NTLM or Kerberos. It has answered when another one must follow.
func (l *logons) negotiate(w http.ResponseWriter, r *http.Request, scheme string, token []byte) (who *logon, answered bool) {
	if !bytes.HasPrefix(token, []byte(ntlmSignature)) {
		return l.kerberos(token), false
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
		c.challenge = newChallenge(token)
		w.Header().Set("WWW-Authenticate", scheme+" "+base64.StdEncoding.EncodeToString(c.challenge.message))
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusUnauthorized)
		return nil, true
	case authenticateMessage:
		if c.challenge == nil {
			return nil, false
		}
		c.logon = l.ntlm(c.challenge, token)
		c.challenge = nil
		// The last leg of a logon may carry nothing, or a message that need not be sealed.
		if c.logon == nil || !sealedMessage(r) && l.mustSeal(r) && r.ContentLength != 0 {
			return nil, false
		}
		return c.logon.forMessage(r), false
	default:
		return nil, false
	}
}

// kerberosCredentials is the key under which package spnego leaves who has logged on.
const kerberosCredentials = "github.com/jcmturner/gokrb5/v8/ctxCredentials"

// kerberos takes a ticket for the host.
func (l *logons) kerberos(token []byte) *logon {
	if l.config.Kerberos == nil {
		return nil
	}
	var t spnego.SPNEGOToken
	if err := t.Unmarshal(token); err != nil {
		return nil
	}
	// Tickets of MIT's centre carry a PAC that the library cannot read; nothing of it is needed.
	accepts := spnego.SPNEGOService(l.config.Kerberos, service.DecodePAC(false))
	ok, ctx, _ := accepts.AcceptSecContext(&t)
	if !ok {
		return nil
	}
	client, isCredentials := ctx.Value(kerberosCredentials).(*credentials.Credentials)
	if !isCredentials {
		return nil
	}
	user, key, known := l.user(client.UserName(), client.Domain())
	return l.decide(key, user, known, "Kerberos")
}
