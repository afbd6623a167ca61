package validation_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/validation"
	"guestclustering.io/operator/pkg/hostagent"
)

func test(title, result, description string, messages ...string) string {
	text := fmt.Sprintf(`<Channel id=%q Type="Test"><SummaryChannel><Value><![CDATA[Storage]]></Value></SummaryChannel><Title><Value><![CDATA[%s]]></Value></Title>`, title, title)
	if result != "" {
		text += "<Result><Value><![CDATA[" + result + "]]></Value></Result>"
	}
	if description != "" {
		text += "<ResultDescription><Value>" + description + "</Value></ResultDescription>"
	}
	return text + strings.Join(messages, "") + "<Table><Row>1</Row></Table></Channel>"
}

func report(tests ...string) string {
	return `<?xml version="1.0" encoding="utf-16"?><Report><Channel id="0" Type="Root"><Node><Value>FILES-1.corp.example</Value></Node>` +
		`<Channel id="Storage" Type="Summary"><ChannelName>Storage</ChannelName></Channel>` + strings.Join(tests, "") + `</Channel></Report>`
}

const (
	first  = "{0A1B2C3D-0000-4000-8000-000000000001}"
	second = "{0A1B2C3D-0000-4000-8000-000000000002}"
)

func message(level, text string) string {
	return fmt.Sprintf(`<Message Level=%q><![CDATA[%s]]></Message>`, level, text)
}

func TestParse(t *testing.T) {
	disks := test("List Disks To Be Validated", "Pass", "",
		message("Info", "Physical disk "+strings.ToLower(first)+" is visible from all nodes and will be tested."),
		message("Warn", "Physical disk "+second+" is visible from only one node and will not be tested."))
	for name, tc := range map[string]struct {
		text string
		want guest.Report
	}{
		"all passed": {report(test("Validate Disk Failover", "Pass", ""), disks), guest.Report{Ran: 2, Disks: []string{first}}},
		"a warning and a failure": {
			report(test("Validate IP Configuration", "Warn", "Success"), test("Validate SCSI-3 Persistent Reservation", "Fail", ""), test("A", "Pass", "")),
			guest.Report{Ran: 3, Warned: []string{"Validate IP Configuration"}, Failed: []string{"Validate SCSI-3 Persistent Reservation"}},
		},
		"only descriptions":         {report(test("A", "", "Failed"), test("B", "", "Warning"), test("C", "", "Success")), guest.Report{Ran: 3, Failed: []string{"A"}, Warned: []string{"B"}}},
		"a test that was not run":   {report(test("A", "NotApplicable", ""), test("B", "Cancelled", ""), test("C", "Pass", "")), guest.Report{Ran: 1, Canceled: []string{"B"}}},
		"a disk from another test":  {report(test("List Disks", "Pass", "", message("Info", first))), guest.Report{Ran: 1}},
		"a name over several lines": {report(test("A\n  B", "Fail", "")), guest.Report{Ran: 1, Failed: []string{"A B"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := validation.Parse(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, *got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEvidenceIsBounded(t *testing.T) {
	var tests []string
	for i := range 100 {
		tests = append(tests, test(fmt.Sprintf("%d %s", i, strings.Repeat("ж", 200)), "Fail", ""))
	}
	got, err := validation.Parse(report(tests...))
	if err != nil {
		t.Fatal(err)
	}
	if got.Ran != 100 || len(got.Failed) != 20 || len(got.Failed[0]) > 120 {
		t.Errorf("%d tests ran, %d are named, the first with %d bytes", got.Ran, len(got.Failed), len(got.Failed[0]))
	}
}

// What is no report is never a verdict.
func TestNoVerdict(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "a page": "<html><body/></html>", "no test": report(), "no result": report(test("A", "", "")), "cut off": report(test("A", "Pass", ""))[:300],
	} {
		if got, err := validation.Parse(text); got != nil || !errors.Is(err, hostagent.Protocol) {
			t.Errorf("%s: %v, %v; want an error of the class Protocol", name, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(report(test("A", "Pass", "")))
	f.Add("<Report><Channel><Channel>")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := validation.Parse(text); err == nil && got.Ran == 0 {
			t.Error("a verdict without a test")
		}
	})
}
