package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hostagent"
)

// logonsAnswerAlike: with whose rights a batch runs changes nothing of how it travels.
func logonsAnswerAlike(t *testing.T, s Subject) {
	const secret, password = "correct horse battery staple", "open sesame"
	session := open(t, s)
	user := &hostagent.Credential{User: `CORP\conformance`, Password: hostagent.NewSecret(password)}
	// A folder that is made a second time, with the same stamp, is left as it is; with another one it is refused.
	path := freshPath(s.Pool)
	session.removeAfterwards(path)
	calls := []hostagent.Call{
		call("host", "Get-VMHost", nil, "Name"), newFolder("new", path, stamp), folders("list", path), newFolder("other", path, "another"),
		call("unknown", "Get-VM", p{"Password": hostagent.NewSecret(secret)}, "Name"), items("after", s.Pool),
	}
	want := session.run(hostagent.Continue, calls...)
	wantStates(t, want, hostagent.Done, hostagent.Done, hostagent.Done, hostagent.Failed, hostagent.Failed, hostagent.Done)
	for logon, credential := range map[hostagent.Logon]*hostagent.Credential{hostagent.LogonSystem: nil, hostagent.LogonExplicit: user} {
		t.Run(string(logon), func(t *testing.T) {
			session.run(hostagent.Continue, removeFolder("remove", path, stamp))
			got := session.batch(hostagent.Batch{Logon: logon, Credential: credential, OnError: hostagent.Continue, Calls: calls})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("results (-Network +%s):\n%s", logon, diff)
			}
			if got := stampOf(session.done(folders("list", s.Pool))[0], path); got != stamp {
				t.Errorf("the folder has the stamp %q, want %q", got, stamp)
			}
			wire, err := json.Marshal(got)
			if text := string(wire) + fmt.Sprintf("%#v", got); err != nil || strings.Contains(text, secret) || strings.Contains(text, password) {
				t.Errorf("a secret came back: %s, %v", wire, err)
			}
		})
	}
	t.Run("without a credential", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := session.agent.Run(ctx, hostagent.Batch{Logon: hostagent.LogonExplicit, OnError: hostagent.Continue, Calls: calls})
		if hostagent.ClassOf(err) != hostagent.Invalid || !strings.Contains(err.Error(), "needs the credential of a user") {
			t.Errorf("got %v, want Invalid", err)
		}
	})
}
