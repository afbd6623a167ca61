package hypervsim

import (
	"errors"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv/surface"
)

// command is what the simulator knows of one cmdlet or named function.
type command struct {
	// takes is how long a call takes before it has its effect.
	takes func(*Durations) time.Duration
	// needs says what the host must be for the command to work at all.
	needs need
	run   func(*call) error
}

type need int

const (
	needsHost need = iota
	// needsCluster: the cluster service must run on the host, with quorum.
	needsCluster
)

func reading(d *Durations) time.Duration  { return d.Read }
func changing(d *Durations) time.Duration { return d.Change }

// commands by their lower-case names.
var commands = map[string]command{
	"get-vm":    {reading, needsHost, getVM},
	"new-vm":    {func(d *Durations) time.Duration { return d.CreateVM }, needsHost, newVM},
	"set-vm":    {changing, needsHost, setVM},
	"rename-vm": {changing, needsHost, renameVM},
	"stop-vm":   {changing, needsHost, stopVM},
	"remove-vm": {func(d *Durations) time.Duration { return d.RemoveVM }, needsHost, removeVM},

	"get-vmnetworkadapter":      {reading, needsHost, getAdapter},
	"add-vmnetworkadapter":      {changing, needsHost, addAdapter},
	"remove-vmnetworkadapter":   {changing, needsHost, removeAdapter},
	"connect-vmnetworkadapter":  {changing, needsHost, connectAdapter},
	"set-vmnetworkadapter":      {changing, needsHost, setAdapter},
	"set-vmnetworkadaptervlan":  {changing, needsHost, setVLAN},
	"get-vmharddiskdrive":       {reading, needsHost, getDrive},
	"add-vmharddiskdrive":       {changing, needsHost, addDrive},
	"remove-vmharddiskdrive":    {changing, needsHost, removeDrive},
	"get-vmscsicontroller":      {reading, needsHost, getController},
	"add-vmscsicontroller":      {changing, needsHost, addController},
	"get-vhd":                   {reading, needsHost, getVHD},
	"new-vhd":                   {func(d *Durations) time.Duration { return d.CreateDisk }, needsHost, newVHD},
	"resize-vhd":                {changing, needsHost, resizeVHD},
	"get-vmhost":                {reading, needsHost, getVMHost},
	"get-vmswitch":              {reading, needsHost, getVMSwitch},
	"get-item":                  {reading, needsHost, getItem},
	"get-ciminstance":           {reading, needsHost, getCIMInstance},
	"get-stampedfolder":         {reading, needsHost, getStampedFolder},
	"new-stampedfolder":         {changing, needsHost, newStampedFolder},
	"remove-stampedfolder":      {changing, needsHost, removeStampedFolder},
	"start-work":                {changing, needsHost, startWork},
	"set-answerfile":            {changing, needsHost, setAnswerFile},
	"get-cluster":               {reading, needsCluster, getCluster},
	"get-clusternode":           {reading, needsCluster, getClusterNode},
	"get-clustergroup":          {reading, needsCluster, getClusterGroup},
	"get-clusterresource":       {reading, needsCluster, getClusterResource},
	"get-clustersharedvolume":   {reading, needsCluster, getSharedVolume},
	"set-clusterparameter":      {changing, needsCluster, setClusterParameter},
	"start-clustergroup":        {changing, needsCluster, startClusterGroup},
	"stop-clustergroup":         {changing, needsCluster, stopClusterGroup},
	"remove-clustergroup":       {changing, needsCluster, removeClusterGroup},
	"add-antiaffinityclassname": {changing, needsCluster, addClassName},
	"remove-antiaffinityclassname": {
		changing, needsCluster, removeClassName,
	},
	"move-clustervirtualmachinerole":            {changing, needsCluster, moveMachineRole},
	"update-clustervirtualmachineconfiguration": {changing, needsCluster, updateMachineConfiguration},
	"add-clustervirtualmachinerole": {
		func(d *Durations) time.Duration { return d.AddRole }, needsCluster, addMachineRole,
	},
}

func init() {
	// It runs calls itself, which the table's own initialiser must not lead to.
	commands["invoke-guestbatch"] = command{reading, needsHost, invokeGuestBatch}
	// What named functions run on a host; no batch may.
	for name, run := range map[string]func(*call) error{
		"test-path": testPath, "get-childitem": getChildItem, "get-content": getContent, "set-content": setContent,
		"new-item": newItem, "move-item": moveItem, "remove-item": removeItem, "copy-item": copyItem,
		"new-scheduledtaskaction": newTaskPart, "new-scheduledtaskprincipal": newTaskPart, "new-scheduledtasksettingsset": newTaskPart,
		"register-scheduledtask": registerTask, "start-scheduledtask": startTask, "get-scheduledtask": getTask,
		"unregister-scheduledtask": unregisterTask,
		"mount-vhd":                mountVHD, "dismount-vhd": dismountVHD, "invoke-cimmethod": invokeCIMMethod, "get-psdrive": getDrives,
	} {
		commands[name] = command{instant, needsHost, run}
	}
}

// call is one call being interpreted.
type call struct {
	w       *World
	session *session
	host    *host
	// failures is the host's count when the call began.
	failures int
	cmdlet   string
	args     map[string]any
	// directory is the working directory of a prompt; a batch has none.
	directory string
	// guest is the PowerShell in a guest that the call is made in; nil for a call on the host itself.
	guest *guestSession
	run   *run

	values  []object
	errors  []hostagent.CallError
	effects []string
}

// emit adds live objects to what the call returns.
func (c *call) emit(objects ...object) { c.values = append(c.values, objects...) }

// did tells an effect for the journal.
func (c *call) did(effect string) { c.effects = append(c.effects, effect) }

// report adds an error that does not end the call.
func (c *call) report(err error) {
	if err != nil {
		c.errors = append(c.errors, asCallError(c.cmdlet, err))
	}
}

// alive is whether the host or the guest still runs what it ran when the call began.
func (c *call) alive() bool {
	if c.guest != nil {
		return c.guest.alive()
	}
	return !c.w.isClosed && c.host.failures == c.failures
}

// sleep lets the call last.
func (c *call) sleep(d time.Duration) {
	if c.guest != nil {
		c.guest.sleep(d)
		return
	}
	c.w.sleep(d)
}

// cut loses the connection that the call came over: with the host, or with the guest.
func (c *call) cut() {
	if c.guest != nil {
		c.guest.cut()
		return
	}
	c.w.cut(c.run, errLost)
}

// execute runs a batch, call after call.
func (w *World) execute(r *run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sleep(w.durations.Latency)
	live := map[string][]object{}
	var results hostagent.Results
	stopped := false
	for i := range r.batch.Calls {
		e := r.entry(i)
		if stopped || r.isOver || w.isClosed {
			e.State = hostagent.NotRun
		} else {
			w.perform(r, &e, live)
		}
		w.record(e)
		results = append(results, resultOf(e, live))
		stopped = stopped || e.State == hostagent.Failed && r.batch.OnError == hostagent.Stop
	}
	w.finish(r, results)
}

// resultOf is the result of a call whose entry is written.
func resultOf(e Entry, live map[string][]object) hostagent.Result {
	result := hostagent.Result{ID: e.Call.ID, State: e.State, Errors: e.Errors}
	if e.State != hostagent.NotRun {
		result.Values = project(live[e.Call.ID], e.Call.Select)
	}
	return result
}

// perform runs one call and fills its journal entry. What it returned is live afterwards.
func (w *World) perform(r *run, e *Entry, live map[string][]object) {
	wire := r.batch.Calls[e.Index]
	c := w.newCall(r.session, wire.Cmdlet)
	cmd, err := c.bind(wire, live)
	if err != nil {
		c.report(err)
		c.settle(e)
		return
	}
	if w.carryOut(cmd, c, r, e) {
		live[wire.ID] = c.values
	}
}

func (w *World) newCall(s *session, cmdlet string) *call {
	return &call{w: w, session: s, host: s.host, failures: s.host.failures, cmdlet: cmdlet}
}

// carryOut runs a call whose parameters are bound, with what faults do to it, and says whether it came to its end.
func (w *World) carryOut(cmd command, c *call, r *run, e *Entry) bool {
	c.run = r
	rule := w.hit(c)
	if !w.interfere(rule, c, e) {
		return false
	}
	c.sleep(cmd.takes(&w.durations))
	if !c.alive() {
		return c.lose(e)
	}
	err := c.effect(cmd)
	if errors.Is(err, errHostDown) || errors.Is(err, errGuestLost) {
		return c.lose(e)
	}
	c.report(err)
	c.settle(e)
	c.tellServices()
	if rule != nil && rule.Kind == DropAfter {
		c.cut()
	}
	return true
}

// effect lets a call have its effect, where what it needs is there.
func (c *call) effect(cmd command) error {
	if c.guest != nil {
		c.w.plug(c.guest.machine)
	}
	if cmd.needs == needsCluster {
		if err := c.clusterService(); err != nil {
			return err
		}
	}
	return cmd.run(c)
}

// tellServices tells the guests' services of what a call has done.
func (c *call) tellServices() {
	switch {
	case len(c.effects) == 0:
	case c.guest != nil:
		c.w.services.changedFor(c.guest.machine)
	default:
		c.w.services.changedFor(c.w.machinesOn(c.host, everyMachine)...)
	}
}

// lose ends a call with its host or its guest: it has no end that anybody saw.
func (c *call) lose(e *Entry) bool {
	e.State = hostagent.Unknown
	c.cut()
	return false
}

// bind resolves a call's parameters and refuses what the host's PowerShell would not bind.
func (c *call) bind(wire hostagent.Call, live map[string][]object) (command, error) {
	bound, err := surface.Bind(wire, c.build())
	if err != nil {
		return command{}, unbound(err)
	}
	cmd, err := c.command()
	if err != nil {
		return cmd, err
	}
	c.args = make(map[string]any, len(bound.Values))
	for name, v := range bound.Values {
		arg, err := argument(name, v, live)
		if err != nil {
			return cmd, err
		}
		c.args[strings.ToLower(name)] = arg
	}
	return cmd, nil
}

// build is that of the Windows that the call is made in.
func (c *call) build() int {
	if c.guest != nil {
		return c.system().Build
	}
	return c.host.build
}

// command is what the simulator does for the call.
func (c *call) command() (command, error) {
	known := commands
	if c.guest != nil {
		known = guestCommands
	}
	cmd, ok := known[strings.ToLower(c.cmdlet)]
	if !ok {
		return cmd, refuse("NotImplemented", hresultUnsupported, "NotImplemented", c.cmdlet, "%s is not simulated.", c.cmdlet)
	}
	return cmd, nil
}

// settle writes how a call ended into its journal entry.
func (c *call) settle(e *Entry) {
	e.State = hostagent.Done
	if len(c.errors) > 0 {
		e.State = hostagent.Failed
	}
	e.Errors = c.errors
	e.Effect = strings.Join(c.effects, "; ")
}
