package direct_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/direct"
)

const (
	vm       = "11111111-2222-3333-4444-555555555555"
	password = "pass\"word"
)

var as = hostagent.Credential{User: "Administrator", Password: hostagent.NewSecret(password)}

func batch(cmdlets ...string) hostagent.Batch {
	b := hostagent.Batch{Target: hostagent.Target{VM: vm}, OnError: hostagent.Stop}
	for i, cmdlet := range cmdlets {
		b.Calls = append(b.Calls, hostagent.Call{ID: fmt.Sprint("call", i), Cmdlet: cmdlet})
	}
	return b
}

func TestWrapMakesOneCall(t *testing.T) {
	b := batch("Get-Cluster", "New-Cluster")
	b.Logon, b.Credential = hostagent.LogonExplicit, &hostagent.Credential{User: `CORP\forming`, Password: hostagent.NewSecret("other")}
	call, err := direct.Wrap("g", as, b)
	if err != nil {
		t.Fatal(err)
	}
	outer := hostagent.Batch{OnError: hostagent.Continue, Calls: []hostagent.Call{call}}
	if err := outer.Validate(); err != nil {
		t.Error(err)
	}
	wire, err := hostagent.EncodeBatch(outer)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"onError":"Continue","calls":[{"id":"g","cmdlet":"Invoke-GuestBatch","parameters":{` +
		`"Batch":{"$batch":{"logon":"Explicit","credential":{"$credential":{"password":"other","user":"CORP\\forming"}},"onError":"Stop",` +
		`"calls":[{"id":"call0","cmdlet":"Get-Cluster"},{"id":"call1","cmdlet":"New-Cluster"}]}},` +
		`"Credential":{"$credential":{"password":"pass\"word","user":"Administrator"}},` +
		`"VMId":"` + vm + `"},"select":["Results"]}]}`
	if diff := cmp.Diff(want, string(wire)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b.Target.VM != vm {
		t.Error("the caller's batch lost its target")
	}
}

func TestACarriedBatchChangesWhatItsCallsChange(t *testing.T) {
	for cmdlet, want := range map[string]bool{"Get-Cluster": false, "New-Cluster": true} {
		call, err := direct.Wrap("g", as, batch(cmdlet))
		if err != nil {
			t.Fatal(err)
		}
		if call.Changes() != want {
			t.Errorf("%s: got %v", cmdlet, call.Changes())
		}
	}
}

func TestWrapRefuses(t *testing.T) {
	nested := hostagent.Nested{Batch: batch("Get-Item")}
	with := func(v hostagent.Value) hostagent.Batch {
		b := batch("Get-Item")
		b.Calls[0].Parameters = hostagent.Parameters{"Any": v}
		return b
	}
	noMachine := batch("Get-Item")
	noMachine.Target.VM = ""
	invalid := batch("Get-Item")
	invalid.OnError = ""
	for name, test := range map[string]struct {
		batch hostagent.Batch
		want  string
	}{
		"no machine":             {noMachine, "names no machine"},
		"an invalid batch":       {invalid, "onError"},
		"a guest's batch in one": {batch("Invoke-GuestBatch"), "call call0 carries a batch"},
		"a batch in one":         {with(nested), "call call0 carries a batch"},
		"a batch in a list":      {with(hostagent.List{nested}), "call call0 carries a batch"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := direct.Wrap("g", as, test.batch)
			if !errors.Is(err, hostagent.Internal) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want Internal with %q", err, test.want)
			}
		})
	}
}

func answered(text string) hostagent.Result {
	return hostagent.Result{ID: "g", State: hostagent.Done, Values: []hostagent.Object{{"Results": text}}}
}

func TestUnwrapGivesTheGuestsResults(t *testing.T) {
	got, err := direct.Unwrap(batch("Get-Disk", "Get-Item", "Get-Item"), answered(`[
		{"id":"call0","state":"Done","values":[{"Size":9007199254740993,"Nested":{"Deep":[1]}}]},
		{"id":"call1","state":"Failed","errors":[{"id":"PathNotFound","category":"ObjectNotFound"}]},
		{"id":"call2","state":"NotRun"}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := hostagent.Results{
		{ID: "call0", State: hostagent.Done, Values: []hostagent.Object{{
			"Size": json.Number("9007199254740993"), "Nested": map[string]any{"Deep": []any{json.Number("1")}},
		}}},
		{ID: "call1", State: hostagent.Failed, Errors: []hostagent.CallError{{FullyQualifiedErrorID: "PathNotFound", Category: "ObjectNotFound"}}},
		{ID: "call2", State: hostagent.NotRun},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestUnwrapClasses holds what each failed session means, to a batch that only reads and to one that changes something.
func TestUnwrapClasses(t *testing.T) {
	failed := func(id, category, hresult string) hostagent.Result {
		e := hostagent.CallError{FullyQualifiedErrorID: id, Category: category, HResult: hresult, Message: "as the host puts it"}
		return hostagent.Result{ID: "g", State: hostagent.Failed, Errors: []hostagent.CallError{e}}
	}
	const invoke = ",Microsoft.PowerShell.Commands.InvokeCommandCommand"
	for name, test := range map[string]struct {
		result            hostagent.Result
		reading, changing hostagent.Class
	}{
		"the machine is not here": {failed("InvalidVMIdNotSingle"+invoke, "InvalidArgument", "0x80070057"), hostagent.NotFound, hostagent.NotFound},
		"it does not run":         {failed("InvalidVMState"+invoke, "InvalidArgument", "0x80070057"), hostagent.Busy, hostagent.Busy},
		"refused, by id":          {failed("InvalidCredential,Invoke-GuestBatch", "InvalidOperation", ""), hostagent.Unauthenticated, hostagent.Unauthenticated},
		"refused, by category":    {failed("other", "AuthenticationError", ""), hostagent.Unauthenticated, hostagent.Unauthenticated},
		"refused, by code":        {failed("other", "OpenError", "0x8007052E"), hostagent.Unauthenticated, hostagent.Unauthenticated},
		"no Hyper-V module":       {failed("HyperVModuleNotAvailable"+invoke, "InvalidArgument", ""), hostagent.Unsupported, hostagent.Unsupported},
		"no such function":        {failed("CommandNotFoundException", "ObjectNotFound", ""), hostagent.Unsupported, hostagent.Unsupported},
		"not opened, or broken":   {failed("PSSessionStateBroken", "OpenError", "0x80131501"), hostagent.Unreachable, hostagent.OutcomeUnknown},
		"the guest restarts":      {failed("2100,PSSessionStateBroken", "OpenError", "0x80131501"), hostagent.Unreachable, hostagent.OutcomeUnknown},
		"a right is missing":      {failed("other", "PermissionDenied", ""), hostagent.Forbidden, hostagent.OutcomeUnknown},
		"too late":                {failed("other", "OperationTimeout", ""), hostagent.Timeout, hostagent.OutcomeUnknown},
		"something else":          {failed("other", "ObjectNotFound", ""), hostagent.Unreachable, hostagent.OutcomeUnknown},
		"without a reason":        {hostagent.Result{ID: "g", State: hostagent.Failed}, hostagent.Protocol, hostagent.OutcomeUnknown},
		"its end was not seen":    {hostagent.Result{ID: "g", State: hostagent.Unknown}, hostagent.OutcomeUnknown, hostagent.OutcomeUnknown},
		"not begun":               {hostagent.Result{ID: "g", State: hostagent.NotRun}, hostagent.Canceled, hostagent.Canceled},
		"no answer":               {hostagent.Result{ID: "g", State: hostagent.Done}, hostagent.Protocol, hostagent.OutcomeUnknown},
		"no JSON":                 {answered("{"), hostagent.Protocol, hostagent.OutcomeUnknown},
		"another call's answer":   {answered(`[{"id":"other","state":"Done"}]`), hostagent.Protocol, hostagent.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			for cmdlet, want := range map[string]hostagent.Class{"Get-Cluster": test.reading, "New-Cluster": test.changing} {
				_, err := direct.Unwrap(batch(cmdlet), test.result)
				var e *hostagent.Error
				if !errors.As(err, &e) || e.Class != want || e.Target.VM != vm {
					t.Errorf("%s: got %#v, want %s about the guest", cmdlet, err, want)
				}
				for _, other := range []hostagent.Class{hostagent.Invalid, hostagent.NotFound, hostagent.Busy} {
					if other != want && errors.Is(err, other) {
						t.Errorf("%s: %v is %s too", cmdlet, err, other)
					}
				}
			}
		})
	}
}
