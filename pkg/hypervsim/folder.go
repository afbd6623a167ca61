package hypervsim

import (
	"strings"

	"guestclustering.io/operator/pkg/hyperv"
)

// workSuffix is what the record of a long operation adds to the name of what it makes.
const workSuffix = ".work.json"

// getStampedFolder answers Get-StampedFolder: the folders with a stamp directly below the pools.
func getStampedFolder(c *call) error {
	for _, pool := range c.texts("Pool") {
		root := c.w.folderAt(c.host, pool)
		if root == nil {
			c.report(refuse("ObjectNotFound", hresultItemNotFound, "PoolNotFound", pool, "The folder %s does not exist.", pool))
			continue
		}
		for _, f := range root.allFolders() {
			if stamp, ok := f.files[hyperv.StampFile]; ok {
				c.emit(stampedFolder(f, stamp))
			}
		}
	}
	return nil
}

func stampedFolder(f *folder, stamp *file) record {
	files, works := []any{}, []any{}
	for _, file := range f.allFiles() {
		_, name := splitPath(file.path)
		files = append(files, table{"Name": name, "Length": file.length})
		if strings.HasSuffix(strings.ToLower(name), workSuffix) {
			works = append(works, file.text)
		}
	}
	subs := []any{}
	for _, sub := range f.allFolders() {
		_, name := splitPath(sub.path)
		subs = append(subs, name)
	}
	return record{"path": f.path, "stamp": stamp.text, "files": files, "work": works, "folders": subs}
}

// newStampedFolder answers New-StampedFolder.
func newStampedFolder(c *call) error {
	path, stamp := clean(c.text("Path")), c.text("Stamp")
	if f := c.w.folderAt(c.host, path); f != nil {
		own, stamped := f.files[hyperv.StampFile]
		switch {
		case stamped && own.text == stamp:
			return nil
		case stamped:
			return refused("ResourceExists", path, "%s carries another stamp.", path)
		case len(f.files)+len(f.folders) > 0:
			return refused("ResourceExists", path, "%s has content and no stamp.", path)
		}
	}
	if c.w.fileAt(c.host, path) != nil {
		return refuse("ResourceExists", hresultFileExists, "ResourceExists", path, "%q is a file.", path)
	}
	if v := c.w.volumeOf(path); v != nil && v.free < int64(len(stamp)) {
		return diskFull(path)
	}
	c.w.makeFolder(c.host, path)
	c.did("made folder " + path)
	return c.w.writeText(c.host, joinPath(path, hyperv.StampFile), stamp)
}

// removeStampedFolder answers Remove-StampedFolder. It removes all or nothing.
func removeStampedFolder(c *call) error {
	path := clean(c.text("Path"))
	f := c.w.folderAt(c.host, path)
	if f == nil {
		return nil
	}
	if own, ok := f.files[hyperv.StampFile]; !ok || own.text != c.text("Stamp") {
		return refused("ResourceExists", path, "%s does not carry the stamp that was asked for.", path)
	}
	if f.parent == nil {
		return refused("PermissionDenied", path, "%s is a volume.", path)
	}
	if err := c.w.deleteFolder(f); err != nil {
		return err
	}
	c.did("removed folder " + path)
	return nil
}

// refused is an error of a named function's own.
func refused(category, target, format string, args ...any) *refusal {
	return refuse(category, hresultInvalidState, "Refused", target, format, args...)
}
