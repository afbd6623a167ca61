package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// way is one way to a host, by the package and the name of its benchmarks.
type way struct{ title, pkg, name string }

const drivers = "guestclustering.io/operator/pkg/hostagent/"

var ways = []way{
	{"WinRM, NTLM over TLS", drivers + "winrm", "NTLM"},
	{"WinRM, sealed NTLM over HTTP", drivers + "winrm", "NTLM_sealed"},
	{"WinRM, a process per batch", drivers + "winrm", "one-shot,_NTLM_sealed"},
	{"SSH", drivers + "ssh", "a_process_that_stays"},
	{"SSH, a process per batch", drivers + "ssh", "one-shot"},
}

// machines are those in the inventory that is read in one batch.
const machines = 150

// others is what reading one machine costs where a PowerShell process is started for each script. It was measured with these
// programs' own client code against a server that counts, with Basic: NTLM adds up to two requests to each.
const others = `
For comparison, HTTP requests to read one machine once with a PowerShell process per call:
  taliesins/terraform-provider-hyperv                  756
  windsorcli/terraform-provider-hyperv                 12
  masterzen/winrm's RunPSWithContext, one script       5
`

// waysToHosts compares the ways to a host. What was not measured is a dash.
func waysToHosts(results []result) string {
	var text strings.Builder
	text.WriteString("Ways to a simulated host, on this machine:\n")
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tms/batch\trequests/batch\tbytes/batch\tcalls/s, 8 callers\t4 MB answer, ms\t150 VMs, ms\trequests/VM read")
	for _, w := range ways {
		value := func(benchmark, unit string, convert func(float64) float64) string {
			for _, r := range results {
				if v, found := r.Values[unit]; found && r.Package == w.pkg && r.Name == benchmark+"/"+w.name {
					return fmt.Sprintf("%.4g", convert(v))
				}
			}
			return "-"
		}
		fmt.Fprintln(table, strings.Join([]string{
			w.title,
			value("Run", "ns/op", milliseconds), value("Run", "requests/op", same), value("Run", "bytes/op", same),
			value("Callers", "ns/op", perSecond), value("LargeAnswer", "ns/op", milliseconds), value("Inventory", "ns/op", milliseconds),
			value("Inventory", "requests/op", perMachine),
		}, "\t"))
	}
	_ = table.Flush() // a strings.Builder takes everything
	text.WriteString(others)
	return text.String()
}

func same(v float64) float64         { return v }
func milliseconds(v float64) float64 { return v / 1e6 }
func perSecond(v float64) float64    { return 1e9 / v }
func perMachine(v float64) float64   { return v / machines }
