package wsman

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitCommandLine(t *testing.T) {
	for line, want := range map[string][]string{
		"":                                       nil,
		" \t ":                                   nil,
		`powershell -NoProfile -Command "a b" c`: {"powershell", "-NoProfile", "-Command", "a b", "c"},
		`C:\Windows\powershell.exe  -File	C:\x\y.ps1`:          {`C:\Windows\powershell.exe`, "-File", `C:\x\y.ps1`},
		`"C:\Program Files\pwsh.exe" -Command "say ""x"" now"`: {`C:\Program Files\pwsh.exe`, "-Command", `say "x" now`},
		`x "a\\" b`:    {"x", `a\`, "b"},
		`x "a\"b" c`:   {"x", `a"b`, "c"},
		`x a\\\"b c`:   {"x", `a\"b`, "c"},
		`x "" y`:       {"x", "", "y"},
		`x a"b c"d`:    {"x", "ab cd"},
		`x "not ended`: {"x", "not ended"},
		`x C:\a\ b`:    {"x", `C:\a\`, "b"},
	} {
		t.Run(line, func(t *testing.T) {
			if diff := cmp.Diff(want, splitCommandLine(line)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWithoutShell(t *testing.T) {
	for line, want := range map[string]string{
		`powershell -Command x`:          `powershell -Command x`,
		`"powershell -Command x"`:        `powershell -Command x`,
		` "C:\a b\powershell.exe" `:      `"C:\a b\powershell.exe"`,
		`"C:\a b\powershell.exe" -c "x"`: `"C:\a b\powershell.exe" -c "x"`,
	} {
		if got := withoutShell(line); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]string{
		"PT60S": "1m0s", "PT20.000S": "20s", "PT5M": "5m0s", "PT1H30M": "1h30m0s", "P1DT1S": "24h0m1s", "PT0.5S": "500ms", "P1D": "24h0m0s",
		"": "", "60": "", "P": "", "PT": "", "P1DT": "", "-PT1S": "", "PT1.S": "", "PT99999999999999999999S": "", "60000": "", "1PT1S": "", "PT1S ": "",
	} {
		got, err := parseDuration(text)
		if err != nil && want != "" || err == nil && got.String() != want {
			t.Errorf("%q: got %v, %v; want %q", text, got, err, want)
		}
	}
}
