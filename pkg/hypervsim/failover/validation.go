package failover

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Report is the report of a validation, test by test ("Test-Cluster", "Validate Hardware for a Failover Cluster").
type Report struct {
	Nodes []string
	Tests []Test
	// Left is whether tests were left out.
	Left bool
}

// Test is one test of a validation.
type Test struct {
	Category, Name string
	Result         Result
	Messages       []Message
}

// Result is how a test ended.
type Result string

// The results of a test.
const (
	Pass          Result = "Pass"
	Warn          Result = "Warn"
	Fail          Result = "Fail"
	NotApplicable Result = "NotApplicable"
)

// Message is a line in a test's report. Its level is Pass for information.
type Message struct {
	Level Result
	Text  string
}

// The categories of tests.
const (
	categoryInventory = "Inventory"
	categoryNetwork   = "Network"
	categoryStorage   = "Storage"
	categorySystem    = "System Configuration"
)

// disksToValidate is the test that lists the disks that the others are run on.
const disksToValidate = "List Disks To Be Validated"

// validator runs the tests on some computers.
type validator struct {
	computers []Computer
	// inUse are the disks that a cluster has online.
	inUse func(guid string) bool
	// disks are those that can be tested.
	disks  []Disk
	report *Report
	test   *Test
}

// Validate runs the tests on some computers, but for those that are left out by their names or by the names of their categories.
// Disks in use are not tested, nor is what is raw, or seen by one computer alone.
func Validate(computers []Computer, ignore []string, inUse func(guid string) bool) *Report {
	v := &validator{computers: computers, inUse: inUse, report: &Report{}}
	for _, c := range computers {
		v.report.Nodes = append(v.report.Nodes, c.Name())
	}
	for _, t := range tests {
		if named(ignore, t.name) || named(ignore, t.category) {
			v.report.Left = true
			continue
		}
		v.report.Tests = append(v.report.Tests, Test{Category: t.category, Name: t.name, Result: Pass})
		v.test = &v.report.Tests[len(v.report.Tests)-1]
		t.run(v)
	}
	return v.report
}

func named(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// tests are those of Windows Server 2016 and later that have a ground here, under their names there.
var tests = []struct {
	category, name string
	run            func(*validator)
}{
	{categoryInventory, "List Operating System Information", (*validator).nothing},
	{categoryInventory, "List System Information", (*validator).nothing},
	{categoryNetwork, "Validate Cluster Network Configuration", (*validator).networks},
	{categoryNetwork, "Validate IP Configuration", (*validator).addresses},
	{categoryNetwork, "Validate Network Communication", (*validator).communication},
	{categoryNetwork, "Validate Windows Firewall Configuration", (*validator).nothing},
	{categoryStorage, "List Disks", (*validator).nothing},
	{categoryStorage, disksToValidate, (*validator).listDisks},
	{categoryStorage, "Validate Disk Access Latency", (*validator).onDisks},
	{categoryStorage, "Validate Disk Arbitration", (*validator).reservations},
	{categoryStorage, "Validate Disk Failover", (*validator).onDisks},
	{categoryStorage, "Validate File System", (*validator).fileSystems},
	{categoryStorage, "Validate Multiple Arbitration", (*validator).onDisks},
	{categoryStorage, "Validate SCSI device Vital Product Data (VPD)", (*validator).onDisks},
	{categoryStorage, "Validate SCSI-3 Persistent Reservation", (*validator).reservations},
	{categoryStorage, "Validate Simultaneous Failover", (*validator).onDisks},
	{categorySystem, "Validate Active Directory Configuration", (*validator).domains},
	{categorySystem, "Validate Operating System Version", (*validator).versions},
	{categorySystem, "Validate Required Services", (*validator).nothing},
	{categorySystem, "Validate Software Update Levels", (*validator).nothing},
}

func (v *validator) nothing() {}

func (v *validator) info(format string, args ...any) {
	v.test.Messages = append(v.test.Messages, Message{Pass, fmt.Sprintf(format, args...)})
}

func (v *validator) warn(format string, args ...any) {
	if v.test.Result == Pass {
		v.test.Result = Warn
	}
	v.test.Messages = append(v.test.Messages, Message{Warn, fmt.Sprintf(format, args...)})
}

func (v *validator) fail(format string, args ...any) {
	v.test.Result = Fail
	v.test.Messages = append(v.test.Messages, Message{Fail, fmt.Sprintf(format, args...)})
}

// subnets are those of a computer.
func subnets(c Computer) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range c.Adapters() {
		if a.Address.IsValid() {
			out = append(out, a.Address.Masked())
		}
	}
	return out
}

// networks looks for subnets that not all computers are in, or that one is in twice.
func (v *validator) networks() {
	for _, c := range v.computers {
		all := subnets(c)
		slices.SortFunc(all, netip.Prefix.Compare)
		if len(slices.Compact(slices.Clone(all))) < len(all) {
			v.warn("Node %s has several adapters in one subnet; the cluster uses one of them.", c.Name())
		}
		for _, s := range all {
			for _, other := range v.computers {
				if !slices.Contains(subnets(other), s) {
					v.warn("Node %s has no adapter in the subnet %s of node %s.", other.Name(), s, c.Name())
				}
			}
		}
	}
}

// addresses looks for addresses that two adapters have.
func (v *validator) addresses() {
	owner := map[netip.Addr]string{}
	for _, c := range v.computers {
		for _, a := range c.Adapters() {
			if !a.Address.IsValid() {
				continue
			}
			if other, taken := owner[a.Address.Addr()]; taken {
				v.fail("The address %s is on %s and on %s.", a.Address.Addr(), other, c.Name())
			}
			owner[a.Address.Addr()] = c.Name()
		}
	}
}

// communication counts the ways between two computers: none is a failure, one a warning.
func (v *validator) communication() {
	for i, one := range v.computers {
		for _, other := range v.computers[i+1:] {
			switch n := waysBetween(one, other); n {
			case 0:
				v.fail("Node %s is not reachable from node %s by any network.", other.Name(), one.Name())
			case 1:
				v.warn("Node %s is reachable from node %s by only one pair of network interfaces.", other.Name(), one.Name())
			}
		}
	}
}

func waysBetween(one, other Computer) int {
	n := 0
	for _, a := range one.Adapters() {
		b, ok := adapterIn(other, a.Address.Masked())
		if a.Address.IsValid() && ok && a.Segment == b.Segment && one.Condition() == Running && other.Condition() == Running {
			n++
		}
	}
	return n
}

// listDisks finds the disks that can be tested, and says which cannot.
func (v *validator) listDisks() {
	v.disks = nil
	seen := map[string]bool{}
	for _, c := range v.computers {
		for _, d := range c.Disks() {
			if d.Local || d.GUID == "" || seen[strings.ToUpper(d.GUID)] {
				continue
			}
			seen[strings.ToUpper(d.GUID)] = true
			v.listDisk(c, d)
		}
	}
	if len(v.disks) == 0 {
		v.warn("No disks were found on which to perform cluster validation tests.")
	}
}

func (v *validator) listDisk(c Computer, d Disk) {
	all, some := true, false
	for _, other := range v.computers {
		_, sees := diskOf(other, d.GUID)
		all = all && sees
		some = some || sees && other != c
	}
	switch {
	case v.inUse(d.GUID):
		v.warn("Physical disk %s is online in a cluster and will not be tested.", d.GUID)
	case !some:
		v.warn("Physical disk %s is visible from only one node and will not be tested. Validation requires that the disk be visible from at least two nodes. "+
			"The disk is reported as visible at node: %s.", d.GUID, c.Name())
	case !all:
		v.disks = append(v.disks, d)
		v.warn("Physical disk %s is not visible from all nodes.", d.GUID)
	default:
		v.disks = append(v.disks, d)
		v.info("Physical disk %s is visible from all nodes and will be tested.", d.GUID)
	}
}

// onDisks is a test that every disk passes, if there is one.
func (v *validator) onDisks() {
	if len(v.disks) == 0 {
		v.test.Result = NotApplicable
	}
}

// reservations needs disks that take persistent reservations, on every computer.
func (v *validator) reservations() {
	v.onDisks()
	for _, d := range v.disks {
		for _, c := range v.computers {
			if seen, ok := diskOf(c, d.GUID); ok && !seen.Reservations {
				v.fail("Test Disk %s does not support SCSI-3 Persistent Reservations commands needed by clustered storage, on node %s.", d.GUID, c.Name())
			}
		}
	}
}

func (v *validator) fileSystems() {
	v.onDisks()
	for _, d := range v.disks {
		if !d.Formatted {
			v.warn("Disk %s has no partition with NTFS or ReFS.", d.GUID)
		}
	}
}

func (v *validator) domains() {
	first := v.computers[0]
	for _, c := range v.computers[1:] {
		if !strings.EqualFold(c.Domain(), first.Domain()) {
			v.fail("The nodes are not in one domain: %s is in %q, %s in %q.", first.Name(), first.Domain(), c.Name(), c.Domain())
		}
	}
	if first.Domain() == "" && v.test.Result == Pass {
		v.warn("The nodes are in a workgroup.")
	}
}

func (v *validator) versions() {
	first := v.computers[0]
	for _, c := range v.computers[1:] {
		if c.Build() != first.Build() {
			v.fail("The nodes do not run one version of Windows: %s runs build %d, %s build %d.", first.Name(), first.Build(), c.Name(), c.Build())
		}
	}
}
