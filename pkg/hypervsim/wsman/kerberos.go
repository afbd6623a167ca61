package wsman

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/asnAppTag"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/iana/msgtype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/service"
	"github.com/jcmturner/gokrb5/v8/spnego"
	"github.com/jcmturner/gokrb5/v8/types"
)

// kerberos takes a ticket for the host, bare or inside SPNEGO. A client that wants to know that the host is the host finds
// its proof in the answer's header. Messages are not sealed with Kerberos here, so it is for TLS.
func (l *logons) kerberos(w http.ResponseWriter, r *http.Request, scheme string, token []byte) *logon {
	if l.config.Kerberos == nil || l.mustSeal(r) {
		return nil
	}
	request, wrapped := ticketOf(token)
	if request == nil {
		return nil
	}
	// Tickets of MIT's centre carry a PAC that the library cannot read; nothing of it is needed.
	ok, client, err := service.VerifyAPREQ(request, service.NewSettings(l.config.Kerberos, service.DecodePAC(false)))
	if err != nil || !ok {
		return nil
	}
	user, key, known := l.user(client.UserName(), client.Domain())
	who := l.decide(key, user, known, "Kerberos")
	if who == nil {
		return nil
	}
	if proof, err := prove(request, wrapped); err == nil && proof != nil {
		w.Header().Set("WWW-Authenticate", scheme+" "+base64.StdEncoding.EncodeToString(proof))
	}
	return who
}

// ticketOf takes the request of Kerberos out of a token, and says whether SPNEGO was around it.
func ticketOf(token []byte) (request *messages.APReq, wrapped bool) {
	var outer spnego.SPNEGOToken
	var inner spnego.KRB5Token
	if wrapped = outer.Unmarshal(token) == nil && outer.Init; wrapped {
		token = outer.NegTokenInit.MechTokenBytes
	}
	if inner.Unmarshal(token) != nil || !inner.IsAPReq() {
		return nil, wrapped
	}
	return &inner.APReq, wrapped
}

// prove makes the token by which the host shows that it could read the ticket (RFC 4120, 5.5.2), if the client asks for it,
// and SPNEGO's word that all is done.
func prove(request *messages.APReq, wrapped bool) ([]byte, error) {
	var proof []byte
	if types.IsFlagSet(&request.APOptions, flags.APOptionMutualRequired) {
		reply, err := apReply(request)
		if err != nil {
			return nil, err
		}
		oid, err := asn1.Marshal(gssapi.OIDKRB5.OID())
		if err != nil {
			return nil, err
		}
		proof = asn1tools.AddASNAppTag(append(append(oid, 2, 0), reply...), 0)
	}
	if !wrapped {
		return proof, nil
	}
	done := spnego.NegTokenResp{NegState: asn1.Enumerated(spnego.NegStateAcceptCompleted), SupportedMech: gssapi.OIDKRB5.OID(), ResponseToken: proof}
	return done.Marshal()
}

// apReply is the AP-REP, which the library can read and not write.
func apReply(request *messages.APReq) ([]byte, error) {
	part, err := asn1.Marshal(struct {
		CTime          time.Time `asn1:"generalized,explicit,tag:0"`
		Cusec          int       `asn1:"explicit,tag:1"`
		SequenceNumber int64     `asn1:"explicit,tag:3"`
	}{request.Authenticator.CTime.UTC(), request.Authenticator.Cusec, request.Authenticator.SeqNumber})
	if err != nil {
		return nil, err
	}
	part = asn1tools.AddASNAppTag(part, asnAppTag.EncAPRepPart)
	sealed, err := crypto.GetEncryptedData(part, request.Ticket.DecryptedEncPart.Key, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		return nil, err
	}
	reply, err := asn1.Marshal(messages.APRep{PVNO: 5, MsgType: msgtype.KRB_AP_REP, EncPart: sealed})
	if err != nil {
		return nil, err
	}
	return asn1tools.AddASNAppTag(reply, asnAppTag.APREP), nil
}
