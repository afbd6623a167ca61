package hypervsim

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hyperv"
)

// work is a long operation of a host: the copy of a file, or the making of a fixed disk. It does not end with the
// session that started it, but with its host.
type work struct {
	host  *host
	event *event
	// interrupted is what becomes of it when the host goes down.
	interrupted func()
}

// startJob lets something complete later, unless the host goes down before.
func (w *World) startJob(h *host, takes time.Duration, completed, interrupted func()) *work {
	job := &work{host: h, interrupted: interrupted}
	job.event = w.after(takes, func() {
		delete(h.jobs, job)
		completed()
	})
	h.jobs[job] = true
	return job
}

// startWork answers Start-Work: it copies a file in a task of the node that owns the volume.
func startWork(c *call) error {
	source, destination := clean(c.text("Source")), clean(c.text("Destination"))
	record := hyperv.Work{ID: c.text("Id"), InputHash: c.text("InputHash"), Destination: destination, State: hyperv.WorkRunning}
	if done, err := c.earlierWork(record); done || err != nil {
		return err
	}
	from := c.w.fileAt(c.host, source)
	switch {
	case from == nil:
		return noFile(source)
	case from.holder != "":
		return inUse(source)
	case c.w.fileAt(c.host, destination) != nil:
		return refuse("ResourceExists", hresultFileExists, "ResourceExists", destination, "The file %q exists.", destination)
	}
	copying := &copying{w: c.w, record: record, from: from, host: c.host}
	if v := c.w.volumeOf(destination); v != nil {
		copying.host = v.owner
	}
	if err := copying.start(); err != nil {
		return err
	}
	c.did("started copying " + source + " to " + destination + " on " + copying.host.name)
	return nil
}

// earlierWork says whether the very same work was started before and needs nothing more.
func (c *call) earlierWork(wanted hyperv.Work) (done bool, err error) {
	f := c.w.fileAt(c.host, wanted.Destination+workSuffix)
	if f == nil {
		return false, nil
	}
	var before hyperv.Work
	if json.Unmarshal([]byte(f.text), &before) != nil {
		return false, nil
	}
	made := c.w.fileAt(c.host, wanted.Destination) != nil
	switch {
	case before.State == hyperv.WorkRunning && before.ID != wanted.ID:
		return false, inUse(wanted.Destination)
	case before.State == hyperv.WorkRunning, before.State == hyperv.WorkCompleted && before.ID == wanted.ID && made:
		return true, nil
	default:
		return false, nil
	}
}

// copying is one copy of a file.
type copying struct {
	w       *World
	record  hyperv.Work
	from    *file
	host    *host
	partial *file
}

func (p *copying) start() error {
	path := p.record.Destination + ".partial"
	if left := p.w.fileAt(p.host, path); left != nil {
		p.w.deleteFile(left)
	}
	partial, err := p.w.createFile(p.host, path, 0)
	if err != nil {
		return err
	}
	if err := p.write(); err != nil {
		return err
	}
	p.partial, partial.holder = partial, "copy"
	takes, completed := p.takes(p.from.length), p.complete
	if err := p.w.resize(partial, p.from.length); err != nil {
		// The copy fails once the volume is full.
		room := p.w.volumeOf(path).free
		takes, completed = p.takes(room), func() { p.fail(err) }
	}
	p.w.startJob(p.host, takes, completed, p.interrupted)
	return nil
}

func (p *copying) takes(length int64) time.Duration {
	return time.Duration(float64(p.w.durations.CopyPerGiB) * float64(length) / float64(GiB))
}

// write writes the record beside what is made.
func (p *copying) write() error {
	text, err := json.Marshal(p.record)
	if err != nil {
		return err
	}
	return p.w.writeText(p.host, p.record.Destination+workSuffix, string(text))
}

func (p *copying) complete() {
	_, name := splitPath(p.record.Destination)
	p.partial.holder = ""
	if p.from.disk != nil {
		disk := *p.from.disk
		p.partial.disk = &disk
	}
	p.w.renameFile(p.partial, name)
	p.end(hyperv.WorkCompleted, "")
	p.w.happened("copied " + p.record.Destination)
}

func (p *copying) fail(cause error) {
	p.w.deleteFile(p.partial)
	text := cause.Error()
	if r, ok := errors.AsType[*refusal](cause); ok {
		text = r.hresult + ": " + text
	}
	p.end(hyperv.WorkFailed, text)
	p.w.happened("copying " + p.record.Destination + " failed: " + strings.TrimSpace(text))
}

// interrupted leaves the part that was copied; whoever looks next finds that no task copies any more.
func (p *copying) interrupted() {
	p.partial.holder = ""
	p.end(hyperv.WorkFailed, "the copy was interrupted: host "+p.host.name+" went down")
	p.w.happened("copying " + p.record.Destination + " was interrupted")
}

func (p *copying) end(state, cause string) {
	p.record.State, p.record.Error = state, cause
	// The record is there already, and a few bytes longer or shorter: on a volume that is full to the last byte it keeps
	// its text.
	_ = p.write()
}
