package remoting

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/executor"
	"guestclustering.io/operator/pkg/hypervsim/forward"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// programs are what runs in the shells of hosts.
type programs struct {
	of    func(host string) wsman.Program
	close func() error
}

func newPrograms(world *hypervsim.World, o Options) (programs, error) {
	if o.PowerShell == "" {
		return standIn(world), nil
	}
	return realPowerShell(world, o)
}

// standIn answers for the executor.
func standIn(world *hypervsim.World) programs {
	e := executor.New(world.Driver())
	return programs{
		close: func() error { return nil },
		of: func(host string) wsman.Program {
			return func(ctx context.Context, p wsman.Invocation) int {
				process := executor.Process{Host: host, Boot: world.Power(host).Booted, Installed: strings.Contains(p.CommandLine, " -File ")}
				return e.Run(ctx, process, p.Stdin, p.Stdout)
			}
		},
	}
}

// realPowerShell runs what clients send in a real engine, whose cmdlets are answered by the world.
func realPowerShell(world *hypervsim.World, o Options) (programs, error) {
	dir, err := os.MkdirTemp("", "hypervsim-modules-")
	if err != nil {
		return programs{}, fmt.Errorf("making a folder for modules: %w", err)
	}
	server, err := forward.Serve(world, dir, o.Log)
	if err != nil {
		return programs{}, errors.Join(err, os.RemoveAll(dir))
	}
	server.RunTasks(o.PowerShell, o.Log)
	return programs{
		close: func() error { return errors.Join(server.Close(), os.RemoveAll(dir)) },
		of:    func(host string) wsman.Program { return powerShell(server, o.PowerShell, host) },
	}, nil
}

// powerShell runs one engine for each command; it ends with the host.
func powerShell(server *forward.Server, program, host string) wsman.Program {
	return func(ctx context.Context, p wsman.Invocation) int {
		shell, err := server.Open(host)
		if err != nil {
			_, _ = fmt.Fprintln(p.Stderr, err)
			return 1
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		lost := make(chan struct{})
		go func() {
			defer close(lost)
			select {
			case <-shell.Lost():
				cancel()
			case <-ctx.Done():
			}
		}()
		code := wsman.PowerShell(program, func(string) []string { return shell.Environment() })(ctx, p)
		cancel()
		<-lost
		if err := shell.Close(); err != nil {
			_, _ = fmt.Fprintln(p.Stderr, err)
		}
		return code
	}
}
