package hypervsim

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"guestclustering.io/operator/pkg/hostagent"
)

var secretMark = regexp.MustCompile(`\[secret [0-9a-f]{8}\]`)

// everywhere are parameters with a secret wherever one can be.
func everywhere(secret hostagent.Secret) hostagent.Parameters {
	account := hostagent.Credential{User: "admin", Password: secret}
	inner := hostagent.Batch{Credential: &account, OnError: hostagent.Stop, Calls: []hostagent.Call{{
		ID: "in", Cmdlet: "Add-Computer", Parameters: hostagent.Parameters{"Credential": account, "Keys": hostagent.List{secret}},
	}}}
	return hostagent.Parameters{
		"Secret": secret, "Account": account, "Batch": hostagent.Nested{Batch: inner},
		"List": hostagent.List{hostagent.Text("a"), hostagent.List{secret, account}},
	}
}

// told runs a call with that secret in it and gives the journal's entry of it.
func (f fixture) told(secret string) Entry {
	f.Helper()
	since := len(f.Journal(0))
	_, err := f.run("hv01", hostagent.Call{ID: "x", Cmdlet: "Get-VM", Parameters: everywhere(hostagent.NewSecret(secret))})
	f.ok(err)
	return f.Journal(since)[0]
}

// A journal has one mark for one secret, wherever it is, and nothing else of it.
func TestJournalMarksSecrets(t *testing.T) {
	const text = "hunter2"
	f := newFixture(t)
	marks := map[string]bool{}
	// A mark does not depend on what was told before.
	for _, secret := range []string{text, "", text, text + "3", text} {
		e := f.told(secret)
		raw, err := json.Marshal(e)
		f.ok(err)
		if strings.Contains(string(raw), text) || strings.Contains(fmt.Sprintf("%#v %v", *e.Call, e.Call.Parameters), text) {
			t.Errorf("the journal has the secret: %s", raw)
		}
		mark := secretMark.FindString(string(raw))
		marks[mark] = true
		want, err := json.Marshal(everywhere(hostagent.NewMark(mark)))
		f.ok(err)
		if !strings.Contains(string(raw), `"parameters":`+string(want)) {
			t.Errorf("the journal has %s, want the parameters %s", raw, want)
		}
	}
	if len(marks) != 3 {
		t.Errorf("three secrets have the marks %v", marks)
	}
	other := newFixture(t).told(text).Call.Parameters["Secret"]
	if marks[fmt.Sprint(other)] {
		t.Errorf("two worlds have the same mark %v", other)
	}
}
