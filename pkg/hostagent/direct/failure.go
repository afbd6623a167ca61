package direct

import (
	"errors"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
)

// beforeSession are the errors that PowerShell and the executor report before a session with the guest exists, by a part of
// their FullyQualifiedErrorId: certainly nothing ran.
//
// How sure each is: InvalidVMIdNotSingle, InvalidVMState and HyperVModuleNotAvailable are what Invoke-Command writes after
// its own Get-VM, in the sources of PowerShell 7 (PSRemotingCmdlet.cs); the first and the last are the same in Windows
// PowerShell 5.1, which does not look at the machine's state. CommandNotFoundException is the executor's.
//
// A refused account has the id PSSessionStateBroken in all of them, the category OpenError, and is told from every other broken
// session by its exception alone, a PSDirectException (RemoteSessionHyperVSocket.cs; error records that people published).
// Invoke-GuestBatch, which sees the exception, says InvalidCredential and AuthenticationError in its place; early builds of
// Windows PowerShell 5 said the former themselves.
var beforeSession = map[string]hostagent.Class{
	"InvalidVMIdNotSingle":     hostagent.NotFound,
	"InvalidVMState":           hostagent.Busy,
	"InvalidCredential":        hostagent.Unauthenticated,
	"HyperVModuleNotAvailable": hostagent.Unsupported,
	"CommandNotFoundException": hostagent.Unsupported,
}

// told are the classes that say more of a session than that it did not come to be or broke.
var told = map[hostagent.Class]bool{
	hostagent.Forbidden: true, hostagent.Unsupported: true, hostagent.Timeout: true,
}

// sessionClass sorts a session that failed. PSSessionStateBroken is both one that could not be opened, as with a guest that
// is not ready, and one that broke while the batch ran ("2100,PSSessionStateBroken" when the guest restarts): nobody knows
// which, so a batch that changes something has an unknown outcome.
func sessionClass(b hostagent.Batch, r hostagent.Result) (hostagent.Class, error) {
	if len(r.Errors) == 0 {
		return lost(b, hostagent.Protocol), errors.New("the session failed without saying why")
	}
	e := &r.Errors[0]
	// Only its words: its own class is that of an ordinary call.
	why := errors.New(e.Error())
	for part := range strings.SplitSeq(e.FullyQualifiedErrorID, ",") {
		if class, ok := beforeSession[part]; ok {
			return class, why
		}
	}
	switch class := e.Class(); {
	case class == hostagent.Unauthenticated: // a logon that failed ran nothing
		return class, why
	case told[class]:
		return lost(b, class), why
	default:
		return lost(b, hostagent.Unreachable), why
	}
}
