package conformance

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"guestclustering.io/operator/pkg/hostagent"
	"guestclustering.io/operator/pkg/hostagent/direct"
)

// guestBatchesTravel: a batch for a guest reaches the host with its logon and its secrets, and a host that does not have the
// machine says so. What runs inside is the host's affair: a driver sees one call like any other.
func guestBatchesTravel(t *testing.T, s Subject) {
	const secret = "correct horse battery staple"
	session := open(t, s)
	account := hostagent.Credential{User: "Administrator", Password: hostagent.NewSecret(secret)}
	for logon, credential := range map[hostagent.Logon]*hostagent.Credential{hostagent.LogonNetwork: nil, hostagent.LogonExplicit: &account} {
		t.Run(string(logon), func(t *testing.T) {
			batch := hostagent.Batch{
				Target: hostagent.Target{VM: uuid.NewString()}, Logon: logon, Credential: credential, OnError: hostagent.Stop,
				Calls: []hostagent.Call{call("inside", "Get-Disk", nil, "Number")},
			}
			wrapped, err := direct.Wrap("guest", account, batch)
			if err != nil {
				t.Fatal(err)
			}
			results := session.run(hostagent.Stop, wrapped)
			if _, err := direct.Unwrap(batch, results[0]); hostagent.ClassOf(err) != hostagent.NotFound {
				t.Errorf("a machine that the host does not have: %v, want NotFound", err)
			}
			wire, err := json.Marshal(results)
			if text := string(wire) + fmt.Sprintf("%#v", results); err != nil || strings.Contains(text, secret) {
				t.Errorf("the secret came back: %s, %v", wire, err)
			}
		})
	}
}
