package windows

import (
	"errors"
	"slices"
	"strings"
)

// AdministratorsSID is the local group Administrators ("Well-known SIDs").
const AdministratorsSID = "S-1-5-32-544"

// Account is a local account.
type Account struct {
	Name, SID string
	// Password is empty until set-up gives one; nobody can log on with an empty one.
	Password string
	Enabled  bool
}

// User is an account that Windows has let in.
type User struct {
	Name, SID string
	// Domain is whether it is a domain's account.
	Domain bool
	// Administrator is whether it is in the local group Administrators.
	Administrator bool
}

// ErrLogon is what a refused logon gives, whatever is wrong with it: an unknown name, a wrong password, an account that is
// disabled, or a domain that nobody can ask.
var ErrLogon = errors.New("the user name or password is incorrect")

// LogOn checks an account's name, written as NAME, COMPUTER\NAME, DOMAIN\NAME or NAME@DOMAIN, and its password. Reachable is
// whether the domain can be asked.
func (s *System) LogOn(name, password string, reachable bool) (User, error) {
	if password == "" {
		return User{}, ErrLogon
	}
	if scope, plain := splitName(name); s.isLocal(scope) {
		a := s.Account(plain)
		if a == nil || !a.Enabled || a.Password != password {
			return User{}, ErrLogon
		}
		return User{Name: a.Name, SID: a.SID, Administrator: s.isAdministrator(a.SID)}, nil
	}
	d := s.Domain()
	if d == nil || !reachable {
		return User{}, ErrLogon
	}
	a, err := d.LogOn(name, password)
	if err != nil {
		return User{}, err
	}
	return User{Name: a.Name, SID: a.SID, Domain: true, Administrator: s.isAdministrator(a.SID)}, nil
}

// splitName gives the computer or domain of an account's name, and the name without it.
func splitName(name string) (scope, plain string) {
	if scope, plain, ok := strings.Cut(name, `\`); ok {
		return scope, plain
	}
	if plain, scope, ok := strings.Cut(name, "@"); ok {
		return scope, plain
	}
	return "", name
}

func (s *System) isLocal(scope string) bool {
	return scope == "" || scope == "." || strings.EqualFold(scope, s.name)
}

// Account finds a local account by name, or nil.
func (s *System) Account(name string) *Account {
	i := slices.IndexFunc(s.Accounts, func(a *Account) bool { return strings.EqualFold(a.Name, name) })
	if i < 0 {
		return nil
	}
	return s.Accounts[i]
}

func (s *System) isAdministrator(sid string) bool {
	return slices.ContainsFunc(s.Administrators, func(member string) bool { return strings.EqualFold(member, sid) })
}
