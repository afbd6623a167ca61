package hyperv

import (
	"fmt"
	"strconv"
	"strings"
)

// MAC is a 48-bit hardware address as a number, so that ranges compare.
type MAC uint64

// ParseMAC reads twelve hexadecimal digits, with or without dashes or colons.
func ParseMAC(text string) (MAC, error) {
	digits := strings.NewReplacer("-", "", ":", "").Replace(text)
	if len(digits) != 12 {
		return 0, fmt.Errorf("%q is no MAC address: want twelve hexadecimal digits", text)
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no MAC address: want twelve hexadecimal digits", text)
	}
	return MAC(n), nil
}

// String gives twelve digits without separators, as Windows prints an adapter's address.
func (m MAC) String() string { return fmt.Sprintf("%012X", uint64(m)) }

// Dashed gives the form of manifests: 02-A1-01-00-00-00.
func (m MAC) Dashed() string {
	s := m.String()
	return strings.Join([]string{s[0:2], s[2:4], s[4:6], s[6:8], s[8:10], s[10:12]}, "-")
}

// MACRange is a range of addresses, both ends included.
type MACRange struct{ First, Last MAC }

// ParseMACRange reads a range and refuses one that runs backwards.
func ParseMACRange(first, last string) (MACRange, error) {
	f, err := ParseMAC(first)
	if err != nil {
		return MACRange{}, err
	}
	l, err := ParseMAC(last)
	if err != nil {
		return MACRange{}, err
	}
	if l < f {
		return MACRange{}, fmt.Errorf("range %s to %s runs backwards: give the lower address first", f.Dashed(), l.Dashed())
	}
	return MACRange{First: f, Last: l}, nil
}

// Contains reports whether the address lies in the range.
func (r MACRange) Contains(m MAC) bool { return r.First <= m && m <= r.Last }

// Overlaps reports whether the ranges share an address.
func (r MACRange) Overlaps(o MACRange) bool { return r.First <= o.Last && o.First <= r.Last }
