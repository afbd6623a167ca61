package guestpool

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"

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

// refusal is a version of a credential that a guest refused for good.
type refusal struct {
	digest string
	at     time.Time
}

// probeAfter is how long an account of a domain that was let in before is left alone after a guest refused it. Twice in half an
// hour locks no account under the policies that Microsoft recommends ("Account lockout threshold": ten attempts).
const probeAfter = 15 * time.Minute

// standing is how a version of an account of a domain is received by all guests together. That it is refused now may be the
// domain's doing: a guest says nothing else when no domain controller answers.
type standing struct{ accepted, probe time.Time }

// accepted remembers that a guest let a domain's account in: then its password is right.
func (p *Pool) accepted(a account) {
	if a.name == guest.DomainAccount {
		p.standings[a.digest] = standing{accepted: p.clock.Now()}
	}
}

// stands reports whether a guest that refused a credential may be asked again with it, because another guest has let it in
// since: its password is right, and what the guest lacks is its domain.
func (p *Pool) stands(r refusal) bool { return p.standings[r.digest].accepted.After(r.at) }

// probes reports whether a guest that refused an account is to be asked again now to see whether the domain answers, when no
// guest lets it in: one guest at a time, and only where the same password was right before.
func (p *Pool) probes(c choice) bool {
	known, was := p.standings[c.digest]
	if !c.refused || !was {
		return false
	}
	now := p.clock.Now()
	due := !known.probe.IsZero() && !now.Before(known.probe)
	if known.probe.IsZero() || due {
		known.probe = now.Add(probeAfter)
		p.standings[c.digest] = known
	}
	return due
}

// why says why there is no account to ask as.
func (c choice) why() string {
	if c.refused {
		return "it refused the account " + string(c.name) + "; it is asked again once the password in the Secret is another one, or after a restart" +
			ifDomain(c.name)
	}
	return "there is no account to ask it as"
}

func ifDomain(name guest.Account) string {
	if name == guest.DomainAccount {
		return "; a guest refuses it, too, while no domain controller answers"
	}
	return ""
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
		if r := m.refused[name]; r.digest == a.digest && !p.stands(r) {
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
