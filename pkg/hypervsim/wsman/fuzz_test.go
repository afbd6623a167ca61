package wsman

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever comes is read or refused, and what is read is answered in XML that can be read.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`<s:Envelope xmlns:s="x"><s:Header><a:Action>` + createURI + `</a:Action><a:MessageID>uuid:1</a:MessageID></s:Header><s:Body><rsp:Shell/></s:Body></s:Envelope>`))
	f.Add([]byte(`<Envelope><Header><Action>` + shellURI + `/Send</Action><SelectorSet><Selector Name="ShellId">1</Selector></SelectorSet></Header>` +
		`<Body><Send><Stream Name="stdin" CommandId="2" End="TRUE">` + base64.StdEncoding.EncodeToString([]byte("x")) + `</Stream></Send></Body></Envelope>`))
	f.Add([]byte(`<Envelope><Header><MessageID>]]&gt;&lt;</MessageID></Header><Body><CommandLine><Command><![CDATA[a & b]]></Command></CommandLine></Body></Envelope>`))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><Envelope>&a;</Envelope>`))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parse(body)
		if err != nil {
			return
		}
		_, _, _ = r.shellID(), r.commandLine(), r.environment()
		back, err := parse(errNoShell(r.shellID()).envelope(r.Header.MessageID))
		if err != nil {
			t.Fatalf("the answer: %v", err)
		}
		if back.Header.Action == "" {
			t.Error("the answer has no action")
		}
	})
}

func FuzzAuthenticate(f *testing.F) {
	f.Add([]byte(ntlmSignature + "\x03\x00\x00\x00"))
	f.Add(append([]byte(ntlmSignature+"\x03\x00\x00\x00"), make([]byte, 200)...))
	l := newLogons("hv01", Authentication{NTLM: true, Users: map[string]User{"u": {Password: "p"}}})
	f.Fuzz(func(t *testing.T, message []byte) {
		if who := l.ntlm(newChallenge(message, "hv01"), message, nil); who != nil {
			t.Errorf("%q was let in", message)
		}
	})
}

func FuzzUnseal(f *testing.F) {
	f.Add(newSeal(make([]byte, 16)).close([]byte("text")))
	f.Add([]byte(boundary + "\r\n\tContent-Type: application/octet-stream\r\n\x10\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, body []byte) {
		// What the host sealed is not what a client seals.
		if _, err := newSeal(make([]byte, 16)).open(sealedType, body); err == nil {
			t.Errorf("%q was opened", body)
		}
	})
}

// client is the other side of a seal.
func client(session []byte) *seal {
	s := newSeal(session)
	s.clientKey, s.serverKey = s.serverKey, s.clientKey
	s.clientCipher, s.serverSeal = s.serverSeal, s.clientCipher
	return s
}

func TestSealIsOpenedInTurn(t *testing.T) {
	session := bytes.Repeat([]byte{7}, 16)
	host, guest := newSeal(session), client(session)
	for _, text := range []string{"first", "", boundary + "--\r\n", "fourth"} {
		header := http.Header{}
		wrapped := guest.wrap(header, []byte(text))
		got, err := host.open(header.Get("Content-Type"), wrapped)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if diff := cmp.Diff(text, string(got)); diff != "" {
			t.Error(diff)
		}
	}
	lost := guest.close([]byte("lost"))
	if _, err := host.open(sealedType, guest.close([]byte("next"))); err == nil {
		t.Error("a message was lost and nobody noticed")
	}
	if _, err := newSeal(session).open(sealedType, lost); err == nil {
		t.Error("a message was opened out of turn")
	}
}

func FuzzTicket(f *testing.F) {
	f.Add([]byte("\x60\x06\x06\x06\x2b\x06\x01\x05\x05\x02"))
	f.Add([]byte("\x60\x0b\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00"))
	f.Fuzz(func(_ *testing.T, token []byte) { ticketOf(token) })
}
