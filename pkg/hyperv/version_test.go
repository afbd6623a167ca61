package hyperv_test

import (
	"testing"

	"guestclustering.io/operator/pkg/hyperv"
)

func TestWindowsName(t *testing.T) {
	cases := map[string]struct {
		build int
		want  string
	}{
		"2012 R2":            {9600, "WindowsServer2012R2"},
		"2016":               {14393, "WindowsServer2016"},
		"between 2016, 2019": {16299, "WindowsServer2016"},
		"2019":               {17763, "WindowsServer2019"},
		"2022":               {20348, "WindowsServer2022"},
		"2025":               {26100, "WindowsServer2025"},
		"newer":              {30000, "WindowsServer2025"},
		"too old":            {9200, ""},
		"not known":          {0, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := hyperv.WindowsName(tc.build); got != tc.want {
				t.Errorf("build %d is %q, want %q", tc.build, got, tc.want)
			}
		})
	}
}

func TestCompareVersions(t *testing.T) {
	cases := map[string]struct {
		reason string
		a, b   string
		want   int
	}{
		"equal":         {reason: "It is the same version.", a: "9.0", b: "9.0", want: 0},
		"two digits":    {reason: "10.0 is newer than 9.3, though not as text.", a: "10.0", b: "9.3", want: 1},
		"minor":         {reason: "9.1 came after 9.0.", a: "9.0", b: "9.1", want: -1},
		"fewer parts":   {reason: "A part that is left out is 0.", a: "9", b: "9.0", want: 0},
		"none":          {reason: "Any version is newer than none.", a: "", b: "5.0", want: -1},
		"no number":     {reason: "What is no number counts as 0.", a: "x.1", b: "0.1", want: 0},
		"experimental":  {reason: "255.0 is above every release.", a: "255.0", b: "12.0", want: 1},
		"more specific": {reason: "9.0.1 is newer than 9.0.", a: "9.0.1", b: "9.0", want: 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := hyperv.CompareVersions(tc.a, tc.b); got != tc.want {
				t.Errorf("%s\n%q against %q gives %d, want %d", tc.reason, tc.a, tc.b, got, tc.want)
			}
			if got := hyperv.CompareVersions(tc.b, tc.a); got != -tc.want {
				t.Errorf("%s\nthe other way round gives %d, want %d", tc.reason, got, -tc.want)
			}
		})
	}
}
