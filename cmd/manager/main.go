// Command manager runs the operator.
package main

import (
	"flag"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"guestclustering.io/operator/api/v1alpha1"
	"guestclustering.io/operator/controllers"
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
	logging := zap.Options{}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
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
	if err := controllers.Setup(ctx, mgr, controllers.Driver); err != nil {
		return err
	}
	return mgr.Start(ctx)
}
