package hypervsim

import (
	"context"
	"maps"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

func init() {
	inGuests(map[string]command{
		"New-ScheduledTaskAction": {instant, needsHost, newTaskPart}, "New-ScheduledTaskPrincipal": {instant, needsHost, newTaskPart},
		"New-ScheduledTaskSettingsSet": {instant, needsHost, newTaskPart}, "Register-ScheduledTask": {instant, needsHost, registerTask},
		"Start-ScheduledTask": {instant, needsHost, startTask}, "Get-ScheduledTask": {instant, needsHost, getTask},
		"Unregister-ScheduledTask": {instant, needsHost, unregisterTask},
	})
}

// Task is the action of a scheduled task that has been started, on a host or in a guest.
type Task struct {
	// Host is the host, or the one that the guest's machine runs on; VM the machine's id, empty for a task of the host.
	Host, VM, Name string
	// Execute and Arguments are the program and its command line, Directory is where it runs.
	Execute, Arguments, Directory string
	// Logon is whose rights it has: the machine's or a user's.
	Logon hostagent.Logon

	running *runningTask
}

// RunTasks says how scheduled tasks run what they are to run: until run returns, the task is running. Its context ends with
// the power of the host or the guest, and with the world. Without it no task can be started.
func (w *World) RunTasks(run func(context.Context, Task)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runTask = run
}

// taskPart is what a task is made of, as its own cmdlet made it: an action, a principal or settings.
type taskPart struct{ record }

func (p *taskPart) identity() any   { return p }
func (p *taskPart) names() []string { return slices.Sorted(maps.Keys(p.record)) }

// scheduler is the Task Scheduler of a host, or of the Windows in a machine.
type scheduler struct {
	host *host
	// machine is nil for a host's.
	machine *machine
	// registered are the tasks by their lower-case paths and names; running are those under way.
	registered map[string]*scheduledTask
	running    map[*runningTask]bool
}

func newScheduler(h *host, m *machine) *scheduler {
	return &scheduler{host: h, machine: m, registered: map[string]*scheduledTask{}, running: map[*runningTask]bool{}}
}

// scheduler is that of where the call is made.
func (c *call) scheduler() *scheduler {
	if c.guest != nil {
		return c.guest.machine.scheduler()
	}
	return c.host.scheduler
}

// scheduler is that of a machine's Windows.
func (m *machine) scheduler() *scheduler {
	if m.guest.scheduler == nil {
		m.guest.scheduler = newScheduler(nil, m)
	}
	return m.guest.scheduler
}

// where is the name of the host or the machine, for events.
func (s *scheduler) where() string {
	if s.machine != nil {
		return "VM " + s.machine.name
	}
	return s.host.name
}

// scheduledTask is a task that is registered.
type scheduledTask struct {
	scheduler  *scheduler
	path, name string
	action     *taskPart
	logon      hostagent.Logon
	// user is whose rights it has in a guest.
	user windows.User
	// job is what runs it in place of a program; nil for one that has an action.
	job *work
}

// runningTask is a task under way; it goes on when the task is unregistered.
type runningTask struct {
	task *scheduledTask
	end  context.CancelFunc
	// sessions are the PowerShells that it has in a guest.
	sessions []*guestSession
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
	if t.job != nil || t.scheduler.isRunning(t) {
		return "Running"
	}
	return "Ready"
}

func (s *scheduler) isRunning(t *scheduledTask) bool {
	for running := range s.running {
		if running.task == t {
			return true
		}
	}
	return false
}

// stop ends what runs in tasks with the host or the guest. A guest that has none has no scheduler.
func (s *scheduler) stop() {
	if s == nil {
		return
	}
	for running := range s.running {
		running.end()
		for _, session := range running.sessions {
			session.cut()
		}
	}
	clear(s.running)
}

// workFolder is where Start-Work registers its tasks.
const workFolder = `\GuestClustering\`

// tasks are all tasks in the order of their names, those of a host's work that the simulator does itself too.
func (s *scheduler) tasks() []*scheduledTask {
	out := slices.Collect(maps.Values(s.registered))
	if s.host != nil {
		for job := range s.host.jobs {
			if job.task != "" {
				out = append(out, &scheduledTask{scheduler: s, path: workFolder, name: job.task, job: job})
			}
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
	key, tasks := strings.ToLower(path+name), c.scheduler().registered
	t := tasks[key]
	if t != nil && !c.flag("Force") {
		return refuse("ResourceExists", hresultAlreadyExists, "HRESULT 0x800700b7", name, "Cannot create a file when that file already exists.")
	}
	user, err := c.taskUser()
	if err != nil {
		return err
	}
	if t == nil {
		t = &scheduledTask{scheduler: c.scheduler(), path: path, name: name}
		tasks[key] = t
	}
	t.action, t.logon, t.user = action, hostagent.LogonSystem, user
	if c.text("User") != "" {
		t.logon = hostagent.LogonExplicit
	}
	c.did("registered task " + t.String())
	c.emit(t)
	return nil
}

// taskUser is the user whom a guest registers a task for: one that it lets in, and that may log on as a batch job.
func (c *call) taskUser() (windows.User, error) {
	name := c.text("User")
	if c.guest == nil || name == "" {
		return windows.User{}, nil
	}
	return c.guest.batchUser(name, c.text("Password"))
}

// batchUser lets a user in whom a task runs for, as Register-ScheduledTask does: an administrator, who may log on as a batch job.
func (s *guestSession) batchUser(name, password string) (windows.User, error) {
	m := s.machine
	user, err := m.guest.system.LogOn(name, password, m.world.reachesDomain(m))
	if err != nil {
		return windows.User{}, refuse("NotSpecified", hresultLogonFailure, "HRESULT 0x8007052e", name, "The user name or password is incorrect.")
	}
	if !user.Administrator {
		return windows.User{}, refuse("NotSpecified", hresultLogonType, "HRESULT 0x80070569", name,
			"The user has not been granted the requested logon type at this computer.")
	}
	return user, nil
}

// startTask answers Start-ScheduledTask. A task that runs already is not started again.
func startTask(c *call) error {
	path, name := c.taskAsked()
	t := c.scheduler().registered[strings.ToLower(path+name)]
	switch {
	case t == nil:
		return noTask(name)
	case c.w.runTask == nil:
		return refuse("NotImplemented", hresultUnsupported, "NotImplemented", name, "Nothing runs the tasks of this simulated host.")
	case t.scheduler.isRunning(t):
		return nil
	}
	c.did("started task " + t.String())
	c.w.runInTask(t)
	return nil
}

func (w *World) runInTask(t *scheduledTask) {
	ctx, cancel := context.WithCancel(context.Background())
	running, s := &runningTask{task: t, end: cancel}, t.scheduler
	s.running[running] = true
	task := Task{
		Name: t.name, Execute: asText(t.action.record["execute"]), Arguments: asText(t.action.record["argument"]),
		Directory: asText(t.action.record["workingdirectory"]), Logon: t.logon, running: running,
	}
	if s.machine != nil {
		task.Host, task.VM = s.machine.host.name, s.machine.id
	} else {
		task.Host = s.host.name
	}
	run := w.runTask
	w.goroutines.Go(func() {
		defer cancel()
		run(ctx, task)
		w.mu.Lock()
		defer w.mu.Unlock()
		if s.running[running] {
			delete(s.running, running)
			w.happened("task " + t.String() + " ended on " + s.where())
		}
	})
}

// TaskPrompt opens the PowerShell that a task runs. Close must be called.
func (w *World) TaskPrompt(t Task) (*Prompt, error) {
	p, err := w.Prompt(t.Host, t.Directory, t.Logon)
	if err != nil || t.VM == "" {
		return p, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	of, running := t.running.task, t.running
	m := of.scheduler.machine
	w.guestSeq++
	p.guest = &guestSession{seq: w.guestSeq, machine: m, host: m.host, user: of.user, logon: t.Logon, lost: make(chan struct{})}
	running.sessions = append(running.sessions, p.guest)
	if !of.scheduler.running[running] {
		p.guest.cut()
	}
	return p, nil
}

// getTask answers Get-ScheduledTask.
func getTask(c *call) error {
	names, paths := c.texts("TaskName"), c.texts("TaskPath")
	matches := func(patterns []string, name string) bool {
		return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return matchesName(p, name) })
	}
	for _, t := range c.scheduler().tasks() {
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
	key, tasks := strings.ToLower(path+name), c.scheduler().registered
	t := tasks[key]
	if t == nil {
		return noTask(name)
	}
	delete(tasks, key)
	c.did("unregistered task " + t.String())
	return nil
}
