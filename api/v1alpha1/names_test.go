package v1alpha1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestMemberNames(t *testing.T) {
	count := func(n int32) *int32 { return &n }
	tests := map[string]struct {
		members GuestClusterMembers
		want    []string
	}{
		"counted":            {GuestClusterMembers{Type: MembersCount, Count: count(3)}, []string{"FILES-2-1", "FILES-2-2", "FILES-2-3"}},
		"counted by default": {GuestClusterMembers{Count: count(1)}, []string{"FILES-2-1"}},
		"named":              {GuestClusterMembers{Type: MembersNamed, Named: []NamedMember{{Name: "SQL-B"}, {Name: "SQL-A"}}}, []string{"SQL-B", "SQL-A"}},
		"neither":            {GuestClusterMembers{Type: MembersCount}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			gc := &GuestCluster{ObjectMeta: metav1.ObjectMeta{Name: "files-2"}, Spec: GuestClusterSpec{Members: test.members}}
			if diff := cmp.Diff(test.want, MemberNames(gc)); diff != "" {
				t.Errorf("MemberNames (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObjectName(t *testing.T) {
	tests := map[string]struct {
		disk GuestClusterSharedDisk
		want string
	}{
		"template":  {GuestClusterSharedDisk{Name: "data", Template: &SharedDiskTemplate{}}, "files-data"},
		"reference": {GuestClusterSharedDisk{Name: "data", SharedDiskRef: &SharedDiskReference{Name: "sql-logs"}}, "sql-logs"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := test.disk.ObjectName("files"); got != test.want {
				t.Errorf("ObjectName = %q, want %q", got, test.want)
			}
		})
	}
}

func TestNamesOfTheClusterInside(t *testing.T) {
	if got := ClusterName("files-2"); got != "FILES-2-CL" {
		t.Errorf("ClusterName = %q", got)
	}
	if got := AdministratorSecretName("files-2"); got != "files-2-administrator" {
		t.Errorf("AdministratorSecretName = %q", got)
	}
}
