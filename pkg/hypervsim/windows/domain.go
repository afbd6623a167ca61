package windows

import (
	"slices"
	"strconv"
	"strings"
)

// DomainModel is a domain as it is when its world begins.
type DomainModel struct {
	// Name is its DNS name, NetBIOS the short one.
	Name, NetBIOS string
	Accounts      []AccountModel
	// Units are organisational units by their distinguished names.
	Units []string
	// ComputersMayCreateIn are the distinguished names of the containers in which every computer of the domain may create computer
	// objects: so the name of a cluster may have those of its roles made.
	ComputersMayCreateIn []string
	// MachineAccountQuota is how many computer objects a user may make without a right to (ms-DS-MachineAccountQuota).
	MachineAccountQuota int
}

// AccountModel is a user of a domain.
type AccountModel struct {
	Name, Password string
	// MayCreateIn are the distinguished names of the containers in which it may create computer objects.
	MayCreateIn []string
}

// Domain is an Active Directory domain with one domain controller.
type Domain struct {
	Name, NetBIOS string
	SID           string
	// Stopped is whether its controller is stopped: then nobody can ask it.
	Stopped bool
	// AdministratorPolicy is what its policies do to the local administrator of a computer right after the restart that
	// completes the join.
	AdministratorPolicy AdministratorPolicy
	Accounts            []*DomainAccount
	Computers           []*Computer
	// Rights are the SIDs that may create computer objects, by the lower-case distinguished name of each container there is.
	Rights map[string][]string

	quota int
	// made counts by SID the computer objects that an account made without a right to.
	made    map[string]int
	nextRID int
	newID   func() string
}

// AdministratorPolicy is what is done to the local administrator of members.
type AdministratorPolicy string

const (
	// KeepAdministrator leaves it as it is.
	KeepAdministrator AdministratorPolicy = ""
	// RotateAdministrator gives it another password, as Windows LAPS does.
	RotateAdministrator AdministratorPolicy = "Rotate"
	// RenameAdministrator gives it another name.
	RenameAdministrator AdministratorPolicy = "Rename"
	// DisableAdministrator disables it.
	DisableAdministrator AdministratorPolicy = "Disable"
)

// DomainAccount is a user of the domain.
type DomainAccount struct {
	Name, SID, Password string
	Enabled             bool
}

// Computer is a computer object.
type Computer struct {
	Name, GUID, SID, DistinguishedName string
	Enabled                            bool
	// Creator is the SID of the account that made it.
	Creator string
}

// NewDomain makes a domain; newID gives GUIDs.
func NewDomain(m DomainModel, newID func() string) *Domain {
	d := &Domain{
		Name: m.Name, NetBIOS: m.NetBIOS, SID: domainSID("domain " + m.Name), Rights: map[string][]string{}, made: map[string]int{}, quota: m.MachineAccountQuota,
		nextRID: firstRID, newID: newID,
	}
	for _, container := range append([]string{d.ComputersContainer()}, m.Units...) {
		d.Rights[strings.ToLower(container)] = nil
	}
	for _, container := range m.ComputersMayCreateIn {
		d.Grant(d.domainComputers(), container)
	}
	for _, a := range m.Accounts {
		account := &DomainAccount{Name: a.Name, SID: d.newSID(), Password: a.Password, Enabled: true}
		d.Accounts = append(d.Accounts, account)
		for _, container := range a.MayCreateIn {
			key := strings.ToLower(container)
			d.Rights[key] = append(d.Rights[key], account.SID)
		}
	}
	return d
}

func (d *Domain) newSID() string {
	d.nextRID++
	return d.SID + "-" + strconv.Itoa(d.nextRID-1)
}

// firstRID is where the identifiers of a domain's own accounts begin.
const firstRID = 1103

// DistinguishedName is the domain's own.
func (d *Domain) DistinguishedName() string { return "DC=" + strings.ReplaceAll(d.Name, ".", ",DC=") }

// Administrator is the SID of the domain's own administrator ("Well-known SIDs").
func (d *Domain) Administrator() string { return d.SID + "-500" }

// ComputersContainer is where computer objects go that no unit is named for.
func (d *Domain) ComputersContainer() string { return "CN=Computers," + d.DistinguishedName() }

// Is reports whether a name means this domain: its DNS name or its short one.
func (d *Domain) Is(name string) bool {
	return strings.EqualFold(name, d.Name) || strings.EqualFold(name, d.NetBIOS)
}

// LogOn checks a name and a password; a name without a domain is taken to be of this one.
func (d *Domain) LogOn(name, password string) (*DomainAccount, error) {
	scope, plain := splitName(name)
	a := d.Account(plain)
	if d.Stopped || scope != "" && !d.Is(scope) || a == nil || !a.Enabled || a.Password != password {
		return nil, ErrLogon
	}
	return a, nil
}

// Account finds a user by its name without the domain, or nil.
func (d *Domain) Account(name string) *DomainAccount {
	i := slices.IndexFunc(d.Accounts, func(a *DomainAccount) bool { return strings.EqualFold(a.Name, name) })
	if i < 0 {
		return nil
	}
	return d.Accounts[i]
}
