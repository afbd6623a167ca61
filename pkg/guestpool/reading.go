package guestpool

import (
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/inventory"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// slowTurn is at which of its turns a member that nothing is the matter with is asked about itself.
const slowTurn = 5

// featureDirectory is the Windows feature whose cmdlets ask a domain.
const featureDirectory = "RSAT-AD-PowerShell"

// reading is one round of questions about one guest cluster.
type reading struct {
	s  *subject
	no int
	// poll is whether it is one of the polls, which leave some out.
	poll bool
	// written is the machine that was just written to; only it is asked about itself. namesDiffer is whether the domain is to be
	// asked too.
	written     string
	namesDiffer bool
	// busy are the hosts that are still at an earlier poll's questions.
	busy map[string]bool
	asks []*ask
	// asked are the members that were asked about the cluster, told is whether one told, and waiting whether one is yet to.
	asked         map[string]bool
	told, waiting bool
}

// ask is what one guest is asked in one session.
type ask struct {
	reading *reading
	member  *member
	want    Member
	as      account
	host    string
	// followed is whether it was sent after its machine to another host, again whether it was asked as another account before.
	followed, again bool
	// What it is asked about: each part is a batch of pkg/guest/inventory, and they travel as one, since their calls have ids of
	// their own.
	itself, cluster bool
	features        []string
	validation      string
	// directory is asked apart: a domain that does not answer is no guest that hangs.
	directory *inventory.DirectoryQuestions
}

// apart is whether it has a batch of its own, so that it holds up nobody else.
func (a *ask) apart() bool { return a.directory != nil || a.member.hangs }

// batch puts the parts together.
func (a *ask) batch() hostagent.Batch {
	b := hostagent.Batch{Target: hostagent.Target{VM: a.want.VMID}, OnError: hostagent.Continue}
	add := func(part hostagent.Batch) { b.Calls = append(b.Calls, part.Calls...) }
	if a.itself {
		add(inventory.MemberState(a.want.VMID, a.features))
	}
	if a.cluster {
		add(inventory.ClusterState(a.want.VMID))
	}
	if a.directory != nil {
		return inventory.DirectoryState(a.want.VMID, *a.directory)
	}
	if a.validation != "" {
		add(inventory.ValidationState(a.want.VMID, a.validation))
	}
	return b
}

// begin plans a reading: whom to ask what, where the machines run now. The caller has the lock.
func (p *Pool) begin(r *reading) []*ask {
	s := r.s
	p.readings++
	r.no, r.asked = p.readings, map[string]bool{}
	s.locate()
	for i, want := range s.want.Members {
		if m := s.members[hyperv.Key(want.VMID)]; m != nil && r.asksAboutItself(i, m, want) {
			p.add(r, want, func(a *ask) { a.itself, a.features = true, s.want.Questions.Features })
		}
	}
	p.askAboutCluster(r)
	p.askDomain(r)
	p.askValidator(r)
	if r.poll {
		s.turn++
		for _, m := range s.members {
			m.quiet = max(0, m.quiet-1)
		}
	}
	return r.asks
}

// asksAboutItself: one that is up and well only at its turn, and those turns are spread.
func (r *reading) asksAboutItself(i int, m *member, want Member) bool {
	if r.written != "" {
		return strings.EqualFold(r.written, want.VMID)
	}
	return !r.poll || r.s.asksAll() || (r.s.turn+i)%slowTurn == 0 || !r.s.isWell(m, want)
}

// asksAll is whether every member is asked at every poll: while no cluster is there, or was ever seen.
func (s *subject) asksAll() bool { return s.want.Forming || s.known == nil }

// isWell reports whether nothing is the matter with a member, as far as was told last.
func (s *subject) isWell(m *member, want Member) bool {
	return m.facts.Answered && !m.facts.SettingUp && !m.facts.RestartPending && m.facts.ClusterService == guest.ServiceRunning &&
		s.cluster != nil && s.isUp(want)
}

// add adds a question to what a member is asked, if it can be asked in this reading.
func (p *Pool) add(r *reading, want Member, question func(*ask)) bool {
	if i := slices.IndexFunc(r.asks, func(a *ask) bool { return strings.EqualFold(a.want.VMID, want.VMID) }); i >= 0 {
		question(r.asks[i])
		return true
	}
	a := p.newAsk(r, want)
	if a == nil {
		return false
	}
	question(a)
	r.asks = append(r.asks, a)
	return true
}

func (p *Pool) newAsk(r *reading, want Member) *ask {
	m := r.s.members[hyperv.Key(want.VMID)]
	if m == nil || m.host == "" || r.poll && (m.quiet > 0 || m.asking || r.busy[m.host]) {
		return nil
	}
	as := p.choose(m, want)
	if !as.ok {
		m.hasNoAccount(as)
	}
	if !as.ok && !p.probes(as) {
		return nil
	}
	return &ask{reading: r, member: m, want: want, as: as.account, host: m.host}
}

// askAboutCluster asks the member that is likeliest to tell. A member that was written to while no cluster is known may just
// have formed it.
func (p *Pool) askAboutCluster(r *reading) {
	if want, ok := r.s.find(r.written); ok && (r.s.known == nil || r.s.rank(want) <= rankNode) && p.askForCluster(r, want) {
		return
	}
	if !p.askNextTeller(r) {
		r.nobodyTells()
	}
}

func (s *subject) find(vmID string) (Member, bool) {
	_, want, ok := s.member(vmID)
	return want, ok
}

func (p *Pool) askForCluster(r *reading, want Member) bool {
	r.asked[hyperv.Key(want.VMID)] = true
	r.waiting = p.add(r, want, func(a *ask) { a.cluster = true })
	return r.waiting
}

// askNextTeller asks a member about the cluster that was not asked in this reading, the likeliest to tell first.
func (p *Pool) askNextTeller(r *reading) bool {
	var tellers []Member
	for _, want := range r.s.want.Members {
		if want.VMID != "" && !r.asked[hyperv.Key(want.VMID)] && r.s.rank(want) < rankNever {
			tellers = append(tellers, want)
		}
	}
	slices.SortStableFunc(tellers, func(a, b Member) int { return r.s.rank(a) - r.s.rank(b) })
	return slices.ContainsFunc(tellers, func(want Member) bool { return p.askForCluster(r, want) })
}

// How likely a member is to tell about the cluster.
const (
	rankTeller = iota // it told the last time
	rankUp
	rankNode     // a node in another state, or one whose service runs
	rankUnlikely // it was never asked
	rankSilent   // it did not answer the last time
	rankNever
)

func (s *subject) rank(want Member) int {
	m := s.members[hyperv.Key(want.VMID)]
	switch {
	case m.hangs || m.seen && !m.facts.Answered:
		return s.unlessForming(rankSilent)
	case s.isUp(want) && strings.EqualFold(s.known.Teller, want.VMID):
		return rankTeller
	case s.isUp(want):
		return rankUp
	case m.facts.ClusterService == guest.ServiceRunning:
		return rankNode
	case m.facts.Answered:
		return rankNever // its service does not run, and when it does again, it tells so itself
	default:
		return s.unlessForming(rankUnlikely)
	}
}

// isUp reports whether a member is a node that was up when the cluster was told last.
func (s *subject) isUp(want Member) bool {
	if s.known == nil {
		return false
	}
	node, isNode := s.known.Node(s.nameOf(want))
	return isNode && node.State == guest.NodeUp
}

// unlessForming leaves out, while no cluster is known to be there, whom nothing makes a node.
func (s *subject) unlessForming(rank int) int {
	if s.want.Forming && s.known == nil {
		return rankNever
	}
	return rank
}

// nobodyTells: there is no one left to ask, unless those who could tell are still at an earlier poll's questions.
func (r *reading) nobodyTells() {
	for _, m := range r.s.members {
		if r.busy[m.host] {
			return
		}
	}
	r.s.setCluster(nil, r.no)
}

// askDomain has a member ask the domain, while that is wanted.
func (p *Pool) askDomain(r *reading) {
	s := r.s
	if !r.asksDomain() {
		return
	}
	var able []Member
	for _, want := range s.want.Members {
		if m := s.members[hyperv.Key(want.VMID)]; m != nil && m.facts.Answered && slices.Contains(m.facts.Features, featureDirectory) {
			able = append(able, want)
		}
	}
	for i := range able {
		if a := p.newAsk(r, able[(i+s.directoryTurn)%len(able)]); a != nil {
			a.directory = s.want.Questions.Directory
			r.asks = append(r.asks, a)
			return
		}
	}
}

// asksDomain: at slow turns once it has answered. An account that the domain refused is not tried again.
func (r *reading) asksDomain() bool {
	s := r.s
	switch {
	case s.want.Questions.Directory == nil:
		return false
	case !s.directoryAnswers():
		return true
	case s.directoryClosed:
		return false
	case r.written != "":
		return r.namesDiffer
	default:
		return !r.poll || s.directory == nil || s.turn%slowTurn == 0
	}
}

// askValidator asks the member that validates, until the validation has ended.
func (p *Pool) askValidator(r *reading) {
	q := r.s.want.Questions.Validation
	if q == nil || r.s.validated() {
		return
	}
	if want, ok := r.s.find(q.VMID); ok {
		p.add(r, want, func(a *ask) { a.validation = q.Run })
	}
}

// take takes in what became of an ask, and gives the question that it leads to, if any: the same one as another account that
// may be let in, or another member is asked about the cluster when this one could not tell. The caller has the lock.
func (p *Pool) take(a *ask, results hostagent.Results, err error) *ask {
	s := a.reading.s
	if p.subjects[s.key] != s {
		return nil
	}
	if a.directory != nil {
		var d *guest.Directory
		if err == nil {
			d, err = inventory.DecodeDirectory(*a.directory, results)
		}
		s.setDirectory(d, err, a.directory, a.reading.no)
		return nil
	}
	if s.members[hyperv.Key(a.want.VMID)] == a.member && a.reading.no >= a.member.no {
		p.takeMember(a, results, err)
	}
	if other := p.asAnother(a, err); other != nil {
		return other
	}
	if a.cluster {
		a.reading.waiting = false
		a.takeCluster(results, err)
	}
	if a.validation != "" && err == nil {
		p.takeValidation(a, results)
	}
	return p.followUp(a.reading)
}

// takeValidation takes in how a validation goes. One whose report cannot be read has failed: it would never be another.
func (p *Pool) takeValidation(a *ask, results hostagent.Results) {
	if results.Need(idValidation) != nil {
		return
	}
	v, err := inventory.DecodeValidation(a.validation, results, p.parse)
	if err != nil {
		v = &guest.Validation{ID: a.validation, State: hyperv.WorkFailed, Error: oneLine(err)}
	}
	a.reading.s.setValidation(v, a.reading.no)
}

// idValidation is the id of the one call of inventory.ValidationState.
const idValidation = "validation"

// asAnother is the same question as another account, once, where the guest refused this one.
func (p *Pool) asAnother(a *ask, err error) *ask {
	if a.again || hostagent.ClassOf(err) != hostagent.Unauthenticated {
		return nil
	}
	c := p.choose(a.member, a.want)
	if !c.ok || c.digest == a.as.digest {
		return nil
	}
	other := *a
	other.as, other.again = c.account, true
	return &other
}

// takeMember takes in what a member told about itself, or that its guest did not answer.
func (p *Pool) takeMember(a *ask, results hostagent.Results, err error) {
	m := a.member
	m.no = a.reading.no
	var facts guest.Member
	if err == nil {
		m.answers(a.as)
		p.accepted(a.as)
		if !a.itself {
			return
		}
		facts, err = inventory.DecodeMember(a.features, results)
	}
	if err == nil {
		m.told(facts, a.as)
		return
	}
	m.fails(err, a.as, a.want, p.clock.Now())
	if c := p.choose(m, a.want); c.refused {
		m.hasNoAccount(c)
	}
}

func (a *ask) takeCluster(results hostagent.Results, err error) {
	if err != nil {
		return
	}
	c, err := inventory.DecodeCluster(hyperv.Key(a.want.VMID), results)
	a.member.mute = err != nil
	if err == nil {
		a.reading.told = true
		a.reading.s.setCluster(c, a.reading.no)
	}
}

// followUp asks another member about the cluster where that is due: nobody has told in this reading, and nobody else is being
// asked.
func (p *Pool) followUp(r *reading) *ask {
	if r.told || r.waiting {
		return nil
	}
	r.asks = nil
	if p.askNextTeller(r) {
		return r.asks[0]
	}
	r.nobodyTells()
	return nil
}
