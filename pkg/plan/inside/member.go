package inside

import (
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// The features of Windows that we install.
const (
	featureClustering = "Failover-Clustering"
	featureFileServer = "FS-FileServer"
	featureDirectory  = "RSAT-AD-PowerShell"
)

// Features are the features of Windows that every member needs.
func Features(want Clustering) []string {
	var out []string
	if want.Clustered {
		out = append(out, featureClustering)
	}
	if slices.ContainsFunc(want.Roles, func(r Role) bool { return r.Type == v1alpha1.RoleFileServer }) {
		out = append(out, featureFileServer)
	}
	if want.Domain != nil {
		out = append(out, featureDirectory)
	}
	return out
}

// work gathers what one member needs in one batch.
type work struct {
	member Member
	seen   guest.Member
	calls  []hostagent.Call
	does   []string
	reason v1alpha1.Reason
}

func (w *work) add(reason v1alpha1.Reason, does string, calls ...hostagent.Call) {
	if !slices.Contains(w.does, does) {
		w.does = append(w.does, does)
	}
	if w.reason == "" || reason != v1alpha1.ReasonPreparingDisks {
		// Disks go along with whatever else is done.
		w.reason = reason
	}
	w.calls = append(w.calls, calls...)
}

// prepare plans what the members that stay need, each for itself, and reports whether all of them are as they should be.
func (p *planner) prepare() bool {
	disks, ready := p.disks()
	ready = ready && len(p.want.staying()) > 0
	for i, m := range p.want.staying() {
		g, ok := p.reach(m)
		if !ok || !p.isOurs(m, g) {
			ready = false
			continue
		}
		w := &work{member: m, seen: g}
		p.setUp(w)
		if g.RestartPending {
			ready = p.restart(w) && ready
			continue
		}
		settled := len(w.calls) == 0
		p.prepareDisks(w, disks, i == 0)
		if settled {
			p.join(w)
		}
		ready = len(w.calls) == 0 && p.joined(g) && ready
		p.finish("set-up/"+m.Name, w)
	}
	return ready
}

func (p *planner) finish(key string, w *work) {
	if w.reason == v1alpha1.ReasonSettingUp && !w.seen.AnswerFile {
		// It goes with the first set-up.
		w.reason = v1alpha1.ReasonRepairing
	}
	if len(w.calls) > 0 {
		p.step(key, w.reason, w.member.Name+": "+strings.Join(w.does, ", "), inGuest(w.member.VMID, w.calls...))
	}
}

// reach finds what a member told, or says why it cannot be asked.
func (p *planner) reach(m Member) (guest.Member, bool) {
	g, _ := p.seen.Member(m.VMID)
	switch {
	case m.VMID == "":
		p.wait(v1alpha1.ReasonCreating, "%s has no machine yet", m.Name)
	case !m.Up:
		p.wait(v1alpha1.ReasonWaitingForGuest, "the machine of %s does not run yet, or gives no heartbeat", m.Name)
	case p.moves(m):
		p.wait(v1alpha1.ReasonMigrating, "%s is moving to another host", m.Name)
	case !g.Answered && g.Refused:
		p.refused(m, g)
	case !g.Answered && m.SetUp:
		p.silent(m, g)
	case !g.Answered || g.SettingUp:
		p.settingUp(m)
	default:
		return g, true
	}
	return guest.Member{}, false
}

// moves reports whether a member's machine is on its way between hosts, where it cannot be asked.
func (p *planner) moves(m Member) bool {
	vm, presence := p.hosts.Machine(m.VMID)
	return presence == hyperv.Known && vm.Migrating()
}

func (p *planner) refused(m Member, g guest.Member) {
	switch {
	case !m.SetUp && !m.Overdue:
		// Windows refuses every credential until its set-up has set the password.
		p.settingUp(m)
	case g.Account == guest.DomainAccount:
		p.block(v1alpha1.ReasonGuestCredentialsRefused, "the Windows in %s refuses the account of guestAccess; correct its Secret or the account, or let the member reach a domain controller", m.Name)
	default:
		p.block(v1alpha1.ReasonGuestCredentialsRefused, "the Windows in %s refuses its local account Administrator; correct the Secret with its password, or the password inside", m.Name)
	}
}

func (p *planner) silent(m Member, g guest.Member) {
	if m.Overdue {
		p.block(v1alpha1.ReasonGuestUnreachable, "the Windows in %s answers no more (%s); look at its console, and at its way in as guestAccess gives it", m.Name, because(g))
		return
	}
	p.wait(v1alpha1.ReasonWaitingForGuest, "the Windows in %s does not answer: %s", m.Name, because(g))
}

func because(g guest.Member) string {
	if g.Why == "" {
		return "it has not been asked yet"
	}
	return g.Why
}

func (p *planner) settingUp(m Member) {
	if m.Overdue {
		p.block(v1alpha1.ReasonSetUpStalled, "the set-up of Windows in %s is not over in time; look at its console, and at C:\\Windows\\Panther\\setupact.log in it: "+
			"the image must be generalised (sysprep /generalize /oobe), and a product key must be for its edition", m.Name)
		return
	}
	p.wait(v1alpha1.ReasonSettingUp, "Windows is being set up in %s", m.Name)
}

// isOurs blocks on a Windows that calls itself something else, or is in another domain: it is not renamed under what runs in it.
func (p *planner) isOurs(m Member, g guest.Member) bool {
	switch {
	case !strings.EqualFold(g.ComputerName, m.Name):
		p.block(v1alpha1.ReasonGuestRefused, "the Windows in %s calls itself %s; rename it back (Rename-Computer) and restart it", m.Name, g.ComputerName)
	case p.want.Domain == nil && p.want.Clustered && g.Domain != "":
		p.block(v1alpha1.ReasonGuestRefused, "%s is in domain %s, and a workgroup is wanted; take it out (Remove-Computer) and restart it", m.Name, g.Domain)
	case p.want.Domain != nil && g.Domain != "" && !p.joined(g):
		p.block(v1alpha1.ReasonGuestRefused, "%s is in domain %s instead of %s; take it out (Remove-Computer) and restart it", m.Name, g.Domain, p.want.Domain.Name)
	case !p.joined(g) && isNode(g) && !g.RestartPending:
		p.block(v1alpha1.ReasonGuestRefused, "%s is a node and has left domain %s; put it back (Add-Computer) and restart it when that suits you", m.Name, p.want.Domain.Name)
	default:
		return true
	}
	return false
}

// joined reports whether a member is in its domain, or has none to be in.
func (p *planner) joined(g guest.Member) bool {
	return p.want.Domain == nil || strings.EqualFold(g.Domain, p.want.Domain.Name)
}

// setUp plans what Windows itself needs.
func (p *planner) setUp(w *work) {
	if w.seen.AnswerFile {
		w.add(v1alpha1.ReasonSettingUp, "remove the answer file", cmdlet.RemoveAnswerFile("answer-file"))
	}
	p.adapters(w)
	if w.seen.RestartPending {
		// What is being installed or removed is told apart only after the restart.
		return
	}
	if missing := missingFeatures(p.want, w.seen); len(missing) > 0 {
		w.add(v1alpha1.ReasonInstallingFeatures, "install "+strings.Join(missing, ", "), cmdlet.InstallFeatures("features", missing...))
	}
}

func missingFeatures(want Clustering, g guest.Member) []string {
	has := func(name string) bool {
		return slices.ContainsFunc(g.Features, func(f string) bool { return strings.EqualFold(f, name) })
	}
	return slices.DeleteFunc(Features(want), has)
}

// restart plans the restart that a join or a feature waits for. A node of the cluster inside is restarted by its users alone.
func (p *planner) restart(w *work) bool {
	m := w.member
	switch {
	case isNode(w.seen):
		p.finish("set-up/"+m.Name, w)
		p.wait(v1alpha1.ReasonWaitingForPowerOff, "%s waits for a restart of its Windows: restart it when it suits you", m.Name)
		return len(w.calls) == 0
	case p.validating():
		p.wait(v1alpha1.ReasonValidating, "%s is restarted once the validation has ended", m.Name)
		return false
	}
	reason := v1alpha1.ReasonInstallingFeatures
	if !p.joined(w.seen) && len(missingFeatures(p.want, w.seen)) == 0 {
		reason = v1alpha1.ReasonJoiningDomain
	}
	w.add(reason, "restart it", cmdlet.Restart("restart"))
	p.finish("restart/"+m.Name, w)
	return false
}
