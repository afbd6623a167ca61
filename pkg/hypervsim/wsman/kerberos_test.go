package wsman_test

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guestclustering.io/operator/pkg/hypervsim/wsman"
	"guestclustering.io/operator/test/kdc"
)

// pywinrm wants the host to prove itself too.
func TestPywinrmWorksWithKerberos(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := exec.CommandContext(ctx, python, "-c", "import winrm, requests_kerberos").Run(); err != nil {
		t.Skip("pywinrm with Kerberos is not there; install Debian's python3-winrm and python3-requests-kerberos to run this test")
	}
	k := kdc.Start(t)
	k.Admin("addprinc -pw pa55word operator")
	k.Admin("addprinc -pw pa55word stranger")
	k.Admin("addprinc -randkey HTTP/localhost")
	config := settings()
	config.Authentication = wsman.Authentication{Users: map[string]wsman.User{"operator": {}}}
	_, config.Authentication.Kerberos = k.Keytab("HTTP/localhost")
	for name, test := range map[string]struct {
		user   string
		secure bool
		want   driven
	}{
		"over TLS":                  {"operator", true, driven{Hello: ran{Out: "hello a b c on HV01\n", Problems: "warning"}, Large: len("large on HV01\n") + 1_000_000}},
		"unsealed over HTTP":        {"operator", false, driven{Refused: true}},
		"somebody who is not known": {"stranger", true, driven{Refused: true}},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, config)
			got := pywinrm(t, e, e.url(test.secure), "kerberos", test.user+"@"+kdc.Realm, "KRB5_CONFIG="+k.Path, "KRB5CCNAME="+k.Login(test.user, "pa55word"))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if n := e.Shells(); n != 0 {
				t.Errorf("%d shells are left", n)
			}
		})
	}
}
