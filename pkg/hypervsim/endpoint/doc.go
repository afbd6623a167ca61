// Package endpoint serves a simulated host cluster over HTTP: batches for the driver in pkg/hostagent/simulated, and the
// control API for people, tests and the demo. docs/simulator.md shows every request.
//
// It asks nobody who they are: it belongs on a loopback address.
package endpoint

import (
	"net/http"

	"guestclustering.io/operator/pkg/hypervsim"
)

// Handler serves the world. Sessions live as long as the handler.
func Handler(w *hypervsim.World) http.Handler {
	mux := http.NewServeMux()
	newSessions(w.Driver()).routes(mux)
	control{world: w}.routes(mux)
	return mux
}
