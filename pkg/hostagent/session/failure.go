package session

import (
	"context"
	"errors"
	"fmt"

	"guestclustering.io/operator/pkg/hostagent"
)

// classed is an error with its class, before the operation and the target are known.
type classed struct {
	class hostagent.Class
	err   error
}

func (e classed) Error() string { return e.err.Error() }
func (e classed) Unwrap() error { return e.err }

func failed(class hostagent.Class, err error) error { return classed{class, err} }

// classOf is the class that was decided last, on the way out.
func classOf(err error) hostagent.Class {
	if c, ok := errors.AsType[classed](err); ok {
		return c.class
	}
	return hostagent.ClassOf(err)
}

// What an administrator of the host looks at. Drivers add what they know of the connection.
const (
	adviceEnded = "; did a quota of the host, its antivirus or somebody there end it? " +
		"Its event logs say more: Microsoft-Windows-PowerShell/Operational, Microsoft-Windows-WinRM/Operational and the antivirus's"
	adviceStart = "; does the host's antivirus or a policy keep the executor from running? Its own log says more, and the event log " +
		"Microsoft-Windows-PowerShell/Operational; allow the executor there, or use executor: Installed"
	adviceGarbled = "; does something on the host or on the way to it, such as an antivirus or a proxy, change what PowerShell writes?"
)

// garbled is what came from the host and cannot be read.
func garbled(what string, err error) error {
	return failed(hostagent.Protocol, fmt.Errorf("%s could not be read: %w%s", what, err, adviceGarbled))
}

// lost classifies what a driver said of its connection: Unreachable, unless it knows better.
func lost(err error) error {
	if e, ok := errors.AsType[*hostagent.Error](err); ok {
		return failed(e.Class, err)
	}
	return failed(hostagent.Unreachable, err)
}

// errorOf makes what callers get.
func errorOf(op string, target hostagent.Target, err error) error {
	return &hostagent.Error{Class: classOf(err), Op: op, Target: target, Err: err}
}

// endClass says how a context ended before anything was changed.
func endClass(ctx context.Context) hostagent.Class {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return hostagent.Timeout
	}
	return hostagent.Canceled
}
