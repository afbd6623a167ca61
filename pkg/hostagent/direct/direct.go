// Package direct reaches the guest of a virtual machine over PowerShell Direct ("Manage Windows Virtual Machines with
// PowerShell Direct"): a batch for the guest travels as one call of Invoke-GuestBatch in a batch for the host that runs the
// machine now, and its results come back as that call's value. It needs no network in the guest.
//
// It is pure: who runs the host's batch knows which host that is.
package direct

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"guestclustering.io/operator/pkg/hostagent"
)

// guestBatch is the executor's function that runs a batch inside a guest.
const guestBatch = "Invoke-GuestBatch"

// Wrap makes the call that runs a batch inside the guest of the machine that its target names, with an account of the guest.
// A batch that carries another one is refused: batches nest one level.
func Wrap(id string, as hostagent.Credential, b hostagent.Batch) (hostagent.Call, error) {
	if b.Target.VM == "" {
		return hostagent.Call{}, fmt.Errorf("%w: a batch for a guest names no machine", hostagent.Internal)
	}
	if err := b.Validate(); err != nil {
		return hostagent.Call{}, fmt.Errorf("%w: %w", hostagent.Internal, err)
	}
	for _, c := range b.Calls {
		if carriesBatch(c) {
			return hostagent.Call{}, fmt.Errorf("%w: call %s carries a batch into a guest's batch; batches nest one level", hostagent.Internal, c.ID)
		}
	}
	vm := b.Target.VM
	b.Target = hostagent.Target{} // the call says it
	return hostagent.Call{
		ID: id, Cmdlet: guestBatch, Select: []string{"Results"},
		Parameters: hostagent.Parameters{"VMId": hostagent.Text(vm), "Credential": as, "Batch": hostagent.Nested{Batch: b}},
	}, nil
}

func carriesBatch(c hostagent.Call) bool {
	if c.Cmdlet == guestBatch {
		return true
	}
	for _, v := range c.Parameters {
		if isNested(v) {
			return true
		}
	}
	return false
}

func isNested(v hostagent.Value) bool {
	if list, ok := v.(hostagent.List); ok {
		return slices.ContainsFunc(list, isNested)
	}
	_, nested := v.(hostagent.Nested)
	return nested
}

// Unwrap reads what became of the batch that a call of Wrap carried, from that call's result. An error is an
// *hostagent.Error about the guest, as of an agent's Run: OutcomeUnknown wherever it is not certain that no changing call of
// the batch ran, else
//   - NotFound: this host does not have the machine;
//   - Busy: the machine does not run;
//   - Unauthenticated: the guest refused the account. A guest that is still setting up refuses every account;
//   - Unreachable: the guest did not answer, or the session with it broke;
//   - Unsupported, Forbidden, Timeout, Protocol: as the host says;
//   - Canceled: the call was never begun.
func Unwrap(b hostagent.Batch, r hostagent.Result) (hostagent.Results, error) {
	switch r.State {
	case hostagent.Done:
		results, err := decode(b, r)
		if err != nil {
			return nil, failure(b, lost(b, hostagent.Protocol), err)
		}
		return results, nil
	case hostagent.Failed:
		class, why := sessionClass(b, r)
		return nil, failure(b, class, why)
	case hostagent.NotRun:
		return nil, failure(b, hostagent.Canceled, errors.New("the batch was not begun"))
	default:
		return nil, failure(b, hostagent.OutcomeUnknown, errors.New("the end of the batch was not seen"))
	}
}

func failure(b hostagent.Batch, class hostagent.Class, why error) error {
	return &hostagent.Error{Class: class, Op: "running a batch", Target: hostagent.Target{VM: b.Target.VM}, Err: why}
}

// lost is the class of a failure after which nobody knows what ran.
func lost(b hostagent.Batch, otherwise hostagent.Class) hostagent.Class {
	if b.Changes() {
		return hostagent.OutcomeUnknown
	}
	return otherwise
}

func decode(b hostagent.Batch, r hostagent.Result) (hostagent.Results, error) {
	if len(r.Values) != 1 {
		return nil, fmt.Errorf("the guest's answer is %d values, want 1", len(r.Values))
	}
	dec := json.NewDecoder(strings.NewReader(r.Values[0].Text("Results")))
	dec.UseNumber()
	var results hostagent.Results
	if err := dec.Decode(&results); err != nil {
		return nil, fmt.Errorf("reading the guest's answer: %w", err)
	}
	if !results.Answer(b.Calls) {
		return nil, errors.New("the guest's answer is not one result for each call")
	}
	return results, nil
}
