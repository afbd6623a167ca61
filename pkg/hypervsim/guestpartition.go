package hypervsim

import (
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// The cmdlets here are those that named functions run on disks inside a guest; no batch may.

// partitionRef is a partition of a guest's disk.
type partitionRef struct {
	disk   *windows.Disk
	number int64
}

// partition is what the disk has under that number, or nil.
func (p partitionRef) partition() *windows.Partition {
	i := slices.IndexFunc(p.disk.Content.Partitions, func(o windows.Partition) bool { return o.Number == p.number })
	if i < 0 {
		return nil
	}
	return &p.disk.Content.Partitions[i]
}

var guestPartitionClass = properties[partitionRef]{
	"disknumber":      func(p partitionRef) any { return p.disk.Number },
	"partitionnumber": func(p partitionRef) any { return p.number },
	"driveletter": func(p partitionRef) any {
		return p.property(func(o *windows.Partition) any { return orNull(o.Letter) })
	},
	"size":   func(p partitionRef) any { return p.property(func(o *windows.Partition) any { return o.Size }) },
	"offset": func(p partitionRef) any { return p.property(func(o *windows.Partition) any { return o.Offset }) },
	"type":   func(p partitionRef) any { return p.property(kindOf) },
}

func kindOf(p *windows.Partition) any {
	if p.Reserved {
		return "Reserved"
	}
	return "Basic"
}

func (p partitionRef) property(read func(*windows.Partition) any) any {
	if o := p.partition(); o != nil {
		return read(o)
	}
	return nil
}

func partitionView(p partitionRef) object { return view[partitionRef]{p, guestPartitionClass, ""} }

// storageError is an error of the storage cmdlets by its number ("MSFT_Disk class").
func storageError(number, target, message string) *refusal {
	return refuse("NotSpecified", hresultNone, "StorageWMI "+number, target, "%s", message)
}

// writable are the disks that a call names, which must be online and not read-only.
func (c *call) writable() ([]*windows.Disk, error) {
	disks, err := c.disksMeant()
	for _, d := range disks {
		if err == nil && (d.Offline || d.ReadOnly) {
			err = storageError("41004", d.UniqueID, "The disk is offline or read-only.")
		}
	}
	return disks, err
}

func initializeDisk(c *call) error {
	disks, err := c.writable()
	if err != nil {
		return err
	}
	for _, d := range disks {
		if !d.Content.Raw() {
			return storageError("41002", d.UniqueID, "The disk has already been initialized.")
		}
		d.Content.Initialise(c.w.newID())
		c.system().Rescan()
		c.did("initialised disk " + d.UniqueID + " in VM " + c.guest.machine.name)
		if c.flag("PassThru") {
			c.emit(guestDiskView(d))
		}
	}
	return nil
}

// newPartition answers New-Partition for all that is free.
func newPartition(c *call) error {
	disks, err := c.writable()
	if err != nil {
		return err
	}
	for _, d := range disks {
		if d.Content.Raw() || !c.flag("UseMaximumSize") {
			return storageError("41000", d.UniqueID, "The disk has not been initialized, or another size than all that is free is asked for.")
		}
		p := d.Content.AddPartition(d.Size)
		if c.flag("AssignDriveLetter") {
			p.Letter = c.freeLetter()
		}
		c.system().Rescan()
		c.did("made a partition of disk " + d.UniqueID + " in VM " + c.guest.machine.name)
		c.emit(partitionView(partitionRef{d, p.Number}))
	}
	return nil
}

// partitionsMeant are the partitions that a call names by objects, letter, or disk and number.
func (c *call) partitionsMeant() ([]partitionRef, error) {
	for _, parameter := range []string{"Partition", "InputObject"} {
		if refs := given[partitionRef](c, parameter); len(refs) > 0 {
			return refs, nil
		}
	}
	disks, err := c.disksMeant()
	var out []partitionRef
	for _, d := range disks {
		for _, p := range d.Content.Partitions {
			if !d.Offline && c.means(p) {
				out = append(out, partitionRef{d, p.Number})
			}
		}
	}
	if len(out) == 0 && err == nil {
		err = noInstance("MSFT_Partition", "DriveLetter", c.text("DriveLetter"))
	}
	return out, err
}

// means is whether a partition has the letter and the number that a call names.
func (c *call) means(p windows.Partition) bool {
	return (!c.has("DriveLetter") || strings.EqualFold(c.text("DriveLetter"), p.Letter)) &&
		(!c.has("PartitionNumber") || c.integer("PartitionNumber", 0) == p.Number)
}

func getPartition(c *call) error {
	refs, err := c.partitionsMeant()
	for _, p := range refs {
		c.emit(partitionView(p))
	}
	return err
}

func formatVolume(c *call) error {
	refs, err := c.partitionsMeant()
	for _, ref := range refs {
		p := ref.partition()
		if p == nil {
			return noInstance("MSFT_Partition", "PartitionNumber", "")
		}
		c.format(ref.disk, p, c.text("NewFileSystemLabel"))
		c.emit(cimInstance{record{"filesystem": p.FileSystem, "filesystemlabel": p.Label, "driveletter": orNull(p.Letter), "size": p.VolumeSize}})
	}
	return err
}

func getSupportedSize(c *call) error {
	refs, err := c.partitionsMeant()
	for _, ref := range refs {
		c.emit(cimInstance{record{"sizemin": ref.property(func(p *windows.Partition) any { return p.Size }), "sizemax": ref.disk.Content.MaxSize(ref.disk.SeenSize)}})
	}
	return err
}

// resizePartition answers Resize-Partition, with the volume on it. Nothing is made smaller here.
func resizePartition(c *call) error {
	refs, err := c.partitionsMeant()
	for _, ref := range refs {
		p, size := ref.partition(), c.integer("Size", 0)
		switch {
		case p == nil || size > ref.disk.Content.MaxSize(ref.disk.SeenSize) || size < p.Size:
			return storageError("4097", ref.disk.UniqueID, "Size Not Supported")
		case size == p.Size:
			return storageError("42008", ref.disk.UniqueID, "The partition is already the requested size.")
		}
		p.Size, p.VolumeSize = size, size
		c.system().Rescan()
		c.did("resized a partition of disk " + ref.disk.UniqueID + " in VM " + c.guest.machine.name)
	}
	return err
}
