package hypervsim

import (
	"encoding/json"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hyperv"
)

// work is a long operation of a host: the copy of a file, or the making of a fixed disk. It does not end with the
// session that started it, but with its host.
type work struct {
	host  *host
	event *event
	// task is the name of the scheduled task that does it, if one does.
	task string
	// interrupted is what becomes of it when the host cluster finds that the host is gone.
	interrupted func()
	// cut tells a call that waits for it that the host is gone; nil when none does.
	cut func()
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

// runsTask is whether a scheduled task of that name runs on the host.
func (h *host) runsTask(name string) bool {
	for job := range h.jobs {
		if strings.EqualFold(job.task, name) {
			return true
		}
	}
	for running := range h.scheduler.running {
		if strings.EqualFold(running.task.name, name) {
			return true
		}
	}
	return false
}

// workRecord is the record of a copy beside its destination, as Start-Work writes it.
type workRecord struct {
	ID          string    `json:"id"`
	InputHash   string    `json:"inputHash"`
	State       string    `json:"state"`
	Node        string    `json:"node"`
	Started     time.Time `json:"started"`
	Source      string    `json:"source"`
	Destination string    `json:"destination"`
	Error       string    `json:"error"`
}

// works are the records directly in a folder.
func (f *folder) works() []workRecord {
	var out []workRecord
	for _, file := range f.allFiles() {
		var r workRecord
		if strings.HasSuffix(strings.ToLower(file.path), workSuffix) && json.Unmarshal([]byte(file.text), &r) == nil {
			out = append(out, r)
		}
	}
	return out
}

// startWork answers Start-Work: it copies a file in a task of this host.
func startWork(c *call) error {
	wanted := workRecord{
		ID: c.text("Id"), InputHash: c.text("InputHash"), State: hyperv.WorkRunning, Node: c.host.name,
		Source: clean(c.text("Source")), Destination: clean(c.text("Destination")),
	}
	dir, _ := splitPath(wanted.Destination)
	folder := c.w.folderAt(c.host, dir)
	if folder == nil {
		return refuse("ObjectNotFound", hresultItemNotFound, "PathNotFound", dir, "Cannot find path %q because it does not exist.", dir)
	}
	if done, err := c.earlierWork(folder, wanted); done || err != nil {
		return err
	}
	wanted.Started = c.w.clock.Now().UTC()
	if err := (&copying{w: c.w, record: wanted, host: c.host}).start(); err != nil {
		return err
	}
	c.did("started copying " + wanted.Source + " to " + wanted.Destination)
	return nil
}

// earlierWork says whether the very same work was started before and needs nothing more.
func (c *call) earlierWork(folder *folder, wanted workRecord) (done bool, err error) {
	before, err := folder.recordFor(wanted.Destination)
	if err != nil {
		return false, err
	}
	same := before.ID == wanted.ID && before.InputHash == wanted.InputHash
	if before.State == hyperv.WorkRunning {
		underWay, err := c.underWay(before, same)
		// What was interrupted begins again, whatever is there: only the task itself gives a copy its name.
		if err != nil || underWay || same {
			return underWay, err
		}
	}
	if c.w.fileAt(c.host, wanted.Destination) == nil {
		return false, nil
	}
	if same && before.State == hyperv.WorkCompleted {
		return true, nil
	}
	return false, refused("ResourceExists", wanted.Destination, "%s exists and is not what was asked for.", wanted.Destination)
}

// recordFor is the record of what makes a file, if there is one. No other work may be under way in the folder.
func (f *folder) recordFor(destination string) (workRecord, error) {
	own := workRecord{}
	for _, r := range f.works() {
		if hyperv.SamePath(r.Destination, destination) {
			own = r
		} else if r.State == hyperv.WorkRunning {
			return own, notFinished(r)
		}
	}
	return own, nil
}

func notFinished(r workRecord) error {
	return refused("ResourceBusy", r.Destination, "The work for %s is not finished.", r.Destination)
}

// underWay is whether work is under way whose record says Running; if it is not the same that is asked for, that is an
// error.
func (c *call) underWay(r workRecord, same bool) (bool, error) {
	runs, err := c.runs(r)
	if err == nil && runs && !same {
		err = notFinished(r)
	}
	return runs, err
}

// runs is whether work runs whose record says so. Another node's is left to it, unless the host cluster says that the node
// is down.
func (c *call) runs(r workRecord) (bool, error) {
	if strings.EqualFold(r.Node, c.host.name) {
		return c.host.runsTask(r.ID), nil
	}
	if err := c.clusterService(); err != nil {
		return false, err
	}
	node := c.w.hostNamed(r.Node)
	return node != nil && node.nodeState() != "Down", nil
}

// copying is one copy of a file.
type copying struct {
	w       *World
	record  workRecord
	from    *file
	host    *host
	partial *file
}

func (p *copying) start() error {
	path := p.record.Destination + ".partial"
	if left := p.w.fileAt(p.host, path); left != nil {
		p.w.deleteFile(left)
	}
	if err := p.write(); err != nil {
		return err
	}
	if p.w.fileAt(p.host, p.record.Destination) != nil {
		// The copy before this one had come that far.
		p.task(p.w.durations.Change, func() { p.end(hyperv.WorkCompleted, "") })
	} else if problem := p.open(path); problem != nil {
		// The call has started a task; it is the task that finds the problem.
		p.task(p.w.durations.Change, func() { p.fail(problem) })
	} else {
		p.begin()
	}
	return nil
}

// task lets the copy's scheduled task end after a while.
func (p *copying) task(takes time.Duration, end func()) {
	p.w.startJob(p.host, takes, end, p.interrupted).task = p.record.ID
}

// open opens both files.
func (p *copying) open(path string) (err error) {
	p.from = p.w.fileAt(p.host, p.record.Source)
	switch {
	case p.from == nil:
		return itemNotFound(p.record.Source)
	case p.from.holder != "":
		return inUse(p.record.Source)
	}
	p.partial, err = p.w.createFile(p.host, path, 0)
	return err
}

// begin copies; the copy fails once the volume is full.
func (p *copying) begin() {
	end := p.complete
	takes, err := p.w.fill(p.partial, p.from)
	if err != nil {
		end = func() { p.fail(err) }
	}
	p.task(takes, end)
}

// fill begins to copy into a new file. It says how long that takes, and why it will fail after that, if it will.
func (w *World) fill(to, from *file) (time.Duration, error) {
	to.holder = "copy"
	length := from.length
	err := w.resize(to, length)
	if err != nil {
		length = w.volumeOf(to.path).free
	}
	return time.Duration(float64(w.durations.CopyPerGiB) * float64(length) / float64(GiB)), err
}

// copyTo gives a copy what is in the file.
func (f *file) copyTo(to *file) {
	to.text = f.text
	if f.disk != nil {
		to.disk = f.disk.copied()
	}
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
	p.from.copyTo(p.partial)
	p.w.renameFile(p.partial, p.partial.folder, name)
	p.end(hyperv.WorkCompleted, "")
	p.w.happened("copied " + p.record.Destination)
}

func (p *copying) fail(cause error) {
	if p.partial != nil {
		p.w.deleteFile(p.partial)
	}
	p.end(hyperv.WorkFailed, cause.Error())
	p.w.happened("copying " + p.record.Destination + " failed: " + cause.Error())
}

// interrupted leaves the part that was copied, and the record as it is: nobody is left who could say in it that the copy
// runs no more.
func (p *copying) interrupted() {
	if p.partial != nil {
		p.partial.holder = ""
	}
	p.w.happened("copying " + p.record.Destination + " was interrupted")
}

func (p *copying) end(state, cause string) {
	p.record.State, p.record.Error = state, cause
	// The record is there already, and a few bytes longer or shorter: on a volume that is full to the last byte it keeps
	// its text.
	_ = p.write()
}
