package hypervsim

import (
	"maps"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// mount is a virtual disk that a host has as a disk of its own: nobody else opens its file meanwhile.
type mount struct {
	host   *host
	file   *file
	number int64
	// letter is where the files on its one volume are, as "E:"; empty while that has none.
	letter string
}

// mountHolder holds the file of a mounted disk.
const mountHolder = "Mount-VHD"

// setAnswerFile answers Set-AnswerFile, which leaves the disk as it found it but for the one file.
func setAnswerFile(c *call) error {
	path := c.path(c.text("Path"))
	dir, _ := splitPath(path)
	if folder := c.w.folderAt(c.host, dir); folder == nil || folder.files[hyperv.StampFile] == nil {
		return refused("PermissionDenied", path, "%s is in no folder with our stamp.", path)
	}
	f, err := c.closedDisk(path)
	if err != nil {
		failure := asCallError("Mount-VHD", err)
		return &failure
	}
	if f.disk.windows == 0 {
		return refused("InvalidData", path, "%s holds no Windows: make the image from a disk with a Windows that Sysprep has generalised.", path)
	}
	content, _ := c.args["content"].(hostagent.Secret)
	f.disk.files[windows.AnswerFile] = content.Reveal()
	c.did("put an answer file into " + path)
	return nil
}

// closedDisk finds a virtual disk that nobody has open.
func (c *call) closedDisk(path string) (*file, error) {
	f := c.w.fileAt(c.host, path)
	switch {
	case f == nil:
		return nil, noFile(path)
	case c.w.isBusy(f):
		return nil, inUse(path)
	case f.disk == nil || f.broken:
		return nil, unreadableDisk(path)
	}
	return f, nil
}

// mountVHD answers Mount-VHD.
func mountVHD(c *call) error {
	for _, path := range c.texts("Path") {
		f, err := c.closedDisk(c.path(path))
		if err != nil {
			c.report(err)
			continue
		}
		m := &mount{host: c.host, file: f, number: c.host.freeNumber()}
		f.holder = mountHolder
		c.host.mounts = append(c.host.mounts, m)
		c.did("mounted " + f.path)
		if !c.flag("NoDriveLetter") && f.disk.windows != 0 {
			m.giveLetter()
		}
		if c.flag("Passthru") {
			c.emit(vhdView(c.w, f))
		}
	}
	return nil
}

// dismountVHD answers Dismount-VHD.
func dismountVHD(c *call) error {
	var asked []func(*mount) bool
	for _, path := range c.texts("Path") {
		asked = append(asked, func(m *mount) bool { return hyperv.SamePath(m.file.path, c.path(path)) })
	}
	if c.has("DiskNumber") {
		number := c.integer("DiskNumber", 0)
		asked = append(asked, func(m *mount) bool { return m.number == number })
	}
	for _, is := range asked {
		i := slices.IndexFunc(c.host.mounts, is)
		if i < 0 {
			c.report(refuse("InvalidOperation", hresultInvalidState, "InvalidState", c.text("Path"), "The virtual hard disk is not mounted on %s.", c.host.name))
			continue
		}
		m := c.host.mounts[i]
		m.end()
		c.did("dismounted " + m.file.path)
	}
	return nil
}

// mountOf finds how a file is mounted, or nil.
func (h *host) mountOf(f *file) *mount {
	for _, m := range h.mounts {
		if m.file == f {
			return m
		}
	}
	return nil
}

func (h *host) mountNumbered(number int64) *mount {
	for _, m := range h.mounts {
		if m.number == number {
			return m
		}
	}
	return nil
}

// freeNumber is a number for another disk; 0 is the host's own.
func (h *host) freeNumber() int64 {
	number := int64(1)
	for h.mountNumbered(number) != nil {
		number++
	}
	return number
}

// giveLetter lets the host see the files on the disk.
func (m *mount) giveLetter() {
	for letter := 'E'; letter <= 'Z' && m.letter == ""; letter++ {
		if name := string(letter) + ":"; m.host.disk.folders[strings.ToLower(name)] == nil {
			m.letter = name
		}
	}
	w := m.host.world
	m.host.disk.folders[strings.ToLower(m.letter)] = newFolder(m.letter, nil)
	w.makeFolder(m.host, joinPath(m.letter, "Windows"))
	for _, path := range slices.Sorted(maps.Keys(m.file.disk.files)) {
		dir, name := splitPath(joinPath(m.letter, path))
		w.makeFolder(m.host, dir)
		// The host's own disks are never full.
		_ = w.writeText(m.host, joinPath(dir, name), m.file.disk.files[path])
	}
}

// end takes the disk from the host, with what is on it now.
func (m *mount) end() {
	if root := m.host.disk.folders[strings.ToLower(m.letter)]; root != nil {
		delete(m.host.disk.folders, strings.ToLower(m.letter))
		clear(m.file.disk.files)
		root.writeTo(m.file.disk.files, root.path+`\`)
	}
	m.file.holder = ""
	m.host.mounts = drop(m.host.mounts, m)
}

// writeTo adds the texts of a tree's files by their lower-case paths, without a prefix.
func (f *folder) writeTo(files map[string]string, prefix string) {
	for _, file := range f.files {
		files[strings.ToLower(strings.TrimPrefix(file.path, prefix))] = file.text
	}
	for _, sub := range f.folders {
		sub.writeTo(files, prefix)
	}
}

// dismountAll is what a host that goes down leaves mounted: nothing.
func (h *host) dismountAll() {
	for _, m := range slices.Clone(h.mounts) {
		m.end()
	}
}

// getDrives answers Get-PSDrive for the file system.
func getDrives(c *call) error {
	for _, root := range c.host.disk.allFolders() {
		if name, isDrive := strings.CutSuffix(root.path, ":"); isDrive {
			c.emit(record{"name": name})
		}
	}
	return nil
}
