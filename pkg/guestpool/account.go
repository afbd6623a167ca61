package guestpool

import (
	"crypto/hmac"
	"crypto/sha256"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
)

// account is as whom a guest is asked.
type account struct {
	name       guest.Account
	credential hostagent.Credential
	// digest tells versions of the credential apart, and nothing of it to anybody else.
	digest string
}

// choice is which account to ask a member as.
type choice struct {
	account
	// ok is whether there is one. Without one, refused is whether those that there are were refused, the first of them is named.
	ok, refused bool
}

// why says why there is no account to ask as.
func (c choice) why() string {
	if c.refused {
		return "it refused the account " + string(c.name) + "; it is asked again once the password in the Secret is another one, or after a restart"
	}
	return "there is no account to ask it as"
}

// choose picks the account to ask a member as. Each version of a credential that was refused for good is left out: asking
// again would lock the account.
func (p *Pool) choose(m *member, want Member) choice {
	var open []account
	var none choice
	for _, name := range m.accounts(want) {
		credential, given := want.Credentials[name]
		if !given {
			continue
		}
		a := account{name: name, credential: credential, digest: p.digest(credential)}
		if m.refused[name] == a.digest {
			if !none.refused {
				none = choice{account: a, refused: true}
			}
			continue
		}
		open = append(open, a)
	}
	if len(open) == 0 {
		return none
	}
	return choice{account: open[m.tries%len(open)], ok: true}
}

// accounts are those that may be tried, in their order. A member that refuses the local account may have joined its domain
// since, where policy may own that account's password; one that told of its domain is asked as the domain's account alone.
func (m *member) accounts(want Member) []guest.Account {
	switch {
	case want.Account != "":
		return []guest.Account{want.Account}
	case m.inDomain:
		return []guest.Account{guest.DomainAccount}
	default:
		return []guest.Account{guest.LocalAccount, guest.DomainAccount}
	}
}

func (p *Pool) digest(c hostagent.Credential) string {
	mac := hmac.New(sha256.New, p.digestKey)
	mac.Write([]byte(c.User))
	mac.Write([]byte{0})
	mac.Write([]byte(c.Password.Reveal()))
	return string(mac.Sum(nil))
}
