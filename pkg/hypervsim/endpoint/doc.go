// Package endpoint serves a simulated host cluster over HTTP: batches for the driver in pkg/hostagent/simulated, and the
// control API for people, tests and the demo. docs/simulator.md shows every request.
//
// It asks nobody who they are: it belongs on a loopback address.
package endpoint

import (
	"log/slog"
	"net/http"

	"guestclustering.io/operator/pkg/hypervsim"
)

// Handler serves the world, and logs a line for every control request that changes something. Sessions live as long as
// the handler. winRM may be nil.
func Handler(w *hypervsim.World, winRM WinRM, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	newSessions(w.Driver()).routes(mux)
	controlAPI{world: w, log: log}.routes(mux)
	winRMAPI{winRM: winRM, log: log}.routes(mux)
	return mux
}
