package hypervsim

import (
	"strconv"
	"strings"

	"guestclustering.io/operator/pkg/hypervsim/windows"
)

func init() {
	inGuests(map[string]command{
		"Get-ItemProperty": {reading, needsHost, getItemProperty},
		"Get-Item":         {reading, needsHost, getGuestItem},
		"Remove-Item":      {changing, needsHost, removeGuestItem},
		"Get-CimInstance":  {reading, needsHost, getGuestInstance},
	})
}

// The registry keys that calls in guests are about, in lower case.
const (
	keySetup      = `hklm:\system\setup`
	keySetupState = `hklm:\software\microsoft\windows\currentversion\setup\state`
	keyJoin       = `hklm:\system\currentcontrolset\services\netlogon\joindomain`
)

// registryKey gives a key's values by lower-case name, or nothing when it does not exist.
func registryKey(s *windows.System, path string) (record, bool) {
	switch strings.ToLower(clean(path)) {
	case keySetup:
		return record{"systemsetupinprogress": boolNumber(s.Setup != windows.Complete), "oobeinprogress": boolNumber(s.Setup == windows.Welcoming)}, true
	case keySetupState:
		return record{"imagestate": s.Setup.ImageState()}, true
	case keyJoin:
		return record{}, s.JoinPending()
	}
	return nil, false
}

func boolNumber(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// getItemProperty answers Get-ItemProperty for registry keys.
func getItemProperty(c *call) error {
	for _, path := range c.paths() {
		if values, ok := registryKey(c.system(), path); ok {
			c.emit(values)
		} else {
			c.report(itemNotFound(path))
		}
	}
	return nil
}

// getGuestItem answers Get-Item for files and registry keys.
func getGuestItem(c *call) error {
	for _, path := range c.paths() {
		_, isKey := registryKey(c.system(), path)
		text, isFile := c.system().Files[onSystemDrive(path)]
		_, name := splitPath(path)
		switch {
		case isKey:
			// A key's own name is its path from the hive on.
			c.emit(record{"name": "HKEY_LOCAL_MACHINE" + path[len("HKLM:"):], "pschildname": name})
		case isFile:
			c.emit(record{"fullname": path, "name": name, "length": int64(len(text))})
		default:
			c.report(itemNotFound(path))
		}
	}
	return nil
}

// onSystemDrive is where a path on drive C leads, in lower case below its root.
func onSystemDrive(path string) string {
	return strings.TrimPrefix(strings.ToLower(clean(path)), `c:\`)
}

// removeGuestItem answers Remove-Item for files.
func removeGuestItem(c *call) error {
	for _, path := range c.paths() {
		key := onSystemDrive(path)
		if _, ok := c.system().Files[key]; !ok {
			c.report(itemNotFound(path))
			continue
		}
		delete(c.system().Files, key)
		c.did("removed file " + path + " in VM " + c.guest.machine.name)
	}
	return nil
}

// getGuestInstance answers Get-CimInstance for the classes that are asked for.
func getGuestInstance(c *call) error {
	class := c.text("ClassName")
	instances, ok := guestClasses[strings.ToLower(c.text("Namespace")+":"+class)]
	if !ok {
		return refuse("MetadataError", "0x80041010", "HRESULT 0x80041010", class, "Invalid class %q.", class)
	}
	for _, r := range instances(c.guest.machine) {
		c.emit(c.chosen(r))
	}
	return nil
}

// guestClasses are the CIM classes of a guest, by lower-case namespace and name.
var guestClasses = map[string]func(*machine) []record{
	"root/cimv2:win32_operatingsystem": func(m *machine) []record {
		return []record{{"buildnumber": strconv.Itoa(m.guest.system.Build), "csname": m.guest.system.Name(), "lastbootuptime": m.guest.booted}}
	},
	"root/cimv2:win32_computersystem": func(m *machine) []record {
		s := m.guest.system
		return []record{{"name": s.Name(), "domain": s.DomainName(), "partofdomain": s.Domain() != nil}}
	},
}
