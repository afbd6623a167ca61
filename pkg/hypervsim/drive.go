package hypervsim

import (
	"slices"
	"strings"
)

const (
	typeSCSI = "SCSI"
	typeIDE  = "IDE"

	// "Plan for Hyper-V scalability in Windows Server".
	maxControllers = 4
	maxLocations   = 64
)

// controller is a SCSI controller of a machine; its number is its place.
type controller struct {
	machine *machine
	number  int64
}

// drive is a hard disk drive: a file in a slot. It refers to the file by its path, as Windows does.
type drive struct {
	machine *machine
	path    string
	// key is the path as paths compare.
	key            string
	controllerType string
	number         int64
	location       int64
	// shared is SupportPersistentReservations; it belongs to the attachment.
	shared  bool
	removed bool
}

// pathKey is a path in the form in which two of the same file are equal.
func pathKey(path string) string { return strings.ToLower(clean(path)) }

func (m *machine) addController() *controller {
	c := &controller{machine: m, number: int64(len(m.controllers))}
	m.controllers = append(m.controllers, c)
	return c
}

// driveAt finds the drive in a slot, or nil.
func (m *machine) driveAt(kind string, number, location int64) *drive {
	for _, d := range m.drives {
		if d.controllerType == kind && d.number == number && d.location == location {
			return d
		}
	}
	return nil
}

var controllerClass = properties[*controller]{
	"vmid":             func(c *controller) any { return c.machine.id },
	"vmname":           func(c *controller) any { return c.machine.name },
	"controllernumber": func(c *controller) any { return c.number },
	"name":             func(*controller) any { return "SCSI Controller" },
}

func controllerView(c *controller) object {
	return view[*controller]{c, controllerClass, "SCSI Controller"}
}

var driveClass = properties[*drive]{
	"vmid":                          func(d *drive) any { return d.machine.id },
	"vmname":                        func(d *drive) any { return d.machine.name },
	"name":                          func(*drive) any { return "Hard Drive" },
	"path":                          func(d *drive) any { return d.path },
	"controllertype":                func(d *drive) any { return d.controllerType },
	"controllernumber":              func(d *drive) any { return d.number },
	"controllerlocation":            func(d *drive) any { return d.location },
	"supportpersistentreservations": func(d *drive) any { return d.shared },
}

func driveViews(drives []*drive) []any {
	out := make([]any, len(drives))
	for i, d := range drives {
		out[i] = view[*drive]{d, driveClass, "Hard Drive"}
	}
	return out
}

// getController answers Get-VMScsiController.
func getController(c *call) error {
	for _, m := range c.machinesGiven() {
		for _, ctl := range m.controllers {
			if !c.has("ControllerNumber") || c.integer("ControllerNumber", -1) == ctl.number {
				c.emit(controllerView(ctl))
			}
		}
	}
	return nil
}

// addController answers Add-VMScsiController: only a machine that is off takes one.
func addController(c *call) error {
	for _, m := range c.machinesGiven() {
		switch {
		case m.state != off || !m.settled():
			c.report(wrongState(m, "Adding a SCSI controller"))
		case len(m.controllers) >= maxControllers:
			c.report(refuse("LimitsExceeded", hresultNone, "LimitsExceeded", m.name, "%q has its %d SCSI controllers already.", m.name, maxControllers))
		default:
			ctl := m.addController()
			c.did("added a SCSI controller to VM " + m.name)
			if c.flag("Passthru") {
				c.emit(controllerView(ctl))
			}
		}
	}
	return nil
}

// getDrive answers Get-VMHardDiskDrive.
func getDrive(c *call) error {
	for _, m := range c.machinesGiven() {
		for _, d := range m.drives {
			if c.has("ControllerType") && !strings.EqualFold(c.text("ControllerType"), d.controllerType) ||
				c.has("ControllerNumber") && c.integer("ControllerNumber", -1) != d.number ||
				c.has("ControllerLocation") && c.integer("ControllerLocation", -1) != d.location {
				continue
			}
			c.emit(view[*drive]{d, driveClass, "Hard Drive"})
		}
	}
	return nil
}

// addDrive answers Add-VMHardDiskDrive.
func addDrive(c *call) error {
	for _, m := range c.machinesGiven() {
		d := c.newDrive(m)
		if err := c.w.attachable(d); err != nil {
			c.report(err)
			continue
		}
		c.w.attach(d)
		c.did("attached " + d.path + " to VM " + m.name)
		if c.flag("Passthru") {
			c.emit(driveViews([]*drive{d})[0].(object))
		}
	}
	return nil
}

// newDrive is the drive that the call asks for; a slot that it does not name is the first free one.
func (c *call) newDrive(m *machine) *drive {
	d := &drive{
		machine: m, path: clean(c.text("Path")), key: pathKey(c.text("Path")), controllerType: strings.ToUpper(c.text("ControllerType")),
		number: c.integer("ControllerNumber", 0), shared: c.flag("SupportPersistentReservations"),
	}
	if d.controllerType == "" {
		d.controllerType = typeSCSI
		if m.generation == 1 {
			d.controllerType = typeIDE
		}
	}
	d.location = c.integer("ControllerLocation", -1)
	for d.location < 0 || !c.has("ControllerLocation") && m.driveAt(d.controllerType, d.number, d.location) != nil {
		d.location++
	}
	return d
}

// attachable says why a drive cannot be added, or nothing.
func (w *World) attachable(d *drive) error {
	if !d.machine.settled() || d.machine.state == saved {
		return wrongState(d.machine, "Adding a hard disk drive")
	}
	if err := slotFree(d); err != nil {
		return err
	}
	if d.shared {
		if err := w.shareable(d); err != nil {
			return err
		}
	}
	if w.fileAt(d.machine.host, d.path) == nil {
		return noFile(d.path)
	}
	for _, other := range d.machine.drives {
		if other.key == d.key {
			return refuse("ResourceExists", hresultNone, "ObjectInUse", d.path, "%q is attached to the virtual machine %q already.", d.path, d.machine.name)
		}
	}
	if f := w.fileAt(d.machine.host, d.path); f.holder != "" {
		return inUse(d.path)
	}
	if d.machine.active() {
		return w.openable(d)
	}
	return nil
}

func slotFree(d *drive) error {
	m, controllers, locations := d.machine, int64(len(d.machine.controllers)), int64(maxLocations)
	if d.controllerType == typeIDE {
		controllers, locations = 2, 2
		if m.generation == 2 {
			controllers = 0
		}
	}
	switch {
	case d.number < 0 || d.number >= maxControllers || d.location < 0 || d.location >= locations:
		return invalid(d.path, "Controller %d, location %d is no place for a disk on %s.", d.number, d.location, d.controllerType)
	case d.number >= controllers:
		return refuse("ObjectNotFound", hresultNone, "ObjectNotFound", m.name, "%q has no %s controller %d.", m.name, d.controllerType, d.number)
	case d.controllerType == typeIDE && m.state != off:
		return wrongState(m, "Adding a disk to an IDE controller")
	case m.driveAt(d.controllerType, d.number, d.location) != nil:
		return refuse("ResourceExists", hresultNone, "LocationInUse", m.name, "Location %d on controller %d of %q is in use.", d.location, d.number, m.name)
	}
	return nil
}

// shareable checks what a shared disk needs ("Deploy a Guest Cluster Using a Shared Virtual Hard Disk").
func (w *World) shareable(d *drive) error {
	format := diskFormat(d.path)
	switch {
	case d.controllerType != typeSCSI:
		return invalid(d.path, "A shared virtual hard disk must be on a SCSI controller.")
	case w.volumeOf(d.path) == nil, format != formatVHDX && format != formatSet:
		return refuse("InvalidArgument", hresultUnsupported, "OperationFailed", d.path,
			"The storage where the virtual hard disk %q is located does not support virtual hard disk sharing.", d.path)
	}
	return nil
}

func (w *World) attach(d *drive) { d.machine.drives = append(d.machine.drives, d) }

// removeDrive answers Remove-VMHardDiskDrive; the file stays.
func removeDrive(c *call) error {
	drives := given[*drive](c, "VMHardDiskDrive")
	for _, d := range drives {
		m := d.machine
		switch {
		case d.removed || m.removed || m.host != c.host:
			c.report(c.noMachine(m.name))
		case !m.settled(), m.state == running && d.controllerType == typeIDE:
			c.report(wrongState(m, "Removing a hard disk drive"))
		default:
			c.w.detach(d)
			c.did("detached " + d.path + " from VM " + m.name)
		}
	}
	return nil
}

func (w *World) detach(d *drive) {
	d.removed = true
	d.machine.drives = slices.DeleteFunc(d.machine.drives, func(o *drive) bool { return o == d })
}
