package inside_test

import (
	"testing"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/plan/inside"
)

// unrecorded is a moment at which everything is made and nothing of it is recorded.
func unrecorded(t *testing.T) *stage {
	s := serving(t)
	s.want.ClusterID, s.want.ClusterObjectGUID, s.want.Roles[0].ObjectGUID = "", "", ""
	for i := range s.want.Members {
		s.want.Members[i].ObjectGUID, s.want.Members[i].SetUp = "", false
	}
	return s
}

// What is made is recorded where it is ours for sure, and stays as it was recorded first.
func TestRecord(t *testing.T) {
	type recorded struct {
		cluster, object, role, member bool
	}
	everything := recorded{cluster: true, object: true, role: true, member: true}
	tests := map[string]struct {
		differs func(*stage)
		want    recorded
	}{
		"everything":                     {differs: func(*stage) {}, want: everything},
		"nothing was told":               {differs: func(s *stage) { s.seen = nil }},
		"the cluster has another name":   {differs: func(s *stage) { s.seen.Cluster.Name = "OTHER" }, want: recorded{member: true}},
		"it is another one":              {differs: func(s *stage) { s.want.ClusterID = "other" }, want: recorded{cluster: true, member: true}},
		"its name was never online":      {differs: func(s *stage) { resource(s, "Clustername", func(r *guest.Resource) { r.ObjectGUID = "" }) }, want: recorded{cluster: true, role: true, member: true}},
		"the role is somebody else's":    {differs: func(s *stage) { s.seen.Cluster.Groups[2].Type = "GenericService" }, want: recorded{cluster: true, object: true, member: true}},
		"the domain does not answer":     {differs: func(s *stage) { s.seen.Directory = nil }, want: recorded{cluster: true, object: true, role: true}},
		"the member has not joined":      {differs: func(s *stage) { s.member(1, func(m *guest.Member) { m.Domain = "" }) }, want: recorded{cluster: true, object: true, role: true}},
		"the member waits for a restart": {differs: func(s *stage) { s.member(1, func(m *guest.Member) { m.RestartPending = true }) }, want: recorded{cluster: true, object: true, role: true}},
		"it does, and is to be deleted": {differs: func(s *stage) {
			s.want.Deleting = true
			s.member(1, func(m *guest.Member) { m.RestartPending = true })
		}, want: everything},
		"the member is called otherwise": {differs: func(s *stage) { s.member(1, func(m *guest.Member) { m.ComputerName = "WIN-1" }) }, want: recorded{cluster: true, object: true, role: true}},
		"the member does not answer":     {differs: func(s *stage) { s.silence(1) }, want: recorded{cluster: true, object: true, role: true}},
		"no cluster is wanted":           {differs: func(s *stage) { s.want.Clustered = false }, want: recorded{member: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := unrecorded(t)
			tt.differs(s)
			w := inside.Record(s.want, s.seen)
			got := recorded{cluster: w.ClusterID != "", object: w.ClusterObjectGUID != "", role: w.Roles[0].ObjectGUID != "", member: w.Members[0].ObjectGUID != ""}
			if got != tt.want {
				t.Errorf("recorded: %+v", got)
			}
			if s.want.Members[0].ObjectGUID != "" || s.want.Roles[0].ObjectGUID != "" {
				t.Error("what was given is changed")
			}
		})
	}
	s := serving(t)
	s.want.Members[0].ObjectGUID = "kept"
	if w := inside.Record(s.want, s.seen); w.Members[0].ObjectGUID != "kept" {
		t.Errorf("what was recorded is now %s", w.Members[0].ObjectGUID)
	}
}

// A verdict is on the members as they were validated, also when the cluster was formed since.
func TestRecordVerdict(t *testing.T) {
	s := ready(t)
	run := inside.ValidationRun(s.want)
	s.want.Validation.InputHash, s.want.Validation.Result = "", ""
	s.seen.Validation = &guest.Validation{ID: run, State: hyperv.WorkCompleted, Report: &guest.Report{Warned: []string{"A"}, Disks: []string{s.want.Disks[0].GUID, s.want.Disks[1].GUID}}}
	s.seen.Cluster = &guest.Cluster{Name: s.want.ClusterName, ID: "c1", Teller: vmID(1)}
	if v := inside.Record(s.want, s.seen).Validation; v.InputHash != run || v.Result != v1alpha1.ValidationWarned {
		t.Errorf("recorded: %+v", v)
	}
	s.seen.Validation.ID = "other"
	if v := inside.Record(s.want, s.seen).Validation; v.InputHash != "" {
		t.Errorf("another run is recorded: %+v", v)
	}
}

// The run is named by what is validated, and by nothing else.
func TestValidationRun(t *testing.T) {
	run := func(change func(*inside.Clustering)) string {
		want := files()
		change(&want)
		return inside.ValidationRun(want)
	}
	as := run(func(*inside.Clustering) {})
	for name, change := range map[string]func(*inside.Clustering){
		"members' order of letters": func(w *inside.Clustering) { w.Members[0].Name = "files-1" },
		"credentials":               func(w *inside.Clustering) { w.Domain.Forming = credential("other") },
		"who leaves":                func(w *inside.Clustering) { m := member(3); m.Leaving = true; w.Members = append(w.Members, m) },
		"disks that leave":          func(w *inside.Clustering) { w.Disks = append(w.Disks, inside.Disk{GUID: "{09}", Leaving: true}) },
	} {
		if got := run(change); got != as {
			t.Errorf("%s changes the run", name)
		}
	}
	seen := map[string]string{as: "nothing"}
	for name, change := range map[string]func(*inside.Clustering){
		"a member":      func(w *inside.Clustering) { w.Members = append(w.Members, member(3)) },
		"its machine":   func(w *inside.Clustering) { w.Members[1].VMID = vmID(4) },
		"a disk":        func(w *inside.Clustering) { w.Disks[0].GUID = "{01}" },
		"forming":       func(w *inside.Clustering) { w.ClusterID = "c1" },
		"an attempt":    func(w *inside.Clustering) { w.Validation.Attempt = 1 },
		"the namespace": func(w *inside.Clustering) { w.Namespace = "other" },
		"nobody asks":   func(w *inside.Clustering) { w.Validation.Policy = v1alpha1.ValidationSkip },
	} {
		got := run(change)
		if other, taken := seen[got]; taken {
			t.Errorf("%s gives the run of %s", name, other)
		}
		seen[got] = name
	}
	if _, none := seen[""]; !none {
		t.Error("a validation that is not wanted has a run")
	}
}

// The domain is asked while something of the guest cluster there is not known, or is to go.
func TestAsksDomain(t *testing.T) {
	for name, tt := range map[string]struct {
		differs func(*inside.Clustering)
		asks    bool
	}{
		"everything is recorded": {differs: func(*inside.Clustering) {}},
		"a workgroup":            {differs: func(w *inside.Clustering) { w.Domain = nil; w.ClusterObjectGUID = "" }},
		"nobody may ask":         {differs: func(w *inside.Clustering) { w.Domain.Join.User = ""; w.ClusterObjectGUID = "" }},
		"a new member":           {differs: func(w *inside.Clustering) { w.Members[1].ObjectGUID = "" }, asks: true},
		"a member leaves":        {differs: func(w *inside.Clustering) { w.Members[1].Leaving = true }, asks: true},
		"no cluster yet":         {differs: func(w *inside.Clustering) { w.ClusterObjectGUID = "" }, asks: true},
		"a new role":             {differs: func(w *inside.Clustering) { w.Roles[0].ObjectGUID = "" }, asks: true},
		"a deletion":             {differs: func(w *inside.Clustering) { w.Deleting = true }, asks: true},
	} {
		want := serving(t).want
		tt.differs(&want)
		if got := inside.AsksDomain(want); got != tt.asks {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The rights of a container are asked for while a role waits for them.
func TestContainer(t *testing.T) {
	for name, tt := range map[string]struct {
		differs func(*stage)
		want    string
	}{
		"nothing waits":        {differs: func(*stage) {}},
		"a role waits":         {differs: func(s *stage) { s.want.Roles[0].ObjectGUID = "" }, want: unit},
		"the domain is silent": {differs: func(s *stage) { s.want.Roles[0].ObjectGUID = ""; s.seen.Directory = nil; s.want.Domain.OU = "OU=Other" }, want: "OU=Other"},
		"nothing was told":     {differs: func(s *stage) { s.want.Roles[0].ObjectGUID = ""; s.seen = nil }, want: unit},
		"no cluster is there":  {differs: func(s *stage) { s.want.Roles[0].ObjectGUID = ""; s.want.ClusterID = "" }},
		"it is to be removed":  {differs: func(s *stage) { s.want.Roles[0].ObjectGUID = ""; s.want.Deleting = true }},
		"a workgroup":          {differs: func(s *stage) { s.want.Roles[0].ObjectGUID = ""; s.want.Domain = nil }},
		"it is somewhere else": {differs: func(s *stage) {
			s.want.Roles[0].ObjectGUID = ""
			for i := range s.seen.Directory.Computers {
				s.seen.Directory.Computers[i].DistinguishedName = "CN=X,CN=Computers,DC=corp,DC=example"
			}
		}, want: "CN=Computers,DC=corp,DC=example"},
	} {
		s := serving(t)
		tt.differs(s)
		if got := inside.Container(s.want, s.seen); got != tt.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
