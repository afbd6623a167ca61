package inside

import (
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
)

// Plan plans what to do inside the members now. Ids that seen tells and want does not record are waited for: see Record.
func Plan(want Clustering, seen *guest.Snapshot, hosts *hyperv.Snapshot) plan.Plan {
	p := &planner{want: want, seen: seen, hosts: hosts, prepared: map[string]bool{}}
	switch {
	case hosts == nil:
		p.wait(v1alpha1.ReasonHostUnreachable, "the host cluster has not been read yet")
	case seen == nil:
		p.wait(v1alpha1.ReasonWaitingForGuest, "the members have not been asked yet")
	case want.Deleting:
		p.remove()
	default:
		ready := p.prepare()
		if want.Clustered {
			p.cluster(ready)
		}
		p.forget()
		p.leavers()
	}
	return p.plan
}

// planner gathers the plan of one guest cluster.
type planner struct {
	want  Clustering
	seen  *guest.Snapshot
	hosts *hyperv.Snapshot

	plan plan.Plan
	// prepared are the disks, by name, that a member does something about in this plan: no other step touches them.
	prepared map[string]bool
}

func (p *planner) wait(reason v1alpha1.Reason, format string, a ...any) {
	w := plan.Wait{Reason: reason, Message: fmt.Sprintf(format, a...)}
	if !slices.Contains(p.plan.Waits, w) {
		p.plan.Waits = append(p.plan.Waits, w)
	}
}

func (p *planner) block(reason v1alpha1.Reason, format string, a ...any) {
	b := plan.Block{Reason: reason, Message: fmt.Sprintf(format, a...)}
	if !slices.Contains(p.plan.Blocks, b) {
		p.plan.Blocks = append(p.plan.Blocks, b)
	}
}

func (p *planner) step(key string, reason v1alpha1.Reason, describe string, batch hostagent.Batch) {
	p.plan.Steps = append(p.plan.Steps, plan.Step{Key: key, Reason: reason, Describe: describe, Batch: batch})
}

// inGuest is a batch that stays on one member.
func inGuest(vmID string, calls ...hostagent.Call) hostagent.Batch {
	return hostagent.Batch{Target: hostagent.Target{VM: vmID}, Logon: hostagent.LogonNetwork, OnError: hostagent.Stop, Calls: calls}
}

// asFormer plans a step that acts on other members too, as the user who forms the cluster. A second hop needs that user's own
// logon.
func (p *planner) asFormer(key string, reason v1alpha1.Reason, describe, vmID string, calls ...hostagent.Call) {
	former, ok := p.former(describe)
	if !ok {
		return
	}
	batch := inGuest(vmID, calls...)
	batch.Logon, batch.Credential = hostagent.LogonExplicit, &former
	p.step(key, reason, describe, batch)
}

// former is the account that forms the cluster; without one it blocks on what it is needed for.
func (p *planner) former(what string) (hostagent.Credential, bool) {
	former := p.want.forming()
	if former.User == "" {
		p.block(v1alpha1.ReasonSecretMissing, "to %s, the account that forms the cluster is needed; give its Secret a username and a password", what)
	}
	return former, former.User != ""
}

// forming is the account that forms the cluster: in a workgroup the members' local one.
func (c Clustering) forming() hostagent.Credential {
	if c.Domain == nil {
		return c.Administrator
	}
	return c.Domain.Forming
}

// told finds what a member told, if it answered and its Windows is set up.
func told(m Member, seen *guest.Snapshot) (guest.Member, bool) {
	g, ok := seen.Member(m.VMID)
	return g, m.VMID != "" && ok && g.Answered && !g.SettingUp
}

// staying are the members that are to stay.
func (c Clustering) staying() []Member {
	return slices.DeleteFunc(slices.Clone(c.Members), func(m Member) bool { return m.Leaving })
}

// kept are the disks that are to stay.
func (c Clustering) kept() []Disk {
	return slices.DeleteFunc(slices.Clone(c.Disks), func(d Disk) bool { return d.Leaving })
}

func (c Clustering) disk(name string) (Disk, bool) {
	i := slices.IndexFunc(c.Disks, func(d Disk) bool { return d.Name == name })
	if i < 0 {
		return Disk{}, false
	}
	return c.Disks[i], true
}

// memberOf finds a member by its computer name.
func (c Clustering) memberOf(computer string) (Member, bool) {
	i := slices.IndexFunc(c.Members, func(m Member) bool { return strings.EqualFold(m.Name, computer) })
	if i < 0 {
		return Member{}, false
	}
	return c.Members[i], true
}

// sameID compares ids and GUIDs, which are told with braces and without, in either case. An empty one is nobody's.
func sameID(a, b string) bool {
	return a != "" && strings.EqualFold(strings.Trim(a, "{}"), strings.Trim(b, "{}"))
}
