package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/crypto/ssh"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/rack"
)

// execRefusedError is a host that lets us in and runs no command.
type execRefusedError struct{ err error }

func (e *execRefusedError) Error() string {
	return "the SSH server runs no command for this account; check ForceCommand, MaxSessions and the shell in its sshd_config: " + e.err.Error()
}

func (e *execRefusedError) Unwrap() error { return e.err }

// judge finds the class of what kept a PowerShell from being started, and says what to do.
func judge(ctx context.Context, host rack.Host, err error) (hostagent.Class, error) {
	if class, why := said(err); class != "" {
		return class, why
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return hostagent.Timeout, fmt.Errorf("%s did not answer in time: %w", host.Address, err)
	case ctx.Err() != nil:
		return hostagent.Canceled, context.Cause(ctx)
	}
	if _, ok := errors.AsType[*ssh.AlgorithmNegotiationError](err); ok {
		return hostagent.Protocol, fmt.Errorf("%s takes none of the algorithms that are offered; does knownHosts have one of the keys that it has now, and is its OpenSSH up to date? %w", host.Address, err)
	}
	if !isConnection(err) {
		return hostagent.Protocol, fmt.Errorf("%s: is this an SSH server? %w", host.Address, err)
	}
	return hostagent.Unreachable, fmt.Errorf("%s: %s: %w", host.Address, advice(err), err)
}

// said finds an answer that speaks for itself, and its class.
func said(err error) (hostagent.Class, error) {
	if why, ok := errors.AsType[*hostKeyError](err); ok {
		return hostagent.Forbidden, why
	}
	if why, ok := errors.AsType[*execRefusedError](err); ok {
		return hostagent.Forbidden, why
	}
	if why, ok := errors.AsType[*rack.RefusedError](err); ok {
		return hostagent.Unauthenticated, why
	}
	if why, ok := errors.AsType[*keyRefusedError](err); ok {
		return hostagent.Unauthenticated, why
	}
	if why, ok := errors.AsType[*notOfferedError](err); ok {
		return hostagent.Unauthenticated, why
	}
	return "", nil
}

func advice(err error) string {
	_, dialing := errors.AsType[*dialError](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	switch {
	case unknown:
		return "the name cannot be resolved; check the host's address and the DNS"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there; is the host up, and does its sshd service run?"
	case dialing:
		return "no connection; is the host up, and is the port open in its firewall?"
	default:
		return "the connection was lost"
	}
}
