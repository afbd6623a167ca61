package hypervsim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim/windows"
)

// Prompt is a PowerShell on a host whose cmdlets the world answers one by one, as PowerShell has bound them: nothing is
// held against pkg/hyperv/surface here. Its methods may be called from many goroutines.
type Prompt struct {
	session *session
	// guest is the session with a guest that it is in; nil for one on the host itself.
	guest *guestSession
	// directory is the working directory, logon is whose rights it has.
	directory string
	logon     hostagent.Logon
	live      *liveObjects
	// earlier are changes that nobody waited for any more when the prompt was opened. No call of it begins before they end.
	earlier []*run
}

// Handle names a live object that a prompt has given out.
type Handle string

// Live is an object that a cmdlet returned.
type Live struct {
	// Handle is empty for an object that is nothing but its properties.
	Handle Handle
	// Class is the short name of its .NET class; empty for a script's own object.
	Class string
	// Text is what PowerShell makes of it as text.
	Text string
	// Properties by lower-case name: nil, a bool, an int64, a string, a time.Time, a []any, a map[string]any for a hash table,
	// or a Live. They are nil in an object that is deep in another one: Look reads them.
	Properties map[string]any
}

var (
	errNoObject   = errors.New("no live object has this handle")
	errNoProperty = errors.New("the property cannot be set")
)

// Prompt opens a PowerShell on a host, as whoever the logon says. Close must be called.
func (w *World) Prompt(host, directory string, logon hostagent.Logon) (*Prompt, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	target := hostagent.Target{Host: host}
	h, err := w.answering(host)
	switch {
	case w.isClosed:
		err = errClosed
	case host == "":
		err = errNoHost
	}
	if err != nil {
		return nil, &hostagent.Error{Class: hostagent.Unreachable, Op: "open", Target: target, Err: err}
	}
	p := &Prompt{session: w.newSession(h, target), directory: clean(directory), logon: logon, live: newLiveObjects()}
	for _, r := range h.orphans {
		if r.batch.Changes() {
			p.earlier = append(p.earlier, r)
		}
	}
	return p, nil
}

// wait waits until what others left behind on the host has ended.
func (p *Prompt) wait(ctx context.Context) error {
	for _, r := range p.earlier {
		select {
		case <-r.ended:
		case <-p.session.lost:
			return p.session.failure(hostagent.Unreachable, errHostDown)
		case <-p.session.world.closed:
			return p.session.failure(hostagent.Unreachable, errClosed)
		case <-ctx.Done():
			return p.session.failure(endClass(ctx), context.Cause(ctx))
		}
	}
	return nil
}

// Host is the name of the host, or of the computer that a guest is, and its Windows build.
func (p *Prompt) Host() (name string, build int) {
	if p.guest == nil {
		return p.session.host.name, p.session.host.build
	}
	w := p.session.world
	w.mu.Lock()
	defer w.mu.Unlock()
	s := p.guest.machine.guest.system
	return s.Name(), s.Build
}

// Lost is closed when the host has failed, its guest is gone, or a fault has cut the connection: whoever talks to this
// PowerShell hears nothing more of it.
func (p *Prompt) Lost() <-chan struct{} {
	if p.guest != nil {
		return p.guest.lost
	}
	return p.session.lost
}

// Close ends the prompt. What is under way on the host completes there.
func (p *Prompt) Close() error {
	if p.guest != nil {
		p.guest.end()
	}
	return p.session.Close()
}

// Invoke runs one cmdlet with parameters that PowerShell has bound: nil, bool, int64, string, Handle,
// hostagent.Secret, hostagent.Credential or []any of these. What it returned are values as those of Live.Properties. Errors of the cmdlet stand beside them. The error is a *hostagent.Error: nobody knows the answer.
// When ctx ends first, the call completes in the world.
func (p *Prompt) Invoke(ctx context.Context, cmdlet string, parameters map[string]any) ([]any, []hostagent.CallError, error) {
	args, err := p.live.arguments(parameters)
	if err != nil {
		return nil, []hostagent.CallError{asCallError(cmdlet, err)}, nil
	}
	if err := p.wait(ctx); err != nil {
		return nil, nil, err
	}
	batch := hostagent.Batch{Logon: p.logon, OnError: hostagent.Continue, Calls: []hostagent.Call{{ID: "1", Cmdlet: cmdlet, Parameters: told(cmdlet, parameters, args)}}}
	r, err := p.session.world.begin(p.session, batch, func(r *run) { p.execute(r, args) })
	if err != nil {
		return nil, nil, p.session.failure(hostagent.Unreachable, err)
	}
	if !r.wait(ctx) {
		return nil, nil, r.givenUp(ctx)
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	return r.live, r.results[0].Errors, nil
}

// execute runs a prompt's call. It takes no latency: the PowerShell is on the host.
func (p *Prompt) execute(r *run, args map[string]any) {
	w := p.session.world
	w.mu.Lock()
	defer w.mu.Unlock()
	e := r.entry(0)
	c := w.newCall(p.session, e.Call.Cmdlet)
	c.args, c.directory, c.guest = args, p.directory, p.guest
	if p.guest != nil {
		e.VM, e.VMID = p.guest.machine.name, p.guest.machine.id
	}
	if cmd, err := c.command(); err != nil {
		c.report(err)
		c.settle(&e)
	} else if w.carryOut(cmd, c, r, &e) {
		r.live = p.live.exposeAll(c.values)
	}
	w.record(e)
	if p.guest != nil && p.guest.isLost {
		w.cut(r, errGuestLost)
	}
	w.finish(r, hostagent.Results{{ID: e.Call.ID, State: e.State, Errors: e.Errors}})
}

// Look reads an object as it is now.
func (p *Prompt) Look(h Handle) (Live, error) {
	w := p.session.world
	w.mu.Lock()
	defer w.mu.Unlock()
	o, ok := p.live.find(h)
	if !ok {
		return Live{}, errNoObject
	}
	return p.live.expose(o, 0), nil
}

// Set sets a property of an object, as far as one can be set: a group's AntiAffinityClassNames, and in a cluster inside a guest a
// resource's Name, a network's Name and Role, and the cluster's thresholds. An error of Windows' own is a *hostagent.CallError.
func (p *Prompt) Set(h Handle, property string, value []string) error {
	w := p.session.world
	w.mu.Lock()
	defer w.mu.Unlock()
	o, ok := p.live.find(h)
	if !ok {
		return errNoObject
	}
	g, ok := o.(view[*group])
	if !ok {
		return p.setInner(o, property, value)
	}
	if !strings.EqualFold(property, "AntiAffinityClassNames") {
		return fmt.Errorf("%w: %s", errNoProperty, property)
	}
	c := w.newCall(p.session, "Get-ClusterGroup")
	err := c.clusterService()
	if err == nil && !slices.Contains(w.groups, g.of) {
		err = noClusterObject(hresultNoGroup, g.text)
	}
	if err != nil {
		failure := asCallError(c.cmdlet, err)
		return &failure
	}
	g.of.classNames = slices.Clone(value)
	w.record(Entry{Host: c.host.name, Session: p.session.id, Effect: fmt.Sprintf("set AntiAffinityClassNames of %s to %q", g.text, value)})
	return nil
}

// setInner sets a property of an object of a cluster inside a guest.
func (p *Prompt) setInner(o object, property string, value []string) error {
	effect, err := setInner(o, property, value)
	if errors.Is(err, errNoProperty) {
		return err
	}
	if err != nil {
		failure := asCallError("", asInner(err))
		return &failure
	}
	w := p.session.world
	w.record(Entry{Host: p.session.host.name, Session: p.session.id, Effect: effect})
	w.services.changed()
	return nil
}

// liveObjects are the objects that a prompt has given out. The oldest are forgotten when there are too many.
type liveObjects struct {
	mu       sync.Mutex
	byHandle map[Handle]object
	handles  map[any]Handle
	// given are the identities in the order in which they were given out.
	given []any
	seq   int
}

// maxLiveObjects bounds what a PowerShell that lives for days keeps of the world.
const maxLiveObjects = 100_000

// kept is an object that has an identity: asked for again, it is the same.
type kept interface {
	object
	identity() any
	names() []string
}

func newLiveObjects() *liveObjects {
	return &liveObjects{byHandle: map[Handle]object{}, handles: map[any]Handle{}}
}

func (l *liveObjects) find(h Handle) (object, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o, ok := l.byHandle[h]
	return o, ok
}

func (l *liveObjects) handle(o kept) Handle {
	l.mu.Lock()
	defer l.mu.Unlock()
	// One host is seen as a node and as a Hyper-V host.
	key := [2]any{classOf(o), o.identity()}
	if h, ok := l.handles[key]; ok {
		return h
	}
	if len(l.given) >= maxLiveObjects {
		gone := l.given[0]
		l.given = l.given[1:]
		delete(l.byHandle, l.handles[gone])
		delete(l.handles, gone)
	}
	l.seq++
	h := Handle(fmt.Sprintf("o%d", l.seq))
	l.byHandle[h], l.handles[key] = o, h
	l.given = append(l.given, key)
	return h
}

// arguments puts live objects in the place of handles.
func (l *liveObjects) arguments(parameters map[string]any) (map[string]any, error) {
	args := make(map[string]any, len(parameters))
	for name, v := range parameters {
		arg, err := l.argument(v)
		if err != nil {
			return nil, err
		}
		args[strings.ToLower(name)] = arg
	}
	return args, nil
}

func (l *liveObjects) argument(v any) (any, error) {
	switch v := v.(type) {
	case Handle:
		if o, ok := l.find(v); ok {
			return o, nil
		}
		return nil, refuse("ObjectNotFound", hresultItemNotFound, "ObjectDisposed", string(v), "The object %s is not known any more.", v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			var err error
			if out[i], err = l.argument(e); err != nil {
				return nil, err
			}
		}
		return out, nil
	default:
		return v, nil
	}
}

// told are a call's arguments for the journal: an object is its text there.
func told(cmdlet string, parameters, args map[string]any) hostagent.Parameters {
	out := make(hostagent.Parameters, len(args))
	for name := range parameters {
		arg := args[strings.ToLower(name)]
		if out[name] = toldValue(arg); isSecretText(cmdlet, name, args) {
			out[name] = hostagent.NewSecret(asText(arg))
		}
	}
	return out
}

// isSecretText is whether a parameter is a text although it is a secret: the password that the Task Scheduler takes, the key of a
// cloud witness, and what is written as an answer file.
func isSecretText(cmdlet, name string, args map[string]any) bool {
	if strings.EqualFold(name, "Password") {
		_, isText := args["password"].(string)
		return isText
	}
	return strings.EqualFold(name, "AccessKey") || strings.EqualFold(cmdlet, "Set-Content") && strings.EqualFold(name, "Value") &&
		strings.HasSuffix(strings.ToLower(asText(args["literalpath"])), windows.AnswerFile)
}

func toldValue(arg any) hostagent.Value {
	switch arg := arg.(type) {
	case bool:
		return hostagent.Bool(arg)
	case int64:
		return hostagent.Int(arg)
	case hostagent.Secret:
		return arg
	case hostagent.Credential:
		return arg
	case []any:
		out := make(hostagent.List, len(arg))
		for i, e := range arg {
			out[i] = toldValue(e)
		}
		return out
	default:
		return hostagent.Text(asText(arg))
	}
}

// maxDepth is how deep in an object others are read with it.
const maxDepth = 2

func (l *liveObjects) exposeAll(objects []object) []any {
	out := make([]any, len(objects))
	for i, o := range objects {
		out[i] = l.value(o, 0)
	}
	return out
}

func (l *liveObjects) expose(o object, depth int) Live {
	out := Live{Class: classOf(o), Text: o.String()}
	var names []string
	switch o := o.(type) {
	case kept:
		out.Handle, names = l.handle(o), o.names()
		if depth > maxDepth {
			return out
		}
	case record:
		names = slices.Sorted(maps.Keys(o))
	case cimInstance:
		names = slices.Sorted(maps.Keys(o.record))
	}
	out.Properties = make(map[string]any, len(names))
	for _, name := range names {
		out.Properties[name] = l.value(o.property(name), depth+1)
	}
	return out
}

func (l *liveObjects) value(v any, depth int) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case plain:
		return v.v
	case object:
		return l.expose(v, depth)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = l.value(e, depth)
		}
		return out
	case table:
		out := make(map[string]any, len(v))
		for name, e := range v {
			out[name] = l.value(e, depth)
		}
		return out
	case time.Time:
		return v
	case fmt.Stringer:
		return v.String()
	default:
		return v
	}
}
