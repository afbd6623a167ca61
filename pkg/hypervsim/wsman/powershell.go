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
// found, as in a shell without it. environment gives what its process has beside the shell's own variables, by host.
func PowerShell(program string, environment func(host string) []string) Program {
	return func(ctx context.Context, p Invocation) int {
		args := splitCommandLine(p.CommandLine)
		if len(args) == 0 || !isPowerShell(args[0]) {
			_, _ = fmt.Fprintf(p.Stderr, "'%s' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n", p.CommandLine)
			return 1
		}
		cmd := exec.CommandContext(ctx, program, args[1:]...)
		for name, value := range p.Environment {
			cmd.Env = append(cmd.Env, name+"="+value)
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
	// Input is copied beside Wait, which would wait for input that never comes.
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(stdin, p.Stdin)
		_ = stdin.Close()
	}()
	err = cmd.Wait()
	if closer, ok := p.Stdin.(*inbox); ok {
		closer.close()
	}
	<-copied
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}
