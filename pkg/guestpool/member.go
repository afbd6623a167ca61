package guestpool

import (
	"errors"
	"fmt"
	"time"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// quietPolls bounds for how many polls a guest is left alone that hangs, or that refuses an account for a while: while it is
// being set up, or without its domain.
const quietPolls = 4

// member is what is remembered of one machine's guest.
type member struct {
	// facts are what the guest told last, or why it did not; seen is whether there are any.
	facts guest.Member
	seen  bool
	// no is the number of the reading that facts are of.
	no int
	// mute is whether it could not tell of the cluster when it was asked last.
	mute bool
	// host runs the machine now; empty while the guest cannot be asked, and why then says why not.
	host string
	why  unanswered

	// settled is whether it has answered after its set-up was over: only then is a refused account refused for good.
	settled bool
	// inDomain is whether it told that it is in a domain, and lets the domain's accounts in.
	inDomain bool
	// booted is when the guest was started, as it told.
	booted time.Time
	// refused are the credentials that it refused for good, by account.
	refused map[guest.Account]refusal
	// tries counts the refusals that do not count.
	tries int

	// hangs is whether it is asked alone; asking is whether such a question is under way.
	hangs, asking bool
	// quiet is for how many polls more it is left alone, pause for how many the last time. What is asked out of turn does not
	// wait for it.
	quiet, pause int
}

// unanswered is why a guest cannot be asked.
type unanswered struct {
	class hostagent.Class
	text  string
}

func (u unanswered) err(vmID string) error {
	return &hostagent.Error{Class: u.class, Op: "reaching it", Target: hostagent.Target{VM: vmID}, Err: errors.New(u.text)}
}

// locate finds where the guest can be asked. That its machine did not run, or its heartbeat was away, means that it was
// started again since: what it refused before counts no more.
func (m *member) locate(s *hyperv.Snapshot, vmID string) {
	machine, presence := s.Machine(vmID)
	m.host, m.why = "", unanswered{}
	switch {
	case presence == hyperv.Unknown:
		m.why = unanswered{hostagent.Unreachable, "it is not known which host runs the machine"}
	case presence == hyperv.Absent:
		m.why = unanswered{hostagent.NotFound, "no host has the machine"}
	case !machine.Running():
		m.why = unanswered{hostagent.Busy, fmt.Sprintf("the machine is not running, its state is %s", machine.State)}
		m.restarted()
	case heartbeatAway[machine.Heartbeat]:
		m.why = unanswered{hostagent.Unreachable, fmt.Sprintf("Windows in the machine does not answer its host, the heartbeat is %s", machine.Heartbeat)}
		m.restarted()
	default:
		m.host = machine.HostName
	}
	if m.host == "" && m.seen {
		m.facts = guest.Member{Account: m.facts.Account, Class: m.why.class, Why: m.why.text}
	}
}

// heartbeatAway are those of "VMHeartbeatStatus" with which no guest can be asked. One whose heartbeat is switched off can.
var heartbeatAway = map[string]bool{"NoContact": true, "LostCommunication": true, "Error": true}

func (m *member) restarted() {
	m.refused, m.tries, m.hangs, m.quiet, m.pause = nil, 0, false, 0, 0
}

// answers remembers that the guest can be reached as it was asked.
func (m *member) answers(as account) {
	m.hangs, m.quiet, m.pause, m.tries = false, 0, 0, 0
	delete(m.refused, as.name)
}

// told remembers what it told about itself.
func (m *member) told(facts guest.Member, as account) {
	if !facts.BootTime.Equal(m.booted) {
		m.restarted()
	}
	m.booted = facts.BootTime
	facts.Account = as.name
	m.facts, m.seen = facts, true
	if !facts.SettingUp {
		m.settled = true
		// A join shows at once; the domain's accounts are let in from the restart on that completes it.
		m.inDomain = facts.Domain != "" && (as.name == guest.DomainAccount || !facts.RestartPending)
	}
}

// fails remembers that it did not answer.
func (m *member) fails(err error, as account, want Member, now time.Time) {
	class := hostagent.ClassOf(err)
	m.facts, m.seen = guest.Member{Account: as.name, Class: class, Why: oneLine(err)}, true
	if class == hostagent.Unauthenticated {
		m.refuses(as, want, now)
	}
	if class == hostagent.Timeout {
		m.hangs = true
		m.leaveAlone()
	}
}

// refuses remembers a refusal. It counts once the guest's set-up is over: before, it refuses every account.
func (m *member) refuses(as account, want Member, now time.Time) {
	if !m.settled && want.Account != guest.DomainAccount {
		m.tries++
		m.facts.Why = "it refuses the account " + string(as.name) + ", as Windows does while it is being set up"
		m.leaveAlone()
		return
	}
	if m.refused == nil {
		m.refused = map[guest.Account]refusal{}
	}
	m.refused[as.name] = refusal{digest: as.digest, at: now}
	if as.name == guest.DomainAccount {
		m.leaveAlone() // even if others let it in
	}
}

func (m *member) leaveAlone() {
	m.pause = min(max(1, 2*m.pause), quietPolls)
	m.quiet = m.pause
}

// hasNoAccount makes the member one that cannot be asked as anybody.
func (m *member) hasNoAccount(c choice) {
	m.facts, m.seen = guest.Member{Refused: c.refused, Account: c.name, Class: hostagent.Unauthenticated, Why: c.why()}, true
}
