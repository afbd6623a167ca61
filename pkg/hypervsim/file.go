package hypervsim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hyperv"
)

// volume is a cluster shared volume.
type volume struct {
	name, id string
	path     string
	size     int64
	free     int64
	owner    *host
	root     *folder
}

// folder is a directory, with its children by lower-case name.
type folder struct {
	path    string
	parent  *folder
	folders map[string]*folder
	files   map[string]*file
}

// file is a file; disk is nil for one that is no virtual hard disk.
type file struct {
	path   string
	folder *folder
	length int64
	text   string
	disk   *virtualDisk
	// holder names who has the file open for itself alone, if anybody.
	holder string
	// broken is whether its making was interrupted.
	broken bool
}

func newFolder(path string, parent *folder) *folder {
	return &folder{path: path, parent: parent, folders: map[string]*folder{}, files: map[string]*file{}}
}

func (w *World) addVolume(m VolumeModel) error {
	owner := w.hostNamed(m.Owner)
	if owner == nil {
		return fmt.Errorf("volume %s: its owner %q is no host of the model", m.Name, m.Owner)
	}
	if !hyperv.Within(`C:\ClusterStorage`, m.Path) {
		return fmt.Errorf(`volume %s: its path %q is not below C:\ClusterStorage`, m.Name, m.Path)
	}
	w.volumes = append(w.volumes, &volume{
		name: m.Name, id: w.newID(), path: clean(m.Path), size: m.SizeBytes, free: m.SizeBytes, owner: owner, root: newFolder(clean(m.Path), nil),
	})
	return nil
}

func (w *World) addImage(m ImageModel) error {
	folder, _ := splitPath(m.Path)
	if w.volumeOf(m.Path) == nil {
		return fmt.Errorf("image %q is on no volume of the model", m.Path)
	}
	w.makeFolder(nil, folder)
	f, err := w.createFile(nil, m.Path, m.FileBytes)
	if err != nil {
		return fmt.Errorf("image %q: %w", m.Path, err)
	}
	f.disk = &virtualDisk{format: formatVHDX, kind: dynamicDisk, size: m.SizeBytes, identifier: strings.ToUpper(w.newID())}
	if m.Windows == 0 {
		return nil
	}
	f.disk.windows, f.disk.restartFor, f.disk.files = m.Windows, m.RestartFor, map[string]string{}
	f.disk.partitions.Initialise(w.newID())
	system := f.disk.partitions.AddPartition(m.SizeBytes)
	system.Letter, system.FileSystem, system.Label, system.VolumeSize = "C", "NTFS", "Windows", system.Size
	return nil
}

// clean is a path without a separator at its end, and with Windows' own separators.
func clean(path string) string {
	return strings.TrimRight(strings.ReplaceAll(path, "/", `\`), `\`)
}

func splitPath(path string) (folder, name string) {
	path = clean(path)
	i := strings.LastIndex(path, `\`)
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// volumeOf finds the volume that a path lies on, or nil for a path on a host's own disks.
func (w *World) volumeOf(path string) *volume {
	for _, v := range w.volumes {
		if hyperv.Within(v.path, clean(path)) {
			return v
		}
	}
	return nil
}

// root gives where a path begins, as seen from a host, and its parts below.
func (w *World) root(h *host, path string) (*folder, []string) {
	path = clean(path)
	base, root := "", (*folder)(nil)
	if v := w.volumeOf(path); v != nil {
		base, root = v.path, v.root
	} else if h != nil {
		root = h.disk
	}
	rest := strings.Trim(path[len(base):], `\`)
	if rest == "" || root == nil {
		return root, nil
	}
	return root, strings.Split(rest, `\`)
}

// folderAt finds a folder as a host sees it, or nil.
func (w *World) folderAt(h *host, path string) *folder {
	at, parts := w.root(h, path)
	for _, part := range parts {
		if at == nil {
			return nil
		}
		at = at.folders[strings.ToLower(part)]
	}
	return at
}

// fileAt finds a file as a host sees it, or nil.
func (w *World) fileAt(h *host, path string) *file {
	dir, name := splitPath(path)
	if f := w.folderAt(h, dir); f != nil {
		return f.files[strings.ToLower(name)]
	}
	return nil
}

// makeFolder makes a folder with those above it; one that is there already stays.
func (w *World) makeFolder(h *host, path string) *folder {
	at, parts := w.root(h, path)
	for _, part := range parts {
		next, ok := at.folders[strings.ToLower(part)]
		if !ok {
			next = newFolder(joinPath(at.path, part), at)
			at.folders[strings.ToLower(part)] = next
		}
		at = next
	}
	return at
}

func joinPath(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + `\` + name
}

// createFile makes a file of a length in a folder that is there.
func (w *World) createFile(h *host, path string, length int64) (*file, error) {
	dir, name := splitPath(path)
	folder := w.folderAt(h, dir)
	switch {
	case folder == nil:
		return nil, noPath(dir)
	case folder.files[strings.ToLower(name)] != nil || folder.folders[strings.ToLower(name)] != nil:
		return nil, refuse("ResourceExists", hresultFileExists, "ResourceExists", path, "The file %q exists.", path)
	}
	f := &file{path: joinPath(folder.path, name), folder: folder}
	if err := w.resize(f, length); err != nil {
		return nil, err
	}
	folder.files[strings.ToLower(name)] = f
	return f, nil
}

// resize gives a file another length, if its volume has room.
func (w *World) resize(f *file, length int64) error {
	if v := w.volumeOf(f.path); v != nil {
		if length-f.length > v.free {
			return diskFull(f.path)
		}
		v.free -= length - f.length
	}
	f.length = length
	return nil
}

// writeText makes or replaces a small text file.
func (w *World) writeText(h *host, path, text string) error {
	f := w.fileAt(h, path)
	if f == nil {
		var err error
		if f, err = w.createFile(h, path, 0); err != nil {
			return err
		}
	}
	f.text = text
	return w.resize(f, int64(len(text)))
}

func (w *World) deleteFile(f *file) {
	if v := w.volumeOf(f.path); v != nil {
		v.free += f.length
	}
	_, name := splitPath(f.path)
	delete(f.folder.files, strings.ToLower(name))
}

// renameFile gives a file another name, in the same folder or in another one of its volume.
func (w *World) renameFile(f *file, to *folder, name string) {
	_, old := splitPath(f.path)
	delete(f.folder.files, strings.ToLower(old))
	f.folder, f.path = to, joinPath(to.path, name)
	to.files[strings.ToLower(name)] = f
}

// deleteFolder removes a folder with everything in it, unless something in it is in use.
func (w *World) deleteFolder(f *folder) error {
	if busy := w.busyIn(f); busy != nil {
		return inUse(busy.path)
	}
	w.empty(f)
	_, name := splitPath(f.path)
	delete(f.parent.folders, strings.ToLower(name))
	return nil
}

func (w *World) empty(f *folder) {
	for _, sub := range f.folders {
		w.empty(sub)
	}
	for _, file := range f.allFiles() {
		w.deleteFile(file)
	}
	clear(f.folders)
}

// busyIn finds a file in the tree that somebody has open, or nil.
func (w *World) busyIn(f *folder) *file {
	for _, file := range f.allFiles() {
		if file.holder != "" || len(w.openedBy(file.path)) > 0 {
			return file
		}
	}
	for _, sub := range f.allFolders() {
		if busy := w.busyIn(sub); busy != nil {
			return busy
		}
	}
	return nil
}

func (f *folder) allFiles() []*file {
	return slices.SortedFunc(maps.Values(f.files), func(a, b *file) int { return cmp.Compare(a.path, b.path) })
}

func (f *folder) allFolders() []*folder {
	return slices.SortedFunc(maps.Values(f.folders), func(a, b *folder) int { return cmp.Compare(a.path, b.path) })
}

var fileClass = properties[*file]{
	"fullname": func(f *file) any { return f.path },
	"name":     func(f *file) any { _, name := splitPath(f.path); return name },
	"length":   func(f *file) any { return f.length },
}

var folderClass = properties[*folder]{
	"fullname": func(f *folder) any { return f.path },
	"name":     func(f *folder) any { _, name := splitPath(f.path); return name },
}

// getItem answers Get-Item.
func getItem(c *call) error {
	for _, path := range c.paths() {
		if f := c.w.fileAt(c.host, path); f != nil {
			c.emit(fileView(f))
		} else if d := c.w.folderAt(c.host, path); d != nil {
			c.emit(folderView(d))
		} else {
			c.report(itemNotFound(path))
		}
	}
	return nil
}
