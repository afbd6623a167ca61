package hyperv

import (
	"cmp"
	"strconv"
	"strings"
)

// The builds of Windows Server ("Windows Server release information").
const (
	Build2012R2 = 9600
	Build2016   = 14393
	Build2019   = 17763
	Build2022   = 20348
	Build2025   = 26100
)

// WindowsName names the Windows Server release of a build as manifests do; an unknown build below the first one has
// no name.
func WindowsName(build int) string {
	releases := []struct {
		build int
		name  string
	}{
		{Build2025, "WindowsServer2025"}, {Build2022, "WindowsServer2022"}, {Build2019, "WindowsServer2019"},
		{Build2016, "WindowsServer2016"}, {Build2012R2, "WindowsServer2012R2"},
	}
	for _, r := range releases {
		if build >= r.build {
			return r.name
		}
	}
	return ""
}

// CompareVersions orders configuration versions such as 9.0 and 10.0 by number, not by text.
func CompareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		if c := cmp.Compare(part(as, i), part(bs, i)); c != 0 {
			return c
		}
	}
	return 0
}

func part(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return 0
	}
	return n
}
