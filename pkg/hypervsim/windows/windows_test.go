package windows

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hyperv"
)

const (
	unit      = "OU=Clusters,DC=corp,DC=example"
	computers = "CN=Computers,DC=corp,DC=example"
)

func domain() *Domain {
	n := 0
	return NewDomain(DomainModel{
		Name: "corp.example", NetBIOS: "CORP", Units: []string{unit}, MachineAccountQuota: 2,
		Accounts: []AccountModel{
			{Name: "join", Password: "j", MayCreateIn: []string{unit, computers}}, {Name: "plain", Password: "p"},
		},
	}, func() string { n++; return fmt.Sprintf("guid-%d", n) })
}

// specialised is a system whose set-up is over.
func specialised(t *testing.T, name string) *System {
	t.Helper()
	s := New(20348, name, map[string]string{AnswerFile: answers(name, "<Value>local</Value><PlainText>true</PlainText>")}, []string{FileServer})
	s.Specialise()
	if s.Waits != "" {
		t.Fatal(s.Waits)
	}
	s.Welcome()
	s.Boot()
	s.Finish()
	return s
}

func answers(name, password string) string {
	return `<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="specialize"><component name="Microsoft-Windows-Shell-Setup">` +
		`<ComputerName>` + name + `</ComputerName></component></settings><settings pass="oobeSystem">` +
		`<component><InputLocale>de-DE</InputLocale><SystemLocale>de-DE</SystemLocale><UILanguage>de-DE</UILanguage><UserLocale>de-DE</UserLocale></component>` +
		`<component><OOBE><HideEULAPage>true</HideEULAPage></OOBE><TimeZone>UTC</TimeZone><UserAccounts><AdministratorPassword>` + password +
		`</AdministratorPassword></UserAccounts></component></settings></unattend>`
}

func TestSetup(t *testing.T) {
	encoded := utf16.Encode([]rune(`pä"ss` + "AdministratorPassword"))
	raw := make([]byte, 0, 2*len(encoded))
	for _, u := range encoded {
		raw = append(raw, byte(u), byte(u>>8))
	}
	plain := answers("sql-1", "<Value>pass</Value><PlainText>true</PlainText>")
	for name, test := range map[string]struct {
		file, waits, computer, password string
	}{
		"all answered":        {plain, "", "SQL-1", "pass"},
		"an encoded one":      {answers("sql-1", "<Value>"+base64.StdEncoding.EncodeToString(raw)+"</Value><PlainText>false</PlainText>"), "", "SQL-1", `pä"ss`},
		"hidden from XML":     {answers("sql-1", "<Value>a&lt;b&amp;c</Value><PlainText>true</PlainText>"), "", "SQL-1", "a<b&c"},
		"a long name":         {answers("sql-1234567890123456", "<Value>pass</Value><PlainText>true</PlainText>"), "", "SQL-12345678901", "pass"},
		"a name of its own":   {answers("*", "<Value>pass</Value><PlainText>true</PlainText>"), "", "WIN-", "pass"},
		"no file":             {"", "no answer file", "", ""},
		"no password":         {answers("sql-1", ""), "no AdministratorPassword", "", ""},
		"no licence":          {strings.Replace(plain, "<HideEULAPage>true", "<HideEULAPage>false", 1), "no HideEULAPage", "", ""},
		"no locale":           {strings.Replace(plain, "<UILanguage>de-DE</UILanguage>", "", 1), "no UILanguage", "", ""},
		"no encoded password": {answers("sql-1", "<Value>pass</Value>"), "neither text nor base64", "", ""},
		"no XML":              {"hello", "cannot be read", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			if test.file != "" {
				files[AnswerFile] = test.file
			}
			s := New(20348, "seed", files, nil)
			s.Specialise()
			if test.waits != "" {
				if !strings.Contains(s.Waits, test.waits) || s.Setup != Specialising {
					t.Errorf("waits for %q in %s, want %q", s.Waits, s.Setup, test.waits)
				}
				return
			}
			s.Welcome()
			if s.Waits != "" || !strings.HasPrefix(s.Name(), test.computer) || s.Setup.ImageState() == "IMAGE_STATE_COMPLETE" {
				t.Errorf("waits %q, name %s, %s", s.Waits, s.Name(), s.Setup)
			}
			if _, err := s.LogOn("Administrator", test.password, false); err != nil {
				t.Errorf("logging on with %q: %v", test.password, err)
			}
			s.Finish()
			if got := s.Setup.ImageState(); got != "IMAGE_STATE_COMPLETE" {
				t.Error(got)
			}
		})
	}
}

func TestJoin(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*Domain, *System)
		request JoinRequest
		want    error
	}{
		"into a unit":               {request: JoinRequest{Container: unit, User: `CORP\join`, Password: "j"}},
		"into the domain's own":     {request: JoinRequest{User: "join@corp.example", Password: "j"}},
		"by its quota":              {request: JoinRequest{User: "plain", Password: "p"}},
		"no right to":               {request: JoinRequest{Container: unit, User: "plain", Password: "p"}, want: ErrAccessDenied},
		"no such unit":              {request: JoinRequest{Container: "OU=Other,DC=corp,DC=example", User: "join", Password: "j"}, want: ErrFileNotFound},
		"a wrong password":          {request: JoinRequest{User: "join", Password: "x"}, want: ErrLogonFailure},
		"another domain's account":  {request: JoinRequest{User: `OTHER\join`, Password: "j"}, want: ErrLogonFailure},
		"nobody answers":            {change: func(d *Domain, _ *System) { d.Stopped = true }, request: JoinRequest{User: "join", Password: "j"}, want: ErrNoSuchDomain},
		"the quota is spent":        {change: spend, request: JoinRequest{User: "plain", Password: "p"}, want: ErrQuota},
		"the name is there already": {change: taken, request: JoinRequest{User: "join", Password: "j"}, want: ErrReuseBlocked},
		"it is a member already": {change: func(d *Domain, s *System) {
			_ = s.Join(JoinRequest{Domain: d, User: "join", Password: "j"})
		}, request: JoinRequest{User: "join", Password: "j"}, want: ErrJoined},
	} {
		t.Run(name, func(t *testing.T) {
			d, s := domain(), specialised(t, "sql-1")
			if test.change != nil {
				test.change(d, s)
			}
			test.request.Domain = d
			before := len(d.Computers)
			err := s.Join(test.request)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if err != nil {
				if len(d.Computers) != before {
					t.Error("a refused join made a computer object")
				}
				return
			}
			c := d.Computer("SQL-1")
			if c == nil || !strings.HasPrefix(c.DistinguishedName, "CN=SQL-1,") || !s.JoinPending() || s.Domain() != nil || s.DomainName() != "corp.example" {
				t.Errorf("before the restart: %+v, pending %v, %v, %s", c, s.JoinPending(), s.Domain(), s.DomainName())
			}
			s.Boot()
			if s.JoinPending() || s.Domain() != d {
				t.Errorf("after the restart: pending %v, %v", s.JoinPending(), s.Domain())
			}
		})
	}
}

func spend(d *Domain, _ *System) {
	for _, name := range []string{"A", "B"} {
		_, _ = d.CreateComputer(d.Account("plain").SID, "", name)
	}
}

func taken(d *Domain, _ *System) { _, _ = d.CreateComputer(d.Account("join").SID, "", "sql-1") }

func TestWhoLogsOn(t *testing.T) {
	for name, test := range map[string]struct {
		user, password string
		joined         bool
		reachable      bool
		policy         AdministratorPolicy
		want           bool
	}{
		"local":                         {user: "administrator", password: "local", want: true},
		"a domain's, in a workgroup":    {user: `CORP\plain`, password: "p", reachable: true},
		"a domain's, in it":             {user: `CORP\plain`, password: "p", joined: true, reachable: true, want: true},
		"by its UPN":                    {user: "plain@corp.example", password: "p", joined: true, reachable: true, want: true},
		"a domain's, while it is away":  {user: `CORP\plain`, password: "p", joined: true},
		"local, while it is away":       {user: "Administrator", password: "local", joined: true, want: true},
		"local, after rotation":         {user: "Administrator", password: "local", joined: true, reachable: true, policy: RotateAdministrator},
		"local, renamed":                {user: "Administrator", password: "local", joined: true, reachable: true, policy: RenameAdministrator},
		"local, by the new name":        {user: "LocalAdmin", password: "local", joined: true, reachable: true, policy: RenameAdministrator, want: true},
		"local, disabled":               {user: "Administrator", password: "local", joined: true, reachable: true, policy: DisableAdministrator},
		"an empty password":             {user: "Guest", password: ""},
		"a domain's name without it":    {user: "plain", password: "p", joined: true, reachable: true},
		"a local name, another machine": {user: `SQL-2\Administrator`, password: "local"},
	} {
		t.Run(name, func(t *testing.T) {
			d, s := domain(), specialised(t, "sql-1")
			d.AdministratorPolicy = test.policy
			if test.joined {
				if err := s.Join(JoinRequest{Domain: d, User: "join", Password: "j"}); err != nil {
					t.Fatal(err)
				}
				if err := s.AddAdministrators(d.Account("plain").SID); err != nil {
					t.Fatal(err)
				}
				s.Boot()
				s.ApplyPolicy()
			}
			user, err := s.LogOn(test.user, test.password, test.reachable)
			if (err == nil) != test.want {
				t.Errorf("got %v, want it let in: %v", err, test.want)
			}
			if err == nil && !user.Administrator {
				t.Errorf("%+v is no administrator", user)
			}
		})
	}
}

// What an account is not a member of any more lets nobody in as an administrator; a member that is there already is an error.
func TestAdministrators(t *testing.T) {
	s := specialised(t, "sql-1")
	if err := s.AddAdministrators("S-1-5-21-1-2-3-1103"); err != nil {
		t.Error(err)
	}
	if err := s.AddAdministrators("s-1-5-21-1-2-3-1103"); !errors.Is(err, ErrMember) {
		t.Errorf("got %v, want ErrMember", err)
	}
	s.Administrators = nil
	if user, err := s.LogOn("Administrator", "local", false); err != nil || user.Administrator {
		t.Errorf("%+v, %v", user, err)
	}
}

func TestFeatures(t *testing.T) {
	s := specialised(t, "sql-1")
	installed, restart := s.Install([]string{FailoverClustering}, true)
	if !slices.Contains(installed, ClusterPowerShell) || restart {
		t.Errorf("installed %v, restart %v", installed, restart)
	}
	if again, _ := s.Install([]string{FailoverClustering}, true); len(again) != 0 {
		t.Errorf("installed %v again", again)
	}
	if _, restart := s.Install([]string{FileServer}, true); !restart || s.Feature(FileServer) != InstallPending {
		t.Errorf("restart %v, %s", restart, s.Feature(FileServer))
	}
	s.Boot()
	if got := s.Feature(FileServer); got != Installed {
		t.Errorf("after the restart: %s", got)
	}
	s.ClusterService = Service{Running: true}
	s.RemoveFeature(FailoverClustering)
	if s.Feature(FailoverClustering) != Available || s.ClusterService.Running || !s.ClusterService.Disabled {
		t.Errorf("after it was removed: %s, %+v", s.Feature(FailoverClustering), s.ClusterService)
	}
	if _, ok := FeatureNamed("failover-clustering"); !ok {
		t.Error("a feature is not known in other letters")
	}
}

func TestAdapters(t *testing.T) {
	lease := &Lease{Address: netip.MustParsePrefix("10.0.1.100/24"), Gateway: netip.MustParseAddr("10.0.1.1"), DNS: []netip.Addr{netip.MustParseAddr("10.0.1.2")}}
	s := specialised(t, "sql-1")
	nics := []NIC{{MAC: 0x02A101000001, Connected: true, Lease: lease}, {MAC: 0x02A101000002, Connected: true}}
	s.Plug(nics)
	a := s.Adapters()
	if len(a) != 2 || a[0].Name != "Ethernet" || a[1].Name != "Ethernet 2" || a[0].Index == a[1].Index {
		t.Fatalf("%+v", a)
	}
	seen := func(a *Adapter) string {
		return fmt.Sprint(a.Addresses(), a.DefaultGateways(), a.DNSServers())
	}
	if got, want := seen(a[0]), "[{10.0.1.100/24 Dhcp}] [10.0.1.1] [10.0.1.2]"; got != want {
		t.Errorf("with a lease: %s, want %s", got, want)
	}
	if got := seen(a[1]); !strings.HasPrefix(got, "[{169.254.") || !strings.HasSuffix(got, "/16 Link}] [] []") {
		t.Errorf("without a lease: %s", got)
	}
	static := netip.MustParsePrefix("10.0.1.21/24")
	if !a[0].AddAddress(static) || a[0].AddAddress(static) || a[0].DHCP {
		t.Error("an address is added once, and turns DHCP off")
	}
	if got, want := seen(a[0]), "[{10.0.1.21/24 Manual}] [] []"; got != want {
		t.Errorf("with an address: %s, want %s", got, want)
	}
	before := []int64{a[0].Index, a[1].Index}
	s.Boot()
	s.Plug(nics)
	if after := []int64{a[0].Index, a[1].Index}; cmp.Equal(before, after) || a[0].Name != "Ethernet" || len(a[0].Static) != 1 {
		t.Errorf("after a restart: %v as before %v, %+v", after, before, a[0])
	}
	a[0].AskForAddress(true)
	if got, want := seen(a[0]), "[{10.0.1.100/24 Dhcp}] [10.0.1.1] [10.0.1.2]"; got != want {
		t.Errorf("asking again: %s, want %s", got, want)
	}
	if !a[0].AddAddress(static) || !a[0].RemoveAddress(static.Addr()) || a[0].RemoveAddress(static.Addr()) {
		t.Error("an address is removed once")
	}
	s.Plug(nics[1:])
	if left := s.Adapters(); len(left) != 1 || left[0].MAC != hyperv.MAC(0x02A101000002) {
		t.Errorf("after one was taken out: %+v", left)
	}
}

func TestDisks(t *testing.T) {
	const gib = 1 << 30
	var content Content
	one, two := specialised(t, "sql-1"), specialised(t, "sql-2")
	devices := func(size int64) []Device {
		return []Device{
			{UniqueID: "SYSTEM", Size: 127 * gib, System: true, Content: &Content{GUID: "{X}"}}, {UniqueID: UniqueID("abc"), Size: size, Content: &content, LUN: 3},
		}
	}
	one.Attach(devices(gib))
	swapped := devices(gib)
	slices.Reverse(swapped)
	two.Attach(swapped)
	d, other := one.Disk(UniqueID("ABC")), two.Disk(UniqueID("abc"))
	if d == nil || other == nil || d.Number == other.Number || !d.Offline || !d.ReadOnly || d.PartitionStyle() != "RAW" || one.Disks()[0].Offline {
		t.Fatalf("at first: %+v, %+v", d, other)
	}
	d.Content.Initialise("b0a9")
	p := d.Content.AddPartition(d.Size)
	if got := d.PartitionStyle(); got != "RAW" {
		t.Errorf("before Windows looks again: %s", got)
	}
	d.SetOffline(false)
	if d.PartitionStyle() != "GPT" || d.Seen.GUID != "{B0A9}" || one.Disk("b0a9") != d || p.Size >= gib || p.Size < gib-(20<<20) {
		t.Errorf("once it is online: %s, %+v", d.PartitionStyle(), d.Seen)
	}
	if other.PartitionStyle() != "RAW" {
		t.Error("the other one has not looked yet")
	}
	two.Attach(devices(2 * gib))
	if other.SeenSize != gib {
		t.Errorf("size before it looks: %d", other.SeenSize)
	}
	two.Rescan()
	if other.PartitionStyle() != "GPT" || other.SeenSize != 2*gib || content.MaxSize(2*gib) <= p.Size {
		t.Errorf("once it has looked: %+v", other)
	}
}

func TestDirectory(t *testing.T) {
	d := domain()
	join, plain := d.Account("join").SID, d.Account("plain").SID
	c, err := d.CreateComputer(join, unit, "sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.CreateComputer(c.SID, unit, "sqlag"); !errors.Is(err, ErrAccessDenied) {
		t.Errorf("a computer without the right: %v", err)
	}
	if strings.Contains(d.Descriptor(unit), c.SID) {
		t.Error("the descriptor names it before it has the right")
	}
	d.Grant(c.SID, unit)
	if !strings.Contains(d.Descriptor(strings.ToLower(unit)), "(OA;CI;CC;bf967a86-0de6-11d0-a285-00aa003049e2;;"+c.SID+")") {
		t.Errorf("the descriptor does not name it: %s", d.Descriptor(unit))
	}
	made, err := d.CreateComputer(c.SID, unit, "sqlag")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(plain, made); !errors.Is(err, ErrAccessDenied) {
		t.Errorf("removed by a stranger: %v", err)
	}
	if err := d.Remove(c.SID, made); err != nil || d.Computer("SQLAG") != nil || d.ComputerByGUID("{"+c.GUID+"}") != c {
		t.Errorf("removed by its creator: %v", err)
	}
}
