package hyperv_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"guestclustering.io/operator/pkg/hyperv"
)

var sqlA = hyperv.Stamp{
	ClusterID: "k1", Namespace: "payments", NamespaceUID: "n1", Kind: hyperv.KindGuestCluster, Name: "sql", UID: "0a1b2c3d-4e5f", Member: "SQL-A",
}

func TestStampText(t *testing.T) {
	want := `{"clusterID":"k1","namespace":"payments","namespaceUID":"n1","kind":"GuestCluster","name":"sql","uid":"0a1b2c3d-4e5f","member":"SQL-A"}`
	if diff := cmp.Diff(want, sqlA.Encode()); diff != "" {
		t.Errorf("the text stands on hosts and may not change (-want +got):\n%s", diff)
	}
}

func TestStampSurvivesItsText(t *testing.T) {
	text := rapid.StringMatching(`[ -~äß]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		stamp := hyperv.Stamp{
			ClusterID: text.Draw(t, "clusterID"), Namespace: text.Draw(t, "namespace"), NamespaceUID: text.Draw(t, "namespaceUID"),
			Kind: text.Draw(t, "kind"), Name: text.Draw(t, "name"), UID: text.Draw(t, "uid"), Member: rapid.Just("").Draw(t, "member"),
		}
		got, err := hyperv.ParseStamp(stamp.Encode())
		if err != nil {
			t.Fatalf("a stamp of ours is refused: %v", err)
		}
		if diff := cmp.Diff(stamp, got); diff != "" {
			t.Fatalf("stamp (-want +got):\n%s", diff)
		}
	})
}

func TestParseStamp(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		err    string
	}{
		"newer operator": {
			reason: "Fields that are not known yet are none of our business.",
			text:   `{"clusterID":"k1","kind":"SharedDisk","name":"data","uid":"u1","colour":"red"}`,
		},
		"empty":         {reason: "A stamp that is just being written is no stamp.", text: "", err: "reading stamp: unexpected end of JSON input"},
		"no JSON":       {reason: "Anything may lie in a folder.", text: "hello", err: "reading stamp: invalid character 'h' looking for beginning of value"},
		"another shape": {reason: "Any JSON may lie in a folder.", text: `{"version":2}`, err: "reading stamp: clusterID, kind, name or uid is missing"},
		"without uid": {
			reason: "Without a UID it cannot be told from a stamp of the same name.",
			text:   `{"clusterID":"k1","kind":"SharedDisk","name":"data"}`, err: "reading stamp: clusterID, kind, name or uid is missing",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := hyperv.ParseStamp(tc.text)
			if got := message(err); got != tc.err {
				t.Errorf("%s\ngot error %q, want %q", tc.reason, got, tc.err)
			}
		})
	}
}

func TestWhoseStamp(t *testing.T) {
	with := func(change func(*hyperv.Stamp)) hyperv.Stamp {
		s := sqlA
		change(&s)
		return s
	}
	cases := map[string]struct {
		reason            string
		other             hyperv.Stamp
		same, predecessor bool
	}{
		"itself": {reason: "It is the same object.", other: sqlA, same: true},
		"another UID": {
			reason: "A deleted and created object has the same name and is not the same.",
			other:  with(func(s *hyperv.Stamp) { s.UID = "other" }), predecessor: true,
		},
		"another Kubernetes cluster": {
			reason: "After a restore the same UID comes back in another cluster.",
			other:  with(func(s *hyperv.Stamp) { s.ClusterID = "k2" }), predecessor: true,
		},
		"another member": {
			reason: "Two members of one guest cluster have a folder each.",
			other:  with(func(s *hyperv.Stamp) { s.Member = "SQL-B" }),
		},
		"another namespace": {
			reason: "Two namespaces may use the same names.",
			other:  with(func(s *hyperv.Stamp) { s.Namespace, s.UID = "hr", "other" }),
		},
		"another kind": {
			reason: "A disk may have a guest cluster's name.",
			other:  with(func(s *hyperv.Stamp) { s.Kind, s.UID = hyperv.KindSharedDisk, "other" }),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := sqlA.SameObject(tc.other); got != tc.same {
				t.Errorf("%s\nSameObject is %v, want %v", tc.reason, got, tc.same)
			}
			if got := sqlA.Predecessor(tc.other); got != tc.predecessor {
				t.Errorf("%s\nPredecessor is %v, want %v", tc.reason, got, tc.predecessor)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	cases := map[string]struct{ got, want string }{
		"a member's folder":        {hyperv.FolderPath(`C:\ClusterStorage\Gold`, sqlA), `C:\ClusterStorage\Gold\payments.SQL-A.0a1b2c3d`},
		"a disk's folder":          {hyperv.FolderPath(`C:\ClusterStorage\Gold\`, hyperv.Stamp{Namespace: "payments", Name: "data", UID: "short"}), `C:\ClusterStorage\Gold\payments.data.short`},
		"a machine's name":         {hyperv.MachineName("payments", "SQL-A"), "payments.SQL-A"},
		"joining":                  {hyperv.JoinPath(`C:\`, `a\`, "b"), `C:\a\b`},
		"last part":                {hyperv.BaseName(`C:\a\b.vhdx`), "b.vhdx"},
		"last part of a bare name": {hyperv.BaseName("b.vhdx"), "b.vhdx"},
		"folder of a file":         {hyperv.DirName(`C:\a\b.vhdx`), `C:\a`},
		"folder of a bare name":    {hyperv.DirName("b.vhdx"), ""},
		"folder of nothing":        {hyperv.DirName(""), ""},
		"key of a path":            {hyperv.Key(`C:\ClusterStorage\Gold`), `c:\clusterstorage\gold`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.got != tc.want {
				t.Errorf("got %q, want %q", tc.got, tc.want)
			}
		})
	}
}

func TestWithin(t *testing.T) {
	cases := map[string]struct {
		reason       string
		folder, path string
		want         bool
	}{
		"itself":             {reason: "A folder counts as in itself.", folder: `C:\a`, path: `C:\a`, want: true},
		"below":              {reason: "Whatever the depth.", folder: `C:\a`, path: `C:\a\b\c.vmcx`, want: true},
		"other case":         {reason: "Windows paths do not tell upper from lower case.", folder: `C:\A`, path: `c:\a\b`, want: true},
		"trailing backslash": {reason: "It says the same.", folder: `C:\a\`, path: `C:\a\b\`, want: true},
		"same beginning":     {reason: "sql-10 does not lie in sql-1.", folder: `C:\sql-1`, path: `C:\sql-10\x`},
		"above":              {reason: "The pool does not lie in the folder.", folder: `C:\a\b`, path: `C:\a`},
		"unnamed":            {reason: "A share's path begins with a backslash and lies in no unnamed folder.", folder: "", path: `\\sofs\vms\a`},
		"both unnamed":       {reason: "A machine whose location is not told lies nowhere.", folder: "", path: ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := hyperv.Within(tc.folder, tc.path); got != tc.want {
				t.Errorf("%s\ngot %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
