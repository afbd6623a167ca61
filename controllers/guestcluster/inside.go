package guestcluster

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers/hostref"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/inventory"
	"guestclustering.io/operator/pkg/guestpool"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan/inside"
)

// clustering is what is wanted inside the members, with what is recorded of it.
func (g *gathered) clustering() inside.Clustering {
	gc, failover := g.gc, g.gc.Spec.Failover()
	want := inside.Clustering{
		Namespace: gc.Namespace, Name: gc.Name, Clustered: failover != nil, Deleting: !gc.DeletionTimestamp.IsZero(),
		Administrator: hostagent.Credential{User: localAdministrator, Password: g.keys.administrator},
	}
	for _, m := range g.want.Members {
		want.Members = append(want.Members, g.insideMember(m.Name, m.Leaving))
	}
	if failover == nil {
		return want
	}
	recorded := gc.Status.FailoverCluster
	if recorded == nil {
		recorded = &v1alpha1.FailoverClusterStatus{}
	}
	want.ClusterName = clusterName(gc)
	want.ClusterAddresses = addresses(failover.Addresses)
	want.ClusterID, want.ClusterObjectGUID = recorded.ID, recorded.ObjectGUID
	want.Domain = g.domain(failover.Domain)
	want.Disks = g.insideDisks(failover)
	want.Quorum = g.quorum(failover.Quorum)
	want.Validation = validation(failover.Validation, recorded.Validation)
	for _, r := range failover.Roles {
		want.Roles = append(want.Roles, role(r, recorded))
	}
	want.Validation.Attempt = attempt(want)
	if g.revalidate {
		want.Validation.Attempt++
	}
	return want
}

// maxAttempts bounds the search for the attempt that is recorded; a validation that failed as often is not tried any more
// until what it is about changes.
const maxAttempts = 100

// attempt finds which attempt the recorded verdict is of, by the name of its run; the first where it is of none.
func attempt(want inside.Clustering) int {
	for n := range maxAttempts {
		want.Validation.Attempt = n
		if run := inside.ValidationRun(want); run != "" && run == want.Validation.InputHash {
			return n
		}
	}
	return 0
}

func clusterName(gc *v1alpha1.GuestCluster) string {
	return cmp.Or(gc.Spec.Failover().Name, v1alpha1.ClusterName(gc.Name))
}

func (g *gathered) insideMember(name string, leaving bool) inside.Member {
	recorded := g.recorded(name)
	m := inside.Member{Name: name, VMID: recorded.VMID, ObjectGUID: recorded.ComputerObjectGUID, Leaving: leaving}
	if vm, presence := g.hosts.Seen.Machine(recorded.VMID); presence == hyperv.Known {
		m.Up = vm.Running() && vm.Healthy()
	}
	m.SetUp = recorded.SetUp == v1alpha1.SetUpComplete
	m.Overdue = g.overdue[hyperv.Key(recorded.VMID)]
	for _, n := range g.gc.Spec.Machine.Networks {
		m.Networks = append(m.Networks, insideNetwork(g.gc, name, n, recorded))
	}
	return m
}

func insideNetwork(gc *v1alpha1.GuestCluster, member string, n v1alpha1.MachineNetwork, recorded v1alpha1.MemberStatus) inside.Network {
	out := inside.Network{Name: n.Name, Purpose: n.Purpose, Gateways: addresses(n.Gateways), DNSServers: addresses(n.DNSServers)}
	for _, s := range recorded.Networks {
		if s.Name == n.Name {
			// What is recorded was written by us.
			out.MAC, _ = hyperv.ParseMAC(s.MACAddress)
		}
	}
	for _, named := range gc.Spec.Members.Named {
		for _, static := range named.Networks {
			if named.Name == member && static.Name == n.Name {
				out.Addresses = prefixes(static.Addresses)
			}
		}
	}
	return out
}

// addresses reads what the schema let pass as addresses.
func addresses(texts []string) []netip.Addr {
	var out []netip.Addr
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, a)
		}
	}
	return out
}

func prefixes(texts []string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func (g *gathered) domain(d *v1alpha1.FailoverDomain) *inside.Domain {
	if d == nil {
		return nil
	}
	out := &inside.Domain{Name: d.Name, OU: d.OrganizationalUnit, Join: g.keys.join, Forming: g.keys.forming}
	for _, c := range []hostagent.Credential{g.keys.operations, g.keys.forming} {
		if name := accountName(c.User); name != "" && !slices.Contains(out.AdministratorAccounts, name) {
			out.AdministratorAccounts = append(out.AdministratorAccounts, name)
		}
	}
	return out
}

// accountName is a user's name without the domain, of both forms: DOMAIN\user and user@domain.
func accountName(user string) string {
	if _, after, qualified := strings.Cut(user, `\`); qualified {
		return after
	}
	name, _, _ := strings.Cut(user, "@")
	return name
}

func (g *gathered) insideDisks(failover *v1alpha1.FailoverClustering) []inside.Disk {
	var out []inside.Disk
	for i, d := range g.want.Disks {
		disk := inside.Disk{Name: d.Name, LUN: int64(d.Slot.Location), Use: use(d.Name, failover)}
		for _, s := range g.gc.Status.SharedDisks {
			if s.Name == d.Name {
				disk.GUID, disk.Attached = s.DiskGUID, g.isEverywhere(g.attachedTo(d))
			}
		}
		if object := g.disks[i].object; object != nil {
			disk.SizeBytes = g.sizeOf(d.Path, object)
			// A SharedDisk's file was made empty by us; there is no other kind yet.
			disk.Formattable = true
		}
		out = append(out, disk)
	}
	for _, s := range g.gc.Status.SharedDisks {
		if slices.Contains(g.want.Released, s.Path) {
			out = append(out, inside.Disk{Name: s.Name, LUN: int64(s.ControllerLocation), GUID: s.DiskGUID, Use: inside.UseData, Leaving: true})
		}
	}
	return out
}

// sizeOf is the size of a disk's file as it is, since a larger one that the spec asks for may not be there yet.
func (g *gathered) sizeOf(path string, object *v1alpha1.SharedDisk) int64 {
	if disk, presence := g.hosts.Seen.Disk(path); presence == hyperv.Known {
		return disk.Size
	}
	return object.Spec.Size.Value()
}

func use(disk string, failover *v1alpha1.FailoverClustering) inside.Use {
	switch {
	case failover.Quorum.DiskWitness != nil && failover.Quorum.DiskWitness.Disk == disk:
		return inside.UseWitness
	case slices.ContainsFunc(failover.ClusterSharedVolumes, func(v v1alpha1.ClusterSharedVolume) bool { return v.Disk == disk }):
		return inside.UseCSV
	default:
		return inside.UseData
	}
}

func (g *gathered) quorum(q v1alpha1.FailoverQuorum) inside.Quorum {
	out := inside.Quorum{Type: q.Type}
	switch {
	case q.DiskWitness != nil:
		out.Disk = q.DiskWitness.Disk
	case q.FileShareWitness != nil:
		out.SharePath = q.FileShareWitness.Path
	case q.CloudWitness != nil:
		out.AccountName, out.Endpoint, out.Key = q.CloudWitness.AccountName, q.CloudWitness.Endpoint, g.keys.witness
	}
	return out
}

func validation(policy v1alpha1.ValidationPolicy, recorded *v1alpha1.ValidationStatus) inside.Validation {
	out := inside.Validation{Policy: policy}
	if recorded != nil {
		out.InputHash, out.Result, out.Failed, out.Warned = recorded.InputHash, recorded.Result, recorded.Failed, recorded.Warned
	}
	return out
}

func role(r v1alpha1.FailoverRole, recorded *v1alpha1.FailoverClusterStatus) inside.Role {
	out := inside.Role{Name: r.Name, Type: r.Type, Addresses: addresses(r.Addresses)}
	if r.FileServer != nil {
		out.Disk = r.FileServer.Disk
		for _, s := range r.FileServer.Shares {
			out.Shares = append(out.Shares, inside.Share{Name: s.Name, FullAccess: s.FullAccess})
		}
	}
	for _, s := range recorded.Roles {
		if s.Name == r.Name {
			out.ObjectGUID = s.ObjectGUID
		}
	}
	return out
}

// subject is who is asked what inside.
func (g *gathered) subject() guestpool.Subject {
	want := g.inside
	s := guestpool.Subject{Hosts: g.hosts.Cluster, PollInterval: hostref.PollInterval(g.hosts.Object), Forming: g.isForming()}
	for _, m := range want.Members {
		if m.VMID != "" {
			s.Members = append(s.Members, guestpool.Member{VMID: m.VMID, Name: m.Name, Account: account(want, m), Credentials: g.credentials(want)})
		}
	}
	s.Questions.Features = inside.Features(want)
	s.Questions.Directory = g.directory(want)
	if run := inside.ValidationRun(want); run != "" && run != want.Validation.InputHash && s.Forming {
		s.Questions.Validation = &guestpool.ValidationQuestion{Run: run, VMID: inside.Validator(want)}
	}
	return s
}

// account is the domain's for a member that is known to have joined: the local one is its policies' from then on. What a deletion
// recorded may be of a join that waits for its restart.
func account(want inside.Clustering, m inside.Member) guest.Account {
	if m.ObjectGUID != "" && !want.Deleting {
		return guest.DomainAccount
	}
	return ""
}

// isForming is whether something inside is still to be done or known, so that every member is asked at every poll.
func (g *gathered) isForming() bool {
	return g.guests == nil || !g.insidePlan.Empty() || g.inside.Clustered && g.ownCluster() == nil
}

func (g *gathered) credentials(want inside.Clustering) map[guest.Account]hostagent.Credential {
	out := map[guest.Account]hostagent.Credential{}
	if want.Administrator.Password != (hostagent.Secret{}) {
		out[guest.LocalAccount] = want.Administrator
	}
	if want.Domain != nil && g.keys.operations.User != "" {
		out[guest.DomainAccount] = g.keys.operations
	}
	return out
}

// directory is what the domain is asked while that matters: whose the names are that the guest cluster takes there, the accounts
// of administrators, and the rights of the cluster's own account.
func (g *gathered) directory(want inside.Clustering) *inventory.DirectoryQuestions {
	if !inside.AsksDomain(want) {
		return nil
	}
	return &inventory.DirectoryQuestions{
		Domain: want.Domain.Name, As: want.Domain.Join, Computers: inside.ComputerNames(want), Accounts: want.Domain.AdministratorAccounts,
		Container: inside.Container(want, g.guests), ClusterGUID: want.ClusterObjectGUID,
	}
}
