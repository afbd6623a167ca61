// Command manager runs the operator.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers"
	"guestclustering.io/operator/pkg/hostagent/session"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

func run() error {
	metrics := flag.String("metrics-bind-address", "127.0.0.1:8080", "address of the metrics endpoint; 0 turns it off")
	health := flag.String("health-probe-bind-address", "127.0.0.1:8081", "address of the health endpoint; 0 turns it off")
	elect := flag.Bool("leader-elect", false, "let only one of several managers act")
	electIn := flag.String("leader-election-namespace", "", "namespace of the lease; default: the manager's own")
	namespace := flag.String("operator-namespace", "", "namespace with the Secrets and ConfigMaps that HostClusters name; default: the manager's own")
	printExecutor := flag.Bool("print-executor", false, "print the script that a HostCluster with executor Installed needs on its hosts, and end")
	logging := zap.Options{}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	if *printExecutor {
		_, err := os.Stdout.WriteString(session.Executor)
		return err
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))

	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return fmt.Errorf("building scheme: %w", err)
		}
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding a kubeconfig: %w", err)
	}
	ctx := ctrl.SetupSignalHandler()
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: *metrics}, HealthProbeBindAddress: *health,
		LeaderElection: *elect, LeaderElectionID: "guestclustering.io", LeaderElectionNamespace: *electIn,
	})
	if err != nil {
		return fmt.Errorf("making manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding health check: %w", err)
	}
	drivers := controllers.Drivers(slog.New(logr.ToSlogHandler(ctrl.Log.WithName("hosts"))))
	if err := controllers.Setup(ctx, mgr, controllers.Options{Drivers: drivers, Namespace: cmp.Or(*namespace, ownNamespace())}); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// ownNamespace is the namespace of the Pod that the manager runs in, or empty outside of one.
func ownNamespace() string {
	name, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}
