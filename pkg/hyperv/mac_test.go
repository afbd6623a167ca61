package hyperv_test

import (
	"testing"

	"pgregory.net/rapid"

	"guestclustering.io/operator/pkg/hyperv"
)

func TestParseMAC(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		want   hyperv.MAC
		err    string
	}{
		"as Windows prints it":  {reason: "Adapters tell it without separators.", text: "02A101000001", want: 0x02A101000001},
		"as manifests write it": {reason: "Ranges are written with dashes.", text: "02-A1-01-00-00-01", want: 0x02A101000001},
		"with colons":           {reason: "Other systems write it so.", text: "02:a1:01:00:00:01", want: 0x02A101000001},
		"too short":             {reason: "A part is no address.", text: "02A1", err: `"02A1" is no MAC address: want twelve hexadecimal digits`},
		"no digits":             {reason: "Only hexadecimal digits count.", text: "02A10100000G", err: `"02A10100000G" is no MAC address: want twelve hexadecimal digits`},
		"with a sign":           {reason: "A number's sign is no digit.", text: "+2A101000001", err: `"+2A101000001" is no MAC address: want twelve hexadecimal digits`},
		"empty":                 {reason: "An adapter may have none yet.", text: "", err: `"" is no MAC address: want twelve hexadecimal digits`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := hyperv.ParseMAC(tc.text)
			if got != tc.want || message(err) != tc.err {
				t.Errorf("%s\ngot %s and error %q, want %s and error %q", tc.reason, got, message(err), tc.want, tc.err)
			}
		})
	}
}

func TestMACSurvivesItsTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mac := hyperv.MAC(rapid.Uint64Range(0, 1<<48-1).Draw(t, "mac"))
		for _, text := range []string{mac.String(), mac.Dashed()} {
			if got, err := hyperv.ParseMAC(text); err != nil || got != mac {
				t.Fatalf("%q became %s, %v", text, got, err)
			}
		}
	})
}

func TestMACRange(t *testing.T) {
	if _, err := hyperv.ParseMACRange("02-A1-01-00-00-09", "02-A1-01-00-00-01"); message(err) !=
		"range 02-A1-01-00-00-09 to 02-A1-01-00-00-01 runs backwards: give the lower address first" {
		t.Errorf("a range that runs backwards gives %v", err)
	}
	for _, bounds := range [][2]string{{"x", "02-A1-01-00-00-01"}, {"02-A1-01-00-00-01", "x"}} {
		if _, err := hyperv.ParseMACRange(bounds[0], bounds[1]); message(err) != `"x" is no MAC address: want twelve hexadecimal digits` {
			t.Errorf("range %v gives %v", bounds, err)
		}
	}
	one, err := hyperv.ParseMACRange("02-A1-01-00-00-05", "02-A1-01-00-00-05")
	if err != nil || !one.Contains(one.First) {
		t.Errorf("a range of one address is %v, %v", one, err)
	}
}

func TestMACRangesOverlapWhereTheyShareAnAddress(t *testing.T) {
	bound := rapid.Uint64Range(0, 12)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) hyperv.MACRange {
			a, b := bound.Draw(t, name), bound.Draw(t, name)
			return hyperv.MACRange{First: hyperv.MAC(min(a, b)), Last: hyperv.MAC(max(a, b))}
		}
		a, b := draw("a"), draw("b")
		shared := false
		for mac := hyperv.MAC(0); mac <= 12; mac++ {
			shared = shared || a.Contains(mac) && b.Contains(mac)
		}
		if a.Overlaps(b) != shared || b.Overlaps(a) != shared {
			t.Fatalf("%v and %v: overlap is %v, want %v", a, b, a.Overlaps(b), shared)
		}
	})
}
