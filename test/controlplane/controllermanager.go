package controlplane

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// controllerManager is a running kube-controller-manager.
type controllerManager struct {
	cancel context.CancelFunc
	// exited is closed when the process is gone; err then says how it ended.
	exited chan struct{}
	err    error
}

// startControllerManager returns when the manager says that its controllers' caches are filled.
func startControllerManager(ctx context.Context, path, kubeconfig string, log io.Writer) (*controllerManager, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	// The manager ends with Stop, not with the context of Start.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cmd := exec.CommandContext(running, path,
		"--kubeconfig="+kubeconfig,
		"--controllers=garbage-collector-controller,namespace-controller",
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		"--secure-port="+strconv.Itoa(port),
		"--authentication-skip-lookup",
	)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("starting kube-controller-manager: %w", err)
	}
	m := &controllerManager{cancel: cancel, exited: make(chan struct{})}
	go func() {
		defer close(m.exited)
		m.err = cmd.Wait()
	}()
	if err := m.waitHealthy(ctx, fmt.Sprintf("https://127.0.0.1:%d/healthz", port)); err != nil {
		m.stop()
		return nil, fmt.Errorf("waiting for kube-controller-manager to be healthy: %w", err)
	}
	return m, nil
}

func (m *controllerManager) waitHealthy(ctx context.Context, url string) error {
	// Its certificate is made at each start and signed by nobody; /healthz tells no secrets.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	return wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, startTimeout, true, func(ctx context.Context) (bool, error) {
		select {
		case <-m.exited:
			return false, fmt.Errorf("it ended: %w", cmp.Or(m.err, errors.New("without an error")))
		default:
			return healthy(ctx, client, url), nil
		}
	})
}

func healthy(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// stop returns when the process is gone: killed, at the latest, after stopTimeout.
func (m *controllerManager) stop() {
	m.cancel()
	<-m.exited
}

// freePort is a loopback port that nobody uses now. The manager does not say which port it took when told
// to take any, therefore it is chosen here.
func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
