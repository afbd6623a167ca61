package windows

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
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

	// Features are the roles and features that are not as in the image.
	Features map[string]FeatureState
	// ClusterService is the state of the service ClusSvc, which is there while its feature is installed.
	ClusterService Service

	// seed makes what is random on a real machine.
	seed    string
	answers Answers
	// name is in force; newName waits for a restart.
	name, newName string
	// membership is in force; joining waits for a restart.
	membership, joining *Membership
	sid                 string
	// policy is what the domain does to the administrator once it can be asked, after the restart that completes the join.
	policy AdministratorPolicy
	// boots counts the starts; adapters and disks are those that Windows has ever seen.
	boots, rotations int
	restartFor       []string
	adapters         []*Adapter
	disks            []*Disk
}

// Service is a Windows service.
type Service struct {
	Running bool
	// Disabled is whether it may not be started.
	Disabled bool
}

// Membership says which domain a computer is in, and as which computer object.
type Membership struct {
	Domain *Domain
	// Computer is its object in the domain.
	Computer *Computer
}

// New makes an installation as it is in an image that was generalised, with the features whose installation asks for a
// restart in it. Equal seeds give equal systems.
func New(build int, seed string, files map[string]string, restartFor []string) *System {
	s := &System{
		Build: build, Setup: Generalised, Files: files, Features: map[string]FeatureState{}, ClusterService: Service{Disabled: true},
		seed: seed, name: "MINWINPC", restartFor: restartFor,
	}
	s.sid = domainSID("machine " + seed)
	s.Accounts = []*Account{
		{Name: "Administrator", SID: s.sid + "-500", Enabled: true},
		{Name: "Guest", SID: s.sid + "-501"},
	}
	s.Administrators = []string{s.sid + "-500"}
	return s
}

// Clone is a copy of the installation on a copy of its disk, with the files there.
func (s *System) Clone(files map[string]string) *System {
	c := *s
	c.Files, c.Features, c.Administrators = files, maps.Clone(s.Features), slices.Clone(s.Administrators)
	c.Accounts, c.adapters, c.disks = nil, nil, nil
	for _, a := range s.Accounts {
		account := *a
		c.Accounts = append(c.Accounts, &account)
	}
	for _, a := range s.adapters {
		adapter := *a
		adapter.Static, adapter.Gateways, adapter.DNS = slices.Clone(a.Static), slices.Clone(a.Gateways), slices.Clone(a.DNS)
		c.adapters = append(c.adapters, &adapter)
	}
	for _, d := range s.disks {
		disk := *d
		c.disks = append(c.disks, &disk)
	}
	return &c
}

// Name is the computer's name that is in force.
func (s *System) Name() string { return s.name }

// Membership is what the computer is in its domain, or nil in a workgroup. A join is in it at once, but does nothing yet
// before the restart.
func (s *System) Membership() *Membership {
	return cmp.Or(s.joining, s.membership)
}

// Domain is the domain whose accounts can log on, or nil.
func (s *System) Domain() *Domain {
	if s.membership == nil {
		return nil
	}
	return s.membership.Domain
}

// DomainName is the DNS name of the domain, or the name of the workgroup. A join shows at once.
func (s *System) DomainName() string {
	if m := s.Membership(); m != nil {
		return m.Domain.Name
	}
	return "WORKGROUP"
}

// Boot is what a start or a restart does to Windows: what has waited for it is in force, and devices get other numbers.
func (s *System) Boot() {
	s.boots++
	s.name, s.newName = cmp.Or(s.newName, s.name), ""
	if s.joining != nil {
		s.membership, s.joining = s.joining, nil
		s.policy = s.membership.Domain.AdministratorPolicy
	}
	for name, state := range s.Features {
		if state == InstallPending {
			s.Features[name] = Installed
		}
	}
	for _, a := range s.adapters {
		a.Index = 0
	}
	for _, d := range s.disks {
		d.Number = unnumbered
	}
}

// ApplyPolicy lets the domain do to the local administrator what its policies say, once.
func (s *System) ApplyPolicy() {
	switch s.policy {
	case RotateAdministrator:
		s.RotateAdministrator()
	case RenameAdministrator:
		s.Administrator().Name = "LocalAdmin"
	case DisableAdministrator:
		s.Administrator().Enabled = false
	case KeepAdministrator:
	}
	s.policy = KeepAdministrator
}

// RotateAdministrator gives the local administrator a password that nobody knows, as Windows LAPS does.
func (s *System) RotateAdministrator() {
	s.rotations++
	s.Administrator().Password = s.token("password "+strconv.Itoa(s.rotations), 14)
}

// Rotations counts the passwords that the local administrator has been given behind our back.
func (s *System) Rotations() int { return s.rotations }

// Administrator is the built-in local administrator, whatever its name is.
func (s *System) Administrator() *Account {
	return s.Accounts[slices.IndexFunc(s.Accounts, func(a *Account) bool { return strings.HasSuffix(a.SID, "-500") })]
}

// Rename gives the computer another name at the next restart, and its object in the domain at once.
func (s *System) Rename(name string) {
	s.newName = strings.ToUpper(name[:min(len(name), maxName)])
	if m := s.Membership(); m != nil {
		m.Computer.rename(s.newName)
	}
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
