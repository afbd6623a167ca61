package wsman

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" // NTLM is made of it
	"crypto/rand"
	"crypto/rc4" // NTLM is made of it
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //nolint:staticcheck // NTLM is made of it
)

// NTLM version 2, the server's part, as "[MS-NLMP]: NT LAN Manager (NTLM) Authentication Protocol" has it.

const (
	ntlmSignature = "NTLMSSP\x00"

	negotiateMessage    = 1
	challengeMessage    = 2
	authenticateMessage = 3
)

// Flags of NTLMSSP_NEGOTIATE.
const (
	flagUnicode         = 0x00000001
	flagRequestTarget   = 0x00000004
	flagSign            = 0x00000010
	flagSeal            = 0x00000020
	flagNTLM            = 0x00000200
	flagAlwaysSign      = 0x00008000
	flagTargetServer    = 0x00020000
	flagExtendedSession = 0x00080000
	flagTargetInfo      = 0x00800000
	flagVersion         = 0x02000000
	flag128             = 0x20000000
	flagKeyExchange     = 0x40000000
	flag56              = 0x80000000

	// strong is what sealing needs. Some clients leave flagSign out by mistake, and seal all the same.
	strong = flagSeal | flagExtendedSession | flagKeyExchange | flag128
	// always is offered to every client; what else is offered, only to those that ask.
	always  = flagUnicode | flagNTLM | flagTargetServer | flagTargetInfo
	offered = flagUnicode | flagRequestTarget | flagSign | flagSeal | flagNTLM | flagAlwaysSign | flagTargetServer |
		flagExtendedSession | flagTargetInfo | flagVersion | flag128 | flagKeyExchange | flag56
)

// messageType is the kind of an NTLM message, or 0.
func messageType(message []byte) uint32 {
	if len(message) < 12 {
		return 0
	}
	return binary.LittleEndian.Uint32(message[8:])
}

// challengeState is a logon that has begun.
type challengeState struct {
	negotiate, message []byte
	challenge          [8]byte
}

func newChallenge(negotiate []byte, host string) *challengeState {
	c := &challengeState{negotiate: bytes.Clone(negotiate)}
	_, _ = rand.Read(c.challenge[:]) // never fails
	name, info := wide(strings.ToUpper(host)), targetInfo(host)
	const header = 56
	m := make([]byte, header, header+len(name)+len(info))
	copy(m, ntlmSignature)
	binary.LittleEndian.PutUint32(m[8:], challengeMessage)
	putField(m[12:], len(name), header)
	binary.LittleEndian.PutUint32(m[20:], always|offered&asked(negotiate))
	copy(m[24:], c.challenge[:])
	putField(m[40:], len(info), header+len(name))
	copy(m[48:], []byte{10, 0, 0x7c, 0x4f, 0, 0, 0, 15}) // Windows Server 2022
	c.message = append(append(m, name...), info...)
	return c
}

// asked are the flags of a client's first message.
func asked(negotiate []byte) uint32 {
	if len(negotiate) < 16 {
		return 0
	}
	return binary.LittleEndian.Uint32(negotiate[12:])
}

// targetInfo names the server. Its timestamp makes clients send an integrity code.
func targetInfo(host string) []byte {
	var b []byte
	pair := func(id uint16, value []byte) {
		b = binary.LittleEndian.AppendUint16(b, id)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
		b = append(b, value...)
	}
	const unixEpoch = 116444736000000000 // in 100 ns since 1601
	stamp := binary.LittleEndian.AppendUint64(nil, uint64(time.Now().UnixNano()/100+unixEpoch))
	netbios, dns := wide(strings.ToUpper(host)), wide(strings.ToLower(host))
	pair(2, netbios)
	pair(1, netbios)
	pair(4, dns)
	pair(3, dns)
	pair(7, stamp)
	pair(0, nil)
	return b
}

func putField(at []byte, length, offset int) {
	binary.LittleEndian.PutUint16(at, uint16(length))
	binary.LittleEndian.PutUint16(at[2:], uint16(length))
	binary.LittleEndian.PutUint32(at[4:], uint32(offset))
}

// authenticate is what a client's last message holds.
type authenticate struct {
	response     []byte
	domain, user string
	encryptedKey []byte
	flags        uint32
	// pairs are the response's own copy of the target information, with what the client added.
	pairs map[uint16][]byte
	// integrity is the code over all three messages, where there is one; it is computed over withoutCode.
	integrity, withoutCode []byte
}

const (
	pairFlags   = 6
	pairBinding = 10

	hasIntegrity = 2
)

func parseAuthenticate(m []byte) (authenticate, bool) {
	var a authenticate
	if len(m) < 64 {
		return a, false
	}
	fields := make([][]byte, 6)
	for i := range fields {
		at := m[12+8*i:]
		length, offset := int(binary.LittleEndian.Uint16(at)), int64(binary.LittleEndian.Uint32(at[4:]))
		if offset+int64(length) > int64(len(m)) {
			return a, false
		}
		fields[i] = m[offset : offset+int64(length)]
	}
	a.response, a.domain, a.user, a.encryptedKey = fields[1], narrow(fields[2]), narrow(fields[3]), fields[5]
	a.flags = binary.LittleEndian.Uint32(m[60:])
	a.pairs = pairsOf(a.response)
	if given := a.pairs[pairFlags]; len(given) == 4 && binary.LittleEndian.Uint32(given)&hasIntegrity != 0 && len(m) >= 88 {
		a.integrity = m[72:88]
		a.withoutCode = bytes.Clone(m)
		clear(a.withoutCode[72:88])
	}
	// The older responses have 24 bytes: no version 2.
	return a, len(a.response) > 24
}

func pairsOf(response []byte) map[uint16][]byte {
	const head = 44
	out := map[uint16][]byte{}
	if len(response) < head {
		return out
	}
	for rest := response[head:]; len(rest) >= 4; {
		id, n := binary.LittleEndian.Uint16(rest), int(binary.LittleEndian.Uint16(rest[2:]))
		if id == 0 || len(rest) < 4+n {
			break
		}
		out[id], rest = rest[4:4+n], rest[4+n:]
	}
	return out
}

// ntlm checks a client's proof and gives its logon. What binds it to a TLS connection is checked where there is one, as a
// CbtHardeningLevel of Relaxed has it.
func (l *logons) ntlm(c *challengeState, message []byte, shown *tls.Certificate) *logon {
	a, ok := parseAuthenticate(message)
	if !ok {
		return nil
	}
	user, key, known := l.user(a.user, a.domain)
	owf := hmacMD5(passwordHash(user.Password), wide(strings.ToUpper(a.user)+a.domain))
	proof := hmacMD5(owf, c.challenge[:], a.response[16:])
	right := known && hmac.Equal(proof, a.response[:16]) && boundTo(shown, a.pairs[pairBinding])
	session := sessionKey(a, hmacMD5(owf, proof))
	if a.integrity != nil {
		right = right && hmac.Equal(a.integrity, hmacMD5(session, c.negotiate, c.message, a.withoutCode))
	}
	who := l.decide(key, user, right, "NTLM")
	if who != nil && a.flags&strong == strong {
		who.seal = newSeal(session)
	}
	return who
}

// boundTo reports whether a client has seen the certificate that was shown to it (RFC 5929, tls-server-end-point, with the
// SHA-256 of the certificates of this package), or does not say.
func boundTo(shown *tls.Certificate, binding []byte) bool {
	if shown == nil || len(binding) == 0 || bytes.Equal(binding, make([]byte, md5.Size)) {
		return true
	}
	certificate := sha256.Sum256(shown.Certificate[0])
	data := append([]byte("tls-server-end-point:"), certificate[:]...)
	// No addresses of either side, then the data: RFC 2744, 3.11.
	bindings := binary.LittleEndian.AppendUint32(make([]byte, 16), uint32(len(data)))
	want := md5.Sum(append(bindings, data...))
	return bytes.Equal(binding, want[:])
}

func sessionKey(a authenticate, base []byte) []byte {
	if a.flags&flagKeyExchange == 0 || len(a.encryptedKey) != 16 {
		return base
	}
	out := make([]byte, 16)
	cipher(base).XORKeyStream(out, a.encryptedKey)
	return out
}

func passwordHash(password string) []byte {
	h := md4.New()
	_, _ = h.Write(wide(password)) // a hash takes everything
	return h.Sum(nil)
}

func hmacMD5(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		_, _ = h.Write(p) // a hash takes everything
	}
	return h.Sum(nil)
}

// cipher is RC4 with a key of NTLM's, whose length always fits.
func cipher(key []byte) *rc4.Cipher {
	c, err := rc4.NewCipher(key)
	if err != nil {
		panic(err)
	}
	return c
}

// wide is a text as NTLM sends it: UTF-16, little-endian.
func wide(text string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}

func narrow(data []byte) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(data[2*i:])
	}
	return string(utf16.Decode(units))
}
