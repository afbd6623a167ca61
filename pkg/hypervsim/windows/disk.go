package windows

import (
	"fmt"
	"slices"
	"strings"
)

// Content is what is on a disk, whoever reads it.
type Content struct {
	// GUID is the GPT disk's, in capitals and braces; empty while it is raw.
	GUID       string
	Partitions []Partition
}

// Partition is a partition, with its volume once it is formatted.
type Partition struct {
	Number       int64
	Offset, Size int64
	// Reserved is whether it is Windows' own, which every GPT disk has.
	Reserved bool
	// Letter is its drive letter, where it has one.
	Letter string
	// FileSystem is empty before it is formatted; Label is the volume's.
	FileSystem, Label string
	// VolumeSize is the volume's, which may be smaller than the partition.
	VolumeSize int64
}

// Raw is whether nothing is on the disk.
func (c *Content) Raw() bool { return c.GUID == "" }

// Blank is whether there is no partition of data on the disk.
func (c *Content) Blank() bool { return len(c.Data()) == 0 }

// Data are the partitions of data.
func (c *Content) Data() []*Partition {
	var out []*Partition
	for i := range c.Partitions {
		if !c.Partitions[i].Reserved {
			out = append(out, &c.Partitions[i])
		}
	}
	return out
}

// Clone is a copy.
func (c Content) Clone() Content {
	c.Partitions = slices.Clone(c.Partitions)
	return c
}

// Where Windows' own partition of a GPT disk begins and ends, and the bytes at the disk's end that no partition has.
const (
	reservedFrom = 17 << 10
	reservedTo   = 16 << 20
	gptTail      = 1 << 20
)

// Initialise makes a raw disk a GPT disk, with Windows' own partition alone.
func (c *Content) Initialise(guid string) {
	c.GUID = "{" + strings.ToUpper(strings.Trim(guid, "{}")) + "}"
	c.Partitions = []Partition{{Number: 1, Offset: reservedFrom, Size: reservedTo - reservedFrom, Reserved: true}}
}

// AddPartition makes a partition of all that is free on a disk of a size.
func (c *Content) AddPartition(diskSize int64) *Partition {
	last := c.Partitions[len(c.Partitions)-1]
	p := Partition{Number: last.Number + 1, Offset: last.Offset + last.Size}
	p.Size = max(diskSize-gptTail-p.Offset, 0)
	c.Partitions = append(c.Partitions, p)
	return &c.Partitions[len(c.Partitions)-1]
}

// MaxSize is how large the last partition of a disk of a size can be.
func (c *Content) MaxSize(diskSize int64) int64 {
	if len(c.Partitions) == 0 {
		return 0
	}
	return diskSize - gptTail - c.Partitions[len(c.Partitions)-1].Offset
}

// FreeExtent is the room behind the last partition, as Windows saw the disk last; nothing on a raw disk.
func (d *Disk) FreeExtent() int64 {
	if len(d.Seen.Partitions) == 0 {
		return 0
	}
	return max(d.Seen.MaxSize(d.SeenSize)-d.Seen.Partitions[len(d.Seen.Partitions)-1].Size, 0)
}

// Device is a disk that the machine has now, where Windows finds it.
type Device struct {
	// UniqueID is what the disk calls itself.
	UniqueID  string
	Port, LUN int64
	Size      int64
	Content   *Content
	// System is whether Windows is on it.
	System bool
}

// Disk is a disk as Windows sees it: Size and Style are as they were when it looked last.
type Disk struct {
	Device
	Number            int64
	Offline, ReadOnly bool
	// Seen is the content as it was when Windows looked last, SeenSize the size.
	Seen     Content
	SeenSize int64

	present bool
}

// unnumbered is a disk without a number since the last start.
const unnumbered = -1

// PartitionStyle is RAW or GPT, as Windows saw it last.
func (d *Disk) PartitionStyle() string {
	if d.Seen.Raw() {
		return "RAW"
	}
	return "GPT"
}

// look reads the disk again.
func (d *Disk) look() { d.Seen, d.SeenSize = d.Content.Clone(), d.Size }

// SetOffline sets the disk offline or online; it is read when it comes online.
func (d *Disk) SetOffline(offline bool) {
	if d.Offline && !offline {
		d.look()
	}
	d.Offline = offline
}

// Attach tells Windows which disks the machine has now. One that it has never seen is offline and read-only, unless Windows
// is on it: that is the policy for disks on a shared bus, as which it sees those of a virtual SCSI controller ("SAN policy
// OfflineShared").
func (s *System) Attach(devices []Device) {
	for _, d := range s.disks {
		d.present = false
	}
	for _, v := range devices {
		i := slices.IndexFunc(s.disks, func(d *Disk) bool { return d.UniqueID == v.UniqueID })
		if i < 0 {
			i = len(s.disks)
			s.disks = append(s.disks, &Disk{Number: unnumbered, Offline: !v.System, ReadOnly: !v.System})
		}
		d := s.disks[i]
		d.Device, d.present = v, true
		if d.Number == unnumbered {
			d.Number = s.freeNumber()
			d.look()
		}
	}
}

func (s *System) freeNumber() int64 {
	number := int64(0)
	for slices.ContainsFunc(s.disks, func(d *Disk) bool { return d.present && d.Number == number }) {
		number++
	}
	return number
}

// Disks are those that the machine has now, by their numbers.
func (s *System) Disks() []*Disk {
	out := slices.DeleteFunc(slices.Clone(s.disks), func(d *Disk) bool { return !d.present })
	slices.SortFunc(out, func(a, b *Disk) int { return int(a.Number - b.Number) })
	return out
}

// Rescan reads all disks again ("Update-HostStorageCache").
func (s *System) Rescan() {
	for _, d := range s.Disks() {
		d.look()
	}
}

// Disk finds a disk by its unique id or its GPT GUID, or nil.
func (s *System) Disk(id string) *Disk {
	for _, d := range s.Disks() {
		if strings.EqualFold(d.UniqueID, id) || d.Seen.GUID != "" && strings.EqualFold(d.Seen.GUID, fmt.Sprintf("{%s}", strings.Trim(id, "{}"))) {
			return d
		}
	}
	return nil
}

// UniqueID is what a virtual disk calls itself to whoever it is attached to. It is made of the file's own identifier, but
// is not that ("page 83 data").
func UniqueID(identifier string) string {
	h := sum("page 83", strings.ToUpper(identifier))
	return strings.ToUpper(fmt.Sprintf("60022480%x", h[:12]))
}
