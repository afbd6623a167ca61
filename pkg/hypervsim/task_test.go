package hypervsim

import (
	"context"
	"strings"
	"testing"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
)

// tasks runs scheduled tasks until they are told to end.
type tasks struct {
	began chan Task
	end   chan struct{}
	ended chan struct{}
}

func newTasks(f fixture) tasks {
	t := tasks{began: make(chan Task), end: make(chan struct{}), ended: make(chan struct{}, 2)}
	f.RunTasks(func(ctx context.Context, task Task) {
		t.began <- task
		select {
		case <-t.end:
		case <-ctx.Done():
		}
		t.ended <- struct{}{}
	})
	return t
}

func registered(p prompt) params {
	action := p.one("New-ScheduledTaskAction", params{"Execute": "powershell.exe", "Argument": "-NoProfile", "WorkingDirectory": gold})
	principal := p.one("New-ScheduledTaskPrincipal", params{"UserId": "S-1-5-18"})
	task := params{"TaskPath": workFolder, "TaskName": "id"}
	p.one("Register-ScheduledTask", params{"TaskPath": workFolder, "TaskName": "id", "Action": []any{action.Handle}, "Principal": principal.Handle, "Force": true})
	return task
}

func (p prompt) taskState() string {
	values, failures, err := p.Invoke(p.Context(), "Get-ScheduledTask", params{"TaskPath": []any{workFolder}, "TaskName": []any{"id"}})
	p.ok(err)
	if len(failures) > 0 {
		return failures[0].Category
	}
	return asText(values[0].(Live).Properties["state"])
}

func TestScheduledTask(t *testing.T) {
	f := newFixture(t)
	tasks := newTasks(f)
	p := f.prompt("hv02", `C:\`)
	if got := p.call("Start-ScheduledTask", params{"TaskName": "id"}); strings.Join(got, "") != "error ObjectNotFound" {
		t.Errorf("a task that is not there: %v", got)
	}
	task := registered(p)
	if got := p.taskState(); got != "Ready" {
		t.Errorf("before its start the task is %s", got)
	}
	p.call("Start-ScheduledTask", task)
	want := Task{Host: "hv02", Name: "id", Execute: "powershell.exe", Arguments: "-NoProfile", Directory: gold, Logon: hostagent.LogonSystem}
	got := <-tasks.began
	if got.running = nil; got != want {
		t.Errorf("it runs %+v, want %+v", got, want)
	}
	if got := p.call("Start-ScheduledTask", task); len(got) > 0 || p.taskState() != "Running" {
		t.Errorf("started again: %v, and it is %s", got, p.taskState())
	}
	close(tasks.end)
	<-tasks.ended
	f.until(func() bool { return p.taskState() == "Ready" })
	p.call("Unregister-ScheduledTask", task)
	if got := p.taskState(); got != "ObjectNotFound" {
		t.Errorf("unregistered it is %s", got)
	}
}

// A task ends with its host, also when it has been unregistered meanwhile, and is not under way when the host is back.
func TestScheduledTaskEndsWithItsHost(t *testing.T) {
	f := newFixture(t)
	tasks := newTasks(f)
	p, err := f.Prompt("hv02", `C:\`, "")
	f.ok(err)
	task := registered(prompt{f, p})
	prompt{f, p}.call("Start-ScheduledTask", task)
	<-tasks.began
	f.ok(f.FailHost("hv02"))
	<-tasks.ended
	f.ok(f.ReturnHost("hv02"))
	f.advance(time.Minute)
	if got := f.prompt("hv02", `C:\`).taskState(); got != "Ready" {
		t.Errorf("afterwards the task is %s", got)
	}
}

func TestNoTaskWithoutSomethingToRunIt(t *testing.T) {
	p := newFixture(t).prompt("hv02", `C:\`)
	if got := p.call("Start-ScheduledTask", registered(p)); strings.Join(got, "") != "error NotImplemented" {
		t.Errorf("got %v", got)
	}
}
