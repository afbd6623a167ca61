package inside

import "testing"

// The rights are read as Windows weighs them: in their order, for the container itself, and for computers.
func TestMayCreateComputers(t *testing.T) {
	const own = "S-1-5-21-1-2-3-2001"
	tests := map[string]struct {
		sddl string
		may  bool
	}{
		"nothing is granted":            {sddl: "O:DAG:DAD:AI(A;;GR;;;AU)"},
		"the list is empty":             {sddl: "O:DAG:DAD:"},
		"there is no list":              {sddl: "O:DAG:DA", may: true},
		"the list is null":              {sddl: "D:NO_ACCESS_CONTROL", may: true},
		"computers by its own SID":      {sddl: "D:AI(OA;CI;CC;bf967a86-0de6-11d0-a285-00aa003049e2;;" + own + ")", may: true},
		"computers in capitals":         {sddl: "D:(OA;;CC;BF967A86-0DE6-11D0-A285-00AA003049E2;;s-1-5-21-1-2-3-2001)", may: true},
		"users only":                    {sddl: "D:(OA;CI;CC;bf967aba-0de6-11d0-a285-00aa003049e2;;" + own + ")"},
		"objects of every class":        {sddl: "D:(A;;CCDCLC;;;" + own + ")", may: true},
		"other rights":                  {sddl: "D:(A;;DCLCRPWP;;;" + own + ")"},
		"full control":                  {sddl: "D:(A;;GA;;;" + own + ")", may: true},
		"rights as a number":            {sddl: "D:(A;;0xf01ff;;;" + own + ")", may: true},
		"other rights as a number":      {sddl: "D:(A;;0x20094;;;" + own + ")"},
		"to a group of its":             {sddl: "D:(A;;CC;;;S-1-5-21-1-2-3-1150)", may: true},
		"to somebody else":              {sddl: "D:(A;;CC;;;S-1-5-21-1-2-3-1151)"},
		"to the domain's computers":     {sddl: "D:(A;;CC;;;DC)", may: true},
		"to the domain's admins":        {sddl: "D:(A;;CC;;;DA)"},
		"to everyone":                   {sddl: "D:(A;;CC;;;WD)", may: true},
		"to whoever is authenticated":   {sddl: "D:(A;;CC;;;S-1-5-11)", may: true},
		"to what is in it only":         {sddl: "D:(A;CIIO;CC;;;" + own + ")"},
		"denied before":                 {sddl: "D:(D;;CC;;;DC)(A;;CC;;;" + own + ")"},
		"denied after":                  {sddl: "D:(A;;CC;;;" + own + ")(D;;CC;;;DC)", may: true},
		"denied for users":              {sddl: "D:(OD;;CC;bf967aba-0de6-11d0-a285-00aa003049e2;;DC)(A;;CC;;;" + own + ")", may: true},
		"on a condition":                {sddl: `D:(XA;;CC;;;WD;(@User.Title=="PM"))(A;;CC;;;DC)`, may: true},
		"on a condition alone":          {sddl: `D:(XA;;CC;;;WD;(@User.Title=="PM"))`},
		"audited":                       {sddl: "D:AIS:(AU;SA;CC;;;WD)"},
		"cut":                           {sddl: "D:(A;;CC;;;" + own},
		"an entry without its parts":    {sddl: "D:(A)(A;;CC;;;" + own + ")", may: true},
		"an alias and nobody to ask of": {sddl: "D:(A;;CC;;;ZZ)"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := mayCreateComputers(tt.sddl, []string{own, "S-1-5-21-1-2-3-515", "S-1-5-21-1-2-3-1150"}); got != tt.may {
				t.Errorf("%s: %v", tt.sddl, got)
			}
		})
	}
}

func FuzzMayCreateComputers(f *testing.F) {
	f.Add("O:DAG:DAD:AI(OA;CI;CC;bf967a86-0de6-11d0-a285-00aa003049e2;;S-1-5-21-1-2-3-2001)", "S-1-5-21-1-2-3-2001")
	f.Add("D:(XA;;CC;;;WD;((", "")
	f.Fuzz(func(_ *testing.T, sddl, sid string) {
		// A domain's text makes nobody panic.
		mayCreateComputers(sddl, []string{sid})
	})
}

func TestContainerOf(t *testing.T) {
	for dn, want := range map[string]string{
		"CN=FILES-CL,OU=Clusters,DC=corp,DC=example": "OU=Clusters,DC=corp,DC=example",
		`CN=FILES\,CL,CN=Computers,DC=corp`:          "CN=Computers,DC=corp",
		`CN=A\\,DC=corp`:                             "DC=corp",
		"CN=alone":                                   "",
	} {
		if got := containerOf(dn); got != want {
			t.Errorf("%s is in %q", dn, got)
		}
	}
}
