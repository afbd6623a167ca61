// Command demo shows the main job on embedded parts, each a process of its own: a Kubernetes API server, a simulated cluster
// of four Hyper-V hosts, and the manager. It applies config/samples, tells what comes to be, stops and starts the manager,
// drains a host, fails another, and shows the repair.
//
// It ends on Ctrl-C. With DEMO_EXIT=1 it ends after the story: with 0 if every step held.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv("DEMO_EXIT") == "1")
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, exit bool) (err error) {
	p, err := startParts(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err := tell(ctx, p); err != nil {
		return err
	}
	if exit {
		return nil
	}
	say("The parts go on until Ctrl-C. In a second terminal: export KUBECONFIG=%s", p.control.Kubeconfig)
	<-ctx.Done()
	return nil
}
