package hostagent_test

import (
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
)

func TestValidate(t *testing.T) {
	get := hostagent.Call{ID: "a", Cmdlet: "Get-VM"}
	with := func(v hostagent.Value) hostagent.Call {
		return hostagent.Call{ID: "b", Cmdlet: "Set-VM", Parameters: hostagent.Parameters{"VM": v}}
	}
	tests := map[string]struct {
		batch hostagent.Batch
		want  string
	}{
		"a Ref backwards":     {batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{get, with(hostagent.Ref{Call: "a"})}}},
		"no calls":            {batch: hostagent.Batch{OnError: hostagent.Continue}},
		"no onError":          {batch: hostagent.Batch{}, want: `batch: onError is "", want Stop or Continue`},
		"as the machine":      {batch: hostagent.Batch{OnError: hostagent.Stop, Logon: hostagent.LogonSystem}},
		"as a user":           {batch: hostagent.Batch{OnError: hostagent.Stop, Logon: hostagent.LogonExplicit, Credential: &hostagent.Credential{User: "u"}}},
		"as nobody":           {batch: hostagent.Batch{OnError: hostagent.Stop, Logon: hostagent.LogonExplicit}, want: "batch: the logon Explicit needs the credential of a user"},
		"as a user not named": {batch: hostagent.Batch{OnError: hostagent.Stop, Logon: hostagent.LogonExplicit, Credential: &hostagent.Credential{}}, want: "batch: the logon Explicit needs the credential of a user"},
		"a needless password": {batch: hostagent.Batch{OnError: hostagent.Stop, Logon: hostagent.LogonSystem, Credential: &hostagent.Credential{User: "u"}}, want: "batch: it has a credential, which only the logon Explicit takes"},
		"an unknown logon":    {batch: hostagent.Batch{OnError: hostagent.Stop, Logon: "Root"}, want: `batch: the logon is "Root", want Network, System or Explicit`},
		"no id":               {batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{Cmdlet: "Get-VM"}}}, want: "batch: call 0 needs an id and a cmdlet"},
		"no cmdlet":           {batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{{ID: "a"}}}, want: "batch: call 0 needs an id and a cmdlet"},
		"an id twice":         {batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{get, get}}, want: `batch: two calls have the id "a"`},
		"a Ref forwards":      {batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{with(hostagent.Ref{Call: "a"}), get}}, want: `batch: call b, parameter VM: refers to "a", which is no earlier call`},
		"a Ref to itself":     {batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{with(hostagent.Ref{Call: "b"})}}, want: `batch: call b, parameter VM: refers to "b", which is no earlier call`},
		"a Ref in a list":     {batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{with(hostagent.List{hostagent.Ref{Call: "c"}})}}, want: `batch: call b, parameter VM: refers to "c", which is no earlier call`},
		"a parameter of nil":  {batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{with(nil)}}, want: "batch: call b, parameter VM: has no value"},
		"a nil within a list": {batch: hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{with(hostagent.List{nil})}}, want: "batch: call b, parameter VM: has no value"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.batch.Validate()
			if got := message(err); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestChanges(t *testing.T) {
	for cmdlet, want := range map[string]bool{"Get-VM": false, "Test-Cluster": false, "Set-VM": true, "Start-Work": true, "Getter-VM": true} {
		call := hostagent.Call{ID: "a", Cmdlet: cmdlet}
		if got := call.Changes(); got != want {
			t.Errorf("%s: got %v", cmdlet, got)
		}
		batch := hostagent.Batch{Calls: []hostagent.Call{{ID: "b", Cmdlet: "Get-Item"}, call}}
		if got := batch.Changes(); got != want {
			t.Errorf("a batch with %s: got %v", cmdlet, got)
		}
		carried := hostagent.Call{ID: "c", Cmdlet: "Invoke-GuestBatch", Parameters: hostagent.Parameters{"Batch": hostagent.Nested{Batch: batch}}}
		if got := carried.Changes(); got != want {
			t.Errorf("%s in a guest: got %v", cmdlet, got)
		}
	}
}

func TestTargetNamesItself(t *testing.T) {
	for want, target := range map[string]hostagent.Target{"any host": {}, "HOST1": {Host: "HOST1"}, "guest v": {Host: "HOST1", VM: "v"}} {
		if got := target.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
