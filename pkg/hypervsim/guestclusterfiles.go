package hypervsim

import (
	"maps"
	"slices"
	"strings"
)

// What named functions do with files in guests. Of those that are not text nothing is known; a folder is one that was made, or
// that has a file in it.
func init() {
	inGuests(map[string]command{
		"Test-Path":     {instant, needsHost, testGuestPath},
		"New-Item":      {instant, needsHost, newGuestItem},
		"Get-ChildItem": {instant, needsHost, getGuestChildItem},
		"Get-Content":   {instant, needsHost, getGuestContent},
		"Set-Content":   {instant, needsHost, setGuestContent},
		"Move-Item":     {instant, needsHost, func(c *call) error { return c.transferGuestFiles(true) }},
		"Copy-Item":     {instant, needsHost, func(c *call) error { return c.transferGuestFiles(false) }},
	})
}

// folderMark ends the key of a folder among the files: a path has no such end.
const folderMark = `\`

// guestFiles are the files of a guest as a call sees them: drive C, and the cluster's volumes while their disks are online.
type guestFiles struct {
	c     *call
	files map[string]string
}

func (c *call) files() guestFiles { return guestFiles{c, c.system().Files} }

// key is where a path leads, or empty for a drive that is not there.
func (f guestFiles) key(path string) string {
	key := onSystemDrive(f.c.path(path))
	if len(key) > 1 && key[1] == ':' && !f.c.hasDrive(key[:1]) {
		return ""
	}
	return strings.TrimSuffix(key, folderMark)
}

// hasDrive is whether a volume with a letter is online in the guest.
func (c *call) hasDrive(letter string) bool {
	for _, d := range c.system().Disks() {
		for _, p := range d.Content.Partitions {
			if !d.Offline && strings.EqualFold(p.Letter, letter) {
				return true
			}
		}
	}
	return false
}

func (f guestFiles) isFile(key string) bool {
	_, ok := f.files[key]
	return key != "" && ok
}

func (f guestFiles) isFolder(key string) bool {
	if key == "" {
		return false
	}
	if len(key) == 2 && key[1] == ':' {
		return true
	}
	for name := range f.files {
		if strings.HasPrefix(name, key+folderMark) {
			return true
		}
	}
	return false
}

// within are the keys of what is in a folder, at any depth.
func (f guestFiles) within(key string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(f.files)), func(name string) bool { return !strings.HasPrefix(name, key+folderMark) })
}

func (f guestFiles) write(key, text string) {
	f.files[key] = text
	f.c.w.services.written[guestFile{f.c.guest.machine, key}] = f.c.w.clock.Now()
}

// guestFile names a file in a guest.
type guestFile struct {
	machine *machine
	key     string
}

// fileRecord is a file as Get-Item gives it.
func (f guestFiles) fileRecord(key string) record {
	written, ok := f.c.w.services.written[guestFile{f.c.guest.machine, key}]
	if !ok {
		written = f.c.guest.machine.guest.booted
	}
	return record{
		"fullname": fullName(key), "name": key[strings.LastIndex(key, folderMark)+1:], "length": int64(len(f.files[key])), "lastwritetimeutc": written,
	}
}

func folderRecord(key string) record {
	return record{"fullname": fullName(key), "name": key[strings.LastIndex(key, folderMark)+1:], "psiscontainer": true}
}

func fullName(key string) string {
	if len(key) > 1 && key[1] == ':' {
		return key
	}
	return `C:\` + key
}

func testGuestPath(c *call) error {
	f := c.files()
	for _, path := range c.paths() {
		isFile, isFolder := f.isFile(f.key(path)), f.isFolder(f.key(path))
		switch strings.ToLower(c.text("PathType")) {
		case "container":
			isFile = false
		case "leaf":
			isFolder = false
		}
		c.emit(plain{isFile || isFolder})
	}
	return nil
}

// newGuestItem answers New-Item for files and folders.
func newGuestItem(c *call) error {
	f := c.files()
	for _, path := range c.paths() {
		key := f.key(path)
		isFolder := strings.EqualFold(c.text("ItemType"), "Directory")
		switch {
		case key == "":
			c.report(noPath(path))
		case (f.isFile(key) || f.isFolder(key)) && (!c.flag("Force") || f.isFile(key) == isFolder):
			c.report(refuse("ResourceExists", hresultFileExists, "DirectoryExist", path, "An item with the specified name %s already exists.", path))
		case isFolder:
			f.files[key+folderMark] = ""
			c.did("made folder " + path + " in VM " + c.guest.machine.name)
			c.emit(folderRecord(key))
		default:
			f.write(key, c.text("Value"))
			c.did("made file " + path + " in VM " + c.guest.machine.name)
			c.emit(f.fileRecord(key))
		}
	}
	return nil
}

// getGuestChildItem answers Get-ChildItem for what is directly in a folder.
func getGuestChildItem(c *call) error {
	f := c.files()
	for _, path := range c.paths() {
		key := f.key(path)
		if !f.isFolder(key) {
			c.report(itemNotFound(path))
			continue
		}
		folders := map[string]bool{}
		for _, name := range f.within(key) {
			rest := name[len(key)+1:]
			folder, _, inFolder := strings.Cut(rest, folderMark)
			switch {
			case rest == "":
			case inFolder && !folders[folder]:
				folders[folder] = true
				if !c.flag("File") {
					c.emit(folderRecord(key + folderMark + folder))
				}
			case !inFolder && !c.flag("Directory"):
				c.emit(f.fileRecord(name))
			}
		}
	}
	return nil
}

// getGuestContent answers Get-Content: the lines, or with -Raw the whole text.
func getGuestContent(c *call) error {
	f := c.files()
	for _, path := range c.paths() {
		key := f.key(path)
		switch {
		case !f.isFile(key):
			c.report(itemNotFound(path))
		case c.flag("Raw"):
			c.emit(plain{f.files[key]})
		default:
			for line := range strings.Lines(f.files[key]) {
				c.emit(plain{strings.TrimRight(line, "\r\n")})
			}
		}
	}
	return nil
}

// setGuestContent answers Set-Content.
func setGuestContent(c *call) error {
	lineEnd := "\r\n"
	if c.flag("NoNewline") {
		lineEnd = ""
	}
	f := c.files()
	for _, path := range c.paths() {
		key := f.key(path)
		folder := key[:max(strings.LastIndex(key, folderMark), 0)]
		if key == "" || folder != "" && !f.isFolder(folder) {
			c.report(noPath(path))
			continue
		}
		f.write(key, strings.Join(c.texts("Value"), lineEnd)+lineEnd)
		c.did("wrote " + path + " in VM " + c.guest.machine.name)
	}
	return nil
}

// transferGuestFiles answers Move-Item and Copy-Item for files.
func (c *call) transferGuestFiles(moves bool) error {
	f := c.files()
	to := f.key(c.text("Destination"))
	for _, path := range c.paths() {
		from := f.key(path)
		target := to
		if f.isFolder(to) {
			target = to + folderMark + from[strings.LastIndex(from, folderMark)+1:]
		}
		switch {
		case !f.isFile(from):
			return itemNotFound(path)
		case moves && f.isFile(target) && !c.flag("Force"):
			return refuse("WriteError", hresultAlreadyExists, "MoveFileInfoItemIOError", path, "Cannot create a file when that file already exists.")
		}
		f.write(target, f.files[from])
		if moves {
			delete(f.files, from)
		}
		c.did("wrote " + fullName(target) + " in VM " + c.guest.machine.name)
	}
	return nil
}

// removeGuestFolder removes a folder with all that is in it.
func (f guestFiles) removeGuestFolder(key string) {
	for _, name := range f.within(key) {
		delete(f.files, name)
	}
}
