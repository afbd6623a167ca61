package hypervsim

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// guestSession is a PowerShell in a guest, over PowerShell Direct from the host that its machine runs on.
type guestSession struct {
	seq     int
	machine *machine
	host    *host
	user    windows.User
	logon   hostagent.Logon
	// waits are those of the calls that are under way.
	waits []*guestWait
	// lost is closed when the session is cut.
	lost   chan struct{}
	isLost bool
}

// guestWait is a call in a guest that waits for the world's clock.
type guestWait struct {
	event *event
	woken chan struct{}
}

// errGuestLost ends a call whose guest is gone.
var errGuestLost = errors.New("the guest does not answer")

// What PowerShell Direct answers where it opens no session, or loses one: Invoke-Command's own errors, which are not of the
// cmdlet that ran inside ("PowerShell Direct", "Invoke-Command").
const (
	directBroken  = "PSSessionStateBroken"
	directLost    = "2100,PSSessionStateBroken"
	directRefused = "InvalidCredential"
	directClass   = "Microsoft.PowerShell.Commands.InvokeCommandCommand"
)

// noSuchVM is the answer to an id that is no machine's on this host.
func noSuchVM(id string) error {
	return &hostagent.CallError{
		FullyQualifiedErrorID: "InvalidVMIdNotSingle," + directClass, Category: "InvalidArgument", HResult: hresultParameter, Target: id,
		Message: "The input VMId " + id + " does not resolve to a single virtual machine.",
	}
}

// notRunning is the answer for a machine that does not run.
func notRunning(m *machine) error {
	return &hostagent.CallError{
		FullyQualifiedErrorID: "InvalidVMState," + directClass, Category: "InvalidArgument", HResult: hresultParameter, Target: m.name,
		Message: "The virtual machine " + m.name + " is not in running state.",
	}
}

// notAnswering is the answer for a machine in which nothing listens.
func notAnswering(m *machine) error {
	return &hostagent.CallError{
		FullyQualifiedErrorID: directBroken, Category: "OpenError", HResult: hresultItemNotFound, Target: m.name,
		Message: "An error has occurred which Windows PowerShell cannot handle. A remote session might have ended.",
	}
}

// invalidCredential is the answer to an account that the guest does not let in. PowerShell tells it from the other by the
// exception's type alone (PSDirectException), which Invoke-GuestBatch makes an id and a category of.
func invalidCredential(m *machine) error {
	return &hostagent.CallError{
		FullyQualifiedErrorID: directRefused, Category: "AuthenticationError", HResult: hresultItemNotFound, Target: m.name,
		Message: "The credential is invalid.",
	}
}

// sessionLost is the answer when a session breaks while something runs in it.
func sessionLost(m *machine) error {
	return &hostagent.CallError{
		FullyQualifiedErrorID: directLost, Category: "OpenError", HResult: hresultItemNotFound, Target: m.name,
		Message: "The remote session with the virtual machine " + m.name + " has ended.",
	}
}

// invokeGuestBatch answers Invoke-GuestBatch: one value, whose Results is the JSON text of the results inside.
func invokeGuestBatch(c *call) error {
	nested, _ := c.args["batch"].(hostagent.Nested)
	credential, _ := c.args["credential"].(hostagent.Credential)
	batch := nested.Batch
	if err := batch.Validate(); err != nil {
		return refuse("InvalidArgument", hresultParameter, "InvalidBatch", c.text("VMId"), "%s", err)
	}
	s, err := c.w.openGuest(c.host, c.text("VMId"), credential)
	if err != nil {
		return err
	}
	defer s.close()
	results, err := s.execute(c.run, batch)
	if err != nil {
		return err
	}
	text, err := json.Marshal(results)
	if err != nil {
		return err
	}
	c.did("ran a batch in VM " + s.machine.name)
	c.emit(record{"results": string(text)})
	return nil
}

// openGuest opens a PowerShell in a guest from its host.
func (w *World) openGuest(h *host, id string, credential hostagent.Credential) (*guestSession, error) {
	m := w.machineByID(id)
	switch {
	case m == nil || m.host != h:
		return nil, noSuchVM(id)
	case m.state != running:
		return nil, notRunning(m)
	}
	user, err := w.logOn(m, credential)
	if err != nil {
		return nil, err
	}
	w.guestSeq++
	s := &guestSession{seq: w.guestSeq, machine: m, host: h, user: user, logon: hostagent.LogonNetwork, lost: make(chan struct{})}
	if m.guest.sessions == nil {
		m.guest.sessions = map[*guestSession]bool{}
	}
	m.guest.sessions[s] = true
	return s, nil
}

// logOn lets an administrator of a guest in. PowerShell Direct is there from Windows Server 2016 on, and answers from the
// middle of set-up on, where nobody has a password yet.
func (w *World) logOn(m *machine, credential hostagent.Credential) (windows.User, error) {
	g := &m.guest
	switch g.phase {
	case guestOff, guestBooting, guestAlien, guestEnding:
		return windows.User{}, notAnswering(m)
	case guestSpecialising:
		return windows.User{}, invalidCredential(m)
	case guestWelcoming, guestUp:
	}
	if g.system.Build < hyperv.Build2016 {
		return windows.User{}, notAnswering(m)
	}
	user, err := g.system.LogOn(credential.User, credential.Password.Reveal(), w.reachesDomain(m))
	if err != nil || !user.Administrator {
		return windows.User{}, invalidCredential(m)
	}
	return user, nil
}

func (s *guestSession) close() { delete(s.machine.guest.sessions, s) }

// end ends the session from outside the world.
func (s *guestSession) end() {
	w := s.machine.world
	w.mu.Lock()
	defer w.mu.Unlock()
	s.close()
}

// GuestPrompt opens a PowerShell in the guest of a machine on a host, with an account of the guest, as PowerShell Direct does and
// with its refusals. Logon says whose rights it has in there. Close must be called.
func (w *World) GuestPrompt(host, vm string, as hostagent.Credential, logon hostagent.Logon) (*Prompt, error) {
	p, err := w.Prompt(host, "", logon)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	p.guest, err = w.openGuest(p.session.host, vm, as)
	w.mu.Unlock()
	if err != nil {
		return nil, errors.Join(err, p.session.Close())
	}
	p.guest.logon = logon
	return p, nil
}

// cut ends the session with its guest or its connection.
func (s *guestSession) cut() {
	if s.isLost {
		return
	}
	s.isLost = true
	close(s.lost)
	s.close()
	for _, wait := range slices.Clone(s.waits) {
		s.machine.world.forget(wait.event)
		s.wake(wait)
	}
}

// alive is whether the session still is: its guest runs on, on the host that it was opened from.
func (s *guestSession) alive() bool { return !s.isLost && !s.machine.world.isClosed }

// sleep lets a call in the guest last; it ends early with the session.
func (s *guestSession) sleep(d time.Duration) {
	w := s.machine.world
	if d <= 0 || w.isClosed || s.isLost {
		return
	}
	wait := &guestWait{woken: make(chan struct{})}
	wait.event = w.after(d, func() { s.wake(wait) })
	s.waits = append(s.waits, wait)
	w.sleeping++
	w.running--
	w.pump()
	w.mu.Unlock()
	select {
	case <-wait.woken:
	case <-w.closed:
	}
	w.mu.Lock()
}

// wake lets a call that waits go on.
func (s *guestSession) wake(wait *guestWait) {
	s.waits = drop(s.waits, wait)
	s.machine.world.sleeping--
	s.machine.world.running++
	close(wait.woken)
}

// execute runs a batch in the guest, call after call, on behalf of a host's run.
func (s *guestSession) execute(r *run, batch hostagent.Batch) (hostagent.Results, error) {
	w := s.machine.world
	if refused := s.become(batch); refused != nil {
		return s.refuseAll(r, batch, refused), nil
	}
	live := map[string][]object{}
	var results hostagent.Results
	stopped := false
	for i := range batch.Calls {
		e := s.entry(r, batch, i)
		if stopped || r.isOver || !s.alive() {
			e.State = hostagent.NotRun
		} else {
			s.perform(r, batch.Calls[i], &e, live)
		}
		w.record(e)
		results = append(results, resultOf(e, live))
		stopped = stopped || e.State == hostagent.Failed && batch.OnError != hostagent.Continue
	}
	if s.isLost {
		return nil, sessionLost(s.machine)
	}
	return results, nil
}

// become takes on the logon of a batch. A user whom the guest refuses is an error of every call, as where a task for the user
// cannot be registered.
func (s *guestSession) become(batch hostagent.Batch) error {
	switch batch.Logon {
	case hostagent.LogonSystem:
		s.logon = hostagent.LogonSystem
	case hostagent.LogonExplicit:
		user, err := s.batchUser(batch.Credential.User, batch.Credential.Password.Reveal())
		if err != nil {
			return err
		}
		s.user, s.logon = user, hostagent.LogonExplicit
	case hostagent.LogonNetwork:
	}
	return nil
}

func (s *guestSession) refuseAll(r *run, batch hostagent.Batch, refused error) hostagent.Results {
	var results hostagent.Results
	for i := range batch.Calls {
		e := s.entry(r, batch, i)
		e.State, e.Errors = hostagent.Failed, []hostagent.CallError{asCallError("Register-ScheduledTask", refused)}
		s.machine.world.record(e)
		results = append(results, resultOf(e, nil))
	}
	return results
}

func (s *guestSession) entry(r *run, batch hostagent.Batch, i int) Entry {
	e := r.entryOf(batch, i)
	e.VM, e.VMID = s.machine.name, s.machine.id
	return e
}

// perform runs one call in the guest and fills its journal entry.
func (s *guestSession) perform(r *run, wire hostagent.Call, e *Entry, live map[string][]object) {
	w := s.machine.world
	c := w.newCall(r.session, wire.Cmdlet)
	c.guest = s
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

// guestCommands are what the simulator knows of cmdlets and named functions in guests, by their lower-case names.
var guestCommands = map[string]command{}

// inGuests adds commands to guestCommands, for init.
func inGuests(more map[string]command) {
	for name, cmd := range more {
		guestCommands[strings.ToLower(name)] = cmd
	}
}

// system is the Windows that a call inside a guest is made in.
func (c *call) system() *windows.System { return c.guest.machine.guest.system }

// lastsInside lets a call in a guest last, and says whether its guest is still there then.
func (c *call) lastsInside(d time.Duration) error {
	c.guest.sleep(d)
	if !c.guest.alive() {
		return errGuestLost
	}
	return nil
}

// needsFeature is a command of a module that comes with a feature: without it PowerShell knows no such command.
func needsFeature(feature string, run func(*call) error) func(*call) error {
	return func(c *call) error {
		if c.system().Feature(feature) != windows.Installed {
			return refuse("ObjectNotFound", hresultItemNotFound, unknownCommand, c.cmdlet,
				"The term '%s' is not recognized as the name of a cmdlet, function, script file, or operable program.", c.cmdlet)
		}
		return run(c)
	}
}
