package hypervsim

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	seen "guestclustering.io/operator/pkg/guest"
	guestcmdlet "guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/guest/inventory"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/direct"
	"guestclustering.io/operator/pkg/hyperv/cmdlet"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// ask asks a guest as the operator does, by a wrapped batch.
func (f fixture) ask(as hostagent.Credential, batch hostagent.Batch) (hostagent.Results, error) {
	f.Helper()
	call, err := direct.Wrap("guest", as, batch)
	f.ok(err)
	results, err := f.run(f.vm(batch.Target.VM).Host, call)
	f.ok(err)
	return direct.Unwrap(batch, results[0])
}

func (f fixture) memberSeen(id string, as hostagent.Credential, features ...string) seen.Member {
	f.Helper()
	results, err := f.ask(as, inventory.MemberState(id, features))
	f.ok(err)
	m, err := inventory.DecodeMember(features, results)
	f.ok(err)
	return m
}

// What the operator reads of a member is what is there, from the middle of set-up on.
func TestAMemberIsReadAsItIs(t *testing.T) {
	f := newFixture(t)
	paths := f.sharedDisks("a")
	id := f.member("hv01", "one", paths...)
	f.answered(id, answerFile("one-1", localPassword))
	started := f.Now()
	f.must("hv01", cmdlet.StartGroup("start", "one"))
	for _, step := range []struct {
		after time.Duration
		want  hostagent.Class
	}{{30 * time.Second, hostagent.Unreachable}, {30 * time.Second, hostagent.Unauthenticated}} {
		f.advance(step.after)
		_, err := f.ask(local, inventory.MemberState(id, nil))
		if got := hostagent.ClassOf(err); got != step.want {
			t.Errorf("after %v: %s, want %s", step.after, got, step.want)
		}
	}
	f.advance(100 * time.Second)
	if m := f.memberSeen(id, local); !m.SettingUp || m.Build != 20348 {
		t.Errorf("while it is set up: %+v", m)
	}
	f.advance(time.Minute)
	m := f.memberSeen(id, local, windows.FailoverClustering, windows.ADPowerShell)
	if m.BootTime.Before(started) || m.BootTime.After(f.Now()) || len(m.Administrators) != 1 {
		t.Errorf("started at %v; administrators %v", m.BootTime, m.Administrators)
	}
	want := seen.Member{
		Answered: true, Build: 20348, ComputerName: "ONE-1", AnswerFile: true, ClusterService: seen.ServiceAbsent,
		Adapters: []seen.Adapter{{
			Name: "Ethernet", MAC: 0x02A101000001, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.100/24")}, DHCP: true,
			Gateways: []netip.Addr{netip.MustParseAddr("10.0.1.1")}, DNSServers: []netip.Addr{netip.MustParseAddr("10.0.1.2")}, Registers: true,
		}},
		Disks: []seen.Disk{{Port: 1, SizeBytes: 127 * GiB, Boot: true}, {Number: 1, SizeBytes: 100 * GiB, Raw: true, Offline: true}},
	}
	ignored := cmp.Options{
		cmpopts.IgnoreFields(seen.Member{}, "BootTime", "Administrators"), cmpopts.IgnoreFields(seen.Adapter{}, "Index"),
		cmpopts.IgnoreFields(seen.Disk{}, "UniqueID", "GUID"), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}),
	}
	if diff := cmp.Diff(want, m, ignored); diff != "" {
		t.Errorf("set up (-want +got):\n%s", diff)
	}
	f.mustInside(id, local, guestcmdlet.InstallFeatures("f", windows.FailoverClustering, windows.ADPowerShell), guestcmdlet.RemoveAnswerFile("a"),
		guestcmdlet.Join("j", "corp.example", unit, join), guestcmdlet.AddAdministrators("m", f.domain.Account("ops").SID))
	want.AnswerFile, want.RestartPending, want.Domain = false, true, "corp.example"
	want.Features, want.ClusterService = []string{windows.FailoverClustering, windows.ADPowerShell}, seen.ServiceDisabled
	if diff := cmp.Diff(want, f.memberSeen(id, local, windows.FailoverClustering, windows.ADPowerShell), ignored); diff != "" {
		t.Errorf("joined (-want +got):\n%s", diff)
	}
	f.mustInside(id, local, guestcmdlet.Restart("r"))
	f.advance(2 * time.Minute)
	want.RestartPending = false
	last := f.memberSeen(id, ops, windows.FailoverClustering, windows.ADPowerShell)
	if diff := cmp.Diff(want, last, ignored); diff != "" || !last.BootTime.After(m.BootTime) {
		t.Errorf("restarted at %v (-want +got):\n%s", last.BootTime, diff)
	}
}

// What the operator asks the domain, it is told.
func TestTheDomainIsReadAsItIs(t *testing.T) {
	f := newFixture(t)
	id := f.joined("hv01", "one", "one-1")
	f.mustInside(id, ops, guestcmdlet.InstallFeatures("f", windows.ADPowerShell))
	computer := f.domain.Computer("ONE-1")
	q := inventory.DirectoryQuestions{
		Domain: "corp.example", As: join, Computers: []string{"one-1", "two-1"}, Accounts: []string{"ops", "nobody"}, Container: unit, ClusterGUID: computer.GUID,
	}
	results, err := f.ask(ops, inventory.DirectoryState(id, q))
	f.ok(err)
	d, err := inventory.DecodeDirectory(q, results)
	f.ok(err)
	want := &seen.Directory{
		Computers: []seen.ComputerAccount{{Name: "ONE-1", GUID: computer.GUID, DistinguishedName: "CN=ONE-1," + unit, Enabled: true}},
		SIDs:      map[string]string{"ops": f.domain.Account("ops").SID}, Rights: f.domain.Descriptor(unit),
		ClusterSIDs: []string{computer.SID, f.domain.SID + "-515"},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
