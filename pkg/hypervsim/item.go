package hypervsim

import (
	"strings"
	"time"
)

// The cmdlets of Microsoft.PowerShell.Management that named functions run on a host. They take no time of their own: what
// takes time there is what they do to a volume, which is a copy.

func instant(*Durations) time.Duration { return 0 }

// plain is a value that a cmdlet writes and that is no object: a Boolean or a text.
type plain struct{ v any }

func (plain) property(string) any { return nil }
func (p plain) String() string    { return asText(p.v) }

// path is where a path leads, from the working directory.
func (c *call) path(path string) string {
	path = clean(path)
	switch {
	case path == ".":
		return c.directory
	case len(path) > 1 && path[1] == ':', strings.HasPrefix(path, `\\`):
		return path
	default:
		return joinPath(c.directory, strings.TrimPrefix(path, `.\`))
	}
}

// paths are those that LiteralPath or Path names. Wildcards are not known here.
func (c *call) paths() []string {
	paths := c.texts("LiteralPath")
	if len(paths) == 0 {
		paths = c.texts("Path")
	}
	for i, path := range paths {
		paths[i] = c.path(path)
	}
	return paths
}

func itemNotFound(path string) *refusal {
	return refuse("ObjectNotFound", hresultItemNotFound, "PathNotFound", path, "Cannot find path '%s' because it does not exist.", path)
}

// testPath answers Test-Path.
func testPath(c *call) error {
	for _, path := range c.paths() {
		isFile, isFolder := c.w.fileAt(c.host, path) != nil, c.w.folderAt(c.host, path) != nil
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

// getChildItem answers Get-ChildItem: folders before files, as Windows lists them.
func getChildItem(c *call) error {
	for _, path := range c.paths() {
		if f := c.w.fileAt(c.host, path); f != nil {
			c.emit(fileView(f))
			continue
		}
		root := c.w.folderAt(c.host, path)
		if root == nil {
			c.report(itemNotFound(path))
			continue
		}
		if !c.flag("File") {
			for _, f := range root.allFolders() {
				c.emit(folderView(f))
			}
		}
		if !c.flag("Directory") {
			for _, f := range root.allFiles() {
				c.emit(fileView(f))
			}
		}
	}
	return nil
}

// getContent answers Get-Content: the lines, or with -Raw the whole text.
func getContent(c *call) error {
	for _, path := range c.paths() {
		f := c.w.fileAt(c.host, path)
		switch {
		case f == nil:
			c.report(itemNotFound(path))
		case f.holder != "":
			c.report(inUse(path))
		case c.flag("Raw"):
			c.emit(plain{f.text})
		default:
			for line := range strings.Lines(f.text) {
				c.emit(plain{strings.TrimRight(line, "\r\n")})
			}
		}
	}
	return nil
}

// setContent answers Set-Content.
func setContent(c *call) error {
	lineEnd := "\r\n"
	if c.flag("NoNewline") {
		lineEnd = ""
	}
	text := strings.Join(c.texts("Value"), lineEnd) + lineEnd
	for _, path := range c.paths() {
		if f := c.w.fileAt(c.host, path); f != nil && f.holder != "" {
			c.report(inUse(path))
			continue
		}
		if err := c.w.writeText(c.host, path, text); err != nil {
			c.report(err)
			continue
		}
		c.did("wrote " + path)
	}
	return nil
}

// newItem answers New-Item for files and folders.
func newItem(c *call) error {
	for _, path := range c.paths() {
		c.report(c.newItem(path))
	}
	return nil
}

func (c *call) newItem(path string) error {
	if name := c.text("Name"); name != "" {
		path = joinPath(path, name)
	}
	folder, isFile := c.w.folderAt(c.host, path), c.w.fileAt(c.host, path) != nil
	switch {
	case strings.EqualFold(c.text("ItemType"), "Directory") && isFile, folder != nil && !c.flag("Force"):
		return refuse("ResourceExists", hresultFileExists, "DirectoryExist", path, "An item with the specified name %s already exists.", path)
	case strings.EqualFold(c.text("ItemType"), "Directory"):
		c.emit(folderView(c.w.makeFolder(c.host, path)))
		c.did("made folder " + path)
		return nil
	case isFile && !c.flag("Force"), folder != nil:
		return refuse("WriteError", hresultFileExists, "NewItemIOError", path, "The file '%s' already exists.", path)
	}
	if err := c.w.writeText(c.host, path, c.text("Value")); err != nil {
		return err
	}
	c.emit(fileView(c.w.fileAt(c.host, path)))
	c.did("made file " + path)
	return nil
}

// moveItem answers Move-Item for files.
func moveItem(c *call) error {
	for _, path := range c.paths() {
		c.report(c.moveItem(path))
	}
	return nil
}

func (c *call) moveItem(path string) error {
	from := c.w.fileAt(c.host, path)
	if from == nil {
		return c.noFileHere(path)
	}
	to := c.destination(from)
	dir, name := splitPath(to)
	folder, there := c.w.folderAt(c.host, dir), c.w.fileAt(c.host, to)
	switch {
	case folder == nil:
		return noPath(dir)
	case c.w.isBusy(from):
		return inUse(from.path)
	case there == from:
		return nil
	case there != nil && !c.flag("Force"):
		return refuse("WriteError", hresultAlreadyExists, "MoveFileInfoItemIOError", from.path, "Cannot create a file when that file already exists.")
	case there != nil && c.w.isBusy(there):
		return inUse(there.path)
	case c.w.volumeOf(to) != c.w.volumeOf(from.path):
		return refuse("NotImplemented", hresultUnsupported, "NotSupported", to, "Moving from one volume to another is not simulated.")
	}
	if there != nil {
		c.w.deleteFile(there)
	}
	c.did("moved " + from.path + " to " + to)
	c.w.renameFile(from, folder, name)
	return nil
}

// destination is where a file goes that is moved or copied: into a folder, or to a path of its own.
func (c *call) destination(from *file) string {
	to := c.path(c.text("Destination"))
	if c.w.folderAt(c.host, to) != nil {
		_, name := splitPath(from.path)
		to = joinPath(to, name)
	}
	return to
}

// noFileHere says why a path is no file that could be moved or copied.
func (c *call) noFileHere(path string) error {
	if c.w.folderAt(c.host, path) != nil {
		return refuse("NotImplemented", hresultUnsupported, "NotSupported", path, "Moving and copying folders is not simulated.")
	}
	return itemNotFound(path)
}

// isBusy is whether somebody has the file open.
func (w *World) isBusy(f *file) bool { return f.holder != "" || len(w.openedBy(f.path)) > 0 }

// removeItem answers Remove-Item.
func removeItem(c *call) error {
	for _, path := range c.paths() {
		c.report(c.removeItem(path))
	}
	return nil
}

func (c *call) removeItem(path string) error {
	if f := c.w.fileAt(c.host, path); f != nil {
		if c.w.isBusy(f) {
			return inUse(path)
		}
		c.w.deleteFile(f)
		c.did("removed file " + path)
		return nil
	}
	f := c.w.folderAt(c.host, path)
	switch {
	case f == nil:
		return itemNotFound(path)
	case f.parent == nil:
		return refuse("PermissionDenied", hresultAccessDenied, "RemoveItemUnauthorizedAccessError", path, "Access to the path '%s' is denied.", path)
	case !c.flag("Recurse") && len(f.files)+len(f.folders) > 0:
		// The real one asks whether to go on, which nobody answers here.
		return refuse("InvalidOperation", hresultInvalidState, "InvalidOperation", path, "The item at %s has children and the Recurse parameter was not specified.", path)
	}
	if err := c.w.deleteFolder(f); err != nil {
		return err
	}
	c.did("removed folder " + path)
	return nil
}

// copyItem answers Copy-Item for files, and lasts as long as the copy.
func copyItem(c *call) error {
	for _, path := range c.paths() {
		if err := c.copyItem(path); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) copyItem(path string) error {
	from := c.w.fileAt(c.host, path)
	switch {
	case from == nil:
		return c.noFileHere(path)
	case from.holder != "":
		return inUse(path)
	}
	to := c.destination(from)
	if there := c.w.fileAt(c.host, to); there != nil {
		if c.w.isBusy(there) || there == from {
			return inUse(to)
		}
		c.w.deleteFile(there)
	}
	copied, err := c.w.createFile(c.host, to, 0)
	if err != nil {
		return err
	}
	takes, failure := c.w.fill(copied, from)
	c.did("began to copy " + from.path + " to " + to)
	completed := func() {
		if copied.holder = ""; failure != nil {
			c.w.deleteFile(copied)
			return
		}
		from.copyTo(copied)
		c.w.happened("copied " + to)
	}
	interrupted := func() {
		copied.holder = ""
		c.w.happened("copying " + to + " was interrupted")
	}
	if !c.lasts(takes, completed, interrupted) {
		return errHostDown
	}
	return failure
}

// lasts lets the call last as long as something that its host does, and says whether the host came to the end of it.
func (c *call) lasts(takes time.Duration, completed, interrupted func()) bool {
	w := c.w
	woken := make(chan struct{})
	wake := func() {
		w.sleeping--
		w.running++
		close(woken)
	}
	w.startJob(c.host, takes, func() {
		completed()
		wake()
	}, interrupted).cut = wake
	w.sleeping++
	w.running--
	w.pump()
	w.mu.Unlock()
	select {
	case <-woken:
	case <-w.closed:
	}
	w.mu.Lock()
	return c.alive()
}

func fileView(f *file) object     { return view[*file]{f, fileClass, f.path} }
func folderView(f *folder) object { return view[*folder]{f, folderClass, f.path} }
