// Command hypervsim is a simulated Hyper-V host cluster behind an HTTP endpoint on loopback: it takes batches from the
// operator and has a control API. docs/simulator.md says how to use it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"guestclustering.io/operator/pkg/hypervsim"
	"guestclustering.io/operator/pkg/hypervsim/endpoint"
	"guestclustering.io/operator/pkg/hypervsim/remoting"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "hypervsim:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("hypervsim", flag.ExitOnError)
	address := flags.String("listen", "127.0.0.1:7100", "loopback `address` to listen on, as host:port; port 0 takes a free one")
	speed := flags.Float64("speed", 1, "how many times faster than real time the world's clock runs")
	https := flags.String("winrm", "", "loopback `address` at which the first host serves WinRM over TLS, as host:port; the other hosts take the ports after it; port 0 takes free ones")
	plain := flags.String("winrm-http", "", "the same for WinRM over plain HTTP, where every message is sealed")
	dir := flags.String("winrm-dir", "", "`folder` to write what clients of WinRM need into: ca.crt, username, password, client.crt, client.key, hosts.yaml")
	keytab := flags.String("winrm-keytab", "", "keytab `file` with the keys of HTTP/<host>, so that the user operator of its realm logs on with Kerberos over TLS")
	powershell := flags.String("powershell", "", "`program` of a PowerShell to run in WinRM's shells; without it a stand-in runs the executor's part alone")
	model := flags.String("model", "", "YAML or JSON `file` with the host cluster; what it leaves out, and without it everything, is as in the default model")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("there are only flags, and %q is none", flags.Arg(0))
	}
	for name, at := range map[string]string{"listen": *address, "winrm": *https, "winrm-http": *plain} {
		if err := checkLoopback(name, at); err != nil {
			return err
		}
	}
	world, err := newWorld(*model, *speed)
	if err != nil {
		return err
	}
	defer world.Close()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", *address, err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	hosts, err := remoting.Start(ctx, world, remoting.Options{HTTPS: *https, HTTP: *plain, Directory: *dir, Keytab: *keytab, PowerShell: *powershell, Log: log})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { _ = hosts.Close() }() // Nobody is left to tell.
	log.Info("Listening", "address", listener.Addr().String())
	return serve(ctx, listener, endpoint.Handler(world, hosts, log), world, log)
}

func newWorld(file string, speed float64) (*hypervsim.World, error) {
	if speed <= 0 {
		return nil, fmt.Errorf("-speed is %g: want more than 0, such as 1 or 20", speed)
	}
	model := hypervsim.DefaultModel()
	if file != "" {
		var err error
		if model, err = readModel(file); err != nil {
			return nil, err
		}
	}
	return hypervsim.New(model, hypervsim.NewRealClock(speed))
}

// serve serves the world until ctx ends, and closes both.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, world *hypervsim.World, log *slog.Logger) error {
	server := &http.Server{
		Handler: handler,
		// A batch may take as long as its caller waits; only what comes before it is bounded.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		log.Info("Stopping")
		world.Close() // Every batch under way is answered.
		stopped <- shutDown(server)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving: %w", err)
	}
	return <-stopped
}

// shutDown lets answers that are on their way arrive.
func shutDown(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

// checkLoopback refuses an address that others could reach.
func checkLoopback(name, address string) error {
	if address == "" && name != "listen" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("-%s is %q: want host:port, such as 127.0.0.1:7100", name, address)
	}
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("-%s is %q, which is no loopback address: whoever reaches the simulator controls it; use 127.0.0.1:%s", name, address, port)
}
