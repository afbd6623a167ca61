package windows

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
)

// System is one installation of Windows. Its exported fields may be read and set freely.
type System struct {
	Build int
	Setup Setup
	// Waits is why set-up waits for somebody at the console; empty while it does not.
	Waits    string
	TimeZone string
	// Files are the text files on its disk that we know of, by lower-case path below the root. Whoever mounts the disk sees
	// the same map.
	Files map[string]string
	// Accounts are the local ones, Administrators the SIDs in the local group of that name.
	Accounts       []*Account
	Administrators []string

	// seed makes what is random on a real machine.
	seed    string
	answers Answers
	// name is in force; newName waits for a restart.
	name, newName string
	// membership is in force; joining waits for a restart.
	membership, joining *Membership
	sid                 string
}

// Membership says which domain a computer is in, and as which computer object.
type Membership struct {
	Domain *Domain
	// Computer is its object in the domain.
	Computer *Computer
}

// New makes an installation as it is in an image that was generalised. Equal seeds give equal systems.
func New(build int, seed string, files map[string]string) *System {
	s := &System{Build: build, Setup: Generalised, Files: files, seed: seed, name: "MINWINPC"}
	s.sid = domainSID("machine " + seed)
	s.Accounts = []*Account{
		{Name: "Administrator", SID: s.sid + "-500", Enabled: true},
		{Name: "Guest", SID: s.sid + "-501"},
	}
	s.Administrators = []string{s.sid + "-500"}
	return s
}

// Name is the computer's name that is in force.
func (s *System) Name() string { return s.name }

// Domain is the domain that the computer is in, or nil in a workgroup.
func (s *System) Domain() *Domain {
	if s.membership == nil {
		return nil
	}
	return s.membership.Domain
}

// DomainName is the DNS name of the domain, or the name of the workgroup.
func (s *System) DomainName() string {
	if d := s.Domain(); d != nil {
		return d.Name
	}
	return "WORKGROUP"
}

// token gives letters and digits that are random on a real machine.
func (s *System) token(purpose string, length int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	var b strings.Builder
	random := sum(purpose, s.seed)
	for _, c := range random[:length] {
		b.WriteByte(letters[int(c)%len(letters)])
	}
	return b.String()
}

func sum(parts ...string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join(parts, "\x00")))
}

// domainSID is the SID of a machine or a domain; those of its accounts begin with it.
func domainSID(seed string) string {
	h := sum("sid", seed)
	return fmt.Sprintf("S-1-5-21-%d-%d-%d", binary.BigEndian.Uint32(h[:]), binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:]))
}
