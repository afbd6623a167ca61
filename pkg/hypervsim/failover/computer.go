package failover

import (
	"net/netip"
	"strings"
	"time"
)

// Clock is the time of whoever runs the model. It is the caller's, so that a world has one time.
type Clock interface {
	Now() time.Time
	// After lets something happen later, unless it is canceled before. Canceling what has happened does nothing.
	After(d time.Duration, do func()) (cancel func())
}

// Computer is what the cluster service sees of the machine that it runs on. It is asked anew each time, since what is
// powered, plugged in or attached changes at any time.
type Computer interface {
	// Name is the computer name that is in force.
	Name() string
	// Domain is empty in a workgroup.
	Domain() string
	Build() int
	Condition() Condition
	// Adapters are those that are plugged in, with the addresses that they have now.
	Adapters() []Adapter
	// Disks are all that are attached.
	Disks() []Disk
	// Reaches is whether a server outside the cluster answers: that of a share, or of an Azure storage account.
	Reaches(server string) bool
}

// Condition says whether a computer takes part in anything.
type Condition int

const (
	// Off is a computer without power, or one that has failed.
	Off Condition = iota
	// Frozen is a computer that stands still for a moment, as in the last phase of a live migration.
	Frozen
	Running
)

// Adapter is a network adapter of a computer.
type Adapter struct {
	Name string
	// Segment is the wire that it is plugged into: two adapters hear each other where it is the same.
	Segment string
	// Address may be invalid while there is none.
	Address netip.Prefix
	Gateway bool
	DHCP    bool
}

// Disk is a disk as a computer sees it.
type Disk struct {
	// GUID is the GPT disk's, in braces; empty while the disk is raw.
	GUID      string
	UniqueID  string
	Number    int64
	SizeBytes int64
	// Formatted is whether it has a volume with a file system.
	Formatted bool
	// Reservations is whether it takes SCSI-3 persistent reservations, without which it cannot be shared.
	Reservations bool
	// Local is whether no other computer could see it: the disk that Windows runs from, and private ones.
	Local bool
}

// diskOf finds the disk of a GUID on a computer.
func diskOf(c Computer, guid string) (Disk, bool) {
	if guid == "" {
		return Disk{}, false
	}
	for _, d := range c.Disks() {
		if strings.EqualFold(d.GUID, guid) {
			return d, true
		}
	}
	return Disk{}, false
}

// adapterIn finds a computer's adapter with an address in a subnet.
func adapterIn(c Computer, subnet netip.Prefix) (Adapter, bool) {
	for _, a := range c.Adapters() {
		if a.Address.IsValid() && a.Address.Masked() == subnet {
			return a, true
		}
	}
	return Adapter{}, false
}

// Directory makes the computer objects that network names need. It is the caller's, which knows the domain's rights.
type Directory interface {
	// Ensure gives the object of a name, made by the cluster's own object if there is none, or says why there cannot be one.
	Ensure(cluster, name string) (objectGUID string, err error)
}
