package hypervsim

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// virtualDisk is what a virtual hard disk file holds.
type virtualDisk struct {
	format, kind string
	size         int64
	identifier   string
	// data is the file with the data of a VHD Set; nil for other formats.
	data *file
	diskContent
}

// diskContent is what whoever reads the disk finds on it.
type diskContent struct {
	// windows is the build of the Windows that is on the disk, 0 without; restartFor are the features that ask it for a restart.
	windows    int
	restartFor []string
	// files are the text files on its one volume that we know of, by lower-case path below the root: windows\panther\x.xml.
	files map[string]string
	// partitions are what guests find on it.
	partitions windows.Content
}

// copied is a copy of a disk with all that is on it.
func (d *virtualDisk) copied() *virtualDisk {
	c := *d
	c.files, c.partitions = maps.Clone(d.files), d.partitions.Clone()
	return &c
}

const (
	formatVHD  = "VHD"
	formatVHDX = "VHDX"
	formatSet  = "VHDSet"

	fixedDisk   = "Fixed"
	dynamicDisk = "Dynamic"

	// A dynamic disk begins small; a VHD Set's own file holds no data.
	emptyDiskLength = 4 * MiB
	setLength       = 260 * KiB

	minDiskSize = 3 * MiB
)

// maxDiskSize by format ("Plan for Hyper-V scalability in Windows Server").
var maxDiskSize = map[string]int64{formatVHD: 2040 * GiB, formatVHDX: 64 * TiB, formatSet: 64 * TiB}

// diskFormat is what the extension of a path decides.
func diskFormat(path string) string {
	switch path = strings.ToLower(path); {
	case strings.HasSuffix(path, ".vhds"):
		return formatSet
	case strings.HasSuffix(path, ".vhdx"), strings.HasSuffix(path, ".avhdx"):
		return formatVHDX
	case strings.HasSuffix(path, ".vhd"):
		return formatVHD
	default:
		return ""
	}
}

// newVHD answers New-VHD. A fixed disk is written by a job of the host; without AsJob the call waits for it.
func newVHD(c *call) error {
	for _, path := range c.texts("Path") {
		if err := c.createDisk(clean(path)); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) createDisk(path string) error {
	disk := &virtualDisk{format: diskFormat(path), kind: dynamicDisk, size: c.integer("SizeBytes", 0), identifier: strings.ToUpper(c.w.newID())}
	if c.flag("Fixed") {
		disk.kind = fixedDisk
	}
	if err := c.acceptable(path, disk); err != nil {
		return err
	}
	f, err := c.w.makeDisk(c.host, path, disk)
	if err != nil {
		return err
	}
	c.did("created disk " + path)
	if disk.kind == dynamicDisk {
		c.emit(vhdView(c.w, f))
		return nil
	}
	takes := time.Duration(float64(c.w.durations.FixedPerGiB) * float64(disk.size) / float64(GiB))
	c.w.writeDisk(c.host, f, takes)
	if c.flag("AsJob") {
		c.emit(record{"name": "New-VHD", "state": "Running"})
		return nil
	}
	c.w.sleep(takes)
	if f.holder != "" || f.broken {
		return inUse(path)
	}
	c.emit(vhdView(c.w, f))
	return nil
}

func (c *call) acceptable(path string, disk *virtualDisk) error {
	switch {
	case disk.format == "":
		return invalid(path, "The path %q must end in .vhd, .vhdx or .vhds.", path)
	case disk.format == formatSet && c.host.build < hyperv.Build2016:
		return refuse("InvalidArgument", hresultUnsupported, "InvalidParameter", path, "This version of Windows does not support VHD Sets: %q.", path)
	case disk.size < minDiskSize || disk.size > maxDiskSize[disk.format] || disk.size%512 != 0:
		return invalid(path, "The size %d is not valid for %q: it must be a multiple of 512 between %d and %d.", disk.size, path, minDiskSize, maxDiskSize[disk.format])
	}
	return nil
}

// makeDisk makes the file or files of a new disk.
func (w *World) makeDisk(h *host, path string, disk *virtualDisk) (*file, error) {
	length := emptyDiskLength
	if disk.kind == fixedDisk {
		length = disk.size
	}
	if disk.format != formatSet {
		f, err := w.createFile(h, path, length)
		if err == nil {
			f.disk = disk
		}
		return f, err
	}
	f, err := w.createFile(h, path, setLength)
	if err != nil {
		return nil, err
	}
	data := path[:len(path)-len(".vhds")] + "_" + strings.ToUpper(w.newID()) + ".avhdx"
	if disk.data, err = w.createFile(h, data, length); err != nil {
		w.deleteFile(f)
		return nil, err
	}
	f.disk = disk
	return f, nil
}

// writeDisk lets a host's job write a fixed disk; nobody else can open it meanwhile.
func (w *World) writeDisk(h *host, f *file, takes time.Duration) {
	f.holder = "New-VHD"
	w.startJob(h, takes, func() {
		f.holder = ""
		w.happened("wrote fixed disk " + f.path)
	}, func() {
		f.holder, f.broken = "", true
		w.happened("writing fixed disk " + f.path + " was interrupted")
	})
}

// getVHD answers Get-VHD.
func getVHD(c *call) error {
	for _, path := range c.texts("Path") {
		f, err := c.readableDisk(clean(path))
		if err != nil {
			c.report(err)
			continue
		}
		c.emit(vhdView(c.w, f))
	}
	return nil
}

// readableDisk finds a virtual disk that nobody has open for himself alone, or this host has mounted.
func (c *call) readableDisk(path string) (*file, error) {
	f := c.w.fileAt(c.host, path)
	switch {
	case f == nil:
		return nil, noFile(path)
	case f.holder != "" && c.host.mountOf(f) == nil || c.heldElsewhere(path):
		return nil, inUse(path)
	case f.disk == nil || f.broken:
		return nil, unreadableDisk(path)
	}
	return f, nil
}

func unreadableDisk(path string) *refusal {
	return refuse("InvalidData", hresultDiskCorrupt, "InvalidData", path, "The file %q is not a readable virtual hard disk.", path)
}

// resizeVHD answers Resize-VHD for disks that are to be larger. Machines may have them open meanwhile, but for a shared VHDX
// ("Virtual Hard Disk Sharing Overview", "Create Hyper-V VHD Set files").
func resizeVHD(c *call) error {
	for _, path := range c.texts("Path") {
		c.report(c.resizeDisk(clean(path), c.integer("SizeBytes", 0)))
	}
	return nil
}

func (c *call) resizeDisk(path string, size int64) error {
	f, err := c.readableDisk(path)
	if err != nil {
		return err
	}
	isShared := slices.ContainsFunc(c.w.openedBy(path), func(d *drive) bool { return d.shared })
	switch {
	case f.holder != "", f.disk.format == formatVHDX && isShared:
		return inUse(path)
	case size < f.disk.size:
		return invalid(path, "The size %d is not valid for %q: making a disk smaller is not simulated.", size, path)
	}
	larger := *f.disk
	larger.size = size
	if err := c.acceptable(path, &larger); err != nil {
		return err
	}
	if data := cmp.Or(f.disk.data, f); f.disk.kind == fixedDisk {
		if err := c.w.resize(data, data.length+size-f.disk.size); err != nil {
			return err
		}
	}
	f.disk.size = size
	c.did("made disk " + path + " larger")
	return nil
}

// heldElsewhere is whether a machine on another host has the file open for itself alone.
func (c *call) heldElsewhere(path string) bool {
	return slices.ContainsFunc(c.w.openedBy(path), func(d *drive) bool { return !d.shared && d.machine.host != c.host })
}

type openDisk struct {
	*file
	w *World
}

func vhdView(w *World, f *file) object {
	return view[openDisk]{openDisk{f, w}, vhdClass, f.path}
}

var vhdClass = properties[openDisk]{
	"path":           func(d openDisk) any { return d.path },
	"vhdformat":      func(d openDisk) any { return d.disk.format },
	"vhdtype":        func(d openDisk) any { return d.disk.kind },
	"size":           func(d openDisk) any { return d.disk.size },
	"filesize":       func(d openDisk) any { return d.length },
	"diskidentifier": func(d openDisk) any { return d.disk.identifier },
	"attached":       func(d openDisk) any { return len(d.w.openedBy(d.path)) > 0 || d.holder == mountHolder },
	"disknumber": func(d openDisk) any {
		for _, h := range d.w.hosts {
			if m := h.mountOf(d.file); m != nil {
				return m.number
			}
		}
		return nil
	},
}
