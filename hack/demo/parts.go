package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/pkg/hypervsim/control"
	"guestclustering.io/operator/test/controlplane"
)

// speed is how much faster than real the simulated world runs: its durations are those of real hosts.
const speed = "20"

// parts are the processes of the demo.
type parts struct {
	dir     string
	control *controlplane.ControlPlane
	client  client.Client
	world   *control.Client
	address string

	sim, manager *process
	// drained and failed are the hosts that the story takes away.
	drained, failed string
}

// process is a command that writes to a log file.
type process struct {
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{}
}

func startParts(ctx context.Context) (p *parts, err error) {
	p = &parts{dir: filepath.Join("bin", "demo-logs")}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.stop())
		}
	}()
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return p, fmt.Errorf("making the folder for logs: %w", err)
	}
	say("Starting etcd, kube-apiserver and kube-controller-manager ...")
	p.control, err = controlplane.Start(ctx, controlplane.Options{Controllers: true, Kubeconfig: filepath.Join(p.dir, "kubeconfig")})
	if err != nil {
		return p, err
	}
	say("Starting bin/hypervsim: four Hyper-V hosts on loopback with WinRM over TLS, time running %s times as fast as real ...", speed)
	if err := p.startWorld(ctx); err != nil {
		return p, err
	}
	say("Starting bin/manager ...")
	if err := p.startManager(ctx); err != nil {
		return p, err
	}
	p.client, err = newClient(p.control)
	if err != nil {
		return p, err
	}
	say("For a second terminal: export KUBECONFIG=%s", p.control.Kubeconfig)
	say("Logs: %s", p.dir)
	return p, nil
}

func newClient(c *controlplane.ControlPlane) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("building scheme: %w", err)
	}
	cl, err := client.New(c.Config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making client: %w", err)
	}
	return cl, nil
}

func (p *parts) startWorld(ctx context.Context) error {
	var err error
	if p.address, err = freeAddress(ctx); err != nil {
		return err
	}
	args := []string{"--listen", p.address, "--speed", speed, "--model", "hack/demo/model.yaml", "--winrm", "127.0.0.1:0", "--winrm-dir", p.winRM()}
	if engine := os.Getenv("DEMO_POWERSHELL"); engine != "" {
		say("Its hosts run %s.", engine)
		args = append(args, "--powershell", engine)
	}
	p.sim, err = start(ctx, filepath.Join(p.dir, "hypervsim.log"), nil, "bin/hypervsim", args...)
	if err != nil {
		return err
	}
	p.world = control.New(p.address)
	return poll(ctx, 20*time.Second, "bin/hypervsim does not answer", func() (bool, error) {
		_, err := p.world.State(ctx)
		return err == nil, p.sim.alive()
	})
}

func (p *parts) startManager(ctx context.Context) error {
	var err error
	p.manager, err = start(ctx, filepath.Join(p.dir, "manager.log"), []string{"KUBECONFIG=" + p.control.Kubeconfig},
		"bin/manager", "--operator-namespace", operatorNamespace, "--metrics-bind-address", "0", "--health-probe-bind-address", "0")
	return err
}

func (p *parts) stop() error {
	errs := []error{p.manager.stop(), p.sim.stop()}
	if p.control != nil {
		errs = append(errs, p.control.Stop())
	}
	return errors.Join(errs...)
}

func freeAddress(ctx context.Context) (string, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// start starts a program whose output goes to the end of a log file. It is stopped by stop, not by ctx, so that the
// parts end in order.
func start(ctx context.Context, logPath string, env []string, name string, args ...string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening log: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own, so that Ctrl-C in the terminal reaches the demo alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s (make build): %w", name, err), log.Close())
	}
	pr := &process{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		// How it ended is seen in its log and exit code.
		_ = cmd.Wait()
		close(pr.done)
	}()
	return pr, nil
}

func (pr *process) ended() bool {
	select {
	case <-pr.done:
		return true
	default:
		return false
	}
}

func (pr *process) alive() error {
	if pr.ended() {
		return fmt.Errorf("%s has ended (%s); see %s", pr.cmd.Path, pr.cmd.ProcessState, pr.log.Name())
	}
	return nil
}

// kill ends the process at once, as a crash would.
func (pr *process) kill() error {
	if err := pr.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("killing %s: %w", pr.cmd.Path, err)
	}
	<-pr.done
	return pr.log.Close()
}

func (pr *process) stop() error {
	if pr == nil || pr.ended() {
		return nil
	}
	if err := pr.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping %s: %w", pr.cmd.Path, err)
	}
	select {
	case <-pr.done:
		return pr.log.Close()
	case <-time.After(10 * time.Second):
		return pr.kill()
	}
}
