package guestpool_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"guestclustering.io/operator/pkg/guest"
	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hyperv"
)

// house is a host cluster with guests in its machines.
type house struct {
	mu     sync.Mutex
	guests map[string]*windows
	// fails is the error that a host's agent gives.
	fails map[string]error
	// elsewhere is where the snapshot still shows machines that have moved, until it is refreshed.
	elsewhere map[string]string
	refreshed int
	// asked are the batches that were run, told the guest clusters whose snapshots differed.
	asked, told []string
}

// windows is a guest, and its machine.
type windows struct {
	name, host, state, heartbeat string
	// passwords of its accounts by user name; none is let in while it is being set up.
	passwords map[string]string
	settingUp bool
	// hangs is whether it takes a session and never answers.
	hangs, restartPending bool
	booted                time.Time
	domain                string
	features              []string
	// service is the start mode and state of the cluster service; nodes are what it tells of the cluster, by name.
	service string
	nodes   map[string]guest.NodeState
	// validation is the state of its validation, report its report.
	validation, report string
	// domainRefuses is whether the domain does not let in who asks it.
	domainRefuses bool
	// tries counts the sessions that were asked for; ran are the calls that changed something.
	tries int
	ran   []string
	// does is what a changing call does.
	does func()
}

const (
	local    = "Administrator"
	operator = `CORP\ops`
)

func newHouse() *house {
	return &house{guests: map[string]*windows{}, fails: map[string]error{}, elsewhere: map[string]string{}}
}

// up makes a guest that is up, in no cluster.
func (h *house) up(id, name, host string) *windows {
	w := &windows{
		name: name, host: host, state: "Running", heartbeat: "OkApplicationsUnknown", service: "Disabled", booted: time.Now(),
		passwords: map[string]string{local: "local-1"},
	}
	h.guests[id] = w
	return w
}

// form makes a cluster of guests, all of them up.
func (h *house) form(ids ...string) {
	nodes := map[string]guest.NodeState{}
	for _, id := range ids {
		nodes[h.guests[id].name] = guest.NodeUp
	}
	for _, id := range ids {
		h.guests[id].service, h.guests[id].nodes = "Running", nodes
	}
}

func (h *house) with(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

func (h *house) notify(key string) {
	h.with(func() { h.told = append(h.told, key) })
}

// batches gives the batches since it was asked last, sorted: a host, and the guests with what they were asked about.
func (h *house) batches() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	asked := h.asked
	h.asked = nil
	slices.Sort(asked)
	return asked
}

func (h *house) changes() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	told := h.told
	h.told = nil
	slices.Sort(told)
	return told
}

func (h *house) Snapshot() (*hyperv.Snapshot, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	hosts := map[string]*hyperv.Host{"hv01": {Name: "hv01"}, "hv02": {Name: "hv02"}}
	for id, w := range h.guests {
		on := w.host
		if old, moved := h.elsewhere[id]; moved {
			on = old
		}
		host := hosts[on]
		if host == nil {
			continue
		}
		host.Machines = append(host.Machines, hyperv.Machine{ID: id, HostName: on, State: w.state, Heartbeat: w.heartbeat})
	}
	s := &hyperv.Snapshot{Cluster: &hyperv.Cluster{Quorate: true}}
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		hosts[name].State, hosts[name].Answered = hyperv.HostUp, h.fails[name] == nil
		if h.fails[name] != nil {
			hosts[name].Machines = nil
		}
		s.Hosts = append(s.Hosts, *hosts[name])
	}
	return s, nil
}

func (h *house) Refresh(context.Context, ...string) {
	h.with(func() {
		h.refreshed++
		clear(h.elsewhere)
	})
}

func (h *house) Run(ctx context.Context, b hostagent.Batch) (hostagent.Results, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	<-time.After(time.Second)
	results, hangs, err := h.answer(b)
	if hangs {
		<-ctx.Done()
		err = &hostagent.Error{Class: hostagent.Timeout, Op: "run", Target: b.Target, Err: ctx.Err()}
	}
	if err == nil && ctx.Err() != nil {
		err = &hostagent.Error{Class: hostagent.Canceled, Op: "run", Target: b.Target, Err: ctx.Err()}
	}
	return results, err
}

func (h *house) answer(b hostagent.Batch) (results hostagent.Results, hangs bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	for i, c := range b.Calls {
		if i > 0 && b.OnError == hostagent.Stop && results[i-1].State == hostagent.Failed {
			results = append(results, hostagent.Result{ID: c.ID, State: hostagent.NotRun})
			continue
		}
		inside, _ := c.Carried()
		id := string(c.Parameters["VMId"].(hostagent.Text))
		w := h.guests[id]
		names = append(names, w.name+"("+strings.Join(about(inside), " ")+")")
		hangs = hangs || w.hangs && w.host == b.Target.Host
		results = append(results, w.session(b.Target.Host, c, inside))
	}
	h.asked = append(h.asked, b.Target.Host+": "+strings.Join(slices.Sorted(slices.Values(names)), " "))
	return results, hangs, h.fails[b.Target.Host]
}

// about says what a batch asks, or does.
func about(b hostagent.Batch) []string {
	parts := map[string]string{"setup": "itself", "nodes": "cluster", "computers": "domain", "validation": "validation"}
	var found []string
	for _, c := range b.Calls {
		if part, begins := parts[c.ID]; begins {
			found = append(found, part)
		}
		if c.Changes() {
			found = append(found, c.Cmdlet)
		}
	}
	return found
}

// session answers Invoke-GuestBatch as PowerShell Direct does.
func (w *windows) session(host string, c hostagent.Call, inside hostagent.Batch) hostagent.Result {
	failed := func(id, category string) hostagent.Result {
		e := hostagent.CallError{FullyQualifiedErrorID: id, Category: category, Message: "in the host's words"}
		return hostagent.Result{ID: c.ID, State: hostagent.Failed, Errors: []hostagent.CallError{e}}
	}
	as := c.Parameters["Credential"].(hostagent.Credential)
	switch password, known := w.passwords[as.User]; {
	case w.host != host:
		return failed("InvalidVMIdNotSingle,Microsoft.PowerShell.Commands.InvokeCommandCommand", "InvalidArgument")
	case w.state != "Running":
		return failed("InvalidVMState,Microsoft.PowerShell.Commands.InvokeCommandCommand", "InvalidArgument")
	default:
		w.tries++
		if !known || password != as.Password.Reveal() {
			return failed("InvalidCredential", "AuthenticationError")
		}
	}
	var results hostagent.Results
	for _, call := range inside.Calls {
		results = append(results, w.call(call))
	}
	text, err := json.Marshal(results)
	if err != nil {
		panic(err)
	}
	return hostagent.Result{ID: c.ID, State: hostagent.Done, Values: []hostagent.Object{{"Results": string(text)}}}
}

func (w *windows) call(c hostagent.Call) hostagent.Result {
	if c.Changes() {
		w.ran = append(w.ran, c.Cmdlet)
		if w.does != nil {
			w.does()
		}
		return hostagent.Result{ID: c.ID, State: hostagent.Done}
	}
	failed := func(category string) hostagent.Result {
		return hostagent.Result{ID: c.ID, State: hostagent.Failed, Errors: []hostagent.CallError{{Category: category}}}
	}
	done := hostagent.Result{ID: c.ID, State: hostagent.Done}
	if c.Cmdlet == "Get-Cluster" && w.service != "Running" {
		return failed("ConnectionError")
	}
	switch c.ID {
	case "join":
		if !w.restartPending {
			return failed("ObjectNotFound")
		}
	case "answer":
		return failed("ObjectNotFound")
	case "computers":
		if w.domainRefuses {
			return failed("AuthenticationError")
		}
	}
	done.Values = w.values(c.ID)
	return done
}

// values are what a question's call gives; most give nothing.
func (w *windows) values(id string) []hostagent.Object {
	switch id {
	case "setup":
		return []hostagent.Object{{"SystemSetupInProgress": map[bool]int{true: 1}[w.settingUp]}}
	case "state":
		return []hostagent.Object{{"ImageState": "IMAGE_STATE_COMPLETE"}}
	case "os":
		return []hostagent.Object{{"BuildNumber": "20348", "LastBootUpTime": w.booted.Format(time.RFC3339)}}
	case "computer":
		return []hostagent.Object{{"Name": w.name, "Domain": w.domain, "PartOfDomain": w.domain != ""}}
	case "service":
		return []hostagent.Object{{"StartMode": map[bool]string{true: "Disabled", false: "Auto"}[w.service == "Disabled"], "State": w.service}}
	case "join":
		return []hostagent.Object{{"Name": "JoinDomain"}}
	case "features":
		return objects(w.features, func(f string) hostagent.Object { return hostagent.Object{"Name": f, "InstallState": "Installed"} })
	case "cluster":
		return []hostagent.Object{{"Name": "SQL", "Id": "c1"}}
	case "nodes":
		return objects(slices.Sorted(maps.Keys(w.nodes)), func(name string) hostagent.Object {
			return hostagent.Object{"Name": name, "State": string(w.nodes[name])}
		})
	case "validation":
		return []hostagent.Object{{"State": w.validation, "Report": cmp.Or(w.report, "the report")}}
	default:
		return nil
	}
}

func objects(names []string, object func(string) hostagent.Object) []hostagent.Object {
	var out []hostagent.Object
	for _, name := range names {
		out = append(out, object(name))
	}
	return out
}

func parseReport(text string) (*guest.Report, error) {
	if text != "the report" {
		return nil, errors.New("no report")
	}
	return &guest.Report{Ran: 7}, nil
}

// states gives what a snapshot says of the members, by their machines.
func states(s *guest.Snapshot) map[string]string {
	found := map[string]string{}
	if s == nil {
		return nil
	}
	for id, m := range s.Members {
		switch {
		case m.SettingUp:
			found[id] = "setting up"
		case m.Answered:
			found[id] = fmt.Sprintf("%s, %s as %s", m.ComputerName, m.ClusterService, m.Account)
		case m.Refused:
			found[id] = "refused " + string(m.Account)
		default:
			found[id] = string(m.Class)
		}
	}
	return found
}
