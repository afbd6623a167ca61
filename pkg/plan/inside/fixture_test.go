package inside_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan"
	"guestclustering.io/operator/pkg/plan/inside"
)

const (
	gib       = int64(1) << 30
	domain    = "corp.example"
	unit      = "OU=Clusters,DC=corp,DC=example"
	sidOps    = "S-1-5-21-1-2-3-1105"
	sidForm   = "S-1-5-21-1-2-3-1106"
	sidCNO    = "S-1-5-21-1-2-3-2001"
	password  = "hunter2"
	clusterIP = "10.0.1.20"
)

func credential(user string) hostagent.Credential {
	return hostagent.Credential{User: user, Password: hostagent.NewSecret(password)}
}

// files is what is wanted of a file server of two members in a domain, nothing of which was made inside.
func files() inside.Clustering {
	return inside.Clustering{
		Namespace: "payments", Name: "files", Clustered: true,
		Members:       []inside.Member{member(1), member(2)},
		Administrator: credential("Administrator"),
		Domain: &inside.Domain{
			Name: domain, OU: unit, Join: credential(`CORP\join`), Forming: credential(`CORP\forming`),
			AdministratorAccounts: []string{"ops", "forming"},
		},
		ClusterName: "FILES-CL", ClusterAddresses: []netip.Addr{netip.MustParseAddr(clusterIP)},
		Disks: []inside.Disk{
			{Name: "witness", LUN: 0, SizeBytes: gib, Attached: true, Formattable: true, Use: inside.UseWitness},
			{Name: "data", LUN: 1, SizeBytes: 500 * gib, Attached: true, Formattable: true, Use: inside.UseData},
		},
		Quorum: inside.Quorum{Type: v1alpha1.QuorumDiskWitness, Disk: "witness"},
		Roles: []inside.Role{{
			Name: "FILES-FS", Type: v1alpha1.RoleFileServer, Disk: "data", Addresses: []netip.Addr{netip.MustParseAddr("10.0.1.21")},
			Shares: []inside.Share{{Name: "invoices", FullAccess: []string{`CORP\invoicing`}}, {Name: "archive"}},
		}},
	}
}

// workgroup is the least that is a cluster: no domain, no roles, a cloud witness.
func workgroup() inside.Clustering {
	want := files()
	want.Domain, want.Roles, want.Disks, want.ClusterAddresses = nil, nil, nil, nil
	want.Quorum = inside.Quorum{Type: v1alpha1.QuorumCloudWitness, AccountName: "corpwitness", Key: hostagent.NewSecret(password)}
	return want
}

// unclustered are members that others cluster.
func unclustered() inside.Clustering {
	want := workgroup()
	want.Clustered, want.ClusterName, want.Quorum = false, "", inside.Quorum{}
	return want
}

// volumes has three members, a cluster shared volume beside the file server, and a file share that votes.
func volumes() inside.Clustering {
	want := files()
	want.Members = append(want.Members, member(3))
	want.Disks[0].Name, want.Disks[0].Use = "vms", inside.UseCSV
	want.Quorum = inside.Quorum{Type: v1alpha1.QuorumFileShareWitness, SharePath: `\\fs01\witness`}
	want.Validation.Policy = v1alpha1.ValidationSkip
	return want
}

func member(n int) inside.Member {
	return inside.Member{Name: fmt.Sprintf("FILES-%d", n), VMID: vmID(n), Up: true, Networks: []inside.Network{
		{
			Name: "client", Purpose: v1alpha1.NetworkPurposeClient, MAC: hyperv.MAC(0x02A101000000 + n*16),
			Addresses:  []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("10.0.1.%d/24", 10+n))},
			Gateways:   []netip.Addr{netip.MustParseAddr("10.0.1.1")},
			DNSServers: []netip.Addr{netip.MustParseAddr("10.0.1.2")},
		},
		{Name: "cluster", Purpose: v1alpha1.NetworkPurposeCluster, MAC: hyperv.MAC(0x02A101000001 + n*16)},
	}}
}

func vmID(n int) string { return fmt.Sprintf("%d0000000-0000-0000-0000-00000000000%d", n, n) }

// rack is the host cluster with every member's machine running.
func rack(want inside.Clustering) *hyperv.Snapshot {
	h := hyperv.Host{Name: "hv01", State: hyperv.HostUp, Answered: true}
	for _, m := range want.Members {
		h.Machines = append(h.Machines, hyperv.Machine{ID: m.VMID, Name: m.Name, HostName: "hv01", State: "Running", OperationalStatus: []string{"Ok"}})
	}
	return &hyperv.Snapshot{Cluster: &hyperv.Cluster{Quorate: true}, Hosts: []hyperv.Host{h}}
}

// show is a plan as a person reads it, with its calls.
func show(p plan.Plan) []string {
	lines := told(p)
	for i, s := range p.Steps {
		var calls []string
		for _, c := range s.Batch.Calls {
			calls = append(calls, showCall(c))
		}
		lines[i] += fmt.Sprintf(" on %s as %s: %s", s.Batch.Target.VM, s.Batch.Logon, strings.Join(calls, "; "))
	}
	return lines
}

// told is a plan as it is told: no call of it.
func told(p plan.Plan) []string {
	var lines []string
	for _, s := range p.Steps {
		lines = append(lines, fmt.Sprintf("%s: %s (%s)", s.Key, s.Describe, s.Reason))
	}
	for _, w := range p.Waits {
		lines = append(lines, fmt.Sprintf("wait (%s): %s", w.Reason, w.Message))
	}
	for _, b := range p.Blocks {
		lines = append(lines, fmt.Sprintf("block (%s): %s", b.Reason, b.Message))
	}
	return lines
}

func showCall(c hostagent.Call) string {
	words := []string{c.Cmdlet}
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		words = append(words, "-"+name, showValue(c.Parameters[name]))
	}
	return strings.Join(words, " ")
}

func showValue(v hostagent.Value) string {
	switch v := v.(type) {
	case hostagent.List:
		var words []string
		for _, e := range v {
			words = append(words, showValue(e))
		}
		return strings.Join(words, ",")
	case hostagent.Credential:
		return v.User
	default:
		return fmt.Sprint(v)
	}
}
