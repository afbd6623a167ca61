package remoting

import (
	"context"
	"errors"
	"fmt"
	"os"

	"guestclustering.io/operator/pkg/hostagent/session"
	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/executor"
	"guestclustering.io/operator/pkg/hypervsim/forward"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// newProgram gives what runs in the shells of hosts, and what ends it all.
func newProgram(world *hypervsim.World, o Options) (wsman.Program, func() error, error) {
	if o.PowerShell == "" {
		return standIn(world), func() error { return nil }, nil
	}
	return realPowerShell(world, o)
}

// standIn answers for the executor, and runs nothing else.
func standIn(world *hypervsim.World) wsman.Program {
	e := executor.New(world.Driver())
	return func(ctx context.Context, p wsman.Invocation) int {
		process := executor.Process{Host: p.Host, Boot: world.Power(p.Host).Booted}
		switch p.CommandLine {
		case session.PowerShell + " " + session.StreamedArguments:
		case session.PowerShell + " " + session.InstalledArguments:
			process.Installed = true
		default:
			_, _ = fmt.Fprintf(p.Stderr, "This simulated host runs the operator's own script alone; start hypervsim with --powershell to run %q.\r\n", p.CommandLine)
			return 1
		}
		return e.Run(ctx, process, p.Stdin, p.Stdout)
	}
}

// realPowerShell runs what clients send in a real engine, whose cmdlets are answered by the world.
func realPowerShell(world *hypervsim.World, o Options) (wsman.Program, func() error, error) {
	dir, err := os.MkdirTemp("", "hypervsim-modules-")
	if err != nil {
		return nil, nil, fmt.Errorf("making a folder for modules: %w", err)
	}
	server, err := forward.Serve(world, dir, o.Log)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	server.RunTasks(o.PowerShell, o.Log)
	end := func() error { return errors.Join(server.Close(), os.RemoveAll(dir)) }
	return server.Program(o.PowerShell), end, nil
}
