// Package simulated is the driver for the simulated host cluster: it posts batches as JSON to bin/hypervsim, so that
// manager, world and API server are processes of their own.
//
// A session is POST /v1/sessions, its batches are POST /v1/sessions/{id}/batches, and DELETE /v1/sessions/{id} ends
// it. A batch has no time limit but the caller's context: when that ends, the connection closes, and the simulator sees
// it. What was sent is never sent again, neither here nor by net/http, which repeats a POST only when nothing of it was
// written.
package simulated
