package wsman

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"strings"
	"syscall"
	"time"
)

// PowerShell is the program that runs a command line of powershell.exe in a real PowerShell; anything else is not
// found, as in a shell without it. environment gives what its process has beside the shell's own variables, by host, and
// counts where both name one. Whatever the process starts ends with it.
func PowerShell(program string, environment func(host string) []string) Program {
	return func(ctx context.Context, p Invocation) int {
		args := splitCommandLine(p.CommandLine)
		if len(args) == 0 || !isPowerShell(args[0]) {
			name, _, _ := strings.Cut(p.CommandLine, " ")
			fmt.Fprintf(p.Stderr, "'%s' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n", name)
			return 1
		}
		cmd := exec.CommandContext(ctx, program, args[1:]...)
		for name, value := range p.Environment {
			// A client may name a variable in a way that no process can have.
			if name != "" && !strings.ContainsAny(name, "=\x00") && !strings.Contains(value, "\x00") {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
		}
		cmd.Env = append(cmd.Env, environment(p.Host)...)
		return run(cmd, p)
	}
}

func isPowerShell(name string) bool {
	base := strings.TrimSuffix(strings.ToLower(path.Base(strings.ReplaceAll(name, `\`, "/"))), ".exe")
	return base == "powershell" || base == "pwsh"
}

// run runs a process in a group of its own, so that what it has started ends with it.
func run(cmd *exec.Cmd, p Invocation) int {
	cmd.Stdout, cmd.Stderr = p.Stdout, p.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		_, _ = fmt.Fprintf(p.Stderr, "the PowerShell that stands for the host's does not start: %v\n", err)
		return 1
	}
	// Input is copied beside Wait, which would wait for input that never comes. The input ends with the program.
	go func() {
		_, _ = io.Copy(stdin, p.Stdin) // The process need not read it to its end.
		_ = stdin.Close()
	}()
	err = cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // What it has started may have ended as well.
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return 0
}
