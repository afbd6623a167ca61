package hypervsim

import (
	"regexp"
	"slices"
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

		"Get-WindowsFeature":     {reading, needsHost, getWindowsFeature},
		"Install-WindowsFeature": {changing, needsHost, installWindowsFeature},
		"Restart-Computer":       {reading, needsHost, restartComputer},
		"Get-LocalGroupMember":   {reading, needsHost, getLocalGroupMember},
		"Add-LocalGroupMember":   {changing, needsHost, addLocalGroupMember},
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

// getGuestItem answers Get-Item for files, folders and registry keys.
func getGuestItem(c *call) error {
	f := c.files()
	for _, path := range c.paths() {
		_, isKey := registryKey(c.system(), path)
		_, name := splitPath(path)
		switch key := f.key(path); {
		case isKey:
			// A key's own name is its path from the hive on.
			c.emit(record{"name": "HKEY_LOCAL_MACHINE" + path[len("HKLM:"):], "pschildname": name})
		case f.isFile(key):
			r := f.fileRecord(key)
			r["fullname"], r["name"] = path, name
			c.emit(r)
		case f.isFolder(key):
			c.emit(folderRecord(key))
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

// removeGuestItem answers Remove-Item for files, and with -Recurse for folders.
func removeGuestItem(c *call) error {
	f := c.files()
	for _, path := range c.paths() {
		switch key := f.key(path); {
		case f.isFile(key):
			delete(f.files, key)
			c.did("removed file " + path + " in VM " + c.guest.machine.name)
		case f.isFolder(key) && c.flag("Recurse"):
			f.removeGuestFolder(key)
			c.did("removed folder " + path + " in VM " + c.guest.machine.name)
		default:
			c.report(itemNotFound(path))
		}
	}
	return nil
}

// getGuestInstance answers Get-CimInstance for the classes that are asked for. Of filters it knows Name='X'.
func getGuestInstance(c *call) error {
	class := c.text("ClassName")
	instances, ok := guestClasses[strings.ToLower(c.text("Namespace")+":"+class)]
	if !ok {
		return refuse("MetadataError", "0x80041010", "HRESULT 0x80041010", class, "Invalid class %q.", class)
	}
	name, err := filteredName(c.text("Filter"))
	if err != nil {
		return err
	}
	found, err := instances(c)
	for _, r := range found {
		if name == "" || strings.EqualFold(name, asText(r["name"])) {
			c.emit(c.chosen(r))
		}
	}
	return err
}

var nameFilter = regexp.MustCompile(`(?i)^Name\s*=\s*['"]([^'"]*)['"]$`)

func filteredName(filter string) (string, error) {
	if filter == "" {
		return "", nil
	}
	m := nameFilter.FindStringSubmatch(filter)
	if m == nil {
		return "", refuse("InvalidArgument", "0x80041017", "HRESULT 0x80041017", filter, "Invalid query: of filters, Name='X' alone is simulated.")
	}
	return m[1], nil
}

// guestClasses are the CIM classes of a guest, by lower-case namespace and name.
var guestClasses = map[string]func(*call) ([]record, error){
	"root/cimv2:win32_operatingsystem": func(c *call) ([]record, error) {
		return []record{{"buildnumber": strconv.Itoa(c.system().Build), "csname": c.system().Name(), "lastbootuptime": c.guest.machine.guest.booted}}, nil
	},
	"root/cimv2:win32_computersystem": func(c *call) ([]record, error) {
		s := c.system()
		return []record{{"name": s.Name(), "domain": s.DomainName(), "partofdomain": s.Membership() != nil}}, nil
	},
	"root/cimv2:win32_service":   services,
	"root/cimv2:win32_diskdrive": diskDrives,
}

// services are those that calls are about: the cluster service, where its feature is installed.
func services(c *call) ([]record, error) {
	s := c.system()
	if s.Feature(windows.FailoverClustering) != windows.Installed {
		return nil, nil
	}
	r := record{"name": "ClusSvc", "state": "Stopped", "startmode": "Auto"}
	if s.ClusterService.Running {
		r["state"] = "Running"
	}
	if s.ClusterService.Disabled {
		r["startmode"] = "Disabled"
	}
	return []record{r}, nil
}

// featuresNamed are the features that a call names, or all; one that there is not is refused.
func (c *call) featuresNamed() ([]string, error) {
	if !c.has("Name") {
		return windows.FeatureNames(), nil
	}
	var out []string
	for _, name := range c.texts("Name") {
		known, ok := windows.FeatureNamed(name)
		if !ok {
			return nil, refuse("InvalidArgument", hresultParameter, "NameDoesNotExist", name,
				"The role, role service, or feature name is not valid: '%s'. The name was not found.", name)
		}
		out = append(out, known)
	}
	return out, nil
}

func getWindowsFeature(c *call) error {
	names, err := c.featuresNamed()
	for _, name := range names {
		state := c.system().Feature(name)
		c.emit(record{"name": name, "installstate": string(state), "installed": state == windows.Installed})
	}
	return err
}

// installWindowsFeature answers Install-WindowsFeature. What is there already takes no time and is no error.
func installWindowsFeature(c *call) error {
	names, err := c.featuresNamed()
	if err != nil {
		return err
	}
	isNew := func(name string) bool { return c.system().Feature(name) == windows.Available }
	if slices.ContainsFunc(names, isNew) {
		if err := c.lastsInside(c.w.durations.InstallFeature); err != nil {
			return err
		}
	}
	installed, restart := c.system().Install(names, c.flag("IncludeManagementTools"))
	r := record{"success": true, "restartneeded": "No", "exitcode": "NoChangeNeeded"}
	if len(installed) > 0 {
		c.did("installed " + strings.Join(installed, ", ") + " in VM " + c.guest.machine.name)
		r["exitcode"] = "Success"
	}
	if restart {
		r["restartneeded"], r["exitcode"] = "Yes", "SuccessRestartRequired"
	}
	c.emit(r)
	return nil
}

// restartComputer answers Restart-Computer, which does not wait: its answer goes out before the guest goes down.
func restartComputer(c *call) error {
	m := c.guest.machine
	if m.guest.next != nil {
		return refuse("OperationStopped", hresultInvalidState, "RestartcomputerFailed", c.system().Name(), "A system shutdown is in progress.")
	}
	c.did("restarting Windows in VM " + m.name)
	c.w.guestNext(m, c.w.durations.Change, func() { c.w.restartGuest(m) })
	return nil
}

// administratorsMeant refuses local groups other than Administrators.
func (c *call) administratorsMeant() error {
	if c.text("SID") == windows.AdministratorsSID || strings.EqualFold(c.text("Name"), "Administrators") || strings.EqualFold(c.text("Group"), "Administrators") {
		return nil
	}
	group := c.text("SID") + c.text("Name") + c.text("Group")
	return refuse("ObjectNotFound", hresultNone, "GroupNotFound", group, "Group %s was not found.", group)
}

// getLocalGroupMember answers Get-LocalGroupMember, which fails as a whole where the domain cannot say who a member is.
func getLocalGroupMember(c *call) error {
	if err := c.administratorsMeant(); err != nil {
		return err
	}
	s := c.system()
	if s.Domain() != nil && !c.w.reachesDomain(c.guest.machine) {
		return refuse("NotSpecified", hresultInvalidState, "An unspecified error occurred.", windows.AdministratorsSID, "Failed to compare two elements in the array.")
	}
	for _, sid := range s.Administrators {
		c.emit(record{"sid": sid, "name": sid})
	}
	return nil
}

// addLocalGroupMember answers Add-LocalGroupMember for members by their SIDs.
func addLocalGroupMember(c *call) error {
	if err := c.administratorsMeant(); err != nil {
		return err
	}
	for _, member := range c.texts("Member") {
		switch {
		case !strings.HasPrefix(member, "S-1-"):
			c.report(refuse("ObjectNotFound", hresultNone, "PrincipalNotFound", member, "Principal %s was not found.", member))
		case c.system().AddAdministrators(member) != nil:
			c.report(refuse("ResourceExists", hresultNone, "MemberExists", member, "%s is already a member of group Administrators.", member))
		default:
			c.did("added " + member + " to Administrators in VM " + c.guest.machine.name)
		}
	}
	return nil
}
