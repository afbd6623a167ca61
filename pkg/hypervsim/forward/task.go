package forward

import (
	"context"
	"log/slog"
	"os/exec"
	"path"
	"strings"
	"time"

	"guestclustering.io/operator/pkg/hypervsim"
)

// endTimeout bounds how long a PowerShell that was killed may keep its streams open: its children have them too.
const endTimeout = 5 * time.Second

// RunTasks lets the scheduled tasks of simulated hosts and guests run in the PowerShell at engine, each in a process of its own
// that ends with its host or guest. Tasks that run another program end at once.
func (s *Server) RunTasks(engine string, log *slog.Logger) {
	s.world.RunTasks(func(ctx context.Context, t hypervsim.Task) {
		if err := s.runTask(ctx, t, engine); err != nil && ctx.Err() == nil {
			log.Error("running a scheduled task", "host", t.Host, "vm", t.VM, "task", t.Name, "error", err)
		}
	})
}

func (s *Server) runTask(ctx context.Context, t hypervsim.Task, engine string) error {
	if program := path.Base(strings.ReplaceAll(t.Execute, `\`, "/")); !strings.EqualFold(program, "powershell.exe") {
		return &exec.Error{Name: t.Execute, Err: exec.ErrNotFound}
	}
	prompt, err := s.world.TaskPrompt(t)
	if err != nil {
		return err
	}
	shell, err := s.shell(prompt, nil)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, engine, arguments(t.Arguments)...)
	cmd.Env = shell.Environment()
	cmd.WaitDelay = endTimeout
	err = cmd.Run()
	if closed := shell.Close(); err == nil {
		err = closed
	}
	return err
}

// arguments splits a command line of which one argument may be in quotes, and has none itself.
func arguments(line string) []string {
	before, rest, isQuoted := strings.Cut(line, `"`)
	args := strings.Fields(before)
	if isQuoted {
		quoted, after, _ := strings.Cut(rest, `"`)
		args = append(append(args, quoted), strings.Fields(after)...)
	}
	return args
}
