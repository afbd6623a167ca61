package inventory

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/guest/cmdlet"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// MemberState asks a member about its own Windows; features are those whose presence matters.
func MemberState(vmID string, features []string) hostagent.Batch {
	calls := []hostagent.Call{
		cmdlet.SetupProgress("setup"), cmdlet.SetupState("state"), cmdlet.OperatingSystem("os"), cmdlet.Computer("computer"),
		cmdlet.PendingJoin("join"), cmdlet.FindAnswerFile("answer"), cmdlet.ClusterService("service"),
		cmdlet.Adapters("adapters"), cmdlet.Addresses("addresses"), cmdlet.Interfaces("interfaces"), cmdlet.DefaultRoutes("routes"),
		cmdlet.DNSServers("servers"), cmdlet.Registrations("registrations"),
		cmdlet.Administrators("administrators"), cmdlet.Disks("disks"), cmdlet.DiskPlaces("places"), cmdlet.Shares("shares"),
	}
	if len(features) > 0 {
		calls = append(calls, cmdlet.Features("features", features...))
	}
	return read(vmID, calls...)
}

// needed are the calls that every Windows answers once its set-up is over. Who its administrators are it cannot tell while its
// domain does not answer ("Get-LocalGroupMember").
var needed = []string{
	"os", "computer", "service", "adapters", "addresses", "interfaces", "servers", "registrations", "disks", "places", "shares",
}

// DecodeMember reads the answer to MemberState for the same features. While Windows is being set up only SettingUp, Build and
// BootTime are told: what else answers then is not to be trusted yet.
func DecodeMember(features []string, results hostagent.Results) (guest.Member, error) {
	m := guest.Member{Answered: true}
	if err := results.Need("setup", "state", "os"); err != nil {
		return guest.Member{}, fmt.Errorf("reading guest: %w", err)
	}
	m.SettingUp = isSettingUp(results)
	if err := addSystem(&m, results); err != nil {
		return guest.Member{}, fmt.Errorf("reading guest: %w", err)
	}
	if m.SettingUp {
		return m, nil
	}
	ids := needed
	if len(features) > 0 {
		ids = append(slices.Clone(ids), "features")
	}
	if err := results.Need(ids...); err != nil {
		return guest.Member{}, fmt.Errorf("reading guest: %w", err)
	}
	for _, decode := range []func(*guest.Member, hostagent.Results) error{addMarks, addFeatures, addAdapters, addDisks} {
		if err := decode(&m, results); err != nil {
			return guest.Member{}, fmt.Errorf("reading guest: %w", err)
		}
	}
	for _, o := range results.ByID("administrators").Values {
		m.Administrators = append(m.Administrators, o.Text("SID"))
	}
	for _, o := range results.ByID("shares").Values {
		m.Shares = append(m.Shares, guest.Share{
			Name: o.Text("Name"), ScopeName: o.Text("ScopeName"), Path: o.Text("Path"), ContinuouslyAvailable: o.Bool("ContinuouslyAvailable"),
		})
	}
	return m, nil
}

// isSettingUp: set-up is over when both say so ("SystemSetupInProgress", "Windows Setup States"). A value that is not there says
// nothing yet.
func isSettingUp(results hostagent.Results) bool {
	for _, o := range results.ByID("setup").Values {
		if o["SystemSetupInProgress"] != nil && o.Int("SystemSetupInProgress") == 0 {
			for _, o := range results.ByID("state").Values {
				return o.Text("ImageState") != "IMAGE_STATE_COMPLETE"
			}
		}
	}
	return true
}

func addSystem(m *guest.Member, results hostagent.Results) error {
	for _, o := range results.ByID("os").Values {
		booted, err := o.Time("LastBootUpTime")
		if err != nil {
			return err
		}
		build, _ := strconv.Atoi(o.Text("BuildNumber")) // 0 where it is told otherwise than Windows tells it
		m.Build, m.BootTime = build, booted
	}
	for _, o := range results.ByID("computer").Values {
		m.ComputerName = o.Text("Name")
		if o.Bool("PartOfDomain") {
			m.Domain = o.Text("Domain")
		}
	}
	return nil
}

// addMarks reads what is there or not there.
func addMarks(m *guest.Member, results hostagent.Results) error {
	join, err := isThere(results.ByID("join"))
	if err != nil {
		return err
	}
	answer, err := isThere(results.ByID("answer"))
	m.RestartPending, m.AnswerFile = join, answer
	m.ClusterService = guest.ServiceAbsent
	for _, o := range results.ByID("service").Values {
		m.ClusterService = clusterService(o)
	}
	return err
}

// isThere reads a call that fails with category ObjectNotFound where what it asks for is not there.
func isThere(r hostagent.Result) (bool, error) {
	if r.State == hostagent.Done {
		return len(r.Values) > 0, nil
	}
	err := hostagent.Results{r}.Need(r.ID)
	if errors.Is(err, hostagent.NotFound) {
		return false, nil
	}
	return false, err
}

func clusterService(o hostagent.Object) guest.ClusterService {
	switch {
	case o.Text("StartMode") == "Disabled":
		return guest.ServiceDisabled
	case o.Text("State") == "Running":
		return guest.ServiceRunning
	default:
		return guest.ServiceStopped
	}
}

func addFeatures(m *guest.Member, results hostagent.Results) error {
	for _, o := range results.ByID("features").Values {
		switch o.Text("InstallState") {
		case "Installed":
			m.Features = append(m.Features, o.Text("Name"))
		case "InstallPending", "UninstallPending":
			m.RestartPending = true
		}
	}
	return nil
}

func addAdapters(m *guest.Member, results hostagent.Results) error {
	position := map[int64]int{}
	for _, o := range results.ByID("adapters").Values {
		mac, err := hyperv.ParseMAC(o.Text("MacAddress"))
		if err != nil {
			// An adapter of another kind, such as a tunnel's, is none that we look for.
			continue
		}
		position[o.Int("InterfaceIndex")] = len(m.Adapters)
		m.Adapters = append(m.Adapters, guest.Adapter{Index: o.Int("InterfaceIndex"), Name: o.Text("Name"), MAC: mac})
	}
	each := func(call string, add func(*guest.Adapter, hostagent.Object) error) error {
		for _, o := range results.ByID(call).Values {
			if i, ok := position[o.Int("InterfaceIndex")]; ok {
				if err := add(&m.Adapters[i], o); err != nil {
					return fmt.Errorf("adapter %s: %w: %w", m.Adapters[i].Name, hostagent.Protocol, err)
				}
			}
		}
		return nil
	}
	return errors.Join(
		each("addresses", addAddress), each("routes", addGateway), each("servers", addServers),
		each("interfaces", func(a *guest.Adapter, o hostagent.Object) error {
			a.DHCP = o.Text("Dhcp") == "Enabled"
			return nil
		}),
		each("registrations", func(a *guest.Adapter, o hostagent.Object) error {
			a.Registers = o.Bool("RegisterThisConnectionsAddress")
			return nil
		}),
	)
}

func addAddress(a *guest.Adapter, o hostagent.Object) error {
	address, err := netip.ParseAddr(o.Text("IPAddress"))
	if err != nil {
		return err
	}
	// A link-local address comes and goes by itself.
	if o.Text("SuffixOrigin") != "Link" && !address.IsLinkLocalUnicast() {
		a.Addresses = append(a.Addresses, netip.PrefixFrom(address, int(o.Int("PrefixLength"))))
	}
	return nil
}

func addGateway(a *guest.Adapter, o hostagent.Object) error {
	gateway, err := netip.ParseAddr(o.Text("NextHop"))
	if err == nil && !gateway.IsUnspecified() {
		a.Gateways = append(a.Gateways, gateway)
	}
	return err
}

func addServers(a *guest.Adapter, o hostagent.Object) error {
	for _, text := range o.Texts("ServerAddresses") {
		server, err := netip.ParseAddr(text)
		if err != nil {
			return err
		}
		a.DNSServers = append(a.DNSServers, server)
	}
	return nil
}

func addDisks(m *guest.Member, results hostagent.Results) error {
	places := map[int64]hostagent.Object{}
	for _, o := range results.ByID("places").Values {
		places[o.Int("Index")] = o
	}
	for _, o := range results.ByID("disks").Values {
		place, ok := places[o.Int("Number")]
		if !ok {
			// It came between the two calls; the next reading has both.
			continue
		}
		m.Disks = append(m.Disks, guest.Disk{
			Number: o.Int("Number"), Port: place.Int("SCSIPort"), LUN: place.Int("SCSILogicalUnit"), SizeBytes: o.Int("Size"), FreeBytes: o.Int("LargestFreeExtent"),
			UniqueID: o.Text("UniqueId"), GUID: gptGUID(o), Raw: strings.EqualFold(o.Text("PartitionStyle"), "RAW"),
			Offline: o.Bool("IsOffline"), Boot: o.Bool("IsBoot"),
		})
	}
	return nil
}

func gptGUID(o hostagent.Object) string {
	if !strings.EqualFold(o.Text("PartitionStyle"), "GPT") {
		return ""
	}
	return strings.ToUpper(o.Text("Guid"))
}
