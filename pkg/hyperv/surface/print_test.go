package surface_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/surface"
)

var update = flag.Bool("update", false, "record verdicts and printed examples anew; verdicts need a PowerShell")

const examplesFile = "testdata/examples.ps1"

// TestPrintedExamples keeps what every example looks like as PowerShell, for people to read.
func TestPrintedExamples(t *testing.T) {
	var texts []string
	for _, batch := range examples() {
		text, err := surface.Print(batch)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	got := strings.Join(texts, "\n")
	if *update {
		if err := os.WriteFile(examplesFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(examplesFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("printed otherwise (-recorded +now); -update records anew\n%s", diff)
	}
}

func TestPrint(t *testing.T) {
	vm := func(id string) hostagent.Call { return hostagent.Call{ID: id, Cmdlet: "Get-VM"} }
	remove := func(id string) hostagent.Call {
		return hostagent.Call{ID: id + "-gone", Cmdlet: "Remove-VM", Parameters: p{"VM": hostagent.Ref{Call: id}}}
	}
	tests := map[string]struct {
		calls []hostagent.Call
		want  string
	}{
		"nothing": {},
		"a call that nothing refers to": {
			calls: []hostagent.Call{vm("vm")}, want: "Get-VM\n",
		},
		"a variable": {
			calls: []hostagent.Call{vm("vm"), remove("vm")}, want: "$vm = Get-VM\nRemove-VM -VM $vm\n",
		},
		"names that PowerShell keeps for itself, or that are no names": {
			calls: []hostagent.Call{vm("Host"), vm("1st"), vm("env:PATH"), vm("errorActionPreference"), remove("Host"), remove("1st"), remove("env:PATH"), remove("errorActionPreference")},
			want: "$Host_ = Get-VM\n$v_1st = Get-VM\n$env_PATH = Get-VM\n$errorActionPreference_ = Get-VM\n" +
				"Remove-VM -VM $Host_\nRemove-VM -VM $v_1st\nRemove-VM -VM $env_PATH\nRemove-VM -VM $errorActionPreference_\n",
		},
		"names that PowerShell takes for one": {
			calls: []hostagent.Call{vm("a.b"), vm("A b"), remove("a.b"), remove("A b")},
			want:  "$a_b = Get-VM\n$A_b_ = Get-VM\nRemove-VM -VM $a_b\nRemove-VM -VM $A_b_\n",
		},
		"a property": {
			calls: []hostagent.Call{vm("vm"), {ID: "b", Cmdlet: "Get-ClusterResource", Parameters: p{"VMId": hostagent.Ref{Call: "vm", Property: "Id"}}}},
			want:  "$vm = Get-VM\nGet-ClusterResource -VMId $vm.Id\n",
		},
		"a credential is asked for": {
			calls: []hostagent.Call{{ID: "a", Cmdlet: "Get-Item", Parameters: p{
				"LiteralPath": hostagent.Texts("a"), "Credential": hostagent.Credential{User: `CORP\o'neil`, Password: hostagent.NewSecret("hunter2")},
			}}},
			want: `Get-Item -LiteralPath @('a') -Credential (Get-Credential 'CORP\o''neil')` + "\n",
		},
		"switches, Booleans, numbers and lists": {
			calls: []hostagent.Call{
				{ID: "a", Cmdlet: "New-VHD", Parameters: p{"Path": hostagent.Texts("a", "b"), "SizeBytes": hostagent.Int(1 << 40), "Fixed": hostagent.Bool(true), "AsJob": hostagent.Bool(false)}},
				{ID: "b", Cmdlet: "Set-VM", Parameters: p{"Name": hostagent.Text("a"), "AutomaticCheckpointsEnabled": hostagent.Bool(false)}},
				{ID: "c", Cmdlet: "Get-VM", Parameters: p{"Name": hostagent.List{}}},
			},
			want: "New-VHD -Path @('a', 'b') -SizeBytes 1099511627776 -Fixed -AsJob:$false\nSet-VM -Name 'a' -AutomaticCheckpointsEnabled $false\nGet-VM -Name @()\n",
		},
		"a batch inside a machine": {
			calls: []hostagent.Call{
				vm("vm"),
				{ID: "in", Cmdlet: guestBatch, Parameters: p{
					"VMId":       hostagent.Ref{Call: "vm", Property: "Id"},
					"Credential": hostagent.Credential{User: "o'neil", Password: hostagent.NewSecret("hunter2")},
					"Batch": hostagent.Nested{Batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{
						{ID: "a", Cmdlet: "Get-ClusterNode"},
						{ID: "b", Cmdlet: "Resume-ClusterNode", Parameters: p{"InputObject": hostagent.Ref{Call: "a"}}},
						{ID: "c", Cmdlet: "Get-Cluster", Parameters: p{"Name": hostagent.Text("two\nlines")}},
					}}},
				}},
			},
			want: "$vm = Get-VM\nInvoke-Command -VMId $vm.Id -Credential (Get-Credential 'o''neil') -ScriptBlock {\n" +
				"    $a = Get-ClusterNode\n    Resume-ClusterNode -InputObject $a\n    Get-Cluster -Name 'two\nlines'\n}\n",
		},
		"texts": {
			calls: []hostagent.Call{
				{ID: "a", Cmdlet: "Get-Cluster", Parameters: p{"Name": hostagent.Text(`it's $x "y" ` + "`z")}},
				{ID: "b", Cmdlet: "Get-Cluster", Parameters: p{"Name": hostagent.Text("‘a’ ‚b‛")}},
				{ID: "c", Cmdlet: "Get-Cluster", Parameters: p{"Name": hostagent.Text("two\nlines")}},
				{ID: "d", Cmdlet: "Get-Cluster", Parameters: p{"Name": hostagent.Text("-Domain")}},
				{ID: "e", Cmdlet: "Get-Cluster", Parameters: p{"Name": hostagent.Text("")}},
			},
			want: "Get-Cluster -Name 'it''s $x \"y\" `z'\nGet-Cluster -Name '‘‘a’’ ‚‚b‛‛'\nGet-Cluster -Name 'two\nlines'\nGet-Cluster -Name '-Domain'\nGet-Cluster -Name ''\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := surface.Print(hostagent.Batch{OnError: hostagent.Stop, Calls: test.calls})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPrintRefuses(t *testing.T) {
	tests := map[string]struct {
		value hostagent.Value
		kind  surface.Kind
	}{
		"what does not bind":   {hostagent.Int(1), surface.Unconvertible},
		"a NUL":                {hostagent.Text("a\x00b"), surface.NotAccepted},
		"what is not UTF-8":    {hostagent.Text("a\xffb"), surface.NotAccepted},
		"a batch in a batch":   {hostagent.Nested{}, surface.Unconvertible},
		"a secret for a text":  {hostagent.NewSecret("hunter2"), surface.Unconvertible},
		"a list in a list":     {hostagent.List{hostagent.List{}}, surface.Unconvertible},
		"a credential for one": {hostagent.Credential{User: "u", Password: hostagent.NewSecret("hunter2")}, surface.Unconvertible},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			call := hostagent.Call{ID: "a", Cmdlet: "Get-Cluster", Parameters: p{"Name": test.value}}
			text, err := surface.Print(hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{call}})
			var refusal *surface.Refusal
			if !errors.As(err, &refusal) || refusal.Kind != test.kind {
				t.Fatalf("got %q, %v; want a refusal %s", text, err, test.kind)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

// FuzzPrint holds printing against a reader of PowerShell's own rules for single-quoted strings ("about_Quoting_Rules"):
// the text comes back, and nothing is left over that could run.
func FuzzPrint(f *testing.F) {
	for _, text := range []string{"", "a", "it's", "’", "'‘’‚‛'", "a\nb\r\n", "$(Remove-Item C:\\)", "`'", "\u2028", "@'", "'; Remove-VM *; '", "-Force"} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, name, domain string) {
		call := hostagent.Call{ID: "a", Cmdlet: "Get-Cluster", Parameters: p{"Name": hostagent.Text(name), "Domain": hostagent.Text(domain)}}
		text, err := surface.Print(hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{call}})
		if !utf8.ValidString(name) || !utf8.ValidString(domain) || strings.ContainsRune(name+domain, 0) {
			if err == nil {
				t.Fatalf("%q was printed as %q", name+domain, text)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		rest := text
		for _, want := range []struct{ before, text string }{{"Get-Cluster -Name ", name}, {" -Domain ", domain}} {
			var ok bool
			if rest, ok = strings.CutPrefix(rest, want.before); !ok {
				t.Fatalf("no %q in %q", want.before, text)
			}
			var got string
			if got, rest, ok = readSingleQuoted(rest); !ok || got != want.text {
				t.Fatalf("%q reads as %q", want.text, got)
			}
		}
		if rest != "\n" {
			t.Fatalf("%q is left over of %q", rest, text)
		}
	})
}

// readSingleQuoted reads a single-quoted string as PowerShell does and gives what comes after it.
func readSingleQuoted(text string) (value, rest string, ok bool) {
	isQuote := func(r rune) bool { return strings.ContainsRune("'‘’‚‛", r) }
	runes := []rune(text)
	if len(runes) == 0 || !isQuote(runes[0]) {
		return "", text, false
	}
	var out []rune
	for i := 1; i < len(runes); i++ {
		if isQuote(runes[i]) {
			if i+1 == len(runes) || !isQuote(runes[i+1]) {
				return string(out), string(runes[i+1:]), true
			}
			i++
		}
		out = append(out, runes[i])
	}
	return "", text, false
}
