// Package controlplane runs a real Kubernetes control plane on loopback: etcd and kube-apiserver, and
// on demand kube-controller-manager with the two controllers that make deletes cascade as they do in a
// cluster. Suites use it against the project's CRDs, the demo uses it for its cluster.
//
// There are no nodes, no scheduler and no service accounts. Ports are random and data lives in temporary
// directories, so any number of control planes can run at once; each takes about 5 seconds to start on
// two cores and 400 MB of memory, therefore a suite starts one and gives each test a namespace of its own.
//
// The programs come from KUBEBUILDER_ASSETS or from bin/controlplane, which `make controlplane` fills.
package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	// startTimeout bounds the start of each server. Two servers that share two cores with a compiler
	// have been seen to take 20 seconds.
	startTimeout = time.Minute
	stopTimeout  = 20 * time.Second
)

// Options say what a control plane has beyond etcd and kube-apiserver. The zero value is right for suites.
type Options struct {
	// CRDs are directories or files of CustomResourceDefinitions to install. Nil means the project's own,
	// config/crd/bases; an empty slice means none.
	CRDs []string
	// Controllers runs kube-controller-manager with the garbage collector and the namespace controller.
	// Without it nothing that an owner leaves behind is collected and a deleted namespace stays Terminating.
	Controllers bool
	// Kubeconfig is the file in which to leave an administrator's kubeconfig. It outlives Stop. Empty means
	// a temporary file.
	Kubeconfig string
	// Log gets the servers' own output. Nil discards it.
	Log io.Writer
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	// Config is an administrator's client configuration, with client-side rate limits too high to matter.
	Config *rest.Config
	// Kubeconfig is the path of a file with the same credentials, readable by its owner only.
	Kubeconfig string

	env     *envtest.Environment
	manager *controllerManager
	kubectl string
	dir     string
}

// Start starts a control plane and installs CRDs. Who calls it calls Stop; after an error there is nothing
// to stop. Each server gets a minute; ctx is looked at between them.
func Start(ctx context.Context, opts Options) (*ControlPlane, error) {
	programs, err := find(opts)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "controlplane-")
	if err != nil {
		return nil, fmt.Errorf("making the control plane's directory: %w", err)
	}
	c := &ControlPlane{env: environment(programs, opts), kubectl: programs[kubectl], dir: dir}
	if err := c.start(ctx, programs, opts); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// ForTest is Start for a test: the control plane stops when the test ends, and the test fails when it
// does not start.
func ForTest(tb testing.TB, opts Options) *ControlPlane {
	tb.Helper()
	c, err := Start(tb.Context(), opts)
	if err != nil {
		tb.Fatalf("starting a control plane: %v", err)
	}
	tb.Cleanup(func() {
		if err := c.Stop(); err != nil {
			tb.Errorf("stopping the control plane: %v", err)
		}
	})
	return c
}

// Stop stops every server and removes its data.
func (c *ControlPlane) Stop() error {
	if c.manager != nil {
		c.manager.stop()
	}
	return errors.Join(c.env.Stop(), os.RemoveAll(c.dir))
}

// Kubectl is kubectl with the administrator's kubeconfig and these arguments, not yet started.
func (c *ControlPlane) Kubectl(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.kubectl, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	return cmd
}

func environment(programs map[program]string, opts Options) *envtest.Environment {
	env := &envtest.Environment{
		CRDDirectoryPaths:        opts.CRDs,
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  stopTimeout,
	}
	env.ControlPlane.Etcd = &envtest.Etcd{Path: programs[etcd], Out: opts.Log, Err: opts.Log}
	server := env.ControlPlane.GetAPIServer()
	server.Path = programs[apiserver]
	server.Out, server.Err = opts.Log, opts.Log
	// Some clusters have it (OpenShift does), and it asks for rights that are easily forgotten.
	server.Configure().Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement")
	env.ControlPlane.KubectlPath = programs[kubectl]
	return env
}

func (c *ControlPlane) start(ctx context.Context, programs map[program]string, opts Options) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if opts.CRDs == nil {
		root, err := projectRoot()
		if err != nil {
			return err
		}
		c.env.CRDDirectoryPaths = []string{filepath.Join(root, "config", "crd", "bases")}
	}
	config, err := c.env.Start()
	if err != nil {
		return fmt.Errorf("starting etcd and kube-apiserver: %w", err)
	}
	c.Config = config
	if err := c.writeKubeconfig(opts.Kubeconfig); err != nil {
		return err
	}
	if !opts.Controllers {
		return nil
	}
	// After the CRDs: the garbage collector looks for new kinds at its start and then every 30 seconds only.
	c.manager, err = startControllerManager(ctx, programs[controllers], c.Kubeconfig, opts.Log)
	return err
}

func (c *ControlPlane) writeKubeconfig(path string) error {
	if path == "" {
		path = filepath.Join(c.dir, "kubeconfig")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("resolving the kubeconfig's path: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making the kubeconfig's directory: %w", err)
	}
	if err := os.WriteFile(path, c.env.KubeConfig, 0o600); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	c.Kubeconfig = path
	return nil
}
