package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
)

func unknownCmdletsFail(t *testing.T, s Subject) {
	session := open(t, s)
	results := session.run(hostagent.Continue, call("unknown", "Get-Nonsense", nil), items("after", s.Pool))
	wantStates(t, results, hostagent.Failed, hostagent.Done)
	if err := results.Err(); err == nil || !strings.Contains(err.Error(), "Get-Nonsense") {
		t.Errorf("the error is %v, want one that names the cmdlet", err)
	}
}

func absentHostsAreUnreachable(t *testing.T, s Subject) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	agent, err := s.Driver.Open(ctx, hostagent.Target{Host: s.Absent})
	if err == nil {
		_ = agent.Close()
		t.Fatal("there is a session with a host that does not exist")
	}
	var transport *hostagent.Error
	if !errors.As(err, &transport) || transport.Class != hostagent.Unreachable || transport.Target.Host != s.Absent {
		t.Errorf("got %#v, want *hostagent.Error Unreachable that names %s", err, s.Absent)
	}
}

func anyHostAnswers(t *testing.T, s Subject) {
	s.Host = ""
	session := open(t, s)
	if session.one(session.done(call("host", "Get-VMHost", nil, "Name"))[0]).Text("Name") == "" {
		t.Error("the host that answers has no name")
	}
}

func wrongBatchesDoNothing(t *testing.T, s Subject) {
	session := open(t, s)
	path := freshPath(s.Pool)
	session.removeAfterwards(path)
	right := newFolder("a", path, stamp)
	tests := map[string]struct {
		batch hostagent.Batch
		text  string
	}{
		"two calls with one id": {
			hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{right, items("a", path)}}, `two calls have the id "a"`,
		},
		"a ref forwards": {
			hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{right, removeVM("b", "c"), absentVM("c")}}, `refers to "c", which is no earlier call`,
		},
		"a call without a cmdlet": {
			hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{right, {ID: "b"}}}, "needs an id and a cmdlet",
		},
		"no word on errors": {
			hostagent.Batch{Calls: []hostagent.Call{right}}, "want Stop or Continue",
		},
		"a parameter without a value": {
			hostagent.Batch{OnError: hostagent.Stop, Calls: []hostagent.Call{right, call("b", "Get-VM", p{"Id": nil})}}, "has no value",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := session.agent.Run(t.Context(), test.batch)
			if hostagent.ClassOf(err) != hostagent.Invalid || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want Invalid with %q", err, test.text)
			}
			session.wantAbsent(path)
		})
	}
}

func secretsAreNotEchoed(t *testing.T, s Subject) {
	const secret = "correct horse battery staple"
	session := open(t, s)
	path := freshPath(s.Pool)
	session.removeAfterwards(path)
	// No call that the suite may make takes a secret; so each is refused, and the refusal must not show it.
	results := session.run(hostagent.Continue,
		call("unknown", "Get-VM", p{"Password": hostagent.NewSecret(secret)}, "Name"),
		call("text", "New-StampedFolder", p{"Path": hostagent.Text(path), "Stamp": hostagent.NewSecret(secret)}, "Path"),
		call("list", "Get-Item", p{"LiteralPath": hostagent.List{hostagent.NewSecret(secret)}}, "FullName"),
		call("number", "New-VHD", p{"Path": hostagent.Text(path), "SizeBytes": hostagent.NewSecret(secret), "Dynamic": hostagent.Bool(true)}),
		call("account", "Get-Item", p{"LiteralPath": hostagent.Credential{User: "u", Password: hostagent.NewSecret(secret)}}, "FullName"),
	)
	wire, err := json.Marshal(results)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(wire)+fmt.Sprintf("%#v", results), secret) {
		t.Errorf("the secret came back: %s", wire)
	}
	for _, r := range results {
		if r.State != hostagent.Failed {
			t.Errorf("call %s is %s, want Failed", r.ID, r.State)
		}
	}
}
