package wsman

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" // NTLM is made of it
	"crypto/rc4" // NTLM is made of it
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

const (
	sealedType = `multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"`
	boundary   = "--Encrypted Boundary"
)

var errSeal = errors.New("the message is not sealed as it should be")

// seal encrypts and signs the messages of one connection. Both directions count their messages, so a message that is lost
// breaks it.
type seal struct {
	mu                       sync.Mutex
	clientKey, serverKey     []byte
	clientCipher, serverSeal *rc4.Cipher
	received, sent           uint32
}

// newSeal derives the keys of both directions ("[MS-NLMP]", SIGNKEY and SEALKEY, 128 bits).
func newSeal(session []byte) *seal {
	derive := func(purpose string) []byte {
		sum := md5.Sum(append(bytes.Clone(session), "session key to "+purpose+" key magic constant\x00"...))
		return sum[:]
	}
	return &seal{
		clientKey: derive("client-to-server signing"), clientCipher: cipher(derive("client-to-server sealing")),
		serverKey: derive("server-to-client signing"), serverSeal: cipher(derive("server-to-client sealing")),
	}
}

// open gives the message in a sealed body.
func (s *seal) open(mime string, body []byte) ([]byte, error) {
	if !strings.HasPrefix(mime, "multipart/encrypted") {
		return nil, errSeal
	}
	head, rest, found := bytes.Cut(body, []byte("Content-Type: application/octet-stream\r\n"))
	if !found || len(rest) < 20 {
		return nil, errSeal
	}
	end := bytes.LastIndex(rest, []byte(boundary))
	if end < 20 || binary.LittleEndian.Uint32(rest) != 16 {
		return nil, errSeal
	}
	signature, sealed := rest[4:20], rest[20:end]
	s.mu.Lock()
	defer s.mu.Unlock()
	message := make([]byte, len(sealed))
	s.clientCipher.XORKeyStream(message, sealed)
	want := sign(s.clientKey, s.clientCipher, s.received, message)
	s.received++
	if !hmac.Equal(signature, want) || saidLength(head) != len(message) {
		return nil, errSeal
	}
	return message, nil
}

// saidLength is how long a sealed message is by its header, or -1.
func saidLength(head []byte) int {
	_, rest, _ := bytes.Cut(head, []byte("Length="))
	digits, _, _ := bytes.Cut(rest, []byte("\r\n"))
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return -1
	}
	return n
}

// wrap makes the body of an answer, sealed where there is a seal, and its type.
func (s *seal) wrap(header http.Header, message []byte) []byte {
	if s == nil {
		header.Set("Content-Type", contentType)
		return message
	}
	header.Set("Content-Type", sealedType)
	return s.close(message)
}

// close seals a message.
func (s *seal) close(message []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	sealed := make([]byte, len(message))
	s.serverSeal.XORKeyStream(sealed, message)
	signature := sign(s.serverKey, s.serverSeal, s.sent, message)
	s.sent++
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\tOriginalContent: type=%s;Length=%d\r\n", boundary, contentType, len(message))
	fmt.Fprintf(&b, "%s\r\n\tContent-Type: application/octet-stream\r\n", boundary)
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(signature))))
	b.Write(signature)
	b.Write(sealed)
	b.WriteString(boundary + "--\r\n")
	return b.Bytes()
}

// sign makes a message's signature. The cipher has gone over the message before.
func sign(key []byte, c *rc4.Cipher, number uint32, message []byte) []byte {
	counted := binary.LittleEndian.AppendUint32(nil, number)
	sum := hmacMD5(key, counted, message)[:8]
	c.XORKeyStream(sum, sum)
	out := binary.LittleEndian.AppendUint32(nil, 1)
	return append(append(out, sum...), counted...)
}
