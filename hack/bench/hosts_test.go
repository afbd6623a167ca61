package main

import (
	"strings"
	"testing"
)

func TestWaysToHosts(t *testing.T) {
	text := waysToHosts([]result{
		{Package: drivers + "winrm", Name: "Run/NTLM", Values: map[string]float64{"ns/op": 5e5, "requests/op": 2, "bytes/op": 5654}},
		{Package: drivers + "winrm", Name: "Callers/NTLM", Values: map[string]float64{"ns/op": 2e5}},
		{Package: drivers + "winrm", Name: "Inventory/NTLM", Values: map[string]float64{"ns/op": 18e6, "requests/op": 3}},
		{Package: "another", Name: "Run/one-shot", Values: map[string]float64{"ns/op": 1}},
	})
	rows := map[string]string{}
	for line := range strings.Lines(text) {
		for _, w := range ways {
			if rest, found := strings.CutPrefix(line, w.title+"  "); found {
				rows[w.title] = strings.Join(strings.Fields(rest), " ")
			}
		}
	}
	for title, want := range map[string]string{
		"WinRM, NTLM over TLS":     "0.5 2 5654 5000 - 18 0.02",
		"SSH, a process per batch": "- - - - - - -",
	} {
		if rows[title] != want {
			t.Errorf("%s: %q, want %q\n%s", title, rows[title], want, text)
		}
	}
}
