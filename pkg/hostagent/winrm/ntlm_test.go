package winrm

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/bodgit/ntlmssp"
)

// challengeWith is a host's challenge with these flags and this target information.
func challengeWith(flags uint32, info []byte) []byte {
	b := append([]byte("NTLMSSP\x00"), 2, 0, 0, 0)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = append(b, "challeng"...)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(info)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(info)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(b)+4))
	return append(b, info...)
}

const usual = strong | 0x00000001 | 0x00800000

func proofFor(t testing.TB, challenge []byte) (*ntlmssp.Client, error) {
	t.Helper()
	client, err := ntlmssp.NewClient(ntlmssp.SetUserInfo("u", "p"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Authenticate(nil, nil); err != nil {
		t.Fatal(err)
	}
	_, err = answerChallenge(client, challenge, nil)
	return client, err
}

// Over HTTP a host, or whoever stands in between, cannot talk us out of sealing.
func TestWeakSealingIsRefused(t *testing.T) {
	l := &lane{host: Host{Address: "hv01:5985"}}
	for name, flag := range map[string]uint32{"seal": 0x20, "sign": 0x10, "extended": 0x80000, "key exchange": 0x40000000, "128 bits": 0x20000000} {
		n := &ntlm{sealed: true}
		if err := n.checkFlags(l, challengeWith(usual&^flag, nil)); err == nil || !strings.Contains(err.Error(), "none is sent unsealed") {
			t.Errorf("without %s: %v", name, err)
		}
		n.sealed = false
		if err := n.checkFlags(l, challengeWith(usual&^flag, nil)); err != nil {
			t.Errorf("without %s, over TLS: %v", name, err)
		}
	}
	if err := (&ntlm{sealed: true}).checkFlags(l, challengeWith(usual, nil)); err != nil {
		t.Errorf("strong: %v", err)
	}
}

func FuzzChallenge(f *testing.F) {
	f.Add(challengeWith(usual, []byte{0, 0, 0, 0}))
	f.Add(challengeWith(usual, []byte{6, 0, 1, 0, 0xff, 7, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0}))
	f.Add([]byte("NTLMSSP\x00"))
	f.Fuzz(func(t *testing.T, challenge []byte) {
		// It may be refused; it must not end the program.
		_, _ = proofFor(t, challenge)
	})
}

func FuzzSealedAnswer(f *testing.F) {
	client, err := proofFor(f, challengeWith(usual, []byte{0, 0, 0, 0}))
	if err != nil {
		f.Fatal(err)
	}
	good, err := seal(client.SecuritySession(), []byte("<envelope/>"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(headSealed + "3" + headOctets + tail))
	f.Add([]byte(headSealed + headOctets + "\x10\x00\x00\x00" + tail))
	f.Fuzz(func(t *testing.T, message []byte) {
		client, err := proofFor(t, challengeWith(usual, []byte{0, 0, 0, 0}))
		if err != nil {
			t.Fatal(err)
		}
		if body, err := open(client.SecuritySession(), message); err == nil {
			t.Errorf("%q was opened as %q", message, body)
		}
	})
}
