package powershell_test

import (
	"slices"
	"strings"
	"testing"

	"guestclustering.io/operator/test/powershell"
)

// The check of a script's syntax is worth something only if it finds what is wrong.
func TestInspectFindsWhatIsNewerThan51(t *testing.T) {
	tests := map[string]string{
		"a syntax error":   "if (",
		"null coalescing":  "$a = $b ?? 1",
		"ternary":          "$a = $b ? 1 : 2",
		"pipeline chain":   "Get-Item a && Get-Item b",
		"null conditional": "${a}?.Length",
		"background":       "Get-Item a &",
		"number suffix":    "$a = 1u",
		"assign when null": "$a ??= 1",
		"clean block":      "function f { process { } clean { } }",
	}
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			if seen := powershell.Inspect(t, script); len(seen.Problems) == 0 {
				t.Errorf("nothing found in %q", script)
			}
		})
	}
	t.Run("what 5.1 has", func(t *testing.T) {
		seen := powershell.Inspect(t, "$b = 'a'\n& $b @args | Where-Object { $_ -like '*?' }\n$n = 1KB + 0x1f + 2L\nswitch ($n) { 1 { } default { } }\n[Text.StringBuilder]::new()")
		if len(seen.Problems) > 0 {
			t.Error(strings.Join(seen.Problems, "\n"))
		}
		if !slices.Contains(seen.Types, "Text.StringBuilder") {
			t.Errorf("types seen: %v", seen.Types)
		}
	})
}
