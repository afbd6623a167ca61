package forward

import (
	"context"
	"fmt"

	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// Program is what the shells of a simulated WinRM service run: the PowerShell at engine, on the host that the shell is on. It
// ends when nothing more of it would reach the client of a real host.
func (s *Server) Program(engine string) wsman.Program {
	return func(ctx context.Context, p wsman.Invocation) int {
		shell, err := s.Open(p.Host)
		if err != nil {
			_, _ = fmt.Fprintln(p.Stderr, err)
			return 1
		}
		ctx, cancel := context.WithCancel(ctx)
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			select {
			case <-shell.Lost():
				cancel()
			case <-ctx.Done():
			}
		}()
		code := wsman.PowerShell(engine, func(string) []string { return shell.Environment() })(ctx, p)
		cancel()
		<-stop
		if err := shell.Close(); err != nil {
			return 1
		}
		return code
	}
}
