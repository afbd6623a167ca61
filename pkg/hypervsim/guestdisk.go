package hypervsim

import (
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// devices are a machine's disks as its Windows finds them: the one that it is on first, the others in an order of the machine's
// own, and the SCSI controllers numbered from the last one on.
func (w *World) devices(m *machine) []windows.Device {
	var systems, others []windows.Device
	for _, d := range m.drives {
		f := w.fileAt(m.host, d.path)
		if f == nil || f.disk == nil {
			continue
		}
		v := windows.Device{
			UniqueID: windows.UniqueID(f.disk.identifier), Port: int64(len(m.controllers)) - 1 - d.number, LUN: d.location, Size: f.disk.size,
			Content: &f.disk.partitions, System: f.disk.windows != 0 && len(systems) == 0,
		}
		if d.controllerType == typeIDE {
			v.Port = int64(len(m.controllers)) + d.number
		}
		if v.System {
			systems = append(systems, v)
		} else {
			others = append(others, v)
		}
	}
	if len(others) > 1 {
		from := m.guest.order % len(others)
		others = append(slices.Clone(others[from:]), others[:from]...)
	}
	return append(systems, others...)
}

// setOnline lets a guest have a disk online or not, as the cluster service does with the disks that it owns.
func (w *World) setOnline(m *machine, uniqueID string, online bool) {
	w.plug(m)
	if d := m.guest.system.Disk(uniqueID); d != nil {
		d.SetOffline(!online)
		d.ReadOnly = !online
	}
}

func formatting(d *Durations) time.Duration { return d.FormatDisk }

func init() {
	inGuests(map[string]command{
		"Get-Disk":                   {reading, needsHost, getDisk},
		"Set-Disk":                   {changing, needsHost, setDisk},
		"Update-HostStorageCache":    {changing, needsHost, updateStorageCache},
		"Initialize-SharedDisk":      {formatting, needsHost, initializeSharedDisk},
		"Expand-SharedDisk":          {changing, needsHost, expandSharedDisk},
		"Initialize-Disk":            {changing, needsHost, initializeDisk},
		"New-Partition":              {changing, needsHost, newPartition},
		"Get-Partition":              {reading, needsHost, getPartition},
		"Format-Volume":              {formatting, needsHost, formatVolume},
		"Get-PartitionSupportedSize": {reading, needsHost, getSupportedSize},
		"Resize-Partition":           {changing, needsHost, resizePartition},
	})
}

var guestDiskClass = properties[*windows.Disk]{
	"number":             func(d *windows.Disk) any { return d.Number },
	"disknumber":         func(d *windows.Disk) any { return d.Number },
	"uniqueid":           func(d *windows.Disk) any { return d.UniqueID },
	"size":               func(d *windows.Disk) any { return d.SeenSize },
	"partitionstyle":     func(d *windows.Disk) any { return d.PartitionStyle() },
	"guid":               func(d *windows.Disk) any { return orNull(d.Seen.GUID) },
	"isoffline":          func(d *windows.Disk) any { return d.Offline },
	"isreadonly":         func(d *windows.Disk) any { return d.ReadOnly },
	"isboot":             func(d *windows.Disk) any { return d.System },
	"issystem":           func(d *windows.Disk) any { return d.System },
	"isclustered":        func(*windows.Disk) any { return false }, // nothing is asked of a cluster's disks by this
	"friendlyname":       func(*windows.Disk) any { return "Msft Virtual Disk" },
	"bustype":            func(*windows.Disk) any { return "SAS" },
	"largestfreeextent":  func(d *windows.Disk) any { return d.FreeExtent() },
	"numberofpartitions": func(d *windows.Disk) any { return int64(len(d.Seen.Partitions)) },
}

func guestDiskView(d *windows.Disk) object { return view[*windows.Disk]{d, guestDiskClass, d.UniqueID} }

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// diskDrives are the disks as Win32_DiskDrive has them.
func diskDrives(c *call) ([]record, error) {
	var out []record
	for _, d := range c.system().Disks() {
		out = append(out, record{"index": d.Number, "scsiport": d.Port, "scsibus": int64(0), "scsitargetid": int64(0), "scsilogicalunit": d.LUN, "size": d.SeenSize})
	}
	return out, nil
}

// diskSelectors are the parameters that say which disk, with the property that each compares.
var diskSelectors = []struct{ parameter, property string }{
	{"UniqueId", "uniqueid"}, {"DiskId", "uniqueid"}, {"Number", "number"}, {"DiskNumber", "number"},
}

// disksMeant are the disks that a call names; one that is not there is an error.
func (c *call) disksMeant() ([]*windows.Disk, error) {
	for _, selector := range diskSelectors {
		if !c.has(selector.parameter) {
			continue
		}
		var out []*windows.Disk
		for _, wanted := range c.texts(selector.parameter) {
			i := slices.IndexFunc(c.system().Disks(), func(d *windows.Disk) bool {
				return strings.EqualFold(asText(guestDiskClass[selector.property](d)), wanted)
			})
			if i < 0 {
				return out, noInstance("MSFT_Disk", selector.parameter, wanted)
			}
			out = append(out, c.system().Disks()[i])
		}
		return out, nil
	}
	if disks := given[*windows.Disk](c, "InputObject"); len(disks) > 0 {
		return disks, nil
	}
	if disks := given[*windows.Disk](c, "Disk"); len(disks) > 0 {
		return disks, nil
	}
	return c.system().Disks(), nil
}

func getDisk(c *call) error {
	disks, err := c.disksMeant()
	for _, d := range disks {
		c.emit(guestDiskView(d))
	}
	return err
}

func setDisk(c *call) error {
	disks, err := c.disksMeant()
	for _, d := range disks {
		if c.has("IsOffline") {
			d.SetOffline(c.flag("IsOffline"))
		}
		if c.has("IsReadOnly") {
			d.ReadOnly = c.flag("IsReadOnly")
		}
		c.did("changed disk " + d.UniqueID + " in VM " + c.guest.machine.name)
	}
	return err
}

func updateStorageCache(c *call) error {
	c.system().Rescan()
	c.did("read the disks of VM " + c.guest.machine.name + " again")
	return nil
}

// initializeSharedDisk answers Initialize-SharedDisk: it looks at the disk itself, whatever Windows saw of it last. What a call
// left that died in the middle is brought to its end where the disk is online.
func initializeSharedDisk(c *call) error {
	id, label := c.text("UniqueId"), c.text("Label")
	d := c.system().Disk(id)
	switch {
	case len(label) > maxLabel:
		return refused("InvalidArgument", label, "A label of NTFS has %d characters at most.", maxLabel)
	case d == nil || !strings.EqualFold(d.UniqueID, id):
		return refused("ObjectNotFound", id, "There is no disk with the unique id %s.", id)
	case d.System || !d.Content.Blank() || !d.Content.Raw() && d.Offline:
		return refused("ResourceExists", id, "Disk %s has something on it, and is never formatted.", id)
	}
	if d.Content.Raw() {
		d.Content.Initialise(c.w.newID())
	}
	c.format(d, d.Content.AddPartition(d.Device.Size), label)
	d.SetOffline(false)
	d.SetOffline(true)
	d.ReadOnly = false
	c.did("initialised disk " + id + " in VM " + c.guest.machine.name)
	c.emit(record{"guid": d.Seen.GUID})
	return nil
}

// maxLabel is the length of a label of NTFS.
const maxLabel = 32

// format makes an NTFS volume of a partition, with a letter.
func (c *call) format(d *windows.Disk, p *windows.Partition, label string) {
	p.FileSystem, p.Label, p.VolumeSize = "NTFS", label, p.Size
	if p.Letter == "" {
		p.Letter = c.freeLetter()
	}
	c.did("formatted disk " + d.UniqueID + " in VM " + c.guest.machine.name)
}

// freeLetter is the first drive letter that no volume of the guest has.
func (c *call) freeLetter() string {
	for letter := 'E'; letter <= 'Z'; letter++ {
		isUsed := func(p windows.Partition) bool { return p.Letter == string(letter) }
		if !slices.ContainsFunc(c.system().Disks(), func(d *windows.Disk) bool { return slices.ContainsFunc(d.Content.Partitions, isUsed) }) {
			return string(letter)
		}
	}
	return ""
}

// expandSharedDisk answers Expand-SharedDisk, where the disk is online.
func expandSharedDisk(c *call) error {
	guid := c.text("Guid")
	c.system().Rescan()
	d := c.system().Disk(guid)
	switch {
	case d == nil:
		return refused("ObjectNotFound", guid, "There is no disk %s.", guid)
	case d.Offline:
		return refused("ResourceUnavailable", guid, "Disk %s is offline on this node: another one owns it.", guid)
	case len(d.Content.Data()) != 1:
		return refused("InvalidData", guid, "Disk %s has %d partitions of data, and grows by itself with one alone.", guid, len(d.Content.Data()))
	}
	p := d.Content.Data()[0]
	if size := d.Content.MaxSize(d.Device.Size); size >= p.Size+MiB {
		p.Size, p.VolumeSize = size, size
		c.did("gave the volume of disk " + guid + " all the room in VM " + c.guest.machine.name)
	}
	c.system().Rescan()
	c.emit(record{"size": p.Size})
	return nil
}
