package winrm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/bodgit/ntlmssp"
)

// A sealed message looks like MIME and is not: its headers begin with a tab and no empty line follows them
// (MS-WSMV 2.2.9.1). So Windows reads and writes it, byte for byte.
const (
	contentTypeSealed = `multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"`
	boundary          = "--Encrypted Boundary"
	headSealed        = boundary + "\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\tOriginalContent: type=" + contentTypeSOAP + ";Length="
	headOctets        = "\r\n" + boundary + "\r\n\tContent-Type: application/octet-stream\r\n"
	tail              = boundary + "--\r\n"
)

// maxSignature is more than any signature of NTLM's has (16 bytes).
const maxSignature = 64

func seal(session *ntlmssp.SecuritySession, body []byte) ([]byte, error) {
	data, signature, err := session.Wrap(body)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	var b bytes.Buffer
	b.Grow(len(headSealed) + len(headOctets) + len(tail) + len(data) + maxSignature)
	b.WriteString(headSealed + strconv.Itoa(len(body)) + headOctets)
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(signature))))
	b.Write(signature)
	b.Write(data)
	b.WriteString(tail)
	return b.Bytes(), nil
}

// unsealed opens an answer. One that is not sealed could be anybody's: nothing but its status is looked at, and it is
// never taken for success.
func unsealed(session *ntlmssp.SecuritySession, r *reply) (*reply, error) {
	if !strings.HasPrefix(r.header.Get("Content-Type"), "multipart/encrypted") {
		if r.status == http.StatusOK {
			return nil, &unreadableError{errors.New("the host answered without sealing the message, over HTTP; the answer is not used")}
		}
		return nil, statusError(r.status)
	}
	body, err := open(session, r.body)
	if err != nil {
		return nil, garbled(fmt.Errorf("the sealed answer: %w", err))
	}
	return &reply{status: r.status, header: r.header, body: body}, nil
}

func open(session *ntlmssp.SecuritySession, message []byte) ([]byte, error) {
	head, rest, ok := bytes.Cut(message, []byte(headOctets))
	if !ok {
		return nil, errors.New("it has no sealed part")
	}
	length, err := sealedLength(head)
	if err != nil {
		return nil, err
	}
	rest, ok = bytes.CutSuffix(rest, []byte(tail))
	if !ok {
		return nil, errors.New("it is cut off")
	}
	if len(rest) < 4 {
		return nil, errors.New("it has no signature")
	}
	n := binary.LittleEndian.Uint32(rest)
	if n != 16 || len(rest) < 4+16 {
		return nil, fmt.Errorf("its signature has %d bytes instead of 16", n)
	}
	body, err := session.Unwrap(rest[20:], rest[4:20])
	if err != nil {
		return nil, err
	}
	if len(body) != length {
		return nil, fmt.Errorf("it holds %d bytes and says %d", len(body), length)
	}
	return body, nil
}

// sealedLength reads how long the message is that was sealed.
func sealedLength(head []byte) (int, error) {
	_, digits, ok := bytes.Cut(head, []byte("Length="))
	if !ok {
		return 0, errors.New("it does not tell its length")
	}
	length, err := strconv.Atoi(string(bytes.TrimSpace(digits)))
	if err != nil {
		return 0, fmt.Errorf("its length: %w", err)
	}
	return length, nil
}
