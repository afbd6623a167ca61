package hypervsim

import (
	"context"
	"maps"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
)

// Task is the action of a scheduled task that has been started.
type Task struct {
	Host, Name string
	// Execute and Arguments are the program and its command line, Directory is where it runs.
	Execute, Arguments, Directory string
	// Logon is whose rights it has: the machine's or a user's.
	Logon hostagent.Logon
}

// RunTasks says how scheduled tasks run what they are to run: until run returns, the task is running. Its context ends with
// the host's power and with the world. Without it no task can be started.
func (w *World) RunTasks(run func(context.Context, Task)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runTask = run
}

// taskPart is what a task is made of, as its own cmdlet made it: an action, a principal or settings.
type taskPart struct{ record }

func (p *taskPart) identity() any   { return p }
func (p *taskPart) names() []string { return slices.Sorted(maps.Keys(p.record)) }

// scheduledTask is a task that is registered on a host.
type scheduledTask struct {
	host       *host
	path, name string
	action     *taskPart
	logon      hostagent.Logon
	// job is what runs it in place of a program; nil for one that has an action.
	job *work
}

// runningTask is a task under way; it goes on when the task is unregistered.
type runningTask struct {
	task *scheduledTask
	end  context.CancelFunc
}

func (t *scheduledTask) identity() any   { return t }
func (t *scheduledTask) names() []string { return []string{"state", "taskname", "taskpath"} }
func (t *scheduledTask) String() string  { return t.path + t.name }

func (t *scheduledTask) property(name string) any {
	switch name {
	case "taskname":
		return t.name
	case "taskpath":
		return t.path
	case "state":
		return t.state()
	default:
		return nil
	}
}

func (t *scheduledTask) state() string {
	if t.job != nil || t.host.isRunning(t) {
		return "Running"
	}
	return "Ready"
}

func (h *host) isRunning(t *scheduledTask) bool {
	for running := range h.runningTasks {
		if running.task == t {
			return true
		}
	}
	return false
}

// endTasks ends what runs in tasks with the host.
func (h *host) endTasks() {
	for running := range h.runningTasks {
		running.end()
	}
	clear(h.runningTasks)
}

// workFolder is where Start-Work registers its tasks.
const workFolder = `\GuestClustering\`

// allTasks are the host's tasks in the order of their names, those of work that the simulator does itself too.
func (h *host) allTasks() []*scheduledTask {
	out := slices.Collect(maps.Values(h.tasks))
	for job := range h.jobs {
		if job.task != "" {
			out = append(out, &scheduledTask{host: h, path: workFolder, name: job.task, job: job})
		}
	}
	slices.SortFunc(out, func(a, b *scheduledTask) int { return strings.Compare(a.String(), b.String()) })
	return out
}

// newTaskPart answers New-ScheduledTaskAction, New-ScheduledTaskPrincipal and New-ScheduledTaskSettingsSet.
func newTaskPart(c *call) error {
	part := &taskPart{record{}}
	for name, arg := range c.args {
		part.record[name] = asText(arg)
	}
	c.emit(part)
	return nil
}

// taskAsked is the name of the task that a call is about.
func (c *call) taskAsked() (path, name string) {
	path = c.text("TaskPath")
	if path == "" {
		path = `\`
	}
	return path, c.text("TaskName")
}

func noTask(name string) *refusal {
	return refuse("ObjectNotFound", hresultFileNotFound, "CmdletizationQuery_NotFound_TaskName", name,
		"No MSFT_ScheduledTask objects found with property 'TaskName' equal to '%s'.", name)
}

// registerTask answers Register-ScheduledTask for tasks with one action.
func registerTask(c *call) error {
	path, name := c.taskAsked()
	var action *taskPart
	if actions := c.all("Action"); len(actions) == 1 {
		action, _ = actions[0].(*taskPart)
	}
	if action == nil {
		return invalid(name, "The task %s has no action, or more than one, which is not simulated.", name)
	}
	key := strings.ToLower(path + name)
	t := c.host.tasks[key]
	if t != nil && !c.flag("Force") {
		return refuse("ResourceExists", hresultAlreadyExists, "HRESULT 0x800700b7", name, "Cannot create a file when that file already exists.")
	}
	if t == nil {
		t = &scheduledTask{host: c.host, path: path, name: name}
		c.host.tasks[key] = t
	}
	t.action, t.logon = action, hostagent.LogonSystem
	if c.text("User") != "" {
		t.logon = hostagent.LogonExplicit
	}
	c.did("registered task " + t.String())
	c.emit(t)
	return nil
}

// startTask answers Start-ScheduledTask. A task that runs already is not started again.
func startTask(c *call) error {
	path, name := c.taskAsked()
	t := c.host.tasks[strings.ToLower(path+name)]
	switch {
	case t == nil:
		return noTask(name)
	case c.w.runTask == nil:
		return refuse("NotImplemented", hresultUnsupported, "NotImplemented", name, "Nothing runs the tasks of this simulated host.")
	case c.host.isRunning(t):
		return nil
	}
	c.did("started task " + t.String())
	c.w.runInTask(t)
	return nil
}

func (w *World) runInTask(t *scheduledTask) {
	ctx, cancel := context.WithCancel(context.Background())
	running := &runningTask{task: t, end: cancel}
	t.host.runningTasks[running] = true
	task := Task{
		Host: t.host.name, Name: t.name, Execute: asText(t.action.record["execute"]), Arguments: asText(t.action.record["argument"]),
		Directory: asText(t.action.record["workingdirectory"]), Logon: t.logon,
	}
	run := w.runTask
	w.goroutines.Go(func() {
		defer cancel()
		run(ctx, task)
		w.mu.Lock()
		defer w.mu.Unlock()
		if t.host.runningTasks[running] {
			delete(t.host.runningTasks, running)
			w.happened("task " + t.String() + " ended on " + t.host.name)
		}
	})
}

// getTask answers Get-ScheduledTask.
func getTask(c *call) error {
	names, paths := c.texts("TaskName"), c.texts("TaskPath")
	matches := func(patterns []string, name string) bool {
		return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return matchesName(p, name) })
	}
	for _, t := range c.host.allTasks() {
		if matches(names, t.name) && matches(paths, t.path) {
			c.emit(t)
		}
	}
	if len(c.values) == 0 && len(names) > 0 {
		return noTask(names[0])
	}
	return nil
}

// unregisterTask answers Unregister-ScheduledTask. What runs in the task goes on.
func unregisterTask(c *call) error {
	path, name := c.taskAsked()
	key := strings.ToLower(path + name)
	t := c.host.tasks[key]
	if t == nil {
		return noTask(name)
	}
	delete(c.host.tasks, key)
	c.did("unregistered task " + t.String())
	return nil
}
