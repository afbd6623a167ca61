package failover

import (
	"encoding/xml"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

func (r *Report) result(name string) Result {
	for _, t := range r.Tests {
		if t.Name == name {
			return t.Result
		}
	}
	return "none"
}

func unused(string) bool { return false }

func TestValidate(t *testing.T) {
	t.Parallel()
	const (
		persistent = "Validate SCSI-3 Persistent Reservation"
		domains    = "Validate Active Directory Configuration"
		ways       = "Validate Network Communication"
		failover   = "Validate Disk Failover"
	)
	for name, row := range map[string]struct {
		change func(*lab)
		test   string
		want   Result
	}{
		"all is well, disks":        {func(*lab) {}, disksToValidate, Pass},
		"all is well, reservations": {func(*lab) {}, persistent, Pass},
		"all is well, networks":     {func(*lab) {}, ways, Pass},
		"no reservations":           {func(l *lab) { l.disks[0].Reservations = false }, persistent, Fail},
		"raw disks":                 {func(l *lab) { l.disks[0].GUID = "" }, disksToValidate, Warn},
		"raw disks, failover":       {func(l *lab) { l.disks[0].GUID = "" }, failover, NotApplicable},
		"a disk of one node":        {func(l *lab) { l.disks[0].on[l.computers[1]], l.disks[0].on[l.computers[2]] = false, false }, disksToValidate, Warn},
		"a disk of one node, tests": {func(l *lab) { l.disks[0].on[l.computers[1]], l.disks[0].on[l.computers[2]] = false, false }, failover, NotApplicable},
		"a disk of two nodes":       {func(l *lab) { l.disks[0].on[l.computers[1]] = false }, disksToValidate, Warn},
		"no file system":            {func(l *lab) { l.disks[0].Formatted = false }, "Validate File System", Warn},
		"one network":               {func(l *lab) { l.computers[1].clusterCut = true }, ways, Warn},
		"no network": {func(l *lab) {
			l.computers[1].clusterCut, l.computers[1].clientCut = true, true
		}, ways, Fail},
		"a node is off":      {func(l *lab) { l.computers[1].condition = Off }, ways, Fail},
		"a subnet is missed": {func(l *lab) { l.computers[1].clusterCut = true }, "Validate Cluster Network Configuration", Warn},
		"one address twice":  {func(l *lab) { l.computers[1].number = 0 }, "Validate IP Configuration", Fail},
		"two domains":        {func(l *lab) { l.computers[1].domain = "other.example" }, domains, Fail},
		"a workgroup": {func(l *lab) {
			for _, c := range l.computers {
				c.domain = ""
			}
		}, domains, Warn},
		"two versions": {func(l *lab) { l.computers[1].build = 17763 }, "Validate Operating System Version", Fail},
	} {
		l := newLab(3, 1)
		row.change(l)
		report := Validate([]Computer{l.computers[0], l.computers[1], l.computers[2]}, nil, unused)
		if got := report.result(row.test); got != row.want {
			t.Errorf("%s: %s is %s, want %s", name, row.test, got, row.want)
		}
	}
}

func TestValidateLeavesOut(t *testing.T) {
	t.Parallel()
	l := newLab(2, 1)
	computers := []Computer{l.computers[0], l.computers[1]}
	report := Validate(computers, []string{"storage", "List System Information"}, unused)
	for _, test := range report.Tests {
		if test.Category == categoryStorage || test.Name == "List System Information" {
			t.Errorf("%s was to be left out", test.Name)
		}
	}
	if !report.Left || len(report.Tests) == 0 {
		t.Errorf("left %v, %d tests", report.Left, len(report.Tests))
	}
	report = Validate(computers, nil, func(guid string) bool { return guid == "{D1}" })
	if got := report.result(disksToValidate); got != Warn {
		t.Errorf("a disk in use: %s, want %s", got, Warn)
	}
}

// TestReportXML reads the report as public scripts do that read Test-Cluster's.
func TestReportXML(t *testing.T) {
	t.Parallel()
	l := newLab(2, 2)
	l.disks[1].Reservations = false
	report := Validate([]Computer{l.computers[0], l.computers[1]}, []string{"Inventory"}, unused)
	type value struct {
		Value string `xml:"Value"`
	}
	var read struct {
		Channel struct {
			ValidationResult value   `xml:"ValidationResult"`
			Node             []value `xml:"Node"`
			Channel          []struct {
				ID                string `xml:"id,attr"`
				Type              string `xml:"Type,attr"`
				ChannelName       string
				SummaryChannel    value
				Title             value
				Result            value
				ResultDescription value
				Message           []struct {
					Level string `xml:"Level,attr"`
					Text  string `xml:",chardata"`
				}
			}
		}
	}
	text := report.XML()
	must(t, xml.Unmarshal([]byte(text), &read))
	bits, err := strconv.Atoi(read.Channel.ValidationResult.Value)
	must(t, err)
	if want := bitCompleted | bitLeft | bitFailures; bits != want {
		t.Errorf("bits are %#x, want %#x", bits, want)
	}
	if !strings.Contains(text, "<![CDATA[") || len(read.Channel.Node) != 2 || read.Channel.Node[0].Value != "A" {
		t.Errorf("nodes %v in %s", read.Channel.Node, text)
	}
	categories, results, tested := map[string]bool{}, map[string]string{}, ""
	for _, c := range read.Channel.Channel {
		if c.Type == "Summary" {
			categories[c.ID] = c.ChannelName == c.ID
			continue
		}
		if !categories[c.SummaryChannel.Value] {
			t.Errorf("test %s is in category %q, which was not before it", c.Title.Value, c.SummaryChannel.Value)
		}
		results[c.Title.Value] = c.Result.Value + " " + c.ResultDescription.Value
		for _, m := range c.Message {
			if c.Title.Value == disksToValidate && m.Level == "Info" {
				tested += m.Text
			}
		}
	}
	if got := results["Validate SCSI-3 Persistent Reservation"]; got != "Fail Failed" {
		t.Errorf("result is %q", got)
	}
	if got := results["Validate Disk Failover"]; got != "Pass Success" {
		t.Errorf("result is %q", got)
	}
	if !strings.Contains(tested, "{D1}") || !strings.Contains(tested, "{D2}") {
		t.Errorf("tested disks are told as %q", tested)
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for subnet, want := range map[string]string{"10.0.1.0/24": "255.255.255.0", "10.0.0.0/15": "255.254.0.0", "10.0.1.128/25": "255.255.255.128"} {
		if got := Mask(netip.MustParsePrefix(subnet)); got != want {
			t.Errorf("%s: %s, want %s", subnet, got, want)
		}
	}
}
