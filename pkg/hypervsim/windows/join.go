package windows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Win32Error is an error code of Windows ("System Error Codes", "Network Management Error Codes").
type Win32Error int

// The codes that a domain gives.
const (
	ErrFileNotFound Win32Error = 2    // ERROR_FILE_NOT_FOUND: no such container
	ErrAccessDenied Win32Error = 5    // ERROR_ACCESS_DENIED
	ErrLogonFailure Win32Error = 1326 // ERROR_LOGON_FAILURE
	ErrNoSuchDomain Win32Error = 1355 // ERROR_NO_SUCH_DOMAIN: it does not exist, or nobody answers
	ErrJoined       Win32Error = 2691 // NERR_SetupAlreadyJoined
	ErrReuseBlocked Win32Error = 2732 // NERR_AccountReuseBlockedByPolicy ("KB5020276")
	ErrQuota        Win32Error = 8557 // ERROR_DS_MACHINE_ACCOUNT_QUOTA_EXCEEDED
)

var win32Texts = map[Win32Error]string{
	ErrFileNotFound: "The system cannot find the file specified.",
	ErrAccessDenied: "Access is denied.",
	ErrLogonFailure: "The user name or password is incorrect.",
	ErrNoSuchDomain: "The specified domain either does not exist or could not be contacted.",
	ErrJoined:       "The machine is already joined to the domain.",
	ErrReuseBlocked: "An account with the same name exists in Active Directory. Re-using the account was blocked by security policy.",
	ErrQuota:        "Your computer could not be joined to the domain. You have exceeded the maximum number of computer accounts you are allowed to create in this domain.",
}

func (e Win32Error) Error() string { return win32Texts[e] }

// JoinRequest asks to join a domain as the computer is named.
type JoinRequest struct {
	// Domain is the one that answers under the asked name; nil when none does.
	Domain *Domain
	// Container is the distinguished name of where the computer object is made; empty for the domain's own.
	Container string
	// User and Password are an account of the domain.
	User, Password string
}

// Join makes the computer a member of a domain, which is complete at the next restart. Errors are a Win32Error.
//
// An account of the name that is there already is never taken over; the real domain lets whoever made it do so.
func (s *System) Join(r JoinRequest) error {
	switch {
	case r.Domain == nil || r.Domain.Stopped:
		return ErrNoSuchDomain
	case s.Membership() != nil:
		return ErrJoined
	}
	by, err := r.Domain.LogOn(r.User, r.Password)
	if err != nil {
		return ErrLogonFailure
	}
	computer, err := r.Domain.CreateComputer(by.SID, r.Container, s.name)
	if err != nil {
		return err
	}
	s.joining = &Membership{Domain: r.Domain, Computer: computer}
	if admins := r.Domain.SID + "-512"; !s.isAdministrator(admins) { // Domain Admins
		return s.AddAdministrators(admins)
	}
	return nil
}

// JoinPending is whether a join waits for the restart that completes it.
func (s *System) JoinPending() bool { return s.joining != nil }

// ErrMember is what adding a member to a group gives that is one already.
var ErrMember = errors.New("the account is a member of the group already")

// AddAdministrators adds an account to the local group Administrators by its SID.
func (s *System) AddAdministrators(sid string) error {
	if s.isAdministrator(sid) {
		return ErrMember
	}
	s.Administrators = append(s.Administrators, sid)
	return nil
}

// CreateComputer makes a computer object in a container on behalf of an account, which needs the right to, or in the domain's
// own container its quota. Errors are a Win32Error.
func (d *Domain) CreateComputer(bySID, container, name string) (*Computer, error) {
	if container == "" {
		container = d.ComputersContainer()
	}
	if d.Stopped {
		return nil, ErrNoSuchDomain
	}
	if !d.HasContainer(container) {
		return nil, ErrFileNotFound
	}
	if d.Computer(name) != nil {
		return nil, ErrReuseBlocked
	}
	if err := d.mayCreate(bySID, container); err != nil {
		return nil, err
	}
	return d.AddComputer(bySID, container, name), nil
}

// AddComputer makes a computer object whoever may; there must be none of the name.
func (d *Domain) AddComputer(bySID, container, name string) *Computer {
	c := &Computer{
		Name: strings.ToUpper(name), GUID: d.newID(), SID: d.newSID(), DistinguishedName: fmt.Sprintf("CN=%s,%s", strings.ToUpper(name), container),
		Enabled: true, Creator: bySID,
	}
	d.Computers = append(d.Computers, c)
	return c
}

// mayCreate spends of an account's quota where it has no right.
func (d *Domain) mayCreate(sid, container string) error {
	if d.MayCreate(sid, container) {
		return nil
	}
	if !strings.EqualFold(container, d.ComputersContainer()) {
		return ErrAccessDenied
	}
	if d.made[sid] >= d.quota {
		return ErrQuota
	}
	d.made[sid]++
	return nil
}

// MayCreate is whether an account has the right to create computer objects in a container, a computer also by its group.
func (d *Domain) MayCreate(sid, container string) bool {
	rights := d.Rights[strings.ToLower(container)]
	return slices.Contains(rights, sid) ||
		slices.Contains(rights, d.domainComputers()) && slices.ContainsFunc(d.Computers, func(c *Computer) bool { return c.SID == sid })
}

// domainComputers is the SID of the group that every computer of the domain is in ("Well-known SIDs").
func (d *Domain) domainComputers() string { return d.SID + "-515" }

// HasContainer is whether there is a container of a distinguished name.
func (d *Domain) HasContainer(name string) bool {
	_, ok := d.Rights[strings.ToLower(name)]
	return ok
}

// Grant gives an account the right to create computer objects in a container that there is.
func (d *Domain) Grant(sid, container string) {
	if key := strings.ToLower(container); d.HasContainer(container) && !d.MayCreate(sid, container) {
		d.Rights[key] = append(d.Rights[key], sid)
	}
}

// Remove removes a computer object on behalf of an account: its creator, or one with rights in its container.
func (d *Domain) Remove(bySID string, c *Computer) error {
	_, container, _ := strings.Cut(c.DistinguishedName, ",")
	if c.Creator != bySID && !d.MayCreate(bySID, container) {
		return ErrAccessDenied
	}
	d.RemoveComputer(c)
	return nil
}

// RemoveComputer removes a computer object whoever may.
func (d *Domain) RemoveComputer(c *Computer) {
	d.Computers = slices.DeleteFunc(d.Computers, func(o *Computer) bool { return o == c })
}

// Computer finds a computer object by name, or nil.
func (d *Domain) Computer(name string) *Computer {
	return d.computer(func(c *Computer) bool { return strings.EqualFold(c.Name, name) })
}

// ComputerByGUID finds a computer object by its objectGUID, or nil.
func (d *Domain) ComputerByGUID(guid string) *Computer {
	return d.computer(func(c *Computer) bool { return strings.EqualFold(c.GUID, strings.Trim(guid, "{}")) })
}

func (d *Domain) computer(is func(*Computer) bool) *Computer {
	i := slices.IndexFunc(d.Computers, is)
	if i < 0 {
		return nil
	}
	return d.Computers[i]
}

func (c *Computer) rename(name string) {
	_, container, _ := strings.Cut(c.DistinguishedName, ",")
	c.Name, c.DistinguishedName = name, "CN="+name+","+container
}

// Descriptor is the security descriptor of a container as SDDL: who may create computer objects in it, among what stands in
// every container's.
func (d *Domain) Descriptor(container string) string {
	const computerClass = "bf967a86-0de6-11d0-a285-00aa003049e2"
	var b strings.Builder
	b.WriteString("O:DAG:DAD:AI(A;;RPWPCRCCDCLCLORCWOWDSDDTSW;;;DA)(A;;RPLCLORC;;;AU)")
	for _, sid := range d.Rights[strings.ToLower(container)] {
		b.WriteString("(OA;CI;CC;" + computerClass + ";;" + sid + ")")
	}
	return b.String()
}

// GroupSIDs are the SIDs of the groups that an account or a computer is in.
func (d *Domain) GroupSIDs(c *Computer) []string {
	if c != nil {
		return []string{d.domainComputers()}
	}
	return []string{d.SID + "-513"} // Domain Users
}
