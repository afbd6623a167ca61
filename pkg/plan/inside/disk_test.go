package inside_test

import (
	"testing"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/plan/inside"
)

// settled is when members have joined and their disks are initialised.
func settled(t *testing.T) *stage { return before(t, files(), "validate") }

// blank is when disks are to be initialised.
func blank(t *testing.T) *stage {
	want := workgroup()
	want.Disks = files().Disks
	s := before(t, want, "set-up/FILES-1")
	// Nothing else is left to do.
	done := before(t, want, "validate")
	for n := range 2 {
		s.member(n+1, func(m *guest.Member) {
			disks := m.Disks
			*m = done.seen.Members[vmID(n+1)]
			m.Disks = disks
		})
	}
	return s
}

// shared changes a member's view of its n-th shared disk.
func shared(s *stage, member, n int, change func(*guest.Disk)) {
	s.member(member, func(m *guest.Member) { change(&m.Disks[n]) })
}

func TestDisksAreInitialisedOnce(t *testing.T) {
	checkCalls(t, blank, map[string]moment{
		"they are raw": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label witness -UniqueId naa.witness",
			"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
		}, differs: func(*stage) {}},
		"one is not attached everywhere": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
			"wait (PreparingDisks): disk witness is looked for inside once every member's machine has it",
		}, differs: func(s *stage) { s.want.Disks[0].Attached = false }},
		"one member does not answer": {plan: []string{
			"wait (WaitingForGuest): the Windows in FILES-2 does not answer: no route",
		}, differs: func(s *stage) { s.silence(2) }},
		"one is not raw for a member": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
			"block (DiskHasData): disk witness has a partition table that is not GPT; it is never formatted: convert it, or use another disk",
		}, differs: func(s *stage) { shared(s, 2, 1, func(d *guest.Disk) { d.Raw = false }) }},
		"one has a GUID for a member": {plan: []string{
			"set-up/FILES-1: Update-HostStorageCache",
			"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
			"wait (PreparingDisks): recording the GUID of disk witness",
		}, differs: func(s *stage) { shared(s, 2, 1, func(d *guest.Disk) { d.Raw, d.GUID = false, "{01}" }) }},
		"members read different GUIDs": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
			"block (DisksIndistinguishable): members see different contents on disk witness; restart the member that is wrong",
		}, differs: func(s *stage) {
			shared(s, 1, 1, func(d *guest.Disk) { d.Raw, d.GUID = false, "{01}" })
			shared(s, 2, 1, func(d *guest.Disk) { d.Raw, d.GUID = false, "{02}" })
		}},
		"one was adopted": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label witness -UniqueId naa.witness",
			"block (DiskHasData): disk data was adopted and Windows knows no partition table on it; it is never formatted: initialise it as GPT by hand, or use a new disk",
		}, differs: func(s *stage) { s.want.Disks[1].Formattable = false }},
		"one was recorded and is empty now": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label witness -UniqueId naa.witness",
			"block (DiskLost): disk data (GUID {01}) is empty now; put the right file back, or restore it: it is not formatted again",
		}, differs: func(s *stage) { s.want.Disks[1].GUID = "{01}" }},
		"one is smaller": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
			"set-up/FILES-2: Update-HostStorageCache",
			"wait (PreparingDisks): disk witness is not seen by every member as it should be (location 0, 1073741824 bytes)",
		}, differs: func(s *stage) { shared(s, 2, 1, func(d *guest.Disk) { d.SizeBytes /= 2 }) }},
		"one grew since Windows looked": {
			plan: []string{
				"set-up/FILES-1: Update-HostStorageCache",
				"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
				"set-up/FILES-2: Update-HostStorageCache",
				"wait (PreparingDisks): disk witness is not seen by every member as it should be (location 0, 2147483648 bytes)",
			},
			differs: func(s *stage) { s.want.Disks[0].SizeBytes *= 2 },
		},
		"one is in another place": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
			"wait (PreparingDisks): disk witness is not seen by every member as it should be (location 0, 1073741824 bytes)",
		}, differs: func(s *stage) { shared(s, 2, 1, func(d *guest.Disk) { d.LUN = 9 }) }},
		"one is on the boot disk's port": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
			"wait (PreparingDisks): disk witness is not seen by every member as it should be (location 0, 1073741824 bytes)",
		}, differs: func(s *stage) { shared(s, 2, 1, func(d *guest.Disk) { d.Port = 0 }) }},
		"one is another one for a member": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
			"wait (PreparingDisks): disk witness is not seen by every member as it should be (location 0, 1073741824 bytes)",
		}, differs: func(s *stage) { shared(s, 2, 1, func(d *guest.Disk) { d.UniqueID = "naa.other" }) }},
		"a member has one like it": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label witness -UniqueId naa.witness",
			"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
		}, differs: func(s *stage) {
			s.member(1, func(m *guest.Member) { m.Disks = append(m.Disks, like(m.Disks[1], "naa.private")) })
		}},
		"all members have one like it": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
			"block (DisksIndistinguishable): disk witness cannot be told from another one inside (unique ids naa.iscsi, naa.witness); take off what is not in sharedDisks, or give it another size",
		}, differs: func(s *stage) {
			for n := range 2 {
				s.member(n+1, func(m *guest.Member) { m.Disks = append(m.Disks, like(m.Disks[1], "naa.iscsi")) })
			}
		}},
		"a member sees one twice": {plan: []string{
			"set-up/FILES-1: Initialize-SharedDisk -Label data -UniqueId naa.data",
			"block (DisksIndistinguishable): FILES-1 sees disk witness more than once (unique id naa.witness); take off the copies",
		}, differs: func(s *stage) {
			s.member(1, func(m *guest.Member) { m.Disks = append(m.Disks, like(m.Disks[1], m.Disks[1].UniqueID)) })
		}},
		"two are one and the same": {plan: []string{
			"block (DisksIndistinguishable): disks witness and data are one and the same inside (unique id naa.witness); each needs a file of its own",
		}, differs: func(s *stage) {
			s.want.Disks[1].LUN, s.want.Disks[1].SizeBytes = s.want.Disks[0].LUN, s.want.Disks[0].SizeBytes
		}},
		"a service is not disabled": {plan: []string{
			"wait (Forming): a member is a node of a cluster that does not answer; no cluster is formed meanwhile",
		}, differs: func(s *stage) { s.member(2, func(m *guest.Member) { m.ClusterService = guest.ServiceStopped }) }},
	})
}

// A cluster's disk is left to the cluster, also when nobody remembers it.
func TestAClustersDiskIsLeftAlone(t *testing.T) {
	checkCalls(t, serving, map[string]moment{
		"its GUID was lost": {
			plan: []string{
				"wait (PreparingDisks): recording the GUID of disk data",
				"wait (ConfiguringCluster): the GUID of disk data is not recorded yet, on which role FILES-FS has its shares",
			},
			differs: func(s *stage) {
				s.want.Disks[1].GUID = ""
				shared(s, 2, 2, func(d *guest.Disk) { d.Offline = false })
			},
		},
	})
}

func like(d guest.Disk, uniqueID string) guest.Disk {
	d.Number, d.Port, d.UniqueID = 30, 30, uniqueID
	return d
}

func TestDisksAreQuiet(t *testing.T) {
	checkCalls(t, settled, map[string]moment{
		"a disk is online on a member": {plan: []string{"set-up/FILES-2: Set-Disk -IsOffline true -UniqueId naa.witness"}, differs: func(s *stage) { shared(s, 2, 1, func(d *guest.Disk) { d.Offline = false }) }},
		"a member has not read it":     {plan: []string{"set-up/FILES-2: Update-HostStorageCache"}, differs: func(s *stage) { shared(s, 2, 1, func(d *guest.Disk) { d.Raw, d.GUID = true, "" }) }},
		"a copy has its GUID": {plan: []string{
			"block (DisksIndistinguishable): disk witness cannot be told from another one inside (unique ids naa.copy, naa.witness); take off what is not in sharedDisks, or give it another size",
		}, differs: func(s *stage) {
			s.member(1, func(m *guest.Member) { m.Disks = append(m.Disks, like(m.Disks[1], "naa.copy")) })
		}},
		"its place does not matter any more": {plan: []string{
			`validate: Start-ClusterValidation -Credential CORP\forming -Id f651b7a227a92e326788ee3c -Node FILES-1,FILES-2`,
		}, differs: func(s *stage) {
			for n := range 2 {
				shared(s, n+1, 1, func(d *guest.Disk) { d.LUN, d.SizeBytes = 9, 2*d.SizeBytes })
			}
		}},
		"nobody sees it": {plan: []string{
			"wait (PreparingDisks): disk data is not seen by every member as it should be (location 1, 536870912000 bytes)",
		}, differs: func(s *stage) {
			for n := range 2 {
				s.member(n+1, func(m *guest.Member) { m.Disks = m.Disks[:2] })
			}
		}},
	})
}

// What is recorded is what all members see as one disk, whatever is on it, and only then.
func TestRecordDisks(t *testing.T) {
	read := func(s *stage, members ...int) {
		for _, n := range members {
			shared(s, n, 1, func(d *guest.Disk) { d.Raw, d.GUID = false, "{01}" })
		}
	}
	tests := map[string]struct {
		differs func(*stage)
		guid    string
	}{
		"raw":                  {differs: func(*stage) {}},
		"read by one":          {differs: func(s *stage) { read(s, 1) }, guid: "{01}"},
		"read by all":          {differs: func(s *stage) { read(s, 1, 2) }, guid: "{01}"},
		"adopted":              {differs: func(s *stage) { read(s, 1, 2); s.want.Disks[0].Formattable = false }, guid: "{01}"},
		"recorded already":     {differs: func(s *stage) { read(s, 1, 2); s.want.Disks[0].GUID = "{02}" }, guid: "{02}"},
		"leaving":              {differs: func(s *stage) { read(s, 1, 2); s.want.Disks[0].Leaving = true }},
		"one does not answer":  {differs: func(s *stage) { read(s, 1, 2); s.silence(2) }},
		"not attached":         {differs: func(s *stage) { read(s, 1, 2); s.want.Disks[0].Attached = false }},
		"different contents":   {differs: func(s *stage) { read(s, 1, 2); shared(s, 2, 1, func(d *guest.Disk) { d.GUID = "{02}" }) }},
		"not one and the same": {differs: func(s *stage) { read(s, 1, 2); shared(s, 2, 1, func(d *guest.Disk) { d.UniqueID = "naa.other" }) }},
		"another one is the same": {differs: func(s *stage) {
			read(s, 1, 2)
			s.want.Disks[1].LUN, s.want.Disks[1].SizeBytes = s.want.Disks[0].LUN, s.want.Disks[0].SizeBytes
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := blank(t)
			tt.differs(s)
			if got := inside.Record(s.want, s.seen).Disks[0].GUID; got != tt.guid {
				t.Errorf("recorded %q", got)
			}
		})
	}
}
