package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

func TestParseModel(t *testing.T) {
	with := func(change func(*hypervsim.Model)) hypervsim.Model {
		m := hypervsim.DefaultModel()
		change(&m)
		return m
	}
	tests := map[string]struct {
		text string
		want hypervsim.Model
	}{
		"nothing": {"", hypervsim.DefaultModel()},
		"a name":  {"clusterName: rack2", with(func(m *hypervsim.Model) { m.ClusterName = "rack2" })},
		"one host": {
			"hosts:\n- {name: hv01, build: 9600}",
			with(func(m *hypervsim.Model) { m.Hosts = []hypervsim.HostModel{{Name: "hv01", Build: 9600}} }),
		},
		"durations": {
			"durations: {boot: 1m30s, maxMigrations: 1}",
			with(func(m *hypervsim.Model) { m.Durations.Boot, m.Durations.MaxMigrations = 90*time.Second, 1 }),
		},
		"another domain": {
			"domain: {name: lab.example}\ndhcp: []",
			with(func(m *hypervsim.Model) {
				m.Domain, m.DomainSwitch, m.DomainDNS, m.DHCP = windows.DomainModel{Name: "lab.example"}, "", netip.Addr{}, []hypervsim.DHCPModel{}
			}),
		},
		"JSON": {`{"images": []}`, with(func(m *hypervsim.Model) { m.Images = []hypervsim.ImageModel{} })},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseModel([]byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
				t.Errorf("model (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseModelRefuses(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"a field that is none":    {"hostes: []", `unknown field "hostes"`},
		"a duration without unit": {"durations: {boot: '45'}", `durations.boot is "45"; write it as 1.5s or 4m`},
		"a duration that is none": {"durations: {bot: 45s}", `unknown field "bot"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parseModel([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}
