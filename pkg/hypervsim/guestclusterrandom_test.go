package hypervsim

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestAnyAccidents lets accidents of all kinds happen to a cluster inside, in any order. A role is served by one node at most,
// which runs; and once all is mended, it is served.
func TestAnyAccidents(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 11))
			f := newInner(t)
			f.served()
			for range 60 {
				what := f.accident(random)
				f.advance(time.Duration(random.IntN(120)) * time.Second)
				f.hold(what)
			}
			f.mend()
			if role := f.role("FS1"); !role.Served {
				t.Errorf("once all is well: %+v", f.State().GuestClusters[0])
			}
		})
	}
}

// accident lets one thing happen; what is refused did not.
func (f *inner) accident(random *rand.Rand) string {
	id, host := f.ids[random.IntN(2)], fmt.Sprintf("hv%02d", 1+random.IntN(4))
	shared := []string{dataDisk, quorumDisk}[random.IntN(2)]
	accidents := []struct {
		name string
		do   func() error
	}{
		{"FailHost", func() error { return f.FailHost(host) }},
		{"ReturnHost", func() error { return f.ReturnHost(host) }},
		{"Drain", func() error { return f.Drain(host) }},
		{"Resume", func() error { return f.Resume(host) }},
		{"MoveVM", func() error { return f.MoveVM(id, host) }},
		{"TurnOffVM", func() error { return f.TurnOffVM(id) }},
		{"StartVM", func() error { return f.StartVM(id) }},
		{"SaveVM", func() error { return f.SaveVM(id) }},
		{"RestartGuest", func() error { return f.RestartGuest(id) }},
		{"IsolateVM", func() error { return f.IsolateVM(id) }},
		{"ReconnectVM", func() error { return f.ReconnectVM(id) }},
		{"StopClusterService", func() error { return f.StopClusterService(id) }},
		{"StartClusterService", func() error { return f.StartClusterService(id) }},
		{"DetachDisk", func() error { return f.DetachDisk(id, shared) }},
		{"AttachDisk", func() error {
			return f.AttachDisk(id, DriveState{Path: shared, Number: 1, Location: f.slot(shared), Shared: true})
		}},
		{"StopDomainController", f.StopDomainController},
		{"StartDomainController", f.StartDomainController},
	}
	a := accidents[random.IntN(len(accidents))]
	if err := a.do(); err != nil {
		return a.name + ", refused"
	}
	return a.name + " of " + f.vm(id).Name + ", " + host
}

// slot is where a shared disk is attached.
func (f *inner) slot(path string) int64 {
	if path == dataDisk {
		return 0
	}
	return 1
}

// hold checks what is always true of the picture.
func (f *inner) hold(after string) {
	f.Helper()
	for _, c := range f.State().GuestClusters {
		for _, r := range c.Roles {
			for _, id := range f.ids {
				if vm := f.vm(id); r.Served && r.Owner == vm.Guest.ComputerName && vm.Guest.Phase != string(guestUp) {
					f.Errorf("after %s: %s is served by a machine that is %s", after, r.Name, vm.State)
				}
			}
			if r.State == "Online" && !c.Quorate {
				f.Errorf("after %s: %s is online without quorum", after, r.Name)
			}
		}
	}
}

// mend makes everything well again, and waits for as long as a quarantine lasts.
func (f *inner) mend() {
	f.Helper()
	for i := 1; i <= 4; i++ {
		_ = f.ReturnHost(fmt.Sprintf("hv%02d", i))
		_ = f.Resume(fmt.Sprintf("hv%02d", i))
	}
	_ = f.StartDomainController()
	f.advance(10 * time.Minute)
	for _, id := range f.ids {
		for _, path := range []string{dataDisk, quorumDisk} {
			_ = f.AttachDisk(id, DriveState{Path: path, Number: 1, Location: f.slot(path), Shared: true})
		}
		_ = f.ReconnectVM(id)
		_ = f.StartVM(id)
	}
	f.advance(10 * time.Minute)
	for _, id := range f.ids {
		_ = f.StartClusterService(id)
	}
	f.advance(4 * time.Hour)
}
