package control

import (
	"fmt"
	"time"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hypervsim/wsman"
)

// WinRMState is what an observer sees of a host's WinRM service.
type WinRMState struct {
	Shells int `json:"shells"`
	// Requests counts the HTTP requests since the start.
	Requests int          `json:"requests"`
	Faults   []WinRMFault `json:"faults"`
}

// WinRMFault is a fault of a WinRM service on the wire.
type WinRMFault struct {
	Kind   wsman.FaultKind `json:"kind"`
	Action wsman.Action    `json:"action,omitempty"`
	// Count is how many connections or requests go wrong; 0: all, until the faults are cleared.
	Count int    `json:"count,omitempty"`
	Bytes int    `json:"bytes,omitempty"`
	Delay string `json:"delay,omitempty"`
}

// WinRMFaultOf gives a fault's wire form.
func WinRMFaultOf(f wsman.Fault) WinRMFault {
	out := WinRMFault{Kind: f.Kind, Action: f.Action, Count: f.Count, Bytes: f.Bytes}
	if f.Delay != 0 {
		out.Delay = f.Delay.String()
	}
	return out
}

// Fault gives back the fault. A delay that cannot be read is Invalid.
func (f WinRMFault) Fault() (wsman.Fault, error) {
	out := wsman.Fault{Kind: f.Kind, Action: f.Action, Count: f.Count, Bytes: f.Bytes}
	if f.Delay == "" {
		return out, nil
	}
	var err error
	if out.Delay, err = time.ParseDuration(f.Delay); err != nil {
		return out, fmt.Errorf("%w: delay is %q; write it as 1.5s or 4m", hostagent.Invalid, f.Delay)
	}
	return out, nil
}
